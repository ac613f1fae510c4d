/* tarn sync: makes what was written durable. */
#include "../session.h"

static int run(struct invocation *call)
{
    struct session session;
    int code = session_begin(&session, call, SESSION_WRITES);

    if (code)
        return code;
    return session_end(&session, session_status(tarn_sync(session.ns)));
}

const struct command command_sync = {
    .name = "sync",
    .summary = "Waits until what was written to a namespace is durable",
    .operands = "",
    .text =
        "For a namespace whose sync mode is none or interval; with always it is durable already.\n"
        "\n"
        "  tarn sync --namespace events\n",
    .run = run,
};
