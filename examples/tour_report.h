/*
 * What the tour says: a progress line on a terminal, the table at the end, and why it gave up.
 *
 * A stage is begun and ended by the main thread alone; tour_fail() and tour_expect() may be called
 * by any thread.
 */
#ifndef TARN_EXAMPLES_TOUR_REPORT_H
#define TARN_EXAMPLES_TOUR_REPORT_H

#include <stdint.h>
#include <stdio.h>
#include <tarn.h>

/* Nanoseconds of a clock that only goes forward. */
uint64_t tour_now_ns(void);

/* Prints "tour: " and the message, and ends the program with 1. */
_Noreturn void tour_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails with the library's own words unless status is TARN_OK. what: what was tried. */
void tour_expect(tarn_status status, const char *what);

/* Memory that is there, or the end of the program. */
void *tour_allocate(size_t count, size_t bytes_each);

/* Begins a stage of the table and starts its clock. name: static. planned: operations, for the
 * progress line; 0 where it is not known. */
void tour_begin(const char *name, uint64_t planned);

/* Moves the progress line on; cheap enough for every operation. */
void tour_progress(uint64_t done);

/* Stops the clock. operations: how many were done. */
void tour_end(uint64_t operations);

/* A row of the table for what was timed elsewhere. name: static. */
void tour_row(const char *name, uint64_t operations, uint64_t taken_ns);

/* A line of its own for what is done without a clock; NULL clears it. */
void tour_say(const char *what);

/* Prints all stages. */
void tour_table(FILE *out);

#endif
