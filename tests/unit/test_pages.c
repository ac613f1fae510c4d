/*
 * Blocks of memory: random takes and gives against a model, what becomes of limits and failures,
 * and regions that are prepared ahead.
 *
 * Each test ends with everything given back to the source.
 */
#include "support/concurrency.h"
#include "support/fixture.h"
#include "support/page_source.h"

#include <stdlib.h>
#include <string.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

static struct page_source source;
static struct tarn__pages pages;

static void begin(uint64_t limit_bytes)
{
    page_source_init(&source);
    expect_ok(tarn__pages_init(&pages, &source.source, limit_bytes));
}

static void end(void)
{
    tarn__pages_release(&pages);
    expect_number(0, source.bytes);
}

static tarn_status take(size_t bytes, struct tarn__block *block)
{
    return tarn__pages_take(&pages, bytes, &pages, block);
}

/* ------------------------------------------------------------------------------------------
 * One block as the model knows it
 */

struct held_block {
    struct tarn__block block;
    uint64_t mark; /* at the beginning and end of each of its 4 KiB; also its owner */
};

static bool is_zero(const struct tarn__block *block)
{
    const uint64_t *words = block->base;

    for (size_t i = 0; i < block->bytes / 8; i++)
        if (words[i])
            return false;
    return true;
}

/* What is wrong with a block that was just taken, or NULL. */
static const char *fault_of_new(struct tarn__pages *from, const struct held_block *held,
                                size_t wanted)
{
    const struct tarn__block *block = &held->block;
    bool cut = wanted >= 4 * KIB && wanted <= 2 * MIB && (wanted & (wanted - 1)) == 0;
    size_t alignment = cut ? wanted : wanted >= 2 * MIB ? 2 * MIB : 4 * KIB;

    if (block->location == 0)
        return "its location is 0, which means nowhere";
    if (block->location >> TARN__LOCATION_BITS)
        return "its location has more than 40 bits";
    if (block->bytes != (cut ? wanted : (wanted + 4 * KIB - 1) / (4 * KIB) * (4 * KIB)))
        return "its size is not the one that was wanted";
    if ((uintptr_t)block->base % alignment)
        return "it is not aligned";
    if (block->zeroed && !is_zero(block))
        return "it is said to be zeroed, and is not";
    /* Of a larger mapping, a location reaches the first 2 MiB. */
    for (size_t at = 0; at < block->bytes && at < 2 * MIB; at += 4 * KIB - 8) {
        uint64_t location = block->location + at / 8;

        if (tarn__pages_address(from, location) != (char *)block->base + at)
            return "the address of a location in it is wrong";
        if (tarn__pages_owner(from, location) != (void *)(uintptr_t)held->mark)
            return "the owner of a location in it is wrong";
    }
    return NULL;
}

static void mark(const struct held_block *held)
{
    for (size_t at = 0; at < held->block.bytes; at += 4 * KIB) {
        memcpy((char *)held->block.base + at, &held->mark, 8);
        memcpy((char *)held->block.base + at + 4 * KIB - 8, &held->mark, 8);
    }
}

static bool is_marked(const struct held_block *held)
{
    for (size_t at = 0; at < held->block.bytes; at += 4 * KIB)
        if (memcmp((char *)held->block.base + at, &held->mark, 8) != 0 ||
            memcmp((char *)held->block.base + at + 4 * KIB - 8, &held->mark, 8) != 0)
            return false;
    return true;
}

/* Mostly small; one in sixteen gets a mapping of its own. */
static size_t random_size(uint64_t *random)
{
    unsigned order = (unsigned)random_below(random, 10);

    order = (unsigned)random_below(random, order + 1);
    if (random_below(random, 16))
        return (4 * KIB) << order;
    return 1 + random_below(random, random_below(random, 8) ? 64 * KIB : 5 * MIB);
}

/* ------------------------------------------------------------------------------------------
 * Taking and giving
 */

enum { BLOCKS = 400 };

