/*
 * What a worker process has issued and what was acknowledged to it, in memory that it shares with
 * its judge and that outlives it.
 *
 * The worker writes an entry whole, then counts it, then does the call, then notes how it ended. So
 * after it was killed: what is not counted was not begun; what has not ended may have been done.
 * Each of these moments has a stamp out of one clock, which orders them over all threads: what
 * ended before another began was done before it.
 *
 * Steps are what the worker's first thread does to the store; writes are those of each thread.
 */
#ifndef TARN_TESTS_CRASH_WORKER_LOG_H
#define TARN_TESTS_CRASH_WORKER_LOG_H

#include <stdatomic.h>
#include <stdio.h>

#include "crash/worker_state.h"

#define WORKER_STEPS_MAX    2048
#define WORKER_WRITES_MAX   65536
#define WORKER_SESSIONS_MAX 64
#define WORKER_EVENTS_MAX   256

enum worker_step_kind {
    WORKER_OPEN, /* begins a session */
    WORKER_CLOSE,
    WORKER_CATALOG, /* a change of the catalog: `after` is what it makes */
    WORKER_SAVE,    /* of ns, which may be WORKER_STORE */
    WORKER_DELETE,  /* a snapshot */
};

struct worker_step {
    enum worker_step_kind kind;
    unsigned session, ns, snapshot;
    struct worker_catalog after; /* the catalog once it is done; the same as before for most */
    uint64_t sequence;           /* of a save that ended well */
    tarn_status status;          /* once it has ended */
    uint64_t issued;
    _Atomic uint64_t ended; /* 0: it has not */
};

/* Sets count keys from first on, and removes as many behind them, going round; all at once. */
struct worker_write {
    uint32_t generation, version;
    uint8_t ns, first, count, removed;
    uint64_t issued;
    _Atomic uint64_t ended;
};

struct worker_writes {
    _Atomic uint32_t count;
    struct worker_write items[WORKER_WRITES_MAX];
};

/* From an opening to the close. */
struct worker_session {
    bool nothing_loaded;
    uint32_t first_step;
    uint32_t first_write[WORKER_THREADS];
    struct worker_catalog catalog;
    struct worker_content base; /* what the opening had loaded, as the worker read it */
    _Atomic bool begun;         /* base was read */
};

/* An autosave was told to be done. */
struct worker_event {
    unsigned session;
    uint64_t at;
    char name[WORKER_NAME_ROOM];
};

struct worker_log {
    _Atomic uint64_t clock;
    _Atomic uint32_t step_count, session_count, event_count;
    struct worker_step steps[WORKER_STEPS_MAX];
    struct worker_writes writes[WORKER_THREADS];
    struct worker_session sessions[WORKER_SESSIONS_MAX];
    struct worker_event events[WORKER_EVENTS_MAX];
    _Atomic bool idle;   /* the worker has stopped, and waits to be killed */
    _Atomic bool failed; /* it has found something wrong: */
    struct worker_problem problem;

    /* Never begin anew. */
    uint32_t next_generation;
    uint32_t next_version[WORKER_THREADS];
};

/* NULL: there is no memory. */
struct worker_log *worker_log_make(void);
void worker_log_free(struct worker_log *log);

/* Forgets what the last worker did. */
void worker_log_clear(struct worker_log *log);

uint64_t worker_stamp(struct worker_log *log);

/* Begin an entry: a copy of what is given is counted. NULL: there is no room. */
struct worker_step *worker_step_begin(struct worker_log *log, const struct worker_step *step);
struct worker_write *worker_write_begin(struct worker_log *log, unsigned thread,
                                        const struct worker_write *write);

/* Ends a step. Writes end by a stamp alone: they do not fail. */
void worker_step_end(struct worker_log *log, struct worker_step *step, tarn_status status);

/* What a write makes of the keys of its thread in its namespace. */
void worker_write_apply(const struct worker_write *write, uint32_t versions[WORKER_KEYS]);

/* The last steps, in words, for whoever has to see why a store was refused. */
void worker_log_print(const struct worker_log *log, FILE *stream);

/* Where a session's writes of a thread end. */
uint32_t worker_session_end(const struct worker_log *log, unsigned session, unsigned thread);

#endif
