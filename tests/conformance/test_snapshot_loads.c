/*
 * Conformance: loading a snapshot over what is there: keys are replaced and options stay, limits
 * hold, all or nothing of it happens, and what readers hold stays as it was.
 */
#include "conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/store_folder.h"

#define MIB ((size_t)1024 * 1024)

static const struct tarn_slice same_name = {0};

static void fill(tarn_namespace *ns, unsigned from, unsigned to, const char *value)
{
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = from; i < to; i++)
        expect_ok(tarn_set(ns, numbered_key(room, i), text(value), NULL, NULL));
}

static void set_zeros(tarn_namespace *ns, const char *key, size_t length)
{
    void *bytes = calloc(1, length);

    expect_ok(tarn_set(ns, text(key), tarn_slice_of(bytes, length), NULL, NULL));
    free(bytes);
}

/* ------------------------------------------------------------------------------------------
 * Over what is there
 */

static void test_keys_are_replaced_and_options_stay(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *second = store_folder_namespace(f, "test");
    tarn_namespace *other = store_folder_create(f, "other", NULL);
    struct fixture_state before;
    struct tarn_stats stats;

    fill(f->ns, 0, 1000, "saved");
    before = fixture_state_of(f->ns);
    expect_ok(tarn_snapshot_save_namespace(f->ns, text("s"), NULL));
    fill(f->ns, 500, 3000, "newer");
    fill(other, 0, 10, "untouched");
    expect_ok(tarn_namespace_resize(f->ns, 5));
    expect_ok(tarn_namespace_configure(
        f->ns, TARN_SET_MAX_KEYS | TARN_SET_MAX_BYTES | TARN_SET_LOCK_TIMEOUT_MS,
        NAMESPACE_OPTIONS(.max_keys = 4000, .max_bytes = 100000, .lock_timeout_ms = 99)));
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_same_content(before, f->ns);
    expect_same_content(before, second); /* all handles are of the same one */
    expect_absent(second, text("key-2999"));
    expect_stored(other, text("key-9"), text("untouched"));
    stats = store_folder_stats(f->ns);
    expect_number(5, stats.shards);
    expect_number(4000, stats.options.max_keys);
    expect_number(100000, stats.options.max_bytes);
    expect_number(99, stats.options.lock_timeout_ms);
    /* It goes on as any namespace. */
    fill(f->ns, 0, 4000, "after");
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(second, text("one more"), text("x")));
    expect_ok(tarn_namespace_resize(f->ns, 64));
    expect_ok(tarn_delete(second, text("key-0")));
    expect_number(3999, fixture_state_of(f->ns).keys);
    tarn_namespace_close(second);
    tarn_namespace_close(other);
}

static void test_the_counts_of_shards(void **state)
{
    struct store_folder *f = *state;
    struct tarn_stats stats = {.size = sizeof stats};
    uint64_t shard_keys[7] = {0}, sum = 0;

    fill(f->ns, 0, 1000, "v");
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    expect_ok(tarn_namespace_resize(f->ns, 7));
    for (unsigned round = 0; round < 3; round++) {
        expect_ok(tarn_snapshot_load(f->store, text("s")));
        expect_ok(tarn_namespace_stats(f->ns, &stats, shard_keys, 7));
        sum = 0;
        for (unsigned i = 0; i < 7; i++) {
            expect_that(shard_keys[i] > 50 && shard_keys[i] < 400);
            sum += shard_keys[i];
        }
        expect_number(1000, sum);
        fill(f->ns, 900, 1100, "w");
        expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
        expect_number(1100, stats.keys);
    }
}

static void test_under_another_name(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before;
    tarn_namespace *copy;

    tarn_namespace_close(store_folder_create(f, "empty", NULL));
    expect_ok(
        tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, NAMESPACE_OPTIONS(.max_keys = 777)));
    fill(f->ns, 0, 100, "saved");
    before = fixture_state_of(f->ns);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    expect_ok(tarn_namespace_clear(f->ns));
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("test"), text("copy")));
    copy = store_folder_namespace(f, "copy");
    expect_same_content(before, copy);
    expect_number(777, store_folder_stats(copy).options.max_keys);
    expect_number(0, fixture_state_of(f->ns).keys);
    /* Over one that is there, and over itself. */
    fill(copy, 0, 500, "newer");
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("test"), text("copy")));
    expect_same_content(before, copy);
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("empty"), text("copy")));
    expect_number(0, fixture_state_of(copy).keys);
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("test"), same_name));
    expect_same_content(before, f->ns);
    tarn_namespace_close(copy);
    store_folder_reopen(f, NULL); /* the new one is in the catalog */
    copy = store_folder_namespace(f, "copy");
    expect_number(777, store_folder_stats(copy).options.max_keys);
    tarn_namespace_close(copy);
}

