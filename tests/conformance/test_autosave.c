/*
 * Autosaves: that they save, after one interval and again; what they are called and which remain;
 * starting, stopping, failing; that they come back at the next opening; the last save at close.
 *
 * Waiting is for an event, with a bound that only a failure reaches.
 */
#include "conformance/conformance.h"
#include "support/concurrency.h"
#include "support/store_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_ROUNDS 2000 /* of 5 ms */

/* What the callback has seen. Written by the store's thread, one event at a time. */
static struct {
    unsigned done, failed;
    tarn_status status;
    char snapshot[256], namespace_name[256], message[256];
} seen;

static void copy_slice(char *to, size_t room, struct tarn_slice slice)
{
    size_t length = slice.length < room ? slice.length : room - 1;

    memcpy(to, slice.data, length);
    to[length] = '\0';
}

static void note(void *context, const struct tarn_event *event)
{
    (void)context;
    copy_slice(seen.snapshot, sizeof seen.snapshot, event->snapshot);
    copy_slice(seen.namespace_name, sizeof seen.namespace_name, event->namespace_name);
    seen.status = event->status;
    expect_status(event->status, event->error->status);
    if (event->kind == TARN_EVENT_AUTOSAVE_FAILED) {
        copy_slice(seen.message, sizeof seen.message,
                   tarn_slice_of(event->error->message, strlen(event->error->message)));
        __atomic_add_fetch(&seen.failed, 1, __ATOMIC_ACQ_REL);
    } else {
        __atomic_add_fetch(&seen.done, 1, __ATOMIC_ACQ_REL);
    }
}

static void wait_for(const unsigned *count, unsigned least)
{
    for (unsigned i = 0; __atomic_load_n(count, __ATOMIC_ACQUIRE) < least; i++) {
        expect_that(i < WAIT_ROUNDS);
        usleep(5000);
    }
}

static void open_watched(struct store_folder *f, enum tarn_load load)
{
    memset(&seen, 0, sizeof seen);
    store_folder_reopen(f, STORE_OPTIONS(.on_event = note, .load = load));
}

#define AUTOSAVE(...)                                                                              \
    (&(struct tarn_autosave_options){.size = sizeof(struct tarn_autosave_options), __VA_ARGS__})

struct listed {
    unsigned count;
    char names[64][256];
    uint64_t sequences[64];
    bool of_namespace[64];
};

static bool note_snapshot(void *context, const struct tarn_snapshot_info *info)
{
    struct listed *listed = context;

    copy_slice(listed->names[listed->count], 256, info->name);
    listed->sequences[listed->count] = info->sequence;
    listed->of_namespace[listed->count++] = info->namespace_name.length > 0;
    return listed->count < 64;
}

static struct listed *list(struct store_folder *f)
{
    static struct listed listed;

    listed.count = 0;
    expect_ok(tarn_snapshot_list(f->store, note_snapshot, &listed));
    return &listed;
}

static const char *listed_last(struct store_folder *f)
{
    struct listed *all = list(f);

    return all->names[all->count - 1];
}

static void put(struct store_folder *f, const char *key, const char *value)
{
    expect_ok(tarn_set(f->ns, text(key), text(value), NULL, NULL));
}

static void test_saves_after_each_interval(void **state)
{
    struct store_folder *f = *state;
    struct tarn_stats stats = {.size = sizeof stats};

    open_watched(f, TARN_LOAD_NOTHING);
    put(f, "key", "one");
    expect_ok(tarn_autosave_set(f->store, text("test"), AUTOSAVE(.interval_ms = 100)));
    usleep(150000);
    expect_number(0, list(f)->count); /* it is set, and does not run */
    expect_ok(tarn_autosave_start(f->store, text("test")));
    expect_number(0, list(f)->count); /* the first save comes after one interval */
    wait_for(&seen.done, 2);
    expect_bytes(text("test"), text(seen.namespace_name));
    expect_that(strncmp(seen.snapshot, "test-", 5) == 0);
    expect_number(strlen("test-20261121T091500042"), strlen(seen.snapshot));
    expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
    expect_that(stats.autosave_saves >= 2);
    expect_number(0, stats.autosave_failures);
    open_watched(f, TARN_LOAD_NEWEST);
    expect_stored(f->ns, text("key"), text("one"));
}

