/*
 * tarn and its peers at the same work: see comparison.h.
 *
 * In a round every contender has the same orders of access, which are new in each round. All stores
 * hold every key whenever an operation begins: loads replace the store, deletes are undone outside
 * the measured time.
 */
#include "comparison.h"

#include <stdlib.h>

#include "console.h"
#include "loops.h"
#include "subject.h"
#include "timing.h"
#include "workload.h"

/* Operations of one round. Small stores are worked on for long enough to be timed; large ones for
 * no longer than tells. */
enum { ROUND_COUNT_MIN = 400000, ROUND_COUNT_MAX = 1000000 };

static const struct peer *const subject_peers[] = {
    [SUBJECT_TARN] = &peer_tarn,
    [SUBJECT_TKRZW] = &peer_tkrzw,
    [SUBJECT_UNORDERED_MAP] = &peer_unordered_map,
};
enum { STORES = sizeof subject_peers / sizeof subject_peers[0] };

struct comparison {
    uint32_t keys;
    size_t round_count; /* operations of a round, but for loads and deletes */
    struct subject subjects[STORES];
    struct workload_zipfian zipfian;
    uint32_t *orders[SUBJECT_THREADS]; /* of the current round */
    uint64_t version;                  /* grows with each round that writes */
};

/* One contender's part of a round; nanoseconds per operation. */
typedef double contender(struct comparison *comparison, struct subject *subject);

static struct loop loop_of(const struct comparison *comparison, const struct subject *subject,
                           size_t thread, size_t count)
{
    return (struct loop){.peer = subject->peer,
                         .session = subject->sessions[thread],
                         .order = comparison->orders[thread],
                         .count = count,
                         .value_bytes = PLAN_VALUE_BYTES,
                         .version = comparison->version};
}

static double run_one(struct comparison *comparison, struct subject *subject, loop_body *body)
{
    const struct loop loop = loop_of(comparison, subject, 0, comparison->round_count);
    return timing_run(body, &loop);
}

static double run_threads(struct comparison *comparison, struct subject *subject, loop_body *body,
                          size_t threads)
{
    struct loop loops[SUBJECT_THREADS];
    for (size_t i = 0; i < threads; i++) {
        loops[i] = loop_of(comparison, subject, i, comparison->round_count);
    }
    return timing_run_threads(body, loops, threads);
}

static double run_load(struct comparison *comparison, struct subject *subject)
{
    subject_open(subject, subject->peer, comparison->keys);
    const struct loop loop = loop_of(comparison, subject, 0, comparison->keys);
    return timing_run(loop_set, &loop);
}

static double run_get(struct comparison *comparison, struct subject *subject)
{
    return run_one(comparison, subject, loop_get);
}

static double run_get_miss(struct comparison *comparison, struct subject *subject)
{
    return run_one(comparison, subject, loop_get_miss);
}

static double run_get_many(struct comparison *comparison, struct subject *subject)
{
    return run_one(comparison, subject, loop_get_many);
}

static double run_set(struct comparison *comparison, struct subject *subject)
{
    return run_one(comparison, subject, loop_set);
}

static double run_set_many(struct comparison *comparison, struct subject *subject)
{
    return run_one(comparison, subject, loop_set_many);
}

/* Deletes half of the keys, or of the operations of a round, and puts them back unmeasured. */
static double run_delete(struct comparison *comparison, struct subject *subject)
{
    const size_t most = ROUND_COUNT_MAX;
    const size_t count = (comparison->keys < most ? comparison->keys : most) / 2;
    const struct loop loop = loop_of(comparison, subject, 0, count);
    const double ns = timing_run(loop_delete, &loop);
    loop_absent(&loop);
    loop_set(&loop);
    return ns;
}

static double run_get_1_thread(struct comparison *comparison, struct subject *subject)
{
    return run_threads(comparison, subject, loop_get, 1);
}

static double run_get_2_threads(struct comparison *comparison, struct subject *subject)
{
    return run_threads(comparison, subject, loop_get, 2);
}

static double run_mixed_2_threads(struct comparison *comparison, struct subject *subject)
{
    return run_threads(comparison, subject, loop_mixed, 2);
}

static const struct contenders {
    contender *tarn;
    contender *peers; /* NULL: tarn is compared with itself alone */
    contender *own;   /* what tarn is compared with; NULL: with the peers */
} contenders[OPERATION_COMPARED_COUNT] = {
    [OPERATION_LOAD] = {run_load, run_load, NULL},
    [OPERATION_GET_HIT] = {run_get, run_get, NULL},
    [OPERATION_GET_MISS] = {run_get_miss, run_get_miss, NULL},
    [OPERATION_GET_MANY] = {run_get_many, run_get, NULL},
    [OPERATION_OVERWRITE] = {run_set, run_set, NULL},
    [OPERATION_DELETE] = {run_delete, run_delete, NULL},
    [OPERATION_GET_2_THREADS] = {run_get_2_threads, NULL, run_get_1_thread},
    [OPERATION_GET_2_THREADS_ZIPFIAN] = {run_get_2_threads, NULL, run_get_1_thread},
    [OPERATION_MIXED_2_THREADS] = {run_mixed_2_threads, run_mixed_2_threads, NULL},
    [OPERATION_BATCH_SET] = {run_set_many, NULL, run_set},
};

