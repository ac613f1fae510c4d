/*
 * How much memory a store takes beyond the bytes of its keys and values, and what an empty
 * namespace takes. Each case is measured in a process of its own, in which nothing else has used
 * the heap: the program runs itself again with a subcommand that is for it alone.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include "figure.h"
#include "plan.h"

/* The first argument that makes the program measure one case; see memory_child(). */
#define MEMORY_SUBCOMMAND "measure-memory"

/* Adds the figures of memory and of empty namespaces, as far as the plan has them. */
void memory_run(const struct plan *plan, struct figure_list *list);

/* Measures the case that the arguments after the subcommand tell and prints its numbers for
 * memory_run() to read. The program's exit status. */
int memory_child(int argument_count, char **arguments);

#endif
