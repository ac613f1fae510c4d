/*
 * The memory engine: a record lives in a slab, and its location is that of its memory.
 *
 * Threads are spread over a few stripes, each with a slab and a lock of its own, so that writers of
 * different shards do not meet here either. A record is freed in the stripe that its page is in; a
 * stripe that has no room takes a page with room from another before it makes a new one.
 *
 * What is retired waits in the stripe of the thread that retired it, in bags of 64: a bag that is
 * full gets the epoch's stamp, and is emptied when all readers of that time have left. Bags are a
 * ring of fixed size, and a bag is closed early when its records are large, so that at most
 * 16 x 256 KiB, and a record for each bag, wait in each stripe. A writer that finds the ring full
 * waits: readers stay inside for a copy of 64 KiB at most.
 */
#include "base/lock.h"
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
    _Alignas(64) struct tarn__lock lock;
    struct tarn__slab slab;
    uint64_t oldest, open; /* bags oldest .. open - 1 are stamped, open is being filled; mod BAGS */
    struct bag bags[BAGS];
};

struct memory_engine {
    struct tarn__environment *environment;
    _Atomic(struct stripe *) stripes[STRIPES]; /* made when first needed */
    _Atomic uint64_t memory_bytes;
};

/* ------------------------------------------------------------------------------------------
 * Stripes
 */

static void lock(struct memory_engine *engine, struct stripe *stripe)
{
    tarn__os_lock(engine->environment->os, &stripe->lock);
}

static void unlock(struct stripe *stripe)
{
    tarn__lock_give(&stripe->lock);
}

static struct stripe *make_stripe(struct memory_engine *engine, size_t number)
{
    struct stripe *stripe = tarn__allocate_lines(sizeof *stripe);
    struct stripe *none = NULL;

    if (!stripe)
        return NULL;
    stripe->slab.pages = &engine->environment->pages;
    stripe->slab.memory_bytes = &engine->memory_bytes;
    if (!atomic_compare_exchange_strong(&engine->stripes[number], &none, stripe)) {
        tarn__free(stripe);
        return none;
    }
    atomic_fetch_add(&engine->memory_bytes, sizeof *stripe);
    return stripe;
}

static __attribute__((noinline)) struct stripe *first_stripe_of_thread(struct memory_engine *engine,
                                                                       size_t number)
{
    struct stripe *stripe = make_stripe(engine, number);

    for (size_t i = 0; !stripe && i < STRIPES; i++)
        stripe = atomic_load_explicit(&engine->stripes[i], memory_order_acquire);
    return stripe;
}

/* This thread's stripe, or any other where there is no memory for it; NULL without either. */
static inline struct stripe *stripe_of_thread(struct memory_engine *engine)
{
    size_t number = tarn__section_hint % STRIPES;
    struct stripe *stripe = atomic_load_explicit(&engine->stripes[number], memory_order_acquire);

    return __builtin_expect(stripe != NULL, 1) ? stripe : first_stripe_of_thread(engine, number);
}

static struct tarn__slab_page *page_of(struct memory_engine *engine, uint64_t location)
{
    return tarn__pages_owner(&engine->environment->pages, location);
}

static struct stripe *stripe_of(struct tarn__slab *slab)
{
    return (struct stripe *)((char *)slab - offsetof(struct stripe, slab));
}

/* Locks the stripe that a page is in, which may change until it is locked. */
static struct stripe *lock_stripe_of_page(struct memory_engine *engine,
                                          struct tarn__slab_page *page)
{
    for (;;) {
        struct tarn__slab *slab = atomic_load_explicit(&page->slab, memory_order_acquire);

        lock(engine, stripe_of(slab));
        if (atomic_load_explicit(&page->slab, memory_order_relaxed) == slab)
            return stripe_of(slab);
        unlock(stripe_of(slab));
    }
}

static void memory_prefetch(void *state, uint64_t location)
{
    struct memory_engine *engine = state;
    const char *address = tarn__pages_address(&engine->environment->pages, location);

    __builtin_prefetch(address);
    __builtin_prefetch(address + 64);
}

/* Frees records, whatever stripes they came from. No stripe may be locked. What is known of their
 * pages lies all over memory, so it is asked for ahead. */
