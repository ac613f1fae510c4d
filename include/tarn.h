/*
 * tarn: an embeddable key-value store.
 *
 * What not to do
 *   - Do not pass a struct that was not zeroed. Every options struct begins with its size; start
 *     from `struct tarn_options options = {.size = sizeof options};`. A field that is zero means
 *     its default.
 *   - Do not use a slice after the buffer or pin that holds it has changed, and do not write
 *     through one.
 *   - Do not keep a pin or a cursor longer than you need it: tarn_close() and
 *     tarn_namespace_drop() fail with TARN_BUSY while one is held.
 *   - Do not treat TARN_KEY_NOT_FOUND as a failure of the store, nor any other negative status as
 *     an absent key.
 *
 * Conventions that hold for every function below
 *   - What returns tarn_status returns TARN_OK (0) or a negative status. Outputs come last and are
 *     untouched on failure, unless said.
 *   - An output that the caller has no use for may be NULL, except the object that a call makes
 *     (store, namespace, batch, cursor, pin).
 *   - Keys and values are bytes with a length (struct tarn_slice). Arguments are read during the
 *     call only.
 *   - Every function may be called by any thread at any time, unless said. A tarn_buf, a tarn_pin,
 *     a tarn_cursor and a tarn_batch that is being built belong to one thread at a time.
 *   - Reads take no lock of the namespace, and wait only while an all-or-nothing batch is being
 *     applied to the same keys: a few stores for each key. Giving back a pin, a cursor's step and
 *     values of more than 64 KiB take a lock of the engine for a moment.
 *   - Writes lock one shard (a batch: the shards of its keys) and wait for it for about the
 *     namespace's lock_timeout_ms at most. A write that finds too much memory waiting to be reused
 *     waits until the readers of that moment have left, each after a copy of 64 KiB at most.
 *   - Making, opening, dropping and listing namespaces wait for one another.
 *   - TARN_INVALID_ARGUMENT is returned for a NULL where an object is needed and for a field out of
 *     its range; TARN_CLOSED for a namespace handle whose store was closed;
 *     TARN_NAMESPACE_DROPPED for a handle whose namespace was dropped; TARN_NO_MEMORY where memory
 *     ran out; TARN_READ_ONLY for a change to a store that was opened so. Then nothing has changed.
 *     These are not repeated at each function.
 *   - In a store with a directory, making, dropping, configuring and resizing namespaces, and
 * setting autosaves, are durable when they return TARN_OK. They can also return TARN_IO and
 * TARN_FULL: then nothing has changed; and TARN_OUTCOME_UNKNOWN: it is as before in memory, but the
 * next opening may find it done, and until then no such change is taken any more.
 *   - The library never prints, logs, exits, or installs a signal handler.
 *   - After fork() the objects of the parent are not the child's: every call with them returns
 *     TARN_FORKED, tarn_close() included, and changes nothing. The child may open stores of its
 *     own. (Linux before 4.14 cannot tell: there the child must not use them.) Where the parent is
 *     killed, its stores stay locked until such a child has ended, or has called exec().
 */
#ifndef TARN_H
#define TARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(TARN_BUILD)
#define TARN_API __attribute__((visibility("default")))
#else
#define TARN_API
#endif

/* Bounds that hold for every store. */
#define TARN_KEY_BYTES_MAX   ((size_t)64 * 1024)
#define TARN_VALUE_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define TARN_BATCH_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define TARN_NAME_BYTES_MAX  255
#define TARN_SHARDS_MAX      4096

/* ------------------------------------------------------------------------------------------
 * Status
 */

/* X(name, number, message): the one list of what a call can return. */
#define TARN_STATUS_LIST(X)                                                                        \
    X(TARN_OK, 0, "done")                                                                          \
    X(TARN_KEY_NOT_FOUND, -1, "the key is not in the namespace")                                   \
    X(TARN_KEY_EXISTS, -2, "the key is in the namespace already")                                  \
    X(TARN_CONDITION_FAILED, -3, "the record is not the one that was expected")                    \
    X(TARN_NOT_A_COUNTER, -4, "the record does not hold a counter")                                \
    X(TARN_COUNTER_OVERFLOW, -5, "the counter would leave the range of 64 bits")                   \
    X(TARN_CURSOR_END, -6, "the cursor has returned every key")                                    \
    X(TARN_KEY_INVALID, -10, "a key has at least one byte")                                        \
    X(TARN_KEY_TOO_LARGE, -11, "the key is larger than a key may be")                              \
    X(TARN_VALUE_TOO_LARGE, -12, "the value is larger than the namespace allows")                  \
    X(TARN_BATCH_TOO_LARGE, -13, "the batch is larger than a batch may be")                        \
    X(TARN_NAME_INVALID, -14, "a name is 1 to 255 bytes of UTF-8 without control characters")      \
    X(TARN_NAMESPACE_EXISTS, -20, "the store has a namespace of this name already")                \
    X(TARN_NAMESPACE_NOT_FOUND, -21, "the store has no namespace of this name")                    \
    X(TARN_NAMESPACE_DROPPED, -22, "the namespace of this handle was dropped")                     \
    X(TARN_TOO_MANY_NAMESPACES, -23, "the store has as many namespaces as it may")                 \
    X(TARN_TOO_MANY_KEYS, -24, "the namespace has as many keys as it may")                         \
    X(TARN_FULL, -25, "the limit in bytes is reached")                                             \
    X(TARN_LIMIT_TOO_LOW, -26, "the namespace holds more than the new limit allows")               \
    X(TARN_LOCK_TIMEOUT, -30, "a lock was not had in time")                                        \
    X(TARN_BUSY, -31, "a pin, a cursor or a callback is not done yet")                             \
    X(TARN_CLOSED, -32, "the store is closed")                                                     \
    X(TARN_NO_MEMORY, -33, "there is not enough memory")                                           \
    X(TARN_INVALID_ARGUMENT, -34, "an argument is not valid")                                      \
    X(TARN_FORKED, -35, "the store belongs to the process that forked")                            \
    X(TARN_CANCELLED, -36, "the caller has ended it")                                              \
    X(TARN_PERSISTENCE_NOT_ENABLED, -40, "this store does not live in a directory")                \
    X(TARN_IO, -41, "the operating system reported an error")                                      \
    X(TARN_CORRUPT, -42, "stored data has changed")                                                \
    X(TARN_UNSUPPORTED_VERSION, -43, "the data was written by a newer version")                    \
    X(TARN_STORE_LOCKED, -44, "the store is open elsewhere")                                       \
    X(TARN_READ_ONLY, -45, "the store may only be read")                                           \
    X(TARN_OUTCOME_UNKNOWN, -46, "it is not known whether the write is durable")                   \
    X(TARN_SNAPSHOT_NOT_FOUND, -50, "there is no such snapshot")                                   \
    X(TARN_AUTOSAVE_EXISTS, -51, "the autosave is running already")                                \
    X(TARN_AUTOSAVE_NOT_CONFIGURED, -52, "no autosave is configured")                              \
    X(TARN_AUTOSAVE_NOT_RUNNING, -53, "the autosave is not running")

