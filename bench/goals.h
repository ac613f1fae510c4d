/*
 * Every operation that the benchmark measures, how its figure is formed, and what it is to reach:
 * one table, in goals.c.
 */
#ifndef BENCH_GOALS_H
#define BENCH_GOALS_H

#include <stdbool.h>
#include <stdint.h>

/* In the order in which they run: the store is loaded first, and deletes put back what they took.
 */
enum operation_id {
    OPERATION_LOAD,
    OPERATION_GET_HIT,
    OPERATION_GET_MISS,
    OPERATION_GET_MANY,
    OPERATION_OVERWRITE,
    OPERATION_DELETE,
    OPERATION_GET_2_THREADS,
    OPERATION_GET_2_THREADS_ZIPFIAN,
    OPERATION_MIXED_2_THREADS,
    OPERATION_BATCH_SET,
    OPERATION_COMPARED_COUNT, /* those above run on stores that are compared, for each size */
    OPERATION_GROWTH_WALL = OPERATION_COMPARED_COUNT,
    OPERATION_GROWTH_CPU,
    OPERATION_MEMORY_LOADED,
    OPERATION_MEMORY_OVERWRITTEN,
    OPERATION_NAMESPACES,
    OPERATION_SNAPSHOT_SAVE,
    OPERATION_SNAPSHOT_SAVE_SYNCED,
    OPERATION_SNAPSHOT_LOAD,
    OPERATION_SNAPSHOT_WRITERS,
    OPERATION_SNAPSHOT_PAUSE,
    OPERATION_SNAPSHOT_MEMORY,
    OPERATION_DISK_LOAD, /* from here on: stores on disk, those that are compared first */
    OPERATION_DISK_GET_HIT,
    OPERATION_DISK_GET_MISS,
    OPERATION_DISK_GET_MANY,
    OPERATION_DISK_OVERWRITE,
    OPERATION_DISK_ALWAYS,
    OPERATION_DISK_ALWAYS_16_THREADS,
    OPERATION_DISK_ALWAYS_BATCH,
    OPERATION_DISK_RATE, /* from here on each figure is of one store, or of the disk */
    OPERATION_DISK_REOPEN,
    OPERATION_DISK_REOPEN_KILLED,
    OPERATION_DISK_RECORD,
    OPERATION_DISK_OVERWRITTEN,
    OPERATION_DISK_INDEX,
    OPERATION_DISK_LATENCY,
    OPERATION_DISK_COMPACT_100,
    OPERATION_DISK_COMPACT_1000,
    OPERATION_COUNT,
};

/* What the judged number of an operation is. Times are per operation of all threads together. */
enum figure_form {
    FORM_TIME_TO_PEER,       /* tarn's time / the better peer's: small is good */
    FORM_THROUGHPUT_TO_PEER, /* tarn's throughput / the better peer's: large is good */
    FORM_TIME_TO_OWN,        /* tarn's time / that of its base, which it is compared with */
    FORM_THROUGHPUT_TO_OWN,  /* tarn's throughput / that of its base */
    FORM_ABSOLUTE,           /* in the operation's unit: small is good */
};

struct operation {
    enum operation_id id;
    const char *name; /* for --only and the JSON */
    const char *title;
    enum figure_form form;
    const char *unit;    /* of the judged number */
    double goal;         /* at most, or at least where throughputs are divided; 0: none */
    uint32_t goal_keys;  /* the size that the goal is for; 0: every size */
    bool judged_by_most; /* by the largest round, not by the median: "none over" */
};

extern const struct operation operation_list[OPERATION_COUNT];

/* The size that the goals are for, and the size that growth is measured up to. */
enum { GOAL_KEYS = 1000000, GROWTH_KEYS = 5000000 };

/* Whether large numbers are the good ones. */
bool operation_more_is_better(const struct operation *operation);

/* NULL if there is none of this name. */
const struct operation *operation_find(const char *name);

/* Whether its name begins with these words: "disk" with "disk_load". */
bool operation_begins_with(const struct operation *operation, const char *words);

#endif
