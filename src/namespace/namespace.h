/*
 * A namespace: an index over the records of one engine, divided into shards for writing.
 *
 * Order of locks, each optional: namespace's admin lock, then shards by rising number, then the
 * index's or the engine's own, then that of the pages. Inside a section of the epoch only the
 * engine's and the pages' may be taken, whose holders never wait for readers; never a shard's or
 * the admin lock, whose holders may.
 *
 * Life: OPEN -> CLOSING (is anything pinned?) -> OPEN again, or DROPPED or CLOSED. In the last two
 * nothing is left but the struct, until its last handle is closed.
 */
#ifndef TARN_NAMESPACE_NAMESPACE_H
#define TARN_NAMESPACE_NAMESPACE_H

#include "base/hash.h"
#include "base/lock.h"
#include "base/status.h"
#include "engine/engine.h"
#include "index/index.h"

enum tarn__namespace_state { TARN__OPEN, TARN__CLOSING, TARN__DROPPED, TARN__CLOSED };

/* Records that are no longer reachable, collected so that the engine is told of many at once. */
struct tarn__retired {
    size_t count, bytes;
    uint64_t locations[32];
};

struct tarn__shard {
    _Alignas(64) struct tarn__lock lock;
    struct tarn__growth growth;
    int64_t bytes;   /* of keys and values, gained and lost under this lock: groups may change
                        their shard, so only the sum over all shards means something */
    uint64_t writes; /* likewise */
    uint64_t coming; /* keys that a batch is about to add; 0 between batches */
    struct tarn__retired *retired; /* made when first needed */
};

/* What a namespace needs of the store that it is in. */
struct tarn__namespace_owner {
    /* Around a change of options, which another one must not meet. */
    void (*lock)(void *context);
    void (*unlock)(void *context);

    /* A sync failed that nobody waits for. The last error is the detail. */
    void (*sync_failed)(void *context, tarn_namespace *ns, tarn_status status);

    /* A compaction in the background has ended; it gave back so many bytes. Likewise. */
    void (*compacted)(void *context, tarn_namespace *ns, tarn_status status, uint64_t freed);

    /* The options have changed: makes that durable, or fails, and they are changed back. Locked;
     * the namespace's own locks may be held. */
    tarn_status (*changed)(void *context);

    /* Called once the struct is gone. */
    void (*released)(void *context);
};

/* The folder in which a namespace's engine keeps its files; without one all is 0. */
struct tarn__home {
    struct tarn__directory *directory;
    uint64_t number;
};

struct tarn_namespace {
    struct tarn__environment *environment;
    const struct tarn__namespace_owner *owner;
    void *owner_context;
    uint64_t number;                 /* no two namespaces that a store ever had share one */
    struct tarn__home home;          /* the store's */
    struct tarn__autosave *autosave; /* the store's; NULL: none was ever set */
    _Atomic uint64_t autosave_saves, autosave_failures;
    _Atomic int autosave_status; /* tarn_status of the last one */
    const struct tarn__engine *engine;
    void *engine_state;
    _Atomic(struct tarn__index *) index; /* replaced by clear */
    _Atomic int state;                   /* enum tarn__namespace_state */
    struct tarn__pointer_table shards;   /* struct tarn__shard; only ever more of them */
    _Atomic uint32_t shards_made;        /* grows under the admin lock */

    /* Changed under all locks of shards, so constant under any. */
    _Atomic uint32_t lock_timeout_ms;
    _Atomic uint64_t max_keys, max_value_size, max_bytes;
    _Atomic int sync; /* enum tarn_sync_mode */
    _Atomic uint32_t sync_interval_ms;
    _Atomic uint64_t segment_bytes, compact_bytes;
    _Atomic uint32_t compact_percent;
    _Atomic uint32_t shard_count;
    struct tarn__cut *cut;   /* that is being read, or NULL */
    _Atomic uint32_t clears; /* twice as many as there were; odd in the middle of one */

    /* What is there, kept exact at every moment while max_keys or max_bytes is set. */
    _Alignas(64) _Atomic uint64_t keys;
    _Atomic uint64_t bytes;

    _Alignas(64) struct tarn__lock admin; /* who needs all shards takes this first */
    _Atomic uint32_t cursors;
    _Atomic uint32_t waiting; /* writes that have left their lock and wait to be durable: wait.h */
    _Atomic uint32_t compacting; /* calls of tarn_compact() that are under way */
    _Atomic uint32_t copying; /* reads that have left their section and pin what they still copy */
    _Atomic uint32_t references; /* handles, and one of the store while it is in there */
    size_t name_length;
    char name[TARN_NAME_BYTES_MAX];
};

/* ------------------------------------------------------------------------------------------
 * namespace.c
 */

/* What it takes to make a namespace. */
struct tarn__namespace_plan {
    struct tarn__environment *environment;
    struct tarn_slice name;
    const struct tarn_namespace_options *options; /* or NULL */
    const struct tarn__namespace_owner *owner;
    void *owner_context;
    uint64_t number;
    struct tarn__home home; /* the namespace's from then on, where it is made */
    bool home_is_new;
    bool to_fill;         /* tarn__fill() comes before anything else */
    const uint8_t *store; /* its identity, where there is a home */
};

