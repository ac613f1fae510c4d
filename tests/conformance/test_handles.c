/*
 * Conformance: handles of dropped namespaces and closed stores, and NULL and other wrong arguments.
 */
#include "conformance/conformance.h"

#include <stdlib.h>

static bool visit_nothing(void *context, struct tarn_slice name)
{
    (void)context;
    (void)name;
    return true;
}

/* Calls everything that takes a namespace's handle. The arguments are all good ones. */
static void expect_every_call(tarn_status wanted, tarn_namespace *ns)
{
    struct tarn_namespace_options options = {.size = sizeof options, .max_keys = 5};
    struct tarn_stats stats = {.size = sizeof stats};
    struct tarn_slice key = text("k"), value = text("v");
    struct tarn_buf buf = {0};
    struct tarn_pin pin = {0};
    struct tarn_result result;
    tarn_cursor *cursor = NULL;
    tarn_batch *batch = NULL;

    expect_status(wanted, tarn_namespace_configure(ns, TARN_SET_MAX_KEYS, &options));
    expect_status(wanted, tarn_namespace_resize(ns, 4));
    expect_status(wanted, tarn_namespace_clear(ns));
    expect_status(wanted, tarn_namespace_stats(ns, &stats, NULL, 0));
    expect_status(wanted, tarn_set(ns, key, value, NULL, NULL));
    expect_status(wanted, tarn_insert(ns, key, value));
    expect_status(wanted, tarn_update(ns, key, value, NULL));
    expect_status(wanted, tarn_replace_if(ns, key, value, value));
    expect_status(wanted, tarn_replace_if_sequence(ns, key, 1, value));
    expect_status(wanted, tarn_get(ns, key, &buf, NULL));
    expect_status(wanted, tarn_get_pinned(ns, key, &pin));
    expect_status(wanted, tarn_exists(ns, key));
    expect_status(wanted, tarn_delete(ns, key));
    expect_status(wanted, tarn_consume(ns, key, &buf));
    expect_status(wanted, tarn_increment(ns, key, 1, NULL));
    expect_status(wanted, tarn_get_many(ns, TARN_BEST_EFFORT, &key, 1, &result, &buf));
    expect_status(wanted, tarn_get_many(ns, TARN_ALL_OR_NOTHING, &key, 1, &result, &buf));
    expect_status(wanted, tarn_cursor_open(ns, NULL, &cursor));
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, key, value));
    expect_status(wanted, tarn_batch_commit(ns, batch, TARN_BEST_EFFORT, NULL, NULL, NULL));
    expect_status(wanted, tarn_batch_commit(ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    tarn_batch_free(batch);
    expect_that(buf.data == NULL && cursor == NULL && pin.held[0] == NULL);
    tarn_buf_release(&buf);
}

static void test_handle_of_a_dropped_namespace(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *second = NULL;

    expect_ok(tarn_set(f->ns, text("k"), text("v"), NULL, NULL));
    expect_ok(tarn_namespace_open(f->store, text("test"), &second));
    expect_ok(tarn_namespace_drop(f->store, text("test")));
    expect_every_call(TARN_NAMESPACE_DROPPED, f->ns);
    expect_every_call(TARN_NAMESPACE_DROPPED, second);
    tarn_namespace_close(second);
    expect_every_call(TARN_NAMESPACE_DROPPED, f->ns);
}

static void test_handle_of_a_closed_store(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *second = NULL;

    expect_ok(tarn_set(f->ns, text("k"), text("v"), NULL, NULL));
    expect_ok(tarn_namespace_open(f->store, text("test"), &second));
    expect_ok(tarn_close(f->store));
    f->store = NULL;
    expect_every_call(TARN_CLOSED, f->ns);
    expect_every_call(TARN_CLOSED, second);
    tarn_namespace_close(second);
    expect_every_call(TARN_CLOSED, f->ns);
}

static void test_handle_that_outlives_both(void **state)
{
    struct fixture *f = *state;
    tarn_status status;

    expect_ok(tarn_namespace_drop(f->store, text("test")));
    expect_ok(tarn_close(f->store));
    f->store = NULL;
    status = tarn_set(f->ns, text("k"), text("v"), NULL, NULL);
    expect_that(status == TARN_CLOSED || status == TARN_NAMESPACE_DROPPED);
    expect_ok(tarn_close(NULL));
}

static void test_namespace_null(void **state)
{
    (void)state;
    expect_every_call(TARN_INVALID_ARGUMENT, NULL);
}

static void test_other_objects_null(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *ns = NULL;
    size_t count = 5;
    struct tarn_slice value;

    expect_status(TARN_INVALID_ARGUMENT, tarn_open(NULL, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_create(NULL, text("a"), NULL, &ns));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_open(NULL, text("a"), &ns));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_drop(NULL, text("a")));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_list(NULL, visit_nothing, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_list(f->store, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_count(NULL, &count));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_get_pinned(f->ns, text("a"), NULL));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_get_many(f->ns, TARN_BEST_EFFORT, NULL, 1, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_get_many(f->ns, TARN_ALL_OR_NOTHING, NULL, 1, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_create(NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_set(NULL, text("a"), text("b")));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_insert(NULL, text("a"), text("b")));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_update(NULL, text("a"), text("b")));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_batch_replace_if(NULL, text("a"), text("b"), text("c")));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_batch_replace_if_sequence(NULL, text("a"), 1, text("c")));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_get(NULL, text("a")));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_delete(NULL, text("a")));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_consume(NULL, text("a")));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_increment(NULL, text("a"), 1));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_batch_commit(f->ns, NULL, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_cursor_open(f->ns, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_cursor_next(NULL, NULL, &value, NULL));
    tarn_batch_free(NULL);
    tarn_cursor_close(NULL);
    expect_number(5, count);
    expect_that(ns == NULL);
    expect_number(0, fixture_state_of(f->ns).keys);
}

