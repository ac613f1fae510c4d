/*
 * The checker of histories is checked itself: by hand-made histories that are good, and by ones
 * with the faults that it has to find.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/linearizability.h"

struct history {
    struct history_operation operations[400];
    size_t count;
};

/* Adds an operation that lasts from one time to another. */
static struct history_operation *add(struct history *history, enum history_kind kind,
                                     uint64_t invoked, uint64_t returned)
{
    struct history_operation *operation = &history->operations[history->count++];

    *operation = (struct history_operation){.kind = kind, .invoked = invoked, .returned = returned};
    operation->thread = (unsigned)history->count;
    return operation;
}

static struct history_step *add_step(struct history_operation *operation,
                                     enum history_action action, unsigned key, int64_t argument)
{
    struct history_step *step = &operation->steps[operation->step_count++];

    *step = (struct history_step){.action = action, .key = key, .argument = argument};
    return step;
}

/* A single operation that succeeds. */
static struct history_step *single(struct history *history, uint64_t invoked, uint64_t returned,
                                   enum history_action action, unsigned key, int64_t argument)
{
    return add_step(add(history, HISTORY_SINGLE, invoked, returned), action, key, argument);
}

static void reads(struct history_step *step, int64_t result)
{
    step->has_result = true;
    step->result = result;
}

static void finds_nothing(struct history *history, uint64_t invoked, uint64_t returned,
                          enum history_action action, unsigned key)
{
    struct history_step *step = single(history, invoked, returned, action, key, 0);

    step->status = TARN_KEY_NOT_FOUND;
    history->operations[history->count - 1].status = TARN_KEY_NOT_FOUND;
}

static void expect(enum history_verdict wanted, const struct history *history)
{
    unsigned partition = 0;
    enum history_verdict got = history_check(history->operations, history->count, &partition);

    if (got == wanted)
        return;
    history_print(stderr, history->operations, history->count, partition);
    fail_msg("expected verdict %d, got %d", wanted, got);
}

static void test_one_after_another(void **state)
{
    struct history h = {.count = 0};
    struct history_step *step;

    (void)state;
    expect(HISTORY_LINEARIZABLE, &h);
    finds_nothing(&h, 1, 2, HISTORY_GET, 0);
    step = single(&h, 3, 4, HISTORY_SET, 0, 10);
    step->tells_existed = true;
    reads(single(&h, 5, 6, HISTORY_GET, 0, 0), 10);
    reads(single(&h, 7, 8, HISTORY_UPDATE, 0, 11), 10);
    step = single(&h, 9, 10, HISTORY_REPLACE_IF, 0, 12);
    step->expected = 11;
    reads(single(&h, 11, 12, HISTORY_CONSUME, 0, 0), 12);
    reads(single(&h, 13, 14, HISTORY_INCREMENT, 0, 5), 5);
    reads(single(&h, 15, 16, HISTORY_INCREMENT, 0, -7), -2);
    single(&h, 17, 18, HISTORY_DELETE, 0, 0);
    single(&h, 19, 20, HISTORY_INSERT, 0, 1);
    expect(HISTORY_LINEARIZABLE, &h);
}

