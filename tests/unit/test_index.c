/*
 * The index alone: entries come, go and are found while it grows; and what it costs. The
 * records are numbers (support/index_table.h), the hashes the test's choice.
 *
 * The figures of index.h and docs/architecture.md are the_figures_hold_at_every_size(). Hashes that
 * were chosen to meet in one bucket (faults.md, 42) are crowded().
 */
#include "support/fixture.h"
#include "support/index_table.h"

#include <stdlib.h>
#include <string.h>

static struct index_table table;

#ifdef __SANITIZE_THREAD__
enum { MILLION = 200000 }; /* it makes everything 20 times slower */
#else
enum { MILLION = 1000000 };
#endif

/* ------------------------------------------------------------------------------------------
 * Many keys
 */

static void expect_keys(uint64_t from, uint64_t to, int64_t version)
{
    for (uint64_t key = from; key < to; key++)
        if (index_table_look(&table, key) != version)
            fail_msg("of %llu to %llu, key %llu: version %lld was expected, and not %lld",
                     (unsigned long long)from, (unsigned long long)to, (unsigned long long)key,
                     (long long)version, (long long)index_table_look(&table, key));
}

/* The counts of keys are those of the groups, after every division. */
static void expect_counts(uint64_t keys)
{
    struct tarn__groups *groups = atomic_load(&table.index.groups);
    uint64_t of_groups = 0, of_shards = 0, buckets = 0, of_growth = 0;

    for (uint32_t group = 0; group < 1u << groups->bits; group++) {
        of_groups += groups->keys[group];
        buckets += atomic_load(&groups->buckets[group]);
    }
    for (uint32_t shard = 0; shard < groups->shard_count; shard++) {
        of_shards += table.growth[shard].keys;
        of_growth += table.growth[shard].buckets;
    }
    expect_number(keys, of_groups);
    expect_number(keys, of_shards);
    expect_number(buckets, of_growth);
}

static void a_million_entries_come_and_go(void **state)
{
    (void)state;
    index_table_init(&table, 16, index_table_mix);
    for (uint64_t key = 0, check = 64; key < MILLION; key++) {
        index_table_set(&table, key, 1);
        if (key + 1 == check) {
            expect_keys(0, check, 1);
            expect_keys(check, 2 * check, -1);
            expect_counts(check);
            check = check * 2 < MILLION ? check * 2 : MILLION;
        }
    }
    expect_number(TARN__GROUP_BITS_MAX, atomic_load(&table.index.groups)->bits);
    for (uint64_t key = 0; key < MILLION; key += 3)
        index_table_set(&table, key, 2);
    for (uint64_t key = 0; key < MILLION; key++)
        if (index_table_look(&table, key) != (key % 3 ? 1 : 2))
            fail_msg("key %llu is not the version that was set", (unsigned long long)key);
    expect_counts(MILLION);
    for (uint64_t key = 0; key < MILLION; key += 2)
        index_table_remove(&table, key);
    for (uint64_t key = 0; key < MILLION; key++)
        if (index_table_look(&table, key) != (key % 2 == 0 ? -1 : key % 3 ? 1 : 2))
            fail_msg("key %llu is not what was left", (unsigned long long)key);
    for (uint64_t key = 1; key < MILLION; key += 2)
        index_table_remove(&table, key);
    expect_keys(0, MILLION, -1);
    expect_counts(0);
    expect_number(0, index_table_overflow_lines(&table));
    expect_number(0, table.rehashes);
    index_table_release(&table);
}

/* Collects every location by walking, as cursors do. */
static uint64_t walk(uint64_t keys, uint8_t *seen)
{
    struct tarn__bucket_view view = {0};
    uint64_t position = 0, found = 0, end = 0;
    tarn_status status;

    do {
        expect_number(TARN__FOUND, tarn__index_view(&table.index, position, &view, &status));
        expect_ok(status);
        expect_that(view.last || view.end > position);
        for (size_t i = 0; i < view.count; i++) {
            uint64_t key = index_table_key(view.locations[i]);
            uint64_t order = 0, hash = table.hash_of(key);

            for (unsigned bit = 0; bit < 64; bit++)
                order |= ((hash >> bit) & 1) << (63 - bit);
            expect_that(key < keys && !seen[key] && order >= end);
            expect_that(view.last || order < view.end);
            seen[key] = 1;
            found++;
        }
        position = end = view.end;
    } while (!view.last);
    free(view.locations);
    return found;
}

