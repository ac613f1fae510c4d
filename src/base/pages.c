/*
 * Blocks of memory; see pages.h.
 *
 * A region's units (4 KiB each) carry what is known of them outside the memory itself, so that free
 * memory is never touched: the owner of a block in use, or the neighbours in the list of free
 * blocks of one order. A unit's number is (region << 9 | unit in region); number 0 ends a list,
 * which works because unit 0 of region 0 is never given out: location 0 means "nowhere".
 *
 * Invariants, under the lock:
 *   1. Every unit of a region belongs to exactly one block, in use or free; the block's first unit
 *      holds its order.
 *   2. Two buddies are never both free: they would have been joined.
 *   3. A free block of 2 MiB means an empty region, which goes back to the system at once.
 */
#include "base/pages.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>
#include <string.h>

struct unit {
    uint8_t order;
    bool free;    /* only at the first unit of a block */
    bool touched; /* it was in use before, so it is not zero */
};

struct tarn__region {
    void *base;
    size_t bytes;
    bool single; /* a mapping of its own, which is one block and has links[0] and units[0] only */
    union {
        void *owner;
        struct {
            uint32_t next, previous;
        } list;
    } links[TARN__REGION_UNITS];
    struct unit units[TARN__REGION_UNITS];
};

static struct tarn__region *region_of(struct tarn__pages *pages, uint32_t number)
{
    return tarn__pointer_table_get(&pages->regions, number);
}

