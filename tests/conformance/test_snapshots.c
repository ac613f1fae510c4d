/*
 * Conformance: snapshots are saved, listed, verified, deleted and loaded, and what comes back is
 * what was there: keys, values, contents and sequences. Names that could lead out of the folder are
 * refused. (Numbers 38, 39 and 43 of the list of faults.)
 */
#include "conformance/conformance.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/store_folder.h"

#define KIB ((size_t)1024)

static void set_patterned(tarn_namespace *ns, struct tarn_slice key, size_t length, uint64_t seed)
{
    void *bytes = patterned_bytes(length, seed);

    expect_ok(tarn_set(ns, key, tarn_slice_of(bytes, length), NULL, NULL));
    free(bytes);
}

static void fill_with_all_kinds(tarn_namespace *ns)
{
    static const size_t lengths[] = {
        0, 1, 7, 8, 63, 64, 100, 4096, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 3 * KIB * KIB};
    char *long_key = patterned_bytes(TARN_KEY_BYTES_MAX, 5);
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        set_patterned(ns, numbered_key(room, i), lengths[i], i);
    for (unsigned i = 0; i < 256; i++) {
        unsigned char byte = (unsigned char)i;

        expect_ok(tarn_set(ns, tarn_slice_of(&byte, 1), tarn_slice_of(&byte, i % 2), NULL, NULL));
    }
    set_patterned(ns, tarn_slice_of(long_key, TARN_KEY_BYTES_MAX), 0, 1);
    set_patterned(ns, tarn_slice_of(long_key, TARN_KEY_BYTES_MAX - 1), 64 * KIB, 2);
    set_patterned(ns, tarn_slice_of(long_key, TARN_KEY_BYTES_MAX - 2), 64 * KIB + 1, 3);
    expect_ok(tarn_increment(ns, text("most"), INT64_MAX, NULL));
    expect_ok(tarn_increment(ns, text("least"), INT64_MIN, NULL));
    expect_ok(tarn_increment(ns, text("zero"), 0, NULL));
    free(long_key);
}

static void expect_counter(tarn_namespace *ns, const char *key, int64_t wanted)
{
    int64_t sum = 0;

    expect_ok(tarn_increment(ns, text(key), 0, &sum));
    expect_signed(wanted, sum);
}

/* ------------------------------------------------------------------------------------------
 * Save and load
 */

static void test_a_namespace_there_and_back(void **state)
{
    struct store_folder *f = *state;
    struct tarn_snapshot_info info = {.size = sizeof info};
    struct fixture_state before;

    fill_with_all_kinds(f->ns);
    before = fixture_state_of(f->ns);
    expect_ok(tarn_snapshot_save_namespace(f->ns, text("s"), &info));
    expect_number(before.keys, info.keys);
    expect_same_state(before, f->ns);
    expect_ok(tarn_snapshot_verify(f->store, text("s")));
    expect_ok(tarn_namespace_clear(f->ns));
    expect_ok(tarn_set(f->ns, text("newer"), text("gone after it"), NULL, NULL));
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_same_content(before, f->ns);
    expect_absent(f->ns, text("newer"));
    expect_counter(f->ns, "most", INT64_MAX);
    expect_counter(f->ns, "least", INT64_MIN);
    expect_counter(f->ns, "zero", 0);
    expect_status(TARN_NOT_A_COUNTER, tarn_increment(f->ns, text("key-3"), 1, NULL));
    store_folder_reopen(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST));
    expect_same_content(before, f->ns);
}

static void fill_many(struct store_folder *f, struct fixture_state states[100])
{
    char name[NUMBERED_KEY_ROOM], key[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < 100; i++) {
        tarn_namespace *ns =
            store_folder_create(f, (numbered_key(name, i), name),
                                NAMESPACE_OPTIONS(.shards = i + 1, .max_keys = 1000 + i));

        for (unsigned k = 0; k < i; k++) /* the first one stays empty */
            expect_ok(tarn_insert(ns, numbered_key(key, k), text(name)));
        states[i] = fixture_state_of(ns);
        tarn_namespace_close(ns);
    }
}

static void expect_many(struct store_folder *f, const struct fixture_state states[100])
{
    char name[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < 100; i++) {
        tarn_namespace *ns = store_folder_namespace(f, (numbered_key(name, i), name));

        expect_same_content(states[i], ns);
        expect_number(i + 1, store_folder_stats(ns).options.shards);
        expect_number(1000 + i, store_folder_stats(ns).options.max_keys);
        tarn_namespace_close(ns);
    }
}