/* A position in the middle of a bucket's interval leads to the whole of it, and no further. */
static void expect_same_bucket_from_anywhere(uint64_t random)
{
    struct tarn__bucket_view view = {0}, again = {0};
    tarn_status status;

    for (int i = 0; i < 1000; i++) {
        uint64_t position = random_next(&random);

        expect_number(TARN__FOUND, tarn__index_view(&table.index, position, &view, &status));
        expect_that(view.last || view.end > position);
        expect_number(TARN__FOUND, tarn__index_view(&table.index, view.end - 1, &again, &status));
        expect_number(view.end, again.end);
        expect_number(view.count, again.count);
        expect_that(!view.count || memcmp(view.locations, again.locations, 8 * view.count) == 0);
    }
    free(view.locations);
    free(again.locations);
}

static void a_walk_meets_each_entry_once(void **state)
{
    static uint8_t seen[100000];
    static const uint64_t sizes[] = {1, 17, 1000, 33333, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        index_table_init(&table, 7, index_table_mix);
        for (uint64_t key = 0; key < sizes[i]; key++)
            index_table_set(&table, key, 1);
        memset(seen, 0, sizeof seen);
        expect_number(sizes[i], walk(sizes[i], seen));
        expect_same_bucket_from_anywhere(i);
        index_table_release(&table);
    }
}

/* ------------------------------------------------------------------------------------------
 * Groups
 */

/* Dividing, and other shards, move nothing: the lines are what they were. */
static void groups_divide_without_moving(void **state)
{
    enum { KEYS = 60000, LINES = 8192 };
    static struct tarn__line before[LINES];

    (void)state;
    index_table_init(&table, 16, index_table_mix);
    for (uint64_t key = 0; key < KEYS; key++) {
        struct tarn__groups *groups;
        uint64_t buckets = 0;

        index_table_set(&table, key, 1);
        if (key % 10007)
            continue;
        groups = atomic_load(&table.index.groups);
        for (uint32_t group = 0; group < 1u << groups->bits; group++)
            buckets += atomic_load(&groups->buckets[group]);
        for (uint64_t line = 0; line < buckets && line < LINES; line++)
            memcpy(&before[line], tarn__line_at(&table.index.buckets, line), sizeof before[0]);
        index_table_divide(&table, tarn__groups_bits_possible(groups), 1 + (uint32_t)(key % 37));
        for (uint64_t line = 0; line < buckets && line < LINES; line++)
            assert_memory_equal(&before[line], tarn__line_at(&table.index.buckets, line),
                                sizeof before[0]);
        expect_keys(0, key + 1, 1);
        expect_counts(key + 1);
    }
    expect_keys(0, KEYS, 1);
    expect_keys(KEYS, 2 * KEYS, -1);
    expect_counts(KEYS);
    index_table_release(&table);
}

/* ------------------------------------------------------------------------------------------
 * Figures
 */

/* Whether a miss has to look at a second line: the reader's walk, told again. */
static bool touches_a_second_line(uint64_t hash)
{
    struct tarn__place place = {0};
    uint64_t last;

    expect_that(tarn__index_place(&table.index, hash, &place));
    last = atomic_load(&place.line->slots[TARN__LINE_SLOTS - 1]);
    return tarn__slot_is_link(last) && (last & tarn__link_filter_bit(hash, place.bits));
}

static void expect_figures(uint64_t keys)
{
    enum { MISSES = 200000 };
    double bytes = (double)tarn__index_bytes(&table.index) / (double)keys;
    uint64_t second = 0;
    struct index_search search = {0};

    for (uint64_t i = 0; i < MISSES; i++) {
        uint64_t hash = table.hash_of(UINT64_C(1) << 40 | i), location;
        struct tarn__look look;

        second += touches_a_second_line(hash);
        search.key = UINT64_C(1) << 40;
        expect_number(TARN__ABSENT, tarn__index_look(&table.index, hash, index_search_leads,
                                                     &search, &look, &location));
    }
    if (environment_number("TARN_TEST_VERBOSE", 0))
        print_message("%8llu keys: %.2f bytes a key, %.2f %% of misses see a second line, %.4f %% "
                      "read a record\n",
                      (unsigned long long)keys, bytes, 100.0 * (double)second / MISSES,
                      100.0 * (double)search.others / MISSES);
    if (bytes > 18)
        fail_msg("%llu keys: %.2f bytes of index a key", (unsigned long long)keys, bytes);
    if (second > MISSES / 20)
        fail_msg("%llu keys: %.2f %% of misses touch a second line", (unsigned long long)keys,
                 100.0 * (double)second / MISSES);
    if (search.others > MISSES / 1000)
        fail_msg("%llu keys: %.4f %% of misses read a record", (unsigned long long)keys,
                 100.0 * (double)search.others / MISSES);
}

