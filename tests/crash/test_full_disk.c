/*
 * A disk that is really full: 8 MiB of ext4 on a loop device. Whatever needs room fails with
 * TARN_FULL, what was there is neither lost nor changed, nothing temporary stays and no room is
 * lost, memory can be read and written, and all goes on once there is room again. (Number 13 of the
 * list of faults, and 22 for a full disk.)
 *
 * It takes root and loop devices: see support/loop_disk.h.
 */
#include "support/fixture.h"
#include "support/loop_disk.h"
#include "support/store_folder.h"
#include "support/test_folder.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DISK_BYTES   ((uint64_t)8 * 1024 * 1024)
#define BLOCK_BYTES  1024
#define RECORDS      200
#define RECORD_BYTES 500
#define WAIT_MS_MAX  20000

static struct loop_disk disk;

struct full_disk {
    struct store_folder folder;                      /* its store is on the disk */
    struct fixture_state saved;                      /* what "first" holds */
    _Atomic unsigned done, failed, failed_otherwise; /* autosaves, as they are told */
};

static void expect_disk(bool right)
{
    if (!right)
        print_error("%s\n", disk.problem);
    expect_that(right);
}

/* ------------------------------------------------------------------------------------------
 * The store
 */

static void note_event(void *context, const struct tarn_event *event)
{
    struct full_disk *f = context;

    if (event->kind == TARN_EVENT_AUTOSAVE_DONE)
        atomic_fetch_add(&f->done, 1);
    else if (event->kind == TARN_EVENT_AUTOSAVE_FAILED && event->status == TARN_FULL)
        atomic_fetch_add(&f->failed, 1);
    else
        atomic_fetch_add(&f->failed_otherwise, 1);
}

static struct tarn_options options_of(struct full_disk *f, bool read_only)
{
    struct tarn_options options = {
        .size = sizeof options,
        .load = TARN_LOAD_NEWEST,
        .read_only = read_only,
        .on_event = note_event,
        .event_context = f,
    };

    return options;
}

static void set_record(tarn_namespace *ns, uint64_t number, uint64_t seed, size_t length)
{
    char room[NUMBERED_KEY_ROOM];
    void *bytes = patterned_bytes(length, seed);

    expect_ok(tarn_set(ns, numbered_key(room, number), tarn_slice_of(bytes, length), NULL, NULL));
    free(bytes);
}

/* A store with a namespace of some records, which are saved as "first". */
static int setup(void **state)
{
    struct full_disk *f = calloc(1, sizeof *f);
    struct tarn_options options;

    if (!f)
        return -1;
    *state = f;
    snprintf(f->folder.path, sizeof f->folder.path, "%s/store", disk.path);
    options = options_of(f, false);
    expect_ok(tarn_open(f->folder.path, &options, &f->folder.store));
    f->folder.ns = store_folder_create(&f->folder, "test", NULL);
    for (uint64_t i = 0; i < RECORDS; i++)
        set_record(f->folder.ns, i, i, RECORD_BYTES);
    expect_ok(tarn_snapshot_save(f->folder.store, text("first"), NULL));
    f->saved = fixture_state_of(f->folder.ns);
    expect_disk(loop_disk_sync(&disk));
    return 0;
}

/* Leaves the disk empty. */
static int teardown(void **state)
{
    struct full_disk *f = *state;
    tarn_status status;

    (void)loop_disk_unfill(&disk); /* a test may have done it */
    tarn_namespace_close(f->folder.ns);
    status = tarn_close(f->folder.store);
    expect_that(test_folder_remove(f->folder.path) == 0);
    expect_disk(loop_disk_sync(&disk));
    free(f);
    expect_ok(status);
    return 0;
}

static void reopen(struct full_disk *f)
{
    struct tarn_options options = options_of(f, false);

    store_folder_reopen(&f->folder, &options);
}

/* ------------------------------------------------------------------------------------------
 * Checks
 */

static void expect_no_strangers(const char *path, const char *const *names, size_t count)
{
    DIR *listed = opendir(path);
    struct dirent *entry;

    expect_that(listed != NULL);
    while ((entry = readdir(listed)) != NULL) {
        bool known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;

        for (size_t i = 0; i < count; i++)
            known = known || strcmp(entry->d_name, names[i]) == 0;
        if (!known)
            print_error("'%s/%s' was left behind\n", path, entry->d_name);
        expect_that(known);
    }
    closedir(listed);
}

/* Of the snapshots there are these, besides the first one. */
static void expect_files(const struct full_disk *f, const char *more)
{
    static const char *const top[] = {"lock", "catalog", "snapshots"};
    const char *const snapshots[] = {"first.snapshot", more};

    expect_no_strangers(f->folder.path, top, 3);
    expect_no_strangers(path_of(&f->folder, "snapshots"), snapshots, more ? 2 : 1);
}

