/*
 * The simulated disk: clock, process, randomness, memory and mapped files. See sim_disk.h.
 *
 * A mapping is memory of its own, equal to the file's bytes at the end of each operation. Reading
 * it takes no lock, as with a real one: what makes stores visible to another thread is the
 * program's own order, and the thread sanitizer sees where that is missing.
 */
#include "sim_disk_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_NS    1000 /* how far the clock goes at each look */
#define PAGE_BYTES 4096

/* --- Clock, process, randomness ----------------------------------------------------------- */

static void pass(struct sim_disk *disk, uint64_t duration)
{
    disk->monotonic += duration;
    disk->wall += duration;
}

uint64_t sim_monotonic_ns(const struct tarn__os *os)
{
    struct sim_disk *disk = sim_enter(os);
    uint64_t now;

    pass(disk, LOOK_NS);
    now = disk->monotonic;
    (void)sim_leave(disk, false, 0); /* gives the error back that it is given */
    return now;
}

uint64_t sim_wall_ns(const struct tarn__os *os)
{
    struct sim_disk *disk = sim_enter(os);
    uint64_t now;

    pass(disk, LOOK_NS);
    now = disk->wall;
    (void)sim_leave(disk, false, 0);
    return now;
}

uint64_t sim_process_id(const struct tarn__os *os)
{
    struct sim_disk *disk = sim_enter(os);
    uint64_t process = disk->process;

    (void)sim_leave(disk, false, 0);
    return process;
}

void sim_yield(const struct tarn__os *os)
{
    (void)os;
    tarn__os_posix()->yield(tarn__os_posix());
}

void sim_sleep_ns(const struct tarn__os *os, uint64_t duration)
{
    struct sim_disk *disk = sim_enter(os);

    pass(disk, duration);
    (void)sim_leave(disk, false, 0);
    sim_yield(os);
}

tarn_status sim_random_bytes(const struct tarn__os *os, void *bytes, size_t length)
{
    struct sim_disk *disk = sim_enter(os);

    for (size_t i = 0; i < length; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)sim_mix(disk->seed, disk->random++);
    (void)sim_leave(disk, false, 0);
    return TARN_OK;
}

void sim_disk_set_process(struct sim_disk *disk, uint64_t process)
{
    sim_enter(&disk->os)->process = process;
    (void)sim_leave(disk, false, 0);
}

void sim_disk_set_wall_ns(struct sim_disk *disk, uint64_t wall_ns)
{
    sim_enter(&disk->os)->wall = wall_ns;
    (void)sim_leave(disk, false, 0);
}

void sim_disk_pass_ns(struct sim_disk *disk, uint64_t duration)
{
    pass(sim_enter(&disk->os), duration);
    (void)sim_leave(disk, false, 0);
}

/* --- Memory ------------------------------------------------------------------------------- */

void *sim_memory_map(const struct tarn__os *os, size_t bytes, size_t alignment, bool huge)
{
    (void)os;
    return tarn__os_posix()->memory_map(tarn__os_posix(), bytes, alignment, huge);
}

void sim_memory_unmap(const struct tarn__os *os, void *address, size_t bytes)
{
    (void)os;
    tarn__os_posix()->memory_unmap(tarn__os_posix(), address, bytes);
}

void sim_memory_populate(const struct tarn__os *os, void *address, size_t bytes)
{
    (void)os;
    tarn__os_posix()->memory_populate(tarn__os_posix(), address, bytes);
}

/* --- Mapped files ------------------------------------------------------------------------- */

void sim_refresh_mappings(struct sim_disk *disk, const struct sim_node *file, uint64_t begin,
                          uint64_t end)
{
    for (size_t i = 0; i < disk->mapping_count; i++) {
        const struct sim_mapping *mapping = &disk->mappings[i];
        uint64_t from = begin > mapping->offset ? begin : mapping->offset;
        uint64_t to =
            end < mapping->offset + mapping->bytes ? end : mapping->offset + mapping->bytes;

        if (mapping->node == file && from < to)
            sim_content_read(file->seen, from, mapping->address + (from - mapping->offset),
                             to - from);
    }
}

