/* Frames of a log; see the header, and docs/format-log.md for the bytes. */
#include "format/frame.h"
#include "base/plant.h"

#include <assert.h>

uint64_t tarn__frame_seed(const uint8_t identity[TARN__IDENTITY_BYTES])
{
    return XXH3_64bits(identity, TARN__IDENTITY_BYTES);
}

uint64_t tarn__frame_checksum_seed(const struct tarn__frame_segment *segment, uint64_t offset)
{
    return segment->seed ^ offset * UINT64_C(0x9e3779b97f4a7c15);
}

/* ------------------------------------------------------------------------------------------
 * Writing
 */

/* The fields between the length and the key. */
static size_t fields_bytes(const struct tarn__frame_segment *segment,
                           const struct tarn__frame *frame)
{
    size_t bytes = tarn__varint_bytes(frame->record.info.sequence - segment->base_sequence);

    if (frame->kind == TARN__FRAME_BATCH)
        bytes += tarn__varint_bytes(frame->count);
    else if (frame->kind == TARN__FRAME_END)
        bytes += tarn__varint_bytes(frame->next_segment);
    else
        bytes += tarn__varint_bytes(frame->record.key.length);
    if (frame->has_durable_point)
        bytes += tarn__varint_bytes(frame->durable_point.segments_back) +
                 tarn__varint_bytes(frame->durable_point.offset / TARN__FRAME_ALIGNMENT);
    return bytes;
}

/* The zeros before the frames of a batch. */
static size_t batch_zeros(size_t fields, size_t frames)
{
    size_t zeros = 0;

    for (;; zeros++) { /* the length's own size depends on them */
        size_t head = TARN__FRAME_CHECKSUM_BYTES + 1 + tarn__varint_bytes(fields + zeros + frames) +
                      fields + zeros;

        if (head % TARN__FRAME_ALIGNMENT == 0)
            return zeros;
    }
}

/* What follows the length, without the zeros at the end. */
static size_t length_of(const struct tarn__frame_segment *segment, const struct tarn__frame *frame)
{
    size_t fields = fields_bytes(segment, frame);

    switch (frame->kind) {
    case TARN__FRAME_PUT:
        return fields + frame->record.key.length + frame->record.value.length;
    case TARN__FRAME_DELETE:
        return fields + frame->record.key.length;
    case TARN__FRAME_BATCH:
        return fields + batch_zeros(fields, frame->frames.length) + frame->frames.length;
    case TARN__FRAME_END:
        break;
    }
    return fields;
}

size_t tarn__frame_bytes(const struct tarn__frame_segment *segment, const struct tarn__frame *frame)
{
    size_t length = length_of(segment, frame);

    return tarn__frame_align(TARN__FRAME_CHECKSUM_BYTES + 1 + tarn__varint_bytes(length) + length);
}

size_t tarn__frame_head_write(const struct tarn__frame_segment *segment,
                              const struct tarn__frame *frame, uint8_t head[TARN__FRAME_HEAD_MAX])
{
    uint8_t *at = tarn__write_u64(head, 0);
    unsigned content = frame->kind == TARN__FRAME_PUT ? frame->record.info.content : 0;

    assert(frame->record.info.sequence >= segment->base_sequence);
    at = tarn__write_u8(at, (uint8_t)(frame->kind | content << TARN__FRAME_CONTENT_SHIFT |
                                      (frame->has_durable_point ? TARN__FRAME_DURABLE_FLAG : 0)));
    at = tarn__varint_write(at, length_of(segment, frame));
    at = tarn__varint_write(at, frame->record.info.sequence - segment->base_sequence);
    if (frame->kind == TARN__FRAME_BATCH)
        at = tarn__varint_write(at, frame->count);
    else if (frame->kind == TARN__FRAME_END)
        at = tarn__varint_write(at, frame->next_segment);
    else
        at = tarn__varint_write(at, frame->record.key.length);
    if (frame->has_durable_point) {
        at = tarn__varint_write(at, frame->durable_point.segments_back);
        at = tarn__varint_write(at, frame->durable_point.offset / TARN__FRAME_ALIGNMENT);
    }
    while (frame->kind == TARN__FRAME_BATCH && (size_t)(at - head) % TARN__FRAME_ALIGNMENT)
        *at++ = 0;
    return (size_t)(at - head);
}