/* What "first" holds is as it was, and memory can be read and written. */
static void expect_in_use(struct full_disk *f, uint64_t number)
{
    void *bytes = patterned_bytes(RECORD_BYTES, number + 1);
    char room[NUMBERED_KEY_ROOM];

    expect_ok(tarn_snapshot_verify(f->folder.store, text("first")));
    set_record(f->folder.ns, RECORDS + number, number + 1, RECORD_BYTES);
    expect_stored(f->folder.ns, numbered_key(room, RECORDS + number),
                  tarn_slice_of(bytes, RECORD_BYTES));
    expect_ok(tarn_delete(f->folder.ns, numbered_key(room, RECORDS + number)));
    expect_same_content(f->saved, f->folder.ns);
    free(bytes);
}

static uint64_t free_blocks(void)
{
    struct statvfs status;

    expect_disk(loop_disk_sync(&disk));
    expect_that(statvfs(disk.path, &status) == 0);
    return status.f_bfree;
}

/* A failing call is the disk's fault, and says which file it was about. */
#define expect_full(call)                                                                          \
    do {                                                                                           \
        expect_status(TARN_FULL, call);                                                            \
        expect_that(strstr(tarn_last_error()->message, disk.path) != NULL);                        \
    } while (0)

/* ------------------------------------------------------------------------------------------
 * Saves
 */

static void test_saves_fail_and_go_on(void **state)
{
    struct full_disk *f = *state;
    uint64_t left;

    expect_disk(loop_disk_fill(&disk));
    left = free_blocks();
    expect_full(tarn_snapshot_save(f->folder.store, text("second"), NULL));
    expect_full(tarn_snapshot_save(f->folder.store, text("first"), NULL));
    expect_full(tarn_snapshot_save_namespace(f->folder.ns, text("second"), NULL));
    expect_files(f, NULL);
    expect_in_use(f, 1);
    expect_number(left, free_blocks());
    expect_disk(loop_disk_unfill(&disk));
    expect_ok(tarn_snapshot_save(f->folder.store, text("second"), NULL));
    expect_ok(tarn_snapshot_verify(f->folder.store, text("second")));
    expect_ok(tarn_snapshot_save_namespace(f->folder.ns, text("first"), NULL));
    reopen(f);
    expect_same_content(f->saved, f->folder.ns);
}

/* The disk is full after so many blocks more, from none to enough. */
static void test_saves_with_any_room(void **state)
{
    struct full_disk *f = *state;
    uint64_t tries = 0, left = 0, next;
    tarn_status status = TARN_FULL;

    expect_disk(loop_disk_fill(&disk));
    while (status) {
        next = free_blocks();
        expect_that(tries == 0 || next > left);
        left = next;
        status = tarn_snapshot_save(f->folder.store, text("second"), NULL);
        if (!status)
            break;
        expect_status(TARN_FULL, status);
        expect_files(f, NULL);
        expect_status(TARN_SNAPSHOT_NOT_FOUND,
                      tarn_snapshot_verify(f->folder.store, text("second")));
        expect_number(left, free_blocks());
        expect_disk(loop_disk_leave_free(&disk, (uint64_t)2 * BLOCK_BYTES));
        tries++;
    }
    expect_that(tries > RECORDS * RECORD_BYTES / BLOCK_BYTES / 4);
    expect_in_use(f, 1);
    expect_ok(tarn_snapshot_verify(f->folder.store, text("second")));
    reopen(f);
    expect_same_content(f->saved, f->folder.ns);
}

/* More than the whole disk: it fails after megabytes have been written, and gives them back. */
static void test_a_save_larger_than_the_disk(void **state)
{
    struct full_disk *f = *state;
    uint64_t left = free_blocks();
    tarn_namespace *large = store_folder_create(&f->folder, "large", NULL);

    for (uint64_t i = 0; i < 20; i++)
        set_record(large, i, i, (size_t)512 * 1024);
    expect_full(tarn_snapshot_save(f->folder.store, text("second"), NULL));
    expect_full(tarn_snapshot_save_namespace(large, text("second"), NULL));
    expect_files(f, NULL);
    expect_in_use(f, 1);
    expect_that(free_blocks() + 2 >= left); /* the catalog may have become a block larger */
    expect_ok(tarn_namespace_clear(large));
    tarn_namespace_close(large);
    expect_ok(tarn_snapshot_save(f->folder.store, text("second"), NULL));
    expect_ok(tarn_snapshot_verify(f->folder.store, text("second")));
}

