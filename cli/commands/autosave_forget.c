/* tarn autosave forget: an autosave ends and is not set any more. */
#include "../autosave_name.h"

static const struct command_option options[] = {
    AUTOSAVE_STORE_OPTION,
    {NULL, NULL, NULL},
};

static tarn_status forget(tarn_store *store, struct tarn_slice name)
{
    return tarn_autosave_set(store, name, NULL);
}

static int run(struct invocation *call)
{
    return session_call(call, SESSION_WRITES, forget, autosave_name(call));
}

const struct command command_autosave_forget = {
    .name = "autosave forget",
    .summary = "Ends an autosave and forgets how it was set",
    .operands = "",
    .options = options,
    .text = "  tarn autosave forget -n cache\n",
    .run = run,
};
