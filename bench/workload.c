/*
 * Values and orders of access: see workload.h.
 */
#include "workload.h"

#include <math.h>

/* The fixed bytes between tag and version: not compressible, not zero. */
static uint8_t fixed_byte(size_t position)
{
    return (uint8_t)(workload_mix(position) | 1u);
}

void workload_value_init(struct workload_value *value, size_t length)
{
    value->length = length;
    for (size_t i = 0; i < sizeof value->bytes; i++) {
        value->bytes[i] = fixed_byte(i);
    }
}

bool workload_value_is_whole(const void *data, size_t length, uint64_t index,
                             size_t length_expected)
{
    const uint8_t *bytes = data;
    if (!workload_value_is_of(data, length, index, length_expected)) {
        return false;
    }
    for (size_t i = sizeof(uint64_t); i + sizeof(uint64_t) < length; i++) {
        if (bytes[i] != fixed_byte(i)) {
            return false;
        }
    }
    return true;
}

/* A bijection of the numbers of so many bits: each step (add, multiply by an odd number, xor with
 * the own upper half) can be undone. */
static uint32_t permute_bits(uint32_t x, unsigned bits, uint64_t seed)
{
    const uint32_t mask = (uint32_t)(((uint64_t)1 << bits) - 1);
    for (unsigned step = 0; step < 4; step++) {
        const uint64_t part = workload_mix(seed + step);
        x = (x + (uint32_t)part) & mask;
        x = (x * ((uint32_t)(part >> 32) | 1u)) & mask;
        x ^= x >> ((bits + 1) / 2);
    }
    return x;
}

/* A bijection of the numbers below keys, by walking the larger one's cycle until it is back inside
 * (Black and Rogaway 2002). */
static uint32_t permute_below(uint32_t x, uint32_t keys, unsigned bits, uint64_t seed)
{
    do {
        x = permute_bits(x, bits, seed);
    } while (x >= keys);
    return x;
}

static unsigned bits_of(uint32_t keys)
{
    return 32 - (unsigned)__builtin_clz(keys - 1);
}

void workload_order_permuted(uint32_t *order, size_t count, uint32_t keys, uint64_t seed)
{
    const unsigned bits = bits_of(keys);
    for (size_t i = 0; i < count; i++) {
        const uint64_t pass_seed = workload_mix(seed) + i / keys;
        order[i] = permute_below((uint32_t)(i % keys), keys, bits, pass_seed);
    }
}

void workload_zipfian_init(struct workload_zipfian *zipfian, uint32_t keys, double theta)
{
    double zeta = 0;
    for (uint32_t rank = 1; rank <= keys; rank++) {
        zeta += pow(rank, -theta);
    }
    zipfian->keys = keys;
    zipfian->theta = theta;
    zipfian->zeta = zeta;
    zipfian->alpha = 1 / (1 - theta);
    zipfian->eta = (1 - pow(2.0 / keys, 1 - theta)) / (1 - (1 + pow(2, -theta)) / zeta);
}

/* The generator of Gray and others, "Quickly generating billion-record synthetic databases" (1994),
 * which YCSB uses as well. u: 0 up to, but not, 1. */
static uint32_t zipfian_rank(const struct workload_zipfian *zipfian, double u)
{
    const double place = u * zipfian->zeta;
    if (place < 1) {
        return 0;
    }
    if (place < 1 + pow(2, -zipfian->theta)) {
        return 1;
    }
    const double rank = zipfian->keys * pow(zipfian->eta * u - zipfian->eta + 1, zipfian->alpha);
    return rank < zipfian->keys ? (uint32_t)rank : zipfian->keys - 1;
}

void workload_order_zipfian(const struct workload_zipfian *zipfian, uint32_t *order, size_t count,
                            uint64_t seed)
{
    enum { FREQUENT_KEYS_SEED = 99 };
    const unsigned bits = bits_of(zipfian->keys);
    uint64_t state = workload_mix(seed);
    for (size_t i = 0; i < count; i++) {
        state += 0x9e3779b97f4a7c15u;
        const double u = (double)(workload_mix(state) >> 11) * 0x1p-53;
        order[i] = permute_below(zipfian_rank(zipfian, u), zipfian->keys, bits, FREQUENT_KEYS_SEED);
    }
}