/* Nothing is left of it but the folder, and another one can be made there. */
static void test_a_backup_larger_than_the_disk(void **state)
{
    struct full_disk *f = *state;
    uint64_t left = free_blocks();
    tarn_namespace *large = store_folder_create(&f->folder, "large", NULL);
    char path[sizeof disk.path + 10];

    snprintf(path, sizeof path, "%s/backup", disk.path);
    for (uint64_t i = 0; i < 20; i++)
        set_record(large, i, i, (size_t)512 * 1024);
    expect_full(tarn_backup(f->folder.store, path, NULL));
    expect_that(rmdir(path) == 0);
    expect_that(free_blocks() + 2 >= left);
    expect_ok(tarn_namespace_clear(large));
    tarn_namespace_close(large);
    expect_ok(tarn_backup(f->folder.store, path, NULL));
    expect_ok(store_folder_try(path, NULL));
    expect_same_content(f->saved, f->folder.ns);
    expect_that(test_folder_remove(path) == 0);
}

static void test_a_deletion_makes_room(void **state)
{
    struct full_disk *f = *state;
    char room[NUMBERED_KEY_ROOM];

    set_record(f->folder.ns, RECORDS, 1, (size_t)100 * BLOCK_BYTES);
    expect_ok(tarn_snapshot_save(f->folder.store, text("second"), NULL));
    expect_ok(tarn_delete(f->folder.ns, numbered_key(room, RECORDS)));
    expect_disk(loop_disk_fill(&disk));
    expect_full(tarn_snapshot_save(f->folder.store, text("third"), NULL));
    expect_ok(tarn_snapshot_delete(f->folder.store, text("second")));
    expect_ok(tarn_snapshot_save(f->folder.store, text("third"), NULL));
    expect_files(f, "third.snapshot");
    expect_in_use(f, 1);
}

/* ------------------------------------------------------------------------------------------
 * The catalog
 */

static void change_catalog(struct full_disk *f, tarn_status wanted)
{
    struct tarn_autosave_options autosave = {.size = sizeof autosave, .interval_ms = 1000000};
    struct store_folder *folder = &f->folder;
    tarn_namespace *made = NULL;

    expect_status(wanted, tarn_namespace_create(folder->store, text("made"), NULL, &made));
    expect_that((made != NULL) == (wanted == TARN_OK));
    tarn_namespace_close(made);
    expect_status(wanted, tarn_namespace_configure(folder->ns, TARN_SET_MAX_KEYS,
                                                   NAMESPACE_OPTIONS(.max_keys = 1000)));
    expect_status(wanted, tarn_namespace_resize(folder->ns, 7));
    expect_status(wanted, tarn_autosave_set(folder->store, text("test"), &autosave));
    expect_status(wanted, tarn_autosave_start(folder->store, text("dropped")));
    expect_status(wanted, tarn_namespace_drop(folder->store, text("dropped")));
}

static void expect_catalog(struct full_disk *f, size_t namespaces, uint64_t max_keys,
                           uint32_t shards)
{
    struct tarn_stats stats = store_folder_stats(f->folder.ns);
    size_t count;

    expect_ok(tarn_namespace_count(f->folder.store, &count));
    expect_number(namespaces, count);
    expect_number(max_keys, stats.options.max_keys);
    expect_number(shards, stats.shards);
}

static void test_catalog_changes_fail_and_go_on(void **state)
{
    struct full_disk *f = *state;
    struct tarn_autosave_options autosave = {.size = sizeof autosave, .interval_ms = 1000000};

    tarn_namespace_close(store_folder_create(&f->folder, "dropped", NULL));
    expect_ok(tarn_autosave_set(f->folder.store, text("dropped"), &autosave));
    expect_disk(loop_disk_fill(&disk));
    change_catalog(f, TARN_FULL);
    expect_catalog(f, 2, 0, 16);
    expect_status(TARN_AUTOSAVE_NOT_RUNNING, tarn_autosave_stop(f->folder.store, text("dropped")));
    expect_files(f, NULL);
    expect_in_use(f, 1);
    reopen(f); /* on the full disk */
    expect_catalog(f, 2, 0, 16);
    expect_same_content(f->saved, f->folder.ns);
    change_catalog(f, TARN_FULL);
    expect_disk(loop_disk_unfill(&disk));
    change_catalog(f, TARN_OK);
    reopen(f);
    expect_catalog(f, 2, 1000, 7); /* "made" in the place of "dropped" */
    expect_status(TARN_NAMESPACE_NOT_FOUND,
                  tarn_namespace_open(f->folder.store, text("dropped"), &(tarn_namespace *){0}));
    expect_same_content(f->saved, f->folder.ns);
}

/* ------------------------------------------------------------------------------------------
 * Autosave
 */

static void wait_for(_Atomic unsigned *count, unsigned least)
{
    for (unsigned ms = 0; atomic_load(count) < least && ms < WAIT_MS_MAX; ms++)
        usleep(1000);
    expect_that(atomic_load(count) >= least);
}

