/*
 * A backup: a copy of the whole store, as one cut, in another folder.
 *
 *     begin the copy: a folder with the file `unfinished` in it, which openings refuse
 *     open it as an empty store of its own; begin the cut of this one
 *     each log: fill a new log in a home of the copy, which is durable then
 *     what is in memory: one snapshot in the copy
 *     put this store's catalog, with the copy's identity and homes, in place of the copy's
 *     close the copy, remove `unfinished`: now it is a store
 *
 * The copy has an identity of its own: whose a snapshot is and how new it is are told by identity
 * and sequence, so two stores of one identity that both go on would take each other's files for
 * their own. It has the seed of this store, so that positions of cursors hold in it.
 */
#include "base/memory.h"
#include "base/status.h"
#include "namespace/fill.h"
#include "store/catalog_file.h"
#include "store/snapshots.h"
#include "store/store_cut.h"

#include <string.h>

#define SNAPSHOT "backup"

struct backup {
    tarn_store *store, *copy;
    struct tarn__store_cut cut;
    struct tarn__catalog catalog; /* of the copy; its namespaces are those of the cut */
    struct tarn__snapshot_writer writer;
    uint32_t in_memory; /* namespaces that the snapshot holds; 0: there is none */
    struct tarn__cut_progress progress;
};

/* ------------------------------------------------------------------------------------------
 * What is copied
 */

/* Begins the cut, and takes down what the store is at that moment. */
static tarn_status begin(struct backup *backup)
{
    tarn_store *store = backup->store;
    tarn_status status;

    pthread_mutex_lock(&store->lock);
    status = tarn__store_cut_begin(&backup->cut, store, NULL);
    if (!status)
        status = tarn__store_describe(store, &backup->catalog);
    pthread_mutex_unlock(&store->lock);
    for (size_t i = 0; i < backup->catalog.count && !status; i++) {
        backup->in_memory += backup->catalog.namespaces[i].home == 0;
        backup->progress.total += backup->cut.cuts[i].bytes;
    }
    return status;
}

/* The copy goes on counting where the store is. */
static void take_over(struct backup *backup)
{
    tarn_store *copy = backup->copy;
    struct tarn__catalog *catalog = &backup->catalog;

    memcpy(catalog->identity, copy->identity, sizeof catalog->identity);
    copy->environment.seed = catalog->seed;
    copy->next_number = catalog->next_number;
    tarn__store_raise_sequence(copy, catalog->sequence);
}

/* Fills a new log with what a cut holds, and closes it. The sync mode that it is to have is in the
 * catalog; until it is whole it needs none. */
static tarn_status copy_log(struct backup *backup, struct tarn__cut *cut,
                            struct tarn__catalog_namespace *entry)
{
    struct tarn_namespace_options options = entry->options;
    tarn_namespace *ns;
    tarn_status status;

    options.sync = TARN_SYNC_NONE;
    status =
        tarn__store_make_namespace(backup->copy, tarn_slice_of(entry->name, entry->name_length),
                                   &options, entry->number, true, &ns);
    if (status)
        return status;
    status = tarn__fill_files(ns, cut, &backup->progress);
    if (!status)
        status = tarn__fill_end(ns);
    if (status) {
        tarn__store_end_namespace(ns, false);
        return status;
    }
    entry->home = ns->home.number;
    status = tarn__namespace_end(ns, TARN__CLOSED);
    tarn__home_close(&ns->home);
    tarn__namespace_release(ns);
    return status;
}

static tarn_status begin_snapshot(struct backup *backup)
{
    struct tarn__snapshot_head head = {
        .scope = TARN__SCOPE_STORE,
        .sequence = backup->cut.sequence,
        .clock_ns = backup->cut.clock_ns,
        .namespaces = backup->in_memory,
    };
    tarn_store *copy = backup->copy;
    tarn_status status =
        tarn__snapshot_writer_begin(&backup->writer, copy->environment.os, copy->folder.snapshots);

    if (status)
        return status;
    memcpy(head.store, copy->identity, sizeof head.store);
    status = tarn__snapshot_write_head(&backup->writer, &head);
    if (status)
        tarn__snapshot_writer_abandon(&backup->writer);
    return status;
}

