/*
 * Conformance: random operations of every kind, compared with a naive map after each of them.
 *
 * Key spaces are small, so that operations meet each other's keys. TARN_SEED=n runs the operations
 * of a failure again; TARN_MODEL_OPERATIONS=n changes how many there are in each test.
 */
#include "conformance/conformance.h"
#include "support/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS_MAX = 300, KEY_ROOM = 12, POOL_BYTES = 200000, BATCH_MAX = 14, MANY_MAX = 24 };

struct profile {
    const char *name;
    struct tarn_namespace_options options;
    unsigned keys;
    unsigned value_bytes;
};

struct run {
    const struct profile *profile;
    struct fixture *fixture;
    tarn_namespace *ns;
    struct model model;
    uint64_t random;
    unsigned char *pool;   /* random bytes that values are parts of */
    struct tarn_buf arena; /* copies of the values that conditional writes expect */
    struct tarn_slice keys[KEYS_MAX];
    char key_rooms[KEYS_MAX][KEY_ROOM];
    tarn_batch *batch;
    struct tarn_buf buf;
};

static uint64_t seed;
static const char *unfinished; /* the profile whose run has not ended well */

static unsigned choose(struct run *run, unsigned bound)
{
    return (unsigned)random_below(&run->random, bound);
}

/* Keys of 2 to 10 bytes, some of which begin with another. */
static void make_keys(struct run *run)
{
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        char *room = run->key_rooms[i];

        memset(room, (int)(i % 3), KEY_ROOM);
        room[0] = (char)i;
        room[1] = (char)(i >> 8);
        run->keys[i] = tarn_slice_of(room, 2 + i % 9);
    }
}

static struct tarn_slice random_key(struct run *run)
{
    return run->keys[choose(run, run->profile->keys)];
}

static struct tarn_slice random_value(struct run *run)
{
    unsigned most = choose(run, 50) ? run->profile->value_bytes : run->profile->value_bytes * 50;
    size_t length = choose(run, most + 1);

    if (length > POOL_BYTES / 2)
        length = POOL_BYTES / 2;
    return tarn_slice_of(run->pool + choose(run, POOL_BYTES / 2), length);
}

/* A copy in the arena, which has room for all that one step needs. */
static struct tarn_slice keep(struct run *run, const void *bytes, size_t length)
{
    unsigned char *copy = (unsigned char *)run->arena.data + run->arena.length;

    if (run->arena.length + length > run->arena.capacity)
        return tarn_slice_of(run->pool, 1);
    memcpy(copy, bytes, length);
    run->arena.length += length;
    return tarn_slice_of(copy, length);
}

static struct model_operation random_operation(struct run *run)
{
    static const int64_t deltas[] = {1, -1, 0, 7, -1000, INT64_MAX, INT64_MIN, INT64_MAX / 2};
    struct model_operation operation = {.action = choose(run, MODEL_ACTIONS),
                                        .key = random_key(run),
                                        .value = random_value(run),
                                        .expected = random_value(run),
                                        .sequence = UINT64_MAX / 2 + choose(run, 1000),
                                        .delta = deltas[choose(run, 8)]};
    struct model_record *record = model_find(&run->model, operation.key);

    if (record && choose(run, 3)) {
        operation.expected = keep(run, record->value, record->value_length);
        if (record->sequence)
            operation.sequence = record->sequence;
    }
    return operation;
}

/* ---- What came back is what the model says ---- */

static void expect_record_info(struct run *run, struct tarn_slice key,
                               const struct tarn_record_info *info)
{
    struct model_record *record = model_find(&run->model, key);

    assert_non_null(record);
    expect_number(record->content, info->content);
    if (!model_learn(&run->model, record, info->sequence))
        fail_msg("expected sequence %" PRIu64 " or one above %" PRIu64 ", got %" PRIu64,
                 record->sequence, record->above, info->sequence);
}

