/* The format tsv: a key, a value and, for a counter, its type; see the header. */
#include "tsv.h"
#include "hex.h"
#include "utf8.h"

#include <inttypes.h>
#include <string.h>

#define COUNTER "counter"

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '\\';
}

size_t tsv_escape_one(const uint8_t *bytes, size_t length, size_t *at, char *text)
{
    static const char digits[] = "0123456789abcdef";
    static const char special[] = "\\\\\tt\nn\rr";
    uint8_t byte = bytes[*at];
    size_t step = byte < 0x80 ? 1 : utf8_length(bytes + *at, length - *at);

    if (is_plain(byte) || (byte >= 0x80 && step > 0)) {
        memcpy(text, bytes + *at, step);
        *at += step;
        return step;
    }
    *at += 1;
    text[0] = '\\';
    for (size_t i = 0; i < sizeof special - 1; i += 2)
        if (byte == (uint8_t)special[i]) {
            text[1] = special[i + 1];
            return 2;
        }
    text[1] = 'x';
    text[2] = digits[byte >> 4];
    text[3] = digits[byte & 15];
    return 4;
}

void tsv_write_field(struct output *out, struct tarn_slice bytes)
{
    const uint8_t *data = bytes.data;
    const size_t piece = 16384;
    size_t at = 0;

    while (at < bytes.length) {
        size_t end = bytes.length - at > piece ? at + piece : bytes.length;
        char *room = (char *)output_reserve(out, (piece + 4) * TSV_ESCAPED_MAX);
        size_t made = 0;

        if (!room)
            return;
        while (at < end) {
            if (is_plain(data[at]))
                room[made++] = (char)data[at++];
            else
                made += tsv_escape_one(data, bytes.length, &at, room + made);
        }
        output_advance(out, made);
    }
}

static void write_record(struct output *out, const struct record *record)
{
    tsv_write_field(out, record->key);
    if (record->is_counter) {
        output_printf(out, "\t%" PRId64 "\t" COUNTER "\n", record->counter);
        return;
    }
    output_bytes(out, "\t", 1);
    tsv_write_field(out, record->value);
    output_bytes(out, "\n", 1);
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

struct reader {
    uint8_t *line;
    size_t length;
    size_t at;
    struct line_error *error;
};

static bool fail(struct reader *reader, const char *message)
{
    *reader->error = (struct line_error){message, reader->at + 1};
    return false;
}

/* Reads what comes behind a backslash, at which the reader stands. */
static bool read_escape(struct reader *reader, uint8_t *byte)
{
    const uint8_t *text = reader->line + reader->at;
    size_t left = reader->length - reader->at;

    switch (left > 1 ? text[1] : 0) {
    case '\\':
        *byte = '\\';
        break;
    case 't':
        *byte = '\t';
        break;
    case 'n':
        *byte = '\n';
        break;
    case 'r':
        *byte = '\r';
        break;
    case 'x':
        if (left < 4 || hex_digit(text[2]) < 0 || hex_digit(text[3]) < 0)
            return fail(reader, "\\x takes two hex digits");
        *byte = (uint8_t)(hex_digit(text[2]) << 4 | hex_digit(text[3]));
        reader->at += 2;
        break;
    default:
        return fail(reader, "an escape is one of \\\\ \\t \\n \\r \\xHH");
    }
    reader->at += 2;
    return true;
}

/* Reads up to the next tab or the end, in place. */
static bool read_field(struct reader *reader, struct tarn_slice *field)
{
    uint8_t *begin = reader->line + reader->at, *to = begin;

    while (reader->at < reader->length && reader->line[reader->at] != '\t') {
        uint8_t byte = reader->line[reader->at];

        if (byte == '\\') {
            if (!read_escape(reader, to++))
                return false;
            continue;
        }
        if (byte < 0x20 || byte == 0x7f)
            return fail(reader, "a control character must be escaped");
        *to++ = byte;
        reader->at++;
    }
    *field = tarn_slice_of(begin, (size_t)(to - begin));
    return true;
}

static bool read_type(struct reader *reader, struct record *record)
{
    struct tarn_slice type;
    size_t begin = reader->at;

    reader->at++;
    if (!read_field(reader, &type))
        return false;
    if (reader->at < reader->length)
        return fail(reader, "a line has at most 3 fields");
    reader->at = begin;
    if (type.length != strlen(COUNTER) || memcmp(type.data, COUNTER, type.length) != 0)
        return fail(reader, "the third field is '" COUNTER "' or not there");
    if (!record_read_counter(record->value.data, record->value.length, &record->counter))
        return fail(reader, "a counter is a decimal number of 64 bits");
    record->is_counter = true;
    return true;
}

static bool read_record(uint8_t *line, size_t length, struct record *record,
                        struct line_error *error)
{
    struct reader reader = {line, length, 0, error};

    *record = (struct record){0};
    if (!read_field(&reader, &record->key))
        return false;
    if (record->key.length == 0)
        return fail(&reader, "a key has at least one byte");
    if (reader.at == reader.length)
        return fail(&reader, "a tab and a value must follow the key");
    reader.at++;
    if (!read_field(&reader, &record->value))
        return false;
    return reader.at == reader.length || read_type(&reader, record);
}

const struct record_format format_tsv = {
    .name = "tsv",
    .cut_is_seen = false,
    .write = write_record,
    .read = read_record,
};
