/*
 * The format jsonl: a JSON object a line; see docs/format-dump.md.
 *
 * The reader takes exactly what that document allows: an object with one key and one value, in any
 * order, with JSON's spaces; a member that it does not know, or twice, is an error.
 */
#include "jsonl.h"
#include "base64.h"
#include "hex.h"
#include "utf8.h"

#include <inttypes.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------
 * Writing
 */

#define ESCAPED_MAX 6 /* \u0000 */

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f;
}

static size_t escape(uint8_t byte, uint8_t *text)
{
    static const char digits[] = "0123456789abcdef";
    static const char special[] = "\"\"\\\\\bb\tt\nn\ff\rr";

    text[0] = '\\';
    for (size_t i = 0; i < sizeof special - 1; i += 2)
        if (byte == (uint8_t)special[i]) {
            text[1] = (uint8_t)special[i + 1];
            return 2;
        }
    memcpy(text + 1, "u00", 3);
    text[4] = (uint8_t)digits[byte >> 4];
    text[5] = (uint8_t)digits[byte & 15];
    return ESCAPED_MAX;
}

/* bytes: UTF-8 */
static void write_string(struct output *out, struct tarn_slice bytes)
{
    const uint8_t *data = bytes.data;
    const size_t piece = 16384;

    for (size_t at = 0; at < bytes.length;) {
        size_t end = bytes.length - at > piece ? at + piece : bytes.length;
        uint8_t *room = output_reserve(out, piece * ESCAPED_MAX);
        size_t made = 0;

        if (!room)
            return;
        for (; at < end; at++) {
            if (is_plain(data[at]))
                room[made++] = data[at];
            else
                made += escape(data[at], room + made);
        }
        output_advance(out, made);
    }
}

void jsonl_write_member(struct output *out, const char *name, struct tarn_slice bytes)
{
    bool text = utf8_is_valid(bytes.data, bytes.length);

    output_bytes(out, "\"", 1);
    output_text(out, name);
    output_text(out, text ? "\":\"" : "64\":\"");
    if (text)
        write_string(out, bytes);
    else
        base64_write(out, bytes.data, bytes.length);
    output_bytes(out, "\"", 1);
}

static void write_record(struct output *out, const struct record *record)
{
    output_bytes(out, "{", 1);
    jsonl_write_member(out, "key", record->key);
    output_bytes(out, ",", 1);
    if (record->is_counter)
        output_printf(out, "\"counter\":%" PRId64, record->counter);
    else
        jsonl_write_member(out, "value", record->value);
    if (record->sequence)
        output_printf(out, ",\"sequence\":%" PRIu64, record->sequence);
    output_bytes(out, "}\n", 2);
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

static bool fail_at(struct reader *reader, size_t at, const char *message)
{
    *reader->error = (struct line_error){message, at + 1};
    return false;
}

static bool fail(struct reader *reader, const char *message)
{
    return fail_at(reader, reader->at, message);
}

/* The next byte that is no space; 0 at the end. */
static uint8_t look(struct reader *reader)
{
    while (reader->at < reader->length && strchr(" \t\r", reader->line[reader->at]) &&
           reader->line[reader->at])
        reader->at++;
    return reader->at < reader->length ? reader->line[reader->at] : 0;
}

static bool take(struct reader *reader, uint8_t byte, const char *message)
{
    if (look(reader) != byte)
        return fail(reader, message);
    reader->at++;
    return true;
}

/* Four hex digits after \u, at which the reader stands. */
static bool read_unit(struct reader *reader, uint32_t *unit)
{
    *unit = 0;
    if (reader->length - reader->at < 6 || reader->line[reader->at] != '\\' ||
        reader->line[reader->at + 1] != 'u')
        return fail(reader, "\\u takes four hex digits, twice for what is above U+FFFF");
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(reader->line[reader->at + i]);

        if (digit < 0)
            return fail(reader, "\\u takes four hex digits");
        *unit = *unit << 4 | (uint32_t)digit;
    }
    reader->at += 6;
    return true;
}

