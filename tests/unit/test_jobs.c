/*
 * Jobs of a store's own thread: they run when they are due, one at a time, again when they are
 * wanted meanwhile, and not any more once they were removed.
 */
#include "base/jobs.h"
#include "support/concurrency.h"
#include "support/fixture.h"

#include <sched.h>
#include <time.h>

enum { JOBS = 50, MS = 1000000 };

static struct tarn__jobs jobs;

static uint64_t now(const void *context)
{
    struct timespec time;

    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static int set_up(void **state)
{
    (void)state;
    return tarn__jobs_init(&jobs, now, NULL) == TARN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tarn__jobs_stop(&jobs);
    return 0;
}

/* A job that says when it ran, and may want itself again. */
struct sample {
    struct tarn__job job;
    _Atomic unsigned runs, *order;
    unsigned place;  /* among those with the same order, when it ran last */
    uint64_t ran_at; /* of the last run */
    _Atomic bool hold, held;
    unsigned again; /* how often it is to want itself */
};

static void run(void *context)
{
    struct sample *sample = context;

    sample->ran_at = now(NULL);
    sample->place = sample->order ? atomic_fetch_add(sample->order, 1) : 0;
    while (atomic_load(&sample->hold)) {
        atomic_store(&sample->held, true);
        sched_yield();
    }
    if (sample->again && sample->again--)
        tarn__jobs_want(&jobs, &sample->job, 0);
    atomic_fetch_add(&sample->runs, 1);
}

static void add(struct sample *sample)
{
    expect_ok(tarn__jobs_add(&jobs, &sample->job, run, sample));
}

static void wait_for_runs(struct sample *sample, unsigned runs)
{
    while (atomic_load(&sample->runs) < runs)
        sched_yield();
}

/* Whatever the order in which they were wanted. */
static void test_in_the_order_of_their_times(void **state)
{
    struct sample samples[JOBS] = {0};
    uint64_t start = now(NULL) + 20 * MS, random = 1;
    _Atomic unsigned order = 0;
    unsigned numbers[JOBS];

    (void)state;
    for (unsigned i = 0; i < JOBS; i++) {
        samples[i].order = &order;
        add(&samples[i]);
        numbers[i] = i;
    }
    for (unsigned i = JOBS - 1; i > 0; i--) {
        unsigned other = (unsigned)random_below(&random, i + 1), number = numbers[i];

        numbers[i] = numbers[other];
        numbers[other] = number;
    }
    for (unsigned i = 0; i < JOBS; i++)
        tarn__jobs_want(&jobs, &samples[numbers[i]].job, start + numbers[i] * (MS / 10));
    wait_for_runs(&samples[JOBS - 1], 1);
    for (unsigned i = 0; i < JOBS; i++) {
        expect_number(i, samples[i].place);
        expect_number(1, samples[i].runs);
        expect_that(samples[i].ran_at >= start + i * (MS / 10));
    }
}

/* Of two times the earlier one counts; and a job that is wanted twice runs once. */
static void test_the_earlier_time_counts(void **state)
{
    struct sample sooner = {0}, later = {0}, last = {0};
    uint64_t start = now(NULL);

    (void)state;
    add(&sooner);
    add(&later);
    add(&last);
    tarn__jobs_want(&jobs, &later.job, start + 60000 * (uint64_t)MS);
    tarn__jobs_want(&jobs, &sooner.job, start + 60000 * (uint64_t)MS);
    tarn__jobs_want(&jobs, &sooner.job, start + 5 * MS);
    tarn__jobs_want(&jobs, &sooner.job, start + 50000 * (uint64_t)MS);
    tarn__jobs_want(&jobs, &last.job, start + 10 * MS);
    wait_for_runs(&last, 1);
    expect_number(1, sooner.runs);
    expect_number(0, later.runs);
    tarn__jobs_wake(&jobs, &later.job);
    tarn__jobs_wake(&jobs, &later.job);
    wait_for_runs(&later, 1);
}

static void test_wanted_while_it_runs(void **state)
{
    struct sample sample = {.hold = true, .again = 3};

    (void)state;
    add(&sample);
    tarn__jobs_wake(&jobs, &sample.job);
    while (!atomic_load(&sample.held))
        sched_yield();
    tarn__jobs_wake(&jobs, &sample.job); /* it has begun: this is for the next time */
    atomic_store(&sample.hold, false);
    wait_for_runs(&sample, 4);
    tarn__jobs_remove(&jobs, &sample.job);
    expect_number(4, sample.runs);
}

static void let_go(struct worker *worker)
{
    struct sample *sample = worker->context;
    struct timespec pause = {.tv_nsec = 5 * MS};

    nanosleep(&pause, NULL);
    atomic_store(&sample->hold, false);
}

/* Removing waits for a run, after which it is not run any more although it wanted itself. */
static void test_removed(void **state)
{
    struct sample running = {.hold = true, .again = 1}, waiting = {0}, other = {0};
    struct contest contest = {0};

    (void)state;
    add(&running);
    add(&waiting);
    add(&other);
    tarn__jobs_want(&jobs, &waiting.job, now(NULL) + 20 * MS);
    tarn__jobs_wake(&jobs, &running.job);
    while (!atomic_load(&running.held))
        sched_yield();
    contest_add(&contest, 1, let_go, &running, 1);
    contest_begin(&contest);
    tarn__jobs_remove(&jobs, &running.job);
    expect_number(1, running.runs);
    contest_join(&contest, 0, 1);
    contest_end(&contest);
    tarn__jobs_remove(&jobs, &waiting.job);
    tarn__jobs_want(&jobs, &other.job, now(NULL) + 30 * MS);
    wait_for_runs(&other, 1);
    expect_number(1, running.runs);
    expect_number(0, waiting.runs);
}

static void wake_often(struct worker *worker)
{
    struct sample *samples = worker->context;

    for (unsigned i = 0; i < 2000; i++)
        tarn__jobs_wake(&jobs, &samples[random_below(&worker->random, 4)].job);
}

/* Whoever woke a job finds that it has run since. */
static void test_no_wake_is_lost(void **state)
{
    struct sample samples[4] = {0};
    struct contest contest = {0};

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        add(&samples[i]);
    contest_add(&contest, 4, wake_often, samples, 1);
    contest_begin(&contest);
    contest_join(&contest, 0, 4);
    contest_end(&contest);
    for (unsigned i = 0; i < 4; i++) {
        unsigned before = atomic_load(&samples[i].runs);

        tarn__jobs_wake(&jobs, &samples[i].job);
        wait_for_runs(&samples[i], before + 1);
    }
}

/* Then there is no thread, and nothing runs before somebody says so. */
static void test_by_hand(void **state)
{
    struct sample now_due = {.again = 3}, later = {0};

    (void)state;
    jobs.by_hand = true;
    add(&now_due);
    add(&later);
    tarn__jobs_wake(&jobs, &now_due.job);
    tarn__jobs_want(&jobs, &later.job, now(NULL) + 60000 * (uint64_t)MS);
    expect_that(!jobs.started);
    expect_number(0, now_due.runs);
    tarn__jobs_run_due(&jobs);
    expect_that(!jobs.started);
    expect_number(4, now_due.runs);
    expect_number(0, later.runs);
    tarn__jobs_wake(&jobs, &later.job);
    tarn__jobs_run_due(&jobs);
    expect_number(1, later.runs);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_in_the_order_of_their_times),
        TEST(test_the_earlier_time_counts),
        TEST(test_wanted_while_it_runs),
        TEST(test_removed),
        TEST(test_no_wake_is_lost),
        TEST(test_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
