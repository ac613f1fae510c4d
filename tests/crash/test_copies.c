/*
 * Backups, and copies of namespaces, that do not come to their end: power cuts after each operation
 * of the disk, each sync and each call that fails. The store is what it was. A backup is whole, or
 * an opening refuses it, or nothing is there; a copy of a namespace is whole, or not there; and
 * both are there, after a power cut as well, once the call has returned TARN_OK. (Numbers 13, 15,
 * 18, 20, 21 and 24 of the list of faults.)
 *
 * TARN_SEED is the seed of what the disk does (1 without it).
 */
#include "crash/disk.h"
#include "store/store.h"
#include "support/fixture.h"
#include "support/os_fault.h"
#include "support/sim_crash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE         "/store"
#define COPY          "/copy"
#define RECORDS       25
#define RANDOM_STATES 6
#define MOMENT_MAX    60 /* states of a moment */
#define FAILED_MAX    12 /* ... after a call has failed */
#define EVERY_STORE   8  /* of so many states, one in which the store is looked at as well */

/* What a namespace holds, in a number. */
struct content {
    uint64_t keys, digest;
};

struct scene {
    struct sim_disk *disk;
    struct os_fault fault; /* around the disk */
    tarn_store *store;
    struct content log, memory;
    bool backup; /* else the copies of namespaces */
    bool done;   /* it has returned TARN_OK */
    bool failing;
    uint64_t states, refused, whole, absent;
    struct sim_crash_seen *seen;
    char problem[400];
};

static bool wrong(struct scene *scene, const char *what, const char *detail)
{
    if (!scene->problem[0])
        snprintf(scene->problem, sizeof scene->problem, "%s: %s", what, detail);
    return false;
}

/* ------------------------------------------------------------------------------------------
 * Looking. Nothing here jumps.
 */

static uint64_t add_bytes(uint64_t sum, struct tarn_slice bytes)
{
    const unsigned char *at = bytes.data;

    for (size_t i = 0; i < bytes.length; i++)
        sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
    return (sum ^ bytes.length) * UINT64_C(0x100000001b3);
}

static tarn_status look(tarn_namespace *ns, struct content *content)
{
    struct tarn_slice key, value;
    struct tarn_record_info info;
    tarn_cursor *cursor;
    tarn_status status = tarn_cursor_open(ns, NULL, &cursor);

    *content = (struct content){0};
    if (status)
        return status;
    while (!(status = tarn_cursor_next(cursor, &key, &value, &info))) {
        content->keys++;
        content->digest += add_bytes(add_bytes(info.sequence, key), value);
    }
    tarn_cursor_close(cursor);
    return status == TARN_CURSOR_END ? TARN_OK : status;
}

static bool holds(struct scene *scene, tarn_store *store, const char *name, struct content wanted)
{
    struct content found;
    tarn_namespace *ns;
    tarn_status status = tarn_namespace_open(store, text(name), &ns);

    if (status)
        return wrong(scene, name, tarn_last_error()->message);
    status = look(ns, &found);
    tarn_namespace_close(ns);
    if (status)
        return wrong(scene, name, tarn_last_error()->message);
    return (found.keys == wanted.keys && found.digest == wanted.digest) ||
           wrong(scene, name, "it does not hold what it should");
}

static bool note_any(void *context, const char *name)
{
    (void)name;
    *(bool *)context = true;
    return false;
}

/* A store that was found: it takes a write, and is there again. */
static bool goes_on(struct scene *scene, const struct tarn__os *os, const char *path)
{
    tarn_store *store;
    tarn_namespace *ns;
    tarn_status status = tarn__store_open(os, path, NULL, &store);

    if (!status)
        status = tarn_namespace_open(store, text("log"), &ns);
    if (!status) {
        status = tarn_set(ns, text("afterwards"), text("written"), NULL, NULL);
        tarn_namespace_close(ns);
    }
    if (!status)
        status = tarn_close(store);
    if (!status)
        status = tarn__store_open(os, path, NULL, &store);
    if (!status)
        status = tarn_namespace_open(store, text("log"), &ns);
    if (!status) {
        status = tarn_exists(ns, text("afterwards"));
        tarn_namespace_close(ns);
    }
    return (!status && !tarn_close(store)) || wrong(scene, path, tarn_last_error()->message);
}