/* The namespace's records and figures are the model's. */
static void compare_all(struct run *run)
{
    struct tarn_stats stats = {.size = sizeof stats};
    struct tarn_slice key, value;
    struct tarn_record_info info;
    tarn_cursor *cursor = NULL;
    uint64_t steps = 0;

    expect_ok(tarn_cursor_open(run->ns, NULL, &cursor));
    while (tarn_cursor_next(cursor, &key, &value, &info) == TARN_OK) {
        struct model_record *record = model_find(&run->model, key);

        assert_non_null(record);
        expect_bytes(tarn_slice_of(record->value, record->value_length), value);
        expect_record_info(run, key, &info);
        steps++;
    }
    tarn_cursor_close(cursor);
    expect_number(run->model.count, steps);
    expect_ok(tarn_namespace_stats(run->ns, &stats, NULL, 0));
    expect_number(run->model.count, stats.keys);
    expect_number(run->model.bytes, stats.bytes);
    expect_number(run->model.max_keys, stats.options.max_keys);
    expect_number(run->model.max_bytes, stats.options.max_bytes);
    expect_that(stats.sequence >= run->model.highest);
    for (unsigned i = 0; i < run->profile->keys; i++)
        expect_status(model_find(&run->model, run->keys[i]) ? TARN_OK : TARN_KEY_NOT_FOUND,
                      tarn_exists(run->ns, run->keys[i]));
}

/* ---- Single operations ---- */

/* The status that the model says, or the one that may be given instead. */
static void expect_outcome(const struct model_result *wanted, tarn_status got)
{
    if (wanted->instead == TARN_OK || got != wanted->instead)
        expect_status(wanted->status, got);
}

struct outcome {
    tarn_status status;
    bool existed;
    int64_t sum;
};

static struct outcome perform(struct run *run, const struct model_operation *operation)
{
    struct tarn_slice key = operation->key, value = operation->value;
    struct outcome outcome = {.existed = false};
    tarn_namespace *ns = run->ns;

    switch (operation->action) {
    case MODEL_SET:
        outcome.status = tarn_set(ns, key, value, &run->buf, &outcome.existed);
        break;
    case MODEL_INSERT:
        outcome.status = tarn_insert(ns, key, value);
        break;
    case MODEL_UPDATE:
        outcome.status = tarn_update(ns, key, value, &run->buf);
        break;
    case MODEL_REPLACE_IF:
        outcome.status = tarn_replace_if(ns, key, operation->expected, value);
        break;
    case MODEL_REPLACE_IF_SEQUENCE:
        outcome.status = tarn_replace_if_sequence(ns, key, operation->sequence, value);
        break;
    case MODEL_DELETE:
        outcome.status = tarn_delete(ns, key);
        break;
    case MODEL_CONSUME:
        outcome.status = tarn_consume(ns, key, &run->buf);
        break;
    case MODEL_INCREMENT:
        outcome.status = tarn_increment(ns, key, operation->delta, &outcome.sum);
        break;
    default:
        outcome.status = tarn_get(ns, key, &run->buf, NULL);
        break;
    }
    return outcome;
}

static void step_single(struct run *run)
{
    struct model_operation operation = random_operation(run);
    enum model_action action = operation.action;
    struct model_result wanted;
    struct outcome outcome;
    struct tarn_record_info info;

    model_apply(&run->model, &operation, &wanted);
    outcome = perform(run, &operation);
    expect_outcome(&wanted, outcome.status);
    if (outcome.status == TARN_OK) {
        if (action == MODEL_SET)
            expect_number(wanted.existed, outcome.existed);
        if (action == MODEL_SET || action == MODEL_UPDATE || action == MODEL_GET ||
            action == MODEL_CONSUME)
            expect_bytes(tarn_slice_of(wanted.old, wanted.old_length), held(&run->buf));
        expect_signed(wanted.sum, outcome.sum);
    }
    model_result_release(&wanted);
    if (choose(run, 2) && model_find(&run->model, operation.key)) {
        expect_ok(tarn_get(run->ns, operation.key, &run->buf, &info));
        expect_record_info(run, operation.key, &info);
    }
}

/* ---- Batches ---- */

