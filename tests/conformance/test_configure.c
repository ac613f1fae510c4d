/*
 * Conformance: tarn_namespace_configure(): raising and lowering each limit, all fields or none;
 * that one that fails leaves the limits and what they count as they were.
 */
#include "conformance/conformance.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/concurrency.h"
#include "support/store_folder.h"

#define OPTIONS(...)                                                                               \
    (&(struct tarn_namespace_options){.size = sizeof(struct tarn_namespace_options), __VA_ARGS__})

static struct tarn_namespace_options options_of(tarn_namespace *ns)
{
    struct tarn_stats stats = {.size = sizeof stats};

    expect_ok(tarn_namespace_stats(ns, &stats, NULL, 0));
    return stats.options;
}

static void test_max_keys(void **state)
{
    struct fixture *f = *state;
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < 10; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), text("v")));
    expect_status(TARN_LIMIT_TOO_LOW,
                  tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, OPTIONS(.max_keys = 9)));
    expect_number(0, options_of(f->ns).max_keys);
    expect_ok(tarn_insert(f->ns, text("no limit yet"), text("v")));
    expect_status(TARN_LIMIT_TOO_LOW,
                  tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, OPTIONS(.max_keys = 10)));
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, OPTIONS(.max_keys = 11)));
    expect_number(11, options_of(f->ns).max_keys);
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("b"), text("v")));
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, OPTIONS(.max_keys = 12)));
    expect_ok(tarn_insert(f->ns, text("b"), text("v")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("c"), text("v")));
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, OPTIONS(.max_keys = 0)));
    expect_ok(tarn_insert(f->ns, text("c"), text("v")));
}

static void test_max_bytes(void **state)
{
    struct fixture *f = *state;

    expect_ok(tarn_set(f->ns, text("a"), text("123456789"), NULL, NULL));
    expect_status(TARN_LIMIT_TOO_LOW,
                  tarn_namespace_configure(f->ns, TARN_SET_MAX_BYTES, OPTIONS(.max_bytes = 9)));
    expect_number(0, options_of(f->ns).max_bytes);
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_BYTES, OPTIONS(.max_bytes = 10)));
    expect_status(TARN_FULL, tarn_set(f->ns, text("b"), text(""), NULL, NULL));
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_BYTES, OPTIONS(.max_bytes = 11)));
    expect_ok(tarn_set(f->ns, text("b"), text(""), NULL, NULL));
    expect_status(TARN_FULL, tarn_set(f->ns, text("b"), text("1"), NULL, NULL));
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_BYTES, OPTIONS(.max_bytes = 0)));
    expect_ok(tarn_set(f->ns, text("b"), text("1"), NULL, NULL));
}

static void test_max_value_size(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *ns = f->ns;

    expect_ok(tarn_set(ns, text("a"), text("123456789"), NULL, NULL));
    expect_ok(tarn_namespace_configure(ns, TARN_SET_MAX_VALUE_SIZE, OPTIONS(.max_value_size = 8)));
    /* What is larger stays and can be read. */
    expect_stored(ns, text("a"), text("123456789"));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_set(ns, text("a"), text("123456789"), NULL, NULL));
    expect_ok(tarn_set(ns, text("b"), text("12345678"), NULL, NULL));
    expect_ok(tarn_namespace_configure(ns, TARN_SET_MAX_VALUE_SIZE, OPTIONS(.max_value_size = 9)));
    expect_ok(tarn_set(ns, text("a"), text("987654321"), NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_namespace_configure(ns, TARN_SET_MAX_VALUE_SIZE,
                                           OPTIONS(.max_value_size = TARN_VALUE_BYTES_MAX + 1)));
    expect_number(9, options_of(ns).max_value_size);
    expect_ok(tarn_namespace_configure(ns, TARN_SET_MAX_VALUE_SIZE,
                                       OPTIONS(.max_value_size = TARN_VALUE_BYTES_MAX)));
    expect_ok(tarn_set(ns, text("a"), text("more than nine bytes"), NULL, NULL));
}

