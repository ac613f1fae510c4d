/* tarn ns: the group of what is done with namespaces. */
#include "../command.h"

extern const struct command command_ns_list, command_ns_create, command_ns_drop, command_ns_show,
    command_ns_set, command_ns_resize, command_ns_clear, command_ns_copy;

static const struct command *const parts[] = {
    &command_ns_list,  &command_ns_show,   &command_ns_create,
    &command_ns_set,   &command_ns_resize, &command_ns_copy,
    &command_ns_clear, &command_ns_drop,   NULL,
};

const struct command command_ns = {
    .name = "ns",
    .summary = "Lists, makes, changes, copies and drops namespaces",
    .operands = "",
    .text = "  tarn ns create sessions --max-keys 100000 --sync interval\n"
            "  tarn ns list --long\n",
    .parts = parts,
};
