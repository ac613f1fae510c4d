/* The changes of one key that the other stages do not show, and limits: see tour_stages.h. */
#include "tour_report.h"
#include "tour_stages.h"

#include <inttypes.h>
#include <string.h>

#define VALUE_BYTES_MAX 256

static const struct tarn_slice fresh_key = {"\001never there", 12};

static void expect_status(tarn_status status, tarn_status expected, const char *what)
{
    if (status != expected)
        tour_fail("%s gave %s where it must give %s", what, tarn_status_name(status),
                  tarn_status_name(expected));
}

/* What is stored at first: the beginning of the record's value. */
static struct tarn_slice beginning(const struct tour_record *record)
{
    return tarn_slice_of(record->value.data, record->value.length < VALUE_BYTES_MAX
                                                 ? record->value.length
                                                 : VALUE_BYTES_MAX);
}

static void insert(const struct tour *tour, tarn_namespace *ns)
{
    const struct tour_record *first = &tour->input->records[0];

    tour_begin("insert, one key at a time", tour->input->count);
    for (size_t i = 0; i < tour->input->count; i++) {
        const struct tour_record *record = &tour->input->records[tour->order[i]];

        tour_expect(tarn_insert(ns, record->key, beginning(record)), "inserting a record");
        tour_progress(i);
    }
    tour_end(tour->input->count);
    expect_status(tarn_insert(ns, first->key, first->key), TARN_KEY_EXISTS,
                  "inserting a key that is there");
}

/* Replaces each value by the key. */
static void update(const struct tour *tour, tarn_namespace *ns)
{
    struct tarn_buf old = {0};

    tour_begin("update, compare what was replaced", tour->input->count);
    for (size_t i = 0; i < tour->input->count; i++) {
        const struct tour_record *record = &tour->input->records[tour->order[i]];

        tour_expect(tarn_update(ns, record->key, record->key, &old), "updating a record");
        if (tour_compare(tarn_slice_of(old.data, old.length), beginning(record)) != 0)
            tour_fail("an update replaced another value than was inserted");
        tour_progress(i);
    }
    tour_end(tour->input->count);
    tarn_buf_release(&old);
    expect_status(tarn_update(ns, fresh_key, fresh_key, NULL), TARN_KEY_NOT_FOUND,
                  "updating a key that is absent");
}

/* Replaces each value by what it was at first, if it is still the key. */
static void replace(const struct tour *tour, tarn_namespace *ns)
{
    const struct tour_record *first = &tour->input->records[0];
    struct tarn_record_info info;

    tour_begin("replace, if the value is the expected one", tour->input->count);
    for (size_t i = 0; i < tour->input->count; i++) {
        const struct tour_record *record = &tour->input->records[tour->order[i]];

        tour_expect(tarn_replace_if(ns, record->key, record->key, beginning(record)),
                    "replacing a value");
        tour_progress(i);
    }
    tour_end(tour->input->count);
    expect_status(tarn_replace_if(ns, first->key, fresh_key, first->key), TARN_CONDITION_FAILED,
                  "replacing a value that is another one");
    tour_expect(tarn_get(ns, first->key, NULL, &info), "getting a record");
    tour_expect(tarn_replace_if_sequence(ns, first->key, info.sequence, beginning(first)),
                "replacing a record by its sequence");
    expect_status(tarn_replace_if_sequence(ns, first->key, info.sequence, first->key),
                  TARN_CONDITION_FAILED, "replacing a record that was written since");
}

/* Sets limits, runs into each, and takes one of them back. */
static void configure(const struct tour *tour, tarn_namespace *ns)
{
    static const char large[VALUE_BYTES_MAX + 1];
    const struct tour_record *first = &tour->input->records[0];
    struct tarn_namespace_options options = {
        .size = sizeof options,
        .max_keys = tour->input->count,
        .max_value_size = VALUE_BYTES_MAX,
    };

    tour_expect(tarn_namespace_configure(ns, TARN_SET_MAX_KEYS | TARN_SET_MAX_VALUE_SIZE, &options),
                "setting limits");
    expect_status(tarn_insert(ns, fresh_key, fresh_key), TARN_TOO_MANY_KEYS,
                  "inserting one key more than the limit");
    expect_status(tarn_update(ns, first->key, tarn_slice_of(large, sizeof large), NULL),
                  TARN_VALUE_TOO_LARGE, "storing a value larger than the limit");
    if (--options.max_keys > 0) /* 0 would be no limit */
        expect_status(tarn_namespace_configure(ns, TARN_SET_MAX_KEYS, &options), TARN_LIMIT_TOO_LOW,
                      "a limit of fewer keys than there are");
    options.max_keys = 0;
    tour_expect(tarn_namespace_configure(ns, TARN_SET_MAX_KEYS, &options), "lifting a limit");
    tour_expect(tarn_insert(ns, fresh_key, fresh_key), "inserting without a limit");
    tour_expect(tarn_delete(ns, fresh_key), "deleting a record");
}

static void delete_all(const struct tour *tour, tarn_namespace *ns)
{
    struct tarn_buf value = {0};

    for (size_t i = 0; i < tour->input->count; i++) {
        const struct tour_record *record = &tour->input->records[i];

        tour_expect(tarn_get(ns, record->key, &value, NULL), "getting a record");
        if (tour_compare(tarn_slice_of(value.data, value.length), beginning(record)) != 0)
            tour_fail("a value that was replaced came back as another one");
    }
    tarn_buf_release(&value);
    tour_begin("delete", tour->input->count);
    for (size_t i = 0; i < tour->input->count; i++) {
        tour_expect(tarn_delete(ns, tour->input->records[tour->order[i]].key), "deleting a record");
        tour_progress(i);
    }
    tour_end(tour->input->count);
    expect_status(tarn_delete(ns, tour->input->records[0].key), TARN_KEY_NOT_FOUND,
                  "deleting a key that is absent");
    if (tour_keys(ns) != 0)
        tour_fail("there are %" PRIu64 " keys after all were deleted", tour_keys(ns));
}

void tour_change(struct tour *tour)
{
    tarn_namespace *ns = tour_namespace(tour, "changes");

    insert(tour, ns);
    update(tour, ns);
    replace(tour, ns);
    configure(tour, ns);
    delete_all(tour, ns);
    tarn_namespace_close(ns);
    tour_expect(tarn_namespace_drop(tour->store, tarn_slice_of("changes", 7)),
                "dropping a namespace");
}
