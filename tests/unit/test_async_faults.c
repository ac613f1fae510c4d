/*
 * Asynchronous writes where syncs hang or fail, and where memory or descriptors run out: none waits
 * for a sync, many share one, and each callback comes once, with what became of its write.
 */
#include "store/store.h"
#include "support/allocation_fault.h"
#include "support/fixture.h"
#include "support/os_fault.h"
#include "support/test_folder.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLS_MAX = 2000 };

/* The real system, but a sync waits while `blocks` is set. */
static struct {
    struct tarn__os os; /* first, so that the member finds the rest */
    _Atomic bool blocks;
    _Atomic unsigned blocked; /* that are waiting */
    _Atomic unsigned syncs;
} slow;

static struct os_fault fault;
static char folder[200];
static char path[220];
static tarn_store *store;
static tarn_namespace *ns;
static _Atomic unsigned events;

/* What was called back. */
static unsigned heard, heard_ok, heard_unknown;
static unsigned times[CALLS_MAX];

static int slow_sync(const struct tarn__os *os, int file)
{
    (void)os;
    atomic_fetch_add(&slow.syncs, 1);
    atomic_fetch_add(&slow.blocked, 1);
    while (atomic_load(&slow.blocks))
        usleep(200);
    atomic_fetch_sub(&slow.blocked, 1);
    return tarn__os_posix()->sync(tarn__os_posix(), file);
}

static void on_event(void *context, const struct tarn_event *event)
{
    (void)context;
    if (event->kind == TARN_EVENT_SYNC_FAILED)
        atomic_fetch_add(&events, 1);
}

static tarn_status open_store(void)
{
    const struct tarn_options options = {.size = sizeof options, .on_event = on_event};

    return tarn__store_open(&fault.os, path, &options, &store);
}

static int set_up(void **state)
{
    (void)state;
    if (test_folder_make(folder, sizeof folder) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/store", folder);
    slow.os = *tarn__os_posix();
    slow.os.sync = slow_sync;
    os_fault_init(&fault, &slow.os);
    heard = heard_ok = heard_unknown = 0;
    atomic_store(&events, 0);
    memset(times, 0, sizeof times);
    store = NULL;
    ns = NULL;
    return open_store() == TARN_OK ? 0 : -1;
}

static tarn_status close_store(void)
{
    tarn_store *closed = store;

    tarn_namespace_close(ns);
    ns = NULL;
    store = NULL;
    return tarn_close(closed);
}

static int tear_down(void **state)
{
    (void)state;
    atomic_store(&slow.blocks, false);
    os_fault_arm(&fault, NULL);
    if (close_store() != TARN_OK)
        return -1;
    return test_folder_remove(folder);
}

static void make_log(enum tarn_sync_mode mode)
{
    const struct tarn_namespace_options options = {
        .size = sizeof options, .engine = TARN_ENGINE_LOG, .sync = mode};

    expect_ok(tarn_namespace_create(store, text("log"), &options, &ns));
}

static void hear(void *context, tarn_status status)
{
    unsigned *counted = context;

    ++*counted;
    heard++;
    heard_ok += status == TARN_OK;
    heard_unknown += status == TARN_OUTCOME_UNKNOWN;
    if (status)
        expect_status(status, tarn_last_error()->status);
}

static tarn_status set(unsigned number)
{
    char room[NUMBERED_KEY_ROOM];
    struct tarn_slice key = numbered_key(room, number);

    return tarn_set_async(ns, key, key, hear, &times[number], NULL, NULL);
}

static void set_some(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        expect_ok(set(i));
}

/* Dispatches until so many have been heard, each of the calls once. */
static void hear_all(unsigned count)
{
    struct pollfd descriptor = {.events = POLLIN};

    expect_ok(tarn_events_descriptor(store, &descriptor.fd));
    while (heard < count) {
        expect_number(1, poll(&descriptor, 1, 20000));
        expect_ok(tarn_events_dispatch(store, 0, NULL));
    }
    expect_number(count, heard);
    expect_number(0, poll(&descriptor, 1, 0));
    for (unsigned i = 0; i < count; i++)
        expect_number(1, times[i]);
}

static void begin_blocking(void)
{
    atomic_store(&slow.blocks, true);
}

static void wait_for_blocked(void)
{
    while (!atomic_load(&slow.blocked))
        sched_yield();
}

/* ------------------------------------------------------------------------------------------
 * Syncs that hang
 */

static void nothing_waits(enum tarn_sync_mode mode)
{
    enum { CALLS = 400 };
    char room[NUMBERED_KEY_ROOM];
    tarn_batch *batch = NULL;
    unsigned syncs;

    make_log(mode);
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, text("batch"), text("v")));
    begin_blocking();
    syncs = atomic_load(&slow.syncs);
    set_some(0, 1);
    wait_for_blocked();
    set_some(1, CALLS);
    expect_ok(tarn_delete_async(ns, text("key-7"), hear, &times[CALLS]));
    for (unsigned i = 1; i <= 2; i++)
        expect_ok(tarn_batch_commit_async(ns, batch, (enum tarn_mode)(i % 2), hear,
                                          &times[CALLS + i], NULL, NULL, NULL));
    expect_ok(tarn_sync_async(ns, hear, &times[CALLS + 3]));
    expect_ok(tarn_events_dispatch(store, 0, NULL));
    expect_number(0, heard);
    expect_stored(ns, numbered_key(room, CALLS - 1), numbered_key(room, CALLS - 1));
    expect_absent(ns, text("key-7"));
    expect_number(syncs + 1, atomic_load(&slow.syncs));
    atomic_store(&slow.blocks, false);
    hear_all(CALLS + 4);
    expect_number(CALLS + 4, heard_ok);
    expect_that(atomic_load(&slow.syncs) <= syncs + 6); /* of files that became full, too */
    tarn_batch_free(batch);
}

