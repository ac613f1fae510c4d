/*
 * A temporary folder: see folder.h.
 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"

static unsigned long file_system_number(const char *path)
{
    struct statfs status;
    return statfs(path, &status) == 0 ? (unsigned long)status.f_type : 0;
}

static bool is_in_memory(const char *path)
{
    const unsigned long number = file_system_number(path);
    return number == TMPFS_MAGIC || number == RAMFS_MAGIC;
}

/* The folder to make it in. */
static const char *parent(void)
{
    const char *candidates[] = {getenv("TMPDIR"), "."};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        const char *candidate = candidates[i];
        if (candidate == NULL || access(candidate, W_OK | X_OK) != 0) {
            continue;
        }
        if (!is_in_memory(candidate)) {
            return candidate;
        }
        found = found == NULL ? candidate : found;
    }
    return found == NULL ? "." : found; /* making it there tells what is wrong */
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

enum { DESCRIPTORS = 16 };

static bool remove_tree(const char *path)
{
    return nftw(path, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS) == 0;
}

/* The guard. It is in a session of its own: what a terminal sends to end the program does not end
 * it as well. */
static _Noreturn void guard_main(const char *path, int end)
{
    char byte;
    ssize_t got;
    (void)setsid(); /* fails only for the leader of a group, which a new process is not */
    (void)close(STDIN_FILENO);
    (void)close(STDOUT_FILENO); /* whoever reads what the program prints waits for its end alone */
    do {
        got = read(end, &byte, sizeof byte);
    } while (got < 0 && errno == EINTR);
    _exit(remove_tree(path) ? 0 : 1);
}

void folder_make(struct folder *folder)
{
    int ends[2];
    const int length =
        snprintf(folder->path, sizeof folder->path, "%s/tarn-bench-XXXXXX", parent());
    if (length < 0 || (size_t)length >= sizeof folder->path) {
        console_fail("the path of the temporary folder is too long");
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        console_fail("cannot make a pipe");
    }
    if (mkdtemp(folder->path) == NULL) {
        console_fail("cannot make the folder %s: %s", folder->path, strerror(errno));
    }
    folder->guard = fork();
    if (folder->guard < 0) {
        (void)rmdir(folder->path); /* nothing is in it; the fork is what is told of */
        console_fail("cannot fork");
    }
    if (folder->guard == 0) {
        (void)close(ends[1]);
        guard_main(folder->path, ends[0]);
    }
    (void)close(ends[0]);
    folder->guard_end = ends[1];
}

void folder_remove(struct folder *folder)
{
    int status = 0;
    (void)close(folder->guard_end);
    if (waitpid(folder->guard, &status, 0) != folder->guard || status != 0) {
        console_fail("cannot remove the folder %s", folder->path);
    }
}

void folder_empty(const char *path)
{
    if ((access(path, F_OK) == 0 && !remove_tree(path)) || mkdir(path, 0700) != 0) {
        console_fail("cannot empty the folder %s: %s", path, strerror(errno));
    }
}

uint64_t folder_bytes(const char *path)
{
    enum { BLOCK_BYTES = 512 }; /* of st_blocks, whatever the file system */
    char *const roots[] = {(char *)(uintptr_t)path, NULL}; /* it is only read */
    uint64_t bytes = 0;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    const FTSENT *entry = NULL;
    while (walk != NULL && (entry = fts_read(walk)) != NULL) {
        if (entry->fts_info == FTS_F) {
            bytes += (uint64_t)entry->fts_statp->st_blocks * BLOCK_BYTES;
        }
    }
    if (walk == NULL || errno != 0) {
        console_fail("cannot read the folder %s: %s", path, strerror(errno));
    }
    (void)fts_close(walk); /* it was only read */
    return bytes;
}

bool folder_is_on_disk(void)
{
    return !is_in_memory(parent());
}

const char *folder_file_system(void)
{
    /* The numbers that linux/magic.h does not have everywhere are written out. */
    static const struct {
        unsigned long number;
        const char *name;
    } names[] = {
        {EXT4_SUPER_MAGIC, "ext4"},   {0x58465342, "xfs"},
        {BTRFS_SUPER_MAGIC, "btrfs"}, {F2FS_SUPER_MAGIC, "f2fs"},
        {0x2fc12fc1, "zfs"},          {TMPFS_MAGIC, "tmpfs"},
        {RAMFS_MAGIC, "ramfs"},       {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
        {NFS_SUPER_MAGIC, "nfs"},
    };
    const unsigned long number = file_system_number(parent());
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    return "unknown";
}
