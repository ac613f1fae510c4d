/*
 * A slab: objects of like size side by side in pages, so that one that is freed is reused by the
 * next of its size, with no holes in between and nothing known of an object inside it.
 *
 *     slab --class--> pages with a free object (a list, newest first)
 *     page = a block of memory + a descriptor elsewhere: one bit for each object that is free
 *
 * Classes go up by 8 bytes to 2 KiB, then in 16 steps for each doubling to 256 KiB; what is larger
 * has a page of its own. A class begins with pages of 4 KiB and goes on with larger ones.
 *
 * Pins are counted on the page. While one is held, objects of the page that are freed are
 * remembered as dead, and become free when the last pin goes: nothing that is pinned is written to.
 *
 * A slab belongs to whoever holds its lock, which is the caller's; only pinning takes none.
 */
#ifndef TARN_ENGINE_MEMORY_SLAB_H
#define TARN_ENGINE_MEMORY_SLAB_H

#include "base/pages.h"

#define TARN__SLAB_CLASSES 369

struct tarn__slab_page {
    _Atomic(struct tarn__slab *) slab; /* changes under the locks of both */
    void *base;
    uint64_t location;
    uint32_t object_units; /* of 8 bytes */
    uint64_t inverse;      /* 2^32 / object_units, rounded up: turns a division into a product */
    uint32_t object_count;
    uint32_t free_count;
    uint32_t dead_count;
    uint32_t first_word; /* none before it has a free bit */
    uint16_t class;
    bool listed;   /* in the list of pages with a free object */
    bool detached; /* its slab was emptied */
    bool released; /* and its readers have left: it goes with its last pin */
    _Atomic uint32_t pins;
    size_t block_bytes;
    struct tarn__slab_page *next, *previous;         /* pages of the class with a free object */
    struct tarn__slab_page *all_next, *all_previous; /* all pages of the slab, or all detached */
    uint64_t bits[]; /* free objects, then as many words for dead ones */
};

struct tarn__slab {
    struct tarn__pages *pages;
    _Atomic uint64_t *memory_bytes; /* the engine's account */
    struct tarn__slab_page *partial[TARN__SLAB_CLASSES];
    uint32_t page_count[TARN__SLAB_CLASSES];
    uint64_t class_bytes[TARN__SLAB_CLASSES]; /* of the class's pages */
    struct tarn__slab_page *all;
    uint32_t detached_pinned; /* released pages that a pin still holds */
};

/* Takes an object from the pages that there are; NULL: none of them has one. */
void *tarn__slab_take_free(struct tarn__slab *slab, size_t bytes, uint64_t *location);

/* The same, with a new page if there has to be one. TARN_NO_MEMORY, TARN_FULL. */
tarn_status tarn__slab_take(struct tarn__slab *slab, size_t bytes, uint64_t *location,
                            void **address);

/* Moves a page with room for an object from one slab to another, both locked. false: it has none.
 */
bool tarn__slab_move_page(struct tarn__slab *from, struct tarn__slab *to, size_t bytes);

/* Frees the object at location in a page of this slab. */
void tarn__slab_give(struct tarn__slab_page *page, uint64_t location);

/* Gives back all pages that have no object. */
void tarn__slab_trim(struct tarn__slab *slab);

/* Ends a pin; the page may be gone afterwards. */
void tarn__slab_unpin(struct tarn__slab_page *page);

/* Takes over all pages of another slab, which is empty afterwards; both locked. */
void tarn__slab_take_over(struct tarn__slab *slab, struct tarn__slab *other);

/* From now on the pages count in another account. Locked. */
void tarn__slab_move_account(struct tarn__slab *slab, _Atomic uint64_t *memory_bytes);

bool tarn__slab_has_pins(const struct tarn__slab *slab);

/* Takes all pages out of the slab, which is empty afterwards. */
struct tarn__slab_page *tarn__slab_detach(struct tarn__slab *slab);

/* Frees detached pages, once their readers have left; those that are pinned with their last pin. */
void tarn__slab_free_detached(struct tarn__slab_page *pages);

#endif
