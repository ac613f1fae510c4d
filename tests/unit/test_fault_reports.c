/*
 * What a call leaves and tells where memory ran out in it: nothing that it stored on the way; its
 * outputs that are filled in on failure; and tarn_last_error(), which a call that fails overwrites
 * and one that succeeds leaves alone.
 */
#include "support/allocation_fault.h"
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

static int set_up(void **state)
{
    allocation_fault_arm(0, false);
    return fixture_setup(state);
}

static int tear_down(void **state)
{
    allocation_fault_arm(0, false); /* where a test failed meanwhile */
    return fixture_teardown(state);
}

/* tarn.h: results and summary are filled in on failure, too. */
static void a_commit_that_fails_fills_in_its_summary(void **state)
{
    struct fixture *fixture = *state;
    struct tarn_batch_summary summary;
    uint64_t nth = 0;
    tarn_batch *batch;
    tarn_status status;

    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, text("key"), text("value")));
    do {
        memset(&summary, 0x77, sizeof summary);
        allocation_fault_arm(++nth, false);
        allocation_fault_resume();
        status = tarn_batch_commit(fixture->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, &summary);
        allocation_fault_pause();
        if (status)
            expect_status(TARN_NO_MEMORY, status);
        expect_number(status ? 0 : 1, summary.processed);
        expect_number(0, summary.failed); /* it is the fault of none of the operations */
    } while (allocation_fault_fired());
    tarn_batch_free(batch);
}

/* The detail is that of the status that is returned, also where keys after it are absent. */
static void many_keys_tell_why_they_failed(void **state)
{
    struct fixture *fixture = *state;
    struct tarn_slice keys[] = {text("key"), text("absent")};
    struct tarn_result results[2];
    struct tarn_buf values = {0};
    tarn_status status;

    expect_ok(tarn_set(fixture->ns, keys[0], text("value"), NULL, NULL));
    allocation_fault_arm(1, false);
    allocation_fault_resume();
    status = tarn_get_many(fixture->ns, TARN_BEST_EFFORT, keys, 2, results, &values);
    allocation_fault_pause();
    expect_status(TARN_NO_MEMORY, status);
    expect_status(TARN_NO_MEMORY, results[0].status);
    expect_status(TARN_KEY_NOT_FOUND, results[1].status);
    tarn_buf_release(&values);
    expect_status(TARN_NO_MEMORY, tarn_last_error()->status);
}

/* A batch whose last record has no room gives back what it stored of the others. */
static void a_batch_that_fails_leaves_no_records(void **state)
{
    enum { PART = 64 * 1024, LIMIT = 16 * 1024 * 1024 };
    struct fixture *fixture = *state;
    struct tarn_options options = {.size = sizeof options, .max_memory_bytes = LIMIT};
    char *value = patterned_bytes(LIMIT, 1);
    tarn_batch *batch;

    fixture_renew_store(fixture, &options);
    expect_ok(tarn_batch_create(&batch));
    for (int i = 0; i < 8; i++)
        expect_ok(tarn_batch_set(batch, tarn_slice_of(&i, sizeof i), tarn_slice_of(value, PART)));
    expect_ok(tarn_batch_set(batch, text("large"), tarn_slice_of(value, LIMIT)));
    for (int i = 0; i < 200; i++) /* 100 MiB, if they stayed */
        expect_status(TARN_FULL,
                      tarn_batch_commit(fixture->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    for (int i = 0; i < 100; i++)
        expect_ok(tarn_set(fixture->ns, tarn_slice_of(&i, sizeof i), tarn_slice_of(value, PART),
                           NULL, NULL));
    tarn_batch_free(batch);
    free(value);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_that_fails_leaves_no_records),
        TEST(a_commit_that_fails_fills_in_its_summary),
        TEST(many_keys_tell_why_they_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
