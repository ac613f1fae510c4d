/*
 * Conformance: what a save writes is one cut, of all namespaces at the same moment, whatever
 * writers, resizes and clears do meanwhile; and that moment is between the call and its return.
 */
#include "conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/concurrency.h"
#include "support/store_folder.h"

/* What the threads of one test have in common. */
struct common {
    struct store_folder *f;
    tarn_namespace *ns, *second;
    atomic_uint_fast64_t begun, done; /* the writer's numbers */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------
 * One cut of a namespace: the sum of all counters is always 0
 */

enum { COUNTERS = 300 };

static void transfer(struct worker *worker)
{
    struct common *common = worker->context;
    char from[NUMBERED_KEY_ROOM], to[NUMBERED_KEY_ROOM];
    tarn_batch *batch = NULL;

    CONTEST_OK(worker, tarn_batch_create(&batch));
    while (contest_goes_on(worker)) {
        tarn_batch_clear(batch);
        for (unsigned i = 0; i < 3; i++) {
            int64_t amount = (int64_t)random_below(&worker->random, 1000);

            CONTEST_OK(
                worker,
                tarn_batch_increment(
                    batch, numbered_key(from, random_below(&worker->random, COUNTERS)), -amount));
            CONTEST_OK(worker, tarn_batch_increment(
                                   batch, numbered_key(to, random_below(&worker->random, COUNTERS)),
                                   amount));
        }
        CONTEST_OK(worker,
                   tarn_batch_commit(common->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    }
    tarn_batch_free(batch);
}

static void resize(struct worker *worker)
{
    struct common *common = worker->context;

    while (contest_goes_on(worker)) {
        CONTEST_OK(worker, tarn_namespace_resize(common->ns,
                                                 1 + (uint32_t)random_below(&worker->random, 64)));
        usleep(300);
    }
}

/* Takes all counters to 0, which keeps the sum. */
static void clear(struct worker *worker)
{
    struct common *common = worker->context;

    while (contest_goes_on(worker)) {
        CONTEST_OK(worker, tarn_namespace_clear(common->ns));
        usleep(1500);
    }
}

static int64_t sum_of(tarn_namespace *ns, uint64_t *keys)
{
    struct tarn_slice key, value;
    tarn_cursor *cursor = NULL;
    int64_t sum = 0, one;

    *keys = 0;
    expect_ok(tarn_cursor_open(ns, NULL, &cursor));
    for (; tarn_cursor_next(cursor, &key, &value, NULL) == TARN_OK; ++*keys) {
        expect_number(8, value.length);
        memcpy(&one, value.data, 8); /* the machines of the tests are little-endian */
        sum += one;
    }
    tarn_cursor_close(cursor);
    return sum;
}

static void check_saved_sum(struct common *common, bool whole, uint64_t *largest)
{
    struct store_folder *f = common->f;
    struct tarn_snapshot_info info = {.size = sizeof info};
    tarn_namespace *check;
    uint64_t keys;

    if (whole)
        expect_ok(tarn_snapshot_save(f->store, text("s"), &info));
    else
        expect_ok(tarn_snapshot_save_namespace(common->ns, text("s"), &info));
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("test"), text("check")));
    check = store_folder_namespace(f, "check");
    expect_signed(0, sum_of(check, &keys));
    expect_that(keys <= COUNTERS);
    if (keys > *largest)
        *largest = keys;
    tarn_namespace_close(check);
}

static void test_the_sum_is_constant(void **state)
{
    struct store_folder *f = *state;
    struct common common = {.f = f, .ns = f->ns};
    uint64_t end = now_ms() + scaled(1000), largest = 0;
    struct contest contest = {0};
    unsigned saves = 0;

    contest_add(&contest, 2, transfer, &common, environment_number("TARN_SEED", 11));
    contest_add(&contest, 1, resize, &common, 12);
    contest_add(&contest, 1, clear, &common, 13);
    contest_begin(&contest);
    for (; (now_ms() < end || saves < 3) && !contest.failed; saves++)
        check_saved_sum(&common, saves % 2, &largest);
    contest_end(&contest);
    expect_that(largest > 0);
}

/* ------------------------------------------------------------------------------------------
 * One cut of two namespaces: a number is written to the first, then to the second
 */

static void write_both(struct worker *worker)
{
    struct common *common = worker->context;
    char room[NUMBERED_KEY_ROOM];

    for (uint64_t number = 1; contest_goes_on(worker); number++) {
        struct tarn_slice key = numbered_key(room, number % 50);
        struct tarn_slice value = tarn_slice_of(&number, sizeof number);

        atomic_store(&common->begun, number);
        CONTEST_OK(worker, tarn_set(common->ns, key, value, NULL, NULL));
        CONTEST_OK(worker, tarn_set(common->second, key, value, NULL, NULL));
        atomic_store(&common->done, number);
    }
}

static uint64_t highest_in(tarn_namespace *ns, uint64_t *sum)
{
    struct tarn_slice key, value;
    tarn_cursor *cursor = NULL;
    uint64_t highest = 0, number;

    *sum = 0;
    expect_ok(tarn_cursor_open(ns, NULL, &cursor));
    while (tarn_cursor_next(cursor, &key, &value, NULL) == TARN_OK) {
        memcpy(&number, value.data, sizeof number);
        *sum += number;
        highest = number > highest ? number : highest;
    }
    tarn_cursor_close(cursor);
    return highest;
}

/* The sum of the last number of each key, where 1 to highest were written in order. */
static uint64_t sum_up_to(uint64_t highest)
{
    uint64_t sum = 0;

    for (uint64_t number = highest > 50 ? highest - 49 : 1; number <= highest; number++)
        sum += number;
    return sum;
}

static void check_saved_pair(struct common *common)
{
    struct store_folder *f = common->f;
    tarn_namespace *a, *z;
    uint64_t sum_a, sum_z, in_a, in_z, done = atomic_load(&common->done), begun;

    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    begun = atomic_load(&common->begun);
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("a"), text("check a")));
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("z"), text("check z")));
    a = store_folder_namespace(f, "check a");
    z = store_folder_namespace(f, "check z");
    in_a = highest_in(a, &sum_a);
    in_z = highest_in(z, &sum_z);
    expect_that(in_z <= in_a && in_a <= in_z + 1);
    expect_number(sum_up_to(in_a), sum_a);
    expect_number(sum_up_to(in_z), sum_z);
    expect_that(done <= in_z && in_a <= begun); /* the moment is between call and return */
    tarn_namespace_close(a);
    tarn_namespace_close(z);
}

