/*
 * All-or-nothing batches: everything is worked out before anything is changed.
 *
 *     lock the shards of all keys
 *     find:     one target for each different key, with the record that is there
 *     evaluate: run the operations on the targets in order, in this plan only; set limits aside
 *     reserve:  grow, claim slots for new keys, let the engine append the records
 *     apply:    mark all buckets, point all slots, unmark: from here on nothing can fail
 *
 * Readers that meet a marked bucket wait, so they see all of the batch or nothing of it. They wait
 * for a few stores a key, of lines that have just been looked at.
 */
#include "base/memory.h"
#include "base/status.h"
#include "namespace/batch.h"

#define GROUP          32 /* keys that are looked up together */
#define GROW_FIRST_MIN 64 /* new keys from which on growing before is better than after */

/* One key of the batch: what is there, and what the operations so far have made of it. */
struct target {
    uint64_t hash;
    struct tarn__shard *shard;
    struct tarn__entry entry;
    struct tarn__record old; /* where entry.location is not 0 */
    struct tarn__record now;
    bool present;
    uint32_t changes;
};

struct plan {
    tarn_namespace *ns;
    const tarn_batch *batch;
    struct tarn__held held;
    struct tarn__lock_set set;
    uint64_t sequence;

    void *memory; /* all arrays */
    uint64_t *hashes;
    struct target *targets;
    struct tarn__write *writes;
    uint32_t *target_of;         /* of each operation */
    uint32_t *table, table_mask; /* from hash to target + 1 */
    int64_t *counters;           /* what each operation made of a counter */
    size_t target_count, write_count, claimed;
    tarn_status damage; /* of a record that may be one of these keys', or is looked at */
    bool claims;        /* slots were claimed in the course of this plan */

    /* Set aside in the namespace's limits, and of that what removals have made free again. */
    uint64_t keys_reserved, bytes_reserved, keys_credit, bytes_credit;
};

