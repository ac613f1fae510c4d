/*
 * The simulated disk: the bytes and the size of files, and syncs. See sim_disk.h.
 *
 * Each change is told to sim_tree.h, which knows what will be kept of it, and then shown in the
 * file's mappings.
 */
#include "sim_disk_inside.h"

#include <errno.h>

int sim_read(const struct tarn__os *os, int file, void *bytes, size_t length, uint64_t offset,
             size_t *done)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *node;
    int error = offset > INT64_MAX ? EINVAL : sim_find_file(disk, file, false, &node);

    if (error == 0) {
        uint64_t size = node->seen->size;
        uint64_t left = offset < size ? size - offset : 0;

        *done = length < left ? length : (size_t)left;
        sim_content_read(node->seen, offset, bytes, *done);
    }
    return sim_leave(disk, false, error);
}

int sim_write(const struct tarn__os *os, int file, const void *bytes, size_t length,
              uint64_t offset, size_t *done)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *node;
    int error = sim_find_file(disk, file, true, &node);

    if (error == 0 && (offset > SIM_FILE_BYTES_MAX || length > SIM_FILE_BYTES_MAX - offset))
        error = EFBIG;
    if (error != 0)
        return sim_leave(disk, false, error);
    sim_tree_write(disk->tree, node, offset, bytes, length, false);
    sim_refresh_mappings(disk, node, offset, offset + length);
    sim_trace(disk, "write file %llu at %llu, %zu bytes", (unsigned long long)node->number,
              (unsigned long long)offset, length);
    *done = length;
    return sim_leave(disk, true, 0);
}

int sim_size(const struct tarn__os *os, int file, uint64_t *bytes)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *node;
    int error = sim_find_file(disk, file, false, &node);

    if (error == 0)
        *bytes = node->seen->size;
    return sim_leave(disk, false, error);
}

static int resize(struct sim_disk *disk, struct sim_node *node, uint64_t size)
{
    uint64_t before = node->seen->size;

    sim_tree_resize(disk->tree, node, size);
    sim_refresh_mappings(disk, node, size, before);
    sim_trace(disk, "resize file %llu to %llu bytes", (unsigned long long)node->number,
              (unsigned long long)size);
    return sim_leave(disk, true, 0);
}

int sim_truncate(const struct tarn__os *os, int file, uint64_t bytes)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *node;
    int error = bytes > SIM_FILE_BYTES_MAX ? EFBIG : sim_find_file(disk, file, true, &node);

    if (error == EBADF && sim_handle_find(disk, file))
        error = EINVAL; /* as ftruncate() has it for what is open to read */
    return error != 0 ? sim_leave(disk, false, error) : resize(disk, node, bytes);
}

int sim_preallocate(const struct tarn__os *os, int file, uint64_t offset, uint64_t bytes)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *node;
    int error = sim_find_file(disk, file, true, &node);

    if (error == 0 && bytes == 0)
        error = EINVAL;
    if (error == 0 && (offset > SIM_FILE_BYTES_MAX || bytes > SIM_FILE_BYTES_MAX - offset))
        error = EFBIG;
    if (error != 0 || offset + bytes <= node->seen->size)
        return sim_leave(disk, false, error);
    return resize(disk, node, offset + bytes);
}

/* --- Syncs -------------------------------------------------------------------------------- */

/* Whether this sync is the one that fails. */
bool sim_sync_fails(struct sim_disk *disk)
{
    bool fails = ++disk->syncs == disk->fail_at;

    disk->sync_failures += fails;
    return fails;
}

const char *sim_sync_outcome(const struct sim_disk *disk, bool fails)
{
    if (!fails)
        return "";
    return disk->failure == SIM_SYNC_FAILS_REVERTED ? ": EIO, reverted" : ": EIO, cache kept";
}

int sim_sync(const struct tarn__os *os, int file)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *node;
    int error = sim_find_file(disk, file, false, &node);
    bool fails;

    if (error != 0)
        return sim_leave(disk, false, error);
    fails = sim_sync_fails(disk);
    if (fails) {
        sim_tree_drop_file(disk->tree, node, disk->failure == SIM_SYNC_FAILS_REVERTED);
        sim_refresh_mappings(disk, node, 0, SIM_FILE_BYTES_MAX);
    } else {
        sim_tree_sync_file(disk->tree, node);
    }
    sim_trace(disk, "sync file %llu%s", (unsigned long long)node->number,
              sim_sync_outcome(disk, fails));
    return sim_leave(disk, true, fails ? EIO : 0);
}
