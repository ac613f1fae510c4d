/*
 * The slab: random takes and gives against a model, what its classes waste, pins, detaching.
 *
 * The model fills each object with a byte of its own and looks before it gives it back, so that an
 * overlap or a write by the slab is seen.
 */
#include "engine/memory/slab.h"
#include "support/fixture.h"
#include "support/page_source.h"

#include <stdlib.h>
#include <string.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

static struct page_source source;
static struct tarn__pages pages;
static struct tarn__slab slab;
static _Atomic uint64_t memory_bytes;

static int set_up(void **state)
{
    (void)state;
    page_source_init(&source);
    memset(&slab, 0, sizeof slab);
    slab.pages = &pages;
    slab.memory_bytes = &memory_bytes;
    atomic_store(&memory_bytes, 0);
    return tarn__pages_init(&pages, &source.source, 0) ? -1 : 0;
}

/* Whatever a test leaves in the slab goes with its pages. */
static int tear_down(void **state)
{
    (void)state;
    tarn__slab_free_detached(tarn__slab_detach(&slab));
    expect_number(0, memory_bytes);
    expect_that(!tarn__slab_has_pins(&slab));
    expect_number(source.maps ? TARN__REGION_BYTES : 0, source.bytes);
    tarn__pages_release(&pages);
    expect_number(0, source.bytes);
    return 0;
}

struct object {
    uint64_t location;
    unsigned char *address;
    size_t bytes;
    unsigned char pattern;
};

static struct tarn__slab_page *page_of(const struct object *object)
{
    return tarn__pages_owner(&pages, object->location);
}

static void take(struct object *object, size_t bytes, unsigned char pattern)
{
    void *address;

    expect_ok(tarn__slab_take(&slab, bytes, &object->location, &address));
    expect_that(object->location != 0);
    expect_number(0, (uintptr_t)address % 8);
    assert_ptr_equal(address, tarn__pages_address(&pages, object->location));
    object->address = address;
    object->bytes = bytes;
    object->pattern = pattern;
    memset(address, pattern, bytes);
}

static void check(const struct object *object)
{
    const unsigned char *at = object->address;

    if (at[0] != object->pattern || memcmp(at, at + 1, object->bytes - 1) != 0)
        fail_msg("an object of %zu bytes was written to", object->bytes);
}

static void give(const struct object *object)
{
    check(object);
    tarn__slab_give(page_of(object), object->location);
}

/* What the account has to say of the pages that there are. */
static uint64_t bytes_of_pages(void)
{
    uint64_t bytes = 0;

    for (struct tarn__slab_page *page = slab.all; page; page = page->all_next)
        bytes += page->block_bytes + sizeof *page +
                 2 * ((page->object_count + 63) / 64) * sizeof(uint64_t);
    return bytes;
}

/* ------------------------------------------------------------------------------------------
 * Taking and giving
 */

enum { OBJECTS = 3000 };

static size_t random_size(uint64_t *random)
{
    switch (random_below(random, 40)) {
    case 0:
        return 9 + random_below(random, 300 * KIB);
    case 1:
        return 256 * KIB - 4 + random_below(random, 8);
    case 2:
    case 3:
    case 4:
        return 9 + random_below(random, 20 * KIB);
    case 5:
        return 2040 + random_below(random, 20);
    default:
        return 9 + random_below(random, 300);
    }
}

static void random_objects_are_what_the_model_says(void **state)
{
    static struct object objects[OBJECTS];
    uint64_t random = environment_number("TARN_TEST_SEED", 909);
    size_t count = 0;

    (void)state;
    print_message("TARN_TEST_SEED=%llu\n", (unsigned long long)random);
    for (int step = 0; step < 120000; step++) {
        bool grow = step / 15000 % 2 == 0;

        if (count < OBJECTS && random_below(&random, 100) < (grow ? 60 : 40)) {
            take(&objects[count++], random_size(&random), (unsigned char)step);
        } else if (count) {
            size_t at = random_below(&random, count);

            give(&objects[at]);
            objects[at] = objects[--count];
        }
        if (step % 1000 == 0)
            expect_number(bytes_of_pages(), memory_bytes);
    }
    while (count)
        give(&objects[--count]);
    /* Of each class at most one page stays, and of the largest none. */
    for (size_t class = 0; class < TARN__SLAB_CLASSES; class ++)
        expect_that(slab.page_count[class] <= (class < TARN__SLAB_CLASSES - 1));
    for (struct tarn__slab_page *page = slab.all; page; page = page->all_next)
        expect_number(page->object_count, page->free_count);
    expect_number(bytes_of_pages(), memory_bytes);
}