static void test_autosaves_fail_and_go_on(void **state)
{
    struct full_disk *f = *state;
    struct tarn_autosave_options autosave = {
        .size = sizeof autosave, .interval_ms = 100, .keep = 1, .pattern = text("auto-{ts}")};
    struct tarn_stats stats;

    expect_ok(tarn_autosave_set(f->folder.store, text(""), &autosave));
    autosave.pattern = text("{ns}-{ts}");
    expect_ok(tarn_autosave_set(f->folder.store, text("test"), &autosave));
    expect_ok(tarn_autosave_start_all(f->folder.store));
    expect_disk(loop_disk_fill(&disk));
    wait_for(&f->failed, atomic_load(&f->failed) + 3);
    stats = store_folder_stats(f->folder.ns);
    expect_number(TARN_FULL, stats.autosave_status);
    expect_that(stats.autosave_failures > 0);
    expect_in_use(f, 1);
    expect_disk(loop_disk_unfill(&disk));
    wait_for(&f->done, atomic_load(&f->done) + 3);
    expect_ok(tarn_autosave_set(f->folder.store, text(""), NULL));
    expect_ok(tarn_autosave_set(f->folder.store, text("test"), NULL));
    expect_number(0, atomic_load(&f->failed_otherwise));
    expect_number(TARN_OK, store_folder_stats(f->folder.ns).autosave_status);
    reopen(f);
    expect_same_content(f->saved, f->folder.ns);
}

static void test_an_autosave_at_close_fails_the_close(void **state)
{
    struct full_disk *f = *state;
    struct tarn_autosave_options autosave = {
        .size = sizeof autosave, .interval_ms = 1000000, .at_close = true};

    expect_ok(tarn_autosave_set(f->folder.store, text(""), &autosave));
    expect_ok(tarn_autosave_start(f->folder.store, text("")));
    expect_disk(loop_disk_fill(&disk));
    expect_full(tarn_close(f->folder.store));
    expect_files(f, NULL);
    expect_in_use(f, 1); /* it is open as before */
    set_record(f->folder.ns, RECORDS, 1, RECORD_BYTES);
    f->saved = fixture_state_of(f->folder.ns);
    expect_disk(loop_disk_unfill(&disk));
    reopen(f);
    expect_same_content(f->saved, f->folder.ns); /* which the close has saved */
}

/* ------------------------------------------------------------------------------------------
 * Openings
 */

/* With any room, from none to enough; what a failing one leaves is no store, and is not in the way
 * of the next. */
static void test_making_a_store_fails_and_goes_on(void **state)
{
    struct full_disk *f = *state;
    unsigned tries = 0;
    tarn_status status;
    char path[240];

    snprintf(path, sizeof path, "%s/other", disk.path);
    expect_disk(loop_disk_fill(&disk));
    while ((status = store_folder_try(path, NULL)) != TARN_OK) {
        expect_status(TARN_FULL, status);
        expect_status(TARN_IO, store_folder_try(path, STORE_OPTIONS(.read_only = true)));
        expect_disk(loop_disk_leave_free(&disk, BLOCK_BYTES));
        tries++;
    }
    expect_that(tries > 0);
    expect_ok(store_folder_try(path, STORE_OPTIONS(.read_only = true)));
    expect_in_use(f, 1);
    expect_that(test_folder_remove(path) == 0);
}

/* Which takes no room, and clears away what a crash has left. */
static void test_opening_on_a_full_disk(void **state)
{
    struct full_disk *f = *state;
    struct tarn_options options = options_of(f, true);

    store_folder_close(&f->folder);
    file_write(path_of(&f->folder, "catalog.new"), "", 0);
    file_write(path_of(&f->folder, "snapshots/.new-0123456789abcdef"), "", 0);
    expect_disk(loop_disk_fill(&disk));
    store_folder_open(&f->folder, &options); /* read-only: it changes nothing */
    expect_same_content(f->saved, f->folder.ns);
    store_folder_close(&f->folder);
    options.read_only = false;
    store_folder_open(&f->folder, &options);
    expect_files(f, NULL);
    expect_same_content(f->saved, f->folder.ns);
    expect_in_use(f, 1);
    expect_full(tarn_snapshot_save(f->folder.store, text("second"), NULL));
    expect_files(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_saves_fail_and_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saves_with_any_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_save_larger_than_the_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_backup_larger_than_the_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_deletion_makes_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog_changes_fail_and_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_autosaves_fail_and_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_autosave_at_close_fails_the_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_making_a_store_fails_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_opening_on_a_full_disk, setup, teardown),
    };
    int result;

    if (!loop_disk_make(&disk, DISK_BYTES))
        return loop_disk_skip(&disk);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    loop_disk_remove(&disk);
    return result;
}
