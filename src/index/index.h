/*
 * The index of a namespace: from a key's hash to the location of its record.
 *
 *     hash bit   63 ...                             ... 12  ...  bits   bits-1 ... 0
 *                                   tells bucket in group ------'       '- group
 *
 *     group --> how many buckets it has (n), the shard whose lock it belongs to
 *     bucket number = (bucket in group) << bits | group
 *     bucket = one line of 64 bytes: control word and 7 slots; more hang on the last slot
 *
 * Linear hashing (W. Litwin, 1980), in each of 2^bits groups for itself: a group that has n buckets
 * grows by one, which takes over part of exactly one other bucket. All groups of one shard grow in
 * turn, so that buckets 0 .. n-1 of all groups fill the array of lines without holes. A bucket's
 * number is the low bits of the hashes in it, however many groups there are: so the number of
 * groups can double (up to 4,096, the partitions of jump consistent hash), and groups can go to
 * another shard, without a single entry being moved.
 *
 * A slot is one atomic word:
 *
 *     bits 24 to 63   location (0: empty, or claimed by a writer)
 *     bits 21 to 23   w: the window of the hash that the slot keeps begins at bit 5 * (w - 1);
 *                     0: no entry; 7: a link
 *     bits  0 to 20   21 bits of the hash, from there on
 *
 * The window begins at most 4 bits below the first bit that the bucket's number does not tell, so
 * 17 bits or more tell keys apart when an entry is new (up to 2^29 buckets; beyond, one less with
 * each doubling). Each doubling of the table uses up one of them to decide where the entry goes. An
 * entry outlives 17 doublings, and is renewed whenever its record is written or moved; if it ever
 * has none left, its key is hashed again (tarn__rehash).
 *
 * A link, in the last slot of a line only: bits 24 to 52 are the number of an overflow line, and
 * the other 32 (bits 0 to 20 and 53 to 63) a filter: a hash that is in a line further on has its
 * bit set, so few misses follow a link.
 *
 * The control word: bits 0 to 31 version (odd while a writer changes the bucket), bit 32: a batch
 * is being applied. A version covers the bucket and all lines that hang on it.
 *
 * Readers take no lock and write nothing. A slot that leads to the key is the answer, because a
 * published record never changes. A miss counts only if the version is still the same and the hash
 * still belongs to this bucket: a slot may have been moved meanwhile. A reader that meets a batch
 * waits for its end: meanwhile slots are pointed, and nothing else is done.
 *
 * Writers hold the lock of the shard that the group belongs to (all of them to change the groups).
 */
#ifndef TARN_INDEX_INDEX_H
#define TARN_INDEX_INDEX_H

#include "index/capture.h"
#include "index/slots.h"

#define TARN__GROUP_BITS_MAX 12
#define TARN__NO_GROUP       UINT32_MAX

#define TARN__VERSION_MASK  UINT64_C(0xffffffff)
#define TARN__CONTROL_BATCH (UINT64_C(1) << 32)

/* How the hash space is divided; replaced as a whole, read without a lock. */
struct tarn__groups {
    uint32_t bits;
    uint32_t mask; /* of the bits of a hash that are its group */
    uint32_t shard_count;
    _Atomic uint32_t *buckets; /* of each group, at least 1 */
    uint32_t *keys;            /* of each group; under the lock of its shard */
    uint32_t *next;            /* the next group of the same shard, or TARN__NO_GROUP */
    uint16_t *shard;
    struct tarn__groups *before; /* replaced by this one; readers may still be there */
    size_t bytes;
};

/* How far the groups of one shard have grown. Under the shard's lock. */
struct tarn__growth {
    uint64_t keys, buckets;
    uint32_t row;         /* every group of the shard has more than row - 1 buckets ... */
    uint32_t group;       /* ... and those before this one have more than row */
    uint32_t first_group; /* TARN__NO_GROUP: the shard has none */
};

typedef uint64_t tarn__rehash(void *context, uint64_t location);

