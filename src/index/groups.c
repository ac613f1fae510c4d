/*
 * Groups: how the hash space is divided, and how far each part has grown; see index.h.
 *
 * Why dividing moves nothing. Bucket j of group g, of 2^bits, has the number j << bits | g. With
 * one bit more, the same number is bucket j >> 1 of group (j & 1) << bits | g. The even buckets of
 * g stay with g, the odd ones go to its new sibling, and each of the two is again a valid state of
 * linear hashing, in which every bucket shares as many bits as before.
 */
#include "base/hash.h"
#include "base/memory.h"
#include "index/index.h"

#include <string.h>

static struct tarn__groups *allocate_groups(uint32_t bits, uint32_t shard_count)
{
    size_t count = (size_t)1 << bits;
    size_t bytes = sizeof(struct tarn__groups) + count * (3 * sizeof(uint32_t) + sizeof(uint16_t));
    struct tarn__groups *groups = tarn__allocate_zeroed(bytes);

    if (!groups)
        return NULL;
    groups->bits = bits;
    groups->mask = (uint32_t)count - 1;
    groups->shard_count = shard_count;
    groups->buckets = (void *)(groups + 1);
    groups->keys = (uint32_t *)(groups->buckets + count);
    groups->next = groups->keys + count;
    groups->shard = (uint16_t *)(groups->next + count);
    groups->bytes = bytes;
    return groups;
}

/* Each group is one partition of jump consistent hash, whatever its number of bits. */
static void assign_shards(struct tarn__groups *groups)
{
    uint32_t last[TARN_SHARDS_MAX];

    memset(last, 0xff, sizeof last);
    for (uint32_t group = 0; group < 1u << groups->bits; group++) {
        /* mixed, as the paper expects keys that are hashes */
        uint32_t shard = tarn__jump_hash(XXH3_64bits(&group, sizeof group), groups->shard_count);

        groups->shard[group] = (uint16_t)shard;
        groups->next[group] = TARN__NO_GROUP;
        if (last[shard] != TARN__NO_GROUP)
            groups->next[last[shard]] = group;
        last[shard] = group;
    }
}

uint32_t tarn__groups_bits_for(uint32_t shard_count)
{
    uint32_t bits = 0;

    if (shard_count == 1)
        return 0;
    while (1u << bits < shard_count)
        bits++;
    return bits + 4 < TARN__GROUP_BITS_MAX ? bits + 4 : TARN__GROUP_BITS_MAX;
}

struct tarn__groups *tarn__groups_create(uint32_t bits, uint32_t shard_count)
{
    struct tarn__groups *groups = allocate_groups(bits, shard_count);

    if (!groups)
        return NULL;
    for (uint32_t group = 0; group < 1u << bits; group++)
        atomic_init(&groups->buckets[group], 1);
    assign_shards(groups);
    return groups;
}

void tarn__groups_free(struct tarn__groups *groups)
{
    while (groups) {
        struct tarn__groups *before = groups->before;

        tarn__free(groups);
        groups = before;
    }
}

static uint32_t count_bucket(struct tarn__index *index, uint64_t bucket)
{
    struct tarn__line *line = tarn__line_at(&index->buckets, bucket);
    uint32_t count = 0;

    for (; line; line = tarn__line_next(index, line)) {
        for (unsigned i = 0; i < TARN__LINE_SLOTS; i++) {
            uint64_t slot = atomic_load_explicit(&line->slots[i], memory_order_relaxed);

            count += !tarn__slot_is_link(slot) && tarn__slot_location(slot);
        }
    }
    return count;
}

uint32_t tarn__groups_bits_possible(const struct tarn__groups *groups)
{
    uint32_t least = UINT32_MAX;
    uint32_t bits = groups->bits;

    for (uint32_t group = 0; group < 1u << groups->bits; group++) {
        uint32_t buckets = atomic_load_explicit(&groups->buckets[group], memory_order_relaxed);

        if (buckets < least)
            least = buckets;
    }
    for (; least >= 2 && bits < TARN__GROUP_BITS_MAX; least /= 2)
        bits++;
    return bits;
}

/* Gives each new group its share of its parent's buckets, and counts the keys in them. */
static void divide(struct tarn__index *index, const struct tarn__groups *from,
                   struct tarn__groups *to)
{
    uint32_t ways = 1u << (to->bits - from->bits);

    for (uint32_t group = 0; group < 1u << to->bits; group++) {
        uint32_t parent = group & from->mask;
        uint32_t first = group >> from->bits; /* of the parent's buckets; then every ways'th */
        uint32_t buckets = atomic_load_explicit(&from->buckets[parent], memory_order_relaxed);

        buckets = (buckets - first + ways - 1) / ways;
        atomic_init(&to->buckets[group], buckets);
        for (uint32_t i = 0; i < buckets; i++)
            to->keys[group] += count_bucket(index, (uint64_t)i << to->bits | group);
    }
}

struct tarn__groups *tarn__groups_divide(struct tarn__index *index, uint32_t bits,
                                         uint32_t shard_count)
{
    struct tarn__groups *from = atomic_load_explicit(&index->groups, memory_order_relaxed);
    struct tarn__groups *to = allocate_groups(bits, shard_count);

    if (!to)
        return NULL;
    if (bits > from->bits) {
        divide(index, from, to);
    } else {
        for (uint32_t group = 0; group < 1u << bits; group++) {
            uint32_t buckets = atomic_load_explicit(&from->buckets[group], memory_order_relaxed);

            atomic_init(&to->buckets[group], buckets);
            to->keys[group] = from->keys[group];
        }
    }
    assign_shards(to);
    return to;
}

void tarn__growth_reset(struct tarn__growth *growth)
{
    memset(growth, 0, sizeof *growth);
    growth->first_group = growth->group = TARN__NO_GROUP;
    growth->row = UINT32_MAX;
}

void tarn__growth_add_group(struct tarn__growth *growth, const struct tarn__groups *groups,
                            uint32_t group)
{
    uint32_t buckets = atomic_load_explicit(&groups->buckets[group], memory_order_relaxed);

    if (growth->first_group == TARN__NO_GROUP)
        growth->first_group = growth->group = group;
    growth->keys += groups->keys[group];
    growth->buckets += buckets;
    if (buckets < growth->row)
        growth->row = buckets;
}

struct tarn__groups *tarn__index_publish(struct tarn__index *index, struct tarn__groups *groups)
{
    struct tarn__groups *before = atomic_load_explicit(&index->groups, memory_order_relaxed);

    atomic_store_explicit(&index->groups, groups, memory_order_release);
    return before;
}

bool tarn__index_wants_groups(const struct tarn__index *index, const struct tarn__growth *growth)
{
    const struct tarn__groups *groups = atomic_load_explicit(&index->groups, memory_order_relaxed);

    return groups->bits < TARN__GROUP_BITS_MAX && growth->row >= 3;
}

uint64_t tarn__index_bytes(struct tarn__index *index)
{
    struct tarn__groups *groups = atomic_load_explicit(&index->groups, memory_order_acquire);
    uint64_t bytes = atomic_load_explicit(&index->buckets.bytes, memory_order_relaxed) +
                     atomic_load_explicit(&index->overflow.bytes, memory_order_relaxed) +
                     tarn__pointer_table_bytes(&index->buckets.chunks) +
                     tarn__pointer_table_bytes(&index->overflow.chunks);

    for (; groups; groups = groups->before)
        bytes += groups->bytes;
    return bytes;
}