void sim_free_mappings(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->mapping_count; i++)
        free(disk->mappings[i].address);
    free(disk->mappings);
}

static int map_node(struct sim_disk *disk, struct sim_node *node, uint64_t offset, size_t bytes,
                    bool writable, void **address)
{
    struct sim_mapping *mapping;
    void *memory = NULL;

    if (posix_memalign(&memory, PAGE_BYTES, bytes) != 0)
        return ENOMEM;
    disk->mappings = sim_grow(disk->mappings, &disk->mapping_room, disk->mapping_count + 1,
                              sizeof *disk->mappings);
    mapping = &disk->mappings[disk->mapping_count++];
    *mapping = (struct sim_mapping){
        .address = memory, .bytes = bytes, .node = node, .offset = offset, .writable = writable};
    sim_content_read(node->seen, offset, memory, bytes);
    node->users++;
    *address = memory;
    return 0;
}

int sim_map(const struct tarn__os *os, int file, uint64_t offset, size_t bytes, bool writable,
            void **address)
{
    struct sim_disk *disk = sim_enter(os);
    const struct sim_handle *handle = sim_handle_find(disk, file);
    int error = 0;

    if (!handle || handle->node->directory)
        error = handle ? ENODEV : EBADF;
    else if (writable && !handle->writable)
        error = EACCES;
    else if (bytes == 0 || offset % PAGE_BYTES != 0 || offset > handle->node->seen->size ||
             bytes > handle->node->seen->size - offset)
        error = EINVAL;
    else
        error = map_node(disk, handle->node, offset, bytes, writable, address);
    return sim_leave(disk, false, error);
}

int sim_unmap(const struct tarn__os *os, void *address, size_t bytes)
{
    struct sim_disk *disk = sim_enter(os);
    int error = EINVAL;

    for (size_t i = 0; i < disk->mapping_count; i++) {
        struct sim_mapping *mapping = &disk->mappings[i];

        if (mapping->address != address || mapping->bytes != bytes)
            continue;
        free(mapping->address);
        mapping->node->users--;
        *mapping = disk->mappings[--disk->mapping_count];
        error = 0;
        break;
    }
    return sim_leave(disk, false, error);
}

/* The writable mapping that a range lies in. What is not in one would be a fault of the processor.
 */
static const struct sim_mapping *mapping_of(const struct sim_disk *disk, const char *destination,
                                            size_t length)
{
    for (size_t i = 0; i < disk->mapping_count; i++) {
        const struct sim_mapping *mapping = &disk->mappings[i];
        uint64_t place;

        if ((uintptr_t)destination < (uintptr_t)mapping->address)
            continue;
        place = (uint64_t)(destination - mapping->address);
        if (place >= mapping->bytes || length > mapping->bytes - place)
            continue;
        if (mapping->writable && mapping->offset + place + length <= mapping->node->seen->size)
            return mapping;
    }
    fprintf(stderr, "a store of %zu bytes into what is not mapped for it, or is cut off\n", length);
    abort();
}

void sim_map_write(const struct tarn__os *os, void *destination, const void *source, size_t length)
{
    const struct sim_mapping *mapping;
    struct sim_disk *disk;
    uint64_t offset;

    if (length == 0)
        return;
    disk = sim_enter(os);
    mapping = mapping_of(disk, destination, length);
    offset = mapping->offset + (uint64_t)((char *)destination - mapping->address);
    sim_tree_write(disk->tree, mapping->node, offset, source, length, true);
    sim_refresh_mappings(disk, mapping->node, offset, offset + length);
    sim_trace(disk, "store in file %llu at %llu, %zu bytes",
              (unsigned long long)mapping->node->number, (unsigned long long)offset, length);
    (void)sim_leave(disk, true, 0);
}

void sim_map_populate(const struct tarn__os *os, void *address, size_t bytes, bool writable)
{
    (void)os;
    (void)address;
    (void)bytes;
    (void)writable;
}

void sim_map_at_random(const struct tarn__os *os, void *address, size_t bytes)
{
    (void)os;
    (void)address;
    (void)bytes;
}
