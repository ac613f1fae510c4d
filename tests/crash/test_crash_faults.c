/*
 * Calls of the system that fail under a store in a directory: each sync, kept and reverted; each
 * call, once, from then on, and after it was done. The statuses are those of tarn.h, memory is as
 * it was where a call failed, nothing acknowledged is lost, and TARN_OUTCOME_UNKNOWN is told where
 * it can be either. (Numbers 13, 15, 16, 18 to 22 of the list of faults; with the argument "logs"
 * most namespaces are in logs.)
 *
 * And on the real kernel: what is left of a rename that fails, and of a snapshot that cannot be
 * read at one opening.
 *
 * TARN_SEED is the first run's seed, TARN_CRASH_SEEDS says how many there are; TARN_TEST_SCALE
 * multiplies them. TARN_CRASH_RUN_STATES bounds the crash states that are opened after each run.
 */
#include "crash/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"
#include "support/fixture.h"
#include "support/store_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS 14
#define SEEDS 2

static bool logs; /* most namespaces are */

static uint64_t seeds(void)
{
    return environment_number("TARN_CRASH_SEEDS", SEEDS) * environment_number("TARN_TEST_SCALE", 1);
}

static uint64_t first_seed(void)
{
    return environment_number("TARN_SEED", 1);
}

static uint64_t run_states(void)
{
    return environment_number("TARN_CRASH_RUN_STATES", 0);
}

/* Runs it once; false: it failed and was printed. *fired: whether there was a call to fail. */
static bool run_once(const struct crash_settings *settings, const char *what, uint64_t nth,
                     uint64_t *states, bool *fired)
{
    struct step steps[STEPS];
    struct crash_report report;
    size_t count = STEPS;

    steps_make(settings->seed, settings->logs, steps, count);
    steps[1].kind = STEP_SET; /* each run has something to load */
    steps[1].ns = steps[0].ns;
    if (settings->logs && !steps[0].sync)
        steps[0].sync = settings->seed % 2 ? TARN_SYNC_ALWAYS : TARN_SYNC_NONE;
    steps[2].kind = STEP_SAVE;
    steps[3].kind = STEP_REOPEN;
    steps[3].number = TARN_LOAD_NEWEST;
    if (crash_run(settings, steps, count, &report)) {
        *states += report.states;
        *fired = report.fired > 0;
        return true;
    }
    count = crash_shrink(settings, steps, count);
    (void)crash_run(settings, steps, count, &report); /* to tell how the shorter one fails */
    print_error("%s, the call number %llu\n", what, (unsigned long long)nth);
    crash_print(settings, steps, count, &report);
    return false;
}

static void fail_each_sync(enum sim_sync_failure failure, const char *what)
{
    uint64_t states = 0, runs = 0, seed = first_seed();

    for (uint64_t i = 0; i < seeds(); i++) {
        bool fired = true;

        for (uint64_t nth = 1; fired; nth++, runs++) {
            struct crash_settings settings = {.seed = seed + i,
                                              .logs = logs,
                                              .states_max = run_states(),
                                              .failing_sync = nth,
                                              .sync_failure = failure,
                                              .quiet = true};

            if (!run_once(&settings, what, nth, &states, &fired))
                fail();
        }
    }
    print_message("%s: %llu runs, %llu crash states\n", what, (unsigned long long)runs,
                  (unsigned long long)states);
}

static void test_each_sync_fails_and_the_cache_keeps(void **state)
{
    (void)state;
    fail_each_sync(SIM_SYNC_FAILS_KEPT, "a sync fails, and the cache keeps what it had");
}

static void test_each_sync_fails_and_the_cache_reverts(void **state)
{
    (void)state;
    fail_each_sync(SIM_SYNC_FAILS_REVERTED, "a sync fails, and the cache reverts");
}

