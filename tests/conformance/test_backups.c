/*
 * Conformance: backups: what is in them, that they are one cut of the whole store while others
 * write, that store and copy go on independently, and what is refused and cancelled leaves nothing
 * that could be taken for a store. Calls that fail, and power cuts, are in crash/test_copies.c.
 */
#include "conformance/conformance.h"

#include <dirent.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/concurrency.h"
#include "support/store_folder.h"
#include "support/test_folder.h"

#define BACKUP_OPTIONS(...)                                                                        \
    (&(struct tarn_backup_options){.size = sizeof(struct tarn_backup_options), __VA_ARGS__})

/* A folder for a test's copies. */
struct place {
    char around[200];
    char path[256]; /* of the copy */
    tarn_store *copy;
};

static void place_make(struct place *place)
{
    memset(place, 0, sizeof *place);
    expect_that(test_folder_make(place->around, sizeof place->around) == 0);
    snprintf(place->path, sizeof place->path, "%s/copy", place->around);
}

static void place_remove(struct place *place)
{
    expect_ok(tarn_close(place->copy));
    place->copy = NULL;
    expect_that(test_folder_remove(place->around) == 0);
}

static tarn_namespace *copy_open(struct place *place, const char *name)
{
    tarn_namespace *ns;

    if (!place->copy)
        expect_ok(tarn_open(place->path, NULL, &place->copy));
    expect_ok(tarn_namespace_open(place->copy, text(name), &ns));
    return ns;
}

static void copy_close(struct place *place)
{
    expect_ok(tarn_close(place->copy));
    place->copy = NULL;
}

/* How many names are in a folder; -1: it is not there. */
static int names_in(const char *path)
{
    DIR *folder = opendir(path);
    int count = -2;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return folder ? count : -1;
}

static void expect_copied(tarn_namespace *ns, struct place *place, const char *name)
{
    struct fixture_state before = fixture_state_of(ns);
    struct tarn_stats original = store_folder_stats(ns), copied;
    tarn_namespace *copy = copy_open(place, name);

    expect_same_content(before, copy);
    copied = store_folder_stats(copy);
    expect_that(copied.sequence >= original.sequence);
    expect_number(original.options.engine, copied.options.engine);
    expect_number(original.options.shards, copied.options.shards);
    expect_number(original.options.lock_timeout_ms, copied.options.lock_timeout_ms);
    expect_number(original.options.max_keys, copied.options.max_keys);
    expect_number(original.options.max_value_size, copied.options.max_value_size);
    expect_number(original.options.max_bytes, copied.options.max_bytes);
    expect_number(original.options.sync, copied.options.sync);
    expect_number(original.options.sync_interval_ms, copied.options.sync_interval_ms);
    expect_number(original.options.segment_bytes, copied.options.segment_bytes);
    expect_number(original.options.compact_bytes, copied.options.compact_bytes);
    expect_number(original.options.compact_percent, copied.options.compact_percent);
    tarn_namespace_close(copy);
}

/* Records of all kinds: small and large, counters, overwritten and deleted ones. */
static void fill(tarn_namespace *ns, unsigned keys)
{
    static const size_t lengths[] = {0, 1, 100, 5000, 65536, 65537, 300000};
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < keys; i++)
        expect_ok(tarn_set(ns, numbered_key(room, i), numbered_key(room, i), NULL, NULL));
    for (unsigned i = 0; i < keys; i += 3)
        expect_ok(tarn_set(ns, numbered_key(room, i), text("again"), NULL, NULL));
    for (unsigned i = 1; i < keys; i += 5)
        expect_ok(tarn_delete(ns, numbered_key(room, i)));
    expect_ok(tarn_increment(ns, text("counter"), -7, NULL));
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        void *bytes = patterned_bytes(lengths[i], i);

        expect_ok(tarn_set(ns, numbered_key(room, 1000000 + i), tarn_slice_of(bytes, lengths[i]),
                           NULL, NULL));
        free(bytes);
    }
}

/* ------------------------------------------------------------------------------------------
 * What is copied
 */