static tarn_status add_to_batch(tarn_batch *batch, const struct model_operation *operation)
{
    struct tarn_slice key = operation->key, value = operation->value;

    switch (operation->action) {
    case MODEL_SET:
        return tarn_batch_set(batch, key, value);
    case MODEL_INSERT:
        return tarn_batch_insert(batch, key, value);
    case MODEL_UPDATE:
        return tarn_batch_update(batch, key, value);
    case MODEL_REPLACE_IF:
        return tarn_batch_replace_if(batch, key, operation->expected, value);
    case MODEL_REPLACE_IF_SEQUENCE:
        return tarn_batch_replace_if_sequence(batch, key, operation->sequence, value);
    case MODEL_DELETE:
        return tarn_batch_delete(batch, key);
    case MODEL_CONSUME:
        return tarn_batch_consume(batch, key);
    case MODEL_INCREMENT:
        return tarn_batch_increment(batch, key, operation->delta);
    default:
        return tarn_batch_get(batch, key);
    }
}

/* Of a batch that was done, one result. */
static void expect_result(const struct model_operation *operation,
                          const struct model_result *wanted, const struct tarn_result *result)
{
    enum model_action action = operation->action;

    expect_outcome(wanted, result->status);
    /* A value that is too large may be refused before the key is looked for. */
    if (result->status != TARN_VALUE_TOO_LARGE && wanted->existed != result->existed)
        fail_msg("action %d, %s: expected existed to be %d", (int)action,
                 tarn_status_name(result->status), wanted->existed);
    if (result->status != TARN_OK)
        return;
    if (action == MODEL_SET || action == MODEL_UPDATE || action == MODEL_GET ||
        action == MODEL_CONSUME)
        expect_bytes(tarn_slice_of(wanted->old, wanted->old_length), result->value);
    if (action == MODEL_INCREMENT)
        expect_signed(wanted->sum, result->sum);
}

static void commit_and_compare(struct run *run, enum tarn_mode mode, unsigned count,
                               const struct model_operation *operations,
                               const struct model_result *wanted, unsigned failed,
                               unsigned first_failed)
{
    bool whole = mode == TARN_BEST_EFFORT || failed == 0;
    struct tarn_result results[BATCH_MAX];
    struct tarn_batch_summary summary;
    tarn_status status;

    status = tarn_batch_commit(run->ns, run->batch, mode, results, &run->buf, &summary);
    if (whole)
        expect_status(TARN_OK, status);
    else
        expect_outcome(&wanted[first_failed], status);
    expect_number(whole ? count - failed : 0, summary.processed);
    expect_number(failed, summary.failed);
    if (failed)
        expect_number(first_failed, summary.first_failed);
    for (unsigned i = 0; i < count; i++) {
        if (whole)
            expect_result(&operations[i], &wanted[i], &results[i]);
        else
            expect_status(i == first_failed ? status : TARN_OK, results[i].status);
    }
}

static void step_batch(struct run *run)
{
    enum tarn_mode mode = choose(run, 2) ? TARN_ALL_OR_NOTHING : TARN_BEST_EFFORT;
    unsigned count = choose(run, BATCH_MAX + 1), failed = 0, first_failed = 0, done = 0;
    struct model_operation operations[BATCH_MAX];
    struct model_result wanted[BATCH_MAX];
    struct model before;

    model_copy(&before, &run->model);
    tarn_batch_clear(run->batch);
    for (unsigned i = 0; i < count; i++) {
        operations[i] = random_operation(run);
        /* Left to chance, hardly a batch would succeed whole. */
        if (mode == TARN_ALL_OR_NOTHING && choose(run, 4))
            operations[i].action = MODEL_SET;
        expect_ok(add_to_batch(run->batch, &operations[i]));
    }
    expect_number(count, tarn_batch_count(run->batch));
    for (; done < count && !(mode == TARN_ALL_OR_NOTHING && failed); done++) {
        model_apply(&run->model, &operations[done], &wanted[done]);
        if (wanted[done].status != TARN_OK && failed++ == 0)
            first_failed = done;
    }
    if (mode == TARN_ALL_OR_NOTHING && failed) {
        model_release(&run->model);
        run->model = before;
    } else {
        model_release(&before);
    }
    commit_and_compare(run, mode, count, operations, wanted, failed, first_failed);
    for (unsigned i = 0; i < done; i++)
        model_result_release(&wanted[i]);
}

