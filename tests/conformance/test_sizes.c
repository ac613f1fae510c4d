/*
 * Conformance: keys and values of every size and content: with NULs, empty, at the bounds, large.
 */
#include "conformance/conformance.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB ((size_t)1024 * 1024)

static void test_keys_with_nul_bytes(void **state)
{
    struct fixture *f = *state;
    static const char bytes[] = "\0\0a\0b\0\0\xff\xfe";

    /* Every slice of these bytes is a key of its own, equal bytes are the same key. */
    for (size_t length = 1; length <= 9; length++)
        expect_ok(tarn_set(f->ns, tarn_slice_of(bytes, length), tarn_slice_of(bytes, 9 - length),
                           NULL, NULL));
    for (size_t length = 1; length <= 9; length++)
        expect_stored(f->ns, tarn_slice_of(bytes, length), tarn_slice_of(bytes, 9 - length));
    expect_number(9, fixture_state_of(f->ns).keys);
    expect_status(TARN_KEY_EXISTS, tarn_insert(f->ns, tarn_slice_of("\0", 1), text("")));
    expect_status(TARN_KEY_NOT_FOUND, tarn_exists(f->ns, tarn_slice_of("a", 1)));
}

static void test_every_key_of_one_byte(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 256; i++) {
        unsigned char byte = (unsigned char)i;

        expect_ok(tarn_insert(f->ns, tarn_slice_of(&byte, 1), tarn_slice_of(&byte, i % 2)));
    }
    for (unsigned i = 0; i < 256; i++) {
        unsigned char byte = (unsigned char)i;

        expect_stored(f->ns, tarn_slice_of(&byte, 1), tarn_slice_of(&byte, i % 2));
    }
}

static void test_empty_value(void **state)
{
    struct fixture *f = *state;
    bool existed = false;

    expect_ok(tarn_set(f->ns, text("a"), tarn_slice_of(NULL, 0), NULL, NULL));
    expect_stored(f->ns, text("a"), text(""));
    expect_ok(tarn_set(f->ns, text("a"), text("x"), &f->buf, &existed));
    expect_that(existed);
    expect_number(0, f->buf.length);
    expect_ok(tarn_set(f->ns, text("a"), tarn_slice_of(NULL, 0), &f->buf, NULL));
    expect_bytes(text("x"), held(&f->buf));
    expect_ok(tarn_consume(f->ns, text("a"), &f->buf));
    expect_number(0, f->buf.length);
}

static void test_key_sizes(void **state)
{
    struct fixture *f = *state;
    size_t sizes[] = {1, 2, 7, 8, 15, 16, 17, 127, 128, 129, 255, 256, 4095, 4096, 65535, 65536};
    size_t count = sizeof sizes / sizeof sizes[0];
    char *bytes = patterned_bytes(TARN_KEY_BYTES_MAX, 1);

    for (size_t i = 0; i < count; i++)
        expect_ok(tarn_insert(f->ns, tarn_slice_of(bytes, sizes[i]), text("value")));
    for (size_t i = 0; i < count; i++) {
        expect_stored(f->ns, tarn_slice_of(bytes, sizes[i]), text("value"));
        bytes[sizes[i] - 1] ^= 1;
        expect_absent(f->ns, tarn_slice_of(bytes, sizes[i]));
        bytes[sizes[i] - 1] ^= 1;
    }
    expect_number(count, fixture_state_of(f->ns).keys);
    for (size_t i = 0; i < count; i++)
        expect_ok(tarn_delete(f->ns, tarn_slice_of(bytes, sizes[i])));
    expect_number(0, fixture_state_of(f->ns).keys);
    free(bytes);
}

/* Every operation that takes a key, with one that no operation may take. */
static void expect_key_refused(struct fixture *f, struct tarn_slice key, tarn_status wanted)
{
    struct tarn_pin pin = {0};
    tarn_batch *batch = NULL;
    struct tarn_slice value = text("v");
    struct tarn_result result;

    expect_status(wanted, tarn_set(f->ns, key, value, NULL, NULL));
    expect_status(wanted, tarn_insert(f->ns, key, value));
    expect_status(wanted, tarn_update(f->ns, key, value, NULL));
    expect_status(wanted, tarn_replace_if(f->ns, key, value, value));
    expect_status(wanted, tarn_replace_if_sequence(f->ns, key, 1, value));
    expect_status(wanted, tarn_get(f->ns, key, &f->buf, NULL));
    expect_status(wanted, tarn_get_pinned(f->ns, key, &pin));
    expect_status(wanted, tarn_exists(f->ns, key));
    expect_status(wanted, tarn_delete(f->ns, key));
    expect_status(wanted, tarn_consume(f->ns, key, NULL));
    expect_status(wanted, tarn_increment(f->ns, key, 1, NULL));
    expect_status(wanted, tarn_get_many(f->ns, TARN_BEST_EFFORT, &key, 1, &result, &f->buf));
    expect_status(wanted, tarn_get_many(f->ns, TARN_ALL_OR_NOTHING, &key, 1, &result, &f->buf));
    expect_ok(tarn_batch_create(&batch));
    expect_status(wanted, tarn_batch_set(batch, key, value));
    expect_status(wanted, tarn_batch_insert(batch, key, value));
    expect_status(wanted, tarn_batch_update(batch, key, value));
    expect_status(wanted, tarn_batch_replace_if(batch, key, value, value));
    expect_status(wanted, tarn_batch_replace_if_sequence(batch, key, 1, value));
    expect_status(wanted, tarn_batch_get(batch, key));
    expect_status(wanted, tarn_batch_delete(batch, key));
    expect_status(wanted, tarn_batch_consume(batch, key));
    expect_status(wanted, tarn_batch_increment(batch, key, 1));
    expect_number(0, tarn_batch_count(batch));
    tarn_batch_free(batch);
}

