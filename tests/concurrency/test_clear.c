/*
 * Clearing while writers are in the middle of a write, and while the store closes.
 *
 * What a writer has prepared before it has its lock must neither be used after a clear nor be lost
 * by one; and a clear that meets the end of its namespace must not free anything twice, which the
 * address sanitizer would tell.
 */
#include <sched.h>

#include "support/concurrency.h"
#include "support/fixture.h"

enum { WRITERS = 3, KEYS = 200, ROUNDS = 100, LIVES = 40 };

struct shared {
    tarn_namespace *ns;
    atomic_bool cleared;
};

/* Sets its keys until the clear has returned, then all of them once more. */
static void set_across_a_clear(struct worker *worker)
{
    struct shared *shared = worker->context;
    char room[NUMBERED_KEY_ROOM];
    bool last = false;

    while (contest_goes_on(worker) && !last) {
        last = atomic_load(&shared->cleared);
        for (uint64_t i = 0; i < KEYS; i++) {
            struct tarn_slice key = numbered_key(room, worker->index * KEYS + i);

            CONTEST_OK(worker, tarn_set(shared->ns, key, key, NULL, NULL));
        }
    }
}

static void what_is_set_after_a_clear_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct tarn_namespace_options options = {.size = sizeof options, .shards = 1};

    fixture_renew_namespace(fixture, &options);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct shared shared = {.ns = fixture->ns};
        struct tarn_stats stats = {.size = sizeof stats};
        struct contest contest = {0};
        char room[NUMBERED_KEY_ROOM];

        contest_add(&contest, WRITERS, set_across_a_clear, &shared, round + 1);
        contest_begin(&contest);
        for (unsigned i = 0; i < round % 20; i++)
            sched_yield();
        expect_ok(tarn_namespace_clear(fixture->ns));
        atomic_store(&shared.cleared, true);
        contest_join(&contest, 0, WRITERS);
        contest_end(&contest);
        expect_ok(tarn_namespace_stats(fixture->ns, &stats, NULL, 0));
        expect_number(WRITERS * KEYS, stats.keys);
        for (uint64_t i = 0; i < WRITERS * KEYS; i++)
            expect_stored(fixture->ns, numbered_key(room, i), numbered_key(room, i));
    }
}

static void clear_until_the_end(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct tarn_slice key = text("key");
    tarn_status status = TARN_OK;

    while (status == TARN_OK) {
        status = tarn_set(shared->ns, key, key, NULL, NULL);
        if (status == TARN_OK)
            status = tarn_namespace_clear(shared->ns);
    }
    CONTEST_CHECK(worker, status == TARN_NAMESPACE_DROPPED || status == TARN_CLOSED,
                  "expected the namespace to end, got %s", tarn_status_name(status));
}

static void a_clear_meets_the_end(void **state)
{
    (void)state;
    for (unsigned life = 0; life < LIVES; life++) {
        struct contest contest = {0};
        struct shared shared;
        tarn_store *store;

        expect_ok(tarn_open(NULL, NULL, &store));
        expect_ok(tarn_namespace_create(store, text("short"), NULL, &shared.ns));
        contest_add(&contest, 2, clear_until_the_end, &shared, life + 1);
        contest_begin(&contest);
        for (unsigned i = 0; i < life * 10; i++)
            sched_yield();
        if (life % 2)
            expect_ok(tarn_namespace_drop(store, text("short")));
        expect_ok(tarn_close(store));
        contest_join(&contest, 0, 2);
        contest_end(&contest);
        tarn_namespace_close(shared.ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_set_after_a_clear_is_there, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test(a_clear_meets_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