static void none_waits_for_a_sync_none(void **state)
{
    (void)state;
    nothing_waits(TARN_SYNC_NONE);
}

static void none_waits_for_a_sync_interval(void **state)
{
    (void)state;
    nothing_waits(TARN_SYNC_INTERVAL);
}

static void none_waits_for_a_sync_always(void **state)
{
    (void)state;
    nothing_waits(TARN_SYNC_ALWAYS);
}

/* A drop takes away what is being synced: all is told. */
static void a_drop_beside_a_sync(void **state)
{
    (void)state;
    make_log(TARN_SYNC_NONE);
    set_some(0, 20);
    expect_ok(tarn_namespace_drop(store, text("log")));
    hear_all(20);
    expect_number(20, heard_ok);
}

/* ------------------------------------------------------------------------------------------
 * Syncs that fail
 */

static const struct os_fault_plan syncs_fail = {
    .calls = OS_CALL_SYNC, .effect = OS_FAULT_FAIL, .nth = 1, .error = EIO, .lasting = true};

static void expect_read_only_and_closed(unsigned calls)
{
    expect_status(TARN_READ_ONLY, set(calls));
    expect_status(TARN_READ_ONLY, tarn_delete_async(ns, text("key-1"), hear, &times[calls]));
    expect_stored(ns, text("key-1"), text("key-1"));
    expect_ok(tarn_sync_async(ns, hear, &times[calls]));
    hear_all(calls + 1);
    expect_number(0, heard_ok);
    expect_number(1, atomic_load(&events));
    expect_status(TARN_OUTCOME_UNKNOWN, close_store());
    expect_number(calls + 1, heard);
    os_fault_arm(&fault, NULL);
    expect_ok(open_store());
}

static void a_sync_fails(void **state)
{
    (void)state;
    make_log(TARN_SYNC_NONE);
    os_fault_arm(&fault, &syncs_fail);
    set_some(0, 1);
    hear_all(1);
    expect_number(1, heard_unknown);
    expect_status(TARN_READ_ONLY, set(1));
    os_fault_arm(&fault, NULL); /* a second one that succeeds would prove nothing */
    expect_ok(tarn_sync_async(ns, hear, &times[1]));
    hear_all(2);
    expect_number(2, heard_unknown);
    expect_status(TARN_OUTCOME_UNKNOWN, tarn_sync(ns));
    expect_status(TARN_OUTCOME_UNKNOWN, close_store());
    expect_ok(open_store());
}

