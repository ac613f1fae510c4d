/*
 * One cut of all namespaces of a store, or of one of them: all begun at one moment.
 */
#ifndef TARN_STORE_STORE_CUT_H
#define TARN_STORE_STORE_CUT_H

#include "namespace/cut.h"
#include "store/store.h"

struct tarn__store_cut {
    struct tarn__cut *cuts; /* in the order of the names */
    size_t count;
    size_t begun, ended; /* those between the two are to be ended */
    bool handed_out;     /* the next to be ended */
    uint64_t sequence;   /* above that of every record, and of this cut alone */
    uint64_t clock_ns;
    uint64_t pause_ns; /* how long writers were held up */
};

/* Begins it. only: NULL: the whole store. saving and lock are held; saving until the end, so that
 * nothing that is read is dropped or loaded over. If it fails there is nothing to end.
 * TARN_LOCK_TIMEOUT, TARN_NO_MEMORY; where `only` has ended, its status. */
tarn_status tarn__store_cut_begin(struct tarn__store_cut *cut, tarn_store *store,
                                  tarn_namespace *only);

/* Hands out the first cut, and each time the next, after the one before was ended; NULL: that was
 * the last. lock is not held. */
struct tarn__cut *tarn__store_cut_next(struct tarn__store_cut *cut);

/* Ends all that has not ended yet. lock is not held. All zero is allowed. */
void tarn__store_cut_end(struct tarn__store_cut *cut);

#endif
