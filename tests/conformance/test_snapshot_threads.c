/*
 * Conformance: snapshots while others read and write: readers see a load as one step, writes meet
 * one state or the other; drop and close wait for a save; and memory goes back. That a save is one
 * cut is proved in test_snapshot_cuts.c.
 */
#include "conformance/conformance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/concurrency.h"
#include "support/store_folder.h"

#define MIB ((size_t)1024 * 1024)

/* What the threads of one test have in common. */
struct common {
    struct store_folder *f;
    tarn_namespace *ns;
    atomic_bool begun, done; /* one save */
};

static const struct tarn_slice same_name = {0};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------
 * Readers of what is loaded over
 */

enum { TOGETHER = 8 };

static void set_all(tarn_namespace *ns, const char *value)
{
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < 2000; i++)
        expect_ok(tarn_set(ns, numbered_key(room, i), text(value), NULL, NULL));
}

static void read_together(struct worker *worker)
{
    struct common *common = worker->context;
    char rooms[TOGETHER][NUMBERED_KEY_ROOM];
    struct tarn_slice keys[TOGETHER];
    struct tarn_result results[TOGETHER];
    struct tarn_buf values = {0};

    while (contest_goes_on(worker)) {
        for (unsigned i = 0; i < TOGETHER; i++)
            keys[i] = numbered_key(rooms[i], random_below(&worker->random, 2000));
        CONTEST_OK(worker, tarn_get_many(common->ns, TARN_ALL_OR_NOTHING, keys, TOGETHER, results,
                                         &values));
        for (unsigned i = 1; i < TOGETHER; i++)
            CONTEST_CHECK(worker,
                          results[i].value.length == results[0].value.length &&
                              memcmp(results[i].value.data, results[0].value.data,
                                     results[0].value.length) == 0,
                          "values of two snapshots were read at one moment");
    }
    tarn_buf_release(&values);
}

static void read_single(struct worker *worker)
{
    struct common *common = worker->context;
    char room[NUMBERED_KEY_ROOM];
    struct tarn_buf value = {0};

    while (contest_goes_on(worker)) {
        struct tarn_slice key = numbered_key(room, random_below(&worker->random, 2000));
        struct tarn_pin pin = {0};
        char first;

        CONTEST_OK(worker, tarn_get(common->ns, key, &value, NULL));
        CONTEST_OK(worker, tarn_get_pinned(common->ns, key, &pin));
        first = *(const char *)pin.value.data;
        for (size_t i = 0; i < pin.value.length; i++)
            CONTEST_CHECK(worker, ((const char *)pin.value.data)[i] == first, "a torn value");
        tarn_unpin(&pin);
    }
    tarn_buf_release(&value);
}

static void test_readers_see_one_step(void **state)
{
    struct store_folder *f = *state;
    struct common common = {.f = f, .ns = f->ns};
    uint64_t end = now_ms() + scaled(700);
    struct contest contest = {0};
    unsigned loads = 0;

    set_all(f->ns, "ooooooooooooo");
    expect_ok(tarn_snapshot_save(f->store, text("one"), NULL));
    set_all(f->ns, "tttttttttttttttttttttt");
    expect_ok(tarn_snapshot_save(f->store, text("two"), NULL));
    contest_add(&contest, 2, read_together, &common, 41);
    contest_add(&contest, 2, read_single, &common, 42);
    contest_begin(&contest);
    for (; (now_ms() < end || loads < 3) && !contest.failed; loads++)
        expect_ok(tarn_snapshot_load_namespace(f->store, text(loads % 2 ? "two" : "one"),
                                               text("test"), same_name));
    contest_end(&contest);
}

/* Takes locks and gives other ones out. */
static void resize(struct worker *worker)
{
    struct common *common = worker->context;

    while (contest_goes_on(worker)) {
        CONTEST_OK(worker, tarn_namespace_resize(common->ns,
                                                 1 + (uint32_t)random_below(&worker->random, 64)));
        usleep(300);
    }
}

/* Writers are not lost while loads come and go: what they were told is done to one of the states.
 */
