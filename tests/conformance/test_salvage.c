/*
 * tarn_salvage(): all that is whole in a damaged store is in a new one, what is lost is told, and
 * the damaged one stays as it is. (Numbers 2, 7, 8 and 12 of the list of faults.)
 */
#include "support/damaged_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS       20
#define VALUE_SIZE 60

/* A store that was salvaged, open. */
struct salvaged {
    char path[STORE_FOLDER_PATH_ROOM];
    tarn_store *store;
    struct told told;
};

/* Salvages the store of the fixture, which is closed, and looks that it has not changed; and that
 * what comes out of it is whole and takes writes. */
static void salvage(struct store_folder *f, struct salvaged *salvaged, tarn_status wanted)
{
    static unsigned number;
    char name[32];
    uint64_t digest = path_digest(f->path);
    struct told told = {0};
    tarn_status status;

    snprintf(name, sizeof name, "salvaged-%u", ++number);
    snprintf(salvaged->path, sizeof salvaged->path, "%s", path_around(f, name));
    salvaged->told = (struct told){0};
    status = salvage_told(f->path, salvaged->path, &salvaged->told);
    if (status != wanted)
        print_error("%s", salvaged->told.messages);
    expect_status(wanted, status);
    expect_number(digest, path_digest(f->path));
    status = check_told(salvaged->path, &told);
    if (status)
        print_error("%s", told.messages);
    expect_ok(status);
    expect_number(0, told.notes);
    expect_ok(tarn_open(salvaged->path, NULL, &salvaged->store));
}

static void salvaged_close(struct salvaged *salvaged)
{
    expect_ok(tarn_close(salvaged->store));
}

static tarn_namespace *salvaged_namespace(const struct salvaged *salvaged, const char *name)
{
    tarn_namespace *ns;

    expect_ok(tarn_namespace_open(salvaged->store, text(name), &ns));
    return ns;
}

static struct fixture_state state_in(tarn_store *store, const char *name)
{
    struct fixture_state state;
    tarn_namespace *ns;

    expect_ok(tarn_namespace_open(store, text(name), &ns));
    state = fixture_state_of(ns);
    tarn_namespace_close(ns);
    return state;
}

/* The states of the namespaces of a fixture's store, in which "test" is as its last snapshot. */
struct states {
    struct fixture_state test, log, other;
};

static struct states states_of(tarn_store *store)
{
    return (struct states){.test = state_in(store, "test"),
                           .log = state_in(store, "log"),
                           .other = state_in(store, "other")};
}

static void expect_state(struct fixture_state wanted, tarn_store *store, const char *name)
{
    struct fixture_state got = state_in(store, name);

    expect_number(wanted.keys, got.keys);
    expect_number(wanted.digest, got.digest);
}

/* A filled store, closed, and the paths of its files. */
static struct states fill_and_close(struct store_folder *f, struct store_files *files)
{
    struct states states;

    damaged_store_fill(f, KEYS, VALUE_SIZE);
    states = states_of(f->store);
    store_folder_close(f);
    store_files_find(files, f->path);
    return states;
}

/* What is in "log", but for one lost record, is what damaged_store_fill() says. */
static void expect_log(tarn_store *store, const char *name, unsigned lost)
{
    unsigned half = KEYS / 2, found;
    tarn_namespace *ns;

    expect_ok(tarn_namespace_open(store, text(name), &ns));
    found = count_some(ns, half, KEYS + 3, VALUE_SIZE, 1);
    found += count_some(ns, 1, half, VALUE_SIZE, 2);
    found += tarn_exists(ns, text("batched")) == TARN_OK;
    found += tarn_exists(ns, text("batched too")) == TARN_OK;
    expect_number(KEYS + 3 - 1 + 2 - lost, found);
    tarn_namespace_close(ns);
}

/* ------------------------------------------------------------------------------------------
 * Whole stores
 */

