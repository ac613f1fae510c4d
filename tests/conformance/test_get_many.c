/*
 * Conformance: tarn_get_many() in both modes.
 */
#include "conformance/conformance.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 200 };

static const enum tarn_mode modes[] = {TARN_BEST_EFFORT, TARN_ALL_OR_NOTHING};

struct keys {
    char rooms[KEYS_MAX][NUMBERED_KEY_ROOM];
    struct tarn_slice slices[KEYS_MAX];
    struct tarn_result results[KEYS_MAX];
};

static struct keys *new_keys(void)
{
    struct keys *keys = calloc(1, sizeof *keys);

    assert_non_null(keys);
    for (unsigned i = 0; i < KEYS_MAX; i++)
        keys->slices[i] = numbered_key(keys->rooms[i], i);
    return keys;
}

static size_t size_of_value(uint64_t number)
{
    return (number * number * 7) % 900;
}

static void set_numbered(struct fixture *f, struct tarn_slice key, uint64_t number)
{
    void *bytes = patterned_bytes(size_of_value(number), number);

    expect_ok(tarn_set(f->ns, key, tarn_slice_of(bytes, size_of_value(number)), NULL, NULL));
    free(bytes);
}

static void expect_found(struct tarn_result *result, uint64_t number)
{
    void *bytes = patterned_bytes(size_of_value(number), number);

    expect_status(TARN_OK, result->status);
    expect_that(result->existed);
    expect_that(result->info.sequence > 0);
    expect_bytes(tarn_slice_of(bytes, size_of_value(number)), result->value);
    free(bytes);
}

static void test_every_count(void **state)
{
    struct fixture *f = *state;
    struct keys *keys = new_keys();

    for (unsigned i = 0; i < KEYS_MAX; i++)
        set_numbered(f, keys->slices[i], i);
    for (unsigned count = 1; count <= KEYS_MAX; count++) {
        for (unsigned m = 0; m < 2; m++) {
            memset(keys->results, 0x55, sizeof keys->results);
            expect_ok(tarn_get_many(f->ns, modes[m], keys->slices, count, keys->results, &f->buf));
            for (unsigned i = 0; i < count; i++)
                expect_found(&keys->results[i], i);
            if (count < KEYS_MAX)
                expect_number(0x55555555, (uint32_t)keys->results[count].status);
        }
    }
    free(keys);
}

static void test_no_keys(void **state)
{
    struct fixture *f = *state;
    struct tarn_slice key = text("k");

    for (unsigned m = 0; m < 2; m++) {
        expect_ok(tarn_get_many(f->ns, modes[m], &key, 0, NULL, &f->buf));
        expect_ok(tarn_get_many(f->ns, modes[m], NULL, 0, NULL, NULL));
    }
}

static void test_best_effort_with_missing_keys(void **state)
{
    struct fixture *f = *state;
    struct keys *keys = new_keys();

    for (unsigned every = 1; every <= 5; every++) {
        expect_ok(tarn_namespace_clear(f->ns));
        for (unsigned i = 0; i < KEYS_MAX; i += every)
            set_numbered(f, keys->slices[i], i);
        memset(keys->results, 0x55, sizeof keys->results);
        expect_ok(
            tarn_get_many(f->ns, TARN_BEST_EFFORT, keys->slices, KEYS_MAX, keys->results, &f->buf));
        for (unsigned i = 0; i < KEYS_MAX; i++) {
            if (i % every == 0) {
                expect_found(&keys->results[i], i);
                continue;
            }
            expect_status(TARN_KEY_NOT_FOUND, keys->results[i].status);
            expect_that(!keys->results[i].existed);
            expect_number(0, keys->results[i].value.length);
        }
    }
    expect_ok(tarn_namespace_clear(f->ns));
    expect_ok(
        tarn_get_many(f->ns, TARN_BEST_EFFORT, keys->slices, KEYS_MAX, keys->results, &f->buf));
    for (unsigned i = 0; i < KEYS_MAX; i++)
        expect_status(TARN_KEY_NOT_FOUND, keys->results[i].status);
    free(keys);
}

