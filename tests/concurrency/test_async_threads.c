/*
 * Asynchronous writes by many threads, dispatched by others, beside everything that takes away what
 * was written: each callback comes once, and those of one thread in the order of its writes. On
 * each engine. TARN_TEST_SCALE makes each test longer.
 */
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/concurrency.h"
#include "support/fixture.h"

enum { AUTHORS = 3, CALLS_MAX = 200000, OUTSTANDING_MAX = 300, LIVES = 12 };

/* Somebody who writes, to one namespace at a time. */
struct author {
    unsigned made;          /* how many calls returned TARN_OK */
    _Atomic unsigned heard; /* ... were called back */
    _Atomic bool wrong;     /* in another order, or with another status */
    struct call {
        struct author *author;
        unsigned number;
    } calls[CALLS_MAX];
};

struct shared {
    struct fixture *fixture;
    struct author authors[AUTHORS + 1]; /* the last one's namespace comes and goes */
    _Atomic bool dispatching;
};

static void hear(void *context, tarn_status status)
{
    const struct call *call = context;

    if (status || call->number != atomic_fetch_add(&call->author->heard, 1))
        atomic_store(&call->author->wrong, true);
}

static void *next_call(struct author *author)
{
    struct call *call = &author->calls[author->made];

    call->author = author;
    call->number = author->made;
    return call;
}

static bool may_write(struct worker *worker, struct author *author)
{
    while (contest_goes_on(worker) && author->made - atomic_load(&author->heard) >= OUTSTANDING_MAX)
        sched_yield();
    return contest_goes_on(worker) && author->made < CALLS_MAX;
}

static tarn_status write_once(tarn_namespace *ns, struct worker *worker, struct author *author,
                              const tarn_batch *batch)
{
    char room[NUMBERED_KEY_ROOM];
    struct tarn_slice key = numbered_key(room, random_below(&worker->random, 1000));
    void *call = next_call(author);

    switch (random_below(&worker->random, 8)) {
    case 0:
        return tarn_delete_async(ns, key, hear, call);
    case 1:
        return tarn_batch_commit_async(ns, batch, TARN_ALL_OR_NOTHING, hear, call, NULL, NULL,
                                       NULL);
    case 2:
        return tarn_batch_commit_async(ns, batch, TARN_BEST_EFFORT, hear, call, NULL, NULL, NULL);
    case 3:
        return tarn_sync_async(ns, hear, call);
    default:
        return tarn_set_async(ns, key, key, hear, call, NULL, NULL);
    }
}

static tarn_batch *batch_of_some(void)
{
    tarn_batch *batch = NULL;
    char room[NUMBERED_KEY_ROOM];

    if (tarn_batch_create(&batch))
        abort();
    for (unsigned i = 0; i < 10; i++)
        if (tarn_batch_set(batch, numbered_key(room, i * 7), text("from a batch")))
            abort();
    return batch;
}

static void write_async(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct author *author = &shared->authors[worker->index];
    tarn_batch *batch = batch_of_some();

    while (may_write(worker, author)) {
        tarn_status status = write_once(shared->fixture->ns, worker, author, batch);

        author->made += status == TARN_OK;
        if (status && status != TARN_KEY_NOT_FOUND)
            contest_fail(worker, "an asynchronous write: %s", tarn_status_name(status));
    }
    tarn_batch_free(batch);
}

static void dispatch(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct pollfd descriptor = {.events = POLLIN};

    CONTEST_OK(worker, tarn_events_descriptor(shared->fixture->store, &descriptor.fd));
    while (contest_goes_on(worker)) {
        (void)poll(&descriptor, 1, 1);
        CONTEST_OK(worker, tarn_events_dispatch(shared->fixture->store,
                                                random_below(&worker->random, 50), NULL));
    }
}

static void clear_and_sync(struct worker *worker)
{
    struct shared *shared = worker->context;

    while (contest_goes_on(worker)) {
        CONTEST_OK(worker, tarn_namespace_clear(shared->fixture->ns));
        CONTEST_OK(worker, tarn_set(shared->fixture->ns, text("k"), text("v"), NULL, NULL));
        usleep((useconds_t)random_below(&worker->random, 5000));
        CONTEST_OK(worker, tarn_sync(shared->fixture->ns));
    }
}

