/*
 * Conformance: what a store has in memory when it is opened: of each namespace the newest snapshot,
 * whatever it is called and whether it is of the store or of the namespace alone; what is damaged
 * fails the opening, or is passed over and told.
 *
 * "Newest" is what was saved last. The names are chosen so that the order of names is the other one
 * where that could decide.
 */
#include "conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/store_folder.h"

#define NEWEST  STORE_OPTIONS(.load = TARN_LOAD_NEWEST)
#define NOTHING STORE_OPTIONS(.load = TARN_LOAD_NOTHING)

static const struct tarn_slice same_name = {0};

static void put(tarn_namespace *ns, const char *value)
{
    expect_ok(tarn_set(ns, text("k"), text(value), NULL, NULL));
}

static void save(struct store_folder *f, const char *name)
{
    expect_ok(tarn_snapshot_save(f->store, text(name), NULL));
}

static void save_only(tarn_namespace *ns, const char *name)
{
    expect_ok(tarn_snapshot_save_namespace(ns, text(name), NULL));
}

static void expect_in(struct store_folder *f, const char *name, const char *value)
{
    tarn_namespace *ns = store_folder_namespace(f, name);

    if (value)
        expect_stored(ns, text("k"), text(value));
    else
        expect_number(0, fixture_state_of(ns).keys);
    tarn_namespace_close(ns);
}

static void flip_last_byte(const char *path)
{
    struct tarn_buf bytes = file_read(path);

    ((unsigned char *)bytes.data)[bytes.length - 1] ^= 1;
    file_write(path, bytes.data, bytes.length);
    free(bytes.data);
}

/* ------------------------------------------------------------------------------------------
 * The newest
 */

static void test_nothing_is_loaded_unless_asked(void **state)
{
    struct store_folder *f = *state;

    put(f->ns, "1");
    save(f, "s");
    store_folder_reopen(f, NOTHING);
    expect_in(f, "test", NULL);
    store_folder_reopen(f, NEWEST);
    expect_in(f, "test", "1");
}

static void test_without_any(void **state)
{
    struct store_folder *f = *state;

    put(f->ns, "1");
    store_folder_reopen(f, NEWEST);
    expect_in(f, "test", NULL);
    store_folder_reopen(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST_WHOLE));
    expect_in(f, "test", NULL);
}

static void test_a_mix_of_scopes(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *a = store_folder_create(f, "a", NULL), *b = store_folder_create(f, "b", NULL);

    put(a, "a1"), put(b, "b1"), put(f->ns, "t1");
    save(f, "z1");
    put(a, "a2");
    save_only(a, "y2");
    put(b, "b2"), put(a, "a3");
    save(f, "x3");
    put(b, "b3");
    save_only(b, "w4");
    put(a, "never"), put(b, "never"), put(f->ns, "never");
    tarn_namespace_close(a);
    tarn_namespace_close(b);
    store_folder_reopen(f, NEWEST);
    expect_in(f, "a", "a3");
    expect_in(f, "b", "b3");
    expect_in(f, "test", "t1");
    expect_ok(tarn_snapshot_delete(f->store, text("x3")));
    store_folder_reopen(f, NEWEST);
    expect_in(f, "a", "a2");
    expect_in(f, "b", "b3");
    expect_in(f, "test", "t1");
    expect_ok(tarn_snapshot_delete(f->store, text("z1")));
    store_folder_reopen(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST, .read_only = true));
    expect_in(f, "a", "a2");
    expect_in(f, "b", "b3");
    expect_in(f, "test", NULL);
}

/* Two snapshots with no set in between: a delete, a clear and a load change what is there, too. */
static void test_after_a_delete_or_a_clear(void **state)
{
    struct store_folder *f = *state;

    put(f->ns, "1");
    expect_ok(tarn_set(f->ns, text("l"), text("1"), NULL, NULL));
    save(f, "m");
    expect_ok(tarn_delete(f->ns, text("l")));
    save(f, "n");
    store_folder_reopen(f, NEWEST);
    expect_in(f, "test", "1");
    expect_absent(f->ns, text("l"));
    expect_ok(tarn_namespace_clear(f->ns));
    save(f, "o");
    store_folder_reopen(f, NEWEST);
    expect_in(f, "test", NULL);
}