static tarn_status allocate(struct plan *plan)
{
    size_t count = plan->batch->count;
    size_t table_size = 4;
    char *at;

    while (table_size < 2 * count)
        table_size *= 2;
    at = tarn__allocate(count * (2 * sizeof(uint64_t) + sizeof(struct target) +
                                 sizeof(struct tarn__write) + sizeof(uint32_t)) +
                        table_size * sizeof(uint32_t));
    if (!at)
        return TARN_NO_MEMORY;
    plan->memory = at;
    plan->hashes = (void *)at;
    plan->counters = (void *)(plan->hashes + count);
    plan->targets = (void *)(plan->counters + count);
    plan->writes = (void *)(plan->targets + count);
    plan->target_of = (void *)(plan->writes + count);
    plan->table = plan->target_of + count;
    plan->table_mask = (uint32_t)table_size - 1;
    memset(plan->table, 0, table_size * sizeof(uint32_t));
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Find
 */

static struct target *target_for(struct plan *plan, uint64_t hash, struct tarn_slice key)
{
    struct target *target;

    for (uint32_t at = (uint32_t)hash;; at++) {
        uint32_t *entry = &plan->table[at & plan->table_mask];

        if (!*entry) {
            target = &plan->targets[plan->target_count++];
            *entry = (uint32_t)plan->target_count;
            target->hash = hash;
            target->shard = tarn__shard_of(plan->ns, plan->held.groups, hash);
            target->now.key = key;
            target->changes = 0;
            return target;
        }
        target = &plan->targets[*entry - 1];
        if (target->hash == hash && tarn__keys_equal(target->now.key, key))
            return target;
    }
}

/* Looks up some targets at once, so that memory serves their misses together. */
static void find_targets(struct plan *plan, struct target *targets, size_t count)
{
    struct tarn__index *index = plan->held.index;
    struct tarn__sight sights[GROUP];

    for (size_t i = 0; i < count; i++)
        tarn__sight_begin(index, targets[i].hash, &sights[i]);
    for (size_t i = 0; i < count; i++)
        tarn__look_ahead(plan->ns, index, targets[i].hash, &sights[i]);
    for (size_t i = 0; i < count; i++)
        tarn__look_ahead(plan->ns, index, targets[i].hash, &sights[i]); /* in the second line */
    for (size_t i = 0; i < count; i++) {
        struct tarn__key_search search;

        search.ns = plan->ns;
        search.key = targets[i].now.key;
        search.damaged = false;
        targets[i].entry = tarn__entry_seen(&sights[i]);
        tarn__index_find(index, targets[i].hash, tarn__leads_to_key, &search, &targets[i].entry);
        targets[i].old = search.record;
        if (!targets[i].entry.location && search.damaged)
            plan->damage = TARN_CORRUPT;
        else if (targets[i].entry.location && !plan->damage)
            plan->damage = tarn__verify(plan->ns, targets[i].entry.location);
    }
}

static void find(struct plan *plan)
{
    const struct tarn__operation *operations = plan->batch->operations;

    for (size_t i = 0; i < plan->batch->count; i++) {
        struct target *target = target_for(plan, plan->hashes[i], operations[i].key);

        plan->target_of[i] = (uint32_t)(target - plan->targets);
    }
    for (size_t i = 0; i < plan->target_count; i += GROUP)
        find_targets(plan, plan->targets + i,
                     plan->target_count - i < GROUP ? plan->target_count - i : GROUP);
    for (size_t i = 0; i < plan->target_count; i++) {
        struct target *target = &plan->targets[i];

        target->present = target->entry.location != 0;
        if (target->present)
            target->now = target->old;
    }
}

/* ------------------------------------------------------------------------------------------
 * Evaluate
 */

/* Takes keys and bytes from what removals gave back, the rest from the namespace's limits. */
static tarn_status reserve(struct plan *plan, uint64_t keys, uint64_t bytes)
{
    uint64_t keys_more = keys > plan->keys_credit ? keys - plan->keys_credit : 0;
    uint64_t bytes_more = bytes > plan->bytes_credit ? bytes - plan->bytes_credit : 0;
    tarn_status status = tarn__limits_reserve(plan->ns, keys_more, bytes_more);

    if (status)
        return status;
    plan->keys_credit -= keys - keys_more;
    plan->bytes_credit -= bytes - bytes_more;
    plan->keys_reserved += keys_more;
    plan->bytes_reserved += bytes_more;
    return TARN_OK;
}

static tarn_status put(struct plan *plan, struct target *target,
                       const struct tarn__decision *decision, int64_t *counter)
{
    uint64_t old_bytes = target->present ? tarn__record_content_bytes(&target->now) : 0;
    uint64_t bytes = target->now.key.length + decision->value.length;
    tarn_status status = tarn__check_value_size(plan->ns, decision->value.length);

    if (!status)
        status = reserve(plan, !target->present, bytes > old_bytes ? bytes - old_bytes : 0);
    if (status)
        return status;
    if (bytes < old_bytes)
        plan->bytes_credit += old_bytes - bytes;
    target->now.value = decision->value;
    if (decision->content == TARN_CONTENT_COUNTER) {
        memcpy(counter, decision->counter, sizeof *counter);
        target->now.value.data = counter;
    }
    target->now.info.content = decision->content;
    target->now.info.sequence = plan->sequence;
    target->present = true;
    target->changes++;
    return TARN_OK;
}

static void take_away(struct plan *plan, struct target *target)
{
    plan->keys_credit++;
    plan->bytes_credit += tarn__record_content_bytes(&target->now);
    target->present = false;
    target->changes++;
}

/* Runs the operations in this plan. The results' values point to records, the batch or the plan. */
static tarn_status evaluate(struct plan *plan, struct tarn_result *results, size_t *failed)
{
    for (size_t i = 0; i < plan->batch->count; i++) {
        struct target *target = &plan->targets[plan->target_of[i]];
        const struct tarn__record *present = target->present ? &target->now : NULL;
        struct tarn__decision decision;
        tarn_status status =
            tarn__check_value_size(plan->ns, plan->batch->operations[i].value.length);

        if (!status)
            status = tarn__decide(&plan->batch->operations[i], present, &decision);
        if (!status && decision.action != TARN__KEEP && plan->ns->environment->read_only)
            status = tarn__outcome(TARN_READ_ONLY);
        if (!status && results)
            tarn__result_fill(&results[i], present, &decision);
        if (!status && decision.action == TARN__PUT)
            status = put(plan, target, &decision, &plan->counters[i]);
        if (status) {
            if (results)
                results[i] = (struct tarn_result){.existed = present != NULL};
            *failed = i;
            return status;
        }
        if (decision.action == TARN__REMOVE)
            take_away(plan, target);
    }
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Reserve
 */

static bool is_new(const struct target *target)
{
    return target->present && target->entry.location == 0;
}

/* What a target means for the engine: nothing, where a key came and went within the batch. */
static bool is_written(const struct target *target)
{
    return target->changes && (target->present || target->entry.location);
}

/* Grows for all that is to come, where it is much: claims would make long chains. */
static void grow_first(struct plan *plan)
{
    struct tarn__index *index = plan->held.index;
    bool grown = false;
    size_t new_keys = 0;

    for (size_t i = 0; i < plan->target_count; i++)
        new_keys += is_new(&plan->targets[i]);
    if (new_keys < GROW_FIRST_MIN)
        return;
    for (size_t i = 0; i < plan->target_count; i++)
        if (is_new(&plan->targets[i]))
            plan->targets[i].shard->coming++;
    for (size_t i = 0; i < plan->target_count; i++) {
        struct tarn__shard *shard = plan->targets[i].shard;

        while (tarn__index_grow(index, &shard->growth, shard->coming))
            grown = true;
        shard->coming = 0;
    }
    if (grown)
        for (size_t i = 0; i < plan->target_count; i += GROUP)
            find_targets(plan, plan->targets + i,
                         plan->target_count - i < GROUP ? plan->target_count - i : GROUP);
}

static tarn_status make_room(const struct plan *plan, const struct tarn_result *results,
                             struct tarn__sink *sink)
{
    size_t bytes = 0;

    if (!sink->buf)
        return TARN_OK;
    for (size_t i = 0; i < plan->batch->count; i++)
        bytes += results[i].value.length;
    return tarn__buf_reserve(sink->buf, bytes);
}

static void unclaim(struct plan *plan)
{
    for (size_t i = 0; i < plan->claimed; i++)
        if (is_new(&plan->targets[i]))
            tarn__index_unclaim(plan->held.index, plan->targets[i].hash, &plan->targets[i].entry);
}

static tarn_status claim_and_append(struct plan *plan)
{
    tarn_namespace *ns = plan->ns;
    tarn_status status = TARN_OK;

    plan->write_count = plan->claimed = 0;
    for (size_t i = 0; i < plan->target_count && !status; i++) {
        struct target *target = &plan->targets[i];
        struct tarn__write *write = &plan->writes[plan->write_count];

        if (is_new(target)) {
            status = tarn__index_claim(plan->held.index, target->hash, &target->entry);
            plan->claims = true;
        }
        plan->claimed += status == TARN_OK;
        if (!is_written(target))
            continue;
        write->record = target->now;
        write->record.info.sequence = plan->sequence;
        write->removes = !target->present;
        write->location = 0;
        plan->write_count++;
    }
    if (!status && plan->write_count)
        status = ns->engine->append(ns->engine_state, plan->writes, plan->write_count,
                                    &plan->held.position);
    if (status)
        unclaim(plan);
    return status;
}

/* Makes the memory usable that the shards of the batch have given up. */
static void reclaim(struct plan *plan)
{
    for (size_t i = 0; i < plan->target_count; i++)
        tarn__shard_flush(plan->ns, plan->targets[i].shard);
    plan->ns->engine->reclaim(plan->ns->engine_state);
}

/* ------------------------------------------------------------------------------------------
 * Apply
 */

static void point_all(struct plan *plan)
{
    const struct tarn__write *write = plan->writes;
    bool several = plan->write_count > 1;

    for (size_t i = 0; several && i < plan->target_count; i++)
        if (is_written(&plan->targets[i]))
            tarn__index_begin_batch(&plan->targets[i].entry);
    for (size_t i = 0; i < plan->target_count; i++) {
        struct target *target = &plan->targets[i];

        if (!is_written(target))
            continue;
        if (plan->claims) /* which may have moved it */
            tarn__index_find_again(plan->held.index, target->hash, &target->entry);
        tarn__index_point(plan->held.index, &target->entry, write->location);
        write++;
    }
    for (size_t i = 0; several && i < plan->target_count; i++)
        if (is_written(&plan->targets[i]))
            tarn__index_end_batch(&plan->targets[i].entry);
}

static void account(struct plan *plan)
{
    for (size_t i = 0; i < plan->target_count; i++) {
        struct target *target = &plan->targets[i];
        int keys = target->present - (target->entry.location != 0);
        int64_t bytes = 0;

        if (!target->changes)
            continue;
        if (target->entry.location)
            bytes -= (int64_t)tarn__record_content_bytes(&target->old);
        if (target->present)
            bytes += (int64_t)tarn__record_content_bytes(&target->now);
        tarn__count_writes(plan->held.groups, target->shard, target->hash, target->changes, keys,
                           bytes);
    }
    tarn__limits_return(plan->ns, plan->keys_credit, plan->bytes_credit);
}

static void clean_up(struct plan *plan)
{
    tarn_namespace *ns = plan->ns;

    for (size_t i = 0; i < plan->target_count; i++) {
        struct target *target = &plan->targets[i];

        if (target->changes && target->entry.location) {
            tarn__shard_retire(ns, target->shard, target->entry.location, target->old.info.sequence,
                               tarn__record_content_bytes(&target->old));
            if (!target->present)
                tarn__index_tidy(plan->held.index, &target->entry.place);
        }
    }
}

/* Returns whether the groups want dividing. */
static bool grow_after(struct plan *plan)
{
    bool divide = false;

    for (size_t i = 0; i < plan->target_count; i++) {
        struct tarn__shard *shard = plan->targets[i].shard;

        if (is_new(&plan->targets[i]) && tarn__index_grow(plan->held.index, &shard->growth, 0))
            divide = tarn__index_wants_groups(plan->held.index, &shard->growth);
    }
    return divide;
}

/* An engine with an order of its own has given the batch another sequence. */
static void tell_sequence(const struct plan *plan, struct tarn_result *results)
{
    for (size_t i = 0; i < plan->batch->count; i++)
        if (results[i].info.sequence == plan->sequence)
            results[i].info.sequence = plan->writes[0].record.info.sequence;
}

/* Everything between locking and unlocking. */
static tarn_status run_locked(struct plan *plan, struct tarn_result *results,
                              struct tarn__sink *sink, size_t *failed, bool *divide)
{
    _Atomic uint64_t *sequence = &plan->ns->environment->sequence;
    tarn_status status;

    plan->held.position = 0;
    find(plan);
    if (plan->damage)
        return plan->damage;
    plan->sequence = atomic_fetch_add_explicit(sequence, 1, memory_order_relaxed) + 1;
    status = evaluate(plan, results, failed);
    if (!status)
        status = make_room(plan, results, sink);
    if (!status) {
        grow_first(plan);
        status = claim_and_append(plan);
        if (tarn__memory_is_short(status)) {
            reclaim(plan);
            status = claim_and_append(plan);
        }
    }
    if (status) {
        tarn__limits_return(plan->ns, plan->keys_reserved, plan->bytes_reserved);
        return status;
    }
    if (plan->write_count && results)
        tell_sequence(plan, results);
    point_all(plan);
    account(plan);
    for (size_t i = 0; results && i < plan->batch->count; i++)
        tarn__result_copy(&results[i], sink);
    clean_up(plan);
    *divide = grow_after(plan);
    return TARN_OK;
}

tarn_status tarn__plan_commit(tarn_namespace *ns, const tarn_batch *batch,
                              struct tarn_result *results, struct tarn__sink *sink, size_t *failed,
                              struct tarn__wait *wait)
{
    struct plan plan = {.ns = ns, .batch = batch};
    bool divide = false;
    tarn_status status = allocate(&plan);

    *failed = batch->count;
    if (status)
        return status;
    for (size_t i = 0; i < batch->count; i++)
        plan.hashes[i] = tarn__hash(batch->operations[i].key, ns->environment->seed);
    status = tarn__shards_lock_some(ns, plan.hashes, batch->count, &plan.held, &plan.set);
    if (!status) {
        status = run_locked(&plan, results, sink, failed, &divide);
        if (!status)
            tarn__wait_begin(ns, plan.held.position, wait);
        tarn__shards_unlock_some(ns, &plan.set);
    }
    tarn__free(plan.memory);
    if (divide)
        tarn__shards_divide(ns);
    return status;
}