static void test_all_is_copied(void **state)
{
    struct fixture *f = *state;
    struct place place;
    tarn_namespace *limited, *empty, *cleared;
    size_t count;

    place_make(&place);
    fill(f->ns, 3000);
    expect_ok(fixture_backend->create(f->store, text("limited"),
                                      NAMESPACE_OPTIONS(.shards = 3, .max_keys = 4000,
                                                        .max_bytes = 1000000, .lock_timeout_ms = 77,
                                                        .max_value_size = 400000),
                                      &limited));
    expect_ok(fixture_backend->create(f->store, text("empty"), NULL, &empty));
    expect_ok(fixture_backend->create(f->store, text("../cleared"), NULL, &cleared));
    fill(limited, 20);
    fill(cleared, 20);
    expect_ok(tarn_namespace_clear(cleared));
    expect_ok(tarn_backup(f->store, place.path, NULL));
    for (unsigned i = 0; i < 2; i++) {
        expect_copied(f->ns, &place, "test");
        expect_copied(limited, &place, "limited");
        expect_copied(empty, &place, "empty");
        expect_copied(cleared, &place, "../cleared");
        expect_ok(tarn_namespace_count(place.copy, &count));
        expect_number(4, count);
        copy_close(&place);
    }
    tarn_namespace_close(limited);
    tarn_namespace_close(empty);
    tarn_namespace_close(cleared);
    place_remove(&place);
}

/* Neither knows of the other, and what is written to the copy is newer than what it came with. */
static void test_both_go_on(void **state)
{
    struct fixture *f = *state;
    struct fixture_state before;
    struct place place;
    tarn_namespace *ns, *other;

    place_make(&place);
    fill(f->ns, 300);
    expect_ok(tarn_backup(f->store, place.path, NULL));
    before = fixture_state_of(f->ns);
    ns = copy_open(&place, "test");
    expect_ok(tarn_set(ns, text("new"), text("in the copy"), NULL, NULL));
    expect_ok(tarn_set(ns, text("counter"), text("of the copy"), NULL, NULL));
    expect_ok(tarn_namespace_create(place.copy, text("other"), NULL, &other));
    expect_same_content(before, f->ns);
    expect_ok(tarn_set(f->ns, text("new"), text("in the store"), NULL, NULL));
    expect_stored(ns, text("new"), text("in the copy"));
    expect_ok(tarn_snapshot_save(place.copy, text("later"), NULL));
    tarn_namespace_close(other);
    tarn_namespace_close(ns);
    copy_close(&place);
    ns = copy_open(&place, "test");
    expect_stored(ns, text("new"), text("in the copy"));
    expect_stored(ns, text("counter"), text("of the copy"));
    expect_stored(f->ns, text("new"), text("in the store"));
    tarn_namespace_close(ns);
    place_remove(&place);
}

/* A limit that was lowered since does not keep a value out; a position holds in the copy. */
static void test_what_is_beyond_a_limit_and_a_position(void **state)
{
    struct fixture *f = *state;
    struct place place;
    tarn_cursor *cursor;
    tarn_namespace *ns;
    uint64_t position;
    unsigned seen = 0;

    place_make(&place);
    fill(f->ns, 500);
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_VALUE_SIZE,
                                       NAMESPACE_OPTIONS(.max_value_size = 10)));
    expect_ok(tarn_cursor_open(f->ns, NULL, &cursor));
    for (; seen < 200; seen++)
        expect_ok(tarn_cursor_next(cursor, NULL, NULL, NULL));
    position = tarn_cursor_position(cursor);
    tarn_cursor_close(cursor);
    expect_ok(tarn_backup(f->store, place.path, NULL));
    expect_copied(f->ns, &place, "test");
    ns = copy_open(&place, "test");
    expect_ok(
        tarn_cursor_open(ns,
                         &(struct tarn_cursor_options){.size = sizeof(struct tarn_cursor_options),
                                                       .position = position},
                         &cursor));
    while (tarn_cursor_next(cursor, NULL, NULL, NULL) == TARN_OK)
        seen++;
    tarn_cursor_close(cursor);
    expect_number(fixture_state_of(f->ns).keys, seen);
    tarn_namespace_close(ns);
    place_remove(&place);
}

/* ------------------------------------------------------------------------------------------
 * While others write
 */

enum { WRITERS = 3, TOGETHER = 8 };

struct common {
    struct fixture *f;
    tarn_namespace *first, *second;
};

static struct tarn_slice key_of(char room[NUMBERED_KEY_ROOM], unsigned writer, unsigned i)
{
    return numbered_key(room, 500000 + (uint64_t)writer * 1000 + i); /* others are there before */
}

