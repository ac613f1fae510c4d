/*
 * Conformance: asynchronous writes. What they do is done when they return; their callback comes
 * once, in the order of the writes, in tarn_events_dispatch() or tarn_close(), and not at all where
 * the call did not return TARN_OK.
 */
#include "conformance/conformance.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 4000 };

/* What was called back, in its order. */
struct heard {
    tarn_store *store;
    tarn_namespace *ns;
    unsigned count;
    unsigned numbers[CALLS_MAX];
    tarn_status statuses[CALLS_MAX];
};

static struct heard heard;

/* A call: which one it is. */
static unsigned numbers[CALLS_MAX];

static void *call(unsigned number)
{
    numbers[number] = number;
    return &numbers[number];
}

static void hear(void *context, tarn_status status)
{
    unsigned number = *(unsigned *)context;

    if (heard.count == CALLS_MAX)
        abort();
    heard.numbers[heard.count] = number;
    heard.statuses[heard.count++] = status;
}

static void begin(struct fixture *f)
{
    memset(&heard, 0, sizeof heard);
    heard.store = f->store;
    heard.ns = f->ns;
}

static bool is_readable(tarn_store *store, int timeout_ms)
{
    struct pollfd descriptor = {.events = POLLIN};

    expect_ok(tarn_events_descriptor(store, &descriptor.fd));
    return poll(&descriptor, 1, timeout_ms) == 1;
}

/* Dispatches until so many have been called back, and sees that there is nothing else. */
static void hear_all(struct fixture *f, unsigned count)
{
    size_t dispatched;

    while (heard.count < count) {
        unsigned before = heard.count;

        expect_that(is_readable(f->store, 20000));
        expect_ok(tarn_events_dispatch(f->store, 0, &dispatched));
        expect_number(heard.count - before, dispatched);
        expect_that(dispatched > 0);
    }
    expect_number(count, heard.count);
    expect_ok(tarn_sync(f->ns));
    expect_that(!is_readable(f->store, 0));
    expect_ok(tarn_events_dispatch(f->store, 0, &dispatched));
    expect_number(0, dispatched);
    expect_number(count, heard.count);
}

static void expect_all_in_order(unsigned count)
{
    expect_number(count, heard.count);
    for (unsigned i = 0; i < count; i++) {
        expect_number(i, heard.numbers[i]);
        expect_status(TARN_OK, heard.statuses[i]);
    }
}

static tarn_batch *batch_of_two(void)
{
    tarn_batch *batch = NULL;

    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, text("one"), text("1")));
    expect_ok(tarn_batch_insert(batch, text("two"), text("2")));
    return batch;
}

static void test_done_at_once_and_told_later(void **state)
{
    struct fixture *f = *state;
    struct tarn_result results[2];
    struct tarn_batch_summary summary;
    tarn_batch *batch = batch_of_two();
    bool existed = true;

    begin(f);
    expect_ok(tarn_set_async(f->ns, text("k"), text("first"), hear, call(0), &f->buf, &existed));
    expect_that(!existed && f->buf.length == 0);
    expect_stored(f->ns, text("k"), text("first"));
    expect_ok(tarn_set_async(f->ns, text("k"), text("second"), hear, call(1), &f->buf, &existed));
    expect_that(existed);
    expect_bytes(text("first"), held(&f->buf));
    expect_ok(tarn_set_async(f->ns, text("k"), text("third"), hear, call(2), NULL, NULL));
    expect_ok(tarn_delete_async(f->ns, text("k"), hear, call(3)));
    expect_absent(f->ns, text("k"));
    expect_ok(tarn_batch_commit_async(f->ns, batch, TARN_ALL_OR_NOTHING, hear, call(4), results,
                                      &f->buf, &summary));
    tarn_batch_free(batch);
    expect_number(2, summary.processed);
    expect_that(!results[0].existed && results[1].status == TARN_OK);
    expect_stored(f->ns, text("two"), text("2"));
    expect_ok(tarn_sync_async(f->ns, hear, call(5)));
    expect_number(0, heard.count); /* nobody has dispatched */
    hear_all(f, 6);
    expect_all_in_order(6);
}

