/*
 * A disk of its own for a test: an ext4 file system on a loop device over a file, which can be made
 * full, and can lose its power.
 *
 * It takes root, loop devices and mkfs.ext4; where one of them is missing, loop_disk_make() says
 * so, and the test is to be skipped: see loop_disk_skip(). The disk is mounted in a mount namespace
 * of the process, and the device is freed with its last user: nothing is left if the test is
 * killed, but for its empty folder.
 *
 * For one thread, before the process has others.
 */
#ifndef TARN_TESTS_LOOP_DISK_H
#define TARN_TESTS_LOOP_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_DISK_SKIPPED 77 /* the exit code that Meson takes for a test that was skipped */

struct loop_disk {
    char folder[200]; /* of the test, which holds the next: */
    char path[220];   /* where the disk is mounted */
    int image;        /* the file that the disk is made of */
    char device[40];
    bool mounted;
    char problem[300]; /* why the last call here failed */
};

/* Makes a disk of so many bytes, a multiple of 1 MiB and at least 8 of them, and mounts it. False:
 * disk->problem says why, and there is nothing to be removed. */
bool loop_disk_make(struct loop_disk *disk, uint64_t bytes);

/* Takes all of it away. */
void loop_disk_remove(struct loop_disk *disk);

/* The power goes: what was not synced is lost, and whoever uses the disk gets EIO. */
bool loop_disk_cut_power(struct loop_disk *disk);

/* Mounts it again, as after the next start of the machine; nobody may use it meanwhile. */
bool loop_disk_restart(struct loop_disk *disk);

/* Makes durable all that was done there. */
bool loop_disk_sync(struct loop_disk *disk);

/* Fills the disk with a file of the test's, to the last block that a file may have; and leaves so
 * many bytes of it free again, rounded up to blocks. */
bool loop_disk_fill(struct loop_disk *disk);
bool loop_disk_leave_free(struct loop_disk *disk, uint64_t bytes);
bool loop_disk_unfill(struct loop_disk *disk);

/* Says on stderr, in one line, why the test is skipped; the exit code for it. */
int loop_disk_skip(const struct loop_disk *disk);

#endif
