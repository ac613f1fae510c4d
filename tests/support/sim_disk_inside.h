/*
 * What the parts of the simulated disk share: sim_disk.c (handles, locks, the table),
 * sim_disk_names.c (directories), sim_disk_files.c (bytes of files), sim_disk_memory.c (mappings,
 * clock, process) and sim_disk_look.c (the helpers of sim_disk.h).
 *
 * All but sim_enter() and sim_leave() is called with the mutex held.
 */
#ifndef TARN_TESTS_SIM_DISK_INSIDE_H
#define TARN_TESTS_SIM_DISK_INSIDE_H

#include "sim_disk.h"
#include "sim_tree.h"

struct sim_handle {
    struct sim_node *node; /* NULL: closed */
    unsigned generation;   /* so that a number that was closed does not come back soon */
    bool writable;
    bool locked, exclusive;
};

struct sim_mapping {
    char *address;
    size_t bytes;
    struct sim_node *node;
    uint64_t offset;
    bool writable;
};

/* Takes the mutex; gives it back, and calls the observer if there was an operation. Returns error.
 */
struct sim_disk *sim_enter(const struct tarn__os *os);
int sim_leave(struct sim_disk *disk, bool changed, int error);

/* The handle of a number; NULL: not open. */
struct sim_handle *sim_handle_find(struct sim_disk *disk, int number);

/* Opens a handle to a node: 0 or EMFILE. */
int sim_open_handle(struct sim_disk *disk, struct sim_node *node, bool writable, int *opened);

/* The node of a handle: 0 or EBADF (also: not open to write); ENOTDIR; EISDIR. */
int sim_find_directory(struct sim_disk *disk, int number, struct sim_node **directory);
int sim_find_file(struct sim_disk *disk, int number, bool to_write, struct sim_node **file);

/* Counts a sync and tells whether it is to fail; what the trace says of it. */
bool sim_sync_fails(struct sim_disk *disk);
const char *sim_sync_outcome(const struct sim_disk *disk, bool fails);

/* Resolves a path from the root. 0 or ENOENT, ENOTDIR, ENAMETOOLONG. */
int sim_resolve(const struct sim_disk *disk, enum sim_view view, const char *path,
                struct sim_node **found);

/* Makes mappings of a file equal to what is seen of it in a range. */
void sim_refresh_mappings(struct sim_disk *disk, const struct sim_node *file, uint64_t begin,
                          uint64_t end);

/* Frees all mappings. */
void sim_free_mappings(struct sim_disk *disk);

/* Adds a line to the trace, for the operation that is going on. */
void sim_trace(struct sim_disk *disk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The members of the table, by the files that they are in. */
int sim_directory_make(const struct tarn__os *os, int directory, const char *name);
int sim_directory_open(const struct tarn__os *os, int directory, const char *name, int *opened);
int sim_directory_list(const struct tarn__os *os, int directory, tarn__directory_visit visit,
                       void *context);
int sim_directory_remove(const struct tarn__os *os, int directory, const char *name);
int sim_rename(const struct tarn__os *os, int from_directory, const char *from, int to_directory,
               const char *to);
int sim_link(const struct tarn__os *os, int from_directory, const char *from, int to_directory,
             const char *to);
int sim_unlink(const struct tarn__os *os, int directory, const char *name);
int sim_file_open(const struct tarn__os *os, int directory, const char *name,
                  enum tarn__open_mode mode, int *opened);
int sim_directory_sync(const struct tarn__os *os, int directory);

int sim_read(const struct tarn__os *os, int file, void *bytes, size_t length, uint64_t offset,
             size_t *done);
int sim_write(const struct tarn__os *os, int file, const void *bytes, size_t length,
              uint64_t offset, size_t *done);
int sim_size(const struct tarn__os *os, int file, uint64_t *bytes);
int sim_truncate(const struct tarn__os *os, int file, uint64_t bytes);
int sim_preallocate(const struct tarn__os *os, int file, uint64_t offset, uint64_t bytes);
int sim_sync(const struct tarn__os *os, int file);

uint64_t sim_monotonic_ns(const struct tarn__os *os);
uint64_t sim_wall_ns(const struct tarn__os *os);
uint64_t sim_process_id(const struct tarn__os *os);
void sim_yield(const struct tarn__os *os);
void sim_sleep_ns(const struct tarn__os *os, uint64_t duration);
tarn_status sim_random_bytes(const struct tarn__os *os, void *bytes, size_t length);
void *sim_memory_map(const struct tarn__os *os, size_t bytes, size_t alignment, bool huge);
void sim_memory_unmap(const struct tarn__os *os, void *address, size_t bytes);
void sim_memory_populate(const struct tarn__os *os, void *address, size_t bytes);
int sim_map(const struct tarn__os *os, int file, uint64_t offset, size_t bytes, bool writable,
            void **address);
int sim_unmap(const struct tarn__os *os, void *address, size_t bytes);
void sim_map_write(const struct tarn__os *os, void *destination, const void *source, size_t length);
void sim_map_at_random(const struct tarn__os *os, void *address, size_t bytes);
void sim_map_populate(const struct tarn__os *os, void *address, size_t bytes, bool writable);

#endif
