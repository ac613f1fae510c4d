/*
 * Readers, cursors and pins while everything else goes on: resizing, growth, overwriting, clearing,
 * dropping and closing. TARN_TEST_SCALE makes each test longer.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "support/concurrency.h"
#include "support/fixture.h"

enum { STEADY = 2000, VALUE_ROOM = 8192, SPREAD = 3000 };

struct shared {
    struct fixture *fixture;
    tarn_namespace *ns;
    atomic_uint_least64_t written; /* the highest number that was written and acknowledged */
    atomic_uint_least64_t seen;
};

static void resize(struct worker *worker)
{
    struct shared *shared = worker->context;

    while (contest_goes_on(worker)) {
        uint32_t most = random_below(&worker->random, 3) ? 20 : TARN_SHARDS_MAX;

        CONTEST_OK(worker, tarn_namespace_resize(
                               shared->ns, 1 + (uint32_t)random_below(&worker->random, most)));
    }
}

/* The keys below STEADY are always there and whole. */
static void read_steady(struct worker *worker)
{
    struct shared *shared = worker->context;
    char room[NUMBERED_KEY_ROOM];
    struct tarn_buf buf = {0};

    while (contest_goes_on(worker)) {
        uint64_t key = random_below(&worker->random, STEADY), number;

        CONTEST_OK(worker, tarn_get(shared->ns, numbered_key(room, key), &buf, NULL));
        CONTEST_CHECK(worker, checked_value_read(held(&buf), &number) && number % STEADY == key,
                      "expected a whole value of key %" PRIu64 ", got %zu other bytes", key,
                      buf.length);
        atomic_fetch_add(&shared->seen, 1);
    }
    tarn_buf_release(&buf);
}

/* Overwrites the keys of one writer, and reads back at once what it wrote. */
static void overwrite_steady(struct worker *worker)
{
    struct shared *shared = worker->context;
    unsigned char value[VALUE_ROOM];
    char room[NUMBERED_KEY_ROOM];
    struct tarn_buf buf = {0};

    for (uint64_t i = 0; contest_goes_on(worker); i++) {
        uint64_t key = 2 * random_below(&worker->random, STEADY / 2) + worker->index % 2;
        struct tarn_slice wanted = checked_value(value, i * STEADY + key, SPREAD);

        CONTEST_OK(worker, tarn_update(shared->ns, numbered_key(room, key), wanted, NULL));
        CONTEST_OK(worker, tarn_get(shared->ns, numbered_key(room, key), &buf, NULL));
        CONTEST_CHECK(worker,
                      buf.length == wanted.length &&
                          memcmp(buf.data, wanted.data, wanted.length) == 0,
                      "expected to read back what was written to key %" PRIu64, key);
    }
    tarn_buf_release(&buf);
}

/* Inserts and deletes keys of its own above the steady ones, in waves. */
static void come_and_go(struct worker *worker)
{
    struct shared *shared = worker->context;
    uint64_t first = (worker->index + 1) * 1000000;
    char room[NUMBERED_KEY_ROOM];

    while (contest_goes_on(worker)) {
        uint64_t count = 1 + random_below(&worker->random, 3000);

        for (uint64_t i = 0; i < count; i++)
            CONTEST_OK(worker, tarn_insert(shared->ns, numbered_key(room, first + i), text("v")));
        for (uint64_t i = 0; i < count; i++)
            CONTEST_OK(worker, tarn_delete(shared->ns, numbered_key(room, first + i)));
    }
}

static void walk_steady(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct tarn_slice key, value;

    while (contest_goes_on(worker)) {
        unsigned char seen[STEADY] = {0};
        tarn_cursor *cursor = NULL;
        tarn_status status;

        CONTEST_OK(worker, tarn_cursor_open(shared->ns, NULL, &cursor));
        while ((status = tarn_cursor_next(cursor, &key, &value, NULL)) == TARN_OK) {
            uint64_t number;

            if (value.length == 1) /* of come_and_go() */
                continue;
            CONTEST_CHECK(worker, checked_value_read(value, &number),
                          "expected a whole value from the cursor");
            seen[number % STEADY]++;
        }
        tarn_cursor_close(cursor);
        CONTEST_CHECK(worker, status == TARN_CURSOR_END, "expected TARN_CURSOR_END, got %s",
                      tarn_status_name(status));
        for (unsigned i = 0; i < STEADY; i++)
            CONTEST_CHECK(worker, seen[i] == 1,
                          "expected key-%u once from the cursor, got it %u "
                          "times",
                          i, seen[i]);
        atomic_fetch_add(&shared->seen, 1);
    }
}