static void write_many(struct worker *worker)
{
    struct common *common = worker->context;
    char room[NUMBERED_KEY_ROOM];

    while (contest_goes_on(worker)) {
        struct tarn_slice key = numbered_key(room, random_below(&worker->random, 3000));
        tarn_status status = random_below(&worker->random, 4)
                                 ? tarn_set(common->ns, key, text("wwwwwwww"), NULL, NULL)
                                 : tarn_delete(common->ns, key);

        CONTEST_CHECK(worker, status == TARN_OK || status == TARN_KEY_NOT_FOUND, "a write: %s",
                      tarn_status_name(status));
    }
}

static void test_loads_and_saves_while_others_write(void **state)
{
    struct store_folder *f = *state;
    struct common common = {.f = f, .ns = f->ns};
    uint64_t end = now_ms() + scaled(700);
    struct contest contest = {0};

    set_all(f->ns, "ooooooooooooo");
    expect_ok(tarn_snapshot_save(f->store, text("one"), NULL));
    contest_add(&contest, 2, write_many, &common, 51);
    contest_add(&contest, 1, resize, &common, 52);
    contest_begin(&contest);
    while (now_ms() < end && !contest.failed) {
        expect_ok(tarn_snapshot_load(f->store, text("one")));
        expect_ok(tarn_snapshot_save(f->store, text("two"), NULL));
        expect_ok(tarn_snapshot_verify(f->store, text("two")));
    }
    contest_end(&contest);
    (void)fixture_state_of(f->ns); /* which expects that stats and a walk say the same */
}

/* ------------------------------------------------------------------------------------------
 * Several who save, load, list and delete
 */

static bool look(void *context, const struct tarn_snapshot_info *info)
{
    (void)context;
    return info->status == TARN_OK;
}

static void use_snapshots(struct worker *worker)
{
    static const char *const names[] = {"a", "b", "c"};
    struct common *common = worker->context;
    tarn_store *store = common->f->store;

    while (contest_goes_on(worker)) {
        struct tarn_slice name = text(names[random_below(&worker->random, 3)]);
        tarn_status status = TARN_OK;

        switch (random_below(&worker->random, 6)) {
        case 0:
            status = tarn_snapshot_save(store, name, NULL);
            break;
        case 1:
            status = tarn_snapshot_save_namespace(common->ns, name, NULL);
            break;
        case 2:
            status = tarn_snapshot_load(store, name);
            break;
        case 3:
            status = tarn_snapshot_verify(store, name);
            break;
        case 4:
            status = tarn_snapshot_list(store, look, NULL);
            break;
        default:
            status = tarn_snapshot_delete(store, name);
            break;
        }
        CONTEST_CHECK(worker, status == TARN_OK || status == TARN_SNAPSHOT_NOT_FOUND, "%s: %s",
                      tarn_status_name(status), tarn_last_error()->message);
    }
}

static void change_table(struct worker *worker)
{
    struct common *common = worker->context;
    tarn_store *store = common->f->store;

    while (contest_goes_on(worker)) {
        tarn_namespace *ns = NULL;
        tarn_status status = tarn_namespace_create(store, text("comes and goes"), NULL, &ns);

        CONTEST_CHECK(worker, status == TARN_OK || status == TARN_NAMESPACE_EXISTS, "create: %s",
                      tarn_status_name(status));
        tarn_namespace_close(ns);
        status = tarn_namespace_drop(store, text("comes and goes"));
        CONTEST_CHECK(worker, status == TARN_OK, "drop: %s", tarn_status_name(status));
    }
}

static void test_several_at_once(void **state)
{
    struct store_folder *f = *state;
    struct common common = {.f = f, .ns = f->ns};
    struct contest contest = {0};

    set_all(f->ns, "ooooooooooooo");
    contest_add(&contest, 3, use_snapshots, &common, environment_number("TARN_SEED", 61));
    contest_add(&contest, 1, change_table, &common, 62);
    contest_add(&contest, 1, write_many, &common, 63);
    contest_begin(&contest);
    contest_run_for(&contest, (unsigned)scaled(700));
    contest_end(&contest);
    store_folder_reopen(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST));
    expect_that(f->ns != NULL);
}

/* ------------------------------------------------------------------------------------------
 * Drop and close wait; memory
 */

