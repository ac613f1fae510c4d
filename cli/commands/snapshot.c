/* tarn snapshot: the group of what is done with snapshots. */
#include "../command.h"

extern const struct command command_snapshot_save, command_snapshot_load, command_snapshot_list,
    command_snapshot_delete, command_snapshot_verify;

static const struct command *const parts[] = {
    &command_snapshot_save,   &command_snapshot_load,   &command_snapshot_list,
    &command_snapshot_verify, &command_snapshot_delete, NULL,
};

const struct command command_snapshot = {
    .name = "snapshot",
    .summary = "Saves, loads, lists, verifies and deletes snapshots",
    .operands = "",
    .text =
        "A snapshot is one file in the store's folder that holds the store, or a namespace, as it\n"
        "was at one moment.\n"
        "\n"
        "  tarn snapshot save before-update\n"
        "  tarn snapshot load before-update\n",
    .parts = parts,
};
