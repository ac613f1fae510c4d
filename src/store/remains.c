/* A store's folder as it lies there; see the header. */
#include "store/remains.h"
#include "base/memory.h"
#include "store/catalog_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 4608
#define NAME_ROOM 32

static void set_path(const struct tarn__directory *directory, const char *name, char *path)
{
    snprintf(path, PATH_ROOM, "%s/%s", tarn__directory_path(directory), name);
}

/* ------------------------------------------------------------------------------------------
 * How much there is to read, for the progress alone
 */

struct measure {
    const struct tarn__directory *directory;
    uint64_t bytes;
};

static bool add_size(void *context, const char *name)
{
    struct measure *measure = context;
    struct tarn__file *file;
    uint64_t bytes;

    if (tarn__file_open(measure->directory, name, TARN__OPEN_READ, &file))
        return true;
    if (tarn__file_size(file, &bytes) == TARN_OK)
        measure->bytes += bytes;
    tarn__file_close_after_reading(file);
    return true;
}

static uint64_t measure_folder(const struct tarn__directory *directory)
{
    struct measure measure = {.directory = directory};

    if (directory)
        (void)tarn__directory_list(directory, add_size, &measure); /* who reads it will be told */
    return measure.bytes;
}

static bool add_home(void *context, const char *name)
{
    struct measure *measure = context;
    struct tarn__directory *home;

    if (tarn__directory_open_in(measure->directory, name, &home))
        return true;
    measure->bytes += measure_folder(home);
    (void)tarn__directory_close(home);
    return true;
}

static void measure_all(struct tarn__remains *remains)
{
    struct measure homes = {.directory = remains->folder.namespaces};

    if (!remains->inspection.options->progress)
        return;
    if (homes.directory)
        (void)tarn__directory_list(homes.directory, add_home, &homes);
    remains->inspection.total_bytes = measure_folder(remains->folder.top) +
                                      measure_folder(remains->folder.snapshots) + homes.bytes;
}

/* ------------------------------------------------------------------------------------------
 * What there is
 */

static tarn_status read_catalog(struct tarn__remains *remains)
{
    struct measure measure = {.directory = remains->folder.top};
    char path[PATH_ROOM];
    tarn_status status =
        tarn__catalog_file_read(&remains->folder, &remains->catalog, &remains->has_catalog);

    if (!status && !remains->has_catalog)
        return TARN_OK; /* told once it is known what else there is */
    if (status)
        remains->has_catalog = false;
    set_path(remains->folder.top, TARN__CATALOG, path);
    status = tarn__inspection_fault(&remains->inspection, path, status);
    if (status)
        return status;
    remains->is_damaged = !remains->has_catalog;
    remains->has_identity = remains->has_catalog;
    if (!remains->has_catalog)
        return tarn__catalog_file_read_rest(&remains->folder, &remains->has_identity,
                                            &remains->catalog);
    remains->inspection.summary.files++;
    (void)add_size(&measure, TARN__CATALOG);
    return tarn__inspection_read(&remains->inspection, measure.bytes);
}

/* Makes room for one more of some size. */
static bool make_room(void **all, size_t count, size_t *capacity, size_t size)
{
    size_t more = *capacity ? 2 * *capacity : 16;
    void *larger;

    if (count < *capacity)
        return true;
    larger = tarn__reallocate(*all, more * size);
    if (!larger)
        return false;
    *all = larger;
    *capacity = more;
    return true;
}

static void note_left(struct tarn__remains *remains, const struct tarn__directory *directory,
                      const char *name)
{
    char path[PATH_ROOM];

    set_path(directory, name, path);
    tarn__inspection_note(&remains->inspection, path, 0,
                          "'%s' is what a crash has left: the next opening removes it", path);
}

