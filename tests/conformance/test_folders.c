/*
 * Conformance: a store in a folder: what comes back when it is opened again, and from which moment
 * on; who may open it at the same time; read-only openings; the permissions of what it makes.
 * (Numbers 33, 36 and 41 of the list of faults.)
 */
#include "conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/store_folder.h"
#include "support/test_folder.h"

static struct tarn_stats stats_in(struct store_folder *f, const char *name)
{
    tarn_namespace *ns = store_folder_namespace(f, name);
    struct tarn_stats stats = store_folder_stats(ns);

    tarn_namespace_close(ns);
    return stats;
}

static void expect_options(const struct tarn_namespace_options *wanted,
                           const struct tarn_stats *got)
{
    expect_number(wanted->shards, got->options.shards);
    expect_number(wanted->shards, got->shards);
    expect_number(wanted->lock_timeout_ms, got->options.lock_timeout_ms);
    expect_number(wanted->max_keys, got->options.max_keys);
    expect_number(wanted->max_value_size, got->options.max_value_size);
    expect_number(wanted->max_bytes, got->options.max_bytes);
}

/* ------------------------------------------------------------------------------------------
 * What comes back
 */

static void test_options_come_back(void **state)
{
    struct store_folder *f = *state;
    struct tarn_namespace_options all[] = {
        *NAMESPACE_OPTIONS(.shards = 16, .lock_timeout_ms = 5000,
                           .max_value_size = TARN_VALUE_BYTES_MAX),
        *NAMESPACE_OPTIONS(.shards = 1, .lock_timeout_ms = 1, .max_keys = 1, .max_value_size = 1,
                           .max_bytes = 1),
        *NAMESPACE_OPTIONS(.shards = TARN_SHARDS_MAX, .lock_timeout_ms = UINT32_MAX,
                           .max_keys = UINT64_MAX, .max_value_size = 12345,
                           .max_bytes = UINT64_MAX),
        *NAMESPACE_OPTIONS(.shards = 17, .lock_timeout_ms = 250, .max_keys = 1000000,
                           .max_value_size = 65536, .max_bytes = (uint64_t)1 << 33),
    };
    char name[NUMBERED_KEY_ROOM];
    size_t count;

    for (unsigned i = 0; i < 4; i++) {
        tarn_namespace *ns = NULL;

        expect_ok(fixture_backend->create(f->store, numbered_key(name, i), &all[i], &ns));
        tarn_namespace_close(ns);
    }
    for (unsigned round = 0; round < 2; round++) {
        store_folder_reopen(f, NULL);
        expect_ok(tarn_namespace_count(f->store, &count));
        expect_number(5, count);
        for (unsigned i = 0; i < 4; i++) {
            struct tarn_stats stats = stats_in(f, (numbered_key(name, i), name));

            expect_options(&all[i], &stats);
            expect_number(0, stats.keys);
        }
    }
}

/* A copy of the folder, made while the store is open, is what a killed process would leave. */
static void open_copy(struct store_folder *f, const char *name, struct store_folder *copy)
{
    memset(copy, 0, sizeof *copy);
    snprintf(copy->path, sizeof copy->path, "%.200s/%s", f->around, name);
    folder_copy(f->path, copy->path);
    store_folder_open(copy, NULL);
}

static void test_each_change_is_there_when_it_returns(void **state)
{
    struct store_folder *f = *state;
    struct store_folder copy;
    tarn_namespace *ns = store_folder_create(f, "a", NAMESPACE_OPTIONS(.shards = 3));

    open_copy(f, "created", &copy);
    expect_number(3, stats_in(&copy, "a").shards);
    store_folder_close(&copy);
    expect_ok(tarn_namespace_configure(ns, TARN_SET_MAX_KEYS | TARN_SET_LOCK_TIMEOUT_MS,
                                       NAMESPACE_OPTIONS(.max_keys = 7, .lock_timeout_ms = 77)));
    open_copy(f, "configured", &copy);
    expect_number(7, stats_in(&copy, "a").options.max_keys);
    expect_number(77, stats_in(&copy, "a").options.lock_timeout_ms);
    store_folder_close(&copy);
    expect_ok(tarn_namespace_resize(ns, 99));
    open_copy(f, "resized", &copy);
    expect_number(99, stats_in(&copy, "a").shards);
    expect_number(99, stats_in(&copy, "a").options.shards);
    expect_number(7, stats_in(&copy, "a").options.max_keys);
    store_folder_close(&copy);
    tarn_namespace_close(ns);
    expect_ok(tarn_namespace_drop(f->store, text("a")));
    open_copy(f, "dropped", &copy);
    expect_status(TARN_NAMESPACE_NOT_FOUND, tarn_namespace_open(copy.store, text("a"), &ns));
    store_folder_close(&copy);
}

