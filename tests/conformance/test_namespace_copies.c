/*
 * Conformance: copies of namespaces: the same content on any engine, one cut while others write,
 * not seen before it is whole, within the copy's limits; and that what comes into a store whole, by
 * a copy or a load under a new name, is then like any other namespace.
 */
#include "conformance/conformance.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/concurrency.h"
#include "support/store_folder.h"

#define KEYS 2000

static void fill(tarn_namespace *ns, unsigned keys)
{
    char room[NUMBERED_KEY_ROOM];
    void *bytes = patterned_bytes(200000, 1);

    for (unsigned i = 0; i < keys; i++)
        expect_ok(tarn_set(ns, numbered_key(room, i), numbered_key(room, i), NULL, NULL));
    for (unsigned i = 0; i < keys; i += 7)
        expect_ok(tarn_delete(ns, numbered_key(room, i)));
    expect_ok(tarn_increment(ns, text("counter"), 12, NULL));
    expect_ok(tarn_set(ns, text("large"), tarn_slice_of(bytes, 200000), NULL, NULL));
    expect_ok(tarn_set(ns, text("empty"), text(""), NULL, NULL));
    free(bytes);
}

static tarn_namespace *open_namespace(tarn_store *store, const char *name)
{
    tarn_namespace *ns;

    expect_ok(tarn_namespace_open(store, text(name), &ns));
    return ns;
}

/* ------------------------------------------------------------------------------------------
 * What is copied
 */

static void test_the_same_content(void **state)
{
    struct fixture *f = *state;
    struct fixture_state before;
    struct tarn_stats original, copied;
    tarn_namespace *copy;

    fill(f->ns, KEYS);
    expect_ok(tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS | TARN_SET_LOCK_TIMEOUT_MS,
                                       NAMESPACE_OPTIONS(.max_keys = 5000, .lock_timeout_ms = 99)));
    before = fixture_state_of(f->ns);
    original = store_folder_stats(f->ns);
    expect_ok(tarn_namespace_copy(f->store, text("test"), text("copy"), NULL));
    copy = open_namespace(f->store, "copy");
    expect_same_content(before, copy);
    copied = store_folder_stats(copy);
    expect_number(original.options.engine, copied.options.engine);
    expect_number(5000, copied.options.max_keys);
    expect_number(99, copied.options.lock_timeout_ms);
    expect_number(original.options.sync, copied.options.sync);
    expect_ok(tarn_set(copy, text("new"), text("in the copy"), NULL, NULL));
    expect_ok(tarn_namespace_clear(f->ns));
    expect_number(0, fixture_state_of(f->ns).keys);
    expect_number(before.keys + 1, fixture_state_of(copy).keys);
    expect_ok(tarn_namespace_copy(f->store, text("test"), text("nothing"), NULL));
    tarn_namespace_close(copy);
    copy = open_namespace(f->store, "nothing");
    expect_number(0, fixture_state_of(copy).keys);
    tarn_namespace_close(copy);
    expect_ok(tarn_namespace_drop(f->store, text("copy")));
}

static void test_what_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fixture_state before;
    size_t count;

    fill(f->ns, 100);
    before = fixture_state_of(f->ns);
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_namespace_copy(NULL, text("test"), text("copy"), NULL));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_namespace_copy(f->store, text("test"), text("copy"),
                                      &(struct tarn_namespace_options){.size = 1}));
    expect_status(TARN_NAME_INVALID, tarn_namespace_copy(f->store, text("test"), text(""), NULL));
    expect_status(TARN_NAME_INVALID, tarn_namespace_copy(f->store, text("\n"), text("copy"), NULL));
    expect_status(TARN_NAMESPACE_NOT_FOUND,
                  tarn_namespace_copy(f->store, text("none"), text("copy"), NULL));
    expect_status(TARN_NAMESPACE_EXISTS,
                  tarn_namespace_copy(f->store, text("test"), text("test"), NULL));
    expect_status(TARN_TOO_MANY_KEYS,
                  tarn_namespace_copy(f->store, text("test"), text("copy"),
                                      NAMESPACE_OPTIONS(.max_keys = before.keys - 1)));
    expect_status(TARN_FULL, tarn_namespace_copy(f->store, text("test"), text("copy"),
                                                 NAMESPACE_OPTIONS(.max_bytes = before.bytes - 1)));
    expect_status(TARN_VALUE_TOO_LARGE,
                  tarn_namespace_copy(f->store, text("test"), text("copy"),
                                      NAMESPACE_OPTIONS(.max_value_size = 199999)));
    expect_ok(tarn_namespace_count(f->store, &count));
    expect_number(1, count);
    expect_same_state(before, f->ns);
    expect_ok(
        tarn_namespace_copy(f->store, text("test"), text("copy"),
                            NAMESPACE_OPTIONS(.max_keys = before.keys, .max_bytes = before.bytes,
                                              .max_value_size = 200000)));
}

