/*
 * A checker of recorded histories: is there an order of the operations, each at one moment between
 * its invocation and its return, in which a plain map would have given the same results?
 *
 * The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993) with
 * Lowe's memoisation ("Testing for linearizability", 2017): a set of operations that were put in
 * order already, together with the map's state after them, is never searched twice. Histories are
 * searched for each partition of the keys on its own; keys that one operation touches together are
 * in one partition.
 *
 * A history is a plain array; the functions here keep nothing and may be called by any thread.
 */
#ifndef TARN_TESTS_LINEARIZABILITY_H
#define TARN_TESTS_LINEARIZABILITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tarn.h"

enum {
    HISTORY_KEYS_MAX = 8,
    HISTORY_STEPS_MAX = 6,        /* of one operation */
    HISTORY_OPERATIONS_MAX = 256, /* of one partition */
};

enum history_action {
    HISTORY_SET,
    HISTORY_INSERT,
    HISTORY_UPDATE,
    HISTORY_REPLACE_IF,
    HISTORY_GET,
    HISTORY_DELETE,
    HISTORY_CONSUME,
    HISTORY_INCREMENT,
};

/* What is done to one key, and what came back. Values are numbers. */
struct history_step {
    enum history_action action;
    unsigned key;     /* below HISTORY_KEYS_MAX */
    int64_t argument; /* the value that is written, or the increment's delta */
    int64_t expected; /* of replace_if */
    tarn_status status;
    bool has_result; /* whether result holds what came back: the old value, the one read, the sum */
    int64_t result;
    bool tells_existed;
    bool existed; /* whether the key was there before, where tells_existed is set */
};

enum history_kind {
    HISTORY_SINGLE,   /* one step */
    HISTORY_BATCH,    /* all-or-nothing: all steps in order at one moment, or none */
    HISTORY_GET_MANY, /* all-or-nothing: gets at one moment */
};

/* One call. A batch that failed has its status and failed_step; the steps' results are not looked
 * at. A get_many that failed has TARN_KEY_NOT_FOUND, and each step's status. */
struct history_operation {
    enum history_kind kind;
    unsigned thread;
    uint64_t invoked; /* a clock that is the same for all threads; the return is later */
    uint64_t returned;
    tarn_status status;
    unsigned failed_step;
    unsigned step_count;
    struct history_step steps[HISTORY_STEPS_MAX];
};

enum history_verdict {
    HISTORY_LINEARIZABLE,
    HISTORY_NOT_LINEARIZABLE,
    HISTORY_TOO_HARD, /* a partition has too many operations, or its search takes too long */
};

/* All keys are absent at the beginning. Where the verdict is not HISTORY_LINEARIZABLE, *partition
 * receives a key of the partition that made it so; partition may be NULL. */
enum history_verdict history_check(const struct history_operation *operations, size_t count,
                                   unsigned *partition);

/* Writes the operations of this key's partition, in the order of their invocations. */
void history_print(FILE *file, const struct history_operation *operations, size_t count,
                   unsigned partition);

#endif
