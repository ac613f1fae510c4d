/*
 * Stores on disk side by side: tarn and its peers, each in a folder of its own, all open at once
 * and all with the same keys. Main thread only.
 */
#ifndef BENCH_DISK_FIELD_H
#define BENCH_DISK_FIELD_H

#include <limits.h>

#include "disk_peers.h"
#include "loops.h"
#include "subject.h"

struct disk_field {
    char folder[PATH_MAX];
    struct peer_setup setup; /* of every store, but for its folder */
    uint32_t keys;
    size_t threads;     /* that use a store at once */
    size_t order_count; /* operations of one thread, at most */
    uint32_t *orders[SUBJECT_SESSIONS_MAX];
    uint64_t version;                       /* grows with each round */
    struct subject subjects[SUBJECT_COUNT]; /* peer is NULL where disk_peer() is,
                                               or it is set to NULL for one that is left out */
};

/* The stores are in folders that are made in the one named `name` in `parent`; none is open yet.
 * order_count: at least keys. */
void disk_field_init(struct disk_field *field, const char *parent, const char *name, bool durable,
                     uint32_t keys, size_t threads, size_t order_count);
void disk_field_release(struct disk_field *field);

/* New orders of all keys, and a new version for what is written. */
void disk_field_shuffle(struct disk_field *field);

/* Opens a store in place of the one that was open: one that is empty, or what is there. Gives up on
 * failure. */
void disk_field_make(struct disk_field *field, enum subject_id subject);
void disk_field_reopen(struct disk_field *field, enum subject_id subject);

/* Has a process fill a store that is not open, and be killed. */
void disk_field_abandon(struct disk_field *field, enum subject_id subject);

/* Makes every store and fills it: in batches where each write takes a sync. */
void disk_field_load(struct disk_field *field);

/* The first operations of a thread, on a store. */
struct loop disk_field_loop(const struct disk_field *field, enum subject_id subject, size_t thread,
                            size_t count);

/* Waits until what was written before is on the disk and no thread of a store works any more, so
 * that nobody pays for what another one left to be done. */
void disk_field_settle(const struct disk_field *field);

/* What the files of a store take. */
uint64_t disk_field_bytes(const struct disk_field *field, enum subject_id subject);

#endif
