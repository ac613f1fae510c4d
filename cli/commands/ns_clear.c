/* tarn ns clear: removes every key of a namespace. */
#include "../session.h"

static int run(struct invocation *call)
{
    struct session session;
    struct tarn_slice name = slice_of(call->operands[0]);
    tarn_namespace *ns = NULL;
    tarn_status status;
    int code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);

    if (code)
        return code;
    status = tarn_namespace_open(session.store, name, &ns);
    if (!status)
        status = tarn_namespace_clear(ns);
    if (!status)
        session_note_memory(&session, ns, name);
    tarn_namespace_close(ns);
    return session_end(&session, session_status(status));
}

const struct command command_ns_clear = {
    .name = "ns clear",
    .summary = "Removes every key of a namespace, which stays as it is configured",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .text = "  tarn ns clear cache\n",
    .run = run,
};
