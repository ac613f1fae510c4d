/*
 * The operating system, as one table of functions: `struct tarn__os`. Nothing else in the library
 * calls the system, so that a test can put another world in its place: one in which the Nth call
 * fails, or a disk that loses power.
 *
 * There are two levels.
 *   - The table holds primitives. Those on files return 0 or an errno, may do less than they were
 *     asked for, and may be interrupted. What implements or wraps the system knows no paths beyond
 *     the names it is given, no statuses and no messages. Its members on memory, clock, randomness
 *     and mappings are called directly.
 *   - tarn__directory_* and tarn__file_*, below the table, are what the library calls for files.
 *     They check names, repeat what was short or interrupted, and turn an errno into a status whose
 *     detail has path, errno and offset. They are written once, in os.c, for every table.
 *
 * Everything but the store's own directory is named relative to an open directory, by a name
 * without '/', and symbolic links are not followed: nothing leaves the store's folder. What is made
 * has mode 0600 (files) or 0700 (directories) under any umask, and is closed by exec.
 *
 * A table may be used by any number of threads. So may an open directory or file, except that it is
 * closed by one thread, after all others are done with it.
 */
#ifndef TARN_OS_OS_H
#define TARN_OS_OS_H

#include "base/lock.h"

/* In place of a directory's handle: the name is a path of the caller's, as the process sees it. */
#define TARN__OS_NO_DIRECTORY (-1)

enum tarn__open_mode {
    TARN__OPEN_READ,       /* must exist */
    TARN__OPEN_READ_WRITE, /* must exist */
    TARN__OPEN_CREATE,     /* must not exist; empty, to read and write */
};

/* Called for one name, valid during the call; false ends the list. */
typedef bool (*tarn__directory_visit)(void *context, const char *name);

/*
 * The table. `os` is always the table that the member was taken from: a wrapper's state lies behind
 * it. A handle is a number that means something to the implementation alone. No member may be NULL;
 * outputs are untouched on failure.
 */
struct tarn__os {
    /* --- Clock ------------------------------------------------------------------------------ */

    /* Nanoseconds since a moment in the past that stays the same for the process's life. Never goes
     * back. Cannot fail. */
    uint64_t (*monotonic_ns)(const struct tarn__os *os);

    /* Nanoseconds since 1970, or 0 before. May jump in both directions: nothing may be decided by
     * comparing two of them. Cannot fail. */
    uint64_t (*wall_ns)(const struct tarn__os *os);

    /* --- The process ------------------------------------------------------------------------ */

    /* A number that is another one in a forked child. Cannot fail. */
    uint64_t (*process_id)(const struct tarn__os *os);

    /* The store has no threads of its own: whoever simulates a system runs its jobs, so that all
     * happens in the same order each time. */
    bool by_hand;

    /* Lets another thread run. */
    void (*yield)(const struct tarn__os *os);

    /* Sleeps for about so many nanoseconds; a signal may end it earlier. */
    void (*sleep_ns)(const struct tarn__os *os, uint64_t duration);

    /* Fills bytes with what nobody can guess. TARN_OK, or TARN_IO with the detail recorded and the
     * bytes undefined. */
    tarn_status (*random_bytes)(const struct tarn__os *os, void *bytes, size_t length);

    /* --- Memory ----------------------------------------------------------------------------- */

    /* Hands out zeroed memory of at least bytes (> 0) bytes, aligned to alignment: a power of two,
     * 4,096 or more. huge: advised to be backed by huge pages; bytes is then best a multiple of
     * 2 MiB. To be given back with memory_unmap. NULL, with TARN_NO_MEMORY recorded, where there is
     * none. */
    void *(*memory_map)(const struct tarn__os *os, size_t bytes, size_t alignment, bool huge);

    /* Gives back a whole region of memory_map, with the bytes that it was made with. NULL is
     * allowed. Cannot fail. */
    void (*memory_unmap)(const struct tarn__os *os, void *address, size_t bytes);

