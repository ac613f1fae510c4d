/*
 * Directories and files, above any table of the operating system: names are checked, what was short
 * or interrupted is repeated, and an errno becomes a status with path, errno and offset.
 *
 * What is repeated: openings, reads, writes, changes of size. What is never repeated: a sync, since
 * a second one that succeeds proves nothing about the bytes of the first; and a close, whose handle
 * is gone. An interruption is repeated a bounded number of times, so that no fault can hang a call.
 *
 * A directory or file holds its table, its handle and its path, which nobody changes while it is
 * open: any thread may use it.
 */
#include "os/os.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES_MAX    255
#define MAP_OFFSET_UNIT   ((uint64_t)64 * 1024)
#define INTERRUPTIONS_MAX 1000

/* Repeats a call of the table while it is interrupted before it did anything. */
#define REPEAT_INTERRUPTED(error, call)                                                            \
    do {                                                                                           \
        int interruptions = 0;                                                                     \
        do                                                                                         \
            (error) = (call);                                                                      \
        while ((error) == EINTR && ++interruptions < INTERRUPTIONS_MAX);                           \
    } while (0)

struct tarn__directory {
    const struct tarn__os *os;
    int handle;
    char path[];
};

struct tarn__file {
    const struct tarn__os *os;
    int handle;
    char path[];
};

/* --- Errors and names --------------------------------------------------------------------- */

bool tarn__failed_with(tarn_status status, int system_error)
{
    return status != TARN_OK && tarn_last_error()->status == status &&
           tarn_last_error()->system_error == system_error;
}

static tarn_status status_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return TARN_FULL;
    case ENOMEM:
        return TARN_NO_MEMORY;
    default:
        return TARN_IO;
    }
}

static tarn_status failed(int error, const char *verb, const char *path)
{
    if (error == 0)
        return TARN_OK;
    return tarn__fail_system(status_of(error), error, "cannot %s '%s'", verb, path);
}

static tarn_status failed_at(int error, const char *verb, const struct tarn__file *file,
                             uint64_t offset)
{
    tarn_status status = tarn__fail_system(
        status_of(error), error, "cannot %s offset %" PRIu64 " of '%s'", verb, offset, file->path);

    return tarn__set_offset(status, offset);
}

static tarn_status ends_at(const struct tarn__file *file, uint64_t end)
{
    return tarn__fail_at(TARN_CORRUPT, end, "'%s' ends too early, at offset %" PRIu64, file->path,
                         end);
}

static tarn_status failed_in(int error, const char *verb, const struct tarn__directory *directory,
                             const char *name)
{
    if (error == 0)
        return TARN_OK;
    return tarn__fail_system(status_of(error), error, "cannot %s '%s/%s'", verb, directory->path,
                             name);
}

/* The only guard between a name from a file or a caller and the file system. */
static tarn_status check_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > NAME_BYTES_MAX)
        return tarn__fail(TARN_NAME_INVALID, "a file's name has 1 to %d bytes, not %zu",
                          NAME_BYTES_MAX, length);
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return tarn__fail(TARN_NAME_INVALID, "'%s' is not the name of a file", name);
    return TARN_OK;
}

static tarn_status check_names(const char *from, const char *to)
{
    tarn_status status = check_name(from);

    return status == TARN_OK ? check_name(to) : status;
}

/* --- Directories -------------------------------------------------------------------------- */

static struct tarn__directory *new_directory(const struct tarn__os *os, const char *around,
                                             const char *name)
{
    size_t bytes = strlen(around) + strlen(name) + 2;
    struct tarn__directory *directory = tarn__allocate(sizeof *directory + bytes);

    if (!directory)
        return NULL;
    directory->os = os;
    snprintf(directory->path, bytes, "%s%s%s", around, *around ? "/" : "", name);
    return directory;
}

static tarn_status open_directory(const struct tarn__os *os, int parent, const char *name,
                                  struct tarn__directory *opened)
{
    int error;