static void test_whole(void **state)
{
    struct store_folder *f = *state;
    const struct tarn_autosave_options autosave = {.size = sizeof autosave, .interval_ms = 3600000};
    struct store_files files;
    struct salvaged salvaged;
    struct states states;
    tarn_namespace *ns;

    expect_ok(tarn_autosave_set(f->store, text("test"), &autosave));
    expect_ok(tarn_autosave_start(f->store, text("test")));
    states = fill_and_close(f, &files);
    salvage(f, &salvaged, TARN_OK);
    expect_number(0, salvaged.told.notes);
    expect_number(states.log.keys + states.other.keys, salvaged.told.summary.keys);
    for (unsigned i = 0; i < 3; i++) { /* and writes made after a salvage survive reopenings */
        expect_state(states.test, salvaged.store, "test");
        expect_state(states.log, salvaged.store, "log");
        ns = salvaged_namespace(&salvaged, "other");
        expect_number(3 + i, count_some(ns, 0, 10, VALUE_SIZE, 1));
        put_some(ns, 3 + i, 4 + i, VALUE_SIZE, 1);
        tarn_namespace_close(ns);
        expect_ok(tarn_autosave_stop(salvaged.store, text("test"))); /* it runs */
        expect_ok(tarn_autosave_start(salvaged.store, text("test")));
        salvaged_close(&salvaged);
        expect_ok(tarn_open(salvaged.path, NULL, &salvaged.store));
    }
    ns = salvaged_namespace(&salvaged, "other");
    expect_number(65536, store_folder_stats(ns).options.segment_bytes);
    expect_number(TARN_SYNC_NONE, store_folder_stats(ns).options.sync);
    tarn_namespace_close(ns);
    expect_ok(tarn_snapshot_load(salvaged.store, text("one")));
    ns = salvaged_namespace(&salvaged, "test");
    expect_number(KEYS, store_folder_stats(ns).keys);
    tarn_namespace_close(ns);
    salvaged_close(&salvaged);
    store_folder_open(f, NULL);
}

/* What a kill leaves comes over as an opening finds it; what a crash has cut off stays off. */
static void test_cut(void **state)
{
    struct store_folder *f = *state, copy = *f;
    struct store_files files;
    struct salvaged salvaged;
    struct states states;
    tarn_namespace *ns;

    damaged_store_fill(f, KEYS, VALUE_SIZE);
    states = states_of(f->store);
    snprintf(copy.path, sizeof copy.path, "%s", path_around(f, "copy"));
    folder_copy(f->path, copy.path);
    salvage(&copy, &salvaged, TARN_OK);
    expect_state(states.log, salvaged.store, "log");
    expect_state(states.test, salvaged.store, "test");
    salvaged_close(&salvaged);
    store_files_find(&files, copy.path);
    flip_byte(store_files_named(&files, "/17.segment"), 1000, 1); /* nothing was synced */
    salvage(&copy, &salvaged, TARN_OK);
    expect_number(1, salvaged.told.summary.cuts);
    ns = salvaged_namespace(&salvaged, "log");
    expect_that(count_some(ns, 0, KEYS, VALUE_SIZE, 1) < KEYS);
    tarn_namespace_close(ns);
    salvaged_close(&salvaged);
}

/* Many segments, overwritten and deleted keys, compacted and not. */
static void test_compacted(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct salvaged salvaged;
    struct states states;
    tarn_namespace *ns;
    char key[NUMBERED_KEY_ROOM];

    damaged_store_fill(f, 200, 700);
    ns = store_folder_namespace(f, "log");
    put_some(ns, 0, 200, 700, 3);
    for (unsigned i = 0; i < 200; i += 3)
        expect_ok(tarn_delete(ns, numbered_key(key, i)));
    expect_ok(tarn_compact(ns, NULL));
    put_some(ns, 100, 150, 700, 4);
    expect_ok(tarn_delete(ns, numbered_key(key, 101)));
    tarn_namespace_close(ns);
    states = states_of(f->store);
    store_folder_close(f);
    for (unsigned i = 0; i < 2; i++) {
        salvage(f, &salvaged, i ? TARN_CORRUPT : TARN_OK);
        expect_state(states.log, salvaged.store, "log");
        expect_state(states.other, salvaged.store, "other");
        salvaged_close(&salvaged);
        store_files_find(&files, f->path);
        flip_byte(store_files_named(&files, "/3/segments"), 90, 1); /* and so without the list */
    }
    store_folder_open(f, NULL);
}