static void free_records(struct memory_engine *engine, const uint64_t *locations, size_t count)
{
    struct tarn__slab_page *pages[BAG_RECORDS];
    struct stripe *locked = NULL;

    for (size_t i = 0; i < count; i++)
        tarn__pages_prefetch_owner(&engine->environment->pages, locations[i]);
    for (size_t i = 0; i < count; i++) {
        pages[i] = page_of(engine, locations[i]);
        __builtin_prefetch(pages[i], 1);
        __builtin_prefetch(pages[i]->bits, 1);
    }
    for (size_t i = 0; i < count; i++) {
        if (!locked ||
            atomic_load_explicit(&pages[i]->slab, memory_order_relaxed) != &locked->slab) {
            if (locked)
                unlock(locked);
            locked = lock_stripe_of_page(engine, pages[i]);
        }
        tarn__slab_give(pages[i], locations[i]);
    }
    if (locked)
        unlock(locked);
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

/* Stamps the open bag and opens the next one, which must not be in use. The stripe is locked. */
static void close_bag(struct memory_engine *engine, struct stripe *stripe)
{
    struct bag *full = &stripe->bags[stripe->open++ % BAGS];
    struct bag *empty = &stripe->bags[stripe->open % BAGS];

    full->stamp = tarn__epoch_stamp(&engine->environment->epoch);
    empty->count = 0;
    empty->bytes = 0;
}

/* Returns when the open bag can take a record. The stripe is locked, but not all the time. */
static void make_room(struct memory_engine *engine, struct stripe *stripe)
{
    const struct tarn__os *os = engine->environment->os;
    struct bag ripe;
    unsigned looks = 0;

    while (bag_is_full(&stripe->bags[stripe->open % BAGS])) {
        while (take_ripe_bag(engine, stripe, &ripe)) {
            unlock(stripe);
            free_records(engine, ripe.locations, ripe.count);
            lock(engine, stripe);
        }
        if (!bag_is_full(&stripe->bags[stripe->open % BAGS]))
            return; /* another thread was here meanwhile */
        if (stripe->open - stripe->oldest < BAGS - 1) {
            close_bag(engine, stripe);
        } else {
            unlock(stripe);
            tarn__os_pause(os, looks++);
            lock(engine, stripe);
        }
    }
}

static void memory_retire(void *state, const uint64_t *locations, size_t count, size_t bytes)
{
    struct memory_engine *engine = state;
    struct stripe *stripe = stripe_of_thread(engine);

    assert(stripe); /* the records came from one */
    lock(engine, stripe);
    for (size_t done = 0, some; done < count; done += some) {
        struct bag *open = &stripe->bags[stripe->open % BAGS];

        if (bag_is_full(open)) {
            make_room(engine, stripe);
            open = &stripe->bags[stripe->open % BAGS];
        }
        some = open->bytes + bytes > BAG_BYTES_MAX ? 1 : BAG_RECORDS - open->count;
        if (some > count - done)
            some = count - done;
        memcpy(&open->locations[open->count], &locations[done], some * sizeof locations[0]);
        open->count += (uint32_t)some;
        open->bytes += bytes / count * some;
    }
    unlock(stripe);
}

/* Empties the bags of a stripe as far as readers have left; the open one is closed before. */
static bool empty_bags(struct memory_engine *engine, struct stripe *stripe)
{
    struct bag ripe;
    bool empty;

    lock(engine, stripe);
    if (stripe->bags[stripe->open % BAGS].count && stripe->open - stripe->oldest < BAGS - 1)
        close_bag(engine, stripe);
    while (take_ripe_bag(engine, stripe, &ripe)) {
        unlock(stripe);
        free_records(engine, ripe.locations, ripe.count);
        lock(engine, stripe);
    }
    empty = stripe->oldest == stripe->open && !stripe->bags[stripe->open % BAGS].count;
    if (empty)
        tarn__slab_trim(&stripe->slab);
    unlock(stripe);
    return empty;
}

static void memory_reclaim(void *state)
{
    struct memory_engine *engine = state;

    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *stripe = atomic_load_explicit(&engine->stripes[i], memory_order_acquire);

        /* others may retire meanwhile: not for ever */
        for (unsigned looks = 0; stripe && looks < 1000 && !empty_bags(engine, stripe); looks++)
            tarn__os_pause(engine->environment->os, looks);
    }
}

/* ------------------------------------------------------------------------------------------
 * The contract
 */

