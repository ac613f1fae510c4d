/*
 * tarn on disk and its peers at the same work: see disk.h.
 *
 * First come stores that are not durable, with all keys; then durable ones, whose writes take a
 * hundred times as long, with fewer; then stores whose process was killed. What is no time of an
 * operation is kept in the run until the end, so that it stands together in the report.
 */
#include "disk.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "console.h"
#include "disk_field.h"
#include "disk_log.h"
#include "disk_rate.h"
#include "folder.h"
#include "samples.h"
#include "timing.h"

enum {
    DURABLE_KEYS_MAX = 100000,
    DURABLE_THREADS = 16,
    /* Operations of a round. */
    ALWAYS_COUNT = 1000,
    ALWAYS_COUNT_OF_16 = 250, /* of each thread */
    ALWAYS_BATCHES = 200,
    RATE_COUNT = 1000,
    OVERWRITES_PER_KEY = 3,
    CHECKS_MAX = 100000, /* keys that are read after a kill */
    /* What a record takes in a log, about: the disk is given as much to write. */
    RECORD_BYTES = WORKLOAD_KEY_BYTES + PLAN_VALUE_BYTES + 16,
};

/* What is told of single stores, or of the disk. */
enum result {
    RESULT_RATE_RECORD,
    RESULT_RATE_PREALLOCATED,
    RESULT_RATE_WRITTEN,
    RESULT_RATE_GROWING,
    RESULT_REOPEN,
    RESULT_REOPEN_KILLED,
    RESULT_RECORD_LOG,
    RESULT_RECORD_FILES,
    RESULT_OVERWRITTEN,
    RESULT_INDEX,
    RESULT_INDEX_LONG,
    RESULT_LATENCY,
    RESULT_LATENCY_LONGEST,
    RESULT_COMPACT_100,
    RESULT_COMPACT_1000,
    RESULT_COMPACT_DISK,
    RESULT_COUNT,
};

static const struct {
    enum operation_id operation;
    const char *detail;
    bool judged; /* whether the operation's goal is for it, of tarn */
} results[RESULT_COUNT] = {
    [RESULT_RATE_RECORD] = {OPERATION_DISK_RATE, "a record, preallocated", false},
    [RESULT_RATE_PREALLOCATED] = {OPERATION_DISK_RATE, "4 KiB, preallocated", false},
    [RESULT_RATE_WRITTEN] = {OPERATION_DISK_RATE, "4 KiB, written before", false},
    [RESULT_RATE_GROWING] = {OPERATION_DISK_RATE, "4 KiB, growing", false},
    [RESULT_REOPEN] = {OPERATION_DISK_REOPEN, "", true},
    [RESULT_REOPEN_KILLED] = {OPERATION_DISK_REOPEN_KILLED, "", true},
    [RESULT_RECORD_LOG] = {OPERATION_DISK_RECORD, "in its log", true},
    [RESULT_RECORD_FILES] = {OPERATION_DISK_RECORD, "all files", false},
    [RESULT_OVERWRITTEN] = {OPERATION_DISK_OVERWRITTEN, "", true},
    [RESULT_INDEX] = {OPERATION_DISK_INDEX, "keys of 16 bytes", true},
    [RESULT_INDEX_LONG] = {OPERATION_DISK_INDEX, "keys of 200 bytes", true},
    [RESULT_LATENCY] = {OPERATION_DISK_LATENCY, "99.99 % below", true},
    [RESULT_LATENCY_LONGEST] = {OPERATION_DISK_LATENCY, "longest", false},
    [RESULT_COMPACT_100] = {OPERATION_DISK_COMPACT_100, "", true},
    [RESULT_COMPACT_1000] = {OPERATION_DISK_COMPACT_1000, "", true},
    [RESULT_COMPACT_DISK] = {OPERATION_DISK_COMPACT_1000, "the disk, write and fdatasync", false},
};

struct run {
    const struct plan *plan;
    struct figure_list *list;
    size_t rounds;
    struct folder folder;
    struct disk_field field; /* the stores of now */
    char log_folder[PATH_MAX + 16];
    size_t overwrites;                                  /* of every key of them */
    struct series numbers[RESULT_COUNT][SUBJECT_COUNT]; /* the disk's are SUBJECT_OWN's */
};

