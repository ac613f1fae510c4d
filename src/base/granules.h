/*
 * A space of locations that the mapped files of a store share, cut into granules: which of them are
 * taken, and by whom. Finding the owner of a granule is a load, without a lock.
 *
 * The space is the store's, and not that of one namespace, so that records can go from one
 * namespace to another (a snapshot that is loaded) while readers look at both.
 */
#ifndef TARN_BASE_GRANULES_H
#define TARN_BASE_GRANULES_H

#include "base/pointer_table.h"

#include <pthread.h>

#define TARN__GRANULES_MAX ((uint32_t)1 << 26)
#define TARN__ANY_GRANULE  UINT32_MAX

struct tarn__granules {
    struct tarn__pointer_table owners;
    pthread_mutex_t lock;  /* what follows, and taking and giving */
    _Atomic uint32_t seen; /* those from here on were never taken; read without the lock */
    uint32_t maybe_free;   /* those before here are all taken */
};

/* TARN_NO_MEMORY. */
tarn_status tarn__granules_init(struct tarn__granules *granules);
void tarn__granules_release(struct tarn__granules *granules);

/*
 * Takes a run of granules for an owner (not NULL); *first says where it is. wished: where it is to
 * begin if those are free, or TARN__ANY_GRANULE. TARN_FULL: there is no such run; TARN_NO_MEMORY.
 */
tarn_status tarn__granules_take(struct tarn__granules *granules, uint32_t count, uint32_t wished,
                                void *owner, uint32_t *first);

/* Gives a run back that was taken; nobody looks for its owner any more. */
void tarn__granules_give(struct tarn__granules *granules, uint32_t first, uint32_t count);

/* Whether a granule was ever taken. */
static inline bool tarn__granules_has(const struct tarn__granules *granules, uint64_t granule)
{
    return granule < atomic_load_explicit(&granules->seen, memory_order_acquire);
}

/* Of a granule that is taken; NULL if it was given back. */
static inline void *tarn__granules_owner(struct tarn__granules *granules, uint64_t granule)
{
    return tarn__pointer_table_get(&granules->owners, granule);
}

#endif