static void fail_each_call(enum os_fault_effect effect, bool lasting, int error, const char *what)
{
    uint64_t states = 0, runs = 0, seed = first_seed();

    for (uint64_t i = 0; i < seeds(); i++) {
        bool fired = true;

        for (uint64_t nth = 1; fired; nth++, runs++) {
            struct os_fault_plan plan = {
                .calls = effect == OS_FAULT_SHORTEN ? OS_CALL_READ | OS_CALL_WRITE : OS_CALL_ANY,
                .effect = effect,
                .nth = nth,
                .lasting = lasting,
                .length = 3,
                .error = error};
            struct crash_settings settings = {.seed = seed + i,
                                              .logs = logs,
                                              .states_max = run_states(),
                                              .fault = &plan,
                                              .quiet = true};

            if (!run_once(&settings, what, nth, &states, &fired))
                fail();
        }
    }
    print_message("%s: %llu runs, %llu crash states\n", what, (unsigned long long)runs,
                  (unsigned long long)states);
}

static void test_each_call_fails_once(void **state)
{
    (void)state;
    fail_each_call(OS_FAULT_FAIL, false, EIO, "a call fails");
}

static void test_no_space_once(void **state)
{
    (void)state;
    fail_each_call(OS_FAULT_FAIL, false, ENOSPC, "a call finds no space");
}

static void test_each_call_fails_from_then_on(void **state)
{
    (void)state;
    fail_each_call(OS_FAULT_FAIL, true, EIO, "all calls fail from one on");
}

static void test_each_call_fails_after_it_was_done(void **state)
{
    (void)state;
    fail_each_call(OS_FAULT_FAIL_AFTER, false, EIO, "a call fails after it was done");
}

/* What is left of it is to be done by another call. */
static void test_each_call_is_short(void **state)
{
    (void)state;
    fail_each_call(OS_FAULT_SHORTEN, false, 0, "a read or write does 3 bytes");
}

/* ------------------------------------------------------------------------------------------
 * Renames
 */

static struct os_fault fault; /* which the store is on: it outlives a test that fails */

static void open_on_fault(struct store_folder *f, enum tarn_load load)
{
    if (f->store)
        store_folder_close(f);
    os_fault_init(&fault, tarn__os_posix());
    expect_ok(tarn__store_open(&fault.os, f->path, STORE_OPTIONS(.load = load), &f->store));
    f->ns = store_folder_namespace(f, "test");
}

static void put(struct store_folder *f, const char *value)
{
    expect_ok(tarn_set(f->ns, text("key"), text(value), NULL, NULL));
}

/* Has the next rename fail, before it is done or after. */
static void fail_rename(enum os_fault_effect effect)
{
    static struct os_fault_plan plan = {.calls = OS_CALL_RENAME, .nth = 1, .error = EIO};

    os_fault_arm(&fault, NULL);
    plan.effect = effect;
    os_fault_arm(&fault, &plan);
}

static void expect_rename_failed(tarn_status status, const char *name)
{
    expect_number(1, os_fault_fired(&fault));
    os_fault_arm(&fault, NULL);
    expect_status(TARN_OUTCOME_UNKNOWN, status);
    expect_error_names(TARN_OUTCOME_UNKNOWN, name);
    expect_number(EIO, tarn_last_error()->system_error);
}

static void expect_names(const char *path, unsigned wanted)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    unsigned found = 0;

    expect_that(folder != NULL);
    while ((entry = readdir(folder))) {
        if (strncmp(entry->d_name, ".new-", 5) == 0 || strcmp(entry->d_name, "catalog.new") == 0)
            print_error("%s is left in %s\n", entry->d_name, path);
        found += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(folder);
    expect_number(wanted, found);
}

/* No temporary name is left: a store has three names, and here one snapshot. */
static void expect_nothing_temporary(struct store_folder *f)
{
    expect_names(f->path, 3);
    expect_names(path_of(f, "snapshots"), 1);
}

