/*
 * Conformance: each limit at one below, at, and one above (faults.md, number 43).
 */
#include "conformance/conformance.h"

#include <stdlib.h>

#define OPTIONS(...)                                                                               \
    (&(struct tarn_namespace_options){.size = sizeof(struct tarn_namespace_options), __VA_ARGS__})

static void test_max_keys(void **state)
{
    struct fixture *f = *state;
    char room[NUMBERED_KEY_ROOM];
    struct fixture_state before;

    fixture_renew_namespace(f, OPTIONS(.max_keys = 5));
    for (unsigned i = 0; i < 5; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), text("v")));
    before = fixture_state_of(f->ns);
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("one more"), text("v")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_set(f->ns, text("one more"), text("v"), NULL, NULL));
    expect_status(TARN_TOO_MANY_KEYS, tarn_increment(f->ns, text("one more"), 1, NULL));
    expect_absent(f->ns, text("one more"));
    expect_same_state(before, f->ns);
    /* What adds no key goes on. */
    expect_ok(tarn_set(f->ns, numbered_key(room, 2), text("longer value"), NULL, NULL));
    expect_ok(tarn_update(f->ns, numbered_key(room, 3), text("w"), NULL));
    expect_status(TARN_KEY_EXISTS, tarn_insert(f->ns, numbered_key(room, 2), text("v")));
    expect_ok(tarn_delete(f->ns, numbered_key(room, 4)));
    expect_ok(tarn_increment(f->ns, text("one more"), 1, NULL));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, numbered_key(room, 4), text("v")));
    expect_ok(tarn_consume(f->ns, text("one more"), NULL));
    expect_ok(tarn_insert(f->ns, numbered_key(room, 4), text("v")));
    expect_ok(tarn_namespace_clear(f->ns));
    for (unsigned i = 10; i < 15; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), text("v")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("one more"), text("v")));
}

static void test_max_keys_of_one(void **state)
{
    struct fixture *f = *state;

    fixture_renew_namespace(f, OPTIONS(.max_keys = 1, .shards = TARN_SHARDS_MAX));
    expect_ok(tarn_insert(f->ns, text("a"), text("v")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("b"), text("v")));
    expect_ok(tarn_set(f->ns, text("a"), text("w"), NULL, NULL));
    expect_ok(tarn_delete(f->ns, text("a")));
    expect_ok(tarn_insert(f->ns, text("b"), text("v")));
}

static void test_max_value_size(void **state)
{
    struct fixture *f = *state;
    char *bytes = patterned_bytes(2000, 1);
    struct tarn_slice below = tarn_slice_of(bytes, 999), at = tarn_slice_of(bytes, 1000);
    struct tarn_slice above = tarn_slice_of(bytes, 1001);
    struct fixture_state before;

    fixture_renew_namespace(f, OPTIONS(.max_value_size = 1000));
    expect_ok(tarn_set(f->ns, text("a"), below, NULL, NULL));
    expect_ok(tarn_set(f->ns, text("a"), at, NULL, NULL));
    expect_ok(tarn_insert(f->ns, text("b"), at));
    expect_ok(tarn_update(f->ns, text("b"), at, NULL));
    expect_ok(tarn_replace_if(f->ns, text("b"), at, at));
    before = fixture_state_of(f->ns);
    expect_status(TARN_VALUE_TOO_LARGE, tarn_set(f->ns, text("a"), above, NULL, NULL));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_set(f->ns, text("c"), above, NULL, NULL));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_insert(f->ns, text("c"), above));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_update(f->ns, text("b"), above, NULL));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_replace_if(f->ns, text("b"), at, above));
    expect_absent(f->ns, text("c"));
    expect_same_state(before, f->ns);
    free(bytes);
}

