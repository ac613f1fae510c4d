/* Pieces of reading that one key and many keys share. */
#ifndef TARN_NAMESPACE_READ_H
#define TARN_NAMESPACE_READ_H

#include "namespace/operation.h"

/* Values of up to so many bytes are copied inside a section; larger ones are pinned meanwhile. */
#define TARN__COPY_INSIDE_MAX ((size_t)64 * 1024)

/* A section that may be left and entered again in between: left says so, and then what was found
 * before may no longer be used. */
struct tarn__reading {
    struct tarn__section *section;
    bool left;
};

static inline void tarn__read_enter(tarn_namespace *ns, struct tarn__reading *reading)
{
    reading->section = tarn__epoch_enter(&ns->environment->epoch);
    reading->left = true;
}

/* Finds a key from inside a section. TARN_KEY_NOT_FOUND, and
 * the statuses of a namespace that has ended. */
tarn_status tarn__read_find(tarn_namespace *ns, uint64_t hash, struct tarn__key_search *search,
                            struct tarn__reading *reading, uint64_t *location);

/* Asks from inside a section whether a copy may be made outside, of records pinned meanwhile: not
 * if the namespace is about to end. If so, the end of the copy is to be told. */
static inline bool tarn__copy_outside_begin(tarn_namespace *ns)
{
    if (atomic_load_explicit(&ns->state, memory_order_acquire) != TARN__OPEN)
        return false;
    atomic_fetch_add(&ns->copying, 1);
    return true;
}

static inline void tarn__copy_outside_end(tarn_namespace *ns)
{
    atomic_fetch_sub(&ns->copying, 1);
}

/* Copies a slice to byte at of a buffer; the buffer's length stays. */
tarn_status tarn__read_append(struct tarn_buf *buf, size_t at, struct tarn_slice slice);

/* Copies the value of a record that was found to byte at of a buffer, and leaves the section. */
tarn_status tarn__read_copy_and_leave(tarn_namespace *ns, struct tarn__reading *reading,
                                      const struct tarn__record *record, uint64_t location,
                                      struct tarn_buf *value, size_t at);

#endif
