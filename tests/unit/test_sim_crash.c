/*
 * The simulated disk's crash states: each of the first five rules of faults.md ("The simulated
 * disk") by a case in which a missing sync loses something in at least one state, and one in which
 * nothing is lost in any. The sixth, and the enumeration itself, are in test_sim_crash_states.c.
 */
#include "support/crash_pictures.h"

#include <stdlib.h>
#include <string.h>

#define MAPPED ((size_t)64 * 1024)

/* --- Rule 1 ------------------------------------------------------------------------------- */

static void a_new_file_needs_both_syncs(void **state)
{
    struct tarn__file *file = create("a");

    (void)state;
    put(file, "hello", 0);
    pictures();
    assert_pictured("");
    assert_pictured("a=");
    assert_pictured("a=.....");
    assert_pictured("a=hel..");
    assert_pictured("a=hello");
    assert_ok(tarn__file_sync(file));
    assert_int_equal(pictures(), 2);
    assert_pictured("");
    assert_pictured("a=hello");
    assert_ok(tarn__directory_sync(db));
    assert_only("a=hello");
    assert_ok(tarn__file_close(file));
}

static void a_directory_sync_keeps_names_and_not_bytes(void **state)
{
    struct tarn__file *file = create("a");

    (void)state;
    put(file, "hello", 0);
    assert_ok(tarn__directory_sync(db));
    pictures();
    assert_false(pictured(""));
    assert_pictured("a=");
    assert_ok(tarn__file_close(file));
    pictures();
    assert_pictured("a="); /* closing makes nothing durable */
}

static void a_new_directory_needs_the_sync_around_it(void **state)
{
    struct tarn__directory *inside = NULL;
    struct tarn__file *file = NULL;

    (void)state;
    assert_ok(tarn__directory_make_in(db, "d"));
    assert_ok(tarn__directory_open_in(db, "d", &inside));
    assert_ok(tarn__file_open(inside, "a", TARN__OPEN_CREATE, &file));
    put(file, "x", 0);
    assert_ok(tarn__file_sync(file));
    assert_ok(tarn__directory_sync(inside));
    assert_int_equal(pictures(), 2);
    assert_pictured("");
    assert_pictured("d/ a=x");
    assert_ok(tarn__directory_sync(db));
    assert_only("d/ a=x");
    assert_ok(tarn__file_close(file));
    assert_ok(tarn__directory_close(inside));
}

/* --- Rule 2 ------------------------------------------------------------------------------- */

static void sectors_come_in_any_subset(void **state)
{
    struct tarn__file *file = durable_sectors("a", 3);
    char bytes[3 * SECTOR];

    (void)state;
    memset(bytes, 'b', sizeof bytes);
    assert_ok(tarn__file_write(file, bytes, sizeof bytes, 0));
    assert_int_equal(pictures(), 8);
    assert_pictured("a=aab");
    assert_pictured("a=bab");
    assert_ok(tarn__file_sync(file));
    assert_only("a=bbb");
    assert_ok(tarn__file_close(file));
}

/* A sector on the disk is one that the cache has held: the second of two writes never without the
 * first. */
static void one_sector_goes_through_its_versions(void **state)
{
    struct tarn__file *file = durable("a", "......");

    (void)state;
    put(file, "1", 0);
    put(file, "2", 1);
    put(file, "3", 2);
    assert_int_equal(pictures(), 4);
    assert_pictured("a=1.....");
    assert_pictured("a=12....");
    assert_pictured("a=123...");
    assert_ok(tarn__file_close(file));
}

static void a_size_grows_before_its_data(void **state)
{
    struct tarn__file *file = durable("a", "old");
    size_t garbage = 0;

    (void)state;
    put(file, "new", 3);
    pictures();
    assert_pictured("a=old");
    assert_pictured("a=old...");
    assert_pictured("a=oldnew");
    for (size_t i = 0; i < gathered_count; i++) {
        assert_memory_equal(gathered[i], "a=old", 5); /* what is durable stays */
        garbage += strlen(gathered[i]) == 8 && !strchr("n.", gathered[i][5]);
    }
    assert_true(garbage >= 1);

    /* What is not written is zeros. */
    assert_ok(tarn__file_sync(file));
    assert_ok(tarn__file_truncate(file, 8));
    assert_int_equal(pictures(), 2);
    assert_pictured("a=oldnew..");
    assert_ok(tarn__file_preallocate(file, 0, 10));
    assert_int_equal(pictures(), 3);
    assert_pictured("a=oldnew....");
    assert_ok(tarn__file_close(file));
}

