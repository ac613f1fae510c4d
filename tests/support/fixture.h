/*
 * What every test of the public interface stands on: a fresh store with one namespace, checks that
 * say what was expected, and bytes to store.
 *
 * The tests know the library by tarn.h alone. A backend is an engine as the tests see it: how to
 * open a store for it and how to make a namespace in it. What a test does is the same on each.
 *
 * The checks stop the test (cmocka jumps out of it), so only the thread that runs the test may use
 * them; other threads use concurrency.h.
 */
#ifndef TARN_TESTS_FIXTURE_H
#define TARN_TESTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tarn.h"

struct backend {
    const char *name;
    /* Opens a fresh store. options may be NULL. */
    tarn_status (*open)(const struct tarn_options *options, tarn_store **store);
    /* Makes a namespace on this engine. options may be NULL. */
    tarn_status (*create)(tarn_store *store, struct tarn_slice name,
                          const struct tarn_namespace_options *options, tarn_namespace **ns);
};

extern const struct backend fixture_backends[];
extern const size_t fixture_backend_count;

/* The backend that fixture_setup() uses; the first one until it is set. */
extern const struct backend *fixture_backend;

struct fixture {
    tarn_store *store;
    tarn_namespace *ns;  /* of the name "test", with default options */
    struct tarn_buf buf; /* for the test's own use */
};

/* cmocka's setup and teardown: *state becomes a struct fixture. The teardown expects that nothing
 * keeps the store from closing. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Replaces the fixture's namespace, or its store and namespace, by one with these options. */
void fixture_renew_namespace(struct fixture *fixture, const struct tarn_namespace_options *options);
void fixture_renew_store(struct fixture *fixture, const struct tarn_options *options);

/* A namespace's content and figures in a few numbers: equal where everything is as it was. */
struct fixture_state {
    uint64_t keys;
    uint64_t bytes;
    uint64_t writes;
    uint64_t digest; /* of all keys, values, sequences and contents, in any order */
};

/* Walks the namespace and expects that its stats say what the walk found. */
struct fixture_state fixture_state_of(tarn_namespace *ns);

/* A slice of a literal or of a string that lives on, without its NUL. */
struct tarn_slice text(const char *string);

/* A slice of the buffer's bytes. */
struct tarn_slice held(const struct tarn_buf *buf);

#define NUMBERED_KEY_ROOM 32

/* The key of a number, written to room. */
struct tarn_slice numbered_key(char room[NUMBERED_KEY_ROOM], uint64_t number);

/* So many bytes that depend on the seed, from malloc(); never NULL, also where length is 0. */
void *patterned_bytes(size_t length, uint64_t seed);

/* A generator of random numbers (splitmix64); any state will do. */
uint64_t random_next(uint64_t *state);

/* A number below bound, which is not 0. */
uint64_t random_below(uint64_t *state, uint64_t bound);

/* The number in an environment variable, or fallback where it is not set. */
uint64_t environment_number(const char *name, uint64_t fallback);

/* TARN_REPEAT_PERCENT per cent of a number, at least 1; all of it where that is not set. For what
 * is repeated to meet many states of the library, which is the plain build's work: a sanitizer sees
 * after fewer what it can see. */
uint64_t repeated(uint64_t number);

/* Checks. Each fails the test with the expression, what was expected and what there was. */
#define expect_status(wanted, call)                                                                \
    fixture_expect_status((wanted), (call), #call, __FILE__, __LINE__)
#define expect_ok(call) expect_status(TARN_OK, call)
#define expect_number(wanted, got)                                                                 \
    fixture_expect_number((uint64_t)(wanted), (uint64_t)(got), #got, __FILE__, __LINE__)
#define expect_signed(wanted, got)                                                                 \
    fixture_expect_signed((int64_t)(wanted), (int64_t)(got), #got, __FILE__, __LINE__)
#define expect_bytes(wanted, got) fixture_expect_bytes((wanted), (got), #got, __FILE__, __LINE__)
#define expect_that(condition)    fixture_expect_that((condition), #condition, __FILE__, __LINE__)
#define expect_stored(ns, key, wanted)                                                             \
    fixture_expect_stored((ns), (key), (wanted), #key, __FILE__, __LINE__)
#define expect_absent(ns, key) expect_status(TARN_KEY_NOT_FOUND, tarn_exists((ns), (key)))
#define expect_same_state(before, ns)                                                              \
    fixture_expect_same_state((before), (ns), #ns, __FILE__, __LINE__)

void fixture_expect_status(tarn_status wanted, tarn_status got, const char *what, const char *file,
                           int line);
void fixture_expect_number(uint64_t wanted, uint64_t got, const char *what, const char *file,
                           int line);
void fixture_expect_signed(int64_t wanted, int64_t got, const char *what, const char *file,
                           int line);
void fixture_expect_bytes(struct tarn_slice wanted, struct tarn_slice got, const char *what,
                          const char *file, int line);
void fixture_expect_that(bool condition, const char *what, const char *file, int line);
/* Reads the key by tarn_get() and tarn_get_pinned(). */
void fixture_expect_stored(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice wanted,
                           const char *what, const char *file, int line);
void fixture_expect_same_state(struct fixture_state before, tarn_namespace *ns, const char *what,
                               const char *file, int line);

#endif
