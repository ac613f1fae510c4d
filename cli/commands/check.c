/* tarn check: reads every byte of a store. */
#include "../faults.h"
#include "../report.h"

static int run(struct invocation *call)
{
    struct faults faults;
    struct tarn_check_options options;
    struct tarn_check_summary summary = {0};
    tarn_status status;

    faults_begin(&faults, call, &options);
    status = tarn_check(call->globals.data_dir, &options, &summary);
    return faults_end(&faults, status, &summary);
}

const struct command command_check = {
    .name = "check",
    .summary = "Reads every byte of a store and tells what is damaged",
    .operands = "",
    .operands_min = 0,
    .operands_max = 0,
    .text = "Changes nothing. Ends with 4 where something is damaged.\n"
            "\n"
            "  tarn check\n"
            "  tarn check --data-dir /var/lib/app --output json\n",
    .run = run,
};
