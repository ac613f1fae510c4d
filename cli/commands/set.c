/* tarn set: stores a value. */
#include "../store_value.h"

static tarn_status store(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice value)
{
    return tarn_set(ns, key, value, NULL, NULL);
}

static int run(struct invocation *call)
{
    return store_value(call, SESSION_WRITES | SESSION_MAKES, store);
}

const struct command command_set = {
    .name = "set",
    .summary = "Stores a value, whether the key is there or not",
    .operands = "KEY VALUE",
    .operands_min = 1,
    .operands_max = 2,
    .options = store_value_options,
    .text =
        "The store and the namespace are made if they are not there. VALUE - is standard input.\n"
        "\n"
        "  tarn set greeting 'hello, world'\n"
        "  tarn set picture --value-file cat.jpg\n"
        "  date | tarn set now -\n"
        "  tarn set --hex 00ff 0102\n"
        "  tarn set -- -key value        # behind -- nothing is an option\n",
    .run = run,
};