/* Pins values, holds some of them for a while, and looks whether they are as they were. */
static void hold_pins(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct tarn_pin pins[16] = {{{NULL, 0}, {0, TARN_CONTENT_BYTES}, {NULL, NULL}}};
    uint64_t numbers[16] = {0};
    char room[NUMBERED_KEY_ROOM];

    while (contest_goes_on(worker)) {
        uint64_t i = random_below(&worker->random, 16), number;

        if (pins[i].held[0] || pins[i].value.data) {
            CONTEST_CHECK(worker,
                          checked_value_read(pins[i].value, &number) && number == numbers[i],
                          "expected a pinned value to stay number %" PRIu64, numbers[i]);
            tarn_unpin(&pins[i]);
            atomic_fetch_add(&shared->seen, 1);
        } else {
            uint64_t key = random_below(&worker->random, STEADY);
            tarn_status status = tarn_get_pinned(shared->ns, numbered_key(room, key), &pins[i]);

            if (status == TARN_KEY_NOT_FOUND)
                continue;
            CONTEST_OK(worker, status);
            CONTEST_CHECK(worker, checked_value_read(pins[i].value, &numbers[i]),
                          "expected a whole pinned value");
        }
    }
    for (unsigned i = 0; i < 16; i++)
        tarn_unpin(&pins[i]);
}

static void insert_steady(tarn_namespace *ns)
{
    unsigned char value[VALUE_ROOM];
    char room[NUMBERED_KEY_ROOM];

    for (uint64_t i = 0; i < STEADY; i++)
        expect_ok(tarn_set(ns, numbered_key(room, i), checked_value(value, i, SPREAD), NULL, NULL));
}

static struct shared start_with_steady(void **state)
{
    struct fixture *fixture = *state;
    struct shared shared = {.fixture = fixture, .ns = fixture->ns};

    insert_steady(fixture->ns);
    return shared;
}

static void expect_steady(tarn_namespace *ns)
{
    char room[NUMBERED_KEY_ROOM];

    for (uint64_t i = 0; i < STEADY; i++)
        expect_ok(tarn_exists(ns, numbered_key(room, i)));
    expect_that(fixture_state_of(ns).keys >= STEADY);
}

static void test_resize_while_readers_and_writers_go_on(void **state)
{
    struct shared shared = start_with_steady(state);
    struct contest contest = {.count = 0};

    contest_add(&contest, 2, overwrite_steady, &shared, 1);
    contest_add(&contest, 1, resize, &shared, 1);
    contest_add(&contest, 1, read_steady, &shared, 1);
    contest_add(&contest, 1, come_and_go, &shared, 1);
    contest_run_for(&contest, (unsigned)scaled(700));
    expect_that(atomic_load(&shared.seen) > 0);
    expect_steady(shared.ns);
}

static void test_cursors_while_it_grows_and_is_resized(void **state)
{
    struct shared shared = start_with_steady(state);
    struct contest contest = {.count = 0};

    contest_add(&contest, 2, walk_steady, &shared, 1);
    contest_add(&contest, 2, come_and_go, &shared, 1);
    contest_add(&contest, 1, resize, &shared, 1);
    contest_add(&contest, 1, overwrite_steady, &shared, 1);
    contest_run_for(&contest, (unsigned)scaled(700));
    expect_that(atomic_load(&shared.seen) > 0);
    expect_steady(shared.ns);
}

/* ---- One hot key ---- */