static void test_a_store_of_many_namespaces(void **state)
{
    struct store_folder *f = *state;
    struct tarn_snapshot_info info = {.size = sizeof info};
    struct fixture_state states[100];
    char name[NUMBERED_KEY_ROOM];
    tarn_namespace *other;

    fill_many(f, states);
    expect_ok(tarn_snapshot_save(f->store, text("all"), &info));
    expect_number(101, info.namespaces);
    expect_number(100 * 99 / 2, info.keys);
    for (unsigned i = 0; i < 100; i += 2)
        expect_ok(tarn_namespace_drop(f->store, numbered_key(name, i)));
    other = store_folder_create(f, "other", NULL);
    expect_ok(tarn_set(other, text("k"), text("v"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("k"), text("v"), NULL, NULL));
    expect_ok(tarn_snapshot_load(f->store, text("all")));
    expect_many(f, states);
    expect_stored(other, text("k"), text("v")); /* which the snapshot does not hold */
    expect_number(0, fixture_state_of(f->ns).keys);
    tarn_namespace_close(other);
    /* The namespaces that the load made are durable. */
    store_folder_reopen(f, STORE_OPTIONS(.load = TARN_LOAD_NOTHING));
    for (unsigned i = 0; i < 100; i++) {
        other = store_folder_namespace(f, (numbered_key(name, i), name));
        expect_number(0, fixture_state_of(other).keys);
        tarn_namespace_close(other);
    }
    expect_ok(tarn_snapshot_load(f->store, text("all")));
    expect_many(f, states);
}

static void test_a_store_with_nothing_in_it(void **state)
{
    struct store_folder *f = *state;
    struct tarn_snapshot_info info = {.size = sizeof info};

    tarn_namespace_close(f->ns);
    f->ns = NULL;
    expect_ok(tarn_namespace_drop(f->store, text("test")));
    expect_ok(tarn_snapshot_save(f->store, text("nothing"), &info));
    expect_number(0, info.namespaces);
    expect_ok(tarn_snapshot_verify(f->store, text("nothing")));
    f->ns = store_folder_create(f, "test", NULL);
    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
    expect_ok(tarn_snapshot_load(f->store, text("nothing")));
    expect_stored(f->ns, text("a"), text("b"));
    store_folder_reopen(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST));
    expect_number(0, fixture_state_of(f->ns).keys);
}

/* Many records, in many blocks, while the index has grown a number of times. */
static void test_many_keys(void **state)
{
    struct store_folder *f = *state;
    char room[NUMBERED_KEY_ROOM];
    struct fixture_state before;

    for (unsigned i = 0; i < 50000; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), numbered_key(room, i)));
    for (unsigned i = 0; i < 50000; i += 3)
        expect_ok(tarn_delete(f->ns, numbered_key(room, i)));
    before = fixture_state_of(f->ns);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_same_content(before, f->ns);
    store_folder_reopen(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST));
    expect_same_content(before, f->ns);
}

