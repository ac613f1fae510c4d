/* The folder that a store lives in; see the header. */
#include "store/folder.h"
#include "base/status.h"

#include <errno.h>
#include <string.h>

#define LOCK      "lock"
#define SNAPSHOTS "snapshots"

/* ------------------------------------------------------------------------------------------
 * Looking before anything is touched
 */

static bool is_ours(void *context, const char *name)
{
    static const char *const ours[] = {LOCK, "catalog", "catalog.new", SNAPSHOTS};
    bool *stranger = context;

    *stranger = true;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strcmp(name, ours[i]) == 0)
            *stranger = false;
    return !*stranger;
}

/* A folder in which something else lives is not made into a store. */
static tarn_status check_strangers(const struct tarn__directory *top)
{
    bool stranger = false;
    tarn_status status = tarn__directory_list(top, is_ours, &stranger);

    if (!status && stranger)
        return tarn__fail(TARN_INVALID_ARGUMENT,
                          "'%s' is not a store and not empty: name another folder",
                          tarn__directory_path(top));
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Opening
 */

static tarn_status open_lock(struct tarn__folder *folder)
{
    enum tarn__open_mode mode = folder->read_only ? TARN__OPEN_READ : TARN__OPEN_READ_WRITE;
    tarn_status status = tarn__file_open(folder->top, LOCK, mode, &folder->lock);

    if (tarn__failed_with(status, ENOENT) && !folder->read_only) {
        status = check_strangers(folder->top);
        if (!status)
            status = tarn__file_open(folder->top, LOCK, TARN__OPEN_CREATE, &folder->lock);
        if (tarn__failed_with(status, EEXIST)) /* another opening was quicker */
            status = tarn__file_open(folder->top, LOCK, mode, &folder->lock);
    }
    if (!status)
        status = tarn__file_lock(folder->lock, !folder->read_only);
    return status;
}

static tarn_status open_snapshots(struct tarn__folder *folder)
{
    tarn_status status = TARN_OK;

    if (!folder->read_only) {
        status = tarn__directory_make_in(folder->top, SNAPSHOTS);
        if (tarn__failed_with(status, EEXIST))
            status = TARN_OK;
    }
    if (!status)
        status = tarn__directory_open_in(folder->top, SNAPSHOTS, &folder->snapshots);
    if (folder->read_only && tarn__failed_with(status, ENOENT))
        status = TARN_OK;
    return status;
}

tarn_status tarn__folder_open(struct tarn__folder *folder, const struct tarn__os *os,
                              const char *path, bool read_only)
{
    tarn_status status = read_only ? TARN_OK : tarn__directory_make(os, path);

    *folder = (struct tarn__folder){.read_only = read_only};
    if (!status)
        status = tarn__directory_open(os, path, &folder->top);
    if (!status)
        status = open_lock(folder);
    if (!status)
        status = open_snapshots(folder);
    if (status)
        tarn__folder_close(folder);
    return status;
}

/* Nothing was written through these handles, so there is nothing that a failing close could lose;
 * and the error that led here, if there was one, stays the last. */
void tarn__folder_close(struct tarn__folder *folder)
{
    struct tarn_error error = *tarn_last_error();

    (void)tarn__directory_close(folder->snapshots);
    (void)tarn__file_close(folder->lock);
    (void)tarn__directory_close(folder->top);
    *folder = (struct tarn__folder){0};
    tarn__restore_error(&error);
}

/* ------------------------------------------------------------------------------------------
 * Publishing
 */

static tarn_status unknown(const struct tarn__directory *directory, const char *name)
{
    struct tarn_error error = *tarn_last_error();

    return tarn__fail_system(TARN_OUTCOME_UNKNOWN, error.system_error,
                             "it is not known whether '%s/%s' is durable: open the store anew",
                             tarn__directory_path(directory), name);
}

void tarn__folder_abandon(const struct tarn__directory *directory, struct tarn__file *file,
                          const char *temporary)
{
    struct tarn_error error = *tarn_last_error();

    (void)tarn__file_close(file);
    (void)tarn__file_unlink(directory, temporary);
    tarn__restore_error(&error);
}

tarn_status tarn__folder_publish(const struct tarn__directory *directory, struct tarn__file *file,
                                 const char *temporary, const char *name)
{
    tarn_status status = tarn__file_sync(file);

    if (status) {
        tarn__folder_abandon(directory, file, temporary);
        return status;
    }
    status = tarn__file_close(file);
    if (status) {
        tarn__folder_abandon(directory, NULL, temporary);
        return status;
    }
    status = tarn__file_rename(directory, temporary, directory, name);
    if (!status)
        status = tarn__directory_sync(directory);
    return status ? unknown(directory, name) : TARN_OK;
}