struct tarn__index {
    _Atomic(struct tarn__groups *) groups; /* NULL while the namespace never had a key */
    struct tarn__lines buckets;
    struct tarn__lines overflow;
    tarn__rehash *rehash; /* the hash of the key at a location; under its shard's lock */
    void *rehash_context;
    struct tarn__capture *capture; /* or NULL; set under all locks, read under any */
    pthread_mutex_t lock;          /* of what follows, and of growing the lines */
    uint64_t overflow_used;
    uint32_t overflow_free; /* a list through the first slots; 0 ends it (line 0 is not used) */
};

/* Where a hash belongs. */
struct tarn__place {
    struct tarn__line *line;
    uint64_t bucket;
    uint32_t buckets;   /* that its group had */
    uint8_t group_bits; /* of how many groups */
    uint8_t bits;       /* that all hashes in the bucket share: its number is that long */
    uint32_t mark;      /* what a new entry with this hash has in the low 24 bits of its slot */
};

tarn_status tarn__index_init(struct tarn__index *index, struct tarn__pages *pages,
                             tarn__rehash *rehash, void *context);
void tarn__index_release(struct tarn__index *index);

/* ------------------------------------------------------------------------------------------
 * Groups and shards
 */

/* Makes groups for a number of shards, assigned by jump consistent hash, each with one bucket. */
struct tarn__groups *tarn__groups_create(uint32_t bits, uint32_t shard_count);
void tarn__groups_free(struct tarn__groups *groups);

/* How many bits a new index of so many shards begins with. */
uint32_t tarn__groups_bits_for(uint32_t shard_count);

/* Into how many groups, as bits, the index can be divided: each must get a bucket. All locks. */
uint32_t tarn__groups_bits_possible(const struct tarn__groups *groups);

/*
 * The same index divided into more groups, or assigned to other shards. Nothing is changed: the
 * caller has all locks and publishes the result with tarn__index_publish(). With more groups it
 * looks at every bucket, to count keys. NULL where memory ran out.
 */
struct tarn__groups *tarn__groups_divide(struct tarn__index *index, uint32_t bits,
                                         uint32_t shard_count);

/* Works out how far the groups of a shard have grown: add them in rising order. */
void tarn__growth_reset(struct tarn__growth *growth);
void tarn__growth_add_group(struct tarn__growth *growth, const struct tarn__groups *groups,
                            uint32_t group);

/* Puts groups into force. Returns those before, for which readers may still be there. */
struct tarn__groups *tarn__index_publish(struct tarn__index *index, struct tarn__groups *groups);