/* Those that are waiting while it fails, and those that have come after it began. */
static void a_sync_fails_for_many(void **state)
{
    enum { CALLS = 300 };

    (void)state;
    make_log(TARN_SYNC_ALWAYS);
    os_fault_arm(&fault, NULL);
    begin_blocking();
    set_some(0, CALLS / 3);
    wait_for_blocked();
    os_fault_arm(&fault, &syncs_fail); /* the one that is blocked goes through */
    set_some(CALLS / 3, CALLS);
    atomic_store(&slow.blocks, false);
    hear_all(CALLS);
    expect_that(heard_ok >= 1 && heard_ok <= CALLS / 3);
    expect_number(CALLS - heard_ok, heard_unknown);
    heard_ok = 0;
    expect_read_only_and_closed(CALLS);
}

/* A close is what finds it. */
static void the_sync_of_a_close_fails(void **state)
{
    (void)state;
    make_log(TARN_SYNC_NONE);
    begin_blocking();
    set_some(0, 1);
    wait_for_blocked();
    set_some(1, 50);
    os_fault_arm(&fault, &syncs_fail);
    atomic_store(&slow.blocks, false);
    expect_status(TARN_OUTCOME_UNKNOWN, close_store());
    expect_number(50, heard);
    expect_that(heard_ok <= 1);
    expect_number(50 - heard_ok, heard_unknown);
    for (unsigned i = 0; i < 50; i++)
        expect_number(1, times[i]);
    os_fault_arm(&fault, NULL);
    expect_ok(open_store());
}

/* A write that fails leaves those before it unknown, or durable where their sync goes through. */
static void a_write_fails(void **state)
{
    const struct os_fault_plan writes_fail = {
        .calls = OS_CALL_WRITE, .effect = OS_FAULT_FAIL, .nth = 1, .error = EIO, .lasting = true};

    (void)state;
    make_log(TARN_SYNC_ALWAYS);
    begin_blocking();
    set_some(0, 1);
    wait_for_blocked();
    set_some(1, 10);
    os_fault_arm(&fault, &writes_fail);
    expect_status(TARN_IO, set(10));
    expect_number(0, times[10]);
    atomic_store(&slow.blocks, false);
    hear_all(10);
    expect_number(10, heard_ok + heard_unknown);
    expect_status(TARN_OUTCOME_UNKNOWN, close_store());
    os_fault_arm(&fault, NULL);
    expect_ok(open_store());
}

/* ------------------------------------------------------------------------------------------
 * What runs out
 */

static void no_memory(void **state)
{
    char room[NUMBERED_KEY_ROOM];
    struct fixture_state before;
    unsigned struck = 0, done = 0;

    (void)state;
    make_log(TARN_SYNC_NONE);
    expect_ok(tarn_sync(ns));
    for (uint64_t nth = 1;; nth++) {
        tarn_status status;

        before = fixture_state_of(ns);
        allocation_fault_arm(nth, false);
        allocation_fault_resume();
        status = set(done);
        allocation_fault_pause();
        if (status == TARN_OK) {
            expect_stored(ns, numbered_key(room, done), numbered_key(room, done));
            done++;
        } else {
            expect_status(TARN_NO_MEMORY, status);
            expect_same_state(before, ns);
            struck++;
        }
        if (allocation_fault_fired() == 0)
            break;
    }
    allocation_fault_arm(0, false);
    expect_that(struck >= 1);
    hear_all(done);
    expect_number(done, heard_ok);
}

static void no_descriptor(void **state)
{
    const struct os_fault_plan plan = {
        .calls = OS_CALL_EVENT_MAKE, .effect = OS_FAULT_FAIL, .nth = 1, .error = EMFILE};
    int descriptor = -1;

    (void)state;
    make_log(TARN_SYNC_NONE);
    set_some(0, 5);
    os_fault_arm(&fault, &plan);
    expect_status(TARN_IO, tarn_events_descriptor(store, &descriptor));
    expect_number(EMFILE, tarn_last_error()->system_error);
    expect_signed(-1, descriptor);
    hear_all(5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(none_waits_for_a_sync_none),
        TEST(none_waits_for_a_sync_interval),
        TEST(none_waits_for_a_sync_always),
        TEST(a_drop_beside_a_sync),
        TEST(a_sync_fails),
        TEST(a_sync_fails_for_many),
        TEST(the_sync_of_a_close_fails),
        TEST(a_write_fails),
        TEST(no_memory),
        TEST(no_descriptor),
    };

    return cmocka_run_group_tests_name("asynchronous writes", tests, NULL, NULL);
}
