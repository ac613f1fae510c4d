/* A run of steps with all its crashes; see the header. */
#include "crash/run.h"
#include "crash/disk.h"
#include "crash/look.h"
#include "store/store.h"
#include "support/fixture.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Of so many visits or operations one is looked at more closely. */
#define EVERY_READ_ONLY       4
#define EVERY_WATCHED_OPENING 8
#define EVERY_WATCHED_WHOLE   512
#define EVERY_SECOND_OPENING  16
#define EVERY_TORN            32
#define EVERY_OTHER           4
#define EVERY_KILL            16
#define RANDOM_STATES         6

/* Where there are logs, of which one that is not synced has many states: of those of a moment, of
 * those after a call has failed, and of those of a recovery, one is judged of so many at random;
 * and so many times fewer are looked at more closely. */
#define EVERY_OF_LOGS        2
#define EVERY_OF_LOGS_FAILED 2
#define EVERY_OF_LOGS_AGAIN  40
#define EVERY_OF_LOGS_KILLED 5
#define EVERY_TORN_OF_LOGS   16
#define RARER_WITH_LOGS      8

bool crash_failed(struct crash_store *s, const char *format, ...)
{
    struct crash_report *report = s->run->report;
    va_list arguments;

    if (report->failed)
        return false;
    report->failed = true;
    va_start(arguments, format);
    vsnprintf(report->failure, sizeof report->failure, format, arguments);
    va_end(arguments);
    return false;
}

/* Says where the failure happened that was just noted. */
static void add_place(struct crash_store *s, const char *where, const char *detail)
{
    char *text = s->run->report->failure;
    size_t length = strlen(text);

    snprintf(text + length, sizeof s->run->report->failure - length, "\n    %s%s%s", where,
             *detail ? ": " : "", detail);
}

static bool is_over(const struct crash_run *run)
{
    return run->report->failed ||
           (run->settings->states_max && run->report->states >= run->settings->states_max);
}

/* ------------------------------------------------------------------------------------------
 * Opening
 */

/* Lets calls through while something is looked at; and goes on as before, unless all calls have
 * failed from one on: that is over with the next opening. */
static void suspend_faults(struct crash_store *s)
{
    if (s->fault)
        atomic_store(&s->fault->plan, NULL);
}

static void resume_faults(struct crash_store *s)
{
    if (s->fault && !(s->run->settings->fault->lasting && os_fault_fired(s->fault)))
        atomic_store(&s->fault->plan, s->run->settings->fault);
}

static tarn_status open_once(struct crash_store *s, enum tarn_load load, bool read_only)
{
    struct tarn_options options = {.size = sizeof options, .load = load, .read_only = read_only};

    return tarn__store_open(s->os, CRASH_FOLDER, &options, &s->store);
}

static bool look_at_all(struct crash_store *s, enum tarn_load load, bool read_only)
{
    struct world_found found;

    if (!look_at_disk(s, &found))
        return false;
    world_settle(&s->world, &found);
    if (load == TARN_LOAD_NOTHING)
        world_load_nothing(&s->world);
    else
        world_load_newest(&s->world);
    return look_at_memory(s) && (read_only || look_for_remains(s));
}

bool crash_store_open(struct crash_store *s, enum tarn_load load)
{
    tarn_status status = open_once(s, load, false);
    bool right;

    suspend_faults(s);
    if (status && sim_disk_sync_failures(s->disk)) {
        s->store = NULL; /* after this the cache cannot be trusted: the steps are over */
        return true;
    }
    if (status && s->tolerant) /* then it works once nothing fails any more */
        status = open_once(s, load, false);
    if (status) {
        s->store = NULL;
        return crash_failed(s, "opening: %s: %s", tarn_status_name(status),
                            tarn_last_error()->message);
    }
    right = look_at_all(s, load, false);
    s->catalog_unknown = false;
    resume_faults(s);
    return right;
}

bool crash_store_close(struct crash_store *s)
{
    tarn_status status = tarn_close(s->store);

    s->store = NULL;
    s->killed = !sim_disk_sync_failures(s->disk); /* what is there is there, until power goes */
    if (!status)
        world_logs_are_closed(&s->world);
    else if (!s->tolerant)
        return crash_failed(s, "closing: %s: %s", tarn_status_name(status),
                            tarn_last_error()->message);
    return true;
}

