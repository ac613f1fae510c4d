/*
 * The slab; see slab.h.
 *
 * Invariants, under the slab's lock:
 *   1. An object is in use, or its free bit is set, or its dead bit is: never two of these.
 *   2. dead_count > 0 only while the page is pinned.
 *   3. A page is listed if and only if free_count > 0 and it is not detached.
 *   4. A page all of whose objects are free is given back, unless it is the only one of its class,
 *      which goes when memory is short; one of a large object always is.
 */
#include "engine/memory/slab.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

#define FINE_BYTES_MAX   2048 /* classes of every multiple of 8 up to here */
#define FINE_CLASSES     (FINE_BYTES_MAX / 8)
#define STEPS            16 /* for each doubling, beyond */
#define SLAB_BYTES_MAX   ((size_t)256 * 1024)
#define CLASS_LARGE      (TARN__SLAB_CLASSES - 1)
#define PAGE_BYTES_USUAL ((size_t)64 * 1024)
#define OBJECTS_MIN      8 /* of a page that is shared */

static __attribute__((noinline)) uint16_t coarse_class_of(size_t bytes)
{
    unsigned doubling;
    size_t step, steps;

    if (bytes > SLAB_BYTES_MAX)
        return CLASS_LARGE;
    doubling = 63 - (unsigned)__builtin_clzll(bytes - 1); /* 2^doubling < bytes <= 2^(doubling+1) */
    step = ((size_t)1 << doubling) / STEPS;
    steps = (bytes - ((size_t)1 << doubling) + step - 1) / step;
    return (uint16_t)(FINE_CLASSES + (doubling - 11) * STEPS + steps - 1);
}

static inline uint16_t class_of(size_t bytes)
{
    return __builtin_expect(bytes <= FINE_BYTES_MAX, 1) ? (uint16_t)((bytes + 7) / 8 - 1)
                                                        : coarse_class_of(bytes);
}

/* Of the objects of a class, in which one of so many bytes belongs. */
static size_t object_bytes_of(uint16_t class, size_t bytes)
{
    unsigned coarse = class - FINE_CLASSES;

    if (class == CLASS_LARGE)
        return bytes;
    if (class < FINE_CLASSES)
        return ((size_t) class + 1) * 8;
    return ((size_t)FINE_BYTES_MAX << coarse / STEPS) / STEPS * (STEPS + coarse % STEPS + 1);
}

static size_t page_bytes_for(const struct tarn__slab *slab, uint16_t class, size_t object_bytes)
{
    size_t bytes = TARN__BLOCK_BYTES_MIN;

    if (class == CLASS_LARGE)
        return object_bytes;
    /* a sixteenth to an eighth of what the class has: where values have many sizes, the last page
     * of each class is what is wasted */
    while (bytes < PAGE_BYTES_USUAL && bytes * 16 <= slab->class_bytes[class])
        bytes *= 2;
    while (bytes < object_bytes * OBJECTS_MIN)
        bytes *= 2;
    return bytes;
}

/* Of a page, under its slab's lock. */
static struct tarn__slab *slab_of(const struct tarn__slab_page *page)
{
    return atomic_load_explicit(&page->slab, memory_order_relaxed);
}

static size_t words_of(const struct tarn__slab_page *page)
{
    return (page->object_count + 63) / 64;
}

/* ------------------------------------------------------------------------------------------
 * Pages
 */

static void list_push(struct tarn__slab_page *page)
{
    struct tarn__slab_page **head = &slab_of(page)->partial[page->class];

    page->next = *head;
    page->previous = NULL;
    if (*head)
        (*head)->previous = page;
    *head = page;
    page->listed = true;
}

static void list_remove(struct tarn__slab_page *page)
{
    if (page->next)
        page->next->previous = page->previous;
    if (page->previous)
        page->previous->next = page->next;
    else
        slab_of(page)->partial[page->class] = page->next;
    page->listed = false;
}

/* Puts a page into a slab. */
static void join(struct tarn__slab *slab, struct tarn__slab_page *page)
{
    atomic_store_explicit(&page->slab, slab, memory_order_release);
    page->all_next = slab->all;
    page->all_previous = NULL;
    if (slab->all)
        slab->all->all_previous = page;
    slab->all = page;
    slab->page_count[page->class]++;
    slab->class_bytes[page->class] += page->block_bytes;
    if (page->free_count)
        list_push(page);
}