static bool is_as_before(const char *path, struct tarn_buf *before)
{
    struct tarn_buf now = file_read(path);
    bool same = now.length == before->length && memcmp(now.data, before->data, before->length) == 0;

    free(now.data);
    free(before->data);
    return same;
}

static void fail_rename_of_snapshot(struct store_folder *f, enum os_fault_effect effect)
{
    bool done = effect == OS_FAULT_FAIL_AFTER;
    struct tarn_buf before;

    open_on_fault(f, TARN_LOAD_NEWEST);
    put(f, "old");
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    before = file_read(path_of_snapshot(f, "s"));
    put(f, "new");
    fail_rename(effect);
    expect_rename_failed(tarn_snapshot_save(f->store, text("s"), NULL), "s.snapshot");
    expect_nothing_temporary(f);
    expect_that(is_as_before(path_of_snapshot(f, "s"), &before) == !done);
    expect_ok(tarn_snapshot_verify(f->store, text("s")));
    expect_stored(f->ns, text("key"), text("new"));
    open_on_fault(f, TARN_LOAD_NEWEST);
    expect_stored(f->ns, text("key"), text(done ? "new" : "old"));
    put(f, "newer");
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    open_on_fault(f, TARN_LOAD_NEWEST);
    expect_stored(f->ns, text("key"), text("newer"));
}

static void test_a_rename_of_a_snapshot_fails(void **state)
{
    fail_rename_of_snapshot(*state, OS_FAULT_FAIL);
    fail_rename_of_snapshot(*state, OS_FAULT_FAIL_AFTER);
}

static void fail_rename_of_catalog(struct store_folder *f, enum os_fault_effect effect,
                                   const char *name)
{
    bool done = effect == OS_FAULT_FAIL_AFTER;
    tarn_namespace *ns = NULL;
    struct tarn_buf before;
    uint64_t renames;

    open_on_fault(f, TARN_LOAD_NEWEST);
    put(f, "value");
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    before = file_read(path_of(f, "catalog"));
    fail_rename(effect);
    expect_rename_failed(tarn_namespace_create(f->store, text(name), NULL, &ns), "catalog");
    expect_that(ns == NULL);
    expect_nothing_temporary(f);
    expect_that(is_as_before(path_of(f, "catalog"), &before) == !done);
    expect_status(TARN_NAMESPACE_NOT_FOUND, tarn_namespace_open(f->store, text(name), &ns));
    renames = os_fault_calls(&fault, OS_CALL_RENAME);
    expect_status(TARN_OUTCOME_UNKNOWN, tarn_namespace_drop(f->store, text("test")));
    expect_number(renames, os_fault_calls(&fault, OS_CALL_RENAME)); /* it is not tried again */
    expect_stored(f->ns, text("key"), text("value"));
    open_on_fault(f, TARN_LOAD_NEWEST);
    expect_stored(f->ns, text("key"), text("value"));
    expect_status(done ? TARN_OK : TARN_NAMESPACE_NOT_FOUND,
                  tarn_namespace_drop(f->store, text(name)));
    tarn_namespace_close(store_folder_create(f, name, NULL));
    open_on_fault(f, TARN_LOAD_NEWEST);
    tarn_namespace_close(store_folder_namespace(f, name));
}

static void test_a_rename_of_the_catalog_fails(void **state)
{
    fail_rename_of_catalog(*state, OS_FAULT_FAIL, "a");
    fail_rename_of_catalog(*state, OS_FAULT_FAIL_AFTER, "b");
}

/* ------------------------------------------------------------------------------------------
 * A head that cannot be read
 */

static bool note_sequence(void *context, const struct tarn_snapshot_info *info)
{
    uint64_t **next = context;

    expect_ok(info->status);
    *(*next)++ = info->sequence;
    return true;
}

/* The snapshots' sequences, the highest first; there must be so many. */
static void expect_sequences(struct store_folder *f, size_t count, uint64_t sequences[8])
{
    uint64_t *next = sequences;

    expect_ok(tarn_snapshot_list(f->store, note_sequence, &next));
    expect_number(count, next - sequences);
}

