/*
 * Disks, and planted mistakes; see the header.
 *
 * A plant puts functions of its own in the place of members of the disk's table. These call the
 * members that every simulated disk has, which are kept here when the first one is prepared.
 */
#include "crash/disk.h"

#include <errno.h>
#include <string.h>

static struct tarn__os genuine;

static bool forget_in_child(const struct tarn__os *os, void *address, size_t bytes)
{
    (void)os;
    (void)address;
    (void)bytes;
    return false;
}

void crash_disk_prepare(struct sim_disk *disk, void (*plant)(struct sim_disk *disk))
{
    if (!disk->os.memory_forget_in_child)
        disk->os.memory_forget_in_child = forget_in_child;
    if (!genuine.rename)
        genuine = disk->os;
    if (plant)
        plant(disk);
}
