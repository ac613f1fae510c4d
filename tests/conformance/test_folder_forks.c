/*
 * Conformance: after fork() the child is refused by every object of the parent's, changes nothing,
 * and may open stores of its own; the parent goes on. (Number 34 of the list of faults.)
 */
#include "conformance/conformance.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/store_folder.h"
#include "support/test_folder.h"

/* What the child finds; cmocka's checks are not for it. */
static struct store_folder *parent;
static tarn_batch *parent_batch;
static tarn_cursor *parent_cursor;
static tarn_namespace *parent_other;

/* Which call was not refused: its number in the list below, from 1; 0: all were. */
static int refused;

static void look(tarn_status status, int number)
{
    if (status != TARN_FORKED && !refused) {
        fprintf(stderr, "call %d in the child: %s\n", number, tarn_status_name(status));
        refused = number;
    }
}

static bool visit_name(void *context, struct tarn_slice name)
{
    (void)context;
    (void)name;
    return true;
}

static bool visit_snapshot(void *context, const struct tarn_snapshot_info *info)
{
    (void)context;
    (void)info;
    return true;
}

/* Of the asynchronous write that is outstanding while there is a child. */
static unsigned heard;

static void hear(void *context, tarn_status status)
{
    (void)context;
    heard += status == TARN_OK;
}

static void look_at_keys(tarn_namespace *ns)
{
    struct tarn_slice key = text("a"), value = text("child");
    struct tarn_result results[1];
    struct tarn_buf buf = {0};
    struct tarn_pin pin = {0};
    int64_t sum;

    look(tarn_set(ns, key, value, &buf, NULL), 1);
    look(tarn_insert(ns, text("b"), value), 2);
    look(tarn_update(ns, key, value, NULL), 3);
    look(tarn_replace_if(ns, key, text("1"), value), 4);
    look(tarn_replace_if_sequence(ns, key, 1, value), 5);
    look(tarn_get(ns, key, &buf, NULL), 6);
    look(tarn_get_pinned(ns, key, &pin), 7);
    look(tarn_exists(ns, key), 8);
    look(tarn_delete(ns, key), 9);
    look(tarn_consume(ns, key, &buf), 10);
    look(tarn_increment(ns, text("c"), 1, &sum), 11);
    look(tarn_get_many(ns, TARN_BEST_EFFORT, &key, 1, results, &buf), 12);
    look(tarn_get_many(ns, TARN_ALL_OR_NOTHING, &key, 1, results, &buf), 13);
    look(tarn_batch_commit(ns, parent_batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL), 14);
    look(tarn_batch_commit(ns, parent_batch, TARN_BEST_EFFORT, NULL, NULL, NULL), 15);
    look(tarn_set_async(ns, key, value, hear, NULL, NULL, NULL), 16);
    look(tarn_delete_async(ns, key, hear, NULL), 17);
    look(tarn_batch_commit_async(ns, parent_batch, TARN_BEST_EFFORT, hear, NULL, NULL, NULL, NULL),
         18);
    look(tarn_sync_async(ns, hear, NULL), 19);
    tarn_buf_release(&buf);
}

static void look_at_namespace(tarn_namespace *ns)
{
    struct tarn_namespace_options options = {.size = sizeof options, .max_keys = 1000};
    struct tarn_stats stats = {.size = sizeof stats};
    struct tarn_slice key, value;
    struct tarn_record_info info;
    tarn_cursor *cursor = NULL;

    look(tarn_namespace_configure(ns, TARN_SET_MAX_KEYS, &options), 20);
    look(tarn_namespace_resize(ns, 4), 21);
    look(tarn_namespace_clear(ns), 22);
    look(tarn_namespace_stats(ns, &stats, NULL, 0), 23);
    look(tarn_cursor_open(ns, NULL, &cursor), 24);
    if (parent_cursor)
        look(tarn_cursor_next(parent_cursor, &key, &value, &info), 25);
    tarn_cursor_close(cursor);
}

static void look_at_store(tarn_store *store)
{
    tarn_namespace *ns = NULL;
    int descriptor;
    size_t count;

    look(tarn_events_dispatch(store, 0, NULL), 35);
    look(tarn_events_descriptor(store, &descriptor), 36);
    look(tarn_namespace_create(store, text("child"), NULL, &ns), 30);
    look(tarn_namespace_open(store, text("test"), &ns), 31);
    look(tarn_namespace_drop(store, text("other")), 32);
    look(tarn_namespace_list(store, visit_name, NULL), 33);
    look(tarn_namespace_count(store, &count), 34);
    look(tarn_snapshot_list(store, visit_snapshot, NULL), 41);
    look(tarn_snapshot_save(store, text("child"), NULL), 42);
    look(tarn_snapshot_save_namespace(parent->ns, text("child"), NULL), 43);
    look(tarn_snapshot_load(store, text("s")), 44);
    look(tarn_snapshot_load_namespace(store, text("s"), text("test"), text("as")), 45);
    look(tarn_snapshot_delete(store, text("s")), 46);
    look(tarn_snapshot_verify(store, text("s")), 47);
}

static int everything_in_child(void)
{
    refused = 0;
    look_at_keys(parent->ns);
    look_at_namespace(parent->ns);
    look_at_store(parent->store);
    tarn_namespace_close(parent_other); /* it is the parent's, and stays that */
    tarn_cursor_close(parent_cursor);
    look(tarn_close(parent->store), 50);
    look(tarn_close(parent->store), 51);
    return refused;
}

