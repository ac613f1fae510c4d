/* Messages and exit codes; see the header. */
#include "report.h"
#include "tsv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool quiet;

void report_quiet(void)
{
    quiet = true;
}

bool report_is_quiet(void)
{
    return quiet;
}

static void say(const char *format, va_list arguments)
{
    char line[2048];
    int length = vsnprintf(line, sizeof line, format, arguments);

    if (length < 0)
        return;
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    fprintf(stderr, "tarn: %s\n", line);
}

int report_error(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return code;
}

void report_note(const char *format, ...)
{
    va_list arguments;

    if (quiet)
        return;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

int report_key_not_found(void)
{
    fputs("Key not found\n", stderr);
    return EXIT_NOT_FOUND;
}

int exit_code_of(tarn_status status)
{
    switch (status) {
    case TARN_OK:
        return EXIT_DONE;
    case TARN_KEY_NOT_FOUND:
    case TARN_KEY_EXISTS:
    case TARN_CONDITION_FAILED:
    case TARN_NOT_A_COUNTER:
    case TARN_NAMESPACE_EXISTS:
    case TARN_NAMESPACE_NOT_FOUND:
    case TARN_NAMESPACE_DROPPED:
    case TARN_SNAPSHOT_NOT_FOUND:
    case TARN_AUTOSAVE_EXISTS:
    case TARN_AUTOSAVE_NOT_CONFIGURED:
    case TARN_AUTOSAVE_NOT_RUNNING:
        return EXIT_NOT_FOUND;
    case TARN_KEY_INVALID:
    case TARN_NAME_INVALID:
    case TARN_INVALID_ARGUMENT:
        return EXIT_USAGE;
    case TARN_CORRUPT:
    case TARN_UNSUPPORTED_VERSION:
        return EXIT_CORRUPT;
    case TARN_STORE_LOCKED:
    case TARN_LOCK_TIMEOUT:
    case TARN_BUSY:
        return EXIT_LOCKED;
    case TARN_COUNTER_OVERFLOW:
    case TARN_KEY_TOO_LARGE:
    case TARN_VALUE_TOO_LARGE:
    case TARN_BATCH_TOO_LARGE:
    case TARN_TOO_MANY_NAMESPACES:
    case TARN_TOO_MANY_KEYS:
    case TARN_FULL:
    case TARN_LIMIT_TOO_LOW:
    case TARN_NO_MEMORY:
        return EXIT_LIMIT;
    default:
        return EXIT_IO;
    }
}

static const char *advice(tarn_status status)
{
    switch (status) {
    case TARN_STORE_LOCKED:
        return "wait until the process that has it open has ended, or give --wait SECONDS";
    case TARN_CORRUPT:
        return "`tarn check` lists what is damaged; `tarn salvage` brings what is whole into "
               "another store";
    case TARN_UNSUPPORTED_VERSION:
        return "use the version that wrote it, or a later one";
    case TARN_VALUE_TOO_LARGE:
    case TARN_TOO_MANY_KEYS:
    case TARN_FULL:
        return "`tarn ns show` tells the limits, `tarn ns set` changes them";
    case TARN_NAMESPACE_NOT_FOUND:
        return "`tarn ns list` lists those there are";
    case TARN_SNAPSHOT_NOT_FOUND:
        return "`tarn snapshot list` lists those there are";
    default:
        return NULL;
    }
}

int report_status_of(tarn_status status, const char *what)
{
    const struct tarn_error *error = tarn_last_error();
    const char *message =
        error->status == status && error->message[0] ? error->message : tarn_status_message(status);

    return report_error(exit_code_of(status), "%s%s%s", what ? what : "", what ? ": " : "",
                        message);
}

int report_status(tarn_status status)
{
    int code = report_status_of(status, NULL);

    if (advice(status) && !(status == TARN_FULL && tarn_last_error()->system_error)) /* the disk */
        report_note("%s", advice(status));
    return code;
}

const char *report_key(struct tarn_slice key, char text[REPORT_KEY_BYTES])
{
    const uint8_t *bytes = key.data;
    size_t length = 0, i = 0;

    text[length++] = '\'';
    while (i < key.length && length < REPORT_KEY_BYTES - 10)
        length += tsv_escape_one(bytes, key.length, &i, text + length);
    memcpy(text + length, i < key.length ? "...'" : "'", i < key.length ? 5 : 2);
    return text;
}