/* Makes a namespace with one reference. What is in its engine's files is still to be replayed. */
tarn_status tarn__namespace_make(const struct tarn__namespace_plan *plan, tarn_namespace **ns);

/* replay.c: fills the index with what is in the engine's files, if it has some. Nobody else knows
 * the namespace; after a failure it is good for nothing but to be ended. */
tarn_status tarn__namespace_replay(tarn_namespace *ns, struct tarn__replayed *replayed);

/* Gives back a reference. */
void tarn__namespace_release(tarn_namespace *ns);

/* Ends a namespace in two steps. prepare: TARN_BUSY if anything is pinned; otherwise pins and
 * cursors wait until one of the others is called. The namespace ends in any case then; what end
 * returns with TARN__CLOSED is whether all that is in its files is durable. */
tarn_status tarn__namespace_end_prepare(tarn_namespace *ns);
void tarn__namespace_end_cancel(tarn_namespace *ns);
tarn_status tarn__namespace_end(tarn_namespace *ns, enum tarn__namespace_state state);

/* Keys, bytes and writes. All locks are held, or nobody else knows the namespace. */
void tarn__namespace_count(tarn_namespace *ns, uint64_t *keys, uint64_t *bytes, uint64_t *writes);

/*
 * Puts an index in place of the one that is there, as one write, with the records that another
 * engine state has (NULL: none), which is empty afterwards. All locks are held; readers may still
 * be at what was there: the records are handed out as the engine detached them, the index is the
 * caller's. keys, bytes and shard 0's bytes are the caller's to set. Fails where the engine does,
 * with NULL alone: then nothing has changed.
 */
tarn_status tarn__namespace_exchange(tarn_namespace *ns, struct tarn__index *index,
                                     void *engine_state, void **detached);

/* Nobody may look at it any more. NULL is allowed. */
void tarn__namespace_free_index(struct tarn__index *index);

/* The status of a namespace that is not open, with its detail. */
tarn_status tarn__namespace_not_open(const tarn_namespace *ns);

/* For pins and cursors: waits while it is not decided whether the namespace ends. */
bool tarn__namespace_wait_open(tarn_namespace *ns);

/* Waits until whoever is inside a section now has left. Not from inside. */
void tarn__wait_for_readers(struct tarn__environment *environment);

/* For what changes a namespace as a whole, before it takes a lock. */
static inline tarn_status tarn__namespace_check_changeable(const tarn_namespace *ns)
{
    if (!tarn__environment_is_here(ns->environment))
        return tarn__namespace_not_open(ns);
    return ns->environment->read_only ? tarn__outcome(TARN_READ_ONLY) : TARN_OK;
}

static inline bool tarn__namespace_usable(tarn_namespace *ns)
{
    return atomic_load_explicit(&ns->state, memory_order_acquire) <= TARN__CLOSING &&
           tarn__environment_is_here(ns->environment);
}

/* ------------------------------------------------------------------------------------------
 * options.c
 */

/* All that tarn_namespace_configure() changes. */
#define TARN__ALL_FIELDS                                                                           \
    (unsigned)(TARN_SET_LOCK_TIMEOUT_MS | TARN_SET_MAX_KEYS | TARN_SET_MAX_VALUE_SIZE |            \
               TARN_SET_MAX_BYTES | TARN_SET_SYNC | TARN_SET_SEGMENT_BYTES | TARN_SET_COMPACTION)

/* The engine that options ask for. TARN_INVALID_ARGUMENT: they are not valid. NULL is allowed. */
tarn_status tarn__namespace_engine(const struct tarn_namespace_options *options,
                                   const struct tarn__engine **engine);

/* Sets fields to what valid options say. All locks are held, or nobody else knows the namespace. */
void tarn__options_apply(tarn_namespace *ns, unsigned fields,
                         const struct tarn_namespace_options *options);

/* Tells the engine of the options that are in force. All locks are held. */
void tarn__options_pass_on(tarn_namespace *ns);

/* The options as they are in force. */
void tarn__namespace_options_of(const tarn_namespace *ns, struct tarn_namespace_options *options);

/* ------------------------------------------------------------------------------------------
 * compact.c
 */

/* What the engine of a namespace may ask when it moves records. */
void tarn__namespace_mover(tarn_namespace *ns, struct tarn__mover *mover);

/* ------------------------------------------------------------------------------------------
 * shards.c
 */

/* Shards that are locked: bit i of the set is shard i. */
struct tarn__lock_set {
    uint64_t bits[TARN_SHARDS_MAX / 64];
};

/* What stays as it is while a lock is held. */
struct tarn__held {
    struct tarn__index *index;
    struct tarn__groups *groups;
    struct tarn__shard *shard; /* of the hash, where there is one hash */
    uint64_t position;         /* that an engine has set for what was written; begins as 0 */
};

/* tarn_namespace_resize(), without a word to the owner. */
tarn_status tarn__shards_assign(tarn_namespace *ns, uint32_t count);

