/* Tombstones; see the header. */
#include "namespace/tombstones.h"
#include "base/memory.h"

#include <string.h>

#define CAPACITY_MIN ((size_t)64)

void tarn__tombstones_release(struct tarn__tombstones *tombstones)
{
    tarn__free(tombstones->table);
    tarn_buf_release(&tombstones->keys);
    memset(tombstones, 0, sizeof *tombstones);
}

/* The place of a key, or the free one where it belongs. There is one. */
static struct tarn__tombstone *place_of(const struct tarn__tombstones *tombstones,
                                        struct tarn_slice key, uint64_t hash)
{
    size_t mask = tombstones->capacity - 1;

    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        struct tarn__tombstone *tombstone = &tombstones->table[at];

        if (!tombstone->sequence ||
            (tombstone->hash == hash && tombstone->key_length == key.length &&
             memcmp((const char *)tombstones->keys.data + tombstone->key_at, key.data,
                    key.length) == 0))
            return tombstone;
    }
}

static tarn_status grow(struct tarn__tombstones *tombstones)
{
    size_t capacity = tombstones->capacity ? 2 * tombstones->capacity : CAPACITY_MIN;
    struct tarn__tombstone *table = tarn__allocate_zeroed(capacity * sizeof *table);

    if (!table)
        return TARN_NO_MEMORY;
    for (size_t i = 0; i < tombstones->capacity; i++) {
        const struct tarn__tombstone *tombstone = &tombstones->table[i];
        size_t at = (size_t)tombstone->hash & (capacity - 1);

        while (tombstone->sequence && table[at].sequence)
            at = (at + 1) & (capacity - 1);
        if (tombstone->sequence)
            table[at] = *tombstone;
    }
    tarn__free(tombstones->table);
    tombstones->table = table;
    tombstones->capacity = capacity;
    return TARN_OK;
}

tarn_status tarn__tombstones_add(struct tarn__tombstones *tombstones, struct tarn_slice key,
                                 uint64_t hash, uint64_t sequence)
{
    struct tarn_buf *keys = &tombstones->keys;
    struct tarn__tombstone *tombstone;
    tarn_status status = TARN_OK;

    if (4 * (tombstones->count + 1) > 3 * tombstones->capacity)
        status = grow(tombstones);
    if (status)
        return status;
    tombstone = place_of(tombstones, key, hash);
    if (tombstone->sequence) {
        if (sequence > tombstone->sequence)
            tombstone->sequence = sequence;
        return TARN_OK;
    }
    status = tarn__buf_reserve(keys, keys->length + key.length);
    if (status)
        return status;
    memcpy((char *)keys->data + keys->length, key.data, key.length);
    *tombstone = (struct tarn__tombstone){
        .hash = hash, .sequence = sequence, .key_at = keys->length, .key_length = key.length};
    keys->length += key.length;
    tombstones->count++;
    return TARN_OK;
}

uint64_t tarn__tombstones_find(const struct tarn__tombstones *tombstones, struct tarn_slice key,
                               uint64_t hash)
{
    return tombstones->count ? place_of(tombstones, key, hash)->sequence : 0;
}
