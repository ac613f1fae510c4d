/* The stages that one thread does: see tour_stages.h. */
#include "tour_stages.h"
#include "tour_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

uint32_t *tour_shuffle(size_t count)
{
    uint32_t *order = tour_allocate(count, sizeof order[0]);
    uint64_t state = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        size_t other;
        uint32_t kept = order[i - 1];

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        other = (size_t)(state % i);
        order[i - 1] = order[other];
        order[other] = kept;
    }
    return order;
}

tarn_namespace *tour_namespace(struct tour *tour, const char *name)
{
    tarn_namespace *ns = NULL;

    tour_expect(tarn_namespace_create(tour->store, tarn_slice_of(name, strlen(name)), NULL, &ns),
                "creating a namespace");
    return ns;
}

uint64_t tour_keys(tarn_namespace *ns)
{
    struct tarn_stats stats = {.size = sizeof stats};

    tour_expect(tarn_namespace_stats(ns, &stats, NULL, 0), "asking for the stats");
    return stats.keys;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void expect_value(const struct tour_record *record, struct tarn_slice value)
{
    if (tour_compare(record->value, value) != 0)
        tour_fail("%.*s came back with another value", (int)smaller(record->key.length, 200),
                  (const char *)record->key.data);
}

static void expect_keys(tarn_namespace *ns, uint64_t keys)
{
    uint64_t there = tour_keys(ns);

    if (there != keys)
        tour_fail("there are %" PRIu64 " keys where %" PRIu64 " were stored", there, keys);
}

/* Commits a batch of which every operation must succeed, and empties it. */
static void commit(tarn_namespace *ns, tarn_batch *batch)
{
    struct tarn_batch_summary summary;

    tour_expect(tarn_batch_commit(ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, &summary),
                "committing a batch");
    if (summary.processed != tarn_batch_count(batch) || summary.failed != 0)
        tour_fail("a batch of %zu operations applied %zu", tarn_batch_count(batch),
                  summary.processed);
    tarn_batch_clear(batch);
}

void tour_load(struct tour *tour)
{
    const struct tour_input *input = tour->input;
    tarn_batch *batch = NULL;

    tour_expect(tarn_batch_create(&batch), "making a batch");
    tour_begin("insert, in batches of 64", input->count);
    for (size_t i = 0; i < input->count; i++) {
        const struct tour_record *record = &input->records[tour->order[i]];

        tour_expect(tarn_batch_insert(batch, record->key, record->value), "adding to a batch");
        if (tarn_batch_count(batch) == TOUR_GROUP)
            commit(tour->records, batch);
        tour_progress(i);
    }
    commit(tour->records, batch);
    tour_end(input->count);
    tarn_batch_free(batch);
    expect_keys(tour->records, input->count);
}

void tour_refused_batch(struct tour *tour)
{
    const struct tour_record *first = &tour->input->records[0];
    struct tarn_batch_summary summary;
    struct tarn_slice fresh;
    tarn_batch *batch = NULL;
    tarn_status status;
    char name[32];

    tour_expect(tarn_batch_create(&batch), "making a batch");
    for (int i = 0; i < TOUR_GROUP - 1; i++) {
        fresh = tarn_slice_of(name, (size_t)snprintf(name, sizeof name, "\001never there %d", i));
        tour_expect(tarn_batch_set(batch, fresh, first->value), "adding to a batch");
    }
    tour_expect(tarn_batch_insert(batch, first->key, first->value), "adding to a batch");
    status = tarn_batch_commit(tour->records, batch, TARN_ALL_OR_NOTHING, NULL, NULL, &summary);
    if (status != TARN_KEY_EXISTS || summary.processed != 0 || summary.failed != 1 ||
        summary.first_failed != TOUR_GROUP - 1)
        tour_fail("a batch that inserts a key twice ended with %s", tarn_status_name(status));
    for (int i = 0; i < TOUR_GROUP - 1; i++) {
        fresh = tarn_slice_of(name, (size_t)snprintf(name, sizeof name, "\001never there %d", i));
        if (tarn_exists(tour->records, fresh) != TARN_KEY_NOT_FOUND)
            tour_fail("a batch that was refused has been applied in part");
    }
    tarn_batch_free(batch);
    expect_keys(tour->records, tour->input->count);
}

void tour_read(struct tour *tour)
{
    const struct tour_input *input = tour->input;
    struct tarn_buf value = {0};

    tour_begin("get, in random order", input->count);
    for (size_t i = 0; i < input->count; i++) {
        const struct tour_record *record = &input->records[tour->order[i]];

        tour_expect(tarn_get(tour->records, record->key, &value, NULL), "getting a record");
        if (value.length != record->value.length)
            expect_value(record, tarn_slice_of(value.data, value.length));
        tour_progress(i);
    }
    tour_end(input->count);
    tarn_buf_release(&value);

    tour_begin("look for a key that is absent", input->count);
    for (uint64_t i = 0; i < input->count; i++) {
        uint64_t key[2] = {0, i};

        if (tarn_exists(tour->records, tarn_slice_of(key, sizeof key)) != TARN_KEY_NOT_FOUND)
            tour_fail("a key was found that nobody stored");
        tour_progress(i);
    }
    tour_end(input->count);
}

static void read_all_by_groups(struct tour *tour, enum tarn_mode mode)
{
    const struct tour_input *input = tour->input;
    struct tarn_slice keys[TOUR_GROUP];
    struct tarn_result results[TOUR_GROUP];
    struct tarn_buf values = {0};
    size_t count;

    for (size_t i = 0; i < input->count; i += count) {
        count = smaller(TOUR_GROUP, input->count - i);
        for (size_t k = 0; k < count; k++)
            keys[k] = input->records[tour->order[i + k]].key;
        tour_expect(tarn_get_many(tour->records, mode, keys, count, results, &values),
                    "getting many records");
        for (size_t k = 0; k < count; k++) {
            const struct tour_record *record = &input->records[tour->order[i + k]];

            tour_expect(results[k].status, "getting one record of many");
            if (results[k].value.length != record->value.length)
                expect_value(record, results[k].value);
        }
        tour_progress(i);
    }
    tarn_buf_release(&values);
}

void tour_read_many(struct tour *tour)
{
    tour_begin("get_many of 64, each key for itself", tour->input->count);
    read_all_by_groups(tour, TARN_BEST_EFFORT);
    tour_end(tour->input->count);
    tour_begin("get_many of 64, all at one moment", tour->input->count);
    read_all_by_groups(tour, TARN_ALL_OR_NOTHING);
    tour_end(tour->input->count);
}

void tour_check_counters(struct tour *tour)
{
    const struct tour_input *input = tour->input;
    tarn_cursor *cursor = NULL;
    struct tarn_record_info info;
    struct tarn_slice key, value;
    size_t seen = 0;
    tarn_status status;

    tour_expect(tarn_cursor_open(tour->counters, NULL, &cursor), "opening a cursor");
    while ((status = tarn_cursor_next(cursor, &key, &value, &info)) == TARN_OK) {
        const struct tour_group *group = tour_find_group(input, key);
        const unsigned char *bytes = value.data;
        uint64_t count = 0;

        if (!group || info.content != TARN_CONTENT_COUNTER || value.length != sizeof count)
            tour_fail("there is a counter that nobody made");
        for (size_t i = 0; i < sizeof count; i++)
            count |= (uint64_t)bytes[i] << (8 * i);
        if (count != group->records)
            tour_fail("a counter is at %" PRIu64 " where it must be at %" PRIu64, count,
                      group->records);
        seen++;
    }
    if (status != TARN_CURSOR_END)
        tour_expect(status, "walking over the counters");
    tarn_cursor_close(cursor);
    if (seen != input->group_count)
        tour_fail("there are %zu counters where %zu were made", seen, input->group_count);
}

void tour_count(struct tour *tour)
{
    const struct tour_input *input = tour->input;
    size_t half = input->count / 2;
    tarn_batch *batch = NULL;
    int64_t sum;

    tour_begin("increment a counter", half);
    for (size_t i = 0; i < half; i++) {
        const struct tour_record *record = &input->records[tour->order[i]];

        tour_expect(tarn_increment(tour->counters, input->groups[record->group].name, 1, &sum),
                    "incrementing a counter");
        if (sum < 1 || (uint64_t)sum > input->groups[record->group].records)
            tour_fail("a counter went to %" PRId64, sum);
        tour_progress(i);
    }
    tour_end(half);

    tour_expect(tarn_batch_create(&batch), "making a batch");
    tour_begin("increment counters, in batches of 64", input->count - half);
    for (size_t i = half; i < input->count; i++) {
        const struct tour_record *record = &input->records[tour->order[i]];

        tour_expect(tarn_batch_increment(batch, input->groups[record->group].name, 1),
                    "adding to a batch");
        if (tarn_batch_count(batch) == TOUR_GROUP)
            commit(tour->counters, batch);
        tour_progress(i);
    }
    commit(tour->counters, batch);
    tour_end(input->count - half);
    tarn_batch_free(batch);
    tour_check_counters(tour);
}

/* Walks over the keys with a prefix. Each must be a record of the input and come once; returns how
 * many came. */
static size_t walk(struct tour *tour, const char *prefix)
{
    const struct tour_input *input = tour->input;
    struct tarn_cursor_options options = {
        .size = sizeof options,
        .prefix = tarn_slice_of(prefix, strlen(prefix)),
    };
    bool *came = tour_allocate(input->count, sizeof came[0]);
    tarn_cursor *cursor = NULL;
    struct tarn_slice key, value;
    size_t seen = 0;
    tarn_status status;

    tour_expect(tarn_cursor_open(tour->records, &options, &cursor), "opening a cursor");
    while ((status = tarn_cursor_next(cursor, &key, &value, NULL)) == TARN_OK) {
        const struct tour_record *record = tour_find(input, key);

        if (!record)
            tour_fail("the cursor returned a key that nobody stored");
        if (came[record - input->records])
            tour_fail("the cursor returned a key twice");
        came[record - input->records] = true;
        expect_value(record, value);
        seen++;
    }
    if (status != TARN_CURSOR_END)
        tour_expect(status, "walking over the records");
    if (tarn_cursor_position(cursor) != UINT64_MAX)
        tour_fail("the cursor is at its end and does not say so");
    tarn_cursor_close(cursor);
    free(came);
    return seen;
}

void tour_walk_prefix(struct tour *tour)
{
    const struct tour_input *input = tour->input;
    static char name[45];
    size_t wanted = 0;
    size_t seen;

    for (size_t i = 0; i < input->count; i++) {
        struct tarn_slice key = input->records[i].key;

        if (key.length >= strlen(input->prefix) &&
            memcmp(key.data, input->prefix, strlen(input->prefix)) == 0)
            wanted++;
    }
    snprintf(name, sizeof name, "cursor, compare keys with \"%.15s\"", input->prefix);
    tour_begin(name, 0);
    seen = walk(tour, input->prefix);
    tour_end(seen);
    if (seen != wanted)
        tour_fail("the cursor returned %zu keys of %zu", seen, wanted);
}

void tour_check(struct tour *tour)
{
    const struct tour_input *input = tour->input;
    struct tarn_pin pin = {0};
    size_t seen;

    tour_begin("compare every byte, read in place", input->count);
    for (size_t i = 0; i < input->count; i++) {
        const struct tour_record *record = &input->records[tour->order[i]];

        tour_expect(tarn_get_pinned(tour->records, record->key, &pin), "pinning a record");
        expect_value(record, pin.value);
        tarn_unpin(&pin);
        tour_progress(i);
    }
    tour_end(input->count);

    tour_begin("compare every byte, by a cursor", 0);
    seen = walk(tour, "");
    tour_end(seen);
    if (seen != input->count)
        tour_fail("the cursor returned %zu keys of %zu", seen, input->count);
    expect_keys(tour->records, input->count);
}
