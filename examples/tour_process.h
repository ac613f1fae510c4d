/*
 * Other processes of the same program: each is started anew (not forked only), is handed the
 * input, and answers through a pipe with reports of a fixed size.
 *
 * All of this is for the main thread.
 */
#ifndef TARN_EXAMPLES_TOUR_PROCESS_H
#define TARN_EXAMPLES_TOUR_PROCESS_H

#include "tour_input.h"

#include <sys/types.h>

/* What the command line of such a process begins with; then come role, folder, and the descriptors
 * of input and reports. */
#define TOUR_PROCESS_OPTION    "--as-new-process"
#define TOUR_PROCESS_ARGUMENTS 6

struct tour_process {
    pid_t id;
    int reports; /* where they can be read */
};

/* Writes the input to a file that has no name, which processes can be handed: they must not read it
 * anew, because packages and files may have changed meanwhile. To be closed with close(). */
int tour_process_hand_over(const struct tour_input *input);

/* Reads what was handed over; how many records a group has is counted anew. */
void tour_process_take_over(struct tour_input *input, int file);

/* Starts a process that does what its role says (tour_restart.h) with the store in dir. */
struct tour_process tour_process_start(const char *role, const char *dir, int input);

/* Hands out the next report, once it is there. False: the process has ended. */
bool tour_process_read(const struct tour_process *process, void *report, size_t bytes);

/* Sends a report, in the new process. */
void tour_process_report(int reports, const void *report, size_t bytes);

/* Waits for its end and returns its status as waitpid() tells it. */
int tour_process_wait(struct tour_process *process);

#endif
