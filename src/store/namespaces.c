/*
 * The store's table of namespaces, and the catalog that tells of it.
 *
 * What changes the table or a namespace's options changes memory first, under the lock, and then
 * the catalog; if that fails, memory is changed back, and nobody has seen it.
 */
#include "base/memory.h"
#include "base/plant.h"
#include "base/status.h"
#include "format/name.h"
#include "store/autosave.h"
#include "store/catalog_file.h"
#include "store/store.h"

#include <string.h>

/* At a time, so that not each save writes the catalog. */
#define SEQUENCES_RESERVED ((uint64_t)1 << 20)

tarn_status tarn__store_lock(tarn_store *store)
{
    tarn_status status;

    if (!tarn__environment_is_here(&store->environment))
        return tarn__outcome(TARN_FORKED);
    atomic_fetch_add(&store->calls, 1);
    pthread_mutex_lock(&store->lock);
    status = store->closed ? tarn__outcome(TARN_CLOSED) : TARN_OK;
    if (status)
        tarn__store_unlock(store);
    return status;
}

void tarn__store_unlock(tarn_store *store)
{
    pthread_mutex_unlock(&store->lock);
    atomic_fetch_sub(&store->calls, 1);
}

tarn_status tarn__store_lock_saving(tarn_store *store)
{
    tarn_status status;

    if (!tarn__environment_is_here(&store->environment))
        return tarn__outcome(TARN_FORKED);
    atomic_fetch_add(&store->calls, 1); /* it cannot go while this waits */
    tarn__turn_take(&store->saving);
    status = tarn__store_lock(store);
    if (status) {
        tarn__turn_give(&store->saving);
        atomic_fetch_sub(&store->calls, 1);
    }
    return status;
}

tarn_status tarn__store_check_folder(const tarn_store *store)
{
    if (tarn__store_in_folder(store))
        return TARN_OK;
    return tarn__fail(TARN_PERSISTENCE_NOT_ENABLED,
                      "the store is in memory only: name a directory in tarn_open()");
}

tarn_status tarn__store_lock_snapshots(tarn_store *store, bool to_write)
{
    tarn_status status = tarn__store_lock_saving(store);

    if (status)
        return status;
    status = tarn__store_check_folder(store);
    if (!status && to_write && store->folder.read_only)
        status = tarn__outcome(TARN_READ_ONLY);
    if (status)
        tarn__store_unlock_saving(store);
    return status;
}

void tarn__store_unlock_saving(tarn_store *store)
{
    tarn__store_unlock(store);
    tarn__turn_give(&store->saving);
    atomic_fetch_sub(&store->calls, 1);
}

bool tarn__store_find(const tarn_store *store, struct tarn_slice name, size_t *at)
{
    size_t low = 0, high = store->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const tarn_namespace *ns = store->namespaces[middle];
        int order = tarn__name_compare(name, tarn_slice_of(ns->name, ns->name_length));

        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *at = low;
    return false;
}

tarn_status tarn__store_named(tarn_status status, struct tarn_slice name)
{
    return tarn__fail(status, "%s: \"%.*s\"", tarn_status_message(status), (int)name.length,
                      (const char *)name.data);
}

static tarn_status check(const tarn_store *store, struct tarn_slice name)
{
    if (!store)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    return tarn__check_name(name);
}

tarn_status tarn__store_make_room(tarn_store *store, size_t more)
{
    size_t capacity = store->capacity ? store->capacity : 8;
    tarn_namespace **namespaces;

    while (capacity < store->count + more)
        capacity *= 2;
    if (capacity == store->capacity)
        return TARN_OK;
    namespaces = tarn__reallocate(store->namespaces, capacity * sizeof(tarn_namespace *));
    if (!namespaces)
        return TARN_NO_MEMORY;
    store->namespaces = namespaces;
    store->capacity = capacity;
    return TARN_OK;
}

void tarn__store_add(tarn_store *store, tarn_namespace *ns)
{
    size_t at;

    (void)tarn__store_find(store, tarn_slice_of(ns->name, ns->name_length), &at); /* it is not */
    memmove(store->namespaces + at + 1, store->namespaces + at,
            (store->count - at) * sizeof(tarn_namespace *));
    store->namespaces[at] = ns;
    store->count++;
}

void tarn__store_take_out(tarn_store *store, const tarn_namespace *ns)
{
    size_t at;

    (void)tarn__store_find(store, tarn_slice_of(ns->name, ns->name_length), &at); /* it is there */
    memmove(store->namespaces + at, store->namespaces + at + 1,
            (store->count - at - 1) * sizeof(tarn_namespace *));
    store->count--;
}