static void set_all(struct worker *worker, tarn_namespace *ns, tarn_batch *batch,
                    unsigned char *value, uint64_t number)
{
    char room[NUMBERED_KEY_ROOM];

    tarn_batch_clear(batch);
    for (unsigned i = 0; i < TOGETHER; i++)
        CONTEST_OK(worker, tarn_batch_set(batch, key_of(room, worker->index, i),
                                          checked_value(value, number, 3000)));
    CONTEST_OK(worker, tarn_batch_commit(ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
}

/* Batches of one number after the other: first into the one namespace, then into the other. */
static void write_batches(struct worker *worker)
{
    struct common *common = worker->context;
    unsigned char *value = malloc(4000);
    tarn_batch *batch = NULL;

    CONTEST_OK(worker, tarn_batch_create(&batch));
    for (uint64_t number = 1; contest_goes_on(worker); number++) {
        set_all(worker, common->first, batch, value, number);
        set_all(worker, common->second, batch, value, number);
    }
    tarn_batch_free(batch);
    free(value);
}

/* The number that all keys of a writer have; 0: none is there. */
static uint64_t number_of(struct fixture *f, tarn_namespace *ns, unsigned writer)
{
    char room[NUMBERED_KEY_ROOM];
    uint64_t common = 0;

    for (unsigned i = 0; i < TOGETHER; i++) {
        tarn_status status = tarn_get(ns, key_of(room, writer, i), &f->buf, NULL);
        uint64_t number = 0;

        expect_that(status == TARN_OK || status == TARN_KEY_NOT_FOUND);
        if (!status)
            expect_that(checked_value_read(held(&f->buf), &number));
        if (i)
            expect_number(common, number);
        common = number;
    }
    return common;
}

static void expect_one_cut(struct fixture *f, struct place *place, uint64_t *newest)
{
    tarn_namespace *first = copy_open(place, "test"), *second = copy_open(place, "second");

    for (unsigned i = 0; i < WRITERS; i++) {
        uint64_t earlier = number_of(f, first, i), later = number_of(f, second, i);

        expect_that(earlier == later || earlier == later + 1);
        expect_that(earlier >= newest[i]); /* of the copy before */
        newest[i] = earlier;
    }
    tarn_namespace_close(first);
    tarn_namespace_close(second);
    copy_close(place);
}

static void test_one_cut_while_others_write(void **state)
{
    struct fixture *f = *state;
    struct common common = {.f = f, .first = f->ns};
    struct contest contest = {0};
    uint64_t newest[WRITERS] = {0};
    struct place place;

    place_make(&place);
    fill(f->ns, 3000);
    expect_ok(fixture_backend->create(f->store, text("second"), NULL, &common.second));
    contest_add(&contest, WRITERS, write_batches, &common, 71);
    contest_begin(&contest);
    for (unsigned i = 0; i < 4 && !contest.failed; i++) {
        snprintf(place.path, sizeof place.path, "%s/copy%u", place.around, i);
        expect_ok(tarn_backup(f->store, place.path, NULL));
        expect_one_cut(f, &place, newest);
        usleep(20000);
    }
    contest_end(&contest);
    expect_that(newest[0] > 0);
    tarn_namespace_close(common.second);
    place_remove(&place);
}

/* ------------------------------------------------------------------------------------------
 * Progress and its end
 */

struct watch {
    struct fixture *f;
    uint64_t calls, done, total;
    uint64_t stop_at; /* this call says no more; 0: none */
    bool writes;      /* each call does */
    bool wrong;
};

static bool watch(void *context, uint64_t done, uint64_t total)
{
    struct watch *watch = context;

    watch->calls++;
    if (done < watch->done || done > total || (watch->total && total != watch->total) ||
        (watch->writes && tarn_set(watch->f->ns, text("meanwhile"), text("written"), NULL, NULL)) ||
        tarn_get(watch->f->ns, text("counter"), &watch->f->buf, NULL))
        watch->wrong = true;
    watch->done = done;
    watch->total = total;
    return watch->calls != watch->stop_at;
}

static void test_progress(void **state)
{
    struct fixture *f = *state;
    struct watch seen = {.f = f, .writes = true};
    struct place place;
    tarn_namespace *ns;
    uint64_t bytes;

    place_make(&place);
    fill(f->ns, 30000);
    bytes = store_folder_stats(f->ns).bytes;
    expect_ok(
        tarn_backup(f->store, place.path, BACKUP_OPTIONS(.progress = watch, .context = &seen)));
    expect_that(!seen.wrong && seen.calls > 2);
    expect_number(bytes, seen.done);
    expect_number(bytes, seen.total);
    ns = copy_open(&place, "test");
    expect_absent(ns, text("meanwhile")); /* which came after the cut */
    tarn_namespace_close(ns);
    place_remove(&place);
}

static void test_cancelling(void **state)
{
    struct fixture *f = *state;
    struct fixture_state before;
    struct place place;
    uint64_t calls = 0;

    place_make(&place);
    fill(f->ns, 30000);
    before = fixture_state_of(f->ns);
    for (uint64_t stop_at = 1; stop_at < 100; stop_at++) {
        struct watch seen = {.f = f, .stop_at = stop_at};
        tarn_status status =
            tarn_backup(f->store, place.path, BACKUP_OPTIONS(.progress = watch, .context = &seen));

        expect_that(!seen.wrong);
        calls = seen.calls;
        if (!status)
            break;
        expect_status(TARN_CANCELLED, status);
        expect_number(stop_at, calls);
        expect_number(0, names_in(place.path));
    }
    expect_that(calls > 2 && calls < 99);
    expect_same_state(before, f->ns);
    expect_copied(f->ns, &place, "test");
    place_remove(&place);
}

/* ------------------------------------------------------------------------------------------
 * What is refused
 */

static void test_places_that_are_refused(void **state)
{
    struct fixture *f = *state;
    struct place place;
    char path[300];
    uint64_t digest;

    place_make(&place);
    expect_status(TARN_INVALID_ARGUMENT, tarn_backup(NULL, place.path, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_backup(f->store, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_backup(f->store, "", NULL));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_backup(f->store, place.path, &(struct tarn_backup_options){.size = 1}));
    expect_number(-1, names_in(place.path));
    snprintf(path, sizeof path, "%s/no/copy", place.around);
    expect_status(TARN_IO, tarn_backup(f->store, path, NULL));
    expect_that(strstr(tarn_last_error()->message, "around") != NULL);
    expect_that(mkdir(place.path, 0700) == 0);
    snprintf(path, sizeof path, "%s/file", place.path);
    file_write(path, "mine", 4);
    digest = path_digest(place.around);
    expect_status(TARN_INVALID_ARGUMENT, tarn_backup(f->store, place.path, NULL));
    expect_error_names(TARN_INVALID_ARGUMENT, "copy");
    expect_status(TARN_INVALID_ARGUMENT, tarn_backup(f->store, path, NULL));
    expect_number(digest, path_digest(place.around));
    expect_that(unlink(path) == 0);
    expect_ok(tarn_backup(f->store, place.path, NULL));
    digest = path_digest(place.around);
    expect_status(TARN_INVALID_ARGUMENT, tarn_backup(f->store, place.path, NULL));
    expect_number(digest, path_digest(place.around));
    place_remove(&place);
}

/* ------------------------------------------------------------------------------------------
 * A store in a folder, with both engines
 */

static bool note_autosave(void *context, const struct tarn_autosave_info *info)
{
    struct tarn_autosave_info *found = context;

    found += info->namespace_name.length ? 1 : 0;
    *found = *info;
    return true;
}

static void test_a_store_with_both_engines(void **state)
{
    struct store_folder *f = *state;
    struct tarn_autosave_info set[2] = {0};
    struct place place;
    tarn_namespace *memory,
        *log = store_folder_create(
            f, "log",
            NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG, .sync = TARN_SYNC_INTERVAL,
                              .sync_interval_ms = 250, .segment_bytes = 131072,
                              .compact_bytes = 12345, .compact_percent = 77));

    place_make(&place);
    expect_ok(tarn_namespace_create(f->store, text("memory"), NULL, &memory));
    fill(memory, 1000);
    expect_ok(tarn_snapshot_save(f->store, text("old"), NULL));
    expect_ok(tarn_set(memory, text("key"), text("never saved"), NULL, NULL));
    fill(log, 1000);
    expect_ok(tarn_autosave_set(
        f->store, text("memory"),
        &(struct tarn_autosave_options){.size = sizeof(struct tarn_autosave_options),
                                        .interval_ms = 3600000,
                                        .keep = 7,
                                        .at_close = true}));
    expect_ok(tarn_autosave_start(f->store, text("memory")));
    expect_ok(tarn_autosave_set(
        f->store, text(""),
        &(struct tarn_autosave_options){
            .size = sizeof(struct tarn_autosave_options), .interval_ms = 7200000, .keep = 2}));
    expect_ok(tarn_backup(f->store, place.path, NULL));
    expect_copied(memory, &place, "memory");
    expect_copied(log, &place, "log");
    expect_ok(tarn_autosave_list(place.copy, note_autosave, set));
    expect_that(set[1].running && set[1].options.at_close && !set[0].running);
    expect_number(3600000, set[1].options.interval_ms);
    expect_number(7, set[1].options.keep);
    expect_number(7200000, set[0].options.interval_ms);
    expect_status(TARN_SNAPSHOT_NOT_FOUND, tarn_snapshot_verify(place.copy, text("old")));
    expect_ok(tarn_snapshot_verify(place.copy, text("backup")));
    copy_close(&place); /* which saves, too */
    expect_copied(memory, &place, "memory");
    tarn_namespace_close(memory);
    tarn_namespace_close(log);
    place_remove(&place);
}

/* Of two stores with one identity each would take the other's newer snapshots for its own. */
static void test_the_copy_has_an_identity_of_its_own(void **state)
{
    struct store_folder *f = *state;
    struct place place;
    struct tarn_buf bytes;
    tarn_namespace *ns;
    char path[300];

    place_make(&place);
    expect_ok(tarn_set(f->ns, text("key"), text("copied"), NULL, NULL));
    expect_ok(tarn_backup(f->store, place.path, NULL));
    for (unsigned i = 0; i < 100; i++)
        expect_ok(tarn_set(f->ns, text("key"), text("later"), NULL, NULL));
    expect_ok(tarn_snapshot_save(f->store, text("later"), NULL));
    bytes = file_read(path_of_snapshot(f, "later"));
    snprintf(path, sizeof path, "%s/snapshots/later.snapshot", place.path);
    file_write(path, bytes.data, bytes.length);
    free(bytes.data);
    ns = copy_open(&place, "test");
    expect_stored(ns, text("key"), text("copied"));
    expect_ok(tarn_snapshot_load(place.copy, text("later"))); /* but by its name it can be had */
    expect_stored(ns, text("key"), text("later"));
    tarn_namespace_close(ns);
    place_remove(&place);
}

static void test_of_a_store_that_is_only_read(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *log =
        store_folder_create(f, "log", NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG));
    struct place place;
    uint64_t digest;

    place_make(&place);
    fill(f->ns, 100);
    fill(log, 100);
    tarn_namespace_close(log);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    store_folder_reopen(f, STORE_OPTIONS(.read_only = true));
    digest = path_digest(f->path);
    expect_ok(tarn_backup(f->store, place.path, NULL));
    expect_number(digest, path_digest(f->path));
    log = store_folder_namespace(f, "log");
    expect_copied(f->ns, &place, "test");
    expect_copied(log, &place, "log");
    tarn_namespace_close(log);
    place_remove(&place);
}

/* A record that is damaged is not copied as if it were right. */
static void test_a_damaged_record(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *log =
        store_folder_create(f, "log", NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG));
    struct place place;
    FILE *file;
    glob_t found;

    place_make(&place);
    expect_ok(tarn_set(log, text("key"), text("value that is to be damaged"), NULL, NULL));
    expect_ok(tarn_sync(log));
    expect_that(glob(path_of(f, "namespaces/*/*.segment"), 0, NULL, &found) == 0);
    file = fopen(found.gl_pathv[found.gl_pathc - 1], "r+b");
    globfree(&found);
    expect_that(file != NULL && fseek(file, 0, SEEK_END) == 0);
    for (long at = 0, end = ftell(file); at < end; at++) { /* behind the head */
        unsigned char byte = 0;

        expect_that(fseek(file, at, SEEK_SET) == 0 && fread(&byte, 1, 1, file) == 1);
        if (byte != 'v')
            continue;
        expect_that(fseek(file, at, SEEK_SET) == 0 && fwrite("V", 1, 1, file) == 1);
    }
    fclose(file);
    expect_status(TARN_CORRUPT, tarn_backup(f->store, place.path, NULL));
    expect_error_names(TARN_CORRUPT, ".segment");
    expect_number(0, names_in(place.path));
    tarn_namespace_close(log);
    place_remove(&place);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_all_is_copied),
    CONFORMANCE_TEST(test_both_go_on),
    CONFORMANCE_TEST(test_what_is_beyond_a_limit_and_a_position),
    CONFORMANCE_TEST(test_one_cut_while_others_write),
    CONFORMANCE_TEST(test_progress),
    CONFORMANCE_TEST(test_cancelling),
    CONFORMANCE_TEST(test_places_that_are_refused),
    STORE_FOLDER_TEST(test_a_store_with_both_engines),
    STORE_FOLDER_TEST(test_the_copy_has_an_identity_of_its_own),
    STORE_FOLDER_TEST(test_of_a_store_that_is_only_read),
    STORE_FOLDER_TEST(test_a_damaged_record),
};

CONFORMANCE_TOPIC(backups, tests);
