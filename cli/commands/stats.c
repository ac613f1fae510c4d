/* tarn stats: figures of a namespace. */
#include "../options.h"
#include "../report.h"
#include "../session.h"
#include "../show.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SHARDS };

static const struct command_option options[] = {
    [SHARDS] = {"shards", NULL, "the number of keys in each shard"},
    {NULL, NULL, NULL},
};

static void show_shards(struct invocation *call, const uint64_t *keys, uint32_t count)
{
    struct output *out = &call->out;
    bool json = call->globals.output == OUTPUT_JSON;

    for (uint32_t i = 0; i < count; i++)
        output_printf(out,
                      json ? "{\"shard\":%" PRIu32 ",\"keys\":%" PRIu64 "}\n"
                           : "%" PRIu32 "\t%" PRIu64 "\n",
                      i, keys[i]);
}

static void show_stats(struct invocation *call, const struct tarn_stats *stats)
{
    struct show_object object = {0};

    show_begin(&object, call);
    show_field_text(&object, "namespace", slice_of(call->globals.namespace_name));
    show_field_word(&object, "engine", engine_name(stats->options.engine));
    show_field_number(&object, "keys", stats->keys);
    show_field_number(&object, "bytes", stats->bytes);
    show_field_number(&object, "memory_bytes", stats->memory_bytes);
    show_field_number(&object, "index_bytes", stats->index_bytes);
    show_field_number(&object, "shards", stats->shards);
    show_field_number(&object, "sequence", stats->sequence);
    if (stats->options.engine == TARN_ENGINE_LOG) {
        show_field_number(&object, "disk_bytes", stats->disk_bytes);
        show_field_number(&object, "log_bytes", stats->log_bytes);
        show_field_number(&object, "stale_bytes", stats->stale_bytes);
        show_field_number(&object, "segments", stats->segments);
    }
    show_end(&object);
}

static int run(struct invocation *call)
{
    uint64_t *keys = NULL;
    struct session session;
    struct tarn_stats stats = {.size = sizeof stats};
    tarn_status status;
    int code = session_begin(&session, call, 0);

    if (code)
        return code;
    if (call->values[SHARDS])
        keys = calloc(TARN_SHARDS_MAX, sizeof *keys);
    if (call->values[SHARDS] && !keys)
        return session_end(&session, report_status(TARN_NO_MEMORY));
    status = tarn_namespace_stats(session.ns, &stats, keys, keys ? TARN_SHARDS_MAX : 0);
    if (!status && keys)
        show_shards(call, keys, stats.shards);
    else if (!status)
        show_stats(call, &stats);
    code = session_end(&session, session_status(status));
    free(keys);
    return code;
}

const struct command command_stats = {
    .name = "stats",
    .summary = "Prints figures of a namespace: keys, bytes, memory, disk",
    .operands = "",
    .options = options,
    .text =
        "bytes are those of keys and values; stale_bytes those of the log that a compaction gives\n"
        "back.\n"
        "\n"
        "  tarn stats\n"
        "  tarn stats --namespace users --output json\n"
        "  tarn stats --shards\n",
    .run = run,
};
