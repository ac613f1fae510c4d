/* Telling of faults; see the header. */
#include "base/inspection.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

bool tarn__inspection_is_fault(tarn_status status)
{
    int error = tarn_last_error()->system_error;

    if (status == TARN_CORRUPT || status == TARN_UNSUPPORTED_VERSION)
        return true;
    return status == TARN_IO && error != EMFILE && error != ENFILE && error != EACCES &&
           error != EPERM;
}

static void tell(struct tarn__inspection *inspection, const struct tarn_fault *parts)
{
    const struct tarn_check_options *options = inspection->options;
    struct tarn_error error = *tarn_last_error();
    struct tarn_fault fault = *parts;

    fault.namespace_name = inspection->namespace_name;
    if (options->fault)
        options->fault(options->context, &fault);
    tarn__restore_error(&error);
}

tarn_status tarn__inspection_lost_key(struct tarn__inspection *inspection, const char *path,
                                      tarn_status status, struct tarn_slice key)
{
    struct tarn_error error = *tarn_last_error();

    if (!status || !tarn__inspection_is_fault(status))
        return status;
    inspection->summary.faults++;
    tell(inspection, &(struct tarn_fault){.status = status,
                                          .offset = error.offset,
                                          .path = path,
                                          .message = error.message,
                                          .key = key});
    return TARN_OK;
}

tarn_status tarn__inspection_fault(struct tarn__inspection *inspection, const char *path,
                                   tarn_status status)
{
    return tarn__inspection_lost_key(inspection, path, status, tarn_slice_of(NULL, 0));
}

void tarn__inspection_note(struct tarn__inspection *inspection, const char *path, uint64_t offset,
                           const char *format, ...)
{
    char message[sizeof((struct tarn_error *)NULL)->message];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    tell(inspection, &(struct tarn_fault){
                         .status = TARN_OK, .offset = offset, .path = path, .message = message});
}

tarn_status tarn__inspection_read(struct tarn__inspection *inspection, uint64_t bytes)
{
    const struct tarn_check_options *options = inspection->options;

    inspection->summary.bytes += bytes;
    if (inspection->total_bytes < inspection->summary.bytes) /* a file has grown meanwhile */
        inspection->total_bytes = inspection->summary.bytes;
    if (!options->progress ||
        options->progress(options->context, inspection->summary.bytes, inspection->total_bytes))
        return TARN_OK;
    return tarn__outcome(TARN_CANCELLED);
}
