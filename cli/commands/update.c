/* tarn update: stores a value if the key is present. */
#include "../store_value.h"

static tarn_status store(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice value)
{
    return tarn_update(ns, key, value, NULL);
}

static int run(struct invocation *call)
{
    return store_value(call, SESSION_WRITES | SESSION_KEYS, store);
}

const struct command command_update = {
    .name = "update",
    .summary = "Stores a value if the key is present",
    .operands = "KEY VALUE",
    .operands_min = 1,
    .operands_max = 2,
    .options = store_value_options,
    .text = "Ends with 1, and makes nothing, where the key is not there.\n"
            "\n"
            "  tarn update config:color blue\n",
    .run = run,
};
