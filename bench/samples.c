/*
 * Many short times: see samples.h.
 */
#include "samples.h"

#include <stdlib.h>

uint32_t samples_difference(uint64_t begin_ns, uint64_t end_ns)
{
    const uint64_t ns = end_ns > begin_ns ? end_ns - begin_ns : 0;
    return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static int compare_numbers(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

uint32_t samples_percentile(uint32_t *numbers, size_t count, double share)
{
    qsort(numbers, count, sizeof numbers[0], compare_numbers);
    const size_t place = (size_t)(share * (double)count);
    return numbers[place < count ? place : count - 1];
}
