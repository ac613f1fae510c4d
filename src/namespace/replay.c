/*
 * Filling the index with what is in an engine's files, when a namespace is opened. Records come in
 * the order in which they were written; groups of them are entered together, so that memory serves
 * the misses of many at once.
 */
#include "base/status.h"
#include "namespace/operation.h"

#include <assert.h>

#define GROUP 64

struct arrival {
    uint64_t hash, location, sequence;
    bool removes;
};

struct replay {
    tarn_namespace *ns;
    struct arrival group[GROUP];
    size_t count;
};

/* Reads the key of a record that was found from where it lies from now on. */
static void begin_search(struct replay *replay, struct tarn__key_search *search, uint64_t location)
{
    struct tarn__record record;

    replay->ns->engine->read(replay->ns->engine_state, location, &record);
    *search = (struct tarn__key_search){.ns = replay->ns, .key = record.key};
    search->record = record;
}

static uint64_t bytes_of(const struct tarn__record *record)
{
    return record->key.length + record->value.length;
}

/* Enters one record. */
static tarn_status enter(struct replay *replay, struct tarn__held *held, struct tarn__shard *shard,
                         const struct arrival *arrival, const struct tarn__sight *sight)
{
    tarn_namespace *ns = replay->ns;
    struct tarn__entry entry = {.place = sight->place, .slot = sight->slot};
    struct tarn__key_search search;
    uint64_t bytes;
    bool new_key;
    tarn_status status = TARN_OK;

    begin_search(replay, &search, arrival->location);
    bytes = bytes_of(&search.record);
    tarn__index_find(held->index, arrival->hash, tarn__leads_to_key, &search, &entry);
    new_key = entry.location == 0;
    if (!new_key && search.record.info.sequence > arrival->sequence)
        return TARN_OK;
    if (!new_key) {
        tarn__count_writes(held->groups, shard, arrival->hash, 0, 0,
                           -(int64_t)bytes_of(&search.record));
        ns->engine->retire(ns->engine_state, &entry.location, 1, 0);
    } else {
        status = tarn__index_claim(held->index, arrival->hash, &entry);
    }
    if (status)
        return status;
    tarn__index_point(held->index, &entry, arrival->location);
    tarn__count_writes(held->groups, shard, arrival->hash, 0, new_key, (int64_t)bytes);
    return TARN_OK;
}

static tarn_status enter_group(struct replay *replay, struct tarn__held *held, bool *divide)
{
    struct tarn__sight sights[GROUP];
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < replay->count; i++)
        tarn__sight_begin(held->index, replay->group[i].hash, &sights[i]);
    for (size_t i = 0; i < replay->count && !status; i++) {
        uint64_t hash = replay->group[i].hash;
        struct tarn__shard *shard = tarn__shard_of(replay->ns, held->groups, hash);

        status = enter(replay, held, shard, &replay->group[i], &sights[i]);
        if (!status && tarn__index_grow(held->index, &shard->growth, 0))
            *divide = tarn__index_wants_groups(held->index, &shard->growth);
    }
    return status;
}

static tarn_status flush(struct replay *replay)
{
    tarn_namespace *ns = replay->ns;
    uint64_t hashes[GROUP];
    struct tarn__lock_set set;
    struct tarn__held held;
    bool divide = false;
    tarn_status status;

    if (!replay->count)
        return TARN_OK;
    for (size_t i = 0; i < replay->count; i++)
        hashes[i] = replay->group[i].hash;
    status = tarn__shards_lock_some(ns, hashes, replay->count, &held, &set);
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

    replay->group[replay->count++] =
        (struct arrival){.hash = tarn__hash(record->key, replay->ns->environment->seed),
                         .location = location,
                         .sequence = record->info.sequence};
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
    tarn__count_writes(held->groups, held->shard, hash, 0, -1, -(int64_t)bytes_of(&search.record));
    ns->engine->retire(ns->engine_state, &entry.location, 1, 0);
    tarn__index_tidy(held->index, &entry.place);
}

static tarn_status take_away(void *context, const struct tarn__record *record, uint64_t location)
{
    struct replay *replay = context;
    tarn_namespace *ns = replay->ns;
    uint64_t hash = tarn__hash(record->key, ns->environment->seed);
    struct tarn__held held;
    tarn_status status = flush(replay);

    (void)location;
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
    status = ns->engine->replay(ns->engine_state, &visitor, replayed);
    if (!status)
        status = flush(&replay);
    if (status)
        return status;
    tarn__namespace_count(ns, &keys, &bytes, &writes);
    atomic_store(&ns->keys, keys);
    atomic_store(&ns->bytes, bytes);
    return TARN_OK;
}