tarn_status tarn__pages_init(struct tarn__pages *pages, const struct tarn__page_source *source,
                             uint64_t limit_bytes)
{
    memset(pages, 0, sizeof *pages);
    pages->source = *source;
    pages->limit_bytes = limit_bytes;
    if (pthread_mutex_init(&pages->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    return TARN_OK;
}

void tarn__pages_release(struct tarn__pages *pages)
{
    for (uint32_t i = 0; i < pages->regions_used; i++) {
        struct tarn__region *region = region_of(pages, i);

        if (region)
            pages->source.unmap(pages->source.context, region->base, region->bytes);
        tarn__free(region);
    }
    for (uint32_t i = 0; i < pages->ready_count; i++)
        pages->source.unmap(pages->source.context, pages->ready[i], TARN__REGION_BYTES);
    tarn__pointer_table_release(&pages->bases);
    tarn__pointer_table_release(&pages->regions);
    tarn__free(pages->free_numbers);
    pthread_mutex_destroy(&pages->lock);
}

/* ------------------------------------------------------------------------------------------
 * Lists of free blocks
 */

static void list_push(struct tarn__pages *pages, uint32_t number, unsigned order)
{
    struct tarn__region *region = region_of(pages, number / TARN__REGION_UNITS);
    uint32_t at = number % TARN__REGION_UNITS;
    uint32_t head = pages->free_blocks[order];

    region->units[at].order = (uint8_t)order;
    region->units[at].free = true;
    region->links[at].list.next = head;
    region->links[at].list.previous = 0;
    if (head)
        region_of(pages, head / TARN__REGION_UNITS)
            ->links[head % TARN__REGION_UNITS]
            .list.previous = number;
    pages->free_blocks[order] = number;
}

static void list_remove(struct tarn__pages *pages, uint32_t number)
{
    struct tarn__region *region = region_of(pages, number / TARN__REGION_UNITS);
    uint32_t at = number % TARN__REGION_UNITS;
    uint32_t next = region->links[at].list.next;
    uint32_t previous = region->links[at].list.previous;

    if (next)
        region_of(pages, next / TARN__REGION_UNITS)
            ->links[next % TARN__REGION_UNITS]
            .list.previous = previous;
    if (previous)
        region_of(pages, previous / TARN__REGION_UNITS)
            ->links[previous % TARN__REGION_UNITS]
            .list.next = next;
    else
        pages->free_blocks[region->units[at].order] = next;
    region->units[at].free = false;
}

/* ------------------------------------------------------------------------------------------
 * Regions
 */

/* A number that tarn__pointer_table_set() cannot fail for. */
static tarn_status take_region_number(struct tarn__pages *pages, uint32_t *number)
{
    if (pages->free_numbers_count) {
        *number = pages->free_numbers[--pages->free_numbers_count];
        return TARN_OK;
    }
    if (pages->regions_used == TARN__REGIONS_MAX)
        return tarn__fail(TARN_FULL, "all %u regions of a store are in use", TARN__REGIONS_MAX);
    if (pages->free_numbers_capacity <= pages->regions_used) {
        uint32_t capacity = pages->free_numbers_capacity * 2 + 16;
        uint32_t *numbers = tarn__reallocate(pages->free_numbers, capacity * sizeof *numbers);

        if (!numbers)
            return TARN_NO_MEMORY;
        pages->free_numbers = numbers;
        pages->free_numbers_capacity = capacity;
    }
    if (tarn__pointer_table_set(&pages->bases, pages->regions_used, NULL) ||
        tarn__pointer_table_set(&pages->regions, pages->regions_used, NULL))
        return TARN_NO_MEMORY;
    *number = pages->regions_used++;
    return TARN_OK;
}

static void give_region_number(struct tarn__pages *pages, uint32_t number)
{
    (void)tarn__pointer_table_set(&pages->bases, number, NULL);   /* was set before: cannot fail */
    (void)tarn__pointer_table_set(&pages->regions, number, NULL); /* likewise */
    pages->free_numbers[pages->free_numbers_count++] = number;
}

static tarn_status over_limit(const struct tarn__pages *pages)
{
    return tarn__fail(TARN_FULL, "the store's max_memory_bytes of %llu is reached",
                      (unsigned long long)pages->limit_bytes);
}

/* Making a huge page ready takes milliseconds, which a writer should not have to spend at once. So
 * an ordinary region is huge only if it was prepared; the first one never is, so that a store of a
 * few records does not cost 2 MiB. */
static bool wants_huge(const struct tarn__pages *pages, size_t bytes, bool single)
{
    return single ? bytes >= TARN__REGION_BYTES : pages->regions_held > 0 && !pages->wake;
}

/* Adds a region of its own kind (2 MiB) or a mapping for one large block. */
static tarn_status add_region(struct tarn__pages *pages, size_t bytes, bool single,
                              uint32_t *number)
{
    struct tarn__region *region;
    size_t alignment = bytes >= TARN__REGION_BYTES ? TARN__REGION_BYTES : TARN__BLOCK_BYTES_MIN;
    uint64_t used = atomic_load_explicit(&pages->bytes, memory_order_relaxed);
    tarn_status status;

    if (pages->limit_bytes && used + bytes > pages->limit_bytes)
        return over_limit(pages);
    if (single && pages->limit_bytes) /* regions that are only ready must not take its place */
        while (pages->ready_count &&
               used + bytes + pages->ready_count * TARN__REGION_BYTES > pages->limit_bytes)
            pages->source.unmap(pages->source.context, pages->ready[--pages->ready_count],
                                TARN__REGION_BYTES);
    status = take_region_number(pages, number);
    if (status)
        return status;
    region = tarn__allocate_zeroed(sizeof *region);
    if (!region)
        goto fail;
    if (!single && pages->ready_count)
        region->base = pages->ready[--pages->ready_count];
    else
        region->base = pages->source.map(pages->source.context, bytes, alignment,
                                         wants_huge(pages, bytes, single));
    if (!region->base)
        goto fail;
    region->bytes = bytes;
    region->single = single;
    (void)tarn__pointer_table_set(&pages->bases, *number,
                                  region->base);                     /* cannot fail: see above */
    (void)tarn__pointer_table_set(&pages->regions, *number, region); /* likewise */
    pages->regions_held += !single;
    atomic_store_explicit(&pages->bytes, used + bytes, memory_order_relaxed);
    return TARN_OK;

fail:
    tarn__free(region);
    give_region_number(pages, *number);
    return TARN_NO_MEMORY;
}

static void remove_region(struct tarn__pages *pages, uint32_t number)
{
    struct tarn__region *region = region_of(pages, number);

    atomic_fetch_sub_explicit(&pages->bytes, region->bytes, memory_order_relaxed);
    pages->source.unmap(pages->source.context, region->base, region->bytes);
    pages->regions_held -= !region->single;
    tarn__free(region);
    give_region_number(pages, number);
}

/* ------------------------------------------------------------------------------------------
 * Blocks
 */

/* Cuts a free block down to the order that is wanted and puts the rest on the lists. */
static void split_to(struct tarn__pages *pages, uint32_t number, unsigned from, unsigned order)
{
    struct tarn__region *region = region_of(pages, number / TARN__REGION_UNITS);

    while (from > order) {
        from--;
        list_push(pages, number + (1u << from), from);
    }
    region->units[number % TARN__REGION_UNITS].order = (uint8_t)order;
    region->units[number % TARN__REGION_UNITS].free = false;
}

static tarn_status take_number(struct tarn__pages *pages, unsigned order, uint32_t *number)
{
    uint32_t region_number;
    tarn_status status;

    for (unsigned from = order; from < TARN__BLOCK_ORDERS; from++) {
        *number = pages->free_blocks[from];
        if (*number) {
            list_remove(pages, *number);
            split_to(pages, *number, from, order);
            return TARN_OK;
        }
    }
    status = add_region(pages, TARN__REGION_BYTES, false, &region_number);
    if (status)
        return status;
    *number = region_number * (uint32_t)TARN__REGION_UNITS;
    if (*number == 0) { /* location 0 means "nowhere": its unit stays out of use */
        split_to(pages, 0, TARN__BLOCK_ORDERS - 1, 0);
        return take_number(pages, order, number);
    }
    split_to(pages, *number, TARN__BLOCK_ORDERS - 1, order);
    return TARN_OK;
}

static void fill_block(struct tarn__pages *pages, uint32_t number, unsigned order, void *owner,
                       struct tarn__block *block)
{
    struct tarn__region *region = region_of(pages, number / TARN__REGION_UNITS);
    uint32_t at = number % TARN__REGION_UNITS;

    block->base = (char *)region->base + at * TARN__BLOCK_BYTES_MIN;
    block->location = (uint64_t)number * (TARN__BLOCK_BYTES_MIN / 8);
    block->bytes = TARN__BLOCK_BYTES_MIN << order;
    block->zeroed = true;
    for (uint32_t i = at; i < at + (1u << order); i++) {
        block->zeroed = block->zeroed && !region->units[i].touched;
        region->units[i].touched = true;
        region->links[i].owner = owner;
    }
}

static tarn_status take_mapping(struct tarn__pages *pages, size_t bytes, void *owner,
                                struct tarn__block *block)
{
    size_t rounded = (bytes + TARN__BLOCK_BYTES_MIN - 1) & ~(TARN__BLOCK_BYTES_MIN - 1);
    struct tarn__region *region;
    uint32_t number;
    tarn_status status = add_region(pages, rounded, true, &number);

    if (status)
        return status;
    region = region_of(pages, number);
    region->links[0].owner = owner;
    region->units[0].order = TARN__BLOCK_ORDERS;
    block->base = region->base;
    block->location = (uint64_t)number << TARN__REGION_SHIFT;
    block->bytes = rounded;
    block->zeroed = true;
    return TARN_OK;
}

static unsigned order_of(size_t bytes)
{
    return (unsigned)__builtin_ctzll(bytes / TARN__BLOCK_BYTES_MIN);
}

/* None for a small store; about 3 % of a large one. Two as soon as that is little, because making
 * one ready may take as long as filling one, and whoever finds none gets one of small pages. The
 * caller has the lock. */
static uint32_t ready_wanted(const struct tarn__pages *pages)
{
    uint32_t least = pages->regions_held < 2 ? 0 : pages->regions_held < 8 ? 1 : 2;
    uint32_t wanted = pages->regions_held / 32;

    if (wanted < least)
        wanted = least;
    if (wanted > sizeof pages->ready / sizeof pages->ready[0])
        wanted = sizeof pages->ready / sizeof pages->ready[0];
    return wanted;
}

bool tarn__pages_wants_preparing(const struct tarn__pages *pages)
{
    uint64_t used = atomic_load_explicit(&pages->bytes, memory_order_relaxed);
    uint64_t ahead = (uint64_t)(pages->ready_count + 1) * TARN__REGION_BYTES;

    if (pages->limit_bytes && used + ahead > pages->limit_bytes)
        return false;
    return pages->ready_count < ready_wanted(pages);
}

/* Region 0 must be an ordinary one, whose first unit is set aside. */
static tarn_status ensure_first_region(struct tarn__pages *pages)
{
    uint32_t number;
    tarn_status status = TARN_OK;

    if (pages->regions_used == 0 || !region_of(pages, 0)) {
        status = take_number(pages, 0, &number);
        if (!status)
            list_push(pages, number, 0);
    }
    return status;
}

tarn_status tarn__pages_take(struct tarn__pages *pages, size_t bytes, void *owner,
                             struct tarn__block *block)
{
    bool in_region =
        bytes >= TARN__BLOCK_BYTES_MIN && bytes <= TARN__REGION_BYTES && (bytes & (bytes - 1)) == 0;
    tarn_status status;
    uint32_t number;
    bool wake;

    pthread_mutex_lock(&pages->lock);
    if (in_region) {
        status = take_number(pages, order_of(bytes), &number);
        if (!status)
            fill_block(pages, number, order_of(bytes), owner, block);
    } else {
        status = ensure_first_region(pages);
        if (!status)
            status = take_mapping(pages, bytes, owner, block);
    }
    wake = pages->wake && tarn__pages_wants_preparing(pages);
    pthread_mutex_unlock(&pages->lock);
    if (wake)
        pages->wake(pages->wake_context);
    return status;
}

void tarn__pages_give(struct tarn__pages *pages, uint64_t location)
{
    uint32_t number = (uint32_t)(location / (TARN__BLOCK_BYTES_MIN / 8));
    struct tarn__region *region;
    unsigned order;

    pthread_mutex_lock(&pages->lock);
    region = region_of(pages, number / TARN__REGION_UNITS);
    order = region->units[number % TARN__REGION_UNITS].order;
    assert(!region->units[number % TARN__REGION_UNITS].free);
    while (order < TARN__BLOCK_ORDERS - 1) {
        uint32_t buddy = number ^ (1u << order);
        const struct unit *unit = &region->units[buddy % TARN__REGION_UNITS];

        if (!unit->free || unit->order != order)
            break;
        list_remove(pages, buddy);
        number &= ~(1u << order);
        order++;
    }
    if (order >= TARN__BLOCK_ORDERS - 1)
        remove_region(pages, number / TARN__REGION_UNITS);
    else
        list_push(pages, number, order);
    pthread_mutex_unlock(&pages->lock);
}

void *tarn__pages_owner(struct tarn__pages *pages, uint64_t location)
{
    struct tarn__region *region =
        tarn__pointer_table_get(&pages->regions, location >> TARN__REGION_SHIFT);

    if (region->single)
        return region->links[0].owner;
    return region->links[(location / (TARN__BLOCK_BYTES_MIN / 8)) % TARN__REGION_UNITS].owner;
}

void tarn__pages_prefetch_owner(struct tarn__pages *pages, uint64_t location)
{
    struct tarn__region *region =
        tarn__pointer_table_get(&pages->regions, location >> TARN__REGION_SHIFT);

    __builtin_prefetch(
        &region->links[(location / (TARN__BLOCK_BYTES_MIN / 8)) % TARN__REGION_UNITS]);
}

/* ------------------------------------------------------------------------------------------
 * Regions ahead
 */

void tarn__pages_prepare(struct tarn__pages *pages)
{
    for (;;) {
        bool wanted;
        void *base;

        pthread_mutex_lock(&pages->lock);
        wanted = tarn__pages_wants_preparing(pages);
        pthread_mutex_unlock(&pages->lock);
        if (!wanted)
            return;
        base =
            pages->source.map(pages->source.context, TARN__REGION_BYTES, TARN__REGION_BYTES, true);
        if (!base)
            return; /* whoever needs it will be told */
        pages->source.populate(pages->source.context, base, TARN__REGION_BYTES);
        pthread_mutex_lock(&pages->lock);
        wanted = tarn__pages_wants_preparing(pages);
        if (wanted)
            pages->ready[pages->ready_count++] = base;
        pthread_mutex_unlock(&pages->lock);
        if (!wanted)
            pages->source.unmap(pages->source.context, base, TARN__REGION_BYTES);
    }
}
