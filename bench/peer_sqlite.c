/*
 * SQLite behind the benchmark's interface: a table without rowid in WAL mode, a connection with
 * prepared statements for each session. Writers wait for one another at a lock of ours: where they
 * meet in the library, it sleeps for milliseconds before it tries again.
 */
#include "peer.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For each connection, before it is used. The cache and the mapping hold all of it. */
#define CONNECTION_SETTINGS                                                                        \
    "PRAGMA journal_mode = WAL; PRAGMA cache_size = -262144; PRAGMA mmap_size = 1073741824;"

static const char create_table[] =
    "CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;";

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_GET,
    STATEMENT_SET,
    STATEMENT_REMOVE,
    STATEMENT_COUNT,
};

static const char *const statement_texts[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_GET] = "SELECT value FROM records WHERE key = ?1",
    [STATEMENT_SET] = ("INSERT INTO records VALUES (?1, ?2) "
                       "ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
    [STATEMENT_REMOVE] = "DELETE FROM records WHERE key = ?1",
};

struct session {
    struct store *store;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    uint8_t value[WORKLOAD_VALUE_BYTES_MAX];
};

struct store {
    char *path;
    bool durable;
    pthread_mutex_t writers;
    struct session *first; /* keeps the log open while sessions come and go */
};

static enum peer_status fail(sqlite3 *db)
{
    fprintf(stderr, "SQLite: %s\n", sqlite3_errmsg(db));
    return PEER_FAILED;
}

static void session_close(void *context)
{
    struct session *session = context;
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        (void)sqlite3_finalize(session->statements[i]); /* repeats what its last step has said */
    }
    if (sqlite3_close(session->db) != SQLITE_OK) {
        (void)fail(session->db);
    }
    free(session);
}

static bool session_init(struct session *session)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const char *synchronous =
        session->store->durable ? "PRAGMA synchronous = FULL;" : "PRAGMA synchronous = OFF;";
    if (sqlite3_open_v2(session->store->path, &session->db, flags, NULL) != SQLITE_OK ||
        sqlite3_exec(session->db, CONNECTION_SETTINGS, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(session->db, synchronous, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(session->db, create_table, NULL, NULL, NULL) != SQLITE_OK) {
        return false;
    }
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(session->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &session->statements[i], NULL) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

static void *session_open(void *context)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->store = context;
    if (!session_init(session)) {
        (void)fail(session->db);
        session_close(session);
        return NULL;
    }
    return session;
}

static void store_close(void *context)
{
    struct store *store = context;
    if (store->first != NULL) {
        session_close(store->first);
    }
    (void)pthread_mutex_destroy(&store->writers); /* nobody holds it */
    free(store->path);
    free(store);
}

static void *store_open(const struct peer_setup *setup)
{
    static const char name[] = "/records.db";
    const size_t size = strlen(setup->folder) + sizeof name;
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&store->writers, NULL); /* the default kind cannot fail */
    store->durable = setup->durable;
    store->path = malloc(size);
    if (store->path != NULL) {
        (void)snprintf(store->path, size, "%s%s", setup->folder, name);
        store->first = session_open(store);
    }
    if (store->first == NULL) {
        store_close(store);
        return NULL;
    }
    return store;
}

/* Runs a statement that returns no row. */
static enum peer_status run(const struct session *session, enum statement statement)
{
    sqlite3_stmt *prepared = session->statements[statement];
    const int code = sqlite3_step(prepared);
    (void)sqlite3_reset(prepared); /* repeats the code */
    return code == SQLITE_DONE ? PEER_OK : fail(session->db);
}

static void bind_bytes(const struct session *session, enum statement statement, int place,
                       struct peer_bytes bytes)
{
    /* It fails only for a place that is not there, and then so does the step. */
    (void)sqlite3_bind_blob(session->statements[statement], place, bytes.data, (int)bytes.length,
                            SQLITE_STATIC);
}

static void bind_key(const struct session *session, enum statement statement, const peer_key key)
{
    bind_bytes(session, statement, 1, (struct peer_bytes){key, WORKLOAD_KEY_BYTES});
}

static enum peer_status get(void *context, const peer_key key, struct peer_bytes *value)
{
    struct session *session = context;
    sqlite3_stmt *prepared = session->statements[STATEMENT_GET];
    bind_key(session, STATEMENT_GET, key);
    const int code = sqlite3_step(prepared);
    if (code == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(prepared, 0);
        const size_t length = (size_t)sqlite3_column_bytes(prepared, 0);
        if (length <= sizeof session->value) {
            memcpy(session->value, data, length);
        }
        *value = (struct peer_bytes){session->value, length};
    }
    (void)sqlite3_reset(prepared); /* repeats the code */
    if (code == SQLITE_DONE) {
        return PEER_ABSENT;
    }
    return code == SQLITE_ROW ? PEER_OK : fail(session->db);
}

static enum peer_status set_one(const struct session *session, const peer_key key,
                                struct peer_bytes value)
{
    bind_key(session, STATEMENT_SET, key);
    bind_bytes(session, STATEMENT_SET, 2, value);
    return run(session, STATEMENT_SET);
}

static enum peer_status set(void *context, const peer_key key, struct peer_bytes value)
{
    const struct session *session = context;
    (void)pthread_mutex_lock(&session->store->writers); /* ours, and not held by this thread */
    const enum peer_status status = set_one(session, key, value);
    (void)pthread_mutex_unlock(&session->store->writers);
    return status;
}

static enum peer_status remove_key(void *context, const peer_key key)
{
    const struct session *session = context;
    (void)pthread_mutex_lock(&session->store->writers);
    bind_key(session, STATEMENT_REMOVE, key);
    const enum peer_status status = run(session, STATEMENT_REMOVE);
    const bool removed = sqlite3_changes(session->db) == 1;
    (void)pthread_mutex_unlock(&session->store->writers);
    return status == PEER_OK && !removed ? PEER_ABSENT : status;
}

static enum peer_status set_many(void *context, const peer_key *keys,
                                 const struct peer_bytes *values, size_t count)
{
    const struct session *session = context;
    (void)pthread_mutex_lock(&session->store->writers);
    enum peer_status status = run(session, STATEMENT_BEGIN);
    for (size_t i = 0; i < count && status == PEER_OK; i++) {
        status = set_one(session, keys[i], values[i]);
    }
    if (status == PEER_OK) {
        status = run(session, STATEMENT_COMMIT);
    }
    (void)pthread_mutex_unlock(&session->store->writers);
    return status; /* closing rolls back what was not committed, and a failure ends the program */
}

const struct peer peer_sqlite = {
    .name = "SQLite",
    .version = sqlite3_libversion,
    .settings = "WAL, table without rowid, cache of 256 MiB, mmap of 1 GiB; synchronous OFF, "
                "durable: FULL",
    .open = store_open,
    .close = store_close,
    .session_open = session_open,
    .session_close = session_close,
    .get = get,
    .set = set,
    .remove = remove_key,
    .set_many = set_many,
};
