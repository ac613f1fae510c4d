/*
 * What only tarn's log is asked for: see disk_log.h.
 */
#include "disk_log.h"

#include "clock.h"
#include "console.h"
#include "tarn.h"
#include "workload.h"

enum { KEY_BYTES_MAX = 256, STALE_SHARE = 10 /* one in so many */ };

struct log {
    tarn_store *tarn;
    tarn_namespace *ns;
};

static void must(tarn_status status, const char *what)
{
    if (status != TARN_OK) {
        console_fail("tarn: cannot %s: %s: %s", what, tarn_status_name(status),
                     tarn_last_error()->message);
    }
}

/* Makes one that is not compacted by itself. */
static void log_make(struct log *log, const char *folder)
{
    const struct tarn_namespace_options options = {.size = sizeof options,
                                                   .engine = TARN_ENGINE_LOG,
                                                   .sync = TARN_SYNC_NONE,
                                                   .compact_percent = 100};
    must(tarn_open(folder, NULL, &log->tarn), "make a store in a folder");
    must(tarn_namespace_create(log->tarn, tarn_slice_of("log", 3), &options, &log->ns),
         "make a namespace in a log");
}

static void log_close(struct log *log)
{
    tarn_namespace_close(log->ns);
    must(tarn_close(log->tarn), "close a store");
}

/* Sets the keys of the indexes below keys that are multiples of step. */
static void log_write(const struct log *log, uint32_t keys, uint32_t step, size_t key_bytes,
                      size_t value_bytes)
{
    uint8_t key[KEY_BYTES_MAX] = {0};
    struct workload_value value;
    workload_value_init(&value, value_bytes);
    for (uint32_t i = 0; i < keys; i += step) {
        workload_key(i, key);
        workload_value_stamp(&value, i, step);
        must(tarn_set(log->ns, tarn_slice_of(key, key_bytes),
                      tarn_slice_of(value.bytes, value.length), NULL, NULL),
             "set a key");
    }
}

double disk_log_compact(const char *folder, uint32_t keys, size_t value_bytes)
{
    struct log log;
    struct tarn_stats stats = {.size = sizeof stats};
    log_make(&log, folder);
    log_write(&log, keys, 1, WORKLOAD_KEY_BYTES, value_bytes);
    log_write(&log, keys, STALE_SHARE, WORKLOAD_KEY_BYTES, value_bytes);
    must(tarn_sync(log.ns), "sync a log");
    const uint64_t begin_ns = clock_wall_ns();
    must(tarn_compact(log.ns, NULL), "compact a log");
    const uint64_t ns = clock_wall_ns() - begin_ns;
    must(tarn_namespace_stats(log.ns, &stats, NULL, 0), "read the figures of a log");
    if (stats.keys != keys || stats.stale_bytes > stats.log_bytes / 100) {
        console_fail("tarn: %llu bytes are stale after a compaction, and %llu keys are there",
                     (unsigned long long)stats.stale_bytes, (unsigned long long)stats.keys);
    }
    log_close(&log);
    const uint32_t copied = keys - (keys + STALE_SHARE - 1) / STALE_SHARE;
    return (double)ns / ((double)copied * (double)(WORKLOAD_KEY_BYTES + value_bytes));
}

double disk_log_index(const char *folder, uint32_t keys, size_t key_bytes)
{
    struct log log;
    struct tarn_stats stats = {.size = sizeof stats};
    log_make(&log, folder);
    log_write(&log, keys, 1, key_bytes, WORKLOAD_VALUE_BYTES_MIN);
    must(tarn_namespace_stats(log.ns, &stats, NULL, 0), "read the figures of a log");
    log_close(&log);
    return (double)stats.index_bytes / keys;
}
