/*
 * Compaction of namespaces in logs: space comes back, by itself and when it is asked for; nothing
 * is lost, and nothing that was deleted comes back, while threads read and write, snapshots and
 * pins are held, the log is cleared, the process is killed, a file is damaged. (Numbers 22, 23, 25
 * and 27 of the list of faults, and KvStore's mistake of a wrong value after a compaction.)
 */
#include "support/concurrency.h"
#include "support/store_folder.h"

#include <glob.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYS          2000
#define SEGMENT_BYTES 65536

static tarn_namespace *make_log(struct store_folder *f)
{
    return store_folder_create(f, "log",
                               NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG, .sync = TARN_SYNC_NONE,
                                                 .segment_bytes = SEGMENT_BYTES));
}

/* Waits for the compactions in the background. */
static void expect_soon_below(tarn_namespace *ns, uint64_t stale_bytes, unsigned percent)
{
    struct tarn_stats stats = {0};

    for (unsigned looks = 0; looks < 30000; looks++) {
        stats = store_folder_stats(ns);
        if (stats.stale_bytes < stale_bytes || stats.stale_bytes * 100 < stats.log_bytes * percent)
            return;
        usleep(1000);
    }
    print_error("%llu of %llu bytes are stale\n", (unsigned long long)stats.stale_bytes,
                (unsigned long long)stats.log_bytes);
    fail();
}

/* ------------------------------------------------------------------------------------------
 * Space
 */

static void test_what_is_asked_for(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f);
    struct tarn_stats stats;

    put_numbers(ns, 0, KEYS, 1);
    put_numbers(ns, 0, KEYS / 2, 2);
    remove_numbers(ns, KEYS / 2, KEYS / 2 + 300);
    expect_ok(tarn_compact(ns, NULL));
    stats = store_folder_stats(ns);
    expect_number(0, stats.stale_bytes);
    expect_that(stats.log_bytes < stats.bytes + 20 * stats.keys);
    for (unsigned round = 0; round < 3; round++) {
        char key[NUMBERED_KEY_ROOM];

        expect_numbers(ns, 0, KEYS / 2, 2);
        expect_numbers(ns, KEYS / 2 + 300, KEYS, 1);
        expect_absent(ns, numbered_key(key, KEYS / 2));
        expect_number(KEYS - 300, store_folder_stats(ns).keys);
        /* what is written next is read as it was written, and nothing else is */
        put_numbers(ns, 10000, 10003, round);
        expect_numbers(ns, 10000, 10003, round);
        remove_numbers(ns, 10000, 10003);
        tarn_namespace_close(ns);
        store_folder_reopen(f, NULL);
        ns = store_folder_namespace(f, "log");
    }
    tarn_namespace_close(ns);
}

static void test_nothing_is_left_of_nothing(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f);

    expect_ok(tarn_compact(ns, NULL)); /* there is nothing to do */
    put_numbers(ns, 0, KEYS, 1);
    remove_numbers(ns, 0, KEYS);
    expect_ok(tarn_compact(ns, NULL));
    expect_number(0, store_folder_stats(ns).log_bytes);
    expect_that(store_folder_stats(ns).disk_bytes <= 2 * SEGMENT_BYTES);
    tarn_namespace_close(ns);
    store_folder_reopen(f, NULL);
    ns = store_folder_namespace(f, "log");
    expect_number(0, store_folder_stats(ns).keys);
    tarn_namespace_close(ns);
}

/* Of the last compaction in the background. */
static void note_event(void *context, const struct tarn_event *event)
{
    if (event->kind == TARN_EVENT_COMPACTION_DONE)
        atomic_fetch_add((_Atomic uint64_t *)context, event->bytes);
}

static void test_by_itself(void **state)
{
    struct store_folder *f = *state;
    _Atomic uint64_t freed = 0;
    tarn_namespace *ns;

    store_folder_reopen(f, STORE_OPTIONS(.on_event = note_event, .event_context = &freed));
    ns = make_log(f);
    for (unsigned round = 0; round < 40; round++)
        put_numbers(ns, 0, KEYS, round);
    for (unsigned looks = 0; looks < 30000 && !freed; looks++)
        usleep(1000);
    expect_that(freed > 0);
    expect_soon_below(ns, UINT64_C(1) << 20, 20);
    expect_numbers(ns, 0, KEYS, 39);
    /* it can be made to come earlier */
    expect_ok(tarn_namespace_configure(
        ns, TARN_SET_COMPACTION, NAMESPACE_OPTIONS(.compact_bytes = 1, .compact_percent = 1)));
    put_numbers(ns, 0, KEYS, 40);
    expect_soon_below(ns, 2 * SEGMENT_BYTES, 1);
    tarn_namespace_close(ns);
    store_folder_reopen(f, NULL);
    ns = store_folder_namespace(f, "log");
    expect_numbers(ns, 0, KEYS, 40);
    expect_number(1, store_folder_stats(ns).options.compact_bytes);
    expect_number(1, store_folder_stats(ns).options.compact_percent);
    tarn_namespace_close(ns);
}