/* A slice with a length but no bytes. */
static void test_slices_without_bytes(void **state)
{
    struct fixture *f = *state;
    struct tarn_slice none = tarn_slice_of(NULL, 3);
    tarn_namespace *ns = NULL;
    tarn_batch *batch = NULL;

    expect_status(TARN_INVALID_ARGUMENT, tarn_set(f->ns, none, text("v"), NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_set(f->ns, text("k"), none, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_insert(f->ns, none, text("v")));
    expect_status(TARN_INVALID_ARGUMENT, tarn_get(f->ns, none, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_exists(f->ns, none));
    expect_status(TARN_INVALID_ARGUMENT, tarn_delete(f->ns, none));
    expect_status(TARN_INVALID_ARGUMENT, tarn_increment(f->ns, none, 1, NULL));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_open(f->store, none, &ns));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_create(f->store, none, NULL, &ns));
    expect_ok(tarn_batch_create(&batch));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_set(batch, none, text("v")));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_set(batch, text("k"), none));
    expect_status(TARN_INVALID_ARGUMENT, tarn_batch_get(batch, none));
    expect_number(0, tarn_batch_count(batch));
    tarn_batch_free(batch);
    expect_number(0, fixture_state_of(f->ns).keys);
}

static void test_size_of_options(void **state)
{
    struct fixture *f = *state;
    size_t sizes[] = {0, 1, 4};
    uint64_t marked = 42;

    for (size_t i = 0; i < 3; i++) {
        struct tarn_options store_options = {.size = sizes[i]};
        struct tarn_namespace_options options = {.size = sizes[i], .max_keys = 1};
        struct tarn_cursor_options cursor_options = {.size = sizes[i]};
        struct tarn_stats stats = {.size = sizes[i], .keys = 42};
        tarn_store *store = NULL;
        tarn_namespace *ns = NULL;
        tarn_cursor *cursor = NULL;

        expect_status(TARN_INVALID_ARGUMENT, tarn_open(NULL, &store_options, &store));
        expect_status(TARN_INVALID_ARGUMENT,
                      tarn_namespace_create(f->store, text("a"), &options, &ns));
        expect_status(TARN_INVALID_ARGUMENT,
                      tarn_namespace_configure(f->ns, TARN_SET_MAX_KEYS, &options));
        expect_status(TARN_INVALID_ARGUMENT, tarn_cursor_open(f->ns, &cursor_options, &cursor));
        expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_stats(f->ns, &stats, &marked, 1));
        expect_that(store == NULL && ns == NULL && cursor == NULL);
        expect_number(42, stats.keys);
        expect_number(42, marked);
    }
}

static void test_fields_out_of_range(void **state)
{
    struct fixture *f = *state;
    struct tarn_namespace_options shards = {.size = sizeof shards, .shards = TARN_SHARDS_MAX + 1};
    struct tarn_namespace_options value = {.size = sizeof value,
                                           .max_value_size = TARN_VALUE_BYTES_MAX + 1};
    tarn_namespace *ns = NULL;
    size_t count;

    expect_status(TARN_INVALID_ARGUMENT,
                  fixture_backend->create(f->store, text("a"), &shards, &ns));
    expect_status(TARN_INVALID_ARGUMENT, fixture_backend->create(f->store, text("a"), &value, &ns));
    expect_that(ns == NULL);
    expect_ok(tarn_namespace_count(f->store, &count));
    expect_number(1, count);
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_resize(f->ns, 0));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_resize(f->ns, TARN_SHARDS_MAX + 1));
    expect_status(TARN_INVALID_ARGUMENT, tarn_namespace_resize(f->ns, UINT32_MAX));
}

static void test_mode_out_of_range(void **state)
{
    struct fixture *f = *state;
    struct tarn_slice key = text("k");
    tarn_batch *batch = NULL;

    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, key, text("v")));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_batch_commit(f->ns, batch, (enum tarn_mode)2, NULL, NULL, NULL));
    expect_status(TARN_INVALID_ARGUMENT,
                  tarn_get_many(f->ns, (enum tarn_mode)2, &key, 1, NULL, NULL));
    tarn_batch_free(batch);
    expect_absent(f->ns, key);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_handle_of_a_dropped_namespace),
    CONFORMANCE_TEST(test_handle_of_a_closed_store),
    CONFORMANCE_TEST(test_handle_that_outlives_both),
    CONFORMANCE_TEST(test_namespace_null),
    CONFORMANCE_TEST(test_other_objects_null),
    CONFORMANCE_TEST(test_slices_without_bytes),
    CONFORMANCE_TEST(test_size_of_options),
    CONFORMANCE_TEST(test_fields_out_of_range),
    CONFORMANCE_TEST(test_mode_out_of_range),
};

CONFORMANCE_TOPIC(handles, tests);
