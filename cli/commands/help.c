/* tarn help: what there is, and how one command is used. */
#include "../help.h"
#include "../report.h"

enum { NAMES };

static const struct command_option options[] = {
    [NAMES] = {"names", NULL, "only the words that may follow, one a line: for completion"},
    {NULL, NULL, NULL},
};

static int run(struct invocation *call)
{
    const struct command *command = NULL;

    for (int i = 0; i < call->operand_count; i++) {
        if (!command || command->parts)
            command = command_find(command, call->operands[i]);
        else
            command = NULL;
        if (!command)
            return report_error(EXIT_USAGE, "there is no command '%s': `tarn help` lists them",
                                call->operands[i]);
    }
    if (call->values[NAMES])
        help_names(&call->out, command);
    else if (command)
        help_command(&call->out, command);
    else
        help_all(&call->out);
    return EXIT_DONE;
}

const struct command command_help = {
    .name = "help",
    .summary = "Tells what there is, or how a command is used",
    .operands = "[COMMAND [SUBCOMMAND]]",
    .operands_min = 0,
    .operands_max = 2,
    .options = options,
    .text = "  tarn help\n"
            "  tarn help ns create\n",
    .run = run,
};