static void test_key_empty(void **state)
{
    struct fixture *f = *state;
    struct fixture_state before;

    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
    before = fixture_state_of(f->ns);
    expect_key_refused(f, text(""), TARN_KEY_INVALID);
    expect_key_refused(f, tarn_slice_of(NULL, 0), TARN_KEY_INVALID);
    expect_same_state(before, f->ns);
}

static void test_key_one_byte_too_large(void **state)
{
    struct fixture *f = *state;
    char *bytes = patterned_bytes(TARN_KEY_BYTES_MAX + 1, 1);

    expect_key_refused(f, tarn_slice_of(bytes, TARN_KEY_BYTES_MAX + 1), TARN_KEY_TOO_LARGE);
    expect_number(0, fixture_state_of(f->ns).keys);
    free(bytes);
}

static void expect_round_trip(struct fixture *f, struct tarn_slice key, size_t size)
{
    void *bytes = patterned_bytes(size, size);

    expect_ok(tarn_set(f->ns, key, tarn_slice_of(bytes, size), NULL, NULL));
    expect_stored(f->ns, key, tarn_slice_of(bytes, size));
    free(bytes);
}

/* Around each power of two, where a size class or a length's encoding may end, and some between;
 * each in place of the one before, then all of them at once. */
static void test_values_from_nothing_to_3_mib(void **state)
{
    struct fixture *f = *state;
    char room[NUMBERED_KEY_ROOM];
    size_t sizes[512], count = 0;

    for (size_t size = 0; size < 70; size++)
        sizes[count++] = size;
    for (size_t power = 128; power <= 2 * MIB; power *= 2)
        for (size_t i = 0; i < 12; i++)
            sizes[count++] = i < 6 ? power - 40 + 8 * i : power - 8 + i;
    for (size_t size = 100; size < 3 * MIB; size = size * 4 / 3)
        sizes[count++] = size;
    sizes[count++] = 3 * MIB;
    for (size_t i = 0; i < count; i++)
        expect_round_trip(f, text("the same"), sizes[i]);
    for (size_t i = 0; i < count; i++)
        expect_round_trip(f, numbered_key(room, i), sizes[i]);
    for (size_t i = 0; i < count; i++) {
        void *bytes = patterned_bytes(sizes[i], sizes[i]);

        expect_ok(tarn_consume(f->ns, numbered_key(room, i), &f->buf));
        expect_bytes(tarn_slice_of(bytes, sizes[i]), held(&f->buf));
        free(bytes);
    }
    expect_number(1, fixture_state_of(f->ns).keys);
}

static void test_value_of_64_mib(void **state)
{
    struct fixture *f = *state;

    expect_round_trip(f, text("large"), 64 * MIB);
    expect_round_trip(f, text("large"), 64 * MIB - 1);
    expect_round_trip(f, text("large"), 1);
    expect_ok(tarn_delete(f->ns, text("large")));
}

/* Refused by their length alone. The bytes are a mapping that takes no memory until it is read. */
static void test_value_beyond_every_limit(void **state)
{
    struct fixture *f = *state;
    size_t size = TARN_VALUE_BYTES_MAX + 1;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct tarn_slice value = tarn_slice_of(bytes, size);
    struct fixture_state before;
    tarn_batch *batch = NULL;

    assert_ptr_not_equal(bytes, MAP_FAILED);
    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
    before = fixture_state_of(f->ns);
    expect_status(TARN_VALUE_TOO_LARGE, tarn_set(f->ns, text("a"), value, NULL, NULL));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_set(f->ns, text("new"), value, NULL, NULL));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_insert(f->ns, text("new"), value));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_update(f->ns, text("a"), value, NULL));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_replace_if(f->ns, text("a"), text("b"), value));
    expect_same_state(before, f->ns);
    expect_ok(tarn_batch_create(&batch));
    expect_ok(tarn_batch_delete(batch, text("a")));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_batch_set(batch, text("a"), value));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_batch_insert(batch, text("a"), value));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_batch_update(batch, text("a"), value));
    expect_status(TARN_VALUE_TOO_LARGE, tarn_batch_replace_if(batch, text("a"), text("b"), value));
    /* A value that is allowed, but leaves no room for its own key within the batch's limit. */
    value.length = TARN_BATCH_BYTES_MAX;
    expect_status(TARN_BATCH_TOO_LARGE, tarn_batch_set(batch, text("a"), value));
    expect_number(1, tarn_batch_count(batch));
    tarn_batch_free(batch);
    munmap(bytes, size);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_keys_with_nul_bytes),
    CONFORMANCE_TEST(test_every_key_of_one_byte),
    CONFORMANCE_TEST(test_empty_value),
    CONFORMANCE_TEST(test_key_sizes),
    CONFORMANCE_TEST(test_key_empty),
    CONFORMANCE_TEST(test_key_one_byte_too_large),
    CONFORMANCE_TEST(test_values_from_nothing_to_3_mib),
    CONFORMANCE_TEST(test_value_of_64_mib),
    CONFORMANCE_TEST(test_value_beyond_every_limit),
};

CONFORMANCE_TOPIC(sizes, tests);
