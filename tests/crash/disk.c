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
    disk->os.by_hand = true;
    if (!disk->os.memory_forget_in_child)
        disk->os.memory_forget_in_child = forget_in_child;
    if (!genuine.rename)
        genuine = disk->os;
    if (plant)
        plant(disk);
}

/* ------------------------------------------------------------------------------------------
 * Planted mistakes
 */

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), end_length = strlen(end);

    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static int no_sync(const struct tarn__os *os, int handle)
{
    (void)os;
    (void)handle;
    return 0;
}

static void plant_no_directory_sync(struct sim_disk *disk)
{
    disk->os.directory_sync = no_sync;
}

static void plant_no_file_sync(struct sim_disk *disk)
{
    disk->os.sync = no_sync;
}

/* A file's sync comes when it has its name. */
static int rename_then_sync(const struct tarn__os *os, int from_directory, const char *from,
                            int to_directory, const char *to)
{
    int error = genuine.rename(os, from_directory, from, to_directory, to), file;

    if (error || genuine.file_open(os, to_directory, to, TARN__OPEN_READ_WRITE, &file))
        return error;
    error = genuine.sync(os, file);
    (void)genuine.close(os, file); /* it was synced */
    return error;
}

static void plant_rename_before_sync(struct sim_disk *disk)
{
    disk->os.sync = no_sync;
    disk->os.rename = rename_then_sync;
}

/* Copies the new file over the old one. */
static int overwrite(const struct tarn__os *os, int from_directory, const char *from,
                     int to_directory, const char *to)
{
    uint8_t bytes[8192];
    size_t length, written;
    int old, new, error;

    if (strcmp(to, "catalog") != 0 ||
        genuine.file_open(os, to_directory, to, TARN__OPEN_READ_WRITE, &old))
        return genuine.rename(os, from_directory, from, to_directory, to);
    error = genuine.file_open(os, from_directory, from, TARN__OPEN_READ, &new);
    if (!error)
        error = genuine.read(os, new, bytes, sizeof bytes, 0, &length);
    if (!error)
        error = genuine.truncate(os, old, length);
    if (!error)
        error = genuine.write(os, old, bytes, length, 0, &written);
    if (!error)
        error = genuine.sync(os, old);
    (void)genuine.close(os, old); /* it was synced */
    (void)genuine.close(os, new); /* it was only read */
    return error ? error : genuine.unlink(os, from_directory, from);
}

static void plant_catalog_overwritten(struct sim_disk *disk)
{
    disk->os.rename = overwrite;
}

/* The loop that removes what a crash has left would never end, so it does not see it. */
struct filter {
    tarn__directory_visit visit;
    void *context;
};

static bool visit_filtered(void *context, const char *name)
{
    const struct filter *filter = context;

    return strncmp(name, ".new-", 5) == 0 || filter->visit(filter->context, name);
}

static int list_filtered(const struct tarn__os *os, int directory, tarn__directory_visit visit,
                         void *context)
{
    struct filter filter = {.visit = visit, .context = context};

    return genuine.directory_list(os, directory, visit_filtered, &filter);
}

static void plant_temporary_not_removed(struct sim_disk *disk)
{
    disk->os.directory_list = list_filtered;
}

static int keep_catalog_new(const struct tarn__os *os, int directory, const char *name)
{
    return strcmp(name, "catalog.new") == 0 ? ENOENT : genuine.unlink(os, directory, name);
}

static void plant_catalog_new_not_removed(struct sim_disk *disk)
{
    disk->os.unlink = keep_catalog_new;
}

static int sync_again(const struct tarn__os *os, int file)
{
    return genuine.sync(os, file) ? genuine.sync(os, file) : 0;
}

static int directory_sync_again(const struct tarn__os *os, int directory)
{
    return genuine.directory_sync(os, directory) ? genuine.directory_sync(os, directory) : 0;
}

