/*
 * The slots of a line, and the search for a hash among them; index.h says what the bits of a slot
 * mean.
 *
 * A search compares all seven slots without a branch, since nobody can predict in which one an
 * entry is, and behind a branch that was predicted wrongly waits a trip to memory. What it finds
 * are candidates: each is read again, as the atomic word that it is, before it counts. In a line
 * nearly every slot keeps one of the two youngest windows, so only these are compared; slots with
 * an older one are always candidates.
 */
#ifndef TARN_INDEX_SLOTS_H
#define TARN_INDEX_SLOTS_H

#include "index/lines.h"

#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#define TARN__COMPARE_VECTORS !__has_feature(thread_sanitizer)
#else
#define TARN__COMPARE_VECTORS 1
#endif
#else
#define TARN__COMPARE_VECTORS 0
#endif

#if TARN__COMPARE_VECTORS
#include <emmintrin.h>
#endif

#define TARN__WINDOW_STEP    5
#define TARN__WINDOW_MAX     6
#define TARN__WINDOW_LINK    7
#define TARN__SLOT_HASH_BITS 21
#define TARN__SLOT_HASH_MASK ((UINT64_C(1) << TARN__SLOT_HASH_BITS) - 1)
#define TARN__SLOT_CLAIMED   UINT64_C(1)

static inline uint64_t tarn__slot_location(uint64_t slot)
{
    return slot >> 24;
}

static inline uint32_t tarn__slot_window(uint64_t slot)
{
    return (uint32_t)(slot >> TARN__SLOT_HASH_BITS) & 7;
}

static inline bool tarn__slot_is_link(uint64_t slot)
{
    return tarn__slot_window(slot) == TARN__WINDOW_LINK;
}

/* The window of a new entry in a bucket whose number has so many bits. */
static inline uint32_t tarn__window_for(uint32_t bits)
{
    uint32_t window = 1 + bits / TARN__WINDOW_STEP;

    return window < TARN__WINDOW_MAX ? window : TARN__WINDOW_MAX;
}

/* The low 24 bits of a slot that keeps a window of a hash. */
static inline uint32_t tarn__slot_mark(uint64_t hash, uint32_t window)
{
    return window << TARN__SLOT_HASH_BITS |
           ((uint32_t)(hash >> (TARN__WINDOW_STEP * (window - 1))) & TARN__SLOT_HASH_MASK);
}

/* The location in a slot if its key may have the hash, else 0. mark is what it has in a new entry.
 */
static inline uint64_t tarn__slot_candidate(uint64_t slot, uint64_t hash, uint32_t mark)
{
    uint32_t window = tarn__slot_window(slot);

    if (__builtin_expect((slot & 0xffffff) == mark, 1))
        return tarn__slot_location(slot);
    if (window == 0 || window == TARN__WINDOW_LINK ||
        tarn__slot_mark(hash, window) != (slot & 0xffffff))
        return 0;
    return tarn__slot_location(slot);
}

/* The window of entries that are one doubling older than a mark; the first has none before it. */
static inline uint32_t tarn__elder_window(uint32_t mark)
{
    uint32_t window = mark >> TARN__SLOT_HASH_BITS;

    return window - (window > 1);
}

/* Which slots of a line may have the hash, which has this mark in a new entry: bit i stands for
 * slot i. What is read here counts as read with memory_order_acquire. */
#if TARN__COMPARE_VECTORS

/* The processor reads each aligned word at once, as the atomic words of a line need it, and keeps
 * the order of loads; the signal fence sees to it that the compiler does as well. */
static inline unsigned tarn__line_candidates(struct tarn__line *line, uint64_t hash, uint32_t young)
{
    const __m128i *words = (const __m128i *)line;
    const __m128i mask = _mm_set1_epi32(0xffffff);
    uint32_t elder_window = tarn__elder_window(young);
    __m128i youngs = _mm_set1_epi32((int)young);
    __m128i elders = _mm_set1_epi32((int)tarn__slot_mark(hash, elder_window));
    __m128i begin = _mm_set1_epi32((1 << TARN__SLOT_HASH_BITS) - 1);
    __m128i end = _mm_set1_epi32((int)(elder_window << TARN__SLOT_HASH_BITS));
    __m128i found[2];

    for (unsigned i = 0; i < 2; i++) {
        __m128 one = _mm_castsi128_ps(_mm_load_si128(words + 2 * i));
        __m128 two = _mm_castsi128_ps(_mm_load_si128(words + 2 * i + 1));
        __m128i marks = _mm_castps_si128(_mm_shuffle_ps(one, two, _MM_SHUFFLE(2, 0, 2, 0)));

        marks = _mm_and_si128(marks, mask);
        found[i] = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi32(marks, youngs), _mm_cmpeq_epi32(marks, elders)),
            _mm_and_si128(_mm_cmpgt_epi32(marks, begin), _mm_cmpgt_epi32(end, marks)));
    }
    atomic_signal_fence(memory_order_acquire);
    found[0] = _mm_packs_epi32(found[0], found[1]);
    found[0] = _mm_packs_epi16(found[0], found[0]);
    return (unsigned)(_mm_movemask_epi8(found[0]) & 0xff) >> 1; /* the first is the control word */
}

#else

static inline unsigned tarn__line_candidates(struct tarn__line *line, uint64_t hash, uint32_t young)
{
    uint32_t elder = tarn__slot_mark(hash, tarn__elder_window(young));
    uint32_t end = tarn__elder_window(young) << TARN__SLOT_HASH_BITS;
    unsigned candidates = 0;

    for (unsigned i = 0; i < TARN__LINE_SLOTS; i++) {
        uint64_t slot = atomic_load_explicit(&line->slots[i], memory_order_acquire);
        uint32_t mark = (uint32_t)slot & 0xffffff;
        bool old = mark >= 1u << TARN__SLOT_HASH_BITS && mark < end;

        candidates |= (unsigned)(mark == young || mark == elder || old) << i;
    }
    return candidates;
}

#endif

#endif
