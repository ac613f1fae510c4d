/*
 * Conformance: pins keep their value whatever happens to the key, and keep drop and close waiting.
 */
#include "conformance/conformance.h"

#include <stdlib.h>

static const size_t value_sizes[] = {0, 1, 50, 700, 5000, 70000, 1 << 20, 3 << 20};
enum { VALUE_SIZES = sizeof value_sizes / sizeof value_sizes[0] };

static struct tarn_pin pin_of(tarn_namespace *ns, struct tarn_slice key)
{
    struct tarn_pin pin = {0};

    expect_ok(tarn_get_pinned(ns, key, &pin));
    return pin;
}

/* Writes enough, in all size classes, to reuse whatever memory was given back. */
static void churn(tarn_namespace *ns)
{
    void *bytes = patterned_bytes(value_sizes[VALUE_SIZES - 1], 1000);
    uint64_t writes = repeated(25 * VALUE_SIZES);
    char room[NUMBERED_KEY_ROOM];

    for (uint64_t i = 0; i < writes; i++)
        expect_ok(tarn_set(ns, numbered_key(room, i % 3),
                           tarn_slice_of(bytes, value_sizes[i % VALUE_SIZES]), NULL, NULL));
    free(bytes);
}

static void expect_pinned(struct tarn_pin *pin, size_t size)
{
    void *bytes = patterned_bytes(size, size);

    expect_bytes(tarn_slice_of(bytes, size), pin->value);
    free(bytes);
}

static void test_a_pinned_value_stays(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < VALUE_SIZES; i++) {
        size_t size = value_sizes[i];
        void *bytes = patterned_bytes(size, size);
        struct tarn_pin first, second;

        expect_ok(tarn_set(f->ns, text("k"), tarn_slice_of(bytes, size), NULL, NULL));
        free(bytes);
        first = pin_of(f->ns, text("k"));
        second = pin_of(f->ns, text("k"));
        expect_ok(tarn_set(f->ns, text("k"), text("overwritten"), NULL, NULL));
        churn(f->ns);
        expect_pinned(&first, size);
        expect_ok(tarn_delete(f->ns, text("k")));
        churn(f->ns);
        expect_pinned(&first, size);
        tarn_unpin(&first);
        churn(f->ns);
        expect_pinned(&second, size);
        expect_ok(tarn_namespace_clear(f->ns));
        churn(f->ns);
        expect_ok(tarn_namespace_resize(f->ns, 1 + i));
        expect_pinned(&second, size);
        tarn_unpin(&second);
    }
}

/* The index grows many times over while the pins are held. */
static void test_pins_while_the_index_grows(void **state)
{
    struct fixture *f = *state;
    struct tarn_pin pins[50];
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < 50; i++) {
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), numbered_key(room, i)));
        pins[i] = pin_of(f->ns, numbered_key(room, i));
    }
    for (unsigned i = 50; i < 20000; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), text("value")));
    for (unsigned i = 0; i < 20000; i++)
        expect_ok(tarn_delete(f->ns, numbered_key(room, i)));
    for (unsigned i = 0; i < 50; i++) {
        expect_bytes(numbered_key(room, i), pins[i].value);
        tarn_unpin(&pins[i]);
    }
}

static void test_a_pin_keeps_drop_and_close_waiting(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *other = NULL;
    struct tarn_pin pin;

    expect_ok(fixture_backend->create(f->store, text("other"), NULL, &other));
    expect_ok(tarn_set(f->ns, text("k"), text("v"), NULL, NULL));
    pin = pin_of(f->ns, text("k"));
    expect_status(TARN_BUSY, tarn_namespace_drop(f->store, text("test")));
    expect_status(TARN_BUSY, tarn_close(f->store));
    /* Nothing has changed, and the store goes on. */
    expect_stored(f->ns, text("k"), text("v"));
    expect_ok(tarn_set(f->ns, text("k"), text("w"), NULL, NULL));
    expect_stored(f->ns, text("k"), text("w"));
    expect_ok(tarn_set(other, text("k"), text("w"), NULL, NULL));
    expect_number(1, fixture_state_of(f->ns).keys);
    expect_status(TARN_NAMESPACE_EXISTS,
                  tarn_namespace_create(f->store, text("test"), NULL, &other));
    /* A namespace without pins can go. */
    expect_ok(tarn_namespace_drop(f->store, text("other")));
    expect_status(TARN_BUSY, tarn_close(f->store));
    expect_bytes(text("v"), pin.value);
    tarn_unpin(&pin);
    tarn_namespace_close(other);
    expect_ok(tarn_namespace_drop(f->store, text("test")));
}

