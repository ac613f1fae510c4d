/* tarn ns drop: removes a namespace with all its keys. */
#include "../session.h"

static int run(struct invocation *call)
{
    return session_call(call, SESSION_WRITES, tarn_namespace_drop, slice_of(call->operands[0]));
}

const struct command command_ns_drop = {
    .name = "ns drop",
    .summary = "Removes a namespace with all its keys",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .text = "It does not ask. A backup, a dump or a snapshot brings it back.\n"
            "\n"
            "  tarn ns drop cache\n",
    .run = run,
};