static void test_what_is_not_in_the_snapshot(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before;
    size_t count;

    fill(f->ns, 0, 10, "v");
    expect_ok(tarn_snapshot_save_namespace(f->ns, text("s"), NULL));
    tarn_namespace_close(store_folder_create(f, "other", NULL));
    before = fixture_state_of(f->ns);
    expect_status(TARN_NAMESPACE_NOT_FOUND,
                  tarn_snapshot_load_namespace(f->store, text("s"), text("other"), same_name));
    expect_status(TARN_NAMESPACE_NOT_FOUND,
                  tarn_snapshot_load_namespace(f->store, text("s"), text("tes"), text("test")));
    expect_status(TARN_NAME_INVALID,
                  tarn_snapshot_load_namespace(f->store, text("s"), text(""), text("x")));
    expect_status(TARN_NAME_INVALID,
                  tarn_snapshot_load_namespace(f->store, text("s"), text("test"), text("\n")));
    expect_same_state(before, f->ns);
    expect_ok(tarn_namespace_count(f->store, &count));
    expect_number(2, count);
}

/* What is written after a load has a higher sequence than all that there was and all that came. */
static void test_sequences_go_on(void **state)
{
    struct store_folder *f = *state;
    struct tarn_record_info old, info;

    expect_ok(tarn_set(f->ns, text("a"), text("1"), NULL, NULL));
    expect_ok(tarn_get(f->ns, text("a"), NULL, &old));
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    fill(f->ns, 0, 100, "v");
    expect_ok(tarn_get(f->ns, text("key-99"), NULL, &info));
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_that(store_folder_stats(f->ns).sequence >= info.sequence);
    expect_ok(tarn_replace_if_sequence(f->ns, text("a"), old.sequence, text("2")));
    expect_ok(tarn_get(f->ns, text("a"), NULL, &old));
    expect_that(old.sequence > info.sequence);
}

/* ------------------------------------------------------------------------------------------
 * Limits
 */

static void test_limits_of_the_namespace(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before, saved;

    fill(f->ns, 0, 100, "12345");
    saved = fixture_state_of(f->ns);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    expect_ok(tarn_namespace_clear(f->ns));
    fill(f->ns, 200, 210, "123");
    before = fixture_state_of(f->ns);
    expect_ok(
        tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, NAMESPACE_OPTIONS(.max_keys = 99)));
    expect_status(TARN_TOO_MANY_KEYS, tarn_snapshot_load(f->store, text("s")));
    expect_same_state(before, f->ns);
    expect_ok(
        tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS | TARN_SET_MAX_BYTES,
                                 NAMESPACE_OPTIONS(.max_keys = 100, .max_bytes = saved.bytes - 1)));
    expect_status(TARN_FULL, tarn_snapshot_load(f->store, text("s")));
    expect_same_state(before, f->ns);
    expect_ok(
        tarn_namespace_configure(f->ns, TARN_SET_MAX_BYTES | TARN_SET_MAX_VALUE_SIZE,
                                 NAMESPACE_OPTIONS(.max_bytes = saved.bytes, .max_value_size = 4)));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_snapshot_load(f->store, text("s")));
    expect_same_state(before, f->ns);
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_VALUE_SIZE,
                                       NAMESPACE_OPTIONS(.max_value_size = 5)));
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_same_content(saved, f->ns);
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("b"), text("")));
}