static void test_a_pin_of_a_deleted_key_keeps_drop_waiting(void **state)
{
    struct fixture *f = *state;
    struct tarn_pin pin;

    expect_ok(tarn_set(f->ns, text("k"), text("v"), NULL, NULL));
    pin = pin_of(f->ns, text("k"));
    expect_ok(tarn_namespace_clear(f->ns));
    expect_status(TARN_BUSY, tarn_namespace_drop(f->store, text("test")));
    expect_status(TARN_BUSY, tarn_close(f->store));
    expect_bytes(text("v"), pin.value);
    tarn_unpin(&pin);
    expect_ok(tarn_namespace_drop(f->store, text("test")));
}

static void test_a_cursor_keeps_drop_and_close_waiting(void **state)
{
    struct fixture *f = *state;
    tarn_cursor *cursor = NULL;
    struct tarn_slice key;

    expect_ok(tarn_set(f->ns, text("k"), text("v"), NULL, NULL));
    expect_ok(tarn_cursor_open(f->ns, NULL, &cursor));
    expect_status(TARN_BUSY, tarn_namespace_drop(f->store, text("test")));
    expect_status(TARN_BUSY, tarn_close(f->store));
    expect_ok(tarn_cursor_next(cursor, &key, NULL, NULL));
    expect_bytes(text("k"), key);
    expect_status(TARN_BUSY, tarn_namespace_drop(f->store, text("test")));
    expect_status(TARN_CURSOR_END, tarn_cursor_next(cursor, &key, NULL, NULL));
    expect_status(TARN_BUSY, tarn_namespace_drop(f->store, text("test")));
    expect_status(TARN_BUSY, tarn_close(f->store));
    expect_ok(tarn_set(f->ns, text("k"), text("w"), NULL, NULL));
    expect_stored(f->ns, text("k"), text("w"));
    tarn_cursor_close(cursor);
    expect_ok(tarn_namespace_drop(f->store, text("test")));
}

/* A call that did not find its key leaves no pin behind. */
static void test_no_pin_without_a_value(void **state)
{
    struct fixture *f = *state;
    struct tarn_pin pin = {0};

    expect_status(TARN_KEY_NOT_FOUND, tarn_get_pinned(f->ns, text("k"), &pin));
    expect_status(TARN_KEY_INVALID, tarn_get_pinned(f->ns, text(""), &pin));
    expect_ok(tarn_namespace_drop(f->store, text("test")));
}

/* Pins of one key are counted: as many unpins as pins. */
static void test_many_pins_of_one_value(void **state)
{
    struct fixture *f = *state;
    enum { PINS = 3000 };
    struct tarn_pin *pins = calloc(PINS, sizeof *pins);

    assert_non_null(pins);
    expect_ok(tarn_set(f->ns, text("k"), text("v"), NULL, NULL));
    for (unsigned i = 0; i < PINS; i++)
        expect_ok(tarn_get_pinned(f->ns, text("k"), &pins[i]));
    expect_ok(tarn_delete(f->ns, text("k")));
    for (unsigned i = 0; i < PINS; i++) {
        expect_status(TARN_BUSY, tarn_namespace_drop(f->store, text("test")));
        expect_bytes(text("v"), pins[i].value);
        tarn_unpin(&pins[i]);
    }
    expect_ok(tarn_namespace_drop(f->store, text("test")));
    free(pins);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_a_pinned_value_stays),
    CONFORMANCE_TEST(test_pins_while_the_index_grows),
    CONFORMANCE_TEST(test_a_pin_keeps_drop_and_close_waiting),
    CONFORMANCE_TEST(test_a_pin_of_a_deleted_key_keeps_drop_waiting),
    CONFORMANCE_TEST(test_a_cursor_keeps_drop_and_close_waiting),
    CONFORMANCE_TEST(test_no_pin_without_a_value),
    CONFORMANCE_TEST(test_many_pins_of_one_value),
};

CONFORMANCE_TOPIC(pins, tests);
