/*
 * Opening and closing a store, and its table of namespaces.
 *
 * The struct outlives tarn_close() as long as there are handles of namespaces, because they look at
 * the environment to tell that they are closed.
 */
#include "store/store.h"
#include "base/memory.h"
#include "base/status.h"

#include <string.h>

#define MAX_NAMESPACES_DEFAULT 65536

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

static void release(void *context)
{
    tarn_store *store = context;

    if (atomic_fetch_sub_explicit(&store->references, 1, memory_order_acq_rel) != 1)
        return;
    tarn__epoch_release(&store->environment.epoch);
    pthread_mutex_destroy(&store->lock);
    tarn__free(store);
}

static tarn_status set_up(tarn_store *store, const struct tarn__os *os,
                          const struct tarn_options *options)
{
    struct tarn__environment *environment = &store->environment;
    const struct tarn__page_source source = {
        .context = os, .map = map, .unmap = unmap, .populate = populate};
    tarn_status status;

    environment->os = os;
    store->max_namespaces =
        options && options->max_namespaces ? options->max_namespaces : MAX_NAMESPACES_DEFAULT;
    status = os->random_bytes(os, &environment->seed, sizeof environment->seed);
    if (status)
        return status;
    status =
        tarn__pages_init(&environment->pages, &source, options ? options->max_memory_bytes : 0);
    if (status)
        return status;
    status = tarn__maintenance_init(&store->maintenance, &environment->pages);
    if (!status && pthread_mutex_init(&store->lock, NULL) != 0) {
        tarn__maintenance_stop(&store->maintenance);
        status = tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    }
    if (status) {
        tarn__pages_release(&environment->pages);
        return status;
    }
    environment->pages.wake = tarn__maintenance_wake;
    environment->pages.wake_context = &store->maintenance;
    tarn__epoch_init(&environment->epoch);
    atomic_store(&store->references, 1);
    return TARN_OK;
}

tarn_status tarn__store_open(const struct tarn__os *os, const struct tarn_options *options,
                             tarn_store **out)
{
    tarn_store *store;
    tarn_status status;

    if (!out)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    status = options ? tarn__check_size(options->size, sizeof *options, "tarn_options") : TARN_OK;
    if (status)
        return status;
    if (options && options->max_memory_bytes && options->max_memory_bytes < TARN__REGION_BYTES)
        return tarn__fail(TARN_INVALID_ARGUMENT, "max_memory_bytes is %llu, and at least %zu",
                          (unsigned long long)options->max_memory_bytes, TARN__REGION_BYTES);
    store = tarn__allocate_lines(sizeof *store);
    if (!store)
        return TARN_NO_MEMORY;
    status = set_up(store, os, options);
    if (status) {
        tarn__free(store);
        return status;
    }
    *out = store;
    return TARN_OK;
}

tarn_status tarn_open(const char *dir, const struct tarn_options *options, tarn_store **store)
{
    if (dir)
        return tarn__fail(TARN_PERSISTENCE_NOT_ENABLED,
                          "this version keeps stores in memory only: give NULL instead of \"%s\"",
                          dir);
    return tarn__store_open(tarn__os_posix(), options, store);
}

