/*
 * The table of the operating system, for Linux: memory and mapped files.
 *
 * Anonymous regions are made a little larger than asked for where they have to be aligned, and the
 * ends are given back at once. Lengths are rounded up to whole pages on both sides, map and unmap,
 * so that the caller need not know how large a page is. There is no state; every function may be
 * called by any thread.
 */
#include "base/status.h"
#include "os/os_posix.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Since Linux 5.14; an older kernel refuses the numbers, which costs nothing but time. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static size_t page_bytes(void)
{
    long bytes = sysconf(_SC_PAGESIZE); /* a value that the C library knows: no system call */

    return bytes > 0 ? (size_t)bytes : 4096;
}

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) & ~(unit - 1);
}

/* munmap() of a whole region can fail, where the kernel joined it with its neighbours and splitting
 * them would take one mapping more than the process may have. The address space is then lost; the
 * memory is not. */
static void give_back(char *address, size_t bytes)
{
    if (bytes == 0)
        return;
    if (munmap(address, bytes) != 0)
        (void)madvise(address, bytes, MADV_DONTNEED); /* nobody is left whom an error would help */
}

void *tarn__posix_memory_map(const struct tarn__os *os, size_t bytes, size_t alignment, bool huge)
{
    size_t page = page_bytes();
    size_t length, whole;
    char *region, *aligned;

    (void)os;
    assert(bytes > 0 && alignment >= 4096 && (alignment & (alignment - 1)) == 0);
    if (bytes > SIZE_MAX / 2 || alignment > SIZE_MAX / 4) {
        tarn__fail_system(TARN_NO_MEMORY, ENOMEM, "no memory for a region of %zu bytes", bytes);
        return NULL;
    }
    length = round_up(bytes, page);
    whole = alignment > page ? length + alignment - page : length;
    region = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) {
        tarn__fail_system(TARN_NO_MEMORY, errno, "no memory for a region of %zu bytes", bytes);
        return NULL;
    }
    aligned = (char *)round_up((size_t)region, alignment);
    give_back(region, (size_t)(aligned - region));
    give_back(aligned + length, (size_t)(region + whole - (aligned + length)));
    if (huge)
        (void)madvise(aligned, length, MADV_HUGEPAGE); /* advice: a kernel without them says no */
    return aligned;
}

void tarn__posix_memory_unmap(const struct tarn__os *os, void *address, size_t bytes)
{
    (void)os;
    if (address)
        give_back(address, round_up(bytes, page_bytes()));
}

bool tarn__posix_memory_forget_in_child(const struct tarn__os *os, void *address, size_t bytes)
{
    (void)os;
    return madvise(address, round_up(bytes, page_bytes()), MADV_WIPEONFORK) == 0;
}

static void advise(void *address, size_t bytes, int advice)
{
    size_t page = page_bytes();
    size_t begin = (size_t)address & ~(page - 1);
    size_t end = round_up((size_t)address + bytes, page);

    /* Best effort, by contract. */
    if (bytes > 0)
        (void)madvise((void *)begin, end - begin, advice);
}

void tarn__posix_memory_populate(const struct tarn__os *os, void *address, size_t bytes)
{
    (void)os;
    advise(address, bytes, MADV_POPULATE_WRITE);
}

int tarn__posix_map(const struct tarn__os *os, int file, uint64_t offset, size_t bytes,
                    bool writable, void **address)
{
    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *mapped;

    (void)os;
    if (offset > INT64_MAX)
        return EINVAL;
    mapped = mmap(NULL, bytes, protection, MAP_SHARED, file, (off_t)offset);
    if (mapped == MAP_FAILED)
        return errno;
    *address = mapped;
    return 0;
}

int tarn__posix_unmap(const struct tarn__os *os, void *address, size_t bytes)
{
    (void)os;
    return munmap(address, bytes) == 0 ? 0 : errno;
}

void tarn__posix_map_write(const struct tarn__os *os, void *destination, const void *source,
                           size_t length)
{
    (void)os;
    if (length > 0)
        memcpy(destination, source, length);
}

void tarn__posix_map_populate(const struct tarn__os *os, void *address, size_t bytes, bool writable)
{
    (void)os;
    advise(address, bytes, writable ? MADV_POPULATE_WRITE : MADV_WILLNEED);
}

void tarn__posix_map_at_random(const struct tarn__os *os, void *address, size_t bytes)
{
    (void)os;
    advise(address, bytes, MADV_RANDOM);
}