/* ------------------------------------------------------------------------------------------
 * Logs
 */

static void test_one_record(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct salvaged salvaged;
    const char *segment;
    char lost[sizeof salvaged.told.key];
    tarn_namespace *ns;

    fill_and_close(f, &files);
    segment = store_files_named(&files, "/17.segment");
    flip_byte(segment, 128 + 15 * 84 + 50, 4); /* the value of a key that is written once */
    salvage(f, &salvaged, TARN_CORRUPT);
    expect_number(1, salvaged.told.faults);
    expect_bytes(text(segment), text(salvaged.told.path));
    expect_bytes(text("log"), text(salvaged.told.name));
    snprintf(lost, sizeof lost, "%s", salvaged.told.key);
    ns = salvaged_namespace(&salvaged, "log");
    expect_absent(ns, text(lost));
    tarn_namespace_close(ns);
    expect_log(salvaged.store, "log", 1);
    salvaged_close(&salvaged);
    flip_byte(segment, 128 + 15 * 84 + 50, 4);
    store_folder_open(f, NULL);
}

/* In a batch that is damaged the records are whole, each by itself. */
static void test_batch(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct salvaged salvaged;
    struct tarn_buf bytes;
    const char *segment, *at;

    fill_and_close(f, &files);
    segment = store_files_named(&files, "/17.segment");
    bytes = file_read(segment);
    at = memmem(bytes.data, bytes.length, "batched1", 8);
    expect_that(at != NULL);
    flip_byte(segment, (uint64_t)(at - (const char *)bytes.data) + 7, 1); /* "1" is "0" now */
    salvage(f, &salvaged, TARN_CORRUPT);
    expect_log(salvaged.store, "log", 1);
    salvaged_close(&salvaged);
    flip_byte(segment, (uint64_t)(at - (const char *)bytes.data) + 7, 1);
    free(bytes.data);
    store_folder_open(f, NULL);
}

/* Any byte of the log's files: at most one record is lost, and never without a word. */
static void test_every_byte_of_a_log(void **state)
{
    struct store_folder *f = *state;
    const char *names[] = {"/3/17.segment", "/3/segments"};
    struct store_files files;
    struct states states = fill_and_close(f, &files);

    for (unsigned i = 0; i < 2; i++) {
        const char *path = store_files_named(&files, names[i]);
        struct tarn_buf bytes = file_read(path);

        for (uint64_t at = 0; at < bytes.length; at += at < 128 ? 13 : 211) {
            struct salvaged salvaged;
            struct told told = {0};
            uint64_t keys;

            flip_byte(path, at, (uint8_t)(1 << (at % 8)));
            salvage(f, &salvaged, check_told(f->path, &told));
            keys = state_in(salvaged.store, "log").keys;
            expect_that(keys + 1 >= states.log.keys && keys <= states.log.keys + 1);
            if (i == 1) /* the list */
                expect_state(states.log, salvaged.store, "log");
            else if (at < 128) /* the head */
                expect_log(salvaged.store, "log", 0);
            expect_state(states.other, salvaged.store, "other");
            expect_state(states.test, salvaged.store, "test");
            salvaged_close(&salvaged);
            flip_byte(path, at, (uint8_t)(1 << (at % 8)));
        }
        free(bytes.data);
    }
    store_folder_open(f, NULL);
}

/* Without the head of a segment its records are still newer than those of the segments before it.
 */
