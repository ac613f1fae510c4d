/*
 * tarn on disk (a namespace in a log) and its peers at the same work with the same guarantees, for
 * as many keys as memory is measured with. The rounds alternate, as in comparison.h; before each
 * turn all that the ones before have left to be done is waited for.
 *
 * Not durable: what has returned survives the death of the process. Durable: it survives that of
 * the machine.
 */
#ifndef BENCH_DISK_H
#define BENCH_DISK_H

#include "figure.h"
#include "plan.h"

/* Adds the figures of the plan's operations on disk. */
void disk_run(const struct plan *plan, struct figure_list *list);

#endif
