/*
 * The simulated disk's crash states, continued: syncs that fail (the sixth rule of faults.md, "The
 * simulated disk"), and the enumeration: bounds, equal states, crashes of a disk that has crashed.
 */
#include "support/crash_pictures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- Rule 6 ------------------------------------------------------------------------------- */

static void check_seen(const char *name, const char *wanted)
{
    char path[40];
    size_t length = 0;
    char *bytes;

    snprintf(path, sizeof path, "/db/%s", name);
    bytes = sim_disk_read(disk, SIM_SEEN, path, &length);
    assert_non_null(bytes);
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(bytes, wanted, length);
    free(bytes);
}

static void a_failed_sync_keeps_the_cache(void **state)
{
    struct tarn__file *file = durable("a", "old");

    (void)state;
    put(file, "new", 0);
    sim_disk_fail_sync(disk, 2, SIM_SYNC_FAILS_KEPT);
    assert_ok(tarn__directory_sync(db));
    assert_true(tarn__failed_with(tarn__file_sync(file), EIO));
    assert_int_equal(sim_disk_sync_failures(disk), 1);
    check_seen("a", "new");
    assert_only("a=old");
    assert_ok(tarn__file_sync(file)); /* which proves nothing */
    check_seen("a", "new");
    assert_only("a=old");
    put(file, "new", 0); /* written again, it is pending again */
    assert_ok(tarn__file_sync(file));
    assert_only("a=new");
    assert_ok(tarn__file_close(file));
}

static void a_failed_sync_reverts_the_cache(void **state)
{
    struct tarn__file *file = durable("a", "old");
    char seen[5] = "";
    void *address = NULL;

    (void)state;
    assert_ok(tarn__file_map(file, 0, 3, true, &address));
    put(file, "newer", 0);
    os->map_write(os, address, "N", 1);
    sim_disk_fail_sync(disk, 1, SIM_SYNC_FAILS_REVERTED);
    assert_true(tarn__failed_with(tarn__file_sync(file), EIO));
    assert_memory_equal(address, "old", 3);
    assert_ok(tarn__file_read(file, seen, 5, 0)); /* the size stays as it was */
    assert_memory_equal(seen, "old\0\0", 5);
    assert_only("a=old");

    /* And is made durable by a write that the program does not see to grow the file. */
    put(file, "r", 4);
    assert_ok(tarn__file_sync(file));
    assert_only("a=old.r");
    assert_ok(tarn__file_close(file));
    assert_ok(tarn__file_unmap(os, address, 3));
}

static void a_file_stays_cut_off(void **state)
{
    struct tarn__file *file = durable("a", "abcdef");

    (void)state;
    assert_ok(tarn__file_truncate(file, 2));
    sim_disk_fail_sync(disk, 1, SIM_SYNC_FAILS_KEPT);
    assert_true(tarn__failed_with(tarn__file_sync(file), EIO));
    assert_int_equal(pictures(), 2);
    assert_pictured("a=abcdef");
    assert_pictured("a=ab");
    assert_ok(tarn__file_sync(file));
    assert_only("a=ab");
    assert_ok(tarn__file_close(file));
}

static void a_failed_directory_sync(void **state)
{
    (void)state;
    for (int reverted = 0; reverted <= 1; reverted++) {
        struct tarn__file *file = create("a");
        enum sim_sync_failure how = reverted ? SIM_SYNC_FAILS_REVERTED : SIM_SYNC_FAILS_KEPT;
        struct names names = {.count = 0};

        assert_ok(tarn__file_sync(file));
        sim_disk_fail_sync(disk, 1, how);
        assert_true(tarn__failed_with(tarn__directory_sync(db), EIO));
        assert_true(sim_disk_list(disk, SIM_SEEN, "/db", take_name, &names));
        assert_int_equal(names.count, !reverted);
        assert_only("");
        put(file, "x", 0);
        assert_int_equal(sim_disk_pending(disk), 0); /* no name will ever lead there */
        assert_ok(tarn__directory_sync(db));
        assert_only("");
        assert_ok(tarn__file_close(file));
        if (!reverted)
            assert_ok(tarn__file_unlink(db, "a"));
    }
}

/* --- The enumeration ---------------------------------------------------------------------- */

static bool count_one(void *context, struct sim_disk *crashed, const char *choice)
{
    (void)crashed;
    (void)choice;
    return --*(int *)context > 0;
}

static void equal_states_are_visited_once(void **state)
{
    struct sim_crash_options options = crash_plain;
    struct sim_crash_seen *seen = sim_crash_seen_create();
    struct tarn__file *file = durable_sectors("a", 4);
    uint64_t visited, again = 0;
    int left = 1 << 30;

    (void)state;
    for (unsigned i = 0; i < 40; i++)
        assert_ok(tarn__file_write(file, "b", 1, i % 4 * SECTOR));
    visited = sim_crash_states(disk, &options, seen, count_one, &left);
    assert_true(visited >= 10 && visited <= 16);
    assert_int_equal(sim_crash_seen_count(seen), visited);
    assert_int_equal(sim_crash_states(disk, &options, seen, count_one, &left), 0);
    options.judged_by = 1;
    again = sim_crash_states(disk, &options, seen, count_one, &left);
    assert_int_equal(again, visited);
    options.judged_by = 2;
    options.states_max = 3;
    assert_int_equal(sim_crash_states(disk, &options, seen, count_one, &left), 3);
    left = 2;
    options.judged_by = 3;
    assert_int_equal(sim_crash_states(disk, &options, seen, count_one, &left), 2);
    sim_crash_seen_free(seen);
    assert_ok(tarn__file_close(file));
}

