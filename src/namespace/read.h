/* Pieces of reading that one key and many keys share. */
#ifndef TARN_NAMESPACE_READ_H
#define TARN_NAMESPACE_READ_H

#include "base/memory.h"
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

/* The same as tarn__read_find(), waiting for a writer that is in the way. */
tarn_status tarn__read_find_waiting(tarn_namespace *ns, uint64_t hash,
                                    struct tarn__key_search *search, struct tarn__reading *reading,
                                    uint64_t *location);

/* Finds a key from inside a section. TARN_KEY_NOT_FOUND, and
 * the statuses of a namespace that has ended. */
static inline tarn_status tarn__read_find(tarn_namespace *ns, uint64_t hash,
                                          struct tarn__key_search *search,
                                          struct tarn__reading *reading, uint64_t *location)
{
    struct tarn__look look;

    if (__builtin_expect(tarn__namespace_usable(ns), 1)) {
        struct tarn__index *index = atomic_load_explicit(&ns->index, memory_order_acquire);
        enum tarn__found found =
            tarn__index_look(index, hash, tarn__leads_to_key, search, &look, location);

        if (__builtin_expect(found == TARN__FOUND, 1))
            return TARN_OK;
        if (found == TARN__ABSENT && !search->damaged)
            return tarn__outcome(TARN_KEY_NOT_FOUND);
    }
    return tarn__read_find_waiting(ns, hash, search, reading, location);
}

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
static inline tarn_status tarn__read_append(struct tarn_buf *buf, size_t at,
                                            struct tarn_slice slice)
{
    if (tarn__buf_reserve(buf, at + slice.length))
        return TARN_NO_MEMORY;
    if (slice.length)
        memcpy((char *)buf->data + at, slice.data, slice.length);
    return TARN_OK;
}

/* Copies a large value outside, if the namespace allows it. Leaves the section. */
tarn_status tarn__read_copy_outside(tarn_namespace *ns, struct tarn__reading *reading,
                                    const struct tarn__record *record, uint64_t location,
                                    struct tarn_buf *value, size_t at);

/* Copies the value of a record that was found to byte at of a buffer, and leaves the section. */
static inline tarn_status tarn__read_copy_and_leave(tarn_namespace *ns,
                                                    struct tarn__reading *reading,
                                                    const struct tarn__record *record,
                                                    uint64_t location, struct tarn_buf *value,
                                                    size_t at)
{
    tarn_status status = tarn__verify(ns, location);

    if (__builtin_expect(status != TARN_OK, 0)) {
        tarn__epoch_leave(reading->section);
        return status;
    }
    if (__builtin_expect(record->value.length > TARN__COPY_INSIDE_MAX, 0))
        return tarn__read_copy_outside(ns, reading, record, location, value, at);
    status = tarn__read_append(value, at, record->value);
    tarn__epoch_leave(reading->section);
    return status;
}

#endif