static void test_keeps_as_many_as_wanted(void **state)
{
    struct store_folder *f = *state;
    struct listed *all;

    open_watched(f, TARN_LOAD_NOTHING);
    expect_ok(tarn_snapshot_save(f->store, text("store-by-hand"), NULL));
    expect_ok(tarn_snapshot_save_namespace(f->ns, text("store-20200101T000000000"), NULL));
    expect_ok(tarn_autosave_set(f->store, text(""), AUTOSAVE(.interval_ms = 100, .keep = 2)));
    expect_ok(tarn_autosave_start_all(f->store));
    for (unsigned i = 1; i <= 5; i++) {
        char value[16];

        snprintf(value, sizeof value, "%u", i);
        put(f, "key", value);
        wait_for(&seen.done, i);
    }
    expect_ok(tarn_autosave_stop(f->store, text("")));
    all = list(f);
    expect_number(4, all->count); /* two, and those that are not its own, whatever their names */
    expect_that(!all->of_namespace[0] && !all->of_namespace[1]);
    expect_that(all->sequences[0] > all->sequences[1] && all->sequences[1] > all->sequences[2]);
}

static void test_starting_and_stopping(void **state)
{
    struct store_folder *f = *state;
    unsigned done;

    open_watched(f, TARN_LOAD_NOTHING);
    expect_status(TARN_AUTOSAVE_NOT_CONFIGURED, tarn_autosave_start(f->store, text("test")));
    expect_status(TARN_AUTOSAVE_NOT_RUNNING, tarn_autosave_stop(f->store, text("test")));
    expect_status(TARN_NAMESPACE_NOT_FOUND, tarn_autosave_start(f->store, text("other")));
    expect_ok(tarn_autosave_set(f->store, text("test"), AUTOSAVE(.interval_ms = 100)));
    expect_status(TARN_AUTOSAVE_NOT_RUNNING, tarn_autosave_stop(f->store, text("test")));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    expect_status(TARN_AUTOSAVE_EXISTS, tarn_autosave_start(f->store, text("test")));
    wait_for(&seen.done, 1);
    expect_ok(tarn_autosave_stop(f->store, text("test")));
    usleep(20000); /* the event of the last one */
    done = __atomic_load_n(&seen.done, __ATOMIC_ACQUIRE);
    usleep(250000);
    expect_number(done, __atomic_load_n(&seen.done, __ATOMIC_ACQUIRE));
    expect_ok(tarn_autosave_set(f->store, text("test"), NULL));
    expect_status(TARN_AUTOSAVE_NOT_CONFIGURED, tarn_autosave_start(f->store, text("test")));
}

static bool note_autosave(void *context, const struct tarn_autosave_info *info)
{
    struct tarn_autosave_info *infos = context;
    size_t i = info->namespace_name.length != 0;

    infos[i] = *info;
    expect_number(5000, info->options.interval_ms);
    expect_number(7, info->options.keep);
    expect_that(info->options.at_close);
    expect_bytes(i ? text("x-{ts}-{ns}") : text("all-{ts}"), info->options.pattern);
    expect_bytes(i ? text("test") : text(""), info->namespace_name);
    return true;
}

