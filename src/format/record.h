/*
 * The record: one key with its value and what is known of them. This is how it lies in memory.
 *
 *      8 bytes   sequence (low 56 bits) and content (high 8 bits), little-endian
 *      1 to 3    length of the key, varint
 *      1 to 5    length of the value, varint
 *      key, value
 *
 * A varint has 7 bits a byte, lowest first; the high bit says that another byte follows.
 * 56 bits of sequence last for 200 years at ten million writes a second.
 */
#ifndef TARN_FORMAT_RECORD_H
#define TARN_FORMAT_RECORD_H

#include "tarn.h"

#include <string.h>

#define TARN__SEQUENCE_BITS 56

struct tarn__record {
    struct tarn_slice key;
    struct tarn_slice value;
    struct tarn_record_info info;
};

/* What a record counts for in limits and stats. */
static inline uint64_t tarn__record_content_bytes(const struct tarn__record *record)
{
    return record->key.length + record->value.length;
}

static inline size_t tarn__varint_bytes(size_t number)
{
    size_t bytes = 1;

    for (; number >= 0x80; number >>= 7)
        bytes++;
    return bytes;
}

static inline uint8_t *tarn__varint_write(uint8_t *to, size_t number)
{
    for (; number >= 0x80; number >>= 7)
        *to++ = (uint8_t)(number | 0x80);
    *to++ = (uint8_t)number;
    return to;
}

/* Only for what this process wrote: it trusts the bytes. */
static inline const uint8_t *tarn__varint_read_trusted(const uint8_t *from, size_t *number)
{
    size_t value = *from & 0x7f;

    for (unsigned shift = 7; *from++ & 0x80; shift += 7)
        value |= (size_t)(*from & 0x7f) << shift;
    *number = value;
    return from;
}

static inline size_t tarn__record_bytes(size_t key_length, size_t value_length)
{
    size_t lengths = (key_length | value_length) < 0x80
                         ? 2
                         : tarn__varint_bytes(key_length) + tarn__varint_bytes(value_length);

    return 8 + lengths + key_length + value_length;
}

/* The sequence and content of a record that was written before. */
static inline void tarn__record_write_info(void *to, const struct tarn_record_info *info)
{
    uint64_t head = info->sequence | (uint64_t)info->content << TARN__SEQUENCE_BITS;

    memcpy(to, &head, 8);
}

static inline void tarn__record_write(void *to, const struct tarn__record *record)
{
    uint8_t *at = to;

    tarn__record_write_info(to, &record->info);
    at += 8;
    if ((record->key.length | record->value.length) < 0x80) {
        *at++ = (uint8_t)record->key.length;
        *at++ = (uint8_t)record->value.length;
    } else {
        at = tarn__varint_write(at, record->key.length);
        at = tarn__varint_write(at, record->value.length);
    }
    memcpy(at, record->key.data, record->key.length);
    if (record->value.length)
        memcpy(at + record->key.length, record->value.data, record->value.length);
}

static inline void tarn__record_read(const void *from, struct tarn__record *record)
{
    const uint8_t *at = from;
    uint64_t head;

    memcpy(&head, at, 8);
    at += 8;
    record->info.sequence = head & (((uint64_t)1 << TARN__SEQUENCE_BITS) - 1);
    record->info.content = (enum tarn_content)(head >> TARN__SEQUENCE_BITS);
    if (__builtin_expect((at[0] | at[1]) < 0x80, 1)) {
        record->key.length = at[0];
        record->value.length = at[1];
        at += 2;
    } else {
        at = tarn__varint_read_trusted(at, &record->key.length);
        at = tarn__varint_read_trusted(at, &record->value.length);
    }
    record->key.data = at;
    record->value.data = at + record->key.length;
}

#endif