/* Takes a page out of its slab. */
static void leave(struct tarn__slab_page *page)
{
    struct tarn__slab *slab = slab_of(page);

    if (page->listed)
        list_remove(page);
    if (page->all_next)
        page->all_next->all_previous = page->all_previous;
    if (page->all_previous)
        page->all_previous->all_next = page->all_next;
    else
        slab->all = page->all_next;
    slab->page_count[page->class]--;
    slab->class_bytes[page->class] -= page->block_bytes;
}

static size_t descriptor_bytes(size_t object_count)
{
    return sizeof(struct tarn__slab_page) + 2 * ((object_count + 63) / 64) * sizeof(uint64_t);
}

/* What a page costs. */
static uint64_t bytes_of(const struct tarn__slab_page *page)
{
    return page->block_bytes + descriptor_bytes(page->object_count);
}

static tarn_status make_page(struct tarn__slab *slab, size_t wanted)
{
    uint16_t class = class_of(wanted);
    size_t object_bytes = object_bytes_of(class, wanted);
    size_t bytes = page_bytes_for(slab, class, object_bytes);
    size_t count = class == CLASS_LARGE ? 1 : bytes / object_bytes;
    struct tarn__slab_page *page = tarn__allocate_zeroed(descriptor_bytes(count));
    struct tarn__block block;
    tarn_status status;

    if (!page)
        return TARN_NO_MEMORY;
    status = tarn__pages_take(slab->pages, bytes, page, &block);
    if (status) {
        tarn__free(page);
        return status;
    }
    atomic_init(&page->slab, slab);
    page->base = block.base;
    page->location = block.location;
    page->block_bytes = block.bytes;
    page->class = class;
    page->object_units = (uint32_t)((object_bytes + 7) / 8);
    page->inverse = (((uint64_t)1 << 32) + page->object_units - 1) / page->object_units;
    page->object_count = (uint32_t)count;
    page->free_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++)
        page->bits[i / 64] |= (uint64_t)1 << (i % 64);
    join(slab, page);
    atomic_fetch_add_explicit(slab->memory_bytes, bytes_of(page), memory_order_relaxed);
    return TARN_OK;
}

/* The page is in no list any more. */
static void free_page(struct tarn__slab_page *page)
{
    atomic_fetch_sub_explicit(slab_of(page)->memory_bytes, bytes_of(page), memory_order_relaxed);
    tarn__pages_give(slab_of(page)->pages, page->location);
    tarn__free(page);
}

bool tarn__slab_move_page(struct tarn__slab *from, struct tarn__slab *to, size_t bytes)
{
    struct tarn__slab_page *page = from->partial[class_of(bytes)];

    if (!page)
        return false;
    leave(page);
    join(to, page);
    return true;
}

void tarn__slab_move_account(struct tarn__slab *slab, _Atomic uint64_t *memory_bytes)
{
    for (const struct tarn__slab_page *page = slab->all; page; page = page->all_next) {
        atomic_fetch_sub_explicit(slab->memory_bytes, bytes_of(page), memory_order_relaxed);
        atomic_fetch_add_explicit(memory_bytes, bytes_of(page), memory_order_relaxed);
    }
    slab->memory_bytes = memory_bytes;
}

void tarn__slab_take_over(struct tarn__slab *slab, struct tarn__slab *other)
{
    tarn__slab_move_account(other, slab->memory_bytes);
    while (other->all) {
        struct tarn__slab_page *page = other->all;

        leave(page);
        join(slab, page);
    }
}

/* ------------------------------------------------------------------------------------------
 * Objects
 */

static void *object_at(const struct tarn__slab_page *page, uint32_t object)
{
    return (char *)page->base + (size_t)object * page->object_units * 8;
}

void *tarn__slab_take_free(struct tarn__slab *slab, size_t bytes, uint64_t *location)
{
    struct tarn__slab_page *page = slab->partial[class_of(bytes)];
    uint32_t word, object;
    uint64_t left;

    if (!page)
        return NULL;
    word = page->first_word;
    while (!page->bits[word])
        word++;
    page->first_word = word;
    left = page->bits[word];
    object = word * 64 + (uint32_t)__builtin_ctzll(left);
    page->bits[word] = left &= left - 1;
    if (--page->free_count == 0)
        list_remove(page);
    *location = page->location + (uint64_t)object * page->object_units;
    if (left) { /* a fresh page is in no cache: what is likely to be taken next is asked for */
        const char *next = object_at(page, word * 64 + (uint32_t)__builtin_ctzll(left));

        __builtin_prefetch(next, 1);
        __builtin_prefetch(next + 64, 1);
    }
    return object_at(page, object);
}

