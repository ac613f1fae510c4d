/*
 * tarn_check(): every byte of a store that is changed is told, unless it means nothing; and so is
 * what is missing, cut off or not where it belongs. (Numbers 1, 2, 6, 7, 8, 36 and 40 of the list
 * of faults.)
 */
#include "support/damaged_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The content of all namespaces, as an opening that changes nothing finds it. */
struct contents {
    tarn_status status;
    struct fixture_state test, log, other;
};

static struct contents contents_of(const char *path)
{
    struct contents contents = {0};
    struct fixture_state *states[] = {&contents.test, &contents.log, &contents.other};
    const char *names[] = {"test", "log", "other"};
    tarn_store *store;
    tarn_namespace *ns;

    contents.status = tarn_open(path, STORE_OPTIONS(.read_only = true), &store);
    if (contents.status)
        return contents;
    for (unsigned i = 0; i < 3; i++) {
        expect_ok(tarn_namespace_open(store, text(names[i]), &ns));
        *states[i] = fixture_state_of(ns);
        tarn_namespace_close(ns);
    }
    expect_ok(tarn_close(store));
    return contents;
}

static void expect_contents(const struct contents *wanted, const struct contents *got)
{
    const struct fixture_state *a = &wanted->test, *b = &got->test;

    expect_ok(got->status);
    for (unsigned i = 0; i < 3; i++) {
        expect_number(a[i].keys, b[i].keys);
        expect_number(a[i].digest, b[i].digest);
    }
}

static void expect_whole(const char *path, struct told *told)
{
    tarn_status status = check_told(path, told);

    if (status)
        print_error("%s", told->messages);
    expect_ok(status);
}

/* ------------------------------------------------------------------------------------------
 * Whole stores
 */

static void test_whole(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    uint64_t digest, bytes = 0;
    struct told told = {0};

    damaged_store_fill(f, 10, 60);
    store_folder_close(f);
    store_files_find(&files, f->path);
    for (unsigned i = 0; i < files.count; i++) {
        struct tarn_buf file = file_read(files.paths[i]);

        bytes += file.length;
        free(file.data);
    }
    digest = path_digest(f->path);
    expect_whole(f->path, &told);
    expect_number(digest, path_digest(f->path));
    expect_number(0, told.notes);
    expect_number(files.count, told.summary.files);
    expect_number(bytes, told.summary.bytes);
    expect_number(bytes, told.total);
    /* "log": 10 + 5 + 2 + 1 + 3 frames, "other": 3, "one": 10, "two": 13 */
    expect_number(21 + 3 + 10 + 13, told.summary.records);
    expect_ok(tarn_check(f->path, NULL, NULL));
    store_folder_open(f, NULL);
}

/* What a killed process leaves is no fault, and what is behind it is told where it is a cut. */
static void test_killed(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct told told = {0};
    struct contents before, after;
    char copy[STORE_FOLDER_PATH_ROOM];
    const char *segment;
    struct tarn_buf bytes;
    uint64_t end;

    damaged_store_fill(f, 10, 60);
    snprintf(copy, sizeof copy, "%s", path_around(f, "copy"));
    folder_copy(f->path, copy);
    expect_whole(copy, &told);
    expect_number(0, told.summary.cuts);
    before = contents_of(copy);
    store_files_find(&files, copy);
    segment = store_files_named(&files, "/17.segment");
    bytes = file_read(segment);
    for (end = bytes.length; !((uint8_t *)bytes.data)[end - 1];)
        end--;
    for (uint64_t at = end + 3; at < bytes.length; at += 997) { /* behind the last frame */
        flip_byte(segment, at, 0x40);
        expect_whole(copy, &told);
        after = contents_of(copy);
        expect_contents(&before, &after);
        flip_byte(segment, at, 0x40);
    }
    flip_byte(segment, end - 1, 0x40); /* in it: it is what a power cut may leave */
    expect_whole(copy, &told);
    expect_number(1, told.summary.cuts);
    expect_that(told.notes == 1 && told_of(&told, "a crash has cut the log"));
    flip_byte(segment, end - 1, 0x40);
    flip_byte(segment, 300, 0x40); /* before it: the rest is lost with it, but was never synced */
    expect_whole(copy, &told);
    expect_number(1, told.summary.cuts);
    expect_that(told.summary.discarded_bytes > 500);
    free(bytes.data);
}

