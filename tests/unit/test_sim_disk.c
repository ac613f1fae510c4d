/*
 * The simulated disk as an operating system: it does what os.h says. That it does the same as Linux
 * is in test_sim_disk_as_linux.c, and what a power cut leaves in test_sim_crash.c.
 *
 * Each test has a disk with an empty folder /db.
 */
#include "support/sim_crash.h"
#include "support/sim_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define assert_ok(call)       assert_int_equal((call), TARN_OK)
#define assert_errno(call, e) assert_true(tarn__failed_with((call), (e)))
#define KIB                   ((uint64_t)1024)

static struct sim_disk *disk;
static const struct tarn__os *os;
static struct tarn__directory *db;

static int set_up(void **state)
{
    (void)state;
    disk = sim_disk_create(7);
    os = &disk->os;
    db = NULL;
    return tarn__directory_make(os, "/db") || tarn__directory_open(os, "/db", &db);
}

static int tear_down(void **state)
{
    tarn_status status = tarn__directory_close(db);

    (void)state;
    sim_disk_free(disk);
    return status;
}

static struct tarn__file *open_file(const char *name, enum tarn__open_mode mode)
{
    struct tarn__file *file = NULL;

    assert_ok(tarn__file_open(db, name, mode, &file));
    return file;
}

static void put(struct tarn__file *file, const char *bytes, uint64_t offset)
{
    assert_ok(tarn__file_write(file, bytes, strlen(bytes), offset));
}

/* --- Paths, handles, locks ---------------------------------------------------------------- */

static void paths_begin_at_the_root(void **state)
{
    static const char *const same[] = {"/db", "db", "./db", "db/", "//db//", "/./db/."};
    struct tarn__directory *directory = NULL;
    char longest[300];

    (void)state;
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_ok(tarn__file_close(open_file("a", TARN__OPEN_CREATE)));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct tarn__file *file = NULL;

        assert_ok(tarn__directory_make(os, same[i])); /* is there */
        assert_ok(tarn__directory_open(os, same[i], &directory));
        assert_ok(tarn__file_open(directory, "a", TARN__OPEN_READ, &file));
        assert_ok(tarn__file_close(file));
        assert_ok(tarn__directory_close(directory));
    }
    assert_ok(tarn__directory_make(os, "/"));
    assert_ok(tarn__directory_make(os, "db/deep"));
    assert_ok(tarn__directory_make(os, "db/deep/deeper/"));
    assert_ok(tarn__directory_open(os, "/db/deep/deeper", &directory));
    assert_ok(tarn__directory_close(directory));
    assert_errno(tarn__directory_make(os, ""), ENOENT);
    assert_errno(tarn__directory_make(os, "absent/deep"), ENOENT);
    assert_errno(tarn__directory_make(os, "db/a/deep"), ENOTDIR);
    assert_errno(tarn__directory_make(os, longest), ENAMETOOLONG);
    assert_errno(tarn__directory_open(os, "db/a", &directory), ENOTDIR);
    assert_errno(tarn__directory_open(os, "absent", &directory), ENOENT);
}

static void a_closed_handle_is_no_handle(void **state)
{
    int directory = -1, file = -1, other = -1;
    uint64_t bytes = 0;
    size_t done = 0;

    (void)state;
    assert_int_equal(os->directory_open(os, TARN__OS_NO_DIRECTORY, "db", &directory), 0);
    assert_int_equal(os->file_open(os, directory, "a", TARN__OPEN_CREATE, &file), 0);
    assert_int_equal(os->sync(os, directory), EISDIR);
    assert_int_equal(os->directory_sync(os, file), ENOTDIR);
    assert_int_equal(os->close(os, file), 0);
    assert_int_equal(os->close(os, file), EBADF);
    assert_int_equal(os->file_open(os, directory, "a", TARN__OPEN_READ, &other), 0);
    assert_int_not_equal(file, other);
    assert_int_equal(os->size(os, file, &bytes), EBADF);
    assert_int_equal(os->write(os, other, "x", 1, 0, &done), EBADF);
    assert_int_equal(os->close(os, other), 0);
    assert_int_equal(os->close(os, directory), 0);
    assert_int_equal(os->size(os, -1, &bytes), EBADF);
}

