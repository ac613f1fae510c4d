/*
 * The figures as a table for people and as JSON for programs.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>

#include "figure.h"
#include "machine.h"
#include "plan.h"

/* To standard output. */
void report_print(const struct plan *plan, const struct machine *machine,
                  const struct figure_list *list);

/* To a file. Gives up if it cannot be written whole. */
void report_write_json(const char *path, const struct plan *plan, const struct machine *machine,
                       const struct figure_list *list);

#endif
