/*
 * What the benchmark asks of a store, so that the same loops drive tarn and its peers, in memory
 * and on disk. Each call costs every store the same one indirect call.
 *
 * A session is what one thread keeps for its calls: the buffers that it reuses. A value that was
 * read has been copied into a buffer of the session, and is valid until the session's next call.
 * Sessions of one store may be used by several threads at once, one session by one thread at a
 * time. All sessions are closed before their store.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workload.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PEER_GROUP_MAX = 64 }; /* keys of one get_many and one set_many */

enum peer_status {
    PEER_OK = 0,
    PEER_ABSENT = 1, /* the key is not there */
    PEER_FAILED = 2, /* anything else */
};

struct peer_bytes {
    const void *data;
    size_t length;
};

typedef uint8_t peer_key[WORKLOAD_KEY_BYTES];

/* Where and how a store is opened. */
struct peer_setup {
    size_t keys_expected; /* how many it is going to hold; a store that takes a hint is given it */
    const char *folder;   /* of its own: empty, or what the store left there; NULL: in memory */
    bool durable; /* on disk: what returns is durable; else it is when the system likes. In either
                     case nothing is lost where the process alone dies */
};

struct peer {
    const char *name;
    const char *(*version)(void);
    const char *settings; /* on disk: what was chosen beside the defaults, for people */

    /* The store that is there, or an empty one; NULL on failure. */
    void *(*open)(const struct peer_setup *setup);
    void (*close)(void *store);

    /* NULL on failure. */
    void *(*session_open)(void *store);
    void (*session_close)(void *session);

    enum peer_status (*get)(void *session, const peer_key key, struct peer_bytes *value);
    /* Stores, whether the key is there or not. */
    enum peer_status (*set)(void *session, const peer_key key, struct peer_bytes value);
    enum peer_status (*remove)(void *session, const peer_key key);

    /* Writes up to PEER_GROUP_MAX keys with these values, all of them or none. NULL for peers in
     * memory. */
    enum peer_status (*set_many)(void *session, const peer_key *keys,
                                 const struct peer_bytes *values, size_t count);

    /* What only tarn is asked for; NULL for the others. */

    /* Reads up to PEER_GROUP_MAX keys at once. PEER_ABSENT if one of them is absent. */
    enum peer_status (*get_many)(void *session, const peer_key *keys, size_t count,
                                 struct peer_bytes *values);
    /* The memory that the store says it has taken, in bytes; UINT64_MAX on failure. */
    uint64_t (*memory_bytes)(void *store);
    /* Adds so many empty namespaces. */
    enum peer_status (*add_namespaces)(void *store, size_t count);
    /* Of a store on disk, in bytes: the index in memory, and what records take in the log;
     * UINT64_MAX on failure. */
    uint64_t (*index_bytes)(void *store);
    uint64_t (*log_bytes)(void *store);
};

extern const struct peer peer_tarn; /* in memory, and on disk */

/* In memory. */
extern const struct peer peer_tkrzw;
extern const struct peer peer_unordered_map;

/* On disk; disk_field.c knows which of them this build has. */
extern const struct peer peer_hashdbm;
extern const struct peer peer_leveldb;
extern const struct peer peer_lmdb;
extern const struct peer peer_rocksdb;
extern const struct peer peer_sqlite;

#ifdef __cplusplus
}
#endif

#endif
