/*
 * Conformance: tarn_namespace_configure(): raising and lowering each limit, all fields or none.
 */
#include "conformance/conformance.h"

#include <stdlib.h>

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

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_max_keys),           CONFORMANCE_TEST(test_max_bytes),
    CONFORMANCE_TEST(test_max_value_size),     CONFORMANCE_TEST(test_only_the_named_fields),
    CONFORMANCE_TEST(test_all_fields_or_none), CONFORMANCE_TEST(test_seen_by_every_handle),
};

CONFORMANCE_TOPIC(configure, tests);
