/* tarn ns copy: copies a namespace under a new name. */
#include "../namespace_options.h"
#include "../session.h"

static const struct command_option options[] = {
    NAMESPACE_SHARDS_OPTION,
    NAMESPACE_OPTIONS,
    {NULL, NULL, NULL},
};

/* The options of the source, and over them what was chosen. */
static tarn_status source_options(tarn_store *store, struct tarn_slice name,
                                  struct tarn_namespace_options *source)
{
    struct tarn_stats stats = {.size = sizeof stats};
    tarn_namespace *ns = NULL;
    tarn_status status = tarn_namespace_open(store, name, &ns);

    if (!status)
        status = tarn_namespace_stats(ns, &stats, NULL, 0);
    tarn_namespace_close(ns);
    if (!status)
        *source = stats.options;
    source->size = sizeof *source;
    return status;
}

static int copy(const struct invocation *call, struct session *session)
{
    struct tarn_slice name = slice_of(call->operands[0]), as = slice_of(call->operands[1]);
    struct tarn_namespace_options chosen = {0};
    tarn_namespace *ns = NULL;
    unsigned fields;
    int code = session_status(source_options(session->store, name, &chosen));

    if (!code)
        code = namespace_options_read(call, &chosen, &fields);
    if (!code)
        code = session_status(tarn_namespace_copy(session->store, name, as, &chosen));
    if (!code)
        code = session_status(tarn_namespace_open(session->store, as, &ns));
    if (!code)
        session_note_memory(session, ns, as);
    tarn_namespace_close(ns);
    return code;
}

static int run(struct invocation *call)
{
    struct tarn_namespace_options checked = {.size = sizeof checked};
    struct session session;
    unsigned fields;
    int code = namespace_options_read(call, &checked, &fields);

    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);
    return code ? code : session_end(&session, copy(call, &session));
}

const struct command command_ns_copy = {
    .name = "ns copy",
    .summary = "Copies a namespace under a new name",
    .operands = "NAME AS",
    .operands_min = 2,
    .operands_max = 2,
    .options = options,
    .text = "The copy has the options of the source, but for those that are given.\n"
            "\n"
            "  tarn ns copy users users-before-update\n"
            "  tarn ns copy cache kept --engine log\n",
    .run = run,
};
