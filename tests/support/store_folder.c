/* A store in a folder, for tests; see the header. */
#include "support/store_folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test_folder.h"

/* ------------------------------------------------------------------------------------------
 * The store
 */

int store_folder_setup(void **state)
{
    struct store_folder *f = calloc(1, sizeof *f);

    if (!f || test_folder_make(f->around, sizeof f->around) != 0)
        return -1;
    *state = f;
    snprintf(f->path, sizeof f->path, "%.200s/store", f->around);
    expect_ok(tarn_open(f->path, NULL, &f->store));
    f->ns = store_folder_create(f, "test", NULL);
    return 0;
}

int store_folder_teardown(void **state)
{
    struct store_folder *f = *state;
    tarn_status status;

    tarn_buf_release(&f->buf);
    tarn_namespace_close(f->ns);
    status = tarn_close(f->store);
    (void)test_folder_remove(f->around); /* what matters is that the store could be closed */
    free(f);
    expect_ok(status);
    return 0;
}

void store_folder_close(struct store_folder *f)
{
    tarn_store *store = f->store;

    tarn_namespace_close(f->ns);
    f->ns = NULL;
    f->store = NULL;
    expect_ok(tarn_close(store));
}

void store_folder_open(struct store_folder *f, const struct tarn_options *options)
{
    tarn_status status;

    expect_ok(tarn_open(f->path, options, &f->store));
    status = tarn_namespace_open(f->store, text("test"), &f->ns);
    if (status != TARN_NAMESPACE_NOT_FOUND)
        expect_ok(status);
}

void store_folder_reopen(struct store_folder *f, const struct tarn_options *options)
{
    store_folder_close(f);
    store_folder_open(f, options);
}

tarn_status store_folder_try(const char *path, const struct tarn_options *options)
{
    struct tarn_error error;
    tarn_store *store = NULL;
    tarn_status status = tarn_open(path, options, &store);

    expect_that((status == TARN_OK) == (store != NULL));
    if (status) {
        error = *tarn_last_error();
        expect_status(status, error.status);
        expect_that(error.message[0] != '\0');
    }
    expect_ok(tarn_close(store));
    return status;
}

tarn_namespace *store_folder_create(struct store_folder *f, const char *name,
                                    const struct tarn_namespace_options *options)
{
    tarn_namespace *ns = NULL;

    expect_ok(fixture_backend->create(f->store, text(name), options, &ns));
    return ns;
}

tarn_namespace *store_folder_namespace(struct store_folder *f, const char *name)
{
    tarn_namespace *ns = NULL;

    expect_ok(tarn_namespace_open(f->store, text(name), &ns));
    return ns;
}

/* ------------------------------------------------------------------------------------------
 * Files
 */

static const char *join(const char *folder, const char *between, const char *name,
                        const char *suffix)
{
    static char rooms[8][2 * STORE_FOLDER_PATH_ROOM];
    static unsigned next;
    char *room = rooms[next++ % 8];

    snprintf(room, sizeof rooms[0], "%s/%s%s%s", folder, between, name, suffix);
    return room;
}

const char *path_of(const struct store_folder *f, const char *name)
{
    return join(f->path, "", name, "");
}

const char *path_around(const struct store_folder *f, const char *name)
{
    return join(f->around, "", name, "");
}

const char *path_of_snapshot(const struct store_folder *f, const char *name)
{
    return join(f->path, "snapshots/", name, ".snapshot");
}

struct tarn_buf file_read(const char *path)
{
    struct tarn_buf bytes = {0};
    FILE *file = fopen(path, "rb");
    long size;

    if (!file)
        print_error("cannot read %s\n", path);
    expect_that(file != NULL);
    expect_that(fseek(file, 0, SEEK_END) == 0);
    size = ftell(file);
    expect_that(size >= 0 && fseek(file, 0, SEEK_SET) == 0);
    bytes.capacity = (size_t)size + 1;
    bytes.length = (size_t)size;
    bytes.data = malloc(bytes.capacity);
    expect_that(bytes.data != NULL);
    expect_number(bytes.length, fread(bytes.data, 1, bytes.length, file));
    fclose(file);
    return bytes;
}

