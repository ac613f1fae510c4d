/* tarn autosave: the group of what is done with autosaves. */
#include "../command.h"

extern const struct command command_autosave_list, command_autosave_set, command_autosave_start,
    command_autosave_stop, command_autosave_forget;

static const struct command *const parts[] = {
    &command_autosave_list, &command_autosave_set,    &command_autosave_start,
    &command_autosave_stop, &command_autosave_forget, NULL,
};

const struct command command_autosave = {
    .name = "autosave",
    .summary = "Sets, starts, stops and lists snapshots that are saved again and again",
    .operands = "",
    .text = "While a program has the store open it saves at intervals; with --at-close also when "
            "it is\n"
            "closed, by this command too. That is how a namespace in memory is kept.\n"
            "\n"
            "  tarn autosave set -n cache --interval-ms 60000 --keep 5 --at-close\n"
            "  tarn autosave list\n",
    .parts = parts,
};
