/*
 * How long single inserts take while a store grows: see growth.h.
 */
#include "growth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "console.h"
#include "samples.h"
#include "subject.h"
#include "workload.h"

enum { CALIBRATION_COUNT = 200000, GROWTH_ROUNDS_MAX = 3 };

/* Nanoseconds of each stretch that was measured. */
struct samples {
    size_t count;
    uint32_t *wall_ns;
    uint32_t *cpu_ns;
};

/* What is measured in each stretch. */
struct stretch {
    struct subject *subject; /* NULL: the control */
    struct workload_value value;
    const uint32_t *order; /* NULL: nothing at all, for calibration */
    uint64_t control;
};

static void insert(struct stretch *stretch, uint64_t index)
{
    const struct subject *subject = stretch->subject;
    peer_key key;
    workload_key(index, key);
    workload_value_stamp(&stretch->value, index, 0);
    const struct peer_bytes bytes = {stretch->value.bytes, stretch->value.length};
    if (subject->peer->set(subject->sessions[0], key, bytes) != PEER_OK) {
        console_fail("%s: cannot insert key %llu", subject->peer->name, (unsigned long long)index);
    }
}

/* About as long as an insert. Touches no memory. */
static void compute(struct stretch *stretch, uint64_t index)
{
    enum { STEPS = 60 };
    for (unsigned step = 0; step < STEPS; step++) {
        stretch->control = workload_mix(stretch->control + index);
    }
}

static inline void work(struct stretch *stretch, size_t i)
{
    if (stretch->order == NULL) {
        return;
    }
    if (stretch->subject != NULL) {
        insert(stretch, stretch->order[i]);
    } else {
        compute(stretch, stretch->order[i]);
    }
}

static void measure(struct stretch *stretch, struct samples *samples)
{
    for (size_t i = 0; i < samples->count; i++) {
        const uint64_t cpu_begin_ns = clock_thread_cpu_ns();
        const uint64_t wall_begin_ns = clock_wall_ns();
        work(stretch, i);
        const uint64_t wall_end_ns = clock_wall_ns();
        const uint64_t cpu_end_ns = clock_thread_cpu_ns();
        samples->wall_ns[i] = samples_difference(wall_begin_ns, wall_end_ns);
        samples->cpu_ns[i] = samples_difference(cpu_begin_ns, cpu_end_ns);
    }
}

static void samples_init(struct samples *samples, size_t count)
{
    samples->count = count;
    samples->wall_ns = console_allocate(count * sizeof samples->wall_ns[0]);
    samples->cpu_ns = console_allocate(count * sizeof samples->cpu_ns[0]);
    /* Touched now, so that no page is first touched while an insert is measured. */
    memset(samples->wall_ns, 0xff, count * sizeof samples->wall_ns[0]);
    memset(samples->cpu_ns, 0xff, count * sizeof samples->cpu_ns[0]);
}

static void samples_release(struct samples *samples)
{
    free(samples->wall_ns);
    free(samples->cpu_ns);
}

/* What reading the clocks adds to the samples, in nanoseconds. */
struct clock_cost {
    uint32_t wall_ns;
    uint32_t cpu_ns;
};

static struct clock_cost calibrate(void)
{
    struct stretch nothing = {.order = NULL};
    struct samples samples;
    samples_init(&samples, CALIBRATION_COUNT);
    measure(&nothing, &samples);
    const struct clock_cost cost = {samples_percentile(samples.wall_ns, samples.count, 0.5),
                                    samples_percentile(samples.cpu_ns, samples.count, 0.5)};
    samples_release(&samples);
    return cost;
}

/* The figures of a whole growth, or of the control; figures are named by their places in the list,
 * which may move. */
enum { RESULT_WALL, RESULT_WALL_MEDIAN, RESULT_CPU, RESULT_CPU_OVER, RESULT_COUNT };