/* A reader sees the same, and changes nothing. */
static bool look_read_only(struct crash_store *s)
{
    struct world before = s->world;
    uint64_t operations = sim_disk_operations(s->disk);
    tarn_status status = open_once(s, TARN_LOAD_NEWEST, true);
    bool right;

    if (status) {
        s->store = NULL;
        if (status == TARN_IO && !s->world.begun) /* there was none */
            return true;
        return crash_failed(s, "opening to read only: %s: %s", tarn_status_name(status),
                            tarn_last_error()->message);
    }
    right = look_at_all(s, TARN_LOAD_NEWEST, true);
    right = tarn_close(s->store) == TARN_OK && right;
    s->store = NULL;
    if (right && sim_disk_operations(s->disk) != operations)
        return crash_failed(s, "a reader has changed the disk");
    s->world = before;
    return right || crash_failed(s, "a reader cannot be closed");
}

/* A second opening is refused, and harmless. */
static bool look_locked(struct crash_store *s)
{
    tarn_store *first = s->store;
    tarn_status status = open_once(s, TARN_LOAD_NOTHING, s->run->visits % 2);

    if (!status)
        (void)tarn_close(s->store); /* there should be none */
    s->store = first;
    return status == TARN_STORE_LOCKED ||
           crash_failed(s, "a second opening: %s", tarn_status_name(status));
}

/* ------------------------------------------------------------------------------------------
 * Judging a state
 */

static void after_operation(void *context, struct sim_disk *disk, uint64_t operation);

static void watch(struct crash_store *s, bool watched)
{
    s->watched = watched;
    sim_disk_observe(s->disk, watched ? after_operation : NULL, s);
}

static const struct step trial_in_memory[] = {
    {.kind = STEP_CREATE, .ns = WORLD_PROBE, .number = 5},
    {.kind = STEP_SET, .ns = WORLD_PROBE, .number = 7, .value = 77},
    {.kind = STEP_SET, .ns = 0, .number = 49, .value = 230},
    {.kind = STEP_SET, .ns = 1, .number = 49, .value = 231},
    {.kind = STEP_SAVE, .snapshot = WORLD_PROBE},
    {.kind = STEP_REOPEN, .number = TARN_LOAD_NEWEST},
    {.kind = STEP_REOPEN, .number = TARN_LOAD_NEWEST},
};

/* The first of them is not done each time: it takes longest. */
static const struct step trial_of_logs[] = {
    {.kind = STEP_SAVE, .snapshot = WORLD_PROBE},
    {.kind = STEP_CREATE, .ns = WORLD_PROBE, .number = 5, .sync = TARN_SYNC_NONE},
    {.kind = STEP_SET, .ns = WORLD_PROBE, .number = 7, .value = 77},
    {.kind = STEP_SET, .ns = 0, .number = 49, .value = 230},
    {.kind = STEP_DELETE, .ns = 0, .number = 49},
    {.kind = STEP_SYNC, .ns = 0},
    {.kind = STEP_COMPACT, .ns = 0},
    {.kind = STEP_BATCH, .ns = 1, .number = 49, .value = 31},
    {.kind = STEP_REOPEN, .number = TARN_LOAD_NEWEST},
    {.kind = STEP_SET, .ns = 1, .number = 48, .value = 232},
    {.kind = STEP_REOPEN, .number = TARN_LOAD_NEWEST},
};

#define EVERY_SAVE_OF_LOGS 8

/* What a store must be able to do after a crash. */
static bool try_store(struct crash_store *s)
{
    bool logs = s->run->settings->logs;
    const struct step *steps = logs ? trial_of_logs : trial_in_memory;
    size_t count =
        logs ? sizeof trial_of_logs / sizeof *steps : sizeof trial_in_memory / sizeof *steps;

    for (size_t i = logs && s->run->visits % EVERY_SAVE_OF_LOGS; i < count && !is_over(s->run);
         i++) {
        if (step_do(s, &steps[i]) && (!s->watched || crash_states_judge(s)))
            continue;
        add_place(s, "in the trial after the recovery", "");
        return false;
    }
    return true;
}

