/*
 * LMDB behind the benchmark's interface: one unnamed database, a transaction for each write and, as
 * its documentation advises, one read transaction for each session that is reset and renewed.
 */
#include "peer.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the file may grow to: more than any number of keys here takes, with room for the pages that
 * a commit leaves to later ones. */
enum { MAP_BYTES_LEAST = 1 << 30, MAP_BYTES_PER_KEY = 1024 };

struct store {
    MDB_env *env;
    MDB_dbi records;
};

struct session {
    struct store *store;
    MDB_txn *reader; /* reset between reads */
    uint8_t value[WORKLOAD_VALUE_BYTES_MAX];
};

static enum peer_status status_of(int code)
{
    if (code == MDB_SUCCESS) {
        return PEER_OK;
    }
    if (code == MDB_NOTFOUND) {
        return PEER_ABSENT;
    }
    fprintf(stderr, "LMDB: %s\n", mdb_strerror(code));
    return PEER_FAILED;
}

static const char *version(void)
{
    static char text[32];
    int major = 0;
    int minor = 0;
    int patch = 0;
    (void)mdb_version(&major, &minor, &patch); /* its text has a date, too */
    (void)snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}

static void store_close(void *context)
{
    struct store *store = context;
    mdb_env_close(store->env);
    free(store);
}

static int open_records(struct store *store)
{
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != MDB_SUCCESS) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, 0, &store->records);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static void *store_open(const struct peer_setup *setup)
{
    const unsigned flags = MDB_NOTLS | (setup->durable ? 0 : MDB_WRITEMAP | MDB_MAPASYNC);
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    int code = mdb_env_create(&store->env);
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_mapsize(store->env,
                                   MAP_BYTES_LEAST + setup->keys_expected * MAP_BYTES_PER_KEY);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_open(store->env, setup->folder, flags, 0600);
    }
    if (code == MDB_SUCCESS) {
        code = open_records(store);
    }
    if (status_of(code) != PEER_OK) {
        store_close(store);
        return NULL;
    }
    return store;
}

static void session_close(void *context)
{
    struct session *session = context;
    mdb_txn_abort(session->reader);
    free(session);
}

static void *session_open(void *context)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->store = context;
    if (status_of(mdb_txn_begin(session->store->env, NULL, MDB_RDONLY, &session->reader)) !=
        PEER_OK) {
        free(session);
        return NULL;
    }
    mdb_txn_reset(session->reader);
    return session;
}

static MDB_val val_of(const void *data, size_t length)
{
    return (MDB_val){.mv_size = length, .mv_data = (void *)(uintptr_t)data}; /* it is only read */
}

static enum peer_status get(void *context, const peer_key key, struct peer_bytes *value)
{
    struct session *session = context;
    MDB_val wanted = val_of(key, WORKLOAD_KEY_BYTES);
    MDB_val found;
    int code = mdb_txn_renew(session->reader);
    if (code != MDB_SUCCESS) {
        return status_of(code);
    }
    code = mdb_get(session->reader, session->store->records, &wanted, &found);
    if (code == MDB_SUCCESS && found.mv_size <= sizeof session->value) {
        memcpy(session->value, found.mv_data, found.mv_size);
        *value = (struct peer_bytes){session->value, found.mv_size};
    }
    mdb_txn_reset(session->reader);
    return status_of(code);
}

static enum peer_status set_many(void *context, const peer_key *keys,
                                 const struct peer_bytes *values, size_t count)
{
    const struct session *session = context;
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(session->store->env, NULL, 0, &txn);
    for (size_t i = 0; i < count && code == MDB_SUCCESS; i++) {
        MDB_val key = val_of(keys[i], WORKLOAD_KEY_BYTES);
        MDB_val value = val_of(values[i].data, values[i].length);
        code = mdb_put(txn, session->store->records, &key, &value, 0);
    }
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return status_of(code);
    }
    return status_of(mdb_txn_commit(txn));
}

static enum peer_status set(void *context, const peer_key key, struct peer_bytes value)
{
    return set_many(context, (const peer_key *)key, &value, 1);
}

static enum peer_status remove_key(void *context, const peer_key key)
{
    const struct session *session = context;
    MDB_val wanted = val_of(key, WORKLOAD_KEY_BYTES);
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(session->store->env, NULL, 0, &txn);
    if (code == MDB_SUCCESS) {
        code = mdb_del(txn, session->store->records, &wanted, NULL);
    }
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return status_of(code);
    }
    return status_of(mdb_txn_commit(txn));
}

const struct peer peer_lmdb = {
    .name = "LMDB",
    .version = version,
    .settings = "NOTLS, reader reset and renewed; not durable: WRITEMAP, MAPASYNC",
    .open = store_open,
    .close = store_close,
    .session_open = session_open,
    .session_close = session_close,
    .get = get,
    .set = set,
    .remove = remove_key,
    .set_many = set_many,
};
