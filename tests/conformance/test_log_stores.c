/*
 * Stores with namespaces in a log: what comes back when they are opened again, after a close, a
 * kill, a clear, a drop and a load; what becomes of damaged and missing files. (Numbers 3, 8, 9,
 * 23, 28 and 36 of the list of faults, and KvStore's mistake of a wrong value after a reopening.)
 */
#include "support/store_folder.h"
#include "support/test_folder.h"

#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ON_LOG(...) NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG, __VA_ARGS__)

static tarn_namespace *make_log(struct store_folder *f, enum tarn_sync_mode sync)
{
    return store_folder_create(f, "log", ON_LOG(.sync = sync, .segment_bytes = 65536));
}

/* How many homes there are. */
static unsigned count_homes(const struct store_folder *f)
{
    DIR *folder = opendir(path_of(f, "namespaces"));
    unsigned count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count ? count - 2 : 0;
}

/* ------------------------------------------------------------------------------------------
 * What comes back
 */

static void test_all_comes_back(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f, TARN_SYNC_NONE);
    struct fixture_state before;
    char key[NUMBERED_KEY_ROOM];
    int64_t sum;

    put_numbers(ns, 0, 5000, 1);
    put_numbers(ns, 1000, 2000, 2);
    for (unsigned i = 3000; i < 4000; i++)
        expect_ok(tarn_delete(ns, numbered_key(key, i)));
    expect_ok(tarn_increment(ns, text("counter"), 42, &sum));
    for (unsigned round = 0; round < 3; round++) {
        before = fixture_state_of(ns);
        tarn_namespace_close(ns);
        store_folder_reopen(f, NULL);
        ns = store_folder_namespace(f, "log");
        expect_same_content(before, ns);
        expect_numbers(ns, 0, 1000, 1);
        expect_numbers(ns, 1000, 2000, 2);
        expect_absent(ns, numbered_key(key, 3500));
        /* the first write after an opening is read as it was written, and nothing else is */
        put_numbers(ns, 10000 + round, 10001 + round, 7);
        expect_numbers(ns, 10000, 10001 + round, 7);
        expect_numbers(ns, 0, 1, 1);
    }
    expect_ok(tarn_increment(ns, text("counter"), 1, &sum));
    expect_signed(43, sum);
    tarn_namespace_close(ns);
}

static void test_options_and_stats(void **state)
{
    struct store_folder *f = *state;
    struct tarn_namespace_options interval =
        *NAMESPACE_OPTIONS(.sync = TARN_SYNC_INTERVAL, .sync_interval_ms = 20,
                           .segment_bytes = 131072);
    tarn_namespace *ns = make_log(f, TARN_SYNC_DEFAULT);
    struct tarn_stats stats = store_folder_stats(ns);

    expect_number(TARN_ENGINE_LOG, stats.options.engine);
    expect_number(TARN_SYNC_ALWAYS, stats.options.sync);
    expect_number(65536, stats.options.segment_bytes);
    expect_ok(tarn_namespace_configure(ns, TARN_SET_SYNC | TARN_SET_SEGMENT_BYTES, &interval));
    put_numbers(ns, 0, 100, 1);
    put_numbers(ns, 0, 50, 2);
    expect_ok(tarn_sync(ns));
    stats = store_folder_stats(ns);
    expect_that(stats.segments >= 1 && stats.disk_bytes >= 65536);
    expect_that(stats.log_bytes > stats.bytes && stats.stale_bytes > 50 * 20);
    tarn_namespace_close(ns);
    store_folder_reopen(f, NULL);
    ns = store_folder_namespace(f, "log");
    stats = store_folder_stats(ns);
    expect_number(TARN_SYNC_INTERVAL, stats.options.sync);
    expect_number(20, stats.options.sync_interval_ms);
    expect_number(131072, stats.options.segment_bytes);
    expect_that(stats.stale_bytes > 50 * 20);
    expect_ok(tarn_sync(f->ns)); /* in memory there is nothing to do */
    tarn_namespace_close(ns);
}

