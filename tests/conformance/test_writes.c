/*
 * Conformance: counters, the two conditional writes, and sequences.
 */
#include "conformance/conformance.h"

#include <string.h>

static uint64_t sequence_of(tarn_namespace *ns, struct tarn_slice key)
{
    struct tarn_record_info info = {0};

    expect_ok(tarn_get(ns, key, NULL, &info));
    return info.sequence;
}

static void test_increment(void **state)
{
    struct fixture *f = *state;
    struct tarn_record_info info;
    int64_t sum = 0;

    expect_ok(tarn_increment(f->ns, text("n"), 5, &sum));
    expect_signed(5, sum);
    expect_ok(tarn_increment(f->ns, text("n"), -12, &sum));
    expect_signed(-7, sum);
    expect_ok(tarn_increment(f->ns, text("n"), 0, &sum));
    expect_signed(-7, sum);
    expect_ok(tarn_increment(f->ns, text("n"), 1, NULL));
    expect_ok(tarn_get(f->ns, text("n"), &f->buf, &info));
    expect_number(TARN_CONTENT_COUNTER, info.content);
    expect_bytes(tarn_slice_of("\xfa\xff\xff\xff\xff\xff\xff\xff", 8), held(&f->buf));
    expect_ok(tarn_increment(f->ns, text("zero"), 0, &sum));
    expect_signed(0, sum);
    expect_stored(f->ns, text("zero"), tarn_slice_of("\0\0\0\0\0\0\0\0", 8));
    expect_ok(tarn_delete(f->ns, text("n")));
    expect_ok(tarn_increment(f->ns, text("n"), 3, &sum));
    expect_signed(3, sum);
}

static void test_increment_to_the_ends_of_the_range(void **state)
{
    struct fixture *f = *state;
    struct fixture_state before;
    int64_t sum = 0;

    expect_ok(tarn_increment(f->ns, text("up"), INT64_MAX, &sum));
    expect_signed(INT64_MAX, sum);
    expect_ok(tarn_increment(f->ns, text("down"), INT64_MIN, &sum));
    expect_signed(INT64_MIN, sum);
    before = fixture_state_of(f->ns);
    sum = 42;
    expect_status(TARN_COUNTER_OVERFLOW, tarn_increment(f->ns, text("up"), 1, &sum));
    expect_status(TARN_COUNTER_OVERFLOW, tarn_increment(f->ns, text("up"), INT64_MAX, &sum));
    expect_status(TARN_COUNTER_OVERFLOW, tarn_increment(f->ns, text("down"), -1, &sum));
    expect_status(TARN_COUNTER_OVERFLOW, tarn_increment(f->ns, text("down"), INT64_MIN, &sum));
    expect_signed(42, sum);
    expect_same_state(before, f->ns);
    expect_ok(tarn_increment(f->ns, text("up"), INT64_MIN, &sum));
    expect_signed(-1, sum);
    expect_ok(tarn_increment(f->ns, text("down"), INT64_MAX, &sum));
    expect_signed(-1, sum);
}