/* Makes a namespace, writes, and drops it again with what is outstanding. */
static void come_and_go(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct author *author = &shared->authors[AUTHORS];

    while (may_write(worker, author)) {
        uint64_t count = random_below(&worker->random, 50);
        tarn_namespace *ns = NULL;

        CONTEST_OK(worker, fixture_backend->create(shared->fixture->store, text("s"), NULL, &ns));
        for (uint64_t i = 0; i < count && author->made < CALLS_MAX; i++) {
            CONTEST_OK(worker, tarn_set_async(ns, text("k"), text("v"), hear, next_call(author),
                                              NULL, NULL));
            author->made++;
        }
        CONTEST_OK(worker, tarn_namespace_drop(shared->fixture->store, text("s")));
        tarn_namespace_close(ns);
    }
}

static void expect_heard(struct author *author)
{
    expect_number(author->made, atomic_load(&author->heard));
    expect_that(!atomic_load(&author->wrong));
}

static void each_is_told_once_and_in_order(void **state)
{
    struct shared *shared = calloc(1, sizeof *shared);
    struct contest contest = {0};

    assert_non_null(shared);
    shared->fixture = *state;
    contest_add(&contest, AUTHORS, write_async, shared, 1);
    contest_add(&contest, 2, dispatch, shared, 2);
    contest_add(&contest, 1, clear_and_sync, shared, 3);
    contest_add(&contest, 1, come_and_go, shared, 4);
    contest_begin(&contest);
    contest_run_for(&contest, (unsigned)scaled(1500));
    contest_end(&contest);
    for (unsigned i = 0; i < AUTHORS; i++)
        expect_that(shared->authors[i].made > 100);
    expect_ok(tarn_sync(shared->fixture->ns));
    expect_ok(tarn_events_dispatch(shared->fixture->store, 0, NULL));
    for (unsigned i = 0; i <= AUTHORS; i++)
        expect_heard(&shared->authors[i]);
    free(shared);
}

/* ------------------------------------------------------------------------------------------
 * The end of a store
 */

static void write_until_closed(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct author *author = &shared->authors[worker->index];
    tarn_status status = TARN_OK;

    while (!status && author->made < CALLS_MAX) {
        status = tarn_set_async(shared->fixture->ns, text("k"), text("v"), hear, next_call(author),
                                NULL, NULL);
        author->made += status == TARN_OK;
    }
    CONTEST_CHECK(worker, status == TARN_CLOSED || author->made == CALLS_MAX,
                  "expected TARN_CLOSED, got %s", tarn_status_name(status));
}

static void hear_slowly(void *context, tarn_status status)
{
    struct shared *shared = ((void **)context)[0];

    atomic_store(&shared->dispatching, true);
    usleep(500);
    hear(((void **)context)[1], status);
}

/* One call, in the middle of which the store is closed. */
static void dispatch_once(struct worker *worker)
{
    struct shared *shared = worker->context;

    CONTEST_OK(worker, tarn_events_dispatch(shared->fixture->store, 0, NULL));
}

static void a_close_tells_what_is_outstanding(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned life = 0; life < LIVES; life++) {
        struct shared *shared = calloc(1, sizeof *shared);
        struct author *slow = &shared->authors[AUTHORS];
        struct contest contest = {0};
        void *contexts[10][2];

        assert_non_null(shared);
        shared->fixture = fixture;
        for (unsigned i = 0; i < 10; i++, slow->made++) {
            contexts[i][0] = shared;
            contexts[i][1] = next_call(slow);
            expect_ok(tarn_set_async(fixture->ns, text("s"), text("v"), hear_slowly, contexts[i],
                                     NULL, NULL));
        }
        expect_ok(tarn_sync(fixture->ns));
        contest_add(&contest, AUTHORS, write_until_closed, shared, life + 1);
        contest_add(&contest, 1, dispatch_once, shared, life + 1);
        contest_begin(&contest);
        while (!atomic_load(&shared->dispatching))
            sched_yield();
        expect_ok(tarn_close(fixture->store));
        contest_join(&contest, 0, AUTHORS + 1);
        contest_end(&contest);
        for (unsigned i = 0; i <= AUTHORS; i++)
            expect_heard(&shared->authors[i]);
        tarn_namespace_close(fixture->ns);
        expect_ok(fixture_backend->open(NULL, &fixture->store));
        expect_ok(fixture_backend->create(fixture->store, text("test"), NULL, &fixture->ns));
        free(shared);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_is_told_once_and_in_order, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_close_tells_what_is_outstanding, fixture_setup,
                                        fixture_teardown),
    };
    int failed = 0;

    for (size_t i = 0; i < fixture_backend_count; i++) {
        fixture_backend = &fixture_backends[i];
        failed += cmocka_run_group_tests_name(fixture_backend->name, tests, NULL, NULL);
    }
    return failed;
}