    REPEAT_INTERRUPTED(error, os->directory_open(os, parent, name, &opened->handle));
    return failed(error, "open the directory", opened->path);
}

tarn_status tarn__directory_open(const struct tarn__os *os, const char *path,
                                 struct tarn__directory **directory)
{
    struct tarn__directory *opened = new_directory(os, "", path);
    tarn_status status;

    if (!opened)
        return TARN_NO_MEMORY;
    status = open_directory(os, TARN__OS_NO_DIRECTORY, path, opened);
    if (status != TARN_OK) {
        tarn__free(opened);
        return status;
    }
    *directory = opened;
    return TARN_OK;
}

tarn_status tarn__directory_open_in(const struct tarn__directory *parent, const char *name,
                                    struct tarn__directory **directory)
{
    tarn_status status = check_name(name);
    struct tarn__directory *opened;

    if (status != TARN_OK)
        return status;
    opened = new_directory(parent->os, parent->path, name);
    if (!opened)
        return TARN_NO_MEMORY;
    status = open_directory(parent->os, parent->handle, name, opened);
    if (status != TARN_OK) {
        tarn__free(opened);
        return status;
    }
    *directory = opened;
    return TARN_OK;
}

tarn_status tarn__directory_close(struct tarn__directory *directory)
{
    tarn_status status;

    if (!directory)
        return TARN_OK;
    status = failed(directory->os->close(directory->os, directory->handle), "close the directory",
                    directory->path);
    tarn__free(directory);
    return status;
}

tarn_status tarn__directory_sync(const struct tarn__directory *directory)
{
    return failed(directory->os->directory_sync(directory->os, directory->handle),
                  "sync the directory", directory->path);
}

/* Writes the path of the directory around the last name of path into around, which has room for
 * path and two bytes more. mkdir() follows no link in the last name, so this is the one that it
 * changed. */
static void path_around(const char *path, char *around)
{
    size_t length = strlen(path);

    memcpy(around, path, length);
    while (length > 0 && around[length - 1] == '/')
        length--;
    while (length > 0 && around[length - 1] != '/')
        length--;
    if (length == 0)
        around[length++] = *path == '/' ? '/' : '.';
    around[length] = '\0';
}

tarn_status tarn__directory_make(const struct tarn__os *os, const char *path)
{
    struct tarn__directory *parent = NULL;
    tarn_status status, closed;
    char *around;
    int error;

    REPEAT_INTERRUPTED(error, os->directory_make(os, TARN__OS_NO_DIRECTORY, path));
    if (error != 0 && error != EEXIST)
        return failed(error, "make the directory", path);

    around = tarn__allocate(strlen(path) + 2);
    if (!around)
        return TARN_NO_MEMORY;
    path_around(path, around);
    status = tarn__directory_open(os, around, &parent);
    if (status != TARN_OK) {
        /* A directory that was there, in one that is not ours to read: whoever made it for us, with
         * more rights, answers for its name. */
        if (error == EEXIST && tarn__failed_with(status, EACCES))
            status = TARN_OK;
        goto done;
    }
    status = tarn__directory_sync(parent);
done:
    closed = tarn__directory_close(parent);
    tarn__free(around);
    return status != TARN_OK ? status : closed;
}

tarn_status tarn__directory_make_in(const struct tarn__directory *parent, const char *name)
{
    tarn_status status = check_name(name);
    int error;

    if (status != TARN_OK)
        return status;
    REPEAT_INTERRUPTED(error, parent->os->directory_make(parent->os, parent->handle, name));
    return failed_in(error, "make the directory", parent, name);
}

tarn_status tarn__directory_remove_in(const struct tarn__directory *parent, const char *name)
{
    tarn_status status = check_name(name);

    if (status != TARN_OK)
        return status;
    return failed_in(parent->os->directory_remove(parent->os, parent->handle, name),
                     "remove the directory", parent, name);
}

