/*
 * Saving a snapshot.
 *
 *     lock the table, lock all shards of the namespaces, begin their cuts, unlock: the pause
 *     stream the cuts into a file under a temporary name, while writers go on
 *     end the cuts, sync, give the file its name
 *
 * Records are copied into a block inside sections of the epoch, and blocks are written outside.
 */
#include "base/memory.h"
#include "base/status.h"
#include "namespace/cut.h"
#include "namespace/operation.h"
#include "store/snapshots.h"

#include <assert.h>
#include <string.h>

#define RECORDS_IN_SECTION 64
#define AHEAD              8 /* records between announcing one to the cache and reading it */

struct save {
    tarn_store *store;
    tarn_namespace *only; /* NULL: the whole store */
    struct tarn__cut *cuts;
    size_t cut_count, begun;
    uint64_t sequence, clock_ns, pause_ns;
    struct tarn__snapshot_writer writer;
    uint64_t keys, write_ns, sync_ns;
};

/* ------------------------------------------------------------------------------------------
 * The cut
 */

static tarn_status lock_namespaces(struct save *save, size_t *locked)
{
    tarn_status status = TARN_OK;

    for (*locked = 0; *locked < save->cut_count && !status; *locked += status == TARN_OK)
        status = tarn__shards_lock_all(save->cuts[*locked].ns, true);
    return status;
}

/* Begins the cuts of all namespaces at one moment. */
static tarn_status cut(struct save *save)
{
    const struct tarn__os *os = save->store->environment.os;
    uint64_t start = os->monotonic_ns(os);
    size_t locked;
    tarn_status status = lock_namespaces(save, &locked);

    for (; save->begun < save->cut_count && !status; save->begun += status == TARN_OK)
        status = tarn__cut_begin(&save->cuts[save->begun], save->cuts[save->begun].ns);
    /* one of its own, so that no two snapshots of a store share one, and the newest is the newest
     */
    save->sequence = atomic_fetch_add(&save->store->environment.sequence, 1) + 1;
    save->clock_ns = os->wall_ns(os);
    while (locked)
        tarn__shards_unlock_all(save->cuts[--locked].ns);
    save->pause_ns = os->monotonic_ns(os) - start;
    return status;
}

/* Decides which namespaces are saved. The table is locked. */
static tarn_status choose(struct save *save)
{
    tarn_store *store = save->store;

    save->cut_count = save->only ? 1 : store->count;
    save->cuts = tarn__allocate_zeroed((save->cut_count + 1) * sizeof *save->cuts);
    if (!save->cuts)
        return TARN_NO_MEMORY;
    if (save->only && !tarn__namespace_usable(save->only))
        return tarn__namespace_not_open(save->only);
    for (size_t i = 0; i < save->cut_count; i++)
        save->cuts[i].ns = save->only ? save->only : store->namespaces[i];
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Streaming
 */

static tarn_status cut_is_lost(const tarn_namespace *ns)
{
    return tarn__fail(TARN_NO_MEMORY,
                      "no memory to keep what is overwritten in namespace \"%.*s\" meanwhile",
                      (int)ns->name_length, ns->name);
}

/* Writes a record that is pinned, outside of a section, and lets it go. */
static tarn_status save_large(struct save *save, tarn_namespace *ns, uint64_t location,
                              const struct tarn__record *record)
{
    tarn_status status = tarn__snapshot_writer_add_large(&save->writer, record);

    ns->engine->unpin(ns->engine_state, location);
    return status;
}

/* Copies some records into the block, and says how many; stops where the block is full, or a record
 * is large, which is then pinned and handed out. */
static tarn_status copy_some(struct save *save, struct tarn__cut *cut, const uint64_t *locations,
                             size_t count, size_t *done, struct tarn__record *large)
{
    tarn_namespace *ns = cut->ns;
    struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
    bool holds = tarn__cut_holds(cut);
    struct tarn__record record;
    tarn_status status = TARN_OK;

    large->key.length = 0;
    if (count > RECORDS_IN_SECTION)
        count = RECORDS_IN_SECTION;
    for (size_t i = 0; i < AHEAD && i < count && holds; i++)
        ns->engine->prefetch(ns->engine_state, locations[i]);
    for (*done = 0; *done < count && holds; ++*done) {
        if (*done + AHEAD < count)
            ns->engine->prefetch(ns->engine_state, locations[*done + AHEAD]);
        status = tarn__verify(ns, locations[*done]);
        if (status)
            break;
        ns->engine->read(ns->engine_state, locations[*done], &record);
        if (tarn__snapshot_writer_is_large(&record)) {
            ns->engine->pin(ns->engine_state, locations[*done]);
            *large = record;
            break;
        }
        if (!tarn__snapshot_writer_add(&save->writer, &record))
            break;
    }
    tarn__epoch_leave(section);
    return holds ? status : cut_is_lost(ns);
}

static tarn_status save_records(struct save *save, struct tarn__cut *cut, const uint64_t *locations,
                                size_t count)
{
    tarn_status status = TARN_OK;

    while (count && !status) {
        struct tarn__record large;
        size_t done;

        status = copy_some(save, cut, locations, count, &done, &large);
        if (status)
            break;
        if (large.key.length)
            status = save_large(save, cut->ns, locations[done++], &large);
        else if (done < count && done < RECORDS_IN_SECTION) /* the block is full */
            status = tarn__snapshot_writer_flush(&save->writer);
        locations += done;
        count -= done;
    }
    return status;
}

static tarn_status begin_namespace(struct save *save, const struct tarn__cut *cut)
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
                  : tarn__snapshot_writer_block(&save->writer, TARN__SNAPSHOT_NAMESPACE, content,
                                                length);
}

