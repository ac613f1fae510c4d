/* The options of a namespace; see the header. */
#include "namespace_options.h"
#include "options.h"

static int read_number(const struct invocation *call, enum namespace_option option,
                       const char *what, uint64_t least, uint64_t most, uint32_t *number)
{
    uint64_t value;
    int code = 0;

    if (!call->values[option])
        return 0;
    code = options_number(what, call->values[option], least, most, &value);
    if (!code)
        *number = (uint32_t)value;
    return code;
}

static int read_size(const struct invocation *call, enum namespace_option option, const char *what,
                     uint64_t most, uint64_t *bytes)
{
    return call->values[option] ? options_size(what, call->values[option], most, bytes) : 0;
}

static unsigned given(const struct invocation *call, enum namespace_option option, unsigned field)
{
    return call->values[option] ? field : 0;
}

int namespace_options_read(const struct invocation *call, struct tarn_namespace_options *options,
                           unsigned *fields)
{
    const struct globals *globals = &call->globals;
    int code =
        read_number(call, NAMESPACE_SHARDS, "--shards", 1, TARN_SHARDS_MAX, &options->shards);

    if (!code)
        code = read_number(call, NAMESPACE_LOCK_TIMEOUT_MS, "--lock-timeout-ms", 1, UINT32_MAX,
                           &options->lock_timeout_ms);
    if (!code && call->values[NAMESPACE_MAX_KEYS])
        code = options_number("--max-keys", call->values[NAMESPACE_MAX_KEYS], 0, UINT64_MAX,
                              &options->max_keys);
    if (!code)
        code = read_size(call, NAMESPACE_MAX_VALUE_SIZE, "--max-value-size", TARN_VALUE_BYTES_MAX,
                         &options->max_value_size);
    if (!code)
        code = read_size(call, NAMESPACE_MAX_BYTES, "--max-bytes", UINT64_MAX, &options->max_bytes);
    if (!code)
        code = read_number(call, NAMESPACE_SYNC_INTERVAL_MS, "--sync-interval-ms", 1, 3600000,
                           &options->sync_interval_ms);
    if (!code)
        code = read_size(call, NAMESPACE_SEGMENT_BYTES, "--segment-bytes", UINT64_C(1) << 30,
                         &options->segment_bytes);
    if (!code)
        code = read_size(call, NAMESPACE_COMPACT_BYTES, "--compact-bytes", UINT64_MAX,
                         &options->compact_bytes);
    if (!code)
        code = read_number(call, NAMESPACE_COMPACT_PERCENT, "--compact-percent", 1, 100,
                           &options->compact_percent);
    if (globals->engine != TARN_ENGINE_DEFAULT)
        options->engine = globals->engine;
    if (globals->sync != TARN_SYNC_DEFAULT)
        options->sync = globals->sync;
    *fields = given(call, NAMESPACE_LOCK_TIMEOUT_MS, TARN_SET_LOCK_TIMEOUT_MS) |
              given(call, NAMESPACE_MAX_KEYS, TARN_SET_MAX_KEYS) |
              given(call, NAMESPACE_MAX_VALUE_SIZE, TARN_SET_MAX_VALUE_SIZE) |
              given(call, NAMESPACE_MAX_BYTES, TARN_SET_MAX_BYTES) |
              given(call, NAMESPACE_SYNC_INTERVAL_MS, TARN_SET_SYNC) |
              given(call, NAMESPACE_SEGMENT_BYTES, TARN_SET_SEGMENT_BYTES) |
              given(call, NAMESPACE_COMPACT_BYTES, TARN_SET_COMPACTION) |
              given(call, NAMESPACE_COMPACT_PERCENT, TARN_SET_COMPACTION) |
              (globals->sync != TARN_SYNC_DEFAULT ? TARN_SET_SYNC : 0);
    return code;
}
