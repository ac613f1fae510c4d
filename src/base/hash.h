/*
 * The hash of a key, and which shard a partition of the hash belongs to.
 */
#ifndef TARN_BASE_HASH_H
#define TARN_BASE_HASH_H

#include "tarn.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* XXH3 with the store's random seed, so that keys cannot be chosen to collide. */
static inline uint64_t tarn__hash(struct tarn_slice key, uint64_t seed)
{
    return XXH3_64bits_withSeed(key.data, key.length, seed);
}

/*
 * Jump consistent hash (J. Lamping, E. Veach: A fast, minimal memory, consistent hash algorithm,
 * 2014): a number from 0 to buckets - 1, evenly spread; going from n to n + 1 buckets changes the
 * number of one in n + 1 keys, and always to n.
 */
uint32_t tarn__jump_hash(uint64_t key, uint32_t buckets);

/* The order in which cursors walk: the bits of a hash from the lowest to the highest. */
static inline uint64_t tarn__reverse_bits(uint64_t bits)
{
    bits = ((bits >> 1) & 0x5555555555555555u) | ((bits & 0x5555555555555555u) << 1);
    bits = ((bits >> 2) & 0x3333333333333333u) | ((bits & 0x3333333333333333u) << 2);
    bits = ((bits >> 4) & 0x0f0f0f0f0f0f0f0fu) | ((bits & 0x0f0f0f0f0f0f0f0fu) << 4);
    return __builtin_bswap64(bits);
}

#endif
