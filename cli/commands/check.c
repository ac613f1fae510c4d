/* tarn check: reads every byte of a store. */
#include "../faults.h"

static int run(struct invocation *call)
{
    struct faults faults;

    return faults_run(&faults, call, NULL);
}

const struct command command_check = {
    .name = "check",
    .summary = "Reads every byte of a store and tells what is damaged",
    .operands = "",
    .operands_min = 0,
    .operands_max = 0,
    .text = "Changes nothing. Prints a line for each fault, and for what is worth knowing and no\n"
            "fault, such as what a crash has left; then how much was read. Ends with 4 where\n"
            "something is damaged.\n"
            "\n"
            "  tarn check\n"
            "  tarn check --data-dir /var/lib/app --output json\n",
    .run = run,
};
