/* Making, configuring, clearing and ending a namespace. */
#include "namespace/namespace.h"
#include "base/memory.h"
#include "base/status.h"
#include "format/catalog.h"
#include "namespace/checkpoint.h"
#include "namespace/cut.h"

#include <string.h>

#define SHARDS_DEFAULT 16

/* ------------------------------------------------------------------------------------------
 * Making and ending
 */

static uint64_t hash_again(void *context, uint64_t location)
{
    tarn_namespace *ns = context;
    struct tarn__record record;

    ns->engine->read(ns->engine_state, location, &record);
    return tarn__hash(record.key, ns->environment->seed);
}

static struct tarn__index *make_index(tarn_namespace *ns)
{
    struct tarn__index *index = tarn__allocate_lines(sizeof *index);

    if (index && tarn__index_init(index, &ns->environment->pages, hash_again, ns)) {
        tarn__free(index);
        index = NULL;
    }
    return index;
}

void tarn__namespace_free_index(struct tarn__index *index)
{
    if (!index)
        return;
    tarn__index_release(index);
    tarn__free(index);
}

static void set_up(tarn_namespace *ns, struct tarn_slice name,
                   const struct tarn_namespace_options *options)
{
    ns->shard_count = options->shards ? options->shards : SHARDS_DEFAULT;
    tarn__options_apply(ns, TARN__ALL_FIELDS, options);
    ns->name_length = name.length;
    memcpy(ns->name, name.data, name.length);
}

static void sync_failed(void *context, tarn_status status)
{
    tarn_namespace *ns = context;

    ns->owner->sync_failed(ns->owner_context, ns, status);
}

static void compacted(void *context, tarn_status status, uint64_t freed)
{
    tarn_namespace *ns = context;

    ns->owner->compacted(ns->owner_context, ns, status, freed);
}

static tarn_status open_engine(tarn_namespace *ns, const struct tarn__namespace_plan *plan)
{
    struct tarn__engine_home home = {.directory = plan->home.directory,
                                     .store = plan->store,
                                     .number = plan->home.number,
                                     .is_new = plan->home_is_new,
                                     .to_fill = plan->to_fill,
                                     .sync_failed = sync_failed,
                                     .compacted = compacted,
                                     .context = ns};
    struct tarn_namespace_options options;

    tarn__namespace_mover(ns, &home.mover);
    tarn__namespace_options_of(ns, &options);
    return ns->engine->open(ns->environment, plan->home.directory ? &home : NULL, &options,
                            &ns->engine_state);
}

tarn_status tarn__namespace_make(const struct tarn__namespace_plan *plan, tarn_namespace **out)
{
    static const struct tarn_namespace_options defaults = {.size = sizeof defaults};
    const struct tarn__engine *engine = NULL;
    tarn_status status = tarn__namespace_engine(plan->options, &engine);
    tarn_namespace *ns;

    if (status)
        return status;
    ns = tarn__allocate_lines(sizeof *ns);
    if (!ns)
        return TARN_NO_MEMORY;
    ns->environment = plan->environment;
    ns->engine = engine;
    ns->number = plan->number;
    set_up(ns, plan->name, plan->options ? plan->options : &defaults);
    atomic_store(&ns->references, 1);
    atomic_store(&ns->index, make_index(ns));
    status = atomic_load(&ns->index) ? tarn__shards_make(ns, ns->shard_count) : TARN_NO_MEMORY;
    if (!status)
        status = open_engine(ns, plan);
    if (status) {
        tarn__namespace_free_index(atomic_load(&ns->index));
        tarn__namespace_release(ns);
        return status;
    }
    ns->owner = plan->owner;
    ns->owner_context = plan->owner_context;
    ns->home = plan->home;
    *out = ns;
    return TARN_OK;
}

/* What was in the namespace is gone already: see tarn__namespace_end(). */
void tarn__namespace_release(tarn_namespace *ns)
{
    const struct tarn__namespace_owner *owner = ns->owner;
    void *context = ns->owner_context;

    if (atomic_fetch_sub_explicit(&ns->references, 1, memory_order_acq_rel) != 1)
        return;
    tarn__shards_free(ns);
    tarn__free(ns->autosave);
    tarn__free(ns);
    if (owner)
        owner->released(context);
}

void tarn_namespace_close(tarn_namespace *ns)
{
    if (ns && tarn__environment_is_here(ns->environment))
        tarn__namespace_release(ns);
}