    /* Makes a part of a region's pages ready, so that their first use does not fault. Contents stay
     * as they are, also while others write them. Best effort: a failure costs time later, and is no
     * error. */
    void (*memory_populate)(const struct tarn__os *os, void *address, size_t bytes);

    /* Sees to it that a forked child finds a whole region of memory_map zeroed. false: the system
     * cannot. */
    bool (*memory_forget_in_child)(const struct tarn__os *os, void *address, size_t bytes);

    /* --- Directories: these return 0 or an errno ---------------------------------------------
     * directory is an open handle, and name a name in it that os.c has checked (1 to 255 bytes, no
     * '/', neither "." nor ".."), not followed if it is a symbolic link. Only where it is said may
     * directory be TARN__OS_NO_DIRECTORY. Any of them may return ENOMEM, EIO, EACCES. */

    /* Makes a directory of mode 0700; directory may be TARN__OS_NO_DIRECTORY. Durable once the
     * directory around it is synced. EEXIST: name is there, whatever it is. ENOENT, ENOSPC, EDQUOT,
     * EROFS, EMLINK. */
    int (*directory_make)(const struct tarn__os *os, int directory, const char *name);

    /* Opens a directory; to be given to close. directory may be TARN__OS_NO_DIRECTORY: then links
     * are followed. ENOENT, ENOTDIR or ELOOP (it is something else), EMFILE, ENFILE, EINTR. */
    int (*directory_open)(const struct tarn__os *os, int directory, const char *name, int *opened);

    /* Makes the directory's names durable: those that came, went or changed before the call. After
     * a failure it is not known which are, and a second call proves nothing. */
    int (*directory_sync)(const struct tarn__os *os, int directory);

    /* Calls visit for each name but "." and "..", in no order. Names that come or go meanwhile may
     * be seen or not; visit itself must not change the directory. */
    int (*directory_list)(const struct tarn__os *os, int directory, tarn__directory_visit visit,
                          void *context);

    /* Removes an empty directory. ENOENT, ENOTDIR, ENOTEMPTY, EROFS. */
    int (*directory_remove)(const struct tarn__os *os, int directory, const char *name);

    /* Gives a name to a file or directory in place of the one it has, which replaces, in one step,
     * a file that has that name. ENOENT, ENOSPC, EDQUOT, EROFS, EXDEV, EISDIR, ENOTEMPTY. */
    int (*rename)(const struct tarn__os *os, int from_directory, const char *from, int to_directory,
                  const char *to);

    /* Gives a file a second name. EEXIST, ENOENT, ENOSPC, EDQUOT, EROFS, EXDEV, EMLINK, EPERM. */
    int (*link)(const struct tarn__os *os, int from_directory, const char *from, int to_directory,
                const char *to);

    /* Takes a file's name away. Its bytes go with its last name, handle and mapping. ENOENT,
     * EISDIR, EROFS. */
    int (*unlink)(const struct tarn__os *os, int directory, const char *name);

    /* --- Files: these return 0 or an errno --------------------------------------------------- */

    /* Opens a regular file without waiting; to be given to close. TARN__OPEN_CREATE gives it mode
     * 0600; its name is durable once the directory is synced. ENOENT; EEXIST (to be created, and
     * name is there, whatever it is); ELOOP (a symbolic link); EISDIR; EINVAL (a FIFO, device or
     * socket); ENOSPC, EDQUOT, EROFS, EMFILE, ENFILE, EINTR (then nothing was created). */
    int (*file_open)(const struct tarn__os *os, int directory, const char *name,
                     enum tarn__open_mode mode, int *opened);

    /* Closes a directory or file. The handle is gone also where an error is returned, which tells
     * that what was written may be lost: EIO, ENOSPC, EDQUOT, EINTR. Locks go with the handle. */
    int (*close)(const struct tarn__os *os, int handle);

