/*
 * What the program says besides its report: progress on a terminal, and why it gives up. Main
 * thread only, but for console_fail().
 */
#ifndef BENCH_CONSOLE_H
#define BENCH_CONSOLE_H

#include <stddef.h>

/* Replaces the progress line on standard error. Silent where that is not a terminal. */
void console_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes the progress line away. */
void console_progress_end(void);

/* Prints why on standard error and exits with 1: a measurement that went wrong has no figures. */
_Noreturn void console_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory that is there: malloc() that gives up. The caller frees. */
void *console_allocate(size_t bytes);

#endif
