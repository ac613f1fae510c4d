/*
 * Conformance: each single operation on a key that is there and on one that is not: its status, its
 * outputs, what it leaves behind, and that a call which fails leaves its outputs alone.
 */
#include "conformance/conformance.h"

#include <stdlib.h>
#include <string.h>

/* A buffer and numbers with known content, to see that a call which fails leaves them alone. */
struct outputs {
    struct tarn_buf buf;
    bool flag;
    int64_t sum;
    struct tarn_record_info info;
};

static struct outputs marked_outputs(void)
{
    struct outputs outputs = {.flag = true, .sum = 77, .info = {.sequence = 99}};

    outputs.buf.data = malloc(8);
    assert_non_null(outputs.buf.data);
    memcpy(outputs.buf.data, "as left", 8);
    outputs.buf.length = 7;
    outputs.buf.capacity = 8;
    return outputs;
}

static void expect_marked(struct outputs *outputs)
{
    expect_number(8, outputs->buf.capacity);
    expect_bytes(text("as left"), held(&outputs->buf));
    expect_that(outputs->flag);
    expect_signed(77, outputs->sum);
    expect_number(99, outputs->info.sequence);
    expect_number(TARN_CONTENT_BYTES, outputs->info.content);
    tarn_buf_release(&outputs->buf);
}

static void test_set(void **state)
{
    struct fixture *f = *state;
    bool existed = true;

    expect_ok(tarn_set(f->ns, text("a"), text("first"), &f->buf, &existed));
    expect_that(!existed);
    expect_number(0, f->buf.length);
    expect_stored(f->ns, text("a"), text("first"));
    expect_ok(tarn_set(f->ns, text("a"), text("second"), &f->buf, &existed));
    expect_that(existed);
    expect_bytes(text("first"), held(&f->buf));
    expect_stored(f->ns, text("a"), text("second"));
    expect_ok(tarn_set(f->ns, text("b"), text("other"), &f->buf, &existed));
    expect_that(!existed);
    expect_number(0, f->buf.length);
    expect_ok(tarn_set(f->ns, text("b"), text("again"), NULL, NULL));
    expect_stored(f->ns, text("a"), text("second"));
    expect_stored(f->ns, text("b"), text("again"));
}

static void test_set_that_fails(void **state)
{
    struct fixture *f = *state;
    struct outputs outputs = marked_outputs();
    struct fixture_state before;

    expect_ok(tarn_set(f->ns, text("a"), text("first"), NULL, NULL));
    before = fixture_state_of(f->ns);
    expect_status(TARN_KEY_INVALID,
                  tarn_set(f->ns, text(""), text("x"), &outputs.buf, &outputs.flag));
    expect_marked(&outputs);
    expect_same_state(before, f->ns);
}

static void test_insert(void **state)
{
    struct fixture *f = *state;

    expect_ok(tarn_insert(f->ns, text("a"), text("first")));
    expect_stored(f->ns, text("a"), text("first"));
    expect_status(TARN_KEY_EXISTS, tarn_insert(f->ns, text("a"), text("second")));
    expect_stored(f->ns, text("a"), text("first"));
    expect_ok(tarn_delete(f->ns, text("a")));
    expect_ok(tarn_insert(f->ns, text("a"), text("third")));
    expect_stored(f->ns, text("a"), text("third"));
}

static void test_update(void **state)
{
    struct fixture *f = *state;
    struct outputs outputs = marked_outputs();

    expect_status(TARN_KEY_NOT_FOUND, tarn_update(f->ns, text("a"), text("first"), &outputs.buf));
    expect_marked(&outputs);
    expect_absent(f->ns, text("a"));
    expect_ok(tarn_set(f->ns, text("a"), text("first"), NULL, NULL));
    expect_ok(tarn_update(f->ns, text("a"), text("second"), &f->buf));
    expect_bytes(text("first"), held(&f->buf));
    expect_stored(f->ns, text("a"), text("second"));
    expect_ok(tarn_update(f->ns, text("a"), text(""), NULL));
    expect_stored(f->ns, text("a"), text(""));
    expect_ok(tarn_update(f->ns, text("a"), text("third"), &f->buf));
    expect_number(0, f->buf.length);
}

