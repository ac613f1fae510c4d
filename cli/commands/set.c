/* tarn set: stores a value. */
#include "../input.h"
#include "../report.h"
#include "../session.h"

enum { VALUE_FILE };

static const struct command_option options[] = {
    [VALUE_FILE] = {"value-file", "FILE", "the value is what FILE holds; - is standard input"},
    {NULL, NULL, NULL},
};

static int run(struct invocation *call)
{
    const char *file = call->values[VALUE_FILE];
    struct session session;
    struct tarn_slice key, value;
    struct tarn_buf buf = {0};
    int code;

    if (call->operand_count != (file ? 1 : 2))
        return report_error(EXIT_USAGE, "usage: tarn set KEY VALUE, or tarn set KEY --value-file "
                                        "FILE");
    code = input_key(call, call->operands[0], &key);
    if (!code)
        code = input_value(call, call->operands[1], file, &buf, &value);
    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_MAKES);
    if (!code)
        code = session_end(&session, session_status(tarn_set(session.ns, key, value, NULL, NULL)));
    tarn_buf_release(&buf);
    return code;
}

const struct command command_set = {
    .name = "set",
    .summary = "Stores a value, whether the key is there or not",
    .operands = "KEY VALUE",
    .operands_min = 1,
    .operands_max = 2,
    .options = options,
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
