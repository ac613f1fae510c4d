/* tarn ns resize: changes the number of shards. */
#include "../options.h"
#include "../session.h"

static int run(struct invocation *call)
{
    struct session session;
    tarn_namespace *ns = NULL;
    tarn_status status;
    uint64_t shards;
    int code = options_number("SHARDS", call->operands[1], 1, TARN_SHARDS_MAX, &shards);

    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);
    if (code)
        return code;
    status = tarn_namespace_open(session.store, slice_of(call->operands[0]), &ns);
    if (!status)
        status = tarn_namespace_resize(ns, (uint32_t)shards);
    tarn_namespace_close(ns);
    return session_end(&session, session_status(status));
}

const struct command command_ns_resize = {
    .name = "ns resize",
    .summary = "Changes the number of shards of a namespace",
    .operands = "NAME SHARDS",
    .operands_min = 2,
    .operands_max = 2,
    .text = "More shards let more threads write at a time: programs with many writers want it, not "
            "this\n"
            "command. No record moves.\n"
            "\n"
            "  tarn ns resize users 64\n",
    .run = run,
};