/* Everything that comes in is taken out again: what is kept of that does not grow. */
static void test_a_queue_does_not_grow(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f);
    uint64_t rounds = scaled(60);
    char key[NUMBERED_KEY_ROOM];

    expect_ok(tarn_namespace_configure(ns, TARN_SET_COMPACTION,
                                       NAMESPACE_OPTIONS(.compact_bytes = SEGMENT_BYTES)));
    for (uint64_t round = 0; round < rounds; round++) {
        unsigned looks = 0;

        put_numbers(ns, 0, KEYS, (unsigned)round);
        for (unsigned i = 0; i < KEYS; i++)
            expect_ok(tarn_consume(ns, numbered_key(key, i), &f->buf));
        while (store_folder_stats(ns).disk_bytes > 16 * SEGMENT_BYTES && looks++ < 30000)
            usleep(1000);
        expect_that(looks < 30000);
    }
    expect_number(0, store_folder_stats(ns).keys);
    tarn_namespace_close(ns);
}

static bool stop_at(void *context, uint64_t done, uint64_t total)
{
    unsigned *calls = context;

    expect_that(done <= total);
    return *calls && --*calls;
}

static void test_progress_and_cancelling(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f);
    unsigned calls = 3;
    struct tarn_compact_options options = {
        .size = sizeof options, .progress = stop_at, .context = &calls};
    struct fixture_state before;

    put_numbers(ns, 0, KEYS, 1);
    expect_ok(tarn_namespace_configure(ns, TARN_SET_COMPACTION,
                                       NAMESPACE_OPTIONS(.compact_percent = 100)));
    for (unsigned round = 2; round < 8; round++)
        put_numbers(ns, 0, KEYS / 2, round);
    before = fixture_state_of(ns);
    expect_status(TARN_CANCELLED, tarn_compact(ns, &options));
    expect_that(store_folder_stats(ns).stale_bytes > 0);
    expect_same_state(before, ns);
    calls = 1000000;
    expect_ok(tarn_compact(ns, &options));
    expect_number(0, store_folder_stats(ns).stale_bytes);
    expect_same_state(before, ns);
    options.size--;
    expect_status(TARN_INVALID_ARGUMENT, tarn_compact(ns, &options));
    expect_status(TARN_INVALID_ARGUMENT, tarn_compact(NULL, NULL));
    expect_ok(tarn_compact(f->ns, NULL)); /* in memory there is nothing to do */
    tarn_namespace_close(ns);
    store_folder_reopen(f, STORE_OPTIONS(.read_only = true));
    ns = store_folder_namespace(f, "log");
    expect_status(TARN_READ_ONLY, tarn_compact(ns, NULL));
    tarn_namespace_close(ns);
}

/* ------------------------------------------------------------------------------------------
 * What is held meanwhile
 */

static void test_pins_stay_readable(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f);
    char key[NUMBERED_KEY_ROOM];
    struct tarn_pin pins[20];

    put_numbers(ns, 0, KEYS, 1);
    for (unsigned i = 0; i < 20; i++)
        expect_ok(tarn_get_pinned(ns, numbered_key(key, i * 97), &pins[i]));
    put_numbers(ns, 0, KEYS, 2);
    expect_ok(tarn_compact(ns, NULL));
    expect_ok(tarn_compact(ns, NULL));
    for (unsigned i = 0; i < 20; i++) {
        char value[64];
        int length = snprintf(value, sizeof value, "value %u of round %u", i * 97, 1);

        expect_bytes(tarn_slice_of(value, (size_t)length), pins[i].value);
        expect_status(TARN_BUSY, tarn_namespace_drop(f->store, text("log")));
        tarn_unpin(&pins[i]);
    }
    expect_numbers(ns, 0, KEYS, 2);
    expect_ok(tarn_namespace_drop(f->store, text("log")));
    tarn_namespace_close(ns);
}