    /* Read and write from 1 to length (> 0) bytes at offset; *done tells how many. A read of 0
     * bytes is the end of the file; a write past the end leaves zeros between. EINTR: nothing was
     * done. Write: ENOSPC, EDQUOT, EFBIG; what was written of a failed write is not known. */
    int (*read)(const struct tarn__os *os, int file, void *bytes, size_t length, uint64_t offset,
                size_t *done);
    int (*write)(const struct tarn__os *os, int file, const void *bytes, size_t length,
                 uint64_t offset, size_t *done);

    /* Tells how long the file is. */
    int (*size)(const struct tarn__os *os, int file, uint64_t *bytes);

    /* Cuts the file off, or lets it grow with zeros that have no room on the disk yet. Must not cut
     * what is mapped and still read. ENOSPC, EFBIG, EINTR. */
    int (*truncate)(const struct tarn__os *os, int file, uint64_t bytes);

    /* Takes room on the disk for a range (bytes > 0), and lets the file grow to its end: zeros
     * where nothing was; what is there stays. ENOSPC, EDQUOT, EFBIG, EINTR: the file may have grown
     * by a part. EOPNOTSUPP: the file system cannot. */
    int (*preallocate)(const struct tarn__os *os, int file, uint64_t offset, uint64_t bytes);

    /* Makes the file's bytes and size durable, also what was stored through a mapping; not its
     * name. After an error it is not known what is durable, and a second call proves nothing:
     * neither is it repeated here nor may it be by the caller. EIO, ENOSPC, EDQUOT. */
    int (*sync)(const struct tarn__os *os, int file);

    /* Has the system begin to write a range to the medium, so that a later sync has less to do.
     * Waits for nothing that it can avoid. Best effort: says nothing of what is durable. */
    void (*write_back)(const struct tarn__os *os, int file, uint64_t offset, uint64_t bytes);

    /* Locks the file against every other opening of it, in this process or another, that locks as
     * well: exclusive against all, shared against exclusive ones. Works on any open mode. Never
     * waits: EWOULDBLOCK, it is locked. Goes with the handle; a forked child has it too, and holds
     * it until it ends or execs. */
    int (*lock)(const struct tarn__os *os, int file, bool exclusive);

    /* Gives the lock up, also where a forked child has it. Best effort: it goes with the last
     * handle at the latest. */
    void (*unlock)(const struct tarn__os *os, int file);

    /* --- Mapped files ------------------------------------------------------------------------ */

    /* Maps a range (bytes > 0) of a file, shared with all who read or map it; offset is a multiple
     * of 64 KiB, and the range lies inside the file. writable: the file is open for writing. The
     * mapping outlives the handle; to be given to unmap. ENOMEM, EACCES, ENODEV. */
    int (*map)(const struct tarn__os *os, int file, uint64_t offset, size_t bytes, bool writable,
               void **address);

    /* Ends a whole mapping. Does not make it durable. EINVAL, ENOMEM: it is still there. */
    int (*unmap)(const struct tarn__os *os, void *address, size_t bytes);

    /* Stores into a writable mapping; every store goes this way. Visible at once to whoever reads
     * the file or maps it, with no order among the bytes; durable by sync on an open handle of the
     * file. Cannot fail: a medium that cannot take it (the room was not preallocated) raises
     * SIGBUS. */
    void (*map_write)(const struct tarn__os *os, void *destination, const void *source,
                      size_t length);

    /* Makes a part of a mapping's pages ready to be written (writable), or asks the disk for those
     * that are missed, all at once, and does not wait. Best effort, as memory_populate. */
    void (*map_populate)(const struct tarn__os *os, void *address, size_t bytes, bool writable);

    /* From now on a whole mapping is read at random, and not written: a page that is missed comes
     * from the disk alone, without those around it. Best effort. */
    void (*map_at_random)(const struct tarn__os *os, void *address, size_t bytes);