static void test_damaged_heads(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct salvaged salvaged;
    struct told told = {0};
    tarn_namespace *ns;
    unsigned damaged = 0;

    damaged_store_fill(f, 1, 10);
    ns = store_folder_namespace(f, "log");
    for (unsigned round = 1; round <= 5; round++)
        put_some(ns, 100, 200, 600, round);
    tarn_namespace_close(ns);
    store_folder_close(f);
    store_files_find(&files, f->path);
    for (unsigned i = 0; i < files.count; i++) {
        if (!strstr(files.paths[i], "/3/") || !strstr(files.paths[i], ".segment"))
            continue;
        for (unsigned at = 88; at < 105; at += 8) { /* origin, as of, base sequence */
            flip_byte(files.paths[i], at, 4);
            expect_status(TARN_CORRUPT, check_told(f->path, &told));
            salvage(f, &salvaged, TARN_CORRUPT);
            ns = salvaged_namespace(&salvaged, "log");
            expect_number(100, count_some(ns, 100, 200, 600, 5));
            tarn_namespace_close(ns);
            salvaged_close(&salvaged);
            flip_byte(files.paths[i], at, 4);
            damaged++;
        }
    }
    expect_that(damaged > 9);
    store_folder_open(f, NULL);
}

static void test_missing_files(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct salvaged salvaged;
    tarn_namespace *ns;
    unsigned found;

    damaged_store_fill(f, 200, 700);
    store_folder_close(f);
    store_files_find(&files, f->path);
    expect_that(rename(store_files_named(&files, "/3/18.segment"), path_around(f, "18")) == 0);
    salvage(f, &salvaged, TARN_CORRUPT);
    expect_that(told_of(&salvaged.told, "18.segment' is missing"));
    ns = salvaged_namespace(&salvaged, "log");
    found = count_some(ns, 150, 200, 700, 1);
    expect_that(found > 0);
    tarn_namespace_close(ns);
    salvaged_close(&salvaged);
    expect_that(rename(path_around(f, "18"), store_files_named(&files, "/3/18.segment")) == 0);

    expect_that(rename(path_of(f, "namespaces/3"), path_around(f, "3")) == 0);
    salvage(f, &salvaged, TARN_CORRUPT);
    ns = salvaged_namespace(&salvaged, "log"); /* it is there, and empty */
    expect_number(0, store_folder_stats(ns).keys);
    put_some(ns, 0, 1, 10, 1);
    tarn_namespace_close(ns);
    ns = salvaged_namespace(&salvaged, "other");
    expect_number(3, store_folder_stats(ns).keys);
    tarn_namespace_close(ns);
    salvaged_close(&salvaged);
    expect_that(rename(path_around(f, "3"), path_of(f, "namespaces/3")) == 0);
    store_folder_open(f, NULL);
}

/* ------------------------------------------------------------------------------------------
 * The catalog
 */

static unsigned count_namespaces(tarn_store *store)
{
    size_t count;

    expect_ok(tarn_namespace_count(store, &count));
    return (unsigned)count;
}

/* Where a namespace's block begins in the catalog, by its name. */
static uint64_t place_of(const char *path, const char *name)
{
    struct tarn_buf bytes = file_read(path);
    const char *at = memmem(bytes.data, bytes.length, name, strlen(name));
    uint64_t place = at ? (uint64_t)(at - (const char *)bytes.data) : 0;

    expect_that(at != NULL);
    free(bytes.data);
    return place;
}

