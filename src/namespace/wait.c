/* How what was written becomes durable: calls that wait for it, and those that are told later. */
#include "namespace/wait.h"
#include "base/memory.h"

/* The store's thread is to sync where nobody waits. Inside, because a close ends the threads. */
static tarn_status start_thread(tarn_namespace *ns)
{
    struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
    tarn_status status = TARN_OK;

    if (!tarn__namespace_usable(ns))
        status = tarn__namespace_not_open(ns);
    else if (ns->engine->notify)
        status = tarn__jobs_start(&ns->environment->quick);
    tarn__epoch_leave(section);
    return status;
}

tarn_status tarn__wait_later(tarn_namespace *ns, tarn_done done, void *context,
                             struct tarn__wait *wait)
{
    tarn_status status;

    *wait = (struct tarn__wait){0};
    if (!ns || !done)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns or done is NULL");
    status = start_thread(ns);
    if (status)
        return status;
    wait->completion = tarn__allocate_zeroed(sizeof *wait->completion);
    if (!wait->completion)
        return TARN_NO_MEMORY;
    wait->completion->done = done;
    wait->completion->context = context;
    return TARN_OK;
}

void tarn__wait_cancel(struct tarn__wait *wait)
{
    tarn__free(wait->completion);
    wait->completion = NULL;
}

static uint64_t written(tarn_namespace *ns)
{
    return ns->engine->written ? ns->engine->written(ns->engine_state) : 0;
}

void tarn__wait_add(tarn_namespace *ns, uint64_t position, struct tarn__wait *wait)
{
    atomic_fetch_add(&ns->waiting, 1);
    wait->position = wait->completion ? written(ns) : position;
    wait->writes++;
}

tarn_status tarn__wait_begin_with_all(tarn_namespace *ns, struct tarn__wait *wait)
{
    struct tarn__shard *shard;
    bool usable;

    if (!tarn__namespace_usable(ns))
        return tarn__namespace_not_open(ns);
    shard = tarn__shard_at(ns, 0); /* any lock will do: the engine's state stays what it is */
    tarn__os_lock(ns->environment->os, &shard->lock);
    usable = tarn__namespace_usable(ns);
    if (usable)
        tarn__wait_add(ns, written(ns), wait);
    tarn__lock_give(&shard->lock);
    return usable ? TARN_OK : tarn__namespace_not_open(ns);
}

tarn_status tarn__wait_finish(tarn_namespace *ns, struct tarn__wait *wait)
{
    tarn_status status = TARN_OK;

    if (wait->completion && wait->position)
        ns->engine->notify(ns->engine_state, wait->position, wait->completion);
    else if (wait->completion)
        tarn__completions_add_one(&ns->environment->completions, wait->completion);
    else if (wait->position)
        status = ns->engine->wait(ns->engine_state, wait->position);
    atomic_fetch_sub(&ns->waiting, wait->writes);
    return status;
}

tarn_status tarn_sync(tarn_namespace *ns)
{
    struct tarn__wait wait = {0};
    tarn_status status;

    if (!ns)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");
    status = tarn__wait_begin_with_all(ns, &wait);
    return status ? status : tarn__wait_end(ns, &wait);
}

tarn_status tarn_sync_async(tarn_namespace *ns, tarn_done done, void *context)
{
    struct tarn__wait wait;
    tarn_status status = tarn__wait_later(ns, done, context, &wait);

    if (status)
        return status;
    status = tarn__wait_begin_with_all(ns, &wait);
    if (status)
        tarn__wait_cancel(&wait);
    return status ? status : tarn__wait_end(ns, &wait);
}
