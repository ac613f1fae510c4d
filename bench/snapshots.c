/*
 * Saving, loading, and writing meanwhile: see snapshots.h.
 */
#include "snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "console.h"
#include "folder.h"
#include "snapshot_store.h"
#include "snapshot_writer.h"
#include "workload.h"

enum {
    WINDOW_NS = 1000000000,    /* how long sets are measured, at GOAL_KEYS */
    WINDOW_NS_MIN = 300000000, /* with fewer keys: as much less, but at least so long */
    SAVES_MIN = 2,             /* of a window */
};

/* Every figure, those of one operation side by side. */
enum result {
    RESULT_SAVE,
    RESULT_SAVE_SYNCED,
    RESULT_LOAD,
    RESULT_LOAD_OPENING,
    RESULT_WRITERS,
    RESULT_PAUSE,
    RESULT_SET_SAVING,
    RESULT_SET_ALONE,
    RESULT_MEMORY_MOST,
    RESULT_MEMORY_AFTER,
    RESULT_COUNT,
};

static const struct {
    enum operation_id operation;
    const char *detail;
    bool judged; /* whether the operation's goal is for it */
} results[RESULT_COUNT] = {
    [RESULT_SAVE] = {OPERATION_SNAPSHOT_SAVE, "", true},
    [RESULT_SAVE_SYNCED] = {OPERATION_SNAPSHOT_SAVE_SYNCED, "", true},
    [RESULT_LOAD] = {OPERATION_SNAPSHOT_LOAD, "as a new namespace", true},
    [RESULT_LOAD_OPENING] = {OPERATION_SNAPSHOT_LOAD, "at opening", false},
    [RESULT_WRITERS] = {OPERATION_SNAPSHOT_WRITERS, "", true},
    [RESULT_PAUSE] = {OPERATION_SNAPSHOT_PAUSE, "longest at the cut", true},
    [RESULT_SET_SAVING] = {OPERATION_SNAPSHOT_PAUSE, "longest set while saves run", false},
    [RESULT_SET_ALONE] = {OPERATION_SNAPSHOT_PAUSE, "longest set without saves", false},
    [RESULT_MEMORY_MOST] = {OPERATION_SNAPSHOT_MEMORY, "growth at its peak", false},
    [RESULT_MEMORY_AFTER] = {OPERATION_SNAPSHOT_MEMORY, "growth after it", false},
};

