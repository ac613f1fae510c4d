/*
 * What becomes of a call that does not get its lock: TARN_LOCK_TIMEOUT within the bounds of
 * lock_timeout_ms, with nothing changed; and what needs no lock goes on meanwhile.
 *
 * A holder thread has the lock of one key's shard, through the private headers. The store runs on
 * an operating system whose wall clock jumps by years in both directions at each look (faults.md,
 * 32): waiting is not to depend on it.
 */
#include "store/store.h"
#include "support/fixture.h"
#include "support/test_folder.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { SHARDS = 4, TIMEOUT_MS = 50, TIMEOUT_MS_MOST = 1000 };

/* ------------------------------------------------------------------------------------------
 * A store whose wall clock jumps, and a thread that holds a lock in it
 */

struct jumping_os {
    struct tarn__os os; /* first, so that the members find the rest */
    _Atomic uint64_t looks;
};

static uint64_t jumping_wall_ns(const struct tarn__os *os)
{
    const uint64_t year = UINT64_C(365) * 86400 * 1000000000;
    uint64_t look = atomic_fetch_add(&((struct jumping_os *)os)->looks, 1);

    return look % 2 ? 3 * year : (50 - look % 20) * year;
}

static struct jumping_os jumping;
static tarn_store *store;
static tarn_namespace *ns;

enum hold { HOLD_LOCK, HOLD_LOCK_AND_MARK };

struct holder {
    pthread_t thread;
    bool running;
    enum hold hold;
    _Atomic int step; /* 1: it holds, 2: it may let go */
    tarn_status status;
};

static struct holder holder;

/* A key of the last shard, so that whoever wants all locks has the others already. */
static struct tarn_slice held_key;
static char held_room[NUMBERED_KEY_ROOM];

static uint64_t hash_of(struct tarn_slice key)
{
    return tarn__hash(key, store->environment.seed);
}

static void wait_for_step(int step)
{
    while (atomic_load(&holder.step) < step)
        sched_yield();
}

static void *hold(void *context)
{
    uint64_t hash = hash_of(held_key);
    struct tarn__lock_set set;
    struct tarn__entry entry;
    struct tarn__held held;

    (void)context;
    holder.status = tarn__shards_lock_some(ns, &hash, 1, &held, &set);
    if (holder.hold == HOLD_LOCK_AND_MARK && !holder.status) {
        (void)tarn__index_place(held.index, hash, &entry.place); /* it is not empty */
        tarn__index_begin_batch(&entry);
    }
    atomic_store(&holder.step, 1);
    wait_for_step(2);
    if (holder.hold == HOLD_LOCK_AND_MARK && !holder.status)
        tarn__index_end_batch(&entry);
    if (!holder.status)
        tarn__shards_unlock_some(ns, &set);
    return NULL;
}

static void begin_holding(enum hold what)
{
    holder.hold = what;
    atomic_store(&holder.step, 0);
    assert_int_equal(0, pthread_create(&holder.thread, NULL, hold, NULL));
    holder.running = true;
    wait_for_step(1);
    expect_ok(holder.status);
}

static void end_holding(void)
{
    if (!holder.running)
        return;
    holder.running = false;
    atomic_store(&holder.step, 2);
    pthread_join(holder.thread, NULL);
}

static uint32_t shard_of(struct tarn_slice key)
{
    struct tarn__groups *groups = atomic_load(&atomic_load(&ns->index)->groups);

    return groups->shard[tarn__group_of(groups, hash_of(key))];
}

/* A key of another shard than the one that is held. */
static struct tarn_slice elsewhere(char room[NUMBERED_KEY_ROOM])
{
    uint64_t number = 0;

    while (shard_of(numbered_key(room, number)) == SHARDS - 1)
        number++;
    return text(room);
}

static int set_up(void **state)
{
    struct tarn_namespace_options options = {
        .size = sizeof options, .shards = SHARDS, .lock_timeout_ms = TIMEOUT_MS};

    (void)state;
    jumping.os = *tarn__os_posix();
    jumping.os.wall_ns = jumping_wall_ns;
    expect_ok(tarn__store_open(&jumping.os, NULL, NULL, &store));
    expect_ok(tarn_namespace_create(store, text("test"), &options, &ns));
    /* The first key makes the groups, which tell where the keys belong. */
    expect_ok(tarn_set(ns, text("first"), text("value"), NULL, NULL));
    expect_ok(tarn_delete(ns, text("first")));
    for (uint64_t number = 1000; held_key.length == 0 || shard_of(held_key) != SHARDS - 1; number++)
        held_key = numbered_key(held_room, number);
    expect_ok(tarn_set(ns, held_key, text("value"), NULL, NULL));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end_holding(); /* where a test failed meanwhile */
    tarn_namespace_close(ns);
    expect_ok(tarn_close(store));
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * Calls
 */

static tarn_batch *batch_of(struct tarn_slice first, struct tarn_slice second)
{
    tarn_batch *batch;

    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, first, text("new")));
    expect_ok(tarn_batch_set(batch, second, text("new")));
    return batch;
}

