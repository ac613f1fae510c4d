/* The options of a namespace: checking, applying and changing them. */
#include "base/status.h"
#include "format/catalog.h"
#include "namespace/namespace.h"

#define LOCK_TIMEOUT_MS_DEFAULT  5000
#define SYNC_INTERVAL_MS_DEFAULT 1000
#define SEGMENT_BYTES_DEFAULT    ((uint64_t)64 * 1024 * 1024)
#define COMPACT_BYTES_DEFAULT    ((uint64_t)1024 * 1024)
#define COMPACT_PERCENT_DEFAULT  20

/* ------------------------------------------------------------------------------------------
 * Checking
 */

static tarn_status check_max_value_size(const struct tarn_namespace_options *options)
{
    if (options->max_value_size <= TARN_VALUE_BYTES_MAX)
        return TARN_OK;
    return tarn__fail(TARN_INVALID_ARGUMENT, "max_value_size is %llu, and at most %zu",
                      (unsigned long long)options->max_value_size, TARN_VALUE_BYTES_MAX);
}

static tarn_status check_sync(const struct tarn_namespace_options *options)
{
    if ((unsigned)options->sync > TARN_SYNC_ALWAYS)
        return tarn__fail(TARN_INVALID_ARGUMENT, "sync is %d", (int)options->sync);
    if (options->sync_interval_ms > TARN__SYNC_INTERVAL_MS_MAX)
        return tarn__fail(TARN_INVALID_ARGUMENT, "sync_interval_ms is %u, and at most %d",
                          options->sync_interval_ms, TARN__SYNC_INTERVAL_MS_MAX);
    return TARN_OK;
}

static tarn_status check_segment_bytes(const struct tarn_namespace_options *options)
{
    uint64_t bytes = options->segment_bytes;

    if (!bytes || (bytes >= TARN__SEGMENT_BYTES_MIN && bytes <= TARN__SEGMENT_BYTES_MAX))
        return TARN_OK;
    return tarn__fail(TARN_INVALID_ARGUMENT, "segment_bytes is %llu, and 64 KiB to 1 GiB",
                      (unsigned long long)bytes);
}

static tarn_status check_compaction(const struct tarn_namespace_options *options)
{
    if (options->compact_percent > 100)
        return tarn__fail(TARN_INVALID_ARGUMENT, "compact_percent is %u, and at most 100",
                          options->compact_percent);
    return TARN_OK;
}

static tarn_status check_options(const struct tarn_namespace_options *options)
{
    tarn_status status;

    if (!options)
        return TARN_OK;
    status = tarn__check_size(options->size, sizeof *options, "tarn_namespace_options");
    if (!status && options->shards > TARN_SHARDS_MAX)
        status = tarn__fail(TARN_INVALID_ARGUMENT, "shards is %u, and at most %d", options->shards,
                            TARN_SHARDS_MAX);
    if (!status)
        status = check_sync(options);
    if (!status)
        status = check_segment_bytes(options);
    if (!status)
        status = check_compaction(options);
    return status ? status : check_max_value_size(options);
}

tarn_status tarn__namespace_engine(const struct tarn_namespace_options *options,
                                   const struct tarn__engine **engine)
{
    tarn_status status = check_options(options);

    if (status)
        return status;
    switch (options ? options->engine : TARN_ENGINE_DEFAULT) {
    case TARN_ENGINE_DEFAULT:
    case TARN_ENGINE_MEMORY:
        *engine = &tarn__memory_engine;
        return TARN_OK;
    case TARN_ENGINE_LOG:
        *engine = &tarn__log_engine;
        return TARN_OK;
    }
    return tarn__fail(TARN_INVALID_ARGUMENT, "engine is %d", (int)options->engine);
}

/* ------------------------------------------------------------------------------------------
 * Applying
 */

static uint32_t timeout_of(const struct tarn_namespace_options *options)
{
    return options->lock_timeout_ms ? options->lock_timeout_ms : LOCK_TIMEOUT_MS_DEFAULT;
}

static uint64_t max_value_size_of(const struct tarn_namespace_options *options)
{
    return options->max_value_size ? options->max_value_size : TARN_VALUE_BYTES_MAX;
}

static enum tarn_sync_mode sync_of(const struct tarn_namespace_options *options)
{
    return options->sync ? options->sync : TARN_SYNC_ALWAYS;
}

static uint32_t sync_interval_of(const struct tarn_namespace_options *options)
{
    return options->sync_interval_ms ? options->sync_interval_ms : SYNC_INTERVAL_MS_DEFAULT;
}

static uint64_t segment_bytes_of(const struct tarn_namespace_options *options)
{
    return options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES_DEFAULT;
}

