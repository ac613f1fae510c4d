/*
 * Hashes: jump consistent hash, how groups are assigned to shards, the order of cursors, and keys
 * that were chosen to collide (faults.md, 42).
 */
#include "base/hash.h"
#include "index/index.h"
#include "store/store.h"
#include "support/concurrency.h"
#include "support/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether counts that should all be the same differ no more than chance lets them: chi-square
 * against its mean and eight standard deviations. */
static void expect_even(const uint32_t *counts, size_t places, uint64_t thrown, const char *what)
{
    double expected = (double)thrown / (double)places, sum = 0;
    double freedom = (double)places - 1;

    for (size_t i = 0; i < places; i++)
        sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    if (sum > freedom + 8 * sqrt(2 * freedom) + 8)
        fail_msg("%s over %zu places is uneven: chi-square is %.1f with %.0f degrees of freedom",
                 what, places, sum, freedom);
}

static uint64_t key_of(uint64_t number)
{
    return random_next(&number);
}

/* ------------------------------------------------------------------------------------------
 * Jump consistent hash
 */

/* The function of the paper, figure 1, as it is printed there. */
static int32_t paper(uint64_t key, int32_t num_buckets)
{
    int64_t b = -1, j = 0;

    while (j < num_buckets) {
        b = j;
        key = key * 2862933555777941757ULL + 1;
        j = (int64_t)((double)(b + 1) * ((double)(1LL << 31) / (double)((key >> 33) + 1)));
    }
    return (int32_t)b;
}

static void jumps_are_those_of_the_paper(void **state)
{
    /* Known from other implementations of the same function. */
    expect_number(0, tarn__jump_hash(1, 1));
    expect_number(43, tarn__jump_hash(42, 57));
    expect_number(0, tarn__jump_hash(0xdead10cc, 1));
    expect_number(361, tarn__jump_hash(0xdead10cc, 666));
    expect_number(520, tarn__jump_hash(256, 1024));
    (void)state;
    for (uint64_t i = 0; i < 200000; i++) {
        uint32_t buckets = 1 + (uint32_t)(key_of(i + 1000000) % TARN_SHARDS_MAX);

        expect_number(paper(key_of(i), (int32_t)buckets), tarn__jump_hash(key_of(i), buckets));
    }
}

enum { KEYS = 1000000 };

static void jumps_are_even_and_move_to_the_new_bucket_alone(void **state)
{
    static uint8_t bucket_of[KEYS];
    uint32_t counts[65];

    (void)state;
    for (uint32_t buckets = 1; buckets <= 65; buckets++) {
        double expected = (double)KEYS / buckets;
        uint32_t moved = 0;

        memset(counts, 0, sizeof counts);
        for (uint32_t i = 0; i < KEYS; i++) {
            uint32_t bucket = tarn__jump_hash(key_of(i), buckets);

            if (bucket >= buckets || (bucket != bucket_of[i] && bucket != buckets - 1))
                fail_msg("with %u buckets, key %u went from %u to %u", buckets, i, bucket_of[i],
                         bucket);
            moved += bucket != bucket_of[i];
            counts[bucket]++;
            bucket_of[i] = (uint8_t)bucket;
        }
        expect_even(counts, buckets, KEYS, "jump hash");
        if (buckets > 1 && fabs(moved - expected) > 8 * sqrt(expected))
            fail_msg("%u keys moved to bucket %u, and should %.0f", moved, buckets, expected);
    }
}

static void jumps_are_even_over_many_buckets(void **state)
{
    static const uint32_t sizes[] = {100, 257, 1000, 4096, 50000};
    static uint32_t counts[50000];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(counts, 0, sizeof counts);
        for (uint64_t key = 0; key < KEYS; key++)
            counts[tarn__jump_hash(key_of(key), sizes[i])]++;
        expect_even(counts, sizes[i], KEYS, "jump hash");
    }
}

/* ------------------------------------------------------------------------------------------
 * Groups and shards
 */

