/*
 * A store in a directory and its snapshot: see snapshot_store.h.
 */
#include "snapshot_store.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "console.h"
#include "plan.h"

enum { CHECKS = 1000 }; /* keys whose values are looked at after a load */

static struct tarn_slice namespace_name(void)
{
    return tarn_slice_of("records", 7);
}

static struct tarn_slice snapshot_name(void)
{
    return tarn_slice_of("saved", 5);
}

static void must(tarn_status status, const char *what)
{
    if (status != TARN_OK) {
        console_fail("tarn: cannot %s: %s: %s", what, tarn_status_name(status),
                     tarn_last_error()->message);
    }
}

void snapshot_store_make(struct snapshot_store *store, const char *folder, const uint32_t *order,
                         uint32_t keys)
{
    struct workload_value value;
    *store = (struct snapshot_store){.folder = folder, .keys = keys};
    must(tarn_open(folder, NULL, &store->tarn), "make a store in a folder");
    must(tarn_namespace_create(store->tarn, namespace_name(), NULL, &store->ns),
         "make a namespace");
    workload_value_init(&value, PLAN_VALUE_BYTES);
    for (uint32_t i = 0; i < keys; i++) {
        snapshot_store_set(store, &value, order[i]);
    }
}

void snapshot_store_close(struct snapshot_store *store)
{
    tarn_namespace_close(store->ns);
    must(tarn_close(store->tarn), "close a store");
    store->ns = NULL;
    store->tarn = NULL;
}

void snapshot_store_set(const struct snapshot_store *store, struct workload_value *value,
                        uint32_t index)
{
    uint8_t key[WORKLOAD_KEY_BYTES];
    workload_key(index, key);
    workload_value_stamp(value, index, store->version);
    must(tarn_set(store->ns, tarn_slice_of(key, sizeof key),
                  tarn_slice_of(value->bytes, value->length), NULL, NULL),
         "set a key");
}

void snapshot_store_save(struct snapshot_store *store, struct tarn_snapshot_info *info)
{
    *info = (struct tarn_snapshot_info){.size = sizeof *info};
    must(tarn_snapshot_save_namespace(store->ns, snapshot_name(), info), "save a namespace");
    if (info->keys != store->keys) {
        console_fail("tarn: a snapshot of %u keys has %llu", store->keys,
                     (unsigned long long)info->keys);
    }
    store->saved_version = store->version;
}

void snapshot_store_delete(struct snapshot_store *store)
{
    must(tarn_snapshot_delete(store->tarn, snapshot_name()), "delete a snapshot");
}

/* One of the keys that are looked at; they lie at equal distances. */
static uint32_t checked_index(const struct snapshot_store *store, uint32_t check)
{
    return (uint32_t)((uint64_t)check * store->keys / CHECKS);
}

/* Sets the keys that are going to be looked at, so that what is in memory is not what was saved. */
static void depart(struct snapshot_store *store)
{
    struct workload_value value;
    store->version = store->saved_version + 1;
    workload_value_init(&value, PLAN_VALUE_BYTES);
    for (uint32_t i = 0; i < CHECKS; i++) {
        snapshot_store_set(store, &value, checked_index(store, i));
    }
}

/* Checks one value of what was loaded. */
static void check_value(const struct snapshot_store *store, const struct tarn_buf *value,
                        uint32_t index)
{
    uint64_t version = 0;
    if (!workload_value_is_whole(value->data, value->length, index, PLAN_VALUE_BYTES)) {
        console_fail("tarn: key %u has a wrong value after a load", index);
    }
    memcpy(&version, (const uint8_t *)value->data + value->length - sizeof version, sizeof version);
    if (version > store->saved_version) {
        console_fail("tarn: key %u has a value after a load that was not saved", index);
    }
}

static void check(const struct snapshot_store *store, tarn_namespace *ns)
{
    struct tarn_stats stats = {.size = sizeof stats};
    struct tarn_buf value = {.data = NULL};
    must(tarn_namespace_stats(ns, &stats, NULL, 0), "read the figures of a namespace");
    if (stats.keys != store->keys) {
        console_fail("tarn: %llu keys are there after a load of %u", (unsigned long long)stats.keys,
                     store->keys);
    }
    for (uint32_t i = 0; i < CHECKS; i++) {
        const uint32_t index = checked_index(store, i);
        uint8_t key[WORKLOAD_KEY_BYTES];
        workload_key(index, key);
        must(tarn_get(ns, tarn_slice_of(key, sizeof key), &value, NULL), "get a loaded key");
        check_value(store, &value, index);
    }
    tarn_buf_release(&value);
}

uint64_t snapshot_store_load(struct snapshot_store *store)
{
    char text[32];
    tarn_namespace *loaded = NULL;
    const int length =
        snprintf(text, sizeof text, "loaded-%llu", (unsigned long long)++store->loads);
    const struct tarn_slice as = tarn_slice_of(text, (size_t)length);
    depart(store);
    const uint64_t begin_ns = clock_wall_ns();
    const tarn_status status =
        tarn_snapshot_load_namespace(store->tarn, snapshot_name(), namespace_name(), as);
    const uint64_t ns = clock_wall_ns() - begin_ns;
    must(status, "load a namespace");
    must(tarn_namespace_open(store->tarn, as, &loaded), "open a loaded namespace");
    check(store, loaded);
    tarn_namespace_close(loaded);
    must(tarn_namespace_drop(store->tarn, as), "drop a loaded namespace");
    return ns;
}

uint64_t snapshot_store_reopen(struct snapshot_store *store)
{
    const struct tarn_options options = {.size = sizeof options, .load = TARN_LOAD_NEWEST};
    depart(store);
    snapshot_store_close(store);
    const uint64_t begin_ns = clock_wall_ns();
    const tarn_status status = tarn_open(store->folder, &options, &store->tarn);
    const uint64_t ns = clock_wall_ns() - begin_ns;
    must(status, "open a store with what was saved");
    must(tarn_namespace_open(store->tarn, namespace_name(), &store->ns),
         "open a namespace that was saved");
    check(store, store->ns);
    return ns;
}

uint64_t snapshot_store_memory_bytes(const struct snapshot_store *store)
{
    struct tarn_stats stats = {.size = sizeof stats};
    must(tarn_namespace_stats(store->ns, &stats, NULL, 0), "read the figures of a namespace");
    return stats.memory_bytes;
}
