/*
 * Conformance: batches that succeed: every operation, their order, results and summary. What makes
 * a batch fail is in test_batch_failures.c.
 */
#include "conformance/conformance.h"

#include <stdlib.h>
#include <string.h>

static const enum tarn_mode modes[] = {TARN_BEST_EFFORT, TARN_ALL_OR_NOTHING};

static tarn_batch *new_batch(void)
{
    tarn_batch *batch = NULL;

    expect_ok(tarn_batch_create(&batch));
    expect_number(0, tarn_batch_count(batch));
    return batch;
}

/* The sequence of a key's record. */
static uint64_t sequence_of(tarn_namespace *ns, const char *key)
{
    struct tarn_record_info info = {0};

    expect_ok(tarn_get(ns, text(key), NULL, &info));
    return info.sequence;
}

static void expect_summary(struct tarn_batch_summary *summary, size_t processed, size_t failed)
{
    expect_number(processed, summary->processed);
    expect_number(failed, summary->failed);
    expect_that(summary->duration_ns < (uint64_t)60 * 1000 * 1000 * 1000);
}

static void fill_every_operation(struct fixture *f, tarn_batch *batch)
{
    const char *keys[] = {"set", "update", "replace", "sequence", "get", "delete", "consume"};

    for (size_t i = 0; i < 7; i++)
        expect_ok(tarn_set(f->ns, text(keys[i]), text("old"), NULL, NULL));
    expect_ok(tarn_increment(f->ns, text("counter"), 40, NULL));
    expect_ok(tarn_batch_set(batch, text("set"), text("new")));
    expect_ok(tarn_batch_set(batch, text("set of none"), text("new")));
    expect_ok(tarn_batch_insert(batch, text("insert"), text("new")));
    expect_ok(tarn_batch_update(batch, text("update"), text("new")));
    expect_ok(tarn_batch_replace_if(batch, text("replace"), text("old"), text("new")));
    expect_ok(tarn_batch_replace_if_sequence(batch, text("sequence"),
                                             sequence_of(f->ns, "sequence"), text("new")));
    expect_ok(tarn_batch_get(batch, text("get")));
    expect_ok(tarn_batch_delete(batch, text("delete")));
    expect_ok(tarn_batch_consume(batch, text("consume")));
    expect_ok(tarn_batch_increment(batch, text("counter"), 2));
    expect_ok(tarn_batch_increment(batch, text("counter of none"), -3));
    expect_number(11, tarn_batch_count(batch));
}

static void expect_every_operation_done(struct fixture *f)
{
    expect_stored(f->ns, text("set"), text("new"));
    expect_stored(f->ns, text("set of none"), text("new"));
    expect_stored(f->ns, text("insert"), text("new"));
    expect_stored(f->ns, text("update"), text("new"));
    expect_stored(f->ns, text("replace"), text("new"));
    expect_stored(f->ns, text("sequence"), text("new"));
    expect_stored(f->ns, text("get"), text("old"));
    expect_absent(f->ns, text("delete"));
    expect_absent(f->ns, text("consume"));
    expect_stored(f->ns, text("counter"), tarn_slice_of("\x2a\0\0\0\0\0\0\0", 8));
    expect_stored(f->ns, text("counter of none"),
                  tarn_slice_of("\xfd\xff\xff\xff\xff\xff\xff\xff", 8));
    expect_number(9, fixture_state_of(f->ns).keys);
}

