/*
 * A line on the terminal that says how far a long command is. It is shown where standard error is a
 * terminal and --quiet was not given, and drawn ten times a second at most.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what;
    bool shown;
    bool drawn;
    uint64_t began_ns;
    uint64_t drawn_ns;
};

void progress_begin(struct progress *progress, const char *what);

/* total 0: it is not known. */
void progress_bytes(struct progress *progress, uint64_t done, uint64_t total);

/* share: from 0 to 1, negative where it is not known. */
void progress_records(struct progress *progress, uint64_t records, double share);

/* Takes the line away. */
void progress_end(struct progress *progress);

/* Seconds since it began. */
double progress_seconds(const struct progress *progress);

#endif