static bool note_snapshot(void *context, const char *name)
{
    struct tarn__remains *remains = context;
    void *all = remains->snapshots;
    struct tarn_slice of;

    if (tarn__snapshot_is_temporary(name))
        note_left(remains, remains->folder.snapshots, name);
    if (!tarn__snapshot_name_of(name, &of))
        return true;
    if (!make_room(&all, remains->snapshot_count, &remains->snapshot_capacity,
                   sizeof *remains->snapshots)) {
        remains->status = TARN_NO_MEMORY;
        return false;
    }
    remains->snapshots = all;
    memcpy(remains->snapshots[remains->snapshot_count++], name, strlen(name) + 1);
    return true;
}

static bool is_home_of(const struct tarn__catalog *catalog, uint64_t number)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (catalog->namespaces[i].home == number)
            return true;
    return false;
}

/* A home that the catalog does not tell of counts if the catalog cannot know it. */
static bool note_home(void *context, const char *name)
{
    struct tarn__remains *remains = context;
    uint64_t number = strtoull(name, NULL, 10);
    void *all = remains->homes;
    char again[NAME_ROOM];

    snprintf(again, sizeof again, "%" PRIu64, number);
    if (strcmp(name, again) != 0 || is_home_of(&remains->catalog, number))
        return true;
    if (remains->has_catalog && number < remains->catalog.next_number) {
        note_left(remains, remains->folder.namespaces, name);
        return true;
    }
    if (!make_room(&all, remains->home_count, &remains->home_capacity, sizeof *remains->homes)) {
        remains->status = TARN_NO_MEMORY;
        return false;
    }
    remains->homes = all;
    remains->homes[remains->home_count++] = number;
    return true;
}

static tarn_status list(struct tarn__remains *remains, const struct tarn__directory *directory,
                        tarn__directory_visit visit)
{
    tarn_status status = directory ? tarn__directory_list(directory, visit, remains) : TARN_OK;

    if (!status)
        status = remains->status;
    return tarn__inspection_fault(&remains->inspection,
                                  directory ? tarn__directory_path(directory) : "", status);
}

static tarn_status tell_no_catalog(struct tarn__remains *remains, const char *dir)
{
    char path[PATH_ROOM];

    if (!remains->home_count && !remains->snapshot_count)
        return tarn__fail(TARN_IO, "'%s' has no store in it", dir);
    set_path(remains->folder.top, TARN__CATALOG, path);
    return tarn__inspection_fault(&remains->inspection, path,
                                  tarn__fail(TARN_CORRUPT, "'%s' is missing", path));
}

static int by_name(const void *left, const void *right)
{
    return strcmp(left, right);
}

