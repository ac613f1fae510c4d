/* Walking the index bucket by bucket; see index.h. */
#include "base/hash.h"
#include "base/memory.h"
#include "index/index.h"

static bool add(struct tarn__bucket_view *view, uint64_t location)
{
    if (view->count == view->capacity) {
        size_t capacity = view->capacity ? view->capacity * 2 : 16;
        uint64_t *locations = tarn__reallocate(view->locations, capacity * sizeof *locations);

        if (!locations)
            return false;
        view->locations = locations;
        view->capacity = capacity;
    }
    view->locations[view->count++] = location;
    return true;
}

static bool collect(struct tarn__index *index, struct tarn__line *line,
                    struct tarn__bucket_view *view)
{
    for (; line; line = tarn__line_next(index, line)) {
        for (unsigned i = 0; i < TARN__LINE_SLOTS; i++) {
            uint64_t slot = atomic_load_explicit(&line->slots[i], memory_order_acquire);

            if (!tarn__slot_is_link(slot) && tarn__slot_location(slot) &&
                !add(view, tarn__slot_location(slot)))
                return false;
        }
    }
    return true;
}

enum tarn__found tarn__index_view(struct tarn__index *index, uint64_t position,
                                  struct tarn__bucket_view *view, tarn_status *status)
{
    uint64_t hash = tarn__reverse_bits(position);
    struct tarn__look look;
    uint64_t interval;

    *status = TARN_OK;
    view->count = 0;
    if (!tarn__index_place(index, hash, &look.place))
        return TARN__ABSENT;
    look.control = atomic_load_explicit(&look.place.line->control, memory_order_acquire);
    if (look.control & (TARN__CONTROL_BATCH | 1))
        return TARN__RETRY;
    if (!collect(index, look.place.line, view)) {
        *status = TARN_NO_MEMORY;
        return TARN__FOUND;
    }
    if (!tarn__index_unchanged(index, hash, &look))
        return TARN__RETRY;
    /* The hashes of the bucket share their low bits, so reversed they are one interval. */
    interval = look.place.bits ? UINT64_C(1) << (64 - look.place.bits) : 0;
    view->end = (position & ~(interval - 1)) + interval;
    view->last = view->end == 0 || !interval;
    return TARN__FOUND;
}
