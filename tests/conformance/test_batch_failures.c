/*
 * Conformance: batches in which an operation fails. All-or-nothing: whatever fails, wherever it
 * stands, everything is left as it was. Best-effort: the others are done, each with its own status.
 */
#include "conformance/conformance.h"

#include <stdlib.h>
#include <string.h>

#define OPTIONS(...)                                                                               \
    (&(struct tarn_namespace_options){.size = sizeof(struct tarn_namespace_options), __VA_ARGS__})

/* One way in which an operation of a batch fails in the namespace that prepare() makes. */
struct failure {
    const char *name;
    tarn_status status;
    tarn_status (*add)(tarn_batch *batch);
};

static tarn_status add_insert(tarn_batch *batch)
{
    return tarn_batch_insert(batch, text("here"), text("x"));
}

static tarn_status add_update(tarn_batch *batch)
{
    return tarn_batch_update(batch, text("none"), text("x"));
}

static tarn_status add_replace_none(tarn_batch *batch)
{
    return tarn_batch_replace_if(batch, text("none"), text("x"), text("x"));
}

static tarn_status add_replace_other(tarn_batch *batch)
{
    return tarn_batch_replace_if(batch, text("here"), text("not this"), text("x"));
}

static tarn_status add_sequence_none(tarn_batch *batch)
{
    return tarn_batch_replace_if_sequence(batch, text("none"), 1, text("x"));
}

static tarn_status add_sequence_other(tarn_batch *batch)
{
    return tarn_batch_replace_if_sequence(batch, text("here"), UINT64_MAX / 2, text("x"));
}

static tarn_status add_get(tarn_batch *batch)
{
    return tarn_batch_get(batch, text("none"));
}

static tarn_status add_delete(tarn_batch *batch)
{
    return tarn_batch_delete(batch, text("none"));
}

static tarn_status add_consume(tarn_batch *batch)
{
    return tarn_batch_consume(batch, text("none"));
}

static tarn_status add_increment_bytes(tarn_batch *batch)
{
    return tarn_batch_increment(batch, text("here"), 1);
}

static tarn_status add_increment_overflow(tarn_batch *batch)
{
    return tarn_batch_increment(batch, text("high"), 1);
}

static tarn_status add_large_value(tarn_batch *batch)
{
    static const char large[101] = "";

    return tarn_batch_set(batch, text("here"), tarn_slice_of(large, sizeof large));
}

static const struct failure failures[] = {
    {"insert of a key that is there", TARN_KEY_EXISTS, add_insert},
    {"update of none", TARN_KEY_NOT_FOUND, add_update},
    {"replace_if of none", TARN_KEY_NOT_FOUND, add_replace_none},
    {"replace_if of another value", TARN_CONDITION_FAILED, add_replace_other},
    {"replace_if_sequence of none", TARN_KEY_NOT_FOUND, add_sequence_none},
    {"replace_if_sequence of another", TARN_CONDITION_FAILED, add_sequence_other},
    {"get of none", TARN_KEY_NOT_FOUND, add_get},
    {"delete of none", TARN_KEY_NOT_FOUND, add_delete},
    {"consume of none", TARN_KEY_NOT_FOUND, add_consume},
    {"increment of bytes", TARN_NOT_A_COUNTER, add_increment_bytes},
    {"increment that overflows", TARN_COUNTER_OVERFLOW, add_increment_overflow},
    {"value over the limit", TARN_VALUE_TOO_LARGE, add_large_value},
};
enum { FAILURES = sizeof failures / sizeof failures[0], GOOD = 7 };

static void prepare(struct fixture *f)
{
    const char *keys[] = {"here", "a", "b", "c", "d"};

    expect_ok(tarn_namespace_clear(f->ns));
    for (unsigned i = 0; i < 5; i++)
        expect_ok(tarn_set(f->ns, text(keys[i]), text("old"), NULL, NULL));
    expect_ok(tarn_increment(f->ns, text("high"), INT64_MAX, NULL));
    expect_ok(tarn_increment(f->ns, text("n"), 1, NULL));
}

static tarn_status add_good(tarn_batch *batch, unsigned which)
{
    switch (which) {
    case 0:
        return tarn_batch_set(batch, text("a"), text("new and longer"));
    case 1:
        return tarn_batch_delete(batch, text("b"));
    case 2:
        return tarn_batch_insert(batch, text("e"), text("new"));
    case 3:
        return tarn_batch_increment(batch, text("n"), 1);
    case 4:
        return tarn_batch_consume(batch, text("c"));
    case 5:
        return tarn_batch_replace_if(batch, text("d"), text("old"), text("new"));
    default:
        return tarn_batch_get(batch, text("a"));
    }
}

static tarn_batch *batch_with(const struct failure *failure, unsigned position)
{
    tarn_batch *batch = NULL;

    expect_ok(tarn_batch_create(&batch));
    for (unsigned i = 0; i <= GOOD; i++)
        expect_ok(i == position ? failure->add(batch) : add_good(batch, i < position ? i : i - 1));
    return batch;
}

