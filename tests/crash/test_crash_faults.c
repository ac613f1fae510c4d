/*
 * Calls of the system that fail under a store in a directory: each sync, kept and reverted; each
 * call, once, from then on, and after it was done. The statuses are those of tarn.h, memory is as
 * it was where a call failed, nothing acknowledged is lost, and TARN_OUTCOME_UNKNOWN is told where
 * it can be either. (Numbers 13, 15, 18 to 22 of the list of faults, for catalog and snapshots.)
 *
 * TARN_SEED is the first run's seed, TARN_CRASH_SEEDS says how many there are; TARN_TEST_SCALE
 * multiplies them.
 */
#include "crash/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fixture.h"

#include <errno.h>
#include <time.h>

#define STEPS 14
#define SEEDS 2

static uint64_t seeds(void)
{
    return environment_number("TARN_CRASH_SEEDS", SEEDS) * environment_number("TARN_TEST_SCALE", 1);
}

static uint64_t first_seed(void)
{
    return environment_number("TARN_SEED", 1);
}

/* Runs it once; false: it failed and was printed. *fired: whether there was a call to fail. */
static bool run_once(const struct crash_settings *settings, const char *what, uint64_t nth,
                     uint64_t *states, bool *fired)
{
    struct step steps[STEPS];
    struct crash_report report;
    size_t count = STEPS;

    steps_make(settings->seed, steps, count);
    steps[1].kind = STEP_SET; /* each run has something to load */
    steps[1].ns = steps[0].ns;
    steps[2].kind = STEP_SAVE;
    steps[3].kind = STEP_REOPEN;
    steps[3].number = TARN_LOAD_NEWEST;
    if (crash_run(settings, steps, count, &report)) {
        *states += report.states;
        *fired = report.fired > 0;
        return true;
    }
    count = crash_shrink(settings, steps, count);
    (void)crash_run(settings, steps, count, &report); /* to tell how the shorter one fails */
    print_error("%s, the call number %llu\n", what, (unsigned long long)nth);
    crash_print(settings, steps, count, &report);
    return false;
}

static void fail_each_sync(enum sim_sync_failure failure, const char *what)
{
    uint64_t states = 0, runs = 0, seed = first_seed();

    for (uint64_t i = 0; i < seeds(); i++) {
        bool fired = true;

        for (uint64_t nth = 1; fired; nth++, runs++) {
            struct crash_settings settings = {
                .seed = seed + i, .failing_sync = nth, .sync_failure = failure, .quiet = true};

            if (!run_once(&settings, what, nth, &states, &fired))
                fail();
        }
    }
    print_message("%s: %llu runs, %llu crash states\n", what, (unsigned long long)runs,
                  (unsigned long long)states);
}

static void test_each_sync_fails_and_the_cache_keeps(void **state)
{
    (void)state;
    fail_each_sync(SIM_SYNC_FAILS_KEPT, "a sync fails, and the cache keeps what it had");
}

static void test_each_sync_fails_and_the_cache_reverts(void **state)
{
    (void)state;
    fail_each_sync(SIM_SYNC_FAILS_REVERTED, "a sync fails, and the cache reverts");
}

static void fail_each_call(enum os_fault_effect effect, bool lasting, int error, const char *what)
{
    uint64_t states = 0, runs = 0, seed = first_seed();

    for (uint64_t i = 0; i < seeds(); i++) {
        bool fired = true;

        for (uint64_t nth = 1; fired; nth++, runs++) {
            struct os_fault_plan plan = {.calls = OS_CALL_ANY,
                                         .effect = effect,
                                         .nth = nth,
                                         .lasting = lasting,
                                         .error = error};
            struct crash_settings settings = {.seed = seed + i, .fault = &plan, .quiet = true};

            if (!run_once(&settings, what, nth, &states, &fired))
                fail();
        }
    }
    print_message("%s: %llu runs, %llu crash states\n", what, (unsigned long long)runs,
                  (unsigned long long)states);
}

static void test_each_call_fails_once(void **state)
{
    (void)state;
    fail_each_call(OS_FAULT_FAIL, false, EIO, "a call fails");
}

static void test_no_space_once(void **state)
{
    (void)state;
    fail_each_call(OS_FAULT_FAIL, false, ENOSPC, "a call finds no space");
}

static void test_each_call_fails_from_then_on(void **state)
{
    (void)state;
    fail_each_call(OS_FAULT_FAIL, true, EIO, "all calls fail from one on");
}

static void test_each_call_fails_after_it_was_done(void **state)
{
    (void)state;
    fail_each_call(OS_FAULT_FAIL_AFTER, false, EIO, "a call fails after it was done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_sync_fails_and_the_cache_keeps),
        cmocka_unit_test(test_each_sync_fails_and_the_cache_reverts),
        cmocka_unit_test(test_each_call_fails_once),
        cmocka_unit_test(test_no_space_once),
        cmocka_unit_test(test_each_call_fails_from_then_on),
        cmocka_unit_test(test_each_call_fails_after_it_was_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
