/*
 * The log survives every crash: random writes and syncs with segments so small that there are many;
 * the power cut after each operation of the disk, each state opened and judged: what is found is
 * the state after some operation, not before the last durable one, batches whole; and the log then
 * takes writes and two more openings. The recovery suffers crashes, too. A killed process loses
 * nothing that was acknowledged. And each sync fails in turn: the log takes nothing more, and what
 * is found at the next opening is durable. Long histories with many compactions are judged as those
 * of a killed process alone. (Numbers 20, 21, 24, 25 and 27 of the list of faults.)
 *
 * TARN_SEED is the first run's seed (1 without it), and each further run's is one more.
 * TARN_CRASH_STATES is how many states are opened at least (100,000 without it), times
 * TARN_TEST_SCALE; TARN_CRASH_SEEDS for how many seeds each sync fails (2 without it).
 */
#include "support/fixture.h"
#include "support/log_model.h"
#include "support/sim_crash.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FOLDER         "/log"
#define STATES         100000
#define STEPS          18
#define LONG_STEPS     200
#define HISTORIES      100
#define EVERY_RECOVERY 401 /* of so many states, one whose recovery suffers crashes, too */
#define RANDOM_STATES  6
#define MOMENT_MAX     40 /* states of a moment */
#define RECOVERY_MAX   12 /* ... in a recovery */
#define FAILED_MAX     4  /* ... after a sync has failed */
#define SEEDS          2

struct run {
    uint64_t seed, random, states, visits;
    uint64_t failing_sync;  /* from 1, after the log was made; 0: none */
    struct log_model model; /* of the writes */
    struct sim_disk *disk;
    struct sim_crash_seen *seen;
    bool failed;
    char problem[1000];
};

/* A log that is recovered. */
struct recovered {
    struct run *run;
    struct log_model model;
    unsigned depth;
};

static bool fail_run(struct run *run, const char *what, const char *detail)
{
    if (!run->problem[0])
        snprintf(run->problem, sizeof run->problem, "%s: %s", what, detail);
    return false;
}

static void judge_states(struct run *run, const struct log_model *model, struct sim_disk *disk,
                         unsigned depth);

static void after_operation(void *context, struct sim_disk *disk, uint64_t operation)
{
    struct recovered *recovered = context;

    (void)operation;
    if (!recovered->run->problem[0])
        judge_states(recovered->run, &recovered->model, disk, recovered->depth);
}

/* Opens, and compares; what was found is durable then. */
static bool open_and_judge(struct recovered *recovered, unsigned least, const char *when)
{
    struct log_model *model = &recovered->model;
    tarn_status status = log_model_open(model, FOLDER, false);

    if (status)
        return fail_run(recovered->run, when, tarn_last_error()->message);
    if (log_model_match(model, least) < 0 || !log_model_locations_are_right(model))
        return fail_run(recovered->run, when, model->problem);
    model->durable = model->acknowledged;
    return true;
}

/* What a log must be able to do after a crash. */
static bool try_log(struct recovered *recovered)
{
    struct log_model *model = &recovered->model;
    uint64_t random = recovered->run->visits;
    unsigned before;

    if (!open_and_judge(recovered, model->durable, "after a crash"))
        return false;
    before = model->done;
    if (before + 2 > LOG_OPERATIONS_MAX)
        return log_model_close(model, false) == TARN_OK;
    if (log_model_write(model, &random, random % 16 == 0) ||
        (random % 2 && log_model_sync(model)) || log_model_close(model, random % 3 == 0))
        return fail_run(recovered->run, "writing after a crash", tarn_last_error()->message);
    if (!open_and_judge(recovered, before + 1, "after the next write"))
        return false;
    if (log_model_write(model, &random, false) || log_model_close(model, true))
        return fail_run(recovered->run, "writing again", tarn_last_error()->message);
    return open_and_judge(recovered, before + 2, "at the end") &&
           log_model_close(model, false) == TARN_OK;
}

struct visiting {
    struct run *run;
    const struct log_model *model;
    unsigned depth;
};