/* ---- Many reads, cursors, and what changes the namespace ---- */

static void step_get_many(struct run *run)
{
    enum tarn_mode mode = choose(run, 2) ? TARN_ALL_OR_NOTHING : TARN_BEST_EFFORT;
    unsigned count = choose(run, MANY_MAX + 1), missing = 0;
    struct tarn_slice keys[MANY_MAX];
    struct tarn_result results[MANY_MAX];
    bool whole;

    for (unsigned i = 0; i < count; i++) {
        keys[i] = random_key(run);
        /* Left to chance, hardly a cut would be whole. */
        if (mode == TARN_ALL_OR_NOTHING && run->model.count && choose(run, 20)) {
            struct model_record *record = &run->model.records[choose(run, run->model.count)];

            keys[i] = tarn_slice_of(record->key, record->key_length);
        }
        missing += model_find(&run->model, keys[i]) == NULL;
    }
    whole = mode == TARN_BEST_EFFORT || missing == 0;
    expect_status(whole ? TARN_OK : TARN_KEY_NOT_FOUND,
                  tarn_get_many(run->ns, mode, keys, count, results, &run->buf));
    for (unsigned i = 0; i < count; i++) {
        struct model_record *record = model_find(&run->model, keys[i]);

        expect_status(record ? TARN_OK : TARN_KEY_NOT_FOUND, results[i].status);
        if (!record || !whole)
            continue;
        expect_bytes(tarn_slice_of(record->value, record->value_length), results[i].value);
        expect_record_info(run, keys[i], &results[i].info);
    }
}

/* A walk with a prefix that is broken off and resumed. */
static void step_cursor(struct run *run)
{
    struct tarn_slice prefix = random_key(run), key, value;
    uint64_t position = 0, steps = 0, wanted = 0;

    prefix.length = choose(run, 4) ? 0 : 1;
    for (size_t i = 0; i < run->model.count; i++)
        wanted += prefix.length == 0 ||
                  memcmp(run->model.records[i].key, prefix.data, prefix.length) == 0;
    while (position != UINT64_MAX && steps <= wanted) {
        struct tarn_cursor_options options = {
            .size = sizeof options, .prefix = prefix, .position = position};
        tarn_cursor *cursor = NULL;
        unsigned stop = 1 + choose(run, 40);

        expect_ok(tarn_cursor_open(run->ns, &options, &cursor));
        while (stop-- && tarn_cursor_next(cursor, &key, &value, NULL) == TARN_OK) {
            struct model_record *record = model_find(&run->model, key);

            assert_non_null(record);
            expect_bytes(tarn_slice_of(record->value, record->value_length), value);
            steps++;
        }
        position = tarn_cursor_position(cursor);
        tarn_cursor_close(cursor);
    }
    expect_number(wanted, steps);
}

static void step_configure(struct run *run)
{
    struct tarn_namespace_options options = {.size = sizeof options};
    tarn_status wanted = TARN_OK;

    if (run->profile->options.max_keys) {
        options.max_keys = run->profile->options.max_keys - 2 + choose(run, 5);
        if (options.max_keys < run->model.count)
            wanted = TARN_LIMIT_TOO_LOW;
        expect_status(wanted, tarn_namespace_configure(run->ns, TARN_SET_MAX_KEYS, &options));
        if (wanted == TARN_OK)
            run->model.max_keys = options.max_keys;
    } else if (run->profile->options.max_bytes) {
        options.max_bytes = run->profile->options.max_bytes - 50 + choose(run, 100);
        if (options.max_bytes < run->model.bytes)
            wanted = TARN_LIMIT_TOO_LOW;
        expect_status(wanted, tarn_namespace_configure(run->ns, TARN_SET_MAX_BYTES, &options));
        if (wanted == TARN_OK)
            run->model.max_bytes = options.max_bytes;
    } else if (run->profile->options.max_value_size) {
        options.max_value_size = 20 + choose(run, 50);
        expect_ok(tarn_namespace_configure(run->ns, TARN_SET_MAX_VALUE_SIZE, &options));
        run->model.max_value_size = options.max_value_size;
    }
}

