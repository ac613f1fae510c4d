/*
 * Shards: the locks of writers, and how groups of the index are assigned to them.
 *
 * Which lock a hash belongs to can change while a writer waits for it. So a lock counts only if,
 * once it is held, the index and its groups are still those in which it was looked up: whoever
 * changes these holds all locks.
 */
#include "base/memory.h"
#include "base/status.h"
#include "namespace/cut.h"

#include <string.h>

#define PREPARE_BYTES_MAX ((size_t)64 * 1024)

/* ------------------------------------------------------------------------------------------
 * Making
 */

tarn_status tarn__shards_make(tarn_namespace *ns, uint32_t count)
{
    uint32_t made = atomic_load(&ns->shards_made);

    for (; made < count; made++) {
        struct tarn__shard *shard = tarn__allocate_lines(sizeof *shard);

        if (!shard)
            return TARN_NO_MEMORY;
        tarn__growth_reset(&shard->growth);
        if (tarn__pointer_table_set(&ns->shards, made, shard)) {
            tarn__free(shard);
            return TARN_NO_MEMORY;
        }
        atomic_store(&ns->shards_made, made + 1);
    }
    return TARN_OK;
}

void tarn__shards_free(tarn_namespace *ns)
{
    for (uint32_t i = 0; i < atomic_load(&ns->shards_made); i++) {
        tarn__free(tarn__shard_at(ns, i)->retired);
        tarn__free(tarn__shard_at(ns, i));
    }
    atomic_store(&ns->shards_made, 0);
    tarn__pointer_table_release(&ns->shards);
}

/* ------------------------------------------------------------------------------------------
 * Locking
 */

/* A lock that is not to be had at once is waited for until a deadline, which begins to run at the
 * first one of a call. */
struct deadline {
    bool set;
    uint64_t at;
};

static __attribute__((noinline)) tarn_status wait_for_lock(tarn_namespace *ns,
                                                           struct tarn__lock *lock,
                                                           struct deadline *deadline)
{
    uint32_t timeout_ms = atomic_load_explicit(&ns->lock_timeout_ms, memory_order_relaxed);
    const struct tarn__os *os = ns->environment->os;

    if (!deadline->set) {
        deadline->at = os->monotonic_ns(os) + (uint64_t)timeout_ms * 1000000;
        deadline->set = true;
    }
    for (unsigned looks = 0; !tarn__lock_try(lock); looks++) {
        if ((looks % 64 == 63 || looks >= TARN__PAUSES_WITHOUT_SLEEP) &&
            os->monotonic_ns(os) >= deadline->at)
            return tarn__fail(TARN_LOCK_TIMEOUT,
                              "a lock of namespace \"%.*s\" was not had within %u ms: try again",
                              (int)ns->name_length, ns->name, timeout_ms);
        tarn__os_pause(os, looks);
    }
    return TARN_OK;
}

static inline tarn_status lock_until(tarn_namespace *ns, struct tarn__lock *lock,
                                     struct deadline *deadline)
{
    return __builtin_expect(tarn__lock_try(lock), 1) ? TARN_OK : wait_for_lock(ns, lock, deadline);
}

void tarn__shards_measure(tarn_namespace *ns)
{
    struct tarn__index *index = atomic_load_explicit(&ns->index, memory_order_relaxed);
    struct tarn__groups *groups = atomic_load_explicit(&index->groups, memory_order_relaxed);

    for (uint32_t i = 0; i < atomic_load(&ns->shards_made); i++)
        tarn__growth_reset(&tarn__shard_at(ns, i)->growth);
    for (uint32_t group = 0; groups && group < 1u << groups->bits; group++)
        tarn__growth_add_group(&tarn__shard_at(ns, groups->shard[group])->growth, groups, group);
}

/* Puts groups into force; returns those before. All locks are held. */
static struct tarn__groups *put_into_force(tarn_namespace *ns, struct tarn__groups *groups)
{
    struct tarn__index *index = atomic_load_explicit(&ns->index, memory_order_relaxed);
    struct tarn__groups *before = tarn__index_publish(index, groups);

    tarn__shards_measure(ns);
    return before;
}

/* The first key needs groups and their first buckets. */
static tarn_status begin_index(tarn_namespace *ns)
{
    tarn_status status = tarn__shards_lock_all(ns, true);
    struct tarn__index *index;
    struct tarn__groups *groups;

    if (status)
        return status;
    index = atomic_load_explicit(&ns->index, memory_order_relaxed);
    if (!atomic_load_explicit(&index->groups, memory_order_relaxed)) {
        groups = tarn__groups_create(tarn__groups_bits_for(ns->shard_count), ns->shard_count);
        status = groups ? tarn__lines_reserve(&index->buckets, UINT64_C(1) << groups->bits)
                        : TARN_NO_MEMORY;
        if (status) {
            tarn__groups_free(groups);
        } else {
            (void)put_into_force(ns, groups); /* there were none before */
        }
    }
    tarn__shards_unlock_all(ns);
    return status;
}

