/*
 * Conformance: resizing loses no key and doubles none, and the shards' keys sum up.
 */
#include "conformance/conformance.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS = 5000 };

static void insert_keys(tarn_namespace *ns)
{
    char room[NUMBERED_KEY_ROOM], value[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < KEYS; i++)
        expect_ok(tarn_insert(ns, numbered_key(room, i), numbered_key(value, i * 3)));
}

/* Expects so many shards, that their keys sum up, and that every key is there. */
static void expect_all_there(tarn_namespace *ns, uint32_t shards)
{
    struct tarn_stats stats = {.size = sizeof stats};
    uint64_t *shard_keys = calloc(TARN_SHARDS_MAX + 1, sizeof *shard_keys);
    char room[NUMBERED_KEY_ROOM], value[NUMBERED_KEY_ROOM];
    struct tarn_buf buf = {0};
    uint64_t sum = 0;

    assert_non_null(shard_keys);
    memset(shard_keys, 0x55, (TARN_SHARDS_MAX + 1) * sizeof *shard_keys);
    expect_ok(tarn_namespace_stats(ns, &stats, shard_keys, TARN_SHARDS_MAX + 1));
    expect_number(shards, stats.shards);
    expect_number(KEYS, stats.keys);
    for (uint32_t i = 0; i < shards; i++)
        sum += shard_keys[i];
    expect_number(KEYS, sum);
    for (unsigned i = 0; i < KEYS; i++) {
        expect_ok(tarn_get(ns, numbered_key(room, i), &buf, NULL));
        expect_bytes(numbered_key(value, i * 3), held(&buf));
    }
    expect_number(KEYS, fixture_state_of(ns).keys);
    tarn_buf_release(&buf);
    free(shard_keys);
}

static void test_up_and_down(void **state)
{
    struct fixture *f = *state;
    static const uint32_t shards[] = {1,    2,   3,    4,   5,    7,    8,    16,   31,
                                      64,   100, 128,  255, 999,  1024, 2048, 4095, 4096,
                                      4095, 1,   4096, 2,   1500, 64,   63,   1};
    struct fixture_state before;

    insert_keys(f->ns);
    before = fixture_state_of(f->ns);
    expect_all_there(f->ns, 16);
    for (unsigned i = 0; i < sizeof shards / sizeof shards[0]; i++) {
        expect_ok(tarn_namespace_resize(f->ns, shards[i]));
        expect_all_there(f->ns, shards[i]);
        /* No record is written again. */
        expect_same_state(before, f->ns);
    }
}

/* Every one of them, or every so many-th where less is repeated. */
static void test_every_number_of_shards(void **state)
{
    struct fixture *f = *state;
    struct tarn_stats stats = {.size = sizeof stats};
    uint32_t step = (uint32_t)(TARN_SHARDS_MAX / repeated(TARN_SHARDS_MAX)), keys = 0;
    char room[NUMBERED_KEY_ROOM];

    for (uint32_t shards = 1; shards <= TARN_SHARDS_MAX; shards += step) {
        expect_ok(tarn_namespace_resize(f->ns, shards));
        expect_ok(tarn_insert(f->ns, numbered_key(room, ++keys), text("v")));
        expect_ok(tarn_update(f->ns, numbered_key(room, 1 + keys / 2), text("w"), NULL));
        expect_ok(tarn_namespace_stats(f->ns, &stats, NULL, 0));
        expect_number(shards, stats.shards);
        expect_number(keys, stats.keys);
    }
    expect_number(keys, fixture_state_of(f->ns).keys);
}

/* Writes of every kind between two resizes: limits and counts stay right. */
static void test_writes_between_resizes(void **state)
{
    struct fixture *f = *state;
    struct tarn_namespace_options options = {.size = sizeof options, .max_keys = 50};
    char room[NUMBERED_KEY_ROOM];
    uint64_t random = 7;

    fixture_renew_namespace(f, &options);
    for (unsigned i = 0; i < 50; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), text("v")));
    for (unsigned i = 0; i < 300; i++) {
        expect_ok(tarn_namespace_resize(f->ns, 1 + (uint32_t)random_below(&random, 4096)));
        expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, numbered_key(room, 50 + i), text("")));
        expect_ok(tarn_delete(f->ns, numbered_key(room, i)));
        expect_ok(tarn_insert(f->ns, numbered_key(room, 50 + i), text("v")));
        expect_number(50, fixture_state_of(f->ns).keys);
    }
}

static void test_a_resize_to_the_same_number(void **state)
{
    struct fixture *f = *state;

    insert_keys(f->ns);
    for (unsigned i = 0; i < 3; i++) {
        expect_ok(tarn_namespace_resize(f->ns, 16));
        expect_all_there(f->ns, 16);
    }
}

/* Only so many of the shards' numbers are handed out as there is room for. */
static void test_shard_keys_within_capacity(void **state)
{
    struct fixture *f = *state;
    uint64_t all[16], some[16];

    insert_keys(f->ns);
    expect_ok(tarn_namespace_stats(f->ns, &(struct tarn_stats){.size = sizeof(struct tarn_stats)},
                                   all, 16));
    for (unsigned capacity = 0; capacity <= 16; capacity++) {
        struct tarn_stats stats = {.size = sizeof stats};

        for (unsigned i = 0; i < 16; i++)
            some[i] = 123456789;
        expect_ok(tarn_namespace_stats(f->ns, &stats, some, capacity));
        for (unsigned i = 0; i < 16; i++)
            expect_number(i < capacity ? all[i] : 123456789, some[i]);
    }
}

/* Jump consistent hash spreads keys evenly: no shard has twice or half of its share. */
static void test_even_spread(void **state)
{
    struct fixture *f = *state;
    struct tarn_stats stats = {.size = sizeof stats};
    uint64_t shard_keys[10];

    insert_keys(f->ns);
    expect_ok(tarn_namespace_resize(f->ns, 10));
    expect_ok(tarn_namespace_stats(f->ns, &stats, shard_keys, 10));
    for (unsigned i = 0; i < 10; i++)
        if (shard_keys[i] < KEYS / 20 || shard_keys[i] > KEYS / 5)
            fail_msg("shard %u: expected about %u keys, got %llu", i, KEYS / 10,
                     (unsigned long long)shard_keys[i]);
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_up_and_down),
    CONFORMANCE_TEST(test_every_number_of_shards),
    CONFORMANCE_TEST(test_writes_between_resizes),
    CONFORMANCE_TEST(test_a_resize_to_the_same_number),
    CONFORMANCE_TEST(test_shard_keys_within_capacity),
    CONFORMANCE_TEST(test_even_spread),
};

CONFORMANCE_TOPIC(resize, tests);