/* The lists of a shard's groups hold all groups, each once and in rising order. */
static void check_lists(const struct tarn__groups *groups)
{
    static uint8_t seen[1 << TARN__GROUP_BITS_MAX];
    uint32_t count = 1u << groups->bits;

    memset(seen, 0, count);
    for (uint32_t group = 0; group < count; group++) {
        uint32_t next = groups->next[group];

        expect_that(groups->shard[group] < groups->shard_count);
        if (next == TARN__NO_GROUP)
            continue;
        expect_that(next > group && next < count && !seen[next]);
        expect_number(groups->shard[group], groups->shard[next]);
        seen[next] = 1;
    }
    for (uint32_t group = 0; group < count; group++) {
        bool first = !seen[group];

        for (uint32_t before = 0; first && before < group; before++)
            if (groups->shard[before] == groups->shard[group])
                fail_msg("group %u follows no group of shard %u", group, groups->shard[group]);
    }
}

static void expect_even_groups(uint32_t bits, uint32_t shards)
{
    static uint32_t counts[TARN_SHARDS_MAX];
    struct tarn__groups *groups = tarn__groups_create(bits, shards);

    assert_non_null(groups);
    memset(counts, 0, sizeof counts);
    for (uint32_t group = 0; group < 1u << bits; group++)
        counts[groups->shard[group]]++;
    expect_even(counts, shards, 1u << bits, "groups");
    for (uint32_t shard = 0; bits == TARN__GROUP_BITS_MAX && shard < shards && shards <= 256;
         shard++)
        expect_that(counts[shard] > 0);
    check_lists(groups);
    tarn__groups_free(groups);
}

/* Also the few groups that an index begins with. */
static void groups_are_spread_evenly(void **state)
{
    (void)state;
    for (uint32_t shards = 2; shards <= TARN_SHARDS_MAX; shards += 1 + shards / 16) {
        expect_even_groups(TARN__GROUP_BITS_MAX, shards);
        expect_even_groups(tarn__groups_bits_for(shards), shards);
    }
    expect_even_groups(0, 1);
    expect_even_groups(TARN__GROUP_BITS_MAX, 1);
}

static void a_new_index_has_groups_for_every_shard(void **state)
{
    (void)state;
    expect_number(0, tarn__groups_bits_for(1));
    expect_number(5, tarn__groups_bits_for(2));
    expect_number(8, tarn__groups_bits_for(16));
    expect_number(9, tarn__groups_bits_for(17));
    for (uint32_t shards = 1; shards <= TARN_SHARDS_MAX; shards++) {
        uint32_t bits = tarn__groups_bits_for(shards);

        expect_that(bits <= TARN__GROUP_BITS_MAX && 1u << bits >= shards);
    }
}

static void more_shards_take_groups_for_the_new_one_alone(void **state)
{
    struct tarn__groups *now = tarn__groups_create(TARN__GROUP_BITS_MAX, 1);

    (void)state;
    for (uint32_t shards = 2; shards <= 600; shards++) {
        struct tarn__groups *next = tarn__groups_create(TARN__GROUP_BITS_MAX, shards);
        uint32_t moved = 0;
        double expected = (double)(1u << TARN__GROUP_BITS_MAX) / shards;

        assert_non_null(next);
        for (uint32_t group = 0; group < 1u << TARN__GROUP_BITS_MAX; group++) {
            if (next->shard[group] == now->shard[group])
                continue;
            expect_number(shards - 1, next->shard[group]);
            moved++;
        }
        expect_that(fabs(moved - expected) < 8 * sqrt(expected) + 8);
        tarn__groups_free(now);
        now = next;
    }
    tarn__groups_free(now);
}

/* ------------------------------------------------------------------------------------------
 * Hashes of keys
 */

static void reversed_bits_are_reversed(void **state)
{
    (void)state;
    expect_number(0, tarn__reverse_bits(0));
    expect_number(UINT64_MAX, tarn__reverse_bits(UINT64_MAX));
    for (unsigned bit = 0; bit < 64; bit++)
        expect_number(UINT64_C(1) << (63 - bit), tarn__reverse_bits(UINT64_C(1) << bit));
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t bits = key_of(i), reversed = 0;

        for (unsigned bit = 0; bit < 64; bit++)
            reversed |= ((bits >> bit) & 1) << (63 - bit);
        expect_number(reversed, tarn__reverse_bits(bits));
        expect_number(bits, tarn__reverse_bits(tarn__reverse_bits(bits)));
    }
}

