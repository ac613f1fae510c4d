/*
 * LevelDB behind the benchmark's interface, through its C API, which hands a value out in memory of
 * its own.
 */
#include "peer.h"

#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>

enum { CACHE_BYTES = 256 << 20, WRITE_BUFFER_BYTES = 64 << 20, FILTER_BITS_PER_KEY = 10 };

struct store {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_readoptions_t *reading;
    leveldb_writeoptions_t *writing;
};

struct session {
    const struct store *store;
    leveldb_writebatch_t *batch;
    char *value; /* the last that was read */
};

/* Frees the error. */
static enum peer_status status_of(char *error)
{
    if (error == NULL) {
        return PEER_OK;
    }
    fprintf(stderr, "LevelDB: %s\n", error);
    leveldb_free(error);
    return PEER_FAILED;
}

static const char *version(void)
{
    static char text[16];
    (void)snprintf(text, sizeof text, "%d.%d", leveldb_major_version(), leveldb_minor_version());
    return text;
}

static void store_close(void *context)
{
    struct store *store = context;
    if (store->db != NULL) {
        leveldb_close(store->db);
    }
    leveldb_writeoptions_destroy(store->writing);
    leveldb_readoptions_destroy(store->reading);
    leveldb_options_destroy(store->options);
    leveldb_filterpolicy_destroy(store->filter);
    leveldb_cache_destroy(store->cache);
    free(store);
}

static void *store_open(const struct peer_setup *setup)
{
    char *error = NULL;
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->cache = leveldb_cache_create_lru(CACHE_BYTES);
    store->filter = leveldb_filterpolicy_create_bloom(FILTER_BITS_PER_KEY);
    store->reading = leveldb_readoptions_create();
    store->writing = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(store->writing, setup->durable);
    store->options = leveldb_options_create();
    leveldb_options_set_create_if_missing(store->options, 1);
    leveldb_options_set_cache(store->options, store->cache);
    leveldb_options_set_filter_policy(store->options, store->filter);
    leveldb_options_set_write_buffer_size(store->options, WRITE_BUFFER_BYTES);
    leveldb_options_set_compression(store->options, leveldb_no_compression);
    store->db = leveldb_open(store->options, setup->folder, &error);
    if (status_of(error) != PEER_OK) {
        store_close(store);
        return NULL;
    }
    return store;
}

static void session_close(void *context)
{
    struct session *session = context;
    leveldb_writebatch_destroy(session->batch);
    leveldb_free(session->value);
    free(session);
}

static void *session_open(void *context)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->store = context;
    session->batch = leveldb_writebatch_create();
    return session;
}

static enum peer_status get(void *context, const peer_key key, struct peer_bytes *value)
{
    struct session *session = context;
    char *error = NULL;
    leveldb_free(session->value);
    session->value = leveldb_get(session->store->db, session->store->reading, (const char *)key,
                                 WORKLOAD_KEY_BYTES, &value->length, &error);
    value->data = session->value;
    return error == NULL && session->value == NULL ? PEER_ABSENT : status_of(error);
}

static enum peer_status set(void *context, const peer_key key, struct peer_bytes value)
{
    const struct session *session = context;
    char *error = NULL;
    leveldb_put(session->store->db, session->store->writing, (const char *)key, WORKLOAD_KEY_BYTES,
                value.data, value.length, &error);
    return status_of(error);
}

/* Does not tell whether the key was there. */
static enum peer_status remove_key(void *context, const peer_key key)
{
    const struct session *session = context;
    char *error = NULL;
    leveldb_delete(session->store->db, session->store->writing, (const char *)key,
                   WORKLOAD_KEY_BYTES, &error);
    return status_of(error);
}

static enum peer_status set_many(void *context, const peer_key *keys,
                                 const struct peer_bytes *values, size_t count)
{
    const struct session *session = context;
    char *error = NULL;
    leveldb_writebatch_clear(session->batch);
    for (size_t i = 0; i < count; i++) {
        leveldb_writebatch_put(session->batch, (const char *)keys[i], WORKLOAD_KEY_BYTES,
                               values[i].data, values[i].length);
    }
    leveldb_write(session->store->db, session->store->writing, session->batch, &error);
    return status_of(error);
}

const struct peer peer_leveldb = {
    .name = "LevelDB",
    .version = version,
    .settings = "block cache of 256 MiB, bloom filters of 10 bits, write buffer of 64 MiB, no "
                "compression; durable: sync",
    .open = store_open,
    .close = store_close,
    .session_open = session_open,
    .session_close = session_close,
    .get = get,
    .set = set,
    .remove = remove_key,
    .set_many = set_many,
};
