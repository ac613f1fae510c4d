/* tarn autosave start: starts an autosave that is set. */
#include "../autosave_name.h"

static const struct command_option options[] = {
    AUTOSAVE_STORE_OPTION,
    {NULL, NULL, NULL},
};

static int run(struct invocation *call)
{
    return session_call(call, SESSION_WRITES, tarn_autosave_start, autosave_name(call));
}

const struct command command_autosave_start = {
    .name = "autosave start",
    .summary = "Starts an autosave that is set",
    .operands = "",
    .options = options,
    .text = "  tarn autosave start -n cache\n",
    .run = run,
};
