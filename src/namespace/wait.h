/*
 * How a call that writes is acknowledged: it returns when all that it wrote is durable, where the
 * engine asks for it; or at once, and a completion is told when it is, whatever the engine asks
 * for.
 *
 *     tarn__wait_later()     an asynchronous call alone, before anything else
 *     tarn__wait_begin()     under the lock of the shard, after each write that succeeded
 *     tarn__wait_end()       with no lock, once
 *
 * In between, the namespace counts the call among those that wait, so that neither an end nor a
 * clear takes away what it waits for.
 */
#ifndef TARN_NAMESPACE_WAIT_H
#define TARN_NAMESPACE_WAIT_H

#include "namespace/namespace.h"

/* Begins as 0. */
struct tarn__wait {
    struct tarn__completion *completion; /* NULL: the call itself waits */
    uint64_t position;                   /* of the last write that is waited for */
    uint32_t writes;                     /* as which the namespace counts it */
};

/* Makes a completion for an asynchronous call, after which what follows cannot fail for lack of
 * anything. TARN_INVALID_ARGUMENT, TARN_NO_MEMORY; what a namespace that is not open gives. */
tarn_status tarn__wait_later(tarn_namespace *ns, tarn_done done, void *context,
                             struct tarn__wait *wait);

/* Takes it back: nobody is told. */
void tarn__wait_cancel(struct tarn__wait *wait);

/* position: what the engine has set. */
void tarn__wait_add(tarn_namespace *ns, uint64_t position, struct tarn__wait *wait);
static inline void tarn__wait_begin(tarn_namespace *ns, uint64_t position, struct tarn__wait *wait)
{
    if (__builtin_expect(position != 0 || wait->completion, 0))
        tarn__wait_add(ns, position, wait);
}

/* With no lock, for a call that goes on to other writes, whose locks one may have that waits for
 * those who wait: it waits for nothing meanwhile, and has to begin with all in the end. */
static inline void tarn__wait_leave(tarn_namespace *ns, struct tarn__wait *wait)
{
    if (__builtin_expect(wait->writes != 0, 0))
        atomic_fetch_sub(&ns->waiting, wait->writes);
    wait->writes = 0;
}

/* In place of tarn__wait_begin(), for all that was written before. Takes the lock itself. What a
 * namespace that is not open gives. */
tarn_status tarn__wait_begin_with_all(tarn_namespace *ns, struct tarn__wait *wait);

/* The completion, if there is one, is gone afterwards. TARN_IO, TARN_OUTCOME_UNKNOWN: what was
 * written may not be durable. */
tarn_status tarn__wait_finish(tarn_namespace *ns, struct tarn__wait *wait);
static inline tarn_status tarn__wait_end(tarn_namespace *ns, struct tarn__wait *wait)
{
    return __builtin_expect(wait->writes == 0, 1) ? TARN_OK : tarn__wait_finish(ns, wait);
}

#endif
