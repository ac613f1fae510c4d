/*
 * Power cuts on a real file system: a process works on a store (crash/worker.h) on a disk of the
 * test's own (support/loop_disk.h), whose power goes at a random moment, or right after a step was
 * acknowledged; the journal is replayed, and the store is judged (crash/judge.h). The power goes
 * once more after the judge's own save. (Numbers 24, 25 and 26 of the list of faults.)
 *
 * What was acknowledged was synced, so it must be there: only then is a loss to be seen that a kill
 * would not show.
 *
 * TARN_SEED is the seed of all choices; the moments are the machine's. TARN_CUTS is how many cuts
 * there are (20), times TARN_TEST_SCALE if it is not set; those of the judge's saves are not
 * counted. A store that was refused is copied, and the test says where.
 */
#include "crash/judge.h"
#include "crash/worker.h"

#include "support/fixture.h"
#include "support/loop_disk.h"
#include "support/store_folder.h"
#include "support/test_folder.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CUTS          20
#define CUTS_OF_STORE 10 /* then the next store is made */
#define DISK_BYTES    ((uint64_t)64 * 1024 * 1024)
#define IDLE_US_MAX   60000000
#define STOP_STEPS    30

static struct loop_disk disk;

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void pause_us(uint64_t us)
{
    struct timespec pause = {.tv_sec = (time_t)(us / 1000000),
                             .tv_nsec = (long)(us % 1000000) * 1000};

    (void)nanosleep(&pause, NULL); /* a shorter pause is as good */
}

static bool disk_failed(struct judge *judge)
{
    return worker_wrong(&judge->problem, "%s", disk.problem);
}

/* Waits until the worker has done its steps, and is idle. */
static bool wait_for_steps(struct judge *judge)
{
    uint64_t end = now_us() + IDLE_US_MAX;

    while (!atomic_load(&judge->log->idle))
        if (now_us() > end)
            return worker_wrong(&judge->problem, "the worker has crashed, or hangs");
        else
            pause_us(200);
    return true;
}

/* The power goes while a worker works, and it gets errors until it is killed; or right after a
 * step, which it waits behind. */
static bool cut_some(struct judge *judge, uint64_t *random)
{
    bool after_step = random_below(random, 2) == 0, right = true;
    struct worker_plan plan = {
        .path = judge->path,
        .seed = random_next(random),
        .threads = (unsigned)random_below(random, WORKER_THREADS),
        .catalog = judge->catalog,
        .stop_after = after_step ? 1 + (uint32_t)random_below(random, STOP_STEPS) : 0,
        .power_may_fail = true,
    };
    pid_t child;

    for (unsigned i = 0; i < WORKER_SNAPSHOTS; i++)
        plan.snapshots[i] = judge_find(&judge->saves, worker_snapshot_names[i]) != NULL;
    child = worker_start(judge->log, &plan);
    if (child < 0)
        return worker_wrong(&judge->problem, "no process");
    if (after_step)
        right = wait_for_steps(judge);
    else
        pause_us(100 + random_below(random, random_below(random, 4) ? 30000 : 150000));
    right = loop_disk_cut_power(&disk) && right;
    pause_us(random_below(random, 3000));
    right = (worker_kill(child) ||
             worker_wrong(&judge->problem, "the worker had crashed before it was killed")) &&
            right;
    return (right && loop_disk_restart(&disk)) || disk_failed(judge);
}

/* Between the judge's save and the openings that must find it. */
static bool cut_judge(void *context)
{
    return (loop_disk_cut_power(&disk) && loop_disk_restart(&disk)) || disk_failed(context);
}

static void keep(const char *path)
{
    char around[200], kept[220];

    if (test_folder_make(around, sizeof around) != 0)
        return;
    snprintf(kept, sizeof kept, "%s/store", around);
    folder_copy(path, kept);
    print_error("the store is in %s\n", kept);
}

/* Cuts while one store lives; false after it has said why. */
static bool cut_store(struct worker_log *log, uint64_t seed, uint64_t first, uint64_t count,
                      struct judge_counts *counts)
{
    uint64_t random = seed ^ (first * 0x9e3779b97f4a7c15), round = first;
    char path[240];
    struct judge judge;
    bool right = true;

    snprintf(path, sizeof path, "%s/store", disk.path);
    judge_begin(&judge, path, log, random_next(&random));
    judge.counts = *counts;
    judge.interlude = cut_judge;
    judge.interlude_context = &judge;
    for (; round < first + count && right; round++)
        right = cut_some(&judge, &random) && judge_round(&judge);
    *counts = judge.counts;
    if (!right) {
        print_error("cut %llu (TARN_SEED=%llu): %s\n", (unsigned long long)round,
                    (unsigned long long)seed, judge.problem.text);
        worker_log_print(log, stderr);
        keep(path);
    }
    judge_release(&judge);
    return test_folder_remove(path) == 0 && loop_disk_sync(&disk) && right;
}

static void test_nothing_acknowledged_is_lost_by_power_cuts(void **state)
{
    uint64_t cuts =
        environment_number("TARN_CUTS", CUTS) * environment_number("TARN_TEST_SCALE", 1);
    uint64_t seed = environment_number("TARN_SEED", now_us()), start = now_us();
    struct worker_log *log = worker_log_make();
    struct judge_counts counts = {0};
    bool right = log != NULL;

    (void)state;
    for (uint64_t done = 0; done < cuts && right; done += CUTS_OF_STORE)
        right = cut_store(log, seed, done,
                          cuts - done < CUTS_OF_STORE ? cuts - done : CUTS_OF_STORE, &counts);
    worker_log_free(log);
    assert_true(right);
    print_message("%llu power cuts (seed %llu): %llu steps, %llu saves, %llu autosaves; %llu calls "
                  "were interrupted: %.1f s\n",
                  (unsigned long long)cuts, (unsigned long long)seed,
                  (unsigned long long)counts.steps, (unsigned long long)counts.saves,
                  (unsigned long long)counts.autosaves, (unsigned long long)counts.interrupted,
                  (double)(now_us() - start) * 1e-6);
    /* cuts that hit nothing prove nothing */
    assert_true(cuts < CUTS || (counts.saves > 0 && counts.interrupted > 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_acknowledged_is_lost_by_power_cuts),
    };
    int result;

    if (!loop_disk_make(&disk, DISK_BYTES))
        return loop_disk_skip(&disk);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    loop_disk_remove(&disk);
    return result;
}
