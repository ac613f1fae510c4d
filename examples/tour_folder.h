/*
 * The folder that the tour's store lives in: one that the command line names, which is kept, or a
 * temporary one, which is removed at the end and also when the tour is interrupted. If the tour
 * fails, a temporary one is kept, too, and its path is told: what went wrong may be seen in it.
 */
#ifndef TARN_EXAMPLES_TOUR_FOLDER_H
#define TARN_EXAMPLES_TOUR_FOLDER_H

/*
 * Returns the path of a folder that is empty or not there yet. named: the one to take, or NULL.
 * Fails where something is in it.
 *
 * With a temporary folder the program goes on in a child, and the parent waits for its end, to tidy
 * up behind it whatever it ends of. To be called before there are threads.
 */
const char *tour_folder_open(const char *named);

#endif
