/*
 * How fast the disk itself is: see disk_rate.h.
 */
#include "disk_rate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "console.h"

static bool write_all(int file, const uint8_t *bytes, size_t length, size_t offset)
{
    while (length > 0) {
        const ssize_t written = pwrite(file, bytes, length, (off_t)offset);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        const size_t done = written < 0 ? 0 : (size_t)written;
        bytes += done;
        length -= done;
        offset += done;
    }
    return true;
}

static bool prepare(int file, enum disk_rate_file kind, const uint8_t *bytes, size_t length,
                    size_t count)
{
    bool done = true;
    if (kind == DISK_RATE_PREALLOCATED) {
        done = fallocate(file, 0, 0, (off_t)(length * count)) == 0;
    }
    for (size_t i = 0; kind == DISK_RATE_WRITTEN && done && i < count; i++) {
        done = write_all(file, bytes, length, i * length);
    }
    return done && fsync(file) == 0;
}

/* sync_every: writes from one sync to the next. */
static double measure(const char *folder, enum disk_rate_file kind, size_t bytes, size_t count,
                      size_t sync_every)
{
    char path[PATH_MAX + 16];
    uint8_t *block = console_allocate(bytes);
    memset(block, 0x5a, bytes);
    (void)snprintf(path, sizeof path, "%s/rate", folder);
    const int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool done = file >= 0 && prepare(file, kind, block, bytes, count);
    const uint64_t begin_ns = clock_wall_ns();
    for (size_t i = 0; done && i < count; i++) {
        done = write_all(file, block, bytes, i * bytes) &&
               ((i + 1) % sync_every != 0 || fdatasync(file) == 0);
    }
    const uint64_t ns = clock_wall_ns() - begin_ns;
    if (!done || close(file) != 0 || unlink(path) != 0) {
        console_fail("cannot write to %s: %s", path, strerror(errno));
    }
    free(block);
    return (double)ns / (double)count;
}

double disk_rate(const char *folder, enum disk_rate_file kind, size_t bytes, size_t count)
{
    return measure(folder, kind, bytes, count, 1);
}

double disk_rate_at_once(const char *folder, size_t bytes, size_t count)
{
    return measure(folder, DISK_RATE_GROWING, bytes, count, count);
}