static void test_options_that_are_refused(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = NULL;
    tarn_store *in_memory = NULL;

    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_namespace_create(f->store, text("x"), NAMESPACE_OPTIONS(.engine = 2), &ns));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_namespace_create(f->store, text("x"), ON_LOG(.sync = 4), &ns));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_namespace_create(f->store, text("x"), ON_LOG(.segment_bytes = 65535), &ns));
    expect_status(
        TARN_INVALID_ARGUMENT,
        tarn_namespace_create(f->store, text("x"), ON_LOG(.sync_interval_ms = 3600001), &ns));
    expect_ok(tarn_open(NULL, NULL, &in_memory));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED,
                  tarn_namespace_create(in_memory, text("x"), ON_LOG(.shards = 1), &ns));
    expect_ok(tarn_close(in_memory));
    expect_number(0, count_homes(f));
}

/* What a killed process leaves is what is in its files while it runs. */
static void test_a_kill_loses_nothing(void **state)
{
    struct store_folder *f = *state;
    enum tarn_sync_mode modes[] = {TARN_SYNC_NONE, TARN_SYNC_INTERVAL, TARN_SYNC_ALWAYS};

    for (unsigned i = 0; i < 3; i++) {
        struct store_folder copy = *f;
        char name[NUMBERED_KEY_ROOM];
        tarn_namespace *ns;

        numbered_key(name, i);
        ns = store_folder_create(f, name, ON_LOG(.sync = modes[i], .segment_bytes = 65536));
        put_numbers(ns, 0, 3000, 1);
        put_numbers(ns, 0, 300, 2);
        snprintf(copy.path, sizeof copy.path, "%s", path_around(f, name));
        folder_copy(f->path, copy.path);
        tarn_namespace_close(ns);
        copy.store = NULL;
        copy.ns = NULL;
        for (unsigned opening = 0; opening < 2; opening++) {
            store_folder_open(&copy, NULL);
            ns = store_folder_namespace(&copy, name);
            expect_number(3000 + opening, store_folder_stats(ns).keys);
            expect_numbers(ns, 0, 300, 2);
            expect_numbers(ns, 300, 3000, 1);
            put_numbers(ns, 5000, 5001, 9);
            tarn_namespace_close(ns);
            store_folder_close(&copy);
        }
    }
}

/* ------------------------------------------------------------------------------------------
 * All of it at once
 */

static void test_clear_stays_empty(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f, TARN_SYNC_NONE);
    struct tarn_pin pin = {0};

    put_numbers(ns, 0, 3000, 1);
    expect_ok(tarn_get_pinned(ns, text("key-7"), &pin));
    expect_ok(tarn_namespace_clear(ns));
    expect_number(0, store_folder_stats(ns).keys);
    expect_bytes(text("value 7 of round 1"), pin.value); /* which keeps its segment */
    tarn_unpin(&pin);
    tarn_namespace_close(ns);
    store_folder_reopen(f, NULL);
    ns = store_folder_namespace(f, "log");
    expect_number(0, store_folder_stats(ns).keys);
    put_numbers(ns, 0, 10, 2);
    expect_ok(tarn_namespace_clear(ns));
    put_numbers(ns, 10, 20, 3);
    tarn_namespace_close(ns);
    store_folder_reopen(f, NULL);
    ns = store_folder_namespace(f, "log");
    expect_number(10, store_folder_stats(ns).keys);
    expect_numbers(ns, 10, 20, 3);
    expect_number(1, count_homes(f));
    tarn_namespace_close(ns);
}

static void test_drop_takes_the_files(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f, TARN_SYNC_NONE);

    put_numbers(ns, 0, 1000, 1);
    expect_number(1, count_homes(f));
    expect_ok(tarn_namespace_drop(f->store, text("log")));
    tarn_namespace_close(ns);
    expect_number(0, count_homes(f));
    ns = make_log(f, TARN_SYNC_NONE);
    expect_number(0, store_folder_stats(ns).keys);
    put_numbers(ns, 0, 5, 2);
    tarn_namespace_close(ns);
    store_folder_reopen(f, NULL);
    ns = store_folder_namespace(f, "log");
    expect_number(5, store_folder_stats(ns).keys);
    tarn_namespace_close(ns);
}

