/*
 * Opening and closing a store, and its table of namespaces.
 *
 * The struct outlives tarn_close() as long as there are handles of namespaces, because they look at
 * the environment to tell that they are closed.
 */
#include "store/store.h"
#include "base/memory.h"
#include "base/plant.h"
#include "base/status.h"
#include "store/autosave.h"
#include "store/catalog_file.h"
#include "store/snapshots.h"

#include <string.h>

#define MAX_NAMESPACES_DEFAULT 65536
#define PROCESS_PAGE_BYTES     4096

/* ------------------------------------------------------------------------------------------
 * Opening and closing
 */

static void *map(const void *context, size_t bytes, size_t alignment, bool huge)
{
    const struct tarn__os *os = context;

    return os->memory_map(os, bytes, alignment, huge);
}

static void unmap(const void *context, void *address, size_t bytes)
{
    const struct tarn__os *os = context;

    os->memory_unmap(os, address, bytes);
}

static void populate(const void *context, void *address, size_t bytes)
{
    const struct tarn__os *os = context;

    os->memory_populate(os, address, bytes);
}

void tarn__store_release(void *context)
{
    tarn_store *store = context;

    if (atomic_fetch_sub_explicit(&store->references, 1, memory_order_acq_rel) != 1)
        return;
    tarn__epoch_release(&store->environment.epoch);
    pthread_mutex_destroy(&store->lock);
    tarn__turn_release(&store->saving);
    unmap(store->environment.os, store->environment.here, PROCESS_PAGE_BYTES);
    tarn__free(store);
}

void tarn__store_tell(tarn_store *store, enum tarn_event_kind kind, tarn_status status,
                      struct tarn_slice namespace_name, struct tarn_slice snapshot)
{
    struct tarn_event event = {
        .kind = kind, .status = status, .namespace_name = namespace_name, .snapshot = snapshot};

    tarn__store_tell_event(store, &event);
}

void tarn__store_tell_event(tarn_store *store, struct tarn_event *event)
{
    static const struct tarn_error none;
    struct tarn_error error = *tarn_last_error();

    event->error = event->status ? &error : &none;
    if (store->on_event)
        store->on_event(store->event_context, event);
    tarn__restore_error(&error);
}