/* With another seed every length hashes to something else, in every bit half of the time. */
static void seeds_make_other_hashes(void **state)
{
    static const size_t lengths[] = {1, 2, 3, 4, 8, 9, 16, 17, 64, 128, 129, 240, 241, 1024, 65536};
    unsigned char *bytes = patterned_bytes(65536, 3);

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct tarn_slice key = tarn_slice_of(bytes, lengths[i]);
        uint64_t changed = 0, differing = 0;

        expect_number(tarn__hash(key, 99), tarn__hash(key, 99));
        for (uint64_t seed = 0; seed < 256; seed++) {
            uint64_t difference =
                tarn__hash(key, key_of(seed)) ^ tarn__hash(key, key_of(seed + 1000));

            expect_that(difference != 0);
            changed |= difference;
            differing += (uint64_t)__builtin_popcountll(difference);
        }
        expect_number(UINT64_MAX, changed);
        expect_that(differing > 256 * 30 && differing < 256 * 34);
    }
    free(bytes);
}

enum { COLLIDING = 400, COLLIDING_BITS = 12 };

/* Finds keys whose hashes share their low bits under a seed. */
static void find_colliding(uint64_t seed, char keys[COLLIDING][NUMBERED_KEY_ROOM])
{
    size_t count = 0;

    for (uint64_t number = 0; count < COLLIDING; number++) {
        struct tarn_slice key = numbered_key(keys[count], number);

        count += (tarn__hash(key, seed) & ((1u << COLLIDING_BITS) - 1)) == 77;
    }
}

/* How many of the keys the fullest of 2^12 places has. */
static uint32_t fullest(char keys[COLLIDING][NUMBERED_KEY_ROOM], uint64_t seed)
{
    static uint32_t counts[1 << COLLIDING_BITS];
    uint32_t most = 0;

    memset(counts, 0, sizeof counts);
    for (size_t i = 0; i < COLLIDING; i++) {
        uint32_t *count = &counts[tarn__hash(text(keys[i]), seed) & ((1u << COLLIDING_BITS) - 1)];

        if (++*count > most)
            most = *count;
    }
    return most;
}

static void keys_that_collide_under_one_seed_do_not_under_another(void **state)
{
    static char keys[COLLIDING][NUMBERED_KEY_ROOM];

    (void)state;
    find_colliding(1, keys);
    expect_number(COLLIDING, fullest(keys, 1));
    for (uint64_t seed = 2; seed < 200; seed++)
        expect_that(fullest(keys, key_of(seed)) <= 6); /* by chance: 3 or 4 */
    expect_that(fullest(keys, 0) <= 6 && fullest(keys, 2) <= 6 && fullest(keys, 1u << 31) <= 6);
}

/* Who has learned to make one store's keys collide has learned nothing of the next store. */
static void each_store_has_a_seed_of_its_own(void **state)
{
    static char keys[COLLIDING][NUMBERED_KEY_ROOM];
    uint64_t seeds[8];

    (void)state;
    for (int i = 0; i < 8; i++) {
        tarn_store *store;

        expect_ok(tarn_open(NULL, NULL, &store));
        seeds[i] = store->environment.seed;
        for (int j = 0; j < i; j++)
            expect_that(seeds[j] != seeds[i]);
        expect_ok(tarn_close(store));
    }
    find_colliding(seeds[0], keys);
    for (int i = 1; i < 8; i++)
        expect_that(fullest(keys, seeds[i]) <= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jumps_are_those_of_the_paper),
        cmocka_unit_test(jumps_are_even_and_move_to_the_new_bucket_alone),
        cmocka_unit_test(jumps_are_even_over_many_buckets),
        cmocka_unit_test(groups_are_spread_evenly),
        cmocka_unit_test(a_new_index_has_groups_for_every_shard),
        cmocka_unit_test(more_shards_take_groups_for_the_new_one_alone),
        cmocka_unit_test(reversed_bits_are_reversed),
        cmocka_unit_test(seeds_make_other_hashes),
        cmocka_unit_test(keys_that_collide_under_one_seed_do_not_under_another),
        cmocka_unit_test(each_store_has_a_seed_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
