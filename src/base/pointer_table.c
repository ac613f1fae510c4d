/* A table of pointers that grows under its readers; see the header. */
#include "base/pointer_table.h"
#include "base/memory.h"

static struct tarn__pointer_block *grown(struct tarn__pointer_block *old, size_t index)
{
    size_t capacity = old ? old->capacity * 2 : 16;
    struct tarn__pointer_block *block;

    while (capacity <= index)
        capacity *= 2;
    block = tarn__allocate_zeroed(sizeof *block + capacity * sizeof block->entries[0]);
    if (!block)
        return NULL;
    block->before = old;
    block->capacity = capacity;
    for (size_t i = 0; old && i < old->capacity; i++) {
        void *entry = atomic_load_explicit(&old->entries[i], memory_order_relaxed);

        atomic_store_explicit(&block->entries[i], entry, memory_order_relaxed);
    }
    return block;
}

tarn_status tarn__pointer_table_set(struct tarn__pointer_table *table, size_t index, void *pointer)
{
    struct tarn__pointer_block *block = atomic_load_explicit(&table->newest, memory_order_relaxed);

    if (!block || index >= block->capacity) {
        block = grown(block, index);
        if (!block)
            return TARN_NO_MEMORY;
        atomic_store_explicit(&table->newest, block, memory_order_release);
    }
    atomic_store_explicit(&block->entries[index], pointer, memory_order_release);
    return TARN_OK;
}

size_t tarn__pointer_table_bytes(struct tarn__pointer_table *table)
{
    struct tarn__pointer_block *block = atomic_load_explicit(&table->newest, memory_order_acquire);
    size_t bytes = 0;

    for (; block; block = block->before)
        bytes += sizeof *block + block->capacity * sizeof block->entries[0];
    return bytes;
}

void tarn__pointer_table_release(struct tarn__pointer_table *table)
{
    struct tarn__pointer_block *block = atomic_load_explicit(&table->newest, memory_order_relaxed);

    atomic_store_explicit(&table->newest, NULL, memory_order_relaxed);
    while (block) {
        struct tarn__pointer_block *before = block->before;

        tarn__free(block);
        block = before;
    }
}