tarn_status tarn__namespace_not_open(const tarn_namespace *ns)
{
    if (!tarn__environment_is_here(ns->environment))
        return tarn__outcome(TARN_FORKED);
    if (atomic_load_explicit(&ns->state, memory_order_acquire) == TARN__DROPPED)
        return tarn__fail(TARN_NAMESPACE_DROPPED, "namespace \"%.*s\" was dropped",
                          (int)ns->name_length, ns->name);
    return tarn__outcome(TARN_CLOSED);
}

bool tarn__namespace_wait_open(tarn_namespace *ns)
{
    unsigned looks = 0;
    int state;

    if (!tarn__environment_is_here(ns->environment))
        return false;

    while ((state = atomic_load_explicit(&ns->state, memory_order_acquire)) == TARN__CLOSING)
        tarn__os_pause(ns->environment->os, looks++);
    return state == TARN__OPEN;
}

void tarn__wait_for_readers(struct tarn__environment *environment)
{
    uint64_t stamp = tarn__epoch_stamp(&environment->epoch);

    unsigned looks = 0;

    while (!tarn__epoch_passed(&environment->epoch, stamp))
        if (!tarn__epoch_advance(&environment->epoch))
            tarn__os_pause(environment->os, looks++);
}

tarn_status tarn__namespace_end_prepare(tarn_namespace *ns)
{
    unsigned looks = 0;
    bool held;

    tarn__os_lock(ns->environment->os, &ns->admin); /* not in the middle of clearing */
    atomic_store(&ns->state, TARN__CLOSING);
    tarn__wait_for_readers(ns->environment); /* from now on none of them makes a pin */
    while (atomic_load(&ns->copying))
        tarn__os_pause(ns->environment->os, looks++);
    held = atomic_load(&ns->cursors) || ns->engine->has_pins(ns->engine_state);
    if (held)
        tarn__namespace_end_cancel(ns);
    tarn__lock_give(&ns->admin);
    if (!held)
        return TARN_OK;
    return tarn__fail(TARN_BUSY, "a pin or a cursor of namespace \"%.*s\" is still held",
                      (int)ns->name_length, ns->name);
}

void tarn__namespace_end_cancel(tarn_namespace *ns)
{
    atomic_store(&ns->state, TARN__OPEN);
}

tarn_status tarn__namespace_end(tarn_namespace *ns, enum tarn__namespace_state state)
{
    tarn_status status = TARN_OK;
    struct tarn__index *index;
    unsigned looks = 0;

    atomic_store(&ns->state, state);
    /* Writers that had their lock before they could see this finish first, and so does a clear;
     * those that get it later look at the state. */
    tarn__os_lock(ns->environment->os, &ns->admin);
    for (uint32_t i = 0; i < atomic_load(&ns->shards_made); i++) {
        tarn__os_lock(ns->environment->os, &tarn__shard_at(ns, i)->lock);
        tarn__lock_give(&tarn__shard_at(ns, i)->lock);
    }
    index = atomic_load(&ns->index);
    tarn__lock_give(&ns->admin);
    while (atomic_load(&ns->waiting) || atomic_load(&ns->compacting))
        tarn__os_pause(ns->environment->os, looks++);
    tarn__wait_for_readers(ns->environment);
    if (state == TARN__CLOSED && ns->engine->finish)
        status = ns->engine->finish(ns->engine_state);
    if (state == TARN__CLOSED && !status && !ns->environment->read_only)
        tarn__checkpoint_write(ns);
    atomic_store(&ns->index, NULL);
    tarn__namespace_free_index(index);
    ns->engine->close(ns->engine_state);
    ns->engine_state = NULL;
    return status;
}

/* ------------------------------------------------------------------------------------------
 * All of it at once
 */

void tarn__namespace_count(tarn_namespace *ns, uint64_t *keys, uint64_t *bytes, uint64_t *writes)
{
    int64_t sum = 0;

    *keys = *writes = 0;
    for (uint32_t i = 0; i < atomic_load(&ns->shards_made); i++) {
        const struct tarn__shard *shard = tarn__shard_at(ns, i);

        *keys += shard->growth.keys;
        *writes += shard->writes;
        sum += shard->bytes;
    }
    *bytes = (uint64_t)sum;
}