static unsigned files_of_snapshots(const struct store_folder *f)
{
    DIR *folder = opendir(path_of(f, "snapshots"));
    const struct dirent *entry;
    unsigned count = 0;

    expect_that(folder != NULL);
    while ((entry = readdir(folder)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return count;
}

static void test_the_same_name_is_replaced(void **state)
{
    struct store_folder *f = *state;

    for (unsigned i = 0; i < 5; i++) {
        char room[NUMBERED_KEY_ROOM];

        expect_ok(tarn_set(f->ns, text("a"), numbered_key(room, i), NULL, NULL));
        expect_ok(tarn_snapshot_save_namespace(f->ns, text("s"), NULL));
        expect_ok(tarn_delete(f->ns, text("a")));
        expect_number(1, files_of_snapshots(f));
        expect_ok(tarn_snapshot_load(f->store, text("s")));
        expect_stored(f->ns, text("a"), numbered_key(room, i));
    }
}

static void test_what_a_save_tells(void **state)
{
    struct store_folder *f = *state;
    struct tarn_snapshot_info info = {.size = sizeof info};
    struct stat status;
    time_t now = time(NULL);

    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
    expect_ok(tarn_snapshot_save(f->store, text("s"), &info));
    expect_number(sizeof info, info.size);
    expect_number(0, info.name.length);
    expect_number(0, info.namespace_name.length);
    expect_number(store_folder_stats(f->ns).sequence, info.sequence);
    expect_that(info.clock_ns / 1000000000 >= (uint64_t)now - 1);
    expect_that(info.clock_ns / 1000000000 <= (uint64_t)now + 60);
    expect_number(1, info.namespaces);
    expect_number(1, info.keys);
    expect_ok(info.status);
    expect_that(info.pause_ns > 0 && info.write_ns > 0 && info.sync_ns > 0);
    expect_that(stat(path_of_snapshot(f, "s"), &status) == 0);
    expect_number(status.st_size, info.file_bytes);
    info.size = 8;
    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_save(f->store, text("t"), &info));
    expect_status(TARN_SNAPSHOT_NOT_FOUND, tarn_snapshot_verify(f->store, text("t")));
}

/* ------------------------------------------------------------------------------------------
 * Names
 */

static void expect_name_refused(struct store_folder *f, struct tarn_slice name)
{
    struct tarn_slice none = {0};

    expect_status(TARN_NAME_INVALID, tarn_snapshot_save(f->store, name, NULL));
    expect_status(TARN_NAME_INVALID, tarn_snapshot_save_namespace(f->ns, name, NULL));
    expect_status(TARN_NAME_INVALID, tarn_snapshot_load(f->store, name));
    expect_status(TARN_NAME_INVALID,
                  tarn_snapshot_load_namespace(f->store, name, text("test"), none));
    expect_status(TARN_NAME_INVALID, tarn_snapshot_delete(f->store, name));
    expect_status(TARN_NAME_INVALID, tarn_snapshot_verify(f->store, name));
}

static void test_names_that_are_refused(void **state)
{
    static const char *const names[] = {"",
                                        ".",
                                        "..",
                                        ".x",
                                        ".new-1",
                                        "../x",
                                        "../../x",
                                        "a/b",
                                        "/x",
                                        "/",
                                        "a/",
                                        "a/../../x",
                                        "a\n",
                                        "\x01",
                                        "a\x1f",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xc2\x9f",
                                        "\xff",
                                        "a\xc3",
                                        "\xc0\xaf",
                                        "\xed\xa0\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xe2\x80",
                                        "\xc0\x80"};
    struct store_folder *f = *state;
    char longest[TARN_SNAPSHOT_NAME_BYTES_MAX + 1];
    uint64_t digest = path_digest(f->around);

    memset(longest, 'x', sizeof longest);
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        expect_name_refused(f, text(names[i]));
    expect_name_refused(f, tarn_slice_of("a\0b", 3));
    expect_name_refused(f, tarn_slice_of("\0", 1));
    expect_name_refused(f, tarn_slice_of(longest, sizeof longest));
    expect_name_refused(f, tarn_slice_of(longest, 0));
    expect_number(digest, path_digest(f->around));
}

struct names_seen {
    const char *const *names;
    unsigned count, seen;
};

static bool tick_off(void *context, const struct tarn_snapshot_info *info)
{
    struct names_seen *all = context;

    for (unsigned i = 0; i < all->count; i++)
        all->seen += info->name.length == strlen(all->names[i]) &&
                     memcmp(info->name.data, all->names[i], info->name.length) == 0;
    return true;
}

static void test_names_that_are_fine(void **state)
{
    char longest[TARN_SNAPSHOT_NAME_BYTES_MAX + 1] = {0};
    const char *const names[] = {"a",    "a.b",        "a..",  "\xc3\xa4", " ",
                                 "*",    "~",          "a\\b", "-rf",      "lock",
                                 "A",    "s.snapshot", "test", ";",        "\xf0\x9f\x98\x80",
                                 longest};
    struct store_folder *f = *state;
    struct names_seen all = {names, sizeof names / sizeof names[0], 0};
    char room[NUMBERED_KEY_ROOM];

    memset(longest, 'x', sizeof longest - 1);
    for (unsigned i = 0; i < all.count; i++) {
        expect_ok(tarn_set(f->ns, text("a"), numbered_key(room, i), NULL, NULL));
        expect_ok(tarn_snapshot_save(f->store, text(names[i]), NULL));
    }
    expect_number(all.count, files_of_snapshots(f));
    expect_ok(tarn_snapshot_list(f->store, tick_off, &all));
    expect_number(all.count, all.seen);
    for (unsigned i = 0; i < all.count; i++) {
        expect_ok(tarn_snapshot_verify(f->store, text(names[i])));
        expect_ok(tarn_snapshot_load(f->store, text(names[i])));
        expect_stored(f->ns, text("a"), numbered_key(room, i)); /* no two met in one file */
        expect_ok(tarn_snapshot_delete(f->store, text(names[i])));
    }
    expect_number(0, files_of_snapshots(f));
}

/* ------------------------------------------------------------------------------------------
 * List, delete, verify
 */

struct listed {
    struct tarn_snapshot_info infos[8];
    char names[8][16], namespaces[8][16];
    unsigned count, stop_at;
};

static bool note(void *context, const struct tarn_snapshot_info *info)
{
    struct listed *listed = context;
    unsigned i = listed->count++;

    listed->infos[i] = *info;
    snprintf(listed->names[i], 16, "%.*s", (int)info->name.length, (const char *)info->name.data);
    snprintf(listed->namespaces[i], 16, "%.*s", (int)info->namespace_name.length,
             (const char *)info->namespace_name.data);
    return listed->count != listed->stop_at;
}

static void save_three(struct store_folder *f, struct tarn_snapshot_info infos[3])
{
    for (unsigned i = 0; i < 3; i++)
        infos[i] = (struct tarn_snapshot_info){.size = sizeof infos[i]};
    expect_ok(tarn_set(f->ns, text("a"), text("1"), NULL, NULL));
    expect_ok(tarn_snapshot_save(f->store, text("m"), &infos[0]));
    expect_ok(tarn_set(f->ns, text("a"), text("2"), NULL, NULL));
    expect_ok(tarn_snapshot_save_namespace(f->ns, text("z"), &infos[1]));
    expect_ok(tarn_set(f->ns, text("a"), text("3"), NULL, NULL));
    expect_ok(tarn_snapshot_save(f->store, text("b"), &infos[2]));
}

static void test_list(void **state)
{
    static const char *const order[] = {"b", "z", "m"};
    struct store_folder *f = *state;
    struct tarn_snapshot_info infos[3];
    struct listed listed = {0};

    expect_ok(tarn_snapshot_list(f->store, note, &listed));
    expect_number(0, listed.count);
    save_three(f, infos);
    file_write(path_of(f, "snapshots/notes.txt"), "no snapshot", 11);
    file_write(path_of(f, "snapshots/.x.snapshot"), "no snapshot", 11);
    expect_ok(tarn_snapshot_list(f->store, note, &listed));
    expect_number(3, listed.count);
    for (unsigned i = 0; i < 3; i++) {
        const struct tarn_snapshot_info *info = &listed.infos[i];

        expect_number(sizeof *info, info->size);
        expect_bytes(text(order[i]), text(listed.names[i]));
        expect_bytes(text(i == 1 ? "test" : ""), text(listed.namespaces[i]));
        expect_number(infos[2 - i].sequence, info->sequence);
        expect_number(infos[2 - i].clock_ns, info->clock_ns);
        expect_number(infos[2 - i].file_bytes, info->file_bytes);
        expect_number(1, info->namespaces);
        expect_ok(info->status);
        expect_number(0, info->keys + info->pause_ns + info->write_ns + info->sync_ns);
    }
    listed = (struct listed){.stop_at = 2};
    expect_ok(tarn_snapshot_list(f->store, note, &listed));
    expect_number(2, listed.count);
    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_list(f->store, NULL, NULL));
}