static void test_no_more_namespaces_than_there_may_be(void **state)
{
    struct fixture *f = *state;

    fixture_renew_store(f, STORE_OPTIONS(.max_namespaces = 2));
    expect_ok(tarn_namespace_copy(f->store, text("test"), text("copy"), NULL));
    expect_status(TARN_TOO_MANY_NAMESPACES,
                  tarn_namespace_copy(f->store, text("test"), text("another"), NULL));
}

/* What is there counts from the first moment on. */
static void expect_limit_holds(tarn_namespace *ns, uint64_t keys)
{
    expect_number(keys, fixture_state_of(ns).keys);
    expect_ok(tarn_namespace_configure(ns, TARN_SET_LOCK_TIMEOUT_MS,
                                       NAMESPACE_OPTIONS(.lock_timeout_ms = 100)));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(ns, text("one more"), text("")));
    expect_ok(tarn_delete(ns, text("counter")));
    expect_ok(tarn_delete(ns, text("empty")));
    expect_ok(tarn_insert(ns, text("one more"), text("")));
    expect_ok(tarn_insert(ns, text("two more"), text("")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(ns, text("three more"), text("")));
}

static void expect_limit_holds_at_once(tarn_namespace *ns)
{
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(ns, text("one more"), text("")));
}

static void test_the_limits_of_a_copy_hold(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *copy;
    uint64_t keys;

    fill(f->ns, 100);
    keys = fixture_state_of(f->ns).keys;
    expect_ok(tarn_namespace_copy(f->store, text("test"), text("copy"),
                                  NAMESPACE_OPTIONS(.max_keys = keys)));
    copy = open_namespace(f->store, "copy");
    expect_limit_holds_at_once(copy);
    expect_limit_holds(copy, keys);
    tarn_namespace_close(copy);
}

/* ------------------------------------------------------------------------------------------
 * While others write
 */

enum { TOGETHER = 8, WRITERS = 2 };

struct common {
    tarn_store *store;
    tarn_namespace *ns;
    uint64_t keys; /* that a whole copy has */
    _Atomic unsigned found;
};