static void fill_large(tarn_namespace *ns, size_t mib)
{
    unsigned char *value = patterned_bytes(16384, 7);
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < mib * 64; i++)
        expect_ok(tarn_set(ns, numbered_key(room, i), tarn_slice_of(value, 16384), NULL, NULL));
    free(value);
}

static void save_once(struct worker *worker)
{
    struct common *common = worker->context;
    tarn_status status;

    atomic_store(&common->begun, 1);
    status = tarn_snapshot_save_namespace(common->ns, text("s"), NULL);
    CONTEST_CHECK(worker,
                  status == TARN_OK || status == TARN_CLOSED || status == TARN_NAMESPACE_DROPPED,
                  "a save: %s", tarn_status_name(status));
    atomic_store(&common->done, status == TARN_OK);
}

static void end_during_a_save(struct store_folder *f, bool by_close, unsigned delay_us)
{
    struct common common = {.f = f, .ns = f->ns};
    struct contest contest = {0};

    contest_add(&contest, 1, save_once, &common, 71);
    contest_begin(&contest);
    while (!atomic_load(&common.begun))
        usleep(10);
    usleep(delay_us);
    if (by_close) {
        expect_ok(tarn_close(f->store));
        f->store = NULL;
    } else {
        expect_ok(tarn_namespace_drop(f->store, text("test")));
    }
    contest_end(&contest);
    tarn_namespace_close(f->ns);
    f->ns = NULL;
    if (by_close)
        store_folder_open(f, NULL);
    else
        f->ns = store_folder_create(f, "test", NULL);
    if (atomic_load(&common.done)) {
        expect_ok(tarn_snapshot_verify(f->store, text("s")));
        expect_ok(tarn_snapshot_load(f->store, text("s")));
        expect_number(8 * 64, fixture_state_of(f->ns).keys);
    }
}

static void test_drop_and_close_wait(void **state)
{
    struct store_folder *f = *state;

    for (unsigned i = 0; i < 8; i++) {
        fill_large(f->ns, 8);
        end_during_a_save(f, i % 2, i / 2 * 700);
    }
}

static void overwrite(struct worker *worker)
{
    struct common *common = worker->context;
    unsigned char *value = patterned_bytes(16384, 8);
    char room[NUMBERED_KEY_ROOM];

    while (contest_goes_on(worker)) {
        struct tarn_slice key = numbered_key(room, random_below(&worker->random, 64));

        CONTEST_OK(worker, tarn_set(common->ns, key, tarn_slice_of(value, 16384), NULL, NULL));
    }
    free(value);
}

/* 32 MiB of which one is overwritten again and again: what the cut keeps of them is at most that
 * one, however often it is overwritten. */
static void test_memory_grows_by_what_is_overwritten(void **state)
{
    struct store_folder *f = *state;
    struct common common = {.f = f, .ns = f->ns};
    uint64_t end = now_ms() + scaled(700), before, highest = 0, now;
    struct contest contest = {0};

    fill_large(f->ns, 32);
    fill_large(f->ns, 1);
    before = store_folder_stats(f->ns).memory_bytes;
    contest_add(&contest, 2, overwrite, &common, 81);
    contest_begin(&contest);
    while (now_ms() < end && !contest.failed) {
        expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
        now = store_folder_stats(f->ns).memory_bytes;
        highest = now > highest ? now : highest;
    }
    contest_end(&contest);
    for (unsigned i = 0; i < 3; i++)
        expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    now = store_folder_stats(f->ns).memory_bytes;
    if (highest > before + 16 * MIB || now > before + 8 * MIB)
        print_error("memory: %" PRIu64 " before, %" PRIu64 " at most, %" PRIu64 " after\n", before,
                    highest, now);
    expect_that(highest <= before + 16 * MIB);
    expect_that(now <= before + 8 * MIB);
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_readers_see_one_step),
    STORE_FOLDER_TEST(test_loads_and_saves_while_others_write),
    STORE_FOLDER_TEST(test_several_at_once),
    STORE_FOLDER_TEST(test_drop_and_close_wait),
    STORE_FOLDER_TEST(test_memory_grows_by_what_is_overwritten),
};

CONFORMANCE_TOPIC(snapshot_threads, tests);
