/*
 * Compaction, as far as the namespace has a part in it: which records are still needed, leading the
 * index to where they have gone, and the call.
 */
#include "base/status.h"
#include "namespace/operation.h"

static bool is_location(void *context, uint64_t location)
{
    return *(const uint64_t *)context == location;
}

/* Inside. TARN__RETRY: the bucket is being changed. */
static enum tarn__found find_put(struct tarn__index *index, const struct tarn__met *met)
{
    uint64_t wanted = met->location, location;
    struct tarn__look look;

    return tarn__index_look(index, met->hash, is_location, &wanted, &look, &location);
}

/* Whether the key of a delete is there. Where that cannot be told it is taken as absent: then the
 * delete is kept. Inside. */
static bool is_there(tarn_namespace *ns, struct tarn__index *index, const struct tarn__met *met)
{
    struct tarn__key_search search = {.ns = ns, .key = met->key};
    struct tarn__look look;
    uint64_t location;

    return tarn__index_look(index, met->hash, tarn__leads_to_key, &search, &look, &location) ==
           TARN__FOUND;
}

/* Judges from the one at *at on, as far as it can without waiting. */
static tarn_status judge_some(tarn_namespace *ns, struct tarn__met *met, size_t count, size_t *at)
{
    struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
    struct tarn__index *index = atomic_load_explicit(&ns->index, memory_order_acquire);
    bool usable = tarn__namespace_usable(ns);
    enum tarn__found found = TARN__ABSENT;
    struct tarn__sight sight;

    for (size_t i = *at; i < count && usable; i++)
        tarn__sight_begin(index, met[i].hash, &sight); /* they come from memory together */
    while (*at < count && usable && found != TARN__RETRY) {
        struct tarn__met *one = &met[*at];

        if (!one->removes)
            found = find_put(index, one);
        one->needed = one->removes ? !is_there(ns, index, one) : found == TARN__FOUND;
        *at += found != TARN__RETRY;
    }
    tarn__epoch_leave(section);
    return usable ? TARN_OK : tarn__namespace_not_open(ns);
}

static tarn_status judge(void *context, struct tarn__met *met, size_t count)
{
    tarn_namespace *ns = context;
    tarn_status status = TARN_OK;
    unsigned looks = 0;
    size_t at = 0;

    for (size_t i = 0; i < count; i++)
        met[i].hash = tarn__hash(met[i].key, ns->environment->seed);
    while (!status && at < count) {
        status = judge_some(ns, met, count, &at);
        if (!status && at < count)
            tarn__os_pause(ns->environment->os, looks++);
    }
    return status;
}

static tarn_status relocate_one(tarn_namespace *ns, struct tarn__move *move)
{
    struct tarn__held held;
    struct tarn__entry entry = {0};
    tarn_status status = tarn__shard_lock(ns, move->hash, false, NULL, &held);

    if (status) {
        if (status != TARN_KEY_NOT_FOUND)
            return status;
        move->from = 0; /* there are no keys any more */
        return TARN_OK;
    }
    tarn__index_find(held.index, move->hash, is_location, &move->from, &entry);
    if (entry.location)
        tarn__index_point(held.index, &entry, move->to);
    else
        move->from = 0;
    tarn__shard_unlock(&held);
    return TARN_OK;
}

static void look_ahead(tarn_namespace *ns, const struct tarn__move *moves, size_t count)
{
    struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
    struct tarn__index *index = atomic_load_explicit(&ns->index, memory_order_acquire);
    struct tarn__sight sight;

    for (size_t i = 0; i < count && tarn__namespace_usable(ns); i++)
        tarn__sight_begin(index, moves[i].hash, &sight);
    tarn__epoch_leave(section);
}

static tarn_status relocate(void *context, struct tarn__move *moves, size_t count, size_t *done)
{
    tarn_namespace *ns = context;
    tarn_status status = TARN_OK;

    look_ahead(ns, moves, count);
    for (*done = 0; *done < count && !status; *done += status == TARN_OK)
        status = relocate_one(ns, &moves[*done]);
    return status;
}

static void settle(void *context)
{
    tarn_namespace *ns = context;

    for (uint32_t i = 0; i < atomic_load(&ns->shards_made); i++) {
        struct tarn__shard *shard = tarn__shard_at(ns, i);

        tarn__os_lock(ns->environment->os, &shard->lock);
        if (tarn__namespace_usable(ns))
            tarn__shard_flush(ns, shard);
        tarn__lock_give(&shard->lock);
    }
    tarn__wait_for_readers(ns->environment);
}

void tarn__namespace_mover(tarn_namespace *ns, struct tarn__mover *mover)
{
    *mover =
        (struct tarn__mover){.context = ns, .judge = judge, .relocate = relocate, .settle = settle};
}

/* Sees to it that the engine's state stays until the call has ended. */
static tarn_status begin(tarn_namespace *ns)
{
    struct tarn__shard *shard = tarn__shard_at(ns, 0);
    bool usable;

    tarn__os_lock(ns->environment->os, &shard->lock);
    usable = tarn__namespace_usable(ns);
    if (usable)
        atomic_fetch_add(&ns->compacting, 1);
    tarn__lock_give(&shard->lock);
    return usable ? TARN_OK : tarn__namespace_not_open(ns);
}

tarn_status tarn_compact(tarn_namespace *ns, const struct tarn_compact_options *options)
{
    tarn_status status;

    if (!ns)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");
    status = options ? tarn__check_size(options->size, sizeof *options, "tarn_compact_options")
                     : TARN_OK;
    if (!status)
        status = tarn__namespace_check_changeable(ns);
    if (!status && ns->engine->compact)
        status = begin(ns);
    if (status || !ns->engine->compact)
        return status;
    status = ns->engine->compact(ns->engine_state, options ? options->progress : NULL,
                                 options ? options->context : NULL);
    atomic_fetch_sub(&ns->compacting, 1);
    return status;
}