static void test_after_a_load(void **state)
{
    struct store_folder *f = *state;

    put(f->ns, "1");
    save(f, "m");
    put(f->ns, "2");
    save(f, "n");
    expect_ok(tarn_snapshot_load(f->store, text("m")));
    expect_in(f, "test", "1");
    save(f, "o"); /* the last that was saved */
    store_folder_reopen(f, NEWEST);
    expect_in(f, "test", "1");
}

static void test_after_a_load_under_a_new_name(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *copy;

    put(f->ns, "1");
    save(f, "m");
    expect_ok(tarn_snapshot_load_namespace(f->store, text("m"), text("test"), text("copy")));
    copy = store_folder_namespace(f, "copy");
    save_only(copy, "n");
    tarn_namespace_close(copy);
    store_folder_reopen(f, NEWEST);
    expect_in(f, "test", "1");
    expect_in(f, "copy", "1");
}

static void test_a_namespace_that_was_made_again(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *a = store_folder_create(f, "a", NULL);

    put(a, "old"), put(f->ns, "t");
    save_only(a, "only");
    save(f, "store");
    tarn_namespace_close(a);
    expect_ok(tarn_namespace_drop(f->store, text("a")));
    a = store_folder_create(f, "a", NULL);
    put(a, "not saved");
    tarn_namespace_close(a);
    store_folder_reopen(f, NEWEST);
    expect_in(f, "a", NULL);
    expect_in(f, "test", "t");
    /* By name it can be had. */
    expect_ok(tarn_snapshot_load_namespace(f->store, text("only"), text("a"), same_name));
    expect_in(f, "a", "old");
    a = store_folder_namespace(f, "a");
    save_only(a, "again");
    tarn_namespace_close(a);
    store_folder_reopen(f, NEWEST);
    expect_in(f, "a", "old");
}

static void test_a_dropped_one_does_not_come_back(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *a = store_folder_create(f, "a", NULL);
    size_t count;

    put(a, "old");
    save(f, "store");
    save_only(a, "only");
    tarn_namespace_close(a);
    expect_ok(tarn_namespace_drop(f->store, text("a")));
    store_folder_reopen(f, NEWEST);
    expect_ok(tarn_namespace_count(f->store, &count));
    expect_number(1, count);
}

/* The options are those of the catalog, not those that the snapshot tells of. */
static void test_options_are_the_present_ones(void **state)
{
    struct store_folder *f = *state;

    put(f->ns, "1");
    save(f, "s");
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, NAMESPACE_OPTIONS(.max_keys = 5)));
    expect_ok(tarn_namespace_resize(f->ns, 3));
    store_folder_reopen(f, NEWEST);
    expect_in(f, "test", "1");
    expect_number(5, store_folder_stats(f->ns).options.max_keys);
    expect_number(3, store_folder_stats(f->ns).shards);
}

static void test_sequences_go_on(void **state)
{
    struct store_folder *f = *state;
    struct tarn_record_info info;
    uint64_t highest = 0;

    for (unsigned i = 0; i < 10; i++) {
        for (unsigned k = 0; k < 100; k++)
            put(f->ns, "1");
        expect_ok(tarn_get(f->ns, text("k"), NULL, &info));
        expect_that(info.sequence > highest);
        highest = info.sequence;
        save(f, "s");
        store_folder_reopen(f, i % 2 ? NEWEST : NOTHING);
        expect_that(store_folder_stats(f->ns).sequence >= highest);
    }
}

/* ------------------------------------------------------------------------------------------
 * Another store's
 */