/* ------------------------------------------------------------------------------------------
 * Changed bytes
 */

/* Changes every byte at a step, each in one bit, and looks what is told of it. */
static void flip_all(const char *store, const char *path, unsigned step)
{
    struct contents before = contents_of(store), after;
    struct tarn_buf bytes = file_read(path);
    unsigned told_faults = 0, meaningless = 0;
    struct told told = {0};

    for (uint64_t at = 0; at < bytes.length; at += step) {
        flip_byte(path, at, (uint8_t)(1 << (at % 8)));
        if (check_told(store, &told) == TARN_OK) {
            /* the end mark of a log: what is before it was synced, and nothing is lost */
            expect_number(1, told.summary.cuts);
            after = contents_of(store);
            expect_contents(&before, &after);
            meaningless++;
        } else {
            expect_bytes(text(path), text(told.path));
            expect_that(told.offset <= bytes.length);
            told_faults++;
        }
        flip_byte(path, at, (uint8_t)(1 << (at % 8)));
    }
    expect_that(told_faults > 0 && meaningless < 32 && meaningless <= told_faults);
    free(bytes.data);
    expect_whole(store, &told);
}

static void test_every_byte(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;

    damaged_store_fill(f, 6, 30);
    store_folder_close(f);
    store_files_find(&files, f->path);
    expect_number(7, files.count); /* catalog, twice list and segment, two snapshots */
    for (unsigned i = 0; i < files.count; i++)
        flip_all(f->path, files.paths[i], 1);
    store_folder_open(f, NULL);
}

/* With sealed segments, of which nothing but the content of frames is unused. */
static void test_bytes_of_sealed_segments(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;

    damaged_store_fill(f, 200, 700);
    store_folder_reopen(f, NULL);
    put_some(f->ns, 0, 1, 10, 3);
    store_folder_close(f);
    store_files_find(&files, f->path);
    expect_that(files.count > 9);
    for (unsigned i = 0; i < files.count; i++)
        if (strstr(files.paths[i], ".segment"))
            flip_all(f->path, files.paths[i], 1499);
    store_folder_open(f, NULL);
}

static void test_each_fault_is_told(void **state)
{
    struct store_folder *f = *state;
    const char *segment, *snapshot;
    struct store_files files;
    struct told told = {0};

    damaged_store_fill(f, 30, 100);
    store_folder_close(f);
    store_files_find(&files, f->path);
    segment = store_files_named(&files, "/17.segment");
    snapshot = store_files_named(&files, "/one.snapshot");
    flip_byte(segment, 1000, 1);
    flip_byte(segment, 2000, 1);
    flip_byte(segment, 3000, 1);
    expect_status(TARN_CORRUPT, check_told(f->path, &told));
    expect_number(3, told.faults);
    expect_that(told.offset > 2850 && told.offset <= 3000);
    expect_bytes(text("log"), text(told.name));
    expect_that(strncmp(told.key, "key-", 4) == 0); /* its value is what has changed */
    flip_byte(snapshot, 700, 1);
    flip_byte(store_files_named(&files, "/two.snapshot"), 120, 1); /* in the namespace's block */
    flip_byte(store_files_named(&files, "/catalog"), 100, 1);
    expect_status(TARN_CORRUPT, check_told(f->path, &told));
    expect_number(6, told.faults);
    expect_that(told_of(&told, "one.snapshot") && told_of(&told, "two.snapshot") &&
                told_of(&told, "/catalog"));
    expect_that(told_of(&told, "30 of 30 records of namespace \"test\" are lost") &&
                told_of(&told, "0 of 33 records of a namespace without a name are lost"));
    for (unsigned i = 1; i <= 3; i++)
        flip_byte(segment, i * 1000, 1);
    flip_byte(snapshot, 700, 1);
    flip_byte(store_files_named(&files, "/two.snapshot"), 120, 1);
    flip_byte(store_files_named(&files, "/catalog"), 100, 1);
    store_folder_open(f, NULL);
}

/* ------------------------------------------------------------------------------------------
 * What is cut off, missing, or should not be there
 */