/* What was refused is not in the catalog either. */
static void test_what_failed_does_not_come_back(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns = NULL;

    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("c"), text("d"), NULL, NULL));
    expect_status(TARN_LIMIT_TOO_LOW,
                  tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS | TARN_SET_LOCK_TIMEOUT_MS,
                                           NAMESPACE_OPTIONS(.max_keys = 1, .lock_timeout_ms = 9)));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_resize(f->ns, TARN_SHARDS_MAX + 1));
    expect_status(
        TARN_NAMESPACE_EXISTS,
        tarn_namespace_create(f->store, text("test"), NAMESPACE_OPTIONS(.shards = 2), &ns));
    expect_status(TARN_NAME_INVALID, tarn_namespace_create(f->store, text(""), NULL, &ns));
    store_folder_reopen(f, NULL);
    expect_number(16, store_folder_stats(f->ns).shards);
    expect_number(0, store_folder_stats(f->ns).options.max_keys);
    expect_number(5000, store_folder_stats(f->ns).options.lock_timeout_ms);
}

static void spread(struct store_folder *f, uint64_t shard_keys[16])
{
    struct tarn_stats stats = {.size = sizeof stats};
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < 500; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), text("v")));
    expect_ok(tarn_namespace_stats(f->ns, &stats, shard_keys, 16));
}

/* The seed of the hash is the store's for its life: a key is in the same shard as before. */
static void test_shards_spread_as_before(void **state)
{
    struct store_folder *f = *state;
    uint64_t before[16], after[16];

    spread(f, before);
    for (unsigned round = 0; round < 2; round++) {
        store_folder_reopen(f, NULL);
        spread(f, after);
        expect_that(memcmp(before, after, sizeof before) == 0);
    }
    store_folder_close(f);
    expect_ok(test_folder_remove(f->path));
    expect_ok(tarn_open(f->path, NULL, &f->store));
    f->ns = store_folder_create(f, "test", NULL);
    spread(f, after);
    expect_that(memcmp(before, after, sizeof before) != 0); /* another store has another seed */
}

static void test_names_come_back(void **state)
{
    struct store_folder *f = *state;
    char longest[TARN_NAME_BYTES_MAX + 1] = {0};
    const char *names[] = {"a",        "..", ".",       "a/b",  "/etc",
                           "\xc3\xa4", " ",  "catalog", "lock", longest};
    size_t count;

    memset(longest, 'n', TARN_NAME_BYTES_MAX);
    for (unsigned i = 0; i < 10; i++)
        tarn_namespace_close(store_folder_create(f, names[i], NULL));
    store_folder_reopen(f, NULL);
    expect_ok(tarn_namespace_count(f->store, &count));
    expect_number(11, count);
    for (unsigned i = 0; i < 10; i++)
        tarn_namespace_close(store_folder_namespace(f, names[i]));
}

static void test_opened_and_closed_many_times(void **state)
{
    struct store_folder *f = *state;
    int descriptors = test_open_descriptors();
    uint64_t sequence = 0;

    for (unsigned i = 0; i < 200; i++) {
        if (i % 2)
            expect_ok(tarn_namespace_drop(f->store, text("other")));
        else
            tarn_namespace_close(store_folder_create(f, "other", NULL));
        store_folder_reopen(f, NULL);
        expect_that(store_folder_stats(f->ns).sequence >= sequence);
        sequence = store_folder_stats(f->ns).sequence;
    }
    expect_number(descriptors, test_open_descriptors());
}

static void test_an_empty_folder_becomes_a_store(void **state)
{
    struct store_folder *f = *state;
    const char *empty = path_around(f, "empty");

    expect_that(mkdir(empty, 0700) == 0);
    expect_ok(store_folder_try(empty, NULL));
    expect_ok(store_folder_try(empty, STORE_OPTIONS(.read_only = true)));
    expect_ok(store_folder_try(path_around(f, "fresh/"), NULL));
    expect_ok(store_folder_try(path_around(f, "fresh"), STORE_OPTIONS(.read_only = true)));
}