static void test_every_operation(void **state)
{
    struct fixture *f = *state;
    static const bool existed[11] = {true, false, false, true, true, true,
                                     true, true,  true,  true, false};
    struct tarn_result results[11];

    for (unsigned m = 0; m < 2; m++) {
        tarn_batch *batch = new_batch();
        struct tarn_batch_summary summary = {0};

        expect_ok(tarn_namespace_clear(f->ns));
        fill_every_operation(f, batch);
        memset(results, 0x55, sizeof results);
        expect_ok(tarn_batch_commit(f->ns, batch, modes[m], results, &f->buf, &summary));
        expect_every_operation_done(f);
        expect_summary(&summary, 11, 0);
        for (unsigned i = 0; i < 11; i++) {
            expect_status(TARN_OK, results[i].status);
            expect_number(existed[i], results[i].existed);
            if (existed[i] && results[i].info.sequence == 0)
                fail_msg("operation %u: expected the sequence of the record it met, got 0", i);
        }
        /* What the operations that hand out a value handed out. */
        expect_bytes(text("old"), results[0].value);
        expect_number(0, results[1].value.length);
        expect_number(0, results[2].value.length);
        expect_bytes(text("old"), results[3].value);
        expect_bytes(text("old"), results[6].value);
        expect_bytes(text("old"), results[8].value);
        expect_signed(42, results[9].sum);
        expect_signed(-3, results[10].sum);
        tarn_batch_free(batch);
    }
}

/* The same batch without each of its outputs. */
static void test_outputs_may_be_null(void **state)
{
    struct fixture *f = *state;
    struct tarn_result results[11];
    struct tarn_batch_summary summary;

    for (unsigned i = 0; i < 16; i++) {
        tarn_batch *batch = new_batch();

        expect_ok(tarn_namespace_clear(f->ns));
        fill_every_operation(f, batch);
        expect_ok(tarn_batch_commit(f->ns, batch, modes[i & 1], i & 2 ? results : NULL,
                                    i & 4 ? &f->buf : NULL, i & 8 ? &summary : NULL));
        expect_every_operation_done(f);
        if (i & 2)
            expect_signed(42, results[9].sum);
        if ((i & 2) && !(i & 4))
            expect_number(0, results[6].value.length);
        tarn_batch_free(batch);
    }
}

/* Operations on one key do what they do one after another. */
static void test_duplicates_run_in_order(void **state)
{
    struct fixture *f = *state;
    static const bool existed[] = {false, true, true, true, true, false, true, false, true, true};
    static const char *const values[] = {NULL, "1", "1", NULL, "3", NULL, "4", NULL, NULL, NULL};
    struct tarn_result results[10];
    struct tarn_batch_summary summary;

    for (unsigned m = 0; m < 2; m++) {
        tarn_batch *batch = new_batch();

        expect_ok(tarn_batch_insert(batch, text("k"), text("1")));
        expect_ok(tarn_batch_get(batch, text("k")));
        expect_ok(tarn_batch_update(batch, text("k"), text("2")));
        expect_ok(tarn_batch_replace_if(batch, text("k"), text("2"), text("3")));
        expect_ok(tarn_batch_consume(batch, text("k")));
        expect_ok(tarn_batch_set(batch, text("k"), text("4")));
        expect_ok(tarn_batch_consume(batch, text("k")));
        expect_ok(tarn_batch_increment(batch, text("k"), 5));
        expect_ok(tarn_batch_increment(batch, text("k"), 6));
        expect_ok(tarn_batch_delete(batch, text("k")));
        expect_ok(tarn_batch_commit(f->ns, batch, modes[m], results, &f->buf, &summary));
        expect_summary(&summary, 10, 0);
        for (unsigned i = 0; i < 10; i++) {
            expect_status(TARN_OK, results[i].status);
            if (results[i].existed != existed[i])
                fail_msg("operation %u: expected existed to be %d", i, existed[i]);
            if (values[i])
                expect_bytes(text(values[i]), results[i].value);
        }
        expect_signed(5, results[7].sum);
        expect_signed(11, results[8].sum);
        expect_absent(f->ns, text("k"));
        expect_number(0, fixture_state_of(f->ns).keys);
        tarn_batch_free(batch);
    }
}