static bool judge_backup(struct scene *scene, struct sim_disk *disk)
{
    bool any = false, right;
    tarn_store *store;
    tarn_status status;

    if (!sim_disk_list(disk, SIM_SEEN, COPY, note_any, &any) || !any) {
        scene->absent++;
        return !scene->done || wrong(scene, "the backup", "it is not there");
    }
    status = tarn__store_open(&disk->os, COPY, NULL, &store);
    if (status == TARN_INVALID_ARGUMENT && !scene->done) {
        scene->refused++;
        return true;
    }
    if (status)
        return wrong(scene, "opening the backup", tarn_last_error()->message);
    scene->whole++;
    right = holds(scene, store, "log", scene->log) && holds(scene, store, "memory", scene->memory);
    status = tarn_close(store);
    if (status)
        return wrong(scene, "closing the backup", tarn_last_error()->message);
    return right && goes_on(scene, &disk->os, COPY);
}

static bool judge_store(struct scene *scene, struct sim_disk *disk)
{
    tarn_store *store;
    bool right;

    if (tarn__store_open(&disk->os, STORE, NULL, &store))
        return wrong(scene, "opening the store", tarn_last_error()->message);
    right = holds(scene, store, "log", scene->log) && holds(scene, store, "memory", scene->memory);
    for (unsigned i = 0; i < 2 && right && !scene->backup; i++) {
        const char *name = i ? "from memory" : "from log";
        tarn_namespace *ns;

        if (tarn_namespace_open(store, text(name), &ns) == TARN_NAMESPACE_NOT_FOUND) {
            scene->absent++;
            right = !scene->done || wrong(scene, name, "it is not there");
            continue;
        }
        tarn_namespace_close(ns);
        scene->whole++;
        right = holds(scene, store, name, i ? scene->memory : scene->log);
    }
    if (tarn_close(store))
        return wrong(scene, "closing the store", tarn_last_error()->message);
    return right;
}

/* A state of the disk, which is the scene's to spoil. */
static bool judge(void *context, struct sim_disk *disk, const char *choice)
{
    struct scene *scene = context;
    size_t length;

    if (scene->problem[0])
        return false;
    crash_disk_prepare(disk, NULL);
    scene->states++;
    if ((scene->backup ? judge_backup(scene, disk) : judge_store(scene, disk)) &&
        (!scene->backup || scene->states % EVERY_STORE || judge_store(scene, disk)))
        return true;
    length = strlen(scene->problem);
    snprintf(scene->problem + length, sizeof scene->problem - length, " (choice %s)", choice);
    return false;
}

static void judge_moment(struct scene *scene)
{
    struct sim_crash_options options = {.seed = environment_number("TARN_SEED", 1),
                                        .random_states = RANDOM_STATES,
                                        .states_max = scene->failing ? FAILED_MAX : MOMENT_MAX,
                                        .judged_by = scene->done};

    (void)sim_crash_states(scene->disk, &options, scene->seen, judge, scene);
}

static void after_operation(void *context, struct sim_disk *disk, uint64_t operation)
{
    struct scene *scene = context;

    (void)disk;
    (void)operation;
    if (!scene->problem[0])
        judge_moment(scene);
}

/* ------------------------------------------------------------------------------------------
 * The store
 */

static void fill(tarn_store *store, const char *name, enum tarn_engine engine)
{
    struct tarn_namespace_options options = {
        .size = sizeof options, .engine = engine, .sync = TARN_SYNC_NONE, .segment_bytes = 512};
    char room[NUMBERED_KEY_ROOM];
    tarn_namespace *ns;

    expect_ok(tarn_namespace_create(store, text(name), &options, &ns));
    for (unsigned i = 0; i < RECORDS; i++)
        expect_ok(tarn_set(ns, numbered_key(room, i), text("a value of some length"), NULL, NULL));
    for (unsigned i = 0; i < RECORDS; i += 4)
        expect_ok(tarn_delete(ns, numbered_key(room, i)));
    expect_ok(tarn_set(ns, numbered_key(room, 1), text("again"), NULL, NULL));
    expect_ok(tarn_sync(ns));
    tarn_namespace_close(ns);
}

