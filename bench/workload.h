/*
 * What is stored and in which order it is touched.
 *
 * A key is 16 bytes made from its index by two bijective mixes, so that any key can be made again
 * without being stored, and no two indexes share one. A value begins with 8 bytes that depend on
 * the index, and ends, where it is long enough, with the version that wrote it; between them are
 * fixed bytes. An order is an array of indexes, computed before the clock starts and read from
 * front to back, so that all stores under test pay the same few tenths of a nanosecond for it.
 *
 * Everything here depends on its arguments alone and may be used by any thread.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    WORKLOAD_KEY_BYTES = 16,
    WORKLOAD_VALUE_BYTES_MIN = 8,
    WORKLOAD_VALUE_BYTES_MAX = 1000,
};

/* Indexes from here on are never stored: their keys are the misses. */
#define WORKLOAD_INDEX_ABSENT ((uint64_t)1 << 40)

/* The finalizer of SplitMix64 (Steele, Lea and Flood 2014; constants by Stafford): a bijection. */
static inline uint64_t workload_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x;
}

static inline void workload_key(uint64_t index, uint8_t key[WORKLOAD_KEY_BYTES])
{
    const uint64_t halves[2] = {workload_mix(index + 0x9e3779b97f4a7c15u),
                                workload_mix(index ^ 0xd1b54a32d192ed03u)};
    memcpy(key, halves, sizeof halves);
}

/* A buffer that values are made in; the fixed bytes are written once. */
struct workload_value {
    size_t length;
    uint8_t bytes[WORKLOAD_VALUE_BYTES_MAX];
};

/* length: WORKLOAD_VALUE_BYTES_MIN to WORKLOAD_VALUE_BYTES_MAX. */
void workload_value_init(struct workload_value *value, size_t length);

static inline uint64_t workload_tag(uint64_t index)
{
    return workload_mix(~index);
}

/* Makes the value of an index in the buffer. */
static inline void workload_value_stamp(struct workload_value *value, uint64_t index,
                                        uint64_t version)
{
    const uint64_t tag = workload_tag(index);
    memcpy(value->bytes, &tag, sizeof tag);
    if (value->length >= 2 * sizeof tag) {
        memcpy(value->bytes + value->length - sizeof version, &version, sizeof version);
    }
}

/* Whether bytes that were read are a value of this index, as far as the first 8 bytes and the
 * length tell. Cheap enough for every read. */
static inline bool workload_value_is_of(const void *data, size_t length, uint64_t index,
                                        size_t length_expected)
{
    uint64_t tag = 0;
    if (length != length_expected) {
        return false;
    }
    memcpy(&tag, data, sizeof tag);
    return tag == workload_tag(index);
}

/* The same for every byte but the version's. */
bool workload_value_is_whole(const void *data, size_t length, uint64_t index,
                             size_t length_expected);

/* Fills order with count indexes below keys: random permutations of all of them, one after the
 * other, the last one cut. keys: 2 to 2^31. */
void workload_order_permuted(uint32_t *order, size_t count, uint32_t keys, uint64_t seed);

/* A Zipfian distribution over the indexes below keys. */
struct workload_zipfian {
    uint32_t keys;
    double theta;
    double zeta;
    double alpha;
    double eta;
};

/* theta: the skew, above 0 and below 1. Takes a sum over all keys. */
void workload_zipfian_init(struct workload_zipfian *zipfian, uint32_t keys, double theta);

/* Fills order with count draws. Which keys are the frequent ones is random, but the same for every
 * seed. */
void workload_order_zipfian(const struct workload_zipfian *zipfian, uint32_t *order, size_t count,
                            uint64_t seed);

#endif