static void test_two_namespaces_are_one_cut(void **state)
{
    struct store_folder *f = *state;
    struct common common = {.f = f};
    uint64_t end = now_ms() + scaled(700);
    struct contest contest = {0};
    unsigned saves = 0;

    common.ns = store_folder_create(f, "a", NULL);
    common.second = store_folder_create(f, "z", NULL);
    contest_add(&contest, 1, write_both, &common, 21);
    contest_begin(&contest);
    for (; (now_ms() < end || saves < 3) && !contest.failed; saves++)
        check_saved_pair(&common);
    contest_end(&contest);
    tarn_namespace_close(common.ns);
    tarn_namespace_close(common.second);
}

/* ------------------------------------------------------------------------------------------
 * A window of keys moves on: what is saved has no gap, while the index grows and shrinks
 */

static void move_window(struct worker *worker)
{
    struct common *common = worker->context;
    char room[NUMBERED_KEY_ROOM];
    void *large = calloc(1, 70000);
    uint64_t width = 20000;

    for (uint64_t number = 1; contest_goes_on(worker); number++) {
        size_t length = number % 1000 == 7 ? 70000 : number % 100;

        atomic_store(&common->begun, number);
        CONTEST_OK(worker, tarn_insert(common->ns, numbered_key(room, number),
                                       tarn_slice_of(large, length)));
        if (number > width)
            CONTEST_OK(worker, tarn_delete(common->ns, numbered_key(room, number - width)));
        atomic_store(&common->done, number);
    }
    free(large);
}

static void check_window(struct common *common)
{
    struct store_folder *f = common->f;
    uint64_t done = atomic_load(&common->done), begun, lowest = UINT64_MAX, highest = 0, keys = 0;
    struct tarn_slice key, value;
    tarn_cursor *cursor = NULL;
    tarn_namespace *check;

    expect_ok(tarn_snapshot_save_namespace(common->ns, text("s"), NULL));
    begun = atomic_load(&common->begun);
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("test"), text("check")));
    check = store_folder_namespace(f, "check");
    expect_ok(tarn_cursor_open(check, NULL, &cursor));
    for (; tarn_cursor_next(cursor, &key, &value, NULL) == TARN_OK; keys++) {
        char room[NUMBERED_KEY_ROOM] = {0};
        uint64_t number;

        memcpy(room, key.data, key.length);
        number = strtoull(room + 4, NULL, 10);
        lowest = number < lowest ? number : lowest;
        highest = number > highest ? number : highest;
        expect_number(number % 1000 == 7 ? 70000 : number % 100, value.length);
    }
    tarn_cursor_close(cursor);
    tarn_namespace_close(check);
    if (keys) {
        expect_number(highest - lowest + 1, keys); /* no gap */
        expect_that(lowest == 1 || (keys >= 20000 && keys <= 20001));
    }
    expect_that(done <= highest && highest <= begun);
}

static void test_a_moving_window_has_no_gap(void **state)
{
    struct store_folder *f = *state;
    struct common common = {.f = f, .ns = f->ns};
    uint64_t end = now_ms() + scaled(1000);
    struct contest contest = {0};

    contest_add(&contest, 1, move_window, &common, 31);
    contest_add(&contest, 1, resize, &common, 32);
    contest_begin(&contest);
    while (now_ms() < end && !contest.failed)
        check_window(&common);
    contest_end(&contest);
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_the_sum_is_constant),
    STORE_FOLDER_TEST(test_two_namespaces_are_one_cut),
    STORE_FOLDER_TEST(test_a_moving_window_has_no_gap),
};

CONFORMANCE_TOPIC(snapshot_cuts, tests);
