/* tarn autosave stop: stops an autosave, which stays set. */
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
    return session_end(&session, session_status(tarn_autosave_stop(session.store, name)));
}

const struct command command_autosave_stop = {
    .name = "autosave stop",
    .summary = "Stops an autosave, which stays set",
    .operands = "",
    .options = options,
    .text = "  tarn autosave stop -n cache\n",
    .run = run,
};