    /* --- Events ------------------------------------------------------------------------------ */

    /* Makes what a program can wait for: a descriptor of the process that poll() and its like find
     * readable from event_set to event_clear. Not set at first; closed by exec; to be given to
     * event_close. 0, or EMFILE, ENFILE, ENOMEM. */
    int (*event_make)(const struct tarn__os *os, int *event);

    /* Never wait, and cannot fail. Twice is as once. */
    void (*event_set)(const struct tarn__os *os, int event);
    void (*event_clear)(const struct tarn__os *os, int event);
    void (*event_close)(const struct tarn__os *os, int event);
};

/* Linux. Static, without state. */
const struct tarn__os *tarn__os_posix(void);

/* --------------------------------------------------------------------------------------------
 * What the library calls. Statuses:
 *   TARN_NAME_INVALID  the name is not 1 to 255 bytes, has a '/', or is "." or "..": nothing was
 *                      called
 *   TARN_FULL          ENOSPC, EDQUOT, EFBIG
 *   TARN_NO_MEMORY     ENOMEM
 *   TARN_IO            every other errno: tarn__failed_with() tells which
 * Directories and files hold their table; it must outlive them.
 */

struct tarn__directory;
struct tarn__file;

/* Whether status is the failure, just now and in this thread, of a call of the system with this
 * errno: tarn__failed_with(status, ENOENT). */
bool tarn__failed_with(tarn_status status, int system_error);

/* Makes a directory at any path if nothing is there, and makes its name durable, also if it was
 * there: who made it may have been killed before that. The directory around it must exist. */
tarn_status tarn__directory_make(const struct tarn__os *os, const char *path);

/* Opens a directory at any path. */
tarn_status tarn__directory_open(const struct tarn__os *os, const char *path,
                                 struct tarn__directory **directory);

/* The same inside a directory. An existing one is EEXIST; syncing the parent is the caller's. */
tarn_status tarn__directory_make_in(const struct tarn__directory *parent, const char *name);
tarn_status tarn__directory_open_in(const struct tarn__directory *parent, const char *name,
                                    struct tarn__directory **directory);
tarn_status tarn__directory_remove_in(const struct tarn__directory *parent, const char *name);

/* Frees the directory in any case; NULL is allowed. Files opened in it stay open. */
tarn_status tarn__directory_close(struct tarn__directory *directory);

/* As directory_sync in the table. */
tarn_status tarn__directory_sync(const struct tarn__directory *directory);

/* As directory_list in the table. */
tarn_status tarn__directory_list(const struct tarn__directory *directory,
                                 tarn__directory_visit visit, void *context);

/* The path that the directory was opened by, for messages. Valid until it is closed. */
const char *tarn__directory_path(const struct tarn__directory *directory);

/* Names of files. Each is durable once the directories in it are synced, which is the caller's. */
tarn_status tarn__file_rename(const struct tarn__directory *from_directory, const char *from,
                              const struct tarn__directory *to_directory, const char *to);
tarn_status tarn__file_link(const struct tarn__directory *from_directory, const char *from,
                            const struct tarn__directory *to_directory, const char *to);
tarn_status tarn__file_unlink(const struct tarn__directory *directory, const char *name);

/* As file_open in the table. */
tarn_status tarn__file_open(const struct tarn__directory *directory, const char *name,
                            enum tarn__open_mode mode, struct tarn__file **file);

/* Frees the file in any case; NULL is allowed. Mappings stay. A failure says that what was written
 * since the last sync may be lost. */
tarn_status tarn__file_close(struct tarn__file *file);

/* Reads length bytes at offset. TARN_CORRUPT: the file ends before; the error's offset is the place
 * at which. On failure the bytes are undefined. */
tarn_status tarn__file_read(const struct tarn__file *file, void *bytes, size_t length,
                            uint64_t offset);