/* Ten points of a doubling: a table that grows in steps is at its worst at one of them. */
static void the_figures_hold_at_every_size(void **state)
{
    static const uint32_t shard_counts[] = {1, 16};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        index_table_init(&table, shard_counts[i], index_table_mix);
        for (uint64_t key = 0; key < 2 * MILLION; key++) {
            index_table_set(&table, key, 1);
            if (key + 1 >= MILLION && (key + 1) % (MILLION / 10) == 0)
                expect_figures(key + 1);
        }
        index_table_release(&table);
    }
}

/* ------------------------------------------------------------------------------------------
 * Buckets that overflow
 */

/* All hashes share their low 40 bits, so that no growth parts them; the slots cannot either. */
static uint64_t crowded(uint64_t key)
{
    return index_table_mix(key) << 40 | UINT64_C(0x1234567890);
}

/* A slot's worth of different bits each, but all in one bucket of a table that does not grow. */
static uint64_t in_one_bucket(uint64_t key)
{
    return index_table_mix(key) << 8 | 3;
}

static void long_chains_hold_every_entry(uint64_t (*hash_of)(uint64_t key))
{
    enum { KEYS = 700 };
    static bool there[KEYS];
    uint64_t random = 11, count = 0;
    size_t lines;

    index_table_init(&table, 1, hash_of);
    table.fixed = hash_of == in_one_bucket;
    memset(there, 0, sizeof there);
    for (int step = 0; step < 20000; step++) {
        uint64_t key = random_below(&random, KEYS);
        bool add = random_below(&random, 100) < (step / 4000 % 2 ? 30 : 70);

        if (add) {
            index_table_set(&table, key, (uint64_t)step & 1);
            count += !there[key];
            there[key] = true;
        } else if (there[key]) {
            index_table_remove(&table, key);
            there[key] = false;
            count--;
        }
        key = random_below(&random, KEYS);
        expect_that((index_table_look(&table, key) >= 0) == there[key]);
    }
    for (uint64_t key = 0; key < KEYS; key++)
        expect_that((index_table_look(&table, key) >= 0) == there[key]);
    expect_number(count, index_table_chain(&table, hash_of(0), &lines));
    /* Tidied: no more lines than the entries need, each but the last of 6. */
    expect_number(count <= 7 ? 1 : 1 + (count - 7 + 5) / 6, lines);
    expect_number(lines - 1, index_table_overflow_lines(&table));
    for (uint64_t key = 0; key < KEYS; key++)
        if (there[key])
            index_table_remove(&table, key);
    expect_number(0, index_table_overflow_lines(&table));
    index_table_release(&table);
}

static void hundreds_of_equal_hashes_are_kept(void **state)
{
    (void)state;
    long_chains_hold_every_entry(crowded);
}

static void hundreds_of_hashes_in_one_bucket_are_kept(void **state)
{
    (void)state;
    long_chains_hold_every_entry(in_one_bucket);
}

/* A bucket that has a long chain is divided by growth, and gives its lines back. */
static void growth_takes_long_chains_apart(void **state)
{
    (void)state;
    index_table_init(&table, 16, index_table_mix);
    table.fixed = true;
    for (uint64_t key = 0; key < 50000; key++)
        index_table_set(&table, key, 1);
    expect_that(index_table_overflow_lines(&table) > 6000);
    table.fixed = false;
    for (uint32_t shard = 0; shard < 16; shard++)
        while (tarn__index_grow(&table.index, &table.growth[shard], 0))
            ;
    expect_that(index_table_overflow_lines(&table) < 50000 / 4.5 / 4);
    expect_keys(0, 50000, 1);
    expect_keys(50000, 100000, -1);
    index_table_release(&table);
}

/* ------------------------------------------------------------------------------------------
 * Claims and batches
 */

static enum tarn__found look_once(uint64_t key)
{
    struct index_search search = {.key = key};
    struct tarn__look look;
    uint64_t location;