static void prepare(struct store_folder *f)
{
    parent = f;
    expect_ok(tarn_set(f->ns, text("a"), text("1"), NULL, NULL));
    expect_ok(tarn_increment(f->ns, text("c"), 1, NULL));
    expect_ok(tarn_batch_create(&parent_batch));
    expect_ok(tarn_batch_set(parent_batch, text("a"), text("batch")));
    heard = 0;
    expect_ok(tarn_set_async(f->ns, text("d"), text("1"), hear, NULL, NULL, NULL));
}

/* The parent's objects do what they did. */
static void expect_unharmed(struct store_folder *f)
{
    expect_stored(f->ns, text("a"), text("1"));
    expect_number(0, heard);
    expect_ok(tarn_events_dispatch(f->store, 0, NULL));
    expect_number(1, heard);
    expect_ok(tarn_set(f->ns, text("b"), text("2"), NULL, NULL));
    expect_ok(tarn_batch_commit(f->ns, parent_batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_stored(f->ns, text("a"), text("batch"));
    tarn_batch_free(parent_batch);
    parent_batch = NULL;
    parent_other = NULL;
    parent_cursor = NULL;
}

static void test_every_call_is_refused(void **state)
{
    struct store_folder *f = *state;
    struct tarn_pin pin = {0};
    struct fixture_state before;
    uint64_t digest;

    tarn_namespace_close(store_folder_create(f, "other", NULL));
    prepare(f);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    parent_other = store_folder_namespace(f, "other");
    expect_ok(tarn_cursor_open(f->ns, NULL, &parent_cursor));
    expect_ok(tarn_get_pinned(f->ns, text("a"), &pin));
    before = fixture_state_of(f->ns);
    digest = path_digest(f->path);
    for (unsigned i = 0; i < 3; i++)
        expect_number(0, test_run_in_child(everything_in_child));
    expect_same_state(before, f->ns);
    expect_number(digest, path_digest(f->path));
    expect_bytes(text("1"), pin.value);
    expect_status(TARN_BUSY, tarn_close(f->store));
    tarn_unpin(&pin);
    tarn_cursor_close(parent_cursor);
    tarn_namespace_close(parent_other);
    expect_unharmed(f);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    store_folder_reopen(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST));
    expect_stored(f->ns, text("a"), text("batch"));
}

/* Refused as forked, and not as read-only. */
static void test_a_read_only_store(void **state)
{
    struct store_folder *f = *state;

    prepare(f);
    tarn_namespace_close(store_folder_create(f, "other", NULL));
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    store_folder_reopen(f, STORE_OPTIONS(.read_only = true, .load = TARN_LOAD_NEWEST));
    parent_other = store_folder_namespace(f, "other");
    expect_number(0, test_run_in_child(everything_in_child));
    expect_stored(f->ns, text("a"), text("1"));
    tarn_namespace_close(parent_other);
    tarn_batch_free(parent_batch);
}

/* A store in memory, too, but for what it cannot do anyway. */
static int memory_in_child(void)
{
    refused = 0;
    look_at_keys(parent->ns);
    look_at_namespace(parent->ns);
    look(tarn_close(parent->store), 50);
    return refused;
}

static void test_a_store_in_memory(void **state)
{
    struct store_folder *f = *state;

    store_folder_close(f);
    expect_ok(tarn_open(NULL, NULL, &f->store));
    f->ns = store_folder_create(f, "test", NULL);
    prepare(f);
    expect_number(0, test_run_in_child(memory_in_child));
    expect_unharmed(f);
}

static int own_store_in_child(void)
{
    char path[STORE_FOLDER_PATH_ROOM];
    tarn_namespace *ns = NULL;
    tarn_store *store = NULL;
    tarn_status status = tarn_open(parent->path, NULL, &store);

    if (status != TARN_STORE_LOCKED)
        return 1;
    snprintf(path, sizeof path, "%.200s/child", parent->around);
    status = tarn_open(path, NULL, &store);
    if (!status)
        status = tarn_namespace_create(store, text("test"), NULL, &ns);
    if (!status)
        status = tarn_set(ns, text("a"), text("child"), NULL, NULL);
    if (!status)
        status = tarn_snapshot_save(store, text("s"), NULL);
    tarn_namespace_close(ns);
    return status || tarn_close(store) ? 2 : 0;
}

static void test_the_child_may_open_its_own(void **state)
{
    struct store_folder *f = *state;

    prepare(f);
    expect_number(0, test_run_in_child(own_store_in_child));
    expect_unharmed(f);
    store_folder_close(f);
    snprintf(f->path, sizeof f->path, "%.200s/child", f->around);
    store_folder_open(f, STORE_OPTIONS(.load = TARN_LOAD_NEWEST));
    expect_stored(f->ns, text("a"), text("child"));
}

/* A child that lives on does not keep the parent from closing the store and opening it again. */
static void test_a_child_that_lives_on(void **state)
{
    struct store_folder *f = *state;
    tarn_status status;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    expect_that(child > 0);
    store_folder_close(f);
    status = tarn_open(f->path, NULL, &f->store);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    expect_ok(status);
    f->ns = store_folder_namespace(f, "test");
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_every_call_is_refused),
    STORE_FOLDER_TEST(test_a_read_only_store),
    STORE_FOLDER_TEST(test_a_store_in_memory),
    STORE_FOLDER_TEST(test_a_child_that_lives_on),
    STORE_FOLDER_TEST(test_the_child_may_open_its_own),
};

CONFORMANCE_TOPIC_OF_MEMORY(folder_forks, tests);