static void a_cut_stays_away_until_it_is_synced(void **state)
{
    struct tarn__file *file = durable("a", "abcdef");

    (void)state;
    assert_ok(tarn__file_truncate(file, 2));
    assert_int_equal(pictures(), 2);
    assert_pictured("a=abcdef");
    assert_pictured("a=ab");
    assert_ok(tarn__file_sync(file));
    assert_only("a=ab");
    assert_ok(tarn__file_truncate(file, 4));
    assert_ok(tarn__file_sync(file));
    assert_only("a=ab..");
    assert_ok(tarn__file_close(file));
}

/* --- Rule 3 ------------------------------------------------------------------------------- */

static void a_rename_replaces_in_one_step(void **state)
{
    struct tarn__file *old = durable("data", "old");
    struct tarn__file *new = create("tmp");

    (void)state;
    put(new, "new", 0);
    assert_ok(tarn__file_sync(new));
    assert_ok(tarn__file_rename(db, "tmp", db, "data"));
    assert_int_equal(pictures(), 3);
    assert_pictured("data=old");
    assert_pictured("data=old tmp=new");
    assert_pictured("data=new");
    assert_ok(tarn__directory_sync(db));
    assert_only("data=new");
    assert_ok(tarn__file_close(old));
    assert_ok(tarn__file_close(new));
}

static void a_rename_may_come_before_the_bytes(void **state)
{
    struct tarn__file *old = durable("data", "old");
    struct tarn__file *new = create("tmp");

    (void)state;
    put(new, "new", 0);
    assert_ok(tarn__file_rename(db, "tmp", db, "data"));
    pictures();
    assert_pictured("data=");
    assert_pictured("data=n..");
    assert_ok(tarn__directory_sync(db));
    pictures();
    assert_pictured("data=");
    assert_false(pictured("data=old"));
    assert_ok(tarn__file_close(old));
    assert_ok(tarn__file_close(new));
}

static void names_come_and_go_in_any_order(void **state)
{
    struct tarn__file *a = durable("a", "1");
    struct tarn__file *c = durable("c", "2");

    (void)state;
    assert_ok(tarn__file_rename(db, "a", db, "b"));
    assert_ok(tarn__file_unlink(db, "c"));
    assert_ok(tarn__file_link(db, "b", db, "d"));
    assert_int_equal(pictures(), 8);
    assert_pictured("a=1");
    assert_pictured("b=1 c=2");
    assert_pictured("a=1 c=2 d=1");
    assert_ok(tarn__directory_sync(db));
    assert_only("b=1 d=1");
    assert_ok(tarn__file_close(a));
    assert_ok(tarn__file_close(c));
}

/* A file that was renamed twice is found under one name, wherever that is. */
static void a_renamed_file_has_one_name(void **state)
{
    struct tarn__directory *inside = NULL;
    struct tarn__file *file = durable("a", "1");

    (void)state;
    assert_ok(tarn__directory_make_in(db, "d"));
    assert_ok(tarn__directory_open_in(db, "d", &inside));
    assert_ok(tarn__directory_sync(db));
    assert_ok(tarn__file_rename(db, "a", db, "b"));
    assert_ok(tarn__file_rename(db, "b", inside, "c"));
    assert_int_equal(pictures(), 3);
    assert_pictured("a=1 d/");
    assert_pictured("b=1 d/");
    assert_pictured("d/ c=1");
    assert_ok(tarn__directory_sync(inside)); /* either of the two will do */
    assert_only("d/ c=1");
    assert_ok(tarn__file_close(file));
    assert_ok(tarn__directory_close(inside));
}

/* A name that is durable does not fall back to what it meant before. */
static void a_synced_name_is_not_overtaken(void **state)
{
    struct tarn__directory *inside = NULL;
    struct tarn__file *first, *second = NULL;

    (void)state;
    assert_ok(tarn__directory_make_in(db, "d"));
    assert_ok(tarn__directory_open_in(db, "d", &inside));
    assert_ok(tarn__directory_sync(db));
    first = create("x");
    put(first, "1", 0);
    assert_ok(tarn__file_sync(first));
    assert_ok(tarn__file_open(inside, "y", TARN__OPEN_CREATE, &second));
    put(second, "2", 0);
    assert_ok(tarn__file_sync(second));
    assert_ok(tarn__file_rename(inside, "y", db, "x"));
    assert_ok(tarn__directory_sync(inside));
    assert_only("d/ x=2");
    assert_ok(tarn__file_close(first));
    assert_ok(tarn__file_close(second));
    assert_ok(tarn__directory_close(inside));
}

/* --- Rule 4 ------------------------------------------------------------------------------- */

