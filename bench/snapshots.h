/*
 * Snapshots: how long saving and loading one namespace takes, and what saves cost a thread that
 * overwrites keys meanwhile. The store is in a temporary folder; see folder.h.
 *
 * Times of saves are those that the store tells; those of loads are around the call, which verifies
 * the whole file. What was loaded is checked outside the time.
 */
#ifndef BENCH_SNAPSHOTS_H
#define BENCH_SNAPSHOTS_H

#include "figure.h"
#include "plan.h"

/* Adds the figures of snapshots, as far as the plan has them. */
void snapshots_run(const struct plan *plan, struct figure_list *list);

#endif
