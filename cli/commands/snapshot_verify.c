/* tarn snapshot verify: reads a snapshot to its end. */
#include "../session.h"

static int run(struct invocation *call)
{
    return session_call(call, 0, tarn_snapshot_verify, slice_of(call->operands[0]));
}

const struct command command_snapshot_verify = {
    .name = "snapshot verify",
    .summary = "Reads a snapshot to its end and verifies every byte",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .text = "Ends with 4 where it is damaged.\n"
            "\n"
            "  tarn snapshot verify before-update\n",
    .run = run,
};
