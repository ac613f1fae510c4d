/*
 * A list of locations that grows by chunks: adding one never moves those that are there, so that
 * it takes as long with a million as with ten. Whoever uses a list sees to it that one thread does.
 */
#ifndef TARN_INDEX_LOCATIONS_H
#define TARN_INDEX_LOCATIONS_H

#include "tarn.h"

struct tarn__location_chunk {
    struct tarn__location_chunk *next;
    size_t count;
    uint64_t locations[510];
};

struct tarn__locations {
    struct tarn__location_chunk *newest; /* NULL: empty */
};

/* false: no memory; the list is as it was. */
bool tarn__locations_add(struct tarn__locations *list, uint64_t location);

/* Takes out a chunk, to be freed with tarn__free(); NULL where there is none. */
struct tarn__location_chunk *tarn__locations_take(struct tarn__locations *list);

/* The list is empty afterwards. */
void tarn__locations_release(struct tarn__locations *list);

#endif
