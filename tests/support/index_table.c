/* The index alone; see index_table.h. */
#include "support/index_table.h"
#include "support/fixture.h"

#include <string.h>

static uint64_t rehash(void *context, uint64_t location)
{
    struct index_table *table = context;

    table->rehashes++;
    return table->hash_of(index_table_key(location));
}

uint64_t index_table_mix(uint64_t key)
{
    return random_next(&key);
}

static void put_into_force(struct index_table *table, struct tarn__groups *groups)
{
    for (uint32_t i = 0; i < TARN_SHARDS_MAX; i++)
        tarn__growth_reset(&table->growth[i]);
    for (uint32_t group = 0; group < 1u << groups->bits; group++)
        tarn__growth_add_group(&table->growth[groups->shard[group]], groups, group);
    groups->before = tarn__index_publish(&table->index, groups); /* readers may be there */
    table->shard_count = groups->shard_count;
}

void index_table_init(struct index_table *table, uint32_t shard_count,
                      uint64_t (*hash_of)(uint64_t key))
{
    struct tarn__groups *groups =
        tarn__groups_create(tarn__groups_bits_for(shard_count), shard_count);

    memset(table, 0, sizeof *table);
    table->hash_of = hash_of;
    page_source_init(&table->source);
    expect_ok(tarn__pages_init(&table->pages, &table->source.source, 0));
    expect_ok(tarn__index_init(&table->index, &table->pages, rehash, table));
    assert_non_null(groups);
    expect_ok(tarn__lines_reserve(&table->index.buckets, UINT64_C(1) << groups->bits));
    put_into_force(table, groups);
}

void index_table_release(struct index_table *table)
{
    tarn__index_release(&table->index);
    expect_number(TARN__REGION_BYTES, table->source.bytes); /* the first region stays */
    tarn__pages_release(&table->pages);
    expect_number(0, table->source.bytes);
}

bool index_search_leads(void *context, uint64_t location)
{
    struct index_search *search = context;

    if (index_table_key(location) == search->key)
        return true;
    search->others++;
    return false;
}

void index_table_entry(struct index_table *table, uint64_t key, struct tarn__entry *entry)
{
    struct index_search search = {.key = key};

    entry->place.line = NULL;
    tarn__index_find(&table->index, table->hash_of(key), index_search_leads, &search, entry);
}

static struct tarn__groups *groups_of(struct index_table *table)
{
    return atomic_load_explicit(&table->index.groups, memory_order_relaxed);
}

/* Counts a key that came or went. */
static void count(struct index_table *table, uint64_t hash, int keys)
{
    struct tarn__groups *groups = groups_of(table);
    uint32_t group = tarn__group_of(groups, hash);

    groups->keys[group] += (uint32_t)keys;
    table->growth[groups->shard[group]].keys += (uint64_t)(int64_t)keys;
}

static void grow(struct index_table *table, uint64_t hash)
{
    struct tarn__groups *groups = groups_of(table);
    struct tarn__growth *growth = &table->growth[groups->shard[tarn__group_of(groups, hash)]];

    if (table->fixed || !tarn__index_grow(&table->index, growth, 0) ||
        !tarn__index_wants_groups(&table->index, growth))
        return;
    if (tarn__groups_bits_possible(groups) > groups->bits)
        index_table_divide(table, tarn__groups_bits_possible(groups), table->shard_count);
}

void index_table_set(struct index_table *table, uint64_t key, uint64_t version)
{
    uint64_t hash = table->hash_of(key);
    struct tarn__entry entry;
    bool is_new;

    index_table_entry(table, key, &entry);
    is_new = entry.location == 0;
    if (is_new) {
        expect_ok(tarn__index_claim(&table->index, hash, &entry));
        count(table, hash, 1);
    }
    tarn__index_point(&table->index, &entry, index_table_location(key, version));
    if (is_new)
        grow(table, hash);
}

void index_table_remove(struct index_table *table, uint64_t key)
{
    uint64_t hash = table->hash_of(key);
    struct tarn__entry entry;

    index_table_entry(table, key, &entry);
    expect_that(entry.location != 0);
    tarn__index_point(&table->index, &entry, 0);
    count(table, hash, -1);
    tarn__index_tidy(&table->index, &entry.place);
}

int64_t index_table_look(struct index_table *table, uint64_t key)
{
    struct index_search search = {.key = key};
    struct tarn__look look;
    uint64_t location = 0;

    for (;;) {
        enum tarn__found found = tarn__index_look(&table->index, table->hash_of(key),
                                                  index_search_leads, &search, &look, &location);

        if (found == TARN__FOUND)
            return (int64_t)(location >> INDEX_TABLE_KEY_BITS);
        if (found == TARN__ABSENT)
            return -1;
    }
}

void index_table_divide(struct index_table *table, uint32_t bits, uint32_t shard_count)
{
    struct tarn__groups *groups = tarn__groups_divide(&table->index, bits, shard_count);

    assert_non_null(groups);
    put_into_force(table, groups);
    table->divisions++;
}

uint64_t index_table_overflow_lines(struct index_table *table)
{
    uint64_t unused = 0;

    for (uint64_t line = table->index.overflow_free; line; unused++)
        line = atomic_load(&tarn__line_at(&table->index.overflow, line)->control);
    return table->index.overflow_used - 1 - unused;
}

size_t index_table_chain(struct index_table *table, uint64_t hash, size_t *lines)
{
    struct tarn__place place = {0};
    struct tarn__line *line;
    size_t entries = 0;

    expect_that(tarn__index_place(&table->index, hash, &place));
    line = place.line;
    for (*lines = 1;; ++*lines) {
        uint64_t slot = 0;

        for (unsigned i = 0; i < TARN__LINE_SLOTS; i++) {
            slot = atomic_load(&line->slots[i]);
            entries += slot != 0 && !tarn__slot_is_link(slot);
        }
        if (!tarn__slot_is_link(slot))
            return entries;
        line = tarn__line_at(&table->index.overflow, tarn__link_line(slot));
    }
}
