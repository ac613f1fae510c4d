/* tarn consume: prints a value and removes its key. */
#include "../input.h"
#include "../report.h"
#include "../session.h"
#include "../show.h"

enum { RAW };

static const struct command_option options[] = {
    [RAW] = {"raw", NULL, "no newline behind the value"},
    {NULL, NULL, NULL},
};

/* Nobody else has the store open: nothing can have taken the key's place. */
static tarn_status put_back(tarn_namespace *ns, const struct record *record)
{
    return record->is_counter ? tarn_increment(ns, record->key, record->counter, NULL)
                              : tarn_insert(ns, record->key, record->value);
}

/* A value that reached nobody must not be lost. */
static int hand_out(struct invocation *call, struct session *session, const struct record *record)
{
    show_value(call, record, call->values[RAW] != NULL);
    if (output_flush(&call->out))
        return EXIT_DONE;
    if (put_back(session->ns, record) == TARN_OK)
        report_note("the value could not be written, and is in the store again");
    else
        (void)report_error(EXIT_IO, "the value could not be written, and not be put back: %s",
                           tarn_last_error()->message);
    return EXIT_IO;
}

static int run(struct invocation *call)
{
    struct session session;
    struct tarn_slice key;
    struct tarn_buf value = {0};
    struct tarn_record_info info = {0};
    tarn_status status;
    int code = input_key(call, call->operands[0], &key);

    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_KEYS);
    if (code)
        return code;
    status = tarn_get(session.ns, key, NULL, &info); /* what kind of value it is */
    if (!status)
        status = tarn_consume(session.ns, key, &value);
    code = session_status(status);
    if (!status) {
        struct record record = record_of(key, tarn_slice_of(value.data, value.length), &info);

        code = hand_out(call, &session, &record);
    }
    code = session_end(&session, code);
    tarn_buf_release(&value);
    return code;
}

const struct command command_consume = {
    .name = "consume",
    .summary = "Prints the value of a key and removes the key, in one step",
    .operands = "KEY",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .text = "Of all who consume a key exactly one has its value. Where it cannot be written to "
            "standard\n"
            "output it is put back.\n"
            "\n"
            "  tarn consume job:7 | worker\n",
    .run = run,
};