static void test_load_stays(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f, TARN_SYNC_NONE), *other;
    struct fixture_state saved;

    put_numbers(ns, 0, 2000, 1);
    saved = fixture_state_of(ns);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    put_numbers(ns, 0, 3000, 2);
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_same_content(saved, ns);
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("log"), text("other")));
    expect_number(2, count_homes(f));
    tarn_namespace_close(ns);
    store_folder_reopen(f, NULL);
    ns = store_folder_namespace(f, "log");
    other = store_folder_namespace(f, "other");
    expect_same_content(saved, ns);
    expect_same_content(saved, other);
    expect_number(TARN_ENGINE_LOG, store_folder_stats(other).options.engine);
    put_numbers(ns, 1, 2, 5);
    expect_numbers(ns, 1, 2, 5);
    tarn_namespace_close(other);
    tarn_namespace_close(ns);
}

static void count_call(void *context, tarn_status status)
{
    unsigned *calls = context;

    *calls += status == TARN_OK ? 1 : 1000000;
}

/* What is replaced need not be synced: all that is outstanding is told by then. */
static void test_loads_beside_asynchronous_writes(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f, TARN_SYNC_NONE);
    char key[NUMBERED_KEY_ROOM];
    unsigned calls = 0, written = 0;

    put_numbers(ns, 0, 10, 1);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 100; i++, written++)
            expect_ok(tarn_set_async(ns, numbered_key(key, i), text("v"), count_call, &calls, NULL,
                                     NULL));
        expect_ok(tarn_snapshot_load(f->store, text("s")));
        expect_ok(tarn_events_dispatch(f->store, 0, NULL));
        expect_number(written, calls);
        expect_ok(tarn_set_async(ns, text("k"), text("v"), count_call, &calls, NULL, NULL));
        written++;
    }
    expect_ok(tarn_sync_async(ns, count_call, &calls));
    tarn_namespace_close(ns);
    store_folder_reopen(f, NULL);
    expect_number(written + 1, calls); /* the close has called the others */
    ns = store_folder_namespace(f, "log");
    expect_numbers(ns, 0, 10, 1);
    expect_stored(ns, text("k"), text("v"));
    expect_number(11, store_folder_stats(ns).keys);
    tarn_namespace_close(ns);
}

/* ------------------------------------------------------------------------------------------
 * Files that are not as they were
 */

/* The path of the first segment of the namespace "log", which a store that is closed leaves. */
static const char *first_segment(const struct store_folder *f)
{
    static char path[STORE_FOLDER_PATH_ROOM];
    DIR *folder = opendir(path_of(f, "namespaces"));
    const struct dirent *entry;
    unsigned long home = 0, number = 0;

    while (folder && (entry = readdir(folder)))
        if (strtoul(entry->d_name, NULL, 10))
            home = strtoul(entry->d_name, NULL, 10);
    closedir(folder);
    snprintf(path, sizeof path, "%s/%lu", path_of(f, "namespaces"), home);
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        unsigned long found = strtoul(entry->d_name, NULL, 10);

        if (found && (!number || found < number))
            number = found;
    }
    closedir(folder);
    snprintf(path, sizeof path, "%s/%lu/%lu.segment", path_of(f, "namespaces"), home, number);
    return path;
}

