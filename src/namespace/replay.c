/*
 * Filling the index with what is in an engine's files, when a namespace is opened. Groups of
 * records are entered together, so that memory serves the misses of many at once.
 */
#include "base/status.h"
#include "namespace/checkpoint.h"
#include "namespace/fill.h"
#include "namespace/operation.h"
#include "namespace/tombstones.h"

#define GROUP 64

struct replay {
    tarn_namespace *ns;
    uint64_t hashes[GROUP], locations[GROUP];
    size_t count;
    struct tarn__tombstones tombstones;
};

/* Enters one record. */
static tarn_status enter(const struct replay *replay, struct tarn__held *held,
                         struct tarn__shard *shard, uint64_t hash, uint64_t location,
                         const struct tarn__sight *sight)
{
    tarn_namespace *ns = replay->ns;
    struct tarn__entry entry = {.place = sight->place, .slot = sight->slot};
    struct tarn__key_search search = {.ns = ns};
    struct tarn__record record;
    int64_t bytes;
    bool new_key;
    tarn_status status = TARN_OK;

    ns->engine->read(ns->engine_state, location, &record);
    if (tarn__tombstones_find(&replay->tombstones, record.key, hash) > record.info.sequence) {
        ns->engine->retire(ns->engine_state, &location, 1, 0);
        return TARN_OK;
    }
    search.key = record.key;
    bytes = (int64_t)tarn__record_content_bytes(&record);
    tarn__index_find(held->index, hash, tarn__leads_to_key, &search, &entry);
    new_key = entry.location == 0;
    if (new_key) {
        status = tarn__index_claim(held->index, hash, &entry);
        if (status)
            return status;
    } else {
        if (search.record.info.sequence > record.info.sequence) {
            ns->engine->retire(ns->engine_state, &location, 1, 0);
            return TARN_OK;
        }
        bytes -= (int64_t)tarn__record_content_bytes(&search.record);
        ns->engine->retire(ns->engine_state, &entry.location, 1, 0);
    }
    tarn__index_point(held->index, &entry, location);
    tarn__count_writes(held->groups, shard, hash, 0, new_key, bytes);
    return TARN_OK;
}

static tarn_status enter_group(const struct replay *replay, struct tarn__held *held, bool *divide)
{
    struct tarn__sight sights[GROUP];
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < replay->count; i++)
        tarn__sight_begin(held->index, replay->hashes[i], &sights[i]);
    for (size_t i = 0; i < replay->count && !status; i++) {
        struct tarn__shard *shard = tarn__shard_of(replay->ns, held->groups, replay->hashes[i]);

        status = enter(replay, held, shard, replay->hashes[i], replay->locations[i], &sights[i]);
        if (!status && tarn__index_grow(held->index, &shard->growth, 0))
            *divide = tarn__index_wants_groups(held->index, &shard->growth);
    }
    return status;
}

static tarn_status flush(struct replay *replay)
{
    tarn_namespace *ns = replay->ns;
    struct tarn__lock_set set;
    struct tarn__held held;
    bool divide = false;
    tarn_status status;

    if (!replay->count)
        return TARN_OK;
    status = tarn__shards_lock_some(ns, replay->hashes, replay->count, &held, &set);
    if (!status) {
        status = enter_group(replay, &held, &divide);
        tarn__shards_unlock_some(ns, &set);
    }
    if (divide)
        tarn__shards_divide(ns);
    replay->count = 0;
    return status;
}

static tarn_status put(void *context, const struct tarn__record *record, uint64_t location)
{
    struct replay *replay = context;

    replay->hashes[replay->count] = tarn__hash(record->key, replay->ns->environment->seed);
    replay->locations[replay->count++] = location;
    return replay->count == GROUP ? flush(replay) : TARN_OK;
}