    return tarn__index_look(&table.index, table.hash_of(key), index_search_leads, &search, &look,
                            &location);
}

/* Claims of one bucket are alike: whichever is given back or used, the others stay. */
static void claims_are_seen_by_nobody(void **state)
{
    enum { OLD = 5, CLAIMS = 40 };
    struct tarn__entry entries[OLD + CLAIMS];
    size_t lines;

    (void)state;
    index_table_init(&table, 1, in_one_bucket);
    table.fixed = true;
    for (uint64_t key = 0; key < OLD; key++)
        index_table_set(&table, key, 1);
    for (uint64_t key = 0; key < OLD + CLAIMS; key++)
        index_table_entry(&table, key, &entries[key]);
    for (uint64_t key = OLD; key < OLD + CLAIMS; key++)
        expect_ok(tarn__index_claim(&table.index, table.hash_of(key), &entries[key]));
    expect_number(OLD + CLAIMS, index_table_chain(&table, 3, &lines));
    expect_keys(0, OLD, 1);
    expect_keys(OLD, OLD + CLAIMS, -1);
    for (uint64_t key = OLD; key < OLD + CLAIMS; key += 2) {
        tarn__index_unclaim(&table.index, table.hash_of(key), &entries[key]);
        assert_null(entries[key].slot);
    }
    expect_number(OLD + CLAIMS / 2, index_table_chain(&table, 3, &lines));
    expect_keys(0, OLD, 1);
    for (uint64_t key = 0; key < OLD + CLAIMS; key++) {
        if (key >= OLD && (key - OLD) % 2 == 0)
            continue;
        tarn__index_find_again(&table.index, table.hash_of(key), &entries[key]);
        tarn__index_point(&table.index, &entries[key], index_table_location(key, 9));
    }
    for (uint64_t key = 0; key < OLD + CLAIMS; key++)
        expect_signed(key < OLD || (key - OLD) % 2 ? 9 : -1, index_table_look(&table, key));
    tarn__index_tidy(&table.index, &entries[0].place);
    expect_number(OLD + CLAIMS / 2, index_table_chain(&table, 3, &lines));
    expect_number(lines - 1, index_table_overflow_lines(&table));
    index_table_release(&table);
}

static uint64_t version_of(const struct tarn__entry *entry)
{
    return atomic_load(&entry->place.line->control) & TARN__VERSION_MASK;
}

static void readers_of_a_marked_bucket_try_again(void **state)
{
    struct tarn__entry there, absent;
    struct tarn__sight sight;
    uint64_t before, marked;

    (void)state;
    index_table_init(&table, 1, in_one_bucket);
    table.fixed = true;
    index_table_set(&table, 1, 1);
    index_table_entry(&table, 1, &there);
    index_table_entry(&table, 2, &absent);
    before = version_of(&there);
    expect_number(0, before & 1);
    expect_ok(tarn__index_claim(&table.index, table.hash_of(2), &absent));
    tarn__index_begin_batch(&there);
    tarn__index_begin_batch(&absent); /* the same bucket: once */
    marked = version_of(&there);
    expect_number(before + 1, marked);
    for (uint64_t key = 1; key < 4; key++)
        expect_number(TARN__RETRY, look_once(key));
    tarn__sight_begin(&table.index, table.hash_of(1), &sight);
    expect_that(!tarn__sight_step(&table.index, table.hash_of(1), &sight));
    tarn__index_point(&table.index, &there, index_table_location(1, 2));
    tarn__index_point(&table.index, &absent, index_table_location(2, 2));
    expect_number(marked, version_of(&there));
    tarn__index_end_batch(&there);
    tarn__index_end_batch(&absent);
    expect_number(before + 2, version_of(&there));
    expect_number(0, atomic_load(&there.place.line->control) & TARN__CONTROL_BATCH);
    expect_signed(2, index_table_look(&table, 1));
    expect_signed(2, index_table_look(&table, 2));
    expect_number(TARN__ABSENT, look_once(3));
    index_table_release(&table);
}

