/*
 * A process that is killed: it fills a store on disk and ends without closing it, by SIGKILL.
 */
#ifndef BENCH_DISK_CHILD_H
#define BENCH_DISK_CHILD_H

#include <stdint.h>

/* The first argument of such a process. */
#define DISK_SUBCOMMAND "fill-and-die"

/* In the parent: runs one and waits for its end. Gives up if it did not come to be killed. */
void disk_child_run(const char *peer, const char *folder, uint32_t keys);

/* In the child: main() of the arguments behind the subcommand. Returns only on failure. */
int disk_child(int argument_count, char **arguments);

#endif
