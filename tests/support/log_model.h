/*
 * A log and what it should hold: operations on a few keys, each with a number that stands in the
 * values that it puts, and the state after each of them.
 *
 * Nothing here fails a test: what is wrong is told as text.
 */
#ifndef TARN_TESTS_LOG_MODEL_H
#define TARN_TESTS_LOG_MODEL_H

#include "engine/log/compaction.h"
#include "engine/log/recovery.h"

#include <stdio.h>

enum { LOG_KEYS = 12, LOG_OPERATIONS_MAX = 400, LOG_BATCH_MAX = 5 };

/* What a key holds: the number of the put that it is from; 0: nothing. No two puts share one, also
 * where operations were lost in between. */
struct log_state {
    unsigned keys[LOG_KEYS];
};

struct log_model {
    const struct tarn__os *os;
    uint64_t segment_bytes;
    enum tarn_sync_mode mode;
    bool by_hand; /* the log's jobs run in log_model_run_jobs() alone, so that runs repeat */
    struct tarn__environment environment;
    struct tarn__directory *directory;
    struct tarn__log log;
    bool is_open;

    struct log_state states[LOG_OPERATIONS_MAX + 1]; /* after so many operations */
    unsigned done;                                   /* operations that were begun */
    unsigned acknowledged;                           /* ... that returned */
    unsigned durable;                                /* ... that are known to be durable */
    unsigned puts;                                   /* that there ever were */

    uint64_t live[LOG_KEYS]; /* where each key's record is now; 0: there is none */

    /* Of the last opening. */
    struct log_state found;
    uint64_t locations[LOG_KEYS], sequences[LOG_KEYS];
    struct tarn__log_opening opening;
    char problem[300];
};

/* Makes the log in a folder that is there. */
tarn_status log_model_create(struct log_model *model, const char *path);

/* Opens it, and reads what it holds; keeps what is known of the operations. */
tarn_status log_model_open(struct log_model *model, const char *path, bool read_only);

/* Closes it: with its end, or as a process does that is killed. */
tarn_status log_model_close(struct log_model *model, bool with_end);

/* Puts, deletes or batches at random; large: a value that no segment of the usual size holds. */
tarn_status log_model_write(struct log_model *model, uint64_t *random, bool large);
tarn_status log_model_sync(struct log_model *model);

/* Compacts all that can be, or, of some segments at random, those with enough that is stale; and
 * looks at each record afterwards. */
tarn_status log_model_compact(struct log_model *model, bool all, uint64_t *random);

/* Prepares the next segment, and syncs those that are full. */
void log_model_run_jobs(struct log_model *model);

/* Whether what was found is the state after some operation from least on; which one, or -1 with the
 * problem told. What is found becomes what is known to have been done. */
int log_model_match(struct log_model *model, unsigned least);

/* Whether each key that was found can be read where the log says it is. */
bool log_model_locations_are_right(struct log_model *model);

#endif
