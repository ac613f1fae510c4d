/*
 * Tombstones: the keys that a replay has met as deleted, with the sequence of that, while older
 * puts of them may still come.
 */
#ifndef TARN_NAMESPACE_TOMBSTONES_H
#define TARN_NAMESPACE_TOMBSTONES_H

#include "tarn.h"

struct tarn__tombstone {
    uint64_t hash, sequence; /* the highest; 0: the place is free */
    uint64_t key_at;         /* in keys */
    size_t key_length;
};

/* Start from zero. */
struct tarn__tombstones {
    struct tarn__tombstone *table; /* by hash, linear probing */
    size_t count, capacity;        /* a power of two */
    struct tarn_buf keys;
};

void tarn__tombstones_release(struct tarn__tombstones *tombstones);

/* A key was deleted at a sequence, which is not 0. TARN_NO_MEMORY. */
tarn_status tarn__tombstones_add(struct tarn__tombstones *tombstones, struct tarn_slice key,
                                 uint64_t hash, uint64_t sequence);

/* The sequence at which a key was deleted last; 0: it was not. */
uint64_t tarn__tombstones_find(const struct tarn__tombstones *tombstones, struct tarn_slice key,
                               uint64_t hash);

#endif
