/* What comes in; see the header. */
#include "input.h"
#include "hex.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------
 * Arguments
 */

int input_bytes(const struct invocation *call, char *argument, struct tarn_slice *bytes)
{
    size_t length = strlen(argument);

    if (!call->globals.hex) {
        *bytes = tarn_slice_of(argument, length);
        return 0;
    }
    for (size_t i = 0; i < length; i++)
        if (hex_digit(argument[i]) < 0)
            return report_error(EXIT_USAGE, "with --hex, '%s' is not hex digits", argument);
    if (length % 2)
        return report_error(EXIT_USAGE, "with --hex, a byte is two digits: '%s' has %zu", argument,
                            length);
    for (size_t i = 0; i < length / 2; i++)
        argument[i] = (char)(hex_digit(argument[i * 2]) << 4 | hex_digit(argument[i * 2 + 1]));
    *bytes = tarn_slice_of(argument, length / 2);
    return 0;
}

int input_key(const struct invocation *call, char *argument, struct tarn_slice *key)
{
    int code = input_bytes(call, argument, key);

    if (!code && key->length == 0)
        code = report_error(EXIT_USAGE, "the key is empty: a key has at least one byte");
    if (!code && key->length > TARN_KEY_BYTES_MAX)
        code = report_error(EXIT_LIMIT, "the key has %zu bytes, %zu are allowed", key->length,
                            TARN_KEY_BYTES_MAX);
    return code;
}

/* ------------------------------------------------------------------------------------------
 * Files
 */

int input_open(const char *path, int *fd)
{
    if (!path || strcmp(path, "-") == 0) {
        *fd = STDIN_FILENO;
        return 0;
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return report_error(EXIT_IO, "cannot open '%s': %s", path, strerror(errno));
    return 0;
}

void input_close(int fd)
{
    if (fd != STDIN_FILENO)
        close(fd);
}

/* Reads once; the bytes, 0 at the end, or -1 with errno. */
static ssize_t read_some(int fd, void *data, size_t length)
{
    ssize_t done;

    do
        done = read(fd, data, length);
    while (done < 0 && errno == EINTR);
    return done;
}

static bool grow(struct tarn_buf *buf)
{
    size_t capacity = buf->capacity ? buf->capacity * 2 : 65536;
    void *data = realloc(buf->data, capacity);

    if (!data)
        return false;
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

static int read_whole(int fd, const char *name, struct tarn_buf *buf)
{
    for (;;) {
        ssize_t done;

        if (buf->length == buf->capacity && !grow(buf))
            return report_error(EXIT_LIMIT, "not enough memory for the value in %s", name);
        done = read_some(fd, (char *)buf->data + buf->length, buf->capacity - buf->length);
        if (done < 0)
            return report_error(EXIT_IO, "cannot read %s: %s", name, strerror(errno));
        if (done == 0)
            return 0;
        buf->length += (size_t)done;
        if (buf->length > TARN_VALUE_BYTES_MAX)
            return report_error(EXIT_LIMIT, "%s is larger than a value may be, %zu bytes", name,
                                TARN_VALUE_BYTES_MAX);
    }
}

int input_value(const struct invocation *call, char *operand, const char *file,
                struct tarn_buf *buf, struct tarn_slice *value)
{
    int fd, code;

    if (!file && strcmp(operand, "-") != 0)
        return input_bytes(call, operand, value);
    code = input_open(file, &fd);
    if (code)
        return code;
    code = read_whole(fd, fd == STDIN_FILENO ? "standard input" : file, buf);
    input_close(fd);
    *value = tarn_slice_of(buf->data, buf->length);
    return code;
}

/* ------------------------------------------------------------------------------------------
 * Lines
 */

#define LINES_CAPACITY ((size_t)1024 * 1024)
/* The longest record, each byte of which is written as six, and what is around it. */
#define LINE_MAX_BYTES ((TARN_KEY_BYTES_MAX + TARN_VALUE_BYTES_MAX) * 6 + 4096)

void line_reader_init(struct line_reader *reader, int fd)
{
    *reader = (struct line_reader){.fd = fd};
}

void line_reader_release(struct line_reader *reader)
{
    free(reader->data);
    reader->data = NULL;
}

/* Makes room behind what is there: moves the begun line to the front, then grows. */
static bool make_room(struct line_reader *reader)
{
    size_t length = reader->end - reader->begin;
    size_t capacity = reader->capacity ? reader->capacity : LINES_CAPACITY;
    uint8_t *data;

    if (reader->begin > 0)
        memmove(reader->data, reader->data + reader->begin, length);
    reader->begin = 0;
    reader->end = length;
    if (reader->data && length <= capacity / 2)
        return true;
    if (length > LINE_MAX_BYTES) {
        reader->error = EFBIG;
        return false;
    }
    capacity = reader->data ? capacity * 2 : capacity;
    data = realloc(reader->data, capacity);
    if (!data) {
        reader->error = ENOMEM;
        return false;
    }
    reader->data = data;
    reader->capacity = capacity;
    return true;
}

/* Reads more. False at the end and on an error. */
static bool fill(struct line_reader *reader)
{
    ssize_t done;

    if (reader->ended || reader->error || !make_room(reader))
        return false;
    done = read_some(reader->fd, reader->data + reader->end, reader->capacity - reader->end);
    if (done < 0)
        reader->error = errno;
    reader->ended = done == 0;
    if (done > 0)
        reader->end += (size_t)done;
    return done > 0;
}

bool line_reader_next(struct line_reader *reader, uint8_t **line, size_t *length)
{
    size_t searched = 0;
    uint8_t *newline = NULL;

    do {
        if (reader->end - reader->begin > searched)
            newline = memchr(reader->data + reader->begin + searched, '\n',
                             reader->end - reader->begin - searched);
        searched = reader->end - reader->begin;
    } while (!newline && fill(reader));
    if (reader->error || (!newline && searched == 0))
        return false;
    *line = reader->data + reader->begin;
    *length = newline ? (size_t)(newline - *line) : searched;
    reader->cut = !newline;
    reader->begin += *length + (newline ? 1 : 0);
    reader->read += *length + (newline ? 1 : 0);
    reader->line++;
    return true;
}