static bool visit(void *context, struct sim_disk *crashed, const char *choice)
{
    struct visiting *visiting = context;
    struct run *run = visiting->run;
    struct recovered *recovered = malloc(sizeof *recovered);
    bool right;

    *recovered =
        (struct recovered){.run = run, .model = *visiting->model, .depth = visiting->depth + 1};
    recovered->model.os = &crashed->os;
    recovered->model.is_open = false;
    run->visits++;
    if (visiting->depth == 0 && !run->failing_sync && run->visits % EVERY_RECOVERY == 0)
        sim_disk_observe(crashed, after_operation, recovered);
    right = try_log(recovered);
    sim_disk_observe(crashed, NULL, NULL);
    if (!right) {
        size_t length = strlen(run->problem);

        snprintf(run->problem + length, sizeof run->problem - length, " (depth %u, choice %s)",
                 visiting->depth, choice);
        if (recovered->model.is_open)
            (void)log_model_close(&recovered->model, false);
    }
    free(recovered);
    return right;
}

static void judge_states(struct run *run, const struct log_model *model, struct sim_disk *disk,
                         unsigned depth)
{
    struct visiting visiting = {.run = run, .model = model, .depth = depth};
    struct sim_crash_options options = {.seed = run->seed,
                                        .random_states = RANDOM_STATES,
                                        .states_max = run->failing_sync ? FAILED_MAX
                                                      : depth           ? RECOVERY_MAX
                                                                        : MOMENT_MAX,
                                        .judged_by = (uint64_t)model->durable << 32 | model->done};

    run->states += sim_crash_states(disk, &options, run->seen, visit, &visiting);
}

/* What the next process finds when this one is killed. */
static bool judge_kill(struct run *run)
{
    struct sim_disk *killed = sim_disk_copy_pending(run->disk);
    struct recovered recovered = {.run = run, .model = run->model, .depth = 1};
    bool right;

    recovered.model.os = &killed->os;
    recovered.model.durable = run->model.acknowledged; /* a kill loses nothing of it */
    right = try_log(&recovered);
    if (!right && recovered.model.is_open)
        (void)log_model_close(&recovered.model, false);
    sim_disk_free(killed);
    return right;
}

static void observe_writes(void *context, struct sim_disk *disk, uint64_t operation)
{
    struct run *run = context;

    (void)operation;
    if (!run->problem[0])
        judge_states(run, &run->model, disk, 0);
}

/* The log is opened anew; what is found then is durable. */
static bool go_on_after_failure(struct run *run)
{
    struct log_model *model = &run->model;
    tarn_status status = TARN_OK;
    uint64_t position;

    if (model->is_open && atomic_load(&model->log.failed)) {
        struct tarn__write write = {.record.key = text("key 0"), .record.value = text("value")};

        status = tarn__log_append(&model->log, &write, 1, &position);
        if (status != TARN_READ_ONLY)
            return fail_run(run, "after a failed sync", "something was appended");
    }
    if (model->is_open)
        (void)log_model_close(model, false);
    status = log_model_open(model, FOLDER, false);
    if (status)
        return fail_run(run, "opening after a failed sync", tarn_last_error()->message);
    if (log_model_match(model, model->durable) < 0)
        return fail_run(run, "opening after a failed sync", model->problem);
    model->durable = model->acknowledged;
    sim_disk_observe(run->disk, observe_writes, run);
    judge_states(run, model, run->disk, 0);
    return !run->problem[0];
}

static bool step(struct run *run)
{
    struct log_model *model = &run->model;
    uint64_t choice = random_below(&run->random, 20);
    tarn_status status = TARN_OK;

    if (choice < 11)
        status = log_model_write(model, &run->random, choice == 0);
    else if (choice < 13)
        status = log_model_sync(model);
    else if (choice < 14)
        log_model_run_jobs(model);
    else if (choice < 16)
        status = log_model_close(model, choice == 14);
    else
        status = log_model_compact(model, choice == 16, &run->random);
    if (!status && choice >= 14 && choice < 16) {
        unsigned least = model->acknowledged;

        status = log_model_open(model, FOLDER, false);
        if (!status && log_model_match(model, least) < 0)
            return fail_run(run, "opening", model->problem);
    }
    if (run->failing_sync && sim_disk_sync_failures(run->disk) && !run->failed) {
        run->failed = true;
        return go_on_after_failure(run);
    }
    if (status)
        return fail_run(run, "a step", tarn_last_error()->message);
    return run->failing_sync || judge_kill(run);
}

/* What is done to a log. */
struct plan {
    unsigned steps;
    bool cuts; /* the power is cut after each operation of the disk */
    uint64_t failing_sync;
    enum sim_sync_failure failure;
};