static void write_hot(struct worker *worker)
{
    struct shared *shared = worker->context;
    unsigned char value[VALUE_ROOM];

    for (uint64_t number = 1; contest_goes_on(worker); number++) {
        CONTEST_OK(worker, tarn_set(shared->ns, text("hot"), checked_value(value, number, SPREAD),
                                    NULL, NULL));
        atomic_store(&shared->written, number);
    }
}

/* Values are whole, never go back, and are no older than what was acknowledged before the read. */
static void read_hot(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct tarn_buf buf = {0};
    uint64_t last = 0, number = 0;

    while (contest_goes_on(worker)) {
        uint64_t written = atomic_load(&shared->written);
        tarn_status status = tarn_get(shared->ns, text("hot"), &buf, NULL);

        if (status == TARN_KEY_NOT_FOUND && written == 0)
            continue;
        CONTEST_OK(worker, status);
        CONTEST_CHECK(worker, checked_value_read(held(&buf), &number), "expected a whole value");
        CONTEST_CHECK(worker, number >= last && number >= written,
                      "expected number %" PRIu64 " or later, got %" PRIu64,
                      last > written ? last : written, number);
        last = number;
        atomic_fetch_add(&shared->seen, 1);
    }
    tarn_buf_release(&buf);
}

static void test_readers_of_a_hot_key(void **state)
{
    struct fixture *fixture = *state;
    struct shared shared = {.fixture = fixture, .ns = fixture->ns};
    struct contest contest = {.count = 0};

    contest_add(&contest, 1, write_hot, &shared, 1);
    contest_add(&contest, 3, read_hot, &shared, 1);
    contest_run_for(&contest, (unsigned)scaled(500));
    expect_that(atomic_load(&shared.seen) > 0);
    expect_that(atomic_load(&shared.written) > 0);
}

/* ---- Clearing, with pins held across it ---- */

static void clear_and_fill(struct worker *worker)
{
    struct shared *shared = worker->context;
    unsigned char value[VALUE_ROOM];
    char room[NUMBERED_KEY_ROOM];

    for (uint64_t round = 1; contest_goes_on(worker); round++) {
        for (uint64_t i = 0; i < 300; i++)
            CONTEST_OK(worker,
                       tarn_set(shared->ns, numbered_key(room, i),
                                checked_value(value, round * STEADY + i, SPREAD), NULL, NULL));
        CONTEST_OK(worker, tarn_namespace_clear(shared->ns));
    }
}

/* A key is whole, or it is not there. */
static void read_what_comes(struct worker *worker)
{
    struct shared *shared = worker->context;
    char room[NUMBERED_KEY_ROOM];
    struct tarn_buf buf = {0};

    while (contest_goes_on(worker)) {
        uint64_t key = random_below(&worker->random, 300), number;
        tarn_status status = tarn_get(shared->ns, numbered_key(room, key), &buf, NULL);

        atomic_fetch_add(&shared->seen, 1);
        if (status == TARN_KEY_NOT_FOUND)
            continue;
        if (status == TARN_NAMESPACE_DROPPED || status == TARN_CLOSED) {
            CONTEST_CHECK(worker, atomic_load(&shared->written) != 0,
                          "expected the namespace to be there, got %s", tarn_status_name(status));
            break;
        }
        CONTEST_OK(worker, status);
        CONTEST_CHECK(worker, checked_value_read(held(&buf), &number) && number % STEADY == key,
                      "expected a whole value of key %" PRIu64, key);
    }
    tarn_buf_release(&buf);
}

static void test_clear_while_reading(void **state)
{
    struct fixture *fixture = *state;
    struct shared shared = {.fixture = fixture, .ns = fixture->ns};
    struct contest contest = {.count = 0};

    contest_add(&contest, 1, clear_and_fill, &shared, 1);
    contest_add(&contest, 2, read_what_comes, &shared, 1);
    contest_add(&contest, 1, hold_pins, &shared, 1);
    contest_add(&contest, 1, resize, &shared, 1);
    contest_run_for(&contest, (unsigned)scaled(700));
    expect_that(atomic_load(&shared.seen) > 0);
}