static void classes_waste_little(void **state)
{
    struct object object;

    (void)state;
    for (size_t bytes = 1; bytes <= 256 * KIB + 100; bytes += bytes < 5000 ? 1 : 61) {
        size_t units;

        take(&object, bytes, 1);
        units = page_of(&object)->object_units;
        expect_that(units * 8 >= bytes);
        if (bytes <= 2 * KIB && units * 8 - bytes >= 8)
            fail_msg("%zu bytes take %zu", bytes, units * 8);
        if (bytes > 2 * KIB && (double)(units * 8 - bytes) > (double)bytes * 0.0625)
            fail_msg("%zu bytes take %zu", bytes, units * 8);
        expect_that(page_of(&object)->class < TARN__SLAB_CLASSES);
        give(&object);
    }
}

/* Every place of a page's is found again from its location, whatever the size of its objects. */
static void every_object_of_a_page_is_found(void **state)
{
    static struct object objects[8192];

    (void)state;
    for (size_t bytes = 16; bytes <= 256 * KIB; bytes += bytes < 2048 ? 8 : bytes / 16) {
        uint64_t random = bytes;
        size_t count = 0;

        for (; count < 8192 && (count == 0 || slab.all->free_count); count++)
            take(&objects[count], bytes, (unsigned char)count);
        for (size_t left = count; left > 0; left--) {
            size_t at = random_below(&random, left);

            give(&objects[at]);
            objects[at] = objects[left - 1];
        }
        expect_number(count, slab.all->free_count);
    }
}

/* The smallest class: 512 objects in its first page. No record is that small. */
static void objects_of_8_bytes_are_found(void **state)
{
    static struct object objects[600];

    (void)state;
    for (int i = 0; i < 600; i++)
        take(&objects[i], 1 + (size_t)i % 8, (unsigned char)i);
    for (int i = 0; i < 600; i++)
        give(&objects[i]);
    expect_number(bytes_of_pages(), memory_bytes);
}

/* The place that became free last is not lost: a page that is full is filled again. */
static void freed_places_are_used_first(void **state)
{
    static struct object objects[2000];
    uint64_t bytes;

    (void)state;
    for (int i = 0; i < 2000; i++)
        take(&objects[i], 64, (unsigned char)i);
    bytes = memory_bytes;
    for (int round = 0; round < 50; round++) {
        for (int i = round % 7; i < 2000; i += 7)
            give(&objects[i]);
        for (int i = round % 7; i < 2000; i += 7)
            take(&objects[i], 64, (unsigned char)(i + round));
        expect_that(memory_bytes <= bytes);
    }
}

static void empty_pages_go_back(void **state)
{
    static struct object objects[20000];
    uint64_t most;

    (void)state;
    for (int i = 0; i < 20000; i++)
        take(&objects[i], 200, (unsigned char)i);
    most = source.bytes;
    expect_that(most >= 4 * MIB);
    for (int i = 0; i < 20000; i++)
        give(&objects[i]);
    expect_that(source.bytes <= 4 * MIB); /* the class's last page may lie in a second region */
    expect_that(memory_bytes <= 66 * KIB);
    most = source.bytes;
    take(&objects[0], 3 * MIB, 7); /* one that has a page of its own */
    expect_number(most + 3 * MIB, source.bytes);
    give(&objects[0]);
    expect_number(most, source.bytes);
}

/* ------------------------------------------------------------------------------------------
 * Pins
 */

static struct tarn__slab_page *pin(const struct object *object)
{
    atomic_fetch_add(&page_of(object)->pins, 1);
    return page_of(object);
}

static void pinned_objects_are_not_handed_out_again(void **state)
{
    struct object first, second, others[40], again;
    struct tarn__slab_page *page;

    (void)state;
    take(&first, 100, 1);
    take(&second, 100, 2);
    expect_that(!tarn__slab_has_pins(&slab));
    page = pin(&first);
    assert_ptr_equal(page, pin(&second));
    expect_that(tarn__slab_has_pins(&slab));
    give(&first);
    give(&second);
    expect_number(2, page->dead_count);
    for (int i = 0; i < 40; i++) { /* more than the page has */
        take(&others[i], 100, 3);
        expect_that(others[i].location != first.location && others[i].location != second.location);
    }
    check(&first);
    check(&second);
    tarn__slab_unpin(page); /* the other one is still held */
    expect_number(2, page->dead_count);
    take(&again, 100, 4);
    expect_that(again.location != first.location && again.location != second.location);
    check(&first);
    tarn__slab_unpin(page);
    expect_that(!tarn__slab_has_pins(&slab));
    expect_number(0, page->dead_count);
    take(&again, 100, 5);
    expect_number(first.location, again.location);
    take(&again, 100, 5);
    expect_number(second.location, again.location);
    for (int i = 0; i < 40; i++)
        check(&others[i]);
}