static void locks_are_between_openings(void **state)
{
    struct tarn__file *first = open_file("lock", TARN__OPEN_CREATE);
    struct tarn__file *second = open_file("lock", TARN__OPEN_READ);
    struct tarn__file *third = open_file("lock", TARN__OPEN_READ_WRITE);

    (void)state;
    assert_ok(tarn__file_lock(first, true));
    assert_ok(tarn__file_lock(first, true));
    assert_int_equal(tarn__file_lock(second, true), TARN_STORE_LOCKED);
    assert_int_equal(tarn__file_lock(second, false), TARN_STORE_LOCKED);
    assert_ok(tarn__file_lock(first, false));
    assert_ok(tarn__file_lock(second, false));
    assert_int_equal(tarn__file_lock(third, true), TARN_STORE_LOCKED);
    assert_int_equal(tarn__file_lock(first, true), TARN_STORE_LOCKED); /* and has none now */
    assert_ok(tarn__file_close(second));
    assert_ok(tarn__file_lock(third, true));
    assert_ok(tarn__file_close(first));
    assert_ok(tarn__file_close(third));
    first = open_file("lock", TARN__OPEN_READ);
    assert_ok(tarn__file_lock(first, true));
    assert_ok(tarn__file_close(first));
}

static void mappings_and_files_are_one(void **state)
{
    struct tarn__file *file = open_file("mapped", TARN__OPEN_CREATE), *reader;
    void *address = NULL, *read_only = NULL;
    char bytes[8] = {0};

    (void)state;
    assert_ok(tarn__file_preallocate(file, 0, 192 * KIB));
    assert_ok(tarn__file_map(file, 64 * KIB, 128 * KIB, true, &address));
    reader = open_file("mapped", TARN__OPEN_READ);
    assert_ok(tarn__file_map(reader, 0, 192 * KIB, false, &read_only));
    os->map_write(os, (char *)address + 510, "stored", 6);
    assert_ok(tarn__file_read(reader, bytes, 6, 64 * KIB + 510));
    assert_memory_equal(bytes, "stored", 6);
    assert_memory_equal((char *)read_only + 64 * KIB + 510, "stored", 6);
    put(file, "written", 128 * KIB - 3);
    assert_memory_equal((char *)address + 64 * KIB - 3, "written", 7);
    assert_ok(tarn__file_close(file));
    os->map_write(os, (char *)address + 200, "after", 5); /* the mapping outlives the handle */
    assert_ok(tarn__file_read(reader, bytes, 5, 64 * KIB + 200));
    assert_memory_equal(bytes, "after", 5);
    assert_int_equal(os->unmap(os, address, 64 * KIB), EINVAL);
    assert_ok(tarn__file_unmap(os, address, 128 * KIB));
    assert_errno(tarn__file_map(reader, 0, 64 * KIB, true, &address), EACCES);
    assert_ok(tarn__file_close(reader));
    assert_ok(tarn__file_unlink(db, "mapped")); /* read_only goes with the disk */
}

static void clock_and_randomness_are_the_seeds(void **state)
{
    struct sim_disk *twin = sim_disk_create(7), *other = sim_disk_create(8);
    uint8_t bytes[3][32];
    uint64_t before, wall;

    (void)state;
    assert_ok(tarn__directory_close(db));
    db = NULL;
    sim_disk_free(disk);
    disk = sim_disk_create(7);
    assert_ok(disk->os.random_bytes(&disk->os, bytes[0], 32));
    assert_ok(twin->os.random_bytes(&twin->os, bytes[1], 32));
    assert_ok(other->os.random_bytes(&other->os, bytes[2], 32));
    assert_memory_equal(bytes[0], bytes[1], 32);
    assert_memory_not_equal(bytes[0], bytes[2], 32);
    before = twin->os.monotonic_ns(&twin->os);
    assert_true(before > 0 && before == disk->os.monotonic_ns(&disk->os));
    sim_disk_set_wall_ns(twin, 5);
    wall = twin->os.wall_ns(&twin->os);
    assert_true(wall >= 5 && wall < 5000);
    twin->os.sleep_ns(&twin->os, 1000000);
    sim_disk_pass_ns(twin, 1000000);
    assert_true(twin->os.monotonic_ns(&twin->os) >= before + 2000000);
    sim_disk_set_process(twin, 77);
    assert_int_equal(twin->os.process_id(&twin->os), 77);
    sim_disk_free(twin);
    sim_disk_free(other);
}

/* --- Copies and helpers ------------------------------------------------------------------- */