static void write_batches(struct worker *worker)
{
    struct common *common = worker->context;
    char room[NUMBERED_KEY_ROOM], value[32];
    tarn_batch *batch = NULL;

    CONTEST_OK(worker, tarn_batch_create(&batch));
    for (unsigned number = 1; contest_goes_on(worker); number++) {
        int length = snprintf(value, sizeof value, "%u", number);

        tarn_batch_clear(batch);
        for (unsigned i = 0; i < TOGETHER; i++)
            CONTEST_OK(worker,
                       tarn_batch_set(batch, numbered_key(room, 900000 + worker->index * 100 + i),
                                      tarn_slice_of(value, (size_t)length)));
        CONTEST_OK(worker,
                   tarn_batch_commit(common->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    }
    tarn_batch_free(batch);
}

/* Whoever finds the copy finds all of it. */
static void look_for_copy(struct worker *worker)
{
    struct common *common = worker->context;

    while (contest_goes_on(worker)) {
        struct tarn_stats stats = {.size = sizeof stats};
        tarn_namespace *copy;
        tarn_status status = tarn_namespace_open(common->store, text("copy"), &copy);

        if (status == TARN_NAMESPACE_NOT_FOUND)
            continue;
        CONTEST_OK(worker, status);
        status = tarn_namespace_stats(copy, &stats, NULL, 0);
        tarn_namespace_close(copy);
        if (status == TARN_NAMESPACE_DROPPED)
            continue;
        CONTEST_OK(worker, status);
        CONTEST_CHECK(worker, stats.keys == common->keys, "a copy with %llu keys of %llu",
                      (unsigned long long)stats.keys, (unsigned long long)common->keys);
        common->found++;
    }
}

static void expect_whole_batches(tarn_namespace *ns, struct tarn_buf *buf)
{
    char room[NUMBERED_KEY_ROOM], first[32];

    for (unsigned writer = 0; writer < WRITERS; writer++)
        for (unsigned i = 0; i < TOGETHER; i++) {
            expect_ok(tarn_get(ns, numbered_key(room, 900000 + writer * 100 + i), buf, NULL));
            if (i == 0)
                snprintf(first, sizeof first, "%.*s", (int)buf->length, (const char *)buf->data);
            expect_bytes(text(first), held(buf));
        }
}

static void copy_under_writers(tarn_store *store, tarn_namespace *ns, struct tarn_buf *buf,
                               const struct tarn_namespace_options *options)
{
    struct common common = {.store = store, .ns = ns};
    struct contest contest = {0};
    char room[NUMBERED_KEY_ROOM];
    unsigned rounds = 0;

    fill(ns, KEYS);
    for (unsigned i = 0; i < WRITERS; i++)
        for (unsigned k = 0; k < TOGETHER; k++)
            expect_ok(
                tarn_set(ns, numbered_key(room, 900000 + i * 100 + k), text("0"), NULL, NULL));
    common.keys = fixture_state_of(ns).keys;
    contest_add(&contest, WRITERS, write_batches, &common, 81);
    contest_add(&contest, 1, look_for_copy, &common, 82);
    contest_begin(&contest);
    for (; (rounds < 5 || !common.found) && rounds < 500 && !contest.failed; rounds++) {
        tarn_namespace *copy;

        expect_ok(tarn_namespace_copy(store, text("test"), text("copy"), options));
        copy = open_namespace(store, "copy");
        expect_whole_batches(copy, buf);
        usleep(1000);
        tarn_namespace_close(copy);
        expect_ok(tarn_namespace_drop(store, text("copy")));
    }
    contest_end(&contest);
    expect_that(common.found > 0);
}

static void test_one_cut_while_others_write(void **state)
{
    struct fixture *f = *state;

    copy_under_writers(f->store, f->ns, &f->buf, NULL);
}

/* ------------------------------------------------------------------------------------------
 * From one engine to another
 */

static void test_from_memory_to_a_log(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before;
    tarn_namespace *copy;

    copy_under_writers(f->store, f->ns, &f->buf, NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG));
    before = fixture_state_of(f->ns);
    expect_ok(tarn_namespace_copy(f->store, text("test"), text("copy"),
                                  NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG)));
    expect_ok(tarn_namespace_clear(f->ns));
    for (unsigned i = 0; i < 2; i++) { /* it is on disk at once, and what is not saved is not */
        store_folder_reopen(f, NULL);
        copy = store_folder_namespace(f, "copy");
        expect_number(TARN_ENGINE_LOG, store_folder_stats(copy).options.engine);
        expect_same_content(before, copy);
        expect_number(0, fixture_state_of(f->ns).keys);
        tarn_namespace_close(copy);
    }
}

static void test_from_a_log_to_memory(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before;
    tarn_namespace *copy;

    tarn_namespace_close(f->ns);
    expect_ok(tarn_namespace_drop(f->store, text("test")));
    f->ns = store_folder_create(
        f, "test", NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG, .sync = TARN_SYNC_NONE));
    copy_under_writers(f->store, f->ns, &f->buf, NAMESPACE_OPTIONS(.engine = TARN_ENGINE_MEMORY));
    before = fixture_state_of(f->ns);
    expect_ok(tarn_namespace_copy(f->store, text("test"), text("copy"),
                                  NAMESPACE_OPTIONS(.engine = TARN_ENGINE_MEMORY)));
    copy = store_folder_namespace(f, "copy");
    expect_same_content(before, copy);
    expect_ok(tarn_snapshot_save_namespace(copy, text("s"), NULL));
    tarn_namespace_close(copy);
    store_folder_reopen(f, NULL);
    copy = store_folder_namespace(f, "copy");
    expect_number(TARN_ENGINE_MEMORY, store_folder_stats(copy).options.engine);
    expect_same_content(before, copy);
    expect_same_content(before, f->ns);
    tarn_namespace_close(copy);
}

