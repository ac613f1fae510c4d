/*
 * The simulated disk: the mutex, handles and locks, and the table. See sim_disk.h.
 *
 * Every member of the table enters (takes the mutex), does its work on the tree, and leaves (gives
 * it back, and calls the observer where something changed). A handle's number has the place in the
 * table of handles in its lower bits and counts the uses of that place above, so that a number that
 * was closed is EBADF for long.
 */
#include "sim_disk_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HANDLE_PLACE_BITS 12
#define HANDLES_MAX       (1 << HANDLE_PLACE_BITS)
#define GENERATIONS       (1u << 18)

/* --- Entering and leaving ----------------------------------------------------------------- */

struct sim_disk *sim_enter(const struct tarn__os *os)
{
    struct sim_disk *disk = (struct sim_disk *)os; /* the table is the first member of one */

    pthread_mutex_lock(&disk->mutex);
    disk->tree->operation = disk->operations + 1;
    return disk;
}

int sim_leave(struct sim_disk *disk, bool changed, int error)
{
    sim_disk_after after = changed ? disk->after : NULL;
    void *context = disk->after_context;
    uint64_t operation = disk->operations += changed;

    pthread_mutex_unlock(&disk->mutex);
    if (after)
        after(context, disk, operation);
    return error;
}

/* --- Handles ------------------------------------------------------------------------------ */

struct sim_handle *sim_handle_find(struct sim_disk *disk, int number)
{
    size_t place = (size_t)number % HANDLES_MAX;

    if (number < 0 || place >= disk->handle_count || !disk->handles[place].node ||
        disk->handles[place].generation != (unsigned)number >> HANDLE_PLACE_BITS)
        return NULL;
    return &disk->handles[place];
}

int sim_open_handle(struct sim_disk *disk, struct sim_node *node, bool writable, int *opened)
{
    struct sim_handle *handle;
    size_t place = 0;

    while (place < disk->handle_count && disk->handles[place].node)
        place++;
    if (place == HANDLES_MAX)
        return EMFILE;
    if (place == disk->handle_count)
        disk->handles = sim_grow(disk->handles, &disk->handle_room, ++disk->handle_count,
                                 sizeof *disk->handles);
    handle = &disk->handles[place];
    handle->node = node;
    handle->writable = writable;
    handle->locked = false;
    node->users++;
    *opened = (int)(handle->generation << HANDLE_PLACE_BITS | place);
    return 0;
}

int sim_find_directory(struct sim_disk *disk, int number, struct sim_node **directory)
{
    const struct sim_handle *handle = sim_handle_find(disk, number);

    if (!handle)
        return EBADF;
    if (!handle->node->directory)
        return ENOTDIR;
    *directory = handle->node;
    return 0;
}

int sim_find_file(struct sim_disk *disk, int number, bool to_write, struct sim_node **file)
{
    const struct sim_handle *handle = sim_handle_find(disk, number);

    if (!handle || (to_write && !handle->writable))
        return EBADF;
    if (handle->node->directory)
        return EISDIR;
    *file = handle->node;
    return 0;
}

static int sim_close(const struct tarn__os *os, int number)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_handle *handle = sim_handle_find(disk, number);

    if (!handle)
        return sim_leave(disk, false, EBADF);
    handle->node->users--;
    handle->node = NULL;
    handle->generation = (handle->generation + 1) % GENERATIONS;
    return sim_leave(disk, false, 0);
}

/* As Linux has it: who changes the kind of a lock gives the old one up first, and may get none. */
static int sim_lock(const struct tarn__os *os, int number, bool exclusive)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_handle *handle = sim_handle_find(disk, number);

    if (!handle)
        return sim_leave(disk, false, EBADF);
    if (handle->locked && handle->exclusive == exclusive)
        return sim_leave(disk, false, 0);
    handle->locked = false;
    for (size_t i = 0; i < disk->handle_count; i++) {
        const struct sim_handle *other = &disk->handles[i];

        if (other->node == handle->node && other->locked && (exclusive || other->exclusive))
            return sim_leave(disk, false, EWOULDBLOCK);
    }
    handle->locked = true;
    handle->exclusive = exclusive;
    return sim_leave(disk, false, 0);
}

