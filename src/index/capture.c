/* A capture; see the header. */
#include "index/capture.h"
#include "base/memory.h"
#include "base/status.h"
#include "index/index.h"

#include <string.h>

tarn_status tarn__capture_begin(struct tarn__capture *capture, struct tarn__index *index)
{
    struct tarn__groups *groups = atomic_load_explicit(&index->groups, memory_order_relaxed);
    uint64_t buckets = 0;
    uint32_t count;

    memset(capture, 0, sizeof *capture);
    if (pthread_mutex_init(&capture->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    capture->index = index;
    capture->group_bits = groups ? groups->bits : 0;
    count = 1u << capture->group_bits;
    capture->first = tarn__allocate((count + 1) * sizeof *capture->first);
    for (uint32_t group = 0; capture->first && group < count; group++) {
        capture->first[group] = buckets;
        if (groups)
            buckets += atomic_load_explicit(&groups->buckets[group], memory_order_relaxed);
    }
    capture->taken = tarn__allocate_zeroed((buckets / 64 + 1) * sizeof *capture->taken);
    if (!capture->first || !capture->taken) {
        tarn__capture_release(capture);
        return TARN_NO_MEMORY;
    }
    capture->first[count] = buckets;
    index->capture = capture;
    return TARN_OK;
}

void tarn__capture_end(struct tarn__capture *capture)
{
    capture->index->capture = NULL;
}

void tarn__capture_release(struct tarn__capture *capture)
{
    if (!capture->index)
        return;
    tarn__locations_release(&capture->saved);
    tarn__free(capture->first);
    tarn__free(capture->taken);
    pthread_mutex_destroy(&capture->lock);
    capture->index = NULL;
}

/* Whether the bucket, by its number among all, is to be taken now. Under its shard's lock: others
 * may set other bits of the word meanwhile. */
static bool take(struct tarn__capture *capture, uint64_t number)
{
    _Atomic uint64_t *word = &capture->taken[number / 64];
    uint64_t bit = UINT64_C(1) << (number % 64);

    if (atomic_load_explicit(word, memory_order_relaxed) & bit)
        return false;
    atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
    return true;
}

static bool collect(struct tarn__index *index, struct tarn__line *line,
                    struct tarn__locations *list)
{
    for (; line; line = tarn__line_next(index, line)) {
        for (unsigned i = 0; i < TARN__LINE_SLOTS; i++) {
            uint64_t slot = atomic_load_explicit(&line->slots[i], memory_order_relaxed);

            if (!tarn__slot_is_link(slot) && tarn__slot_location(slot) &&
                !tarn__locations_add(list, tarn__slot_location(slot)))
                return false;
        }
    }
    return true;
}

void tarn__capture_save(struct tarn__capture *capture, uint64_t bucket, struct tarn__line *line)
{
    uint32_t group = (uint32_t)bucket & ((1u << capture->group_bits) - 1);
    uint64_t number = capture->first[group] + (bucket >> capture->group_bits);

    if (number >= capture->first[group + 1] || !take(capture, number))
        return; /* it is newer, or taken */
    pthread_mutex_lock(&capture->lock);
    if (!collect(capture->index, line, &capture->saved))
        atomic_store(&capture->failed, true);
    pthread_mutex_unlock(&capture->lock);
}

/* The bucket with a number among all, which is in this group or one behind it. */
static bool bucket_at(const struct tarn__capture *capture, uint64_t number, uint32_t *group,
                      uint64_t *bucket)
{
    uint32_t groups = 1u << capture->group_bits;

    while (*group < groups && number >= capture->first[*group + 1])
        ++*group;
    if (*group == groups)
        return false;
    *bucket = (number - capture->first[*group]) << capture->group_bits | *group;
    return true;
}

bool tarn__capture_next(struct tarn__capture *capture, uint64_t *bucket)
{
    return bucket_at(capture, capture->next, &capture->group, bucket);
}

void tarn__capture_announce(const struct tarn__capture *capture, uint64_t count)
{
    uint32_t group = capture->group;
    uint64_t bucket;

    for (uint64_t i = 0; i < count; i++)
        if (bucket_at(capture, capture->next + i, &group, &bucket))
            __builtin_prefetch(tarn__line_at(&capture->index->buckets, bucket));
}

tarn_status tarn__capture_collect(struct tarn__capture *capture, struct tarn__locations *list)
{
    uint64_t bucket;

    if (!tarn__capture_next(capture, &bucket) || !take(capture, capture->next++))
        return TARN_OK;
    return collect(capture->index, tarn__line_at(&capture->index->buckets, bucket), list)
               ? TARN_OK
               : TARN_NO_MEMORY;
}

struct tarn__location_chunk *tarn__capture_take_saved(struct tarn__capture *capture)
{
    struct tarn__location_chunk *chunk;

    pthread_mutex_lock(&capture->lock);
    chunk = tarn__locations_take(&capture->saved);
    pthread_mutex_unlock(&capture->lock);
    return chunk;
}
