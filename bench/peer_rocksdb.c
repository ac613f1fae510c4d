/*
 * RocksDB behind the benchmark's interface, through its C API, with the options that the library
 * itself sets for point lookups and those of its page on setting up ("Setup Options and Basic
 * Tuning").
 */
#include "peer.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_MIB = 256, BACKGROUND_THREADS = 2, BYTES_PER_SYNC = 1 << 20 };

struct store {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_readoptions_t *reading;
    rocksdb_writeoptions_t *writing;
};

struct session {
    const struct store *store;
    rocksdb_writebatch_t *batch;
    uint8_t value[WORKLOAD_VALUE_BYTES_MAX];
};

/* Frees the error. */
static enum peer_status status_of(char *error)
{
    if (error == NULL) {
        return PEER_OK;
    }
    fprintf(stderr, "RocksDB: %s\n", error);
    rocksdb_free(error);
    return PEER_FAILED;
}

static const char *version(void)
{
    return BENCH_ROCKSDB_VERSION;
}

static void store_close(void *context)
{
    struct store *store = context;
    if (store->db != NULL) {
        rocksdb_close(store->db);
    }
    rocksdb_writeoptions_destroy(store->writing);
    rocksdb_readoptions_destroy(store->reading);
    rocksdb_options_destroy(store->options);
    free(store);
}

static rocksdb_options_t *make_options(void)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_increase_parallelism(options, BACKGROUND_THREADS);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_bytes_per_sync(options, BYTES_PER_SYNC);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_optimize_for_point_lookup(options, CACHE_MIB);
    return options;
}

static void *store_open(const struct peer_setup *setup)
{
    char *error = NULL;
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->options = make_options();
    store->reading = rocksdb_readoptions_create();
    store->writing = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(store->writing, setup->durable);
    store->db = rocksdb_open(store->options, setup->folder, &error);
    if (status_of(error) != PEER_OK) {
        store_close(store);
        return NULL;
    }
    return store;
}

static void session_close(void *context)
{
    struct session *session = context;
    rocksdb_writebatch_destroy(session->batch);
    free(session);
}

static void *session_open(void *context)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->store = context;
    session->batch = rocksdb_writebatch_create();
    return session;
}

static enum peer_status get(void *context, const peer_key key, struct peer_bytes *value)
{
    struct session *session = context;
    char *error = NULL;
    rocksdb_pinnableslice_t *pinned = rocksdb_get_pinned(
        session->store->db, session->store->reading, (const char *)key, WORKLOAD_KEY_BYTES, &error);
    if (pinned == NULL) {
        return error == NULL ? PEER_ABSENT : status_of(error);
    }
    const char *data = rocksdb_pinnableslice_value(pinned, &value->length);
    if (value->length <= sizeof session->value) {
        memcpy(session->value, data, value->length);
    }
    value->data = session->value;
    rocksdb_pinnableslice_destroy(pinned);
    return PEER_OK;
}

static enum peer_status set(void *context, const peer_key key, struct peer_bytes value)
{
    const struct session *session = context;
    char *error = NULL;
    rocksdb_put(session->store->db, session->store->writing, (const char *)key, WORKLOAD_KEY_BYTES,
                value.data, value.length, &error);
    return status_of(error);
}

/* Does not tell whether the key was there. */
static enum peer_status remove_key(void *context, const peer_key key)
{
    const struct session *session = context;
    char *error = NULL;
    rocksdb_delete(session->store->db, session->store->writing, (const char *)key,
                   WORKLOAD_KEY_BYTES, &error);
    return status_of(error);
}

static enum peer_status set_many(void *context, const peer_key *keys,
                                 const struct peer_bytes *values, size_t count)
{
    const struct session *session = context;
    char *error = NULL;
    rocksdb_writebatch_clear(session->batch);
    for (size_t i = 0; i < count; i++) {
        rocksdb_writebatch_put(session->batch, (const char *)keys[i], WORKLOAD_KEY_BYTES,
                               values[i].data, values[i].length);
    }
    rocksdb_write(session->store->db, session->store->writing, session->batch, &error);
    return status_of(error);
}

const struct peer peer_rocksdb = {
    .name = "RocksDB",
    .version = version,
    .settings = "OptimizeForPointLookup of 256 MiB, IncreaseParallelism of 2, dynamic level bytes, "
                "bytes per sync of 1 MiB, no compression; durable: sync",
    .open = store_open,
    .close = store_close,
    .session_open = session_open,
    .session_close = session_close,
    .get = get,
    .set = set,
    .remove = remove_key,
    .set_many = set_many,
};
