/*
 * Sectors and contents that are shared until they change: see sim_content.h.
 *
 * What always holds: no sector that is all zeros exists, and sectors[i] is NULL for i >= count, so
 * that equal bytes have equal hashes.
 */
#include "sim_content.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *sim_allocate(size_t bytes)
{
    void *memory = reallocarray(NULL, 1, bytes);

    if (!memory) {
        fprintf(stderr, "the simulated disk has no memory for %zu bytes\n", bytes);
        abort();
    }
    return memset(memory, 0, bytes);
}

void *sim_grow(void *elements, size_t *room, size_t wanted, size_t element_bytes)
{
    size_t larger = *room * 2 > wanted ? *room * 2 : wanted;
    void *memory;

    if (wanted <= *room)
        return elements;
    memory = reallocarray(elements, larger, element_bytes);
    if (!memory) {
        fprintf(stderr, "the simulated disk has no memory for %zu elements\n", larger);
        abort();
    }
    memset((char *)memory + *room * element_bytes, 0, (larger - *room) * element_bytes);
    *room = larger;
    return memory;
}

uint64_t sim_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a * 0x9e3779b97f4a7c15u + b + 0x632be59bd9b4e019u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* --- Sectors ------------------------------------------------------------------------------ */

static const uint8_t zeros[SIM_SECTOR_BYTES];

struct sim_sector *sim_sector_new(const uint8_t bytes[SIM_SECTOR_BYTES])
{
    struct sim_sector *sector;

    if (memcmp(bytes, zeros, SIM_SECTOR_BYTES) == 0)
        return NULL;
    sector = reallocarray(NULL, 1, sizeof *sector);
    if (!sector)
        abort();
    atomic_init(&sector->holders, 1);
    memcpy(sector->bytes, bytes, SIM_SECTOR_BYTES);
    sector->hash = XXH3_64bits(bytes, SIM_SECTOR_BYTES);
    return sector;
}

struct sim_sector *sim_sector_share(struct sim_sector *sector)
{
    if (sector)
        atomic_fetch_add_explicit(&sector->holders, 1, memory_order_relaxed);
    return sector;
}

void sim_sector_release(struct sim_sector *sector)
{
    if (sector && atomic_fetch_sub_explicit(&sector->holders, 1, memory_order_acq_rel) == 1)
        free(sector);
}

const uint8_t *sim_sector_bytes(const struct sim_sector *sector)
{
    return sector ? sector->bytes : zeros;
}

/* What a sector adds to the hash of its content. */
static uint64_t hash_in_place(const struct sim_sector *sector, size_t index)
{
    return sector ? sim_mix(sector->hash, index) : 0;
}

/* --- Contents ----------------------------------------------------------------------------- */

struct sim_content *sim_content_new(void)
{
    struct sim_content *content = sim_allocate(sizeof *content);

    atomic_init(&content->holders, 1);
    return content;
}

struct sim_content *sim_content_share(struct sim_content *content)
{
    atomic_fetch_add_explicit(&content->holders, 1, memory_order_relaxed);
    return content;
}

void sim_content_release(struct sim_content *content)
{
    if (!content || atomic_fetch_sub_explicit(&content->holders, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < content->count; i++)
        sim_sector_release(content->sectors[i]);
    free(content->sectors);
    free(content);
}

void sim_content_own(struct sim_content **content)
{
    struct sim_content *shared = *content;
    struct sim_content *own;

    if (atomic_load_explicit(&shared->holders, memory_order_acquire) == 1)
        return;
    own = sim_content_new();
    own->size = shared->size;
    own->hash = shared->hash;
    own->sectors = sim_grow(NULL, &own->room, shared->count, sizeof *own->sectors);
    own->count = shared->count;
    for (size_t i = 0; i < own->count; i++)
        own->sectors[i] = sim_sector_share(shared->sectors[i]);
    sim_content_release(shared);
    *content = own;
}

struct sim_sector *sim_content_sector(const struct sim_content *content, size_t index)
{
    return index < content->count ? content->sectors[index] : NULL;
}

void sim_content_set(struct sim_content *content, size_t index, struct sim_sector *sector)
{
    struct sim_sector *before = sim_content_sector(content, index);

    if (before == sector)
        return;
    if (index >= content->count) {
        content->sectors =
            sim_grow(content->sectors, &content->room, index + 1, sizeof *content->sectors);
        content->count = index + 1;
    }
    content->hash += hash_in_place(sector, index) - hash_in_place(before, index);
    content->sectors[index] = sim_sector_share(sector);
    sim_sector_release(before);
}

/* Overwrites a part of one sector. */
static void write_in_sector(struct sim_content *content, size_t index, size_t begin,
                            const void *bytes, size_t length)
{
    uint8_t whole[SIM_SECTOR_BYTES];
    struct sim_sector *sector;

    memcpy(whole, sim_sector_bytes(sim_content_sector(content, index)), sizeof whole);
    memcpy(whole + begin, bytes, length);
    sector = sim_sector_new(whole);
    sim_content_set(content, index, sector);
    sim_sector_release(sector);
}

void sim_content_write(struct sim_content *content, uint64_t offset, const void *bytes,
                       size_t length)
{
    const uint8_t *next = bytes;

    while (length > 0) {
        size_t begin = offset % SIM_SECTOR_BYTES;
        size_t piece = SIM_SECTOR_BYTES - begin < length ? SIM_SECTOR_BYTES - begin : length;

        write_in_sector(content, offset / SIM_SECTOR_BYTES, begin, next, piece);
        offset += piece;
        next += piece;
        length -= piece;
    }
}

void sim_content_cut(struct sim_content *content, uint64_t size)
{
    size_t whole = (size + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES;

    content->size = size;
    for (; content->count > whole; content->count--) {
        struct sim_sector *last = content->sectors[content->count - 1];

        content->hash -= hash_in_place(last, content->count - 1);
        content->sectors[content->count - 1] = NULL;
        sim_sector_release(last);
    }
    if (size % SIM_SECTOR_BYTES != 0 && sim_content_sector(content, whole - 1))
        write_in_sector(content, whole - 1, size % SIM_SECTOR_BYTES, zeros,
                        SIM_SECTOR_BYTES - size % SIM_SECTOR_BYTES);
}

void sim_content_read(const struct sim_content *content, uint64_t offset, void *bytes,
                      size_t length)
{
    uint8_t *next = bytes;

    while (length > 0) {
        size_t begin = offset % SIM_SECTOR_BYTES;
        size_t piece = SIM_SECTOR_BYTES - begin < length ? SIM_SECTOR_BYTES - begin : length;
        size_t index = offset / SIM_SECTOR_BYTES;

        memcpy(next, sim_sector_bytes(sim_content_sector(content, index)) + begin, piece);
        offset += piece;
        next += piece;
        length -= piece;
    }
}