static void test_comes_back_at_the_next_opening(void **state)
{
    struct store_folder *f = *state;
    struct tarn_autosave_info infos[2] = {0};

    open_watched(f, TARN_LOAD_NOTHING);
    expect_ok(tarn_autosave_set(
        f->store, text(""),
        AUTOSAVE(.interval_ms = 5000, .keep = 7, .at_close = true, .pattern = text("all-{ts}"))));
    expect_ok(tarn_autosave_set(f->store, text("test"),
                                AUTOSAVE(.interval_ms = 5000, .keep = 7, .at_close = true,
                                         .pattern = text("x-{ts}-{ns}"))));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    open_watched(f, TARN_LOAD_NOTHING);
    expect_ok(tarn_autosave_list(f->store, note_autosave, infos));
    expect_that(!infos[0].running && infos[1].running);
    expect_that(infos[1].next_ms > 0 && infos[1].next_ms <= 5000);
    expect_number(0, infos[1].saves);
    store_folder_reopen(f, STORE_OPTIONS(.read_only = true)); /* nothing runs, nothing is written */
}

static void test_saves_at_close(void **state)
{
    struct store_folder *f = *state;

    open_watched(f, TARN_LOAD_NOTHING);
    expect_ok(tarn_autosave_set(f->store, text("test"),
                                AUTOSAVE(.interval_ms = 1000000, .at_close = true)));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    put(f, "key", "last");
    open_watched(f, TARN_LOAD_NEWEST);
    expect_number(1, list(f)->count);
    expect_stored(f->ns, text("key"), text("last"));
}

/* Drops the first namespace that was saved. */
static void drop_first(void *context, const struct tarn_event *event)
{
    tarn_store **store = context;

    note(NULL, event);
    if (seen.done == 1)
        expect_ok(tarn_namespace_drop(*store, event->namespace_name));
}

/* The callback may call tarn, also between the last saves: none is left out. */
static void test_saves_all_at_close(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    struct store_folder *f = *state;
    tarn_store *closing; /* the folder's own pointer is gone by then */

    memset(&seen, 0, sizeof seen);
    store_folder_reopen(f, STORE_OPTIONS(.on_event = drop_first, .event_context = &closing));
    closing = f->store;
    for (size_t i = 0; i < 3; i++) {
        tarn_namespace_close(store_folder_create(f, names[i], NULL));
        expect_ok(tarn_autosave_set(f->store, text(names[i]),
                                    AUTOSAVE(.interval_ms = 1000000, .at_close = true)));
    }
    expect_ok(tarn_autosave_start_all(f->store));
    open_watched(f, TARN_LOAD_NEWEST);
    expect_number(3, list(f)->count);
}

/* What an opening did not load is not deleted by its autosaves, however many they are. */
static void test_nothing_is_deleted_that_was_not_loaded(void **state)
{
    struct store_folder *f = *state;

    open_watched(f, TARN_LOAD_NEWEST);
    put(f, "key", "precious");
    expect_ok(tarn_autosave_set(f->store, text("test"),
                                AUTOSAVE(.interval_ms = 100, .keep = 1, .at_close = true)));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    for (int i = 0; i < 3; i++) {
        open_watched(f, TARN_LOAD_NOTHING);
        wait_for(&seen.done, 2);
    }
    expect_number(0, fixture_state_of(f->ns).keys);
    expect_ok(tarn_autosave_stop(f->store, text("test")));
    expect_that(list(f)->count >= 4);
    expect_ok(tarn_snapshot_load(f->store, text(listed_last(f)))); /* the oldest */
    expect_stored(f->ns, text("key"), text("precious"));
    open_watched(f, TARN_LOAD_NEWEST); /* from now on they count again */
    expect_ok(tarn_autosave_start(f->store, text("test")));
    wait_for(&seen.done, 1);
    expect_ok(tarn_autosave_stop(f->store, text("test")));
    expect_number(1, list(f)->count);
}

/* Saves another store's namespace "test" so often that its sequence is far ahead, and puts the
 * snapshot among those of this store. Returns its sequence. */
