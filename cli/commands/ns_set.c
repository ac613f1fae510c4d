/* tarn ns set: changes how a namespace is configured. */
#include "../namespace_options.h"
#include "../report.h"
#include "../session.h"

static const struct command_option options[] = {
    NAMESPACE_SHARDS_OPTION,
    NAMESPACE_OPTIONS,
    {NULL, NULL, NULL},
};

static tarn_status change(tarn_namespace *ns, unsigned fields,
                          struct tarn_namespace_options *chosen)
{
    struct tarn_stats stats = {.size = sizeof stats};
    tarn_status status = tarn_namespace_stats(ns, &stats, NULL, 0);

    /* of two that change together one may be as it was */
    if (chosen->sync == TARN_SYNC_DEFAULT)
        chosen->sync = stats.options.sync;
    if (chosen->sync_interval_ms == 0)
        chosen->sync_interval_ms = stats.options.sync_interval_ms;
    if (chosen->compact_bytes == 0)
        chosen->compact_bytes = stats.options.compact_bytes;
    if (chosen->compact_percent == 0)
        chosen->compact_percent = stats.options.compact_percent;
    return status ? status : tarn_namespace_configure(ns, fields, chosen);
}

static int run(struct invocation *call)
{
    struct tarn_namespace_options chosen = {.size = sizeof chosen};
    struct session session;
    tarn_namespace *ns = NULL;
    tarn_status status;
    unsigned fields;
    int code = namespace_options_read(call, &chosen, &fields);

    if (!code && call->globals.engine != TARN_ENGINE_DEFAULT)
        code =
            report_error(EXIT_USAGE, "the engine of a namespace does not change: " ENGINE_ADVICE);
    if (!code && !fields && !chosen.shards)
        code = report_error(EXIT_USAGE, "say what to change: `tarn help ns set` lists it");
    if (!code && fields && chosen.shards)
        code = report_error(EXIT_USAGE, "--shards goes alone: the others change as one");
    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);
    if (code)
        return code;
    status = tarn_namespace_open(session.store, slice_of(call->operands[0]), &ns);
    if (!status)
        status =
            chosen.shards ? tarn_namespace_resize(ns, chosen.shards) : change(ns, fields, &chosen);
    tarn_namespace_close(ns);
    return session_end(&session, session_status(status));
}

const struct command command_ns_set = {
    .name = "ns set",
    .summary = "Changes how a namespace is configured",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .text = "All that is given is changed, or nothing. A limit of 0 is none. A limit below what is "
            "there\n"
            "already is refused.\n"
            "\n"
            "  tarn ns set users --max-keys 1000000 --max-value-size 64K\n"
            "  tarn ns set users --sync none\n"
            "  tarn ns set users --compact-bytes 64M --compact-percent 50\n",
    .run = run,
};
