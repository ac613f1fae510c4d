/*
 * Exactness from many threads: limits are never exceeded, not by one; every value is consumed once;
 * no increment, insert or transfer is lost. TARN_TEST_SCALE makes each test longer.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "support/concurrency.h"
#include "support/fixture.h"

enum { THREADS = 4 };

static struct tarn_namespace_options options_with(uint64_t max_keys, uint64_t max_bytes)
{
    return (struct tarn_namespace_options){.size = sizeof(struct tarn_namespace_options),
                                           .max_keys = max_keys,
                                           .max_bytes = max_bytes};
}

static struct tarn_stats stats_of(tarn_namespace *ns)
{
    struct tarn_stats stats = {.size = sizeof stats};

    expect_ok(tarn_namespace_stats(ns, &stats, NULL, 0));
    return stats;
}

/* What the workers of a test share. */
struct shared {
    tarn_namespace *ns;
    uint64_t rounds;
    uint64_t limit;
    atomic_uint_least64_t done;
    atomic_uint_least64_t sum;
    atomic_uint_least64_t running;
};

/* ---- Limits ---- */

static void watch_limits(struct worker *worker)
{
    struct shared *shared = worker->context;

    while (contest_goes_on(worker) && atomic_load(&shared->running)) {
        struct tarn_stats stats = {.size = sizeof stats};

        CONTEST_OK(worker, tarn_namespace_stats(shared->ns, &stats, NULL, 0));
        CONTEST_CHECK(worker,
                      (!stats.options.max_keys || stats.keys <= stats.options.max_keys) &&
                          (!stats.options.max_bytes || stats.bytes <= stats.options.max_bytes),
                      "expected at most %" PRIu64 " keys and %" PRIu64 " bytes, got %" PRIu64
                      " and %" PRIu64,
                      stats.options.max_keys, stats.options.max_bytes, stats.keys, stats.bytes);
    }
}

static void insert_own(struct worker *worker)
{
    struct shared *shared = worker->context;
    char room[NUMBERED_KEY_ROOM];

    for (uint64_t i = 0; i < shared->rounds && contest_goes_on(worker); i++) {
        tarn_status status =
            tarn_insert(shared->ns, numbered_key(room, worker->index * 1000000 + i), text("value"));

        if (status == TARN_OK)
            atomic_fetch_add(&shared->done, 1);
        else
            CONTEST_CHECK(worker, status == TARN_TOO_MANY_KEYS || status == TARN_FULL,
                          "expected a limit, got %s", tarn_status_name(status));
    }
    atomic_fetch_sub(&shared->running, 1);
}

static void test_max_keys_is_met_exactly(void **state)
{
    struct fixture *f = *state;

    for (unsigned round = 0; round < scaled(10); round++) {
        struct tarn_namespace_options options = options_with(1000 + round, 0);
        struct contest contest = {.count = 0};
        struct shared shared = {.rounds = 600, .running = THREADS};

        fixture_renew_namespace(f, &options);
        shared.ns = f->ns;
        contest_add(&contest, THREADS, insert_own, &shared, round);
        contest_add(&contest, 1, watch_limits, &shared, round);
        contest_begin(&contest);
        contest_join(&contest, 0, THREADS);
        contest_end(&contest);
        expect_number(1000 + round, atomic_load(&shared.done));
        expect_number(1000 + round, fixture_state_of(f->ns).keys);
    }
}

/* Inserts, deletes, batches and overwrites at the limit. Any of them may fail there; what counts is
 * what the namespace holds meanwhile and afterwards. */
static void mix_at_the_limit(struct worker *worker)
{
    struct shared *shared = worker->context;
    unsigned char value[300] = {0};
    char room[NUMBERED_KEY_ROOM];
    tarn_batch *batch = NULL;

    CONTEST_OK(worker, tarn_batch_create(&batch));
    for (uint64_t i = 0; i < shared->rounds && contest_goes_on(worker); i++) {
        struct tarn_slice key = numbered_key(room, random_below(&worker->random, 60));
        uint64_t length = random_below(&worker->random, sizeof value);
        uint64_t dice = random_below(&worker->random, 10);

        if (dice < 5) {
            (void)tarn_set(shared->ns, key, tarn_slice_of(value, length), NULL, NULL);
        } else if (dice < 7) {
            (void)tarn_delete(shared->ns, key);
        } else if (dice < 8) {
            (void)tarn_increment(shared->ns, key, 1, NULL);
        } else {
            tarn_batch_clear(batch);
            for (unsigned j = 0; j < 5; j++)
                (void)tarn_batch_set(batch, numbered_key(room, random_below(&worker->random, 60)),
                                     tarn_slice_of(value, length));
            (void)tarn_batch_commit(shared->ns, batch,
                                    dice == 8 ? TARN_BEST_EFFORT : TARN_ALL_OR_NOTHING, NULL, NULL,
                                    NULL);
        }
    }
    tarn_batch_free(batch);
    atomic_fetch_sub(&shared->running, 1);
}