static size_t add_results(struct figure_list *list, uint32_t keys, bool control)
{
    static const struct {
        enum operation_id operation;
        const char *detail;
        const char *unit;
    } results[RESULT_COUNT] = {
        [RESULT_WALL] = {OPERATION_GROWTH_WALL, "99.99 % below", "us"},
        [RESULT_WALL_MEDIAN] = {OPERATION_GROWTH_WALL, "half below", "us"},
        [RESULT_CPU] = {OPERATION_GROWTH_CPU, "longest", "us"},
        [RESULT_CPU_OVER] = {OPERATION_GROWTH_CPU, "over 1 ms", "inserts"},
    };
    const size_t first = list->count;
    for (size_t i = 0; i < RESULT_COUNT; i++) {
        struct figure *figure = figure_list_add(list, results[i].operation, keys, PLAN_VALUE_BYTES);
        figure->unit = results[i].unit;
        (void)snprintf(figure->detail, sizeof figure->detail, "%s%s", results[i].detail,
                       control ? ", machine alone" : "");
        figure->has_goal = figure->has_goal && !control && (i == RESULT_WALL || i == RESULT_CPU);
    }
    return first;
}

static double microseconds(uint32_t ns, uint32_t cost_ns)
{
    return ns > cost_ns ? (ns - cost_ns) / 1e3 : 0;
}

static void add_round(struct figure *figures, struct samples *samples, struct clock_cost cost)
{
    enum { LONG_NS = 1000000 };
    const size_t count = samples->count;
    size_t over = 0;
    for (size_t i = 0; i < count; i++) {
        over += samples->cpu_ns[i] > LONG_NS + cost.cpu_ns;
    }
    const double share = 0.9999;
    series_add(&figures[RESULT_WALL].result,
               microseconds(samples_percentile(samples->wall_ns, count, share), cost.wall_ns));
    series_add(&figures[RESULT_WALL_MEDIAN].result,
               microseconds(samples->wall_ns[count / 2], cost.wall_ns));
    series_add(&figures[RESULT_CPU].result,
               microseconds(samples_percentile(samples->cpu_ns, count, 1), cost.cpu_ns));
    series_add(&figures[RESULT_CPU_OVER].result, (double)over);
}

static void measure_rounds(const struct plan *plan, struct samples *samples, uint32_t *order,
                           struct figure_list *list)
{
    const uint32_t keys = plan->growth_keys;
    const size_t rounds = plan->rounds < GROWTH_ROUNDS_MAX ? plan->rounds : GROWTH_ROUNDS_MAX;
    const size_t grown = add_results(list, keys, false);
    const size_t control = add_results(list, keys, true);
    const struct clock_cost cost = calibrate();
    struct subject subject = {.peer = &peer_tarn};
    struct stretch inserts = {.subject = &subject, .order = order};
    struct stretch arithmetic = {.order = order};
    workload_value_init(&inserts.value, PLAN_VALUE_BYTES);
    for (size_t round = 0; round < rounds; round++) {
        console_progress("growth to %u keys, round %zu of %zu", keys, round + 1, rounds);
        workload_order_permuted(order, keys, keys, round);
        subject_open(&subject, &peer_tarn, keys);
        measure(&inserts, samples);
        subject_close(&subject);
        add_round(&list->figures[grown], samples, cost);
        measure(&arithmetic, samples);
        add_round(&list->figures[control], samples, cost);
    }
    if (arithmetic.control == 0) {
        console_fail("the control computed nothing");
    }
}

void growth_run(const struct plan *plan, struct figure_list *list)
{
    if (!plan->selected[OPERATION_GROWTH_WALL] && !plan->selected[OPERATION_GROWTH_CPU]) {
        return;
    }
    struct samples samples;
    samples_init(&samples, plan->growth_keys);
    uint32_t *order = console_allocate(plan->growth_keys * sizeof order[0]);
    measure_rounds(plan, &samples, order, list);
    free(order);
    samples_release(&samples);
}
