/*
 * Bytes of files: numbers are little-endian, lengths are varints (7 bits a byte, lowest first, the
 * high bit says that another byte follows; at most 10 bytes).
 *
 * Writing goes to memory that is large enough: every head has a bound, so whoever encodes reserves
 * once, and no write can fail. Each function returns where the next one is to write.
 *
 * Reading never goes past the end: what does not fit gives 0 or NULL and sets failed, which stays
 * set, so that a row of reads is checked once, behind the last. A varint that could be shorter is
 * refused: each number has one form.
 */
#ifndef TARN_FORMAT_BYTES_H
#define TARN_FORMAT_BYTES_H

#include "format/record.h"

#include <endian.h>
#include <string.h>

#define TARN__VARINT_BYTES_MAX 10

/* tarn__varint_bytes() and tarn__varint_write() are in format/record.h. */
_Static_assert(sizeof(size_t) == 8, "varints are of 64 bits");

static inline uint8_t *tarn__write_u8(uint8_t *to, uint8_t number)
{
    *to = number;
    return to + 1;
}

static inline uint8_t *tarn__write_u16(uint8_t *to, uint16_t number)
{
    number = htole16(number);
    memcpy(to, &number, sizeof number);
    return to + sizeof number;
}

static inline uint8_t *tarn__write_u32(uint8_t *to, uint32_t number)
{
    number = htole32(number);
    memcpy(to, &number, sizeof number);
    return to + sizeof number;
}

static inline uint8_t *tarn__write_u64(uint8_t *to, uint64_t number)
{
    number = htole64(number);
    memcpy(to, &number, sizeof number);
    return to + sizeof number;
}

/* bytes may be NULL where length is 0. */
static inline uint8_t *tarn__write_bytes(uint8_t *to, const void *bytes, size_t length)
{
    if (length)
        memcpy(to, bytes, length);
    return to + length;
}

struct tarn__reader {
    const uint8_t *at, *end;
    bool failed;
};

static inline struct tarn__reader tarn__reader_of(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    return (struct tarn__reader){.at = at, .end = length ? at + length : at};
}

/* How many bytes are left. */
static inline size_t tarn__reader_left(const struct tarn__reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Where the next length bytes are, or NULL where there are not so many. */
static inline const uint8_t *tarn__read_bytes(struct tarn__reader *reader, uint64_t length)
{
    const uint8_t *bytes = reader->at;

    if (reader->failed || length > tarn__reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    reader->at += length;
    return bytes;
}

static inline uint8_t tarn__read_u8(struct tarn__reader *reader)
{
    const uint8_t *bytes = tarn__read_bytes(reader, 1);

    return bytes ? *bytes : 0;
}

static inline uint16_t tarn__read_u16(struct tarn__reader *reader)
{
    uint16_t number = 0;
    const uint8_t *bytes = tarn__read_bytes(reader, sizeof number);

    if (bytes)
        memcpy(&number, bytes, sizeof number);
    return le16toh(number);
}

static inline uint32_t tarn__read_u32(struct tarn__reader *reader)
{
    uint32_t number = 0;
    const uint8_t *bytes = tarn__read_bytes(reader, sizeof number);

    if (bytes)
        memcpy(&number, bytes, sizeof number);
    return le32toh(number);
}

static inline uint64_t tarn__read_u64(struct tarn__reader *reader)
{
    uint64_t number = 0;
    const uint8_t *bytes = tarn__read_bytes(reader, sizeof number);

    if (bytes)
        memcpy(&number, bytes, sizeof number);
    return le64toh(number);
}

static inline uint64_t tarn__read_varint(struct tarn__reader *reader)
{
    const uint8_t *at = reader->at;
    uint64_t number = 0;

    if (!reader->failed && at < reader->end && *at < 0x80) {
        reader->at++;
        return *at;
    }
    for (unsigned shift = 0; !reader->failed && at < reader->end && shift < 70; shift += 7) {
        uint8_t byte = *at++;

        if (shift == 63 && byte > 1) /* more than 64 bits */
            break;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte >= 0x80)
            continue;
        if (byte == 0) /* a shorter form says the same; a lone zero was read above */
            break;
        reader->at = at;
        return number;
    }
    reader->failed = true;
    return 0;
}

#endif