void tarn__store_raise_sequence(tarn_store *store, uint64_t least)
{
    uint64_t now = atomic_load(&store->environment.sequence);

    while (now < least && !atomic_compare_exchange_weak(&store->environment.sequence, &now, least))
        ;
}

/* ------------------------------------------------------------------------------------------
 * The catalog
 */

tarn_status tarn__store_describe(tarn_store *store, struct tarn__catalog *catalog)
{
    size_t bytes = store->count * sizeof *catalog->namespaces;

    memset(catalog, 0, sizeof *catalog);
    memcpy(catalog->identity, store->identity, sizeof catalog->identity);
    catalog->seed = store->environment.seed;
    catalog->sequence = atomic_load(&store->environment.sequence);
    if (catalog->sequence < store->catalog_sequence)
        catalog->sequence = store->catalog_sequence;
    catalog->next_number =
        store->next_number > store->reserved_number ? store->next_number : store->reserved_number;
    tarn__autosave_describe(&store->autosave, &catalog->autosave);
    catalog->namespaces = tarn__allocate_zeroed(bytes ? bytes : 1);
    if (!catalog->namespaces)
        return TARN_NO_MEMORY;
    catalog->count = store->count;
    for (size_t i = 0; i < store->count; i++) {
        const tarn_namespace *ns = store->namespaces[i];
        struct tarn__catalog_namespace *entry = &catalog->namespaces[i];

        entry->number = ns->number;
        entry->home = ns->home.number;
        tarn__namespace_options_of(ns, &entry->options);
        tarn__autosave_describe(ns->autosave, &entry->autosave);
        entry->name_length = ns->name_length;
        memcpy(entry->name, ns->name, ns->name_length);
    }
    return TARN_OK;
}

tarn_status tarn__store_write_catalog(tarn_store *store)
{
    struct tarn__catalog catalog;
    tarn_status status;

    if (!tarn__store_in_folder(store))
        return TARN_OK;
    if (store->folder.read_only)
        return tarn__outcome(TARN_READ_ONLY);
    if (store->catalog_unknown)
        return tarn__fail(TARN_OUTCOME_UNKNOWN,
                          "it is not known what the catalog in '%s' says since "
                          "a change of it failed: open the store anew",
                          tarn__directory_path(store->folder.top));
    status = tarn__store_describe(store, &catalog);
    if (!status)
        status = tarn__catalog_file_replace(store->environment.os, &store->folder, &catalog);
    store->catalog_unknown = status == TARN_OUTCOME_UNKNOWN;
    if (!status) {
        store->catalog_sequence = catalog.sequence;
        store->reserved_number = catalog.next_number;
    }
    tarn__catalog_release(&catalog);
    return status;
}

tarn_status tarn__store_reserve_sequence(tarn_store *store, uint64_t sequence)
{
    uint64_t before = store->catalog_sequence;
    tarn_status status;

    if (sequence <= before || store->catalog_unknown)
        return TARN_OK;
    store->catalog_sequence = sequence + SEQUENCES_RESERVED;
    status = tarn__store_write_catalog(store);
    if (status)
        store->catalog_sequence = before;
    return status == TARN_OUTCOME_UNKNOWN ? TARN_OK : status; /* opening reads the heads as well */
}

static void owner_lock(void *context)
{
    tarn_store *store = context;

    pthread_mutex_lock(&store->lock);
}

static void owner_unlock(void *context)
{
    tarn_store *store = context;

    pthread_mutex_unlock(&store->lock);
}

static tarn_status owner_changed(void *context)
{
    return tarn__store_write_catalog(context);
}

static void owner_sync_failed(void *context, tarn_namespace *ns, tarn_status status)
{
    tarn__store_tell(context, TARN_EVENT_SYNC_FAILED, status,
                     tarn_slice_of(ns->name, ns->name_length), tarn_slice_of("", 0));
}

static void owner_compacted(void *context, tarn_namespace *ns, tarn_status status, uint64_t freed)
{
    struct tarn_event event = {.kind = status ? TARN_EVENT_COMPACTION_FAILED
                                              : TARN_EVENT_COMPACTION_DONE,
                               .status = status,
                               .namespace_name = tarn_slice_of(ns->name, ns->name_length),
                               .snapshot = tarn_slice_of("", 0),
                               .bytes = freed};

    tarn__store_tell_event(context, &event);
}

const struct tarn__namespace_owner tarn__store_owner = {
    .sync_failed = owner_sync_failed,
    .compacted = owner_compacted,
    .lock = owner_lock,
    .unlock = owner_unlock,
    .changed = owner_changed,
    .released = tarn__store_release,
};

/* ------------------------------------------------------------------------------------------
 * The public interface
 */