static void expect_file(struct sim_disk *where, enum sim_view view, const char *path,
                        const char *wanted)
{
    size_t length = 0;
    char *bytes = sim_disk_read(where, view, path, &length);

    assert_int_equal(bytes != NULL, wanted != NULL);
    if (wanted) {
        assert_int_equal(length, strlen(wanted));
        assert_memory_equal(bytes, wanted, length);
    }
    free(bytes);
}

static void copies_stand_alone(void **state)
{
    struct tarn__file *file = open_file("a", TARN__OPEN_CREATE);
    struct sim_disk *settled, *pending;

    (void)state;
    assert_ok(tarn__file_lock(file, true));
    put(file, "one", 0);
    settled = sim_disk_copy(disk);
    pending = sim_disk_copy_pending(disk);
    put(file, "two", 0);
    expect_file(disk, SIM_SEEN, "/db/a", "two");
    expect_file(disk, SIM_KEPT, "/db/a", NULL);
    expect_file(settled, SIM_SEEN, "/db/a", "one");
    expect_file(settled, SIM_KEPT, "/db/a", "one");
    expect_file(pending, SIM_SEEN, "/db/a", "one");
    expect_file(pending, SIM_KEPT, "/db/a", NULL);
    assert_int_equal(sim_disk_pending(settled), 0);
    assert_int_equal(sim_disk_pending(pending), 3);
    assert_ok(tarn__file_close(file));
    assert_ok(tarn__directory_close(db));
    sim_disk_free(disk); /* the copies live on */
    expect_file(settled, SIM_SEEN, "/db/a", "one");
    sim_disk_free(settled);
    disk = pending;
    assert_ok(tarn__directory_open(&disk->os, "db", &db));
    assert_ok(tarn__file_open(db, "a", TARN__OPEN_READ_WRITE, &file));
    assert_ok(tarn__file_lock(file, true));
    assert_ok(tarn__file_sync(file));
    assert_ok(tarn__directory_sync(db));
    expect_file(disk, SIM_KEPT, "/db/a", "one");
    assert_ok(tarn__file_close(file));
}

static void files_can_be_damaged(void **state)
{
    struct tarn__file *file = open_file("a", TARN__OPEN_CREATE);
    void *address = NULL;

    (void)state;
    put(file, "abcdef", 0);
    assert_ok(tarn__file_sync(file));
    assert_ok(tarn__directory_sync(db));
    assert_ok(tarn__file_map(file, 0, 6, false, &address));
    assert_true(sim_disk_set_bytes(disk, "/db/a", 1, "XY", 2));
    assert_false(sim_disk_set_bytes(disk, "/db/a", 5, "XY", 2));
    assert_false(sim_disk_set_bytes(disk, "/db/b", 0, "X", 1));
    assert_memory_equal(address, "aXYdef", 6);
    expect_file(disk, SIM_KEPT, "/db/a", "aXYdef");
    assert_true(sim_disk_set_size(disk, "/db/a", 2));
    expect_file(disk, SIM_SEEN, "/db/a", "aX");
    expect_file(disk, SIM_KEPT, "/db/a", "aX");
    assert_int_equal(sim_disk_pending(disk), 0);
    assert_ok(tarn__file_unmap(os, address, 6));
    assert_ok(tarn__file_close(file));
}

static uint64_t last_operation;

static void note_operation(void *context, struct sim_disk *of, uint64_t operation)
{
    uint8_t byte;

    assert_ptr_equal(of, disk);
    assert_int_equal(operation, last_operation + 1);
    assert_int_equal(sim_disk_operations(of), operation);
    assert_ok(of->os.random_bytes(&of->os, &byte, 1)); /* the mutex is free */
    last_operation = operation;
    ++*(int *)context;
}

static void each_change_is_observed(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    struct tarn__file *file;
    int calls = 0;

    (void)state;
    last_operation = sim_disk_operations(disk);
    sim_disk_observe(disk, note_operation, &calls);
    file = open_file("a", TARN__OPEN_CREATE);
    put(file, "x", 0);
    assert_ok(tarn__file_sync(file));
    assert_ok(tarn__file_rename(db, "a", db, "b"));
    assert_errno(tarn__file_unlink(db, "a"), ENOENT);
    assert_ok(tarn__file_close(file));
    assert_int_equal(calls, 4);
    sim_disk_observe(disk, NULL, NULL);
    assert_ok(tarn__file_unlink(db, "b"));
    assert_int_equal(calls, 4);
    sim_disk_print_trace(disk, stream);
    sim_disk_print_pending(disk, stream);
    fclose(stream);
    assert_non_null(strstr(text, "make directory 'db' = 2 in 1\n"));
    assert_non_null(strstr(text, "create 'a' = 3 in 2\n"));
    assert_non_null(strstr(text, "write file 3 at 0, 1 bytes\n"));
    assert_non_null(strstr(text, "sync file 3\n"));
    assert_non_null(strstr(text, "unlink 'b' = 3 in 2\n"));
    assert_non_null(strstr(text, "name of 3: 'a' -> 'b'\n"));
    free(text);
}

