/* A source of memory that counts and fails; see page_source.h. */
#include "support/page_source.h"
#include "base/status.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

/* The context is const for the library; here it is what counts. */
static struct page_source *source_of(const void *context)
{
    return (struct page_source *)context;
}

static void *map(const void *context, size_t bytes, size_t alignment, bool huge)
{
    struct page_source *source = source_of(context);
    uint64_t number = 1 + atomic_fetch_add_explicit(&source->maps, 1, memory_order_relaxed);
    uint64_t fail_at = atomic_load_explicit(&source->fail_at, memory_order_relaxed);
    const struct tarn__os *os = tarn__os_posix();
    void *address;

    (void)huge; /* a test is quicker with small pages */
    if (fail_at && (number == fail_at || (number > fail_at && source->lasting))) {
        tarn__fail_system(TARN_NO_MEMORY, ENOMEM, "the test gave no memory");
        return NULL;
    }
    address = os->memory_map(os, bytes, alignment, false);
    if (address)
        atomic_fetch_add_explicit(&source->bytes, bytes, memory_order_relaxed);
    return address;
}

static void unmap(const void *context, void *address, size_t bytes)
{
    struct page_source *source = source_of(context);
    const struct tarn__os *os = tarn__os_posix();

    atomic_fetch_add_explicit(&source->unmaps, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&source->bytes, bytes, memory_order_relaxed);
    os->memory_unmap(os, address, bytes);
}

static void populate(const void *context, void *address, size_t bytes)
{
    const struct tarn__os *os = tarn__os_posix();

    atomic_fetch_add_explicit(&source_of(context)->populates, 1, memory_order_relaxed);
    os->memory_populate(os, address, bytes);
}

void page_source_init(struct page_source *source)
{
    memset(source, 0, sizeof *source);
    source->source.context = source;
    source->source.map = map;
    source->source.unmap = unmap;
    source->source.populate = populate;
}
