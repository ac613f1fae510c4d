/* Little memory for a test; see the header. */
#include "support/memory_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROOT_1 "/sys/fs/cgroup/memory"
#define ROOT_2 "/sys/fs/cgroup"

#define REMOVE_TRIES 1000

/* The names of its files, in versions 1 and 2. */
static const char *const limit_file[] = {"memory.limit_in_bytes", "memory.max"};
static const char *const swap_file[] = {"memory.memsw.limit_in_bytes", "memory.swap.max"};
static const char *const peak_file[] = {"memory.max_usage_in_bytes", "memory.peak"};

static void file_of(const struct memory_limit *limit, const char *name, char path[600])
{
    snprintf(path, 600, "%s/%s", limit->path, name);
}

/* Such a file wants all in one write. */
static bool write_file(const struct memory_limit *limit, const char *name, uint64_t number)
{
    char path[600], text[32];
    int length = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    int file;
    bool right;

    file_of(limit, name, path);
    file = open(path, O_WRONLY | O_CLOEXEC);
    right = file >= 0 && write(file, text, (size_t)length) == length;
    if (file >= 0)
        close(file);
    return right;
}

/* The group that the process is in: a path below that of the version's root. */
static bool own_group(int version, char group[256])
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[512];
    bool found = false;

    while (file && !found && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        found = version == 1 ? strstr(controllers, "memory") != NULL : controllers[1] == '\0';
        if (found)
            snprintf(group, 256, "%s", path);
    }
    if (file)
        fclose(file);
    return found;
}

/* Makes a group in another one, if memory can be limited there. */
static bool make_in(struct memory_limit *limit, const char *around, uint64_t bytes)
{
    int v = limit->version - 1;
    bool right;

    snprintf(limit->path, sizeof limit->path, "%s/tarn-test-%d", around, (int)getpid());
    right = mkdir(limit->path, 0755) == 0;
    if (!right) {
        snprintf(limit->problem, sizeof limit->problem, "%s: %s", limit->path, strerror(errno));
        limit->path[0] = '\0';
        return false;
    }
    if (!write_file(limit, limit_file[v], bytes)) {
        snprintf(limit->problem, sizeof limit->problem, "memory cannot be limited in %s: %s",
                 around, strerror(errno));
        memory_limit_remove(limit);
        return false;
    }
    /* no swap, where the kernel has an account of it */
    (void)write_file(limit, swap_file[v], limit->version == 1 ? bytes : 0);
    return true;
}

bool memory_limit_make(struct memory_limit *limit, uint64_t bytes)
{
    char group[256], around[400];

    memset(limit, 0, sizeof *limit);
    snprintf(limit->problem, sizeof limit->problem, "there is no memory controller");
    if (access(ROOT_1 "/memory.limit_in_bytes", F_OK) == 0 && own_group(1, group)) {
        limit->version = 1;
        snprintf(around, sizeof around, ROOT_1 "%s", group);
        return make_in(limit, around, bytes);
    }
    if (access(ROOT_2 "/cgroup.controllers", F_OK) != 0 || !own_group(2, group))
        return false;
    limit->version = 2;
    snprintf(around, sizeof around, ROOT_2 "%s", group);
    if (make_in(limit, around, bytes))
        return true;
    /* a group of version 2 that has processes has no groups with limits in it: so beside it */
    if (!strrchr(group, '/') || strcmp(group, "/") == 0)
        return false;
    *strrchr(around, '/') = '\0';
    return make_in(limit, around, bytes);
}

bool memory_limit_enter(struct memory_limit *limit)
{
    if (write_file(limit, "cgroup.procs", 0)) /* 0: who writes it */
        return true;
    snprintf(limit->problem, sizeof limit->problem, "%s cannot be entered: %s", limit->path,
             strerror(errno));
    return false;
}

uint64_t memory_limit_peak(const struct memory_limit *limit)
{
    unsigned long long bytes = 0;
    char path[600];
    FILE *file;

    file_of(limit, peak_file[limit->version - 1], path);
    file = fopen(path, "re");
    if (file && fscanf(file, "%llu", &bytes) != 1)
        bytes = 0;
    if (file)
        fclose(file);
    return bytes;
}

/* A process that has ended may be counted for a moment longer. */
void memory_limit_remove(struct memory_limit *limit)
{
    for (int i = 0; limit->path[0] && i < REMOVE_TRIES; i++) {
        if (rmdir(limit->path) == 0 || errno != EBUSY)
            limit->path[0] = '\0';
        else
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}