/* More pieces than each can be tried of: the bound holds, and the newest are all there. */
static void many_pieces_are_bounded(void **state)
{
    struct tarn__file *file = durable_sectors("a", 100);
    struct sim_crash_seen *seen = sim_crash_seen_create();
    char picture[PICTURE_BYTES] = "a=";
    int left = 1 << 30;
    uint64_t visited;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) /* at last into the first byte of each sector */
        assert_ok(tarn__file_write(file, "b", 1, i % 100 * SECTOR + 9 - i / 100));
    assert_int_equal(sim_disk_pending(disk), 1000);
    visited = sim_crash_states(disk, &crash_plain, seen, count_one, &left);
    assert_true(visited > 64 * 3 && visited < 64 * 6 + 40);
    pictures();
    memset(picture + 2, 'a', 100);
    assert_pictured(picture);
    memset(picture + 2, 'b', 98);
    assert_pictured(picture); /* the first 998 */
    sim_crash_seen_free(seen);
    assert_ok(tarn__file_close(file));
}

/* With more than few pieces, no prefix has all sizes and none of the bytes. */
static void sizes_come_without_bytes(void **state)
{
    struct tarn__file *file = create("a");

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        put(file, "x", i);
    assert_int_equal(sim_disk_pending(disk), 19);
    pictures();
    assert_pictured("a=.........");
    assert_pictured("a=xxxxxxxxx");
    assert_pictured("a=xxxxx");
    assert_ok(tarn__file_close(file));
}

/* A file of two names is one, and what has come behind a file's end is not there. */
static bool look_behind(void *context, struct sim_disk *crashed, const char *choice)
{
    struct tarn__directory *folder = NULL;
    struct tarn__file *a = NULL, *b = NULL;
    char bytes[6];
    uint64_t size = 0;

    (void)choice;
    assert_ok(tarn__directory_open(&crashed->os, "db", &folder));
    assert_ok(tarn__file_open(folder, "a", TARN__OPEN_READ_WRITE, &a));
    assert_ok(tarn__file_open(folder, "b", TARN__OPEN_READ, &b));
    assert_ok(tarn__file_size(a, &size));
    if (size == 3) {
        assert_ok(tarn__file_truncate(a, 6));
        assert_ok(tarn__file_read(b, bytes, 6, 0));
        assert_memory_equal(bytes, "old\0\0\0", 6);
        ++*(int *)context;
    }
    assert_ok(tarn__file_close(a));
    assert_ok(tarn__file_close(b));
    assert_ok(tarn__directory_close(folder));
    return true;
}

static void an_image_is_what_can_be_read(void **state)
{
    struct tarn__file *file = durable("a", "old");
    int looks = 0;

    (void)state;
    assert_ok(tarn__file_link(db, "a", db, "b"));
    assert_ok(tarn__directory_sync(db));
    put(file, "new", 3);
    sim_crash_states(disk, &crash_plain, NULL, look_behind, &looks);
    assert_int_equal(looks, 1); /* with the bytes or without them, it is the same state */
    assert_ok(tarn__file_close(file));
}

/* What is not durable yet on the disk that a crash left, and crashes again. */
static bool crash_again(void *context, struct sim_disk *crashed, const char *choice)
{
    struct tarn__directory *folder = NULL;
    struct tarn__file *file = NULL;

    (void)choice;
    assert_ok(tarn__directory_open(&crashed->os, "db", &folder));
    if (tarn__file_open(folder, "a", TARN__OPEN_READ_WRITE, &file) == TARN_OK) {
        put(file, "+", 0);
        *(uint64_t *)context += sim_crash_states(crashed, &crash_plain, NULL, gather, NULL);
        assert_ok(tarn__file_close(file));
    }
    assert_ok(tarn__directory_close(folder));
    return true;
}

static void a_crashed_disk_is_a_disk(void **state)
{
    struct tarn__file *file = create("a");
    uint64_t nested = 0;

    (void)state;
    put(file, "1", 0);
    gathered_count = 0;
    sim_crash_states(disk, &crash_plain, NULL, crash_again, &nested);
    assert_true(nested >= 6);
    assert_pictured("a=+");
    assert_pictured("a=1");
    assert_false(pictured(""));
    check_seen("a", "1"); /* the disk itself does not notice */
    assert_ok(tarn__file_close(file));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, crash_set_up, crash_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_failed_sync_keeps_the_cache), TEST(a_failed_sync_reverts_the_cache),
        TEST(a_failed_directory_sync),       TEST(equal_states_are_visited_once),
        TEST(many_pieces_are_bounded),       TEST(a_crashed_disk_is_a_disk),
        TEST(sizes_come_without_bytes),      TEST(an_image_is_what_can_be_read),
        TEST(a_file_stays_cut_off),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
