/*
 * The folder that the tour's store lives in: one that the command line names, which is kept, or a
 * temporary one, which is removed at the end and also when the tour is interrupted. If the tour
 * fails, a temporary one is kept, too, and its path is told: what went wrong may be seen in it.
 *
 * There is one; all of this is for the main thread.
 */
#ifndef TARN_EXAMPLES_TOUR_FOLDER_H
#define TARN_EXAMPLES_TOUR_FOLDER_H

/* Returns the path of a folder that is empty or not there yet. named: the one to take, or NULL.
 * Fails where something is in it. From here on a temporary folder has a thread that waits for
 * SIGINT, SIGTERM and SIGHUP, which are blocked in all others. */
const char *tour_folder_open(const char *named);

/* Removes a temporary folder; keeps one that was named. */
void tour_folder_close(void);

#endif