struct run {
    const struct plan *plan;
    struct figure *figures[RESULT_COUNT]; /* NULL where the plan does not have it */
    struct snapshot_store store;
    uint32_t *order;        /* in which keys are overwritten; of the current round */
    uint64_t pause_ns_most; /* of the current round */
};

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static double milliseconds(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double megabytes(uint64_t bytes, uint64_t before_bytes)
{
    return ((double)bytes - (double)before_bytes) / 1e6;
}

static bool wants(const struct run *run, enum operation_id operation)
{
    return run->plan->selected[operation];
}

static void record(struct run *run, enum result result, double number)
{
    if (run->figures[result] != NULL) {
        series_add(&run->figures[result]->result, number);
    }
}

static void save(struct run *run, struct tarn_snapshot_info *info)
{
    snapshot_store_save(&run->store, info);
    if (info->pause_ns > run->pause_ns_most) {
        run->pause_ns_most = info->pause_ns;
    }
}

/* A save while nothing else happens, under a name that is free: no older file goes with it. Then
 * loads of it. */
static void measure_save_and_load(struct run *run)
{
    struct tarn_snapshot_info info;
    save(run, &info);
    record(run, RESULT_SAVE, seconds(info.write_ns));
    record(run, RESULT_SAVE_SYNCED, seconds(info.write_ns + info.sync_ns));
    if (wants(run, OPERATION_SNAPSHOT_LOAD)) {
        record(run, RESULT_LOAD, seconds(snapshot_store_load(&run->store)));
        record(run, RESULT_LOAD_OPENING, seconds(snapshot_store_reopen(&run->store)));
    }
}

static uint64_t window_ns(const struct run *run)
{
    const uint64_t ns = (uint64_t)WINDOW_NS * run->store.keys / GOAL_KEYS;
    return ns > WINDOW_NS_MIN ? ns : WINDOW_NS_MIN;
}

static void wait_window(const struct run *run)
{
    const uint64_t ns = window_ns(run);
    const struct timespec window = {.tv_sec = (time_t)(ns / 1000000000),
                                    .tv_nsec = (long)(ns % 1000000000)};
    (void)nanosleep(&window, NULL); /* the writer has a clock of its own */
}

static void save_for_window(struct run *run)
{
    const uint64_t begin_ns = clock_wall_ns();
    struct tarn_snapshot_info info;
    for (size_t saves = 0; saves < SAVES_MIN || clock_wall_ns() - begin_ns < window_ns(run);
         saves++) {
        save(run, &info);
    }
}

/* Sets without saves, then sets while saves run one after another, each in place of the one before.
 * What the last of them saved has to be right, too. */
static void measure_writers(struct run *run)
{
    struct snapshot_writer alone = {.store = &run->store, .order = run->order};
    struct snapshot_writer saving = {.store = &run->store, .order = run->order};
    snapshot_writer_start(&alone);
    wait_window(run);
    snapshot_writer_stop(&alone);
    snapshot_writer_start(&saving);
    save_for_window(run);
    snapshot_writer_stop(&saving);
    if (run->figures[RESULT_WRITERS] != NULL) {
        series_add(&run->figures[RESULT_WRITERS]->times[SUBJECT_TARN], saving.ns_per_set);
        series_add(&run->figures[RESULT_WRITERS]->times[SUBJECT_OWN], alone.ns_per_set);
    }
    record(run, RESULT_SET_SAVING, milliseconds(saving.longest_ns));
    record(run, RESULT_SET_ALONE, milliseconds(alone.longest_ns));
    (void)snapshot_store_load(&run->store);
}

/* One save while keys are overwritten; they are before it, too, because that alone may take memory.
 */
static void measure_memory(struct run *run)
{
    struct snapshot_writer writer = {
        .store = &run->store, .order = run->order, .samples_memory = true};
    struct tarn_snapshot_info info;
    snapshot_writer_start(&writer);
    wait_window(run);
    const uint64_t before_bytes = snapshot_store_memory_bytes(&run->store);
    save(run, &info);
    snapshot_writer_stop(&writer);
    record(run, RESULT_MEMORY_MOST, megabytes(writer.memory_bytes_most, before_bytes));
    record(run, RESULT_MEMORY_AFTER,
           megabytes(snapshot_store_memory_bytes(&run->store), before_bytes));
}

static void measure_round(struct run *run)
{
    run->pause_ns_most = 0;
    measure_save_and_load(run);
    if (wants(run, OPERATION_SNAPSHOT_WRITERS) || wants(run, OPERATION_SNAPSHOT_PAUSE)) {
        measure_writers(run);
    }
    if (wants(run, OPERATION_SNAPSHOT_MEMORY)) {
        measure_memory(run);
    }
    record(run, RESULT_PAUSE, milliseconds(run->pause_ns_most));
    snapshot_store_delete(&run->store);
}

/* All of them at once: adding one may move those that are there. */
static void add_figures(struct run *run, struct figure_list *list)
{
    const size_t first = list->count;
    size_t place = first;
    for (size_t i = 0; i < RESULT_COUNT; i++) {
        if (!wants(run, results[i].operation)) {
            continue;
        }
        struct figure *figure =
            figure_list_add(list, results[i].operation, run->plan->memory_keys, PLAN_VALUE_BYTES);
        (void)snprintf(figure->detail, sizeof figure->detail, "%s", results[i].detail);
        figure->has_goal = figure->has_goal && results[i].judged;
    }
    for (size_t i = 0; i < RESULT_COUNT; i++) {
        if (wants(run, results[i].operation)) {
            run->figures[i] = &list->figures[place++];
        }
    }
}

static void measure_rounds(struct run *run, const char *folder)
{
    const uint32_t keys = run->plan->memory_keys;
    console_progress("snapshots of %u keys: loading", keys);
    workload_order_permuted(run->order, keys, keys, 0);
    snapshot_store_make(&run->store, folder, run->order, keys);
    for (size_t round = 0; round < run->plan->rounds; round++) {
        console_progress("snapshots of %u keys, round %zu of %zu", keys, round + 1,
                         run->plan->rounds);
        workload_order_permuted(run->order, keys, keys, round + 1);
        measure_round(run);
    }
    snapshot_store_close(&run->store);
    if (run->figures[RESULT_WRITERS] != NULL) {
        figure_form_result(run->figures[RESULT_WRITERS]);
    }
}

void snapshots_run(const struct plan *plan, struct figure_list *list)
{
    struct run run = {.plan = plan};
    struct folder folder;
    add_figures(&run, list);
    bool anything = false;
    for (size_t i = 0; i < RESULT_COUNT; i++) {
        anything = anything || run.figures[i] != NULL;
    }
    if (!anything) {
        return;
    }
    run.order = console_allocate(plan->memory_keys * sizeof run.order[0]);
    folder_make(&folder);
    measure_rounds(&run, folder.path);
    folder_remove(&folder);
    free(run.order);
}
