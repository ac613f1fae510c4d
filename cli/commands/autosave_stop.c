/* tarn autosave stop: stops an autosave, which stays set. */
#include "../autosave_name.h"

static const struct command_option options[] = {
    AUTOSAVE_STORE_OPTION,
    {NULL, NULL, NULL},
};

static int run(struct invocation *call)
{
    return session_call(call, SESSION_WRITES, tarn_autosave_stop, autosave_name(call));
}

const struct command command_autosave_stop = {
    .name = "autosave stop",
    .summary = "Stops an autosave, which stays set",
    .operands = "",
    .options = options,
    .text = "  tarn autosave stop -n cache\n",
    .run = run,
};