static void test_list_with_damaged_ones(void **state)
{
    struct store_folder *f = *state;
    struct tarn_snapshot_info infos[3];
    struct listed listed = {0};

    save_three(f, infos);
    file_write(path_of_snapshot(f, "a"), "damaged", 7);
    file_write(path_of_snapshot(f, "n"), "", 0);
    expect_that(mkdir(path_of_snapshot(f, "y"), 0700) == 0);
    expect_ok(tarn_snapshot_list(f->store, note, &listed));
    expect_number(6, listed.count);
    for (unsigned i = 0; i < 6; i++) {
        const struct tarn_snapshot_info *info = &listed.infos[i];

        expect_that((info->status == TARN_OK) == (i < 3));
        if (i >= 3) {
            expect_number(0, info->sequence + info->clock_ns + info->namespaces);
            expect_number(0, info->namespace_name.length);
            expect_number(1, info->name.length);
        }
    }
    expect_status(TARN_CORRUPT, tarn_snapshot_verify(f->store, text("y")));
    expect_status(TARN_CORRUPT, tarn_snapshot_verify(f->store, text("a")));
    expect_ok(tarn_snapshot_delete(f->store, text("a"))); /* what is damaged can be deleted */
    expect_ok(tarn_snapshot_delete(f->store, text("n")));
    expect_that(rmdir(path_of_snapshot(f, "y")) == 0);
}

static bool delete_it(void *context, const struct tarn_snapshot_info *info)
{
    expect_ok(tarn_snapshot_delete(context, info->name));
    return true;
}