tarn_status tarn__directory_list(const struct tarn__directory *directory,
                                 tarn__directory_visit visit, void *context)
{
    return failed(directory->os->directory_list(directory->os, directory->handle, visit, context),
                  "list the directory", directory->path);
}

const char *tarn__directory_path(const struct tarn__directory *directory)
{
    return directory->path;
}

/* --- Names of files ----------------------------------------------------------------------- */

tarn_status tarn__file_rename(const struct tarn__directory *from_directory, const char *from,
                              const struct tarn__directory *to_directory, const char *to)
{
    const struct tarn__os *os = from_directory->os;
    tarn_status status = check_names(from, to);

    if (status != TARN_OK)
        return status;
    return failed_in(os->rename(os, from_directory->handle, from, to_directory->handle, to),
                     "rename a file to", to_directory, to);
}

tarn_status tarn__file_link(const struct tarn__directory *from_directory, const char *from,
                            const struct tarn__directory *to_directory, const char *to)
{
    const struct tarn__os *os = from_directory->os;
    tarn_status status = check_names(from, to);

    if (status != TARN_OK)
        return status;
    return failed_in(os->link(os, from_directory->handle, from, to_directory->handle, to),
                     "link a file to", to_directory, to);
}

tarn_status tarn__file_unlink(const struct tarn__directory *directory, const char *name)
{
    tarn_status status = check_name(name);

    if (status != TARN_OK)
        return status;
    return failed_in(directory->os->unlink(directory->os, directory->handle, name), "unlink",
                     directory, name);
}

/* --- Files -------------------------------------------------------------------------------- */

tarn_status tarn__file_open(const struct tarn__directory *directory, const char *name,
                            enum tarn__open_mode mode, struct tarn__file **file)
{
    const struct tarn__os *os = directory->os;
    size_t bytes = strlen(directory->path) + strlen(name) + 2;
    tarn_status status = check_name(name);
    struct tarn__file *opened;
    int error;

    if (status != TARN_OK)
        return status;
    /* Before the file is made: what can fail without a trace comes first. */
    opened = tarn__allocate(sizeof *opened + bytes);
    if (!opened)
        return TARN_NO_MEMORY;
    opened->os = os;
    snprintf(opened->path, bytes, "%s/%s", directory->path, name);
    REPEAT_INTERRUPTED(error, os->file_open(os, directory->handle, name, mode, &opened->handle));
    if (error != 0) {
        status = failed(error, mode == TARN__OPEN_CREATE ? "create" : "open", opened->path);
        tarn__free(opened);
        return status;
    }
    *file = opened;
    return TARN_OK;
}

tarn_status tarn__file_close(struct tarn__file *file)
{
    tarn_status status;

    if (!file)
        return TARN_OK;
    status = failed(file->os->close(file->os, file->handle), "close", file->path);
    tarn__free(file);
    return status;
}

tarn_status tarn__file_read_some(const struct tarn__file *file, void *bytes, size_t length,
                                 uint64_t offset, size_t *done)
{
    const struct tarn__os *os = file->os;
    char *next = bytes;
    size_t total = 0;

    while (total < length) {
        size_t got = 0;
        int error;

        REPEAT_INTERRUPTED(
            error, os->read(os, file->handle, next + total, length - total, offset + total, &got));
        if (error != 0)
            return failed_at(error, "read at", file, offset + total);
        if (got == 0)
            break;
        total += got;
    }
    *done = total;
    return TARN_OK;
}

tarn_status tarn__file_read(const struct tarn__file *file, void *bytes, size_t length,
                            uint64_t offset)
{
    size_t done = 0;
    tarn_status status = tarn__file_read_some(file, bytes, length, offset, &done);

    if (status != TARN_OK || done == length)
        return status;
    return ends_at(file, offset + done);
}