/* The same, but the end of the file is no error: *done is less than length only there. */
tarn_status tarn__file_read_some(const struct tarn__file *file, void *bytes, size_t length,
                                 uint64_t offset, size_t *done);

/* Writes length bytes at offset. After a failure any part of them may have been written. */
tarn_status tarn__file_write(const struct tarn__file *file, const void *bytes, size_t length,
                             uint64_t offset);

/* As in the table. */
tarn_status tarn__file_size(const struct tarn__file *file, uint64_t *bytes);
tarn_status tarn__file_truncate(const struct tarn__file *file, uint64_t bytes);
tarn_status tarn__file_preallocate(const struct tarn__file *file, uint64_t offset, uint64_t bytes);
tarn_status tarn__file_sync(const struct tarn__file *file);

/* As write_back in the table. */
void tarn__file_write_back(const struct tarn__file *file, uint64_t offset, uint64_t bytes);

/* TARN_STORE_LOCKED: another opening of the file holds it. */
tarn_status tarn__file_lock(const struct tarn__file *file, bool exclusive);

/* Gives the lock up. A close does so as well, unless a forked child has the handle, too. */
void tarn__file_unlock(const struct tarn__file *file);

/* Maps a range. TARN_CORRUPT: the file ends before the range does. TARN_INVALID_ARGUMENT: the range
 * is empty, or offset is not a multiple of 64 KiB. */
tarn_status tarn__file_map(const struct tarn__file *file, uint64_t offset, size_t bytes,
                           bool writable, void **address);

/* NULL is allowed. */
tarn_status tarn__file_unmap(const struct tarn__os *os, void *address, size_t bytes);

/* The path of the file when it was opened, for messages. Valid until it is closed. */
const char *tarn__file_path(const struct tarn__file *file);

/* As event_make in the table. */
tarn_status tarn__event_make(const struct tarn__os *os, int *event);

/* --------------------------------------------------------------------------------------------
 * Whole files: whole_file.c
 */

/* Closes a file that was only read, so that nothing can be lost. The last error stays what it is.
 */
void tarn__file_close_after_reading(struct tarn__file *file);

/* Reads all of a file in place of what bytes holds. TARN_CORRUPT: it has more than bytes_max. */
tarn_status tarn__file_read_whole(const struct tarn__directory *directory, const char *name,
                                  uint64_t bytes_max, struct tarn_buf *bytes);

/*
 * Gives a file that was written under a temporary name its name: sync, close, rename, sync of the
 * directory. The file is closed in any case. TARN_OUTCOME_UNKNOWN: the file may have its name now,
 * or after the next crash. With any other failure it has not, what had the name before is still
 * there, and the temporary name is gone as far as that can be done.
 */
tarn_status tarn__file_publish(const struct tarn__directory *directory, struct tarn__file *file,
                               const char *temporary, const char *name);

/* Closes such a file and takes its temporary name away, as far as that can be done: the next
 * opening of the store tries again. The last error stays what it is. */
void tarn__file_abandon(const struct tarn__directory *directory, struct tarn__file *file,
                        const char *temporary);

/* Writes a file under a temporary name, in place of what a crash has left there, and publishes it.
 */
tarn_status tarn__file_replace_whole(const struct tarn__directory *directory, const char *temporary,
                                     const char *name, const struct tarn_buf *bytes);

/* --------------------------------------------------------------------------------------------
 * Waiting
 */

/* What a thread does before it looks again for what it waits for, for the looks-th time (from 0):
 * first nothing much, then it lets others run, then it sleeps for 100 microseconds. */
#define TARN__PAUSES_WITHOUT_SLEEP 200
void tarn__os_pause(const struct tarn__os *os, unsigned looks);

/* Takes a lock, however long it takes. */
static inline void tarn__os_lock(const struct tarn__os *os, struct tarn__lock *lock)
{
    for (unsigned looks = 0; !tarn__lock_try(lock); looks++)
        tarn__os_pause(os, looks);
}

#endif