/* Fields whose bit is not set are not looked at, even where their value would be refused. */
static void test_only_the_named_fields(void **state)
{
    struct fixture *f = *state;
    struct tarn_namespace_options *options =
        OPTIONS(.lock_timeout_ms = 1234, .max_keys = 1, .max_bytes = 1,
                .max_value_size = TARN_VALUE_BYTES_MAX + 1, .shards = TARN_SHARDS_MAX + 1);
    struct tarn_namespace_options now;

    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("c"), text("d"), NULL, NULL));
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_LOCK_TIMEOUT_MS, options));
    now = options_of(f->ns);
    expect_number(1234, now.lock_timeout_ms);
    expect_number(0, now.max_keys);
    expect_number(0, now.max_bytes);
    expect_number(TARN_VALUE_BYTES_MAX, now.max_value_size);
    expect_number(16, now.shards);
}

static void test_all_fields_or_none(void **state)
{
    struct fixture *f = *state;
    unsigned all =
        TARN_SET_LOCK_TIMEOUT_MS | TARN_SET_MAX_KEYS | TARN_SET_MAX_VALUE_SIZE | TARN_SET_MAX_BYTES;
    struct tarn_namespace_options *refused[] = {
        OPTIONS(.lock_timeout_ms = 1, .max_keys = 1, .max_value_size = 50, .max_bytes = 100),
        OPTIONS(.lock_timeout_ms = 1, .max_keys = 50, .max_value_size = 50, .max_bytes = 3),
        OPTIONS(.lock_timeout_ms = 1, .max_keys = 50, .max_bytes = 100,
                .max_value_size = TARN_VALUE_BYTES_MAX + 1),
    };
    tarn_status wanted[] = {TARN_LIMIT_TOO_LOW, TARN_LIMIT_TOO_LOW, TARN_INVALID_ARGUMENT};
    struct tarn_namespace_options now;

    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("c"), text("d"), NULL, NULL));
    for (unsigned i = 0; i < 3; i++) {
        expect_status(wanted[i], tarn_namespace_configure(f->ns, all, refused[i]));
        now = options_of(f->ns);
        expect_number(5000, now.lock_timeout_ms);
        expect_number(0, now.max_keys);
        expect_number(TARN_VALUE_BYTES_MAX, now.max_value_size);
        expect_number(0, now.max_bytes);
    }
    expect_ok(tarn_namespace_configure(
        f->ns, all,
        OPTIONS(.lock_timeout_ms = 7, .max_keys = 2, .max_value_size = 50, .max_bytes = 4)));
    now = options_of(f->ns);
    expect_number(7, now.lock_timeout_ms);
    expect_number(2, now.max_keys);
    expect_number(50, now.max_value_size);
    expect_number(4, now.max_bytes);
}

/* The limits belong to the namespace, not to the handle. */
static void test_seen_by_every_handle(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *second = NULL;

    expect_ok(tarn_namespace_open(f->store, text("test"), &second));
    expect_ok(tarn_namespace_configure(second, TARN_SET_MAX_KEYS, OPTIONS(.max_keys = 1)));
    expect_ok(tarn_insert(f->ns, text("a"), text("v")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("b"), text("v")));
    expect_number(1, options_of(f->ns).max_keys);
    tarn_namespace_close(second);
}

/* ------------------------------------------------------------------------------------------
 * A failure beside writers
 */

enum { WRITERS = 3, KEYS_EACH = 60, KEYS_MAX = 100, BYTES_MAX = 20000 };

/* Writer i has the keys from i * KEYS_EACH on for its own; 0: not there. */
static struct written {
    tarn_namespace *ns;
    size_t bytes[WRITERS * KEYS_EACH]; /* of key and value */
} written;

static struct tarn_slice some_value(size_t length)
{
    static const char bytes[50];

    return tarn_slice_of(bytes, length);
}

static void write_at_random(struct worker *worker)
{
    while (contest_goes_on(worker)) {
        size_t number =
            worker->index * KEYS_EACH + (size_t)random_below(&worker->random, KEYS_EACH);
        struct tarn_slice value = some_value((size_t)random_below(&worker->random, 50));
        char room[NUMBERED_KEY_ROOM];
        struct tarn_slice key = numbered_key(room, number);
        tarn_status status;

        if (random_below(&worker->random, 3)) {
            status = tarn_set(written.ns, key, value, NULL, NULL);
            if (status == TARN_TOO_MANY_KEYS && !written.bytes[number])
                continue;
            CONTEST_OK(worker, status);
            written.bytes[number] = key.length + value.length;
        } else {
            status = tarn_delete(written.ns, key);
            CONTEST_CHECK(worker, status == (written.bytes[number] ? TARN_OK : TARN_KEY_NOT_FOUND),
                          "a delete gave %s", tarn_status_name(status));
            written.bytes[number] = 0;
        }
    }
}

