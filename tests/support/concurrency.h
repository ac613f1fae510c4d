/*
 * Threads for tests: started together, joined together, with one place for what went wrong.
 *
 * cmocka's checks jump out of the test, which only its own thread may do. A thread that finds a
 * fault tells the contest, which stops it; the test's thread fails when all have been joined.
 */
#ifndef TARN_TESTS_CONCURRENCY_H
#define TARN_TESTS_CONCURRENCY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tarn.h"

enum { CONTEST_WORKERS_MAX = 16 };

struct contest;

struct worker {
    struct contest *contest;
    unsigned index;  /* from 0 among those of the contest */
    uint64_t random; /* a state for random_next() that is the worker's own */
    void *context;
    void (*work)(struct worker *worker);
    pthread_t thread;
};

/* Zeroed at the beginning. */
struct contest {
    struct worker workers[CONTEST_WORKERS_MAX];
    unsigned count;
    atomic_bool begun;
    atomic_bool stop; /* the workers are to end: a fault was found, or contest_stop() was called */
    atomic_bool failed;
    char message[500]; /* of the first fault */
};

/* Starts so many threads of a kind; they wait until contest_begin(). */
void contest_add(struct contest *contest, unsigned count, void (*work)(struct worker *worker),
                 void *context, uint64_t seed);

void contest_begin(struct contest *contest);

/* Joins the workers from index first up to end. */
void contest_join(struct contest *contest, unsigned first, unsigned end);

/* Lets all run on for a time, less if a fault is found, tells them to stop, and joins them. */
void contest_run_for(struct contest *contest, unsigned milliseconds);

/* Tells all to stop and joins them; then fails the test if a fault was found. */
void contest_end(struct contest *contest);

/* For workers: whether to go on. */
bool contest_goes_on(struct worker *worker);

/* Notes a fault; the first one counts. */
void contest_fail(struct worker *worker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For workers: on a fault, tell it and leave the function. */
#define CONTEST_CHECK(worker, condition, ...)                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            contest_fail((worker), __VA_ARGS__);                                                   \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define CONTEST_OK(worker, call)                                                                   \
    do {                                                                                           \
        tarn_status contest_status = (call);                                                       \
        CONTEST_CHECK(worker, contest_status == TARN_OK, "%s:%d: %s: expected TARN_OK, got %s",    \
                      __FILE__, __LINE__, #call, tarn_status_name(contest_status));                \
    } while (0)

/* A value that tells whether it is whole: a number, bytes made of it, and a checksum. 16 to
 * 16 + spread bytes, written to room. Reading gives false where it is not whole. */
struct tarn_slice checked_value(unsigned char *room, uint64_t number, unsigned spread);
bool checked_value_read(struct tarn_slice value, uint64_t *number);

/* TARN_TEST_SCALE times a number; the scale is 1 where it is not set. */
uint64_t scaled(uint64_t number);

#endif
