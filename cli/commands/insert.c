/* tarn insert: stores a value if the key is absent. */
#include "../store_value.h"

static int run(struct invocation *call)
{
    return store_value(call, SESSION_WRITES | SESSION_MAKES, tarn_insert);
}

const struct command command_insert = {
    .name = "insert",
    .summary = "Stores a value if the key is absent",
    .operands = "KEY VALUE",
    .operands_min = 1,
    .operands_max = 2,
    .options = store_value_options,
    .text = "Ends with 1, and changes nothing, where the key is there already.\n"
            "\n"
            "  tarn insert lock:backup \"$$\" && run-backup\n",
    .run = run,
};