static uint64_t put_in_another_stores(struct store_folder *f, const char *name, unsigned openings)
{
    struct store_folder other = {0};
    struct tarn_snapshot_info info = {.size = sizeof info};
    struct tarn_buf bytes;

    snprintf(other.path, sizeof other.path, "%.200s/other", f->around);
    for (unsigned i = 0; i < openings; i++) {
        store_folder_open(&other, STORE_OPTIONS(.load = TARN_LOAD_NEWEST));
        if (!other.ns)
            other.ns = store_folder_create(&other, "test", NULL);
        for (unsigned k = 0; k < 1000; k++)
            put(&other, "key", "another's");
        expect_ok(tarn_snapshot_save_namespace(other.ns, text(name), &info));
        store_folder_close(&other);
    }
    bytes = file_read(path_of_snapshot(&other, name));
    file_write(path_of_snapshot(f, name), bytes.data, bytes.length);
    free(bytes.data);
    return info.sequence;
}

/* Another store's are not the autosave's own, whatever their names and sequences. */
static void test_another_stores_are_left_alone(void **state)
{
    struct store_folder *f = *state;

    open_watched(f, TARN_LOAD_NEWEST);
    (void)put_in_another_stores(f, "test-20200101T000000000", 1);
    put(f, "key", "own");
    expect_ok(tarn_autosave_set(f->store, text("test"), AUTOSAVE(.interval_ms = 100, .keep = 1)));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    wait_for(&seen.done, 3);
    expect_ok(tarn_autosave_stop(f->store, text("test")));
    expect_number(2, list(f)->count);
    open_watched(f, TARN_LOAD_NEWEST);
    expect_stored(f->ns, text("key"), text("own"));
}

/* Nor do openings go on from its sequence, however high it is. */
static void test_another_stores_sequence_is_not_taken(void **state)
{
    static const char foreign[] = "test-20200101T000000000";
    struct store_folder *f = *state;
    uint64_t high = put_in_another_stores(f, foreign, 8);
    struct listed *all;

    open_watched(f, TARN_LOAD_NEWEST);
    expect_number(0, fixture_state_of(f->ns).keys);
    expect_ok(tarn_autosave_set(f->store, text("test"),
                                AUTOSAVE(.interval_ms = 1000000, .keep = 2, .at_close = true)));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    for (unsigned i = 1; i <= 4; i++) {
        char value[2] = {(char)('0' + i)};

        put(f, "key", value);
        open_watched(f, TARN_LOAD_NEWEST);
        expect_stored(f->ns, text("key"), text(value));
        expect_that(store_folder_stats(f->ns).sequence < high);
        all = list(f);
        expect_number(i == 1 ? 2 : 3, all->count); /* those to keep, and the other */
        expect_bytes(text(foreign), text(all->names[0]));
        expect_number(high, all->sequences[0]);
    }
    expect_ok(tarn_snapshot_verify(f->store, text(foreign)));
    expect_ok(tarn_snapshot_verify(f->store, text(all->names[2])));
    expect_ok(tarn_autosave_stop(f->store, text("test")));
    open_watched(f, TARN_LOAD_NOTHING);
    expect_that(store_folder_stats(f->ns).sequence < high);
    expect_number(3, list(f)->count);
    open_watched(f, TARN_LOAD_NEWEST);
    expect_stored(f->ns, text("key"), text("4"));
}

/* A last save that fails keeps the store open; without it, or once it can be made, it closes. */
static void test_a_failing_last_save(void **state)
{
    struct store_folder *f = *state;

    open_watched(f, TARN_LOAD_NEWEST);
    expect_ok(tarn_autosave_set(f->store, text("test"),
                                AUTOSAVE(.interval_ms = 1000000, .at_close = true)));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    expect_number(0, rmdir(path_of(f, "snapshots")));
    expect_status(TARN_IO, tarn_close(f->store));
    expect_status(TARN_IO, tarn_close(f->store));
    put(f, "key", "it is open");
    expect_number(2, seen.failed);
    expect_ok(tarn_autosave_stop(f->store, text("test")));
    expect_number(0, mkdir(path_of(f, "snapshots"), 0700));
    open_watched(f, TARN_LOAD_NEWEST);
}

