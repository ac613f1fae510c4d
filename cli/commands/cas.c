/* tarn cas: compare and set. */
#include "../input.h"
#include "../options.h"
#include "../report.h"
#include "../session.h"

enum { SEQUENCE, VALUE_FILE };

static const struct command_option options[] = {
    [SEQUENCE] = {"sequence", "N",
                  "what must be there is the record of this sequence; no OLD then"},
    [VALUE_FILE] = {"value-file", "FILE", "the new value is what FILE holds; - is standard input"},
    {NULL, NULL, NULL},
};

/* What was asked for, from the command line. */
struct swap {
    struct tarn_slice key, old, value;
    uint64_t sequence;
    bool by_sequence;
};

static int read_arguments(const struct invocation *call, struct swap *swap, struct tarn_buf *buf)
{
    const char *sequence = call->values[SEQUENCE], *file = call->values[VALUE_FILE];
    int place = 0;
    int code;

    if (call->operand_count != 3 - (sequence != NULL) - (file != NULL))
        return report_error(EXIT_USAGE, "usage: tarn cas KEY OLD NEW, with --sequence without OLD, "
                                        "with --value-file without NEW");
    code = input_key(call, call->operands[place++], &swap->key);
    swap->by_sequence = sequence != NULL;
    if (!code && sequence)
        code = options_number("--sequence", sequence, 0, UINT64_MAX, &swap->sequence);
    else if (!code)
        code = input_bytes(call, call->operands[place++], &swap->old);
    if (!code)
        code = input_value(call, call->operands[place], file, buf, &swap->value);
    return code;
}

static int run(struct invocation *call)
{
    struct session session;
    struct swap swap = {0};
    struct tarn_buf buf = {0};
    tarn_status status;
    int code = read_arguments(call, &swap, &buf);

    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_KEYS);
    if (!code) {
        if (swap.by_sequence)
            status = tarn_replace_if_sequence(session.ns, swap.key, swap.sequence, swap.value);
        else
            status = tarn_replace_if(session.ns, swap.key, swap.old, swap.value);
        code = session_end(&session, session_status(status));
    }
    tarn_buf_release(&buf);
    return code;
}

const struct command command_cas = {
    .name = "cas",
    .summary = "Stores a value if the old one is the expected one",
    .operands = "KEY OLD NEW",
    .operands_min = 1,
    .operands_max = 3,
    .options = options,
    .text =
        "Ends with 1, and changes nothing, where the key is not there or holds another value. The\n"
        "sequence of a record is told by `tarn get --output json`.\n"
        "\n"
        "  tarn cas job:7 waiting running\n"
        "  tarn cas job:7 --sequence 42 running\n",
    .run = run,
};