tarn_status tarn_close(tarn_store *store)
{
    size_t prepared = 0;
    unsigned looks = 0;
    tarn_status status = TARN_OK;

    if (!store)
        return TARN_OK;
    pthread_mutex_lock(&store->lock);
    while (!status && prepared < store->count) {
        status = tarn__namespace_end_prepare(store->namespaces[prepared]);
        prepared += status == TARN_OK;
    }
    if (status) {
        while (prepared)
            tarn__namespace_end_cancel(store->namespaces[--prepared]);
        pthread_mutex_unlock(&store->lock);
        return status;
    }
    store->closed = true;
    for (size_t i = 0; i < store->count; i++)
        tarn__namespace_end(store->namespaces[i], TARN__CLOSED);
    pthread_mutex_unlock(&store->lock);
    while (atomic_load(&store->calls)) /* they find it closed and leave */
        tarn__os_pause(store->environment.os, looks++);

    tarn__maintenance_stop(&store->maintenance);
    for (size_t i = 0; i < store->count; i++)
        tarn__namespace_release(store->namespaces[i]);
    tarn__free(store->namespaces);
    tarn__pages_release(&store->environment.pages);
    release(store);
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Namespaces
 */

/* Every call on the table is between these two; TARN_CLOSED where there is none any more. */
static tarn_status lock(tarn_store *store)
{
    atomic_fetch_add(&store->calls, 1);
    pthread_mutex_lock(&store->lock);
    return store->closed ? tarn__outcome(TARN_CLOSED) : TARN_OK;
}

static void unlock(tarn_store *store)
{
    pthread_mutex_unlock(&store->lock);
    atomic_fetch_sub(&store->calls, 1);
}

static int compare(struct tarn_slice name, const tarn_namespace *ns)
{
    size_t shorter = name.length < ns->name_length ? name.length : ns->name_length;
    int order = memcmp(name.data, ns->name, shorter);

    if (order)
        return order;
    return name.length < ns->name_length ? -1 : name.length > ns->name_length;
}

/* Whether there is a namespace of that name; at is where it is or would be. */
static bool find(const tarn_store *store, struct tarn_slice name, size_t *at)
{
    size_t low = 0, high = store->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, store->namespaces[middle]);

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

static tarn_status named(tarn_status status, struct tarn_slice name)
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

static tarn_status make_room(tarn_store *store)
{
    size_t capacity = store->capacity ? store->capacity * 2 : 8;
    tarn_namespace **namespaces;

    if (store->count < store->capacity)
        return TARN_OK;
    namespaces = tarn__reallocate(store->namespaces, capacity * sizeof(tarn_namespace *));
    if (!namespaces)
        return TARN_NO_MEMORY;
    store->namespaces = namespaces;
    store->capacity = capacity;
    return TARN_OK;
}

static tarn_status create_locked(tarn_store *store, struct tarn_slice name,
                                 const struct tarn_namespace_options *options, tarn_namespace **ns)
{
    tarn_status status;
    size_t at;

    if (find(store, name, &at))
        return named(TARN_NAMESPACE_EXISTS, name);
    if (store->count >= store->max_namespaces)
        return tarn__fail(TARN_TOO_MANY_NAMESPACES, "the store has its max_namespaces of %u",
                          store->max_namespaces);
    status = make_room(store);
    if (!status)
        status = tarn__namespace_make(&store->environment, &tarn__memory_engine, name, options,
                                      release, store, ns);
    if (status)
        return status;
    atomic_fetch_add(&store->references, 1);
    atomic_fetch_add(&(*ns)->references, 1);
    memmove(store->namespaces + at + 1, store->namespaces + at,
            (store->count - at) * sizeof(tarn_namespace *));
    store->namespaces[at] = *ns;
    store->count++;
    return TARN_OK;
}

tarn_status tarn_namespace_create(tarn_store *store, struct tarn_slice name,
                                  const struct tarn_namespace_options *options, tarn_namespace **ns)
{
    tarn_namespace *made;
    tarn_status status = ns ? check(store, name) : tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");

    if (status)
        return status;
    status = lock(store);
    if (!status)
        status = create_locked(store, name, options, &made);
    unlock(store);
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
    status = lock(store);
    if (!status && !find(store, name, &at))
        status = named(TARN_NAMESPACE_NOT_FOUND, name);
    if (!status) {
        *ns = store->namespaces[at];
        atomic_fetch_add(&(*ns)->references, 1);
    }
    unlock(store);
    return status;
}

tarn_status tarn_namespace_drop(tarn_store *store, struct tarn_slice name)
{
    tarn_status status = check(store, name);
    tarn_namespace *ns = NULL;
    size_t at = 0;

    if (status)
        return status;
    status = lock(store);
    if (!status && !find(store, name, &at))
        status = named(TARN_NAMESPACE_NOT_FOUND, name);
    if (!status)
        status = tarn__namespace_end_prepare(store->namespaces[at]);
    if (!status) {
        ns = store->namespaces[at];
        memmove(store->namespaces + at, store->namespaces + at + 1,
                (store->count - at - 1) * sizeof(tarn_namespace *));
        store->count--;
        tarn__namespace_end(ns, TARN__DROPPED);
    }
    unlock(store);
    if (ns)
        tarn__namespace_release(ns);
    return status;
}

/* The names as they are now, so that visit runs without the lock. */
static tarn_status copy_names(tarn_store *store, struct tarn_buf *names, size_t *count)
{
    tarn_status status = lock(store);

    if (!status)
        status = tarn__buf_reserve(names, store->count * (TARN_NAME_BYTES_MAX + 1));
    *count = status ? 0 : store->count;
    for (size_t i = 0; i < *count; i++) {
        uint8_t *at = (uint8_t *)names->data + i * (TARN_NAME_BYTES_MAX + 1);

        at[0] = (uint8_t)store->namespaces[i]->name_length;
        memcpy(at + 1, store->namespaces[i]->name, store->namespaces[i]->name_length);
    }
    unlock(store);
    return status;
}

tarn_status tarn_namespace_list(tarn_store *store,
                                bool (*visit)(void *context, struct tarn_slice name), void *context)
{
    struct tarn_buf names = {0};
    size_t count;
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
    status = lock(store);
    if (!status && count)
        *count = store->count;
    unlock(store);
    return status;
}
