/*
 * What a run is to measure.
 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "goals.h"

enum { PLAN_SIZES_MAX = 16, PLAN_VALUE_BYTES = 100 };

struct plan {
    uint32_t sizes[PLAN_SIZES_MAX]; /* in keys */
    size_t size_count;
    size_t rounds;
    size_t disk_rounds;
    bool selected[OPERATION_COUNT];
    uint32_t growth_keys;
    uint32_t memory_keys;  /* snapshots and stores on disk have as many */
    const char *json_path; /* NULL: no JSON */
};

#endif
