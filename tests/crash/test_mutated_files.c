/*
 * Files that are not as they were written: a small store is saved once, and opened again and again
 * with something changed in its folder. Each opening gives a typed error that names the file and
 * the place, or what was saved. (Numbers 1 to 7 of the list of faults, for catalog, snapshots and
 * lock; mutated.h lists what is tried, mutant_judge.h what is expected.)
 *
 * TARN_SEED is the seed (1 without it). TARN_TEST_SCALE multiplies the number of changed files that
 * are opened, which is TARN_MUTATED_FILES (100,000 without it).
 */
#include "crash/disk.h"
#include "crash/mutated.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "support/format_samples.h"

#include <string.h>
#include <time.h>

#define FILES 100000

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void test_changed_files_are_refused_or_harmless(void **state)
{
    struct mutated_settings settings = {.seed = environment_number("TARN_SEED", 1),
                                        .files = environment_number("TARN_MUTATED_FILES", FILES) *
                                                 environment_number("TARN_TEST_SCALE", 1)};
    struct mutated_report report;
    double start = seconds();

    (void)state;
    if (!mutated_run(&settings, &report))
        fail_msg("TARN_SEED=%llu, file %llu of %llu: %s", (unsigned long long)settings.seed,
                 (unsigned long long)report.files, (unsigned long long)settings.files,
                 report.failure);
    for (unsigned i = 0; i < report.share_count; i++)
        print_message("%8llu %s\n", (unsigned long long)report.shares[i].files,
                      report.shares[i].name);
    print_message("%llu changed files in %llu openings with seed %llu; at most %zu bytes of memory "
                  "at once, files of up to %zu: %.1f s\n",
                  (unsigned long long)report.files, (unsigned long long)report.openings,
                  (unsigned long long)settings.seed, report.memory_asked, report.longest_file,
                  seconds() - start);
    assert_true(report.files >= settings.files);
}

/* The folder of the snapshots gives way to a file. */
static void put_file_for_folder(struct sim_disk *disk, const struct saved_store *saved)
{
    const struct tarn__os *os = &disk->os;
    int directory, file;

    expect_number(0, os->directory_open(os, TARN__OS_NO_DIRECTORY, saved->files[SAVED_OLD].folder,
                                        &directory));
    for (unsigned i = SAVED_OLD; i < SAVED_FILES; i++)
        expect_number(0, os->unlink(os, directory, saved->files[i].name));
    expect_number(0, os->close(os, directory));
    expect_number(0, os->directory_open(os, TARN__OS_NO_DIRECTORY, SAVED_FOLDER, &directory));
    expect_number(0, os->directory_remove(os, directory, "snapshots"));
    expect_number(0, os->file_open(os, directory, "snapshots", TARN__OPEN_CREATE, &file));
    expect_number(0, os->close(os, file));
    expect_number(0, os->close(os, directory));
}

static void test_a_file_for_the_folder_of_snapshots(void **state)
{
    struct saved_store saved;
    struct sim_disk *disk;
    uint64_t changes;

    (void)state;
    saved_store_make(&saved, 1);
    disk = sim_disk_copy(saved.disk);
    crash_disk_prepare(disk, NULL);
    put_file_for_folder(disk, &saved);
    changes = sim_disk_operations(disk) - sim_disk_syncs(disk);
    for (int load = 0; load <= TARN_LOAD_NOTHING; load++)
        for (int read_only = 0; read_only < 2; read_only++) {
            struct tarn_options options = {
                .size = sizeof options, .load = (enum tarn_load)load, .read_only = read_only};
            tarn_store *store;

            expect_status(TARN_IO, tarn__store_open(&disk->os, SAVED_FOLDER, &options, &store));
            expect_that(strstr(tarn_last_error()->message, "'/db/snapshots'") != NULL);
        }
    expect_number(changes, sim_disk_operations(disk) - sim_disk_syncs(disk));
    sim_disk_free(disk);
    saved_store_release(&saved);
}

/* Opens the saved store with a number of so many bytes at a place in its catalog, whose checksums
 * are right. */
static void expect_opening(const struct saved_store *saved, tarn_status wanted, size_t at,
                           size_t width, uint64_t number)
{
    const struct saved_original *catalog = &saved->files[SAVED_CATALOG];
    struct sim_disk *disk = sim_disk_copy(saved->disk);
    struct file_builder file;
    uint64_t changes;

    crash_disk_prepare(disk, NULL);
    file_with_number(&file, tarn_slice_of(catalog->bytes, catalog->length), at, width, number);
    expect_number(catalog->length, file.length);
    expect_that(sim_disk_set_bytes(disk, catalog->path, 0, file.bytes, file.length));
    changes = sim_disk_operations(disk) - sim_disk_syncs(disk);
    for (int load = 0; load <= TARN_LOAD_NOTHING; load++)
        for (int read_only = 0; read_only < 2; read_only++) {
            struct tarn_options options = {
                .size = sizeof options, .load = (enum tarn_load)load, .read_only = read_only};
            tarn_store *store = NULL;

            expect_status(wanted, tarn__store_open(&disk->os, SAVED_FOLDER, &options, &store));
            expect_that((wanted == TARN_OK) == (store != NULL));
            if (wanted)
                expect_that(strstr(tarn_last_error()->message, "'/db/catalog'") != NULL);
            expect_ok(tarn_close(store));
        }
    expect_number(changes, sim_disk_operations(disk) - sim_disk_syncs(disk));
    file_release(&file);
    sim_disk_free(disk);
}

/* Of the store, and of a namespace: places as docs/format-catalog.md has them. */
static void test_autosaves_out_of_bounds(void **state)
{
    static const uint64_t longest = (uint64_t)1000 * 60 * 60 * 24 * 366;
    static const uint64_t intervals[] = {0, 99, longest + 1, (uint64_t)1 << 63, UINT64_MAX};
    enum { IN_STORE = 40, IN_ALPHA = 42 + 5, INTERVAL = 1, KEEP = 9 };
    struct saved_store saved;

    (void)state;
    saved_store_make(&saved, 1);
    for (int block = 0; block < 2; block++) {
        size_t settings = saved.files[SAVED_CATALOG].blocks[block] + TARN__BLOCK_HEADER_BYTES +
                          (block ? IN_ALPHA : IN_STORE);

        for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++)
            expect_opening(&saved, TARN_CORRUPT, settings + INTERVAL, 8, intervals[i]);
        expect_opening(&saved, TARN_CORRUPT, settings + KEEP, 4, 0);
        expect_opening(&saved, TARN_OK, settings + INTERVAL, 8, 100);
        expect_opening(&saved, TARN_OK, settings + INTERVAL, 8, longest);
        expect_opening(&saved, TARN_OK, settings + KEEP, 4, 1);
    }
    saved_store_release(&saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_for_the_folder_of_snapshots),
        cmocka_unit_test(test_autosaves_out_of_bounds),
        cmocka_unit_test(test_changed_files_are_refused_or_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
