/*
 * A thread that overwrites keys all the time, while something else is measured.
 *
 * The clock is read once after each set, so a set's time is that from one reading to the next.
 */
#ifndef BENCH_SNAPSHOT_WRITER_H
#define BENCH_SNAPSHOT_WRITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "snapshot_store.h"

struct snapshot_writer {
    const struct snapshot_store *store;
    const uint32_t *order; /* all indexes; from the front again at its end */
    bool samples_memory;   /* which disturbs the other numbers */
    pthread_t thread;
    atomic_bool running;
    atomic_bool stopped;
    /* Valid once it was stopped. */
    double ns_per_set;
    uint64_t longest_ns;        /* of a single set */
    uint64_t memory_bytes_most; /* where samples_memory */
};

/* Starts the thread, and returns when it is at work. store, order and samples_memory are set. Gives
 * up on failure. */
void snapshot_writer_start(struct snapshot_writer *writer);
void snapshot_writer_stop(struct snapshot_writer *writer);

#endif
