/*
 * Saving a snapshot.
 *
 *     lock the table, lock all shards of the namespaces, begin their cuts, unlock: the pause
 *     stream the cuts into a file under a temporary name, while writers go on
 *     end the cuts, sync, give the file its name
 *
 * Records are copied into a block inside sections of the epoch, and blocks are written outside:
 * namespace/cut_read.c.
 */
#include "base/status.h"
#include "store/snapshots.h"
#include "store/store_cut.h"

#include <assert.h>
#include <string.h>

_Static_assert(TARN__CUT_LARGE_BYTES <= TARN__SNAPSHOT_LARGE_BYTES, "what a cut adds fits");

struct save {
    tarn_store *store;
    tarn_namespace *only; /* NULL: the whole store */
    struct tarn__store_cut cut;
    struct tarn__snapshot_writer writer;
    uint64_t keys, write_ns, sync_ns;
};

/* ------------------------------------------------------------------------------------------
 * Streaming
 */

static bool add(void *writer, const struct tarn__record *record)
{
    return tarn__snapshot_writer_add(writer, record);
}

static tarn_status add_large(void *writer, const struct tarn__record *record)
{
    return tarn__snapshot_writer_add_large(writer, record);
}

static tarn_status flush(void *writer)
{
    return tarn__snapshot_writer_flush(writer);
}

static tarn_status begin_namespace(struct tarn__snapshot_writer *writer,
                                   const struct tarn__cut *cut)
{
    const tarn_namespace *ns = cut->ns;
    uint8_t content[TARN__SNAPSHOT_NAMESPACE_BYTES_MAX];
    struct tarn__snapshot_namespace described = {
        .number = ns->number,
        .options = cut->options,
        .name_length = ns->name_length,
    };
    size_t length;
    tarn_status status;

    memcpy(described.name, ns->name, ns->name_length);
    status = tarn__snapshot_namespace_write(&described, content, &length);
    return status ? status
                  : tarn__snapshot_writer_block(writer, TARN__SNAPSHOT_NAMESPACE, content, length);
}

tarn_status tarn__snapshot_write_namespace(struct tarn__snapshot_writer *writer,
                                           struct tarn__cut *cut,
                                           struct tarn__cut_progress *progress)
{
    const struct tarn__cut_sink sink = {
        .context = writer, .add = add, .flush = flush, .add_large = add_large};
    uint8_t content[TARN__SNAPSHOT_NAMESPACE_END_BYTES];
    tarn_status status = begin_namespace(writer, cut);

    writer->count = (struct tarn__snapshot_count){0};
    if (!status)
        status = tarn__cut_read(cut, &sink, progress);
    if (status)
        return status;
    assert(writer->count.keys == cut->keys);
    tarn__snapshot_namespace_end_write(&writer->count, content);
    return tarn__snapshot_writer_block(writer, TARN__SNAPSHOT_NAMESPACE_END, content,
                                       sizeof content);
}

tarn_status tarn__snapshot_write_head(struct tarn__snapshot_writer *writer,
                                      const struct tarn__snapshot_head *head)
{
    uint8_t content[TARN__SNAPSHOT_HEAD_BYTES];
    tarn_status status = tarn__snapshot_head_write(head, content);

    return status
               ? status
               : tarn__snapshot_writer_block(writer, TARN__SNAPSHOT_HEAD, content, sizeof content);
}

/* Writes the whole file, but for its name. Ends each cut as soon as it is written. */
static tarn_status stream(struct save *save)
{
    struct tarn__snapshot_head head = {
        .scope = save->only ? TARN__SCOPE_NAMESPACE : TARN__SCOPE_STORE,
        .sequence = save->cut.sequence,
        .clock_ns = save->cut.clock_ns,
        .namespaces = (uint32_t)save->cut.count,
    };
    struct tarn__cut *cut;
    tarn_status status;

    memcpy(head.store, save->store->identity, sizeof head.store);
    status = tarn__snapshot_write_head(&save->writer, &head);
    while (!status && (cut = tarn__store_cut_next(&save->cut))) {
        status = tarn__snapshot_write_namespace(&save->writer, cut, NULL);
        save->keys += cut->keys;
    }
    return status ? status : tarn__snapshot_writer_end(&save->writer);
}