struct work {
    enum operation_id operation;
    loop_body *body;
    size_t threads;
    size_t count;     /* operations of one thread; 0: one for each key */
    size_t unit;      /* so many of them are told as one */
    bool on_empty;    /* on a store that is made for it */
    bool alone;       /* peers are not asked */
    loop_body *own;   /* tarn is compared with itself at this */
    bool to_the_disk; /* it is compared with the disk, which writes as much */
};

/* In the order of the operations' numbers: the stores are loaded first. */
static const struct work works[] = {
    {OPERATION_DISK_LOAD, loop_set, 1, 0, 1, true, false, NULL, false},
    {OPERATION_DISK_GET_HIT, loop_get, 1, 0, 1, false, false, NULL, false},
    {OPERATION_DISK_GET_MISS, loop_get_miss, 1, 0, 1, false, false, NULL, false},
    {OPERATION_DISK_GET_MANY, loop_get_many, 1, 0, 1, false, true, loop_get, false},
    {OPERATION_DISK_OVERWRITE, loop_set, 1, 0, 1, false, false, NULL, false},
};
static const struct work durable_works[] = {
    {OPERATION_DISK_ALWAYS, loop_set, 1, ALWAYS_COUNT, 1, false, false, NULL, true},
    {OPERATION_DISK_ALWAYS_16_THREADS, loop_set, DURABLE_THREADS, ALWAYS_COUNT_OF_16, 1, false,
     false, NULL, false},
    {OPERATION_DISK_ALWAYS_BATCH, loop_set_many, 1, ALWAYS_BATCHES *PEER_GROUP_MAX, PEER_GROUP_MAX,
     false, false, NULL, true},
};

static bool wants(const struct run *run, enum operation_id first, enum operation_id last)
{
    bool any = false;
    for (enum operation_id i = first; i <= last; i++) {
        any = any || run->plan->selected[i];
    }
    return any;
}

static bool takes_part(const struct run *run, enum subject_id subject)
{
    return run->field.subjects[subject].peer != NULL;
}

static void tell(const struct run *run, const char *what, size_t round)
{
    console_progress("%u keys on disk: %s, round %zu of %zu", run->field.keys, what, round + 1,
                     run->rounds);
}

/* ------------------------------------------------------------------------------------------
 * Times of operations
 */

/* Nanoseconds for each unit of the work. */
static double perform(struct run *run, const struct work *work, loop_body *body,
                      enum subject_id subject)
{
    struct disk_field *field = &run->field;
    struct loop loops[DURABLE_THREADS];
    if (work->on_empty) {
        disk_field_make(field, subject);
    }
    disk_field_settle(field);
    for (size_t i = 0; i < work->threads; i++) {
        loops[i] = disk_field_loop(field, subject, i, work->count == 0 ? field->keys : work->count);
    }
    const double ns = work->threads == 1 ? timing_run(body, &loops[0])
                                         : timing_run_threads(body, loops, work->threads);
    return ns * (double)work->unit;
}

static double perform_disk(const struct run *run, const struct work *work)
{
    disk_field_settle(&run->field);
    return disk_rate(run->field.folder, DISK_RATE_PREALLOCATED, RECORD_BYTES * work->unit,
                     work->count / work->unit);
}

static void measure_round(struct run *run, const struct work *work, struct figure *figure)
{
    disk_field_shuffle(&run->field);
    for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
        if (takes_part(run, i) && (i == SUBJECT_TARN || !work->alone)) {
            series_add(&figure->times[i], perform(run, work, work->body, i));
        }
    }
    if (work->own != NULL) {
        series_add(&figure->times[SUBJECT_OWN], perform(run, work, work->own, SUBJECT_TARN));
    }
    if (work->to_the_disk) {
        series_add(&figure->times[SUBJECT_OWN], perform_disk(run, work));
    }
}

static void measure(struct run *run, const struct work *work)
{
    if (!run->plan->selected[work->operation]) {
        return;
    }
    struct figure *figure =
        figure_list_add(run->list, work->operation, run->field.keys, PLAN_VALUE_BYTES);
    for (size_t round = 0; round < run->rounds; round++) {
        tell(run, figure->operation->title, round);
        measure_round(run, work, figure);
    }
    figure_form_result(figure);
}

/* ------------------------------------------------------------------------------------------
 * Stores that are not durable
 */