static void test_max_bytes(void **state)
{
    struct fixture *f = *state;
    char *bytes = patterned_bytes(100, 1);
    struct fixture_state before;

    fixture_renew_namespace(f, OPTIONS(.max_bytes = 100));
    expect_ok(tarn_set(f->ns, text("a"), tarn_slice_of(bytes, 98), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("a"), tarn_slice_of(bytes, 99), NULL, NULL));
    before = fixture_state_of(f->ns);
    expect_status(TARN_FULL, tarn_set(f->ns, text("a"), tarn_slice_of(bytes, 100), NULL, NULL));
    expect_status(TARN_FULL, tarn_update(f->ns, text("a"), tarn_slice_of(bytes, 100), NULL));
    expect_status(TARN_FULL, tarn_insert(f->ns, text("b"), text("")));
    expect_status(TARN_FULL, tarn_increment(f->ns, text("b"), 1, NULL));
    expect_same_state(before, f->ns);
    expect_ok(tarn_set(f->ns, text("a"), tarn_slice_of(bytes + 1, 99), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("a"), tarn_slice_of(bytes, 98), NULL, NULL));
    expect_ok(tarn_insert(f->ns, text("b"), text("")));
    expect_status(TARN_FULL, tarn_insert(f->ns, text("c"), text("")));
    expect_ok(tarn_delete(f->ns, text("a")));
    expect_ok(tarn_insert(f->ns, text("c"), tarn_slice_of(bytes, 98)));
    expect_number(100, fixture_state_of(f->ns).bytes);
    expect_ok(tarn_namespace_clear(f->ns));
    expect_ok(tarn_insert(f->ns, text("d"), tarn_slice_of(bytes, 99)));
    free(bytes);
}

/* The counter's eight bytes count, and no more when it is incremented again. */
static void test_max_bytes_and_counters(void **state)
{
    struct fixture *f = *state;

    fixture_renew_namespace(f, OPTIONS(.max_bytes = 9));
    expect_status(TARN_FULL, tarn_increment(f->ns, text("nn"), 1, NULL));
    expect_ok(tarn_increment(f->ns, text("n"), 1, NULL));
    expect_ok(tarn_increment(f->ns, text("n"), 1, NULL));
    expect_status(TARN_FULL, tarn_set(f->ns, text("n"), text("nine byte"), NULL, NULL));
    expect_stored(f->ns, text("n"), tarn_slice_of("\2\0\0\0\0\0\0\0", 8));
}

static void test_options_at_their_bounds(void **state)
{
    struct fixture *f = *state;
    struct tarn_stats stats = {.size = sizeof stats};

    fixture_renew_namespace(f, OPTIONS(.shards = 1));
    fixture_renew_namespace(f, OPTIONS(.shards = TARN_SHARDS_MAX));
    expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
    expect_number(TARN_SHARDS_MAX, stats.shards);
    fixture_renew_namespace(f, OPTIONS(.max_value_size = TARN_VALUE_BYTES_MAX, .max_keys = 7,
                                       .max_bytes = 8, .lock_timeout_ms = 9));
    expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
    expect_number(TARN_VALUE_BYTES_MAX, stats.options.max_value_size);
    expect_number(7, stats.options.max_keys);
    expect_number(8, stats.options.max_bytes);
    expect_number(9, stats.options.lock_timeout_ms);
    expect_number(sizeof stats.options, stats.options.size);
}

