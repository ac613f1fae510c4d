/*
 * The steps of a run: what a program does with its store, made from a seed, done to the store and
 * to the world at once, and compared. A step that the world does not allow (a namespace that is not
 * there) must fail as tarn.h says, so that any step may be dropped from a run.
 */
#ifndef TARN_TESTS_CRASH_STEPS_H
#define TARN_TESTS_CRASH_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tarn.h"

enum step_kind {
    STEP_CREATE,
    STEP_DROP,
    STEP_CONFIGURE,
    STEP_RESIZE,
    STEP_SET,
    STEP_DELETE,
    STEP_BATCH,
    STEP_CLEAR,
    STEP_SAVE,
    STEP_SAVE_NAMESPACE,
    STEP_LOAD,
    STEP_LOAD_NAMESPACE,
    STEP_DELETE_SNAPSHOT,
    STEP_REOPEN,
    STEP_CLOCK,
    STEP_SYNC,
    STEP_JOBS,
    STEP_COMPACT,
    STEP_KINDS
};

struct step {
    enum step_kind kind;
    unsigned ns, as, snapshot;
    enum tarn_sync_mode sync; /* of a log; TARN_SYNC_DEFAULT: in memory */
    uint32_t number;          /* a key, a limit, a kind of opening, a moment */
    uint32_t value;
};

struct crash_store;

#define STEPS_MAX 256

/* Fills in the steps that a seed stands for; logs: most namespaces are on TARN_ENGINE_LOG, which
 * then has segments of 512 bytes: the library has to be built for it. */
void steps_make(uint64_t seed, bool logs, struct step *steps, size_t count);

void step_print(const struct step *step, FILE *stream);

/* Does it. False: the run has failed. */
bool step_do(struct crash_store *s, const struct step *step);

#endif