static void put_in_another_store(struct store_folder *f, const char *name)
{
    struct store_folder other = {0};
    struct tarn_buf bytes;

    snprintf(other.path, sizeof other.path, "%.200s/other", f->around);
    store_folder_open(&other, NULL);
    other.ns = store_folder_create(&other, "test", NULL);
    for (unsigned i = 0; i < 1000; i++)
        put(other.ns, "another's");
    save(&other, "s");
    save_only(other.ns, "t");
    bytes = file_read(path_of_snapshot(&other, "s"));
    file_write(path_of_snapshot(f, name), bytes.data, bytes.length);
    free(bytes.data);
    store_folder_close(&other);
}

static void test_another_stores_is_not_the_newest(void **state)
{
    struct store_folder *f = *state;

    put(f->ns, "1");
    save(f, "s");
    put_in_another_store(f, "foreign");
    store_folder_reopen(f, NEWEST);
    expect_in(f, "test", "1");
    store_folder_reopen(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST_WHOLE));
    expect_in(f, "test", "1");
}

/* Who names it may have it: that is how data goes from one store to another. */
static void test_another_stores_is_loaded_by_name(void **state)
{
    struct store_folder *f = *state;

    put(f->ns, "1");
    put_in_another_store(f, "foreign");
    expect_ok(tarn_snapshot_load(f->store, text("foreign")));
    expect_in(f, "test", "another's");
}

/* ------------------------------------------------------------------------------------------
 * Damage
 */

struct told {
    unsigned count;
    tarn_status statuses[8], errors[8];
    char names[8][32], messages[8][256];
    tarn_store *store;
};

static void note(void *context, const struct tarn_event *event)
{
    struct told *told = context;
    unsigned i = told->count++;

    expect_number(TARN_EVENT_SNAPSHOT_PASSED_OVER, event->kind);
    told->statuses[i] = event->status;
    told->errors[i] = event->error->status;
    snprintf(told->names[i], 32, "%.*s", (int)event->snapshot.length,
             (const char *)event->snapshot.data);
    snprintf(told->messages[i], 256, "%s", event->error->message);
}

static void test_a_damaged_newest_fails(void **state)
{
    struct store_folder *f = *state;
    uint64_t digest;

    put(f->ns, "1");
    save(f, "n");
    put(f->ns, "2");
    save(f, "m");
    store_folder_close(f);
    flip_last_byte(path_of_snapshot(f, "m"));
    digest = path_digest(f->path);
    expect_status(TARN_CORRUPT, store_folder_try(f->path, NEWEST));
    expect_error_names(TARN_CORRUPT, "m.snapshot");
    expect_number(digest, path_digest(f->path));
    file_write(path_of_snapshot(f, "m"), "", 0); /* now its head cannot be read */
    expect_status(TARN_CORRUPT, store_folder_try(f->path, NEWEST));
    expect_error_names(TARN_CORRUPT, "m.snapshot");
    store_folder_open(f, NOTHING); /* which loads nothing, so that it can be repaired */
    expect_ok(tarn_snapshot_load(f->store, text("n")));
    expect_in(f, "test", "1");
    expect_ok(tarn_snapshot_delete(f->store, text("m")));
    store_folder_reopen(f, NEWEST);
    expect_in(f, "test", "1");
}

static void test_a_damaged_one_is_passed_over(void **state)
{
    struct store_folder *f = *state;
    struct told told = {0};
    struct tarn_options *options =
        STORE_OPTIONS(.load = TARN_LOAD_NEWEST_WHOLE, .on_event = note, .event_context = &told);
    tarn_namespace *a = store_folder_create(f, "a", NULL);

    put(a, "a1"), put(f->ns, "1");
    save(f, "z");
    put(f->ns, "2"), put(a, "a2");
    save(f, "y");
    put(f->ns, "3");
    save(f, "x");
    put(a, "a3");
    save_only(a, "w");
    tarn_namespace_close(a);
    store_folder_reopen(f, options);
    expect_number(0, told.count);
    flip_last_byte(path_of_snapshot(f, "x"));
    store_folder_reopen(f, options);
    expect_in(f, "test", "2");
    expect_in(f, "a", "a3");
    expect_number(1, told.count);
    expect_bytes(text("x"), text(told.names[0]));
    expect_status(TARN_CORRUPT, told.statuses[0]);
    expect_status(TARN_CORRUPT, told.errors[0]);
    expect_that(strstr(told.messages[0], "x.snapshot") != NULL);
    told.count = 0;
    file_write(path_of_snapshot(f, "y"), "", 0);
    flip_last_byte(path_of_snapshot(f, "w"));
    store_folder_reopen(f, options);
    expect_number(3, told.count);
    expect_in(f, "test", "1");
    expect_in(f, "a", "a1");
    options->on_event = NULL;
    flip_last_byte(path_of_snapshot(f, "z"));
    store_folder_reopen(f, options); /* all of them: empty */
    expect_in(f, "test", NULL);
    expect_in(f, "a", NULL);
}