static void run_mix(struct fixture *f, uint64_t max_keys, uint64_t max_bytes)
{
    struct tarn_namespace_options options = options_with(max_keys, max_bytes);
    struct contest contest = {.count = 0};
    struct shared shared = {.rounds = scaled(10000), .running = THREADS};
    struct fixture_state after;
    char room[NUMBERED_KEY_ROOM];
    unsigned more = 0;

    fixture_renew_namespace(f, &options);
    shared.ns = f->ns;
    contest_add(&contest, THREADS, mix_at_the_limit, &shared, max_keys);
    contest_add(&contest, 1, watch_limits, &shared, max_keys);
    contest_begin(&contest);
    contest_join(&contest, 0, THREADS);
    contest_end(&contest);
    after = fixture_state_of(f->ns);
    expect_that(!max_keys || after.keys <= max_keys);
    expect_that(!max_bytes || after.bytes <= max_bytes);
    /* Nothing of the limit has been lost: it can be met to the last key. */
    while (max_keys && tarn_insert(f->ns, numbered_key(room, 1000 + more), text("")) == TARN_OK)
        more++;
    if (max_keys)
        expect_number(max_keys, stats_of(f->ns).keys);
    while (max_bytes && tarn_insert(f->ns, numbered_key(room, 1000 + more), text("")) == TARN_OK)
        more++;
    expect_that(!max_bytes || stats_of(f->ns).bytes + 8 > max_bytes);
}

static void test_max_keys_with_everything_mixed(void **state)
{
    run_mix(*state, 40, 0);
}

static void test_max_bytes_with_everything_mixed(void **state)
{
    run_mix(*state, 0, 4000);
}

/* ---- Exactly once ---- */

struct consumers {
    tarn_namespace *ns;
    uint64_t keys;
    atomic_uchar *taken;
};

static void consume_all(struct worker *worker)
{
    struct consumers *consumers = worker->context;
    char room[NUMBERED_KEY_ROOM];
    struct tarn_buf buf = {0};

    for (uint64_t i = 0; i < consumers->keys; i++) {
        tarn_status status = tarn_consume(consumers->ns, numbered_key(room, i), &buf);
        uint64_t number;

        if (status == TARN_KEY_NOT_FOUND)
            continue;
        CONTEST_CHECK(worker, status == TARN_OK && buf.length == 8, "expected a value, got %s",
                      tarn_status_name(status));
        memcpy(&number, buf.data, 8);
        CONTEST_CHECK(worker, number == i, "expected value %" PRIu64 ", got %" PRIu64, i, number);
        CONTEST_CHECK(worker, atomic_fetch_add(&consumers->taken[i], 1) == 0,
                      "expected value %" PRIu64 " to be consumed once, got it twice", i);
    }
    tarn_buf_release(&buf);
}

static void test_consume_exactly_once(void **state)
{
    struct fixture *f = *state;
    struct consumers consumers = {.ns = f->ns, .keys = 20000};
    char room[NUMBERED_KEY_ROOM];

    consumers.taken = calloc(consumers.keys, sizeof *consumers.taken);
    assert_non_null(consumers.taken);
    for (unsigned round = 0; round < scaled(3); round++) {
        struct contest contest = {.count = 0};

        for (uint64_t i = 0; i < consumers.keys; i++) {
            expect_ok(tarn_insert(f->ns, numbered_key(room, i), tarn_slice_of(&i, 8)));
            atomic_store(&consumers.taken[i], 0);
        }
        contest_add(&contest, THREADS, consume_all, &consumers, round);
        contest_begin(&contest);
        contest_join(&contest, 0, THREADS);
        contest_end(&contest);
        for (uint64_t i = 0; i < consumers.keys; i++)
            expect_number(1, atomic_load(&consumers.taken[i]));
        expect_number(0, fixture_state_of(f->ns).keys);
    }
    free(consumers.taken);
}

