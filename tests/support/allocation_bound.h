/*
 * How much is asked for at once. For executables that are linked with
 *
 *     -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc
 *
 * and not with support/allocation_fault.h, which replaces the same functions. Between begin and end
 * an allocation larger than the bound is counted, and refused: so a length that is believed does no
 * harm to the test itself.
 *
 * One thread may use begin and end; allocations may come from any.
 */
#ifndef TARN_TESTS_ALLOCATION_BOUND_H
#define TARN_TESTS_ALLOCATION_BOUND_H

#include <stddef.h>

void allocation_bound_begin(size_t bytes_max);

/* The largest that was asked for since then, refused or not. */
size_t allocation_bound_end(void);

#endif