/* A page all of whose objects died under a pin goes with the pin. */
static void an_empty_pinned_page_goes_with_its_pin(void **state)
{
    struct object large, objects[100];
    struct tarn__slab_page *page;
    uint64_t before;

    (void)state;
    for (int i = 0; i < 100; i++) /* several pages */
        take(&objects[i], 100, (unsigned char)i);
    page = pin(&objects[99]);
    before = memory_bytes;
    for (int i = 0; i < 100; i++)
        if (page_of(&objects[i]) == page)
            give(&objects[i]);
    expect_number(before, memory_bytes);
    check(&objects[99]);
    tarn__slab_unpin(page);
    expect_that(memory_bytes < before);
    expect_number(bytes_of_pages(), memory_bytes);

    before = memory_bytes;
    take(&large, MIB, 9);
    page = pin(&large);
    give(&large);
    expect_that(memory_bytes >= before + MIB);
    check(&large);
    tarn__slab_unpin(page);
    expect_number(before, memory_bytes);
}

/* ------------------------------------------------------------------------------------------
 * Detaching
 */

static void detached_pages_go_when_they_are_released(void **state)
{
    struct object objects[500], new;
    struct tarn__slab_page *detached;
    uint64_t before;

    (void)state;
    for (int i = 0; i < 500; i++)
        take(&objects[i], 1 + (size_t)i * 20, (unsigned char)i);
    before = memory_bytes;
    detached = tarn__slab_detach(&slab);
    expect_that(detached && !slab.all);
    expect_number(before, memory_bytes);
    take(&new, 100, 77); /* the slab is usable meanwhile */
    for (int i = 0; i < 500; i++)
        check(&objects[i]);
    tarn__slab_free_detached(detached);
    expect_number(bytes_of_pages(), memory_bytes);
    give(&new);
    tarn__slab_free_detached(NULL);
}

static void pinned_pages_outlive_their_release(void **state)
{
    struct object objects[200], dead;
    struct tarn__slab_page *early, *late, *twice, *detached;

    (void)state;
    for (int i = 0; i < 200; i++)
        take(&objects[i], 900 + (size_t)(i % 3) * 100, (unsigned char)i);
    early = pin(&objects[0]);
    late = pin(&objects[1]);
    twice = pin(&objects[2]);
    pin(&objects[2]);
    take(&dead, 900, 200);
    pin(&dead);
    give(&dead); /* it is dead when its page is detached */
    detached = tarn__slab_detach(&slab);
    tarn__slab_unpin(early); /* before the release: the release frees it */
    if (page_of(&dead) == early)
        expect_number(1, atomic_load(&early->pins));
    check(&objects[0]);
    check(&dead);
    tarn__slab_free_detached(detached);
    expect_that(tarn__slab_has_pins(&slab));
    check(&objects[1]);
    check(&objects[2]);
    check(&dead);
    expect_that(memory_bytes > 0);
    tarn__slab_unpin(late);
    tarn__slab_unpin(twice);
    check(&objects[2]);
    expect_that(tarn__slab_has_pins(&slab));
    tarn__slab_unpin(twice);
    tarn__slab_unpin(page_of(&dead));
    expect_that(!tarn__slab_has_pins(&slab));
    expect_number(0, memory_bytes);
}

/* ------------------------------------------------------------------------------------------
 * Failures
 */

static void failures_change_nothing(void **state)
{
    struct object object;
    uint64_t before, location = 42;
    void *address = &object;

    (void)state;
    source.fail_at = 1;
    source.lasting = true;
    for (int i = 0; i < 100; i++)
        expect_status(TARN_NO_MEMORY,
                      tarn__slab_take(&slab, 1 + (size_t)i * 7777, &location, &address));
    expect_number(0, memory_bytes);
    assert_null(slab.all);
    source.fail_at = 0;
    take(&object, 100, 1);
    before = memory_bytes;
    pages.limit_bytes = 2 * MIB;
    for (int i = 0; i < 100; i++)
        expect_status(TARN_FULL, tarn__slab_take(&slab, 2 * MIB, &location, &address));
    expect_number(before, memory_bytes);
    expect_number(42, location);
    assert_ptr_equal(&object, address);
    give(&object);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(random_objects_are_what_the_model_says),
        TEST(classes_waste_little),
        TEST(every_object_of_a_page_is_found),
        TEST(freed_places_are_used_first),
        TEST(empty_pages_go_back),
        TEST(pinned_objects_are_not_handed_out_again),
        TEST(an_empty_pinned_page_goes_with_its_pin),
        TEST(detached_pages_go_when_they_are_released),
        TEST(pinned_pages_outlive_their_release),
        TEST(failures_change_nothing),
        TEST(objects_of_8_bytes_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