/* Key, values and the batch's own arguments are copied when the operation is added. */
static void test_arguments_are_copied(void **state)
{
    struct fixture *f = *state;
    tarn_batch *batch = new_batch();
    char bytes[3] = "abc";

    expect_ok(tarn_set(f->ns, text("b"), text("c"), NULL, NULL));
    expect_ok(tarn_batch_set(batch, tarn_slice_of(bytes, 1), tarn_slice_of(bytes, 3)));
    expect_ok(tarn_batch_replace_if(batch, tarn_slice_of(bytes + 1, 1), tarn_slice_of(bytes + 2, 1),
                                    tarn_slice_of(bytes, 2)));
    memset(bytes, 'x', sizeof bytes);
    expect_ok(tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_stored(f->ns, text("a"), text("abc"));
    expect_stored(f->ns, text("b"), text("ab"));
    expect_number(2, fixture_state_of(f->ns).keys);
    tarn_batch_free(batch);
}

static void test_empty_batch(void **state)
{
    struct fixture *f = *state;
    tarn_batch *batch = new_batch();
    struct tarn_batch_summary summary = {.processed = 5, .failed = 5};
    struct fixture_state before;

    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
    before = fixture_state_of(f->ns);
    for (unsigned m = 0; m < 2; m++) {
        expect_ok(tarn_batch_commit(f->ns, batch, modes[m], NULL, &f->buf, &summary));
        expect_summary(&summary, 0, 0);
        expect_same_state(before, f->ns);
    }
    tarn_batch_free(batch);
}

static void test_commit_twice_and_elsewhere(void **state)
{
    struct fixture *f = *state;
    tarn_batch *batch = new_batch();
    tarn_namespace *other = NULL;

    expect_ok(fixture_backend->create(f->store, text("other"), NULL, &other));
    expect_ok(tarn_batch_increment(batch, text("n"), 3));
    expect_ok(tarn_batch_set(batch, text("k"), text("v")));
    for (unsigned i = 0; i < 5; i++)
        expect_ok(tarn_batch_commit(f->ns, batch, modes[i % 2], NULL, NULL, NULL));
    expect_ok(tarn_batch_commit(other, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_number(2, tarn_batch_count(batch));
    expect_stored(f->ns, text("n"), tarn_slice_of("\x0f\0\0\0\0\0\0\0", 8));
    expect_stored(other, text("n"), tarn_slice_of("\x03\0\0\0\0\0\0\0", 8));
    tarn_namespace_close(other);
    tarn_batch_free(batch);
}

static void test_reuse_after_clear(void **state)
{
    struct fixture *f = *state;
    tarn_batch *batch = new_batch();
    char room[NUMBERED_KEY_ROOM];

    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 50; i++)
            expect_ok(tarn_batch_set(batch, numbered_key(room, round * 100 + i), text("v")));
        expect_number(50, tarn_batch_count(batch));
        expect_ok(tarn_batch_commit(f->ns, batch, modes[round % 2], NULL, NULL, NULL));
        tarn_batch_clear(batch);
        expect_number(0, tarn_batch_count(batch));
        expect_number((round + 1) * 50, fixture_state_of(f->ns).keys);
    }
    expect_ok(tarn_batch_delete(batch, numbered_key(room, 1)));
    expect_ok(tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_number(499, fixture_state_of(f->ns).keys);
    tarn_batch_free(batch);
}

/* Across all shards, with an index that has to grow in the middle. */
static void test_large_batch(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 20000 };
    struct tarn_result *results = calloc(COUNT, sizeof *results);
    char room[NUMBERED_KEY_ROOM], value[NUMBERED_KEY_ROOM];

    assert_non_null(results);
    for (unsigned m = 0; m < 2; m++) {
        tarn_batch *batch = new_batch();
        struct tarn_batch_summary summary;

        for (unsigned i = 0; i < COUNT; i++)
            expect_ok(tarn_batch_set(batch, numbered_key(room, i), numbered_key(value, i * 7)));
        expect_ok(tarn_batch_commit(f->ns, batch, modes[m], results, &f->buf, &summary));
        expect_summary(&summary, COUNT, 0);
        for (unsigned i = 0; i < COUNT; i++)
            expect_that(!results[i].existed && results[i].status == TARN_OK);
        expect_number(COUNT, fixture_state_of(f->ns).keys);
        expect_ok(tarn_batch_commit(f->ns, batch, modes[m], results, &f->buf, &summary));
        for (unsigned i = 0; i < COUNT; i++)
            expect_bytes(numbered_key(room, i * 7), results[i].value);
        expect_stored(f->ns, numbered_key(room, 123), numbered_key(value, 861));
        tarn_batch_free(batch);
        expect_ok(tarn_namespace_clear(f->ns));
    }
    free(results);
}

/* Values of very different sizes come back in one buffer, each in its place. */
static void test_values_of_many_sizes(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 60 };
    struct tarn_result results[COUNT];
    tarn_batch *batch = new_batch();
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < COUNT; i++) {
        size_t size = (i * i * i * 13) % 70000;
        void *bytes = patterned_bytes(size, i);

        expect_ok(tarn_set(f->ns, numbered_key(room, i), tarn_slice_of(bytes, size), NULL, NULL));
        expect_ok(i % 2 ? tarn_batch_get(batch, numbered_key(room, i))
                        : tarn_batch_consume(batch, numbered_key(room, i)));
        free(bytes);
    }
    expect_ok(tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, results, &f->buf, NULL));
    for (unsigned i = 0; i < COUNT; i++) {
        size_t size = (i * i * i * 13) % 70000;
        void *bytes = patterned_bytes(size, i);

        expect_bytes(tarn_slice_of(bytes, size), results[i].value);
        free(bytes);
    }
    expect_number(COUNT / 2, fixture_state_of(f->ns).keys);
    tarn_batch_free(batch);
}

