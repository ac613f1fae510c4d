/*
 * The table of stores on disk, a part of report.h.
 */
#ifndef BENCH_REPORT_DISK_H
#define BENCH_REPORT_DISK_H

#include "figure.h"
#include "machine.h"

/* The head of a table that begins with this figure. */
void report_disk_print_head(const struct figure *figure, const struct machine *machine);

/* Two lines: the times, and tarn's time / each of the others'. */
void report_disk_print(const struct figure *figure);

/* With the stores' versions and settings. */
void report_disk_print_explanation(void);

#endif