/* Each wrong result alone, in a history of one after another, is found. */
static void test_wrong_results(void **state)
{
    struct history h;

    (void)state;
    h.count = 0;
    single(&h, 1, 2, HISTORY_SET, 0, 1)->tells_existed = true;
    h.operations[0].steps[0].existed = true;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    h.count = 0;
    single(&h, 1, 2, HISTORY_INSERT, 0, 1);
    single(&h, 3, 4, HISTORY_INSERT, 0, 2);
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    h.count = 0;
    single(&h, 1, 2, HISTORY_UPDATE, 0, 1);
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    h.count = 0;
    single(&h, 1, 2, HISTORY_DELETE, 0, 0);
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    h.count = 0;
    single(&h, 1, 2, HISTORY_SET, 0, 1);
    single(&h, 3, 4, HISTORY_REPLACE_IF, 0, 2)->expected = 3;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    h.count = 0;
    single(&h, 1, 2, HISTORY_SET, 0, 1);
    single(&h, 3, 4, HISTORY_INCREMENT, 0, 2);
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    h.count = 0;
    single(&h, 1, 2, HISTORY_SET, 0, 1);
    finds_nothing(&h, 3, 4, HISTORY_GET, 0);
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

/* A read that overlaps a write may see it or not; one after it must. */
static void test_stale_read(void **state)
{
    struct history h = {.count = 0};

    (void)state;
    single(&h, 1, 2, HISTORY_SET, 0, 1);
    single(&h, 3, 6, HISTORY_SET, 0, 2);
    reads(single(&h, 4, 5, HISTORY_GET, 0, 0), 1);
    expect(HISTORY_LINEARIZABLE, &h);
    h.operations[2].steps[0].result = 2;
    expect(HISTORY_LINEARIZABLE, &h);
    h.operations[2].invoked = 7;
    h.operations[2].returned = 8;
    expect(HISTORY_LINEARIZABLE, &h);
    h.operations[2].steps[0].result = 1;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

/* Two reads under one write: the new value and then the old one again. */
static void test_read_that_goes_back(void **state)
{
    struct history h = {.count = 0};

    (void)state;
    single(&h, 1, 2, HISTORY_SET, 0, 1);
    single(&h, 3, 20, HISTORY_SET, 0, 2);
    reads(single(&h, 4, 5, HISTORY_GET, 0, 0), 1);
    reads(single(&h, 6, 7, HISTORY_GET, 0, 0), 2);
    expect(HISTORY_LINEARIZABLE, &h);
    h.operations[2].steps[0].result = 2;
    h.operations[3].steps[0].result = 1;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

static void test_lost_update(void **state)
{
    struct history h = {.count = 0};

    (void)state;
    reads(single(&h, 1, 10, HISTORY_INCREMENT, 0, 1), 1);
    reads(single(&h, 2, 9, HISTORY_INCREMENT, 0, 1), 2);
    expect(HISTORY_LINEARIZABLE, &h);
    h.operations[1].steps[0].result = 1;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    /* Both sets say that the same value was there before them. */
    h.count = 0;
    single(&h, 1, 2, HISTORY_SET, 0, 1);
    reads(single(&h, 3, 10, HISTORY_SET, 0, 2), 1);
    reads(single(&h, 4, 9, HISTORY_SET, 0, 3), 2);
    expect(HISTORY_LINEARIZABLE, &h);
    h.operations[2].steps[0].result = 1;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

static void test_double_consume(void **state)
{
    struct history h = {.count = 0};

    (void)state;
    single(&h, 1, 2, HISTORY_SET, 0, 1);
    reads(single(&h, 3, 10, HISTORY_CONSUME, 0, 0), 1);
    finds_nothing(&h, 4, 9, HISTORY_CONSUME, 0);
    expect(HISTORY_LINEARIZABLE, &h);
    h.count--;
    reads(single(&h, 4, 9, HISTORY_CONSUME, 0, 0), 1);
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

static void add_batch(struct history *h, uint64_t invoked, uint64_t returned, int64_t value)
{
    struct history_operation *batch = add(h, HISTORY_BATCH, invoked, returned);

    add_step(batch, HISTORY_SET, 0, value);
    add_step(batch, HISTORY_SET, 1, value);
}

static void test_torn_batch(void **state)
{
    struct history h = {.count = 0};

    (void)state;
    add_batch(&h, 1, 2, 1);
    add_batch(&h, 3, 20, 2);
    reads(single(&h, 4, 5, HISTORY_GET, 0, 0), 2);
    reads(single(&h, 6, 7, HISTORY_GET, 1, 0), 2);
    expect(HISTORY_LINEARIZABLE, &h);
    /* The first key has been written and the second not yet. */
    h.operations[3].steps[0].result = 1;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    /* The other way round it is the order in which they were read. */
    h.operations[2].steps[0].result = 1;
    h.operations[3].steps[0].result = 2;
    expect(HISTORY_LINEARIZABLE, &h);
}

static void test_torn_cut(void **state)
{
    struct history h = {.count = 0};
    struct history_operation *cut;

    (void)state;
    add_batch(&h, 1, 2, 1);
    add_batch(&h, 3, 20, 2);
    cut = add(&h, HISTORY_GET_MANY, 4, 19);
    reads(add_step(cut, HISTORY_GET, 0, 0), 2);
    reads(add_step(cut, HISTORY_GET, 1, 0), 2);
    expect(HISTORY_LINEARIZABLE, &h);
    cut->steps[0].result = 1;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    cut->steps[1].result = 1;
    expect(HISTORY_LINEARIZABLE, &h);
}

static void test_cut_with_missing_keys(void **state)
{
    struct history h = {.count = 0};
    struct history_operation *cut;

    (void)state;
    add_batch(&h, 3, 20, 2);
    cut = add(&h, HISTORY_GET_MANY, 4, 19);
    cut->status = TARN_KEY_NOT_FOUND;
    add_step(cut, HISTORY_GET, 0, 0)->status = TARN_KEY_NOT_FOUND;
    add_step(cut, HISTORY_GET, 1, 0)->status = TARN_KEY_NOT_FOUND;
    expect(HISTORY_LINEARIZABLE, &h);
    /* One there and the other not: there is no such moment. */
    cut->steps[0].status = TARN_OK;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    /* It says that one is missing, and both are there. */
    cut->steps[1].status = TARN_OK;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

/* A batch that failed has changed nothing, and failed where and as it should. */
static void test_failed_batch(void **state)
{
    struct history h = {.count = 0};
    struct history_operation *batch;

    (void)state;
    single(&h, 1, 2, HISTORY_SET, 1, 5);
    batch = add(&h, HISTORY_BATCH, 3, 4);
    add_step(batch, HISTORY_SET, 0, 6);
    add_step(batch, HISTORY_INSERT, 1, 6);
    batch->status = TARN_KEY_EXISTS;
    batch->failed_step = 1;
    finds_nothing(&h, 5, 6, HISTORY_GET, 0);
    expect(HISTORY_LINEARIZABLE, &h);
    batch->failed_step = 0;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    batch->failed_step = 1;
    batch->status = TARN_KEY_NOT_FOUND;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    batch->status = TARN_KEY_EXISTS;
    h.count--;
    reads(single(&h, 5, 6, HISTORY_GET, 0, 0), 6);
    expect(HISTORY_NOT_LINEARIZABLE, &h);
    /* Nothing stands in its way, and yet it failed. */
    h.count = 0;
    batch = add(&h, HISTORY_BATCH, 3, 4);
    add_step(batch, HISTORY_INSERT, 1, 6);
    batch->status = TARN_KEY_EXISTS;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

/* Steps of a batch see those before them, also on one key. */
static void test_batch_in_order(void **state)
{
    struct history h = {.count = 0};
    struct history_operation *batch = add(&h, HISTORY_BATCH, 1, 2);

    (void)state;
    add_step(batch, HISTORY_INSERT, 0, 1);
    reads(add_step(batch, HISTORY_CONSUME, 0, 0), 1);
    reads(add_step(batch, HISTORY_INCREMENT, 0, 2), 2);
    reads(add_step(batch, HISTORY_INCREMENT, 0, 2), 4);
    expect(HISTORY_LINEARIZABLE, &h);
    batch->steps[3].result = 2;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

/* A fault is found in whatever partition it is, and that one is named. */
static void test_partitions(void **state)
{
    struct history h = {.count = 0};
    unsigned partition = 99;

    (void)state;
    for (unsigned key = 0; key < HISTORY_KEYS_MAX; key++)
        single(&h, 1 + key, 20 + key, HISTORY_SET, key, 1);
    expect(HISTORY_LINEARIZABLE, &h);
    for (unsigned key = 0; key < HISTORY_KEYS_MAX; key++) {
        finds_nothing(&h, 50, 60, HISTORY_GET, key);
        assert_int_equal(HISTORY_NOT_LINEARIZABLE,
                         history_check(h.operations, h.count, &partition));
        assert_int_equal(key, partition);
        h.count--;
    }
}

/* So much overlaps that only the memory of what was searched makes it end soon. */
static void test_many_that_overlap(void **state)
{
    struct history h = {.count = 0};

    (void)state;
    for (unsigned i = 0; i < 16; i++)
        single(&h, 1, 1000, HISTORY_SET, 0, i % 2);
    reads(single(&h, 2000, 2001, HISTORY_GET, 0, 0), 1);
    expect(HISTORY_LINEARIZABLE, &h);
    h.operations[16].steps[0].result = 7;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

static void test_too_many_operations(void **state)
{
    struct history h = {.count = 0};

    (void)state;
    for (unsigned i = 0; i < HISTORY_OPERATIONS_MAX; i++)
        single(&h, 2 * i, 2 * i + 1, HISTORY_SET, 0, i);
    expect(HISTORY_LINEARIZABLE, &h);
    single(&h, 2000, 2001, HISTORY_SET, 0, 1);
    expect(HISTORY_TOO_HARD, &h);
}

/* Where two times are the same, the operations overlap. */
static void test_equal_times(void **state)
{
    struct history h = {.count = 0};

    (void)state;
    single(&h, 1, 2, HISTORY_SET, 0, 1);
    finds_nothing(&h, 2, 3, HISTORY_GET, 0);
    expect(HISTORY_LINEARIZABLE, &h);
    h.operations[1].invoked = 3;
    h.operations[1].returned = 4;
    expect(HISTORY_NOT_LINEARIZABLE, &h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_another),
        cmocka_unit_test(test_wrong_results),
        cmocka_unit_test(test_stale_read),
        cmocka_unit_test(test_read_that_goes_back),
        cmocka_unit_test(test_lost_update),
        cmocka_unit_test(test_double_consume),
        cmocka_unit_test(test_torn_batch),
        cmocka_unit_test(test_torn_cut),
        cmocka_unit_test(test_cut_with_missing_keys),
        cmocka_unit_test(test_failed_batch),
        cmocka_unit_test(test_batch_in_order),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_many_that_overlap),
        cmocka_unit_test(test_too_many_operations),
        cmocka_unit_test(test_equal_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
