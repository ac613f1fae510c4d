/*
 * Histories of real threads are recorded and checked: each must be one that a plain map could have
 * given, with batches and all-or-nothing reads at one moment.
 *
 * Times are taken from one counter, by a sequentially consistent addition before each call and one
 * after it. A clock would not do: a write may be acknowledged by its own clock before another core
 * can see it, and nothing in the C memory model forbids that; an addition orders the two.
 *
 * TARN_HISTORIES=n records more; TARN_SEED=n begins with the history of a failure (the threads'
 * timing is not in the seed: it may take many runs).
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/concurrency.h"
#include "support/fixture.h"
#include "support/linearizability.h"

enum { THREADS_MAX = 4, OPERATIONS_MAX = 40, VALUE_ROOM = 512 };

struct recording {
    tarn_namespace *ns;
    atomic_uint_least64_t clock;
    unsigned keys;
    unsigned operations; /* of each thread */
    unsigned multi;      /* of 10 operations, so many on several keys */
    struct history_operation recorded[THREADS_MAX][OPERATIONS_MAX];
    unsigned counts[THREADS_MAX];
};

/* What one thread needs for its operations. */
struct recorder {
    struct recording *recording;
    struct worker *worker;
    tarn_batch *batch;
    struct tarn_buf buf;
    int64_t seen[HISTORY_KEYS_MAX]; /* the value of each key that came back last */
    int64_t next;                   /* value to write, different from all others */
};

static struct tarn_slice key_of(unsigned key)
{
    static const char *const names[HISTORY_KEYS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};

    return text(names[key]);
}

/* A value of a number: its 8 bytes and some more, never 8 in all, which is a counter's length. */
static struct tarn_slice value_of(unsigned char *room, int64_t number)
{
    size_t length = 9 + (size_t)((uint64_t)number * 37 % 300);

    memset(room, (int)number, length);
    memcpy(room, &number, 8);
    return tarn_slice_of(room, length);
}

static int64_t number_of(struct recorder *recorder, struct tarn_slice value)
{
    unsigned char room[VALUE_ROOM];
    struct tarn_slice wanted;
    int64_t number = 0;

    if (value.length < 8) {
        contest_fail(recorder->worker, "expected a value that was written, got %zu bytes",
                     value.length);
        return 0;
    }
    memcpy(&number, value.data, 8);
    wanted = value_of(room, number);
    if (value.length != 8 &&
        (value.length != wanted.length || memcmp(value.data, wanted.data, wanted.length) != 0))
        contest_fail(recorder->worker,
                     "expected a whole value of number %" PRId64 ", got other "
                     "bytes (%zu)",
                     number, value.length);
    return number;
}

static void random_pause(struct worker *worker)
{
    uint64_t dice = random_below(&worker->random, 16);
    uint64_t loops = random_below(&worker->random, 400);

    if (dice == 0)
        sched_yield();
    else if (dice < 8)
        for (uint64_t i = 0; i < loops; i++)
            atomic_signal_fence(memory_order_seq_cst);
}

static struct history_step random_step(struct recorder *recorder)
{
    static const enum history_action actions[] = {
        HISTORY_SET, HISTORY_SET, HISTORY_INSERT, HISTORY_UPDATE,  HISTORY_REPLACE_IF, HISTORY_GET,
        HISTORY_GET, HISTORY_GET, HISTORY_DELETE, HISTORY_CONSUME, HISTORY_INCREMENT};
    uint64_t *random = &recorder->worker->random;
    struct history_step step = {.action = actions[random_below(random, 11)],
                                .key = (unsigned)random_below(random, recorder->recording->keys)};

    step.expected = recorder->seen[step.key];
    step.argument =
        step.action == HISTORY_INCREMENT ? (int64_t)random_below(random, 3) + 1 : recorder->next++;
    return step;
}

/* Notes a value that came back. */
static void note(struct recorder *recorder, struct history_step *step, struct tarn_slice value)
{
    step->has_result = true;
    step->result = number_of(recorder, value);
    recorder->seen[step->key] = step->result;
}

static tarn_status call_single(struct recorder *recorder, struct history_step *step, bool *existed)
{
    unsigned char room[VALUE_ROOM], expected_room[VALUE_ROOM];
    tarn_namespace *ns = recorder->recording->ns;
    struct tarn_slice key = key_of(step->key), value = value_of(room, step->argument);

    switch (step->action) {
    case HISTORY_SET:
        return tarn_set(ns, key, value, &recorder->buf, existed);
    case HISTORY_INSERT:
        return tarn_insert(ns, key, value);
    case HISTORY_UPDATE:
        return tarn_update(ns, key, value, &recorder->buf);
    case HISTORY_REPLACE_IF:
        return tarn_replace_if(ns, key, value_of(expected_room, step->expected), value);
    case HISTORY_GET:
        return tarn_get(ns, key, &recorder->buf, NULL);
    case HISTORY_DELETE:
        return tarn_delete(ns, key);
    case HISTORY_CONSUME:
        return tarn_consume(ns, key, &recorder->buf);
    default:
        return tarn_increment(ns, key, step->argument, &step->result);
    }
}

