/*
 * Completions: callers of asynchronous writes, who are told when what they wrote is durable.
 *
 *     made, before the write --> an engine has it, until a sync --> done --> told
 *              |                      |                              |
 *              v                      in the order of writes         a thread of the caller's, in
 *     freed: the write failed                                        tarn__completions_tell()
 *
 * Each is in one place at a time, and told once. Those that are done are in one row for the whole
 * store. Any thread may call anything here; the lock is held for a few instructions.
 */
#ifndef TARN_ENGINE_COMPLETIONS_H
#define TARN_ENGINE_COMPLETIONS_H

#include "os/os.h"

#include <pthread.h>

struct tarn__completion {
    struct tarn__completion *next;
    void (*done)(void *context, tarn_status status);
    void *context;
    uint64_t position; /* for the engine that has it */
    tarn_status status;
};

/* A row of them; one of zeroed memory is empty. Whoever has it locks it. */
struct tarn__completion_row {
    struct tarn__completion *first, *last;
};

struct tarn__completions {
    const struct tarn__os *os;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t told;
    struct tarn__completion_row done;
    bool has_event;
    int event;    /* that the program waits for: set while there is one that is done */
    bool telling; /* one thread at a time, so that the order is kept */
    pthread_t teller;
};

/* Puts one at the end. */
void tarn__completion_row_add(struct tarn__completion_row *row, struct tarn__completion *last);

/* Takes the first away, of a row that is not empty. */
struct tarn__completion *tarn__completion_row_take(struct tarn__completion_row *row);

/* TARN_NO_MEMORY. */
tarn_status tarn__completions_init(struct tarn__completions *completions,
                                   const struct tarn__os *os);

/* Nobody else uses it, and none are left. */
void tarn__completions_release(struct tarn__completions *completions);

/* The descriptor, made at the first call. What making one can return. */
tarn_status tarn__completions_event(struct tarn__completions *completions, int *event);

/* Takes those that are done, with their statuses; the row is empty then. */
void tarn__completions_add(struct tarn__completions *completions, struct tarn__completion_row *row);

/* Takes one that is done, with TARN_OK. */
void tarn__completions_add_one(struct tarn__completions *completions,
                               struct tarn__completion *completion);

/* Tells the first of those that are done now, at most so many (0: all), and frees them. Waits while
 * another thread tells. TARN_BUSY: this thread is telling already. No lock is held. */
tarn_status tarn__completions_tell(struct tarn__completions *completions, size_t count_max,
                                   size_t *told);

/* Whether this thread is in a callback of one. */
bool tarn__completions_telling(struct tarn__completions *completions);

#endif