static void fail_to_configure(struct worker *worker)
{
    do {
        tarn_status status = tarn_namespace_configure(
            written.ns, TARN_SET_MAX_KEYS | TARN_SET_MAX_BYTES, OPTIONS(.max_keys = 0));

        CONTEST_CHECK(worker, status == TARN_IO, "it gave %s", tarn_status_name(status));
    } while (contest_goes_on(worker));
}

/* The limits are full where they say, and no more can be added. */
static void expect_limits_exact(tarn_namespace *ns)
{
    static const char zeros[BYTES_MAX];
    struct tarn_stats stats = store_folder_stats(ns);
    char room[NUMBERED_KEY_ROOM];
    size_t left;

    /* They may have been passed while they were off. */
    for (unsigned i = 0; i < WRITERS * KEYS_EACH && stats.keys >= KEYS_MAX; i++)
        stats.keys -= tarn_delete(ns, numbered_key(room, i)) == TARN_OK;
    for (; stats.keys + 1 < KEYS_MAX; stats.keys++)
        expect_ok(tarn_insert(ns, numbered_key(room, 1000 + stats.keys), text("v")));
    expect_ok(tarn_insert(ns, text("the last"), text("")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(ns, text("one more"), text("")));
    left = BYTES_MAX - (size_t)store_folder_stats(ns).bytes;
    expect_status(TARN_FULL,
                  tarn_update(ns, text("the last"), tarn_slice_of(zeros, left + 1), NULL));
    expect_ok(tarn_update(ns, text("the last"), tarn_slice_of(zeros, left), NULL));
}

/* Nothing is counted while there is no limit: what is put back in force is counted anew. */
static void fail_beside_writers(tarn_namespace *ns)
{
    struct contest contest = {0};
    struct tarn_stats stats;

    written = (struct written){.ns = ns};
    contest_add(&contest, WRITERS, write_at_random, NULL, 1);
    contest_add(&contest, 1, fail_to_configure, NULL, 1);
    contest_run_for(&contest, 3);
    stats = store_folder_stats(ns);
    for (unsigned i = 0; i < WRITERS * KEYS_EACH; i++) {
        stats.keys -= written.bytes[i] > 0;
        stats.bytes -= written.bytes[i];
    }
    expect_number(0, stats.keys); /* besides those that were written */
    expect_number(0, stats.bytes);
    (void)fixture_state_of(ns); /* which counts what is there */
    expect_number(KEYS_MAX, options_of(ns).max_keys);
    expect_number(BYTES_MAX, options_of(ns).max_bytes);
    expect_limits_exact(ns);
}

static void test_a_failure_beside_writers(void **state)
{
    struct store_folder *f = *state;

    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS | TARN_SET_MAX_BYTES,
                                       OPTIONS(.max_keys = KEYS_MAX, .max_bytes = BYTES_MAX)));
    expect_that(mkdir(path_of(f, "catalog.new"), 0700) == 0); /* no catalog can be written */
    for (unsigned round = 0; round < 30; round++) { /* the writers must meet the last failure */
        fail_beside_writers(f->ns);
        expect_ok(tarn_namespace_clear(f->ns));
    }
    expect_that(rmdir(path_of(f, "catalog.new")) == 0);
    store_folder_reopen(f, NULL);
    expect_number(KEYS_MAX, options_of(f->ns).max_keys);
    expect_number(BYTES_MAX, options_of(f->ns).max_bytes);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_max_keys),
    CONFORMANCE_TEST(test_max_bytes),
    CONFORMANCE_TEST(test_max_value_size),
    CONFORMANCE_TEST(test_only_the_named_fields),
    CONFORMANCE_TEST(test_all_fields_or_none),
    CONFORMANCE_TEST(test_seen_by_every_handle),
    STORE_FOLDER_TEST(test_a_failure_beside_writers),
};

CONFORMANCE_TOPIC(configure, tests);
