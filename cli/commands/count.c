/* tarn count: how many keys there are. */
#include "../input.h"
#include "../report.h"
#include "../session.h"
#include "../show.h"

enum { PREFIX };

static const struct command_option options[] = {
    [PREFIX] = {"prefix", "P", "only keys that begin with P"},
    {NULL, NULL, NULL},
};

static tarn_status count_all(tarn_namespace *ns, uint64_t *count)
{
    struct tarn_stats stats = {.size = sizeof stats};
    tarn_status status = tarn_namespace_stats(ns, &stats, NULL, 0);

    *count = stats.keys;
    return status;
}

static tarn_status count_prefix(tarn_namespace *ns, struct tarn_slice prefix, uint64_t *count)
{
    const struct tarn_cursor_options cursor_options = {.size = sizeof cursor_options,
                                                       .prefix = prefix};
    tarn_cursor *cursor = NULL;
    tarn_status status = tarn_cursor_open(ns, &cursor_options, &cursor);

    *count = 0;
    while (!status) {
        status = tarn_cursor_next(cursor, NULL, NULL, NULL);
        *count += status == TARN_OK;
    }
    tarn_cursor_close(cursor);
    return status == TARN_CURSOR_END ? TARN_OK : status;
}

static int run(struct invocation *call)
{
    struct session session;
    struct tarn_slice prefix = {0};
    tarn_status status;
    uint64_t count = 0;
    int code = 0;

    if (call->values[PREFIX])
        code = input_bytes(call, call->values[PREFIX], &prefix);
    if (!code)
        code = session_begin(&session, call, 0);
    if (code)
        return code;
    status = call->values[PREFIX] ? count_prefix(session.ns, prefix, &count)
                                  : count_all(session.ns, &count);
    if (!status)
        show_number(call, "keys", count);
    return session_end(&session, session_status(status));
}

const struct command command_count = {
    .name = "count",
    .summary = "Prints how many keys there are",
    .operands = "",
    .options = options,
    .text = "  tarn count\n"
            "  tarn count --prefix user:\n",
    .run = run,
};
