/* Filling and replacing; see the header. */
#include "namespace/fill.h"
#include "base/memory.h"
#include "base/status.h"
#include "namespace/operation.h"

#include <assert.h>
#include <string.h>

#define GATHERED_BYTES ((size_t)256 * 1024)

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

tarn_status tarn__fill_end(tarn_namespace *ns)
{
    return ns->engine->filled ? ns->engine->filled(ns->engine_state) : TARN_OK;
}

void tarn__fill_publish(tarn_namespace *ns)
{
    uint64_t keys, bytes, writes;

    tarn__namespace_count(ns, &keys, &bytes, &writes);
    atomic_store(&ns->keys, keys); /* which its limits are compared with */
    atomic_store(&ns->bytes, bytes);
    tarn__options_pass_on(ns); /* its engine may work for itself from now on */
}

static tarn_status check_limits(tarn_namespace *to, uint64_t keys, uint64_t bytes)
{
    uint64_t max_keys = atomic_load(&to->max_keys);
    uint64_t max_bytes = atomic_load(&to->max_bytes);

    if (max_keys && keys > max_keys)
        return tarn__fail(
            TARN_TOO_MANY_KEYS, "%llu keys are to come, and namespace \"%.*s\" has max_keys %llu",
            (unsigned long long)keys, (int)to->name_length, to->name, (unsigned long long)max_keys);
    if (max_bytes && bytes > max_bytes)
        return tarn__fail(TARN_FULL,
                          "%llu bytes are to come, and namespace \"%.*s\" has max_bytes %llu",
                          (unsigned long long)bytes, (int)to->name_length, to->name,
                          (unsigned long long)max_bytes);
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * From a cut
 */

/* Records that were copied from a cut and are to be added together. */
struct gathering {
    tarn_namespace *to;
    bool files; /* alone */
    struct tarn__record records[TARN__FILL_RECORDS_MAX];
    size_t count;
    uint8_t *bytes; /* of the records' keys and values */
    size_t used;
};

static bool gather(void *context, const struct tarn__record *record)
{
    struct gathering *gathering = context;
    uint8_t *key = gathering->bytes + gathering->used;
    uint8_t *value = key + record->key.length;
    struct tarn__record *copy;

    if (gathering->count == TARN__FILL_RECORDS_MAX ||
        record->key.length + record->value.length > GATHERED_BYTES - gathering->used)
        return false;
    memcpy(key, record->key.data, record->key.length);
    if (record->value.length)
        memcpy(value, record->value.data, record->value.length);
    copy = &gathering->records[gathering->count++];
    *copy = *record;
    copy->key.data = key;
    copy->value.data = value;
    gathering->used += record->key.length + record->value.length;
    return true;
}

static tarn_status restore(tarn_namespace *to, const struct tarn__record *records, size_t count)
{
    struct tarn__write writes[TARN__FILL_RECORDS_MAX];

    for (size_t i = 0; i < count; i++)
        writes[i] = (struct tarn__write){.record = records[i]};
    return to->engine->restore(to->engine_state, writes, count);
}

static tarn_status pass_on(struct gathering *gathering, const struct tarn__record *records,
                           size_t count)
{
    tarn_status status = TARN_OK;

    if (!count)
        return TARN_OK;
    if (gathering->files)
        return restore(gathering->to, records, count);
    for (size_t i = 0; i < count && !status; i++)
        status = tarn__check_value_size(gathering->to, records[i].value.length);
    return status ? status : tarn__fill(gathering->to, records, count);
}

static tarn_status pass_on_gathered(void *context)
{
    struct gathering *gathering = context;
    size_t count = gathering->count;

    gathering->count = 0;
    gathering->used = 0;
    return pass_on(gathering, gathering->records, count);
}

static tarn_status pass_on_large(void *context, const struct tarn__record *record)
{
    tarn_status status = pass_on_gathered(context);

    return status ? status : pass_on(context, record, 1);
}

static tarn_status fill_from(struct gathering *gathering, struct tarn__cut *cut,
                             struct tarn__cut_progress *progress)
{
    const struct tarn__cut_sink sink = {
        .context = gathering, .add = gather, .flush = pass_on_gathered, .add_large = pass_on_large};
    tarn_status status;

    gathering->bytes = tarn__allocate(GATHERED_BYTES);
    if (!gathering->bytes)
        return TARN_NO_MEMORY;
    status = tarn__cut_read(cut, &sink, progress);
    tarn__free(gathering->bytes);
    return status;
}

tarn_status tarn__fill_from_cut(tarn_namespace *to, struct tarn__cut *cut)
{
    struct gathering gathering = {.to = to};
    tarn_status status = check_limits(to, cut->keys, cut->bytes);

    return status ? status : fill_from(&gathering, cut, NULL);
}

tarn_status tarn__fill_files(tarn_namespace *to, struct tarn__cut *cut,
                             struct tarn__cut_progress *progress)
{
    struct gathering gathering = {.to = to, .files = true};

    return fill_from(&gathering, cut, progress);
}

/* ------------------------------------------------------------------------------------------
 * Replacing
 */

static tarn_status check_replacement(const struct tarn__replacement *replacement, uint64_t keys,
                                     uint64_t bytes)
{
    tarn_status status = check_limits(replacement->to, keys, bytes);

    return status ? status : tarn__check_value_size(replacement->to, replacement->largest_value);
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
        status = check_replacement(replacement, keys, bytes);
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