/* ------------------------------------------------------------------------------------------
 * Permissions
 */

static void expect_mode(mode_t wanted, const char *path)
{
    struct stat status;

    expect_that(lstat(path, &status) == 0);
    expect_number(wanted, status.st_mode & 07777);
}

static void test_permissions_under_any_umask(void **state)
{
    static const mode_t masks[] = {0, 0022, 0077, 0277, 0777};
    struct store_folder *f = *state;
    mode_t before = umask(0);

    for (unsigned i = 0; i < 5; i++) {
        tarn_status status;

        store_folder_close(f);
        expect_ok(test_folder_remove(f->path));
        (void)umask(masks[i]);
        status = tarn_open(f->path, NULL, &f->store);
        if (!status)
            status = tarn_namespace_create(f->store, text("test"), NULL, &f->ns);
        if (!status)
            status = tarn_snapshot_save(f->store, text("s"), NULL);
        (void)umask(before);
        expect_ok(status);
        expect_mode(0700, f->path);
        expect_mode(0600, path_of(f, "lock"));
        expect_mode(0600, path_of(f, "catalog"));
        expect_mode(0700, path_of(f, "snapshots"));
        expect_mode(0600, path_of_snapshot(f, "s"));
    }
}

/* ------------------------------------------------------------------------------------------
 * Opening it twice
 */

static struct store_folder *shared; /* for the child */

static int open_in_child(bool read_only)
{
    struct tarn_options options = {.size = sizeof options, .read_only = read_only};
    tarn_store *store = NULL;
    tarn_status status = tarn_open(shared->path, &options, &store);

    if (!status)
        status = tarn_close(store);
    return -status;
}

static int writer_in_child(void)
{
    return open_in_child(false);
}

static int reader_in_child(void)
{
    return open_in_child(true);
}

static void test_open_elsewhere(void **state)
{
    struct store_folder *f = shared = *state;
    uint64_t digest = path_digest(f->path);
    struct timespec start, end;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned i = 0; i < 3; i++) {
        expect_status(TARN_STORE_LOCKED, store_folder_try(f->path, NULL));
        expect_error_names(TARN_STORE_LOCKED, "lock");
        expect_status(TARN_STORE_LOCKED,
                      store_folder_try(f->path, STORE_OPTIONS(.read_only = true)));
        expect_number(-TARN_STORE_LOCKED, test_run_in_child(writer_in_child));
        expect_number(-TARN_STORE_LOCKED, test_run_in_child(reader_in_child));
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    expect_that(end.tv_sec - start.tv_sec < 3);
    expect_number(digest, path_digest(f->path));
    tarn_namespace_close(store_folder_create(f, "goes on", NULL));
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    store_folder_close(f);
    expect_number(0, test_run_in_child(writer_in_child));
    store_folder_open(f, NULL);
    tarn_namespace_close(store_folder_namespace(f, "goes on"));
}

/* A program that is started while the store is open does not hold it. */
static void test_a_started_program_does_not_hold_it(void **state)
{
    struct store_folder *f = *state;
    tarn_status status;
    pid_t child = fork();

    if (child == 0) {
        execlp("sleep", "sleep", "20", (char *)NULL);
        _exit(1);
    }
    expect_that(child > 0);
    usleep(100000); /* until it runs */
    store_folder_close(f);
    status = tarn_open(f->path, NULL, &f->store);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    expect_ok(status);
}

/* ------------------------------------------------------------------------------------------
 * Read-only
 */

static void fill_and_save(struct store_folder *f)
{
    int64_t sum;

    expect_ok(tarn_set(f->ns, text("a"), text("1"), NULL, NULL));
    expect_ok(tarn_increment(f->ns, text("c"), 5, &sum));
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
}

static void test_readers_share(void **state)
{
    struct store_folder *f = shared = *state;
    struct tarn_options *options = STORE_OPTIONS(.read_only = true, .load = TARN_LOAD_NEWEST);
    tarn_store *second = NULL;
    uint64_t digest;

    fill_and_save(f);
    digest = path_digest(f->path);
    store_folder_reopen(f, options);
    expect_ok(tarn_open(f->path, options, &second));
    expect_number(0, test_run_in_child(reader_in_child));
    expect_status(TARN_STORE_LOCKED, store_folder_try(f->path, NULL));
    expect_number(-TARN_STORE_LOCKED, test_run_in_child(writer_in_child));
    expect_stored(f->ns, text("a"), text("1"));
    expect_ok(tarn_close(second));
    expect_status(TARN_STORE_LOCKED, store_folder_try(f->path, NULL)); /* one is left */
    expect_number(digest, path_digest(f->path));
    store_folder_close(f);
    expect_ok(store_folder_try(f->path, NULL));
    expect_number(digest, path_digest(f->path));
    store_folder_open(f, NULL);
}