static void record_single(struct recorder *recorder, struct history_operation *operation)
{
    struct history_step *step = &operation->steps[0];
    bool existed = false;

    operation->step_count = 1;
    *step = random_step(recorder);
    operation->invoked = atomic_fetch_add(&recorder->recording->clock, 1);
    operation->status = call_single(recorder, step, &existed);
    operation->returned = atomic_fetch_add(&recorder->recording->clock, 1);
    step->status = operation->status;
    if (step->status != TARN_OK)
        return;
    step->tells_existed = step->action == HISTORY_SET;
    step->existed = existed;
    if (step->action == HISTORY_INCREMENT)
        step->has_result = true;
    else if (step->action == HISTORY_UPDATE || step->action == HISTORY_GET ||
             step->action == HISTORY_CONSUME || (step->action == HISTORY_SET && existed))
        note(recorder, step, held(&recorder->buf));
}

static tarn_status add_to_batch(tarn_batch *batch, const struct history_step *step)
{
    unsigned char room[VALUE_ROOM], expected_room[VALUE_ROOM];
    struct tarn_slice key = key_of(step->key), value = value_of(room, step->argument);

    switch (step->action) {
    case HISTORY_SET:
        return tarn_batch_set(batch, key, value);
    case HISTORY_INSERT:
        return tarn_batch_insert(batch, key, value);
    case HISTORY_UPDATE:
        return tarn_batch_update(batch, key, value);
    case HISTORY_REPLACE_IF:
        return tarn_batch_replace_if(batch, key, value_of(expected_room, step->expected), value);
    case HISTORY_GET:
        return tarn_batch_get(batch, key);
    case HISTORY_DELETE:
        return tarn_batch_delete(batch, key);
    case HISTORY_CONSUME:
        return tarn_batch_consume(batch, key);
    default:
        return tarn_batch_increment(batch, key, step->argument);
    }
}

static void record_batch(struct recorder *recorder, struct history_operation *operation)
{
    struct tarn_result results[HISTORY_STEPS_MAX];
    struct tarn_batch_summary summary = {.failed = 0};
    uint64_t *random = &recorder->worker->random;

    tarn_batch_clear(recorder->batch);
    operation->step_count = 2 + (unsigned)random_below(random, 3);
    for (unsigned i = 0; i < operation->step_count; i++) {
        operation->steps[i] = random_step(recorder);
        /* Left to chance, most batches would fail. */
        if (random_below(random, 3))
            operation->steps[i].action = HISTORY_SET;
        CONTEST_OK(recorder->worker, add_to_batch(recorder->batch, &operation->steps[i]));
    }
    operation->invoked = atomic_fetch_add(&recorder->recording->clock, 1);
    operation->status = tarn_batch_commit(recorder->recording->ns, recorder->batch,
                                          TARN_ALL_OR_NOTHING, results, &recorder->buf, &summary);
    operation->returned = atomic_fetch_add(&recorder->recording->clock, 1);
    operation->failed_step = (unsigned)summary.first_failed;
    for (unsigned i = 0; i < operation->step_count && operation->status == TARN_OK; i++) {
        struct history_step *step = &operation->steps[i];

        step->tells_existed = true;
        step->existed = results[i].existed;
        if (step->action == HISTORY_INCREMENT) {
            step->has_result = true;
            step->result = results[i].sum;
        } else if (step->action == HISTORY_UPDATE || step->action == HISTORY_GET ||
                   step->action == HISTORY_CONSUME ||
                   (step->action == HISTORY_SET && step->existed)) {
            note(recorder, step, results[i].value);
        }
    }
}

static void record_get_many(struct recorder *recorder, struct history_operation *operation)
{
    struct tarn_result results[HISTORY_STEPS_MAX];
    struct tarn_slice keys[HISTORY_STEPS_MAX];

    operation->step_count = 2 + (unsigned)random_below(&recorder->worker->random, 3);
    for (unsigned i = 0; i < operation->step_count; i++) {
        operation->steps[i] = random_step(recorder);
        operation->steps[i].action = HISTORY_GET;
        keys[i] = key_of(operation->steps[i].key);
    }
    operation->invoked = atomic_fetch_add(&recorder->recording->clock, 1);
    operation->status = tarn_get_many(recorder->recording->ns, TARN_ALL_OR_NOTHING, keys,
                                      operation->step_count, results, &recorder->buf);
    operation->returned = atomic_fetch_add(&recorder->recording->clock, 1);
    for (unsigned i = 0; i < operation->step_count; i++) {
        operation->steps[i].status = results[i].status;
        if (operation->status == TARN_OK)
            note(recorder, &operation->steps[i], results[i].value);
    }
}

