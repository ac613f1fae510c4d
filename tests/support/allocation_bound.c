/* The largest allocation; see allocation_bound.h. */
#include "support/allocation_bound.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

static _Atomic size_t bound, largest;
static atomic_bool watching;

void allocation_bound_begin(size_t bytes_max)
{
    atomic_store(&bound, bytes_max);
    atomic_store(&largest, 0);
    atomic_store(&watching, true);
}

size_t allocation_bound_end(void)
{
    atomic_store(&watching, false);
    return atomic_load(&largest);
}

/* Whether it is to be refused. */
static bool is_beyond(size_t bytes)
{
    size_t before = atomic_load(&largest);

    if (!atomic_load(&watching))
        return false;
    while (bytes > before && !atomic_compare_exchange_weak(&largest, &before, bytes))
        ;
    if (bytes <= atomic_load(&bound))
        return false;
    errno = ENOMEM;
    return true;
}

/* The names are the linker's. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *pointer, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *pointer, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    return is_beyond(bytes) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    size_t product;

    if (__builtin_mul_overflow(count, bytes, &product))
        product = SIZE_MAX;
    return is_beyond(product) ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *pointer, size_t bytes)
{
    return is_beyond(bytes) ? NULL : __real_realloc(pointer, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return is_beyond(bytes) ? NULL : __real_aligned_alloc(alignment, bytes);
}
