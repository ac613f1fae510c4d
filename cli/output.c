/* Buffered output; see the header. */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY ((size_t)1024 * 1024)

void output_init(struct output *out, int fd)
{
    *out = (struct output){.fd = fd};
}

void output_release(struct output *out)
{
    free(out->data);
    out->data = NULL;
    out->length = out->capacity = 0;
}

static void write_all(struct output *out, const uint8_t *data, size_t length)
{
    while (length && !out->error) {
        ssize_t done = write(out->fd, data, length);

        if (done < 0 && errno != EINTR) {
            out->error = errno;
        } else if (done > 0) {
            data += done;
            length -= (size_t)done;
        }
    }
}

bool output_flush(struct output *out)
{
    write_all(out, out->data, out->length);
    out->length = 0;
    return out->error == 0;
}

uint8_t *output_reserve(struct output *out, size_t bytes)
{
    if (!out->data && !out->error) {
        out->data = malloc(CAPACITY);
        if (out->data)
            out->capacity = CAPACITY;
        else
            out->error = ENOMEM;
    }
    if (out->capacity - out->length < bytes)
        output_flush(out);
    return out->error ? NULL : out->data + out->length;
}

void output_advance(struct output *out, size_t bytes)
{
    out->length += bytes;
    out->written += bytes;
}

void output_bytes(struct output *out, const void *data, size_t length)
{
    uint8_t *room;

    if (length > OUTPUT_RESERVE_MAX) {
        output_flush(out);
        write_all(out, data, length);
        out->written += length;
        return;
    }
    room = output_reserve(out, length);
    if (room && length) {
        memcpy(room, data, length);
        output_advance(out, length);
    }
}

void output_text(struct output *out, const char *text)
{
    output_bytes(out, text, strlen(text));
}

void output_printf(struct output *out, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof line)
        out->error = out->error ? out->error : EOVERFLOW; /* only numbers and names go this way */
    else
        output_bytes(out, line, (size_t)length);
}

void output_hex(struct output *out, const void *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;

    while (length) {
        size_t piece = length < OUTPUT_RESERVE_MAX / 2 ? length : OUTPUT_RESERVE_MAX / 2;
        uint8_t *room = output_reserve(out, piece * 2);

        if (!room)
            return;
        for (size_t i = 0; i < piece; i++) {
            room[i * 2] = (uint8_t)digits[bytes[i] >> 4];
            room[i * 2 + 1] = (uint8_t)digits[bytes[i] & 15];
        }
        output_advance(out, piece * 2);
        bytes += piece;
        length -= piece;
    }
}