tarn_status tarn__namespace_exchange(tarn_namespace *ns, struct tarn__index *index,
                                     void *engine_state, void **detached)
{
    unsigned looks = 0;
    tarn_status status;

    while (atomic_load(&ns->waiting)) /* for what is about to go; no more of them can come */
        tarn__os_pause(ns->environment->os, looks++);
    atomic_fetch_add(&ns->environment->sequence, 1);
    atomic_fetch_add(&ns->clears, 1); /* odd: nothing is prepared now */
    status = ns->engine->replace(ns->engine_state, engine_state, detached);
    if (!status)
        atomic_store_explicit(&ns->index, index, memory_order_release);
    atomic_fetch_add(&ns->clears, 1);
    if (status)
        return status;
    for (uint32_t i = 0; i < atomic_load(&ns->shards_made); i++) {
        tarn__shard_at(ns, i)->bytes = 0;
        tarn__free(tarn__shard_at(ns, i)->retired); /* detached with all others */
        tarn__shard_at(ns, i)->retired = NULL;
    }
    tarn__shards_measure(ns);
    tarn__shard_at(ns, 0)->writes++;
    tarn__options_pass_on(ns); /* they may have changed while what comes was made */
    return TARN_OK;
}

tarn_status tarn_namespace_clear(tarn_namespace *ns)
{
    struct tarn__index *before, *empty;
    tarn_status status;
    void *detached = NULL;

    if (!ns)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");
    status = tarn__namespace_check_changeable(ns);
    if (status)
        return status;
    empty = make_index(ns);
    if (!empty)
        return TARN_NO_MEMORY;
    status = tarn__shards_lock_all(ns, true);
    if (status) {
        tarn__namespace_free_index(empty);
        return status;
    }
    before = atomic_load(&ns->index);
    status = tarn__namespace_exchange(ns, empty, NULL, &detached);
    if (status) {
        tarn__shards_unlock_all(ns);
        tarn__namespace_free_index(empty);
        return status;
    }
    atomic_store(&ns->keys, 0);
    atomic_store(&ns->bytes, 0);
    if (ns->cut && tarn__cut_take_cleared(ns->cut, before, detached))
        before = NULL; /* the cut has it now */
    tarn__shards_unlock(ns);
    tarn__wait_for_readers(ns->environment); /* under the admin lock: the namespace must not end */
    if (before) {
        tarn__namespace_free_index(before);
        ns->engine->release(ns->engine_state, detached);
    }
    tarn__lock_give(&ns->admin);
    return TARN_OK;
}

/* All locks are held. */
static void fill_stats(tarn_namespace *ns, struct tarn_stats *stats)
{
    tarn__namespace_count(ns, &stats->keys, &stats->bytes, &stats->writes);
    stats->index_bytes = tarn__index_bytes(atomic_load(&ns->index));
    stats->memory_bytes = stats->index_bytes + ns->engine->memory_bytes(ns->engine_state) +
                          sizeof *ns + sizeof(struct tarn__index) +
                          atomic_load(&ns->shards_made) * sizeof(struct tarn__shard) +
                          tarn__pointer_table_bytes(&ns->shards);
    stats->sequence = atomic_load(&ns->environment->sequence);
    stats->shards = ns->shard_count;
    stats->autosave_status = (tarn_status)atomic_load(&ns->autosave_status);
    stats->autosave_saves = atomic_load(&ns->autosave_saves);
    stats->autosave_failures = atomic_load(&ns->autosave_failures);
    tarn__namespace_options_of(ns, &stats->options);
    stats->disk_bytes = stats->log_bytes = stats->stale_bytes = 0;
    stats->segments = 0;
    if (!ns->engine->disk_stats)
        return;
    for (uint32_t i = 0; i < atomic_load(&ns->shards_made); i++)
        tarn__shard_flush(ns, tarn__shard_at(ns, i)); /* so that all that is stale is known */
    ns->engine->disk_stats(ns->engine_state, stats);
}

tarn_status tarn_namespace_stats(tarn_namespace *ns, struct tarn_stats *stats, uint64_t *shard_keys,
                                 size_t shard_capacity)
{
    tarn_status status;

    if (!ns)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");
    status = stats ? tarn__check_size(stats->size, sizeof *stats, "tarn_stats") : TARN_OK;
    if (status)
        return status;
    status = tarn__shards_lock_all(ns, true);
    if (status)
        return status;
    if (stats)
        fill_stats(ns, stats);
    for (uint32_t i = 0; shard_keys && i < shard_capacity && i < ns->shard_count; i++)
        shard_keys[i] = tarn__shard_at(ns, i)->growth.keys;
    tarn__shards_unlock_all(ns);
    return TARN_OK;
}
