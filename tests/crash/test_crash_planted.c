/*
 * The tests of crashes are proved by bugs: each of these is planted, and must be found within so
 * many crash states; without one nothing is found. (The end of the chapter on the simulated disk.)
 *
 * Mistakes of the order of operations are planted into the disk's table (disk.c), the others into a
 * second build of the library (base/plant.h).
 */
#include "base/plant.h"
#include "crash/disk.h"
#include "crash/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fixture.h"

#include <string.h>

#define STEPS      24
#define STATES_MAX 60000 /* in which a bug must be found */
#define STATES_RUN 3000  /* of one run of them */
#define SEED       7000

int tarn__planted;

static const char *const plant_names[TARN__PLANTS] = {
    [TARN__PLANT_NEWEST_BY_CLOCK] = "the newest snapshot chosen by its clock",
    [TARN__PLANT_NEWEST_BY_NAME] = "the newest snapshot chosen by its name",
    [TARN__PLANT_SEQUENCE_NOT_RAISED] = "the sequence not raised at opening",
    [TARN__PLANT_SUCCESSOR] = "a dropped namespace's snapshot loaded into its successor",
    [TARN__PLANT_NUMBERS_BEGIN_ANEW] = "the numbers of namespaces begin anew",
};

/* Runs seed after seed until one fails or there were enough states; tells how many there were. */
static bool is_found(struct crash_settings settings, struct crash_report *report, uint64_t *states)
{
    bool right = true;

    *states = 0;
    for (settings.seed = SEED; right && *states < STATES_MAX; settings.seed++) {
        struct step steps[STEPS];

        steps_make(settings.seed, steps, STEPS);
        /* a run that is cut off at the beginning would see the first steps alone */
        settings.quiet = settings.seed % 2;
        settings.states_max = STATES_RUN;
        right = crash_run(&settings, steps, STEPS, report);
        *states += report->states;
    }
    return !right;
}

static void tell(const char *name, bool found, uint64_t states, struct crash_report *report)
{
    report->failure[strcspn(report->failure, "\n")] = '\0';
    print_message("%-56s %s after %llu states: %s\n", name, found ? "found" : "NOT FOUND",
                  (unsigned long long)states, found ? report->failure : "");
}

/* Fails each sync in turn, until the bug shows. */
static bool is_found_by_syncs(void (*plant)(struct sim_disk *), struct crash_report *report,
                              uint64_t *states)
{
    bool fired = true, right = true;

    *states = 0;
    for (uint64_t nth = 1; fired && right; nth++) {
        struct crash_settings settings = {
            .seed = SEED, .plant = plant, .failing_sync = nth, .quiet = true};
        struct step steps[STEPS];

        steps_make(settings.seed, steps, STEPS);
        right = crash_run(&settings, steps, STEPS, report);
        *states += report->states;
        fired = report->fired > 0;
    }
    return !right;
}

static void test_bugs_in_the_order_of_operations(void **state)
{
    size_t missed = 0;

    (void)state;
    for (size_t i = 0; i < disk_plant_count; i++) {
        const struct disk_plant *planted = &disk_plants[i];
        struct crash_settings settings = {.plant = planted->plant};
        struct crash_report report;
        uint64_t states;
        bool found = planted->kind == DISK_PLANT_SYNC
                         ? is_found_by_syncs(planted->plant, &report, &states)
                         : is_found(settings, &report, &states);

        tell(planted->name, found, states, &report);
        missed += !found;
    }
    assert_int_equal(missed, 0);
}

static void test_bugs_in_the_library(void **state)
{
    size_t missed = 0;

    (void)state;
    for (tarn__planted = 1; tarn__planted < TARN__PLANTS; tarn__planted++) {
        struct crash_settings settings = {0};
        struct crash_report report;
        uint64_t states;
        bool found = is_found(settings, &report, &states);

        tell(plant_names[tarn__planted], found, states, &report);
        missed += !found;
    }
    tarn__planted = 0;
    assert_int_equal(missed, 0);
}

static void test_nothing_is_found_without_a_bug(void **state)
{
    struct crash_settings settings = {0};
    struct crash_report report;
    uint64_t states;
    bool found = is_found(settings, &report, &states);

    (void)state;
    tell("no bug", found, states, &report);
    assert_false(found);
    found = is_found_by_syncs(NULL, &report, &states);
    tell("no bug, but syncs that fail", found, states, &report);
    assert_false(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bugs_in_the_order_of_operations),
        cmocka_unit_test(test_bugs_in_the_library),
        cmocka_unit_test(test_nothing_is_found_without_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
