/*
 * Disks as the tests of crashes use them: where the store lives, and wrong orders of operations
 * that can be planted into a disk's table without touching the library.
 */
#ifndef TARN_TESTS_CRASH_DISK_H
#define TARN_TESTS_CRASH_DISK_H

#include "support/sim_disk.h"

#define CRASH_FOLDER "/db"

/* Makes a new disk fit to be used: no threads, and what its table does not have; then lets plant
 * change the table, unless it is NULL. */
void crash_disk_prepare(struct sim_disk *disk, void (*plant)(struct sim_disk *disk));

/* Mistakes of the order of operations, for `plant`. */
enum disk_plant_kind {
    DISK_PLANT_CRASH, /* shows when the power goes */
    DISK_PLANT_SYNC,  /* shows when a sync fails */
};

struct disk_plant {
    const char *name;
    void (*plant)(struct sim_disk *disk);
    enum disk_plant_kind kind;
};
extern const struct disk_plant disk_plants[];
extern const size_t disk_plant_count;

#endif
