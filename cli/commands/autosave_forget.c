/* tarn autosave forget: an autosave ends and is not set any more. */
#include "../session.h"

enum { STORE };

static const struct command_option options[] = {
    [STORE] = {"store", NULL, "of the whole store, not of --namespace"},
    {NULL, NULL, NULL},
};

static int run(struct invocation *call)
{
    struct tarn_slice name = slice_of(call->values[STORE] ? "" : call->globals.namespace_name);
    struct session session;
    int code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);

    if (code)
        return code;
    return session_end(&session, session_status(tarn_autosave_set(session.store, name, NULL)));
}

const struct command command_autosave_forget = {
    .name = "autosave forget",
    .summary = "Ends an autosave and forgets how it was set",
    .operands = "",
    .options = options,
    .text = "  tarn autosave forget -n cache\n",
    .run = run,
};