/* Also where nothing can be written any more. */
static void test_stopping_without_a_folder(void **state)
{
    struct store_folder *f = *state;

    open_watched(f, TARN_LOAD_NEWEST);
    expect_ok(tarn_autosave_set(f->store, text("test"),
                                AUTOSAVE(.interval_ms = 1000000, .at_close = true)));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    expect_number(0, rename(f->path, path_around(f, "away")));
    expect_number(0, unlink(path_around(f, "away/catalog")));
    expect_number(0, unlink(path_around(f, "away/lock")));
    expect_number(0, rmdir(path_around(f, "away/snapshots")));
    expect_number(0, rmdir(path_around(f, "away")));
    expect_status(TARN_IO, tarn_close(f->store));
    expect_status(TARN_IO, tarn_autosave_stop(f->store, text("test")));
    expect_status(TARN_AUTOSAVE_NOT_RUNNING, tarn_autosave_stop(f->store, text("test")));
    store_folder_reopen(f, NULL); /* a new one */
}

static void test_dropping_ends_it(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *other;

    open_watched(f, TARN_LOAD_NOTHING);
    other = store_folder_create(f, "other", NULL);
    expect_ok(tarn_autosave_set(f->store, text("other"), AUTOSAVE(.interval_ms = 100)));
    expect_ok(tarn_autosave_start(f->store, text("other")));
    wait_for(&seen.done, 1);
    expect_ok(tarn_namespace_drop(f->store, text("other")));
    tarn_namespace_close(other);
    other = store_folder_create(f, "other", NULL);
    expect_status(TARN_AUTOSAVE_NOT_CONFIGURED, tarn_autosave_start(f->store, text("other")));
    tarn_namespace_close(other);
}

static void test_a_failure_does_not_stop_it(void **state)
{
    struct store_folder *f = *state;
    struct tarn_stats stats = {.size = sizeof stats};
    char moved[STORE_FOLDER_PATH_ROOM];

    /* A snapshots folder that is gone makes saves fail, whoever runs the test. */
    open_watched(f, TARN_LOAD_NOTHING);
    snprintf(moved, sizeof moved, "%s", path_of(f, "elsewhere"));
    expect_ok(tarn_autosave_set(f->store, text("test"), AUTOSAVE(.interval_ms = 100)));
    expect_number(0, rmdir(path_of(f, "snapshots")));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    wait_for(&seen.failed, 2);
    expect_status(TARN_IO, seen.status);
    expect_that(strstr(seen.message, "snapshots") != NULL);
    expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
    expect_that(stats.autosave_failures >= 2);
    expect_status(TARN_IO, stats.autosave_status);
    put(f, "key", "goes on");
    expect_number(0, mkdir(path_of(f, "snapshots"), 0700));
}

static void test_options_that_are_refused(void **state)
{
    static const char *const patterns[] = {
        "x",         "{ts}",      "{ns}",         "{ns}-{ts}-{ts}", "a/{ns}{ts}",
        ".{ns}{ts}", "{ns}{ts}{", "{no}{ns}{ts}", "\x01{ns}{ts}"};
    struct store_folder *f = *state;
    tarn_store *in_memory;

    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        tarn_status status =
            tarn_autosave_set(f->store, text("test"), AUTOSAVE(.pattern = text(patterns[i])));

        expect_that(status == TARN_INVALID_ARGUMENT || status == TARN_NAME_INVALID);
    }
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_autosave_set(f->store, text(""), AUTOSAVE(.pattern = text("{ns}{ts}"))));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_autosave_set(f->store, text(""), AUTOSAVE(.interval_ms = 99)));
    expect_status(TARN_AUTOSAVE_NOT_CONFIGURED, tarn_autosave_start(f->store, text("test")));
    expect_ok(tarn_open(NULL, NULL, &in_memory));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED,
                  tarn_autosave_set(in_memory, text(""), AUTOSAVE(.keep = 1)));
    expect_ok(tarn_close(in_memory));
}