/* Before a round: new orders, and a new version for what is written. */
static void prepare_round(struct comparison *comparison, enum operation_id operation)
{
    comparison->version++;
    const size_t count = operation == OPERATION_LOAD || operation == OPERATION_DELETE
                             ? comparison->keys
                             : comparison->round_count;
    for (size_t i = 0; i < SUBJECT_THREADS; i++) {
        const uint64_t seed = comparison->version * SUBJECT_THREADS + i;
        if (operation == OPERATION_GET_2_THREADS_ZIPFIAN) {
            workload_order_zipfian(&comparison->zipfian, comparison->orders[i], count, seed);
        } else {
            workload_order_permuted(comparison->orders[i], count, comparison->keys, seed);
        }
    }
}

static void measure_round(struct comparison *comparison, const struct contenders *set,
                          struct figure *figure)
{
    struct subject *tarn = &comparison->subjects[SUBJECT_TARN];
    series_add(&figure->times[SUBJECT_TARN], set->tarn(comparison, tarn));
    if (set->own != NULL) {
        series_add(&figure->times[SUBJECT_OWN], set->own(comparison, tarn));
    }
    if (set->peers == NULL) {
        return;
    }
    for (size_t i = SUBJECT_TKRZW; i < STORES; i++) {
        series_add(&figure->times[i], set->peers(comparison, &comparison->subjects[i]));
    }
}

static void measure(struct comparison *comparison, enum operation_id operation, size_t rounds,
                    struct figure_list *list)
{
    struct figure *figure = figure_list_add(list, operation, comparison->keys, PLAN_VALUE_BYTES);
    for (size_t round = 0; round < rounds; round++) {
        console_progress("%u keys: %s, round %zu of %zu", comparison->keys,
                         figure->operation->title, round + 1, rounds);
        prepare_round(comparison, operation);
        measure_round(comparison, &contenders[operation], figure);
    }
    figure_form_result(figure);
}

/* The stores that hold nothing because loading was not measured. */
static void load_unmeasured(struct comparison *comparison)
{
    console_progress("%u keys: loading", comparison->keys);
    prepare_round(comparison, OPERATION_LOAD);
    for (size_t i = 0; i < STORES; i++) {
        (void)run_load(comparison, &comparison->subjects[i]);
    }
}

static void comparison_init(struct comparison *comparison, const struct plan *plan, uint32_t keys)
{
    *comparison = (struct comparison){.keys = keys, .round_count = keys};
    if (keys < ROUND_COUNT_MIN) {
        comparison->round_count = ROUND_COUNT_MIN;
    } else if (keys > ROUND_COUNT_MAX) {
        comparison->round_count = ROUND_COUNT_MAX;
    }
    const size_t longest = keys > comparison->round_count ? keys : comparison->round_count;
    for (size_t i = 0; i < SUBJECT_THREADS; i++) {
        comparison->orders[i] = console_allocate(longest * sizeof comparison->orders[i][0]);
    }
    for (size_t i = 0; i < STORES; i++) {
        comparison->subjects[i].peer = subject_peers[i];
    }
    if (plan->selected[OPERATION_GET_2_THREADS_ZIPFIAN]) {
        workload_zipfian_init(&comparison->zipfian, keys, 0.99);
    }
}

static void comparison_release(struct comparison *comparison)
{
    for (size_t i = 0; i < STORES; i++) {
        subject_close(&comparison->subjects[i]);
    }
    for (size_t i = 0; i < SUBJECT_THREADS; i++) {
        free(comparison->orders[i]);
    }
}

void comparison_run(const struct plan *plan, uint32_t keys, struct figure_list *list)
{
    bool anything = false;
    for (size_t i = 0; i < OPERATION_COMPARED_COUNT; i++) {
        anything = anything || plan->selected[i];
    }
    if (!anything) {
        return;
    }
    struct comparison comparison;
    comparison_init(&comparison, plan, keys);
    if (!plan->selected[OPERATION_LOAD]) {
        load_unmeasured(&comparison);
    }
    for (size_t i = 0; i < OPERATION_COMPARED_COUNT; i++) {
        if (plan->selected[i]) {
            measure(&comparison, (enum operation_id)i, plan->rounds, list);
        }
    }
    comparison_release(&comparison);
}