static void test_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct tarn_result results[GOOD + 1];
    struct tarn_batch_summary summary;

    fixture_renew_namespace(f, OPTIONS(.max_value_size = 100));
    prepare(f);
    expect_ok(tarn_get(f->ns, text("a"), &f->buf, NULL));
    for (unsigned i = 0; i < FAILURES; i++) {
        for (unsigned position = 0; position <= GOOD; position++) {
            struct fixture_state before = fixture_state_of(f->ns);
            tarn_batch *batch = batch_with(&failures[i], position);

            print_message("%s at %u\n", failures[i].name, position);
            memset(results, 0x55, sizeof results);
            memset(&summary, 0x55, sizeof summary);
            expect_status(failures[i].status, tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING,
                                                                results, &f->buf, &summary));
            expect_status(failures[i].status, tarn_last_error()->status);
            expect_same_state(before, f->ns);
            expect_number(0, summary.processed);
            expect_number(1, summary.failed);
            expect_number(position, summary.first_failed);
            for (unsigned j = 0; j <= GOOD; j++) {
                expect_status(j == position ? failures[i].status : TARN_OK, results[j].status);
                expect_number(0, results[j].value.length);
            }
            expect_bytes(text("old"), held(&f->buf));
            expect_status(failures[i].status,
                          tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
            tarn_batch_free(batch);
        }
    }
}

static void test_best_effort(void **state)
{
    struct fixture *f = *state;
    struct tarn_result results[GOOD + 1];
    struct tarn_batch_summary summary;

    fixture_renew_namespace(f, OPTIONS(.max_value_size = 100));
    for (unsigned i = 0; i < FAILURES; i++) {
        for (unsigned position = 0; position <= GOOD; position++) {
            tarn_batch *batch = batch_with(&failures[i], position);

            prepare(f);
            print_message("%s at %u\n", failures[i].name, position);
            memset(results, 0x55, sizeof results);
            expect_ok(
                tarn_batch_commit(f->ns, batch, TARN_BEST_EFFORT, results, &f->buf, &summary));
            expect_number(GOOD, summary.processed);
            expect_number(1, summary.failed);
            expect_number(position, summary.first_failed);
            for (unsigned j = 0; j <= GOOD; j++)
                expect_status(j == position ? failures[i].status : TARN_OK, results[j].status);
            expect_bytes(text("new and longer"), results[position == GOOD ? 6 : 7].value);
            expect_stored(f->ns, text("a"), text("new and longer"));
            expect_absent(f->ns, text("b"));
            expect_stored(f->ns, text("e"), text("new"));
            expect_stored(f->ns, text("n"), tarn_slice_of("\2\0\0\0\0\0\0\0", 8));
            expect_absent(f->ns, text("c"));
            expect_stored(f->ns, text("d"), text("new"));
            expect_stored(f->ns, text("here"), text("old"));
            expect_number(6, fixture_state_of(f->ns).keys);
            tarn_batch_free(batch);
        }
    }
}

/* More than one operation would fail: the first one is told, or all of them. */
static void test_several_failures(void **state)
{
    struct fixture *f = *state;
    struct tarn_result results[4];
    struct tarn_batch_summary summary;
    tarn_batch *batch = NULL;

    prepare(f);
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, text("a"), text("new")));
    expect_ok(tarn_batch_insert(batch, text("here"), text("x")));
    expect_ok(tarn_batch_delete(batch, text("none")));
    expect_ok(tarn_batch_increment(batch, text("here"), 1));
    expect_status(TARN_KEY_EXISTS,
                  tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, results, NULL, &summary));
    expect_number(1, summary.failed);
    expect_number(1, summary.first_failed);
    expect_status(TARN_OK, results[2].status);
    expect_stored(f->ns, text("a"), text("old"));
    expect_ok(tarn_batch_commit(f->ns, batch, TARN_BEST_EFFORT, results, NULL, &summary));
    expect_number(1, summary.processed);
    expect_number(3, summary.failed);
    expect_number(1, summary.first_failed);
    expect_status(TARN_KEY_EXISTS, results[1].status);
    expect_status(TARN_KEY_NOT_FOUND, results[2].status);
    expect_status(TARN_NOT_A_COUNTER, results[3].status);
    expect_stored(f->ns, text("a"), text("new"));
    tarn_batch_free(batch);
}