/* Works out anew how far the groups of each shard have grown. All locks are held. */
void tarn__shards_measure(tarn_namespace *ns);

tarn_status tarn__shards_make(tarn_namespace *ns, uint32_t count);
void tarn__shards_free(tarn_namespace *ns);

/* A write that was prepared before its lock was had. All of it is gone with a clear. */
struct tarn__ahead {
    struct tarn__write write;
    struct tarn__sight sight;
    uint32_t clears; /* that there had been */
};

/* Gives back what was prepared and not appended. No lock is held. */
void tarn__shard_discard(tarn_namespace *ns, const struct tarn__ahead *ahead);

/*
 * Locks the shard of a hash. ahead, if not NULL, is a write that is likely to follow: the engine
 * may prepare it, and what will be needed is asked for, while memory is waited for anyway.
 * TARN_LOCK_TIMEOUT, TARN_CLOSED, TARN_NAMESPACE_DROPPED, and what it takes to make the index for
 * the first key.
 */
tarn_status tarn__shard_lock(tarn_namespace *ns, uint64_t hash, bool may_insert,
                             struct tarn__ahead *ahead, struct tarn__held *held);
void tarn__shard_unlock(struct tarn__held *held);

/* The shards of many hashes likewise. */
tarn_status tarn__shards_lock_some(tarn_namespace *ns, const uint64_t *hashes, size_t count,
                                   struct tarn__held *held, struct tarn__lock_set *set);
void tarn__shards_unlock_some(tarn_namespace *ns, struct tarn__lock_set *set);

/* Gives a record up that is no longer reachable; sequence is the record's, bytes those of its key
 * and value. Under the lock of its shard. */
void tarn__shard_retire(tarn_namespace *ns, struct tarn__shard *shard, uint64_t location,
                        uint64_t sequence, size_t bytes);

/* Tells the engine of all that a shard has given up. */
void tarn__shard_flush(tarn_namespace *ns, struct tarn__shard *shard);

/* All shards and the admin lock. wait: false gives up at once, silently. */
tarn_status tarn__shards_lock_all(tarn_namespace *ns, bool wait);

/* The same, for what must be done however long it takes. TARN_CLOSED, TARN_NAMESPACE_DROPPED. */
tarn_status tarn__shards_lock_all_at_last(tarn_namespace *ns);
void tarn__shards_unlock_all(tarn_namespace *ns);

/* All shards, but not the admin lock. */
void tarn__shards_unlock(tarn_namespace *ns);

static inline struct tarn__shard *tarn__shard_at(tarn_namespace *ns, uint32_t number)
{
    return tarn__pointer_table_get(&ns->shards, number);
}

static inline struct tarn__shard *tarn__shard_of(tarn_namespace *ns,
                                                 const struct tarn__groups *groups, uint64_t hash)
{
    return tarn__shard_at(ns, groups->shard[tarn__group_of(groups, hash)]);
}

/* A step of looking a key up ahead of its operation; announces its record once it is seen. */
static inline void tarn__look_ahead(tarn_namespace *ns, struct tarn__index *index, uint64_t hash,
                                    struct tarn__sight *sight)
{
    if (tarn__sight_step(index, hash, sight))
        ns->engine->prefetch(ns->engine_state, sight->location);
}

/* Divides the index into more groups if the locks can be had at once. No lock is held. */
void tarn__shards_divide(tarn_namespace *ns);

/* ------------------------------------------------------------------------------------------
 * limits.c
 */

/* Checks the bytes of a key against the bounds of every key. */
tarn_status tarn__check_key(struct tarn_slice key);
tarn_status tarn__check_slice(struct tarn_slice slice);

/* Under the lock of the key's shard. */
tarn_status tarn__check_value_size(tarn_namespace *ns, size_t length);

/* The next two, for a namespace that has limits. */
tarn_status tarn__limits_reserve_limited(tarn_namespace *ns, uint64_t keys, uint64_t bytes);
void tarn__limits_return_limited(tarn_namespace *ns, uint64_t keys, uint64_t bytes);

static inline bool tarn__limits_are_set(tarn_namespace *ns)
{
    return (atomic_load_explicit(&ns->max_keys, memory_order_relaxed) |
            atomic_load_explicit(&ns->max_bytes, memory_order_relaxed)) != 0;
}

/* Sets keys and bytes aside before a write, or fails with TARN_TOO_MANY_KEYS or TARN_FULL. Does
 * nothing while no limit is set. Under a lock of the namespace, as the next. */
static inline tarn_status tarn__limits_reserve(tarn_namespace *ns, uint64_t keys, uint64_t bytes)
{
    return tarn__limits_are_set(ns) ? tarn__limits_reserve_limited(ns, keys, bytes) : TARN_OK;
}

static inline void tarn__limits_return(tarn_namespace *ns, uint64_t keys, uint64_t bytes)
{
    if (tarn__limits_are_set(ns))
        tarn__limits_return_limited(ns, keys, bytes);
}

/* Whether name is 1 to 255 bytes of UTF-8 without control characters. */
tarn_status tarn__check_name(struct tarn_slice name);

#endif