void file_write(const char *path, const void *bytes, size_t length)
{
    int file;

    (void)unlink(path); /* it may be there; emptied instead, ext4 would write it out when closed */
    file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    expect_that(file >= 0);
    expect_number(length, length ? write(file, bytes, length) : 0);
    expect_that(close(file) == 0);
}

static uint64_t digest_more(uint64_t digest, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < length; i++)
        digest = (digest ^ byte[i]) * 0x100000001b3;
    return (digest ^ length) * 0x9e3779b97f4a7c15;
}

static uint64_t digest_sum;
static size_t digest_skip; /* bytes of the path above */

static int digest_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    char target[STORE_FOLDER_PATH_ROOM] = {0};
    mode_t mode = status->st_mode;
    uint64_t digest = digest_more(1, path + digest_skip, strlen(path + digest_skip));

    (void)type;
    (void)walk;
    digest = digest_more(digest, &mode, sizeof mode);
    if (S_ISLNK(mode) && readlink(path, target, sizeof target - 1) > 0)
        digest = digest_more(digest, target, strlen(target));
    if (S_ISREG(mode)) {
        struct tarn_buf bytes = file_read(path);

        digest = digest_more(digest, bytes.data, bytes.length);
        free(bytes.data);
    }
    digest_sum += digest; /* folders are walked in any order */
    return 0;
}

uint64_t path_digest(const char *path)
{
    digest_sum = 0;
    digest_skip = strlen(path);
    expect_that(nftw(path, digest_one, 16, FTW_PHYS) == 0);
    return digest_sum;
}

static const char *copy_target;

static int copy_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    const char *to = join(copy_target, path + digest_skip, "", "");
    struct tarn_buf bytes;

    (void)type;
    (void)walk;
    if (S_ISDIR(status->st_mode))
        return mkdir(to, 0700);
    bytes = file_read(path);
    file_write(to, bytes.data, bytes.length);
    free(bytes.data);
    return 0;
}

void folder_copy(const char *from, const char *to)
{
    digest_skip = strlen(from);
    copy_target = to;
    expect_that(nftw(from, copy_one, 16, FTW_PHYS) == 0);
}

/* ------------------------------------------------------------------------------------------
 * Checks
 */

void store_folder_expect_content(struct fixture_state before, tarn_namespace *ns, const char *file,
                                 int line)
{
    struct fixture_state now = fixture_state_of(ns);

    fixture_expect_number(before.keys, now.keys, "keys, which should be as before", file, line);
    fixture_expect_number(before.bytes, now.bytes, "bytes, which should be as before", file, line);
    fixture_expect_number(before.digest, now.digest, "digest of all records", file, line);
}

void expect_error_names(tarn_status status, const char *file_name)
{
    const struct tarn_error *error = tarn_last_error();

    expect_status(status, error->status);
    if (!strstr(error->message, file_name))
        print_error("\"%s\" does not name %s\n", error->message, file_name);
    expect_that(strstr(error->message, file_name) != NULL);
}

struct tarn_stats store_folder_stats(tarn_namespace *ns)
{
    struct tarn_stats stats = {.size = sizeof stats};

    expect_ok(tarn_namespace_stats(ns, &stats, NULL, 0));
    return stats;
}

/* ------------------------------------------------------------------------------------------
 * Numbered keys
 */

void put_numbers(tarn_namespace *ns, unsigned from, unsigned to, unsigned round)
{
    char key[NUMBERED_KEY_ROOM], value[64];

    for (unsigned i = from; i < to; i++) {
        int length = snprintf(value, sizeof value, "value %u of round %u", i, round);

        expect_ok(
            tarn_set(ns, numbered_key(key, i), tarn_slice_of(value, (size_t)length), NULL, NULL));
    }
}

void expect_numbers(tarn_namespace *ns, unsigned from, unsigned to, unsigned round)
{
    char key[NUMBERED_KEY_ROOM], value[64];

    for (unsigned i = from; i < to; i++) {
        int length = snprintf(value, sizeof value, "value %u of round %u", i, round);

        expect_stored(ns, numbered_key(key, i), tarn_slice_of(value, (size_t)length));
    }
}

void remove_numbers(tarn_namespace *ns, unsigned from, unsigned to)
{
    char key[NUMBERED_KEY_ROOM];

    for (unsigned i = from; i < to; i++)
        expect_ok(tarn_delete(ns, numbered_key(key, i)));
}