tarn_status tarn__file_write(const struct tarn__file *file, const void *bytes, size_t length,
                             uint64_t offset)
{
    const struct tarn__os *os = file->os;
    const char *next = bytes;
    size_t total = 0;

    while (total < length) {
        size_t put = 0;
        int error;

        REPEAT_INTERRUPTED(
            error, os->write(os, file->handle, next + total, length - total, offset + total, &put));
        /* Nothing written and no reason given: again would be for ever. */
        if (error == 0 && put == 0)
            error = EIO;
        if (error != 0)
            return failed_at(error, "write at", file, offset + total);
        total += put;
    }
    return TARN_OK;
}

tarn_status tarn__file_size(const struct tarn__file *file, uint64_t *bytes)
{
    return failed(file->os->size(file->os, file->handle, bytes), "tell the size of", file->path);
}

tarn_status tarn__file_truncate(const struct tarn__file *file, uint64_t bytes)
{
    int error;

    REPEAT_INTERRUPTED(error, file->os->truncate(file->os, file->handle, bytes));
    return error == 0 ? TARN_OK : failed_at(error, "truncate at", file, bytes);
}

tarn_status tarn__file_preallocate(const struct tarn__file *file, uint64_t offset, uint64_t bytes)
{
    int error;

    REPEAT_INTERRUPTED(error, file->os->preallocate(file->os, file->handle, offset, bytes));
    return error == 0 ? TARN_OK : failed_at(error, "take room from", file, offset);
}

tarn_status tarn__file_sync(const struct tarn__file *file)
{
    return failed(file->os->sync(file->os, file->handle), "sync", file->path);
}

void tarn__file_write_back(const struct tarn__file *file, uint64_t offset, uint64_t bytes)
{
    file->os->write_back(file->os, file->handle, offset, bytes);
}

tarn_status tarn__file_lock(const struct tarn__file *file, bool exclusive)
{
    int error;

    REPEAT_INTERRUPTED(error, file->os->lock(file->os, file->handle, exclusive));
    if (error == EWOULDBLOCK)
        return tarn__fail_system(TARN_STORE_LOCKED, error, "'%s' is locked by another opening",
                                 file->path);
    return failed(error, "lock", file->path);
}

void tarn__file_unlock(const struct tarn__file *file)
{
    file->os->unlock(file->os, file->handle);
}

tarn_status tarn__file_map(const struct tarn__file *file, uint64_t offset, size_t bytes,
                           bool writable, void **address)
{
    uint64_t size = 0;
    tarn_status status;
    int error;

    if (bytes == 0 || offset % MAP_OFFSET_UNIT != 0)
        return tarn__fail(TARN_INVALID_ARGUMENT,
                          "'%s' cannot be mapped from offset %" PRIu64 " for %zu bytes", file->path,
                          offset, bytes);
    status = tarn__file_size(file, &size);
    if (status != TARN_OK)
        return status;
    /* What lies behind the end would be a SIGBUS where it is touched, and here it is an error. */
    if (offset > size || bytes > size - offset)
        return ends_at(file, size);
    error = file->os->map(file->os, file->handle, offset, bytes, writable, address);
    return error == 0 ? TARN_OK : failed_at(error, "map from", file, offset);
}

tarn_status tarn__file_unmap(const struct tarn__os *os, void *address, size_t bytes)
{
    int error;

    if (!address)
        return TARN_OK;
    error = os->unmap(os, address, bytes);
    if (error != 0)
        return tarn__fail_system(status_of(error), error, "cannot end a mapping of %zu bytes",
                                 bytes);
    return TARN_OK;
}

const char *tarn__file_path(const struct tarn__file *file)
{
    return file->path;
}

tarn_status tarn__event_make(const struct tarn__os *os, int *event)
{
    int error = os->event_make(os, event);

    return error ? tarn__fail_system(status_of(error), error, "a descriptor cannot be made")
                 : TARN_OK;
}

void tarn__os_pause(const struct tarn__os *os, unsigned looks)
{
    if (looks < 100)
        tarn__relax();
    else if (looks < TARN__PAUSES_WITHOUT_SLEEP)
        os->yield(os);
    else
        os->sleep_ns(os, 100000);
}