/* One key missing, at each position: no value is handed out, and the results tell which. */
static void test_all_or_nothing_with_a_missing_key(void **state)
{
    struct fixture *f = *state;
    struct keys *keys = new_keys();
    enum { COUNT = 40 };

    for (unsigned i = 0; i < COUNT; i++)
        set_numbered(f, keys->slices[i], i);
    expect_ok(tarn_set(f->ns, text("mark"), text("as left"), NULL, NULL));
    expect_ok(tarn_get(f->ns, text("mark"), &f->buf, NULL));
    for (unsigned missing = 0; missing < COUNT; missing++) {
        expect_ok(tarn_delete(f->ns, keys->slices[missing]));
        memset(keys->results, 0x55, sizeof keys->results);
        expect_status(TARN_KEY_NOT_FOUND, tarn_get_many(f->ns, TARN_ALL_OR_NOTHING, keys->slices,
                                                        COUNT, keys->results, &f->buf));
        for (unsigned i = 0; i < COUNT; i++) {
            expect_status(i == missing ? TARN_KEY_NOT_FOUND : TARN_OK, keys->results[i].status);
            expect_number(0, keys->results[i].value.length);
        }
        expect_bytes(text("as left"), held(&f->buf));
        set_numbered(f, keys->slices[missing], missing);
    }
    expect_status(TARN_KEY_NOT_FOUND, tarn_get_many(f->ns, TARN_ALL_OR_NOTHING, keys->slices,
                                                    COUNT + 1, keys->results, &f->buf));
    free(keys);
}

/* The same key more than once, next to itself and far apart. */
static void test_duplicates(void **state)
{
    struct fixture *f = *state;
    struct keys *keys = new_keys();

    for (unsigned i = 0; i < KEYS_MAX; i++)
        keys->slices[i] = numbered_key(keys->rooms[i], i % 7);
    for (unsigned i = 0; i < 7; i++)
        set_numbered(f, keys->slices[i], i + 3);
    for (unsigned m = 0; m < 2; m++) {
        expect_ok(tarn_get_many(f->ns, modes[m], keys->slices, KEYS_MAX, keys->results, &f->buf));
        for (unsigned i = 0; i < KEYS_MAX; i++)
            expect_found(&keys->results[i], i % 7 + 3);
    }
    for (unsigned i = 0; i < 50; i++)
        keys->slices[i] = keys->slices[0];
    for (unsigned m = 0; m < 2; m++) {
        expect_ok(tarn_get_many(f->ns, modes[m], keys->slices, 50, keys->results, &f->buf));
        for (unsigned i = 0; i < 50; i++)
            expect_found(&keys->results[i], 3);
    }
    free(keys);
}

static void test_info_and_outputs_that_are_null(void **state)
{
    struct fixture *f = *state;
    struct tarn_slice keys[2] = {text("n"), text("b")};
    struct tarn_result results[2];
    struct tarn_record_info info[2];

    expect_ok(tarn_increment(f->ns, keys[0], 1, NULL));
    expect_ok(tarn_set(f->ns, keys[1], text("v"), NULL, NULL));
    for (unsigned i = 0; i < 2; i++)
        expect_ok(tarn_get(f->ns, keys[i], NULL, &info[i]));
    for (unsigned m = 0; m < 2; m++) {
        expect_ok(tarn_get_many(f->ns, modes[m], keys, 2, NULL, &f->buf));
        expect_ok(tarn_get_many(f->ns, modes[m], keys, 2, NULL, NULL));
        expect_ok(tarn_get_many(f->ns, modes[m], keys, 2, results, NULL));
        for (unsigned i = 0; i < 2; i++) {
            expect_status(TARN_OK, results[i].status);
            expect_number(info[i].sequence, results[i].info.sequence);
            expect_number(info[i].content, results[i].info.content);
            expect_number(0, results[i].value.length);
        }
    }
}