static void plant_sync_retried(struct sim_disk *disk)
{
    disk->os.sync = sync_again;
}

static void plant_directory_sync_retried(struct sim_disk *disk)
{
    disk->os.directory_sync = directory_sync_again;
}

static int directory_sync_ignored(const struct tarn__os *os, int directory)
{
    (void)genuine.directory_sync(os, directory); /* that is the mistake */
    return 0;
}

static void plant_directory_sync_ignored(struct sim_disk *disk)
{
    disk->os.directory_sync = directory_sync_ignored;
}

/* The old snapshot goes, durably, before the new one has its name. */
static int unlink_then_rename(const struct tarn__os *os, int from_directory, const char *from,
                              int to_directory, const char *to)
{
    if (ends_with(to, ".snapshot") && genuine.unlink(os, to_directory, to) == 0)
        (void)genuine.directory_sync(os, to_directory); /* that is the mistake */
    return genuine.rename(os, from_directory, from, to_directory, to);
}

static void plant_old_deleted_first(struct sim_disk *disk)
{
    disk->os.rename = unlink_then_rename;
}

/* Names are synced just before they change. */
static int sync_then_rename(const struct tarn__os *os, int from_directory, const char *from,
                            int to_directory, const char *to)
{
    (void)genuine.directory_sync(os, to_directory); /* that is the mistake */
    return genuine.rename(os, from_directory, from, to_directory, to);
}

static void plant_directory_sync_before_rename(struct sim_disk *disk)
{
    disk->os.rename = sync_then_rename;
    disk->os.directory_sync = no_sync;
}

static int no_lock(const struct tarn__os *os, int file, bool exclusive)
{
    (void)os;
    (void)file;
    (void)exclusive;
    return 0;
}

static void plant_lock_ignored(struct sim_disk *disk)
{
    disk->os.lock = no_lock;
}

/* The deletion of a snapshot is not synced. */
static bool deleted;

static int unlink_noted(const struct tarn__os *os, int directory, const char *name)
{
    deleted = ends_with(name, ".snapshot");
    return genuine.unlink(os, directory, name);
}

static int sync_unless_deleted(const struct tarn__os *os, int directory)
{
    bool skip = deleted;

    deleted = false;
    return skip ? 0 : genuine.directory_sync(os, directory);
}

static void plant_deletion_not_synced(struct sim_disk *disk)
{
    disk->os.unlink = unlink_noted;
    disk->os.directory_sync = sync_unless_deleted;
}

const struct disk_plant disk_plants[] = {
    {"no sync of the directory", plant_no_directory_sync, DISK_PLANT_CRASH},
    {"no sync of the file", plant_no_file_sync, DISK_PLANT_CRASH},
    {"rename before the sync", plant_rename_before_sync, DISK_PLANT_CRASH},
    {"the catalog overwritten in place", plant_catalog_overwritten, DISK_PLANT_CRASH},
    {"a temporary snapshot not removed", plant_temporary_not_removed, DISK_PLANT_CRASH},
    {"a temporary catalog not removed", plant_catalog_new_not_removed, DISK_PLANT_CRASH},
    {"the old snapshot deleted first", plant_old_deleted_first, DISK_PLANT_CRASH},
    {"directory synced before the rename", plant_directory_sync_before_rename, DISK_PLANT_CRASH},
    {"the lock ignored", plant_lock_ignored, DISK_PLANT_CRASH},
    {"a deletion not synced", plant_deletion_not_synced, DISK_PLANT_CRASH},
    {"a failed sync retried and trusted", plant_sync_retried, DISK_PLANT_SYNC},
    {"a failed sync of the directory retried", plant_directory_sync_retried, DISK_PLANT_SYNC},
    {"a failed sync of the directory ignored", plant_directory_sync_ignored, DISK_PLANT_SYNC},
};
const size_t disk_plant_count = sizeof disk_plants / sizeof disk_plants[0];
