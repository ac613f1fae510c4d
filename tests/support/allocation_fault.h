/*
 * The Nth allocation fails. For executables that are linked with
 *
 *     -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc
 *
 * so that what fails lies below src/base/memory.c, the only file of the library that calls these:
 * its own checks run too, and so does what it calls within itself (tarn__buf_reserve), which the
 * linker could not replace. Only calls between resume and pause count, so that the test's own
 * allocations go through.
 *
 * Calls may come from any thread.
 */
#ifndef TARN_TESTS_ALLOCATION_FAULT_H
#define TARN_TESTS_ALLOCATION_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* From now on the nth allocation (from 1) fails, and with lasting all that follow. 0: none. Begins
 * paused. */
void allocation_fault_arm(uint64_t nth, bool lasting);

void allocation_fault_resume(void);
void allocation_fault_pause(void);

/* How many allocations have failed since it was armed. */
uint64_t allocation_fault_fired(void);

/* How many there were since it was armed. */
uint64_t allocation_fault_seen(void);

#endif