tarn_status tarn__slab_take(struct tarn__slab *slab, size_t bytes, uint64_t *location,
                            void **address)
{
    tarn_status status;
    void *taken = tarn__slab_take_free(slab, bytes, location);

    if (!taken) {
        status = make_page(slab, bytes);
        if (status)
            return status;
        taken = tarn__slab_take_free(slab, bytes, location);
    }
    *address = taken;
    return TARN_OK;
}

static void set_free(struct tarn__slab_page *page, uint32_t word, uint64_t bits, uint32_t count)
{
    page->bits[word] |= bits;
    page->free_count += count;
    if (word < page->first_word)
        page->first_word = word;
}

/* For a page that was full, or is empty now. */
static void after_free(struct tarn__slab_page *page)
{
    bool only_one = slab_of(page)->page_count[page->class] == 1;

    if (page->free_count == page->object_count && (!only_one || page->class == CLASS_LARGE)) {
        leave(page);
        free_page(page);
    } else if (!page->listed && page->free_count) {
        list_push(page);
    }
}

void tarn__slab_give(struct tarn__slab_page *page, uint64_t location)
{
    uint64_t units = location - page->location;
    uint32_t object = (uint32_t)((units * page->inverse) >> 32);
    uint64_t bit = (uint64_t)1 << (object % 64);

    assert((uint64_t)object * page->object_units == units && object < page->object_count);
    if (page->detached)
        return; /* it goes as a whole */
    assert(!(page->bits[object / 64] & bit));
    if (atomic_load_explicit(&page->pins, memory_order_acquire)) {
        assert(!(page->bits[words_of(page) + object / 64] & bit));
        page->bits[words_of(page) + object / 64] |= bit;
        page->dead_count++;
        return;
    }
    set_free(page, object / 64, bit, 1);
    if (!page->listed || page->free_count == page->object_count)
        after_free(page);
}

void tarn__slab_trim(struct tarn__slab *slab)
{
    for (struct tarn__slab_page *page = slab->all, *next; page; page = next) {
        next = page->all_next;
        if (page->free_count == page->object_count) {
            leave(page);
            free_page(page);
        }
    }
}

void tarn__slab_unpin(struct tarn__slab_page *page)
{
    if (atomic_fetch_sub_explicit(&page->pins, 1, memory_order_acq_rel) != 1)
        return;
    if (page->detached) {
        if (page->released) {
            slab_of(page)->detached_pinned--;
            free_page(page);
        }
    } else if (page->dead_count) {
        for (uint32_t word = 0; word < words_of(page); word++) {
            uint64_t *bits = &page->bits[words_of(page) + word];

            if (*bits)
                set_free(page, word, *bits, (uint32_t)__builtin_popcountll(*bits));
            *bits = 0;
        }
        page->dead_count = 0;
        after_free(page);
    }
}

bool tarn__slab_has_pins(const struct tarn__slab *slab)
{
    for (const struct tarn__slab_page *page = slab->all; page; page = page->all_next)
        if (atomic_load_explicit(&page->pins, memory_order_acquire))
            return true;
    return slab->detached_pinned > 0;
}

struct tarn__slab_page *tarn__slab_detach(struct tarn__slab *slab)
{
    struct tarn__slab_page *pages = slab->all;

    for (struct tarn__slab_page *page = pages; page; page = page->all_next)
        page->detached = true;
    slab->all = NULL;
    memset(slab->partial, 0, sizeof slab->partial);
    memset(slab->page_count, 0, sizeof slab->page_count);
    memset(slab->class_bytes, 0, sizeof slab->class_bytes);
    return pages;
}

static void keep_released(struct tarn__slab_page *page)
{
    page->released = true;
    slab_of(page)->detached_pinned++;
}

void tarn__slab_free_detached(struct tarn__slab_page *pages)
{
    while (pages) {
        struct tarn__slab_page *next = pages->all_next;

        if (atomic_load_explicit(&pages->pins, memory_order_acquire))
            keep_released(pages);
        else
            free_page(pages);
        pages = next;
    }
}
