/* tarn ns show: how a namespace is configured. */
#include "../options.h"
#include "../session.h"
#include "../show.h"

static void show(struct invocation *call, struct tarn_slice name,
                 const struct tarn_namespace_options *options)
{
    struct show_object object = {0};

    show_begin(&object, call);
    show_field_text(&object, "name", name);
    show_field_word(&object, "engine", engine_name(options->engine));
    show_field_number(&object, "shards", options->shards);
    show_field_number(&object, "lock_timeout_ms", options->lock_timeout_ms);
    show_field_number(&object, "max_keys", options->max_keys);
    show_field_number(&object, "max_value_size", options->max_value_size);
    show_field_number(&object, "max_bytes", options->max_bytes);
    if (options->engine == TARN_ENGINE_LOG) {
        show_field_word(&object, "sync", sync_name(options->sync));
        show_field_number(&object, "sync_interval_ms", options->sync_interval_ms);
        show_field_number(&object, "segment_bytes", options->segment_bytes);
        show_field_number(&object, "compact_bytes", options->compact_bytes);
        show_field_number(&object, "compact_percent", options->compact_percent);
    }
    show_end(&object);
}

static int run(struct invocation *call)
{
    struct session session;
    struct tarn_slice name =
        slice_of(call->operand_count ? call->operands[0] : call->globals.namespace_name);
    struct tarn_stats stats = {.size = sizeof stats};
    tarn_namespace *ns = NULL;
    tarn_status status;
    int code = session_begin(&session, call, SESSION_STORE);

    if (code)
        return code;
    status = tarn_namespace_open(session.store, name, &ns);
    if (!status)
        status = tarn_namespace_stats(ns, &stats, NULL, 0);
    if (!status)
        show(call, name, &stats.options);
    tarn_namespace_close(ns);
    return session_end(&session, session_status(status));
}

const struct command command_ns_show = {
    .name = "ns show",
    .summary = "Tells how a namespace is configured",
    .operands = "[NAME]",
    .operands_min = 0,
    .operands_max = 1,
    .text = "A limit of 0 is none.\n"
            "\n"
            "  tarn ns show users\n",
    .run = run,
};
