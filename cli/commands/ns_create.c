/* tarn ns create: makes a namespace. */
#include "../namespace_options.h"
#include "../session.h"

static const struct command_option options[] = {
    NAMESPACE_SHARDS_OPTION,
    NAMESPACE_OPTIONS,
    {NULL, NULL, NULL},
};

static int run(struct invocation *call)
{
    struct tarn_namespace_options chosen = {.size = sizeof chosen, .engine = TARN_ENGINE_LOG};
    struct session session;
    tarn_namespace *ns = NULL;
    tarn_status status;
    unsigned fields;
    int code = namespace_options_read(call, &chosen, &fields);

    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_MAKES | SESSION_STORE);
    if (code)
        return code;
    status = tarn_namespace_create(session.store, slice_of(call->operands[0]), &chosen, &ns);
    tarn_namespace_close(ns);
    return session_end(&session, session_status(status));
}

const struct command command_ns_create = {
    .name = "ns create",
    .summary = "Makes a namespace",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .text =
        "The store is made as well if it is not there. --engine and --sync say how it is kept: "
        "log\n"
        "writes every change to disk, memory keeps what snapshots hold. Sizes take K, M and G.\n"
        "\n"
        "  tarn ns create users\n"
        "  tarn ns create cache --engine memory --max-bytes 512M\n"
        "  tarn ns create events --sync interval --sync-interval-ms 200\n",
    .run = run,
};