/* max_memory_bytes: the store fills up with an error, keeps what it has, and deleting helps. */
static void test_max_memory_bytes(void **state)
{
    struct fixture *f = *state;
    struct tarn_options options = {.size = sizeof options, .max_memory_bytes = 16 << 20};
    struct tarn_stats stats = {.size = sizeof stats};
    char room[NUMBERED_KEY_ROOM];
    void *bytes = patterned_bytes(1000, 1);
    struct tarn_slice value = tarn_slice_of(bytes, 1000);
    tarn_status status = TARN_OK;
    unsigned count = 0;

    fixture_renew_store(f, &options);
    while (count < 100000 &&
           (status = tarn_insert(f->ns, numbered_key(room, count), value)) == TARN_OK)
        count++;
    if (fixture_backend != &fixture_backends[0]) { /* the values are not in memory */
        expect_ok(status);
        free(bytes);
        return;
    }
    expect_status(TARN_FULL, status);
    /* Half of the limit is the least that it should be good for. */
    expect_that(count > (8 << 20) / 1000);
    expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
    expect_number(count, stats.keys);
    /* What is known of the blocks lies beside them. */
    expect_that(stats.memory_bytes <= options.max_memory_bytes + options.max_memory_bytes / 16);
    expect_absent(f->ns, numbered_key(room, count));
    for (unsigned i = 0; i < count; i++)
        expect_stored(f->ns, numbered_key(room, i), value);
    for (unsigned i = 0; i < count; i += 2)
        expect_ok(tarn_delete(f->ns, numbered_key(room, i)));
    for (unsigned i = 0; i < count / 4; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, 1000000 + i), value));
    for (unsigned i = 1; i < count; i += 2)
        expect_stored(f->ns, numbered_key(room, i), value);
    free(bytes);
}

/* What was deleted can be used again at once, however large it was. */
static void test_deleted_memory_is_usable(void **state)
{
    struct fixture *f = *state;
    struct tarn_options options = {.size = sizeof options, .max_memory_bytes = 16 << 20};
    void *bytes = patterned_bytes(9 << 20, 1);

    fixture_renew_store(f, &options);
    for (unsigned i = 0; i < 20; i++) {
        expect_ok(tarn_set(f->ns, text("large"), tarn_slice_of(bytes, 9 << 20), NULL, NULL));
        expect_ok(tarn_delete(f->ns, text("large")));
    }
    free(bytes);
}

/* Without memory for an index, what removes nothing says so. */
static void test_deleting_in_a_full_store(void **state)
{
    struct fixture *f = *state;
    struct tarn_options options = {.size = sizeof options, .max_memory_bytes = 2 << 20};
    char room[NUMBERED_KEY_ROOM];
    void *bytes = patterned_bytes(1000, 1);
    struct tarn_slice value = tarn_slice_of(bytes, 1000);
    tarn_namespace *empty;
    unsigned count = 0;

    fixture_renew_store(f, &options);
    expect_ok(tarn_namespace_create(f->store, text("empty"), NULL, &empty));
    while (tarn_insert(f->ns, numbered_key(room, count), value) == TARN_OK)
        count++;
    expect_status(TARN_FULL, tarn_last_error()->status);
    expect_status(TARN_KEY_NOT_FOUND, tarn_delete(empty, text("key")));
    for (unsigned i = 0; i < count; i++)
        expect_ok(tarn_delete(f->ns, numbered_key(room, i)));
    tarn_namespace_close(empty);
    free(bytes);
}

/* A length that no memory has is refused before it is used. */
static void test_impossible_lengths(void **state)
{
    struct fixture *f = *state;
    struct tarn_slice value = tarn_slice_of("v", SIZE_MAX - 10);

    expect_status(TARN_VALUE_TOO_LARGE, tarn_set(f->ns, text("k"), value, NULL, NULL));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_insert(f->ns, text("k"), value));
    expect_absent(f->ns, text("k"));
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_max_keys),
    CONFORMANCE_TEST(test_max_keys_of_one),
    CONFORMANCE_TEST(test_max_value_size),
    CONFORMANCE_TEST(test_max_bytes),
    CONFORMANCE_TEST(test_max_bytes_and_counters),
    CONFORMANCE_TEST(test_options_at_their_bounds),
    CONFORMANCE_TEST(test_max_memory_bytes),
    CONFORMANCE_TEST(test_deleted_memory_is_usable),
    CONFORMANCE_TEST(test_deleting_in_a_full_store),
    CONFORMANCE_TEST(test_impossible_lengths),
};

CONFORMANCE_TOPIC(limits, tests);
