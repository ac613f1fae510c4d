/* A list of locations; see the header. */
#include "index/locations.h"
#include "base/memory.h"

#define CHUNK_LOCATIONS (sizeof(((struct tarn__location_chunk *)0)->locations) / sizeof(uint64_t))

bool tarn__locations_add(struct tarn__locations *list, uint64_t location)
{
    struct tarn__location_chunk *chunk = list->newest;

    if (!chunk || chunk->count == CHUNK_LOCATIONS) {
        chunk = tarn__allocate(sizeof *chunk);
        if (!chunk)
            return false;
        chunk->count = 0;
        chunk->next = list->newest;
        list->newest = chunk;
    }
    chunk->locations[chunk->count++] = location;
    return true;
}

struct tarn__location_chunk *tarn__locations_take(struct tarn__locations *list)
{
    struct tarn__location_chunk *chunk = list->newest;

    if (chunk)
        list->newest = chunk->next;
    return chunk;
}

void tarn__locations_release(struct tarn__locations *list)
{
    struct tarn__location_chunk *chunk;

    while ((chunk = tarn__locations_take(list)))
        tarn__free(chunk);
}
