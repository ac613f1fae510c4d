/*
 * A cut of a namespace: every record that was there at one moment, handed out while writers go on.
 *
 * The cut is begun with all locks held, for as long as it takes to allocate two small tables. From
 * then on a writer that is about to change a bucket saves its locations first (index/capture.h),
 * and records of the cut that are replaced or deleted are kept until it ends; those that are newer
 * than the cut go as always. So memory grows by what is overwritten meanwhile, and by no more.
 *
 * A clear meanwhile leaves the old index and its records to the cut. Drop and close find the
 * namespace busy. One cut of a namespace at a time: the caller sees to it (the store has a lock).
 */
#ifndef TARN_NAMESPACE_CUT_H
#define TARN_NAMESPACE_CUT_H

#include "namespace/namespace.h"

struct tarn__cut {
    tarn_namespace *ns;
    uint64_t sequence;                     /* the highest that a record of the cut can have */
    uint64_t keys, bytes;                  /* how many records the cut has, and what is in them */
    struct tarn_namespace_options options; /* as they were at that moment */
    struct tarn__capture capture;
    void *held;                         /* by the engine: where the records are */
    struct tarn__location_chunk *chunk; /* being handed out */
    struct tarn__locations collected;
    struct tarn__index *cleared; /* the index and the records, once the namespace was cleared;
                                    under all locks */
    void *detached;
    pthread_mutex_t lock; /* of what follows */
    struct tarn__locations kept;
    _Atomic bool failed; /* there was no memory to keep a record */
};

/* Begins a cut with tarn__shards_lock_all() held. TARN_NO_MEMORY. */
tarn_status tarn__cut_begin(struct tarn__cut *cut, tarn_namespace *ns);

/*
 * Hands out locations of the cut, each once, in no order; *count is 0 once there are no more. They
 * are to be read inside a section, which tarn__cut_holds() has to be asked in. The array stays
 * until the next call. No lock is held. TARN_LOCK_TIMEOUT, TARN_NO_MEMORY: the cut is of no use any
 * more.
 */
tarn_status tarn__cut_next(struct tarn__cut *cut, const uint64_t **locations, size_t *count);

/* Whether everything that was handed out can be read, as long as the caller stays inside. */
bool tarn__cut_holds(struct tarn__cut *cut);

/* A record whose value is larger is not copied inside a section, but pinned. */
#define TARN__CUT_LARGE_BYTES ((size_t)64 * 1024)

/* Where the records of a cut go. */
struct tarn__cut_sink {
    void *context;

    /* Copies a record, which is not large; false: there is no room for it before a flush. Inside a
     * section: without a call of the system. */
    bool (*add)(void *context, const struct tarn__record *record);

    /* Deals with all that was added. */
    tarn_status (*flush)(void *context);

    /* Deals with all that was added, and with one record that is large. */
    tarn_status (*add_large)(void *context, const struct tarn__record *record);
};

/* How far it is, and who is told of it. */
struct tarn__cut_progress {
    bool (*tell)(void *context, uint64_t done, uint64_t total); /* or NULL */
    void *context;
    uint64_t done, total; /* bytes of keys and values */
    uint64_t told;        /* what done was then */
};

/* Tells it at once. TARN_CANCELLED: no more is wanted. */
tarn_status tarn__cut_tell(struct tarn__cut_progress *progress);

/* Hands all records of a cut to a sink, and flushes it. No lock is held. progress may be NULL. What
 * tarn__cut_next() returns; TARN_CORRUPT; TARN_CANCELLED; what the sink returns. */
tarn_status tarn__cut_read(struct tarn__cut *cut, const struct tarn__cut_sink *sink,
                           struct tarn__cut_progress *progress);

/* Ends the cut and lets go of what was kept for it. Must be called; waits for locks. */
void tarn__cut_end(struct tarn__cut *cut);

/* For the namespace, under the lock of a shard: whether a record that is not reachable any more is
 * kept for the cut, which then has it. */
bool tarn__cut_keeps(struct tarn__cut *cut, uint64_t location, uint64_t sequence);

/* For the namespace, under all locks: it was cleared, and this is what was in it. false: nothing of
 * it is of the cut, since it was cleared before. */
bool tarn__cut_take_cleared(struct tarn__cut *cut, struct tarn__index *index, void *detached);

#endif
