/* A cut; see the header. */
#include "namespace/cut.h"
#include "base/memory.h"
#include "base/status.h"

#include <string.h>

#define BUCKETS_UNDER_LOCK 32

tarn_status tarn__cut_begin(struct tarn__cut *cut, tarn_namespace *ns)
{
    uint64_t writes;
    tarn_status status;

    memset(cut, 0, sizeof *cut);
    cut->ns = ns;
    if (pthread_mutex_init(&cut->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    status = ns->engine->hold ? ns->engine->hold(ns->engine_state, &cut->held) : TARN_OK;
    if (!status) {
        status = tarn__capture_begin(&cut->capture,
                                     atomic_load_explicit(&ns->index, memory_order_relaxed));
        if (status && cut->held)
            ns->engine->unhold(ns->engine_state, cut->held);
    }
    if (status) {
        pthread_mutex_destroy(&cut->lock);
        return status;
    }
    cut->sequence = atomic_load(&ns->environment->sequence);
    tarn__namespace_count(ns, &cut->keys, &cut->bytes, &writes);
    tarn__namespace_options_of(ns, &cut->options);
    ns->cut = cut;
    return TARN_OK;
}

bool tarn__cut_holds(struct tarn__cut *cut)
{
    return !atomic_load(&cut->failed) && !tarn__capture_failed(&cut->capture);
}

bool tarn__cut_keeps(struct tarn__cut *cut, uint64_t location, uint64_t sequence)
{
    bool kept;

    if (sequence > cut->sequence || atomic_load_explicit(&cut->failed, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&cut->lock);
    kept = tarn__locations_add(&cut->kept, location);
    pthread_mutex_unlock(&cut->lock);
    if (!kept)
        atomic_store(&cut->failed, true); /* before the record is retired: readers look in time */
    return kept;
}

bool tarn__cut_take_cleared(struct tarn__cut *cut, struct tarn__index *index, void *detached)
{
    if (cut->cleared)
        return false;
    cut->cleared = index;
    cut->detached = detached;
    return true;
}

/* Collects the buckets that come next, as long as they are of the shard that is locked. Once the
 * namespace was cleared the index has no writers, and any lock is as good. */
static tarn_status collect(struct tarn__cut *cut, const struct tarn__held *held)
{
    tarn_status status = TARN_OK;
    uint64_t bucket;

    for (unsigned i = 0; i < BUCKETS_UNDER_LOCK && !status; i++) {
        if (!tarn__capture_next(&cut->capture, &bucket) ||
            (held->index == cut->capture.index &&
             tarn__shard_of(cut->ns, held->groups, bucket) != held->shard))
            return TARN_OK;
        status = tarn__capture_collect(&cut->capture, &cut->collected);
    }
    return status;
}

tarn_status tarn__cut_next(struct tarn__cut *cut, const uint64_t **locations, size_t *count)
{
    tarn_status status;
    uint64_t bucket;

    tarn__free(cut->chunk);
    cut->chunk = NULL;
    while (!cut->collected.newest && tarn__capture_next(&cut->capture, &bucket)) {
        struct tarn__held held = {0};

        tarn__capture_announce(&cut->capture, BUCKETS_UNDER_LOCK);
        status = tarn__shard_lock(cut->ns, bucket, false, NULL, &held);
        if (status && status != TARN_KEY_NOT_FOUND) /* which says that it was cleared */
            return status;
        status = collect(cut, &held);
        if (held.shard)
            tarn__shard_unlock(&held);
        if (status)
            return status;
    }
    cut->chunk = tarn__locations_take(&cut->collected);
    if (!cut->chunk)
        cut->chunk = tarn__capture_take_saved(&cut->capture);
    *locations = cut->chunk ? cut->chunk->locations : NULL;
    *count = cut->chunk ? cut->chunk->count : 0;
    return TARN_OK;
}

/* Retires what was kept. Under the lock of a shard at a time, as the engine wants it. */
static void let_go(struct tarn__cut *cut)
{
    tarn_namespace *ns = cut->ns;
    struct tarn__shard *shard = tarn__shard_at(ns, 0);
    struct tarn__location_chunk *chunk;

    while ((chunk = tarn__locations_take(&cut->kept))) {
        tarn__os_lock(ns->environment->os, &shard->lock);
        ns->engine->retire(ns->engine_state, chunk->locations, chunk->count, 0);
        tarn__lock_give(&shard->lock);
        tarn__free(chunk);
    }
}

void tarn__cut_end(struct tarn__cut *cut)
{
    tarn_namespace *ns = cut->ns;

    (void)tarn__shards_lock_all_at_last(ns); /* drop and close wait for the cut's end */
    tarn__capture_end(&cut->capture);
    ns->cut = NULL;
    tarn__shards_unlock(ns); /* the admin lock stays: no clear meanwhile */
    if (cut->cleared) {
        tarn__namespace_free_index(cut->cleared);
        ns->engine->release(ns->engine_state, cut->detached);
    } else {
        let_go(cut);
    }
    if (cut->held)
        ns->engine->unhold(ns->engine_state, cut->held);
    tarn__lock_give(&ns->admin);
    tarn__free(cut->chunk);
    tarn__locations_release(&cut->collected);
    tarn__locations_release(&cut->kept);
    tarn__capture_release(&cut->capture);
    pthread_mutex_destroy(&cut->lock);
}
