/* tarn exists: whether a key is there. */
#include "../input.h"
#include "../session.h"

static int run(struct invocation *call)
{
    struct session session;
    struct tarn_slice key;
    tarn_status status;
    int code = input_key(call, call->operands[0], &key);

    if (!code)
        code = session_begin(&session, call, SESSION_KEYS);
    if (code)
        return code;
    status = tarn_exists(session.ns, key);
    if (!call->globals.quiet && (status == TARN_OK || status == TARN_KEY_NOT_FOUND))
        output_text(&call->out, status == TARN_OK ? "true\n" : "false\n");
    return session_end(&session,
                       status == TARN_KEY_NOT_FOUND ? EXIT_NOT_FOUND : session_status(status));
}

const struct command command_exists = {
    .name = "exists",
    .summary = "Tells whether a key is there",
    .operands = "KEY",
    .operands_min = 1,
    .operands_max = 1,
    .text = "Prints true and ends with 0, or false and 1; with --quiet it prints nothing.\n"
            "\n"
            "  if tarn exists --quiet user:1; then echo known; fi\n",
    .run = run,
};