static tarn_status make_locks(tarn_store *store)
{
    tarn_status status;

    if (pthread_mutex_init(&store->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    status = tarn__turn_init(&store->saving);
    if (!status) {
        status = tarn__completions_init(&store->environment.completions, store->environment.os);
        if (status)
            tarn__turn_release(&store->saving);
    }
    if (status)
        pthread_mutex_destroy(&store->lock);
    return status;
}

static uint64_t monotonic_ns(const void *context)
{
    const struct tarn__os *os = context;

    return os->monotonic_ns(os);
}

static void prepare_pages(void *context)
{
    tarn__pages_prepare(context);
}

static void wake_preparing(void *context)
{
    tarn_store *store = context;

    tarn__jobs_wake(&store->environment.quick, &store->preparing);
}

static void stop_threads(tarn_store *store)
{
    tarn__jobs_stop(&store->environment.slow);
    tarn__jobs_stop(&store->environment.quick);
}

/* Makes what the threads need; they are started when there is work for them. */
static tarn_status make_threads(tarn_store *store)
{
    struct tarn__environment *environment = &store->environment;
    tarn_status status = tarn__jobs_init(&environment->quick, monotonic_ns, environment->os);

    if (status)
        return status;
    status = tarn__jobs_init(&environment->slow, monotonic_ns, environment->os);
    if (status) {
        tarn__jobs_stop(&environment->quick);
        return status;
    }
    environment->quick.by_hand = environment->slow.by_hand = environment->os->by_hand;
    status =
        tarn__jobs_add(&environment->quick, &store->preparing, prepare_pages, &environment->pages);
    if (!status)
        status = tarn__jobs_add(&environment->slow, &store->saving_due, tarn__autosave_run, store);
    if (status)
        stop_threads(store);
    return status;
}

/* A page that a forked child finds empty tells it that the store is its parent's. */
static tarn_status mark_process(struct tarn__environment *environment)
{
    const struct tarn__os *os = environment->os;

    environment->here = os->memory_map(os, PROCESS_PAGE_BYTES, PROCESS_PAGE_BYTES, false);
    if (!environment->here)
        return TARN_NO_MEMORY;
    (void)os->memory_forget_in_child(os, environment->here, PROCESS_PAGE_BYTES); /* or nobody can */
    atomic_store(environment->here, 1);
    return TARN_OK;
}

/* Everything that a store has in memory. */
static tarn_status set_up(tarn_store *store, const struct tarn__os *os,
                          const struct tarn_options *options)
{
    struct tarn__environment *environment = &store->environment;
    const struct tarn__page_source source = {
        .context = os, .map = map, .unmap = unmap, .populate = populate};
    tarn_status status;

    environment->os = os;
    environment->read_only = options->read_only;
    store->max_namespaces =
        options->max_namespaces ? options->max_namespaces : MAX_NAMESPACES_DEFAULT;
    store->on_event = options->on_event;
    store->event_context = options->event_context;
    store->next_number = 1;
    status = os->random_bytes(os, &environment->seed, sizeof environment->seed);
    if (!status)
        status = mark_process(environment);
    if (status)
        return status;
    status = tarn__pages_init(&environment->pages, &source, options->max_memory_bytes);
    if (status) {
        unmap(os, environment->here, PROCESS_PAGE_BYTES);
        return status;
    }
    status = tarn__granules_init(&environment->granules);
    if (!status) {
        status = make_threads(store);
        if (status)
            tarn__granules_release(&environment->granules);
    }
    if (!status) {
        status = make_locks(store);
        if (status) {
            stop_threads(store);
            tarn__granules_release(&environment->granules);
        }
    }
    if (status) {
        tarn__pages_release(&environment->pages);
        unmap(os, environment->here, PROCESS_PAGE_BYTES);
        return status;
    }
    environment->pages.wake = wake_preparing;
    environment->pages.wake_context = store;
    tarn__epoch_init(&environment->epoch);
    atomic_store(&store->references, 1);
    return TARN_OK;
}

/* Makes the namespaces that the catalog tells of. */
static tarn_status make_namespaces(tarn_store *store, const struct tarn__catalog *catalog)
{
    tarn_status status = tarn__store_make_room(store, catalog->count);

    if (!status && catalog->count > store->max_namespaces)
        status = tarn__fail(TARN_TOO_MANY_NAMESPACES,
                            "the store has %zu namespaces, and max_namespaces is %u",
                            catalog->count, store->max_namespaces);
    for (size_t i = 0; i < catalog->count && !status; i++) {
        const struct tarn__catalog_namespace *entry = &catalog->namespaces[i];
        tarn_namespace *ns;

        status = tarn__store_bring_back(store, entry, &ns);
        if (status)
            return status;
        tarn__store_add(store, ns);
        status = tarn__autosave_restore(store, ns, &entry->autosave);
    }
    if (!TARN__PLANTED(TARN__PLANT_NUMBERS_BEGIN_ANEW))
        store->next_number = catalog->next_number;
    return status;
}

/* Makes the store in memory what its folder says; nobody else knows it yet. */
static tarn_status read_folder(tarn_store *store, enum tarn_load load)
{
    struct tarn__catalog catalog;
    bool found;
    tarn_status status = tarn__catalog_file_read(&store->folder, &catalog, &found);

    if (status)
        return status;
    if (!found)
        return tarn__store_begin_folder(store);
    memcpy(store->identity, catalog.identity, sizeof store->identity);
    store->environment.seed = catalog.seed;
    atomic_store(&store->environment.sequence, catalog.sequence);
    store->catalog_sequence = catalog.sequence;
    store->reserved_number = catalog.next_number;
    status = tarn__homes_open(store, &catalog);
    if (!status)
        status = make_namespaces(store, &catalog);
    if (!status)
        status = tarn__autosave_restore(store, NULL, &catalog.autosave);
    tarn__catalog_release(&catalog);
    if (!status)
        status = tarn__snapshots_open(store, load);
    return status;
}

static tarn_status check_options(const struct tarn_options *options, const char *dir)
{
    tarn_status status = tarn__check_size(options->size, sizeof *options, "tarn_options");

    if (status)
        return status;
    if (options->max_memory_bytes && options->max_memory_bytes < TARN__REGION_BYTES)
        return tarn__fail(TARN_INVALID_ARGUMENT, "max_memory_bytes is %llu, and at least %zu",
                          (unsigned long long)options->max_memory_bytes, TARN__REGION_BYTES);
    if (dir && !*dir)
        return tarn__fail(TARN_INVALID_ARGUMENT,
                          "dir is empty: name a directory, or pass NULL for a store in memory");
    if ((unsigned)options->load > TARN_LOAD_NOTHING)
        return tarn__fail(TARN_INVALID_ARGUMENT, "load is %d", (int)options->load);
    if (!dir && (options->read_only || options->load || options->autosave))
        return tarn__fail(
            TARN_PERSISTENCE_NOT_ENABLED,
            "read_only, load and autosave are for stores in a directory, and dir is NULL");
    return TARN_OK;
}

/* Frees all that a store has; nobody uses it, and no thread of its own is in the middle of it. */
static void tear_down(tarn_store *store)
{
    stop_threads(store);
    for (size_t i = 0; i < store->count; i++) {
        tarn__home_close(&store->namespaces[i]->home);
        tarn__namespace_release(store->namespaces[i]);
    }
    tarn__free(store->namespaces);
    tarn__completions_release(&store->environment.completions);
    tarn__pages_release(&store->environment.pages);
    tarn__granules_release(&store->environment.granules);
    tarn__folder_close(&store->folder);
    tarn__store_release(store);
}

/* Locks the folder and reads what is there. */
static tarn_status open_folder(tarn_store *store, const char *dir,
                               const struct tarn_options *options, bool is_copy)
{
    const struct tarn__os *os = store->environment.os;
    tarn_status status = is_copy ? tarn__folder_open_copy(&store->folder, os, dir)
                                 : tarn__folder_open(&store->folder, os, dir, options->read_only);

    if (!status)
        status = read_folder(store, options->load);
    if (!status && options->autosave)
        status = tarn__autosave_open(store, options->autosave);
    if (!status && !options->read_only)
        status = tarn__autosave_begin(store);
    return status;
}

static tarn_status open_store(const struct tarn__os *os, const char *dir,
                              const struct tarn_options *options, bool is_copy, tarn_store **out)
{
    static const struct tarn_options defaults = {.size = sizeof defaults};
    tarn_store *store;
    tarn_status status;

    if (!out)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    options = options ? options : &defaults;
    status = check_options(options, dir);
    if (status)
        return status;
    store = tarn__allocate_lines(sizeof *store);
    if (!store)
        return TARN_NO_MEMORY;
    status = set_up(store, os, options);
    if (status) {
        tarn__free(store);
        return status;
    }
    if (dir)
        status = open_folder(store, dir, options, is_copy);
    if (status) {
        struct tarn_error error = *tarn_last_error();

        for (size_t i = 0; i < store->count; i++)
            (void)tarn__namespace_end(store->namespaces[i], TARN__CLOSED);
        tear_down(store);
        tarn__restore_error(&error);
        return status;
    }
    *out = store;
    return TARN_OK;
}

tarn_status tarn__store_open(const struct tarn__os *os, const char *dir,
                             const struct tarn_options *options, tarn_store **store)
{
    return open_store(os, dir, options, false, store);
}

tarn_status tarn__store_open_copy(const struct tarn__os *os, const char *dir, tarn_store **store)
{
    return open_store(os, dir, NULL, true, store);
}

tarn_status tarn_open(const char *dir, const struct tarn_options *options, tarn_store **store)
{
    return tarn__store_open(tarn__os_posix(), dir, options, store);
}

/* Ends all namespaces; returns the first failure, which is the last error. */
static tarn_status end_all(tarn_store *store)
{
    struct tarn_error first = {0};

    for (size_t i = 0; i < store->count; i++)
        if (tarn__namespace_end(store->namespaces[i], TARN__CLOSED) && !first.status)
            first = *tarn_last_error();
    if (first.status)
        tarn__restore_error(&first);
    return first.status;
}

/* A callback would wait for itself. */
static tarn_status check_closable(tarn_store *store)
{
    struct tarn__environment *environment = &store->environment;

    if (!tarn__environment_is_here(environment))
        return tarn__outcome(TARN_FORKED);
    if (tarn__completions_telling(&environment->completions))
        return tarn__fail(TARN_BUSY, "tarn_close() in a callback of an asynchronous write");
    return TARN_OK;
}

tarn_status tarn_close(tarn_store *store)
{
    struct tarn_error error;
    size_t prepared = 0, told;
    unsigned looks = 0;
    tarn_status status;

    if (!store)
        return TARN_OK;
    status = check_closable(store);
    if (!status)
        status = tarn__autosave_close(store);
    if (!status)
        status = tarn__store_lock_saving(store);
    if (status)
        return status;
    while (!status && prepared < store->count) {
        status = tarn__namespace_end_prepare(store->namespaces[prepared]);
        prepared += status == TARN_OK;
    }
    if (status) {
        while (prepared)
            tarn__namespace_end_cancel(store->namespaces[--prepared]);
        tarn__store_unlock_saving(store);
        return status;
    }
    atomic_store(&store->closed, true);
    status = end_all(store);
    error = *tarn_last_error();
    tarn__store_unlock_saving(store);
    (void)tarn__completions_tell(&store->environment.completions, 0, &told); /* it is no callback */
    while (atomic_load(&store->calls)) /* they find it closed and leave */
        tarn__os_pause(store->environment.os, looks++);
    tear_down(store);
    if (status)
        tarn__restore_error(&error);
    return status;
}