static void scene_begin(struct scene *scene, bool backup)
{
    tarn_namespace *ns;

    memset(scene, 0, sizeof *scene);
    scene->backup = backup;
    scene->disk = sim_disk_create(environment_number("TARN_SEED", 1));
    crash_disk_prepare(scene->disk, NULL);
    scene->seen = sim_crash_seen_create();
    os_fault_init(&scene->fault, &scene->disk->os);
    expect_ok(tarn__store_open(&scene->fault.os, STORE, NULL, &scene->store));
    fill(scene->store, "log", TARN_ENGINE_LOG);
    fill(scene->store, "memory", TARN_ENGINE_MEMORY);
    expect_ok(tarn_snapshot_save(scene->store, text("s"), NULL));
    expect_ok(tarn_namespace_open(scene->store, text("log"), &ns));
    expect_ok(look(ns, &scene->log));
    tarn_namespace_close(ns);
    expect_ok(tarn_namespace_open(scene->store, text("memory"), &ns));
    expect_ok(look(ns, &scene->memory));
    tarn_namespace_close(ns);
}

static void scene_end(struct scene *scene)
{
    if (scene->problem[0])
        print_error("%s\n", scene->problem);
    expect_that(!scene->problem[0]);
    expect_ok(tarn_close(scene->store));
    sim_crash_seen_free(scene->seen);
    sim_disk_free(scene->disk);
}

/* What is tried: a backup, or a copy of each namespace to a log. */
static tarn_status act(struct scene *scene)
{
    struct tarn_namespace_options options = {.size = sizeof options,
                                             .engine = TARN_ENGINE_LOG,
                                             .sync = TARN_SYNC_NONE,
                                             .segment_bytes = 512};
    tarn_status status;

    if (scene->backup)
        return tarn_backup(scene->store, COPY, NULL);
    status = tarn_namespace_copy(scene->store, text("log"), text("from log"), NULL);
    return status
               ? status
               : tarn_namespace_copy(scene->store, text("memory"), text("from memory"), &options);
}

/* ------------------------------------------------------------------------------------------
 * Power cuts
 */

static void cut_power(bool backup)
{
    struct scene scene;

    scene_begin(&scene, backup);
    sim_disk_observe(scene.disk, after_operation, &scene);
    expect_ok(act(&scene));
    scene.done = true;
    judge_moment(&scene);
    sim_disk_observe(scene.disk, NULL, NULL);
    print_message("%llu states: %llu times whole, %llu refused, %llu not there\n",
                  (unsigned long long)scene.states, (unsigned long long)scene.whole,
                  (unsigned long long)scene.refused, (unsigned long long)scene.absent);
    expect_that(scene.problem[0] || (scene.whole && scene.absent));
    expect_that(scene.problem[0] || !backup || scene.refused > 100);
    scene_end(&scene);
}

static void test_power_cuts_in_a_backup(void **state)
{
    (void)state;
    cut_power(true);
}

static void test_power_cuts_in_a_copy(void **state)
{
    (void)state;
    cut_power(false);
}

/* A backup that is given up takes its parts away in an order that is right as well. */
static bool give_up(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    return done < total;
}

static void test_power_cuts_while_a_backup_is_given_up(void **state)
{
    struct tarn_backup_options options = {.size = sizeof options, .progress = give_up};
    struct scene scene;

    (void)state;
    scene_begin(&scene, true);
    sim_disk_observe(scene.disk, after_operation, &scene);
    expect_status(TARN_CANCELLED, tarn_backup(scene.store, COPY, &options));
    judge_moment(&scene);
    sim_disk_observe(scene.disk, NULL, NULL);
    expect_number(0, scene.whole);
    scene_end(&scene);
}

/* ------------------------------------------------------------------------------------------
 * Failures
 */

