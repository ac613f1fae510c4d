/* Filling and replacing; see the header. */
#include "namespace/fill.h"
#include "base/memory.h"
#include "base/status.h"
#include "namespace/operation.h"

#include <assert.h>

/* ------------------------------------------------------------------------------------------
 * Filling
 */

/* Points a key's entry to its record. */
static tarn_status add(tarn_namespace *ns, struct tarn__held *held, const struct tarn__write *write,
                       uint64_t hash, const struct tarn__sight *sight)
{
    struct tarn__key_search search = {.ns = ns, .key = write->record.key};
    struct tarn__entry entry = {.place = sight->place, .slot = sight->slot};
    tarn_status status;

    tarn__index_find(held->index, hash, tarn__leads_to_key, &search, &entry);
    if (entry.location)
        return tarn__outcome(TARN_KEY_EXISTS);
    status = tarn__index_claim(held->index, hash, &entry);
    if (status)
        return status;
    tarn__index_point(held->index, &entry, write->location);
    tarn__count_writes(held->groups, tarn__shard_of(ns, held->groups, hash), hash, 0, 1,
                       (int64_t)tarn__record_content_bytes(&write->record));
    return TARN_OK;
}

static tarn_status fill_locked(tarn_namespace *ns, struct tarn__held *held,
                               struct tarn__write *writes, const uint64_t *hashes, size_t count,
                               bool *divide)
{
    struct tarn__sight sights[TARN__FILL_RECORDS_MAX];
    tarn_status status;

    for (size_t i = 0; i < count; i++)
        tarn__sight_begin(held->index, hashes[i], &sights[i]);
    status = ns->engine->restore(ns->engine_state, writes, count);
    for (size_t i = 0; i < count && !status; i++) {
        struct tarn__shard *shard = tarn__shard_of(ns, held->groups, hashes[i]);

        status = add(ns, held, &writes[i], hashes[i], &sights[i]);
        if (!status && tarn__index_grow(held->index, &shard->growth, 0))
            *divide = tarn__index_wants_groups(held->index, &shard->growth);
    }
    return status;
}

tarn_status tarn__fill(tarn_namespace *ns, const struct tarn__record *records, size_t count)
{
    struct tarn__write writes[TARN__FILL_RECORDS_MAX];
    uint64_t hashes[TARN__FILL_RECORDS_MAX];
    struct tarn__lock_set set;
    struct tarn__held held;
    bool divide = false;
    tarn_status status;

    assert(count > 0 && count <= TARN__FILL_RECORDS_MAX);
    for (size_t i = 0; i < count; i++) {
        writes[i] = (struct tarn__write){.record = records[i]};
        hashes[i] = tarn__hash(records[i].key, ns->environment->seed);
    }
    status = tarn__shards_lock_some(ns, hashes, count, &held, &set);
    if (status)
        return status;
    status = fill_locked(ns, &held, writes, hashes, count, &divide);
    tarn__shards_unlock_some(ns, &set);
    if (divide)
        tarn__shards_divide(ns);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Replacing
 */

static tarn_status check_limits(const struct tarn__replacement *replacement, uint64_t keys,
                                uint64_t bytes)
{
    tarn_namespace *to = replacement->to;
    uint64_t max_keys = atomic_load(&to->max_keys);
    uint64_t max_bytes = atomic_load(&to->max_bytes);

    if (max_keys && keys > max_keys)
        return tarn__fail(TARN_TOO_MANY_KEYS,
                          "the snapshot has %llu keys, and namespace \"%.*s\" has max_keys %llu",
                          (unsigned long long)keys, (int)to->name_length, to->name,
                          (unsigned long long)max_keys);
    if (max_bytes && bytes > max_bytes)
        return tarn__fail(TARN_FULL,
                          "the snapshot has %llu bytes, and namespace \"%.*s\" has max_bytes %llu",
                          (unsigned long long)bytes, (int)to->name_length, to->name,
                          (unsigned long long)max_bytes);
    return tarn__check_value_size(to, replacement->largest_value);
}

tarn_status tarn__replace_begin(struct tarn__replacement *replacement)
{
    uint64_t keys, bytes, writes;
    uint32_t shards;
    tarn_status status = tarn__shards_lock_all(replacement->to, true);

    if (status)
        return status;
    tarn__namespace_count(replacement->from, &keys, &bytes, &writes);
    if (!replacement->beyond_limits)
        status = check_limits(replacement, keys, bytes);
    shards = atomic_load(&replacement->to->shard_count);
    if (!status && shards != atomic_load(&replacement->from->shard_count))
        status = tarn__shards_assign(replacement->from, shards);
    if (status)
        tarn__shards_unlock_all(replacement->to);
    return status;
}

void tarn__replace_cancel(struct tarn__replacement *replacement)
{
    tarn__shards_unlock_all(replacement->to);
}

void tarn__replace(struct tarn__replacement *replacement)
{
    tarn_namespace *to = replacement->to, *from = replacement->from;
    struct tarn__index *index = atomic_load(&from->index);
    uint64_t keys, bytes, writes;

    tarn__namespace_count(from, &keys, &bytes, &writes);
    atomic_store(&from->index, NULL);
    index->rehash_context = to;
    replacement->before = atomic_load(&to->index);
    (void)tarn__namespace_exchange(to, index, from->engine_state, /* which cannot fail */
                                   &replacement->detached);
    tarn__shard_at(to, 0)->bytes = (int64_t)bytes;
    atomic_store(&to->keys, keys);
    atomic_store(&to->bytes, bytes);
    tarn__shards_unlock(to);
}

void tarn__replace_end(struct tarn__replacement *replacement)
{
    tarn_namespace *to = replacement->to;

    tarn__wait_for_readers(to->environment); /* under the admin lock: it must not end */
    tarn__namespace_free_index(replacement->before);
    to->engine->release(to->engine_state, replacement->detached);
    tarn__lock_give(&to->admin);
}
