/*
 * The tests of crashes are proved by bugs: each of these is planted, and must be found within so
 * many crash states, or so many files that have changed; without one nothing is found. (The end of
 * the chapter on the simulated disk.)
 *
 * Mistakes of the order of operations are planted into the disk's table (disk.c), the others into a
 * second build of the library (base/plant.h).
 */
#include "base/plant.h"
#include "crash/disk.h"
#include "crash/mutated.h"
#include "crash/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fixture.h"

#include <string.h>

#define STEPS      24
#define STATES_MAX 30000 /* in which a bug must be found, and without one nothing */
#define STATES_RUN 3000  /* of one run of them */
#define SEED       7000
#define FILES_MAX  4000 /* changed ones, in which a bug of the formats must be found */

int tarn__planted;

static const char *const plant_names[TARN__PLANTS] = {
    [TARN__PLANT_NEWEST_BY_CLOCK] = "the newest snapshot chosen by its clock",
    [TARN__PLANT_NEWEST_BY_NAME] = "the newest snapshot chosen by its name",
    [TARN__PLANT_SUCCESSOR] = "a dropped namespace's snapshot loaded into its successor",
    [TARN__PLANT_NUMBERS_BEGIN_ANEW] = "the numbers of namespaces begin anew",
    [TARN__PLANT_LOG_NO_WAIT] = "a write acknowledged before it is synced",
    [TARN__PLANT_LOG_ENDED_UNSYNCED] = "a log ended without a sync",
    [TARN__PLANT_SEGMENT_NOT_SYNCED] = "a segment listed before its head is durable",
    [TARN__PLANT_SEGMENT_NAME_NOT_SYNCED] = "a segment listed before its name is durable",
    [TARN__PLANT_SEGMENT_NOT_RESERVED] = "a segment's number not reserved",
    [TARN__PLANT_LIST_SEEN_BELIEVED] = "a list of segments believed that may not be durable",
    [TARN__PLANT_LEFTOVERS_STAY] = "files left that no list names",
    [TARN__PLANT_FILES_GO_FIRST] = "segments' files removed before the list is replaced",
    [TARN__PLANT_MENDED_NOT_SYNCED] = "the list replaced before the mended log is durable",
    [TARN__PLANT_MEND_BEHIND_CUT] = "a log written on behind the cut",
    [TARN__PLANT_DURABLE_POINT_EARLY] = "a durable point told too early",
    [TARN__PLANT_BATCH_IN_PIECES] = "a batch written in pieces",
    [TARN__PLANT_FRAME_CHECKSUM] = "the checksum of a frame not compared",
    [TARN__PLANT_LOADED_NOT_SYNCED] = "a loaded log in the catalog before it is durable",
    [TARN__PLANT_HOME_NOT_RESERVED] = "a home's number not reserved",
    [TARN__PLANT_HOME_NOT_SYNCED] = "a home in the catalog before its name is durable",
    [TARN__PLANT_HOME_GOES_FIRST] = "a home removed before the catalog says so",
    [TARN__PLANT_COMPACTED_NOT_SYNCED] = "the list replaced before what was compacted is durable",
    [TARN__PLANT_LOG_SYNC_RETRIED] = "a failed sync of a log retried and trusted",
    [TARN__PLANT_BLOCK_CHECKSUM] = "the checksum of a block not compared",
    [TARN__PLANT_CATALOG_CHECKSUM] = "the checksums of the catalog not compared",
    [TARN__PLANT_HEADER_CHECKSUM] = "the checksum of a file's header not compared",
    [TARN__PLANT_PLACE_NOT_BOUND] = "a block accepted at another place",
    [TARN__PLANT_FILE_NOT_BOUND] = "a block of another file accepted",
    [TARN__PLANT_END_NOT_NEEDED] = "a catalog accepted that ends without its end block",
    [TARN__PLANT_TOTAL] = "the total over the blocks not compared",
    [TARN__PLANT_BLOCKS_COUNTED] = "the count of blocks not compared",
    [TARN__PLANT_RECORDS_COUNTED] = "the counts of a namespace not compared",
    [TARN__PLANT_BYTES_BEHIND_END] = "bytes behind the end accepted",
    [TARN__PLANT_NEWER_VERSION] = "an unknown version read all the same",
    [TARN__PLANT_UNKNOWN_FLAGS] = "unknown flags of a file passed over",
    [TARN__PLANT_UNKNOWN_ENGINE] = "an unknown engine taken for the memory",
    [TARN__PLANT_LENGTH_BELIEVED] = "a length believed before the file's is looked at",
    [TARN__PLANT_REST_OF_BLOCK] = "a rest of a block passed over",
    [TARN__PLANT_ORDER_OF_BLOCKS] = "blocks accepted in any order",
};