static tarn_status end_snapshot(struct backup *backup, tarn_status status)
{
    char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES];

    if (!status)
        status = tarn__snapshot_writer_end(&backup->writer);
    if (!status)
        status = tarn__snapshot_file_name(tarn_slice_of(SNAPSHOT, sizeof SNAPSHOT - 1), file_name);
    if (!status)
        return tarn__snapshot_writer_publish(&backup->writer, file_name);
    tarn__snapshot_writer_abandon(&backup->writer);
    return status;
}

/* Copies all namespaces, and ends each one's cut as soon as it is copied. */
static tarn_status copy_namespaces(struct backup *backup)
{
    tarn_status status = backup->in_memory ? begin_snapshot(backup) : TARN_OK;
    struct tarn__cut *cut;

    if (status)
        return status;
    for (size_t i = 0; !status && (cut = tarn__store_cut_next(&backup->cut)); i++) {
        struct tarn__catalog_namespace *entry = &backup->catalog.namespaces[i];

        status = entry->home
                     ? copy_log(backup, cut, entry)
                     : tarn__snapshot_write_namespace(&backup->writer, cut, &backup->progress);
    }
    if (!status)
        status = tarn__cut_tell(&backup->progress);
    return backup->in_memory ? end_snapshot(backup, status) : status;
}

/* ------------------------------------------------------------------------------------------
 * All of it
 */

static tarn_status write_catalog(struct backup *backup)
{
    const tarn_store *copy = backup->copy;
    struct tarn__catalog *catalog = &backup->catalog;

    catalog->next_number = copy->next_number;
    if (catalog->next_number < copy->reserved_number)
        catalog->next_number = copy->reserved_number;
    return tarn__catalog_file_replace(copy->environment.os, &copy->folder, catalog);
}

/* Everything but the end of `unfinished`. */
static tarn_status make(struct backup *backup, const char *to)
{
    tarn_status status = tarn__store_open_copy(backup->store->environment.os, to, &backup->copy);
    struct tarn_error error;

    if (status)
        return status;
    status = begin(backup);
    if (!status) {
        take_over(backup);
        status = copy_namespaces(backup);
    }
    tarn__store_cut_end(&backup->cut);
    if (!status)
        status = write_catalog(backup);
    tarn__catalog_release(&backup->catalog);
    error = *tarn_last_error();
    if (!status)
        return tarn_close(backup->copy); /* which has no namespaces, and no autosave */
    (void)tarn_close(backup->copy);
    tarn__restore_error(&error);
    return status;
}

/* saving is held, and lock is not. */
static tarn_status back_up(struct backup *backup, const char *to)
{
    struct tarn__directory *top;
    tarn_status status = tarn__folder_begin_copy(backup->store->environment.os, to, &top);

    if (status)
        return status;
    status = make(backup, to);
    if (status == TARN_OUTCOME_UNKNOWN) /* of a part of the copy, which is removed */
        status = tarn__fail_as(TARN_IO);
    if (status) /* a failed sync is told as TARN_IO */
        tarn__folder_abandon_copy(top, status == TARN_IO);
    else
        status = tarn__folder_end_copy(top);
    tarn__folder_close(&(struct tarn__folder){.top = top});
    return status;
}

tarn_status tarn_backup(tarn_store *store, const char *to,
                        const struct tarn_backup_options *options)
{
    struct backup backup = {.store = store};
    tarn_status status;

    if (!store || !to || !*to)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store or to is NULL, or to is empty");
    status =
        options ? tarn__check_size(options->size, sizeof *options, "tarn_backup_options") : TARN_OK;
    if (!status)
        status = tarn__store_lock_saving(store);
    if (status)
        return status;
    pthread_mutex_unlock(&store->lock);
    if (options) {
        backup.progress.tell = options->progress;
        backup.progress.context = options->context;
    }
    status = back_up(&backup, to);
    pthread_mutex_lock(&store->lock);
    tarn__store_unlock_saving(store);
    return status;
}