static void test_damage_is_told(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f, TARN_SYNC_NONE);
    const char *path;
    struct tarn_buf bytes;

    put_numbers(ns, 0, 3000, 1);
    tarn_namespace_close(ns);
    store_folder_close(f);
    path = first_segment(f);
    bytes = file_read(path);
    ((uint8_t *)bytes.data)[300] ^= 1;
    file_write(path, bytes.data, bytes.length);
    expect_status(TARN_CORRUPT, store_folder_try(f->path, NULL));
    expect_error_names(TARN_CORRUPT, ".segment");
    ((uint8_t *)bytes.data)[300] ^= 1;
    file_write(path, bytes.data, bytes.length);
    store_folder_open(f, NULL);
    ns = store_folder_namespace(f, "log");
    expect_numbers(ns, 0, 3000, 1);
    tarn_namespace_close(ns);
    free(bytes.data);
}

/* Damage behind the back of an open store: what is read is verified. */
static void test_damage_while_open(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f, TARN_SYNC_NONE);
    char key[NUMBERED_KEY_ROOM];
    struct tarn_pin pin = {0};
    unsigned damaged = 0;
    FILE *file;

    put_numbers(ns, 0, 200, 1);
    file = fopen(first_segment(f), "r+b");
    expect_that(file && fseek(file, 2000, SEEK_SET) == 0 && fputs("##", file) >= 0);
    expect_that(fclose(file) == 0);
    for (unsigned i = 0; i < 200; i++) {
        tarn_status status = tarn_get(ns, numbered_key(key, i), &f->buf, NULL);

        if (status == TARN_OK)
            continue;
        expect_status(TARN_CORRUPT, status);
        expect_error_names(TARN_CORRUPT, ".segment");
        expect_status(TARN_CORRUPT, tarn_get_pinned(ns, numbered_key(key, i), &pin));
        expect_status(TARN_CORRUPT, tarn_consume(ns, numbered_key(key, i), &f->buf));
        damaged++;
    }
    expect_number(1, damaged);
    tarn_namespace_close(ns);
}

static void test_homes_that_should_not_be(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f, TARN_SYNC_NONE);

    put_numbers(ns, 0, 10, 1);
    tarn_namespace_close(ns);
    store_folder_close(f);
    expect_that(mkdir(path_of(f, "namespaces/7"), 0700) == 0); /* as a crash leaves it */
    file_write(path_of(f, "namespaces/7/1.segment"), "x", 1);
    store_folder_open(f, NULL);
    expect_number(1, count_homes(f));
    store_folder_close(f);
    expect_that(mkdir(path_of(f, "namespaces/700"), 0700) == 0); /* the catalog is too old */
    expect_status(TARN_CORRUPT, store_folder_try(f->path, NULL));
    expect_that(rmdir(path_of(f, "namespaces/700")) == 0);
    expect_that(rename(path_of(f, "namespaces"), path_around(f, "away")) == 0);
    expect_status(TARN_CORRUPT, store_folder_try(f->path, NULL));
    expect_error_names(TARN_CORRUPT, "namespaces");
    expect_that(rename(path_around(f, "away"), path_of(f, "namespaces")) == 0);
    store_folder_open(f, NULL);
    ns = store_folder_namespace(f, "log");
    expect_numbers(ns, 0, 10, 1);
    tarn_namespace_close(ns);
}

static void test_read_only(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = make_log(f, TARN_SYNC_NONE);
    uint64_t digest;

    put_numbers(ns, 0, 3000, 1);
    tarn_namespace_close(ns);
    store_folder_close(f);
    digest = path_digest(f->path);
    store_folder_open(f, STORE_OPTIONS(.read_only = true));
    ns = store_folder_namespace(f, "log");
    expect_numbers(ns, 0, 3000, 1);
    expect_status(TARN_READ_ONLY, tarn_set(ns, text("a"), text("b"), NULL, NULL));
    expect_status(TARN_READ_ONLY, tarn_delete(ns, text("key-1")));
    expect_status(TARN_READ_ONLY, tarn_namespace_clear(ns));
    expect_ok(tarn_sync(ns));
    tarn_namespace_close(ns);
    store_folder_close(f);
    expect_number(digest, path_digest(f->path));
}

/* ------------------------------------------------------------------------------------------
 * Kills
 */