/*
 * The shard that a hash belongs to now, or NULL where the index has no groups yet. Inside a section
 * or under any lock of a shard.
 */
static struct tarn__shard *shard_now(tarn_namespace *ns, uint64_t hash, struct tarn__held *held)
{
    held->index = atomic_load_explicit(&ns->index, memory_order_acquire);
    held->groups = atomic_load_explicit(&held->index->groups, memory_order_acquire);
    return held->groups ? tarn__shard_of(ns, held->groups, hash) : NULL;
}

/* Large values are left to append: a section is to be short. */
static bool may_prepare(tarn_namespace *ns, const struct tarn__ahead *ahead)
{
    size_t length = ahead->write.record.value.length;

    return ns->engine->prepare && !ahead->write.removes && !ahead->write.location &&
           ahead->clears % 2 == 0 && length <= PREPARE_BYTES_MAX &&
           length <= atomic_load_explicit(&ns->max_value_size, memory_order_relaxed);
}

/* A write costs two trips to memory, to the bucket and to the record that is there. The first one
 * is begun here, then the new record is made, then the second one is begun. clears was read before
 * the index: if it is still the same under the lock, so is the index. Inside. */
static void work_ahead(tarn_namespace *ns, struct tarn__index *index, uint64_t hash,
                       uint32_t clears, struct tarn__ahead *ahead)
{
    tarn__sight_begin(index, hash, &ahead->sight);
    if (!ahead->sight.line)
        return;
    if (clears != ahead->clears)
        ahead->write.location = 0; /* prepared in an earlier round, and gone with a clear since */
    ahead->clears = clears;
    if (may_prepare(ns, ahead)) {
        ns->engine->prepare(ns->engine_state, &ahead->write);
        if (ahead->write.location &&
            atomic_load_explicit(&ns->clears, memory_order_acquire) != ahead->clears) {
            /* before or after the clear, nobody can tell: it must not be used, nor stay */
            ns->engine->discard(ns->engine_state, ahead->write.location);
            ahead->write.location = 0;
        }
    }
    tarn__look_ahead(ns, index, hash, &ahead->sight);
}

void tarn__shard_discard(tarn_namespace *ns, const struct tarn__ahead *ahead)
{
    struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);

    /* Inside, so that a clear or an end that begins now does not finish before this. */
    if (ahead->write.location && tarn__namespace_usable(ns) &&
        atomic_load_explicit(&ns->clears, memory_order_acquire) == ahead->clears)
        ns->engine->discard(ns->engine_state, ahead->write.location);
    tarn__epoch_leave(section);
}

tarn_status tarn__shard_lock(tarn_namespace *ns, uint64_t hash, bool may_insert,
                             struct tarn__ahead *ahead, struct tarn__held *held)
{
    struct deadline deadline = {0};

    for (;;) {
        struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
        bool usable = tarn__namespace_usable(ns);
        uint32_t clears = atomic_load_explicit(&ns->clears, memory_order_acquire);
        struct tarn__shard *shard = usable ? shard_now(ns, hash, held) : NULL;
        tarn_status status;

        if (shard && ahead)
            work_ahead(ns, held->index, hash, clears, ahead);
        tarn__epoch_leave(section);
        if (!usable)
            return tarn__namespace_not_open(ns);
        if (!shard && !may_insert)
            return tarn__outcome(TARN_KEY_NOT_FOUND); /* there is no key, and no memory is needed */
        status = shard ? lock_until(ns, &shard->lock, &deadline) : begin_index(ns);
        if (status)
            return status;
        if (!shard)
            continue;
        if (tarn__namespace_usable(ns) && shard_now(ns, hash, held) == shard) {
            held->shard = shard;
            if (ahead && atomic_load_explicit(&ns->clears, memory_order_relaxed) != ahead->clears) {
                ahead->write.location = 0;
                ahead->sight.place.line = NULL;
            }
            return TARN_OK;
        }
        tarn__lock_give(&shard->lock);
    }
}

void tarn__shard_unlock(struct tarn__held *held)
{
    tarn__lock_give(&held->shard->lock);
}

/* The shards of many hashes; false where the index has no groups yet. Inside or under a lock. */
static bool shards_now(tarn_namespace *ns, const uint64_t *hashes, size_t count,
                       struct tarn__held *held, struct tarn__lock_set *set)
{
    memset(set, 0, sizeof *set);
    (void)shard_now(ns, hashes[0], held); /* for held */
    for (size_t i = 0; held->groups && i < count; i++) {
        uint32_t number = held->groups->shard[tarn__group_of(held->groups, hashes[i])];

        set->bits[number / 64] |= UINT64_C(1) << (number % 64);
    }
    return held->groups != NULL;
}