static void test_delete(void **state)
{
    struct store_folder *f = *state;
    struct tarn_snapshot_info infos[3];
    struct tarn_slice none = {0};

    save_three(f, infos);
    expect_ok(tarn_snapshot_delete(f->store, text("m")));
    expect_status(TARN_SNAPSHOT_NOT_FOUND, tarn_snapshot_delete(f->store, text("m")));
    expect_error_names(TARN_SNAPSHOT_NOT_FOUND, "m");
    expect_status(TARN_SNAPSHOT_NOT_FOUND, tarn_snapshot_verify(f->store, text("m")));
    expect_status(TARN_SNAPSHOT_NOT_FOUND, tarn_snapshot_load(f->store, text("m")));
    expect_status(TARN_SNAPSHOT_NOT_FOUND,
                  tarn_snapshot_load_namespace(f->store, text("m"), text("test"), none));
    expect_stored(f->ns, text("a"), text("3"));
    expect_ok(tarn_snapshot_verify(f->store, text("z")));
    expect_ok(tarn_snapshot_list(f->store, delete_it, f->store));
    expect_number(0, files_of_snapshots(f));
    expect_stored(f->ns, text("a"), text("3"));
}

/* ------------------------------------------------------------------------------------------
 * Stores that have none, and arguments
 */

static void test_a_store_in_memory_has_none(void **state)
{
    struct store_folder *f = *state;
    struct tarn_slice name = text("s"), none = {0};
    struct listed listed = {0};

    store_folder_close(f);
    expect_ok(tarn_open(NULL, NULL, &f->store));
    f->ns = store_folder_create(f, "test", NULL);
    expect_status(TARN_PERSISTENCE_NOT_ENABLED, tarn_snapshot_save(f->store, name, NULL));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED, tarn_snapshot_save_namespace(f->ns, name, NULL));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED, tarn_snapshot_load(f->store, name));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED,
                  tarn_snapshot_load_namespace(f->store, name, text("test"), none));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED, tarn_snapshot_list(f->store, note, &listed));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED, tarn_snapshot_delete(f->store, name));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED, tarn_snapshot_verify(f->store, name));
    expect_number(0, listed.count);
}

static void test_arguments(void **state)
{
    struct store_folder *f = *state;
    struct tarn_slice name = text("s"), none = {0}, null = {NULL, 3};
    struct listed listed = {0};

    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_save(NULL, name, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_save_namespace(NULL, name, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_load(NULL, name));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_snapshot_load_namespace(NULL, name, text("test"), none));
    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_list(NULL, note, &listed));
    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_delete(NULL, name));
    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_verify(NULL, name));
    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_save(f->store, null, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_snapshot_load(f->store, null));
}

/* Handles that outlive what they were of. */
static void test_handles_of_what_is_gone(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *dropped = store_folder_create(f, "a", NULL), *closed = f->ns;

    expect_ok(tarn_namespace_drop(f->store, text("a")));
    expect_status(TARN_NAMESPACE_DROPPED, tarn_snapshot_save_namespace(dropped, text("s"), NULL));
    expect_number(0, files_of_snapshots(f));
    tarn_namespace_close(dropped);
    expect_ok(tarn_close(f->store));
    f->store = NULL;
    f->ns = NULL;
    expect_status(TARN_CLOSED, tarn_snapshot_save_namespace(closed, text("s"), NULL));
    tarn_namespace_close(closed);
    expect_number(0, files_of_snapshots(f));
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_a_namespace_there_and_back),
    STORE_FOLDER_TEST(test_a_store_of_many_namespaces),
    STORE_FOLDER_TEST(test_a_store_with_nothing_in_it),
    STORE_FOLDER_TEST(test_many_keys),
    STORE_FOLDER_TEST(test_the_same_name_is_replaced),
    STORE_FOLDER_TEST(test_what_a_save_tells),
    STORE_FOLDER_TEST(test_names_that_are_refused),
    STORE_FOLDER_TEST(test_names_that_are_fine),
    STORE_FOLDER_TEST(test_list),
    STORE_FOLDER_TEST(test_list_with_damaged_ones),
    STORE_FOLDER_TEST(test_delete),
    STORE_FOLDER_TEST(test_a_store_in_memory_has_none),
    STORE_FOLDER_TEST(test_arguments),
    STORE_FOLDER_TEST(test_handles_of_what_is_gone),
};

CONFORMANCE_TOPIC_OF_MEMORY(snapshots, tests);
