/*
 * An array of 64-byte lines, all zero at first, that grows at its end and never moves.
 *
 * The first 1,024 lines come in chunks that double (4, 4, 8, 16, 32 KiB), so that a small index is
 * small; after that each chunk has 64 KiB. Which chunk a line is in takes two instructions and a
 * load to find. Chunks come from the store's pages; they are counted, and go when the array goes.
 */
#ifndef TARN_INDEX_LINES_H
#define TARN_INDEX_LINES_H

#include "base/pages.h"

#define TARN__LINE_SLOTS 7

struct tarn__line {
    _Alignas(64) _Atomic uint64_t control;
    _Atomic uint64_t slots[TARN__LINE_SLOTS];
};

struct tarn__lines {
    struct tarn__pages *pages;
    struct tarn__pointer_table chunks; /* each points so far before its lines that the line's
                                          number can be added to it */
    uint64_t *locations;               /* of the chunks, to give them back */
    size_t chunk_count, chunk_capacity;
    _Atomic uint64_t bytes; /* of all lines that are there */
};

static inline size_t tarn__line_chunk(uint64_t number)
{
    if (number >= 1024)
        return 4 + (number >> 10);
    return number < 64 ? 0 : 58 - (size_t)__builtin_clzll(number);
}

/* The line must be there. */
static inline struct tarn__line *tarn__line_at(struct tarn__lines *lines, uint64_t number)
{
    uintptr_t biased = (uintptr_t)tarn__pointer_table_get(&lines->chunks, tarn__line_chunk(number));

    return (struct tarn__line *)(biased + number * sizeof(struct tarn__line));
}

/* Whether it is; any thread. */
static inline bool tarn__lines_has(const struct tarn__lines *lines, uint64_t number)
{
    return number <
           atomic_load_explicit(&lines->bytes, memory_order_acquire) / sizeof(struct tarn__line);
}

/* Makes lines 0 to count - 1 be there. One thread at a time. TARN_NO_MEMORY, TARN_FULL. */
tarn_status tarn__lines_reserve(struct tarn__lines *lines, uint64_t count);

/* Nobody may look at them any more. The array is empty afterwards. */
void tarn__lines_release(struct tarn__lines *lines);

#endif
