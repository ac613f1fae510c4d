/* The folder that a store lives in; see the header. */
#include "store/folder.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOCK       "lock"
#define SNAPSHOTS  "snapshots"
#define NAMESPACES "namespaces"
#define UNFINISHED "unfinished"

/* ------------------------------------------------------------------------------------------
 * Looking before anything is touched
 */

struct contents {
    bool lock, catalog, catalog_new, snapshots, namespaces, unfinished, stranger;
};

static bool note_name(void *context, const char *name)
{
    struct contents *contents = context;

    if (strcmp(name, LOCK) == 0)
        contents->lock = true;
    else if (strcmp(name, "catalog") == 0)
        contents->catalog = true;
    else if (strcmp(name, SNAPSHOTS) == 0)
        contents->snapshots = true;
    else if (strcmp(name, NAMESPACES) == 0)
        contents->namespaces = true;
    else if (strcmp(name, "catalog.new") == 0)
        contents->catalog_new = true;
    else if (strcmp(name, UNFINISHED) == 0)
        contents->unfinished = true;
    else
        contents->stranger = true;
    return true;
}

/* A folder in which something else lives is not made into a store. The lock is there and durable
 * before anything else of a store is. */
static tarn_status check_contents(const struct tarn__folder *folder, struct contents *found)
{
    struct contents contents = {0};
    const char *path = tarn__directory_path(folder->top);
    tarn_status status = tarn__directory_list(folder->top, note_name, &contents);

    if (status)
        return status;
    if (contents.unfinished && !folder->is_copy)
        return tarn__fail(TARN_INVALID_ARGUMENT,
                          "'%s' is a copy of a store that was not finished: remove it, and make "
                          "another one",
                          path);
    if (contents.stranger && !contents.catalog)
        return tarn__fail(TARN_INVALID_ARGUMENT,
                          "'%s' is not a store and not empty: name another folder", path);
    if (!contents.lock && (contents.catalog || contents.snapshots))
        return tarn__fail(TARN_CORRUPT,
                          "'%s' has no file '" LOCK "', which every store has: if it is one, and "
                          "no process has it open, make an empty file of that name",
                          path);
    *found = contents;
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Opening
 */

static tarn_status make_lock(struct tarn__folder *folder)
{
    tarn_status status = tarn__file_open(folder->top, LOCK, TARN__OPEN_CREATE, &folder->lock);

    if (tarn__failed_with(status, EEXIST)) /* another opening was quicker */
        status = tarn__file_open(folder->top, LOCK, TARN__OPEN_READ_WRITE, &folder->lock);
    return status;
}

static tarn_status take_lock(const struct tarn__folder *folder)
{
    tarn_status status = tarn__file_lock(folder->lock, !folder->read_only);

    if (status != TARN_STORE_LOCKED)
        return status;
    return tarn__advise(status, folder->read_only
                                    ? "a read-only opening waits for no writer: close it first"
                                    : "close the others first, also those that only read");
}

static tarn_status open_lock(struct tarn__folder *folder)
{
    enum tarn__open_mode mode = folder->read_only ? TARN__OPEN_READ : TARN__OPEN_READ_WRITE;
    struct contents contents = {0};
    tarn_status status = check_contents(folder, &contents);

    if (status)
        return status;
    if (contents.lock || folder->read_only)
        status = tarn__file_open(folder->top, LOCK, mode, &folder->lock);
    else
        status = make_lock(folder);
    if (!status)
        status = take_lock(folder);
    /* who made it may have been killed before it was durable; then nothing else was made yet */
    if (!status && !folder->read_only && !contents.snapshots)
        status = tarn__directory_sync(folder->top);
    return status;
}

/* There is no folder for snapshots. It is made before the catalog, so where there is one, snapshots
 * have been lost. */
static tarn_status check_new(const struct tarn__directory *top)
{
    struct contents contents = {0};
    tarn_status status = tarn__directory_list(top, note_name, &contents);

    if (status || !contents.catalog)
        return status;
    return tarn__fail(TARN_CORRUPT,
                      "'%s' has no folder '" SNAPSHOTS "', which every store has: put it back, or "
                      "make an empty one to go on without what was in it",
                      tarn__directory_path(top));
}

static tarn_status open_snapshots(struct tarn__folder *folder)
{
    tarn_status status = tarn__directory_open_in(folder->top, SNAPSHOTS, &folder->snapshots);

    if (!tarn__failed_with(status, ENOENT))
        return status;
    status = check_new(folder->top);
    if (status || folder->read_only)
        return status;
    status = tarn__directory_make_in(folder->top, SNAPSHOTS);
    return status ? status : tarn__directory_open_in(folder->top, SNAPSHOTS, &folder->snapshots);
}

/* Who made, renamed or removed a name may have been killed before it was durable: what is seen here
 * must not be gone after the next crash, since later changes rest on it. */
static tarn_status make_names_durable(const struct tarn__folder *folder)
{
    tarn_status status = tarn__directory_sync(folder->snapshots);

    if (!status && folder->namespaces)
        status = tarn__directory_sync(folder->namespaces);
    return status ? status : tarn__directory_sync(folder->top);
}

static tarn_status open_namespaces(struct tarn__folder *folder)
{
    tarn_status status = tarn__directory_open_in(folder->top, NAMESPACES, &folder->namespaces);

    return tarn__failed_with(status, ENOENT) ? TARN_OK : status;
}

tarn_status tarn__folder_need_namespaces(struct tarn__folder *folder)
{
    tarn_status status;

    if (folder->namespaces)
        return TARN_OK;
    status = tarn__directory_make_in(folder->top, NAMESPACES);
    if (tarn__failed_with(status, EEXIST)) /* it could not be made durable before */
        status = TARN_OK;
    if (!status)
        status = tarn__directory_sync(folder->top);
    return status ? status : tarn__directory_open_in(folder->top, NAMESPACES, &folder->namespaces);
}

static tarn_status open_folder(struct tarn__folder *folder, const struct tarn__os *os,
                               const char *path)
{
    bool read_only = folder->read_only;
    tarn_status status = read_only ? TARN_OK : tarn__directory_make(os, path);

    if (tarn__failed_with(status, ENOENT))
        (void)tarn__advise(status, "the folder around it must be there");
    if (!status)
        status = tarn__directory_open(os, path, &folder->top);
    if (!status)
        status = open_lock(folder);
    if (read_only && tarn__failed_with(status, ENOENT))
        (void)tarn__advise(status, "no store is there, and read_only makes none");
    if (!status)
        status = open_snapshots(folder);
    if (!status)
        status = open_namespaces(folder);
    if (!status && !read_only)
        status = make_names_durable(folder);
    if (status)
        tarn__folder_close(folder);
    return status;
}

tarn_status tarn__folder_open(struct tarn__folder *folder, const struct tarn__os *os,
                              const char *path, bool read_only)
{
    *folder = (struct tarn__folder){.read_only = read_only};
    return open_folder(folder, os, path);
}

tarn_status tarn__folder_open_copy(struct tarn__folder *folder, const struct tarn__os *os,
                                   const char *path)
{
    *folder = (struct tarn__folder){.is_copy = true};
    return open_folder(folder, os, path);
}

/* ------------------------------------------------------------------------------------------
 * Opening what may be damaged
 */

/* Opens a folder in it that should be there, or need not be. */
static tarn_status open_part(struct tarn__folder *folder, const char *name, bool needed,
                             struct tarn__inspection *inspection,
                             struct tarn__directory **directory)
{
    const char *path = tarn__directory_path(folder->top);
    tarn_status status = tarn__directory_open_in(folder->top, name, directory);

    if (tarn__failed_with(status, ENOENT))
        status = needed ? tarn__fail(TARN_CORRUPT, "'%s/%s' is missing", path, name) : TARN_OK;
    return tarn__inspection_fault(inspection, path, status);
}

static tarn_status open_contents(struct tarn__folder *folder, const struct contents *contents,
                                 struct tarn__inspection *inspection)
{
    const char *path = tarn__directory_path(folder->top);
    tarn_status status;

    if (contents->lock) {
        status = tarn__file_open(folder->top, LOCK, TARN__OPEN_READ, &folder->lock);
        if (!status)
            status = take_lock(folder);
    } else {
        status = tarn__inspection_fault(
            inspection, path,
            tarn__fail(TARN_CORRUPT, "'%s' has no file '" LOCK "', which every store has", path));
    }
    if (!status && contents->unfinished)
        status = tarn__inspection_fault(
            inspection, path,
            tarn__fail(TARN_CORRUPT, "'%s' is a copy of a store that was not finished", path));
    if (!status && contents->catalog_new)
        tarn__inspection_note(inspection, path, 0,
                              "'%s/catalog.new' is what a crash has left: the next opening removes "
                              "it",
                              path);
    if (!status)
        status = open_part(folder, SNAPSHOTS, contents->catalog, inspection, &folder->snapshots);
    if (!status)
        status = open_part(folder, NAMESPACES, false, inspection, &folder->namespaces);
    return status;
}

tarn_status tarn__folder_open_damaged(struct tarn__folder *folder, const struct tarn__os *os,
                                      const char *path, struct tarn__inspection *inspection)
{
    struct contents contents = {0};
    tarn_status status;

    *folder = (struct tarn__folder){.read_only = true};
    status = tarn__directory_open(os, path, &folder->top);
    if (!status)
        status = tarn__directory_list(folder->top, note_name, &contents);
    if (!status && !contents.catalog && !contents.snapshots && !contents.namespaces)
        status = tarn__fail(TARN_IO, "'%s' has no store in it", path);
    if (!status)
        status = open_contents(folder, &contents, inspection);
    if (status)
        tarn__folder_close(folder);
    return status;
}

/* Nothing was written through these handles, so there is nothing that a failing close could lose;
 * and the error that led here, if there was one, stays the last. */
void tarn__folder_close(struct tarn__folder *folder)
{
    struct tarn_error error = *tarn_last_error();

    if (folder->lock)
        tarn__file_unlock(folder->lock);
    (void)tarn__directory_close(folder->namespaces);
    (void)tarn__directory_close(folder->snapshots);
    (void)tarn__file_close(folder->lock);
    (void)tarn__directory_close(folder->top);
    *folder = (struct tarn__folder){0};
    tarn__restore_error(&error);
}

/* ------------------------------------------------------------------------------------------
 * Removing
 */

#define NAME_ROOM 256

struct first {
    const char *but; /* not this one; or NULL */
    char name[NAME_ROOM];
};

static bool note_first(void *context, const char *name)
{
    struct first *first = context;

    if (first->but && strcmp(name, first->but) == 0)
        return true;
    snprintf(first->name, sizeof first->name, "%s", name);
    return false;
}

/* Takes everything out of a folder, but for one name. */
static tarn_status empty(const struct tarn__directory *directory, const char *but)
{
    struct first first = {.but = but};
    tarn_status status;

    do {
        first.name[0] = '\0';
        status = tarn__directory_list(directory, note_first, &first);
        if (!status && first.name[0])
            status = tarn__folder_remove(directory, first.name);
    } while (!status && first.name[0]);
    return status;
}

tarn_status tarn__folder_remove(const struct tarn__directory *parent, const char *name)
{
    struct tarn__directory *directory;
    tarn_status status = tarn__file_unlink(parent, name);

    if (!tarn__failed_with(status, EISDIR))
        return status;
    status = tarn__directory_open_in(parent, name, &directory);
    if (status)
        return status;
    status = empty(directory, NULL);
    (void)tarn__directory_close(directory); /* the files' names are gone or not */
    return status ? status : tarn__directory_remove_in(parent, name);
}

/* ------------------------------------------------------------------------------------------
 * Copies
 */

/* Makes the mark that tells of a copy, in a folder where nothing is. */
static tarn_status mark(const struct tarn__directory *top)
{
    struct first first = {0};
    struct tarn__file *file;
    tarn_status status = tarn__directory_list(top, note_first, &first);

    if (!status && first.name[0])
        status = tarn__fail(TARN_INVALID_ARGUMENT,
                            "'%s' is not empty: name a folder that is not there, or an empty one",
                            tarn__directory_path(top));
    if (!status)
        status = tarn__file_open(top, UNFINISHED, TARN__OPEN_CREATE, &file);
    if (status)
        return status;
    tarn__file_close_after_reading(file); /* it is empty */
    status = tarn__directory_sync(top);
    if (status)
        tarn__folder_abandon_copy(top, true);
    return status;
}

tarn_status tarn__folder_begin_copy(const struct tarn__os *os, const char *path,
                                    struct tarn__directory **top)
{
    struct tarn__directory *directory;
    tarn_status status = tarn__directory_make(os, path);

    if (tarn__failed_with(status, ENOENT))
        (void)tarn__advise(status, "the folder around it must be there");
    if (status)
        return status;
    status = tarn__directory_open(os, path, &directory);
    if (tarn__failed_with(status, ENOTDIR))
        return tarn__fail(TARN_INVALID_ARGUMENT, "'%s' is there, and no folder", path);
    if (status)
        return status;
    status = mark(directory);
    if (status)
        tarn__folder_close(&(struct tarn__folder){.top = directory});
    else
        *top = directory;
    return status;
}

tarn_status tarn__folder_end_copy(const struct tarn__directory *top)
{
    tarn_status status = tarn__file_unlink(top, UNFINISHED);

    if (!status)
        status = tarn__directory_sync(top);
    if (!status)
        return TARN_OK;
    return tarn__fail_system(TARN_OUTCOME_UNKNOWN, tarn_last_error()->system_error,
                             "the copy in '%s' is whole, but may be refused for its file "
                             "'" UNFINISHED "'",
                             tarn__directory_path(top));
}

void tarn__folder_abandon_copy(const struct tarn__directory *top, bool in_doubt)
{
    struct tarn_error error = *tarn_last_error();

    if (!empty(top, UNFINISHED) && !in_doubt && !tarn__directory_sync(top))
        (void)tarn__file_unlink(top, UNFINISHED); /* or the folder is refused */
    tarn__restore_error(&error);
}