static void test_get(void **state)
{
    struct fixture *f = *state;
    struct outputs outputs = marked_outputs();
    struct tarn_record_info info = {.sequence = 0, .content = TARN_CONTENT_COUNTER};

    expect_status(TARN_KEY_NOT_FOUND, tarn_get(f->ns, text("a"), &outputs.buf, &outputs.info));
    expect_marked(&outputs);
    expect_ok(tarn_set(f->ns, text("a"), text("value"), NULL, NULL));
    expect_ok(tarn_get(f->ns, text("a"), &f->buf, &info));
    expect_bytes(text("value"), held(&f->buf));
    expect_that(info.sequence > 0);
    expect_number(TARN_CONTENT_BYTES, info.content);
    expect_ok(tarn_get(f->ns, text("a"), NULL, NULL));
    expect_status(TARN_KEY_NOT_FOUND, tarn_get(f->ns, text("ab"), NULL, NULL));
    expect_status(TARN_KEY_NOT_FOUND, tarn_get(f->ns, text("A"), NULL, NULL));
}

/* A buffer is used for values that grow and shrink; it grows and never shrinks. */
static void test_get_reuses_its_buffer(void **state)
{
    struct fixture *f = *state;
    size_t sizes[] = {10, 5000, 3, 0, 70000, 1};
    size_t capacity = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *bytes = patterned_bytes(sizes[i], i);

        expect_ok(tarn_set(f->ns, text("a"), tarn_slice_of(bytes, sizes[i]), NULL, NULL));
        expect_ok(tarn_get(f->ns, text("a"), &f->buf, NULL));
        expect_bytes(tarn_slice_of(bytes, sizes[i]), held(&f->buf));
        expect_that(f->buf.capacity >= f->buf.length);
        expect_that(f->buf.capacity >= capacity);
        capacity = f->buf.capacity;
        free(bytes);
    }
    tarn_buf_release(&f->buf);
    expect_that(f->buf.data == NULL && f->buf.length == 0 && f->buf.capacity == 0);
    tarn_buf_release(&f->buf);
    tarn_buf_release(NULL);
    expect_ok(tarn_get(f->ns, text("a"), &f->buf, NULL));
    expect_number(1, f->buf.length);
}

static void test_get_pinned(void **state)
{
    struct fixture *f = *state;
    struct tarn_pin pin = {.value = {"mark", 4}, .info = {.sequence = 99}};
    struct tarn_record_info info;

    expect_status(TARN_KEY_NOT_FOUND, tarn_get_pinned(f->ns, text("a"), &pin));
    expect_bytes(text("mark"), pin.value);
    expect_number(99, pin.info.sequence);
    expect_that(pin.held[0] == NULL && pin.held[1] == NULL);
    expect_ok(tarn_set(f->ns, text("a"), text("value"), NULL, NULL));
    expect_ok(tarn_get_pinned(f->ns, text("a"), &pin));
    expect_bytes(text("value"), pin.value);
    expect_ok(tarn_get(f->ns, text("a"), NULL, &info));
    expect_number(info.sequence, pin.info.sequence);
    expect_number(info.content, pin.info.content);
    tarn_unpin(&pin);
    expect_that(pin.value.data == NULL && pin.value.length == 0 && pin.info.sequence == 0);
    expect_that(pin.held[0] == NULL && pin.held[1] == NULL);
    tarn_unpin(&pin);
    tarn_unpin(NULL);
}

static void test_exists(void **state)
{
    struct fixture *f = *state;

    expect_status(TARN_KEY_NOT_FOUND, tarn_exists(f->ns, text("a")));
    expect_ok(tarn_set(f->ns, text("a"), text(""), NULL, NULL));
    expect_ok(tarn_exists(f->ns, text("a")));
    expect_ok(tarn_delete(f->ns, text("a")));
    expect_status(TARN_KEY_NOT_FOUND, tarn_exists(f->ns, text("a")));
}