/* Whatever moves entries is seen in the bucket's version: a reader that missed one tries again. */
static void changes_are_seen_in_the_version(void **state)
{
    struct tarn__entry entry;
    uint64_t before;

    (void)state;
    index_table_init(&table, 1, index_table_mix);
    table.fixed = true;
    for (uint64_t key = 0; key < 40; key++) {
        index_table_entry(&table, key, &entry); /* there is one bucket */
        before = version_of(&entry);
        index_table_set(&table, key, 1);
        expect_that(version_of(&entry) >= before + 2 && version_of(&entry) % 2 == 0);
    }
    before = version_of(&entry);
    for (uint64_t key = 0; key < 6; key++) {
        index_table_entry(&table, key, &entry);
        tarn__index_point(&table.index, &entry, 0);
        expect_number(before += 2, version_of(&entry));
    }
    tarn__index_tidy(&table.index, &entry.place); /* a line goes */
    expect_number(before += 2, version_of(&entry));
    tarn__index_tidy(&table.index, &entry.place); /* nothing to do */
    expect_number(before, version_of(&entry));
    expect_that(tarn__index_grow(&table.index, &table.growth[0], 1000));
    expect_number(before + 2, version_of(&entry)); /* the bucket that was divided */
    index_table_release(&table);
}

/* A version has 32 bits; what is beside it stays when it turns over. */
static void versions_turn_over(void **state)
{
    struct tarn__entry entry;

    (void)state;
    index_table_init(&table, 1, in_one_bucket);
    index_table_set(&table, 1, 1);
    index_table_entry(&table, 1, &entry);
    atomic_store(&entry.place.line->control, TARN__VERSION_MASK - 1);
    tarn__index_begin_batch(&entry);
    expect_number(TARN__CONTROL_BATCH | TARN__VERSION_MASK,
                  atomic_load(&entry.place.line->control));
    tarn__index_end_batch(&entry);
    expect_number(0, atomic_load(&entry.place.line->control));
    atomic_store(&entry.place.line->control, TARN__VERSION_MASK - 1);
    index_table_set(&table, 1, 2);
    expect_number(0, atomic_load(&entry.place.line->control));
    expect_signed(2, index_table_look(&table, 1));
    index_table_release(&table);
}

/* ------------------------------------------------------------------------------------------
 * The window of the hash that a slot keeps
 */

/* Grows an index of one group by force to 2^22 buckets: entries from its beginning, which keep bits
 * 0 to 20, outgrow their window in the last doubling, and have to be hashed again, once each. */
static void entries_that_outgrow_their_window_are_renewed(void **state)
{
    enum { OLD = 1000, NEW = 1000 };
    struct tarn__growth *growth = &table.growth[0];
    uint64_t keys = 0;

    (void)state;
    index_table_init(&table, 1, index_table_mix);
    for (uint32_t bits = 0; bits < 22; bits++) {
        table.fixed = true; /* by force alone, so that the groups are not divided */
        for (uint64_t i = 0; i < (bits == 0 ? OLD : bits % 7 == 6 ? NEW : 0); i++)
            index_table_set(&table, keys++, 1);
        while (growth->buckets < UINT64_C(2) << bits)
            expect_that(tarn__index_grow(&table.index, growth, UINT64_C(1) << 40));
        expect_number(0, atomic_load(&table.index.groups)->bits);
        expect_keys(0, keys, 1);
        expect_keys(keys, keys + 1000, -1);
        expect_number(bits < 21 ? 0 : OLD, table.rehashes);
    }
    for (uint64_t key = 0; key < OLD; key++) { /* they have bits for the next doublings again */
        struct tarn__entry entry;

        index_table_entry(&table, key, &entry);
        expect_number(1 + 22 / TARN__WINDOW_STEP, tarn__slot_window(atomic_load(entry.slot)));
    }
    for (uint64_t key = 0; key < keys; key++)
        index_table_remove(&table, key);
    expect_keys(0, keys, -1);
    expect_number(0, index_table_overflow_lines(&table));
    index_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_entries_come_and_go),
        cmocka_unit_test(a_walk_meets_each_entry_once),
        cmocka_unit_test(groups_divide_without_moving),
        cmocka_unit_test(the_figures_hold_at_every_size),
        cmocka_unit_test(hundreds_of_equal_hashes_are_kept),
        cmocka_unit_test(hundreds_of_hashes_in_one_bucket_are_kept),
        cmocka_unit_test(growth_takes_long_chains_apart),
        cmocka_unit_test(claims_are_seen_by_nobody),
        cmocka_unit_test(readers_of_a_marked_bucket_try_again),
        cmocka_unit_test(changes_are_seen_in_the_version),
        cmocka_unit_test(versions_turn_over),
        cmocka_unit_test(entries_that_outgrow_their_window_are_renewed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