/* What was saved comes back also where a limit was lowered since; but nothing can be added. */
static void test_limits_that_were_lowered(void **state)
{
    struct store_folder *f = *state;

    put(f->ns, "1");
    expect_ok(tarn_set(f->ns, text("l"), text("1"), NULL, NULL));
    save(f, "s");
    expect_ok(tarn_delete(f->ns, text("l")));
    expect_ok(tarn_namespace_configure(
        f->ns, TARN_SET_MAX_KEYS | TARN_SET_MAX_BYTES | TARN_SET_MAX_VALUE_SIZE,
        NAMESPACE_OPTIONS(.max_keys = 1, .max_bytes = 2, .max_value_size = 1)));
    store_folder_reopen(f, NEWEST);
    expect_stored(f->ns, text("l"), text("1"));
    expect_in(f, "test", "1");
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("m"), text("")));
    put(f->ns, "2"); /* in place of another */
    expect_status(TARN_VALUE_TOO_LARGE, tarn_set(f->ns, text("l"), text("22"), NULL, NULL));
    expect_ok(tarn_delete(f->ns, text("l")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("m"), text("")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_snapshot_load(f->store, text("s")));
    expect_in(f, "test", "2");
}

/* Which snapshot is the newest is told by heads: one whose end is another file's may have another's
 * head, too. */
static void test_a_damaged_end_of_an_older_one(void **state)
{
    struct store_folder *f = *state;

    put(f->ns, "1");
    save(f, "s");
    put(f->ns, "2");
    save(f, "t");
    flip_last_byte(path_of_snapshot(f, "s"));
    store_folder_close(f);
    expect_status(TARN_CORRUPT, store_folder_try(f->path, NEWEST));
    expect_error_names(TARN_CORRUPT, "s.snapshot");
    store_folder_open(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST_WHOLE));
    expect_in(f, "test", "2");
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_nothing_is_loaded_unless_asked),
    STORE_FOLDER_TEST(test_without_any),
    STORE_FOLDER_TEST(test_a_mix_of_scopes),
    STORE_FOLDER_TEST(test_after_a_delete_or_a_clear),
    STORE_FOLDER_TEST(test_after_a_load),
    STORE_FOLDER_TEST(test_after_a_load_under_a_new_name),
    STORE_FOLDER_TEST(test_a_namespace_that_was_made_again),
    STORE_FOLDER_TEST(test_a_dropped_one_does_not_come_back),
    STORE_FOLDER_TEST(test_options_are_the_present_ones),
    STORE_FOLDER_TEST(test_sequences_go_on),
    STORE_FOLDER_TEST(test_another_stores_is_not_the_newest),
    STORE_FOLDER_TEST(test_another_stores_is_loaded_by_name),
    STORE_FOLDER_TEST(test_a_damaged_newest_fails),
    STORE_FOLDER_TEST(test_a_damaged_one_is_passed_over),
    STORE_FOLDER_TEST(test_limits_that_were_lowered),
    STORE_FOLDER_TEST(test_a_damaged_end_of_an_older_one),
};

CONFORMANCE_TOPIC_OF_MEMORY(snapshot_openings, tests);
