/* Stores to be damaged; see the header. */
#include "support/damaged_store.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------
 * What is told
 */

static void copy_slice(struct tarn_slice slice, char to[64])
{
    size_t length = slice.length < 63 ? slice.length : 63;

    if (length)
        memcpy(to, slice.data, length);
    to[length] = '\0';
}

static void hear_fault(void *context, const struct tarn_fault *fault)
{
    struct told *told = context;
    size_t used = strlen(told->messages);

    expect_that(fault->path && fault->message && fault->message[0]);
    snprintf(told->messages + used, sizeof told->messages - used, "%s\n", fault->message);
    if (fault->status == TARN_OK) {
        told->notes++;
        return;
    }
    told->faults++;
    told->offset = fault->offset;
    snprintf(told->path, sizeof told->path, "%s", fault->path);
    copy_slice(fault->key, told->key);
    copy_slice(fault->namespace_name, told->name);
}

static bool hear_progress(void *context, uint64_t done, uint64_t total)
{
    struct told *told = context;

    expect_that(done >= told->done && done <= total && total >= told->total);
    told->done = done;
    told->total = total;
    return ++told->calls != told->cancel_at;
}

static struct tarn_check_options options_of(struct told *told)
{
    unsigned cancel_at = told->cancel_at;

    *told = (struct told){.cancel_at = cancel_at, .summary.size = sizeof told->summary};
    return (struct tarn_check_options){.size = sizeof(struct tarn_check_options),
                                       .fault = hear_fault,
                                       .progress = hear_progress,
                                       .context = told};
}

static void expect_summed_up(tarn_status status, const struct told *told)
{
    struct tarn_error error = *tarn_last_error();

    if (status && status != TARN_CORRUPT && status != TARN_CANCELLED) {
        expect_number(0, told->summary.bytes); /* untouched */
        return;
    }
    if (status)
        expect_number(status, error.status);
    expect_number(told->faults, told->summary.faults);
    expect_number(told->done, told->summary.bytes);
    if (status != TARN_CANCELLED)
        expect_that((status == TARN_CORRUPT) == (told->faults > 0));
}

tarn_status check_told(const char *path, struct told *told)
{
    struct tarn_check_options options = options_of(told);
    tarn_status status = tarn_check(path, &options, &told->summary);

    expect_summed_up(status, told);
    return status;
}

tarn_status salvage_told(const char *from, const char *to, struct told *told)
{
    struct tarn_check_options options = options_of(told);
    tarn_status status = tarn_salvage(from, to, &options, &told->summary);

    expect_summed_up(status, told);
    return status;
}

bool told_of(const struct told *told, const char *words)
{
    if (strstr(told->messages, words))
        return true;
    print_error("nothing was said of \"%s\" in: %s\n", words, told->messages);
    return false;
}

/* ------------------------------------------------------------------------------------------
 * Files
 */

static struct store_files *found_files;

static int find_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    size_t length = strlen(path);

    (void)type;
    (void)walk;
    if (!S_ISREG(status->st_mode) || (length > 5 && strcmp(path + length - 5, "/lock") == 0))
        return 0;
    if (found_files->count == DAMAGED_FILES_MAX)
        return -1;
    snprintf(found_files->paths[found_files->count++], sizeof found_files->paths[0], "%s", path);
    return 0;
}

static int by_path(const void *left, const void *right)
{
    return strcmp(left, right);
}

void store_files_find(struct store_files *files, const char *path)
{
    files->count = 0;
    found_files = files;
    expect_that(nftw(path, find_one, 16, FTW_PHYS) == 0);
    qsort(files->paths, files->count, sizeof files->paths[0], by_path);
}

const char *store_files_named(const struct store_files *files, const char *end)
{
    for (unsigned i = 0; i < files->count; i++) {
        size_t length = strlen(files->paths[i]);

        if (length >= strlen(end) && strcmp(files->paths[i] + length - strlen(end), end) == 0)
            return files->paths[i];
    }
    fail_msg("there is no file %s", end);
    return NULL;
}

void flip_byte(const char *path, uint64_t offset, uint8_t bits)
{
    int file = open(path, O_RDWR);
    uint8_t byte = 0;

    expect_that(file >= 0 && pread(file, &byte, 1, (off_t)offset) == 1);
    byte ^= bits;
    expect_that(pwrite(file, &byte, 1, (off_t)offset) == 1 && close(file) == 0);
}

/* ------------------------------------------------------------------------------------------
 * Records
 */

void put_some(tarn_namespace *ns, unsigned from, unsigned to, size_t bytes, unsigned round)
{
    char key[NUMBERED_KEY_ROOM];

    for (unsigned i = from; i < to; i++) {
        void *value = patterned_bytes(bytes, i * UINT64_C(1000) + round);

        expect_ok(tarn_set(ns, numbered_key(key, i), tarn_slice_of(value, bytes), NULL, NULL));
        free(value);
    }
}

unsigned count_some(tarn_namespace *ns, unsigned from, unsigned to, size_t bytes, unsigned round)
{
    char key[NUMBERED_KEY_ROOM];
    struct tarn_buf found = {0};
    unsigned count = 0;

    for (unsigned i = from; i < to; i++) {
        void *value = patterned_bytes(bytes, i * UINT64_C(1000) + round);
        tarn_status status = tarn_get(ns, numbered_key(key, i), &found, NULL);

        if (status != TARN_KEY_NOT_FOUND) {
            expect_ok(status);
            expect_bytes(tarn_slice_of(value, bytes), held(&found));
            count++;
        }
        free(value);
    }
    tarn_buf_release(&found);
    return count;
}

void damaged_store_fill(struct store_folder *f, unsigned keys, size_t size)
{
    const struct tarn_namespace_options *on_log =
        NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG, .sync = TARN_SYNC_NONE,
                          .segment_bytes = 65536);
    tarn_namespace *log = store_folder_create(f, "log", on_log);
    tarn_namespace *other = store_folder_create(f, "other", on_log);
    char key[NUMBERED_KEY_ROOM];
    tarn_batch *batch;

    put_some(f->ns, 0, keys, size, 1);
    expect_ok(tarn_snapshot_save(f->store, text("one"), NULL));
    put_some(f->ns, keys, keys + 3, size, 1);
    put_some(log, 0, keys, size, 1);
    put_some(log, 0, keys / 2, size, 2);
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, text("batched"), text("1")));
    expect_ok(tarn_batch_set(batch, text("batched too"), text("2")));
    expect_ok(tarn_batch_commit(log, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    tarn_batch_free(batch);
    expect_ok(tarn_delete(log, numbered_key(key, 0)));
    put_some(log, keys, keys + 3, size, 1);
    put_some(other, 0, 3, size, 1);
    expect_ok(tarn_snapshot_save_namespace(f->ns, text("two"), NULL));
    tarn_namespace_close(other);
    tarn_namespace_close(log);
}
