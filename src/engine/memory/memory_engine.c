/*
 * The memory engine: a record lives in a slab, and its location is that of its memory.
 *
 * Threads are spread over a few stripes, each with a slab and a lock of its own, so that writers of
 * different shards do not meet here either. A record is freed in the stripe that it came from.
 *
 * What is retired waits in the stripe of the thread that retired it, in bags of 64: a bag that is
 * full gets the epoch's stamp, and is emptied when all readers of that time have left. Bags are a
 * ring of fixed size, and a bag is closed early when its records are large, so that at most
 * 16 x 256 KiB, and a record for each bag, wait in each stripe. A writer that finds the ring full
 * waits: readers stay inside for a copy of 64 KiB at most.
 */
#include "base/memory.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/memory/slab.h"

#include <assert.h>

#define STRIPES       8
#define BAGS          16
#define BAG_RECORDS   64
#define BAG_BYTES_MAX ((size_t)256 * 1024)

struct bag {
    uint64_t stamp;
    size_t bytes;
    uint32_t count;
    uint64_t locations[BAG_RECORDS];
};

struct stripe {
    _Alignas(64) pthread_mutex_t lock;
    struct tarn__slab slab;
    uint64_t oldest, open; /* bags oldest .. open - 1 are stamped, open is being filled; mod BAGS */
    struct bag bags[BAGS];
};

struct memory_engine {
    struct tarn__environment *environment;
    _Atomic(struct stripe *) stripes[STRIPES]; /* made when first needed; the first one first */
    _Atomic uint64_t memory_bytes;
};

/* ------------------------------------------------------------------------------------------
 * Stripes
 */

static struct stripe *make_stripe(struct memory_engine *engine, size_t number)
{
    struct stripe *stripe = tarn__allocate_lines(sizeof *stripe);
    struct stripe *none = NULL;

    if (!stripe)
        return NULL;
    if (pthread_mutex_init(&stripe->lock, NULL) != 0) {
        tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
        tarn__free(stripe);
        return NULL;
    }
    stripe->slab.pages = &engine->environment->pages;
    stripe->slab.memory_bytes = &engine->memory_bytes;
    if (!atomic_compare_exchange_strong(&engine->stripes[number], &none, stripe)) {
        pthread_mutex_destroy(&stripe->lock);
        tarn__free(stripe);
        return none;
    }
    atomic_fetch_add(&engine->memory_bytes, sizeof *stripe);
    return stripe;
}

/* This thread's stripe, or the first one where there is no memory for it; NULL without either. */
static struct stripe *stripe_of_thread(struct memory_engine *engine)
{
    size_t number = tarn__section_hint % STRIPES;
    struct stripe *stripe = atomic_load_explicit(&engine->stripes[number], memory_order_acquire);

    if (!stripe)
        stripe = make_stripe(engine, number);
    for (size_t i = 0; !stripe && i < STRIPES; i++)
        stripe = atomic_load_explicit(&engine->stripes[i], memory_order_acquire);
    return stripe;
}

static struct tarn__slab_page *page_of(struct memory_engine *engine, uint64_t location)
{
    return tarn__pages_owner(&engine->environment->pages, location);
}

static struct stripe *stripe_of_page(const struct tarn__slab_page *page)
{
    return (struct stripe *)((char *)page->slab - offsetof(struct stripe, slab));
}

/* Frees records, whatever stripes they came from. No stripe may be locked. */
static void free_records(struct memory_engine *engine, const uint64_t *locations, size_t count)
{
    struct stripe *locked = NULL;

    for (size_t i = 0; i < count; i++) {
        struct tarn__slab_page *page = page_of(engine, locations[i]);
        struct stripe *stripe = stripe_of_page(page);

        if (stripe != locked) {
            if (locked)
                pthread_mutex_unlock(&locked->lock);
            pthread_mutex_lock(&stripe->lock);
            locked = stripe;
        }
        tarn__slab_give(page, locations[i]);
    }
    if (locked)
        pthread_mutex_unlock(&locked->lock);
}