static void test_damage_stays_where_it_is(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f);
    char key[NUMBERED_KEY_ROOM];
    unsigned damaged = 0;
    glob_t segments;
    FILE *file;

    put_numbers(ns, 0, KEYS, 1);
    put_numbers(ns, KEYS / 2, KEYS, 2);
    expect_that(glob(path_of(f, "namespaces/*/*.segment"), 0, NULL, &segments) == 0);
    file = fopen(segments.gl_pathv[0], "r+b"); /* by name: the first one */
    expect_that(file && fseek(file, 2000, SEEK_SET) == 0 && fputs("##", file) >= 0);
    expect_that(fclose(file) == 0);
    expect_status(TARN_CORRUPT, tarn_compact(ns, NULL));
    expect_error_names(TARN_CORRUPT, strrchr(segments.gl_pathv[0], '/') + 1);
    globfree(&segments);
    expect_ok(tarn_compact(ns, NULL)); /* it is known now, and left alone */
    for (unsigned i = 0; i < KEYS; i++)
        damaged += tarn_get(ns, numbered_key(key, i), &f->buf, NULL) == TARN_CORRUPT;
    expect_number(1, damaged);
    tarn_namespace_close(ns);
}

/* ------------------------------------------------------------------------------------------
 * Threads
 */

enum { SHARED_KEYS = 500 };

struct shared {
    tarn_store *store;
    tarn_namespace *ns;
    _Atomic uint64_t compactions, clears;
};

/* Values tell whether they are whole, and of which key they are. */
static void write_and_remove(struct worker *worker)
{
    struct shared *shared = worker->context;
    unsigned char room[200];

    while (contest_goes_on(worker)) {
        uint64_t number = random_below(&worker->random, SHARED_KEYS);
        char name[NUMBERED_KEY_ROOM];
        struct tarn_slice key = numbered_key(name, (unsigned)number);

        if (random_below(&worker->random, 4)) {
            CONTEST_OK(worker,
                       tarn_set(shared->ns, key, checked_value(room, number, 150), NULL, NULL));
        } else {
            tarn_status status = tarn_delete(shared->ns, key);

            CONTEST_CHECK(worker, status == TARN_OK || status == TARN_KEY_NOT_FOUND,
                          "a delete gave %s", tarn_status_name(status));
        }
    }
}

static void read_all(struct worker *worker)
{
    struct shared *shared = worker->context;
    struct tarn_buf buf = {0};

    while (contest_goes_on(worker)) {
        uint64_t wanted = random_below(&worker->random, SHARED_KEYS), number;
        char name[NUMBERED_KEY_ROOM];
        tarn_status status = tarn_get(shared->ns, numbered_key(name, (unsigned)wanted), &buf, NULL);

        if (status != TARN_KEY_NOT_FOUND &&
            (status || !checked_value_read(tarn_slice_of(buf.data, buf.length), &number) ||
             number != wanted)) {
            contest_fail(worker, "a get gave %s, or another value", tarn_status_name(status));
            break;
        }
    }
    tarn_buf_release(&buf);
}

static void compact_on(struct worker *worker)
{
    struct shared *shared = worker->context;

    while (contest_goes_on(worker)) {
        CONTEST_OK(worker, tarn_compact(shared->ns, NULL));
        atomic_fetch_add(&shared->compactions, 1);
    }
}

static void save_on(struct worker *worker)
{
    struct shared *shared = worker->context;

    while (contest_goes_on(worker)) {
        CONTEST_OK(worker, tarn_snapshot_save_namespace(shared->ns, text("save"), NULL));
        if (random_below(&worker->random, 4) == 0)
            CONTEST_OK(worker, tarn_namespace_resize(
                                   shared->ns, 1 + (uint32_t)random_below(&worker->random, 40)));
    }
}

static void clear_on(struct worker *worker)
{
    struct shared *shared = worker->context;

    while (contest_goes_on(worker)) {
        CONTEST_OK(worker, tarn_namespace_clear(shared->ns));
        usleep(20000);
        atomic_fetch_add(&shared->clears, 1);
    }
}

static void run_threads(struct store_folder *f, bool with_clears)
{
    struct contest contest = {0};
    struct shared shared = {.store = f->store, .ns = make_log(f)};
    struct fixture_state before;

    expect_ok(tarn_namespace_configure(
        shared.ns, TARN_SET_COMPACTION,
        NAMESPACE_OPTIONS(.compact_bytes = SEGMENT_BYTES, .compact_percent = 10)));
    contest_add(&contest, 2, write_and_remove, &shared, environment_number("TARN_SEED", 1));
    contest_add(&contest, 2, read_all, &shared, 7);
    contest_add(&contest, 1, compact_on, &shared, 8);
    contest_add(&contest, 1, with_clears ? clear_on : save_on, &shared, 9);
    contest_begin(&contest);
    contest_run_for(&contest, (unsigned)scaled(2000));
    contest_end(&contest);
    expect_that(shared.compactions > 0);
    expect_that(!with_clears || shared.clears > 0);
    before = fixture_state_of(shared.ns);
    tarn_namespace_close(shared.ns);
    store_folder_reopen(f, NULL);
    shared.ns = store_folder_namespace(f, "log");
    expect_same_content(before, shared.ns);
    tarn_namespace_close(shared.ns);
}

