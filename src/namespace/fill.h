/*
 * Filling a namespace that nobody else knows yet, and putting what is in it in place of what is in
 * another: how a snapshot is loaded.
 */
#ifndef TARN_NAMESPACE_FILL_H
#define TARN_NAMESPACE_FILL_H

#include "namespace/cut.h"
#include "namespace/namespace.h"

#define TARN__FILL_RECORDS_MAX 64

/* Adds records, at most TARN__FILL_RECORDS_MAX at a time, with the sequences that they have. Limits
 * are not looked at. TARN_KEY_EXISTS: one of the keys is there already. After a failure the
 * namespace is good for nothing but to be ended. */
tarn_status tarn__fill(tarn_namespace *ns, const struct tarn__record *records, size_t count);

/* Stores one record with the sequence that it has, in such a namespace: it counts unless the key
 * has one with a higher sequence. removes: instead, the key is taken away, unless it has one. */
tarn_status tarn__fill_again(tarn_namespace *ns, const struct tarn__record *record, bool removes);

/* Adds all that a cut of another namespace holds, as far as the limits of `to` allow. No lock is
 * held. TARN_TOO_MANY_KEYS, TARN_FULL, TARN_VALUE_TOO_LARGE, and what tarn__cut_read() returns. */
tarn_status tarn__fill_from_cut(tarn_namespace *to, struct tarn__cut *cut);

/* The same for a namespace whose files alone are wanted: limits are not looked at, and its index
 * stays empty. progress may be NULL. */
tarn_status tarn__fill_files(tarn_namespace *to, struct tarn__cut *cut,
                             struct tarn__cut_progress *progress);

/* Ends the filling of a namespace: all of it is durable, as far as its engine keeps files. */
tarn_status tarn__fill_end(tarn_namespace *ns);

/* Makes it one like all others, before anybody can see it. */
void tarn__fill_publish(tarn_namespace *ns);

/* A namespace that gets another's content. */
struct tarn__replacement {
    tarn_namespace *to, *from; /* from: filled, known to nobody */
    uint64_t largest_value;    /* in from, bytes */
    bool beyond_limits;        /* also what is more than the limits of to allow */
    struct tarn__index *before;
    void *detached;
};

/* Begins a replacement: locks all of `to`, and sees whether the limits in force there allow it.
 * Then one of the others must follow. TARN_TOO_MANY_KEYS, TARN_FULL, TARN_VALUE_TOO_LARGE,
 * TARN_LOCK_TIMEOUT, TARN_NO_MEMORY: it is not locked. No cut of `to` is being read. */
tarn_status tarn__replace_begin(struct tarn__replacement *replacement);
void tarn__replace_cancel(struct tarn__replacement *replacement);

/* Replaces, which cannot fail, and unlocks the shards; other replacements may be done before the
 * last step. `from` is empty then. */
void tarn__replace(struct tarn__replacement *replacement);

/* Waits for readers and frees what there was before. */
void tarn__replace_end(struct tarn__replacement *replacement);

#endif
