/*
 * Conformance: folders that are no store, or none any more: what is refused, with the file's name,
 * and that the refusal changes nothing. (Numbers 1, 2, 3, 7 and 40 of the list of faults, for the
 * catalog and the folder.)
 */
#include "conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/store_folder.h"
#include "support/test_folder.h"

/* Opens it in every way, and expects the status and that nothing in the test's folder changed. */
static void expect_refused_untouched(struct store_folder *f, const char *path, tarn_status wanted)
{
    uint64_t digest = path_digest(f->around);
    int descriptors = test_open_descriptors();

    expect_status(wanted, store_folder_try(path, NULL));
    expect_number(digest, path_digest(f->around));
    expect_status(wanted, store_folder_try(path, STORE_OPTIONS(.load = TARN_LOAD_NEWEST_WHOLE)));
    expect_number(digest, path_digest(f->around));
    expect_number(descriptors, test_open_descriptors());
}

/* ------------------------------------------------------------------------------------------
 * What else may be there
 */

static void foreign_folder(struct store_folder *f, const char *name, const char *file)
{
    char path[STORE_FOLDER_PATH_ROOM];

    (void)mkdir(path_around(f, name), 0755); /* the second file finds it there */
    snprintf(path, sizeof path, "%.300s/%s", path_around(f, name), file);
    file_write(path, "not yours", 9);
}

static void test_a_folder_with_other_files(void **state)
{
    struct store_folder *f = *state;

    foreign_folder(f, "notes", "notes.txt");
    expect_refused_untouched(f, path_around(f, "notes"), TARN_INVALID_ARGUMENT);
    foreign_folder(f, "hidden", ".profile");
    expect_refused_untouched(f, path_around(f, "hidden"), TARN_INVALID_ARGUMENT);
    foreign_folder(f, "folders", "note");
    expect_that(mkdir(path_around(f, "folders/snapshots"), 0755) == 0);
    expect_refused_untouched(f, path_around(f, "folders"), TARN_INVALID_ARGUMENT);
}

/* "lock" is a name that others use, too. */
static void test_a_foreign_folder_with_a_lock(void **state)
{
    struct store_folder *f = *state;

    foreign_folder(f, "dpkg", "lock");
    foreign_folder(f, "dpkg", "status");
    expect_refused_untouched(f, path_around(f, "dpkg"), TARN_INVALID_ARGUMENT);
}

static void test_a_foreign_file_called_catalog(void **state)
{
    struct store_folder *f = *state;

    foreign_folder(f, "library", "catalog");
    expect_refused_untouched(f, path_around(f, "library"), TARN_CORRUPT);
}

static void test_paths_that_lead_nowhere(void **state)
{
    struct store_folder *f = *state;
    char longest[300];

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    file_write(path_around(f, "file"), "a file", 6);
    expect_that(symlink(path_around(f, "nowhere"), path_around(f, "dangling")) == 0);
    expect_refused_untouched(f, path_around(f, "file"), TARN_IO);
    expect_refused_untouched(f, path_around(f, "file/store"), TARN_IO);
    expect_refused_untouched(f, path_around(f, "no/parent"), TARN_IO);
    expect_that(tarn_last_error()->system_error != 0);
    expect_refused_untouched(f, path_around(f, "dangling"), TARN_IO);
    expect_refused_untouched(f, path_around(f, longest), TARN_IO);
    expect_that(store_folder_try("", NULL) != TARN_OK);
}

/* Puts something else in the place of a part of a store that is closed: a symbolic link to the real
 * one, a folder, a FIFO; opens; puts the part back. */
static void replace_part(struct store_folder *f, const char *part)
{
    char away[STORE_FOLDER_PATH_ROOM];

    snprintf(away, sizeof away, "%.300s", path_around(f, "away"));
    store_folder_close(f);
    expect_that(rename(path_of(f, part), away) == 0);
    expect_that(symlink(away, path_of(f, part)) == 0);
    expect_refused_untouched(f, f->path, TARN_IO);
    expect_error_names(TARN_IO, part);
    expect_status(TARN_IO, store_folder_try(f->path, STORE_OPTIONS(.read_only = true)));
    expect_that(unlink(path_of(f, part)) == 0);
    if (strcmp(part, "snapshots") != 0) {
        expect_that(mkdir(path_of(f, part), 0700) == 0);
        expect_refused_untouched(f, f->path, TARN_IO);
        expect_status(TARN_IO, store_folder_try(f->path, STORE_OPTIONS(.read_only = true)));
        expect_that(rmdir(path_of(f, part)) == 0);
    } else {
        file_write(path_of(f, part), "a file", 6);
        expect_refused_untouched(f, f->path, TARN_IO);
        expect_status(TARN_IO, store_folder_try(f->path, STORE_OPTIONS(.read_only = true)));
        expect_that(unlink(path_of(f, part)) == 0);
    }
    expect_that(mkfifo(path_of(f, part), 0600) == 0);
    expect_refused_untouched(f, f->path, TARN_IO);
    expect_that(unlink(path_of(f, part)) == 0);
    expect_that(rename(away, path_of(f, part)) == 0);
    store_folder_open(f, NULL);
    expect_that(f->ns != NULL);
}