static void test_what_fails_is_not_told(void **state)
{
    struct fixture *f = *state;
    const struct tarn_namespace_options options = {.size = sizeof options, .max_keys = 2};
    struct tarn_result results[2];
    struct tarn_batch_summary summary;
    tarn_batch *batch = batch_of_two();
    struct fixture_state before;
    bool existed = true;

    fixture_renew_namespace(f, &options);
    begin(f);
    expect_ok(tarn_set(f->ns, text("two"), text("there"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("three"), text("there"), NULL, NULL));
    before = fixture_state_of(f->ns);
    expect_status(TARN_TOO_MANY_KEYS,
                  tarn_set_async(f->ns, text("k"), text("v"), hear, call(0), NULL, &existed));
    expect_that(existed);
    expect_status(TARN_KEY_INVALID,
                  tarn_set_async(f->ns, text(""), text("v"), hear, call(0), NULL, NULL));
    expect_status(TARN_KEY_NOT_FOUND, tarn_delete_async(f->ns, text("k"), hear, call(0)));
    expect_status(TARN_TOO_MANY_KEYS,
                  tarn_batch_commit_async(f->ns, batch, TARN_ALL_OR_NOTHING, hear, call(0), results,
                                          NULL, &summary));
    expect_number(1, summary.failed);
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_set_async(f->ns, text("two"), text("v"), NULL, call(0), NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_delete_async(f->ns, text("two"), NULL, call(0)));
    expect_status(TARN_INVALID_ARGUMENT, tarn_sync_async(NULL, hear, call(0)));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_commit_async(f->ns, NULL, TARN_ALL_OR_NOTHING,
                                                                 hear, call(0), NULL, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_commit_async(f->ns, batch, TARN_ALL_OR_NOTHING,
                                                                 NULL, call(0), NULL, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_events_dispatch(NULL, 0, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_events_descriptor(f->store, NULL));
    expect_same_state(before, f->ns);
    hear_all(f, 0);
    tarn_batch_free(batch);
}

static void test_best_effort_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct tarn_result results[2];
    struct tarn_batch_summary summary;
    tarn_batch *batch = batch_of_two(), *empty = NULL, *reads = NULL;

    begin(f);
    expect_ok(tarn_set(f->ns, text("two"), text("there"), NULL, NULL));
    expect_ok(tarn_batch_commit_async(f->ns, batch, TARN_BEST_EFFORT, hear, call(0), results, NULL,
                                      &summary));
    expect_number(1, summary.processed);
    expect_status(TARN_KEY_EXISTS, results[1].status);
    expect_ok(tarn_batch_create(&empty));
    expect_ok(tarn_batch_create(&reads));
    expect_ok(tarn_batch_get(reads, text("one")));
    for (unsigned i = 0; i < 2; i++) {
        enum tarn_mode mode = i ? TARN_BEST_EFFORT : TARN_ALL_OR_NOTHING;

        expect_ok(
            tarn_batch_commit_async(f->ns, empty, mode, hear, call(1 + 3 * i), NULL, NULL, NULL));
        expect_ok(tarn_batch_commit_async(f->ns, reads, mode, hear, call(2 + 3 * i), results,
                                          &f->buf, NULL));
        expect_bytes(text("1"), results[0].value);
        expect_ok(tarn_set_async(f->ns, text("k"), text("v"), hear, call(3 + 3 * i), NULL, NULL));
    }
    hear_all(f, 7);
    expect_all_in_order(7);
    tarn_batch_free(batch);
    tarn_batch_free(empty);
    tarn_batch_free(reads);
}

static void test_order(void **state)
{
    struct fixture *f = *state;
    enum { CALLS = 3000 };
    tarn_batch *batch = batch_of_two();
    char room[NUMBERED_KEY_ROOM];
    size_t dispatched;

    begin(f);
    tarn_batch_clear(batch);
    expect_ok(tarn_batch_set(batch, text("b"), text("b")));
    for (unsigned i = 0; i < CALLS; i++) {
        struct tarn_slice key = numbered_key(room, i);

        if (i % 7 == 3)
            expect_ok(tarn_batch_commit_async(f->ns, batch, (enum tarn_mode)(i % 2), hear, call(i),
                                              NULL, NULL, NULL));
        else if (i % 7 == 5)
            expect_ok(tarn_delete_async(f->ns, numbered_key(room, i - 1), hear, call(i)));
        else if (i % 7 == 6)
            expect_ok(tarn_sync_async(f->ns, hear, call(i)));
        else
            expect_ok(tarn_set_async(f->ns, key, key, hear, call(i), NULL, NULL));
        if (i % 50 == 0)
            expect_ok(tarn_events_dispatch(f->store, i % 20, &dispatched));
    }
    hear_all(f, CALLS);
    expect_all_in_order(CALLS);
    tarn_batch_free(batch);
}

static void test_descriptor(void **state)
{
    struct fixture *f = *state;
    int descriptor = -1, again = -1;
    size_t dispatched;

    begin(f);
    for (unsigned i = 0; i < 10; i++)
        expect_ok(tarn_set_async(f->ns, text("k"), text("v"), hear, call(i), NULL, NULL));
    expect_ok(tarn_sync(f->ns)); /* so that all are done before there is a descriptor */
    expect_ok(tarn_events_descriptor(f->store, &descriptor));
    expect_ok(tarn_events_descriptor(f->store, &again));
    expect_number(descriptor, again);
    for (unsigned i = 0; i < 10; i += 3) {
        expect_that(is_readable(f->store, 0));
        expect_ok(tarn_events_dispatch(f->store, 3, &dispatched));
        expect_number(i < 9 ? 3 : 1, dispatched);
    }
    expect_that(!is_readable(f->store, 0));
    expect_all_in_order(10);
    begin(f);
    for (unsigned i = 0; i < 3; i++) {
        expect_that(!is_readable(f->store, 0));
        expect_ok(tarn_set_async(f->ns, text("k"), text("v"), hear, call(i), NULL, NULL));
        expect_that(is_readable(f->store, 20000));
        expect_ok(tarn_events_dispatch(f->store, 1, NULL));
    }
    expect_all_in_order(3);
}

/* ------------------------------------------------------------------------------------------
 * Callbacks that call
 */

static tarn_status inner[6];

static void write_again(void *context, tarn_status status)
{
    unsigned number = *(unsigned *)context;
    size_t dispatched = 42;

    hear(context, status);
    if (number < 5)
        inner[0] = tarn_set_async(heard.ns, text("again"), text("v"), write_again, call(number + 1),
                                  NULL, NULL);
    inner[1] = tarn_events_dispatch(heard.store, 0, &dispatched);
    inner[2] = dispatched == 42 ? TARN_OK : TARN_CORRUPT;
    inner[3] = tarn_close(heard.store);
    inner[4] = number == 2 ? tarn_namespace_drop(heard.store, text("other")) : inner[4];
    inner[5] = tarn_set(heard.ns, text("within"), text("v"), NULL, NULL);
}

static void test_callbacks_call(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *other = NULL;
    size_t dispatched;

    begin(f);
    expect_ok(tarn_namespace_create(f->store, text("other"), NULL, &other));
    expect_ok(tarn_set_async(f->ns, text("k"), text("v"), write_again, call(0), NULL, NULL));
    expect_ok(tarn_sync(f->ns));
    expect_ok(tarn_events_dispatch(f->store, 0, &dispatched));
    expect_number(1, dispatched); /* the next one is for the next call, also where it is done */
    hear_all(f, 6);
    expect_all_in_order(6);
    expect_ok(inner[0]);
    expect_status(TARN_BUSY, inner[1]);
    expect_ok(inner[2]);
    expect_status(TARN_BUSY, inner[3]);
    expect_ok(inner[4]);
    expect_ok(inner[5]);
    expect_status(TARN_NAMESPACE_DROPPED, tarn_set(other, text("k"), text("v"), NULL, NULL));
    tarn_namespace_close(other);
}

static void write_when_closed(void *context, tarn_status status)
{
    hear(context, status);
    inner[0] = tarn_set_async(heard.ns, text("k"), text("v"), hear, context, NULL, NULL);
    inner[1] = tarn_sync_async(heard.ns, hear, context);
    inner[2] = tarn_events_dispatch(heard.store, 0, NULL);
    inner[3] = tarn_close(heard.store);
}

static void test_close_calls_what_is_outstanding(void **state)
{
    struct fixture *f = *state;
    enum { CALLS = 500 };
    char room[NUMBERED_KEY_ROOM];

    begin(f);
    for (unsigned i = 0; i < CALLS; i++)
        expect_ok(tarn_set_async(f->ns, numbered_key(room, i), text("v"), write_when_closed,
                                 call(i), NULL, NULL));
    expect_number(0, heard.count);
    expect_ok(tarn_close(f->store));
    expect_all_in_order(CALLS);
    expect_status(TARN_CLOSED, inner[0]);
    expect_status(TARN_CLOSED, inner[1]);
    expect_status(TARN_CLOSED, inner[2]);
    expect_status(TARN_BUSY, inner[3]);
    expect_status(TARN_CLOSED, tarn_delete_async(f->ns, text("k"), hear, call(0)));
    tarn_namespace_close(f->ns);
    expect_ok(fixture_backend->open(NULL, &f->store));
    expect_ok(fixture_backend->create(f->store, text("test"), NULL, &f->ns));
}

/* ------------------------------------------------------------------------------------------
 * What takes away all that was written
 */

static void test_clear_and_drop(void **state)
{
    struct fixture *f = *state;
    enum { ROUNDS = 30, CALLS = 20 };
    const struct tarn_namespace_options options = {.size = sizeof options, .shards = 1};
    tarn_namespace *other = NULL;
    unsigned number = 0;

    begin(f);
    for (unsigned round = 0; round < ROUNDS; round++) {
        expect_ok(fixture_backend->create(f->store, text("other"), &options, &other));
        for (unsigned i = 0; i < CALLS; i++)
            expect_ok(
                tarn_set_async(other, text("k"), text("v"), hear, call(number++), NULL, NULL));
        if (round % 3) {
            expect_ok(tarn_namespace_clear(other));
            expect_ok(
                tarn_set_async(other, text("k"), text("v"), hear, call(number++), NULL, NULL));
        }
        if (round % 3 == 1) {
            expect_ok(tarn_namespace_clear(other));
            expect_ok(tarn_sync_async(other, hear, call(number++)));
        }
        expect_ok(tarn_namespace_drop(f->store, text("other")));
        expect_status(TARN_NAMESPACE_DROPPED,
                      tarn_set_async(other, text("k"), text("v"), hear, call(0), NULL, NULL));
        expect_status(TARN_NAMESPACE_DROPPED, tarn_sync_async(other, hear, call(0)));
        tarn_namespace_close(other);
    }
    hear_all(f, number);
    expect_all_in_order(number);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_done_at_once_and_told_later),
    CONFORMANCE_TEST(test_what_fails_is_not_told),
    CONFORMANCE_TEST(test_best_effort_is_told_once),
    CONFORMANCE_TEST(test_order),
    CONFORMANCE_TEST(test_descriptor),
    CONFORMANCE_TEST(test_callbacks_call),
    CONFORMANCE_TEST(test_close_calls_what_is_outstanding),
    CONFORMANCE_TEST(test_clear_and_drop),
};

CONFORMANCE_TOPIC(async, tests);
