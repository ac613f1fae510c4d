/*
 * What tests need of the machine: a folder, a count of descriptors, a child. See test_folder.h.
 *
 * There is no state; nothing here is for more than one thread at a time.
 */
#include "test_folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int test_folder_make(char *path, size_t bytes)
{
    const char *around = getenv("TMPDIR");
    int length = snprintf(path, bytes, "%s/tarn-test-XXXXXX", around ? around : "/tmp");

    if (length < 0 || (size_t)length >= bytes)
        return -1;
    return mkdtemp(path) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

int test_folder_remove(const char *path)
{
    return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : -1;
}

int test_open_descriptors(void)
{
    int count = 0;

    for (int i = 0; i < 1024; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

int test_run_in_child(int (*body)(void))
{
    int status = 0;
    pid_t child;

    fflush(NULL); /* or the child would write again what waits in the buffers */
    child = fork();
    if (child == 0)
        _exit(body());
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}