/* The first of three could be loaded and the third could not: none is. */
static void test_all_namespaces_or_none(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *first = store_folder_create(f, "a", NULL);
    tarn_namespace *last = store_folder_create(f, "z", NULL);
    struct fixture_state states[3];
    size_t count;

    tarn_namespace_close(store_folder_create(f, "n", NULL));
    fill(first, 0, 100, "saved");
    fill(f->ns, 0, 100, "saved");
    fill(last, 0, 100, "saved");
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    expect_ok(tarn_namespace_drop(f->store, text("n")));
    fill(first, 0, 50, "newer");
    expect_ok(tarn_namespace_clear(last));
    expect_ok(tarn_namespace_configure(last, TARN_SET_MAX_KEYS, NAMESPACE_OPTIONS(.max_keys = 9)));
    states[0] = fixture_state_of(first);
    states[1] = fixture_state_of(f->ns);
    states[2] = fixture_state_of(last);
    expect_status(TARN_TOO_MANY_KEYS, tarn_snapshot_load(f->store, text("s")));
    expect_same_state(states[0], first);
    expect_same_state(states[1], f->ns);
    expect_same_state(states[2], last);
    expect_ok(tarn_namespace_count(f->store, &count));
    expect_number(3, count);
    fill(first, 0, 5, "nothing is left locked");
    fill(last, 0, 5, "nothing is left locked");
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("a"), same_name));
    expect_stored(first, text("key-0"), text("saved"));
    tarn_namespace_close(first);
    tarn_namespace_close(last);
}

static void test_max_namespaces(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before;
    size_t count;

    tarn_namespace_close(store_folder_create(f, "a", NULL));
    tarn_namespace_close(store_folder_create(f, "b", NULL));
    fill(f->ns, 0, 10, "saved");
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    expect_ok(tarn_namespace_drop(f->store, text("a")));
    expect_ok(tarn_namespace_drop(f->store, text("b")));
    store_folder_reopen(f, STORE_OPTIONS(.max_namespaces = 2));
    before = fixture_state_of(f->ns);
    expect_status(TARN_TOO_MANY_NAMESPACES, tarn_snapshot_load(f->store, text("s")));
    expect_same_state(before, f->ns);
    expect_ok(tarn_namespace_count(f->store, &count));
    expect_number(1, count);
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("a"), same_name));
    expect_status(TARN_TOO_MANY_NAMESPACES,
                  tarn_snapshot_load_namespace(f->store, text("s"), text("b"), same_name));
    store_folder_reopen(f, STORE_OPTIONS(.max_namespaces = 3));
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_number(10, fixture_state_of(f->ns).keys);
}

/* A load needs memory for both states. */
static void test_memory_limit(void **state)
{
    struct store_folder *f = *state;
    struct tarn_options *tight =
        STORE_OPTIONS(.max_memory_bytes = 24 * MIB, .load = TARN_LOAD_NOTHING);
    struct fixture_state before;

    if (fixture_backend != &fixture_backends[0])
        skip(); /* the values of the others are not in memory */
    for (char key[2] = "a"; key[0] < 'a' + 16; key[0]++)
        set_zeros(f->ns, key, MIB);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    store_folder_reopen(f, tight);
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_ok(tarn_set(f->ns, text("a"), text("changed"), NULL, NULL));
    before = fixture_state_of(f->ns);
    expect_status(TARN_FULL, tarn_snapshot_load(f->store, text("s")));
    expect_same_state(before, f->ns);
    /* Nothing of the attempt is left: there is as much room as there was. */
    expect_status(TARN_FULL, tarn_snapshot_load(f->store, text("s")));
    expect_ok(tarn_namespace_clear(f->ns));
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_number(16, fixture_state_of(f->ns).keys);
    tight->load = TARN_LOAD_NEWEST;
    tight->max_memory_bytes = 8 * MIB;
    store_folder_close(f);
    expect_status(TARN_FULL, store_folder_try(f->path, tight));
    store_folder_open(f, NULL);
}

/* ------------------------------------------------------------------------------------------
 * What readers hold
 */

static void test_pins_stay(void **state)
{
    struct store_folder *f = *state;
    struct tarn_pin small = {0}, large = {0};
    unsigned char *zeros = calloc(1, 3 * MIB);

    expect_ok(tarn_set(f->ns, text("small"), text("held"), NULL, NULL));
    set_zeros(f->ns, "large", 3 * MIB);
    expect_ok(tarn_get_pinned(f->ns, text("small"), &small));
    expect_ok(tarn_get_pinned(f->ns, text("large"), &large));
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    for (unsigned i = 0; i < 4; i++) {
        expect_ok(tarn_snapshot_load(f->store, text("s")));
        set_zeros(f->ns, "other", 3 * MIB);
        fill(f->ns, 0, 1000, "these would go where the freed ones were");
    }
    expect_bytes(text("held"), small.value);
    expect_bytes(tarn_slice_of(zeros, 3 * MIB), large.value);
    expect_status(TARN_BUSY, tarn_close(f->store));
    tarn_unpin(&small);
    expect_status(TARN_BUSY, tarn_namespace_drop(f->store, text("test")));
    tarn_unpin(&large);
    free(zeros);
}