static void test_something_else_in_the_place_of_a_part(void **state)
{
    replace_part(*state, "lock");
    replace_part(*state, "catalog");
    replace_part(*state, "snapshots");
}

/* A link that leads to another file is neither followed nor written through. */
static void test_links_to_what_is_elsewhere(void **state)
{
    struct store_folder *f = *state;

    file_write(path_around(f, "precious"), "precious", 8);
    expect_that(mkdir(path_around(f, "trap"), 0700) == 0);
    expect_that(symlink(path_around(f, "precious"), path_around(f, "trap/lock")) == 0);
    expect_refused_untouched(f, path_around(f, "trap"), TARN_IO);
    expect_that(symlink(path_around(f, "precious"), path_of(f, "catalog.new")) == 0);
    tarn_namespace_close(store_folder_create(f, "a", NULL));
    expect_that(symlink(path_around(f, "precious"), path_of_snapshot(f, "s")) == 0);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    f->buf = file_read(path_around(f, "precious"));
    expect_bytes(text("precious"), held(&f->buf));
    free(f->buf.data);
    f->buf = (struct tarn_buf){0};
    expect_ok(tarn_snapshot_verify(f->store, text("s")));
    store_folder_reopen(f, NULL);
    tarn_namespace_close(store_folder_namespace(f, "a"));
}

/* What a process leaves behind that ended in the middle. */
static void test_what_a_crash_leaves(void **state)
{
    struct store_folder *f = *state;

    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    store_folder_close(f);
    file_write(path_of(f, "catalog.new"), "half a cat", 10);
    file_write(path_of(f, "snapshots/.new-0123456789abcdef"), "half a snapshot", 15);
    store_folder_open(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST));
    expect_that(f->ns != NULL);
    expect_that(access(path_of(f, "snapshots/.new-0123456789abcdef"), F_OK) != 0);
    tarn_namespace_close(store_folder_create(f, "a", NULL));
    store_folder_reopen(f, NULL);
    tarn_namespace_close(store_folder_namespace(f, "a"));
    expect_that(access(path_of(f, "catalog.new"), F_OK) != 0);
    store_folder_close(f);
    /* A first opening that ended before there was a catalog. */
    expect_that(unlink(path_of_snapshot(f, "s")) == 0 && unlink(path_of(f, "catalog")) == 0);
    store_folder_open(f, NULL);
    expect_that(f->ns == NULL);
}

/* What a crash leaves of a backup is never taken for a store, whatever else is there. */
static void test_a_copy_that_was_not_finished(void **state)
{
    struct store_folder *f = *state;

    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    store_folder_close(f);
    file_write(path_of(f, "unfinished"), "", 0);
    expect_refused_untouched(f, f->path, TARN_INVALID_ARGUMENT);
    expect_error_names(TARN_INVALID_ARGUMENT, "store");
    expect_status(TARN_INVALID_ARGUMENT,
                  store_folder_try(f->path, STORE_OPTIONS(.read_only = true)));
    expect_that(unlink(path_of(f, "unfinished")) == 0);
    store_folder_open(f, NULL);
    expect_that(f->ns != NULL);
}

/* ------------------------------------------------------------------------------------------
 * The catalog
 */

static struct tarn_buf some_catalog(struct store_folder *f)
{
    tarn_namespace_close(store_folder_create(f, "a", NAMESPACE_OPTIONS(.max_keys = 1000)));
    store_folder_close(f);
    return file_read(path_of(f, "catalog"));
}

/* The catalog is these bytes: opening fails, names it, and leaves the bytes. */
static void expect_damaged(struct store_folder *f, const unsigned char *bytes, size_t length,
                           bool look_closely)
{
    struct tarn_options *options = length % 2 ? NULL : STORE_OPTIONS(.read_only = true);
    tarn_store *store = NULL;
    struct tarn_buf after;
    tarn_status status;

    file_write(path_of(f, "catalog"), bytes, length);
    status = tarn_open(f->path, options, &store);
    if (status != TARN_CORRUPT && status != TARN_UNSUPPORTED_VERSION)
        expect_status(TARN_CORRUPT, status);
    expect_that(store == NULL);
    expect_error_names(status, "catalog");
    expect_that(tarn_last_error()->offset <= length);
    if (!look_closely)
        return;
    after = file_read(path_of(f, "catalog"));
    expect_bytes(tarn_slice_of(bytes, length), held(&after));
    free(after.data);
}

/* Puts the catalog back, and expects that the store is as it was. */
static void put_back(struct store_folder *f, struct tarn_buf *catalog)
{
    tarn_namespace *ns;

    file_write(path_of(f, "catalog"), catalog->data, catalog->length);
    free(catalog->data);
    store_folder_open(f, NULL);
    ns = store_folder_namespace(f, "a");
    expect_number(1000, store_folder_stats(ns).options.max_keys);
    tarn_namespace_close(ns);
}

