/*
 * What is kept of a store beyond the process: a snapshot that another process opens, and processes
 * that are killed while they save. Whatever is not as it must be ends the program.
 */
#ifndef TARN_EXAMPLES_TOUR_RESTART_H
#define TARN_EXAMPLES_TOUR_RESTART_H

#include "tour_stages.h"

/* The roles of other processes: see tour_process.h. Each returns the status to exit with. */
#define TOUR_ROLE_CHECK "check"
#define TOUR_ROLE_SAVE  "save"
int tour_check_process(const char *dir, int input, int reports);
int tour_save_process(const char *dir, int input, int reports);

/* What came of the kills. */
struct tour_kills {
    unsigned kills;
    unsigned inside;  /* of them, with a file that was being written */
    unsigned saves;   /* that had come to their end */
    uint32_t records; /* of the last state that was found */
};

/*
 * Kills processes that change some of the records and save them all the time, and opens the store
 * anew after each (tour_kills.c). dir: where no store is yet; an empty one is left there.
 */
struct tour_kills tour_kill(const struct tour *tour, const char *dir);

/* Lets a new process open the store in dir, with its newest snapshot, and compare every byte of
 * everything in it (tour_restart.c). The store is closed. */
void tour_restart(const struct tour *tour, const char *dir);

#endif
