/* tarn insert: stores a value if the key is absent. */
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
        return report_error(EXIT_USAGE, "usage: tarn insert KEY VALUE, or tarn insert KEY "
                                        "--value-file FILE");
    code = input_key(call, call->operands[0], &key);
    if (!code)
        code = input_value(call, call->operands[1], file, &buf, &value);
    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_MAKES);
    if (!code)
        code = session_end(&session, session_status(tarn_insert(session.ns, key, value)));
    tarn_buf_release(&buf);
    return code;
}

const struct command command_insert = {
    .name = "insert",
    .summary = "Stores a value if the key is absent",
    .operands = "KEY VALUE",
    .operands_min = 1,
    .operands_max = 2,
    .options = options,
    .text = "Ends with 1, and changes nothing, where the key is there already.\n"
            "\n"
            "  tarn insert lock:backup \"$$\" && run-backup\n",
    .run = run,
};