/* Only tarn_increment() makes a counter, whatever the bytes look like. */
static void test_increment_of_what_is_no_counter(void **state)
{
    struct fixture *f = *state;
    struct tarn_slice eight = tarn_slice_of("\1\0\0\0\0\0\0\0", 8);
    struct fixture_state before;
    int64_t sum = 42;

    expect_ok(tarn_set(f->ns, text("short"), text("1"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("empty"), text(""), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("eight"), eight, NULL, NULL));
    expect_ok(tarn_increment(f->ns, text("was set over"), 1, NULL));
    expect_ok(tarn_set(f->ns, text("was set over"), eight, NULL, NULL));
    expect_ok(tarn_increment(f->ns, text("was replaced"), 1, NULL));
    expect_ok(tarn_replace_if(f->ns, text("was replaced"), eight, eight));
    before = fixture_state_of(f->ns);
    expect_status(TARN_NOT_A_COUNTER, tarn_increment(f->ns, text("short"), 1, &sum));
    expect_status(TARN_NOT_A_COUNTER, tarn_increment(f->ns, text("empty"), 1, &sum));
    expect_status(TARN_NOT_A_COUNTER, tarn_increment(f->ns, text("eight"), 1, &sum));
    expect_status(TARN_NOT_A_COUNTER, tarn_increment(f->ns, text("was set over"), 1, &sum));
    expect_status(TARN_NOT_A_COUNTER, tarn_increment(f->ns, text("was replaced"), 1, &sum));
    expect_signed(42, sum);
    expect_same_state(before, f->ns);
    expect_ok(tarn_delete(f->ns, text("eight")));
    expect_ok(tarn_increment(f->ns, text("eight"), 1, &sum));
    expect_signed(1, sum);
}

static void test_a_set_over_a_counter_makes_bytes(void **state)
{
    struct fixture *f = *state;
    struct tarn_record_info info;
    bool existed = false;

    expect_ok(tarn_increment(f->ns, text("n"), 258, NULL));
    expect_ok(tarn_set(f->ns, text("n"), text("bytes"), &f->buf, &existed));
    expect_that(existed);
    expect_bytes(tarn_slice_of("\2\1\0\0\0\0\0\0", 8), held(&f->buf));
    expect_ok(tarn_get(f->ns, text("n"), NULL, &info));
    expect_number(TARN_CONTENT_BYTES, info.content);
}

static void test_replace_if(void **state)
{
    struct fixture *f = *state;
    struct fixture_state before = fixture_state_of(f->ns);

    expect_status(TARN_KEY_NOT_FOUND, tarn_replace_if(f->ns, text("a"), text(""), text("x")));
    expect_same_state(before, f->ns);
    expect_ok(tarn_set(f->ns, text("a"), text("one"), NULL, NULL));
    before = fixture_state_of(f->ns);
    expect_status(TARN_CONDITION_FAILED, tarn_replace_if(f->ns, text("a"), text("two"), text("x")));
    expect_status(TARN_CONDITION_FAILED, tarn_replace_if(f->ns, text("a"), text("on"), text("x")));
    expect_status(TARN_CONDITION_FAILED,
                  tarn_replace_if(f->ns, text("a"), text("one "), text("x")));
    expect_status(TARN_CONDITION_FAILED, tarn_replace_if(f->ns, text("a"), text(""), text("x")));
    expect_same_state(before, f->ns);
    expect_ok(tarn_replace_if(f->ns, text("a"), text("one"), text("two")));
    expect_stored(f->ns, text("a"), text("two"));
    expect_ok(tarn_replace_if(f->ns, text("a"), text("two"), text("")));
    expect_stored(f->ns, text("a"), text(""));
    expect_ok(tarn_replace_if(f->ns, text("a"), tarn_slice_of(NULL, 0), text("three")));
    expect_stored(f->ns, text("a"), text("three"));
}

static void test_replace_if_sequence(void **state)
{
    struct fixture *f = *state;
    uint64_t first, second;
    struct fixture_state before;

    expect_status(TARN_KEY_NOT_FOUND, tarn_replace_if_sequence(f->ns, text("a"), 1, text("x")));
    expect_ok(tarn_set(f->ns, text("a"), text("one"), NULL, NULL));
    first = sequence_of(f->ns, text("a"));
    expect_ok(tarn_replace_if_sequence(f->ns, text("a"), first, text("two")));
    expect_stored(f->ns, text("a"), text("two"));
    second = sequence_of(f->ns, text("a"));
    expect_that(second > first);
    before = fixture_state_of(f->ns);
    expect_status(TARN_CONDITION_FAILED,
                  tarn_replace_if_sequence(f->ns, text("a"), first, text("x")));
    expect_status(TARN_CONDITION_FAILED,
                  tarn_replace_if_sequence(f->ns, text("a"), second + 1, text("x")));
    expect_status(TARN_CONDITION_FAILED, tarn_replace_if_sequence(f->ns, text("a"), 0, text("x")));
    expect_same_state(before, f->ns);
    /* The same bytes written again are another record. */
    expect_ok(tarn_set(f->ns, text("a"), text("two"), NULL, NULL));
    expect_status(TARN_CONDITION_FAILED,
                  tarn_replace_if_sequence(f->ns, text("a"), second, text("x")));
    /* So is a key that was removed and came back. */
    second = sequence_of(f->ns, text("a"));
    expect_ok(tarn_delete(f->ns, text("a")));
    expect_ok(tarn_insert(f->ns, text("a"), text("two")));
    expect_status(TARN_CONDITION_FAILED,
                  tarn_replace_if_sequence(f->ns, text("a"), second, text("x")));
    expect_ok(tarn_replace_if_sequence(f->ns, text("a"), sequence_of(f->ns, text("a")), text("z")));
    expect_stored(f->ns, text("a"), text("z"));
}

/* Every kind of write makes a record with a sequence above all before, in the whole store. */
static void test_sequence_grows_with_every_write(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *other = NULL;
    uint64_t last = 0;

    expect_ok(fixture_backend->create(f->store, text("other"), NULL, &other));
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned kind = 0; kind < 6; kind++) {
            tarn_namespace *ns = kind == 5 ? other : f->ns;
            const char *key = kind == 4 ? "counter" : "a";

            if (kind == 0)
                expect_ok(tarn_insert(ns, text(key), text("1")));
            else if (kind == 1)
                expect_ok(tarn_update(ns, text(key), text("1"), NULL));
            else if (kind == 2)
                expect_ok(tarn_replace_if(ns, text(key), text("1"), text("1")));
            else if (kind == 3)
                expect_ok(tarn_replace_if_sequence(ns, text(key), last, text("1")));
            else if (kind == 4)
                expect_ok(tarn_increment(ns, text(key), 1, NULL));
            else
                expect_ok(tarn_set(ns, text(key), text("1"), NULL, NULL));
            if (sequence_of(ns, text(key)) <= last)
                fail_msg("kind %u, round %u: expected a sequence above %llu, got %llu", kind, round,
                         (unsigned long long)last, (unsigned long long)sequence_of(ns, text(key)));
            last = sequence_of(ns, text(key));
        }
        expect_ok(tarn_delete(f->ns, text("a")));
    }
    tarn_namespace_close(other);
}