static void record(struct run *run, enum result result, enum subject_id subject, double number)
{
    series_add(&run->numbers[result][subject], number);
}

static double useful_bytes(const struct run *run)
{
    return (double)run->field.keys * (WORKLOAD_KEY_BYTES + PLAN_VALUE_BYTES);
}

/* What the stores have taken, once they are loaded. */
static void measure_sizes(struct run *run)
{
    const struct subject *tarn = &run->field.subjects[SUBJECT_TARN];
    const double keys = run->field.keys;
    const uint64_t index_bytes = tarn->peer->index_bytes(tarn->store);
    const uint64_t log_bytes = tarn->peer->log_bytes(tarn->store);
    if (index_bytes == UINT64_MAX || log_bytes == UINT64_MAX) {
        console_fail("tarn does not tell its sizes");
    }
    disk_field_settle(&run->field);
    record(run, RESULT_INDEX, SUBJECT_TARN, (double)index_bytes / keys);
    record(run, RESULT_RECORD_LOG, SUBJECT_TARN, ((double)log_bytes - useful_bytes(run)) / keys);
    for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
        if (takes_part(run, i)) {
            record(run, RESULT_RECORD_FILES, i,
                   ((double)disk_field_bytes(&run->field, i) - useful_bytes(run)) / keys);
        }
    }
}

/* Every key has been overwritten often enough, as a part of other measurements or here. */
static void measure_overwritten(struct run *run)
{
    for (; run->overwrites < OVERWRITES_PER_KEY; run->overwrites++) {
        tell(run, "overwriting", run->overwrites);
        disk_field_shuffle(&run->field);
        for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
            if (takes_part(run, i)) {
                const struct loop loop = disk_field_loop(&run->field, i, 0, run->field.keys);
                loop_set(&loop);
            }
        }
    }
    disk_field_settle(&run->field);
    for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
        if (takes_part(run, i)) {
            record(run, RESULT_OVERWRITTEN, i,
                   (double)disk_field_bytes(&run->field, i) / useful_bytes(run));
        }
    }
}

static void measure_latency(struct run *run)
{
    const uint32_t count = run->field.keys;
    uint32_t *times_ns = console_allocate(count * sizeof times_ns[0]);
    for (size_t round = 0; round < run->rounds; round++) {
        tell(run, "time of single overwrites", round);
        disk_field_shuffle(&run->field);
        disk_field_settle(&run->field);
        struct loop loop = disk_field_loop(&run->field, SUBJECT_TARN, 0, 1);
        for (uint32_t i = 0; i < count; i++, loop.order++) {
            const uint64_t begin_ns = clock_wall_ns();
            loop_set(&loop);
            times_ns[i] = samples_difference(begin_ns, clock_wall_ns());
        }
        record(run, RESULT_LATENCY, SUBJECT_TARN,
               samples_percentile(times_ns, count, 0.9999) / 1e3);
        record(run, RESULT_LATENCY_LONGEST, SUBJECT_TARN, times_ns[count - 1] / 1e3);
    }
    free(times_ns);
}

/* Seconds from the beginning of an opening to the first value that was read. */
static double reopen(struct run *run, enum subject_id subject)
{
    subject_close(&run->field.subjects[subject]);
    disk_field_settle(&run->field);
    const uint64_t begin_ns = clock_wall_ns();
    disk_field_reopen(&run->field, subject);
    const struct loop loop = disk_field_loop(&run->field, subject, 0, 1);
    loop_get(&loop);
    return (double)(clock_wall_ns() - begin_ns) / 1e9;
}

static void measure_reopening(struct run *run)
{
    for (size_t round = 0; round < run->rounds; round++) {
        tell(run, "reopening after a close", round);
        disk_field_shuffle(&run->field);
        for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
            if (takes_part(run, i)) {
                record(run, RESULT_REOPEN, i, reopen(run, i));
            }
        }
    }
}