static tarn_status save_namespace(struct save *save, struct tarn__cut *cut)
{
    uint8_t content[TARN__SNAPSHOT_NAMESPACE_END_BYTES];
    const uint64_t *locations;
    size_t count;
    tarn_status status = begin_namespace(save, cut);

    save->writer.count = (struct tarn__snapshot_count){0};
    do {
        if (!status)
            status = tarn__cut_next(cut, &locations, &count);
        if (!status)
            status = save_records(save, cut, locations, count);
    } while (!status && count);
    if (!status && !tarn__cut_holds(cut)) /* after the last look at what writers have saved */
        status = cut_is_lost(cut->ns);
    if (status)
        return status;
    assert(save->writer.count.keys == cut->keys);
    save->keys += cut->keys;
    tarn__snapshot_namespace_end_write(&save->writer.count, content);
    return tarn__snapshot_writer_block(&save->writer, TARN__SNAPSHOT_NAMESPACE_END, content,
                                       sizeof content);
}

/* Writes the whole file, but for its name. Ends each cut as soon as it is written. */
static tarn_status stream(struct save *save)
{
    uint8_t content[TARN__SNAPSHOT_HEAD_BYTES];
    struct tarn__snapshot_head head = {
        .scope = save->only ? TARN__SCOPE_NAMESPACE : TARN__SCOPE_STORE,
        .sequence = save->sequence,
        .clock_ns = save->clock_ns,
        .namespaces = (uint32_t)save->cut_count,
    };
    tarn_status status;

    memcpy(head.store, save->store->identity, sizeof head.store);
    status = tarn__snapshot_head_write(&head, content);
    if (!status)
        status = tarn__snapshot_writer_block(&save->writer, TARN__SNAPSHOT_HEAD, content,
                                             sizeof content);
    for (size_t i = 0; i < save->begun; i++) {
        if (!status)
            status = save_namespace(save, &save->cuts[i]);
        tarn__cut_end(&save->cuts[i]);
    }
    save->begun = 0;
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
    status = tarn__store_reserve_sequence(save->store, save->sequence);
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
        .sequence = save->sequence,
        .clock_ns = save->clock_ns,
        .namespaces = (uint32_t)save->cut_count,
        .file_bytes = save->writer.offset,
        .keys = save->keys,
        .pause_ns = save->pause_ns,
        .write_ns = save->write_ns,
        .sync_ns = save->sync_ns,
    };
}

/* With everything locked; gives the table's lock back as soon as the cut is made. */
static tarn_status save_locked(struct save *save, const char *file_name)
{
    tarn_store *store = save->store;
    tarn_status status = choose(save);

    if (!status)
        status = tarn__snapshot_writer_begin(&save->writer, store->environment.os,
                                             store->folder.snapshots);
    if (!status) {
        status = cut(save);
        if (status)
            tarn__snapshot_writer_abandon(&save->writer);
    }
    pthread_mutex_unlock(&store->lock); /* nothing that is saved can be dropped: saving is held */
    if (!status)
        status = write_file(save, file_name);
    while (save->begun)
        tarn__cut_end(&save->cuts[--save->begun]);
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
    tarn__free(save.cuts);
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