/* What has no name and is not open is gone, and nothing that was to be written there is pending. */
static void nothing_is_kept_for_ever(void **state)
{
    void *address = NULL;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        struct tarn__file *file = open_file("a", TARN__OPEN_CREATE);

        put(file, "bytes", 0);
        assert_ok(tarn__file_map(file, 0, 5, true, &address));
        assert_ok(tarn__file_unlink(db, "a"));
        assert_ok(tarn__directory_sync(db));
        put(file, "more", 5);
        assert_int_equal(sim_disk_pending(disk), 0);
        assert_ok(tarn__file_unmap(os, address, 5));
        assert_ok(tarn__file_close(file));
    }
    assert_ok(tarn__directory_sync(db));
    assert_int_equal(disk->tree->node_count, 2);
    assert_int_equal(disk->tree->piece_count, 0);
}

/* What happened in a folder that is gone is of no use, though a file of it lives elsewhere. */
static void a_removed_folder_is_gone(void **state)
{
    struct tarn__directory *inside = NULL;
    struct tarn__file *file = NULL;

    (void)state;
    assert_ok(tarn__directory_make_in(db, "d"));
    assert_ok(tarn__directory_open_in(db, "d", &inside));
    assert_ok(tarn__directory_sync(db));
    assert_ok(tarn__file_open(inside, "x", TARN__OPEN_CREATE, &file));
    assert_ok(tarn__file_close(file));
    assert_ok(tarn__file_link(inside, "x", db, "y"));
    assert_ok(tarn__file_unlink(inside, "x"));
    assert_ok(tarn__directory_remove_in(db, "d"));
    assert_errno(tarn__file_open(inside, "x", TARN__OPEN_CREATE, &file), ENOENT);
    assert_ok(tarn__directory_close(inside));
    assert_ok(tarn__directory_sync(db));
    assert_int_equal(sim_disk_pending(disk), 0);
    assert_int_equal(disk->tree->node_count, 3);
}

/* --- Threads ------------------------------------------------------------------------------ */

#define THREADS 4

static bool look(void *context, struct sim_disk *crashed, const char *choice)
{
    size_t length = 0;

    (void)context;
    (void)choice;
    free(sim_disk_read(crashed, SIM_KEPT, "/db/0", &length));
    return true;
}

static void look_at_states(void *context, struct sim_disk *of, uint64_t operation)
{
    const struct sim_crash_options options = {.seed = operation, .states_max = 5};

    sim_crash_states(of, &options, context, look, NULL);
}

static void *write_and_sync(void *number)
{
    char name[2] = {*(const char *)number, '\0'};
    struct tarn__file *file = NULL;
    intptr_t failed = tarn__file_open(db, name, TARN__OPEN_CREATE, &file) != TARN_OK;

    for (unsigned i = 0; i < 60 && !failed; i++)
        failed = tarn__file_write(file, name, 1, i) != TARN_OK ||
                 (i % 7 == 0 && tarn__file_sync(file) != TARN_OK) ||
                 (i % 20 == 0 && tarn__directory_sync(db) != TARN_OK);
    failed = tarn__file_close(file) != TARN_OK || failed;
    return (void *)failed;
}

static void threads_share_a_disk(void **state)
{
    struct sim_crash_seen *seen = sim_crash_seen_create();
    pthread_t threads[THREADS];

    (void)state;
    sim_disk_observe(disk, look_at_states, seen);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_and_sync, (void *)&"0123"[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_true(sim_crash_seen_count(seen) > 60);
    sim_crash_seen_free(seen);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(paths_begin_at_the_root),
        TEST(a_closed_handle_is_no_handle),
        TEST(locks_are_between_openings),
        TEST(mappings_and_files_are_one),
        TEST(clock_and_randomness_are_the_seeds),
        TEST(copies_stand_alone),
        TEST(files_can_be_damaged),
        TEST(each_change_is_observed),
        TEST(nothing_is_kept_for_ever),
        TEST(a_removed_folder_is_gone),
        TEST(threads_share_a_disk),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
