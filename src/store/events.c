/*
 * What is told in a thread of the caller's: the callbacks of asynchronous writes.
 *
 * Nothing here takes the store's lock, under which the catalog is synced: a loop must not wait.
 */
#include "base/status.h"
#include "store/store.h"

/* Every call is between these two: a close waits for those that are under way. */
static tarn_status begin(tarn_store *store)
{
    if (!store)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    if (!tarn__environment_is_here(&store->environment))
        return tarn__outcome(TARN_FORKED);
    atomic_fetch_add(&store->calls, 1);
    if (!atomic_load(&store->closed))
        return TARN_OK;
    atomic_fetch_sub(&store->calls, 1);
    return tarn__outcome(TARN_CLOSED);
}

static void end(tarn_store *store)
{
    atomic_fetch_sub(&store->calls, 1);
}

tarn_status tarn_events_descriptor(tarn_store *store, int *descriptor)
{
    tarn_status status;

    if (!descriptor)
        return tarn__fail(TARN_INVALID_ARGUMENT, "descriptor is NULL");
    status = begin(store);
    if (status)
        return status;
    status = tarn__completions_event(&store->environment.completions, descriptor);
    end(store);
    return status;
}

tarn_status tarn_events_dispatch(tarn_store *store, size_t count_max, size_t *dispatched)
{
    size_t told = 0;
    tarn_status status = begin(store);

    if (status)
        return status;
    status = tarn__completions_tell(&store->environment.completions, count_max, &told);
    end(store);
    if (!status && dispatched)
        *dispatched = told;
    return status;
}