typedef enum tarn_status {
#define TARN__STATUS_ENUM(name, number, message) name = number,
    TARN_STATUS_LIST(TARN__STATUS_ENUM)
#undef TARN__STATUS_ENUM
} tarn_status;

/* The name of a status ("TARN_OK") and what it means, in one sentence without a full stop. Never
 * NULL; static. */
TARN_API const char *tarn_status_name(tarn_status status);
TARN_API const char *tarn_status_message(tarn_status status);

/* What the last call that failed in this thread has to say beyond its status. */
struct tarn_error {
    tarn_status status;
    int system_error;  /* errno of the operating system's call, or 0 */
    uint64_t offset;   /* in bytes, where the error is at a place in a file */
    char message[256]; /* a sentence with the detail; NUL-terminated, cut where it is longer */
};

/* Never NULL. It tells of the last call of this thread if that failed; a call that succeeds may
 * change it. */
TARN_API const struct tarn_error *tarn_last_error(void);

/* The version of the library: "MAJOR.MINOR.PATCH". Static. */
TARN_API const char *tarn_version(void);

/* ------------------------------------------------------------------------------------------
 * Slices and buffers
 */

/* Bytes that somebody else owns. data may be NULL where length is 0. */
struct tarn_slice {
    const void *data;
    size_t length;
};

static inline struct tarn_slice tarn_slice_of(const void *data, size_t length)
{
    struct tarn_slice slice;
    slice.data = data;
    slice.length = length;
    return slice;
}

/* Bytes that the caller owns and the library fills. Start from zero; reuse it for as many calls as
 * you like: it grows and never shrinks; give it back with tarn_buf_release(). */
struct tarn_buf {
    void *data;
    size_t length;
    size_t capacity;
};

/* Frees the bytes and sets the buffer to zero, after which it may be used again. NULL is allowed.
 */
TARN_API void tarn_buf_release(struct tarn_buf *buf);

/* What a record's value is. */
enum tarn_content {
    TARN_CONTENT_BYTES = 0, /* bytes that mean something to the caller alone */
    TARN_CONTENT_COUNTER =
        1, /* a signed 64-bit integer, 8 bytes, little-endian: see tarn_increment() */
};

/* ------------------------------------------------------------------------------------------
 * Store
 */

typedef struct tarn_store tarn_store;
typedef struct tarn_namespace tarn_namespace;

/* What of its snapshots a store in a directory has in memory at first. */
enum tarn_load {
    /* Of those on TARN_ENGINE_MEMORY, as of all of these, for the others are in their own files:
     * each namespace from the snapshot with the highest sequence that holds it; one that no
     * snapshot holds is empty. A snapshot that is damaged fails the open. All that was saved comes
     * back: where a limit was lowered since, nothing can be added before enough is deleted. A
     * namespace that was dropped and made or loaded again is another one, to be saved anew. */
    TARN_LOAD_NEWEST = 0,

    /* The same, but where it is damaged the one before it, and so on; empty if none is whole. What
     * was passed over is told as an event each, and autosaves of this opening delete none of what
     * was there. */
    TARN_LOAD_NEWEST_WHOLE = 1,

    /* The namespaces of the catalog, empty. What is saved then is the newest; but autosaves of this
     * opening delete none of what was there. */
    TARN_LOAD_NOTHING = 2,
};

enum tarn_event_kind {
    /* an opening with TARN_LOAD_NEWEST_WHOLE did not load this snapshot */
    TARN_EVENT_SNAPSHOT_PASSED_OVER = 1,
    TARN_EVENT_AUTOSAVE_DONE = 2,
    TARN_EVENT_AUTOSAVE_FAILED = 3,
    /* A crash had cut the log of this namespace: what was not whole at its end was discarded, bytes
     * of it in whole writes, none of which was known to be durable. */
    TARN_EVENT_LOG_CUT = 4,
    /* A sync that no call waited for has failed: what was written to this namespace may be lost
     * when power is, and it may only be read until the store is opened anew. */
    TARN_EVENT_SYNC_FAILED = 5,
    /* The log of this namespace was compacted in the background: bytes is what its files have less.
     * Where that fails all goes on as it was; it is tried again when more was written. */
    TARN_EVENT_COMPACTION_DONE = 6,
    TARN_EVENT_COMPACTION_FAILED = 7,
};

/* What happened that nobody waits for. All of it is valid during the call. */
struct tarn_event {
    enum tarn_event_kind kind;
    tarn_status status;
    const struct tarn_error *error;   /* the detail */
    struct tarn_slice namespace_name; /* empty: the whole store */
    struct tarn_slice snapshot;       /* its name, where one is concerned */
    uint64_t bytes;                   /* of TARN_EVENT_LOG_CUT, TARN_EVENT_COMPACTION_DONE */
};

struct tarn_autosave_options; /* see "Autosave" */

struct tarn_options {
    size_t size;               /* sizeof(struct tarn_options) */
    uint32_t max_namespaces;   /* default 65,536 */
    uint64_t max_memory_bytes; /* for records and indexes, taken 2 MiB at a time; at least 2 MiB;
                                  0: no limit. At the limit whatever stores a value fails with
                                  TARN_FULL, an overwrite too; delete, consume and clear work,
                                  and their room comes back in blocks. Not counted: about 3 KB
                                  for each namespace, 128 bytes for each of its shards, and what
                                  is known of each block */
    bool read_only; /* of a store in a directory: nothing is written there, whatever would change
                       a key gives TARN_READ_ONLY; any number of such openings at a time */
    enum tarn_load load;                          /* of a store in a directory */
    const struct tarn_autosave_options *autosave; /* of the whole store, set and started; NULL: as
                                                     it was left */

    /* Called for what nobody waits for, in the store's own thread (or in the call that it happens
     * in), with no lock held: it may call tarn, but tarn_close(). NULL: nothing is told. */
    void (*on_event)(void *context, const struct tarn_event *event);
    void *event_context;
};

/*
 * Opens a store. options may be NULL.
 *
 * dir is NULL: a store in memory, of which nothing remains after tarn_close().
 *
 * Otherwise dir is a path: the store lives there, and is made if nothing is there (the folder
 * around it must exist) or the folder is empty. Files have mode 0600, folders 0700. What is in
 * namespaces on TARN_ENGINE_MEMORY is kept by snapshots alone: tarn_snapshot_save(),
 * tarn_autosave_set(); those on TARN_ENGINE_LOG are on disk with every write. One opening at a
 * time, or any number of read-only ones. TARN_STORE_LOCKED: it is open elsewhere; then nothing was
 * touched. TARN_CORRUPT, TARN_UNSUPPORTED_VERSION: the error tells file and offset; nothing was
 * changed. TARN_IO, TARN_FULL. With read_only a store that is not there is TARN_IO.
 *
 * A store has at most two threads of its own, each from when there is work for it, with all signals
 * blocked: one prepares memory (from about 2 MiB of data on) and files ahead of the writers and
 * does the syncs that no call waits for; the other one does autosaves and compactions.
 */
