/*
 * A process that works on a store in a folder until it is killed: makes, drops and configures
 * namespaces, sets autosaves, writes, saves, deletes snapshots, closes and opens the store anew,
 * all at random, and tells in a log (worker_log.h) what it issues and what was acknowledged. Up to
 * three threads more only write, into the first two namespaces.
 *
 * The child is forked before it opens anything, and dies with the thread that forked it.
 */
#ifndef TARN_TESTS_CRASH_WORKER_H
#define TARN_TESTS_CRASH_WORKER_H

#include <sys/types.h>

#include "crash/worker_log.h"

struct worker_plan {
    const char *path; /* of the store */
    uint64_t seed;
    unsigned threads;                 /* that write, besides the first: 0 to WORKER_THREADS - 1 */
    uint32_t stop_after;              /* so many steps it is idle; 0: it goes on */
    bool power_may_fail;              /* a call that fails ends the work, and is no mistake */
    struct worker_catalog catalog;    /* what the catalog says at the beginning */
    bool snapshots[WORKER_SNAPSHOTS]; /* which of these names there are */
};

/* Starts one; -1: no process. The log is cleared. */
pid_t worker_start(struct worker_log *log, const struct worker_plan *plan);

/* Starts a process that opens the store with all it holds, and closes it: what a crash in the
 * middle of that leaves is to be as good as before. The log is kept. */
pid_t worker_start_opening(struct worker_log *log, const struct worker_plan *plan);

/* Kills it and waits for its end. False: it had ended otherwise. */
bool worker_kill(pid_t child);

#endif