static void refuse_changes_of_keys(tarn_namespace *ns, struct tarn_slice key)
{
    struct tarn_batch_summary summary = {0};
    struct tarn_record_info info = {0};
    struct tarn_slice value = text("x");
    struct tarn_buf buf = {0};
    tarn_batch *batch = NULL;
    int64_t sum;
    bool existed;

    expect_status(TARN_READ_ONLY, tarn_set(ns, key, value, &buf, &existed));
    expect_status(TARN_READ_ONLY, tarn_insert(ns, text("new"), value));
    expect_status(TARN_READ_ONLY, tarn_update(ns, key, value, &buf));
    expect_status(TARN_READ_ONLY, tarn_replace_if(ns, key, text("1"), value));
    expect_ok(tarn_get(ns, key, NULL, &info));
    expect_status(TARN_READ_ONLY, tarn_replace_if_sequence(ns, key, info.sequence, value));
    expect_status(TARN_READ_ONLY, tarn_delete(ns, key));
    expect_status(TARN_READ_ONLY, tarn_consume(ns, key, &buf));
    expect_status(TARN_READ_ONLY, tarn_increment(ns, text("c"), 1, &sum));
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, key, value));
    expect_status(TARN_READ_ONLY,
                  tarn_batch_commit(ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, &summary));
    expect_number(0, summary.processed);
    (void)tarn_batch_commit(ns, batch, TARN_BEST_EFFORT, NULL, NULL, &summary);
    expect_number(0, summary.processed);
    tarn_batch_free(batch);
    tarn_buf_release(&buf);
}

static void test_read_only_refuses_changes(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *none = NULL;
    struct fixture_state before;
    uint64_t digest;

    fill_and_save(f);
    store_folder_reopen(f, STORE_OPTIONS(.read_only = true, .load = TARN_LOAD_NEWEST));
    digest = path_digest(f->path);
    before = fixture_state_of(f->ns);
    refuse_changes_of_keys(f->ns, text("a"));
    expect_status(TARN_READ_ONLY, tarn_namespace_clear(f->ns));
    expect_status(TARN_READ_ONLY, tarn_namespace_resize(f->ns, 4));
    expect_status(TARN_READ_ONLY, tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS,
                                                           NAMESPACE_OPTIONS(.max_keys = 9)));
    expect_status(TARN_READ_ONLY, tarn_namespace_create(f->store, text("b"), NULL, &none));
    expect_status(TARN_READ_ONLY, tarn_namespace_drop(f->store, text("test")));
    expect_status(TARN_READ_ONLY, tarn_snapshot_save(f->store, text("t"), NULL));
    expect_status(TARN_READ_ONLY, tarn_snapshot_save_namespace(f->ns, text("t"), NULL));
    expect_status(TARN_READ_ONLY, tarn_snapshot_load(f->store, text("s")));
    expect_status(TARN_READ_ONLY,
                  tarn_snapshot_load_namespace(f->store, text("s"), text("test"), text("copy")));
    expect_status(TARN_READ_ONLY, tarn_snapshot_delete(f->store, text("s")));
    expect_that(none == NULL);
    expect_same_state(before, f->ns);
    expect_number(16, store_folder_stats(f->ns).shards);
    expect_number(0, store_folder_stats(f->ns).options.max_keys);
    expect_number(digest, path_digest(f->path));
}

static bool count_snapshot(void *context, const struct tarn_snapshot_info *info)
{
    unsigned *count = context;

    expect_ok(info->status);
    ++*count;
    return true;
}

