/*
 * The snapshots of a store: what is in its folder, and what is loaded when it is opened. Saving is
 * in snapshot_save.c, loading in snapshot_load.c.
 */
#ifndef TARN_STORE_SNAPSHOTS_H
#define TARN_STORE_SNAPSHOTS_H

#include "namespace/cut.h"
#include "store/snapshot_file.h"
#include "store/store.h"

/* What is known of a snapshot without reading all of it. */
struct tarn__snapshot_entry {
    char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES];
    uint64_t file_bytes;
    struct tarn_error error; /* of reading the head; what follows means something with TARN_OK */
    struct tarn__snapshot_head head;
    struct tarn__snapshot_namespace ns; /* the only one, where the scope is a namespace */
};

struct tarn__snapshot_entries {
    struct tarn__snapshot_entry
        *entries; /* by falling sequence; those that cannot be read at the end */
    size_t count, capacity;
};

/* Looks at all snapshots. saving is held. Start from zero; release in any case. */
tarn_status tarn__snapshots_look(tarn_store *store, struct tarn__snapshot_entries *all);
void tarn__snapshots_release(struct tarn__snapshot_entries *all);

/* Whether its head can be read, and says that this store has made it. */
bool tarn__snapshot_is_own(const tarn_store *store, const struct tarn__snapshot_entry *entry);

/* Opening: a folder without a catalog becomes that of a new store, if nothing is in it. */
tarn_status tarn__store_begin_folder(tarn_store *store);

/* Opening, once the namespaces are there: removes what a crash has left, makes sure that no
 * sequence is given out twice, and loads what is wanted. */
tarn_status tarn__snapshots_open(tarn_store *store, enum tarn_load load);

/* snapshot_save.c: saves the whole store, or one namespace of it. saving and lock are held; the
 * lock is given back meanwhile. */
tarn_status tarn__snapshot_save_held(tarn_store *store, tarn_namespace *only,
                                     struct tarn_slice name, struct tarn_snapshot_info *info);

/* Writes the head of a snapshot, and what a cut of a namespace holds. progress may be NULL. */
tarn_status tarn__snapshot_write_head(struct tarn__snapshot_writer *writer,
                                      const struct tarn__snapshot_head *head);
tarn_status tarn__snapshot_write_namespace(struct tarn__snapshot_writer *writer,
                                           struct tarn__cut *cut,
                                           struct tarn__cut_progress *progress);

/* snapshot_load.c: which namespaces of a file are to be loaded, and as what. */
struct tarn__load_plan {
    bool all;                   /* every one, under its own name */
    struct tarn_slice from, as; /* or the one that is called from */
    const bool *wanted;         /* or, at opening, those of the store's table that are wanted; they
                                   are told by their number */
};                              /* otherwise none */

/* Loads from a snapshot; saving is held, and lock is not. */
tarn_status tarn__snapshot_load(tarn_store *store, const char *file_name,
                                const struct tarn__load_plan *plan);

/* Reads and verifies all of it, and loads nothing; the same locks. */
tarn_status tarn__snapshot_verify(tarn_store *store, const char *file_name);

#endif