static tarn_status memory_open(struct tarn__environment *environment,
                               const struct tarn__engine_home *home,
                               const struct tarn_namespace_options *options, void **state)
{
    struct memory_engine *engine = tarn__allocate_zeroed(sizeof *engine);

    (void)home;
    (void)options;
    if (!engine)
        return TARN_NO_MEMORY;
    engine->environment = environment;
    atomic_store(&engine->memory_bytes, sizeof *engine);
    *state = engine;
    return TARN_OK;
}

/* Before there is a new page, those with room in the other stripes are used up: else the holes that
 * one thread's records leave would never be filled by another's. */
static void borrow_page(struct memory_engine *engine, struct stripe *stripe, size_t bytes)
{
    bool found = false;

    for (size_t i = 0; i < STRIPES && !found; i++) {
        struct stripe *other = atomic_load_explicit(&engine->stripes[i], memory_order_acquire);

        if (!other || other == stripe || !tarn__lock_try(&other->lock))
            continue;
        found = tarn__slab_move_page(&other->slab, &stripe->slab, bytes);
        unlock(other);
    }
}

static __attribute__((noinline)) tarn_status take_after_borrowing(struct memory_engine *engine,
                                                                  struct stripe *stripe,
                                                                  size_t bytes, uint64_t *location,
                                                                  void **address)
{
    borrow_page(engine, stripe, bytes);
    return tarn__slab_take(&stripe->slab, bytes, location, address);
}

/* Takes the memory for a record; the stripe is locked. What is written there need not be. */
static inline tarn_status take_memory(struct memory_engine *engine, struct stripe *stripe,
                                      struct tarn__write *write, void **address)
{
    const struct tarn__record *record = &write->record;
    size_t bytes = tarn__record_bytes(record->key.length, record->value.length);

    *address = tarn__slab_take_free(&stripe->slab, bytes, &write->location);
    if (__builtin_expect(*address != NULL, 1))
        return TARN_OK;
    return take_after_borrowing(engine, stripe, bytes, &write->location, address);
}

static void memory_prepare(void *state, struct tarn__write *write)
{
    struct memory_engine *engine = state;
    struct stripe *stripe = stripe_of_thread(engine);
    tarn_status status;
    void *address;

    if (!stripe)
        return;
    lock(engine, stripe);
    status = take_memory(engine, stripe, write, &address);
    unlock(stripe);
    if (status)
        write->location = 0;
    else
        tarn__record_write(address, &write->record);
}

static void memory_discard(void *state, uint64_t location)
{
    free_records(state, &location, 1);
}

static __attribute__((noinline)) tarn_status append_unprepared(struct memory_engine *engine,
                                                               struct tarn__write *writes,
                                                               size_t count)
{
    struct stripe *stripe = stripe_of_thread(engine);
    tarn_status status = TARN_OK;
    size_t done = 0;
    void *address;

    if (!stripe)
        return TARN_NO_MEMORY;
    lock(engine, stripe);
    for (; done < count && !status; done++)
        if (!writes[done].removes)
            status = take_memory(engine, stripe, &writes[done], &address);
    unlock(stripe);
    done -= status != TARN_OK;
    for (size_t i = 0; i < done; i++) { /* nobody has seen these */
        if (writes[i].removes)
            continue;
        if (status)
            free_records(engine, &writes[i].location, 1);
        else
            tarn__record_write(tarn__pages_address(&engine->environment->pages, writes[i].location),
                               &writes[i].record);
    }
    return status;
}

static tarn_status memory_append(void *state, struct tarn__write *writes, size_t count,
                                 uint64_t *position)
{
    struct memory_engine *engine = state;

    (void)position;
    if (count == 1 && writes->removes)
        return TARN_OK;
    if (count > 1 || !writes->location)
        return append_unprepared(engine, writes, count);
    tarn__record_write_info(tarn__pages_address(&engine->environment->pages, writes->location),
                            &writes->record.info);
    return TARN_OK;
}

static tarn_status memory_restore(void *state, struct tarn__write *writes, size_t count)
{
    return append_unprepared(state, writes, count);
}

static void memory_read(void *state, uint64_t location, struct tarn__record *record)
{
    struct memory_engine *engine = state;

    tarn__record_read(tarn__pages_address(&engine->environment->pages, location), record);
}

static void memory_pin(void *state, uint64_t location)
{
    atomic_fetch_add_explicit(&page_of(state, location)->pins, 1, memory_order_acq_rel);
}

