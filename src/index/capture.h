/*
 * A capture: the locations that an index held at one moment, collected while writers go on.
 *
 * The moment is that of tarn__capture_begin(), with all locks of the index held: the buckets that
 * there are then are the capture's. Nothing is copied. Afterwards each of them is taken once, by
 * whoever comes first:
 *
 *     the collector   bucket after bucket, under the lock of the bucket's shard
 *     a writer        before its first change to the bucket, under the same lock
 *
 * Buckets that come later, by splits, hold nothing that is not taken: a split is a change to the
 * bucket that it takes from. A bucket's number is the low bits of its hashes, whatever becomes of
 * the groups, so buckets are told apart by the number that they had.
 *
 * If a writer finds no memory for a bucket's locations, the capture has failed, and the writer goes
 * on: who collects has to ask tarn__capture_failed() before it trusts a location.
 */
#ifndef TARN_INDEX_CAPTURE_H
#define TARN_INDEX_CAPTURE_H

#include "index/locations.h"

#include <pthread.h>
#include <stdatomic.h>

struct tarn__index;
struct tarn__line;

struct tarn__capture {
    struct tarn__index *index;
    uint32_t group_bits;
    uint64_t *first;         /* of each group: how many buckets the groups before it had; one more
                                entry for all of them */
    _Atomic uint64_t *taken; /* a bit for each bucket */
    uint64_t next;           /* the collector's */
    uint32_t group;          /* that next is in */
    _Atomic bool failed;
    pthread_mutex_t lock; /* of what follows */
    struct tarn__locations saved;
};

/* Begins, under all locks of the index, which has no other capture. TARN_NO_MEMORY: none is left
 * behind. */
tarn_status tarn__capture_begin(struct tarn__capture *capture, struct tarn__index *index);

/* Writers do not look at the capture any more. Under all locks of the index. */
void tarn__capture_end(struct tarn__capture *capture);

/* Frees what it has; after the end, or where begin failed. */
void tarn__capture_release(struct tarn__capture *capture);

/* The next bucket to collect, as the low bits of the hashes in it; false: all were collected. */
bool tarn__capture_next(struct tarn__capture *capture, uint64_t *bucket);

/* Announces the next buckets to the cache, so that the lock is not held while memory is waited for.
 * No lock is needed. */
void tarn__capture_announce(const struct tarn__capture *capture, uint64_t count);

/* Collects the next bucket's locations into the list, unless a writer has taken them; goes on to
 * the one behind. Under the lock of the bucket's shard. TARN_NO_MEMORY. */
tarn_status tarn__capture_collect(struct tarn__capture *capture, struct tarn__locations *list);

/* Takes over a chunk of what writers have saved; NULL: there is none. Once all was collected,
 * nothing is added any more. */
struct tarn__location_chunk *tarn__capture_take_saved(struct tarn__capture *capture);

static inline bool tarn__capture_failed(struct tarn__capture *capture)
{
    return atomic_load(&capture->failed);
}

/* For the index: a bucket is about to be changed. Under the lock of its shard. */
void tarn__capture_save(struct tarn__capture *capture, uint64_t bucket, struct tarn__line *line);

#endif
