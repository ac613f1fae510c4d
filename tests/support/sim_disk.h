/*
 * A disk that can lose power: a second implementation of src/os/os.h, in memory.
 *
 *     struct sim_disk *disk = sim_disk_create(seed);
 *
 *     sim_disk_observe(disk, after_operation, &run);     ... which calls sim_crash_states()
 *     ... run with &disk->os; the root is "/", and a relative path begins there as well ...
 *     sim_disk_free(disk);
 *
 * It keeps all files twice: as the program sees them, and as they would be after a power cut (see
 * sim_tree.h). The rules are those that a file system may be relied on for, and no more:
 *
 *   1. A sync makes a file's data and size durable, not its name; syncing the directory makes its
 *      names durable. A new directory's own name is in the directory around it.
 *   2. What is pending reaches the disk in any subset and order, in pieces of 512 bytes; the size
 *      may grow before the data, which then is zeros or garbage.
 *   3. Names that come, go or change do so each at once, and in any subset, until the directory is
 *      synced.
 *   4. The last sector written may be torn at any byte.
 *   5. What is stored into a mapping may reach the disk at any moment, without a sync.
 *   6. A sync that fails drops what was pending. The cache keeps it, so that the program still sees
 *      it, or reverts to what the disk has: sim_disk_fail_sync().
 *
 * sim_crash.h enumerates what these leave of a disk at one moment.
 *
 * The rest is as os.h says. Mappings are copies that the disk keeps equal to the file, each in a
 * piece of memory of its own: the address sanitizer sees whoever reads outside. A store outside a
 * writable mapping ends the test, as does memory that is not there. The clock begins at a fixed
 * moment and goes a microsecond at each look; sleeping moves it on and lets another thread run.
 * Random bytes come from the seed. Anonymous memory is the real one. There are no symbolic links,
 * no "..", and no file is larger than 1 GiB. Nothing is ever full, and only syncs fail: wrap it in
 * os_fault.h for the rest.
 *
 * Any thread may call the table and the functions below; one mutex serializes them. Creating and
 * freeing are for one thread alone. With one thread all is the same at each run.
 */
#ifndef TARN_TESTS_SIM_DISK_H
#define TARN_TESTS_SIM_DISK_H

#include "os/os.h"

#include <pthread.h>
#include <stdio.h>

#define SIM_FILE_BYTES_MAX ((uint64_t)1 << 30)

struct sim_disk;
struct sim_tree;
struct sim_handle;
struct sim_mapping;

/* Called after each operation that changed something, outside the mutex, by the thread that made
 * it: it may look at the disk and enumerate its crash states. operation counts from 1. */
typedef void (*sim_disk_after)(void *context, struct sim_disk *disk, uint64_t operation);

/* Of which of the two pictures a helper below speaks. */
enum sim_view { SIM_SEEN, SIM_KEPT };

/* What the program sees after a sync that failed. */
enum sim_sync_failure { SIM_SYNC_FAILS_KEPT, SIM_SYNC_FAILS_REVERTED };

struct sim_disk {
    struct tarn__os os; /* the table to use; first, so that its members find the rest */

    /* All below is the disk's own, guarded by the mutex. */
    pthread_mutex_t mutex;
    struct sim_tree *tree;
    struct sim_handle *handles;
    size_t handle_count, handle_room;
    struct sim_mapping *mappings;
    size_t mapping_count, mapping_room;
    uint64_t monotonic, wall;
    uint64_t seed, random;
    uint64_t process;
    uint64_t operations;
    sim_disk_after after;
    void *after_context;
    uint64_t syncs, fail_at, sync_failures;
    enum sim_sync_failure failure;
    char *trace;
    size_t trace_length, trace_room;
};

/* An empty disk. Never NULL. */
struct sim_disk *sim_disk_create(uint64_t seed);

/* Frees the disk with all handles and mappings that are still open. NULL is allowed. */
void sim_disk_free(struct sim_disk *disk);

/* Has a function called after each change from now on; NULL: none. */
void sim_disk_observe(struct sim_disk *disk, sim_disk_after after, void *context);

/* How many operations changed something: writes, stores into mappings, changes of size and of
 * names, and syncs, also those that failed. */
uint64_t sim_disk_operations(struct sim_disk *disk);

/* Writes a line for each of these operations. Files and directories have numbers; the root is 1. */
void sim_disk_print_trace(struct sim_disk *disk, FILE *stream);

/* Writes a line for each pending piece, in the order in which a choice of sim_crash.h tells them.
 */
void sim_disk_print_pending(struct sim_disk *disk, FILE *stream);
size_t sim_disk_pending(struct sim_disk *disk);

/* New disks, without handles, locks, mappings, observer and trace; clocks go on. The first has all
 * that the program sees as durable: what a clean shutdown of the machine leaves. The second is what
 * the next process finds when this one is killed: the cache survives, what was pending is pending
 * still, and what a failed sync dropped is not durable. */
struct sim_disk *sim_disk_copy(struct sim_disk *disk);
struct sim_disk *sim_disk_copy_pending(struct sim_disk *disk);

/* Has the nth sync from now (of a file or directory, counted from 1) fail with EIO, once; 0: none.
 */
void sim_disk_fail_sync(struct sim_disk *disk, uint64_t nth, enum sim_sync_failure failure);

/* How many syncs there were since the disk was made, and how many of them failed. */
uint64_t sim_disk_syncs(struct sim_disk *disk);
uint64_t sim_disk_sync_failures(struct sim_disk *disk);

/* The process, and the clocks: wall_ns jumps, the other one only goes on. */
void sim_disk_set_process(struct sim_disk *disk, uint64_t process);
void sim_disk_set_wall_ns(struct sim_disk *disk, uint64_t wall_ns);
void sim_disk_pass_ns(struct sim_disk *disk, uint64_t duration);

/* A whole file, to be given to free(), with its length; NULL: there is no such file. */
void *sim_disk_read(struct sim_disk *disk, enum sim_view view, const char *path, size_t *length);

/* Calls visit for each name in a directory; false: there is no such directory. */
bool sim_disk_list(struct sim_disk *disk, enum sim_view view, const char *path,
                   tarn__directory_visit visit, void *context);

/* Damages a file: overwrites bytes inside it, or cuts it off or lengthens it, in both pictures and
 * in mappings, as no operation. Meant for a disk on which nothing is pending. false: no such file,
 * or not so long. */
bool sim_disk_set_bytes(struct sim_disk *disk, const char *path, uint64_t offset, const void *bytes,
                        size_t length);
bool sim_disk_set_size(struct sim_disk *disk, const char *path, uint64_t size);

/* For sim_crash.c: a disk around a tree, which becomes its own, with the clocks of another. */
struct sim_disk *sim_disk_around(struct sim_tree *tree, uint64_t seed, struct sim_disk *like);

#endif