static void test_catalog_cut_off(void **state)
{
    struct store_folder *f = *state;
    struct tarn_buf catalog = some_catalog(f);
    unsigned char *longer = calloc(1, catalog.length + 4096);

    for (size_t length = 0; length < catalog.length; length++)
        expect_damaged(f, catalog.data, length, true);
    memcpy(longer, catalog.data, catalog.length);
    for (size_t more = 1; more <= 4096; more *= 2)
        expect_damaged(f, longer, catalog.length + more, true);
    free(longer);
    put_back(f, &catalog);
}

static void test_catalog_with_flipped_bits(void **state)
{
    struct store_folder *f = *state;
    struct tarn_buf catalog = some_catalog(f);
    unsigned char *bytes = catalog.data;

    for (size_t bit = 0; bit < 8 * catalog.length; bit++) {
        bytes[bit / 8] ^= 1u << bit % 8;
        expect_damaged(f, bytes, catalog.length, bit % 8 == 0);
        bytes[bit / 8] ^= 1u << bit % 8;
    }
    put_back(f, &catalog);
}

static void test_catalog_of_something_else(void **state)
{
    struct store_folder *f = *state;
    struct tarn_buf snapshot, catalog;
    unsigned char *garbage = patterned_bytes(100000, 1);

    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    snapshot = file_read(path_of_snapshot(f, "s"));
    catalog = some_catalog(f);
    expect_damaged(f, snapshot.data, snapshot.length, true);
    expect_damaged(f, garbage, 100000, true);
    memset(garbage, 0, 100000);
    expect_damaged(f, garbage, 100000, true);
    free(garbage);
    free(snapshot.data);
    put_back(f, &catalog);
}

/* A file that is far larger than any catalog is not read into memory. */
static void test_catalog_that_is_huge(void **state)
{
    struct store_folder *f = *state;

    store_folder_close(f);
    expect_that(truncate(path_of(f, "catalog"), (off_t)1 << 42) == 0);
    expect_status(TARN_CORRUPT, store_folder_try(f->path, NULL));
    expect_that(unlink(path_of(f, "catalog")) == 0);
    store_folder_open(f, NULL);
}

/* A store whose catalog is lost must not become a new one: its snapshots would be worth nothing. */
static void test_catalog_missing_beside_snapshots(void **state)
{
    struct store_folder *f = *state;
    uint64_t digest;

    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    store_folder_close(f);
    expect_that(rename(path_of(f, "catalog"), path_around(f, "away")) == 0);
    expect_refused_untouched(f, f->path, TARN_CORRUPT);
    expect_error_names(TARN_CORRUPT, "catalog");
    digest = path_digest(f->path);
    expect_status(TARN_CORRUPT, store_folder_try(f->path, STORE_OPTIONS(.read_only = true)));
    file_write(path_of_snapshot(f, "s"), "", 0); /* a damaged one is one all the same */
    expect_status(TARN_CORRUPT, store_folder_try(f->path, NULL));
    expect_that(digest != path_digest(f->path));
    expect_that(rename(path_around(f, "away"), path_of(f, "catalog")) == 0);
    store_folder_open(f, STORE_OPTIONS(.load = TARN_LOAD_NOTHING));
}

static void test_more_namespaces_than_are_allowed(void **state)
{
    struct store_folder *f = *state;
    struct tarn_options options = {.size = sizeof options, .max_namespaces = 2};
    uint64_t digest;

    free(some_catalog(f).data);
    digest = path_digest(f->path);
    options.max_namespaces = 1;
    expect_status(TARN_TOO_MANY_NAMESPACES, store_folder_try(f->path, &options));
    options.max_namespaces = 2;
    options.load = (enum tarn_load)3;
    expect_status(TARN_INVALID_ARGUMENT, store_folder_try(f->path, &options));
    options.load = TARN_LOAD_NOTHING;
    expect_number(digest, path_digest(f->path));
    store_folder_open(f, &options);
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_a_folder_with_other_files),
    STORE_FOLDER_TEST(test_a_foreign_folder_with_a_lock),
    STORE_FOLDER_TEST(test_a_foreign_file_called_catalog),
    STORE_FOLDER_TEST(test_paths_that_lead_nowhere),
    STORE_FOLDER_TEST(test_something_else_in_the_place_of_a_part),
    STORE_FOLDER_TEST(test_links_to_what_is_elsewhere),
    STORE_FOLDER_TEST(test_what_a_crash_leaves),
    STORE_FOLDER_TEST(test_a_copy_that_was_not_finished),
    STORE_FOLDER_TEST(test_catalog_cut_off),
    STORE_FOLDER_TEST(test_catalog_with_flipped_bits),
    STORE_FOLDER_TEST(test_catalog_of_something_else),
    STORE_FOLDER_TEST(test_catalog_that_is_huge),
    STORE_FOLDER_TEST(test_catalog_missing_beside_snapshots),
    STORE_FOLDER_TEST(test_more_namespaces_than_are_allowed),
};

CONFORMANCE_TOPIC_OF_MEMORY(folder_faults, tests);