static void test_every_truncation(void **state)
{
    struct store_folder *f = *state;
    struct contents before, after;
    struct store_files files;
    struct told told = {0};

    damaged_store_fill(f, 4, 20);
    store_folder_close(f);
    before = contents_of(f->path);
    store_files_find(&files, f->path);
    for (unsigned i = 0; i < files.count; i++) {
        struct tarn_buf bytes = file_read(files.paths[i]);

        for (size_t length = 0; length < bytes.length; length++) {
            file_write(files.paths[i], bytes.data, length);
            if (check_told(f->path, &told) == TARN_OK) {
                /* A log may end behind each frame: nobody can tell that there was more, as
                 * recovery cannot. */
                expect_that(strstr(files.paths[i], ".segment") != NULL && length >= 128);
                after = contents_of(f->path);
                expect_ok(after.status);
                expect_that(after.log.keys <= before.log.keys + 1);
            } else {
                expect_bytes(text(files.paths[i]), text(told.path));
            }
        }
        file_write(files.paths[i], bytes.data, bytes.length);
        free(bytes.data);
    }
    expect_whole(f->path, &told);
    store_folder_open(f, NULL);
}

static void test_missing_files(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct told told = {0};

    damaged_store_fill(f, 200, 700);
    store_folder_close(f);
    store_files_find(&files, f->path);
    for (unsigned i = 0; i < files.count; i++) {
        struct tarn_buf bytes = file_read(files.paths[i]);
        bool is_snapshot = strstr(files.paths[i], ".snapshot") != NULL;

        expect_that(unlink(files.paths[i]) == 0);
        /* Which snapshots there were is written nowhere. */
        expect_status(is_snapshot ? TARN_OK : TARN_CORRUPT, check_told(f->path, &told));
        if (!is_snapshot)
            expect_bytes(text(files.paths[i]), text(told.path));
        expect_that(mkdir(files.paths[i], 0700) == 0);
        expect_status(TARN_CORRUPT, check_told(f->path, &told));
        expect_that(rmdir(files.paths[i]) == 0 && symlink("lock", files.paths[i]) == 0);
        expect_status(TARN_CORRUPT, check_told(f->path, &told));
        expect_that(unlink(files.paths[i]) == 0 && mkfifo(files.paths[i], 0600) == 0);
        expect_status(TARN_CORRUPT, check_told(f->path, &told));
        file_write(files.paths[i], bytes.data, bytes.length);
        free(bytes.data);
    }
    expect_whole(f->path, &told);
    expect_that(rename(path_of(f, "namespaces"), path_around(f, "away")) == 0);
    expect_status(TARN_CORRUPT, check_told(f->path, &told));
    expect_number(2, told.faults);
    expect_that(rename(path_around(f, "away"), path_of(f, "namespaces")) == 0);
    expect_that(rename(path_of(f, "snapshots"), path_around(f, "away")) == 0);
    expect_status(TARN_CORRUPT, check_told(f->path, &told));
    expect_that(rename(path_around(f, "away"), path_of(f, "snapshots")) == 0);
    expect_that(unlink(path_of(f, "lock")) == 0);
    expect_status(TARN_CORRUPT, check_told(f->path, &told));
    file_write(path_of(f, "lock"), "", 0);
    expect_whole(f->path, &told);
    store_folder_open(f, NULL);
}

/* What a crash leaves is told and no fault; what no crash can have left is one. */
static void test_stray_files(void **state)
{
    struct store_folder *f = *state;
    struct store_files files;
    struct told told = {0};
    char path[STORE_FOLDER_PATH_ROOM + 32];
    uint64_t digest;

    damaged_store_fill(f, 10, 60);
    store_folder_close(f);
    store_files_find(&files, f->path);
    snprintf(path, sizeof path, "%s", store_files_named(&files, "/17.segment"));
    snprintf(strrchr(path, '/'), 32, "/30.segment"); /* a number that the list has reserved */
    file_write(path, "x", 1);
    file_write(path_of(f, "catalog.new"), "x", 1);
    file_write(path_of(f, "snapshots/.new-1"), "x", 1);
    expect_that(mkdir(path_of(f, "namespaces/9"), 0700) == 0);
    digest = path_digest(f->path);
    expect_whole(f->path, &told);
    expect_number(4, told.notes);
    expect_number(digest, path_digest(f->path));
    expect_that(unlink(path) == 0);
    snprintf(strrchr(path, '/'), 32, "/999.segment");
    file_write(path, "x", 1);
    expect_status(TARN_CORRUPT, check_told(f->path, &told));
    expect_that(told.faults == 2 && told_of(&told, "newer than the list")); /* and it is none */
    expect_that(unlink(path) == 0);
    expect_that(mkdir(path_of(f, "namespaces/999"), 0700) == 0);
    expect_status(TARN_CORRUPT, check_told(f->path, &told));
    expect_that(told_of(&told, "the catalog does not know of"));
    expect_that(rmdir(path_of(f, "namespaces/999")) == 0);
    store_folder_open(f, NULL);
}

