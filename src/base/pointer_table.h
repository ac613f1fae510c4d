/*
 * A table of pointers that grows while others read it without a lock.
 *
 * Growing copies the pointers into a block of twice the size and publishes that. The blocks before
 * stay until the table is released: together they are as large as the newest, and nobody has to
 * wait for readers. One thread at a time may write.
 *
 * A reader that learned an index from something that was published after tarn__pointer_table_set()
 * sees the pointer.
 */
#ifndef TARN_BASE_POINTER_TABLE_H
#define TARN_BASE_POINTER_TABLE_H

#include "tarn.h"

#include <stdatomic.h>

struct tarn__pointer_block {
    struct tarn__pointer_block *before;
    size_t capacity;
    _Atomic(void *) entries[];
};

struct tarn__pointer_table {
    _Atomic(struct tarn__pointer_block *) newest; /* NULL while nothing was ever set */
};

/* index must have been set before, in the sense of the head. */
static inline void *tarn__pointer_table_get(struct tarn__pointer_table *table, size_t index)
{
    struct tarn__pointer_block *block = atomic_load_explicit(&table->newest, memory_order_acquire);

    return atomic_load_explicit(&block->entries[index], memory_order_acquire);
}

/* TARN_NO_MEMORY; never where the index was set before. */
tarn_status tarn__pointer_table_set(struct tarn__pointer_table *table, size_t index, void *pointer);

size_t tarn__pointer_table_bytes(struct tarn__pointer_table *table);

/* Nobody may read it any more. The table is empty afterwards. */
void tarn__pointer_table_release(struct tarn__pointer_table *table);

#endif
