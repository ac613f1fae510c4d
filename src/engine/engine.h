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
#include "format/record.h"
#include "os/os.h"

/* What a store lends to all that is in it. Lives until the last handle is closed. */
struct tarn__environment {
    const struct tarn__os *os;
    struct tarn__epoch epoch;
    struct tarn__pages pages;
    struct tarn__granules granules; /* where mapped files are */
    struct tarn__jobs quick; /* what writers may soon wait for: memory, syncs */
    struct tarn__jobs slow;  /* saves, compaction */
    uint64_t seed;           /* of the hash */
    _Atomic uint64_t *here;  /* 0 in a forked child, otherwise 1 */
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

struct tarn__engine {
    const char *name;

    /* Makes an engine without records. TARN_NO_MEMORY. */
    tarn_status (*open)(struct tarn__environment *environment, void **state);

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
     * yet. Called under the locks of the shards concerned. TARN_NO_MEMORY, TARN_FULL.
     */
    tarn_status (*append)(void *state, struct tarn__write *writes, size_t count);

    /* Tells what is at a location. Inside; the slices hold as long as the caller stays inside,
     * or has it pinned. */
    void (*read)(void *state, uint64_t location, struct tarn__record *record);

    /* Announces a read or an overwriting, so that it will find the record in the cache. Inside. */
    void (*prefetch)(void *state, uint64_t location);

    /* The records are no longer reachable; bytes is about what their keys and values have together.
     * Never fails; called under a shard's lock, once for each location. May wait for readers that
     * are slow to leave, never for locks of the namespace. */
    void (*retire)(void *state, const uint64_t *locations, size_t count, size_t bytes);

    /* Makes the memory of what is retired usable now, where append had none. Waits for readers, as
     * retire may. Under a shard's lock. */
    void (*reclaim)(void *state);

    /* Keeps the record readable until unpin, also if it is retired or detached. Called inside;
     * unpin from anywhere, and may wait for a lock of the engine. */
    void (*pin)(void *state, uint64_t location);
    void (*unpin)(void *state, uint64_t location);
    bool (*has_pins)(void *state);

    /*
     * Clearing in two steps. detach: every record so far is retired at once; called under all
     * locks of the namespace. release: called after all readers of that time have left.
     */
    void *(*detach)(void *state);
    void (*release)(void *state, void *detached);

    /* Takes over all records of another state of the same engine, which has none afterwards; their
     * locations stay. Nobody else uses that one. Never fails; called under all locks. */
    void (*adopt)(void *state, void *other);

    /* Taken from the operating system for records. */
    uint64_t (*memory_bytes)(void *state);
};

extern const struct tarn__engine tarn__memory_engine;

#endif