static void the_last_record_is_torn_at_each_byte(void **state)
{
    struct tarn__file *file = durable("a", "zzzzzzzzzz");
    const char *steps[] = {"zzzzzzzzzz", "z0zzzzzzzz", "z01zzzzzzz", "z012zzzzzz", "z0123zzzzz"};

    (void)state;
    put(file, "0123", 1);
    assert_int_equal(pictures(), 5);
    for (size_t i = 0; i < 5; i++) {
        char picture[PICTURE_BYTES] = "a=";

        add_text(picture, steps[i]);
        assert_pictured(picture);
    }
    assert_ok(tarn__file_close(file));
}

static uint64_t cut_mask;

/* Notes which prefixes of the second half of a record there are, where the first one is whole. */
static bool note_cut(void *context, struct sim_disk *crashed, const char *choice)
{
    size_t length = 0;
    char *bytes = sim_disk_read(crashed, SIM_KEPT, "/db/a", &length);

    (void)context;
    (void)choice;
    assert_int_equal(length, 2048);
    if (bytes[0] == 'b' && bytes[SECTOR] == 'b')
        cut_mask |= (uint64_t)1 << strspn(bytes + SECTOR, "b");
    free(bytes);
    return true;
}

static void a_torn_record_goes_over_sectors(void **state)
{
    struct tarn__file *file = durable_sectors("a", 4);
    char bytes[SECTOR + 40];

    (void)state;
    for (unsigned i = 0; i < 10; i++) /* so that there are more than few pieces */
        assert_ok(tarn__file_write(file, "a", 1, 3 * SECTOR));
    memset(bytes, 'b', sizeof bytes);
    assert_ok(tarn__file_write(file, bytes, sizeof bytes, 0));
    cut_mask = 0;
    sim_crash_states(disk, &crash_plain, NULL, note_cut, NULL);
    assert_true(cut_mask == ((uint64_t)1 << 41) - 2);
    assert_ok(tarn__file_close(file));
}

/* --- Rule 5 ------------------------------------------------------------------------------- */

static void stores_come_at_any_moment(void **state)
{
    struct tarn__file *file = durable("a", "");
    char picture[PICTURE_BYTES] = "a=";
    void *address = NULL;

    (void)state;
    assert_ok(tarn__file_truncate(file, MAPPED));
    assert_ok(tarn__file_sync(file));
    assert_ok(tarn__file_map(file, 0, MAPPED, true, &address));
    memset(picture + 2, '.', PICTURE_BYTES - 3);
    assert_only(picture);
    os->map_write(os, (char *)address + 4096, "1", 1);
    os->map_write(os, address, "2", 1);
    assert_int_equal(pictures(), 4);
    picture[2] = '2';
    assert_pictured(picture); /* the second store, and not the first */
    assert_ok(tarn__file_sync(file));
    picture[2 + 8] = '1';
    assert_only(picture);

    /* Ending the mapping makes nothing durable. */
    os->map_write(os, address, "3", 1);
    assert_ok(tarn__file_unmap(os, address, MAPPED));
    assert_ok(tarn__file_close(file));
    assert_int_equal(pictures(), 2);
    assert_pictured(picture);
}

static void a_store_is_torn_from_both_sides(void **state)
{
    struct tarn__file *file = durable("a", "zzzz");
    void *address = NULL;

    (void)state;
    assert_ok(tarn__file_map(file, 0, 4, true, &address));
    os->map_write(os, address, "012", 3);
    assert_int_equal(pictures(), 6);
    assert_pictured("a=01zz");
    assert_pictured("a=z12z");
    assert_ok(tarn__file_unmap(os, address, 4));
    assert_ok(tarn__file_close(file));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, crash_set_up, crash_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_needs_both_syncs),
        TEST(a_directory_sync_keeps_names_and_not_bytes),
        TEST(a_new_directory_needs_the_sync_around_it),
        TEST(sectors_come_in_any_subset),
        TEST(one_sector_goes_through_its_versions),
        TEST(a_size_grows_before_its_data),
        TEST(a_cut_stays_away_until_it_is_synced),
        TEST(a_rename_replaces_in_one_step),
        TEST(a_rename_may_come_before_the_bytes),
        TEST(names_come_and_go_in_any_order),
        TEST(a_renamed_file_has_one_name),
        TEST(a_synced_name_is_not_overtaken),
        TEST(the_last_record_is_torn_at_each_byte),
        TEST(a_torn_record_goes_over_sectors),
        TEST(stores_come_at_any_moment),
        TEST(a_store_is_torn_from_both_sides),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
