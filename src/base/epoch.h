/*
 * Epochs: when may memory that readers might still look at be used again?
 *
 * A reader announces itself in a section, which holds the epoch at which it entered. Whoever makes
 * something unreachable stamps it with the epoch of that moment; it may be reused once the epoch is
 * two further. The epoch advances only when every section that is in use has seen the present one,
 * so two advances mean that every reader of the time of the stamp has left.
 * (K. Fraser, Practical lock-freedom, 2004, chapter 5.2.3.)
 *
 * Sections belong to no thread: a thread claims the one that it used last, or else the next free
 * one, with one atomic exchange, and gives it back when it leaves. So nothing is registered,
 * nothing happens when a thread ends, and as long as no two threads have the same section in mind
 * they write no common cache line.
 *
 * There is no thread behind this. Writers poll, with tarn__epoch_advance().
 * A section may not be entered twice by one thread, and nothing may block inside.
 */
#ifndef TARN_BASE_EPOCH_H
#define TARN_BASE_EPOCH_H

#include "tarn.h"

#include <stdatomic.h>

#define TARN__SECTIONS_PER_BLOCK 64

struct tarn__section {
    _Alignas(64) _Atomic uint64_t entered; /* the epoch at entry, or 0 while nobody is inside */
};

struct tarn__section_block {
    struct tarn__section sections[TARN__SECTIONS_PER_BLOCK];
    _Atomic(struct tarn__section_block *) next;
};

struct tarn__epoch {
    _Alignas(64) _Atomic uint64_t now;
    struct tarn__section_block first;
};

void tarn__epoch_init(struct tarn__epoch *epoch);

/* Nobody may be inside. */
void tarn__epoch_release(struct tarn__epoch *epoch);

/* The slow way in: looks for a free section from the one given on. */
struct tarn__section *tarn__epoch_enter_elsewhere(struct tarn__epoch *epoch, uint64_t now);

/* Which of the first block's sections this thread used last; a good number to spread threads by. */
extern _Thread_local uint32_t tarn__section_hint __attribute__((tls_model("initial-exec")));

/* No load of the section may pass the store that announces it. On x86 the exchange, a locked
 * instruction, sees to that. */
static inline void tarn__epoch_fence(void)
{
#if !defined(__x86_64__)
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Never fails. What is reachable now stays readable until tarn__epoch_leave(). */
static inline struct tarn__section *tarn__epoch_enter(struct tarn__epoch *epoch)
{
    struct tarn__section *section = &epoch->first.sections[tarn__section_hint];
    uint64_t now = atomic_load_explicit(&epoch->now, memory_order_acquire);
    uint64_t free = 0;

    if (atomic_compare_exchange_strong_explicit(&section->entered, &free, now, memory_order_seq_cst,
                                                memory_order_relaxed)) {
        tarn__epoch_fence();
        return section;
    }
    section = tarn__epoch_enter_elsewhere(epoch, now);
    tarn__epoch_fence();
    return section;
}

static inline void tarn__epoch_leave(struct tarn__section *section)
{
    atomic_store_explicit(&section->entered, 0, memory_order_release);
}

/* The stamp for what was made unreachable before this call. */
uint64_t tarn__epoch_stamp(struct tarn__epoch *epoch);

/* Whether every reader of the time of the stamp has left. */
bool tarn__epoch_passed(struct tarn__epoch *epoch, uint64_t stamp);

/* Advances the epoch if all readers have seen the present one. Never blocks. */
bool tarn__epoch_advance(struct tarn__epoch *epoch);

#endif
