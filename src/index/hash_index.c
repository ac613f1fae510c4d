/*
 * The hash index: changing entries, and growing; see index.h for the structure.
 *
 * Invariants, for whoever holds the shard's lock:
 *   1. A key has at most one slot with a location.
 *   2. While the version is even, every entry can be reached from its bucket's line through links
 *      whose filters have its bit.
 *   3. A link is only ever in the last slot of a line. Overflow lines are used again, but never
 *      given back while the index lives: a reader that follows an old link finds slots, and the
 *      comparison of the key, or the version, tells it what they are worth.
 *   4. A claimed slot is pointed to something, or given back, before the lock is.
 *   5. Before an entry comes, goes or changes its bucket, before_change() was called for the
 * bucket.
 */
#include "base/memory.h"
#include "base/status.h"
#include "index/index.h"

#include <assert.h>
#include <string.h>

#define LAST_SLOT        (TARN__LINE_SLOTS - 1)
#define LOCATION_SHIFT   24 /* of a slot */
#define FILTER_ALL       (TARN__SLOT_HASH_MASK | ~((UINT64_C(1) << 53) - 1))
#define OVERFLOW_MAX     (UINT64_C(1) << 29)
#define ENTRIES_ON_STACK 64

tarn_status tarn__index_init(struct tarn__index *index, struct tarn__pages *pages,
                             tarn__rehash *rehash, void *context)
{
    memset(index, 0, sizeof *index);
    index->buckets.pages = pages;
    index->overflow.pages = pages;
    index->rehash = rehash;
    index->rehash_context = context;
    index->overflow_used = 1;
    if (pthread_mutex_init(&index->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    return TARN_OK;
}

void tarn__index_release(struct tarn__index *index)
{
    tarn__groups_free(atomic_load_explicit(&index->groups, memory_order_relaxed));
    tarn__lines_release(&index->buckets);
    tarn__lines_release(&index->overflow);
    pthread_mutex_destroy(&index->lock);
}

/* ------------------------------------------------------------------------------------------
 * Slots and versions
 */

static uint64_t load(_Atomic uint64_t *slot)
{
    return atomic_load_explicit(slot, memory_order_relaxed);
}

static void store(_Atomic uint64_t *slot, uint64_t value)
{
    atomic_store_explicit(slot, value, memory_order_release);
}

static uint64_t make_slot(uint64_t hash, uint64_t location, uint32_t bits)
{
    return location << 24 | tarn__slot_mark(hash, tarn__window_for(bits));
}

static uint64_t make_link(uint64_t line, uint64_t filter)
{
    return filter | (uint64_t)TARN__WINDOW_LINK << TARN__SLOT_HASH_BITS | line << 24;
}

/* The bits of a slot's hash from a bit on, as many as are wanted; false if they are not all kept.
 */
static bool slot_hash_bits(uint64_t slot, uint32_t from, uint32_t wanted, uint64_t *hash)
{
    uint32_t begin = TARN__WINDOW_STEP * (tarn__slot_window(slot) - 1);

    if (from < begin || from + wanted > begin + TARN__SLOT_HASH_BITS)
        return false;
    *hash = ((slot & TARN__SLOT_HASH_MASK) >> (from - begin)) << from;
    return true;
}

static uint64_t filter_of(uint64_t slot, uint32_t bits)
{
    uint64_t hash;

    if (slot == TARN__SLOT_CLAIMED || !slot_hash_bits(slot, bits, 5, &hash))
        return FILTER_ALL;
    return tarn__link_filter_bit(hash, bits);
}

static void add_to_version(struct tarn__line *line)
{
    uint64_t control = load(&line->control);

    store(&line->control, (control & ~TARN__VERSION_MASK) | ((control + 1) & TARN__VERSION_MASK));
}

/* Comes before the first change that a writer makes to a bucket. */
static void before_change(struct tarn__index *index, const struct tarn__place *place)
{
    if (__builtin_expect(index->capture != NULL, 0))
        tarn__capture_save(index->capture, place->bucket, place->line);
}

/* A bucket that a batch has marked has an odd version already. */
static bool begin_change(struct tarn__line *line)
{
    if (load(&line->control) & TARN__CONTROL_BATCH)
        return false;
    add_to_version(line);
    return true;
}

static void end_change(struct tarn__line *line, bool begun)
{
    if (begun)
        add_to_version(line);
}

/* ------------------------------------------------------------------------------------------
 * Overflow lines
 */

static tarn_status take_overflow(struct tarn__index *index, uint64_t *number)
{
    tarn_status status = TARN_OK;

    pthread_mutex_lock(&index->lock);
    if (index->overflow_free) {
        *number = index->overflow_free;
        index->overflow_free = (uint32_t)load(&tarn__line_at(&index->overflow, *number)->control);
    } else if (index->overflow_used == OVERFLOW_MAX) {
        status = tarn__fail(TARN_FULL, "an index has at most 2^29 overflow lines");
    } else {
        status = tarn__lines_reserve(&index->overflow, index->overflow_used + 1);
        if (!status)
            *number = index->overflow_used++;
    }
    pthread_mutex_unlock(&index->lock);
    return status;
}

static void give_overflow(struct tarn__index *index, uint64_t number)
{
    struct tarn__line *line = tarn__line_at(&index->overflow, number);

    for (unsigned i = 0; i < TARN__LINE_SLOTS; i++)
        store(&line->slots[i], 0);
    pthread_mutex_lock(&index->lock);
    store(&line->control, index->overflow_free); /* nobody reads an overflow line's control word */
    index->overflow_free = (uint32_t)number;
    pthread_mutex_unlock(&index->lock);
}

/* ------------------------------------------------------------------------------------------
 * A bucket as a list of slots, taken apart and put together again
 */

struct slots {
    uint64_t *slots;
    size_t count, capacity;
    uint64_t *lines; /* numbers of overflow lines: of the bucket, or taken for it */
    size_t line_count, line_capacity;
    uint64_t slots_on_stack[ENTRIES_ON_STACK], lines_on_stack[ENTRIES_ON_STACK];
};

static void slots_init(struct slots *slots)
{
    slots->slots = slots->slots_on_stack;
    slots->lines = slots->lines_on_stack;
    slots->count = slots->line_count = 0;
    slots->capacity = slots->line_capacity = ENTRIES_ON_STACK;
}

static void slots_release(struct slots *slots)
{
    if (slots->slots != slots->slots_on_stack)
        tarn__free(slots->slots);
    if (slots->lines != slots->lines_on_stack)
        tarn__free(slots->lines);
}

/* Makes room for more numbers in an array that begins on the stack. */
static inline bool reserve(uint64_t **array, size_t count, size_t more, size_t *capacity,
                           const uint64_t *on_stack)
{
    uint64_t *larger;

    if (__builtin_expect(count + more <= *capacity, 1))
        return true;
    larger = tarn__allocate(2 * (count + more) * sizeof **array);
    if (!larger)
        return false;
    memcpy(larger, *array, count * sizeof **array);
    if (*array != on_stack)
        tarn__free(*array);
    *array = larger;
    *capacity = 2 * (count + more);
    return true;
}

static bool reserve_slots(struct slots *slots, size_t more)
{
    return reserve(&slots->slots, slots->count, more, &slots->capacity, slots->slots_on_stack);
}

static bool add_line(struct slots *slots, uint64_t number)
{
    if (!reserve(&slots->lines, slots->line_count, 1, &slots->line_capacity, slots->lines_on_stack))
        return false;
    slots->lines[slots->line_count++] = number;
    return true;
}

static bool gather(struct tarn__index *index, struct tarn__line *line, struct slots *slots)
{
    for (;;) {
        uint64_t last = load(&line->slots[LAST_SLOT]);

        if (!reserve_slots(slots, TARN__LINE_SLOTS))
            return false;
        for (unsigned i = 0; i < LAST_SLOT; i++) { /* which are free, nobody can predict */
            uint64_t slot = load(&line->slots[i]);

            slots->slots[slots->count] = slot;
            slots->count += slot != 0;
        }
        if (!tarn__slot_is_link(last)) {
            slots->slots[slots->count] = last;
            slots->count += last != 0;
            return true;
        }
        if (!add_line(slots, tarn__link_line(last)))
            return false;
        line = tarn__line_at(&index->overflow, tarn__link_line(last));
    }
}

/* Overflow lines that so many entries need. */
static size_t lines_needed(size_t count)
{
    return count <= TARN__LINE_SLOTS ? 0 : (count - TARN__LINE_SLOTS + LAST_SLOT - 1) / LAST_SLOT;
}

/* Takes the overflow lines that are missing for the slots. */
static bool take_lines(struct tarn__index *index, struct slots *slots)
{
    while (slots->line_count < lines_needed(slots->count)) {
        uint64_t number = 0;

        if (take_overflow(index, &number))
            return false;
        if (!add_line(slots, number)) {
            give_overflow(index, number);
            return false;
        }
    }
    return true;
}

/* Writes the slots into a bucket, whose lines they bring along, from the last line to the first.
 * Lines that are not needed are given back. The version is odd, or the bucket not yet in use. */
static void put_together(struct tarn__index *index, struct tarn__line *head, struct slots *slots,
                         uint32_t bits)
{
    size_t needed = lines_needed(slots->count);
    uint64_t filter = 0;
    size_t end = slots->count;

    for (size_t depth = needed + 1; depth-- > 0;) {
        struct tarn__line *line =
            depth ? tarn__line_at(&index->overflow, slots->lines[depth - 1]) : head;
        size_t begin = depth * LAST_SLOT;
        bool linked = depth < needed;

        store(&line->slots[LAST_SLOT], linked ? make_link(slots->lines[depth], filter) : 0);
        for (size_t i = begin; i < end; i++)
            store(&line->slots[i - begin], slots->slots[i]);
        for (size_t i = end; i < begin + TARN__LINE_SLOTS - linked; i++)
            store(&line->slots[i - begin], 0);
        for (size_t i = begin; depth && i < end; i++)
            filter |= filter_of(slots->slots[i], bits);
        end = begin;
    }
    for (size_t i = needed; i < slots->line_count; i++)
        give_overflow(index, slots->lines[i]);
    slots->line_count = 0;
}

void tarn__index_tidy(struct tarn__index *index, struct tarn__place *place)
{
    struct slots slots;

    if (!tarn__slot_is_link(load(&place->line->slots[LAST_SLOT])))
        return;
    slots_init(&slots);
    if (gather(index, place->line, &slots) && lines_needed(slots.count) < slots.line_count) {
        bool begun = begin_change(place->line);

        put_together(index, place->line, &slots, place->bits);
        end_change(place->line, begun);
    }
    slots_release(&slots);
}

/* ------------------------------------------------------------------------------------------
 * Entries
 */

void tarn__index_search(struct tarn__index *index, uint64_t hash,
                        bool (*leads_to)(void *context, uint64_t location), void *context,
                        struct tarn__entry *entry)
{
    struct tarn__line *line = entry->place.line;

    for (; line; line = tarn__line_next_for(index, line, hash, entry->place.bits)) {
        entry->slot =
            tarn__line_search(line, hash, &entry->place, leads_to, context, &entry->location);
        if (entry->slot)
            return;
    }
    entry->slot = NULL;
    entry->location = 0;
}

/* Hangs another line on a full one, moves its last entry there, and says which slot is free then.
 */
static tarn_status extend(struct tarn__index *index, struct tarn__place *place,
                          struct tarn__line *full, uint64_t hash, _Atomic uint64_t **slot)
{
    uint64_t moved = load(&full->slots[LAST_SLOT]);
    uint64_t filter = tarn__link_filter_bit(hash, place->bits) | filter_of(moved, place->bits);
    struct tarn__line *line;
    uint64_t number = 0;
    tarn_status status = take_overflow(index, &number);
    bool begun;

    if (status)
        return status;
    line = tarn__line_at(&index->overflow, number);
    store(&line->slots[0], moved);
    begun = begin_change(place->line);
    store(&full->slots[LAST_SLOT], make_link(number, filter));
    end_change(place->line, begun);
    *slot = &line->slots[1];
    return TARN_OK;
}

/* The first slot of a bucket that holds a value in its upper bits, those from shift on; links on
 * the way to it learn the hash. */
static inline __attribute__((always_inline)) _Atomic uint64_t *find_value(
    struct tarn__index *index, struct tarn__place *place, uint64_t hash, unsigned shift,
    uint64_t value, struct tarn__line **last)
{
    struct tarn__line *line = place->line;

    for (;;) {
        uint64_t slot = load(&line->slots[LAST_SLOT]);
        bool linked = tarn__slot_is_link(slot);
        unsigned found = (unsigned)(!linked && slot >> shift == value) << LAST_SLOT;

        *last = line;
#pragma GCC unroll 6 /* which one it is, nobody can predict */
        for (unsigned i = 0; i < LAST_SLOT; i++)
            found |= (unsigned)(load(&line->slots[i]) >> shift == value) << i;
        if (found)
            return &line->slots[__builtin_ctz(found)];
        if (!linked)
            return NULL;
        store(&line->slots[LAST_SLOT], slot | tarn__link_filter_bit(hash, place->bits));
        line = tarn__line_at(&index->overflow, tarn__link_line(slot));
    }
}

static _Atomic uint64_t *find_free(struct tarn__index *index, struct tarn__place *place,
                                   uint64_t hash, struct tarn__line **last)
{
    return find_value(index, place, hash, 0, 0, last);
}

static _Atomic uint64_t *find_claimed(struct tarn__index *index, struct tarn__place *place,
                                      uint64_t hash)
{
    struct tarn__line *last;

    return find_value(index, place, hash, 0, TARN__SLOT_CLAIMED, &last);
}

tarn_status tarn__index_claim(struct tarn__index *index, uint64_t hash, struct tarn__entry *entry)
{
    struct tarn__line *last;
    tarn_status status = TARN_OK;

    before_change(index, &entry->place);
    entry->slot = find_free(index, &entry->place, hash, &last);
    if (!entry->slot)
        status = extend(index, &entry->place, last, hash, &entry->slot);
    if (!status)
        store(entry->slot, TARN__SLOT_CLAIMED);
    return status;
}

void tarn__index_unclaim(struct tarn__index *index, uint64_t hash, struct tarn__entry *entry)
{
    store(find_claimed(index, &entry->place, hash), 0);
    entry->slot = NULL;
}

void tarn__index_point(struct tarn__index *index, struct tarn__entry *entry, uint64_t location)
{
    bool begun;

    before_change(index, &entry->place);
    begun = begin_change(entry->place.line);
    store(entry->slot, location ? location << 24 | entry->place.mark : 0);
    end_change(entry->place.line, begun);
}

void tarn__index_find_again(struct tarn__index *index, uint64_t hash, struct tarn__entry *entry)
{
    struct tarn__line *last;

    if (entry->location)
        entry->slot =
            find_value(index, &entry->place, hash, LOCATION_SHIFT, entry->location, &last);
    else
        entry->slot = find_claimed(index, &entry->place, hash);
    assert(entry->slot);
}

void tarn__index_begin_batch(struct tarn__entry *entry)
{
    _Atomic uint64_t *control = &entry->place.line->control;

    if (load(control) & TARN__CONTROL_BATCH)
        return;
    add_to_version(entry->place.line);
    store(control, load(control) | TARN__CONTROL_BATCH);
}

void tarn__index_end_batch(struct tarn__entry *entry)
{
    _Atomic uint64_t *control = &entry->place.line->control;
    uint64_t value = load(control);

    if (value & TARN__CONTROL_BATCH)
        store(control, ((value & ~TARN__VERSION_MASK) | ((value + 1) & TARN__VERSION_MASK)) &
                           ~TARN__CONTROL_BATCH);
}

/* ------------------------------------------------------------------------------------------
 * Growing
 */

/* Moves the slots whose hash has the bit, which go to the new bucket. */
static bool divide_slots(struct tarn__index *index, struct slots *stay, uint32_t bit,
                         struct slots *go)
{
    size_t count = stay->count;

    if (!reserve_slots(go, count))
        return false;
    stay->count = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t slot = stay->slots[i];
        uint64_t hash;

        if (!slot_hash_bits(slot, bit, 1, &hash)) {
            hash = index->rehash(index->rehash_context, tarn__slot_location(slot));
            slot = make_slot(hash, tarn__slot_location(slot), bit + 1);
        }
        hash = (hash >> bit) & 1;
        stay->slots[stay->count] = go->slots[go->count] = slot;
        go->count += hash;
        stay->count += !hash;
    }
    return take_lines(index, go);
}

/* Which bucket of a group gives up a part when the group gets one more. */
static uint64_t next_to_divide(const struct tarn__groups *groups, uint32_t group)
{
    uint32_t buckets = atomic_load_explicit(&groups->buckets[group], memory_order_relaxed);
    uint32_t bits = 31 - (uint32_t)__builtin_clz(buckets);

    return (uint64_t)(buckets - (1u << bits)) << groups->bits | group;
}

static tarn_status reserve_bucket(struct tarn__index *index, uint64_t number)
{
    tarn_status status;

    if (tarn__lines_has(&index->buckets, number))
        return TARN_OK;
    pthread_mutex_lock(&index->lock);
    status = tarn__lines_reserve(&index->buckets, number + 1);
    pthread_mutex_unlock(&index->lock);
    return status;
}

/* The group gets one bucket more. */
static bool split(struct tarn__index *index, struct tarn__groups *groups, uint32_t group)
{
    uint32_t buckets = atomic_load_explicit(&groups->buckets[group], memory_order_relaxed);
    uint32_t bits = 31 - (uint32_t)__builtin_clz(buckets);
    uint64_t from = next_to_divide(groups, group);
    uint64_t to = (uint64_t)buckets << groups->bits | group;
    struct tarn__line *from_line = tarn__line_at(&index->buckets, from);
    struct slots stay, go;
    bool done = false;

    __builtin_prefetch(from_line, 1);
    if (reserve_bucket(index, to))
        return false;
    __builtin_prefetch(tarn__line_at(&index->buckets, to), 1);
    slots_init(&stay);
    slots_init(&go);
    bits += groups->bits;
    if (gather(index, from_line, &stay) && divide_slots(index, &stay, bits, &go)) {
        bool begun;

        before_change(index, &(struct tarn__place){.bucket = from, .line = from_line});
        begun = begin_change(from_line);
        put_together(index, tarn__line_at(&index->buckets, to), &go, bits + 1);
        atomic_store_explicit(&groups->buckets[group], buckets + 1, memory_order_release);
        put_together(index, from_line, &stay, bits + 1);
        end_change(from_line, begun);
        done = true;
    }
    for (size_t i = 0; i < go.line_count; i++)
        give_overflow(index, go.lines[i]);
    slots_release(&stay);
    slots_release(&go);
    return done;
}

/* Which group is to grow next; growth->group is that one. */
static uint32_t next_to_grow(const struct tarn__groups *groups, struct tarn__growth *growth)
{
    for (;;) {
        if (growth->group == TARN__NO_GROUP) { /* all groups have passed this row */
            growth->row++;
            growth->group = growth->first_group;
        } else if (atomic_load_explicit(&groups->buckets[growth->group], memory_order_relaxed) >
                   growth->row) { /* it came from a shard that had grown further */
            growth->group = groups->next[growth->group];
        } else {
            return growth->group;
        }
    }
}

bool tarn__index_grow_full(struct tarn__index *index, struct tarn__growth *growth, uint64_t coming)
{
    struct tarn__groups *groups = atomic_load_explicit(&index->groups, memory_order_relaxed);
    uint32_t group;

    group = next_to_grow(groups, growth);
    if (tarn__growth_room(growth, coming) >= 0) { /* the next key will be too many */
        __builtin_prefetch(tarn__line_at(&index->buckets, next_to_divide(groups, group)), 1);
        return false;
    }
    if (!split(index, groups, group))
        return false;
    growth->group = groups->next[group];
    growth->buckets++;
    return true;
}
