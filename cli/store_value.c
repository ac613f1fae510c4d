/* Storing a value; see the header. */
#include "store_value.h"
#include "input.h"
#include "report.h"

enum { VALUE_FILE };

const struct command_option store_value_options[] = {
    [VALUE_FILE] = {"value-file", "FILE", "the value is what FILE holds; - is standard input"},
    {NULL, NULL, NULL},
};

int store_value(struct invocation *call, unsigned need,
                tarn_status (*store)(tarn_namespace *ns, struct tarn_slice key,
                                     struct tarn_slice value))
{
    const char *file = call->values[VALUE_FILE], *name = call->command->name;
    struct session session;
    struct tarn_slice key, value;
    struct tarn_buf buf = {0};
    int code;

    if (call->operand_count != (file ? 1 : 2))
        return report_error(
            EXIT_USAGE, "usage: tarn %s KEY VALUE, or tarn %s KEY --value-file FILE", name, name);
    code = input_key(call, call->operands[0], &key);
    if (!code)
        code = input_value(call, call->operands[1], file, &buf, &value);
    if (!code)
        code = session_begin(&session, call, need);
    if (!code)
        code = session_end(&session, session_status(store(session.ns, key, value)));
    tarn_buf_release(&buf);
    return code;
}