static tarn_status call_set(void)
{
    struct tarn_buf old = {0};
    bool existed = true;
    tarn_status status = tarn_set(ns, held_key, text("new"), &old, &existed);

    expect_that(existed && !old.data); /* untouched */
    return status;
}

static tarn_status call_delete(void)
{
    return tarn_delete(ns, held_key);
}

static tarn_status call_consume(void)
{
    struct tarn_buf value = {0};
    tarn_status status = tarn_consume(ns, held_key, &value);

    expect_that(!value.data);
    return status;
}

static tarn_status call_increment(void)
{
    return tarn_increment(ns, held_key, 1, NULL);
}

static tarn_status call_batch(void)
{
    char room[NUMBERED_KEY_ROOM];
    tarn_batch *batch = batch_of(elsewhere(room), held_key);
    struct tarn_batch_summary summary;
    struct tarn_result results[2];
    tarn_status status = tarn_batch_commit(ns, batch, TARN_ALL_OR_NOTHING, results, NULL, &summary);

    expect_number(0, summary.processed);
    expect_number(0, summary.failed);
    expect_that(summary.duration_ns >= (uint64_t)TIMEOUT_MS * 1000000);
    expect_that(summary.duration_ns < (uint64_t)TIMEOUT_MS_MOST * 1000000);
    tarn_batch_free(batch);
    return status;
}

static tarn_status call_configure(void)
{
    struct tarn_namespace_options options = {
        .size = sizeof options, .max_keys = 10, .lock_timeout_ms = 7};

    return tarn_namespace_configure(ns, TARN_SET_MAX_KEYS | TARN_SET_LOCK_TIMEOUT_MS, &options);
}

static tarn_status call_resize(void)
{
    return tarn_namespace_resize(ns, 9);
}

static tarn_status call_clear(void)
{
    return tarn_namespace_clear(ns);
}

static tarn_status call_stats(void)
{
    struct tarn_stats stats = {.size = sizeof stats, .keys = 99};
    uint64_t keys[4] = {99, 99, 99, 99};
    tarn_status status = tarn_namespace_stats(ns, &stats, keys, 4);

    expect_that(stats.keys == 99 && keys[0] == 99 && keys[3] == 99);
    return status;
}

static tarn_status call_get_many(void)
{
    struct tarn_slice keys[] = {held_key, held_key};
    struct tarn_result results[2];
    struct tarn_buf values = {0};
    tarn_status status = tarn_get_many(ns, TARN_ALL_OR_NOTHING, keys, 2, results, &values);

    expect_number(0, values.length);
    tarn_buf_release(&values);
    return status;
}

static void expect_timeout(tarn_status (*call)(void), const char *what)
{
    const struct tarn__os *os = &jumping.os;
    uint64_t begin = os->monotonic_ns(os), ms;
    tarn_status status = call();

    ms = (os->monotonic_ns(os) - begin) / 1000000;
    if (status != TARN_LOCK_TIMEOUT)
        fail_msg("%s returned %s", what, tarn_status_name(status));
    if (ms < TIMEOUT_MS || ms > TIMEOUT_MS_MOST)
        fail_msg("%s waited for %llu ms", what, (unsigned long long)ms);
    expect_status(TARN_LOCK_TIMEOUT, tarn_last_error()->status);
}

#define EXPECT_TIMEOUT(call) expect_timeout((call), #call)

/* ------------------------------------------------------------------------------------------
 * Tests
 */

static void writes_time_out_and_change_nothing(void **state)
{
    struct fixture_state before = fixture_state_of(ns);
    struct tarn_stats stats = {.size = sizeof stats};

    (void)state;
    begin_holding(HOLD_LOCK);
    EXPECT_TIMEOUT(call_set);
    EXPECT_TIMEOUT(call_delete);
    EXPECT_TIMEOUT(call_consume);
    EXPECT_TIMEOUT(call_increment);
    EXPECT_TIMEOUT(call_batch);
    EXPECT_TIMEOUT(call_configure);
    EXPECT_TIMEOUT(call_resize);
    EXPECT_TIMEOUT(call_clear);
    EXPECT_TIMEOUT(call_stats);
    end_holding();
    expect_same_state(before, ns);
    expect_ok(tarn_namespace_stats(ns, &stats, NULL, 0));
    expect_number(4, stats.shards);
    expect_number(0, stats.options.max_keys);
    expect_number(TIMEOUT_MS, stats.options.lock_timeout_ms);
    /* No lock was left behind. */
    expect_ok(tarn_set(ns, held_key, text("new"), NULL, NULL));
    expect_ok(call_configure());
    expect_ok(call_resize());
    expect_ok(call_clear());
}

