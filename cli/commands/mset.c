/* tarn mset: stores many values. */
#include "../batch.h"
#include "../input.h"
#include "../report.h"
#include "../session.h"

enum { ALL_OR_NOTHING, BEST_EFFORT };

static const struct command_option options[] = {
    [ALL_OR_NOTHING] = {"all-or-nothing", NULL, "store all of them or none (default)"},
    [BEST_EFFORT] = {"best-effort", NULL, "store those that can be"},
    {NULL, NULL, NULL},
};

static int add(struct invocation *call, tarn_batch *batch, int index)
{
    struct tarn_slice key, value;
    int code = input_key(call, call->operands[index * 2], &key);

    if (!code)
        code = input_bytes(call, call->operands[index * 2 + 1], &value);
    return code ? code : session_status(tarn_batch_set(batch, key, value));
}

static int run(struct invocation *call)
{
    if (call->values[ALL_OR_NOTHING] && call->values[BEST_EFFORT])
        return report_error(EXIT_USAGE, "give --all-or-nothing or --best-effort, not both");
    if (call->operand_count % 2)
        return report_error(EXIT_USAGE, "each KEY needs a VALUE: usage: tarn mset KEY VALUE [KEY "
                                        "VALUE]...");
    return batch_run(call, add, call->operand_count / 2, SESSION_WRITES | SESSION_MAKES,
                     call->values[BEST_EFFORT] ? TARN_BEST_EFFORT : TARN_ALL_OR_NOTHING, 2);
}

const struct command command_mset = {
    .name = "mset",
    .summary = "Stores many values as one batch",
    .operands = "KEY VALUE [KEY VALUE]...",
    .operands_min = 2,
    .operands_max = -1,
    .options = options,
    .text = "  tarn mset user:1 Ada user:2 Grace\n"
            "  tarn mset --best-effort user:1 Ada user:2 Grace\n",
    .run = run,
};
