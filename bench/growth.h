/*
 * How long single inserts take while a store grows from empty.
 *
 * Around each insert stand two readings of CLOCK_MONOTONIC, and around those two of
 * CLOCK_THREAD_CPUTIME_ID. What the readings themselves take is measured first, with nothing
 * between them, and its median is taken off each insert's time: it is the same for all but
 * disturbed ones.
 *
 * On a virtual machine the thread's CPU time includes what the host took from it, and interrupts.
 * So the same number of stretches of plain arithmetic is measured in alternation, as a control:
 * what the machine adds without any store.
 */
#ifndef BENCH_GROWTH_H
#define BENCH_GROWTH_H

#include "figure.h"
#include "plan.h"

/* Adds the figures of growth, if the plan has them. */
void growth_run(const struct plan *plan, struct figure_list *list);

#endif
