/*
 * Operations on one key; see operation.h.
 *
 * A write goes in this order; until the engine has the record, any step may fail and leaves
 * everything as it was:
 *
 *     before the lock   the engine prepares the record, if its value is known
 *     under the lock    check the value's size, find, decide, make room for what is handed out,
 *                       check limits, claim a slot for a new key, engine: append, point the slot,
 *                       hand out, retire what was there, tidy, grow
 *     after it          discard what was prepared for an operation that failed
 */
#include "namespace/operation.h"
#include "base/memory.h"
#include "base/status.h"

/* ------------------------------------------------------------------------------------------
 * Deciding
 */

static tarn_status put(struct tarn__decision *decision, struct tarn_slice value)
{
    decision->action = TARN__PUT;
    decision->value = value;
    return TARN_OK;
}

static tarn_status decide_increment(int64_t delta, const struct tarn__record *present,
                                    struct tarn__decision *decision)
{
    int64_t now = 0;

    if (present) {
        if (present->info.content != TARN_CONTENT_COUNTER || present->value.length != sizeof now)
            return tarn__outcome(TARN_NOT_A_COUNTER);
        memcpy(&now, present->value.data, sizeof now);
    }
    if (__builtin_add_overflow(now, delta, &decision->sum))
        return tarn__outcome(TARN_COUNTER_OVERFLOW);
    memcpy(decision->counter, &decision->sum, sizeof decision->counter);
    decision->content = TARN_CONTENT_COUNTER;
    return put(decision, tarn_slice_of(decision->counter, sizeof decision->counter));
}

