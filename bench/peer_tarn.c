/*
 * tarn behind the benchmark's interface: one store with one namespace, in memory or in a log in a
 * folder, otherwise with default options.
 */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tarn.h"

struct store {
    tarn_store *tarn;
    tarn_namespace *ns;
};

struct session {
    tarn_namespace *ns;
    struct tarn_buf value;
    struct tarn_slice keys[PEER_GROUP_MAX]; /* of a get_many */
    struct tarn_result results[PEER_GROUP_MAX];
    tarn_batch *batch;
};

static enum peer_status status_of(tarn_status status)
{
    if (status == TARN_OK) {
        return PEER_OK;
    }
    if (status == TARN_KEY_NOT_FOUND) {
        return PEER_ABSENT;
    }
    fprintf(stderr, "tarn: %s: %s\n", tarn_status_name(status), tarn_last_error()->message);
    return PEER_FAILED;
}

static struct tarn_slice slice_of_key(const peer_key key)
{
    return tarn_slice_of(key, WORKLOAD_KEY_BYTES);
}

static struct tarn_slice slice_of(struct peer_bytes bytes)
{
    return tarn_slice_of(bytes.data, bytes.length);
}

static void store_close(void *context)
{
    struct store *store = context;
    tarn_namespace_close(store->ns);
    (void)status_of(tarn_close(store->tarn)); /* no pin is held; it says so if one is */
    free(store);
}

/* The namespace that is there, with the sync mode that it is to have, or a new one. */
static tarn_status open_namespace(struct store *store, const struct peer_setup *setup)
{
    const struct tarn_slice name = tarn_slice_of("bench", 5);
    const struct tarn_namespace_options options = {
        .size = sizeof options,
        .engine = setup->folder == NULL ? TARN_ENGINE_MEMORY : TARN_ENGINE_LOG,
        .sync = setup->durable ? TARN_SYNC_ALWAYS : TARN_SYNC_NONE,
    };
    const tarn_status status = tarn_namespace_open(store->tarn, name, &store->ns);
    if (status == TARN_NAMESPACE_NOT_FOUND) {
        return tarn_namespace_create(store->tarn, name, &options, &store->ns);
    }
    return status;
}

/* Takes no hint of the number of keys: it grows. */
static void *store_open(const struct peer_setup *setup)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    if (status_of(tarn_open(setup->folder, NULL, &store->tarn)) != PEER_OK ||
        status_of(open_namespace(store, setup)) != PEER_OK) {
        store_close(store);
        return NULL;
    }
    return store;
}

static void session_close(void *context)
{
    struct session *session = context;
    tarn_batch_free(session->batch);
    tarn_buf_release(&session->value);
    free(session);
}

static void *session_open(void *context)
{
    struct store *store = context;
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->ns = store->ns;
    if (status_of(tarn_batch_create(&session->batch)) != PEER_OK) {
        session_close(session);
        return NULL;
    }
    return session;
}

static enum peer_status get(void *context, const peer_key key, struct peer_bytes *value)
{
    struct session *session = context;
    const tarn_status status = tarn_get(session->ns, slice_of_key(key), &session->value, NULL);
    value->data = session->value.data;
    value->length = session->value.length;
    return status == TARN_OK ? PEER_OK : status_of(status);
}

static enum peer_status set(void *context, const peer_key key, struct peer_bytes value)
{
    struct session *session = context;
    const tarn_status status =
        tarn_set(session->ns, slice_of_key(key), slice_of(value), NULL, NULL);
    return status == TARN_OK ? PEER_OK : status_of(status);
}

static enum peer_status remove_key(void *context, const peer_key key)
{
    struct session *session = context;
    const tarn_status status = tarn_delete(session->ns, slice_of_key(key));
    return status == TARN_OK ? PEER_OK : status_of(status);
}

static enum peer_status get_many(void *context, const peer_key *keys, size_t count,
                                 struct peer_bytes *values)
{
    struct session *session = context;
    for (size_t i = 0; i < count; i++) {
        session->keys[i] = slice_of_key(keys[i]);
    }
    const tarn_status status = tarn_get_many(session->ns, TARN_BEST_EFFORT, session->keys, count,
                                             session->results, &session->value);
    if (status != TARN_OK) {
        return status_of(status);
    }
    for (size_t i = 0; i < count; i++) {
        if (session->results[i].status != TARN_OK) {
            return status_of(session->results[i].status);
        }
        values[i].data = session->results[i].value.data;
        values[i].length = session->results[i].value.length;
    }
    return PEER_OK;
}

static enum peer_status set_many(void *context, const peer_key *keys,
                                 const struct peer_bytes *values, size_t count)
{
    struct session *session = context;
    tarn_batch_clear(session->batch);
    for (size_t i = 0; i < count; i++) {
        const tarn_status status =
            tarn_batch_set(session->batch, slice_of_key(keys[i]), slice_of(values[i]));
        if (status != TARN_OK) {
            return status_of(status);
        }
    }
    return status_of(
        tarn_batch_commit(session->ns, session->batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
}

static bool read_stats(const struct store *store, struct tarn_stats *stats)
{
    *stats = (struct tarn_stats){.size = sizeof *stats};
    return status_of(tarn_namespace_stats(store->ns, stats, NULL, 0)) == PEER_OK;
}

static uint64_t memory_bytes(void *context)
{
    struct tarn_stats stats;
    return read_stats(context, &stats) ? stats.memory_bytes : UINT64_MAX;
}

static uint64_t index_bytes(void *context)
{
    struct tarn_stats stats;
    return read_stats(context, &stats) ? stats.index_bytes : UINT64_MAX;
}

static uint64_t log_bytes(void *context)
{
    struct tarn_stats stats;
    return read_stats(context, &stats) ? stats.log_bytes : UINT64_MAX;
}

static enum peer_status add_namespaces(void *context, size_t count)
{
    struct store *store = context;
    for (size_t i = 0; i < count; i++) {
        char name[32];
        const int length = snprintf(name, sizeof name, "namespace-%zu", i);
        tarn_namespace *ns = NULL;
        const tarn_status status =
            tarn_namespace_create(store->tarn, tarn_slice_of(name, (size_t)length), NULL, &ns);
        if (status != TARN_OK) {
            return status_of(status);
        }
        tarn_namespace_close(ns);
    }
    return PEER_OK;
}

const struct peer peer_tarn = {
    .name = "tarn",
    .version = tarn_version,
    .settings = "log engine, sync none; durable: sync always",
    .open = store_open,
    .close = store_close,
    .session_open = session_open,
    .session_close = session_close,
    .get = get,
    .set = set,
    .remove = remove_key,
    .set_many = set_many,
    .get_many = get_many,
    .memory_bytes = memory_bytes,
    .add_namespaces = add_namespaces,
    .index_bytes = index_bytes,
    .log_bytes = log_bytes,
};
