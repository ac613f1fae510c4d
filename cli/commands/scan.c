/* tarn scan: prints keys and values. */
#include "../input.h"
#include "../options.h"
#include "../report.h"
#include "../session.h"
#include "../show.h"

enum { PREFIX, LIMIT, KEYS_ONLY };

static const struct command_option options[] = {
    [PREFIX] = {"prefix", "P", "only keys that begin with P"},
    [LIMIT] = {"limit", "N", "at most N of them"},
    [KEYS_ONLY] = {"keys-only", NULL, "keys without values"},
    {NULL, NULL, NULL},
};

static tarn_status scan(struct invocation *call, tarn_cursor *cursor, uint64_t limit)
{
    struct tarn_slice key, value;
    struct tarn_record_info info;
    bool keys_only = call->values[KEYS_ONLY];

    for (uint64_t i = 0; i < limit && !call->out.error; i++) {
        tarn_status status = tarn_cursor_next(cursor, &key, keys_only ? NULL : &value, &info);
        struct record record;

        if (status)
            return status;
        if (keys_only) {
            show_key(call, key);
        } else {
            record = record_of(key, value, &info);
            show_record(call, &record);
        }
    }
    return TARN_CURSOR_END;
}

static int run(struct invocation *call)
{
    struct tarn_cursor_options cursor_options = {.size = sizeof cursor_options};
    struct session session;
    tarn_cursor *cursor = NULL;
    uint64_t limit = UINT64_MAX;
    tarn_status status;
    int code = 0;

    if (call->values[PREFIX])
        code = input_bytes(call, call->values[PREFIX], &cursor_options.prefix);
    if (!code && call->values[LIMIT])
        code = options_number("--limit", call->values[LIMIT], 0, UINT64_MAX, &limit);
    if (!code)
        code = session_begin(&session, call, 0);
    if (code)
        return code;
    status = tarn_cursor_open(session.ns, &cursor_options, &cursor);
    if (!status)
        status = scan(call, cursor, limit);
    code = status == TARN_CURSOR_END ? EXIT_DONE : session_status(status);
    tarn_cursor_close(cursor);
    return session_end(&session, code);
}

const struct command command_scan = {
    .name = "scan",
    .summary = "Prints keys and values, one record a line",
    .operands = "",
    .options = options,
    .text =
        "A line is a key, a tab and a value, in which tabs, newlines and what is no text are\n"
        "escaped: \\t, \\n, \\xHH. The order is that of the keys' hashes: no order for people.\n"
        "\n"
        "  tarn scan --prefix user: --limit 10\n"
        "  tarn scan --keys-only | sort\n"
        "  tarn scan --output json | jq .value\n",
    .run = run,
};