static void increment_a_few(struct worker *worker)
{
    struct shared *shared = worker->context;
    char room[NUMBERED_KEY_ROOM];
    tarn_batch *batch = NULL;
    uint64_t sum = 0;

    CONTEST_OK(worker, tarn_batch_create(&batch));
    for (uint64_t i = 0; i < shared->rounds && contest_goes_on(worker); i++) {
        int64_t delta = (int64_t)random_below(&worker->random, 100) - 30;

        if (i % 4 == 0) {
            tarn_batch_clear(batch);
            CONTEST_OK(worker, tarn_batch_increment(batch, numbered_key(room, i % 3), delta));
            CONTEST_OK(worker, tarn_batch_increment(batch, numbered_key(room, 0), delta));
            CONTEST_OK(worker,
                       tarn_batch_commit(shared->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
            sum += 2 * (uint64_t)delta;
        } else {
            CONTEST_OK(worker, tarn_increment(shared->ns, numbered_key(room, i % 3), delta, NULL));
            sum += (uint64_t)delta;
        }
    }
    tarn_batch_free(batch);
    atomic_fetch_add(&shared->sum, sum);
}

static void test_increments_sum_up(void **state)
{
    struct fixture *f = *state;
    struct shared shared = {.ns = f->ns, .rounds = scaled(20000)};
    struct contest contest = {.count = 0};
    char room[NUMBERED_KEY_ROOM];
    int64_t sum = 0, one;

    contest_add(&contest, THREADS, increment_a_few, &shared, 1);
    contest_begin(&contest);
    contest_join(&contest, 0, THREADS);
    contest_end(&contest);
    for (unsigned i = 0; i < 3; i++) {
        expect_ok(tarn_increment(f->ns, numbered_key(room, i), 0, &one));
        sum += one;
    }
    expect_signed((int64_t)atomic_load(&shared.sum), sum);
}

static void race_to_insert(struct worker *worker)
{
    struct shared *shared = worker->context;
    char room[NUMBERED_KEY_ROOM];

    for (uint64_t i = 0; i < shared->rounds; i++) {
        tarn_status status = tarn_insert(shared->ns, numbered_key(room, i),
                                         tarn_slice_of(&worker->index, sizeof worker->index));

        if (status == TARN_OK)
            atomic_fetch_add(&shared->done, 1);
        else
            CONTEST_CHECK(worker, status == TARN_KEY_EXISTS, "expected TARN_KEY_EXISTS, got %s",
                          tarn_status_name(status));
    }
}

static void test_an_insert_race_has_one_winner(void **state)
{
    struct fixture *f = *state;
    struct shared shared = {.ns = f->ns, .rounds = scaled(20000)};
    struct contest contest = {.count = 0};

    contest_add(&contest, THREADS, race_to_insert, &shared, 1);
    contest_begin(&contest);
    contest_join(&contest, 0, THREADS);
    contest_end(&contest);
    expect_number(shared.rounds, atomic_load(&shared.done));
    expect_number(shared.rounds, fixture_state_of(f->ns).keys);
}

/* Counts by reading a number with its sequence and writing the next one if nobody came between. */
static void count_by_sequence(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct tarn_record_info info;
    struct tarn_buf buf = {0};
    uint64_t number;

    for (uint64_t i = 0; i < shared->rounds && contest_goes_on(worker);) {
        tarn_status status;

        CONTEST_OK(worker, tarn_get(shared->ns, text("number"), &buf, &info));
        memcpy(&number, buf.data, 8);
        number++;
        status = tarn_replace_if_sequence(shared->ns, text("number"), info.sequence,
                                          tarn_slice_of(&number, 8));
        CONTEST_CHECK(worker, status == TARN_OK || status == TARN_CONDITION_FAILED,
                      "expected TARN_OK or TARN_CONDITION_FAILED, got %s",
                      tarn_status_name(status));
        i += status == TARN_OK;
    }
    tarn_buf_release(&buf);
}

static void test_a_loop_of_replace_if_sequence_counts(void **state)
{
    struct fixture *f = *state;
    struct shared shared = {.ns = f->ns, .rounds = scaled(5000)};
    struct contest contest = {.count = 0};
    uint64_t number = 0;

    expect_ok(tarn_set(f->ns, text("number"), tarn_slice_of(&number, 8), NULL, NULL));
    contest_add(&contest, THREADS, count_by_sequence, &shared, 1);
    contest_begin(&contest);
    contest_join(&contest, 0, THREADS);
    contest_end(&contest);
    number = THREADS * shared.rounds;
    expect_stored(f->ns, text("number"), tarn_slice_of(&number, 8));
}

/* ---- Transfers ---- */

enum { ACCOUNTS = 12, TOTAL = ACCOUNTS * 1000 };

static void add_account(tarn_batch *batch, unsigned account, int64_t old, int64_t amount)
{
    char room[NUMBERED_KEY_ROOM];

    (void)tarn_batch_replace_if(batch, numbered_key(room, account), tarn_slice_of(&old, 8),
                                tarn_slice_of(&amount, 8));
}

static void transfer(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct tarn_buf buf = {0};
    tarn_batch *batch = NULL;
    char room[NUMBERED_KEY_ROOM];

    CONTEST_OK(worker, tarn_batch_create(&batch));
    for (uint64_t i = 0; i < shared->rounds && contest_goes_on(worker); i++) {
        unsigned from = (unsigned)random_below(&worker->random, ACCOUNTS);
        unsigned to = (from + 1 + (unsigned)random_below(&worker->random, ACCOUNTS - 1)) % ACCOUNTS;
        int64_t amount = (int64_t)random_below(&worker->random, 100), a, b;
        tarn_status status;

        CONTEST_OK(worker, tarn_get(shared->ns, numbered_key(room, from), &buf, NULL));
        memcpy(&a, buf.data, 8);
        CONTEST_OK(worker, tarn_get(shared->ns, numbered_key(room, to), &buf, NULL));
        memcpy(&b, buf.data, 8);
        tarn_batch_clear(batch);
        add_account(batch, from, a, a - amount);
        add_account(batch, to, b, b + amount);
        status = tarn_batch_commit(shared->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL);
        CONTEST_CHECK(worker, status == TARN_OK || status == TARN_CONDITION_FAILED,
                      "expected TARN_OK or TARN_CONDITION_FAILED, got %s",
                      tarn_status_name(status));
        if (status == TARN_OK)
            atomic_fetch_add(&shared->done, 1);
    }
    tarn_batch_free(batch);
    tarn_buf_release(&buf);
    atomic_fetch_sub(&shared->running, 1);
}

/* At every moment the accounts hold the total. */
static void audit(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct tarn_result results[ACCOUNTS];
    struct tarn_slice keys[ACCOUNTS];
    char rooms[ACCOUNTS][NUMBERED_KEY_ROOM];
    struct tarn_buf buf = {0};

    for (unsigned i = 0; i < ACCOUNTS; i++)
        keys[i] = numbered_key(rooms[i], i);
    while (contest_goes_on(worker) && atomic_load(&shared->running)) {
        int64_t total = 0, amount;

        CONTEST_OK(worker,
                   tarn_get_many(shared->ns, TARN_ALL_OR_NOTHING, keys, ACCOUNTS, results, &buf));
        for (unsigned i = 0; i < ACCOUNTS; i++) {
            memcpy(&amount, results[i].value.data, 8);
            total += amount;
        }
        CONTEST_CHECK(worker, total == TOTAL, "expected a total of %d, got %" PRId64, TOTAL, total);
        atomic_fetch_add(&shared->sum, 1);
    }
    tarn_buf_release(&buf);
}

static void test_transfers_keep_the_total(void **state)
{
    struct fixture *f = *state;
    struct shared shared = {.ns = f->ns, .rounds = scaled(10000), .running = 3};
    struct contest contest = {.count = 0};
    char room[NUMBERED_KEY_ROOM];
    int64_t begin = TOTAL / ACCOUNTS;

    for (unsigned i = 0; i < ACCOUNTS; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), tarn_slice_of(&begin, 8)));
    contest_add(&contest, 3, transfer, &shared, 1);
    contest_add(&contest, 2, audit, &shared, 1);
    contest_begin(&contest);
    contest_join(&contest, 0, 3);
    contest_end(&contest);
    expect_that(atomic_load(&shared.done) > 0);
    expect_that(atomic_load(&shared.sum) > 0);
}

int main(void)
{
#define THREADS_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        THREADS_TEST(test_max_keys_is_met_exactly),
        THREADS_TEST(test_max_keys_with_everything_mixed),
        THREADS_TEST(test_max_bytes_with_everything_mixed),
        THREADS_TEST(test_consume_exactly_once),
        THREADS_TEST(test_increments_sum_up),
        THREADS_TEST(test_an_insert_race_has_one_winner),
        THREADS_TEST(test_a_loop_of_replace_if_sequence_counts),
        THREADS_TEST(test_transfers_keep_the_total),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