/* *failed: the sync that was to fail was reached. */
static bool run_seed(uint64_t seed, const struct plan *plan, uint64_t *states, bool *failed)
{
    struct run *run = calloc(1, sizeof *run);
    bool right;

    run->seed = run->random = seed;
    run->failing_sync = plan->failing_sync;
    run->disk = sim_disk_create(seed);
    run->seen = sim_crash_seen_create();
    run->model.os = &run->disk->os;
    run->model.by_hand = true;
    run->model.segment_bytes = 400;
    run->model.mode = seed % 2 ? TARN_SYNC_NONE : TARN_SYNC_ALWAYS;
    right = tarn__directory_make(run->model.os, FOLDER) == TARN_OK &&
            log_model_create(&run->model, FOLDER) == TARN_OK;
    if (plan->failing_sync)
        sim_disk_fail_sync(run->disk, plan->failing_sync, plan->failure);
    if (plan->cuts)
        sim_disk_observe(run->disk, observe_writes, run);
    for (unsigned i = 0; i < plan->steps && right; i++)
        right = step(run) && !run->problem[0];
    sim_disk_observe(run->disk, NULL, NULL);
    if (!right) {
        print_error("TARN_SEED=%llu, failing sync %llu: %s\n", (unsigned long long)seed,
                    (unsigned long long)plan->failing_sync, run->problem);
        sim_disk_print_trace(run->disk, stderr);
    }
    if (run->model.is_open)
        (void)log_model_close(&run->model, false);
    *states += run->states;
    *failed = run->failed;
    sim_crash_seen_free(run->seen);
    sim_disk_free(run->disk);
    free(run);
    return right;
}

static void test_every_crash_state_recovers(void **state)
{
    uint64_t wanted =
        environment_number("TARN_CRASH_STATES", STATES) * environment_number("TARN_TEST_SCALE", 1);
    uint64_t seed = environment_number("TARN_SEED", 1), runs = 0, states = 0;
    const struct plan plan = {.steps = STEPS, .cuts = true};
    clock_t start = clock();
    bool failed;

    (void)state;
    while (states < wanted) {
        if (!run_seed(seed + runs, &plan, &states, &failed))
            fail();
        runs++;
    }
    print_message("%llu crash states in %llu runs from seed %llu: %.1f s\n",
                  (unsigned long long)states, (unsigned long long)runs, (unsigned long long)seed,
                  (double)(clock() - start) / CLOCKS_PER_SEC);
}

static void test_long_histories_bring_nothing_back(void **state)
{
    uint64_t seed = environment_number("TARN_SEED", 1), states = 0;
    uint64_t wanted = environment_number("TARN_HISTORIES", HISTORIES);
    const struct plan plan = {.steps = LONG_STEPS};
    bool failed;

    (void)state;
    for (uint64_t i = 0; i < wanted; i++)
        if (!run_seed(seed + i, &plan, &states, &failed))
            fail();
}

static void fail_each_sync(enum sim_sync_failure failure)
{
    uint64_t first = environment_number("TARN_SEED", 1), states = 0, runs = 0;
    uint64_t seeds =
        environment_number("TARN_CRASH_SEEDS", SEEDS) * environment_number("TARN_TEST_SCALE", 1);

    for (uint64_t seed = first; seed < first + seeds; seed++) {
        bool failed = true;

        for (uint64_t sync = 1; failed; sync++, runs++) {
            const struct plan plan = {.steps = STEPS, .failing_sync = sync, .failure = failure};

            if (!run_seed(seed, &plan, &states, &failed))
                fail();
        }
    }
    print_message("%llu crash states in %llu runs with a failing sync\n",
                  (unsigned long long)states, (unsigned long long)runs);
}

static void test_each_sync_fails_and_the_cache_keeps(void **state)
{
    (void)state;
    fail_each_sync(SIM_SYNC_FAILS_KEPT);
}

static void test_each_sync_fails_and_the_cache_reverts(void **state)
{
    (void)state;
    fail_each_sync(SIM_SYNC_FAILS_REVERTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_sync_fails_and_the_cache_keeps),
        cmocka_unit_test(test_each_sync_fails_and_the_cache_reverts),
        cmocka_unit_test(test_every_crash_state_recovers),
        cmocka_unit_test(test_long_histories_bring_nothing_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
