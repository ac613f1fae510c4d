/*
 * The command line.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "plan.h"

/* Makes the plan from the arguments. Prints help or what is wrong and exits where that is all there
 * is to do. plan->json_path points into the arguments. */
void options_parse(int argument_count, char **arguments, struct plan *plan);

#endif