TARN_API tarn_status tarn_open(const char *dir, const struct tarn_options *options,
                               tarn_store **store);

/*
 * Waits for the calls under way, makes all logs durable, calls what is outstanding of asynchronous
 * writes (in this thread, where it finds the store closed), ends the store's threads and frees
 * everything in it. NULL is allowed. The store's handle must not be used afterwards. Namespace
 * handles that are still open remain valid: every call with one returns TARN_CLOSED, and they are
 * still to be given to tarn_namespace_close(). TARN_BUSY: a pin or a cursor is held, or this is in
 * a callback of an asynchronous write; nothing has changed. TARN_IO, TARN_OUTCOME_UNKNOWN of a
 * namespace on TARN_ENGINE_LOG: the store is closed all the same, and what was not known to be
 * durable may be lost when power is. Where an autosave is to save at close, its failure is that of
 * the close, and the store stays open: close it again once the reason is gone, or without that save
 * after tarn_autosave_stop().
 */
TARN_API tarn_status tarn_close(tarn_store *store);

/* ------------------------------------------------------------------------------------------
 * Namespaces
 */

/* Where a namespace's records live. */
enum tarn_engine {
    TARN_ENGINE_DEFAULT = 0, /* TARN_ENGINE_MEMORY */

    /* In memory. What survives is what a snapshot holds. */
    TARN_ENGINE_MEMORY = 1,

    /* In a log on disk, every write of it; for stores in a directory. In memory are 16 to 18 bytes
     * a key, whatever the size of keys and values, so the data may be larger than memory. */
    TARN_ENGINE_LOG = 3,
};

/*
 * When a write to a log is durable. Whatever the mode, nothing that returned TARN_OK is lost where
 * the process alone dies, and after a power cut each batch is there whole or not at all.
 */
enum tarn_sync_mode {
    TARN_SYNC_DEFAULT = 0, /* TARN_SYNC_ALWAYS */

    /* When the operating system likes. A power cut leaves what was written up to some moment. */
    TARN_SYNC_NONE = 1,

    /* At most sync_interval_ms, and one sync, after it returned. */
    TARN_SYNC_INTERVAL = 2,

    /* When it returns TARN_OK. Writes that wait at the same time share one sync. TARN_IO,
     * TARN_OUTCOME_UNKNOWN: it is visible, and may be lost when power is; see TARN_READ_ONLY. */
    TARN_SYNC_ALWAYS = 3,
};

struct tarn_namespace_options {
    size_t size;              /* sizeof(struct tarn_namespace_options) */
    uint32_t shards;          /* units of write locking, 1 to TARN_SHARDS_MAX; default 16 */
    uint32_t lock_timeout_ms; /* how long a write waits for a lock, from 1; default 5,000 */
    uint64_t max_keys;        /* 0: no limit */
    uint64_t max_value_size;  /* bytes; default and most: TARN_VALUE_BYTES_MAX */
    uint64_t max_bytes;       /* of keys and values together; 0: no limit */

    enum tarn_engine engine; /* it stays what it was when the namespace was made */

    /* Of TARN_ENGINE_LOG; the others have no use for them. */
    enum tarn_sync_mode sync;
    uint32_t sync_interval_ms; /* of TARN_SYNC_INTERVAL: 1 to 3,600,000; default 1,000 */
    uint64_t segment_bytes;    /* of the log's files, which begin at 64 KiB and double up to this:
                                  64 KiB to 1 GiB, default 64 MiB; a larger value has a file for
                                  itself */

    /* Files are compacted in the background while at least so many of their bytes are of what was
     * overwritten or deleted, and so large a share of all. */
    uint64_t compact_bytes;   /* default 1 MiB */
    uint32_t compact_percent; /* 1 to 100; default 20 */
};

/*
 * Makes a namespace and hands out a handle to it. options may be NULL.
 * TARN_NAME_INVALID, TARN_NAMESPACE_EXISTS, TARN_TOO_MANY_NAMESPACES.
 */
TARN_API tarn_status tarn_namespace_create(tarn_store *store, struct tarn_slice name,
                                           const struct tarn_namespace_options *options,
                                           tarn_namespace **ns);

/* Hands out a handle to a namespace that is there. TARN_NAME_INVALID, TARN_NAMESPACE_NOT_FOUND. */
TARN_API tarn_status tarn_namespace_open(tarn_store *store, struct tarn_slice name,
                                         tarn_namespace **ns);

/* Gives a handle back: once for each create and open. The namespace stays in the store, and what is
 * pinned in it stays pinned. NULL is allowed. */
TARN_API void tarn_namespace_close(tarn_namespace *ns);

/*
 * Takes the namespace and all its keys out of the store; waits for the calls under way in it.
 * Handles to it then give TARN_NAMESPACE_DROPPED and are still to be closed. The name is free at
 * once. TARN_NAMESPACE_NOT_FOUND; TARN_BUSY: a pin or a cursor is held.
 */
TARN_API tarn_status tarn_namespace_drop(tarn_store *store, struct tarn_slice name);

/*
 * Calls visit once for each namespace there is at the moment of the call, in the order of the
 * names' bytes, until it returns false. name is valid during the visit. visit may call tarn, also
 * to drop or create namespaces.
 */
TARN_API tarn_status tarn_namespace_list(tarn_store *store,
                                         bool (*visit)(void *context, struct tarn_slice name),
                                         void *context);

/* How many namespaces the store has. */
TARN_API tarn_status tarn_namespace_count(tarn_store *store, size_t *count);

/* The fields of tarn_namespace_options that tarn_namespace_configure() is to change. */
enum tarn_namespace_field {
    TARN_SET_LOCK_TIMEOUT_MS = 1 << 0,
    TARN_SET_MAX_KEYS = 1 << 1,
    TARN_SET_MAX_VALUE_SIZE = 1 << 2,
    TARN_SET_MAX_BYTES = 1 << 3,
    TARN_SET_SYNC = 1 << 4, /* sync and sync_interval_ms */
    TARN_SET_SEGMENT_BYTES = 1 << 5,
    TARN_SET_COMPACTION = 1 << 6, /* compact_bytes and compact_percent */
};

/*
 * Changes limits while the namespace is in use. fields: bits of tarn_namespace_field, the rest of
 * options is not looked at. All of them are changed, or none. Lowering max_value_size leaves larger
 * values that are there. In a store with a directory writers wait until it is durable.
 * TARN_LIMIT_TOO_LOW: more keys or bytes are there than the new limit allows. TARN_LOCK_TIMEOUT.
 */
TARN_API tarn_status tarn_namespace_configure(tarn_namespace *ns, unsigned fields,
                                              const struct tarn_namespace_options *options);