static void sim_unlock(const struct tarn__os *os, int number)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_handle *handle = sim_handle_find(disk, number);

    if (handle)
        handle->locked = false;
    (void)sim_leave(disk, false, 0);
}

/* --- Events ------------------------------------------------------------------------------- */

/* A program waits for them: they are the real ones. */

static int sim_event_make(const struct tarn__os *os, int *event)
{
    (void)os;
    return tarn__os_posix()->event_make(tarn__os_posix(), event);
}

static void sim_event_set(const struct tarn__os *os, int event)
{
    (void)os;
    tarn__os_posix()->event_set(tarn__os_posix(), event);
}

static void sim_event_clear(const struct tarn__os *os, int event)
{
    (void)os;
    tarn__os_posix()->event_clear(tarn__os_posix(), event);
}

static void sim_event_close(const struct tarn__os *os, int event)
{
    (void)os;
    tarn__os_posix()->event_close(tarn__os_posix(), event);
}

/* What is pending reaches the disk in any subset anyway. */
static void sim_write_back(const struct tarn__os *os, int file, uint64_t offset, uint64_t bytes)
{
    (void)os;
    (void)file;
    (void)offset;
    (void)bytes;
}

/* --- The table ---------------------------------------------------------------------------- */

static const struct tarn__os table = {
    .monotonic_ns = sim_monotonic_ns,
    .wall_ns = sim_wall_ns,
    .process_id = sim_process_id,
    .yield = sim_yield,
    .sleep_ns = sim_sleep_ns,
    .random_bytes = sim_random_bytes,
    .memory_map = sim_memory_map,
    .memory_unmap = sim_memory_unmap,
    .memory_populate = sim_memory_populate,
    .directory_make = sim_directory_make,
    .directory_open = sim_directory_open,
    .directory_sync = sim_directory_sync,
    .directory_list = sim_directory_list,
    .directory_remove = sim_directory_remove,
    .rename = sim_rename,
    .link = sim_link,
    .unlink = sim_unlink,
    .file_open = sim_file_open,
    .close = sim_close,
    .read = sim_read,
    .write = sim_write,
    .size = sim_size,
    .truncate = sim_truncate,
    .preallocate = sim_preallocate,
    .sync = sim_sync,
    .write_back = sim_write_back,
    .lock = sim_lock,
    .unlock = sim_unlock,
    .map = sim_map,
    .unmap = sim_unmap,
    .map_write = sim_map_write,
    .map_populate = sim_map_populate,
    .map_at_random = sim_map_at_random,
    .event_make = sim_event_make,
    .event_set = sim_event_set,
    .event_clear = sim_event_clear,
    .event_close = sim_event_close,
};

struct sim_disk *sim_disk_around(struct sim_tree *tree, uint64_t seed, struct sim_disk *like)
{
    struct sim_disk *disk = sim_allocate(sizeof *disk);

    disk->os = table;
    pthread_mutex_init(&disk->mutex, NULL);
    disk->tree = tree;
    disk->seed = seed;
    disk->process = 1;
    disk->monotonic = 1000000000u;
    disk->wall = 1700000000u * (uint64_t)1000000000u;
    if (like) {
        (void)sim_enter(&like->os);
        disk->monotonic = like->monotonic;
        disk->wall = like->wall;
        disk->process = like->process;
        (void)sim_leave(like, false, 0);
    }
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    if (!disk)
        return;
    sim_free_mappings(disk);
    sim_tree_free(disk->tree);
    free(disk->handles);
    free(disk->trace);
    pthread_mutex_destroy(&disk->mutex);
    free(disk);
}
