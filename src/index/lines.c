/* An array of lines that grows without moving; see the header. */
#include "index/lines.h"
#include "base/memory.h"

#include <string.h>

/* The first line of a chunk, and with that how many there are before it. */
static uint64_t first_line(size_t chunk)
{
    if (chunk == 0)
        return 0;
    return chunk <= 5 ? (uint64_t)32 << chunk : (uint64_t)(chunk - 4) << 10;
}

static tarn_status add_chunk(struct tarn__lines *lines)
{
    size_t chunk = lines->chunk_count;
    uint64_t first = first_line(chunk);
    size_t bytes = (size_t)(first_line(chunk + 1) - first) * sizeof(struct tarn__line);
    struct tarn__block block;
    uintptr_t biased;
    tarn_status status;

    if (chunk == lines->chunk_capacity) {
        size_t capacity = chunk * 2 + 8;
        uint64_t *locations =
            tarn__reallocate(lines->locations, capacity * sizeof lines->locations[0]);

        if (!locations)
            return TARN_NO_MEMORY;
        lines->locations = locations;
        lines->chunk_capacity = capacity;
    }
    status = tarn__pages_take(lines->pages, bytes, lines, &block);
    if (status)
        return status;
    if (!block.zeroed)
        memset(block.base, 0, bytes);
    biased = (uintptr_t)block.base - first * sizeof(struct tarn__line);
    status = tarn__pointer_table_set(&lines->chunks, chunk, (void *)biased);
    if (status) {
        tarn__pages_give(lines->pages, block.location);
        return status;
    }
    lines->locations[lines->chunk_count++] = block.location;
    atomic_fetch_add_explicit(&lines->bytes, bytes, memory_order_release);
    return TARN_OK;
}

tarn_status tarn__lines_reserve(struct tarn__lines *lines, uint64_t count)
{
    tarn_status status = TARN_OK;

    while (!status && first_line(lines->chunk_count) < count)
        status = add_chunk(lines);
    return status;
}

void tarn__lines_release(struct tarn__lines *lines)
{
    for (size_t i = 0; i < lines->chunk_count; i++)
        tarn__pages_give(lines->pages, lines->locations[i]);
    tarn__free(lines->locations);
    tarn__pointer_table_release(&lines->chunks);
    lines->locations = NULL;
    lines->chunk_count = lines->chunk_capacity = 0;
    atomic_store_explicit(&lines->bytes, 0, memory_order_relaxed);
}