/* killed: the disk has all that was written, synced or not. */
static bool judge(struct crash_store *parent, struct sim_disk *disk, bool killed,
                  bool watch_opening, bool watch_trial)
{
    struct crash_run *run = parent->run;
    struct crash_store s = {
        .run = run, .disk = disk, .os = &disk->os, .depth = parent->depth + 1, .killed = killed};
    size_t saves = run->saves.count;
    bool right;

    s.world = parent->world;
    crash_disk_prepare(disk, run->settings->plant);
    run->report->states++;
    right = run->visits % EVERY_READ_ONLY != 0 || look_read_only(&s);
    if (right) {
        watch(&s, watch_opening);
        right = crash_store_open(&s, TARN_LOAD_NEWEST);
    }
    if (right && run->visits % EVERY_SECOND_OPENING == 0)
        right = look_locked(&s);
    watch(&s, watch_trial);
    if (right && watch_trial)
        right = crash_states_judge(&s);
    right = right && try_store(&s);
    watch(&s, false);
    if (s.store)
        right = crash_store_close(&s) && right;
    run->saves.count = saves;
    return right && !run->report->failed;
}

/* Where there are logs: each choice is as good as another, but torn ones are many. */
static bool is_passed_over_of_logs(const struct crash_store *s, const char *choice, uint64_t number)
{
    uint64_t every = !s->depth   ? s->tolerant ? EVERY_OF_LOGS_FAILED : EVERY_OF_LOGS
                     : s->killed ? EVERY_OF_LOGS_KILLED
                                 : EVERY_OF_LOGS_AGAIN;

    if (s->depth == 0 && !s->tolerant &&
        (strncmp(choice, "all:", 4) == 0 || strncmp(choice, "nothing", 7) == 0))
        return false;
    if (strncmp(choice, "torn", 4) == 0)
        every *= EVERY_TORN_OF_LOGS;
    return random_below(&number, every) != 0;
}

/* With few pending pieces all states are judged, otherwise some: time is better spent on other
 * steps. */
static bool is_passed_over(const struct crash_store *s, const char *choice, uint64_t number)
{
    if (s->run->settings->logs)
        return is_passed_over_of_logs(s, choice, number);
    if (strncmp(choice, "torn", 4) == 0)
        return number % EVERY_TORN != 0;
    if (s->depth == 0 && (strncmp(choice, "a choice", 8) == 0 || strncmp(choice, "all:", 4) == 0 ||
                          strncmp(choice, "nothing", 7) == 0))
        return false;
    return number % EVERY_OTHER != 0;
}

static bool visit(void *context, struct sim_disk *crashed, const char *choice)
{
    struct crash_store *s = context;
    struct crash_run *run = s->run;
    uint64_t number = run->visits++;
    bool outer = s->depth == 0;
    uint64_t rarer = run->settings->logs ? RARER_WITH_LOGS : 1;

    if (is_passed_over(s, choice, number))
        return !is_over(run);
    if (!judge(s, crashed, false, outer && number % (rarer * EVERY_WATCHED_OPENING) == 0,
               outer && number % (rarer * EVERY_WATCHED_WHOLE) == 0)) {
        add_place(s, s->depth ? "the power went again, and left" : "the power went, and left",
                  choice);
        return false;
    }
    return !is_over(run);
}

bool crash_states_judge(struct crash_store *s)
{
    struct sim_crash_options options = {
        .seed = s->run->settings->seed,
        .random_states = RANDOM_STATES,
        .judged_by = s->world.version,
    };

    if (!is_over(s->run))
        (void)sim_crash_states(s->disk, &options, s->run->seen, visit, s); /* the report tells */
    return !s->run->report->failed;
}

static void judge_kill(struct crash_store *s, bool watch_opening, bool watch_trial)
{
    struct sim_disk *killed = sim_disk_copy_pending(s->disk);

    s->run->visits++;
    if (!judge(s, killed, true, watch_opening, watch_trial))
        add_place(s, "the process was killed", "");
    sim_disk_free(killed);
}

static bool is_killed_after(const struct crash_store *s, uint64_t operation)
{
    uint64_t random = s->run->settings->seed ^ operation << 32;

    return s->run->settings->logs ? random_below(&random, EVERY_KILL) == 0
                                  : operation % EVERY_KILL == 0;
}

static void after_operation(void *context, struct sim_disk *disk, uint64_t operation)
{
    struct crash_store *s = context;
    char number[32];

    (void)disk;
    if (is_over(s->run))
        return;
    if (crash_states_judge(s) && s->depth == 0 && is_killed_after(s, operation) && !is_over(s->run))
        judge_kill(s, true, !s->run->settings->logs);
    if (s->run->report->failed) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)operation);
        add_place(s, "after operation", number);
    }
}

/* ------------------------------------------------------------------------------------------
 * The steps
 */

bool crash_has_failed(struct crash_store *s)
{
    return sim_disk_sync_failures(s->disk) || (s->fault && os_fault_fired(s->fault));
}

