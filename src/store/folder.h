/*
 * The folder that a store lives in.
 *
 *     DIR/lock            empty; whoever has the store open holds a lock on it
 *     DIR/catalog         docs/format-catalog.md
 *     DIR/catalog.new     the next catalog while it is written
 *     DIR/namespaces/     NUMBER/, where an engine keeps its files: docs/format-log.md; made when
 *                         there is the first
 *     DIR/snapshots/      NAME.snapshot: docs/format-snapshot.md; .new-*: one that is being written
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

/* Makes the folder for engines' files, durable, where there is none yet. */
tarn_status tarn__folder_need_namespaces(struct tarn__folder *folder);

/* Closes and unlocks it. A folder that was not opened, all zero, is allowed. */
void tarn__folder_close(struct tarn__folder *folder);

#endif