/* An operation that fails only for what one before it in the same batch did. */
static void test_failure_made_by_the_batch_itself(void **state)
{
    struct fixture *f = *state;
    struct fixture_state before;
    tarn_batch *batch = NULL;

    expect_ok(tarn_set(f->ns, text("a"), text("old"), NULL, NULL));
    before = fixture_state_of(f->ns);
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_insert(batch, text("b"), text("1")));
    expect_ok(tarn_batch_insert(batch, text("b"), text("2")));
    expect_status(TARN_KEY_EXISTS,
                  tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_same_state(before, f->ns);
    tarn_batch_clear(batch);
    expect_ok(tarn_batch_delete(batch, text("a")));
    expect_ok(tarn_batch_get(batch, text("a")));
    expect_status(TARN_KEY_NOT_FOUND,
                  tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_same_state(before, f->ns);
    tarn_batch_clear(batch);
    expect_ok(tarn_batch_increment(batch, text("n"), INT64_MAX));
    expect_ok(tarn_batch_increment(batch, text("n"), 1));
    expect_status(TARN_COUNTER_OVERFLOW,
                  tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_same_state(before, f->ns);
    tarn_batch_free(batch);
}

static tarn_batch *batch_of_inserts(unsigned count, struct tarn_slice value)
{
    tarn_batch *batch = NULL;
    char room[NUMBERED_KEY_ROOM];

    expect_ok(tarn_batch_create(&batch));
    for (unsigned i = 0; i < count; i++)
        expect_ok(tarn_batch_insert(batch, numbered_key(room, i), value));
    return batch;
}

static void test_max_keys(void **state)
{
    struct fixture *f = *state;
    struct tarn_batch_summary summary;

    for (unsigned extra = 0; extra < 3; extra++) {
        tarn_batch *batch = batch_of_inserts(9 + extra, text("v"));

        fixture_renew_namespace(f, OPTIONS(.max_keys = 11));
        expect_ok(tarn_insert(f->ns, text("x"), text("v")));
        expect_status(extra < 2 ? TARN_OK : TARN_TOO_MANY_KEYS,
                      tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, &summary));
        expect_number(extra < 2 ? 10 + extra : 1, fixture_state_of(f->ns).keys);
        if (extra == 2) {
            expect_number(10, summary.first_failed);
            expect_ok(tarn_batch_commit(f->ns, batch, TARN_BEST_EFFORT, NULL, NULL, &summary));
            expect_number(10, summary.processed);
            expect_number(1, summary.failed);
            expect_number(11, fixture_state_of(f->ns).keys);
        }
        tarn_batch_free(batch);
    }
}

/* A batch that removes as many as it adds, or writes what is there, fits at the limit. */
static void test_max_keys_with_deletes(void **state)
{
    struct fixture *f = *state;
    tarn_batch *batch = NULL;

    fixture_renew_namespace(f, OPTIONS(.max_keys = 2));
    expect_ok(tarn_insert(f->ns, text("a"), text("v")));
    expect_ok(tarn_insert(f->ns, text("b"), text("v")));
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_set(batch, text("b"), text("w")));
    expect_ok(tarn_batch_delete(batch, text("a")));
    expect_ok(tarn_batch_insert(batch, text("c"), text("v")));
    expect_ok(tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    expect_absent(f->ns, text("a"));
    expect_stored(f->ns, text("c"), text("v"));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("a"), text("v")));
    tarn_batch_free(batch);
}

static void test_max_bytes(void **state)
{
    struct fixture *f = *state;
    struct tarn_batch_summary summary;

    /* Keys of 5 bytes with values of 5. */
    for (unsigned limit = 99; limit <= 101; limit++) {
        tarn_batch *batch = batch_of_inserts(10, text("12345"));

        fixture_renew_namespace(f, OPTIONS(.max_bytes = limit));
        expect_status(limit < 100 ? TARN_FULL : TARN_OK,
                      tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, &summary));
        expect_number(limit < 100 ? 0 : 100, fixture_state_of(f->ns).bytes);
        if (limit == 99) {
            expect_number(9, summary.first_failed);
            expect_ok(tarn_batch_commit(f->ns, batch, TARN_BEST_EFFORT, NULL, NULL, &summary));
            expect_number(9, summary.processed);
            expect_number(90, fixture_state_of(f->ns).bytes);
        }
        tarn_batch_free(batch);
    }
}

/* A batch that failed has taken nothing from the limits: they are still good for all of it. */
static void test_limits_after_failures(void **state)
{
    struct fixture *f = *state;
    char room[NUMBERED_KEY_ROOM];
    tarn_batch *batch = batch_of_inserts(5, text("12345"));

    fixture_renew_namespace(f, OPTIONS(.max_keys = 6, .max_bytes = 60));
    expect_ok(tarn_insert(f->ns, text("x"), text("123456789")));
    expect_ok(tarn_batch_insert(batch, text("x"), text("fails")));
    for (unsigned i = 0; i < 20; i++)
        expect_status(TARN_KEY_EXISTS,
                      tarn_batch_commit(f->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    for (unsigned i = 0; i < 5; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), text("12345")));
    expect_number(60, fixture_state_of(f->ns).bytes);
    tarn_batch_free(batch);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_all_or_nothing),
    CONFORMANCE_TEST(test_best_effort),
    CONFORMANCE_TEST(test_several_failures),
    CONFORMANCE_TEST(test_failure_made_by_the_batch_itself),
    CONFORMANCE_TEST(test_max_keys),
    CONFORMANCE_TEST(test_max_keys_with_deletes),
    CONFORMANCE_TEST(test_max_bytes),
    CONFORMANCE_TEST(test_limits_after_failures),
};

CONFORMANCE_TOPIC(batch_failures, tests);
