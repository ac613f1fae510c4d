/* The folder of the tour's store, and what happens to it: see tour_folder.h. */
#include "tour_folder.h"
#include "tour_report.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- tidying up ---- */

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

static const int interrupts[] = {SIGINT, SIGTERM, SIGHUP};

static bool is_interrupt(int number)
{
    for (size_t i = 0; i < sizeof interrupts / sizeof interrupts[0]; i++)
        if (interrupts[i] == number)
            return true;
    return number == SIGKILL || number == SIGPIPE; /* the last: nobody reads what it prints */
}

/* The signals to wait for: a child's end, and those that interrupt, unless they are ignored. */
static sigset_t awaited(void)
{
    struct sigaction action;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < sizeof interrupts / sizeof interrupts[0]; i++)
        if (sigaction(interrupts[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, interrupts[i]);
    return set;
}

/* Ends as the tour did. */
static _Noreturn void end_like(int status)
{
    sigset_t all;

    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    _exit(1);
}

/* Waits for the end of the tour and of what it has started, and tidies up. */
static _Noreturn void wait_for(pid_t tour, char *path, const sigset_t *set)
{
    int interrupted = 0;
    int number, status;

    while (waitpid(tour, &status, WNOHANG) != tour)
        if (sigwait(set, &number) == 0 && number != SIGCHLD) {
            interrupted = number;
            kill(tour, SIGKILL);
        }
    while (waitpid(-1, NULL, 0) > 0)
        ; /* its own children have become ours, and end with it */
    if (interrupted)
        status = interrupted; /* as waitpid() tells of a process that died of it */
    if (status == 0 || (WIFSIGNALED(status) && is_interrupt(WTERMSIG(status))))
        remove_tree(path);
    else if (rmdir(path) != 0) /* it is not empty */
        fprintf(stderr, "tour: the store is left in %s\n", path);
    end_like(status);
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

static char *make_temporary(void)
{
    const char *above = getenv("TMPDIR");
    char *path;

    if (!above || !*above)
        above = "/tmp";
    if (asprintf(&path, "%s/tarn-tour-XXXXXX", above) < 0)
        tour_fail("there is not enough memory");
    if (!mkdtemp(path))
        tour_fail("cannot make a temporary folder in %s: %s", above, strerror(errno));
    return path;
}

const char *tour_folder_open(const char *named)
{
    sigset_t set = awaited();
    static char *path; /* the caller has it until the end */
    sigset_t before;
    pid_t tour;

    if (named) {
        expect_empty(named);
        return named;
    }
    signal(SIGCHLD, SIG_DFL); /* ignored, it would take the ends of children with it */
    sigprocmask(SIG_BLOCK, &set, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    path = make_temporary();
    tour = fork();
    if (tour < 0)
        tour_fail("cannot start a process: %s", strerror(errno));
    if (tour > 0)
        wait_for(tour, path, &set);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* without the one that tidies up there is no tour */
    sigprocmask(SIG_SETMASK, &before, NULL);
    return path;
}
