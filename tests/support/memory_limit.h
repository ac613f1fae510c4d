/*
 * Little memory for a test: a group of processes (cgroup, version 1 or 2) that may use so many
 * bytes and no more, the cache of the files that they read and write included. The kernel takes
 * pages of files back when there are too many; where it finds none, it kills.
 *
 * It takes root, or a group that was handed over to the user, and the kernel's memory controller.
 */
#ifndef TARN_TESTS_MEMORY_LIMIT_H
#define TARN_TESTS_MEMORY_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct memory_limit {
    char path[512]; /* the folder that stands for the group; empty: there is none */
    int version;
    char problem[700]; /* why something could not be done */
};

/* Makes a group inside the caller's own, with no process in it. */
bool memory_limit_make(struct memory_limit *limit, uint64_t bytes);

/* Moves the calling process into the group; what it has used before counts where it was used. */
bool memory_limit_enter(struct memory_limit *limit);

/* The most that was in use at any time, cache included; 0: the kernel does not tell. */
uint64_t memory_limit_peak(const struct memory_limit *limit);

/* Removes the group, whose processes have ended. Calls nothing that a signal handler may not. */
void memory_limit_remove(struct memory_limit *limit);

#endif
