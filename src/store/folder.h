/*
 * The folder that a store lives in.
 *
 *     DIR/lock            empty; whoever has the store open holds a lock on it
 *     DIR/catalog         docs/format-catalog.md
 *     DIR/catalog.new     the next catalog while it is written
 *     DIR/namespaces/     NUMBER/, where an engine keeps its files: docs/format-log.md; made when
 *                         there is the first
 *     DIR/snapshots/      NAME.snapshot: docs/format-snapshot.md; .new-*: one that is being written
 *     DIR/unfinished      empty; as long as it is there this is a copy that is being made, or was
 *                         not finished, and is no store: openings refuse it
 *
 * A file gets its name when it is whole and synced, in place of the one before: a crash leaves the
 * old one, the new one, or both with the new one under its temporary name, which the next opening
 * removes. Nothing is ever modified in place.
 */
#ifndef TARN_STORE_FOLDER_H
#define TARN_STORE_FOLDER_H

#include "base/inspection.h"
#include "os/os.h"

struct tarn__folder {
    struct tarn__directory *top, *snapshots;
    struct tarn__directory *namespaces; /* or NULL */
    struct tarn__file *lock;
    bool read_only;
    bool is_copy; /* that is being made */
};

/*
 * Opens and locks the folder, and makes it if it is not there. A folder with files that are not a
 * store's is refused. read_only changes nothing; it fails where there is no store, and snapshots is
 * NULL where there are none.
 */
tarn_status tarn__folder_open(struct tarn__folder *folder, const struct tarn__os *os,
                              const char *path, bool read_only);

/*
 * Opens and locks a folder read-only of which anything may be missing or damaged; what is, is told.
 * TARN_STORE_LOCKED; TARN_IO: no store is there.
 */
tarn_status tarn__folder_open_damaged(struct tarn__folder *folder, const struct tarn__os *os,
                                      const char *path, struct tarn__inspection *inspection);

/* The same with a folder that was begun by tarn__folder_begin_copy(). */
tarn_status tarn__folder_open_copy(struct tarn__folder *folder, const struct tarn__os *os,
                                   const char *path);

/*
 * Begins a copy of a store at a path where nothing is, or an empty folder: makes the folder, and
 * `unfinished` in it, durable. TARN_INVALID_ARGUMENT: something is there. One of the others ends
 * it. end: all of it is durable, and is a store from now on; TARN_OUTCOME_UNKNOWN: it is whole,
 * but openings may refuse it. abandon: takes all out again, as far as that can be done; at last
 * `unfinished`, but where in_doubt: a sync may have failed, so that it is not known which names
 * come back.
 */
tarn_status tarn__folder_begin_copy(const struct tarn__os *os, const char *path,
                                    struct tarn__directory **top);
tarn_status tarn__folder_end_copy(const struct tarn__directory *top);
void tarn__folder_abandon_copy(const struct tarn__directory *top, bool in_doubt);

/* Removes a file, or a folder with all that is in it. */
tarn_status tarn__folder_remove(const struct tarn__directory *parent, const char *name);

/* Makes the folder for engines' files, durable, where there is none yet. */
tarn_status tarn__folder_need_namespaces(struct tarn__folder *folder);

/* Closes and unlocks it. A folder that was not opened, all zero, is allowed. */
void tarn__folder_close(struct tarn__folder *folder);

#endif
