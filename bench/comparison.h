/*
 * tarn and its peers at the same work, for one number of keys. The rounds alternate (tarn, TinyDBM,
 * unordered_map, tarn, ...), so that what the rest of the machine does meets all of them alike.
 */
#ifndef BENCH_COMPARISON_H
#define BENCH_COMPARISON_H

#include "figure.h"
#include "plan.h"

/* Adds a figure for each operation of the plan that is compared. keys: 1,000 to 2^31. */
void comparison_run(const struct plan *plan, uint32_t keys, struct figure_list *list);

#endif
