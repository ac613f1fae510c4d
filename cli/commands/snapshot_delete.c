/* tarn snapshot delete: removes a snapshot. */
#include "../session.h"

static int run(struct invocation *call)
{
    struct session session;
    int code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);

    if (code)
        return code;
    return session_end(
        &session, session_status(tarn_snapshot_delete(session.store, slice_of(call->operands[0]))));
}

const struct command command_snapshot_delete = {
    .name = "snapshot delete",
    .summary = "Deletes a snapshot",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .text = "  tarn snapshot delete before-update\n",
    .run = run,
};