/*
 * Copies a namespace, as it is at one moment, to a new one of the same store, while readers and
 * writers go on. options: those of the copy, as for tarn_namespace_create(), which may be another
 * engine; NULL: those of the source. Records keep their sequences. Nobody sees the copy before it
 * is whole, and on TARN_ENGINE_LOG durable; on TARN_ENGINE_MEMORY it is kept by snapshots, as all
 * there is. Autosaves are not copied. Waits for saves and loads, and they for it; memory grows
 * meanwhile as in tarn_snapshot_save().
 * With nothing changed: TARN_NAMESPACE_NOT_FOUND; TARN_NAMESPACE_EXISTS: `as` is there, or has come
 * meanwhile; TARN_TOO_MANY_NAMESPACES, TARN_NAME_INVALID; where the copy's limits do not allow all
 * of it TARN_TOO_MANY_KEYS, TARN_FULL, TARN_VALUE_TOO_LARGE; TARN_CORRUPT: a record of the source
 * is damaged; TARN_LOCK_TIMEOUT, TARN_PERSISTENCE_NOT_ENABLED (a log in a store in memory).
 */
TARN_API tarn_status tarn_namespace_copy(tarn_store *store, struct tarn_slice name,
                                         struct tarn_slice as,
                                         const struct tarn_namespace_options *options);

/*
 * Changes the number of shards, 1 to TARN_SHARDS_MAX, while readers and writers go on. No record
 * moves: what changes is the lock that a key belongs to, for those keys alone that jump consistent
 * hash assigns anew. Writers are held up for some tens of microseconds. TARN_LOCK_TIMEOUT: nothing
 * has changed.
 */
TARN_API tarn_status tarn_namespace_resize(tarn_namespace *ns, uint32_t shards);

/* Removes every key, as one write: reads see all of them or none; a cursor may still return what it
 * has pinned. Waits for reads under way. In a log it is durable when it returns TARN_OK, in every
 * sync mode. TARN_LOCK_TIMEOUT; of a log also TARN_IO, TARN_FULL; TARN_OUTCOME_UNKNOWN: nothing has
 * changed, but the next opening may find it empty, and until then it may only be read. */
TARN_API tarn_status tarn_namespace_clear(tarn_namespace *ns);

/* Waits until all that was written to the namespace before is durable; of TARN_ENGINE_MEMORY there
 * is nothing to wait for. TARN_IO, TARN_OUTCOME_UNKNOWN: it may not be. */
TARN_API tarn_status tarn_sync(tarn_namespace *ns);

struct tarn_compact_options {
    size_t size; /* sizeof(struct tarn_compact_options) */

    /* Called now and then with how much of the work is done, in bytes; false ends the call with
     * TARN_CANCELLED. It may use the store, but not close it, nor drop, clear, load, save,
     * copy or compact the namespace. NULL: nobody asks. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

/*
 * Gives back the space of all that was overwritten or deleted so far, whatever the share of it. In
 * the background that happens by itself: see compact_percent. Readers and writers go on; where a
 * snapshot is being saved, a cursor or a pin is at it, space comes back with their end. It needs
 * room for a copy of what lives in up to segment_bytes at a time. options may be NULL. Of
 * TARN_ENGINE_MEMORY there is nothing to do.
 * TARN_CORRUPT: a file is damaged, and stays as it is; TARN_CANCELLED, TARN_IO, TARN_FULL,
 * TARN_OUTCOME_UNKNOWN, TARN_READ_ONLY. In each case nothing is lost.
 */
TARN_API tarn_status tarn_compact(tarn_namespace *ns, const struct tarn_compact_options *options);

struct tarn_stats {
    size_t size; /* in: sizeof(struct tarn_stats) */
    uint64_t keys;
    uint64_t bytes;        /* of keys and values */
    uint64_t memory_bytes; /* taken from the operating system for this namespace: records, index and
                              the rest */
    uint64_t index_bytes;  /* of these, the index */
    uint64_t writes;       /* operations that changed something, since the namespace was made */
    uint64_t sequence;     /* the highest given out in the store; a write that fails may use one */
    uint32_t shards;
    tarn_status autosave_status;                /* of the last autosave of this namespace */
    uint64_t autosave_saves, autosave_failures; /* since the store was opened */
    struct tarn_namespace_options options;      /* as they are in force */

