/*
 * The stores on disk that this build can measure: see disk_peers.h. meson.build defines what there
 * is.
 */
#include "disk_peers.h"

#include <string.h>

static const struct peer *const peers[SUBJECT_COUNT] = {
    [SUBJECT_TARN] = &peer_tarn,       [SUBJECT_HASHDBM] = &peer_hashdbm,
#ifdef BENCH_LMDB
    [SUBJECT_LMDB] = &peer_lmdb,
#endif
#ifdef BENCH_LEVELDB
    [SUBJECT_LEVELDB] = &peer_leveldb,
#endif
#ifdef BENCH_ROCKSDB
    [SUBJECT_ROCKSDB] = &peer_rocksdb,
#endif
#ifdef BENCH_SQLITE
    [SUBJECT_SQLITE] = &peer_sqlite,
#endif
};

const struct peer *disk_peer(enum subject_id subject)
{
    return peers[subject];
}

enum subject_id disk_peer_find(const char *name)
{
    for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
        if (peers[i] != NULL && strcmp(peers[i]->name, name) == 0) {
            return i;
        }
    }
    return SUBJECT_COUNT;
}