static void random_blocks_are_what_the_model_says(void **state)
{
    static struct held_block held[BLOCKS];
    uint64_t seed = environment_number("TARN_TEST_SEED", 20261);
    uint64_t random = seed, bytes = 0, next_mark = 1;
    size_t count = 0;

    (void)state;
    begin(0);
    for (int step = 0; step < 30000; step++) {
        bool grow = step / 3000 % 2 == 0; /* up and down, so that regions come and go */

        if (count < BLOCKS && random_below(&random, 100) < (grow ? 60 : 35)) {
            struct held_block *new = &held[count];
            size_t wanted = random_size(&random);
            const char *fault;

            new->mark = next_mark++;
            expect_ok(tarn__pages_take(&pages, wanted, (void *)(uintptr_t) new->mark, &new->block));
            fault = fault_of_new(&pages, new, wanted);
            if (fault)
                fail_msg("seed %llu, step %d, a block of %zu: %s", (unsigned long long)seed, step,
                         wanted, fault);
            mark(new);
            bytes += new->block.bytes;
            count++;
        } else if (count) {
            size_t at = random_below(&random, count);

            if (!is_marked(&held[at]))
                fail_msg("seed %llu, step %d: a block was written to by another",
                         (unsigned long long)seed, step);
            bytes -= held[at].block.bytes;
            tarn__pages_give(&pages, held[at].block.location);
            held[at] = held[--count];
        }
        expect_that(source.bytes >= bytes && source.bytes == pages.bytes);
    }
    while (count)
        tarn__pages_give(&pages, held[--count].block.location);
    expect_number(TARN__REGION_BYTES, source.bytes); /* the first region stays */
    end();
}

/* Blocks fill a region without a gap, and given back in any order they become one again. */
static void buddies_join(void **state)
{
    enum { MOST = 1023 }; /* of 4 KiB in two regions: the first one's unit 0 is set aside */
    static struct tarn__block blocks[MOST + 1];
    uint64_t random = 5;

    (void)state;
    begin(4 * MIB);
    for (unsigned order = 0; order < TARN__BLOCK_ORDERS; order++) {
        size_t bytes = (4 * KIB) << order;
        size_t fit = 2 * MIB / bytes * 2 - 1; /* the first region lacks one of each size */
        struct tarn__block large;

        for (size_t i = 0; i < fit; i++)
            expect_ok(take(bytes, &blocks[i]));
        expect_status(TARN_FULL, take(bytes, &blocks[fit]));
        expect_status(TARN_FULL, tarn_last_error()->status);
        for (size_t i = fit; i > 0; i--) {
            size_t at = random_below(&random, i);

            tarn__pages_give(&pages, blocks[at].location);
            blocks[at] = blocks[i - 1];
        }
        expect_number(2 * MIB, source.bytes); /* the second region went back at once */
        expect_ok(take(2 * MIB, &large));
        expect_ok(take(1 * MIB, &blocks[0])); /* the largest that the first region has */
        expect_number(4 * MIB, source.bytes);
        tarn__pages_give(&pages, large.location);
        tarn__pages_give(&pages, blocks[0].location);
    }
    end();
}

/* A block that is cut anew tells whether any of its parts was ever in use. */
static void zeroed_is_told_of_unused_memory_alone(void **state)
{
    struct tarn__block block, small;

    (void)state;
    begin(0);
    expect_ok(take(4 * KIB, &small));
    expect_that(small.zeroed);
    expect_ok(take(1 * MIB, &block));
    expect_that(block.zeroed);
    tarn__pages_give(&pages, block.location);
    expect_ok(take(64 * KIB, &block)); /* from the half that was in use, or from what was not */
    expect_that(!block.zeroed || is_zero(&block));
    memset(block.base, 0xff, block.bytes);
    tarn__pages_give(&pages, block.location);
    expect_ok(take(1 * MIB, &block));
    expect_that(!block.zeroed);
    tarn__pages_give(&pages, block.location);
    tarn__pages_give(&pages, small.location);
    end();
}

static void other_sizes_get_mappings_of_their_own(void **state)
{
    static const size_t sizes[] = {1,       4095,        4097,        12288,       65537,
                                   3 * MIB, 2 * MIB + 1, 2 * MIB - 1, 64 * MIB + 5};
    struct tarn__block first, block;

    (void)state;
    begin(0);
    expect_ok(take(4 * KIB, &first));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t before = source.bytes, maps = source.maps;
        size_t rounded = (sizes[i] + 4095) / 4096 * 4096;

        expect_ok(take(sizes[i], &block));
        expect_number(maps + 1, source.maps);
        expect_number(before + rounded, source.bytes);
        expect_number(rounded, block.bytes);
        expect_that(block.zeroed);
        ((char *)block.base)[block.bytes - 1] = 1;
        assert_ptr_equal((char *)block.base + 4088,
                         tarn__pages_address(&pages, block.location + 511));
        assert_ptr_equal(&pages, tarn__pages_owner(&pages, block.location));
        tarn__pages_give(&pages, block.location);
        expect_number(before, source.bytes);
    }
    tarn__pages_give(&pages, first.location);
    end();
}