static inline uint32_t tarn__group_of(const struct tarn__groups *groups, uint64_t hash)
{
    return (uint32_t)hash & groups->mask;
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

/* Where a hash belongs as long as its group has buckets of them. */
static inline void tarn__place_in(struct tarn__index *index, const struct tarn__groups *groups,
                                  uint64_t hash, uint32_t buckets, struct tarn__place *place)
{
    uint32_t bits = 63 - (uint32_t)__builtin_clzll(2 * (uint64_t)buckets - 1);
    uint64_t all = UINT64_C(1) << bits, low = (hash >> groups->bits) & ((all - 1) >> 1);

    bits -= low + (all >> 1) >= buckets; /* not split yet: it has both halves */
    bits += groups->bits;
    place->buckets = buckets;
    place->group_bits = (uint8_t)groups->bits;
    place->bits = (uint8_t)bits;
    place->mark = tarn__slot_mark(hash, tarn__window_for(bits));
    place->bucket = hash & ((UINT64_C(1) << bits) - 1);
    place->line = tarn__line_at(&index->buckets, place->bucket);
}

/* Finds where a hash belongs now. false: the index is empty. */
static inline bool tarn__index_place(struct tarn__index *index, uint64_t hash,
                                     struct tarn__place *place)
{
    struct tarn__groups *groups = atomic_load_explicit(&index->groups, memory_order_acquire);
    uint32_t buckets;

    if (!groups)
        return false;
    buckets =
        atomic_load_explicit(&groups->buckets[tarn__group_of(groups, hash)], memory_order_acquire);
    tarn__place_in(index, groups, hash, buckets, place);
    return true;
}

static inline uint64_t tarn__link_line(uint64_t link)
{
    return (link >> 24) & ((UINT64_C(1) << 29) - 1);
}

/* Whether a hash belongs where it was found to belong, in the same index. */
static inline bool tarn__place_holds(struct tarn__index *index, uint64_t hash,
                                     const struct tarn__place *place)
{
    struct tarn__groups *groups = atomic_load_explicit(&index->groups, memory_order_acquire);
    struct tarn__place now;
    uint32_t buckets =
        atomic_load_explicit(&groups->buckets[tarn__group_of(groups, hash)], memory_order_acquire);

    if (__builtin_expect(groups->bits == place->group_bits && buckets == place->buckets, 1))
        return true;
    tarn__place_in(index, groups, hash, buckets, &now);
    return now.bucket == place->bucket && now.bits == place->bits;
}

/* The line that hangs on a line, or NULL. Under the lock, or as a reader that checks the version.
 */
static inline struct tarn__line *tarn__line_next(struct tarn__index *index, struct tarn__line *line)
{
    uint64_t last = atomic_load_explicit(&line->slots[TARN__LINE_SLOTS - 1], memory_order_acquire);

    if (!tarn__slot_is_link(last))
        return NULL;
    return tarn__line_at(&index->overflow, tarn__link_line(last));
}

/* The 32 bits of a link's filter, in the places that they have in the word. */
static inline uint64_t tarn__link_filter_bit(uint64_t hash, uint32_t bits)
{
    unsigned number = (unsigned)(hash >> bits) & 31;

    return UINT64_C(1) << (number < TARN__SLOT_HASH_BITS ? number : number + 32);
}

/* The same, but only where entries with this hash may be in it. */
static inline struct tarn__line *tarn__line_next_for(struct tarn__index *index,
                                                     struct tarn__line *line, uint64_t hash,
                                                     uint32_t bits)
{
    uint64_t last = atomic_load_explicit(&line->slots[TARN__LINE_SLOTS - 1], memory_order_acquire);

    if (!tarn__slot_is_link(last) || !(last & tarn__link_filter_bit(hash, bits)))
        return NULL;
    return tarn__line_at(&index->overflow, tarn__link_line(last));
}

/* A bucket as a reader saw it. */
struct tarn__look {
    struct tarn__place place;
    uint64_t control;
};

enum tarn__found { TARN__ABSENT, TARN__FOUND, TARN__RETRY };

/* Whether a bucket still is what it was when it was looked at, and the hash still belongs there. */
static inline bool tarn__index_unchanged(struct tarn__index *index, uint64_t hash,
                                         const struct tarn__look *look)
{
    return atomic_load_explicit(&look->place.line->control, memory_order_acquire) ==
               look->control &&
           tarn__place_holds(index, hash, &look->place);
}

/* The slot of a line that has the key, or NULL. leads_to tells whether a location has it. */
static inline __attribute__((always_inline)) _Atomic uint64_t *tarn__line_search(
    struct tarn__line *line, uint64_t hash, const struct tarn__place *place,
    bool (*leads_to)(void *context, uint64_t location), void *context, uint64_t *location)
{
    unsigned left = tarn__line_candidates(line, hash, place->mark);

    for (; left; left &= left - 1) {
        _Atomic uint64_t *slot = &line->slots[__builtin_ctz(left)];

        *location = tarn__slot_candidate(atomic_load_explicit(slot, memory_order_acquire), hash,
                                         place->mark);
        if (*location && leads_to(context, *location))
            return slot;
    }
    return NULL;
}

/*
 * Looks for the key whose hash it is, from inside a section. TARN__RETRY: the bucket is being
 * changed, or was meanwhile. look is filled in except where the index is empty (line is then NULL).
 */
static inline __attribute__((always_inline)) enum tarn__found tarn__index_look(
    struct tarn__index *index, uint64_t hash, bool (*leads_to)(void *context, uint64_t location),
    void *context, struct tarn__look *look, uint64_t *location)
{
    struct tarn__line *line;

    if (__builtin_expect(!tarn__index_place(index, hash, &look->place), 0)) {
        look->place.line = NULL;
        return TARN__ABSENT;
    }
    line = look->place.line;
    look->control = atomic_load_explicit(&line->control, memory_order_acquire);
    if (look->control & TARN__CONTROL_BATCH)
        return TARN__RETRY;
    for (; line; line = tarn__line_next_for(index, line, hash, look->place.bits))
        if (tarn__line_search(line, hash, &look->place, leads_to, context, location))
            return TARN__FOUND;
    if ((look->control & 1) || !tarn__index_unchanged(index, hash, look))
        return TARN__RETRY;
    return TARN__ABSENT;
}

/* What is seen of a key's entry step by step, while it comes from memory. */
struct tarn__sight {
    struct tarn__place place;
    struct tarn__line *line; /* announced to the cache, to be looked at next; NULL: none */
    _Atomic uint64_t *slot;  /* likely the key's; NULL: none was seen yet */
    uint64_t location;       /* in it, else 0: if it turns out to be the key's, it is the answer */
    uint64_t control;        /* of the bucket before its first line was looked at; odd: it was being
                                changed, or not looked at */
};

/* Begins with the bucket. Inside, or under the lock, as the next. */
static inline void tarn__sight_begin(struct tarn__index *index, uint64_t hash,
                                     struct tarn__sight *sight)
{
    sight->slot = NULL;
    sight->location = 0;
    sight->control = 1;
    sight->place.line = NULL;
    if (tarn__index_place(index, hash, &sight->place))
        __builtin_prefetch(sight->place.line);
    sight->line = sight->place.line;
}

/* Looks at the line that was announced: either a location is seen now (true), or the next line is
 * announced, or there is no more. A batch ends it. */
static inline bool tarn__sight_step(struct tarn__index *index, uint64_t hash,
                                    struct tarn__sight *sight)
{
    struct tarn__line *line = sight->line;
    unsigned left;

    if (!line)
        return false;
    sight->line = NULL;
    if (line == sight->place.line)
        sight->control = atomic_load_explicit(&line->control, memory_order_acquire);
    if (sight->control & TARN__CONTROL_BATCH)
        return false;
    for (left = tarn__line_candidates(line, hash, sight->place.mark); left; left &= left - 1) {
        sight->slot = &line->slots[__builtin_ctz(left)];
        sight->location = tarn__slot_candidate(
            atomic_load_explicit(sight->slot, memory_order_acquire), hash, sight->place.mark);
        if (sight->location)
            return true;
    }
    sight->slot = NULL;
    sight->line = tarn__line_next_for(index, line, hash, sight->place.bits);
    if (sight->line)
        __builtin_prefetch(sight->line);
    return false;
}

/* ------------------------------------------------------------------------------------------
 * Writing: everything below under the lock of the shard that the group belongs to
 */

/* One entry, for the writer that may change it. */
struct tarn__entry {
    struct tarn__place place;
    _Atomic uint64_t *slot; /* NULL: the key is not there and nothing was claimed for it */
    uint64_t location;      /* 0: not there */
    uint64_t absent; /* not 0: the bucket's control word, with bit 0 set, when the key was seen not
                        to be there */
};

/* An entry with all that was seen of it. */
static inline struct tarn__entry tarn__entry_seen(const struct tarn__sight *sight)
{
    bool absent = !sight->slot && !sight->line && !(sight->control & 1);

    return (struct tarn__entry){
        .place = sight->place, .slot = sight->slot, .absent = absent ? sight->control | 1 : 0};
}

/* Searches the whole bucket at the entry's place for a key. */
void tarn__index_search(struct tarn__index *index, uint64_t hash,
                        bool (*leads_to)(void *context, uint64_t location), void *context,
                        struct tarn__entry *entry);

/*
 * Finds a key's entry. entry holds what was seen of it before, in the same index and perhaps
 * without the lock: the place, and the slot if one is likely the key's, or that there is none;
 * where that is right, nothing is searched. place.line is NULL if nothing was seen. The index is
 * not empty.
 */
static inline void tarn__index_find(struct tarn__index *index, uint64_t hash,
                                    bool (*leads_to)(void *context, uint64_t location),
                                    void *context, struct tarn__entry *entry)
{
    entry->location = 0;
    if (!entry->place.line || !tarn__place_holds(index, hash, &entry->place)) {
        (void)tarn__index_place(index, hash, &entry->place); /* the index is not empty */
    } else if (entry->slot) {
        entry->location = tarn__slot_candidate(
            atomic_load_explicit(entry->slot, memory_order_relaxed), hash, entry->place.mark);
        if (entry->location && leads_to(context, entry->location))
            return;
    } else if (entry->absent ==
               (atomic_load_explicit(&entry->place.line->control, memory_order_relaxed) | 1)) {
        return; /* nothing has changed since it was seen to be absent */
    }
    tarn__index_search(index, hash, leads_to, context, entry);
}

/* Sets a slot aside for a key that is not there. Readers do not see it. TARN_NO_MEMORY, TARN_FULL.
 */
tarn_status tarn__index_claim(struct tarn__index *index, uint64_t hash, struct tarn__entry *entry);

/* Gives back a slot that was claimed and not used. */
void tarn__index_unclaim(struct tarn__index *index, uint64_t hash, struct tarn__entry *entry);

/* Points an entry (found or claimed) to a location, or to nothing where location is 0. */
void tarn__index_point(struct tarn__index *index, struct tarn__entry *entry, uint64_t location);

/* Finds the slot of an entry that was found or claimed before other entries of the same bucket were
 * claimed, which may have moved it. Claims of one bucket are alike: use them in their order. */
void tarn__index_find_again(struct tarn__index *index, uint64_t hash, struct tarn__entry *entry);

/* Marks the entry's bucket until tarn__index_end_batch(); marking it twice is once. Readers wait
 * meanwhile, and tarn__index_point() does not change the version. */
void tarn__index_begin_batch(struct tarn__entry *entry);
void tarn__index_end_batch(struct tarn__entry *entry);

/* Takes empty lines off a bucket from which entries were removed. */
void tarn__index_tidy(struct tarn__index *index, struct tarn__place *place);

/* Keys a bucket holds on average before another is added: 4.5. More would need less memory and lead
 * more misses to a second line: docs/architecture.md has the curve. */
#define TARN__KEYS_PER_2_BUCKETS 9

/* How many more half keys the shard's groups have room for, besides those that are coming. */
static inline int64_t tarn__growth_room(const struct tarn__growth *growth, uint64_t coming)
{
    return (int64_t)(TARN__KEYS_PER_2_BUCKETS * growth->buckets - 2 * (growth->keys + coming));
}

/* Grows the shard's groups by one bucket if they are full enough, or would be with so many more
 * keys. Without memory for it, buckets get longer instead. Entries found before are no longer valid
 * if it returns true. */
bool tarn__index_grow_full(struct tarn__index *index, struct tarn__growth *growth, uint64_t coming);

static inline bool tarn__index_grow(struct tarn__index *index, struct tarn__growth *growth,
                                    uint64_t coming)
{
    return __builtin_expect(tarn__growth_room(growth, coming) < 2, 0) &&
           tarn__index_grow_full(index, growth, coming);
}

/* Whether the groups should be divided further: see tarn__groups_divide(). */
bool tarn__index_wants_groups(const struct tarn__index *index, const struct tarn__growth *growth);

/* Memory of buckets, overflow lines and groups. */
uint64_t tarn__index_bytes(struct tarn__index *index);

/* ------------------------------------------------------------------------------------------
 * Walking, in the order of the hashes' reversed bits
 */

/* What one bucket holds. Start from zero; release with tarn__free(locations). */
struct tarn__bucket_view {
    uint64_t *locations;
    size_t count, capacity;
    uint64_t end; /* the position behind the bucket's interval */
    bool last;    /* there is nothing behind it */
};

/* Collects the locations of the bucket that holds a position; inside a section. TARN__ABSENT: the
 * index is empty. TARN__RETRY as above. On failure of memory: count is left and status says it. */
enum tarn__found tarn__index_view(struct tarn__index *index, uint64_t position,
                                  struct tarn__bucket_view *view, tarn_status *status);

#endif
