/* tarn version: which version of the library this is. */
#include "../show.h"

static int run(struct invocation *call)
{
    if (call->globals.output == OUTPUT_JSON)
        output_printf(&call->out, "{\"version\":\"%s\"}\n", tarn_version());
    else
        output_printf(&call->out, "tarn %s\n", tarn_version());
    return EXIT_DONE;
}

const struct command command_version = {
    .name = "version",
    .summary = "Prints the version",
    .operands = "",
    .text = "  tarn version\n",
    .run = run,
};