/* What reads and what fails gives no record a new sequence. */
static void test_sequence_stays_without_a_write(void **state)
{
    struct fixture *f = *state;
    uint64_t sequence;

    expect_ok(tarn_set(f->ns, text("a"), text("1"), NULL, NULL));
    sequence = sequence_of(f->ns, text("a"));
    expect_ok(tarn_exists(f->ns, text("a")));
    expect_status(TARN_KEY_EXISTS, tarn_insert(f->ns, text("a"), text("2")));
    expect_status(TARN_CONDITION_FAILED, tarn_replace_if(f->ns, text("a"), text("2"), text("3")));
    expect_ok(tarn_set(f->ns, text("b"), text("1"), NULL, NULL));
    expect_ok(tarn_namespace_resize(f->ns, 3));
    expect_number(sequence, sequence_of(f->ns, text("a")));
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_increment),
    CONFORMANCE_TEST(test_increment_to_the_ends_of_the_range),
    CONFORMANCE_TEST(test_increment_of_what_is_no_counter),
    CONFORMANCE_TEST(test_a_set_over_a_counter_makes_bytes),
    CONFORMANCE_TEST(test_replace_if),
    CONFORMANCE_TEST(test_replace_if_sequence),
    CONFORMANCE_TEST(test_sequence_grows_with_every_write),
    CONFORMANCE_TEST(test_sequence_stays_without_a_write),
};

CONFORMANCE_TOPIC(writes, tests);