/* Makes the struct of a namespace whose home, if it needs one, is there. The home is its own then.
 */
static tarn_status make(tarn_store *store, const struct tarn__namespace_plan *parts,
                        tarn_namespace **ns)
{
    struct tarn__namespace_plan plan = *parts;
    tarn_status status;

    plan.environment = &store->environment;
    plan.owner = &tarn__store_owner;
    plan.owner_context = store;
    plan.store = store->identity;
    status = tarn__namespace_make(&plan, ns);
    if (!status)
        atomic_fetch_add(&store->references, 1);
    return status;
}

/* Replays what is in a namespace's home, and tells where a crash has cut it. */
static tarn_status replay(tarn_store *store, tarn_namespace *ns)
{
    struct tarn__replayed replayed;
    tarn_status status = tarn__namespace_replay(ns, &replayed);
    struct tarn_event cut = {.kind = TARN_EVENT_LOG_CUT,
                             .namespace_name = tarn_slice_of(ns->name, ns->name_length),
                             .snapshot = tarn_slice_of("", 0),
                             .bytes = replayed.discarded_bytes};

    if (status)
        return status;
    tarn__store_raise_sequence(store, replayed.sequence);
    if (!store->folder.read_only)
        tarn__options_pass_on(ns); /* now that all is there, the engine may go to work */
    if (replayed.was_cut)
        tarn__store_tell_event(store, &cut);
    return TARN_OK;
}

tarn_status tarn__store_not_made(const tarn_store *store, tarn_status status)
{
    return status == TARN_OUTCOME_UNKNOWN && !store->catalog_unknown ? tarn__fail_as(TARN_IO)
                                                                     : status;
}

tarn_status tarn__store_make_namespace(tarn_store *store, struct tarn_slice name,
                                       const struct tarn_namespace_options *options,
                                       uint64_t number, bool to_fill, tarn_namespace **ns)
{
    struct tarn__namespace_plan plan = {.name = name,
                                        .options = options,
                                        .number = number,
                                        .home_is_new = true,
                                        .to_fill = to_fill};
    const struct tarn__engine *engine = NULL;
    tarn_status status = tarn__namespace_engine(options, &engine);

    if (!status && engine->replay) {
        status = tarn__store_check_folder(store);
        if (!status && store->folder.read_only)
            status = tarn__outcome(TARN_READ_ONLY);
        if (!status)
            status = tarn__home_make(store, &plan.home);
    }
    if (!status)
        status = make(store, &plan, ns);
    if (status) {
        tarn__home_remove(store, &plan.home);
        return tarn__store_not_made(store, status);
    }
    status = replay(store, *ns);
    if (status)
        tarn__store_end_namespace(*ns, false);
    return tarn__store_not_made(store, status);
}

tarn_status tarn__store_bring_back(tarn_store *store, const struct tarn__catalog_namespace *entry,
                                   tarn_namespace **ns)
{
    struct tarn__namespace_plan plan = {.name = tarn_slice_of(entry->name, entry->name_length),
                                        .options = &entry->options,
                                        .number = entry->number};
    tarn_status status = entry->home ? tarn__home_open(store, entry->home, &plan.home) : TARN_OK;

    if (!status)
        status = make(store, &plan, ns);
    if (status) {
        tarn__home_close(&plan.home);
        return status;
    }
    status = replay(store, *ns);
    if (status)
        tarn__store_end_namespace(*ns, true);
    return status;
}

void tarn__store_end_namespace(tarn_namespace *ns, bool kept)
{
    struct tarn_error error = *tarn_last_error();

    (void)tarn__namespace_end(ns, TARN__DROPPED); /* whose files are left as they are */
    if (kept)
        tarn__home_close(&ns->home);
    else
        tarn__home_remove(ns->owner_context, &ns->home);
    tarn__namespace_release(ns);
    tarn__restore_error(&error);
}

tarn_status tarn__store_check_new(tarn_store *store, struct tarn_slice name)
{
    size_t at;

    if (tarn__store_find(store, name, &at))
        return tarn__store_named(TARN_NAMESPACE_EXISTS, name);
    if (store->count >= store->max_namespaces)
        return tarn__fail(TARN_TOO_MANY_NAMESPACES, "the store has its max_namespaces of %u",
                          store->max_namespaces);
    return tarn__store_make_room(store, 1);
}

tarn_status tarn__store_publish(tarn_store *store, tarn_namespace *ns)
{
    tarn_status status;

    tarn__store_add(store, ns);
    /* so that a snapshot of it has a higher one than those from before there was it */
    atomic_fetch_add(&store->environment.sequence, 1);
    status = tarn__store_write_catalog(store);
    if (status)
        tarn__store_take_out(store, ns);
    return status;
}