/* The info of a result is that of the record that was there before, with its content. */
static void test_info_of_results(void **state)
{
    struct fixture *f = *state;
    tarn_batch *batch = new_batch();
    struct tarn_result results[4];
    uint64_t first, second;

    expect_ok(tarn_increment(f->ns, text("n"), 1, NULL));
    expect_ok(tarn_set(f->ns, text("k"), text("v"), NULL, NULL));
    first = sequence_of(f->ns, "n");
    second = sequence_of(f->ns, "k");
    expect_ok(tarn_batch_get(batch, text("n")));
    expect_ok(tarn_batch_set(batch, text("k"), text("w")));
    expect_ok(tarn_batch_consume(batch, text("n")));
    expect_ok(tarn_batch_get(batch, text("k")));
    expect_ok(tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, results, &f->buf, NULL));
    expect_number(first, results[0].info.sequence);
    expect_number(TARN_CONTENT_COUNTER, results[0].info.content);
    expect_number(second, results[1].info.sequence);
    expect_number(TARN_CONTENT_BYTES, results[1].info.content);
    expect_number(first, results[2].info.sequence);
    expect_number(sequence_of(f->ns, "k"), results[3].info.sequence);
    expect_that(results[3].info.sequence > second);
    expect_bytes(text("w"), results[3].value);
    tarn_batch_free(batch);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_every_operation),
    CONFORMANCE_TEST(test_outputs_may_be_null),
    CONFORMANCE_TEST(test_duplicates_run_in_order),
    CONFORMANCE_TEST(test_arguments_are_copied),
    CONFORMANCE_TEST(test_empty_batch),
    CONFORMANCE_TEST(test_commit_twice_and_elsewhere),
    CONFORMANCE_TEST(test_reuse_after_clear),
    CONFORMANCE_TEST(test_large_batch),
    CONFORMANCE_TEST(test_values_of_many_sizes),
    CONFORMANCE_TEST(test_info_of_results),
};

CONFORMANCE_TOPIC(batches, tests);
