/* tarn rm: removes a key. */
#include "../input.h"
#include "../session.h"

static int run(struct invocation *call)
{
    struct session session;
    struct tarn_slice key;
    int code = input_key(call, call->operands[0], &key);

    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_KEYS);
    if (!code)
        code = session_end(&session, session_status(tarn_delete(session.ns, key)));
    return code;
}

const struct command command_rm = {
    .name = "rm",
    .summary = "Removes a key",
    .operands = "KEY",
    .operands_min = 1,
    .operands_max = 1,
    .text = "Where the key is not there it says `Key not found` and ends with 1.\n"
            "\n"
            "  tarn rm greeting\n",
    .run = run,
};