static void run_not_durable(struct run *run)
{
    const bool *selected = run->plan->selected;
    const uint32_t keys = run->plan->memory_keys;
    const bool alone = !wants(run, OPERATION_DISK_LOAD, OPERATION_DISK_GET_MISS) &&
                       !selected[OPERATION_DISK_OVERWRITE] &&
                       !wants(run, OPERATION_DISK_REOPEN, OPERATION_DISK_OVERWRITTEN);
    disk_field_init(&run->field, run->folder.path, "not-durable", false, keys, 1, keys);
    for (enum subject_id i = SUBJECT_TARN + 1; alone && i < SUBJECT_COUNT; i++) {
        run->field.subjects[i].peer = NULL;
    }
    if (!selected[OPERATION_DISK_LOAD]) {
        disk_field_load(&run->field);
    }
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        measure(run, &works[i]);
        if (works[i].operation == OPERATION_DISK_LOAD) {
            measure_sizes(run);
            /* What was just made is opened where it is still as it was loaded. */
            if (selected[OPERATION_DISK_REOPEN]) {
                measure_reopening(run);
            }
        }
    }
    run->overwrites = selected[OPERATION_DISK_OVERWRITE] ? run->rounds : 0;
    if (selected[OPERATION_DISK_OVERWRITTEN]) {
        measure_overwritten(run);
    }
    if (selected[OPERATION_DISK_LATENCY]) {
        measure_latency(run);
    }
    disk_field_release(&run->field);
}

/* ------------------------------------------------------------------------------------------
 * Durable stores, and the disk
 */

static void run_durable(struct run *run)
{
    const uint32_t most = DURABLE_KEYS_MAX;
    const uint32_t keys = run->plan->memory_keys < most ? run->plan->memory_keys : most;
    disk_field_init(&run->field, run->folder.path, "durable", true, keys, DURABLE_THREADS,
                    keys > ALWAYS_BATCHES * PEER_GROUP_MAX ? keys
                                                           : ALWAYS_BATCHES * PEER_GROUP_MAX);
    disk_field_load(&run->field);
    for (size_t i = 0; i < sizeof durable_works / sizeof durable_works[0]; i++) {
        measure(run, &durable_works[i]);
    }
    disk_field_release(&run->field);
}

static void measure_rates(struct run *run)
{
    static const struct {
        enum result result;
        enum disk_rate_file file;
        size_t bytes;
    } rates[] = {
        {RESULT_RATE_RECORD, DISK_RATE_PREALLOCATED, RECORD_BYTES},
        {RESULT_RATE_PREALLOCATED, DISK_RATE_PREALLOCATED, 4096},
        {RESULT_RATE_WRITTEN, DISK_RATE_WRITTEN, 4096},
        {RESULT_RATE_GROWING, DISK_RATE_GROWING, 4096},
    };
    for (size_t round = 0; round < run->rounds; round++) {
        console_progress("the disk alone, round %zu of %zu", round + 1, run->rounds);
        for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
            record(run, rates[i].result, SUBJECT_OWN,
                   1e9 / disk_rate(run->folder.path, rates[i].file, rates[i].bytes, RATE_COUNT));
        }
    }
}

/* ------------------------------------------------------------------------------------------
 * Stores whose process was killed
 */

/* Looks whether what was acknowledged is there. */
static void check_killed(const struct run *run, enum subject_id subject)
{
    const uint32_t keys = run->field.keys;
    const struct loop loop =
        disk_field_loop(&run->field, subject, 0, keys < CHECKS_MAX ? keys : CHECKS_MAX);
    loop_get(&loop);
}

/* Filling takes long: each peer is killed once, tarn in each round. */
static void run_killed(struct run *run)
{
    const uint32_t keys = run->plan->memory_keys;
    disk_field_init(&run->field, run->folder.path, "killed", false, keys, 1, keys);
    for (size_t round = 0; round < run->rounds; round++) {
        tell(run, "reopening after SIGKILL", round);
        disk_field_shuffle(&run->field);
        for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
            if (takes_part(run, i) && (i == SUBJECT_TARN || round == 0)) {
                disk_field_abandon(&run->field, i);
                record(run, RESULT_REOPEN_KILLED, i, reopen(run, i));
                check_killed(run, i);
                subject_close(&run->field.subjects[i]);
            }
        }
    }
    disk_field_release(&run->field);
}

/* ------------------------------------------------------------------------------------------
 * The log alone
 */

/* The folder that the log is made in; nothing is there. */
static const char *log_folder(struct run *run)
{
    folder_empty(run->field.folder);
    (void)snprintf(run->log_folder, sizeof run->log_folder, "%s/tarn", run->field.folder);
    return run->log_folder;
}

