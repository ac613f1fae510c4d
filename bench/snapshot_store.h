/*
 * A store in a directory, with one namespace whose keys are all there, and one snapshot of it: what
 * is timed of snapshots, and whether what comes back from one is right. Every function gives up
 * where something fails or is wrong.
 *
 * Values bear versions that grow, so that a value which was written after a save is told from one
 * of the save. Main thread only, but that other threads may set keys of ns, with store->version.
 */
#ifndef BENCH_SNAPSHOT_STORE_H
#define BENCH_SNAPSHOT_STORE_H

#include <stdint.h>

#include "tarn.h"
#include "workload.h"

struct snapshot_store {
    const char *folder; /* of the store; exists */
    uint32_t keys;
    tarn_store *tarn;
    tarn_namespace *ns;
    uint64_t version;       /* of the values that are set now */
    uint64_t saved_version; /* no value of the snapshot has a higher one */
    uint64_t loads;         /* makes the names of loaded namespaces */
};

/* Makes a store in an empty folder and sets all keys, in the order given. */
void snapshot_store_make(struct snapshot_store *store, const char *folder, const uint32_t *order,
                         uint32_t keys);
void snapshot_store_close(struct snapshot_store *store);

/* Sets one key to a value of store->version. value: a buffer that workload_value_init() made. */
void snapshot_store_set(const struct snapshot_store *store, struct workload_value *value,
                        uint32_t index);

/* Saves the namespace, in place of the snapshot that was there. */
void snapshot_store_save(struct snapshot_store *store, struct tarn_snapshot_info *info);

/* Deletes the snapshot, which is there. */
void snapshot_store_delete(struct snapshot_store *store);

/* Nanoseconds of loading the snapshot as a namespace of a new name; checks that and drops it. */
uint64_t snapshot_store_load(struct snapshot_store *store);

/* Nanoseconds of opening the store with what the snapshot holds, after it was closed; checks it. */
uint64_t snapshot_store_reopen(struct snapshot_store *store);

/* What the namespace says it has taken. */
uint64_t snapshot_store_memory_bytes(const struct snapshot_store *store);

#endif
