/*
 * A salvage: what is whole in the remains of a store is brought into a new one.
 *
 *     read all snapshots: which are whole, and which namespaces they know of
 *     make the new store, with the old one's identity and no namespaces
 *     fill a log in a home of its own for each log there is, and end it
 *     copy the snapshots
 *     write the catalog that tells of all namespaces: the commit
 *
 * Numbers, names, options and sequences stay what they were, so that the copied snapshots are the
 * new store's own, and load by themselves. Before the commit the new store is empty: what is in its
 * folder besides is removed by whoever opens it.
 */
#ifndef TARN_STORE_SALVAGE_H
#define TARN_STORE_SALVAGE_H

#include "store/remains.h"
#include "store/snapshot_inspect.h"
#include "store/store.h"

/* What a snapshot knows of a namespace. */
struct tarn__salvaged_namespace {
    uint8_t store[TARN__IDENTITY_BYTES];
    uint64_t sequence; /* of the snapshot */
    struct tarn__snapshot_namespace ns;
};

struct tarn__salvage {
    struct tarn__remains remains;
    tarn_store *store;            /* the new one */
    struct tarn__catalog catalog; /* what it will say */

    struct tarn__snapshot_found *snapshots; /* of each of remains.snapshots */
    struct tarn__salvaged_namespace *known; /* where the catalog is damaged */
    size_t known_count, known_capacity;
};

/* salvage_snapshots.c: reads all of them, and tells of faults. */
tarn_status tarn__salvage_survey(struct tarn__salvage *salvage);

/* Copies those that are whole to the new store, and of the others what is. */
tarn_status tarn__salvage_snapshots(struct tarn__salvage *salvage);

#endif