static void memory_unpin(void *state, uint64_t location)
{
    struct memory_engine *engine = state;
    struct tarn__slab_page *page = page_of(engine, location);
    struct stripe *stripe = lock_stripe_of_page(engine, page);

    tarn__slab_unpin(page);
    unlock(stripe);
}

static bool memory_has_pins(void *state)
{
    struct memory_engine *engine = state;
    bool found = false;

    for (size_t i = 0; i < STRIPES && !found; i++) {
        struct stripe *stripe = atomic_load(&engine->stripes[i]);

        if (!stripe)
            continue;
        lock(engine, stripe);
        found = tarn__slab_has_pins(&stripe->slab);
        unlock(stripe);
    }
    return found;
}

/* Takes what a stripe has, pages and all that waits in bags, which is in these pages. Locked. */
static struct tarn__slab_page *empty_stripe(struct stripe *stripe)
{
    stripe->oldest = stripe->open;
    stripe->bags[stripe->open % BAGS].count = 0;
    stripe->bags[stripe->open % BAGS].bytes = 0;
    return tarn__slab_detach(&stripe->slab);
}

/* The detached pages of all stripes, joined in one list by all_next. All stripes are locked
 * together, so that no page can slip from one that is to come to one that is done. */
static void *detach(struct memory_engine *engine)
{
    struct stripe *stripes[STRIPES];
    struct tarn__slab_page *all = NULL;

    for (size_t i = 0; i < STRIPES; i++) {
        stripes[i] = atomic_load(&engine->stripes[i]);
        if (stripes[i])
            lock(engine, stripes[i]);
    }
    for (size_t i = 0; i < STRIPES; i++) {
        struct tarn__slab_page *pages = stripes[i] ? empty_stripe(stripes[i]) : NULL;
        struct tarn__slab_page *last = pages;

        while (last && last->all_next)
            last = last->all_next;
        if (last) {
            last->all_next = all;
            all = pages;
        }
    }
    for (size_t i = 0; i < STRIPES; i++)
        if (stripes[i])
            unlock(stripes[i]);
    return all;
}

static void memory_release(void *state, void *detached)
{
    struct memory_engine *engine = state;
    struct tarn__slab_page *pages = detached;

    while (pages) {
        struct tarn__slab_page *next = pages->all_next;
        struct stripe *stripe = lock_stripe_of_page(engine, pages);

        pages->all_next = NULL;
        tarn__slab_free_detached(pages);
        unlock(stripe);
        pages = next;
    }
}

/* Takes over all that another has. */
static void adopt(struct memory_engine *engine, struct memory_engine *other)
{
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *from = atomic_load(&other->stripes[i]);
        struct stripe *to = NULL;

        if (!from)
            continue;
        if (atomic_compare_exchange_strong(&engine->stripes[i], &to, from)) { /* there was none */
            lock(engine, from);
            tarn__slab_move_account(&from->slab, &engine->memory_bytes);
            unlock(from);
            atomic_fetch_add(&engine->memory_bytes, sizeof *from);
            atomic_fetch_sub(&other->memory_bytes, sizeof *from);
            atomic_store(&other->stripes[i], NULL);
            continue;
        }
        lock(engine, to);
        tarn__slab_take_over(&to->slab, &from->slab);
        unlock(to);
    }
}

static tarn_status memory_replace(void *state, void *other, void **detached)
{
    *detached = detach(state);
    if (other)
        adopt(state, other);
    return TARN_OK;
}

static void memory_close(void *state)
{
    struct memory_engine *engine = state;

    if (!engine)
        return;
    memory_release(engine, detach(engine));
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *stripe = atomic_load(&engine->stripes[i]);

        if (stripe)
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
    .kind = TARN_ENGINE_MEMORY,
    .open = memory_open,
    .close = memory_close,
    .prepare = memory_prepare,
    .discard = memory_discard,
    .append = memory_append,
    .restore = memory_restore,
    .read = memory_read,
    .prefetch = memory_prefetch,
    .retire = memory_retire,
    .reclaim = memory_reclaim,
    .pin = memory_pin,
    .unpin = memory_unpin,
    .has_pins = memory_has_pins,
    .replace = memory_replace,
    .release = memory_release,
    .memory_bytes = memory_memory_bytes,
};