static void take_out(tarn_namespace *ns, struct tarn__held *held, uint64_t hash,
                     const struct tarn__record *removed)
{
    struct tarn__key_search search = {.ns = ns, .key = removed->key};
    struct tarn__entry entry = {0};

    tarn__index_find(held->index, hash, tarn__leads_to_key, &search, &entry);
    if (!entry.location || search.record.info.sequence > removed->info.sequence)
        return;
    tarn__index_point(held->index, &entry, 0);
    tarn__count_writes(held->groups, held->shard, hash, 0, -1,
                       -(int64_t)tarn__record_content_bytes(&search.record));
    ns->engine->retire(ns->engine_state, &entry.location, 1, 0);
    tarn__index_tidy(held->index, &entry.place);
}

static tarn_status take_away(void *context, const struct tarn__record *record, bool lasts)
{
    struct replay *replay = context;
    tarn_namespace *ns = replay->ns;
    uint64_t hash = tarn__hash(record->key, ns->environment->seed);
    struct tarn__held held;
    tarn_status status = flush(replay);

    if (!status && lasts)
        status =
            tarn__tombstones_add(&replay->tombstones, record->key, hash, record->info.sequence);
    if (status)
        return status;
    status = tarn__shard_lock(ns, hash, false, NULL, &held);
    if (status)
        return status == TARN_KEY_NOT_FOUND ? TARN_OK : status;
    take_out(ns, &held, hash, record);
    tarn__shard_unlock(&held);
    return TARN_OK;
}

tarn_status tarn__namespace_replay(tarn_namespace *ns, struct tarn__replayed *replayed)
{
    struct replay replay = {.ns = ns};
    const struct tarn__replay visitor = {.context = &replay, .put = put, .remove = take_away};
    uint64_t keys, bytes, writes;
    tarn_status status;

    *replayed = (struct tarn__replayed){0};
    if (!ns->engine->replay)
        return TARN_OK;
    (void)tarn__checkpoint_read(ns);
    status = ns->engine->replay(ns->engine_state, &visitor, replayed);
    if (!status)
        status = flush(&replay);
    tarn__tombstones_release(&replay.tombstones);
    if (status)
        return status;
    tarn__namespace_count(ns, &keys, &bytes, &writes);
    atomic_store(&ns->keys, keys);
    atomic_store(&ns->bytes, bytes);
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * The same with records that come from elsewhere: fill.h
 */

/* Whether the key is in the index at all. */
static bool has_key(tarn_namespace *ns, struct tarn__held *held, uint64_t hash,
                    struct tarn_slice key)
{
    struct tarn__key_search search = {.ns = ns, .key = key};
    struct tarn__entry entry = {0};

    tarn__index_find(held->index, hash, tarn__leads_to_key, &search, &entry);
    return entry.location != 0;
}

static tarn_status fill_held(tarn_namespace *ns, struct tarn__held *held, struct tarn__write *write,
                             uint64_t hash, bool *divide)
{
    const struct replay replay = {.ns = ns};
    struct tarn__sight sight;
    tarn_status status = TARN_OK;

    if (!write->removes || has_key(ns, held, hash, write->record.key))
        status = ns->engine->restore(ns->engine_state, write, 1);
    if (status)
        return status;
    if (write->removes) {
        take_out(ns, held, hash, &write->record);
        return TARN_OK;
    }
    tarn__sight_begin(held->index, hash, &sight);
    status = enter(&replay, held, held->shard, hash, write->location, &sight);
    if (!status && tarn__index_grow(held->index, &held->shard->growth, 0))
        *divide = tarn__index_wants_groups(held->index, &held->shard->growth);
    return status;
}

tarn_status tarn__fill_again(tarn_namespace *ns, const struct tarn__record *record, bool removes)
{
    struct tarn__write write = {.record = *record, .removes = removes};
    uint64_t hash = tarn__hash(record->key, ns->environment->seed);
    struct tarn__held held;
    bool divide = false;
    tarn_status status = tarn__shard_lock(ns, hash, !removes, NULL, &held);

    if (status)
        return removes && status == TARN_KEY_NOT_FOUND ? TARN_OK : status;
    status = fill_held(ns, &held, &write, hash, &divide);
    tarn__shard_unlock(&held);
    if (divide)
        tarn__shards_divide(ns);
    return status;
}
