/*
 * Many short times, of which the long ones are looked for.
 */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* From begin to end, in nanoseconds: 0 to UINT32_MAX. */
uint32_t samples_difference(uint64_t begin_ns, uint64_t end_ns);

/* The number that the share of the others is not above; sorts. */
uint32_t samples_percentile(uint32_t *numbers, size_t count, double share);

#endif
