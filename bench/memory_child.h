/*
 * What the process that measures one case of memory tells the one that started it.
 */
#ifndef BENCH_MEMORY_CHILD_H
#define BENCH_MEMORY_CHILD_H

#include <stdbool.h>
#include <stdio.h>

/* The kinds of cases. */
#define MEMORY_KIND_RECORDS    "records"
#define MEMORY_KIND_NAMESPACES "namespaces"

/* After loading; after overwriting. The second is the first again where nothing is overwritten. */
enum { MEMORY_MOMENTS = 2, MEMORY_OVERWRITES_PER_KEY = 3 };

/* What a store has taken since before it was opened, in bytes. */
struct memory_numbers {
    double reported_bytes[MEMORY_MOMENTS]; /* by the store itself; 0 where it does not tell */
    double resident_bytes[MEMORY_MOMENTS]; /* by the growth of the process's resident set */
};

/* False if the numbers could not be read whole. */
bool memory_numbers_read(FILE *input, struct memory_numbers *numbers);

#endif
