/* tarn mrm: removes many keys. */
#include "../batch.h"
#include "../input.h"
#include "../report.h"
#include "../session.h"

enum { ALL_OR_NOTHING, BEST_EFFORT };

static const struct command_option options[] = {
    [ALL_OR_NOTHING] = {"all-or-nothing", NULL, "remove all of them or none (default)"},
    [BEST_EFFORT] = {"best-effort", NULL, "remove those that are there"},
    {NULL, NULL, NULL},
};

static int add(struct invocation *call, tarn_batch *batch, int index)
{
    struct tarn_slice key;
    int code = input_key(call, call->operands[index], &key);

    return code ? code : session_status(tarn_batch_delete(batch, key));
}

static int run(struct invocation *call)
{
    if (call->values[ALL_OR_NOTHING] && call->values[BEST_EFFORT])
        return report_error(EXIT_USAGE, "give --all-or-nothing or --best-effort, not both");
    return batch_run(call, add, call->operand_count, SESSION_WRITES | SESSION_KEYS,
                     call->values[BEST_EFFORT] ? TARN_BEST_EFFORT : TARN_ALL_OR_NOTHING, 1);
}

const struct command command_mrm = {
    .name = "mrm",
    .summary = "Removes many keys as one batch",
    .operands = "KEY...",
    .operands_min = 1,
    .operands_max = -1,
    .options = options,
    .text = "Ends with 1 where a key is not there, which is told on standard error.\n"
            "\n"
            "  tarn mrm user:1 user:2\n"
            "  tarn mrm --best-effort user:1 user:2\n",
    .run = run,
};
