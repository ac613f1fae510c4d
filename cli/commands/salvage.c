/* tarn salvage: rescues what is whole. */
#include "../faults.h"

static int run(struct invocation *call)
{
    struct faults faults;

    return faults_run(&faults, call, call->operands[0]);
}

const struct command command_salvage = {
    .name = "salvage",
    .summary = "Brings what is whole of a damaged store into a new one",
    .operands = "TO",
    .operands_min = 1,
    .operands_max = 1,
    .text = "TO is a folder that is not there or empty; the damaged store stays as it is. Prints\n"
            "what `tarn check` does, and what became of it: records of a log whose name is lost\n"
            "are in namespace salvaged-NUMBER, what is whole of a damaged snapshot is in\n"
            "snapshot salvaged-NAME. Ends with 4 where something was damaged, after all that is\n"
            "whole was brought over.\n"
            "\n"
            "  tarn salvage --data-dir broken rescued\n",
    .run = run,
};
