/*
 * Asynchronous writes of a run of steps. When the callback of one to a log comes, that write and
 * all before it are durable in the world.
 */
#ifndef TARN_TESTS_CRASH_ASYNC_H
#define TARN_TESTS_CRASH_ASYNC_H

#include "crash/run.h"

struct step;

/* Whether a step's write is to be an asynchronous one: where no call is to fail. */
bool async_is_wanted(const struct crash_store *s, const struct step *step);

/* The writes; the world knows already that they begin. */
tarn_status async_set(struct crash_store *s, const struct step *step, tarn_namespace *ns,
                      struct tarn_slice key, struct tarn_slice value);
tarn_status async_commit(struct crash_store *s, const struct step *step, tarn_namespace *ns,
                         const tarn_batch *batch);

/* Dispatches; all that is outstanding must come, since the jobs have run. */
bool async_all_come(struct crash_store *s);

#endif
