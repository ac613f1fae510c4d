/*
 * A storm of kills: a process works on a store (crash/worker.h) and is killed at a random moment,
 * while it opens, writes, saves, or closes; then the store is judged (crash/judge.h). In some of
 * the rounds a process that only opens the store is killed, too, before it is judged. (Numbers 23,
 * 25, 26 and 27 of the list of faults.)
 *
 * TARN_SEED is the seed of all choices; the moments are the machine's, so that the same seed need
 * not fail again. TARN_KILLS is how many kills there are (200), times TARN_TEST_SCALE if it is not
 * set. Every other store is in the folder for memory, where it is done with sooner, if there is
 * one. A store that was refused stays, and the test says where.
 */
#include "crash/judge.h"
#include "crash/worker.h"

#include "support/fixture.h"
#include "support/test_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KILLS          200
#define KILLS_OF_STORE 25 /* then the next store is made */
#define MEMORY_FOLDER  "/dev/shm"
#define PAUSE_US_MAX   250000

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Many moments are early, when a store is opened; some are late enough for an autosave. */
static uint64_t choose_pause_us(uint64_t *random)
{
    uint64_t kind = random_below(random, 100);

    if (kind < 25)
        return 20 + random_below(random, 2000);
    if (kind < 85)
        return 1000 + random_below(random, 25000);
    if (kind < 93)
        return 25000 + random_below(random, 35000);
    return 110000 + random_below(random, PAUSE_US_MAX - 110000);
}

static void pause_us(uint64_t us)
{
    struct timespec pause = {.tv_sec = (time_t)(us / 1000000),
                             .tv_nsec = (long)(us % 1000000) * 1000};

    (void)nanosleep(&pause, NULL); /* a shorter pause is as good */
}

/* Kills a worker, and then perhaps some openings. */
static bool kill_some(struct judge *judge, uint64_t *random)
{
    struct worker_plan plan = {
        .path = judge->path,
        .seed = random_next(random),
        .threads = (unsigned)random_below(random, WORKER_THREADS),
        .catalog = judge->catalog,
    };
    uint64_t openings = random_below(random, 4) == 0 ? 1 + random_below(random, 2) : 0;
    pid_t child;

    for (unsigned i = 0; i < WORKER_SNAPSHOTS; i++)
        plan.snapshots[i] = judge_find(&judge->saves, worker_snapshot_names[i]) != NULL;
    child = worker_start(judge->log, &plan);
    pause_us(choose_pause_us(random));
    if (child < 0 || !worker_kill(child))
        return worker_wrong(&judge->problem, "the worker had crashed before it was killed");
    for (; openings && judge->begun; openings--) {
        child = worker_start_opening(judge->log, &plan);
        pause_us(50 + random_below(random, 3000));
        if (child < 0 || !worker_kill(child))
            return worker_wrong(&judge->problem, "an opening had crashed before it was killed");
    }
    return true;
}

static int make_folder(char *path, size_t room, bool in_memory)
{
    if (!in_memory || getenv("TMPDIR") || access(MEMORY_FOLDER, W_OK) != 0)
        return test_folder_make(path, room);
    snprintf(path, room, MEMORY_FOLDER "/tarn-test-XXXXXX");
    return mkdtemp(path) ? 0 : -1;
}

/* Kills while one store lives; false after it has said why. */
static bool storm(struct worker_log *log, uint64_t seed, uint64_t first, uint64_t count,
                  struct judge_counts *counts)
{
    uint64_t random = seed ^ (first * 0x9e3779b97f4a7c15), round = first;
    char around[100], path[120];
    struct judge judge;
    bool right = true;

    if (make_folder(around, sizeof around, first / KILLS_OF_STORE % 2 == 1) != 0)
        return false;
    snprintf(path, sizeof path, "%s/store", around);
    judge_begin(&judge, path, log, random_next(&random));
    judge.counts = *counts;
    for (; round < first + count && right; round++)
        right = kill_some(&judge, &random) && judge_round(&judge);
    *counts = judge.counts;
    if (right) {
        (void)test_folder_remove(around); /* what matters was judged */
    } else {
        print_error("kill %llu (TARN_SEED=%llu): %s\nthe store is in %s\n",
                    (unsigned long long)round, (unsigned long long)seed, judge.problem.text, path);
        worker_log_print(log, stderr);
    }
    judge_release(&judge);
    return right;
}

static void test_nothing_acknowledged_is_lost_by_kills(void **state)
{
    uint64_t kills =
        environment_number("TARN_KILLS", KILLS) * environment_number("TARN_TEST_SCALE", 1);
    uint64_t seed = environment_number("TARN_SEED", now_us()), start = now_us();
    struct worker_log *log = worker_log_make();
    struct judge_counts counts = {0};
    bool right = log != NULL;

    (void)state;
    for (uint64_t done = 0; done < kills && right; done += KILLS_OF_STORE)
        right = storm(log, seed, done,
                      kills - done < KILLS_OF_STORE ? kills - done : KILLS_OF_STORE, &counts);
    worker_log_free(log);
    assert_true(right);
    print_message("%llu kills (seed %llu): %llu openings, %llu steps, %llu saves, %llu autosaves, "
                  "%llu writes; %llu calls were interrupted, %llu saves among them done: %.1f s\n",
                  (unsigned long long)kills, (unsigned long long)seed,
                  (unsigned long long)counts.sessions, (unsigned long long)counts.steps,
                  (unsigned long long)counts.saves, (unsigned long long)counts.autosaves,
                  (unsigned long long)counts.writes, (unsigned long long)counts.interrupted,
                  (unsigned long long)counts.found, (double)(now_us() - start) * 1e-6);
    /* a storm that hits nothing proves nothing */
    assert_true(kills < KILLS ||
                (counts.saves > 0 && counts.writes > 0 && counts.interrupted > kills / 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_acknowledged_is_lost_by_kills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
