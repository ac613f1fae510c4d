/*
 * Calls of the system and allocations that fail under a check and a salvage: they tell it or return
 * it, and nothing that was not read counts as whole. What was read is unchanged, and a salvage that
 * did not get to its end leaves no store with a part in it. (Numbers 13 to 19 and 29 of the list of
 * faults.)
 */
#include "store/store.h"
#include "support/allocation_fault.h"
#include "support/damaged_store.h"
#include "support/os_fault.h"
#include "support/test_folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEYS 6

/* One call, which fails at some point. */
struct attempt {
    const struct tarn__os *os;
    const char *from, *to; /* to: NULL for a check */
    struct tarn_check_summary summary;
    tarn_status status;
    unsigned faults;
};

static void count_fault(void *context, const struct tarn_fault *fault)
{
    struct attempt *attempt = context;

    attempt->faults += fault->status != TARN_OK;
}

static void try(struct attempt *attempt)
{
    const struct tarn_check_options options = {
        .size = sizeof options, .fault = count_fault, .context = attempt};

    attempt->faults = 0;
    attempt->summary = (struct tarn_check_summary){.size = sizeof attempt->summary};
    attempt->status =
        attempt->to ? tarn__store_salvage(attempt->os, attempt->from, attempt->to, &options,
                                          &attempt->summary)
                    : tarn__store_check(attempt->os, attempt->from, &options, &attempt->summary);
}

/* What there is of the new store: all namespaces, or none. */
static void look_at_target(const struct attempt *attempt, const struct attempt *whole)
{
    bool complete = attempt->status == TARN_OK || attempt->summary.faults > 0;
    tarn_store *store;
    tarn_namespace *ns;
    size_t count;
    tarn_status status = tarn_open(attempt->to, STORE_OPTIONS(.read_only = true), &store);

    if (status) { /* it was not even made */
        expect_status(TARN_IO, status);
        expect_that(!complete);
        return;
    }
    expect_ok(tarn_namespace_count(store, &count));
    if (attempt->status == TARN_OUTCOME_UNKNOWN)
        expect_that(count == 0 || count == 3);
    else
        expect_number(complete ? 3 : 0, count);
    if (attempt->status == TARN_OK) {
        expect_ok(tarn_namespace_open(store, text("log"), &ns));
        expect_number(whole->summary.keys - 3, fixture_state_of(ns).keys); /* and 3 in "other" */
        tarn_namespace_close(ns);
        expect_ok(tarn_namespace_open(store, text("test"), &ns));
        expect_number(KEYS + 3, fixture_state_of(ns).keys);
        tarn_namespace_close(ns);
    }
    expect_ok(tarn_close(store));
}

static void judge(const struct attempt *attempt, const struct attempt *whole)
{
    const struct tarn_check_summary *summary = &attempt->summary;

    switch (attempt->status) {
    case TARN_OK: /* the call was one that is not needed, or was made again */
        expect_number(whole->summary.records, summary->records);
        expect_that(summary->bytes <= whole->summary.bytes); /* a size was not to be had */
        expect_number(0, attempt->faults);
        break;
    case TARN_CORRUPT:
        expect_that(summary->faults > 0);
        expect_number(attempt->faults, summary->faults);
        break;
    case TARN_OUTCOME_UNKNOWN:
        expect_that(attempt->to != NULL);
        break;
    case TARN_IO:
    case TARN_FULL:
    case TARN_NO_MEMORY:
    case TARN_READ_ONLY: /* of the log that is filled, once a write to it has failed */
        break;
    default:
        fail_msg("%s", tarn_last_error()->message);
    }
    if (attempt->to)
        look_at_target(attempt, whole);
}

static int no_sync(const struct tarn__os *os, int handle)
{
    (void)os;
    (void)handle;
    return 0;
}

/* The system's, without waiting for the disk. */
static struct tarn__os quick_os(void)
{
    struct tarn__os quick = *tarn__os_posix();

    quick.sync = no_sync;
    quick.directory_sync = no_sync;
    return quick;
}