static void record(struct worker *worker)
{
    struct recording *recording = worker->context;
    struct recorder recorder = {.recording = recording, .worker = worker};

    recorder.next = 1000 * ((int64_t)worker->index + 1);
    if (tarn_batch_create(&recorder.batch) != TARN_OK)
        contest_fail(worker, "expected a batch");
    for (unsigned i = 0; i < recording->operations && contest_goes_on(worker); i++) {
        struct history_operation *operation = &recording->recorded[worker->index][i];
        uint64_t dice = random_below(&worker->random, 10);

        *operation = (struct history_operation){.thread = worker->index};
        operation->kind = dice >= recording->multi ? HISTORY_SINGLE
                          : dice % 2               ? HISTORY_BATCH
                                                   : HISTORY_GET_MANY;
        if (operation->kind == HISTORY_SINGLE)
            record_single(&recorder, operation);
        else if (operation->kind == HISTORY_BATCH)
            record_batch(&recorder, operation);
        else
            record_get_many(&recorder, operation);
        if (operation->status == TARN_LOCK_TIMEOUT || operation->status == TARN_NO_MEMORY)
            contest_fail(worker, "expected no %s", tarn_status_name(operation->status));
        recording->counts[worker->index]++;
        random_pause(worker);
    }
    tarn_batch_free(recorder.batch);
    tarn_buf_release(&recorder.buf);
}

/* ---- What goes on beside ---- */

static void resize(struct worker *worker)
{
    struct recording *recording = worker->context;

    while (contest_goes_on(worker)) {
        uint32_t most = random_below(&worker->random, 4) ? 8 : TARN_SHARDS_MAX;

        CONTEST_OK(worker, tarn_namespace_resize(
                               recording->ns, 1 + (uint32_t)random_below(&worker->random, most)));
        random_pause(worker);
    }
}

/* New keys, so that the index grows and buckets split under the recorded keys. */
static void fill(struct worker *worker)
{
    struct recording *recording = worker->context;
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < 5000 && contest_goes_on(worker); i++)
        CONTEST_OK(worker, tarn_insert(recording->ns, numbered_key(room, i), text("filler")));
}

/* Values of changing sizes over one another, so that the memory of old records is used again. */
static void churn(struct worker *worker)
{
    static const char bytes[600] = "churn";
    struct recording *recording = worker->context;
    char room[NUMBERED_KEY_ROOM];

    while (contest_goes_on(worker))
        CONTEST_OK(worker,
                   tarn_set(recording->ns,
                            numbered_key(room, 10000 + random_below(&worker->random, 8)),
                            tarn_slice_of(bytes, random_below(&worker->random, sizeof bytes)), NULL,
                            NULL));
}

static void check_history(struct recording *recording, unsigned threads, uint64_t seed)
{
    struct history_operation *all = calloc((size_t)THREADS_MAX * OPERATIONS_MAX, sizeof *all);
    enum history_verdict verdict;
    unsigned partition = 0;
    size_t count = 0;

    assert_non_null(all);
    for (unsigned i = 0; i < threads; i++) {
        memcpy(all + count, recording->recorded[i], recording->counts[i] * sizeof *all);
        count += recording->counts[i];
    }
    verdict = history_check(all, count, &partition);
    if (verdict != HISTORY_LINEARIZABLE) {
        print_error("expected a linearizable history with seed %" PRIu64 ", got one that %s:\n",
                    seed,
                    verdict == HISTORY_TOO_HARD ? "takes too long to check" : "no order explains");
        history_print(stderr, all, count, partition);
        fail_msg("run again with TARN_SEED=%" PRIu64, seed);
    }
    free(all);
}

static void run_history(struct fixture *fixture, uint64_t seed)
{
    struct recording *recording = calloc(1, sizeof *recording);
    struct tarn_namespace_options options = {.size = sizeof options};
    struct contest contest = {.count = 0};
    uint64_t random = seed;
    unsigned threads = 3 + (unsigned)random_below(&random, 2);

    assert_non_null(recording);
    options.shards = 1 + (uint32_t)random_below(&random, 8);
    fixture_renew_namespace(fixture, &options);
    recording->ns = fixture->ns;
    recording->keys = 3 + (unsigned)random_below(&random, 6);
    recording->operations = 15 + (unsigned)random_below(&random, 26);
    recording->multi = (unsigned)random_below(&random, 3) * 3;
    contest_add(&contest, threads, record, recording, seed);
    if (random_below(&random, 3) == 0)
        contest_add(&contest, 1, resize, recording, seed);
    if (random_below(&random, 3) == 0)
        contest_add(&contest, 1, fill, recording, seed);
    if (random_below(&random, 3) == 0)
        contest_add(&contest, 1, churn, recording, seed);
    contest_begin(&contest);
    contest_join(&contest, 0, threads);
    if (atomic_load(&contest.failed))
        print_error("with seed %" PRIu64 ":\n", seed);
    contest_end(&contest);
    check_history(recording, threads, seed);
    free(recording);
}

static void test_histories(void **state)
{
    struct fixture *fixture = *state;
    uint64_t histories = environment_number("TARN_HISTORIES", 600);
    struct timespec now;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = environment_number("TARN_SEED", (uint64_t)now.tv_sec * 1000000);
    for (uint64_t i = 0; i < histories; i++)
        run_history(fixture, seed + i);
    print_message("%" PRIu64 " histories are linearizable, seeds from %" PRIu64 "\n", histories,
                  seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_histories, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