/* ------------------------------------------------------------------------------------------
 * Limits and failures
 */

static void the_limit_is_full_and_not_beyond(void **state)
{
    struct tarn__block small, large, block;

    (void)state;
    begin(8 * MIB);
    expect_ok(take(4 * KIB, &small));     /* a region: 2 MiB */
    expect_ok(take(6 * MIB - 1, &large)); /* a mapping of 6 MiB: exactly the limit */
    expect_number(8 * MIB, source.bytes);
    expect_ok(take(4 * KIB, &block)); /* what is mapped may be used */
    tarn__pages_give(&pages, block.location);
    for (int i = 0; i < 100; i++) {
        expect_status(TARN_FULL, take(2 * MIB, &block));
        expect_status(TARN_FULL, take(5000, &block));
        expect_status(TARN_FULL, take(100 * MIB, &block));
        expect_status(TARN_FULL, tarn_last_error()->status);
    }
    expect_number(8 * MIB, source.bytes);
    expect_that(!tarn__pages_wants_preparing(&pages));
    tarn__pages_give(&pages, large.location);
    expect_ok(take(2 * MIB, &block));
    tarn__pages_give(&pages, block.location);
    tarn__pages_give(&pages, small.location);
    end();
}

/* The source fails at its first, second, third call: that call alone fails, and nothing is lost. */
static void a_source_that_fails_gives_no_memory(void **state)
{
    static const size_t sizes[] = {4 * KIB, 2 * MIB, 5000, 3 * MIB};

    (void)state;
    for (uint64_t fail_at = 1; fail_at <= 8; fail_at++) {
        struct tarn__block block;

        begin(0);
        source.fail_at = fail_at;
        for (size_t i = 0; i < 12; i++) {
            size_t bytes = sizes[i % 4];
            uint64_t before = source.bytes;
            bool fails = source.maps < fail_at;
            tarn_status status = take(bytes, &block);

            fails = fails && source.maps >= fail_at; /* it was struck in this call */
            expect_status(fails ? TARN_NO_MEMORY : TARN_OK, status);
            if (fails) {
                expect_status(TARN_NO_MEMORY, tarn_last_error()->status);
                expect_that(source.bytes <= before + 2 * MIB); /* the first region, which stays */
                continue;
            }
            assert_ptr_equal(block.base, tarn__pages_address(&pages, block.location));
            assert_ptr_equal(&pages, tarn__pages_owner(&pages, block.location));
        }
        end();
    }
}

/* Location 0 means nowhere, whatever failed before: region 0 is never a mapping of its own. */
static void no_block_is_at_location_0(void **state)
{
    static const size_t sizes[] = {5000, 3 * MIB, 4 * KIB, 2 * MIB};
    struct tarn__block block;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (uint64_t fail_at = 0; fail_at < 3; fail_at++) {
            begin(0);
            source.fail_at = fail_at;
            if (take(sizes[i], &block) == TARN_OK)
                expect_that(block.location != 0);
            for (size_t j = 0; j < 4; j++) {
                if (take(sizes[j], &block) == TARN_OK && block.location == 0)
                    fail_msg("first %zu bytes, map fails at %llu: %zu bytes are at location 0",
                             sizes[i], (unsigned long long)fail_at, sizes[j]);
            }
            end();
        }
    }
}

static void failures_use_up_no_numbers(void **state)
{
    struct tarn__block block;

    (void)state;
    begin(0);
    source.fail_at = 1;
    source.lasting = true;
    for (int i = 0; i < 1000; i++) {
        expect_status(TARN_NO_MEMORY, take(4 * KIB, &block));
        expect_status(TARN_NO_MEMORY, take(3 * MIB, &block));
    }
    expect_that(pages.regions_used <= 2);
    expect_number(0, source.bytes);
    source.lasting = false;
    expect_ok(take(4 * KIB, &block));
    expect_ok(take(3 * MIB, &block));
    end();
}

/* ------------------------------------------------------------------------------------------
 * Regions ahead
 */

static void count_wakes(void *context)
{
    ++*(unsigned *)context;
}

