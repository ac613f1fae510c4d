/*
 * The bytes of a file of the simulated disk, in sectors of 512 bytes that many contents share.
 *
 *     content --> [ sector 0 | sector 1 |  NULL  | sector 3 ]     NULL: 512 zeros
 *                      |          |                   |
 *     content --> [ sector 0 | another|  NULL  | sector 3 ]       a copy, after one write
 *
 * A sector never changes once it is made: a write makes a new one and puts it in the place of the
 * old. So what was written at some moment is kept by keeping its sectors, and a content is copied
 * by copying pointers. Contents are shared too, and copied when one of their holders wants to write
 * (sim_content_own). Each has a hash over its sectors that every change keeps up to date.
 *
 * Sectors and contents count their holders atomically, so that disks which share them may be used
 * by different threads. A content itself is guarded by the mutex of the disk that holds it.
 *
 * Memory that is not there ends the test: nothing here fails.
 */
#ifndef TARN_TESTS_SIM_CONTENT_H
#define TARN_TESTS_SIM_CONTENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_SECTOR_BYTES 512

struct sim_sector {
    _Atomic uint32_t holders;
    uint64_t hash;
    uint8_t bytes[SIM_SECTOR_BYTES];
};

struct sim_content {
    _Atomic uint32_t holders;
    uint64_t size; /* of the file; sectors may lie behind it */
    uint64_t hash; /* the sum over the sectors of what each is in its place */
    size_t count;  /* sectors from here on are NULL */
    size_t room;
    struct sim_sector **sectors;
};

/* Zeroed memory, or room for more elements, where there is any; otherwise they end the test. They
 * do not use the functions that support/allocation_fault.h makes fail. To be given to free(). */
void *sim_allocate(size_t bytes);
void *sim_grow(void *elements, size_t *room, size_t wanted, size_t element_bytes);

/* A sector with these bytes, or NULL where they are all zero. */
struct sim_sector *sim_sector_new(const uint8_t bytes[SIM_SECTOR_BYTES]);
struct sim_sector *sim_sector_share(struct sim_sector *sector); /* NULL is allowed */
void sim_sector_release(struct sim_sector *sector);             /* NULL is allowed */
const uint8_t *sim_sector_bytes(const struct sim_sector *sector);

/* An empty content; one holder more; one less. */
struct sim_content *sim_content_new(void);
struct sim_content *sim_content_share(struct sim_content *content);
void sim_content_release(struct sim_content *content); /* NULL is allowed */

/* Makes *content the caller's alone, so that it may be changed. */
void sim_content_own(struct sim_content **content);

/* The sector in this place, still the content's; may be NULL. */
struct sim_sector *sim_content_sector(const struct sim_content *content, size_t index);

/* From here on the content must be the caller's alone. */

/* Puts a sector in a place, as one more holder. */
void sim_content_set(struct sim_content *content, size_t index, struct sim_sector *sector);

/* Overwrites bytes, whatever the size says. */
void sim_content_write(struct sim_content *content, uint64_t offset, const void *bytes,
                       size_t length);

/* Sets the size; what lies behind it becomes zero. */
void sim_content_cut(struct sim_content *content, uint64_t size);

/* Reads bytes, whatever the size says. */
void sim_content_read(const struct sim_content *content, uint64_t offset, void *bytes,
                      size_t length);

/* Mixes two numbers into one that looks random. */
uint64_t sim_mix(uint64_t a, uint64_t b);

#endif