/* What a call that failed, or did not, has left: in memory, and on the disk now and after a cut. */
static void look_at_what_is_left(struct scene *scene, tarn_status status)
{
    struct sim_disk *seen = sim_disk_copy(scene->disk);

    scene->done = status == TARN_OK;
    scene->absent = 0;
    (void)judge(scene, seen, "all");
    sim_disk_free(seen);
    if (scene->backup && status == TARN_OUTCOME_UNKNOWN && scene->absent)
        (void)wrong(scene, "the backup", "it is not there, and not known to be");
    judge_moment(scene);
    if (!scene->problem[0])
        (void)(holds(scene, scene->store, "log", scene->log) &&
               holds(scene, scene->store, "memory", scene->memory));
}

/* Afterwards it can be done, but where a catalog may be either. */
static void try_again(struct scene *scene, tarn_status status)
{
    bool any = false;

    if (!status || status == TARN_OUTCOME_UNKNOWN || scene->problem[0])
        return;
    if (scene->backup && sim_disk_list(scene->disk, SIM_SEEN, COPY, note_any, &any) && any)
        return; /* it could not be removed */
    if (!scene->backup) {
        (void)tarn_namespace_drop(scene->store, text("from log")); /* where it was made */
        (void)tarn_namespace_drop(scene->store, text("from memory"));
    }
    expect_ok(act(scene));
    look_at_what_is_left(scene, TARN_OK);
}

static void fail_each(bool backup, struct os_fault_plan plan, uint64_t sync_failure)
{
    uint64_t runs = 0, failures = 0;
    bool fired = true;

    for (uint64_t nth = 1; fired; nth++, runs++) {
        struct scene scene;
        tarn_status status;

        scene_begin(&scene, backup);
        scene.failing = true;
        plan.nth = nth;
        if (sync_failure)
            sim_disk_fail_sync(scene.disk, nth, (enum sim_sync_failure)(sync_failure - 1));
        else
            os_fault_arm(&scene.fault, &plan);
        status = act(&scene);
        fired = sync_failure ? sim_disk_sync_failures(scene.disk) > 0
                             : os_fault_fired(&scene.fault) > 0;
        os_fault_arm(&scene.fault, NULL);
        sim_disk_fail_sync(scene.disk, 0, SIM_SYNC_FAILS_KEPT);
        failures += status != TARN_OK;
        look_at_what_is_left(&scene, status);
        if (!sync_failure)
            try_again(&scene, status);
        if (scene.problem[0])
            print_error("call %llu fails, %s\n", (unsigned long long)nth, tarn_status_name(status));
        scene_end(&scene);
    }
    print_message("%llu runs, of which %llu failed\n", (unsigned long long)runs,
                  (unsigned long long)failures);
    expect_that(failures > 20);
}

static void fail_in_every_way(bool backup)
{
    fail_each(backup, (struct os_fault_plan){.calls = OS_CALL_ANY, .error = EIO}, 0);
    fail_each(backup,
              (struct os_fault_plan){.calls = OS_CALL_ANY, .error = ENOSPC, .lasting = true}, 0);
    fail_each(
        backup,
        (struct os_fault_plan){.calls = OS_CALL_ANY, .error = EIO, .effect = OS_FAULT_FAIL_AFTER},
        0);
    fail_each(backup, (struct os_fault_plan){0}, 1 + SIM_SYNC_FAILS_KEPT);
    fail_each(backup, (struct os_fault_plan){0}, 1 + SIM_SYNC_FAILS_REVERTED);
}

static void test_each_call_of_a_backup_fails(void **state)
{
    (void)state;
    fail_in_every_way(true);
}

static void test_each_call_of_a_copy_fails(void **state)
{
    (void)state;
    fail_in_every_way(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts_in_a_backup),
        cmocka_unit_test(test_power_cuts_in_a_copy),
        cmocka_unit_test(test_power_cuts_while_a_backup_is_given_up),
        cmocka_unit_test(test_each_call_of_a_backup_fails),
        cmocka_unit_test(test_each_call_of_a_copy_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