static tarn_status create_locked(tarn_store *store, struct tarn_slice name,
                                 const struct tarn_namespace_options *options, tarn_namespace **ns)
{
    tarn_status status = tarn__store_check_new(store, name);

    if (!status)
        status = tarn__store_make_namespace(store, name, options, store->next_number++, false, ns);
    if (status)
        return status;
    status = tarn__store_publish(store, *ns);
    if (status) {
        tarn__store_end_namespace(*ns, status == TARN_OUTCOME_UNKNOWN);
        return status;
    }
    atomic_fetch_add(&(*ns)->references, 1);
    return TARN_OK;
}

tarn_status tarn_namespace_create(tarn_store *store, struct tarn_slice name,
                                  const struct tarn_namespace_options *options, tarn_namespace **ns)
{
    tarn_namespace *made;
    tarn_status status = ns ? check(store, name) : tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");

    if (status)
        return status;
    status = tarn__store_lock(store);
    if (status)
        return status;
    status = create_locked(store, name, options, &made);
    tarn__store_unlock(store);
    if (!status)
        *ns = made;
    return status;
}

tarn_status tarn_namespace_open(tarn_store *store, struct tarn_slice name, tarn_namespace **ns)
{
    tarn_status status = ns ? check(store, name) : tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");
    size_t at;

    if (status)
        return status;
    status = tarn__store_lock(store);
    if (status)
        return status;
    if (!tarn__store_find(store, name, &at)) {
        status = tarn__store_named(TARN_NAMESPACE_NOT_FOUND, name);
    } else {
        *ns = store->namespaces[at];
        atomic_fetch_add(&(*ns)->references, 1);
    }
    tarn__store_unlock(store);
    return status;
}

/* Takes it out of the table and the catalog; nothing has changed where that fails. */
static tarn_status drop_locked(tarn_store *store, struct tarn_slice name, tarn_namespace **ns)
{
    tarn_status status;
    size_t at;

    if (!tarn__store_find(store, name, &at))
        return tarn__store_named(TARN_NAMESPACE_NOT_FOUND, name);
    *ns = store->namespaces[at];
    status = tarn__namespace_end_prepare(*ns);
    if (status)
        return status;
    tarn__store_take_out(store, *ns);
    if (TARN__PLANTED(TARN__PLANT_HOME_GOES_FIRST))
        tarn__home_remove(store, &(*ns)->home);
    status = tarn__store_write_catalog(store);
    if (status) {
        tarn__store_add(store, *ns);
        tarn__namespace_end_cancel(*ns);
    }
    return status;
}

tarn_status tarn_namespace_drop(tarn_store *store, struct tarn_slice name)
{
    tarn_status status = check(store, name);
    tarn_namespace *ns = NULL;

    if (!status)
        status = tarn__store_lock_saving(store);
    if (status)
        return status;
    status = drop_locked(store, name, &ns);
    if (!status)
        tarn__store_end_namespace(ns, false);
    tarn__store_unlock_saving(store);
    return status;
}

/* The names as they are now, so that visit runs without the lock. */
static tarn_status copy_names(tarn_store *store, struct tarn_buf *names, size_t *count)
{
    tarn_status status = tarn__store_lock(store);

    if (status)
        return status;
    status = tarn__buf_reserve(names, store->count * (TARN_NAME_BYTES_MAX + 1));
    *count = status ? 0 : store->count;
    for (size_t i = 0; i < *count; i++) {
        uint8_t *at = (uint8_t *)names->data + i * (TARN_NAME_BYTES_MAX + 1);

        at[0] = (uint8_t)store->namespaces[i]->name_length;
        memcpy(at + 1, store->namespaces[i]->name, store->namespaces[i]->name_length);
    }
    tarn__store_unlock(store);
    return status;
}

tarn_status tarn_namespace_list(tarn_store *store,
                                bool (*visit)(void *context, struct tarn_slice name), void *context)
{
    struct tarn_buf names = {0};
    size_t count = 0;
    tarn_status status;

    if (!store || !visit)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store or visit is NULL");
    status = copy_names(store, &names, &count);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = (uint8_t *)names.data + i * (TARN_NAME_BYTES_MAX + 1);

        if (!visit(context, tarn_slice_of(at + 1, at[0])))
            break;
    }
    tarn_buf_release(&names);
    return status;
}

tarn_status tarn_namespace_count(tarn_store *store, size_t *count)
{
    tarn_status status;

    if (!store)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    status = tarn__store_lock(store);
    if (status)
        return status;
    if (count)
        *count = store->count;
    tarn__store_unlock(store);
    return TARN_OK;
}