static void test_delete(void **state)
{
    struct fixture *f = *state;

    expect_status(TARN_KEY_NOT_FOUND, tarn_delete(f->ns, text("a")));
    expect_ok(tarn_set(f->ns, text("a"), text("1"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("b"), text("2"), NULL, NULL));
    expect_ok(tarn_delete(f->ns, text("a")));
    expect_absent(f->ns, text("a"));
    expect_stored(f->ns, text("b"), text("2"));
    expect_status(TARN_KEY_NOT_FOUND, tarn_delete(f->ns, text("a")));
}

static void test_consume(void **state)
{
    struct fixture *f = *state;
    struct outputs outputs = marked_outputs();

    expect_status(TARN_KEY_NOT_FOUND, tarn_consume(f->ns, text("a"), &outputs.buf));
    expect_marked(&outputs);
    expect_ok(tarn_set(f->ns, text("a"), text("job"), NULL, NULL));
    expect_ok(tarn_consume(f->ns, text("a"), &f->buf));
    expect_bytes(text("job"), held(&f->buf));
    expect_absent(f->ns, text("a"));
    expect_status(TARN_KEY_NOT_FOUND, tarn_consume(f->ns, text("a"), &f->buf));
    expect_bytes(text("job"), held(&f->buf));
    expect_ok(tarn_set(f->ns, text("a"), text("job"), NULL, NULL));
    expect_ok(tarn_consume(f->ns, text("a"), NULL));
    expect_absent(f->ns, text("a"));
}

static void test_clear(void **state)
{
    struct fixture *f = *state;
    char room[NUMBERED_KEY_ROOM];

    expect_ok(tarn_namespace_clear(f->ns));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 1000; i++)
            expect_ok(tarn_insert(f->ns, numbered_key(room, i), text("value")));
        expect_number(1000, fixture_state_of(f->ns).keys);
        expect_ok(tarn_namespace_clear(f->ns));
        expect_number(0, fixture_state_of(f->ns).keys);
        expect_number(0, fixture_state_of(f->ns).bytes);
        for (unsigned i = 0; i < 1000; i++)
            expect_absent(f->ns, numbered_key(room, i));
    }
}

static void test_stats(void **state)
{
    struct fixture *f = *state;
    struct tarn_stats stats = {.size = sizeof stats};
    struct tarn_record_info info;

    expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
    expect_number(0, stats.keys);
    expect_number(0, stats.bytes);
    expect_number(0, stats.writes);
    expect_number(16, stats.shards);
    expect_number(5000, stats.options.lock_timeout_ms);
    expect_number(0, stats.options.max_keys);
    expect_number(TARN_VALUE_BYTES_MAX, stats.options.max_value_size);
    expect_number(0, stats.options.max_bytes);
    expect_ok(tarn_set(f->ns, text("a"), text("12345"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("bb"), text("1"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("a"), text("123"), NULL, NULL));
    expect_ok(tarn_increment(f->ns, text("n"), 5, NULL));
    expect_ok(tarn_delete(f->ns, text("bb")));
    expect_status(TARN_KEY_NOT_FOUND, tarn_delete(f->ns, text("bb")));
    expect_status(TARN_KEY_EXISTS, tarn_insert(f->ns, text("a"), text("x")));
    expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
    expect_number(2, stats.keys);
    expect_number(1 + 3 + 1 + 8, stats.bytes);
    expect_number(5, stats.writes);
    expect_that(stats.memory_bytes >= stats.bytes);
    expect_that(stats.memory_bytes >= stats.index_bytes);
    expect_ok(tarn_set(f->ns, text("z"), text("z"), NULL, NULL));
    expect_ok(tarn_get(f->ns, text("z"), NULL, &info));
    expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
    expect_number(info.sequence, stats.sequence);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_set),        CONFORMANCE_TEST(test_set_that_fails),
    CONFORMANCE_TEST(test_insert),     CONFORMANCE_TEST(test_update),
    CONFORMANCE_TEST(test_get),        CONFORMANCE_TEST(test_get_reuses_its_buffer),
    CONFORMANCE_TEST(test_get_pinned), CONFORMANCE_TEST(test_exists),
    CONFORMANCE_TEST(test_delete),     CONFORMANCE_TEST(test_consume),
    CONFORMANCE_TEST(test_clear),      CONFORMANCE_TEST(test_stats),
};

CONFORMANCE_TOPIC(singles, tests);
