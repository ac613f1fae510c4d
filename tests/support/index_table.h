/*
 * The index alone, over records that are not there: a key is a number, its hash whatever the test
 * says, and a location is the number with a version. What a namespace does around the index (locks,
 * groups, counts) is done here in its plainest form.
 *
 * One thread writes; any thread may look.
 */
#ifndef TARN_TESTS_INDEX_TABLE_H
#define TARN_TESTS_INDEX_TABLE_H

#include "index/index.h"
#include "support/page_source.h"

#define INDEX_TABLE_KEY_BITS 28

struct index_table {
    struct page_source source;
    struct tarn__pages pages;
    struct tarn__index index;
    struct tarn__growth growth[TARN_SHARDS_MAX];
    uint32_t shard_count;
    uint64_t (*hash_of)(uint64_t key);
    bool fixed;         /* does not grow by itself */
    uint64_t rehashes;  /* how often a key had to be hashed again */
    uint64_t divisions; /* how often the groups were divided */
};

/* Makes an empty index. */
void index_table_init(struct index_table *table, uint32_t shard_count,
                      uint64_t (*hash_of)(uint64_t key));

/* Everything that the index took is given back, or the test fails. */
void index_table_release(struct index_table *table);

/* A hash that is as good as random. */
uint64_t index_table_mix(uint64_t key);

static inline uint64_t index_table_location(uint64_t key, uint64_t version)
{
    return version << INDEX_TABLE_KEY_BITS | (key + 1);
}

static inline uint64_t index_table_key(uint64_t location)
{
    return (location & ((UINT64_C(1) << INDEX_TABLE_KEY_BITS) - 1)) - 1;
}

/* The key that is looked for, and how many other records were met on the way. */
struct index_search {
    uint64_t key;
    uint64_t others;
};

bool index_search_leads(void *context, uint64_t location);

/* The writer's search; entry may be used until the index grows. */
void index_table_entry(struct index_table *table, uint64_t key, struct tarn__entry *entry);

/* Points a key to this version of its record, whether it is there or not. Then grows. */
void index_table_set(struct index_table *table, uint64_t key, uint64_t version);

/* Removes a key that is there, and tidies. */
void index_table_remove(struct index_table *table, uint64_t key);

/* What the lock-free search finds: the version, or -1 where the key is absent. */
int64_t index_table_look(struct index_table *table, uint64_t key);

/* Divides the groups as far as possible, or assigns them to another number of shards. */
void index_table_divide(struct index_table *table, uint32_t bits, uint32_t shard_count);

/* Overflow lines that hang on buckets now. */
uint64_t index_table_overflow_lines(struct index_table *table);

/* Entries of a bucket's chain, whatever they are, and the lines it has. */
size_t index_table_chain(struct index_table *table, uint64_t hash, size_t *lines);

#endif