void tarn__shards_unlock_some(tarn_namespace *ns, struct tarn__lock_set *set)
{
    for (uint32_t word = 0; word < TARN_SHARDS_MAX / 64; word++)
        for (; set->bits[word]; set->bits[word] &= set->bits[word] - 1)
            tarn__lock_give(
                &tarn__shard_at(ns, word * 64 + (uint32_t)__builtin_ctzll(set->bits[word]))->lock);
}

/* Locks in rising order, all or none. */
static tarn_status lock_set(tarn_namespace *ns, const struct tarn__lock_set *set,
                            struct deadline *deadline)
{
    struct tarn__lock_set done = {{0}};

    for (uint32_t word = 0; word < TARN_SHARDS_MAX / 64; word++) {
        for (uint64_t left = set->bits[word]; left; left &= left - 1) {
            uint32_t number = word * 64 + (uint32_t)__builtin_ctzll(left);
            tarn_status status = lock_until(ns, &tarn__shard_at(ns, number)->lock, deadline);

            if (status) {
                tarn__shards_unlock_some(ns, &done);
                return status;
            }
            done.bits[word] |= left & -left;
        }
    }
    return TARN_OK;
}

tarn_status tarn__shards_lock_some(tarn_namespace *ns, const uint64_t *hashes, size_t count,
                                   struct tarn__held *held, struct tarn__lock_set *set)
{
    struct deadline deadline = {0};

    for (;;) {
        struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
        bool usable = tarn__namespace_usable(ns);
        bool begun = usable && shards_now(ns, hashes, count, held, set);
        struct tarn__lock_set now;
        tarn_status status;

        tarn__epoch_leave(section);
        if (!usable)
            return tarn__namespace_not_open(ns);
        status = begun ? lock_set(ns, set, &deadline) : begin_index(ns);
        if (status)
            return status;
        if (!begun)
            continue;
        if (tarn__namespace_usable(ns) && shards_now(ns, hashes, count, held, &now) &&
            memcmp(&now, set, sizeof now) == 0)
            return TARN_OK;
        tarn__shards_unlock_some(ns, set);
    }
}

tarn_status tarn__shards_lock_all(tarn_namespace *ns, bool wait)
{
    struct deadline deadline = {0};
    tarn_status status = TARN_OK;
    uint32_t locked = 0;

    if (!tarn__environment_is_here(ns->environment)) /* nobody will give the locks back here */
        return tarn__namespace_not_open(ns);
    if (!wait && !tarn__lock_try(&ns->admin))
        return TARN_LOCK_TIMEOUT;
    if (wait)
        status = lock_until(ns, &ns->admin, &deadline);
    if (status)
        return status;
    while (!status && locked < atomic_load(&ns->shards_made)) {
        struct tarn__lock *lock = &tarn__shard_at(ns, locked)->lock;

        if (wait)
            status = lock_until(ns, lock, &deadline);
        else if (!tarn__lock_try(lock))
            status = TARN_LOCK_TIMEOUT;
        locked += status == TARN_OK;
    }
    if (!status && tarn__namespace_usable(ns))
        return TARN_OK;
    while (locked)
        tarn__lock_give(&tarn__shard_at(ns, --locked)->lock);
    tarn__lock_give(&ns->admin);
    return status ? status : tarn__namespace_not_open(ns);
}

tarn_status tarn__shards_lock_all_at_last(tarn_namespace *ns)
{
    unsigned looks = 0;
    tarn_status status;

    while ((status = tarn__shards_lock_all(ns, false)) == TARN_LOCK_TIMEOUT)
        tarn__os_pause(ns->environment->os, looks++);
    return status;
}

void tarn__shards_unlock(tarn_namespace *ns)
{
    for (uint32_t i = atomic_load(&ns->shards_made); i-- > 0;)
        tarn__lock_give(&tarn__shard_at(ns, i)->lock);
}

void tarn__shards_unlock_all(tarn_namespace *ns)
{
    tarn__shards_unlock(ns);
    tarn__lock_give(&ns->admin);
}

/* ------------------------------------------------------------------------------------------
 * Retiring
 */

/* Of all shards together. */
#define RETIRED_BYTES_MAX ((size_t)1024 * 1024)

void tarn__shard_flush(tarn_namespace *ns, struct tarn__shard *shard)
{
    struct tarn__retired *retired = shard->retired;

    if (!retired || !retired->count)
        return;
    ns->engine->retire(ns->engine_state, retired->locations, retired->count, retired->bytes);
    retired->count = retired->bytes = 0;
}