static void regions_are_prepared_and_used(void **state)
{
    struct tarn__block blocks[80];
    unsigned wakes = 0;
    uint64_t maps;
    uint32_t ready;

    (void)state;
    begin(0);
    pages.wake = count_wakes;
    pages.wake_context = &wakes;
    expect_ok(take(4 * KIB, &blocks[0]));
    tarn__pages_prepare(&pages); /* a small store wants none */
    expect_number(1, source.maps);
    expect_number(0, wakes);
    for (int i = 1; i < 80; i++)
        expect_ok(take(2 * MIB, &blocks[i]));
    expect_that(wakes > 0);
    expect_that(tarn__pages_wants_preparing(&pages));
    maps = source.maps;
    tarn__pages_prepare(&pages);
    expect_that(!tarn__pages_wants_preparing(&pages));
    ready = pages.ready_count;
    expect_that(ready >= 1 && ready <= 8);
    expect_number(maps + ready, source.maps);
    expect_number(ready, source.populates);
    tarn__pages_prepare(&pages); /* enough is enough */
    expect_number(maps + ready, source.maps);
    wakes = 0;
    tarn__pages_give(&pages, blocks[79].location);
    expect_ok(take(2 * MIB, &blocks[79])); /* a prepared one: nothing is mapped */
    expect_number(maps + ready, source.maps);
    expect_number(ready - 1, pages.ready_count);
    expect_number(1, wakes);
    expect_that(blocks[79].zeroed && is_zero(&blocks[79]));
    source.fail_at = source.maps + 1; /* a failure to prepare is nobody's error */
    tarn__pages_prepare(&pages);
    expect_number(ready - 1, pages.ready_count);
    source.fail_at = 0;
    tarn__pages_release(&pages);
    expect_number(0, source.bytes);
}

static void preparing_keeps_to_the_limit(void **state)
{
    struct tarn__block blocks[5];

    (void)state;
    begin(12 * MIB);
    expect_ok(take(4 * KIB, &blocks[0]));
    for (int i = 1; i < 5; i++)
        expect_ok(take(2 * MIB, &blocks[i]));
    tarn__pages_prepare(&pages);
    expect_number(12 * MIB, source.bytes); /* with the one that is ready */
    expect_number(1, pages.ready_count);
    expect_ok(take(2 * MIB, &blocks[0]));
    tarn__pages_prepare(&pages);
    expect_number(12 * MIB, source.bytes);
    end();
}

/* ------------------------------------------------------------------------------------------
 * Threads
 */

static void take_and_give(struct worker *worker)
{
    struct held_block held[40];
    size_t count = 0;

    for (unsigned step = 0; step < scaled(6000) && contest_goes_on(worker); step++) {
        if (count < 40 && random_below(&worker->random, 2)) {
            struct held_block *new = &held[count++];
            size_t wanted = (4 * KIB) << random_below(&worker->random, 6);
            const char *fault;

            if (random_below(&worker->random, 20) == 0)
                wanted = 4 * KIB + random_below(&worker->random, 64 * KIB);
            new->mark = (uint64_t)(worker->index + 1) << 32 | step;
            CONTEST_OK(worker, tarn__pages_take(&pages, wanted, (void *)(uintptr_t) new->mark,
                                                &new->block));
            fault = fault_of_new(&pages, new, wanted);
            CONTEST_CHECK(worker, !fault, "a block of %zu: %s", wanted, fault);
            mark(new);
        } else if (count) {
            size_t at = random_below(&worker->random, count);

            CONTEST_CHECK(worker, is_marked(&held[at]), "a block was written to by another");
            tarn__pages_give(&pages, held[at].block.location);
            held[at] = held[--count];
        }
    }
    while (count)
        tarn__pages_give(&pages, held[--count].block.location);
}

static void prepare_all_the_time(struct worker *worker)
{
    while (contest_goes_on(worker))
        tarn__pages_prepare(&pages);
}

static void threads_take_and_give(void **state)
{
    struct contest contest = {0};

    (void)state;
    begin(0);
    contest_add(&contest, 4, take_and_give, NULL, environment_number("TARN_TEST_SEED", 7));
    contest_add(&contest, 1, prepare_all_the_time, NULL, 0);
    contest_begin(&contest);
    contest_join(&contest, 0, 4);
    contest_end(&contest);
    expect_number(2 * MIB, pages.bytes);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_blocks_are_what_the_model_says),
        cmocka_unit_test(buddies_join),
        cmocka_unit_test(zeroed_is_told_of_unused_memory_alone),
        cmocka_unit_test(other_sizes_get_mappings_of_their_own),
        cmocka_unit_test(the_limit_is_full_and_not_beyond),
        cmocka_unit_test(a_source_that_fails_gives_no_memory),
        cmocka_unit_test(no_block_is_at_location_0),
        cmocka_unit_test(failures_use_up_no_numbers),
        cmocka_unit_test(regions_are_prepared_and_used),
        cmocka_unit_test(preparing_keeps_to_the_limit),
        cmocka_unit_test(threads_take_and_give),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
