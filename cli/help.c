/* Help; see the header. */
#include "help.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

#define OPTION_WIDTH  26
#define COMMAND_WIDTH 10
#define PART_WIDTH    18

static void show_option(struct output *out, const struct command_option *option, char letter)
{
    char left[96];

    if (letter)
        snprintf(left, sizeof left, "-%c, --%s", letter, option->name);
    else
        snprintf(left, sizeof left, "    --%s", option->name);
    if (option->argument)
        snprintf(left + strlen(left), sizeof left - strlen(left), " %s", option->argument);
    output_printf(out, "  %-*s  %s\n", OPTION_WIDTH, left, option->text);
}

static void show_globals(struct output *out)
{
    output_text(out, "\nOptions of every command:\n");
    for (size_t i = 0; global_options[i].name; i++)
        show_option(out, &global_options[i], global_letters[i]);
}

void help_all(struct output *out)
{
    output_text(out, "tarn: a crash-proof key-value store in a folder\n\n"
                     "usage: tarn [OPTION]... COMMAND [ARGUMENT]...\n\nCommands:\n");
    for (size_t i = 0; commands[i]; i++)
        output_printf(out, "  %-*s  %s\n", COMMAND_WIDTH, commands[i]->name, commands[i]->summary);
    show_globals(out);
    output_text(
        out,
        "\nExamples:\n"
        "  tarn set greeting 'hello, world'     # makes ./data and the namespace 'default'\n"
        "  tarn get greeting\n"
        "  tarn -d /var/lib/app -n users scan --prefix user: --limit 10\n"
        "  tarn dump | gzip > default.jsonl.gz\n"
        "\nExit codes: 0 done; 1 not found, or a condition that failed; 2 usage, or input that is\n"
        "malformed; 3 input or output failed; 4 stored data is damaged; 5 locked, or a timeout;\n"
        "6 a limit, or full.\n"
        "\n`tarn help COMMAND` tells more about a command; tarn(1) is the manual.\n");
}

void help_command(struct output *out, const struct command *command)
{
    output_printf(out, "usage: tarn %s%s%s\n", command->name,
                  command->parts         ? " SUBCOMMAND"
                  : command->operands[0] ? " "
                                         : "",
                  command->operands);
    output_printf(out, "\n%s.\n", command->summary);
    if (command->text) {
        output_text(out, "\n");
        output_text(out, command->text);
    }
    for (size_t i = 0; command->parts && command->parts[i]; i++)
        output_printf(out, "%s  %-*s  %s\n", i ? "" : "\nSubcommands:\n", PART_WIDTH,
                      command->parts[i]->name, command->parts[i]->summary);
    for (size_t i = 0; command->options && command->options[i].name; i++) {
        output_text(out, i ? "" : "\nOptions:\n");
        show_option(out, &command->options[i], 0);
    }
    show_globals(out);
}

void help_names(struct output *out, const struct command *command)
{
    const struct command *const *parts = command ? command->parts : commands;

    for (size_t i = 0; parts && parts[i]; i++)
        output_printf(out, "%s\n", command_word(parts[i]));
    for (size_t i = 0; command && command->options && command->options[i].name; i++)
        output_printf(out, "--%s\n", command->options[i].name);
    for (size_t i = 0; global_options[i].name; i++)
        output_printf(out, "--%s\n", global_options[i].name);
}