/* Runs seed after seed until one fails or there were enough states; tells how many there were. */
static bool is_found(struct crash_settings settings, struct crash_report *report, uint64_t *states)
{
    bool right = true;

    *states = 0;
    for (settings.seed = SEED; right && *states < STATES_MAX; settings.seed++) {
        struct step steps[STEPS];

        steps_make(settings.seed, settings.logs, steps, STEPS);
        /* a run that is cut off at the beginning would see the first steps alone */
        settings.quiet = !settings.logs && settings.seed % 2;
        settings.states_max = STATES_RUN;
        right = crash_run(&settings, steps, STEPS, report);
        *states += report->states;
    }
    return !right;
}

static void tell(const char *name, bool found, uint64_t count, const char *what,
                 const char *failure)
{
    print_message("%-56s %s after %llu %s: %.*s\n", name, found ? "found" : "NOT FOUND",
                  (unsigned long long)count, what, found ? (int)strcspn(failure, "\n") : 0,
                  failure);
}

/* Fails each sync in turn, until the bug shows. */
static bool is_found_by_syncs(void (*plant)(struct sim_disk *), bool logs,
                              struct crash_report *report, uint64_t *states)
{
    bool fired = true, right = true;

    *states = 0;
    for (uint64_t nth = 1; fired && right; nth++) {
        struct crash_settings settings = {
            .seed = SEED, .logs = logs, .plant = plant, .failing_sync = nth, .quiet = true};
        struct step steps[STEPS];

        steps_make(settings.seed, settings.logs, steps, STEPS);
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
                         ? is_found_by_syncs(planted->plant, false, &report, &states)
                         : is_found(settings, &report, &states);

        tell(planted->name, found, states, "states", report.failure);
        missed += !found;
    }
    assert_int_equal(missed, 0);
}

static void test_bugs_in_the_library(void **state)
{
    size_t missed = 0;

    (void)state;
    for (tarn__planted = 1; tarn__planted < TARN__PLANT_FIRST_OF_LOGS; tarn__planted++) {
        struct crash_settings settings = {0};
        struct crash_report report;
        uint64_t states;
        bool found = is_found(settings, &report, &states);

        tell(plant_names[tarn__planted], found, states, "states", report.failure);
        missed += !found;
    }
    tarn__planted = 0;
    assert_int_equal(missed, 0);
}

static void test_bugs_of_logs(void **state)
{
    size_t missed = 0;

    (void)state;
    for (tarn__planted = TARN__PLANT_FIRST_OF_LOGS; tarn__planted < TARN__PLANT_FIRST_OF_FORMATS;
         tarn__planted++) {
        struct crash_settings settings = {.logs = true};
        struct crash_report report;
        uint64_t states;
        bool found = tarn__planted >= TARN__PLANT_FIRST_OF_LOG_SYNCS
                         ? is_found_by_syncs(NULL, true, &report, &states)
                         : is_found(settings, &report, &states);

        tell(plant_names[tarn__planted], found, states, "states", report.failure);
        missed += !found;
    }
    tarn__planted = 0;
    assert_int_equal(missed, 0);
}

/* Opens a store whose files have changed, as test_mutated_files does. */
static bool is_found_by_files(struct mutated_report *report)
{
    const struct mutated_settings settings = {.seed = SEED, .files = FILES_MAX};

    return !mutated_run(&settings, report);
}

static void test_bugs_in_the_formats(void **state)
{
    size_t missed = 0;

    (void)state;
    for (tarn__planted = TARN__PLANT_FIRST_OF_FORMATS; tarn__planted < TARN__PLANTS;
         tarn__planted++) {
        struct mutated_report report;
        bool found = is_found_by_files(&report);

        tell(plant_names[tarn__planted], found, report.files, "files", report.failure);
        missed += !found;
    }
    tarn__planted = 0;
    assert_int_equal(missed, 0);
}

static void test_nothing_is_found_without_a_bug(void **state)
{
    struct crash_settings settings = {0};
    struct crash_report report;
    struct mutated_report of_files;
    uint64_t states;
    bool found = is_found(settings, &report, &states);

    (void)state;
    tell("no bug", found, states, "states", report.failure);
    assert_false(found);
    found = is_found_by_syncs(NULL, false, &report, &states);
    tell("no bug, but syncs that fail", found, states, "states", report.failure);
    assert_false(found);
    found = is_found_by_files(&of_files);
    tell("no bug, but files that have changed", found, of_files.files, "files", of_files.failure);
    assert_false(found);
}

/* With the argument "logs" what is about logs alone, with "others" the rest, without one all. */
int main(int argc, char **argv)
{
    const struct CMUnitTest of_logs[] = {
        cmocka_unit_test(test_bugs_of_logs),
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_bugs_in_the_order_of_operations),
        cmocka_unit_test(test_bugs_in_the_library),
        cmocka_unit_test(test_bugs_in_the_formats),
        cmocka_unit_test(test_nothing_is_found_without_a_bug),
    };
    const char *which = argc > 1 ? argv[1] : "";
    int failed = 0;

    if (strcmp(which, "others") != 0)
        failed += cmocka_run_group_tests(of_logs, NULL, NULL);
    if (strcmp(which, "logs") != 0)
        failed += cmocka_run_group_tests(others, NULL, NULL);
    return failed;
}