static __attribute__((noinline)) void retire_one(tarn_namespace *ns, uint64_t location,
                                                 size_t bytes)
{
    ns->engine->retire(ns->engine_state, &location, 1, bytes);
}

void tarn__shard_retire(tarn_namespace *ns, struct tarn__shard *shard, uint64_t location,
                        uint64_t sequence, size_t bytes)
{
    struct tarn__retired *retired = shard->retired;

    /* Where the engine holds what there was, nothing need be kept. */
    if (__builtin_expect(ns->cut != NULL, 0) && !ns->cut->held &&
        tarn__cut_keeps(ns->cut, location, sequence))
        return;
    if (__builtin_expect(!retired && !ns->engine->retires_at_once, 0))
        retired = shard->retired = tarn__allocate_zeroed(sizeof *retired);
    if (__builtin_expect(!retired, 0)) {
        retire_one(ns, location, bytes);
        return;
    }
    retired->locations[retired->count++] = location;
    retired->bytes += bytes;
    if (retired->count == sizeof retired->locations / sizeof retired->locations[0] ||
        retired->bytes * atomic_load_explicit(&ns->shard_count, memory_order_relaxed) >=
            RETIRED_BYTES_MAX)
        tarn__shard_flush(ns, shard);
}

/* ------------------------------------------------------------------------------------------
 * Dividing anew
 */

void tarn__shards_divide(tarn_namespace *ns)
{
    struct tarn__index *index;
    struct tarn__groups *now, *groups;
    uint32_t bits;

    if (tarn__shards_lock_all(ns, false))
        return; /* the next writer tries again */
    index = atomic_load_explicit(&ns->index, memory_order_relaxed);
    now = atomic_load_explicit(&index->groups, memory_order_relaxed);
    bits = now ? tarn__groups_bits_possible(now) : 0;
    if (now && bits > now->bits) {
        groups = tarn__groups_divide(index, bits, now->shard_count);
        if (groups) /* readers may be at the old ones, which are small: they go with the index */
            groups->before = put_into_force(ns, groups);
    }
    tarn__shards_unlock_all(ns);
}

tarn_status tarn__shards_assign(tarn_namespace *ns, uint32_t shards)
{
    struct tarn__groups *groups = NULL, *before = NULL;
    struct tarn__index *index;
    tarn_status status = tarn__shards_lock_all(ns, true);

    if (status)
        return status;
    index = atomic_load_explicit(&ns->index, memory_order_relaxed);
    before = atomic_load_explicit(&index->groups, memory_order_relaxed);
    if (before) {
        groups = tarn__groups_divide(index, before->bits, shards);
        status = groups ? TARN_OK : TARN_NO_MEMORY;
    }
    /* New shards are locked from the beginning, so that unlocking all is right. */
    for (uint32_t made = atomic_load(&ns->shards_made); !status && made < shards; made++) {
        status = tarn__shards_make(ns, made + 1);
        if (!status)
            (void)tarn__lock_try(&tarn__shard_at(ns, made)->lock); /* it is new */
    }
    if (!status) {
        for (uint32_t i = 0; i < atomic_load(&ns->shards_made); i++)
            tarn__shard_flush(ns, tarn__shard_at(ns, i)); /* it may not be written to any more */
        ns->shard_count = shards;
        if (groups)
            (void)put_into_force(ns, groups); /* it returns what before is */
    } else {
        tarn__groups_free(groups);
        before = NULL;
    }
    tarn__shards_unlock_all(ns);
    if (before) {
        tarn__wait_for_readers(ns->environment);
        tarn__groups_free(before);
    }
    return status;
}

/* To what the catalog says, if memory allows: it is read again at the next opening. */
static void resize_back(tarn_namespace *ns, uint32_t shards)
{
    struct tarn_error error = *tarn_last_error();

    while (tarn__shards_assign(ns, shards) == TARN_LOCK_TIMEOUT)
        ;
    tarn__restore_error(&error);
}

tarn_status tarn_namespace_resize(tarn_namespace *ns, uint32_t shards)
{
    uint32_t before;
    tarn_status status;

    if (!ns)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");
    if (shards < 1 || shards > TARN_SHARDS_MAX)
        return tarn__fail(TARN_INVALID_ARGUMENT, "a namespace has 1 to %d shards, not %u",
                          TARN_SHARDS_MAX, shards);
    status = tarn__namespace_check_changeable(ns);
    if (status)
        return status;
    ns->owner->lock(ns->owner_context);
    before = atomic_load(&ns->shard_count);
    status = tarn__shards_assign(ns, shards);
    if (!status) {
        status = ns->owner->changed(ns->owner_context);
        if (status)
            resize_back(ns, before);
    }
    ns->owner->unlock(ns->owner_context);
    return status;
}
