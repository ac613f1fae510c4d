/*
 * Statuses, their names and messages, and each thread's last error.
 *
 * The last error is the library's only state outside a store. Its message is made when it is asked
 * for where the status says it all, so that "not found" costs one store.
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct tarn_error last_error;

static const struct {
    tarn_status status;
    const char *name;
    const char *message;
} statuses[] = {
#define STATUS_ENTRY(name, number, message) {name, #name, message},
    TARN_STATUS_LIST(STATUS_ENTRY)
#undef STATUS_ENTRY
};

const char *tarn_status_name(tarn_status status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].status == status)
            return statuses[i].name;
    return "TARN_UNKNOWN_STATUS";
}

const char *tarn_status_message(tarn_status status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].status == status)
            return statuses[i].message;
    return "not a status of this library";
}

const char *tarn_version(void)
{
    return TARN_VERSION;
}

const struct tarn_error *tarn_last_error(void)
{
    if (!last_error.message[0])
        snprintf(last_error.message, sizeof last_error.message, "%s",
                 tarn_status_message(last_error.status));
    return &last_error;
}

tarn_status tarn__outcome(tarn_status status)
{
    last_error.status = status;
    last_error.system_error = 0;
    last_error.offset = 0;
    last_error.message[0] = '\0';
    return status;
}

__attribute__((format(printf, 2, 0))) static void record(tarn_status status, const char *format,
                                                         va_list arguments)
{
    tarn__outcome(status);
    vsnprintf(last_error.message, sizeof last_error.message, format, arguments);
}

tarn_status tarn__fail(tarn_status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    record(status, format, arguments);
    va_end(arguments);
    return status;
}

tarn_status tarn__fail_at(tarn_status status, uint64_t offset, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    record(status, format, arguments);
    va_end(arguments);
    return tarn__set_offset(status, offset);
}

tarn_status tarn__set_offset(tarn_status status, uint64_t offset)
{
    last_error.offset = offset;
    return status;
}

void tarn__restore_error(const struct tarn_error *error)
{
    last_error = *error;
}

static void append(const char *between, const char *text)
{
    size_t length = strlen(last_error.message);

    snprintf(last_error.message + length, sizeof last_error.message - length, "%s%s", between,
             text);
}

tarn_status tarn__fail_system(tarn_status status, int system_error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    record(status, format, arguments);
    va_end(arguments);
    last_error.system_error = system_error;
    append(": ", strerrordesc_np(system_error));
    return status;
}

tarn_status tarn__fail_as(tarn_status status)
{
    last_error.status = status;
    return status;
}

tarn_status tarn__advise(tarn_status status, const char *advice)
{
    append("; ", advice);
    return status;
}

tarn_status tarn__check_size(size_t given, size_t expected, const char *name)
{
    if (given == expected)
        return TARN_OK;
    return tarn__fail(
        TARN_INVALID_ARGUMENT,
        "size is %zu, and in this library %zu: set it to sizeof(struct %s), with the header "
        "of this version",
        given, expected, name);
}