/* Which read of an opening is the first of a snapshot. */
static uint64_t first_read_of_snapshot(struct store_folder *f)
{
    struct os_fault_plan plan = {.calls = OS_CALL_READ, .error = EIO};
    tarn_store *store = NULL;

    do {
        plan.nth++;
        os_fault_arm(&fault, NULL);
        os_fault_arm(&fault, &plan);
        expect_status(TARN_IO, tarn__store_open(&fault.os, f->path, NULL, &store));
        expect_number(1, os_fault_fired(&fault));
        expect_that(store == NULL);
    } while (!strstr(tarn_last_error()->message, ".snapshot"));
    os_fault_arm(&fault, NULL);
    return plan.nth;
}

/* It may have the highest sequence that there is; what is saved meanwhile is newer all the same,
 * also where the catalog could not be told of that sequence. */
static void read_a_head_later(struct store_folder *f, bool catalog_fails)
{
    static struct os_fault_plan plan = {.calls = OS_CALL_READ, .error = EIO};
    struct tarn_autosave_options autosave = {
        .size = sizeof autosave, .interval_ms = 1000000, .keep = 1, .at_close = true};
    uint64_t before[8], after[8];

    open_on_fault(f, TARN_LOAD_NEWEST);
    expect_ok(tarn_autosave_set(f->store, text(""), &autosave));
    expect_ok(tarn_autosave_start(f->store, text("")));
    for (unsigned i = 0; i < 1000; i++)
        put(f, "unread");
    if (catalog_fails)
        fail_rename(OS_FAULT_FAIL);
    store_folder_close(f); /* which saves */
    expect_number(catalog_fails, os_fault_fired(&fault));
    plan.nth = first_read_of_snapshot(f);
    os_fault_arm(&fault, &plan);
    expect_ok(
        tarn__store_open(&fault.os, f->path, STORE_OPTIONS(.load = TARN_LOAD_NOTHING), &f->store));
    expect_number(1, os_fault_fired(&fault));
    os_fault_arm(&fault, NULL);
    f->ns = store_folder_namespace(f, "test");
    expect_number(0, fixture_state_of(f->ns).keys);
    expect_sequences(f, 1, before);
    put(f, "later");
    expect_ok(tarn_snapshot_save(f->store, text("by hand"), NULL));
    expect_sequences(f, 2, after);
    expect_that(after[0] > before[0]);
    expect_number(before[0], after[1]);
    open_on_fault(f, TARN_LOAD_NEWEST);
    expect_stored(f->ns, text("key"), text("later"));
    expect_sequences(f, 3, after);
    expect_that(after[0] > after[1] && after[1] > after[2]);
    expect_number(before[0], after[2]);
}

static void test_a_head_cannot_be_read_once(void **state)
{
    read_a_head_later(*state, false);
}

static void test_a_head_that_the_catalog_does_not_know(void **state)
{
    read_a_head_later(*state, true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest on_real_files[] = {
        STORE_FOLDER_TEST(test_a_rename_of_a_snapshot_fails),
        STORE_FOLDER_TEST(test_a_rename_of_the_catalog_fails),
        STORE_FOLDER_TEST(test_a_head_cannot_be_read_once),
        STORE_FOLDER_TEST(test_a_head_that_the_catalog_does_not_know),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_sync_fails_and_the_cache_keeps),
        cmocka_unit_test(test_each_sync_fails_and_the_cache_reverts),
        cmocka_unit_test(test_each_call_fails_once),
        cmocka_unit_test(test_no_space_once),
        cmocka_unit_test(test_each_call_fails_from_then_on),
        cmocka_unit_test(test_each_call_fails_after_it_was_done),
        cmocka_unit_test(test_each_call_is_short),
    };

    logs = argc > 1 && strcmp(argv[1], "logs") == 0;
    return (logs ? 0 : cmocka_run_group_tests(on_real_files, NULL, NULL)) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