/* A key that no key may be, among good ones. */
static void test_invalid_key(void **state)
{
    struct fixture *f = *state;
    char *bytes = patterned_bytes(TARN_KEY_BYTES_MAX + 1, 1);
    struct tarn_slice keys[3] = {text("a"), tarn_slice_of(bytes, TARN_KEY_BYTES_MAX + 1),
                                 text("b")};
    struct tarn_result results[3];

    expect_ok(tarn_set(f->ns, text("a"), text("1"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("b"), text("2"), NULL, NULL));
    expect_status(TARN_KEY_TOO_LARGE,
                  tarn_get_many(f->ns, TARN_ALL_OR_NOTHING, keys, 3, results, &f->buf));
    expect_status(TARN_KEY_TOO_LARGE,
                  tarn_get_many(f->ns, TARN_BEST_EFFORT, keys, 3, results, &f->buf));
    expect_status(TARN_OK, results[0].status);
    expect_status(TARN_KEY_TOO_LARGE, results[1].status);
    expect_status(TARN_OK, results[2].status);
    expect_bytes(text("2"), results[2].value);
    keys[1].length = 0;
    expect_status(TARN_KEY_INVALID,
                  tarn_get_many(f->ns, TARN_BEST_EFFORT, keys, 3, results, &f->buf));
    expect_status(TARN_KEY_INVALID, results[1].status);
    expect_bytes(text("1"), results[0].value);
    free(bytes);
}

/* Large values, many of them: the buffer grows while the slices into it are collected. */
static void test_large_values(void **state)
{
    struct fixture *f = *state;
    struct keys *keys = new_keys();
    enum { COUNT = 24 };

    for (unsigned i = 0; i < COUNT; i++) {
        size_t size = ((size_t)1 << i) / 4;
        void *bytes = patterned_bytes(size, i);

        expect_ok(tarn_set(f->ns, keys->slices[i], tarn_slice_of(bytes, size), NULL, NULL));
        free(bytes);
    }
    for (unsigned m = 0; m < 2; m++) {
        tarn_buf_release(&f->buf);
        expect_ok(tarn_get_many(f->ns, modes[m], keys->slices, COUNT, keys->results, &f->buf));
        for (unsigned i = 0; i < COUNT; i++) {
            size_t size = ((size_t)1 << i) / 4;
            void *bytes = patterned_bytes(size, i);

            expect_bytes(tarn_slice_of(bytes, size), keys->results[i].value);
            free(bytes);
        }
    }
    free(keys);
}

/* Among many keys, so that buckets are full and keys share them. */
static void test_in_a_large_namespace(void **state)
{
    struct fixture *f = *state;
    struct keys *keys = new_keys();
    char room[NUMBERED_KEY_ROOM];
    uint64_t random = 1;

    for (unsigned i = 0; i < 30000; i += 2)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), numbered_key(room, i)));
    for (unsigned round = 0; round < 200; round++) {
        uint64_t numbers[KEYS_MAX];

        for (unsigned i = 0; i < KEYS_MAX; i++) {
            numbers[i] = random_below(&random, 30000);
            keys->slices[i] = numbered_key(keys->rooms[i], numbers[i]);
        }
        expect_ok(
            tarn_get_many(f->ns, TARN_BEST_EFFORT, keys->slices, KEYS_MAX, keys->results, &f->buf));
        for (unsigned i = 0; i < KEYS_MAX; i++) {
            expect_status(numbers[i] % 2 ? TARN_KEY_NOT_FOUND : TARN_OK, keys->results[i].status);
            if (numbers[i] % 2 == 0)
                expect_bytes(keys->slices[i], keys->results[i].value);
        }
    }
    free(keys);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_every_count),
    CONFORMANCE_TEST(test_no_keys),
    CONFORMANCE_TEST(test_best_effort_with_missing_keys),
    CONFORMANCE_TEST(test_all_or_nothing_with_a_missing_key),
    CONFORMANCE_TEST(test_duplicates),
    CONFORMANCE_TEST(test_info_and_outputs_that_are_null),
    CONFORMANCE_TEST(test_invalid_key),
    CONFORMANCE_TEST(test_large_values),
    CONFORMANCE_TEST(test_in_a_large_namespace),
};

CONFORMANCE_TOPIC(get_many, tests);