/* Segments, lists, logs and catalogs that are whole, but not where they belong. */
static void test_swapped(void **state)
{
    struct store_folder *f = *state;
    const char *ends[][2] = {
        {"/17.segment", "/18.segment"}, {"/one.snapshot", "/catalog"}, {"/segments", "/catalog"}};
    struct store_files files;
    struct told told = {0};

    damaged_store_fill(f, 200, 700);
    store_folder_close(f);
    store_files_find(&files, f->path);
    for (unsigned i = 0; i < 3; i++) {
        const char *one = store_files_named(&files, ends[i][0]);
        const char *two = store_files_named(&files, ends[i][1]);

        for (unsigned back = 0; back < 2; back++) {
            expect_that(rename(one, path_around(f, "swap")) == 0 && rename(two, one) == 0 &&
                        rename(path_around(f, "swap"), two) == 0);
            if (back)
                expect_whole(f->path, &told);
            else
                expect_status(TARN_CORRUPT, check_told(f->path, &told));
            expect_that(back || told.faults >= 2);
        }
    }
    store_folder_open(f, NULL);
}

/* ------------------------------------------------------------------------------------------
 * The call
 */

static void test_locks(void **state)
{
    struct store_folder *f = *state;
    struct told told = {0};

    expect_status(TARN_STORE_LOCKED, check_told(f->path, &told));
    store_folder_reopen(f, STORE_OPTIONS(.read_only = true));
    expect_whole(f->path, &told);
}

static void test_no_store(void **state)
{
    struct store_folder *f = *state;
    struct told told = {0};

    expect_status(TARN_IO, check_told(path_around(f, "none"), &told));
    expect_that(mkdir(path_around(f, "empty"), 0700) == 0);
    expect_status(TARN_IO, check_told(path_around(f, "empty"), &told));
    file_write(path_around(f, "empty/note.txt"), "x", 1);
    expect_status(TARN_IO, check_told(path_around(f, "empty"), &told));
    file_write(path_around(f, "file"), "x", 1);
    expect_status(TARN_IO, check_told(path_around(f, "file"), &told));
}

static void test_arguments(void **state)
{
    struct store_folder *f = *state;
    struct tarn_check_options options = {.size = 1};
    struct tarn_check_summary summary = {.size = 1};

    expect_status(TARN_INVALID_ARGUMENT, tarn_check(NULL, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_check("", NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_check(f->path, &options, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_check(f->path, NULL, &summary));
}

static void test_cancel(void **state)
{
    struct store_folder *f = *state;
    struct told told = {0};
    unsigned calls;

    damaged_store_fill(f, 200, 700);
    store_folder_close(f);
    expect_whole(f->path, &told);
    calls = told.calls;
    expect_that(calls > 8);
    for (unsigned at = 1; at <= calls; at++) {
        told.cancel_at = at;
        expect_status(TARN_CANCELLED, check_told(f->path, &told));
        expect_number(at, told.calls);
    }
    store_folder_open(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_FOLDER_TEST(test_whole),
        STORE_FOLDER_TEST(test_killed),
        STORE_FOLDER_TEST(test_every_byte),
        STORE_FOLDER_TEST(test_bytes_of_sealed_segments),
        STORE_FOLDER_TEST(test_each_fault_is_told),
        STORE_FOLDER_TEST(test_every_truncation),
        STORE_FOLDER_TEST(test_missing_files),
        STORE_FOLDER_TEST(test_stray_files),
        STORE_FOLDER_TEST(test_swapped),
        STORE_FOLDER_TEST(test_locks),
        STORE_FOLDER_TEST(test_no_store),
        STORE_FOLDER_TEST(test_arguments),
        STORE_FOLDER_TEST(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