/* Writes in turn, and tells in shared memory what was acknowledged; ends with the kill. */
static void write_until_killed(const char *path, _Atomic uint64_t *acknowledged)
{
    struct tarn_store *store;
    tarn_namespace *ns;
    char key[NUMBERED_KEY_ROOM];
    uint64_t number = atomic_load(acknowledged);

    if (tarn_open(path, NULL, &store) || tarn_namespace_open(store, text("log"), &ns))
        _exit(1);
    for (;;) {
        struct tarn_slice name = numbered_key(key, number % 1000);

        if (tarn_set(ns, name, tarn_slice_of(&number, sizeof number), NULL, NULL))
            _exit(2);
        atomic_store(acknowledged, ++number);
    }
}

/* The last of each key that was acknowledged is there, or the one that was under way. */
static void expect_acknowledged(tarn_namespace *ns, uint64_t acknowledged, struct tarn_buf *buf)
{
    char key[NUMBERED_KEY_ROOM];

    for (uint64_t i = acknowledged > 1000 ? acknowledged - 1000 : 0; i < acknowledged; i++) {
        uint64_t number;

        expect_ok(tarn_get(ns, numbered_key(key, i % 1000), buf, NULL));
        expect_number(sizeof number, buf->length);
        memcpy(&number, buf->data, sizeof number);
        expect_that(number == i || (number == acknowledged && number % 1000 == i % 1000));
    }
}

/* However slow the machine is, some kills meet a writer. */
static void wait_for_writes(_Atomic uint64_t *acknowledged, uint64_t more)
{
    uint64_t until = atomic_load(acknowledged) + more;

    for (unsigned looks = 0; looks < 60000 && atomic_load(acknowledged) < until; looks++)
        usleep(1000);
    expect_that(atomic_load(acknowledged) >= until);
}

static void test_kills(void **state)
{
    struct store_folder *f = *state;
    _Atomic uint64_t *acknowledged =
        mmap(NULL, sizeof *acknowledged, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t random = environment_number("TARN_SEED", 1), kills = 0;

    expect_that(acknowledged != MAP_FAILED);
    tarn_namespace_close(make_log(f, TARN_SYNC_NONE));
    for (unsigned round = 0; round < 40; round++) {
        tarn_namespace *ns;
        pid_t child;
        int status;

        store_folder_close(f);
        child = fork();
        if (child == 0)
            write_until_killed(f->path, acknowledged);
        if (round % 2) /* also where it opens the store */
            wait_for_writes(acknowledged, 51 + random_below(&random, 200));
        usleep((useconds_t)(1000 + random_below(&random, 20000)));
        kill(child, SIGKILL);
        expect_that(waitpid(child, &status, 0) == child);
        kills += WIFSIGNALED(status) != 0;
        store_folder_open(f, NULL);
        ns = store_folder_namespace(f, "log");
        expect_acknowledged(ns, atomic_load(acknowledged), &f->buf);
        tarn_namespace_close(ns);
    }
    expect_number(40, kills);
    expect_that(atomic_load(acknowledged) > 1000);
    munmap(acknowledged, sizeof *acknowledged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_FOLDER_TEST(test_all_comes_back),
        STORE_FOLDER_TEST(test_options_and_stats),
        STORE_FOLDER_TEST(test_options_that_are_refused),
        STORE_FOLDER_TEST(test_a_kill_loses_nothing),
        STORE_FOLDER_TEST(test_clear_stays_empty),
        STORE_FOLDER_TEST(test_drop_takes_the_files),
        STORE_FOLDER_TEST(test_load_stays),
        STORE_FOLDER_TEST(test_loads_beside_asynchronous_writes),
        STORE_FOLDER_TEST(test_damage_is_told),
        STORE_FOLDER_TEST(test_damage_while_open),
        STORE_FOLDER_TEST(test_homes_that_should_not_be),
        STORE_FOLDER_TEST(test_read_only),
        STORE_FOLDER_TEST(test_kills),
    };

    return cmocka_run_group_tests_name("stores with logs", tests, NULL, NULL);
}