static void test_catalog(void **state)
{
    struct store_folder *f = *state;
    const char *names[] = {"log", "test"};
    struct store_files files;
    struct states states = fill_and_close(f, &files);
    const char *catalog = store_files_named(&files, "/catalog");
    struct salvaged salvaged;

    for (unsigned i = 0; i < 2; i++) { /* the others keep their names */
        uint64_t at = place_of(catalog, names[i]);

        flip_byte(catalog, at, 1);
        salvage(f, &salvaged, TARN_CORRUPT);
        expect_number(3, count_namespaces(salvaged.store));
        expect_state(states.log, salvaged.store, i == 0 ? "salvaged-3" : "log");
        expect_state(states.other, salvaged.store, "other");
        expect_state(states.test, salvaged.store, "test"); /* the snapshots know its name */
        salvaged_close(&salvaged);
        flip_byte(catalog, at, 1);
    }
    for (uint64_t at = 0; at < 105; at += 15) { /* header and store */
        flip_byte(catalog, at, 2);
        salvage(f, &salvaged, TARN_CORRUPT);
        expect_number(3, count_namespaces(salvaged.store));
        expect_state(states.test, salvaged.store, "test");
        expect_that(state_in(salvaged.store, at < 16 || at >= 32 ? "log" : "salvaged-3").digest ==
                    states.log.digest);
        salvaged_close(&salvaged);
        flip_byte(catalog, at, 2);
    }
    store_folder_open(f, NULL);
}

static void test_no_catalog(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct states states = fill_and_close(f, &files);
    const char *catalog = store_files_named(&files, "/catalog");
    struct salvaged salvaged;
    tarn_namespace *ns;

    expect_that(rename(catalog, path_around(f, "catalog")) == 0);
    salvage(f, &salvaged, TARN_CORRUPT);
    expect_number(3, count_namespaces(salvaged.store));
    expect_that(told_of(&salvaged.told, "is now namespace \"salvaged-3\""));
    expect_state(states.log, salvaged.store, "salvaged-3");
    expect_state(states.other, salvaged.store, "salvaged-5");
    expect_state(states.test, salvaged.store, "test");
    ns = salvaged_namespace(&salvaged, "salvaged-3");
    put_some(ns, 500, 501, 10, 1);
    tarn_namespace_close(ns);
    salvaged_close(&salvaged);
    expect_that(rename(path_around(f, "catalog"), catalog) == 0);
    store_folder_open(f, NULL);
}

/* ------------------------------------------------------------------------------------------
 * Snapshots
 */

static void test_newest_snapshot(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct salvaged salvaged;
    tarn_namespace *ns;
    uint64_t at;

    put_some(f->ns, 1000, 1100, 9000, 1); /* more than one block */
    (void)fill_and_close(f, &files);
    at = 500000;
    flip_byte(store_files_named(&files, "/two.snapshot"), at, 1);
    salvage(f, &salvaged, TARN_CORRUPT);
    ns = salvaged_namespace(&salvaged, "test"); /* as "one" says */
    expect_number(KEYS, count_some(ns, 0, KEYS + 3, VALUE_SIZE, 1));
    expect_number(KEYS + 100, store_folder_stats(ns).keys);
    expect_that(told_of(&salvaged.told, "records of namespace \"test\" are lost") &&
                told_of(&salvaged.told, "salvaged-two.snapshot', which is not loaded by itself"));
    expect_status(TARN_SNAPSHOT_NOT_FOUND, tarn_snapshot_verify(salvaged.store, text("two")));
    expect_ok(tarn_snapshot_load(salvaged.store, text("salvaged-two")));
    expect_that(store_folder_stats(ns).keys > KEYS + 3 + 60);
    expect_that(store_folder_stats(ns).keys < KEYS + 3 + 100);
    tarn_namespace_close(ns);
    salvaged_close(&salvaged);

    expect_that(unlink(store_files_named(&files, "/one.snapshot")) == 0); /* the only whole one */
    salvage(f, &salvaged, TARN_CORRUPT);
    ns = salvaged_namespace(&salvaged, "test");
    expect_that(store_folder_stats(ns).keys > KEYS + 3 + 60); /* what is whole is loaded */
    tarn_namespace_close(ns);
    salvaged_close(&salvaged);
    flip_byte(store_files_named(&files, "/two.snapshot"), at, 1);
    store_folder_open(f, NULL);
}

