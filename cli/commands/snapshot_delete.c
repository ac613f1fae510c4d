/* tarn snapshot delete: removes a snapshot. */
#include "../session.h"

static int run(struct invocation *call)
{
    return session_call(call, SESSION_WRITES, tarn_snapshot_delete, slice_of(call->operands[0]));
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
