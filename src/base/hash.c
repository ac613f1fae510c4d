/* Jump consistent hash, after the paper that the header names. */
#include "base/hash.h"

uint32_t tarn__jump_hash(uint64_t key, uint32_t buckets)
{
    int64_t bucket = -1;
    int64_t next = 0;

    /* The key seeds a generator whose draws decide at which counts of buckets it jumps. */
    while (next < (int64_t)buckets) {
        bucket = next;
        key = key * 2862933555777941757u + 1;
        next = (int64_t)((double)(bucket + 1) *
                         ((double)(INT64_C(1) << 31) / (double)((key >> 33) + 1)));
    }
    return (uint32_t)bucket;
}
