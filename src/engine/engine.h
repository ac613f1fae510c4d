/*
 * The contract that an engine fulfils. An engine keeps records and gives out locations; it knows
 * nothing of shards, buckets or other engines. Everything above is written once, against this.
 *
 * A location is a number of 40 bits, never 0. What it means is the engine's own.
 *
 * Life of a record:
 *
 *     append --> reachable (the namespace has put the location into its index)
 *                    |  retire: unreachable for whoever comes now
 *                    v
 *                deferred, until every reader of that time has left and no pin holds it --> reused
 *
 * "Inside" below means: in a section of the environment's epoch, or under the lock of the shard
 * that the record's key belongs to. All functions may be called by several threads at once.
 */
#ifndef TARN_ENGINE_ENGINE_H
#define TARN_ENGINE_ENGINE_H

#include "base/epoch.h"
#include "base/granules.h"
#include "base/jobs.h"
#include "base/pages.h"
#include "engine/completions.h"
#include "format/checkpoint.h"
#include "format/record.h"
#include "os/os.h"

/* What a store lends to all that is in it. Lives until the last handle is closed. */
struct tarn__environment {
    const struct tarn__os *os;
    struct tarn__epoch epoch;
    struct tarn__pages pages;
    struct tarn__granules granules; /* where mapped files are */
    struct tarn__jobs quick;        /* what writers may soon wait for: memory, syncs */
    struct tarn__jobs slow;         /* saves, compaction */
    struct tarn__completions completions;
    uint64_t seed;          /* of the hash */
    _Atomic uint64_t *here; /* 0 in a forked child, otherwise 1 */
    bool read_only;
    _Alignas(64) _Atomic uint64_t sequence; /* the highest given out */
};

/* Whether this process opened the store, and did not get it by a fork. */
static inline bool tarn__environment_is_here(const struct tarn__environment *environment)
{
    return atomic_load_explicit(environment->here, memory_order_relaxed) != 0;
}

/* One change of one key, as append is given it. */
struct tarn__write {
    struct tarn__record record;
    bool removes;      /* the key is deleted: the record's value means nothing */
    uint64_t location; /* out, unless the key is deleted; in: what prepare set, or 0 */
};

/* A put or a delete that an engine has met while it looks for what is still needed. */
struct tarn__met {
    struct tarn_slice key;
    uint64_t location;
    bool removes;  /* it is a delete */
    uint64_t hash; /* out: of the key */
    bool needed;   /* out: the index leads to it; of a delete: the key is not there */
};

/* A record that is at another location as well. */
struct tarn__move {
    uint64_t hash, from, to; /* from becomes 0 where the index does not lead there any more */
};

/* How many of them are handed over together at most. */
#define TARN__MOVES_MAX ((size_t)64)

/*
 * What an engine that moves records asks of the namespace. With no lock of either. Where the
 * namespace has ended, its status.
 */
struct tarn__mover {
    void *context;

    /* What was written before the last settle() and is not needed any more never will be. */
    tarn_status (*judge)(void *context, struct tarn__met *met, size_t count);

    /* Has the index lead to where the records are now. *done: so many of them are dealt with;
     * fewer than count only with TARN_LOCK_TIMEOUT. */
    tarn_status (*relocate)(void *context, struct tarn__move *moves, size_t count, size_t *done);

    /* Waits until every write that was appended before is in the index, the engine has been told of
     * all that was retired, and every reader of that time has left. */
    void (*settle)(void *context);
};

/* Where an engine keeps its files, and whom it tells of what nobody waits for. */
struct tarn__engine_home {
    struct tarn__directory *directory; /* remains the caller's, and outlives the state */
    const uint8_t *store;              /* the store's identity */
    uint64_t number;                   /* of this home: no two of a store ever share one */
    bool is_new;                       /* the directory is empty */
    bool to_fill;                      /* and restore comes before anything else */
    void (*sync_failed)(void *context, tarn_status status); /* the last error is the detail */
    void (*compacted)(void *context, tarn_status status, uint64_t freed); /* likewise */
    void *context;
    struct tarn__mover mover;
};

/*
 * Who is told of every record that there is. Of one key the highest sequence counts; where they are
 * equal, what comes later. lasts: older puts of the key may come after its removal; else they come
 * before it. A put is readable at its location from then on.
 */
struct tarn__replay {
    void *context;
    tarn_status (*put)(void *context, const struct tarn__record *record, uint64_t location);
    tarn_status (*remove)(void *context, const struct tarn__record *record, bool lasts);
};

/* What a replay has found. */
struct tarn__replayed {
    uint64_t sequence;        /* the highest */
    bool was_cut;             /* by a crash: something behind the last whole frame was discarded */
    uint64_t discarded_bytes; /* of whole frames in that */
};

struct tarn__engine {
    enum tarn_engine kind;

    /* Opens what is at home, or makes a new one there. Engines without files have no home: NULL.
     * TARN_NO_MEMORY, TARN_CORRUPT, TARN_UNSUPPORTED_VERSION, TARN_IO, TARN_FULL. */
    tarn_status (*open)(struct tarn__environment *environment, const struct tarn__engine_home *home,
                        const struct tarn_namespace_options *options, void **state);

    /* May be NULL: there is never anything to replay. Called once, after open, before all others
     * but read and retire, which it may lead to. */
    tarn_status (*replay)(void *state, const struct tarn__replay *replay,
                          struct tarn__replayed *replayed);

    /*
     * May be NULL: there are no checkpoints. covered: fills in which files hold what is in the
     * index now, after finish; nothing where a replay is short enough. cover: before replay, which
     * then hands out no more than what a checkpoint does not cover; false: it is not of these
     * files. NULL: all is replayed again. holds: whether there can be a record at a location.
     */
    tarn_status (*covered)(void *state, struct tarn__checkpoint *checkpoint);
    bool (*cover)(void *state, const struct tarn__checkpoint *checkpoint);
    bool (*holds)(void *state, uint64_t location);

