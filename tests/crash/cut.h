/*
 * Whether a content is a cut of a worker's session: what was there at one moment, of all its
 * threads at once, no earlier than one stamp of its log and no later than another.
 */
#ifndef TARN_TESTS_CRASH_CUT_H
#define TARN_TESTS_CRASH_CUT_H

#include "crash/worker_log.h"

/* The moment of the cut lies between these stamps. */
struct cut_window {
    uint64_t from, to;
};

#define CUT_NO_END UINT64_MAX

/*
 * Whether the records are a cut, of those generations that the content has: for each thread, they
 * are what its first so many writes made, all that had ended before the window and none that began
 * behind it; and none is there that began after one ended, in another thread, which is not.
 */
bool cut_of_records(const struct worker_log *log, unsigned session, struct cut_window window,
                    const struct worker_content *content);

/* The same for the whole of a snapshot: its namespaces and their configurations, too, were those of
 * that moment. ns: the one that the snapshot is of, or WORKER_STORE. */
bool cut_of_store(const struct worker_log *log, unsigned session, struct cut_window window,
                  unsigned ns, const struct worker_content *content);

/* Whether a change that has ended so may have been made; and whether it was. */
bool step_may_be_done(const struct worker_step *step);
bool step_is_done(const struct worker_step *step);

/* The last stamp at which it can have happened. */
uint64_t step_latest(const struct worker_step *step);

#endif
