/* The Nth allocation fails; see allocation_fault.h. */
#include "support/allocation_fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

static _Atomic uint64_t fails_at, seen, fired;
static atomic_bool fails_on, counting;

void allocation_fault_arm(uint64_t nth, bool lasting)
{
    atomic_store(&counting, false);
    atomic_store(&fails_at, nth);
    atomic_store(&fails_on, lasting);
    atomic_store(&seen, 0);
    atomic_store(&fired, 0);
}

void allocation_fault_resume(void)
{
    atomic_store(&counting, true);
}

void allocation_fault_pause(void)
{
    atomic_store(&counting, false);
}

uint64_t allocation_fault_fired(void)
{
    return atomic_load(&fired);
}

uint64_t allocation_fault_seen(void)
{
    return atomic_load(&seen);
}

static bool strikes(void)
{
    uint64_t number, nth = atomic_load(&fails_at);

    if (!atomic_load(&counting))
        return false;
    number = 1 + atomic_fetch_add(&seen, 1);
    if (nth == 0 || (atomic_load(&fails_on) ? number < nth : number != nth))
        return false;
    atomic_fetch_add(&fired, 1);
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
    return strikes() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return strikes() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *pointer, size_t bytes)
{
    return strikes() ? NULL : __real_realloc(pointer, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return strikes() ? NULL : __real_aligned_alloc(alignment, bytes);
}