static void best_effort_tells_which_operation_timed_out(void **state)
{
    char room[NUMBERED_KEY_ROOM];
    struct tarn_batch_summary summary;
    struct tarn_result results[2];
    tarn_batch *batch = batch_of(held_key, elsewhere(room));

    (void)state;
    begin_holding(HOLD_LOCK);
    expect_ok(tarn_batch_commit(ns, batch, TARN_BEST_EFFORT, results, NULL, &summary));
    end_holding();
    expect_number(1, summary.processed);
    expect_number(1, summary.failed);
    expect_number(0, summary.first_failed);
    expect_status(TARN_LOCK_TIMEOUT, results[0].status);
    expect_ok(results[1].status);
    expect_stored(ns, held_key, text("value"));
    expect_stored(ns, text(room), text("new"));
    tarn_batch_free(batch);
}

static void reads_and_other_shards_go_on(void **state)
{
    struct tarn_slice keys[] = {held_key, text("absent")}, key;
    struct tarn_result results[2];
    struct tarn_buf values = {0};
    char room[NUMBERED_KEY_ROOM];
    tarn_cursor *cursor;
    size_t count = 0;

    (void)state;
    begin_holding(HOLD_LOCK);
    expect_ok(tarn_set(ns, elsewhere(room), text("other"), NULL, NULL));
    expect_stored(ns, held_key, text("value")); /* a copy and a pin */
    expect_ok(tarn_exists(ns, held_key));
    expect_absent(ns, text("absent"));
    expect_ok(tarn_get_many(ns, TARN_BEST_EFFORT, keys, 2, results, &values));
    expect_ok(tarn_get_many(ns, TARN_ALL_OR_NOTHING, keys, 1, results, &values));
    expect_bytes(text("value"), results[0].value);
    expect_ok(tarn_cursor_open(ns, NULL, &cursor));
    while (tarn_cursor_next(cursor, &key, NULL, NULL) == TARN_OK)
        count++;
    tarn_cursor_close(cursor);
    end_holding();
    expect_number(2, count);
    tarn_buf_release(&values);
}

/* Where writers keep changing the keys, an all-or-nothing read wants the locks. */
static void reads_at_one_moment_time_out_behind_a_writer(void **state)
{
    (void)state;
    begin_holding(HOLD_LOCK_AND_MARK);
    EXPECT_TIMEOUT(call_get_many);
    end_holding();
    expect_stored(ns, held_key, text("value"));
    expect_number(0, atomic_load(&ns->copying));
}

/* The first key of a namespace needs all locks: it waits for those no longer than for one. */
static void the_first_key_times_out_too(void **state)
{
    (void)state;
    expect_ok(call_clear());
    expect_ok(tarn__shards_lock_all(ns, true));
    EXPECT_TIMEOUT(call_increment);
    expect_absent(ns, held_key);
    tarn__shards_unlock_all(ns);
    expect_ok(call_increment());
}

/* A child that was forked in the middle of a write has the lock as well, and nobody to give it
 * back: it is told at once. */
static int everything_in_child(void)
{
    struct tarn_namespace_options options = {.size = sizeof options, .max_keys = 1000};
    tarn_cursor *cursor;
    int64_t sum;
    int waited = 0;

    waited += tarn_set(ns, held_key, text("child"), NULL, NULL) != TARN_FORKED;
    waited += tarn_increment(ns, held_key, 1, &sum) != TARN_FORKED;
    waited += tarn_namespace_stats(ns, NULL, NULL, 0) != TARN_FORKED;
    waited += tarn_namespace_clear(ns) != TARN_FORKED;
    waited += tarn_namespace_resize(ns, 2 * SHARDS) != TARN_FORKED;
    waited += tarn_namespace_configure(ns, TARN_SET_MAX_KEYS, &options) != TARN_FORKED;
    waited += call_get_many() != TARN_FORKED;
    waited += tarn_cursor_open(ns, NULL, &cursor) != TARN_FORKED;
    waited += tarn_namespace_drop(store, text("test")) != TARN_FORKED;
    waited += tarn_close(store) != TARN_FORKED;
    return waited;
}

static void a_forked_child_waits_for_no_lock(void **state)
{
    (void)state;
    expect_ok(tarn__shards_lock_all(ns, true));
    expect_number(0, test_run_in_child(everything_in_child));
    tarn__shards_unlock_all(ns);
    expect_stored(ns, held_key, text("value"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(writes_time_out_and_change_nothing),
        TEST(best_effort_tells_which_operation_timed_out),
        TEST(reads_and_other_shards_go_on),
        TEST(reads_at_one_moment_time_out_behind_a_writer),
        TEST(the_first_key_times_out_too),
        TEST(a_forked_child_waits_for_no_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