    /* May be NULL. The options have changed, or all was replayed. Under all locks, or where nobody
     * else knows the namespace. */
    void (*configure)(void *state, const struct tarn_namespace_options *options);

    /* May be NULL. Makes all durable, and says so in its files; nobody writes any more, and close
     * follows. */
    tarn_status (*finish)(void *state);

    /* Gives everything back; nobody may be inside, nothing pinned. state may be NULL. */
    void (*close)(void *state);

    /*
     * May be NULL. Does ahead what of an append needs no sequence, and sets the write's location.
     * The write is then either appended, alone and as it is, or its location discarded. Where it
     * cannot be done, the location stays 0, and append will tell why. Called inside a section, with
     * no lock of the namespace.
     */
    void (*prepare)(void *state, struct tarn__write *write);
    void (*discard)(void *state, uint64_t location);

    /*
     * Stores the records of one write: all or none, under one sequence. They are not reachable
     * yet. Called under the locks of the shards concerned. The sequence is the one that they come
     * with, or a higher one that the engine sets, where it has an order of its own. *position, if
     * it is set (it is 0 before): the write is acknowledged once wait() has returned.
     * TARN_NO_MEMORY, TARN_FULL, TARN_IO, TARN_READ_ONLY.
     */
    tarn_status (*append)(void *state, struct tarn__write *writes, size_t count,
                          uint64_t *position);

    /* Stores records with the sequences that they have, in a state that was opened to be filled.
     * filled: makes them durable; may be NULL. Errors as append's. */
    tarn_status (*restore)(void *state, struct tarn__write *writes, size_t count);
    tarn_status (*filled)(void *state);

    /* NULL where append sets no position. written: the position of all that was appended so far,
     * under any lock of a shard. wait: until all up to a position is durable, with no lock; the
     * caller sees to it that the state is not replaced meanwhile. TARN_IO, TARN_OUTCOME_UNKNOWN. */
    uint64_t (*written)(void *state);
    tarn_status (*wait)(void *state, uint64_t position);

    /* NULL where wait is. Has a completion told once all up to a position is durable: TARN_OK, also
     * if what was there is replaced or dropped before; or is known not to be:
     * TARN_OUTCOME_UNKNOWN. In the order of the calls, and by close at the latest. Syncs in the
     * store's thread, which runs. Called as wait is. */
    void (*notify)(void *state, uint64_t position, struct tarn__completion *completion);

    /* Tells what is at a location. Inside; the slices hold as long as the caller stays inside,
     * or has it pinned. What is stored where it can be damaged may be told wrong; then no key is
     * longer than what is there, and verify tells. */
    void (*read)(void *state, uint64_t location, struct tarn__record *record);

    /* NULL: nothing can be damaged. Whether the record at a location is as it was written. Inside.
     * TARN_CORRUPT with file and offset. */
    tarn_status (*verify)(void *state, uint64_t location);

    /* Announces a read or an overwriting, so that it will find the record in the cache. Inside. */
    void (*prefetch)(void *state, uint64_t location);

    /* The records are no longer reachable; bytes is about what their keys and values have together.
     * Never fails; called under a shard's lock, once for each location. May wait for readers that
     * are slow to leave, never for locks of the namespace. */
    void (*retire)(void *state, const uint64_t *locations, size_t count, size_t bytes);
    bool retires_at_once; /* it looks at the records: better while they are in the cache */

    /* Makes the memory of what is retired usable now, where append had none. Waits for readers, as
     * retire may. Under a shard's lock. */
    void (*reclaim)(void *state);

    /* May be NULL: nothing ever moves. Keeps all records that are there readable where they are,
     * also those that are overwritten or moved meanwhile. hold: under all locks; TARN_NO_MEMORY.
     * unhold: with no lock of the namespace but admin. */
    tarn_status (*hold)(void *state, void **held);
    void (*unhold)(void *state, void *held);

    /* May be NULL. Gives back the space of what is not needed any more. With no lock; the caller
     * sees to it that the state is not closed meanwhile. progress may be NULL; false from it:
     * TARN_CANCELLED. TARN_READ_ONLY, TARN_IO, TARN_FULL, TARN_CORRUPT, TARN_OUTCOME_UNKNOWN. */
    tarn_status (*compact)(void *state,
                           bool (*progress)(void *context, uint64_t done, uint64_t total),
                           void *context);

    /* Keeps the record readable until unpin, also if it is retired or detached. Called inside;
     * unpin from anywhere, and may wait for a lock of the engine. */
    void (*pin)(void *state, uint64_t location);
    void (*unpin)(void *state, uint64_t location);
    bool (*has_pins)(void *state);

    /*
     * Replaces all records in two steps. replace: by none, or by those of another state of the same
     * engine (other, which nobody else uses), which has none afterwards; their locations stay.
     * Called under all locks of the namespace. release: of what was there; called after all readers
     * of that time have left. With another state it never fails; without, only where there are
     * files: TARN_NO_MEMORY, TARN_IO, TARN_FULL, TARN_READ_ONLY, TARN_OUTCOME_UNKNOWN.
     */
    tarn_status (*replace)(void *state, void *other, void **detached);
    void (*release)(void *state, void *detached);

    /* Taken from the operating system for records. */
    uint64_t (*memory_bytes)(void *state);

    /* May be NULL. Fills in what tarn_stats says of files. Under all locks. */
    void (*disk_stats)(void *state, struct tarn_stats *stats);
};

extern const struct tarn__engine tarn__memory_engine;
extern const struct tarn__engine tarn__log_engine;

#endif
