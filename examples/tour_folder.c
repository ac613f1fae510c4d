/* The folder of the tour's store, and what happens to it: see tour_folder.h. */
#include "tour_folder.h"
#include "tour_process.h"
#include "tour_report.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *temporary; /* NULL: there is none, or it is removed */

/* ---- removing ---- */

/* Removes everything below the path, and it. It is ours alone: mkdtemp() made it. */
static void remove_tree(char *path)
{
    char *const roots[] = {path, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;

    while (tree && (entry = fts_read(tree)))
        if (entry->fts_info != FTS_D && remove(entry->fts_accpath) != 0)
            fprintf(stderr, "tour: cannot remove %s: %s\n", entry->fts_path, strerror(errno));
    if (tree)
        fts_close(tree);
}

/* At the end of the program: says where a folder is that nobody has removed. */
static void tell_what_is_left(void)
{
    if (temporary)
        fprintf(stderr, "tour: the store is left in %s\n", temporary);
}

/* ---- being interrupted ---- */

static sigset_t interrupting(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

/* Waits for a signal, cleans up, and dies of it as if it had not been blocked. */
static void *wait_for_interrupt(void *path)
{
    sigset_t set = interrupting();
    int number;

    if (sigwait(&set, &number) != 0)
        return NULL;
    tour_quiet();
    tour_process_kill_running();
    remove_tree(path);
    signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
    return NULL;
}

static void clean_up_when_interrupted(void)
{
    sigset_t set = interrupting();
    pthread_t thread;

    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 ||
        pthread_create(&thread, NULL, wait_for_interrupt, temporary) != 0 ||
        pthread_detach(thread) != 0)
        tour_fail("cannot start a thread");
}

/* ---- the folder ---- */

static void expect_empty(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    if (!folder && errno == ENOENT)
        return; /* tarn makes it */
    if (!folder)
        tour_fail("cannot keep a store in %s: %s", path, strerror(errno));
    errno = 0;
    while ((entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            tour_fail("%s is not empty, and the tour changes nothing that is there: "
                      "name another folder",
                      path);
    if (errno != 0)
        tour_fail("cannot read %s: %s", path, strerror(errno));
    closedir(folder);
}

static void make_temporary(void)
{
    const char *above = getenv("TMPDIR");
    char *path;

    if (!above || !*above)
        above = "/tmp";
    if (asprintf(&path, "%s/tarn-tour-XXXXXX", above) < 0)
        tour_fail("there is not enough memory");
    if (!mkdtemp(path))
        tour_fail("cannot make a temporary folder in %s: %s", above, strerror(errno));
    temporary = path;
    if (atexit(tell_what_is_left) != 0)
        tour_fail("there is not enough memory");
}

const char *tour_folder_open(const char *named)
{
    if (named) {
        expect_empty(named);
        return named;
    }
    make_temporary();
    clean_up_when_interrupted();
    return temporary;
}

void tour_folder_close(void)
{
    char *path = temporary;

    if (!path)
        return;
    temporary = NULL;
    remove_tree(path);
    /* Its bytes stay: the thread that waits for an interrupt knows them. */
}
