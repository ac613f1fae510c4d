/*
 * A log: frames appended to segments, one after the other, and made durable.
 *
 * The order of locks: append, then those of the segments, then that of syncs. `append` is held for
 * the copying of a frame, and while a segment is made where none was prepared ahead. `syncing` is
 * the right to sync and close segments' files, of one thread at a time.
 *
 *     position: how many bytes of frames were appended since the log was opened. All below
 *     `durable` is known to be synced. A frame tells where that was, if it has moved. Of a log
 *     that was replaced or dropped all is durable, since what has come in its place is.
 *
 * When a sync or a write fails it is not known what is on the disk, and trying again would prove
 * nothing: from then on nothing can be appended until the log is opened anew.
 */
#ifndef TARN_ENGINE_LOG_LOG_H
#define TARN_ENGINE_LOG_LOG_H

#include "engine/engine.h"
#include "engine/log/segments.h"

/* Kept free at the end of a segment: for the frame that ends the log, and, if it goes on there and
 * the next frame has no room, for the one that leads on. */
#define TARN__LOG_END_BYTES ((size_t)96)

struct tarn__log {
    struct tarn__environment *environment;
    struct tarn__segments segments;
    _Atomic uint64_t segment_bytes; /* of the largest that is made ahead */
    _Atomic int mode;               /* enum tarn_sync_mode */
    _Atomic bool failed;            /* or replaced: nothing is appended any more */
    _Atomic bool told;              /* somebody was told of it */
    void (*sync_failed)(void *context, tarn_status status); /* where nobody waits; or NULL */
    void *failed_context;
    bool ended;                /* when it was opened; as long as nothing is appended, it is */
    uint64_t covered_sequence; /* the highest in what the checkpoint covers; or 0 */
    _Atomic uint64_t
        mend_sequence;        /* while what is there is written again: the lowest of it; or 0 */
    _Atomic bool next_wanted; /* the active segment is half full */
    _Atomic bool is_quick;    /* the last one was filled in a moment */
    struct tarn__job prepare; /* the next segment, and what is to be done for those that are full */

    /* Of compactions. */
    _Atomic(struct tarn__job *) compact; /* wanted when there is enough to gain; or NULL */
    _Atomic uint64_t compact_bytes;
    _Atomic uint32_t compact_percent;
    _Atomic bool ending; /* one that is under way gives up soon, and nothing is prepared any more */

    struct tarn__lock append; /* what follows */
    struct tarn__segment *active;
    uint64_t half;       /* of its bytes: where the next one becomes wanted */
    uint64_t begun_ns;   /* when it became active */
    uint64_t point_told; /* the durable position that frames have told last */
    uint8_t *scratch;
    _Atomic uint64_t appended; /* position; read without the lock */
    _Atomic uint64_t full;     /* the position at which `active` begins */

    _Atomic(struct tarn__segment *) next; /* prepared; whoever needs it takes it away */

    pthread_mutex_t sync_lock; /* what follows */
    pthread_cond_t synced;
    bool syncing;
    uint32_t waiting;         /* since the last sync began: they are served by the next */
    uint32_t arrivals;        /* since the last sync ended */
    uint32_t served;          /* by the last sync */
    uint64_t sync_ns;         /* how long it took */
    _Atomic uint64_t durable; /* position; read without the lock */
    uint64_t durable_number, durable_offset; /* the same as a place: segment, and offset there */

    pthread_mutex_t notify_lock; /* what follows; no other lock of the log's is taken with it */
    struct tarn__completion_row notified; /* asynchronous writes that are not durable yet */
    _Atomic bool notifies;                /* there are some; read without the lock */

    struct tarn__job sync; /* of the mode `interval`, and for asynchronous writes */
    _Atomic uint64_t interval_ns;
    _Atomic bool sync_wanted, sync_wanted_now; /* the job will come; without waiting */
};

/*
 * Begins with a log whose segments are open, and what else is above `append` set; active is the one
 * that is written on with, of which all that is there is durable, or NULL where a new one is to be
 * made. TARN_NO_MEMORY, and what making a segment gives. If it fails there is nothing to release.
 */
tarn_status tarn__log_begin(struct tarn__log *log, struct tarn__segment *active);

/*
 * Appends the records of one write, as one frame, under one sequence, which is given out here; sets
 * sequences and locations. *position: what tarn__log_wait() is to wait for. TARN_FULL, TARN_IO,
 * TARN_READ_ONLY (something failed before): nothing was appended.
 */
tarn_status tarn__log_append(struct tarn__log *log, struct tarn__write *writes, size_t count,
                             uint64_t *position);

/* The same with what has a sequence already; for mending. Locations are not wanted. */
tarn_status tarn__log_append_again(struct tarn__log *log, struct tarn__write *writes, size_t count,
                                   uint64_t sequence);

/* Waits until all below a position is durable; whoever waits first syncs for all. TARN_IO,
 * TARN_OUTCOME_UNKNOWN: it may not be, and the log cannot be appended to any more. */
tarn_status tarn__log_wait(struct tarn__log *log, uint64_t position);

/* Waits until all that was appended so far is durable. */
tarn_status tarn__log_sync(struct tarn__log *log);

/* The same, and that the segments before the active one are sealed. */
tarn_status tarn__log_seal_full(struct tarn__log *log);

/* The same as tarn__log_wait() for who does not wait: the completion is done then, in the order of
 * the calls; the job syncs for all of them. */
void tarn__log_notify(struct tarn__log *log, uint64_t position,
                      struct tarn__completion *completion);

/* What has come in the log's place is durable, and so what was written to it need not be synced. */
void tarn__log_supersede(struct tarn__log *log);

/* Changes the sync mode. interval_ms: of the mode `interval`. */
void tarn__log_set_mode(struct tarn__log *log, enum tarn_sync_mode mode, uint32_t interval_ms);

/* Syncs, and says in the log that this was all: the next opening goes on where it ends. Nobody
 * appends any more. */
tarn_status tarn__log_end(struct tarn__log *log);

/* Ends the log's own work. The segments are the caller's again. */
void tarn__log_release(struct tarn__log *log);

/* Goes on in another segment, so that all that was written so far can be compacted; nothing is done
 * where nothing was written. Waits until that is durable. */
tarn_status tarn__log_begin_segment(struct tarn__log *log);

/* A sequence that all that is written from now on will at least have. */
uint64_t tarn__log_next_sequence(const struct tarn__log *log);

/*
 * Begins an empty log in the same directory in place of one, whose settings it gets: what the list
 * of segments says is replaced at once, and that is durable. Nobody appends meanwhile, nor waits.
 * The one that was there then has segments that no list names, and may only be released.
 * TARN_READ_ONLY, and what making a segment gives; TARN_OUTCOME_UNKNOWN: the old one may be read,
 * and no more.
 */
tarn_status tarn__log_begin_anew(struct tarn__log *log, struct tarn__log *fresh);

/* For the log's parts: tells the caller, once, of a failure that nobody waits for; has the
 * interval's sync come after a write; the job that does it; writes the end frame. */
void tarn__log_tell(struct tarn__log *log, tarn_status status);
void tarn__log_want_sync(struct tarn__log *log);
void tarn__log_run_sync(void *log);
void tarn__log_want_compaction(struct tarn__log *log);
tarn_status tarn__log_write_end(struct tarn__log *log, uint64_t next_segment);

#endif
