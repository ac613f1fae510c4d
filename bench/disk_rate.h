/*
 * How fast the disk itself is: a loop of pwrite() and fdatasync().
 */
#ifndef BENCH_DISK_RATE_H
#define BENCH_DISK_RATE_H

#include <stddef.h>

/* How the file is that is written to from its beginning to its end. */
enum disk_rate_file {
    DISK_RATE_PREALLOCATED, /* by fallocate(): it has its length and its blocks */
    DISK_RATE_WRITTEN,      /* it has its data, too: the least that a sync can do */
    DISK_RATE_GROWING,      /* it has nothing */
};

/* Nanoseconds of one write of so many bytes and its sync. Makes a file in the folder and removes
 * it. Gives up on failure. */
double disk_rate(const char *folder, enum disk_rate_file kind, size_t bytes, size_t count);

/* Nanoseconds of one of so many writes that are synced together, into a file that grows. */
double disk_rate_at_once(const char *folder, size_t bytes, size_t count);

#endif