/* ------------------------------------------------------------------------------------------
 * All of it
 */

static tarn_status write_file(struct save *save, const char *file_name)
{
    const struct tarn__os *os = save->store->environment.os;
    uint64_t start = os->monotonic_ns(os);
    tarn_status status = stream(save);

    save->write_ns = os->monotonic_ns(os) - start;
    if (status) {
        tarn__snapshot_writer_abandon(&save->writer);
        return status;
    }
    pthread_mutex_lock(&save->store->lock);
    status = tarn__store_reserve_sequence(save->store, save->cut.sequence);
    pthread_mutex_unlock(&save->store->lock);
    if (status) {
        tarn__snapshot_writer_abandon(&save->writer);
        return status;
    }
    status = tarn__snapshot_writer_publish(&save->writer, file_name);
    save->sync_ns = os->monotonic_ns(os) - start - save->write_ns;
    return status;
}

static void fill_info(const struct save *save, struct tarn_snapshot_info *info)
{
    *info = (struct tarn_snapshot_info){
        .size = sizeof *info,
        .sequence = save->cut.sequence,
        .clock_ns = save->cut.clock_ns,
        .namespaces = (uint32_t)save->cut.count,
        .file_bytes = save->writer.offset,
        .keys = save->keys,
        .pause_ns = save->cut.pause_ns,
        .write_ns = save->write_ns,
        .sync_ns = save->sync_ns,
    };
}

/* With everything locked; gives the table's lock back as soon as the cut is made. */
static tarn_status save_locked(struct save *save, const char *file_name)
{
    tarn_store *store = save->store;
    tarn_status status =
        tarn__snapshot_writer_begin(&save->writer, store->environment.os, store->folder.snapshots);

    if (!status) {
        status = tarn__store_cut_begin(&save->cut, store, save->only);
        if (status)
            tarn__snapshot_writer_abandon(&save->writer);
    }
    pthread_mutex_unlock(&store->lock); /* nothing that is saved can be dropped: saving is held */
    if (!status)
        status = write_file(save, file_name);
    tarn__store_cut_end(&save->cut);
    pthread_mutex_lock(&store->lock);
    return status;
}

tarn_status tarn__snapshot_save_held(tarn_store *store, tarn_namespace *only,
                                     struct tarn_slice name, struct tarn_snapshot_info *info)
{
    char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES];
    struct save save = {.store = store, .only = only};
    tarn_status status = tarn__snapshot_file_name(name, file_name);

    if (status)
        return status;
    status = save_locked(&save, file_name);
    if (!status && info)
        fill_info(&save, info);
    return status;
}

static tarn_status save_by_name(tarn_store *store, tarn_namespace *only, struct tarn_slice name,
                                struct tarn_snapshot_info *info)
{
    tarn_status status =
        info ? tarn__check_size(info->size, sizeof *info, "tarn_snapshot_info") : TARN_OK;

    if (!status)
        status = tarn__store_lock_snapshots(store, true);
    if (status)
        return status;
    status = tarn__snapshot_save_held(store, only, name, info);
    tarn__store_unlock_saving(store);
    return status;
}

tarn_status tarn_snapshot_save(tarn_store *store, struct tarn_slice name,
                               struct tarn_snapshot_info *info)
{
    if (!store)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    return save_by_name(store, NULL, name, info);
}

tarn_status tarn_snapshot_save_namespace(tarn_namespace *ns, struct tarn_slice name,
                                         struct tarn_snapshot_info *info)
{
    if (!ns)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");
    if (!tarn__namespace_usable(ns)) /* the store may be gone */
        return tarn__namespace_not_open(ns);
    return save_by_name(ns->owner_context, ns, name, info);
}
