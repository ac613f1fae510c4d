/* tarn get: prints a value. */
#include "../input.h"
#include "../session.h"
#include "../show.h"

enum { RAW };

static const struct command_option options[] = {
    [RAW] = {"raw", NULL, "no newline behind the value"},
    {NULL, NULL, NULL},
};

static int run(struct invocation *call)
{
    struct session session;
    struct tarn_slice key;
    struct tarn_buf value = {0};
    struct tarn_record_info info;
    tarn_status status;
    int code = input_key(call, call->operands[0], &key);

    if (!code)
        code = session_begin(&session, call, SESSION_KEYS);
    if (code)
        return code;
    status = tarn_get(session.ns, key, &value, &info);
    if (!status) {
        struct record record = record_of(key, tarn_slice_of(value.data, value.length), &info);

        record.sequence = info.sequence;
        show_value(call, &record, call->values[RAW] != NULL);
    }
    code = session_end(&session, session_status(status));
    tarn_buf_release(&value);
    return code;
}

const struct command command_get = {
    .name = "get",
    .summary = "Prints the value of a key",
    .operands = "KEY",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .text =
        "Where the key is not there it says `Key not found` and ends with 1. A counter is printed\n"
        "as a number. With --output json the record's sequence is told as well.\n"
        "\n"
        "  tarn get greeting\n"
        "  tarn get --raw picture > cat.jpg\n"
        "  tarn get --output hex --hex 00ff\n",
    .run = run,
};