void tarn__options_apply(tarn_namespace *ns, unsigned fields,
                         const struct tarn_namespace_options *options)
{
    if (fields & TARN_SET_LOCK_TIMEOUT_MS)
        atomic_store(&ns->lock_timeout_ms, timeout_of(options));
    if (fields & TARN_SET_MAX_KEYS)
        atomic_store(&ns->max_keys, options->max_keys);
    if (fields & TARN_SET_MAX_VALUE_SIZE)
        atomic_store(&ns->max_value_size, max_value_size_of(options));
    if (fields & TARN_SET_MAX_BYTES)
        atomic_store(&ns->max_bytes, options->max_bytes);
    if (fields & TARN_SET_SYNC) {
        atomic_store(&ns->sync, sync_of(options));
        atomic_store(&ns->sync_interval_ms, sync_interval_of(options));
    }
    if (fields & TARN_SET_SEGMENT_BYTES)
        atomic_store(&ns->segment_bytes, segment_bytes_of(options));
    if (fields & TARN_SET_COMPACTION) {
        atomic_store(&ns->compact_bytes,
                     options->compact_bytes ? options->compact_bytes : COMPACT_BYTES_DEFAULT);
        atomic_store(&ns->compact_percent,
                     options->compact_percent ? options->compact_percent : COMPACT_PERCENT_DEFAULT);
    }
}

void tarn__namespace_options_of(const tarn_namespace *ns, struct tarn_namespace_options *options)
{
    options->size = sizeof *options;
    options->shards = ns->shard_count;
    options->lock_timeout_ms = atomic_load(&ns->lock_timeout_ms);
    options->max_keys = atomic_load(&ns->max_keys);
    options->max_value_size = atomic_load(&ns->max_value_size);
    options->max_bytes = atomic_load(&ns->max_bytes);
    options->engine = ns->engine->kind;
    options->sync = TARN_SYNC_DEFAULT;
    options->sync_interval_ms = 0;
    options->segment_bytes = 0;
    options->compact_bytes = 0;
    options->compact_percent = 0;
    if (ns->engine->kind != TARN_ENGINE_LOG)
        return;
    options->sync = (enum tarn_sync_mode)atomic_load(&ns->sync);
    options->sync_interval_ms = atomic_load(&ns->sync_interval_ms);
    options->segment_bytes = atomic_load(&ns->segment_bytes);
    options->compact_bytes = atomic_load(&ns->compact_bytes);
    options->compact_percent = atomic_load(&ns->compact_percent);
}

/* ------------------------------------------------------------------------------------------
 * Changing
 */

static tarn_status too_low(const char *field, uint64_t limit, uint64_t there)
{
    return tarn__fail(TARN_LIMIT_TOO_LOW, "%s cannot become %llu: %llu are there", field,
                      (unsigned long long)limit, (unsigned long long)there);
}

void tarn__options_pass_on(tarn_namespace *ns)
{
    struct tarn_namespace_options options;

    tarn__namespace_options_of(ns, &options);
    if (ns->engine->configure)
        ns->engine->configure(ns->engine_state, &options);
}

/* No writer meets limits that are not durable: all locks are held until they are. */
static tarn_status configure(tarn_namespace *ns, unsigned fields,
                             const struct tarn_namespace_options *options)
{
    tarn_status status = tarn__shards_lock_all(ns, true);
    struct tarn_namespace_options before;
    uint64_t keys, bytes, writes;

    if (status)
        return status;
    tarn__namespace_count(ns, &keys, &bytes, &writes);
    tarn__namespace_options_of(ns, &before);
    if ((fields & TARN_SET_MAX_KEYS) && options->max_keys && keys > options->max_keys)
        status = too_low("max_keys", options->max_keys, keys);
    else if ((fields & TARN_SET_MAX_BYTES) && options->max_bytes && bytes > options->max_bytes)
        status = too_low("max_bytes", options->max_bytes, bytes);
    if (!status) {
        tarn__options_apply(ns, fields, options);
        status = ns->owner->changed(ns->owner_context);
        if (status)
            tarn__options_apply(ns, fields, &before);
    }
    if (!status)
        tarn__options_pass_on(ns);
    if (!status) { /* they are only kept while there is a limit */
        atomic_store(&ns->keys, keys);
        atomic_store(&ns->bytes, bytes);
    }
    tarn__shards_unlock_all(ns);
    return status;
}

tarn_status tarn_namespace_configure(tarn_namespace *ns, unsigned fields,
                                     const struct tarn_namespace_options *options)
{
    tarn_status status;

    if (!ns || !options)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns or options is NULL");
    status = tarn__namespace_check_changeable(ns);
    if (status)
        return status;
    if (fields & ~TARN__ALL_FIELDS)
        return tarn__fail(TARN_INVALID_ARGUMENT, "fields has unknown bits: %#x",
                          fields & ~TARN__ALL_FIELDS);
    status = tarn__check_size(options->size, sizeof *options, "tarn_namespace_options");
    if (!status && (fields & TARN_SET_MAX_VALUE_SIZE))
        status = check_max_value_size(options);
    if (!status && (fields & TARN_SET_SYNC))
        status = check_sync(options);
    if (!status && (fields & TARN_SET_SEGMENT_BYTES))
        status = check_segment_bytes(options);
    if (!status && (fields & TARN_SET_COMPACTION))
        status = check_compaction(options);
    if (status)
        return status;
    ns->owner->lock(ns->owner_context);
    status = configure(ns, fields, options);
    ns->owner->unlock(ns->owner_context);
    return status;
}
