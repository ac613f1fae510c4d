/* tarn mget: prints the values of many keys. */
#include "../input.h"
#include "../report.h"
#include "../session.h"
#include "../show.h"

#include <stdlib.h>

enum { ALL_OR_NOTHING, BEST_EFFORT };

static const struct command_option options[] = {
    [ALL_OR_NOTHING] = {"all-or-nothing", NULL, "print nothing unless every key is there"},
    [BEST_EFFORT] = {"best-effort", NULL, "print those that are there (default)"},
    {NULL, NULL, NULL},
};

/* Prints what was found, unless it is all or nothing and something is missing; says what is not. */
static int show(struct invocation *call, const struct tarn_slice *keys,
                const struct tarn_result *results, bool print)
{
    char text[REPORT_KEY_BYTES];
    int code = EXIT_DONE;

    for (size_t i = 0; i < (size_t)call->operand_count; i++) {
        struct record record;

        if (results[i].status == TARN_OK && print) {
            record = record_of(keys[i], results[i].value, &results[i].info);
            show_record(call, &record);
        } else if (results[i].status == TARN_KEY_NOT_FOUND) {
            (void)report_error(0, "Key not found: %s", report_key(keys[i], text));
            code = code ? code : EXIT_NOT_FOUND;
        } else if (results[i].status != TARN_OK) {
            (void)report_error(0, "%s: %s", report_key(keys[i], text),
                               tarn_status_message(results[i].status));
            code = exit_code_of(results[i].status);
        }
    }
    return code;
}

static int get_many(struct invocation *call, struct tarn_slice *keys, struct tarn_result *results)
{
    enum tarn_mode mode = call->values[ALL_OR_NOTHING] ? TARN_ALL_OR_NOTHING : TARN_BEST_EFFORT;
    size_t count = (size_t)call->operand_count;
    struct session session;
    struct tarn_buf values = {0};
    tarn_status status;
    int code = 0;

    for (size_t i = 0; i < count && !code; i++)
        code = input_key(call, call->operands[i], &keys[i]);
    if (!code)
        code = session_begin(&session, call, SESSION_KEYS);
    if (code)
        return code;
    status = tarn_get_many(session.ns, mode, keys, count, results, &values);
    if (status == TARN_OK || status == TARN_KEY_NOT_FOUND || mode == TARN_BEST_EFFORT)
        code = show(call, keys, results, status == TARN_OK || mode == TARN_BEST_EFFORT);
    if (!code)
        code = session_status(status);
    code = session_end(&session, code);
    tarn_buf_release(&values);
    return code;
}

static int run(struct invocation *call)
{
    size_t count = (size_t)call->operand_count;
    struct tarn_slice *keys = calloc(count, sizeof *keys);
    struct tarn_result *results = calloc(count, sizeof *results);
    int code;

    if (call->values[ALL_OR_NOTHING] && call->values[BEST_EFFORT])
        code = report_error(EXIT_USAGE, "give --all-or-nothing or --best-effort, not both");
    else if (!keys || !results)
        code = report_status(TARN_NO_MEMORY);
    else
        code = get_many(call, keys, results);
    free(keys);
    free(results);
    return code;
}

const struct command command_mget = {
    .name = "mget",
    .summary = "Prints the values of many keys, one record a line",
    .operands = "KEY...",
    .operands_min = 1,
    .operands_max = -1,
    .options = options,
    .text = "Lines are as those of `tarn scan`, in the order of the arguments. Ends with 1 where a "
            "key\n"
            "is not there, which is told on standard error.\n"
            "\n"
            "  tarn mget user:1 user:2\n"
            "  tarn mget --all-or-nothing --output json user:1 user:2\n",
    .run = run,
};