void tarn__frame_seal(uint8_t head[TARN__FRAME_HEAD_MAX], uint64_t checksum)
{
    tarn__write_u64(head, checksum);
}

void tarn__frame_write(const struct tarn__frame_segment *segment, const struct tarn__frame *frame,
                       uint64_t offset, uint8_t *bytes)
{
    uint8_t *at = bytes + tarn__frame_head_write(segment, frame, bytes);
    size_t length;

    assert(frame->kind != TARN__FRAME_BATCH);
    if (frame->kind != TARN__FRAME_END)
        at = tarn__write_bytes(at, frame->record.key.data, frame->record.key.length);
    if (frame->kind == TARN__FRAME_PUT)
        at = tarn__write_bytes(at, frame->record.value.data, frame->record.value.length);
    length = tarn__frame_align((size_t)(at - bytes));
    while (at < bytes + length)
        *at++ = 0;
    tarn__frame_seal(bytes, XXH3_64bits_withSeed(bytes + TARN__FRAME_CHECKSUM_BYTES,
                                                 length - TARN__FRAME_CHECKSUM_BYTES,
                                                 tarn__frame_checksum_seed(segment, offset)));
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

static bool all_zero(const uint8_t *bytes, size_t length)
{
    while (length && !*bytes)
        bytes++, length--;
    return length == 0;
}

enum tarn__frame_found tarn__frame_measure(const uint8_t *bytes, size_t there, uint64_t left,
                                           size_t *length)
{
    struct tarn__reader reader = tarn__reader_of(bytes, there);
    uint64_t follows, whole;

    if (there <= TARN__FRAME_CHECKSUM_BYTES)
        return all_zero(bytes, there) ? TARN__FRAME_NOTHING : TARN__FRAME_BROKEN;
    if (bytes[TARN__FRAME_CHECKSUM_BYTES] == 0)
        return all_zero(bytes, TARN__FRAME_CHECKSUM_BYTES) ? TARN__FRAME_NOTHING
                                                           : TARN__FRAME_BROKEN;
    (void)tarn__read_bytes(&reader, TARN__FRAME_CHECKSUM_BYTES + 1);
    follows = tarn__read_varint(&reader);
    if (reader.failed || follows > TARN__FRAME_LENGTH_MAX)
        return TARN__FRAME_BROKEN;
    whole = tarn__frame_align((size_t)(reader.at - bytes) + follows);
    if (whole > left)
        return TARN__FRAME_BROKEN;
    *length = whole;
    return TARN__FRAME_WHOLE;
}

bool tarn__frame_verify(const struct tarn__frame_segment *segment, uint64_t offset,
                        const uint8_t *bytes, size_t length)
{
    struct tarn__reader reader = tarn__reader_of(bytes, length);
    uint64_t checksum = tarn__read_u64(&reader);

    return !reader.failed &&
           checksum == XXH3_64bits_withSeed(reader.at, tarn__reader_left(&reader),
                                            tarn__frame_checksum_seed(segment, offset));
}

/* The frames of a batch: behind zeros, up to the end. */
static bool read_frames(struct tarn__reader *reader, const uint8_t *bytes,
                        struct tarn__frame *frame)
{
    while ((size_t)(reader->at - bytes) % TARN__FRAME_ALIGNMENT)
        if (tarn__read_u8(reader) != 0 || reader->failed)
            return false;
    frame->frames = tarn_slice_of(reader->at, tarn__reader_left(reader));
    reader->at = reader->end;
    return frame->frames.length % TARN__FRAME_ALIGNMENT == 0 && frame->count > 0;
}

static bool read_record(struct tarn__reader *reader, uint64_t key_length, struct tarn__frame *frame)
{
    const uint8_t *key = tarn__read_bytes(reader, key_length);
    size_t length = tarn__reader_left(reader);

    if (!key || key_length == 0 || key_length > TARN_KEY_BYTES_MAX ||
        length > TARN_VALUE_BYTES_MAX || (frame->kind == TARN__FRAME_DELETE && length))
        return false;
    frame->record.key = tarn_slice_of(key, key_length);
    frame->record.value = tarn_slice_of(reader->at, length);
    reader->at = reader->end;
    return true;
}

/* Takes the fields apart, after the length. The checksum was right. */
static bool read_fields(const struct tarn__frame_segment *segment, struct tarn__reader *reader,
                        const uint8_t *bytes, struct tarn__frame *frame)
{
    uint64_t sequence = tarn__read_varint(reader), number = tarn__read_varint(reader);

    if (frame->has_durable_point) {
        frame->durable_point.segments_back = tarn__read_varint(reader);
        frame->durable_point.offset = tarn__read_varint(reader) * TARN__FRAME_ALIGNMENT;
        if (frame->durable_point.offset >> 48)
            return false;
    }
    if (reader->failed || sequence >> TARN__SEQUENCE_BITS ||
        (sequence + segment->base_sequence) >> TARN__SEQUENCE_BITS)
        return false;
    frame->record.info.sequence = segment->base_sequence + sequence;
    switch (frame->kind) {
    case TARN__FRAME_PUT:
    case TARN__FRAME_DELETE:
        return read_record(reader, number, frame);
    case TARN__FRAME_BATCH:
        frame->count = number;
        return read_frames(reader, bytes, frame);
    case TARN__FRAME_END:
        break;
    }
    frame->next_segment = number;
    return reader->at == reader->end;
}

enum tarn__frame_found tarn__frame_read(const struct tarn__frame_segment *segment, uint64_t offset,
                                        const uint8_t *bytes, size_t length,
                                        struct tarn__frame *frame)
{
    struct tarn__reader reader = tarn__reader_of(bytes, length);
    unsigned kind, content;
    uint64_t follows;

    if (!tarn__frame_verify(segment, offset, bytes, length) &&
        !TARN__PLANTED(TARN__PLANT_FRAME_CHECKSUM))
        return TARN__FRAME_BROKEN;
    (void)tarn__read_bytes(&reader, TARN__FRAME_CHECKSUM_BYTES);
    kind = tarn__read_u8(&reader);
    follows = tarn__read_varint(&reader);
    if (reader.failed || follows > tarn__reader_left(&reader) ||
        !all_zero(reader.at + follows, tarn__reader_left(&reader) - follows) ||
        tarn__frame_align((size_t)(reader.at - bytes) + follows) != length)
        return TARN__FRAME_BROKEN;
    content = kind >> TARN__FRAME_CONTENT_SHIFT;
    reader.end = reader.at + follows;
    *frame = (struct tarn__frame){.kind = kind & TARN__FRAME_KIND_MASK,
                                  .has_durable_point = kind & TARN__FRAME_DURABLE_FLAG};
    if (frame->kind > TARN__FRAME_END || (kind & TARN__FRAME_EXPIRY_FLAG) ||
        content > TARN_CONTENT_COUNTER)
        return TARN__FRAME_UNKNOWN;
    if (frame->kind == 0 || !read_fields(segment, &reader, bytes, frame))
        return TARN__FRAME_BROKEN;
    frame->record.info.content = (enum tarn_content)content;
    if (content == TARN_CONTENT_COUNTER && frame->record.value.length != 8)
        return TARN__FRAME_BROKEN; /* a counter, and only a put is one */
    return TARN__FRAME_WHOLE;
}