static void test_pins_across_everything(void **state)
{
    struct shared shared = start_with_steady(state);
    struct contest contest = {.count = 0};

    contest_add(&contest, 2, hold_pins, &shared, 1);
    contest_add(&contest, 2, overwrite_steady, &shared, 1);
    contest_add(&contest, 1, come_and_go, &shared, 1);
    contest_add(&contest, 1, resize, &shared, 1);
    contest_run_for(&contest, (unsigned)scaled(700));
    expect_that(atomic_load(&shared.seen) > 0);
    expect_steady(shared.ns);
}

/* ---- Dropping and closing under the readers ---- */

/* Writes until the namespace is gone. */
static void write_until_gone(struct worker *worker)
{
    struct shared *shared = worker->context;
    unsigned char value[VALUE_ROOM];
    char room[NUMBERED_KEY_ROOM];

    for (uint64_t i = 0; contest_goes_on(worker); i++) {
        tarn_status status =
            tarn_set(shared->ns, numbered_key(room, i % 300),
                     checked_value(value, (i / 300) * STEADY + i % 300, SPREAD), NULL, NULL);

        if (status == TARN_NAMESPACE_DROPPED || status == TARN_CLOSED) {
            CONTEST_CHECK(worker, atomic_load(&shared->written) != 0,
                          "expected the namespace to be there, got %s", tarn_status_name(status));
            return;
        }
        CONTEST_OK(worker, status);
    }
}

/* shared->written tells the workers that the end may come. */
static void run_until_gone(struct fixture *fixture, bool close)
{
    struct shared shared = {.fixture = fixture, .ns = fixture->ns};
    struct contest contest = {.count = 0};
    unsigned char value[VALUE_ROOM];
    char room[NUMBERED_KEY_ROOM];
    uint64_t wanted;
    tarn_status status;

    for (uint64_t i = 0; i < 300; i++)
        expect_ok(tarn_set(fixture->ns, numbered_key(room, i), checked_value(value, i, SPREAD),
                           NULL, NULL));
    contest_add(&contest, 2, read_what_comes, &shared, 1);
    contest_add(&contest, 2, write_until_gone, &shared, 1);
    contest_begin(&contest);
    wanted = atomic_load(&shared.seen) + 200;
    while (atomic_load(&shared.seen) < wanted && !atomic_load(&contest.stop))
        sched_yield();
    atomic_store(&shared.written, 1);
    status = close ? tarn_close(fixture->store) : tarn_namespace_drop(fixture->store, text("test"));
    if (close && status == TARN_OK)
        fixture->store = NULL;
    contest_join(&contest, 0, 4);
    contest_end(&contest);
    expect_status(TARN_OK, status);
    expect_status(close ? TARN_CLOSED : TARN_NAMESPACE_DROPPED,
                  tarn_get(fixture->ns, numbered_key(room, 1), NULL, NULL));
}

static void test_drop_while_reading(void **state)
{
    struct fixture *fixture = *state;

    for (uint64_t round = 0; round < scaled(30); round++) {
        run_until_gone(fixture, false);
        tarn_namespace_close(fixture->ns);
        fixture->ns = NULL;
        expect_ok(fixture_backend->create(fixture->store, text("test"), NULL, &fixture->ns));
    }
}

static void test_close_while_reading(void **state)
{
    struct fixture *fixture = *state;

    for (uint64_t round = 0; round < scaled(30); round++) {
        run_until_gone(fixture, true);
        tarn_namespace_close(fixture->ns);
        fixture->ns = NULL;
        expect_ok(fixture_backend->open(NULL, &fixture->store));
        expect_ok(fixture_backend->create(fixture->store, text("test"), NULL, &fixture->ns));
    }
}

int main(void)
{
#define THREADS_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        THREADS_TEST(test_resize_while_readers_and_writers_go_on),
        THREADS_TEST(test_cursors_while_it_grows_and_is_resized),
        THREADS_TEST(test_readers_of_a_hot_key),
        THREADS_TEST(test_clear_while_reading),
        THREADS_TEST(test_pins_across_everything),
        THREADS_TEST(test_drop_while_reading),
        THREADS_TEST(test_close_while_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