/* What may be left at the end of a step. */
static bool judge_step(struct crash_store *s)
{
    if (!s->watched && !crash_has_failed(s))
        return true;
    if (s->run->settings->logs && s->watched && !is_over(s->run))
        judge_kill(s, false, false);
    return crash_states_judge(s);
}

static bool do_steps(struct crash_store *s, const struct step *steps, size_t count)
{
    bool right = crash_store_open(s, TARN_LOAD_NEWEST);

    for (size_t i = 0; i < count && right && !is_over(s->run); i++) {
        char number[32];

        /* What is seen after a sync has failed need not be what is durable. */
        if (!s->store || (steps[i].kind == STEP_REOPEN && sim_disk_sync_failures(s->disk)))
            break;
        right = step_do(s, &steps[i]) && !s->run->report->failed && judge_step(s);
        if (right)
            continue;
        snprintf(number, sizeof number, "%zu", i + 1);
        add_place(s, "in step", number);
    }
    return right && !s->run->report->failed;
}

/* After the steps: what a clean shutdown leaves, what a killed process, and what a power cut. */
static bool judge_end(struct crash_store *s)
{
    struct sim_disk *disk = sim_disk_copy(s->disk);
    bool right;

    s->run->visits++;
    right = sim_disk_sync_failures(s->disk) || judge(s, disk, true, false, false);
    sim_disk_free(disk);
    if (!right)
        add_place(s, "after a shutdown", "");
    return right && crash_states_judge(s);
}

bool crash_run(const struct crash_settings *settings, const struct step *steps, size_t count,
               struct crash_report *report)
{
    struct crash_run run = {.settings = settings, .report = report};
    struct crash_store s = {.run = &run, .disk = sim_disk_create(settings->seed)};
    struct os_fault fault;
    bool right;

    memset(report, 0, sizeof *report);
    run.seen = sim_crash_seen_create();
    crash_disk_prepare(s.disk, settings->plant);
    s.os = &s.disk->os;
    world_init(&s.world, &run.saves, &run.versions, &run.numbers);
    s.tolerant = settings->fault || settings->failing_sync;
    if (settings->fault) {
        os_fault_init(&fault, s.os);
        os_fault_arm(&fault, settings->fault);
        s.fault = &fault;
        s.os = &fault.os;
    }
    if (settings->failing_sync)
        sim_disk_fail_sync(s.disk, settings->failing_sync, settings->sync_failure);
    watch(&s, !settings->quiet);
    right = do_steps(&s, steps, count);
    watch(&s, false);
    report->operations = sim_disk_operations(s.disk);
    report->fired = settings->fault ? os_fault_fired(&fault) : sim_disk_sync_failures(s.disk);
    suspend_faults(&s);
    if (s.store)
        right = crash_store_close(&s) && right;
    right = right && judge_end(&s);
    sim_disk_free(s.disk);
    sim_crash_seen_free(run.seen);
    world_saves_release(&run.saves);
    return right && !report->failed;
}

/* ------------------------------------------------------------------------------------------
 * The shortest trace
 */

/* Whether the run still fails without some of its steps. */
static bool fails_without(const struct crash_settings *settings, const struct step *steps,
                          size_t count, size_t from, size_t length)
{
    struct step less[STEPS_MAX];
    struct crash_report report;

    memcpy(less, steps, from * sizeof *less);
    memcpy(less + from, steps + from + length, (count - from - length) * sizeof *less);
    return !crash_run(settings, less, count - length, &report);
}

size_t crash_shrink(const struct crash_settings *settings, struct step *steps, size_t count)
{
    struct crash_settings bounded = *settings;
    struct crash_report report;

    if (crash_run(&bounded, steps, count, &report))
        return count;
    bounded.states_max = 2 * report.states + 200;
    for (size_t length = count / 2 ? count / 2 : 1; length > 0; length /= 2) {
        for (size_t from = 0; from + length <= count;) {
            if (!fails_without(&bounded, steps, count, from, length)) {
                from += length;
                continue;
            }
            memmove(steps + from, steps + from + length, (count - from - length) * sizeof *steps);
            count -= length;
        }
    }
    return count;
}

void crash_print(const struct crash_settings *settings, const struct step *steps, size_t count,
                 const struct crash_report *report)
{
    fprintf(stderr, "TARN_SEED=%llu: %s\nshortest trace:\n  0 open\n",
            (unsigned long long)settings->seed, report->failure);
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "%3zu ", i + 1);
        step_print(&steps[i], stderr);
    }
}