static void test_a_log_needs_a_folder(void **state)
{
    tarn_store *store;
    tarn_namespace *ns;
    size_t count;

    (void)state;
    expect_ok(tarn_open(NULL, NULL, &store));
    expect_ok(tarn_namespace_create(store, text("test"), NULL, &ns));
    expect_status(TARN_PERSISTENCE_NOT_ENABLED,
                  tarn_namespace_copy(store, text("test"), text("copy"),
                                      NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG)));
    expect_ok(tarn_namespace_count(store, &count));
    expect_number(1, count);
    tarn_namespace_close(ns);
    expect_ok(tarn_close(store));
}

static void test_a_store_that_is_only_read(void **state)
{
    struct store_folder *f = *state;

    store_folder_reopen(f, STORE_OPTIONS(.read_only = true));
    expect_status(TARN_READ_ONLY, tarn_namespace_copy(f->store, text("test"), text("copy"), NULL));
}

/* ------------------------------------------------------------------------------------------
 * What comes whole is like any other
 */

static void note_compaction(void *context, const struct tarn_event *event)
{
    if (event->kind == TARN_EVENT_COMPACTION_DONE)
        atomic_fetch_add((_Atomic unsigned *)context, 1);
}

static void expect_compacted(tarn_namespace *ns, _Atomic unsigned *compactions)
{
    char *value = patterned_bytes(20000, 1);

    for (unsigned i = 0; i < 4000 && !atomic_load(compactions); i++) {
        expect_ok(tarn_set(ns, text("key"), tarn_slice_of(value, 20000), NULL, NULL));
        if (i >= 400)
            usleep(5000);
    }
    free(value);
    expect_that(atomic_load(compactions) > 0);
}

static void test_what_came_whole_is_compacted(void **state)
{
    struct store_folder *f = *state;
    _Atomic unsigned compactions = 0;
    struct tarn_namespace_options *options =
        NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG, .sync = TARN_SYNC_NONE,
                          .segment_bytes = 262144);
    tarn_namespace *ns;

    store_folder_reopen(
        f, STORE_OPTIONS(.on_event = note_compaction, .event_context = (void *)&compactions));
    expect_ok(tarn_namespace_copy(f->store, text("test"), text("log"), options));
    ns = store_folder_namespace(f, "log");
    expect_compacted(ns, &compactions);
    expect_ok(tarn_snapshot_save_namespace(ns, text("s"), NULL));
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("log"), text("loaded")));
    tarn_namespace_close(ns);
    expect_ok(tarn_namespace_drop(f->store, text("log")));
    atomic_store(&compactions, 0);
    ns = store_folder_namespace(f, "loaded");
    expect_compacted(ns, &compactions);
    tarn_namespace_close(ns);
    store_folder_close(f); /* no event is told any more */
    store_folder_open(f, NULL);
}

static void test_limits_hold_after_a_load_under_a_new_name(void **state)
{
    struct store_folder *f = *state;
    tarn_namespace *ns;
    uint64_t keys;

    fill(f->ns, 100);
    keys = fixture_state_of(f->ns).keys;
    expect_ok(
        tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, NAMESPACE_OPTIONS(.max_keys = keys)));
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    expect_ok(tarn_snapshot_load_namespace(f->store, text("s"), text("test"), text("loaded")));
    ns = store_folder_namespace(f, "loaded");
    expect_limit_holds_at_once(ns);
    expect_limit_holds(ns, keys);
    tarn_namespace_close(ns);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_the_same_content),
    CONFORMANCE_TEST(test_what_is_refused),
    CONFORMANCE_TEST(test_no_more_namespaces_than_there_may_be),
    CONFORMANCE_TEST(test_the_limits_of_a_copy_hold),
    CONFORMANCE_TEST(test_one_cut_while_others_write),
    STORE_FOLDER_TEST(test_from_memory_to_a_log),
    STORE_FOLDER_TEST(test_from_a_log_to_memory),
    STORE_FOLDER_TEST(test_a_log_needs_a_folder),
    STORE_FOLDER_TEST(test_a_store_that_is_only_read),
    STORE_FOLDER_TEST(test_what_came_whole_is_compacted),
    STORE_FOLDER_TEST(test_limits_hold_after_a_load_under_a_new_name),
};

CONFORMANCE_TOPIC(namespace_copies, tests);
