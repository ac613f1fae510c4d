/*
 * How long loops take.
 */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include "loops.h"

/* Runs the loop in this thread; nanoseconds per operation. */
double timing_run(loop_body *body, const struct loop *loop);

/* Runs loops at the same time, each in a thread of its own that was started before the clock is.
 * Nanoseconds from the common start to the end of the last, per operation of all threads together.
 */
double timing_run_threads(loop_body *body, const struct loop *loops, size_t threads);

#endif
