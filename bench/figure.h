/*
 * Figures: what was measured, round by round, and the number that is judged. The list of all
 * figures of a run grows as they are measured; the reports read it.
 */
#ifndef BENCH_FIGURE_H
#define BENCH_FIGURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "goals.h"

enum { FIGURE_ROUNDS_MAX = 99 };

/* The numbers of the rounds, in their order. */
struct series {
    size_t count;
    double rounds[FIGURE_ROUNDS_MAX];
};

/* Beyond FIGURE_ROUNDS_MAX nothing is added. */
void series_add(struct series *series, double number);

/* Of an empty series: 0. */
double series_least(const struct series *series);
double series_median(const struct series *series);
double series_most(const struct series *series);

/* Whose times a figure holds: tarn, its peers in memory, its peers on disk, and its base. */
enum subject_id {
    SUBJECT_TARN,
    SUBJECT_TKRZW,
    SUBJECT_UNORDERED_MAP,
    SUBJECT_HASHDBM,
    SUBJECT_LMDB,
    SUBJECT_LEVELDB,
    SUBJECT_ROCKSDB,
    SUBJECT_SQLITE,
    SUBJECT_OWN, /* what the operation is compared with: tarn doing something else, or the disk */
    SUBJECT_COUNT,
};

enum figure_verdict {
    VERDICT_NONE, /* there is no goal for it */
    VERDICT_OK,
    VERDICT_SHORT,
};

struct figure {
    const struct operation *operation;
    char detail[64];  /* what sets it apart from other figures of this operation; may be empty */
    const char *unit; /* of the judged number */
    uint32_t keys;
    size_t value_bytes;
    bool has_goal;                      /* the operation's, at this size and in this detail */
    struct series times[SUBJECT_COUNT]; /* ns per operation; empty for FORM_ABSOLUTE */
    struct series result;               /* the judged number */
};

struct figure_list {
    struct figure *figures;
    size_t count;
    size_t capacity;
};

/* Adds a figure without numbers. The pointer is valid until the next call. */
struct figure *figure_list_add(struct figure_list *list, enum operation_id operation, uint32_t keys,
                               size_t value_bytes);
void figure_list_release(struct figure_list *list);

/* Whether a store has times in the figure. */
bool figure_has(const struct figure *figure, enum subject_id subject);

/* The median over the rounds of tarn's time / that of another. Both have times. */
double figure_ratio_to(const struct figure *figure, enum subject_id subject);

/* Forms the judged number of each round from the times, once they are complete. */
void figure_form_result(struct figure *figure);

/* The number that the goal is held against. */
double figure_judged(const struct figure *figure);
enum figure_verdict figure_verdict(const struct figure *figure);

#endif