/* Any byte of it: what is whole is there. */
static void test_every_byte_of_a_snapshot(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct states states = fill_and_close(f, &files);
    const char *path = store_files_named(&files, "/two.snapshot");
    struct tarn_buf bytes = file_read(path);

    expect_that(unlink(store_files_named(&files, "/one.snapshot")) == 0);
    for (uint64_t at = 0; at < bytes.length; at += at < 160 ? 13 : 211) {
        struct salvaged salvaged;

        flip_byte(path, at, (uint8_t)(1 << (at % 8)));
        salvage(f, &salvaged, TARN_CORRUPT);
        expect_number(3, count_namespaces(salvaged.store));
        expect_state(states.log, salvaged.store, "log");
        /* Without the file's identity nothing in it can be verified. */
        if ((at < 93 && (at < 16 || at >= 32)) || at > bytes.length - 64)
            expect_state(states.test, salvaged.store, "test");
        salvaged_close(&salvaged);
        flip_byte(path, at, (uint8_t)(1 << (at % 8)));
    }
    free(bytes.data);
    store_folder_open(f, NULL);
}

/* ------------------------------------------------------------------------------------------
 * The call
 */

static void test_targets(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct told told = {0};
    char to[STORE_FOLDER_PATH_ROOM];

    snprintf(to, sizeof to, "%s", path_around(f, "to"));
    expect_status(TARN_STORE_LOCKED, salvage_told(f->path, to, &told));
    (void)fill_and_close(f, &files);
    expect_status(TARN_INVALID_ARGUMENT, salvage_told(f->path, f->path, &told));
    expect_status(TARN_INVALID_ARGUMENT, salvage_told(f->path, "", &told));
    expect_status(TARN_INVALID_ARGUMENT, tarn_salvage(f->path, NULL, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_salvage(NULL, to, NULL, NULL));
    file_write(to, "x", 1);
    expect_status(TARN_INVALID_ARGUMENT, salvage_told(f->path, to, &told));
    expect_that(unlink(to) == 0 && mkdir(to, 0700) == 0);
    file_write(path_around(f, "to/x"), "x", 1);
    expect_status(TARN_INVALID_ARGUMENT, salvage_told(f->path, to, &told));
    expect_that(unlink(path_around(f, "to/x")) == 0);
    expect_status(TARN_IO, salvage_told(path_around(f, "none"), to, &told));
    expect_ok(salvage_told(f->path, to, &told)); /* an empty folder */
    expect_status(TARN_IO, salvage_told(f->path, path_around(f, "none/to"), &told));
    store_folder_open(f, NULL);
}

/* Wherever it is ended, what there is of a new store is empty. */
static void test_cancel(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct told told = {0};
    unsigned calls;

    (void)fill_and_close(f, &files);
    expect_ok(salvage_told(f->path, path_around(f, "whole"), &told));
    calls = told.calls;
    expect_that(calls > 8);
    for (unsigned at = 1; at <= calls; at++) {
        char name[32], path[STORE_FOLDER_PATH_ROOM];
        tarn_store *store;

        snprintf(name, sizeof name, "cancelled-%u", at);
        snprintf(path, sizeof path, "%s", path_around(f, name));
        told.cancel_at = at;
        expect_status(TARN_CANCELLED, salvage_told(f->path, path, &told));
        expect_ok(tarn_open(path, NULL, &store));
        expect_number(0, count_namespaces(store));
        expect_ok(tarn_close(store));
    }
    store_folder_open(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_FOLDER_TEST(test_whole),           STORE_FOLDER_TEST(test_cut),
        STORE_FOLDER_TEST(test_compacted),       STORE_FOLDER_TEST(test_one_record),
        STORE_FOLDER_TEST(test_batch),           STORE_FOLDER_TEST(test_every_byte_of_a_log),
        STORE_FOLDER_TEST(test_damaged_heads),   STORE_FOLDER_TEST(test_missing_files),
        STORE_FOLDER_TEST(test_catalog),         STORE_FOLDER_TEST(test_no_catalog),
        STORE_FOLDER_TEST(test_newest_snapshot), STORE_FOLDER_TEST(test_every_byte_of_a_snapshot),
        STORE_FOLDER_TEST(test_targets),         STORE_FOLDER_TEST(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