static int by_number(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

tarn_status tarn__remains_open(struct tarn__remains *remains, const struct tarn__os *os,
                               const char *dir, const struct tarn_check_options *options)
{
    tarn_status status;

    *remains = (struct tarn__remains){.os = os, .inspection.options = options};
    status = tarn__folder_open_damaged(&remains->folder, os, dir, &remains->inspection);
    if (status)
        return status;
    measure_all(remains);
    status = read_catalog(remains);
    if (!status)
        status = list(remains, remains->folder.namespaces, note_home);
    if (!status)
        status = list(remains, remains->folder.snapshots, note_snapshot);
    if (!status && !remains->has_catalog && !remains->is_damaged)
        status = tell_no_catalog(remains, dir);
    if (status) {
        tarn__remains_close(remains);
        return status;
    }
    if (remains->snapshot_count)
        qsort(remains->snapshots, remains->snapshot_count, sizeof *remains->snapshots, by_name);
    if (remains->home_count)
        qsort(remains->homes, remains->home_count, sizeof *remains->homes, by_number);
    return TARN_OK;
}

void tarn__remains_close(struct tarn__remains *remains)
{
    struct tarn_error error = *tarn_last_error();

    tarn__catalog_release(&remains->catalog);
    tarn__free(remains->snapshots);
    tarn__free(remains->homes);
    tarn__folder_close(&remains->folder);
    tarn__restore_error(&error);
}

/* ------------------------------------------------------------------------------------------
 * Logs
 */

/* Opens a home and hands its log out. */
static tarn_status visit_home(struct tarn__remains *remains,
                              const struct tarn__catalog_namespace *entry, uint64_t number,
                              tarn_status (*visit)(void *context,
                                                   const struct tarn__catalog_namespace *entry,
                                                   const struct tarn__log_source *source),
                              void *context)
{
    const struct tarn__directory *homes = remains->folder.namespaces;
    struct tarn__log_source source = {
        .store = remains->has_identity ? remains->catalog.identity : NULL, .number = number};
    char name[NAME_ROOM], path[PATH_ROOM];
    tarn_status status;

    snprintf(name, sizeof name, "%" PRIu64, number);
    set_path(homes ? homes : remains->folder.top, name, path);
    status = homes ? tarn__directory_open_in(homes, name, &source.directory)
                   : tarn__fail(TARN_CORRUPT, "'%s/namespaces' is missing, in which a namespace is",
                                tarn__directory_path(remains->folder.top));
    if (tarn__failed_with(status, ENOENT))
        status = tarn__fail(TARN_CORRUPT, "'%s' is missing, in which a namespace is", path);
    if (status)
        return tarn__inspection_fault(&remains->inspection, path, status);
    status = visit(context, entry, &source);
    (void)tarn__directory_close(source.directory); /* nothing was written through it */
    return status;
}

tarn_status tarn__remains_logs(struct tarn__remains *remains,
                               tarn_status (*visit)(void *context,
                                                    const struct tarn__catalog_namespace *entry,
                                                    const struct tarn__log_source *source),
                               void *context)
{
    struct tarn__inspection *inspection = &remains->inspection;
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < remains->catalog.count && !status; i++) {
        const struct tarn__catalog_namespace *entry = &remains->catalog.namespaces[i];

        if (!entry->home)
            continue;
        inspection->namespace_name = tarn_slice_of(entry->name, entry->name_length);
        status = visit_home(remains, entry, entry->home, visit, context);
        inspection->namespace_name = tarn_slice_of(NULL, 0);
    }
    for (size_t i = 0; i < remains->home_count && !status; i++) {
        char name[NAME_ROOM], path[PATH_ROOM];

        snprintf(name, sizeof name, "%" PRIu64, remains->homes[i]);
        set_path(remains->folder.namespaces, name, path);
        if (remains->has_catalog)
            status = tarn__inspection_fault(
                inspection, path,
                tarn__fail(TARN_CORRUPT, "the catalog does not know of '%s', which is newer",
                           path));
        if (!status)
            status = visit_home(remains, NULL, remains->homes[i], visit, context);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Calls of tarn.h
 */

tarn_status tarn__remains_check_arguments(const char *dir, const struct tarn_check_options *given,
                                          const struct tarn_check_summary *summary,
                                          struct tarn_check_options *options)
{
    tarn_status status = TARN_OK;

    if (!dir || !*dir)
        return tarn__fail(TARN_INVALID_ARGUMENT, "no directory is named");
    if (given)
        status = tarn__check_size(given->size, sizeof *given, "tarn_check_options");
    if (!status && summary)
        status = tarn__check_size(summary->size, sizeof *summary, "tarn_check_summary");
    *options = given && !status ? *given : (struct tarn_check_options){.size = sizeof *options};
    return status;
}

tarn_status tarn__remains_summarize(const struct tarn__remains *remains, tarn_status status,
                                    struct tarn_check_summary *summary)
{
    const struct tarn_check_summary *found = &remains->inspection.summary;

    if (summary && (!status || status == TARN_CANCELLED)) {
        *summary = *found;
        summary->size = sizeof *summary;
    }
    if (status || !found->faults)
        return status;
    return tarn__fail(TARN_CORRUPT, "there are %" PRIu64 " faults in '%s'", found->faults,
                      tarn__directory_path(remains->folder.top));
}