/* ------------------------------------------------------------------------------------------
 * Deferral
 */

/* Takes the oldest bag out if its readers have left. The stripe is locked. */
static bool take_ripe_bag(struct memory_engine *engine, struct stripe *stripe, struct bag *bag)
{
    struct tarn__epoch *epoch = &engine->environment->epoch;
    struct bag *oldest = &stripe->bags[stripe->oldest % BAGS];

    if (stripe->oldest == stripe->open)
        return false;
    if (!tarn__epoch_passed(epoch, oldest->stamp) &&
        !(tarn__epoch_advance(epoch) && tarn__epoch_passed(epoch, oldest->stamp)))
        return false;
    *bag = *oldest;
    stripe->oldest++;
    return true;
}

static bool bag_is_full(const struct bag *bag)
{
    return bag->count == BAG_RECORDS || bag->bytes >= BAG_BYTES_MAX;
}

/* Returns when the open bag can take a record. The stripe is locked, but not all the time. */
static void make_room(struct memory_engine *engine, struct stripe *stripe)
{
    const struct tarn__os *os = engine->environment->os;
    struct bag ripe;

    while (bag_is_full(&stripe->bags[stripe->open % BAGS])) {
        while (take_ripe_bag(engine, stripe, &ripe)) {
            pthread_mutex_unlock(&stripe->lock);
            free_records(engine, ripe.locations, ripe.count);
            pthread_mutex_lock(&stripe->lock);
        }
        if (!bag_is_full(&stripe->bags[stripe->open % BAGS]))
            return; /* another thread was here meanwhile */
        if (stripe->open - stripe->oldest < BAGS - 1) {
            struct bag *full = &stripe->bags[stripe->open++ % BAGS];
            struct bag *empty = &stripe->bags[stripe->open % BAGS];

            full->stamp = tarn__epoch_stamp(&engine->environment->epoch);
            empty->count = 0;
            empty->bytes = 0;
        } else {
            pthread_mutex_unlock(&stripe->lock);
            os->yield(os);
            pthread_mutex_lock(&stripe->lock);
        }
    }
}

static void memory_retire(void *state, uint64_t location)
{
    struct memory_engine *engine = state;
    struct stripe *stripe = stripe_of_thread(engine);
    size_t bytes = (size_t)page_of(engine, location)->object_units * 8;
    struct bag *open;

    assert(stripe); /* the record came from one */
    pthread_mutex_lock(&stripe->lock);
    make_room(engine, stripe);
    open = &stripe->bags[stripe->open % BAGS];
    open->locations[open->count++] = location;
    open->bytes += bytes;
    pthread_mutex_unlock(&stripe->lock);
}

/* ------------------------------------------------------------------------------------------
 * The contract
 */

static tarn_status memory_open(struct tarn__environment *environment, void **state)
{
    struct memory_engine *engine = tarn__allocate_zeroed(sizeof *engine);

    if (!engine)
        return TARN_NO_MEMORY;
    engine->environment = environment;
    atomic_store(&engine->memory_bytes, sizeof *engine);
    *state = engine;
    return TARN_OK;
}

static tarn_status memory_append(void *state, struct tarn__write *writes, size_t count)
{
    struct memory_engine *engine = state;
    struct stripe *stripe = stripe_of_thread(engine);
    tarn_status status = TARN_OK;
    size_t done = 0;

    if (!stripe)
        return TARN_NO_MEMORY;
    pthread_mutex_lock(&stripe->lock);
    for (; done < count && !status; done++) {
        struct tarn__write *write = &writes[done];
        const struct tarn__record *record = &write->record;
        void *address;

        if (write->removes)
            continue;
        status = tarn__slab_take(&stripe->slab,
                                 tarn__record_bytes(record->key.length, record->value.length),
                                 &write->location, &address);
        if (!status)
            tarn__record_write(address, record);
        else
            break;
    }
    for (size_t i = 0; status && i < done; i++) /* nobody has seen these */
        if (!writes[i].removes)
            tarn__slab_give(page_of(engine, writes[i].location), writes[i].location);
    pthread_mutex_unlock(&stripe->lock);
    return status;
}

