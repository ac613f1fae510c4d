/*
 * A process that is killed: see disk_child.h. It is a new program and not a mere fork: threads that
 * libraries keep for all their stores are not in a forked child.
 */
#include "disk_child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "disk_peers.h"
#include "loops.h"
#include "plan.h"
#include "subject.h"

void disk_child_run(const char *peer, const char *folder, uint32_t keys)
{
    char keys_text[24];
    int status = 0;
    (void)snprintf(keys_text, sizeof keys_text, "%u", keys);
    const pid_t child = fork();
    if (child < 0) {
        console_fail("cannot fork");
    }
    if (child == 0) {
        (void)execl("/proc/self/exe", "tarn-bench", DISK_SUBCOMMAND, peer, folder, keys_text,
                    (char *)NULL);
        _exit(127); /* execl() returns only if it failed */
    }
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
        WTERMSIG(status) != SIGKILL) {
        console_fail("filling %s in a process of its own failed", peer);
    }
}

int disk_child(int argument_count, char **arguments)
{
    const enum subject_id id = argument_count == 3 ? disk_peer_find(arguments[0]) : SUBJECT_COUNT;
    const unsigned long keys = id == SUBJECT_COUNT ? 0 : strtoul(arguments[2], NULL, 10);
    if (keys == 0 || keys > UINT32_MAX) {
        console_fail("%s is for the program itself", DISK_SUBCOMMAND);
    }
    const struct peer_setup setup = {.keys_expected = keys, .folder = arguments[1]};
    struct subject subject = {.store = NULL};
    uint32_t *order = console_allocate(keys * sizeof order[0]);
    workload_order_permuted(order, keys, (uint32_t)keys, 1);
    subject_open_as(&subject, disk_peer(id), &setup, 1);
    const struct loop loop = {.peer = subject.peer,
                              .session = subject.sessions[0],
                              .order = order,
                              .count = keys,
                              .value_bytes = PLAN_VALUE_BYTES,
                              .version = 1};
    loop_set(&loop);
    (void)kill(getpid(), SIGKILL); /* cannot fail */
    return EXIT_FAILURE;
}
