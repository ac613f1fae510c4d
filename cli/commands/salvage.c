/* tarn salvage: rescues what is whole. */
#include "../faults.h"
#include "../report.h"

static int run(struct invocation *call)
{
    struct faults faults;
    struct tarn_check_options options;
    struct tarn_check_summary summary = {0};
    tarn_status status;

    faults_begin(&faults, call, &options);
    status = tarn_salvage(call->globals.data_dir, call->operands[0], &options, &summary);
    return faults_end(&faults, status, &summary);
}

const struct command command_salvage = {
    .name = "salvage",
    .summary = "Brings what is whole of a damaged store into a new one",
    .operands = "TO",
    .operands_min = 1,
    .operands_max = 1,
    .text = "TO is a folder that is not there or empty; the damaged store stays as it is. Ends "
            "with 4 where\n"
            "something was damaged, after all that is whole was brought over.\n"
            "\n"
            "  tarn salvage --data-dir broken rescued\n",
    .run = run,
};
