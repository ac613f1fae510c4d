/*
 * A lock of four bytes, for sections of a few hundred instructions.
 *
 * Taking it is one locked instruction, giving it back a plain store, so that the processor need not
 * wait at the end of a section for the memory that was read in it: a write of the next key begins
 * while the record of this one is still on its way. (A mutex of the C library has a locked
 * instruction at both ends, which makes overwriting a third slower once the data is larger than
 * the cache.) The price is that nobody is woken: who waits looks again, see tarn__os_pause().
 */
#ifndef TARN_BASE_LOCK_H
#define TARN_BASE_LOCK_H

#include "tarn.h"

#include <stdatomic.h>

struct tarn__lock {
    _Atomic uint32_t held; /* 0 or 1; a lock of zeroed memory is free */
};

static inline bool tarn__lock_try(struct tarn__lock *lock)
{
    return !atomic_load_explicit(&lock->held, memory_order_relaxed) &&
           !atomic_exchange_explicit(&lock->held, 1, memory_order_acquire);
}

static inline void tarn__lock_give(struct tarn__lock *lock)
{
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}

/* Tells the processor that this is a loop that waits. */
static inline void tarn__relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
