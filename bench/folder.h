/*
 * A temporary folder for what a store writes. Main thread only.
 *
 * It is made in TMPDIR or in the current directory: in the first of them that can be written to and
 * is not in memory alone (tmpfs), else in the first that can be written to.
 *
 * However the program ends, the folder goes: a process of its own, the guard, waits for the end of
 * the one that made it, and removes it.
 */
#ifndef BENCH_FOLDER_H
#define BENCH_FOLDER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct folder {
    char path[PATH_MAX];
    int guard_end; /* of a pipe: the guard begins when it is closed */
    pid_t guard;
};

/* Makes an empty one. Gives up on failure. No store may be open: the guard would hold its locks. */
void folder_make(struct folder *folder);

/* Removes it with everything in it. Gives up on failure. */
void folder_remove(struct folder *folder);

/* Removes a folder within one, with everything in it, and makes it anew. Gives up on failure. */
void folder_empty(const char *path);

/* The bytes that the files in a folder take on the disk. Gives up on failure. */
uint64_t folder_bytes(const char *path);

/* Whether a folder would be on a disk: what is in memory alone tells nothing of durability. */
bool folder_is_on_disk(void);

/* The kind of file system that a folder would be in, "ext4". Static. */
const char *folder_file_system(void);

#endif