static void fail_each_call(struct store_folder *f, bool salvages, struct os_fault_plan plan)
{
    const struct tarn__os quick = quick_os();
    uint64_t digest = path_digest(f->path);
    int descriptors = test_open_descriptors();
    char to[STORE_FOLDER_PATH_ROOM];
    struct os_fault fault;
    struct attempt whole = {.os = &quick, .from = f->path}, attempt;
    unsigned failed = 0;
    uint64_t fired;

    plan.nth = 1;
    snprintf(to, sizeof to, "%s", path_around(f, "to"));
    whole.to = salvages ? to : NULL;
    try(&whole);
    expect_ok(whole.status);
    os_fault_init(&fault, &quick);
    attempt = whole;
    attempt.os = &fault.os;
    for (;; plan.nth += salvages ? 3 : 1) {
        (void)test_folder_remove(to); /* it is not there for a check */
        os_fault_arm(&fault, &plan);
        try(&attempt);
        fired = os_fault_fired(&fault);
        os_fault_arm(&fault, NULL);
        judge(&attempt, &whole);
        expect_number(digest, path_digest(f->path));
        expect_number(descriptors, test_open_descriptors());
        failed += attempt.status != TARN_OK;
        if (!fired)
            break;
    }
    expect_that(failed > 20);
    (void)test_folder_remove(to);
}

static void fail_calls(void **state, bool salvages)
{
    const int errors[] = {EIO, EMFILE, ENOSPC};
    struct store_folder *f = *state;

    damaged_store_fill(f, KEYS, 30);
    store_folder_close(f);
    for (unsigned i = 0; i < 6; i++)
        fail_each_call(f, salvages,
                       (struct os_fault_plan){.calls = OS_CALL_ANY,
                                              .effect = OS_FAULT_FAIL,
                                              .error = errors[i / 2],
                                              .lasting = i % 2});
    store_folder_open(f, NULL);
}

static void test_calls_of_check(void **state)
{
    fail_calls(state, false);
}

static void test_calls_of_salvage(void **state)
{
    fail_calls(state, true);
}

/* A medium that cannot read some bytes: what is around them is read all the same. */
static void test_unreadable(void **state)
{
    struct store_folder *f = *state;
    const struct tarn__os quick = quick_os();
    struct os_fault_plan plan = {
        .calls = OS_CALL_READ, .effect = OS_FAULT_FAIL, .error = EIO, .nth = 1};
    struct attempt attempt = {.from = f->path}, whole = {.os = &quick, .from = f->path};
    unsigned told = 0;
    struct os_fault fault;

    damaged_store_fill(f, KEYS, 30);
    store_folder_close(f);
    try(&whole);
    expect_ok(whole.status);
    os_fault_init(&fault, &quick);
    attempt.os = &fault.os;
    for (;; plan.nth++) {
        os_fault_arm(&fault, &plan);
        try(&attempt);
        if (!os_fault_fired(&fault))
            break;
        if (attempt.status == TARN_OK) { /* a long read that failed was made again, shorter */
            expect_number(whole.summary.records, attempt.summary.records);
            continue;
        }
        expect_status(TARN_CORRUPT, attempt.status);
        told++;
    }
    expect_that(told > 5);
    store_folder_open(f, NULL);
}

static void fail_allocations(void **state, bool salvages)
{
    struct store_folder *f = *state;
    const struct tarn__os quick = quick_os();
    struct attempt whole = {.os = &quick, .from = f->path}, attempt;
    char to[STORE_FOLDER_PATH_ROOM];
    uint64_t nth = 0, digest, fired;

    damaged_store_fill(f, KEYS, 30);
    store_folder_close(f);
    digest = path_digest(f->path);
    snprintf(to, sizeof to, "%s", path_around(f, "to"));
    whole.to = salvages ? to : NULL;
    try(&whole);
    expect_ok(whole.status);
    attempt = whole;
    do {
        (void)test_folder_remove(to);
        allocation_fault_arm(++nth, false);
        allocation_fault_resume();
        try(&attempt);
        allocation_fault_pause();
        fired = allocation_fault_fired();
        allocation_fault_arm(0, false);
        if (fired)
            expect_that(attempt.status == TARN_NO_MEMORY || attempt.status == TARN_OK ||
                        attempt.status == TARN_OUTCOME_UNKNOWN);
        judge(&attempt, &whole);
        expect_number(digest, path_digest(f->path));
    } while (fired);
    expect_that(nth > 20);
    (void)test_folder_remove(to);
    store_folder_open(f, NULL);
}

static void test_allocations_of_check(void **state)
{
    fail_allocations(state, false);
}

static void test_allocations_of_salvage(void **state)
{
    fail_allocations(state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_FOLDER_TEST(test_calls_of_check),
        STORE_FOLDER_TEST(test_calls_of_salvage),
        STORE_FOLDER_TEST(test_unreadable),
        STORE_FOLDER_TEST(test_allocations_of_check),
        STORE_FOLDER_TEST(test_allocations_of_salvage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