static void test_read_only_reads(void **state)
{
    struct store_folder *f = *state;
    struct tarn_slice keys[] = {text("a"), text("c")};
    struct tarn_result results[2];
    tarn_namespace *other = NULL;
    unsigned snapshots = 0;
    tarn_batch *batch = NULL;
    size_t count = 0;

    fill_and_save(f);
    store_folder_reopen(f, STORE_OPTIONS(.read_only = true, .load = TARN_LOAD_NEWEST));
    expect_stored(f->ns, text("a"), text("1"));
    expect_absent(f->ns, text("b"));
    expect_ok(tarn_get_many(f->ns, TARN_ALL_OR_NOTHING, keys, 2, results, &f->buf));
    expect_number(TARN_CONTENT_COUNTER, results[1].info.content);
    expect_number(2, fixture_state_of(f->ns).keys);
    expect_ok(tarn_namespace_open(f->store, text("test"), &other));
    tarn_namespace_close(other);
    expect_ok(tarn_namespace_count(f->store, &count));
    expect_number(1, count);
    expect_ok(tarn_snapshot_verify(f->store, text("s")));
    expect_ok(tarn_snapshot_list(f->store, count_snapshot, &snapshots));
    expect_number(1, snapshots);
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_get(batch, text("a")));
    expect_ok(tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, results, &f->buf, NULL));
    expect_bytes(text("1"), results[0].value);
    tarn_batch_free(batch);
}

/* With read_only nothing is made where nothing is. */
static void test_read_only_makes_nothing(void **state)
{
    struct store_folder *f = *state;
    struct tarn_options *options = STORE_OPTIONS(.read_only = true);
    uint64_t digest;

    expect_that(mkdir(path_around(f, "empty"), 0700) == 0);
    digest = path_digest(f->around);
    expect_status(TARN_IO, store_folder_try(path_around(f, "nothing"), options));
    expect_status(TARN_IO, store_folder_try(path_around(f, "empty"), options));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED, store_folder_try(NULL, options));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED,
                  store_folder_try(NULL, STORE_OPTIONS(.load = TARN_LOAD_NOTHING)));
    expect_number(digest, path_digest(f->around));
}

enum { NOBODY = 65534, CANNOT_TELL = 200 };

static int read_without_permission(void)
{
    struct tarn_options options = {
        .size = sizeof options, .read_only = true, .load = TARN_LOAD_NEWEST};
    tarn_namespace *ns = NULL;
    tarn_store *store = NULL;
    tarn_status status;

    if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        return CANNOT_TELL;
    if (access(shared->path, R_OK | X_OK) != 0 || access(shared->path, W_OK) == 0)
        return CANNOT_TELL;
    status = tarn_open(shared->path, &options, &store);
    if (!status)
        status = tarn_namespace_open(store, text("test"), &ns);
    if (!status)
        status = tarn_exists(ns, text("a"));
    tarn_namespace_close(ns);
    return -(status ? status : tarn_close(store));
}

static void test_folder_that_may_not_be_written(void **state)
{
    struct store_folder *f = shared = *state;
    const char *names[] = {"lock", "catalog", "snapshots/s.snapshot", "snapshots", ""};
    int result;

    fill_and_save(f);
    store_folder_close(f);
    expect_that(chmod(f->around, 0711) == 0);
    for (unsigned i = 0; i < 5; i++) {
        if (geteuid() == 0)
            expect_that(chown(path_of(f, names[i]), NOBODY, NOBODY) == 0);
        expect_that(chmod(path_of(f, names[i]), i < 3 ? 0400 : 0500) == 0);
    }
    result = test_run_in_child(read_without_permission);
    expect_that(chmod(f->path, 0700) == 0 && chmod(path_of(f, "snapshots"), 0700) == 0);
    if (result == CANNOT_TELL)
        skip();
    expect_number(0, result);
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_options_come_back),
    STORE_FOLDER_TEST(test_each_change_is_there_when_it_returns),
    STORE_FOLDER_TEST(test_what_failed_does_not_come_back),
    STORE_FOLDER_TEST(test_shards_spread_as_before),
    STORE_FOLDER_TEST(test_names_come_back),
    STORE_FOLDER_TEST(test_opened_and_closed_many_times),
    STORE_FOLDER_TEST(test_an_empty_folder_becomes_a_store),
    STORE_FOLDER_TEST(test_permissions_under_any_umask),
    STORE_FOLDER_TEST(test_open_elsewhere),
    STORE_FOLDER_TEST(test_a_started_program_does_not_hold_it),
    STORE_FOLDER_TEST(test_readers_share),
    STORE_FOLDER_TEST(test_read_only_refuses_changes),
    STORE_FOLDER_TEST(test_read_only_reads),
    STORE_FOLDER_TEST(test_read_only_makes_nothing),
    STORE_FOLDER_TEST(test_folder_that_may_not_be_written),
};

CONFORMANCE_TOPIC_OF_MEMORY(folders, tests);