/* Of long values a quarter, which is twice as much. */
static void measure_compaction(struct run *run, enum result result, size_t value_bytes)
{
    const uint32_t keys = run->field.keys / (value_bytes > PLAN_VALUE_BYTES ? 4 : 1);
    if (!run->plan->selected[results[result].operation]) {
        return;
    }
    const char *folder = log_folder(run);
    disk_field_settle(&run->field);
    record(run, result, SUBJECT_TARN, disk_log_compact(folder, keys, value_bytes));
    if (results[result].operation == OPERATION_DISK_COMPACT_1000) {
        const size_t bytes = 1 << 20;
        const size_t count = keys * (WORKLOAD_KEY_BYTES + value_bytes) / bytes + 1;
        disk_field_settle(&run->field);
        record(run, RESULT_COMPACT_DISK, SUBJECT_OWN,
               disk_rate_at_once(run->folder.path, bytes, count) / (double)bytes);
    }
}

static void run_log(struct run *run)
{
    enum { LONG_KEY_BYTES = 200 };
    const uint32_t keys = run->plan->memory_keys;
    disk_field_init(&run->field, run->folder.path, "log", false, keys, 1, keys);
    if (run->plan->selected[OPERATION_DISK_INDEX]) {
        tell(run, "index of long keys", 0);
        record(run, RESULT_INDEX_LONG, SUBJECT_TARN,
               disk_log_index(log_folder(run), keys, LONG_KEY_BYTES));
    }
    for (size_t round = 0; round < run->rounds; round++) {
        tell(run, "compaction", round);
        measure_compaction(run, RESULT_COMPACT_100, PLAN_VALUE_BYTES);
        measure_compaction(run, RESULT_COMPACT_1000, WORKLOAD_VALUE_BYTES_MAX);
    }
    disk_field_release(&run->field);
}

/* ------------------------------------------------------------------------------------------
 * All of them
 */

static void add_number(struct run *run, enum result result, enum subject_id subject)
{
    const struct peer *peer = disk_peer(subject);
    const char *detail = results[result].detail;
    struct figure *figure = figure_list_add(run->list, results[result].operation,
                                            run->plan->memory_keys, PLAN_VALUE_BYTES);
    (void)snprintf(figure->detail, sizeof figure->detail, "%s%s%s", peer == NULL ? "" : peer->name,
                   peer == NULL || detail[0] == '\0' ? "" : ", ", detail);
    figure->has_goal = figure->has_goal && results[result].judged && subject == SUBJECT_TARN;
    figure->result = run->numbers[result][subject];
}

static void add_numbers(struct run *run)
{
    for (enum result result = 0; result < RESULT_COUNT; result++) {
        for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
            if (run->plan->selected[results[result].operation] &&
                run->numbers[result][i].count > 0) {
                add_number(run, result, i);
            }
        }
    }
}

void disk_run(const struct plan *plan, struct figure_list *list)
{
    struct run *run = console_allocate(sizeof *run);
    *run = (struct run){.plan = plan, .list = list, .rounds = plan->disk_rounds};
    if (!wants(run, OPERATION_DISK_LOAD, OPERATION_DISK_COMPACT_1000)) {
        free(run);
        return;
    }
    folder_make(&run->folder);
    if (wants(run, OPERATION_DISK_LOAD, OPERATION_DISK_OVERWRITE) ||
        plan->selected[OPERATION_DISK_REOPEN] ||
        wants(run, OPERATION_DISK_RECORD, OPERATION_DISK_LATENCY)) {
        run_not_durable(run);
    }
    if (wants(run, OPERATION_DISK_ALWAYS, OPERATION_DISK_ALWAYS_BATCH)) {
        run_durable(run);
    }
    if (plan->selected[OPERATION_DISK_RATE]) {
        measure_rates(run);
    }
    if (plan->selected[OPERATION_DISK_REOPEN_KILLED]) {
        run_killed(run);
    }
    if (plan->selected[OPERATION_DISK_INDEX] ||
        wants(run, OPERATION_DISK_COMPACT_100, OPERATION_DISK_COMPACT_1000)) {
        run_log(run);
    }
    add_numbers(run);
    folder_remove(&run->folder);
    free(run);
}