/* Names that would leave the folder, or meet in one file, do neither. */
static void test_names_of_namespaces_are_made_safe(void **state)
{
    static const char *const names[] = {"../x", "/x", "a/b", "a%2Fb", ".", "..", "\xc3\xa4"};
    enum { COUNT = sizeof names / sizeof names[0] };
    struct store_folder *f = *state;
    struct listed *all;

    open_watched(f, TARN_LOAD_NOTHING);
    for (size_t i = 0; i < COUNT; i++) {
        tarn_namespace_close(store_folder_create(f, names[i], NULL));
        expect_ok(
            tarn_autosave_set(f->store, text(names[i]), AUTOSAVE(.interval_ms = 100, .keep = 1)));
    }
    expect_ok(tarn_autosave_start_all(f->store));
    wait_for(&seen.done, 3 * COUNT);
    for (size_t i = 0; i < COUNT; i++)
        expect_ok(tarn_autosave_stop(f->store, text(names[i])));
    all = list(f);
    expect_number(COUNT, all->count); /* one each */
    for (size_t i = 0; i < COUNT; i++)
        expect_that(!strchr(all->names[i], '/') && all->names[i][0] != '.');
}

/* ------------------------------------------------------------------------------------------
 * Beside drops
 */

static void drop_and_make(struct worker *worker)
{
    tarn_store *store = worker->context;
    struct tarn_autosave_options options = {.size = sizeof options};
    tarn_namespace *ns;

    for (unsigned i = 0; i < 30 && contest_goes_on(worker); i++) {
        if (tarn_namespace_create(store, text("dropped"), NULL, &ns) == TARN_OK) {
            tarn_namespace_close(ns);
            (void)tarn_autosave_set(store, text("dropped"), &options); /* or it is gone again */
        }
        (void)tarn_namespace_drop(store, text("dropped")); /* or another one was quicker */
    }
}

static void stop_what_does_not_run(struct worker *worker)
{
    while (contest_goes_on(worker))
        if (tarn_autosave_stop(worker->context, text("dropped")) == TARN_AUTOSAVE_NOT_RUNNING &&
            !strstr(tarn_last_error()->message, "\"dropped\""))
            contest_fail(worker, "%s", tarn_last_error()->message);
}

/* The message names a namespace that may be gone as soon as others have their turn. */
static void test_stopping_beside_drops(void **state)
{
    struct store_folder *f = *state;
    struct contest contest = {0};

    contest_add(&contest, 3, drop_and_make, f->store, 1);
    contest_add(&contest, 3, stop_what_does_not_run, f->store, 1);
    contest_begin(&contest);
    contest_join(&contest, 0, 3);
    contest_end(&contest);
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_saves_after_each_interval),
    STORE_FOLDER_TEST(test_keeps_as_many_as_wanted),
    STORE_FOLDER_TEST(test_starting_and_stopping),
    STORE_FOLDER_TEST(test_comes_back_at_the_next_opening),
    STORE_FOLDER_TEST(test_saves_at_close),
    STORE_FOLDER_TEST(test_saves_all_at_close),
    STORE_FOLDER_TEST(test_nothing_is_deleted_that_was_not_loaded),
    STORE_FOLDER_TEST(test_another_stores_are_left_alone),
    STORE_FOLDER_TEST(test_another_stores_sequence_is_not_taken),
    STORE_FOLDER_TEST(test_a_failing_last_save),
    STORE_FOLDER_TEST(test_stopping_without_a_folder),
    STORE_FOLDER_TEST(test_dropping_ends_it),
    STORE_FOLDER_TEST(test_a_failure_does_not_stop_it),
    STORE_FOLDER_TEST(test_options_that_are_refused),
    STORE_FOLDER_TEST(test_names_of_namespaces_are_made_safe),
    STORE_FOLDER_TEST(test_stopping_beside_drops),
};

CONFORMANCE_TOPIC_OF_MEMORY(autosave, tests);
