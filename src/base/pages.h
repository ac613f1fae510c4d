/*
 * Blocks of memory: the one place where records and indexes get theirs.
 *
 *     source (the operating system)
 *       -> region: 2 MiB, aligned; huge where the system can
 *            -> block: 4 KiB to 2 MiB, a power of two, cut from a region (buddies)
 *       -> or a mapping of its own, for any other size
 *
 * Everything has a location, a number of 40 bits in units of 8 bytes: the upper 22 say which
 * region, the lower 18 where in it. Turning a location into an address takes no lock and two loads
 * that the cache has; a table of regions needs no address space set aside.
 *
 * The kernel takes 0.1 to 10 ms to make a huge page ready. So that no writer pays for it, regions
 * are prepared ahead by another thread: tarn__pages_prepare().
 *
 * Any thread may call anything here.
 */
#ifndef TARN_BASE_PAGES_H
#define TARN_BASE_PAGES_H

#include "base/pointer_table.h"

#include <pthread.h>

#define TARN__REGION_BYTES    ((size_t)2 * 1024 * 1024)
#define TARN__BLOCK_BYTES_MIN ((size_t)4096)
#define TARN__BLOCK_ORDERS    10 /* 4 KiB << 0 to << 9 */
#define TARN__REGION_UNITS    (TARN__REGION_BYTES / TARN__BLOCK_BYTES_MIN)
#define TARN__LOCATION_BITS   40
#define TARN__REGION_SHIFT    18 /* of a location: 2 MiB in units of 8 bytes */
#define TARN__REGIONS_MAX     ((uint32_t)1 << (TARN__LOCATION_BITS - TARN__REGION_SHIFT))

/* Where memory comes from. map returns zeroed memory, or NULL with the error recorded. */
struct tarn__page_source {
    const void *context;
    void *(*map)(const void *context, size_t bytes, size_t alignment, bool huge);
    void (*unmap)(const void *context, void *address, size_t bytes);
    void (*populate)(const void *context, void *address, size_t bytes);
};

struct tarn__region;

struct tarn__pages {
    struct tarn__page_source source;
    uint64_t limit_bytes; /* 0: none */

    struct tarn__pointer_table bases;   /* by region number: its address */
    struct tarn__pointer_table regions; /* by region number: struct tarn__region */

    pthread_mutex_t lock;  /* all that follows */
    uint32_t regions_used; /* region numbers given out so far */
    uint32_t *free_numbers;
    uint32_t free_numbers_count, free_numbers_capacity;
    uint32_t free_blocks[TARN__BLOCK_ORDERS]; /* heads of lists, as unit numbers */
    _Atomic uint64_t bytes;                   /* mapped and in use */
    uint32_t regions_held;

    void *ready[8]; /* regions that are prepared */
    uint32_t ready_count;
    void (*wake)(void *context); /* called without the lock when some are wanted */
    void *wake_context;
};

struct tarn__block {
    void *base;
    uint64_t location;
    size_t bytes;
    bool zeroed; /* nobody has used it yet */
};

tarn_status tarn__pages_init(struct tarn__pages *pages, const struct tarn__page_source *source,
                             uint64_t limit_bytes);

/* Gives back every region, in use or not. Nobody may look at them any more. */
void tarn__pages_release(struct tarn__pages *pages);

/*
 * Takes a block: a power of two from 4 KiB to 2 MiB is cut from a region, any other size gets a
 * mapping of its own, rounded up to 4 KiB. owner is what tarn__pages_owner() tells for every
 * location in it.
 * TARN_NO_MEMORY, TARN_FULL (the limit).
 */
tarn_status tarn__pages_take(struct tarn__pages *pages, size_t bytes, void *owner,
                             struct tarn__block *block);

/* Gives back the block that begins at location. */
void tarn__pages_give(struct tarn__pages *pages, uint64_t location);

static inline void *tarn__pages_address(struct tarn__pages *pages, uint64_t location)
{
    char *base = tarn__pointer_table_get(&pages->bases, location >> TARN__REGION_SHIFT);

    return base + ((location & (((uint64_t)1 << TARN__REGION_SHIFT) - 1)) << 3);
}

void *tarn__pages_owner(struct tarn__pages *pages, uint64_t location);

/* Announces that the owner will be asked for. */
void tarn__pages_prefetch_owner(struct tarn__pages *pages, uint64_t location);

/* Maps and populates the regions that are wanted. Takes milliseconds; for a thread of its own. */
void tarn__pages_prepare(struct tarn__pages *pages);

/* Whether there is something to prepare. Under pages->lock, the only one of these. */
bool tarn__pages_wants_preparing(const struct tarn__pages *pages);

#endif