static bool slices_equal(struct tarn_slice a, struct tarn_slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

tarn_status tarn__decide(const struct tarn__operation *operation,
                         const struct tarn__record *present, struct tarn__decision *decision)
{
    bool matches;

    decision->action = TARN__KEEP;
    decision->content = TARN_CONTENT_BYTES;
    decision->sum = 0;
    decision->hands_back = present != NULL;
    switch (operation->kind) {
    case TARN__SET:
        return put(decision, operation->value);
    case TARN__INCREMENT:
        decision->hands_back = false;
        return decide_increment(operation->delta, present, decision);
    case TARN__INSERT:
        if (present)
            return tarn__outcome(TARN_KEY_EXISTS);
        return put(decision, operation->value);
    default:
        break;
    }
    if (!present)
        return tarn__outcome(TARN_KEY_NOT_FOUND);
    switch (operation->kind) {
    case TARN__GET:
        return TARN_OK;
    case TARN__DELETE:
        decision->hands_back = false;
        /* fall through */
    case TARN__CONSUME:
        decision->action = TARN__REMOVE;
        return TARN_OK;
    case TARN__REPLACE_IF:
    case TARN__REPLACE_IF_SEQUENCE:
        decision->hands_back = false;
        matches = operation->kind == TARN__REPLACE_IF
                      ? slices_equal(present->value, operation->expected)
                      : present->info.sequence == operation->sequence;
        if (!matches)
            return tarn__outcome(TARN_CONDITION_FAILED);
        return put(decision, operation->value);
    default: /* TARN__UPDATE */
        return put(decision, operation->value);
    }
}

/* ------------------------------------------------------------------------------------------
 * Handing out
 */

void tarn__result_fill(struct tarn_result *result, const struct tarn__record *present,
                       const struct tarn__decision *decision)
{
    memset(result, 0, sizeof *result);
    result->sum = decision->sum;
    if (!present)
        return;
    result->existed = true;
    result->info = present->info;
    if (decision->hands_back)
        result->value = present->value;
}

void tarn__result_copy(struct tarn_result *result, struct tarn__sink *sink)
{
    size_t length = result->value.length;

    if (!sink->buf)
        result->value.length = 0;
    else if (length)
        memcpy((char *)sink->buf->data + sink->at, result->value.data, length);
    result->value.data = (void *)(uintptr_t)sink->at;
    if (sink->buf)
        sink->at += length;
}

void tarn__result_settle(struct tarn_result *result, const struct tarn_buf *buf)
{
    size_t offset = (uintptr_t)result->value.data;

    if (result->value.length)
        result->value.data = (char *)buf->data + offset;
    else
        result->value.data = NULL;
}

/* ------------------------------------------------------------------------------------------
 * Running
 */

bool tarn__memory_is_short(tarn_status status)
{
    return status == TARN_NO_MEMORY || status == TARN_FULL;
}

/* Claims a slot for a new key and lets the engine store the record: both or neither. */
static tarn_status claim_and_append(tarn_namespace *ns, struct tarn__held *held, uint64_t hash,
                                    struct tarn__write *write, struct tarn__entry *entry)
{
    bool new_key = entry->location == 0;
    tarn_status status = new_key ? tarn__index_claim(held->index, hash, entry) : TARN_OK;

    if (status)
        return status;
    status = ns->engine->append(ns->engine_state, write, 1, &held->position);
    if (status && new_key)
        tarn__index_unclaim(held->index, hash, entry);
    return status;
}

/* Stores a record and points the key's entry to it. */
static tarn_status put_record(tarn_namespace *ns, struct tarn__held *held, uint64_t hash,
                              struct tarn__write *write, struct tarn__entry *entry,
                              uint64_t old_bytes)
{
    uint64_t bytes = tarn__record_content_bytes(&write->record);
    uint64_t more_bytes = bytes > old_bytes ? bytes - old_bytes : 0;
    bool new_key = entry->location == 0;
    tarn_status status = tarn__limits_reserve(ns, new_key, more_bytes);

    if (status)
        return status;
    status = claim_and_append(ns, held, hash, write, entry);
    if (tarn__memory_is_short(status)) {
        tarn__shard_flush(ns, held->shard);
        ns->engine->reclaim(ns->engine_state);
        status = claim_and_append(ns, held, hash, write, entry);
    }
    if (status) {
        tarn__limits_return(ns, new_key, more_bytes);
        return status;
    }
    tarn__index_point(held->index, entry, write->location);
    if (bytes < old_bytes)
        tarn__limits_return(ns, 0, old_bytes - bytes);
    tarn__count_writes(held->groups, held->shard, hash, 1, new_key, (int64_t)(bytes - old_bytes));
    return TARN_OK;
}

static tarn_status remove_record(tarn_namespace *ns, struct tarn__held *held, uint64_t hash,
                                 struct tarn__write *write, struct tarn__entry *entry,
                                 uint64_t old_bytes)
{
    tarn_status status = ns->engine->append(ns->engine_state, write, 1, &held->position);

    if (status)
        return status;
    tarn__index_point(held->index, entry, 0);
    tarn__limits_return(ns, 1, old_bytes);
    tarn__count_writes(held->groups, held->shard, hash, 1, -1, -(int64_t)old_bytes);
    return TARN_OK;
}

/* Whether what was found can be relied on: a record whose value is looked at or handed out is as it
 * was written, and none that may have been the key's is damaged. */
static tarn_status check_present(tarn_namespace *ns, const struct tarn__operation *operation,
                                 const struct tarn__key_search *search, uint64_t location,
                                 const struct tarn__sink *sink)
{
    if (__builtin_expect(!ns->engine->verify, 1))
        return TARN_OK;
    if (!location)
        return search->damaged ? TARN_CORRUPT : TARN_OK;
    if (!sink->buf && operation->kind != TARN__INCREMENT && operation->kind != TARN__REPLACE_IF)
        return TARN_OK;
    return tarn__verify(ns, location);
}

/* Everything between locking and unlocking. ahead is as it was prepared. */
static tarn_status run_locked(tarn_namespace *ns, struct tarn__held *held,
                              const struct tarn__operation *operation, uint64_t hash,
                              struct tarn__ahead *ahead, struct tarn__sink *sink,
                              struct tarn_result *result)
{
    struct tarn__key_search search = {.ns = ns, .key = operation->key, .damaged = false};
    const struct tarn__record *present;
    struct tarn__decision decision;
    struct tarn__write *write = &ahead->write;
    struct tarn__entry entry = tarn__entry_seen(&ahead->sight);
    uint64_t old_bytes = 0;
    tarn_status status = tarn__check_value_size(ns, operation->value.length);

    if (status)
        return status;
    /* Taken before it is known whether there will be a write: a locked instruction behind the
     * search would have to wait for the record. A number that is not used is not missed. */
    write->record.info.sequence =
        atomic_fetch_add_explicit(&ns->environment->sequence, 1, memory_order_relaxed) + 1;
    tarn__index_find(held->index, hash, tarn__leads_to_key, &search, &entry);
    present = entry.location ? &search.record : NULL;
    result->existed = present != NULL;
    status = check_present(ns, operation, &search, entry.location, sink);
    if (status)
        return status;
    status = tarn__decide(operation, present, &decision);
    if (!status && decision.action != TARN__KEEP && ns->environment->read_only)
        status = tarn__outcome(TARN_READ_ONLY);
    if (!status && decision.action == TARN__PUT)
        status = tarn__check_value_size(ns, decision.value.length);
    if (!status && sink->buf && decision.hands_back)
        status = tarn__buf_reserve(sink->buf, sink->at + present->value.length);
    if (status)
        return status;
    if (present)
        old_bytes = tarn__record_content_bytes(present);
    write->record.value = decision.value;
    write->record.info.content = decision.content;
    if (decision.action == TARN__PUT)
        status = put_record(ns, held, hash, write, &entry, old_bytes);
    else if (decision.action == TARN__REMOVE)
        status = remove_record(ns, held, hash, write, &entry, old_bytes);
    if (status)
        return status;
    tarn__result_fill(result, present, &decision);
    tarn__result_copy(result, sink);
    if (decision.action != TARN__KEEP && entry.location)
        tarn__shard_retire(ns, held->shard, entry.location, present->info.sequence, old_bytes);
    if (decision.action == TARN__REMOVE)
        tarn__index_tidy(held->index, &entry.place);
    return TARN_OK;
}

/* What the operation is likely to write; false where nothing can be done ahead of it. */
static bool expect_write(const struct tarn__operation *operation, struct tarn__ahead *ahead)
{
    ahead->write.record.key = operation->key;
    ahead->write.record.value = operation->value;
    ahead->write.record.info.content = TARN_CONTENT_BYTES;
    ahead->write.record.info.sequence = 0;
    ahead->write.location = 0;
    ahead->clears = 0;
    ahead->sight.place.line = NULL;
    ahead->sight.slot = NULL;
    ahead->sight.control = 1;
    ahead->write.removes = operation->kind == TARN__DELETE || operation->kind == TARN__CONSUME;
    return operation->kind != TARN__INCREMENT && operation->kind != TARN__GET;
}

static bool may_insert(const struct tarn__operation *operation)
{
    return operation->kind == TARN__SET || operation->kind == TARN__INSERT ||
           operation->kind == TARN__INCREMENT;
}

tarn_status tarn__operation_run(tarn_namespace *ns, const struct tarn__operation *operation,
                                uint64_t hash, struct tarn__sink *sink, struct tarn_result *result,
                                struct tarn__wait *wait)
{
    struct tarn__ahead ahead;
    struct tarn__held held;
    bool divide = false;
    bool expected = expect_write(operation, &ahead);
    tarn_status status =
        tarn__shard_lock(ns, hash, may_insert(operation), expected ? &ahead : NULL, &held);

    held.position = 0;
    if (!status) {
        status = run_locked(ns, &held, operation, hash, &ahead, sink, result);
        if (!status)
            tarn__wait_begin(ns, held.position, wait);
        if (!status && !result->existed && tarn__index_grow(held.index, &held.shard->growth, 0))
            divide = tarn__index_wants_groups(held.index, &held.shard->growth);
        tarn__shard_unlock(&held);
    }
    if (status && ahead.write.location)
        tarn__shard_discard(ns, &ahead);
    if (divide)
        tarn__shards_divide(ns);
    return status;
}
