/* The image of an index; see the header. */
#include "index/image.h"
#include "base/memory.h"

#include <endian.h>
#include <string.h>

#define WORDS (TARN__IMAGE_LINE_BYTES / sizeof(uint64_t))

uint64_t tarn__image_buckets(struct tarn__index *index)
{
    const struct tarn__groups *groups = atomic_load_explicit(&index->groups, memory_order_relaxed);
    uint64_t most = 0;

    for (uint32_t group = 0; group < 1u << groups->bits; group++) {
        uint64_t buckets = atomic_load_explicit(&groups->buckets[group], memory_order_relaxed);

        most = buckets > most ? buckets : most;
    }
    return most << groups->bits;
}

uint64_t tarn__image_overflow(const struct tarn__index *index)
{
    return index->overflow_used;
}

static struct tarn__lines *lines_of(struct tarn__index *index, bool overflow)
{
    return overflow ? &index->overflow : &index->buckets;
}

void tarn__image_copy(struct tarn__index *index, bool overflow, uint64_t first, uint64_t count,
                      uint8_t *bytes)
{
    struct tarn__lines *lines = lines_of(index, overflow);

    for (uint64_t i = 0; i < count; i++) {
        uint64_t words[WORDS] = {0}; /* the control word says nothing that lasts */

        if (tarn__lines_has(lines, first + i)) {
            struct tarn__line *line = tarn__line_at(lines, first + i);

            for (unsigned j = 0; j < TARN__LINE_SLOTS; j++)
                words[1 + j] = htole64(atomic_load_explicit(&line->slots[j], memory_order_relaxed));
        }
        memcpy(bytes + i * TARN__IMAGE_LINE_BYTES, words, sizeof words);
    }
}

tarn_status tarn__image_begin(struct tarn__image *image)
{
    struct tarn__index *index = image->index;
    tarn_status status;

    image->linked = tarn__allocate_zeroed(image->overflow);
    status = image->linked ? tarn__lines_reserve(&index->buckets, image->buckets) : TARN_NO_MEMORY;
    if (!status)
        status = tarn__lines_reserve(&index->overflow, image->overflow);
    if (!status)
        index->overflow_used = image->overflow;
    else
        tarn__free(image->linked);
    return status;
}

/* Each overflow line hangs on one line at most, so that no chain of them comes back to itself. */
static bool link_is_right(struct tarn__image *image, uint64_t link)
{
    uint64_t line = tarn__link_line(link);

    if (!line || line >= image->overflow || image->linked[line])
        return false;
    image->linked[line] = 1;
    return true;
}

static bool slot_is_right(struct tarn__image *image, uint64_t slot, bool is_last)
{
    if (!slot)
        return true;
    if (tarn__slot_is_link(slot))
        return is_last && link_is_right(image, slot);
    return tarn__slot_window(slot) && tarn__slot_location(slot) &&
           image->holds(image->context, tarn__slot_location(slot));
}

bool tarn__image_put(struct tarn__image *image, bool overflow, uint64_t first, uint64_t count,
                     const uint8_t *bytes)
{
    struct tarn__lines *lines = lines_of(image->index, overflow);

    for (uint64_t i = 0; i < count; i++) {
        struct tarn__line *line = tarn__line_at(lines, first + i);
        uint64_t words[WORDS];

        memcpy(words, bytes + i * TARN__IMAGE_LINE_BYTES, sizeof words);
        for (unsigned j = 0; j < TARN__LINE_SLOTS; j++) {
            uint64_t slot = le64toh(words[1 + j]);

            if (!slot_is_right(image, slot, j == TARN__LINE_SLOTS - 1))
                return false;
            atomic_store_explicit(&line->slots[j], slot, memory_order_relaxed);
        }
    }
    return true;
}

void tarn__image_publish(struct tarn__image *image, struct tarn__groups *groups)
{
    struct tarn__index *index = image->index;

    for (uint64_t i = 1; i < image->overflow; i++)
        if (!image->linked[i]) { /* it is free */
            atomic_store_explicit(&tarn__line_at(&index->overflow, i)->control,
                                  index->overflow_free, memory_order_relaxed);
            index->overflow_free = (uint32_t)i;
        }
    (void)tarn__index_publish(index, groups); /* there were none */
}

void tarn__image_end(struct tarn__image *image)
{
    tarn__free(image->linked);
}

void tarn__image_undo(struct tarn__index *index)
{
    tarn__lines_release(&index->buckets);
    tarn__lines_release(&index->overflow);
    index->overflow_used = 1;
    index->overflow_free = 0;
}
