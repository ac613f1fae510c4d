/*
 * Figures: see figure.h.
 */
#include "figure.h"

#include <stdlib.h>
#include <string.h>

#include "console.h"

void series_add(struct series *series, double number)
{
    if (series->count < FIGURE_ROUNDS_MAX) {
        series->rounds[series->count++] = number;
    }
}

static int compare_numbers(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Numbers from sorted place low to high, averaged. */
static double sorted_mean(const struct series *series, size_t low, size_t high)
{
    struct series sorted = *series;
    if (sorted.count == 0) {
        return 0;
    }
    qsort(sorted.rounds, sorted.count, sizeof sorted.rounds[0], compare_numbers);
    return (sorted.rounds[low] + sorted.rounds[high]) / 2;
}

double series_least(const struct series *series)
{
    return sorted_mean(series, 0, 0);
}

double series_median(const struct series *series)
{
    return series->count == 0 ? 0 : sorted_mean(series, (series->count - 1) / 2, series->count / 2);
}

double series_most(const struct series *series)
{
    return series->count == 0 ? 0 : sorted_mean(series, series->count - 1, series->count - 1);
}

struct figure *figure_list_add(struct figure_list *list, enum operation_id operation, uint32_t keys,
                               size_t value_bytes)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity == 0 ? 32 : list->capacity * 2;
        struct figure *figures = realloc(list->figures, capacity * sizeof *figures);
        if (figures == NULL) {
            console_fail("no memory for %zu figures", capacity);
        }
        list->figures = figures;
        list->capacity = capacity;
    }
    struct figure *figure = &list->figures[list->count++];
    memset(figure, 0, sizeof *figure);
    figure->operation = &operation_list[operation];
    figure->unit = figure->operation->unit;
    figure->keys = keys;
    figure->value_bytes = value_bytes;
    figure->has_goal = figure->operation->goal > 0 &&
                       (figure->operation->goal_keys == 0 || figure->operation->goal_keys == keys);
    return figure;
}

void figure_list_release(struct figure_list *list)
{
    free(list->figures);
    memset(list, 0, sizeof *list);
}

bool figure_has(const struct figure *figure, enum subject_id subject)
{
    return figure->times[subject].count > 0;
}

/* What tarn is held against. The better peer is the one that is faster in the median of its rounds:
 * taking the faster of each round would compare tarn with the luckier one. */
static enum subject_id opponent_of(const struct figure *figure)
{
    const enum figure_form form = figure->operation->form;
    enum subject_id best = SUBJECT_OWN;
    if (form == FORM_TIME_TO_OWN || form == FORM_THROUGHPUT_TO_OWN) {
        return SUBJECT_OWN;
    }
    for (enum subject_id i = SUBJECT_TARN + 1; i < SUBJECT_OWN; i++) {
        if (figure_has(figure, i) &&
            (best == SUBJECT_OWN ||
             series_median(&figure->times[i]) < series_median(&figure->times[best]))) {
            best = i;
        }
    }
    return best;
}

/* The ratios of the rounds. */
static struct series ratios_to(const struct figure *figure, enum subject_id subject)
{
    const struct series *tarn = &figure->times[SUBJECT_TARN];
    const struct series *other = &figure->times[subject];
    struct series ratios = {.count = 0};
    for (size_t round = 0; round < tarn->count; round++) {
        series_add(&ratios, tarn->rounds[round] / other->rounds[round]);
    }
    return ratios;
}

double figure_ratio_to(const struct figure *figure, enum subject_id subject)
{
    const struct series ratios = ratios_to(figure, subject);
    return series_median(&ratios);
}

void figure_form_result(struct figure *figure)
{
    figure->result = ratios_to(figure, opponent_of(figure));
    if (operation_more_is_better(figure->operation)) {
        for (size_t round = 0; round < figure->result.count; round++) {
            figure->result.rounds[round] = 1 / figure->result.rounds[round];
        }
    }
}

double figure_judged(const struct figure *figure)
{
    return figure->operation->judged_by_most ? series_most(&figure->result)
                                             : series_median(&figure->result);
}

enum figure_verdict figure_verdict(const struct figure *figure)
{
    if (!figure->has_goal || figure->result.count == 0) {
        return VERDICT_NONE;
    }
    const double judged = figure_judged(figure);
    const bool reached = operation_more_is_better(figure->operation)
                             ? judged >= figure->operation->goal
                             : judged <= figure->operation->goal;
    return reached ? VERDICT_OK : VERDICT_SHORT;
}
