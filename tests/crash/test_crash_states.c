/*
 * A store survives every crash: random steps, each power cut after each operation of the disk, each
 * state opened and judged. Without an argument the namespaces are in memory, so that it is about
 * the catalog and the snapshots; with the argument "logs" most of them are in logs. (Numbers 24 to
 * 28 of the list of faults.)
 *
 * TARN_SEED is the first run's seed (1 without it), and each further run's is one more.
 * TARN_TEST_SCALE multiplies the number of states, which is TARN_CRASH_STATES (100,000 without it,
 * 50,000 with logs).
 */
#include "crash/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fixture.h"

#include <string.h>
#include <time.h>

#define STATES      100000
#define STATES_LOGS 50000 /* test_log_states.c has as many again of the engine alone */
#define STEPS       24

static bool logs;

static uint64_t first_seed(void)
{
    return environment_number("TARN_SEED", 1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Runs the steps of a seed; where they fail, prints the shortest trace. */
static bool run_seed(uint64_t seed, struct crash_report *report)
{
    struct crash_settings settings = {.seed = seed, .logs = logs};
    struct step steps[STEPS];
    size_t count = STEPS;

    steps_make(seed, logs, steps, count);
    if (crash_run(&settings, steps, count, report))
        return true;
    count = crash_shrink(&settings, steps, count);
    (void)crash_run(&settings, steps, count, report); /* to tell how the shorter one fails */
    crash_print(&settings, steps, count, report);
    return false;
}

static void test_every_crash_state_recovers(void **state)
{
    uint64_t wanted = environment_number("TARN_CRASH_STATES", logs ? STATES_LOGS : STATES) *
                      environment_number("TARN_TEST_SCALE", 1);
    uint64_t seed = first_seed(), runs = 0, states = 0, operations = 0;
    double start = seconds();
    struct crash_report report;

    (void)state;
    while (states < wanted) {
        if (!run_seed(seed + runs, &report))
            fail();
        states += report.states;
        operations += report.operations;
        runs++;
    }
    print_message("%llu crash states of %llu operations in %llu runs from seed %llu: %.1f s\n",
                  (unsigned long long)states, (unsigned long long)operations,
                  (unsigned long long)runs, (unsigned long long)seed, seconds() - start);
    assert_true(states >= wanted);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_crash_state_recovers),
    };

    logs = argc > 1 && strcmp(argv[1], "logs") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