static void step(struct run *run)
{
    unsigned dice = choose(run, 1000);

    run->arena.length = 0;
    if (dice < 700) {
        step_single(run);
    } else if (dice < 850) {
        step_batch(run);
    } else if (dice < 950) {
        step_get_many(run);
    } else if (dice < 970) {
        step_cursor(run);
    } else if (dice < 980) {
        step_configure(run);
    } else if (dice < 990) {
        expect_ok(tarn_namespace_resize(run->ns, 1 + choose(run, choose(run, 2) ? 20 : 4096)));
    } else if (dice < 993) {
        expect_ok(tarn_namespace_clear(run->ns));
        model_clear(&run->model);
    } else {
        compare_all(run);
    }
}

static void run_profile(void **state, const struct profile *profile)
{
    uint64_t operations = environment_number("TARN_MODEL_OPERATIONS", 40000);
    struct run *run = calloc(1, sizeof *run);
    struct fixture *fixture = *state;

    assert_non_null(run);
    unfinished = profile->name;
    fixture_renew_namespace(fixture, &profile->options);
    run->profile = profile;
    run->fixture = fixture;
    run->ns = fixture->ns;
    run->random = seed;
    run->pool = patterned_bytes(POOL_BYTES, seed);
    run->arena.data = patterned_bytes(POOL_BYTES, 0);
    run->arena.capacity = POOL_BYTES;
    make_keys(run);
    model_init(&run->model);
    run->model.max_keys = profile->options.max_keys;
    run->model.max_bytes = profile->options.max_bytes;
    if (profile->options.max_value_size)
        run->model.max_value_size = profile->options.max_value_size;
    expect_ok(tarn_batch_create(&run->batch));
    for (uint64_t i = 0; i < operations; i++)
        step(run);
    compare_all(run);
    tarn_batch_free(run->batch);
    tarn_buf_release(&run->buf);
    model_release(&run->model);
    free(run->arena.data);
    free(run->pool);
    free(run);
    unfinished = NULL;
}

static const struct profile profiles[] = {
    {"plain", {.size = sizeof(struct tarn_namespace_options)}, 12, 60},
    {"max_keys", {.size = sizeof(struct tarn_namespace_options), .max_keys = 9}, 14, 60},
    {"max_bytes",
     {.size = sizeof(struct tarn_namespace_options), .max_bytes = 500, .shards = 3},
     16,
     80},
    {"max_value_size",
     {.size = sizeof(struct tarn_namespace_options), .max_value_size = 40, .shards = 4096},
     20,
     45},
    {"many keys", {.size = sizeof(struct tarn_namespace_options), .shards = 1}, 300, 2000},
};

static void test_plain(void **state)
{
    run_profile(state, &profiles[0]);
}

static void test_max_keys(void **state)
{
    run_profile(state, &profiles[1]);
}

static void test_max_bytes(void **state)
{
    run_profile(state, &profiles[2]);
}

static void test_max_value_size(void **state)
{
    run_profile(state, &profiles[3]);
}

static void test_many_keys(void **state)
{
    run_profile(state, &profiles[4]);
}

/* A seed of its own for every run, so that over time more is tried; told where it matters. */
static int setup(void **state)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = environment_number("TARN_SEED", (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec);
    unfinished = NULL;
    return fixture_setup(state);
}

static int teardown(void **state)
{
    if (unfinished)
        print_error("random operations, %s: run again with TARN_SEED=%" PRIu64 "\n", unfinished,
                    seed);
    return fixture_teardown(state);
}

#define MODEL_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static const struct CMUnitTest tests[] = {
    MODEL_TEST(test_plain),          MODEL_TEST(test_max_keys),  MODEL_TEST(test_max_bytes),
    MODEL_TEST(test_max_value_size), MODEL_TEST(test_many_keys),
};

CONFORMANCE_TOPIC(model, tests);