/* A cursor that was opened before goes to its end, and each record it gives is of a state that
 * there was. */
static void test_cursors_go_on(void **state)
{
    struct store_folder *f = *state;
    struct tarn_slice key, value;
    struct tarn_record_info info;
    tarn_cursor *cursor = NULL;
    unsigned returned = 0;
    tarn_status status;

    fill(f->ns, 0, 2000, "v");
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    fill(f->ns, 2000, 2500, "v");
    expect_ok(tarn_cursor_open(f->ns, NULL, &cursor));
    while ((status = tarn_cursor_next(cursor, &key, &value, &info)) == TARN_OK) {
        expect_bytes(text("v"), value);
        if (++returned % 500 == 100)
            expect_ok(tarn_snapshot_load(f->store, text("s")));
    }
    expect_status(TARN_CURSOR_END, status);
    expect_that(returned >= 2000 && returned <= 2500); /* the 2,000 were there all the time */
    tarn_cursor_close(cursor);
    expect_number(2000, fixture_state_of(f->ns).keys);
}

/* A batch and a position that are older than the load are good for it. */
static void test_batches_and_positions_of_before(void **state)
{
    struct store_folder *f = *state;
    struct tarn_cursor_options options = {.size = sizeof options};
    struct tarn_slice key, value;
    tarn_cursor *cursor = NULL;
    tarn_batch *batch = NULL;
    unsigned returned = 0;

    fill(f->ns, 0, 1000, "v");
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_update(batch, text("key-1"), text("batch")));
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    expect_ok(tarn_cursor_open(f->ns, NULL, &cursor));
    for (; returned < 300; returned++)
        expect_ok(tarn_cursor_next(cursor, &key, &value, NULL));
    options.position = tarn_cursor_position(cursor);
    tarn_cursor_close(cursor);
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_ok(tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_stored(f->ns, text("key-1"), text("batch"));
    expect_ok(tarn_cursor_open(f->ns, &options, &cursor));
    while (tarn_cursor_next(cursor, &key, &value, NULL) == TARN_OK)
        returned++;
    expect_number(1000, returned);
    tarn_cursor_close(cursor);
    tarn_batch_free(batch);
}

/* ------------------------------------------------------------------------------------------
 * Memory
 */

static void test_memory_does_not_pile_up(void **state)
{
    struct store_folder *f = *state;
    uint64_t after_first = 0, before, times = 1 + repeated(19);

    fill(f->ns, 0, 20000, "about as many bytes as a value often has, or a little more than that");
    before = store_folder_stats(f->ns).memory_bytes;
    for (unsigned i = 0; i < times; i++)
        expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    expect_that(store_folder_stats(f->ns).memory_bytes <= before + MIB);
    for (unsigned i = 0; i < times; i++) {
        expect_ok(tarn_snapshot_load(f->store, text("s")));
        if (i == 0)
            after_first = store_folder_stats(f->ns).memory_bytes;
    }
    expect_that(store_folder_stats(f->ns).memory_bytes <= after_first + MIB);
    expect_that(after_first <= 2 * before + 8 * MIB);
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_keys_are_replaced_and_options_stay),
    STORE_FOLDER_TEST(test_the_counts_of_shards),
    STORE_FOLDER_TEST(test_under_another_name),
    STORE_FOLDER_TEST(test_what_is_not_in_the_snapshot),
    STORE_FOLDER_TEST(test_sequences_go_on),
    STORE_FOLDER_TEST(test_limits_of_the_namespace),
    STORE_FOLDER_TEST(test_all_namespaces_or_none),
    STORE_FOLDER_TEST(test_max_namespaces),
    STORE_FOLDER_TEST(test_memory_limit),
    STORE_FOLDER_TEST(test_pins_stay),
    STORE_FOLDER_TEST(test_cursors_go_on),
    STORE_FOLDER_TEST(test_batches_and_positions_of_before),
    STORE_FOLDER_TEST(test_memory_does_not_pile_up),
};

CONFORMANCE_TOPIC(snapshot_loads, tests);
