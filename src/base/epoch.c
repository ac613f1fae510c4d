/*
 * Epochs; see epoch.h for the idea.
 *
 * Why two advances are enough. Let something be made unreachable, then stamped with epoch s. A
 * reader that reached it loaded the way to it before that, so it had claimed its section before. To
 * move from s+1 to s+2, all sections are looked at while the epoch is s+1. The reader's holds an
 * epoch of at most s, which prevents the advance; it cannot hold s+1, because who has read s+1 also
 * sees all that was done before the stamp, and would not have reached the thing.
 */
#include "base/epoch.h"
#include "base/memory.h"

_Thread_local uint32_t tarn__section_hint __attribute__((tls_model("initial-exec")));

void tarn__epoch_init(struct tarn__epoch *epoch)
{
    atomic_init(&epoch->now, 2);
    for (size_t i = 0; i < TARN__SECTIONS_PER_BLOCK; i++)
        atomic_init(&epoch->first.sections[i].entered, 0);
    atomic_init(&epoch->first.next, NULL);
}

void tarn__epoch_release(struct tarn__epoch *epoch)
{
    struct tarn__section_block *block = atomic_load(&epoch->first.next);

    while (block) {
        struct tarn__section_block *next = atomic_load(&block->next);

        tarn__free(block);
        block = next;
    }
}

static struct tarn__section *claim_in(struct tarn__section_block *block, uint32_t start,
                                      uint64_t now)
{
    for (uint32_t i = 0; i < TARN__SECTIONS_PER_BLOCK; i++) {
        uint32_t at = (start + i) % TARN__SECTIONS_PER_BLOCK;
        uint64_t free = 0;

        if (atomic_compare_exchange_strong_explicit(&block->sections[at].entered, &free, now,
                                                    memory_order_seq_cst, memory_order_relaxed)) {
            tarn__section_hint = at;
            return &block->sections[at];
        }
    }
    return NULL;
}

/* More readers at once than there are sections. Without memory for more, the caller tries again:
 * sections become free all the time. */
static void add_block(struct tarn__section_block *last)
{
    struct tarn__section_block *none = NULL;
    struct tarn__section_block *block = tarn__allocate_lines(sizeof *block);

    if (block && !atomic_compare_exchange_strong(&last->next, &none, block))
        tarn__free(block);
}

struct tarn__section *tarn__epoch_enter_elsewhere(struct tarn__epoch *epoch, uint64_t now)
{
    /* Each thread's address of the hint is another: who meets for the first time parts at once. */
    uint32_t start = tarn__section_hint + 1 + (uint32_t)((uintptr_t)&tarn__section_hint >> 12) % 31;

    for (;;) {
        struct tarn__section_block *block = &epoch->first;

        for (;;) {
            struct tarn__section *section = claim_in(block, start, now);
            struct tarn__section_block *next = atomic_load(&block->next);

            if (section)
                return section;
            if (!next)
                break;
            block = next;
        }
        add_block(block);
    }
}

uint64_t tarn__epoch_stamp(struct tarn__epoch *epoch)
{
    /* Read-modify-write, so that it is ordered after the stores that made the thing unreachable. */
    return atomic_fetch_add_explicit(&epoch->now, 0, memory_order_seq_cst);
}

bool tarn__epoch_passed(struct tarn__epoch *epoch, uint64_t stamp)
{
    return atomic_load_explicit(&epoch->now, memory_order_acquire) >= stamp + 2;
}

bool tarn__epoch_advance(struct tarn__epoch *epoch)
{
    uint64_t now = atomic_load_explicit(&epoch->now, memory_order_seq_cst);
    struct tarn__section_block *block = &epoch->first;

    for (; block; block = atomic_load_explicit(&block->next, memory_order_acquire)) {
        for (size_t i = 0; i < TARN__SECTIONS_PER_BLOCK; i++) {
            uint64_t entered =
                atomic_load_explicit(&block->sections[i].entered, memory_order_seq_cst);

            if (entered && entered != now)
                return false;
        }
    }
    return atomic_compare_exchange_strong_explicit(&epoch->now, &now, now + 1, memory_order_seq_cst,
                                                   memory_order_relaxed);
}
