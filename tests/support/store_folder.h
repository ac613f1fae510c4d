/*
 * A store in a folder, for tests of the public interface: the folder, its files as bytes, and the
 * store opened and closed again. The tests know what stands in a folder by docs/format-*.md alone.
 *
 * For the thread that runs the test: a failure leaves the test.
 */
#ifndef TARN_TESTS_STORE_FOLDER_H
#define TARN_TESTS_STORE_FOLDER_H

#include "support/fixture.h"

#define STORE_FOLDER_PATH_ROOM 512

struct store_folder {
    char around[STORE_FOLDER_PATH_ROOM / 2]; /* the test's own folder, removed at the end */
    char path[STORE_FOLDER_PATH_ROOM / 2];   /* of the store: "store" in it */
    tarn_store *store;
    tarn_namespace *ns; /* of the name "test"; NULL while the store has none */
    struct tarn_buf buf;
};

/* cmocka's setup and teardown: a fresh store in a folder, with the namespace "test". */
int store_folder_setup(void **state);
int store_folder_teardown(void **state);

#define STORE_FOLDER_TEST(function)                                                                \
    cmocka_unit_test_setup_teardown(function, store_folder_setup, store_folder_teardown)

#define STORE_OPTIONS(...)                                                                         \
    (&(struct tarn_options){.size = sizeof(struct tarn_options), __VA_ARGS__})
#define NAMESPACE_OPTIONS(...)                                                                     \
    (&(struct tarn_namespace_options){.size = sizeof(struct tarn_namespace_options), __VA_ARGS__})

/* Closes the store, if it is open, and opens it. options may be NULL. */
void store_folder_close(struct store_folder *f);
void store_folder_open(struct store_folder *f, const struct tarn_options *options);
void store_folder_reopen(struct store_folder *f, const struct tarn_options *options);

/* Opens a store a second time and closes it again; what the opening returned. */
tarn_status store_folder_try(const char *path, const struct tarn_options *options);

/* Makes a namespace, or opens a handle to one. */
tarn_namespace *store_folder_create(struct store_folder *f, const char *name,
                                    const struct tarn_namespace_options *options);
tarn_namespace *store_folder_namespace(struct store_folder *f, const char *name);

/* Paths, in room that the next but seven calls use again. */
const char *path_of(const struct store_folder *f, const char *name);          /* in the store */
const char *path_around(const struct store_folder *f, const char *name);      /* beside it */
const char *path_of_snapshot(const struct store_folder *f, const char *name); /* its file */

/* A file as bytes; fails the test where it cannot be read or written. */
struct tarn_buf file_read(const char *path);
void file_write(const char *path, const void *bytes, size_t length);

/* Names, kinds, permissions and bytes of all that is in a folder, or of a file, in a number. */
uint64_t path_digest(const char *path);

/* Copies a folder with all its files and folders. */
void folder_copy(const char *from, const char *to);

/* Keys, bytes, sequences, contents as they were; other than expect_same_state() it says nothing of
 * the count of writes. */
#define expect_same_content(before, ns)                                                            \
    store_folder_expect_content((before), (ns), __FILE__, __LINE__)
void store_folder_expect_content(struct fixture_state before, tarn_namespace *ns, const char *file,
                                 int line);

/* The last error is of this status, and its message names the file. */
void expect_error_names(tarn_status status, const char *file_name) __attribute__((nonnull));

struct tarn_stats store_folder_stats(tarn_namespace *ns);

/* Sets, reads and deletes numbered keys from..to-1, each with a value that says which it is and
 * which round. */
void put_numbers(tarn_namespace *ns, unsigned from, unsigned to, unsigned round);
void expect_numbers(tarn_namespace *ns, unsigned from, unsigned to, unsigned round);
void remove_numbers(tarn_namespace *ns, unsigned from, unsigned to);

#endif
