/* Memory from the C library, and the buffers that callers own. */
#include "base/memory.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

static void *checked(void *pointer, size_t bytes)
{
    if (!pointer)
        tarn__fail(TARN_NO_MEMORY, "there is not enough memory for %zu bytes more", bytes);
    return pointer;
}

void *tarn__allocate(size_t bytes)
{
    return checked(malloc(bytes), bytes);
}

void *tarn__allocate_zeroed(size_t bytes)
{
    return checked(calloc(1, bytes), bytes);
}

void *tarn__allocate_lines(size_t bytes)
{
    size_t rounded = (bytes + 63) & ~(size_t)63;
    void *pointer = aligned_alloc(64, rounded);

    if (pointer)
        memset(pointer, 0, rounded);
    return checked(pointer, bytes);
}

void *tarn__reallocate(void *pointer, size_t bytes)
{
    return checked(bytes <= PTRDIFF_MAX ? realloc(pointer, bytes) : NULL, bytes);
}

void tarn__free(void *pointer)
{
    free(pointer);
}

tarn_status tarn__buf_reserve(struct tarn_buf *buf, size_t capacity)
{
    size_t rounded = buf->capacity < 64 ? 64 : buf->capacity;
    void *data;

    if (capacity <= buf->capacity)
        return TARN_OK;
    while (rounded < capacity && rounded <= SIZE_MAX / 2)
        rounded += rounded / 2;
    if (rounded < capacity)
        rounded = capacity;
    data = tarn__reallocate(buf->data, rounded);
    if (!data)
        return TARN_NO_MEMORY;
    buf->data = data;
    buf->capacity = rounded;
    return TARN_OK;
}

void tarn_buf_release(struct tarn_buf *buf)
{
    if (!buf)
        return;
    tarn__free(buf->data);
    memset(buf, 0, sizeof *buf);
}