    /* Of TARN_ENGINE_LOG; 0 of the others. */
    uint64_t
        disk_bytes;     /* of all files of the namespace, with the room that is set aside in them */
    uint64_t log_bytes; /* of all frames in them: what was written and not compacted away */
    uint64_t stale_bytes; /* of these, of what was overwritten or deleted since */
    uint32_t segments;    /* files that the log consists of */
};

/*
 * Figures of one moment. shard_keys, if not NULL, is an array of shard_capacity numbers, and
 * receives the keys of the first so many shards. Takes the write locks for a moment.
 * TARN_LOCK_TIMEOUT.
 */
TARN_API tarn_status tarn_namespace_stats(tarn_namespace *ns, struct tarn_stats *stats,
                                          uint64_t *shard_keys, size_t shard_capacity);

/* ------------------------------------------------------------------------------------------
 * Snapshots
 *
 * A snapshot is one file in the store's folder that holds a cut: every record that was there at one
 * moment, of a namespace or of the whole store. It appears under its name whole and durable, or not
 * at all. Its name has 1 to TARN_SNAPSHOT_NAME_BYTES_MAX bytes of UTF-8, no control characters, no
 * '/', and does not begin with '.': else TARN_NAME_INVALID.
 *
 * All can return TARN_PERSISTENCE_NOT_ENABLED (the store is in memory only), TARN_IO, TARN_FULL and
 * TARN_SNAPSHOT_NOT_FOUND where there is nothing of that name. Saves and loads of a store wait for
 * one another; so do drop and close for them.
 */

#define TARN_SNAPSHOT_NAME_BYTES_MAX 200

struct tarn_snapshot_info {
    size_t size;                      /* in: sizeof(struct tarn_snapshot_info) */
    struct tarn_slice name;           /* valid during the visit; else empty */
    struct tarn_slice namespace_name; /* likewise; empty: the whole store */
    uint64_t sequence;                /* of the cut: above that of every record in it */
    uint64_t clock_ns;                /* the wall clock then, nanoseconds since 1970: for people */
    uint32_t namespaces;
    uint64_t file_bytes;
    tarn_status status; /* in a list: of reading its head; not TARN_OK: the fields above are 0 */
    /* Of a save just done; 0 in a list. */
    uint64_t keys;
    uint64_t pause_ns; /* how long writers were held up for the cut */
    uint64_t write_ns; /* until the last byte was written */
    uint64_t sync_ns;  /* until it was durable */
};

/*
 * Saves a cut of the whole store, or of one namespace; a snapshot of the same name is replaced,
 * once the new one is durable. Reads and writes go on: writers are held up for the cut alone, by
 * far less than a millisecond. Memory grows meanwhile by what is overwritten, deleted or cleared.
 * info may be NULL. TARN_LOCK_TIMEOUT. TARN_OUTCOME_UNKNOWN: under the name is the new snapshot or
 * what was there before, whole.
 */
TARN_API tarn_status tarn_snapshot_save(tarn_store *store, struct tarn_slice name,
                                        struct tarn_snapshot_info *info);
TARN_API tarn_status tarn_snapshot_save_namespace(tarn_namespace *ns, struct tarn_slice name,
                                                  struct tarn_snapshot_info *info);

/*
 * Brings back all namespaces that the snapshot holds, as one cut. One that is there has its keys
 * replaced and keeps its options, whose limits hold: TARN_TOO_MANY_KEYS, TARN_FULL,
 * TARN_VALUE_TOO_LARGE; one that is not there is made with the options that it had:
 * TARN_TOO_MANY_NAMESPACES. Other namespaces stay as they are. The whole file is verified first:
 * TARN_CORRUPT, TARN_UNSUPPORTED_VERSION, with file and offset; then, as with every failure,
 * nothing has changed. Needs memory for both states until it is done. Pins and cursors keep what
 * they hold. What is loaded on TARN_ENGINE_MEMORY is in memory, like what is written: the next
 * opening finds what was saved after it. On TARN_ENGINE_LOG it is durable when it returns. A file
 * that was copied from another store's folder can be loaded by its name, too; openings look at the
 * store's own alone.
 */
TARN_API tarn_status tarn_snapshot_load(tarn_store *store, struct tarn_slice name);

/* The same for one of its namespaces, which becomes the namespace `as`; as is empty: it keeps its
 * name. TARN_NAMESPACE_NOT_FOUND: the snapshot does not hold it. */
TARN_API tarn_status tarn_snapshot_load_namespace(tarn_store *store, struct tarn_slice name,
                                                  struct tarn_slice namespace_name,
                                                  struct tarn_slice as);

/* Calls visit once for each snapshot, by falling sequence, until it returns false. Those whose head
 * cannot be read come last. visit may call tarn. */
TARN_API tarn_status tarn_snapshot_list(tarn_store *store,
                                        bool (*visit)(void *context,
                                                      const struct tarn_snapshot_info *info),
                                        void *context);

/* Deletes a snapshot. Durable when it returns TARN_OK. TARN_OUTCOME_UNKNOWN: it may come back after
 * a crash. */
TARN_API tarn_status tarn_snapshot_delete(tarn_store *store, struct tarn_slice name);

/* Reads a snapshot to its end and verifies every byte, without loading it. TARN_CORRUPT,
 * TARN_UNSUPPORTED_VERSION. */
TARN_API tarn_status tarn_snapshot_verify(tarn_store *store, struct tarn_slice name);

/* ------------------------------------------------------------------------------------------
 * Backup
 */

struct tarn_backup_options {
    size_t size; /* sizeof(struct tarn_backup_options) */

