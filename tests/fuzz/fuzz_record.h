/*
 * Lines of a dump at random, for both formats: whatever is read is written again as a line that is
 * read as the same record. The line is a block of its own, so that the sanitizer sees what is read
 * beyond it.
 */
#ifndef FUZZ_RECORD_H
#define FUZZ_RECORD_H

#include "record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fuzz_expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static bool fuzz_equal(struct tarn_slice a, struct tarn_slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static void fuzz_again(const struct record_format *format, const struct record *record)
{
    struct output out;
    struct record again;
    struct line_error error;

    output_init(&out, open("/dev/null", O_WRONLY));
    format->write(&out, record);
    fuzz_expect(out.length > 0 && out.data[out.length - 1] == '\n', "no line was written");
    fuzz_expect(!memchr(out.data, '\n', out.length - 1), "more than a line was written");
    fuzz_expect(format->read(out.data, out.length - 1, &again, &error), "it is not read again");
    fuzz_expect(again.is_counter == record->is_counter && again.counter == record->counter,
                "another counter");
    fuzz_expect(fuzz_equal(again.key, record->key), "another key");
    fuzz_expect(record->is_counter || fuzz_equal(again.value, record->value), "another value");
    close(out.fd);
    output_release(&out);
}

static int fuzz_line(const struct record_format *format, const uint8_t *data, size_t size)
{
    uint8_t *line = malloc(size ? size : 1);
    struct record record;
    struct line_error error = {0};

    fuzz_expect(line != NULL, "no memory");
    if (size)
        memcpy(line, data, size);
    if (format->read(line, size, &record, &error))
        fuzz_again(format, &record);
    else
        fuzz_expect(error.message && error.column > 0 && error.column <= size + 1, "no place");
    free(line);
    return 0;
}

#endif