static void memory_read(void *state, uint64_t location, struct tarn__record *record)
{
    struct memory_engine *engine = state;

    tarn__record_read(tarn__pages_address(&engine->environment->pages, location), record);
}

static void memory_prefetch(void *state, uint64_t location)
{
    struct memory_engine *engine = state;
    const char *address = tarn__pages_address(&engine->environment->pages, location);

    __builtin_prefetch(address);
    __builtin_prefetch(address + 64);
}

static void memory_pin(void *state, uint64_t location)
{
    atomic_fetch_add_explicit(&page_of(state, location)->pins, 1, memory_order_acq_rel);
}

static void memory_unpin(void *state, uint64_t location)
{
    struct tarn__slab_page *page = page_of(state, location);
    struct stripe *stripe = stripe_of_page(page);

    pthread_mutex_lock(&stripe->lock);
    tarn__slab_unpin(page);
    pthread_mutex_unlock(&stripe->lock);
}

static bool memory_has_pins(void *state)
{
    struct memory_engine *engine = state;
    bool found = false;

    for (size_t i = 0; i < STRIPES && !found; i++) {
        struct stripe *stripe = atomic_load(&engine->stripes[i]);

        if (!stripe)
            continue;
        pthread_mutex_lock(&stripe->lock);
        found = tarn__slab_has_pins(&stripe->slab);
        pthread_mutex_unlock(&stripe->lock);
    }
    return found;
}

/* The detached pages of all stripes, joined in one list by all_next. */
static void *memory_detach(void *state)
{
    struct memory_engine *engine = state;
    struct tarn__slab_page *all = NULL;

    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *stripe = atomic_load(&engine->stripes[i]);
        struct tarn__slab_page *pages, *last;

        if (!stripe)
            continue;
        pthread_mutex_lock(&stripe->lock);
        pages = tarn__slab_detach(&stripe->slab);
        stripe->oldest = stripe->open; /* what waited there is in the pages that go */
        stripe->bags[stripe->open % BAGS].count = 0;
        stripe->bags[stripe->open % BAGS].bytes = 0;
        pthread_mutex_unlock(&stripe->lock);
        for (last = pages; last && last->all_next; last = last->all_next)
            ;
        if (last) {
            last->all_next = all;
            all = pages;
        }
    }
    return all;
}

static void memory_release(void *state, void *detached)
{
    struct tarn__slab_page *pages = detached;

    (void)state; /* each page knows its slab */
    while (pages) {
        struct tarn__slab_page *next = pages->all_next;
        struct stripe *stripe = stripe_of_page(pages);

        pages->all_next = NULL;
        pthread_mutex_lock(&stripe->lock);
        tarn__slab_free_detached(pages);
        pthread_mutex_unlock(&stripe->lock);
        pages = next;
    }
}

static void memory_close(void *state)
{
    struct memory_engine *engine = state;

    if (!engine)
        return;
    memory_release(engine, memory_detach(engine));
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *stripe = atomic_load(&engine->stripes[i]);

        if (stripe)
            pthread_mutex_destroy(&stripe->lock);
        tarn__free(stripe);
    }
    tarn__free(engine);
}

static uint64_t memory_memory_bytes(void *state)
{
    struct memory_engine *engine = state;

    return atomic_load_explicit(&engine->memory_bytes, memory_order_relaxed);
}

const struct tarn__engine tarn__memory_engine = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .append = memory_append,
    .read = memory_read,
    .prefetch = memory_prefetch,
    .retire = memory_retire,
    .pin = memory_pin,
    .unpin = memory_unpin,
    .has_pins = memory_has_pins,
    .detach = memory_detach,
    .release = memory_release,
    .memory_bytes = memory_memory_bytes,
};