static void test_readers_and_writers_go_on(void **state)
{
    run_threads(*state, false);
}

static void test_clears_meanwhile(void **state)
{
    run_threads(*state, true);
}

/* ------------------------------------------------------------------------------------------
 * Kills
 */

/* Sets and deletes in turn, and tells in shared memory what was acknowledged. */
static void write_until_killed(const char *path, _Atomic uint64_t *acknowledged)
{
    uint64_t number = atomic_load(acknowledged);
    char key[NUMBERED_KEY_ROOM];
    struct tarn_store *store;
    tarn_namespace *ns;

    if (tarn_open(path, NULL, &store) || tarn_namespace_open(store, text("log"), &ns))
        _exit(1);
    for (;; atomic_store(acknowledged, ++number)) {
        struct tarn_slice name = numbered_key(key, number % 1000);
        tarn_status status =
            number % 7 == 3 ? tarn_delete(ns, name)
                            : tarn_set(ns, name, tarn_slice_of(&number, sizeof number), NULL, NULL);

        if (status && status != TARN_KEY_NOT_FOUND)
            _exit(2);
    }
}

/* What the last write of each key has left; the one that was under way may be there. */
static void expect_acknowledged(tarn_namespace *ns, uint64_t acknowledged, struct tarn_buf *buf)
{
    char key[NUMBERED_KEY_ROOM];

    for (uint64_t i = acknowledged > 1000 ? acknowledged - 1000 : 0; i < acknowledged; i++) {
        tarn_status status = tarn_get(ns, numbered_key(key, i % 1000), buf, NULL);
        uint64_t number = 0;

        if (i + 1000 == acknowledged)
            continue; /* the key of the one that was under way */
        if (i % 7 == 3) {
            expect_status(TARN_KEY_NOT_FOUND, status);
            continue;
        }
        expect_ok(status);
        memcpy(&number, buf->data, buf->length < sizeof number ? buf->length : sizeof number);
        expect_number(i, number);
    }
}

static void test_kills(void **state)
{
    struct store_folder *f = *state;
    _Atomic uint64_t *acknowledged =
        mmap(NULL, sizeof *acknowledged, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t random = environment_number("TARN_SEED", 1), rounds = scaled(25);
    tarn_namespace *ns = make_log(f);

    expect_that(acknowledged != MAP_FAILED);
    expect_ok(tarn_namespace_configure(
        ns, TARN_SET_COMPACTION, NAMESPACE_OPTIONS(.compact_bytes = 1, .compact_percent = 5)));
    tarn_namespace_close(ns);
    for (uint64_t round = 0; round < rounds; round++) {
        pid_t child;
        int status;

        store_folder_close(f);
        child = fork();
        if (child == 0)
            write_until_killed(f->path, acknowledged);
        usleep((useconds_t)(20000 + random_below(&random, 100000)));
        kill(child, SIGKILL);
        expect_that(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        store_folder_open(f, NULL);
        ns = store_folder_namespace(f, "log");
        expect_acknowledged(ns, atomic_load(acknowledged), &f->buf);
        tarn_namespace_close(ns);
    }
    expect_that(atomic_load(acknowledged) > 1000);
    munmap(acknowledged, sizeof *acknowledged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_FOLDER_TEST(test_what_is_asked_for),
        STORE_FOLDER_TEST(test_nothing_is_left_of_nothing),
        STORE_FOLDER_TEST(test_by_itself),
        STORE_FOLDER_TEST(test_a_queue_does_not_grow),
        STORE_FOLDER_TEST(test_progress_and_cancelling),
        STORE_FOLDER_TEST(test_pins_stay_readable),
        STORE_FOLDER_TEST(test_damage_stays_where_it_is),
        STORE_FOLDER_TEST(test_readers_and_writers_go_on),
        STORE_FOLDER_TEST(test_clears_meanwhile),
        STORE_FOLDER_TEST(test_kills),
    };

    return cmocka_run_group_tests_name("compaction", tests, NULL, NULL);
}