    /* Called now and then with how many bytes of keys and values are copied; false ends the call
     * with TARN_CANCELLED. It may read and write, but not close the store, nor save, load, copy or
     * drop anything in it. NULL: nobody asks. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

/*
 * Copies the whole store, as it is at one moment, into the folder `to`, which must not be there
 * (the folder around it must) or be empty, while readers and writers go on: they are held up as by
 * tarn_snapshot_save(), and memory grows as there. Works with every store, also one in memory and
 * one that is read_only. options may be NULL.
 *
 * What is made is a store like any other, durable when the call returns TARN_OK: with all
 * namespaces, records and sequences; with options and autosaves, of which those that run will run
 * in the copy once it is opened. What is on TARN_ENGINE_MEMORY is in its snapshot "backup"; other
 * snapshots are not copied. It has an identity of its own: store and copy go on independently.
 *
 * Until it is whole the folder has a file `unfinished`, and openings refuse it with
 * TARN_INVALID_ARGUMENT; so they do with what a crash has left. When the call fails the folder is
 * left empty; after TARN_IO with that file, and what could not be removed. Saves, loads, drops and
 * the close wait for it, and it for them.
 *
 * TARN_INVALID_ARGUMENT: `to` is not empty. TARN_CORRUPT: a record is damaged. TARN_CANCELLED,
 * TARN_IO, TARN_FULL, TARN_LOCK_TIMEOUT. TARN_OUTCOME_UNKNOWN: the copy is whole, but
 * `unfinished` may be there, now or after a crash.
 */
TARN_API tarn_status tarn_backup(tarn_store *store, const char *to,
                                 const struct tarn_backup_options *options);

/* ------------------------------------------------------------------------------------------
 * Autosave
 *
 * The store's own thread saves a namespace, or the whole store, again and again: the first time
 * after one interval. What is set, and whether it runs, is in the catalog and comes back at the
 * next opening. A save that fails is told as an event, counted in tarn_stats, and tried again after
 * the next interval. namespace_name is empty for the autosave of the whole store.
 */

struct tarn_autosave_options {
    size_t size;               /* sizeof(struct tarn_autosave_options) */
    uint64_t interval_ms;      /* from 100 to 31,622,400,000; default 300,000 */
    struct tarn_slice pattern; /* the snapshots' names, up to 200 bytes: {ts} becomes the time
                                  (UTC), as in 20261121T091500042, and {ns} the namespace's name, in
                                  which bytes other than letters, digits, '-', '_' and '.' are
                                  written as %2F. {ts} must be there, and {ns} in a namespace's
                                  pattern and nowhere else. Default: "{ns}-{ts}", or "store-{ts}" */
    uint32_t keep; /* how many of its snapshots remain: of those of this store and namespace whose
                      names fit the pattern. The others are deleted, the oldest first, once the
                      newest has been read back and is whole; default 3 */
    bool at_close; /* while it runs, tarn_close() saves as well: if that fails, so does the close */
};

/* Sets an autosave that runs or will be started; options NULL: it ends, and is forgotten.
 * TARN_NAMESPACE_NOT_FOUND, TARN_PERSISTENCE_NOT_ENABLED, as all of these. */
TARN_API tarn_status tarn_autosave_set(tarn_store *store, struct tarn_slice namespace_name,
                                       const struct tarn_autosave_options *options);

/* Starts one. TARN_AUTOSAVE_NOT_CONFIGURED, TARN_AUTOSAVE_EXISTS: it runs. */
TARN_API tarn_status tarn_autosave_start(tarn_store *store, struct tarn_slice namespace_name);

/* Starts all that are set and do not run. */
TARN_API tarn_status tarn_autosave_start_all(tarn_store *store);

/* Stops one; waits for a save that is under way. TARN_AUTOSAVE_NOT_RUNNING. With TARN_IO, TARN_FULL
 * or TARN_OUTCOME_UNKNOWN it is stopped, too, but the next opening may start it again. */
TARN_API tarn_status tarn_autosave_stop(tarn_store *store, struct tarn_slice namespace_name);

struct tarn_autosave_info {
    struct tarn_slice namespace_name;
    struct tarn_autosave_options options;
    bool running;
    uint64_t saves, failures; /* since the store was opened */
    tarn_status status;       /* of the last one */
    uint64_t sequence;        /* of the last one that did not fail; 0: there was none */
    uint64_t next_ms;         /* until the next one, if it runs */
};

/* Calls visit for each autosave that is set, the store's first, until it returns false. All of info
 * is valid during the visit, which may call tarn. */
TARN_API tarn_status tarn_autosave_list(tarn_store *store,
                                        bool (*visit)(void *context,
                                                      const struct tarn_autosave_info *info),
                                        void *context);

/* ------------------------------------------------------------------------------------------
 * Single operations
 *
 * A write can return, besides what is said at each: TARN_KEY_INVALID (no bytes),
 * TARN_KEY_TOO_LARGE, TARN_VALUE_TOO_LARGE, TARN_TOO_MANY_KEYS, TARN_FULL, TARN_LOCK_TIMEOUT. Then
 * nothing has changed. On TARN_ENGINE_LOG also, with nothing changed: TARN_CORRUPT (the record that
 * is there, or one that may be the key's, is damaged; the error tells file and offset), TARN_IO,
 * and TARN_READ_ONLY once a write or sync has failed, until the store is opened anew; and with
 * TARN_SYNC_ALWAYS TARN_OUTCOME_UNKNOWN or TARN_IO where the sync fails: then the write is visible,
 * outputs are untouched, and it may be lost when power is. Reads of every kind can return
 * TARN_CORRUPT there. old receives the value that the write replaced or removed; it is set to
 * length 0 where there was none.
 */

/* What is known of a record besides its key and value. */
struct tarn_record_info {
    uint64_t sequence; /* of the write that made it; later writes have higher ones */
    enum tarn_content content;
};

/* Stores a value, whether the key is there or not. existed tells whether it was. */
TARN_API tarn_status tarn_set(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice value,
                              struct tarn_buf *old, bool *existed);

/* Stores a value if the key is absent. TARN_KEY_EXISTS. */
TARN_API tarn_status tarn_insert(tarn_namespace *ns, struct tarn_slice key,
                                 struct tarn_slice value);

/* Stores a value if the key is present. TARN_KEY_NOT_FOUND. */
TARN_API tarn_status tarn_update(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice value,
                                 struct tarn_buf *old);

/* Stores a value if the key holds exactly the bytes of expected. TARN_KEY_NOT_FOUND,
 * TARN_CONDITION_FAILED. */
TARN_API tarn_status tarn_replace_if(tarn_namespace *ns, struct tarn_slice key,
                                     struct tarn_slice expected, struct tarn_slice value);

/* Stores a value if the key's record has this sequence, as tarn_get() told it. The new sequence is
 * not handed out: read it again. TARN_KEY_NOT_FOUND, TARN_CONDITION_FAILED. */
TARN_API tarn_status tarn_replace_if_sequence(tarn_namespace *ns, struct tarn_slice key,
                                              uint64_t sequence, struct tarn_slice value);

/* Copies the value. TARN_KEY_NOT_FOUND, TARN_KEY_INVALID, TARN_KEY_TOO_LARGE. */
TARN_API tarn_status tarn_get(tarn_namespace *ns, struct tarn_slice key, struct tarn_buf *value,
                              struct tarn_record_info *info);

/* A value that is read in place. It stays as it was, whatever is written to its key meanwhile.
 * Start from zero; what a pin still holds is lost if another value is pinned with it, and the store
 * can then not be closed any more. */
struct tarn_pin {
    struct tarn_slice value;
    struct tarn_record_info info;
    void *held[2]; /* the library's own */
};

/* Hands out the value without a copy; give it back with tarn_unpin(), from any thread. What the pin
 * keeps from being reused is the block of memory around its record. Errors as tarn_get(). */
TARN_API tarn_status tarn_get_pinned(tarn_namespace *ns, struct tarn_slice key,
                                     struct tarn_pin *pin);

/* Gives a pin back and zeroes it. A zeroed pin and NULL are allowed. */
TARN_API void tarn_unpin(struct tarn_pin *pin);

/* TARN_OK if the key is present, TARN_KEY_NOT_FOUND if not; TARN_KEY_INVALID, TARN_KEY_TOO_LARGE.
 */
TARN_API tarn_status tarn_exists(tarn_namespace *ns, struct tarn_slice key);

/* Removes a key. TARN_KEY_NOT_FOUND. */
TARN_API tarn_status tarn_delete(tarn_namespace *ns, struct tarn_slice key);

/* Removes a key and hands out its value, in one atomic step: of all callers exactly one has each
 * value. TARN_KEY_NOT_FOUND. */
TARN_API tarn_status tarn_consume(tarn_namespace *ns, struct tarn_slice key,
                                  struct tarn_buf *value);

/*
 * Adds delta to a counter, which begins at 0 if the key is absent, and hands out the sum. The
 * record's content is TARN_CONTENT_COUNTER. TARN_NOT_A_COUNTER: the record was made by another
 * write than this one. TARN_COUNTER_OVERFLOW.
 */
TARN_API tarn_status tarn_increment(tarn_namespace *ns, struct tarn_slice key, int64_t delta,
                                    int64_t *sum);

/* ------------------------------------------------------------------------------------------
 * Many keys at once
 */

enum tarn_mode {
    TARN_BEST_EFFORT =
        0, /* each operation for itself, in order; those that fail do not stop the others */
    TARN_ALL_OR_NOTHING = 1, /* all of them at one moment, or none */
};

/* What became of one operation of many. */
struct tarn_result {
    tarn_status status;
    bool existed;                 /* whether the key was there before, also where it failed */
    struct tarn_record_info info; /* of the record that was read, replaced or removed */
    struct tarn_slice value;      /* its value: in the buffer that the call filled */
    int64_t sum;                  /* of an increment */
};

/*
 * Reads count keys. results: an array of count. values receives all values, and the results' slices
 * point into it: they are valid until it is changed. Both may be NULL.
 *
 * TARN_BEST_EFFORT: returns TARN_OK if every key was found or absent (see each result's status),
 * else the first other status; results and values are filled in all the same. Much faster than
 * count calls of tarn_get().
 *
 * TARN_ALL_OR_NOTHING: everything is read at one moment, between two writes or batches. If a key is
 * absent the call returns TARN_KEY_NOT_FOUND; then every result's status tells which of them are
 * there at that moment, and values is untouched. If a key is not valid nothing is read: its result
 * has its status, which is returned, and the others mean nothing. Takes no lock unless writers keep
 * changing these keys; then TARN_LOCK_TIMEOUT is possible.
 */
TARN_API tarn_status tarn_get_many(tarn_namespace *ns, enum tarn_mode mode,
                                   const struct tarn_slice *keys, size_t count,
                                   struct tarn_result *results, struct tarn_buf *values);

/* Operations that are built once and may be committed many times, also by several threads at once.
 */
typedef struct tarn_batch tarn_batch;

TARN_API tarn_status tarn_batch_create(tarn_batch **batch);

/* NULL is allowed. */
TARN_API void tarn_batch_free(tarn_batch *batch);

/* Takes all operations out and keeps the memory for the next ones. */
TARN_API void tarn_batch_clear(tarn_batch *batch);

TARN_API size_t tarn_batch_count(const tarn_batch *batch);

/*
 * Add one operation, which does what the single operation of that name does. Key and values are
 * copied. TARN_KEY_INVALID, TARN_KEY_TOO_LARGE, TARN_VALUE_TOO_LARGE; TARN_BATCH_TOO_LARGE beyond
 * TARN_BATCH_BYTES_MAX of keys and values or 2^24 operations. The batch is then as before. The
 * limits of a namespace are checked when it is committed.
 */
TARN_API tarn_status tarn_batch_set(tarn_batch *batch, struct tarn_slice key,
                                    struct tarn_slice value);
TARN_API tarn_status tarn_batch_insert(tarn_batch *batch, struct tarn_slice key,
                                       struct tarn_slice value);
TARN_API tarn_status tarn_batch_update(tarn_batch *batch, struct tarn_slice key,
                                       struct tarn_slice value);
TARN_API tarn_status tarn_batch_replace_if(tarn_batch *batch, struct tarn_slice key,
                                           struct tarn_slice expected, struct tarn_slice value);
TARN_API tarn_status tarn_batch_replace_if_sequence(tarn_batch *batch, struct tarn_slice key,
                                                    uint64_t sequence, struct tarn_slice value);
TARN_API tarn_status tarn_batch_get(tarn_batch *batch, struct tarn_slice key);
TARN_API tarn_status tarn_batch_delete(tarn_batch *batch, struct tarn_slice key);
TARN_API tarn_status tarn_batch_consume(tarn_batch *batch, struct tarn_slice key);
TARN_API tarn_status tarn_batch_increment(tarn_batch *batch, struct tarn_slice key, int64_t delta);

/* What became of a batch as a whole. */
struct tarn_batch_summary {
    size_t processed;    /* operations that were applied */
    size_t failed;       /* operations whose status is not TARN_OK */
    size_t first_failed; /* index of the first of them; meaningless where failed is 0 */
    uint64_t duration_ns;
};

/*
 * Runs the operations in their order; one sees what those before it did, also to the same key.
 * The statuses are those of the single operations.
 *
 * results: an array of tarn_batch_count(), or NULL. values receives the values that get, set,
 * update and consume hand back, for the results' slices to point into; NULL where they are not
 * wanted. results and summary are filled in on failure, too, except on TARN_INVALID_ARGUMENT.
 *
 * TARN_ALL_OR_NOTHING: everything is checked before anything is changed, and readers see the batch
 * whole or not at all. If an operation fails, its status is returned and nothing has changed:
 * processed is 0, failed is 1, its result has its status; the others say TARN_OK and mean nothing;
 * values is untouched. The same for TARN_LOCK_TIMEOUT, TARN_NO_MEMORY and
 * TARN_FULL (of the store) with failed being 0: it is the fault of none of the operations. All
 * writes of the batch have one sequence.
 *
 * TARN_BEST_EFFORT: returns TARN_OK also if operations failed: look at summary->failed or at the
 * results, one of which should be asked for. Each operation is applied for itself, and has a
 * sequence of its own.
 */
TARN_API tarn_status tarn_batch_commit(tarn_namespace *ns, const tarn_batch *batch,
                                       enum tarn_mode mode, struct tarn_result *results,
                                       struct tarn_buf *values, struct tarn_batch_summary *summary);

/* ------------------------------------------------------------------------------------------
 * Asynchronous writes
 *
 * Each of these does at once what the call of its name without "_async" does: when it returns
 * TARN_OK the write is visible, the outputs are set, and on TARN_ENGINE_LOG it is in the log. It
 * waits for no sync. `done` is called when the write is durable: on a log that is after a sync, in
 * every sync mode, which many writes share; on TARN_ENGINE_MEMORY it is at once. Whatever else a
 * call returns: nothing has changed, and done is not called.
 *
 *     tarn_events_descriptor()    once: a descriptor for the program's own loop
 *     tarn_set_async() ...        from any thread
 *     the loop                    finds the descriptor readable
 *     tarn_events_dispatch()      calls done, for each write once
 *
 * done is called in tarn_events_dispatch() or tarn_close() and nowhere else, in the thread that
 * calls these, with no lock held. It may call tarn, also to write and to drop namespaces, but
 * tarn_close() and tarn_events_dispatch(), which return TARN_BUSY there. Its status is TARN_OK, or
 * TARN_OUTCOME_UNKNOWN where a sync has failed: the write is visible, and may be lost when power
 * is. What a clear, a load or a drop takes away is durable when that is.
 *
 * Callbacks of one namespace come in the order of its writes: that of a call which had returned
 * before another one began comes first; after tarn_sync() those of all writes before it are there
 * to be dispatched. There is no bound on how many are outstanding: each takes about 50 bytes, and a
 * program that writes faster than its disk has to count them.
 *
 * With TARN_SYNC_NONE a write to a log is a copy to mapped memory; with TARN_SYNC_ALWAYS it is a
 * call of the system as well. Both wait where a file of the log is full before the store's thread
 * has the next one ready, as when more than segment_bytes are written during one sync.
 *
 * TARN_NO_MEMORY is also where the store's thread cannot be started.
 */

/* What is called when a write is durable, or is known not to be. */
typedef void (*tarn_done)(void *context, tarn_status status);

TARN_API tarn_status tarn_set_async(tarn_namespace *ns, struct tarn_slice key,
                                    struct tarn_slice value, tarn_done done, void *context,
                                    struct tarn_buf *old, bool *existed);

TARN_API tarn_status tarn_delete_async(tarn_namespace *ns, struct tarn_slice key, tarn_done done,
                                       void *context);

/* For every other write as well: a batch of one. done is called once for all of it. With
 * TARN_BEST_EFFORT TARN_CLOSED and TARN_NAMESPACE_DROPPED can come when some operations were
 * applied: the results tell. The batch may be freed or changed when this returns. */
TARN_API tarn_status tarn_batch_commit_async(tarn_namespace *ns, const tarn_batch *batch,
                                             enum tarn_mode mode, tarn_done done, void *context,
                                             struct tarn_result *results, struct tarn_buf *values,
                                             struct tarn_batch_summary *summary);

/* Writes nothing: done is called when all that was written to the namespace before is durable. */
TARN_API tarn_status tarn_sync_async(tarn_namespace *ns, tarn_done done, void *context);

/* A descriptor that poll(), epoll and their like find readable while there is something to
 * dispatch. It is the store's, is made at the first call, and is closed by tarn_close(): take it
 * out of the loop before. Not to be read, written or closed by anybody else, a forked child
 * included. TARN_IO: there are too many descriptors. Waits for nothing. */
TARN_API tarn_status tarn_events_descriptor(tarn_store *store, int *descriptor);

/*
 * Calls done for the writes that are durable now, at most count_max of them (0: all), and returns;
 * those that become so meanwhile are for the next call. dispatched tells how many there were.
 * Waits for nothing but another thread that is dispatching: one does at a time, so that the order
 * is kept. TARN_BUSY: this is in a callback.
 */
TARN_API tarn_status tarn_events_dispatch(tarn_store *store, size_t count_max, size_t *dispatched);

/* ------------------------------------------------------------------------------------------
 * Cursors
 *
 * A cursor walks the keys in the order of their hashes, while readers and writers go on and the
 * index grows. A key that is there from beginning to end is returned exactly once; one that comes
 * or goes meanwhile, at most once for each time that it was set. A record is as it was when the
 * cursor came to its neighbourhood; it may have been changed or deleted since.
 */

typedef struct tarn_cursor tarn_cursor;

struct tarn_cursor_options {
    size_t size;              /* sizeof(struct tarn_cursor_options) */
    struct tarn_slice prefix; /* only keys that begin with it. It is found by looking at every key:
                                 the order of hashes has no ranges. Copied. */
    uint64_t
        position; /* where to go on: what tarn_cursor_position() returned; 0: from the beginning */
};

/* options may be NULL. TARN_KEY_TOO_LARGE: the prefix is longer than a key may be. */
TARN_API tarn_status tarn_cursor_open(tarn_namespace *ns, const struct tarn_cursor_options *options,
                                      tarn_cursor **cursor);

/* Hands out the next record; the slices are valid until the next call with this cursor.
 * TARN_CURSOR_END. */
TARN_API tarn_status tarn_cursor_next(tarn_cursor *cursor, struct tarn_slice *key,
                                      struct tarn_slice *value, struct tarn_record_info *info);

/* Where a cursor that is opened later goes on so that it returns the keys that this one has not
 * returned yet. UINT64_MAX once the end was reached. */
TARN_API uint64_t tarn_cursor_position(const tarn_cursor *cursor);

/* NULL is allowed. */
TARN_API void tarn_cursor_close(tarn_cursor *cursor);

/* ------------------------------------------------------------------------------------------
 * Damage
 *
 * For stores in a directory that nobody has open for writing. Both calls read every byte, tell of
 * each fault, and go on behind it. They change nothing in the folder that they read: what a crash
 * has left stays as well.
 */

/*
 * What is wrong at one place, or worth knowing. All of it is valid during the call.
 *
 * TARN_CORRUPT: what is stored there has changed, or is missing. TARN_UNSUPPORTED_VERSION: a newer
 * version wrote it. TARN_IO: the operating system could not read it. TARN_OK: this is no fault, but
 * a note: where a crash has cut a log (opening discards what is behind, none of which was known to
 * be durable), or what it has left (opening removes it); from a salvage also what was done about a
 * fault.
 */
struct tarn_fault {
    tarn_status status;
    uint64_t offset;                  /* in the file; 0 where it is about the file as a whole */
    const char *path;                 /* of the file or folder */
    const char *message;              /* a sentence with the detail, as in struct tarn_error */
    struct tarn_slice namespace_name; /* empty: not known, or more than one */
    struct tarn_slice key; /* what seems to have been the key of a record that is damaged:
                              it is not verified; empty: it cannot be told */
};

/* Called in the thread that called; may call tarn, but not on the same folder. */
struct tarn_check_options {
    size_t size; /* sizeof(struct tarn_check_options) */
    void (*fault)(void *context, const struct tarn_fault *fault); /* NULL: they are only counted */
    /* Called about once a MiB; false ends the call with TARN_CANCELLED. NULL: nobody asks. */
    bool (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *context; /* of both */
};

struct tarn_check_summary {
    size_t size;              /* in: sizeof(struct tarn_check_summary) */
    uint64_t files;           /* that belong to the store and were read */
    uint64_t bytes;           /* of these */
    uint64_t records;         /* whole ones: puts and deletes of logs, records of snapshots; old and
                                 new */
    uint64_t faults;          /* told with another status than TARN_OK */
    uint64_t cuts;            /* logs that a crash has cut, */
    uint64_t discarded_bytes; /* and bytes of whole writes behind these places */
    uint64_t keys;            /* of a salvage: in the logs of the new store; else 0 */
};

/*
 * Verifies a store: its catalog, every snapshot, and every log with all of its files. options may
 * be NULL. summary may be NULL; it is filled in also with TARN_CORRUPT and TARN_CANCELLED.
 *
 * TARN_OK: all of it is whole, and can be opened. TARN_CORRUPT: there were faults. TARN_IO: there
 * is no store, or no permission to read it; TARN_STORE_LOCKED: it is open elsewhere for writing.
 * Shares the lock with whoever reads, and keeps writers out until it returns. Blocks for as long as
 * it takes to read everything; needs a few MiB of memory, or as much as the largest record has. Any
 * thread may call it.
 */
TARN_API tarn_status tarn_check(const char *dir, const struct tarn_check_options *options,
                                struct tarn_check_summary *summary);

/*
 * Makes a new store out of all that is whole in a damaged one. `to` is not there (the folder around
 * it is) or an empty folder: else TARN_INVALID_ARGUMENT. It must not lie inside of `from`.
 *
 *   - A log: every whole record that is found, also behind damage and in damaged batches; the one
 *     with the highest sequence of each key, unless a whole delete has a higher one. Where the
 *     record or the delete that was the last is lost, the one before it comes back: the fault tells
 *     where. What a crash has cut off stays off.
 *   - Namespaces keep name, options, autosaves and the sequences of their records. A log of which
 *     the catalog says nothing any more becomes the namespace "salvaged-NUMBER", by its folder's
 *     number.
 *   - Snapshots are copied. Of a damaged one a copy under "salvaged-NAME" has what is whole. A
 *     namespace in memory is what the newest whole snapshot says, or such a copy where there is no
 *     whole one that may hold it; otherwise the copy is only for tarn_snapshot_load(). Where its
 *     file's identity or the name of a namespace is damaged, the records under it are lost.
 *
 * options may be NULL. summary may be NULL, and is filled in as by tarn_check(). Both the faults of
 * `from` and notes on what became of them are told.
 *
 * TARN_OK: nothing was damaged, and all of it is in `to`. TARN_CORRUPT with faults in the summary:
 * there was damage, and all else is in `to`, durable. With any other status `to` holds an empty
 * store, or none, and is to be removed: TARN_STORE_LOCKED, TARN_IO, TARN_FULL, TARN_NO_MEMORY,
 * TARN_CANCELLED; with TARN_OUTCOME_UNKNOWN perhaps all. Needs room on the disk as `from` has, and
 * memory as opening it: for the index of one log at a time. Blocks until it is done.
 */
TARN_API tarn_status tarn_salvage(const char *from, const char *to,
                                  const struct tarn_check_options *options,
                                  struct tarn_check_summary *summary);

#ifdef __cplusplus
}
#endif

#endif
