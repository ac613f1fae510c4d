/*
 * Conformance: snapshots while others read and write: a save is one cut, of all namespaces at the
 * same moment, whatever writers, resizes and clears do meanwhile; readers see a load as one step;
 * drop and close wait for a save; and memory goes back.
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
    tarn_namespace *ns, *second;
    atomic_uint_fast64_t begun, done; /* the writer's numbers */
};

static const struct tarn_slice same_name = {0};

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
    for (; now_ms() < end && !contest.failed; saves++)
        check_saved_sum(&common, saves % 2, &largest);
    contest_end(&contest);
    expect_that(saves >= 3 && largest > 0);
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
    for (; now_ms() < end && !contest.failed; saves++)
        check_saved_pair(&common);
    contest_end(&contest);
    expect_that(saves >= 3);
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
    for (; now_ms() < end && !contest.failed; loads++)
        expect_ok(tarn_snapshot_load_namespace(f->store, text(loads % 2 ? "two" : "one"),
                                               text("test"), same_name));
    contest_end(&contest);
    expect_that(loads >= 3);
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
    STORE_FOLDER_TEST(test_the_sum_is_constant),
    STORE_FOLDER_TEST(test_two_namespaces_are_one_cut),
    STORE_FOLDER_TEST(test_a_moving_window_has_no_gap),
    STORE_FOLDER_TEST(test_readers_see_one_step),
    STORE_FOLDER_TEST(test_loads_and_saves_while_others_write),
    STORE_FOLDER_TEST(test_several_at_once),
    STORE_FOLDER_TEST(test_drop_and_close_wait),
    STORE_FOLDER_TEST(test_memory_grows_by_what_is_overwritten),
};

CONFORMANCE_TOPIC(snapshot_threads, tests);
