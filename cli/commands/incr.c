/* tarn incr: adds to a counter. */
#include "../input.h"
#include "../report.h"
#include "../session.h"
#include "../show.h"

#include <inttypes.h>
#include <string.h>

static int read_delta(const char *text, int64_t *delta)
{
    *delta = 1;
    if (!text)
        return 0;
    if (*text == '+')
        text++;
    if (!record_read_counter((const uint8_t *)text, strlen(text), delta))
        return report_error(EXIT_USAGE, "DELTA is a whole number of 64 bits, not '%s'", text);
    return 0;
}

static int run(struct invocation *call)
{
    struct session session;
    struct record record = {.is_counter = true};
    int64_t delta;
    tarn_status status;
    int code = input_key(call, call->operands[0], &record.key);

    if (!code)
        code = read_delta(call->operand_count > 1 ? call->operands[1] : NULL, &delta);
    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_MAKES);
    if (code)
        return code;
    status = tarn_increment(session.ns, record.key, delta, &record.counter);
    if (!status && call->globals.output == OUTPUT_JSON)
        show_record(call, &record);
    else if (!status)
        output_printf(&call->out, "%" PRId64 "\n", record.counter);
    return session_end(&session, session_status(status));
}

const struct command command_incr = {
    .name = "incr",
    .summary = "Adds to a counter and prints the sum",
    .operands = "KEY [DELTA]",
    .operands_min = 1,
    .operands_max = 2,
    .text =
        "A counter that is not there begins at 0; DELTA is 1 where it is not given. A value that\n"
        "was set otherwise is no counter.\n"
        "\n"
        "  tarn incr visits\n"
        "  tarn incr stock:apples -3\n",
    .run = run,
};