static bool read_unicode(struct reader *reader, uint8_t **to)
{
    uint32_t unit, low;
    size_t begin = reader->at;

    if (!read_unit(reader, &unit))
        return false;
    if (unit >= 0xdc00 && unit <= 0xdfff)
        return fail_at(reader, begin, "the second half of a surrogate pair without the first");
    if (unit >= 0xd800 && unit <= 0xdbff) {
        if (!read_unit(reader, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return fail_at(reader, begin, "half a surrogate pair");
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    *to += utf8_write(*to, unit);
    return true;
}

static bool read_escape(struct reader *reader, uint8_t **to)
{
    static const char special[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    uint8_t letter = reader->length - reader->at > 1 ? reader->line[reader->at + 1] : 0;

    if (letter == 'u')
        return read_unicode(reader, to);
    for (size_t i = 0; i < sizeof special - 1; i += 2)
        if (letter == (uint8_t)special[i]) {
            *(*to)++ = (uint8_t)special[i + 1];
            reader->at += 2;
            return true;
        }
    return fail(reader, "there is no such escape in JSON");
}

/* Reads a string in place: what it says is never longer than how it is written. */
static bool read_string(struct reader *reader, struct tarn_slice *string)
{
    uint8_t *begin, *to;

    if (!take(reader, '"', "a string must follow, in double quotes"))
        return false;
    begin = to = reader->line + reader->at;
    for (;;) {
        uint8_t byte = reader->at < reader->length ? reader->line[reader->at] : 0;
        size_t step = 1;

        if (reader->at >= reader->length)
            return fail(reader, "the line ends inside a string");
        if (byte == '"')
            break;
        if (byte < 0x20)
            return fail(reader, "a control character must be escaped");
        if (byte == '\\') {
            if (!read_escape(reader, &to))
                return false;
            continue;
        }
        if (byte >= 0x80)
            step = utf8_length(reader->line + reader->at, reader->length - reader->at);
        if (step == 0)
            return fail(reader, "this is not UTF-8: use key64 and value64 for other bytes");
        memmove(to, reader->line + reader->at, step);
        to += step;
        reader->at += step;
    }
    reader->at++;
    *string = tarn_slice_of(begin, (size_t)(to - begin));
    return true;
}

static struct tarn_slice read_number(struct reader *reader)
{
    size_t begin;

    (void)look(reader);
    begin = reader->at;
    while (reader->at < reader->length &&
           (reader->line[reader->at] == '-' ||
            (reader->line[reader->at] >= '0' && reader->line[reader->at] <= '9')))
        reader->at++;
    return tarn_slice_of(reader->line + begin, reader->at - begin);
}

/* Which members an object has had. */
enum member { KEY = 1, VALUE = 2, SEQUENCE = 4, BASE64 = 8, COUNTER = 16 };

static bool is(struct tarn_slice name, const char *text)
{
    return name.length == strlen(text) && memcmp(name.data, text, name.length) == 0;
}

static unsigned member_of(struct tarn_slice name)
{
    if (is(name, "key"))
        return KEY;
    if (is(name, "key64"))
        return KEY | BASE64;
    if (is(name, "value"))
        return VALUE;
    if (is(name, "value64"))
        return VALUE | BASE64;
    if (is(name, "counter"))
        return VALUE | COUNTER;
    return is(name, "sequence") ? SEQUENCE : 0;
}

static bool read_content(struct reader *reader, unsigned member, struct record *record)
{
    size_t begin;
    struct tarn_slice text;
    int64_t number;

    (void)look(reader);
    begin = reader->at;
    if (member & (COUNTER | SEQUENCE)) {
        text = read_number(reader);
        if (!record_read_counter(text.data, text.length, &number))
            return fail_at(reader, begin, "a whole number of 64 bits must follow");
        if (member & COUNTER) {
            record->is_counter = true;
            record->counter = number;
        }
        return true;
    }
    if (!read_string(reader, &text))
        return false;
    if ((member & BASE64) && !base64_read((uint8_t *)text.data, &text.length))
        return fail_at(reader, begin, "this is not base64");
    *(member & KEY ? &record->key : &record->value) = text;
    return true;
}

static bool read_member(struct reader *reader, unsigned *seen, struct record *record)
{
    struct tarn_slice name;
    unsigned member;
    size_t begin;

    (void)look(reader);
    begin = reader->at;
    if (!read_string(reader, &name))
        return false;
    member = member_of(name);
    if (!member)
        return fail_at(reader, begin,
                       "a member is one of key, key64, value, value64, counter, sequence");
    if (*seen & member & (KEY | VALUE | SEQUENCE))
        return fail_at(reader, begin, "a record has one key, one value and one sequence");
    *seen |= member & (KEY | VALUE | SEQUENCE);
    return take(reader, ':', "a colon must follow the name") &&
           read_content(reader, member, record);
}

static bool read_record(uint8_t *line, size_t length, struct record *record,
                        struct line_error *error)
{
    struct reader reader = {line, length, 0, error};
    unsigned seen = 0;

    *record = (struct record){0};
    if (!take(&reader, '{', "a line is a JSON object: {\"key\":\"...\",\"value\":\"...\"}"))
        return false;
    do {
        if (!read_member(&reader, &seen, record))
            return false;
    } while (look(&reader) == ',' && reader.at++ < length);
    if (!take(&reader, '}', "a comma or a closing brace must follow"))
        return false;
    if (look(&reader) || reader.at < length)
        return fail(&reader, "nothing may follow the object");
    if ((seen & (KEY | VALUE)) != (KEY | VALUE))
        return fail_at(&reader, 0, "a record has a key, and a value or a counter");
    if (record->key.length == 0)
        return fail_at(&reader, 0, "a key has at least one byte");
    return true;
}

const struct record_format format_jsonl = {
    .name = "jsonl",
    .cut_is_seen = true,
    .write = write_record,
    .read = read_record,
};
