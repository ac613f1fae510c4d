/* A walk through the frames of a segment; see the header. */
#include "engine/log/walk.h"
#include "base/memory.h"
#include "base/status.h"

#include <string.h>

#define STRETCH_BYTES ((size_t)1024 * 1024)

void tarn__frame_walk_begin(struct tarn__frame_walk *walk, const struct tarn__segment *segment,
                            uint64_t offset, uint64_t end)
{
    *walk = (struct tarn__frame_walk){.segment = segment, .offset = offset, .end = end};
}

void tarn__frame_walk_release(struct tarn__frame_walk *walk)
{
    tarn_buf_release(&walk->bytes);
    tarn_buf_release(&walk->before);
}

/* Has at least so many bytes from the offset on, unless the end comes before. */
static tarn_status have(struct tarn__frame_walk *walk, size_t wanted, const uint8_t **bytes,
                        size_t *there)
{
    uint64_t left = walk->end - walk->offset;
    struct tarn_buf before = walk->before;
    size_t length;
    tarn_status status;

    if (wanted > left)
        wanted = (size_t)left;
    if (walk->offset < walk->bytes_at ||
        walk->offset + wanted > walk->bytes_at + walk->bytes.length) {
        length = wanted > STRETCH_BYTES ? wanted : STRETCH_BYTES;
        length = length > left ? (size_t)left : length;
        if (walk->bytes_at != walk->offset || !walk->stretches) { /* else it was only too short */
            walk->before = walk->bytes;
            walk->bytes = before;
            walk->stretches++;
        }
        walk->bytes.length = 0;
        status = tarn__buf_reserve(&walk->bytes, length);
        if (!status && length)
            status = tarn__file_read(walk->segment->file, walk->bytes.data, length, walk->offset);
        if (status == TARN_IO && walk->spares && length > wanted) {
            length = wanted;
            status = tarn__file_read(walk->segment->file, walk->bytes.data, length, walk->offset);
        }
        if (status)
            return status;
        walk->bytes.length = length;
        walk->bytes_at = walk->offset;
    }
    *bytes = (const uint8_t *)walk->bytes.data + (walk->offset - walk->bytes_at);
    *there = (size_t)(walk->bytes_at + walk->bytes.length - walk->offset);
    return TARN_OK;
}

/* Takes the next frame of a batch apart. */
static bool next_in_batch(const struct tarn__segment *segment, struct tarn_slice *left,
                          uint64_t *offset, struct tarn__frame *frame)
{
    const uint8_t *bytes = left->data;
    size_t length;

    if (tarn__frame_measure(bytes, left->length, left->length, &length) != TARN__FRAME_WHOLE ||
        tarn__frame_read(&segment->frames, *offset, bytes, length, frame) != TARN__FRAME_WHOLE)
        return false;
    *left = tarn_slice_of(bytes + length, left->length - length);
    *offset += length;
    return frame->kind == TARN__FRAME_PUT || frame->kind == TARN__FRAME_DELETE;
}

/* Whether what is in a batch are as many frames as it says, of its own sequence. */
static bool batch_is_right(const struct tarn__segment *segment, const struct tarn__frame *batch,
                           uint64_t end)
{
    struct tarn_slice left = batch->frames;
    uint64_t offset = end - left.length, count = 0;
    struct tarn__frame frame;

    while (left.length && next_in_batch(segment, &left, &offset, &frame) &&
           frame.record.info.sequence == batch->record.info.sequence)
        count++;
    return !left.length && count == batch->count;
}

tarn_status tarn__frame_walk_next(struct tarn__frame_walk *walk, enum tarn__frame_found *found)
{
    const uint8_t *bytes;
    size_t there, length;
    tarn_status status;

    *found = TARN__FRAME_NOTHING;
    if (walk->offset >= walk->end)
        return TARN_OK;
    status = have(walk, TARN__FRAME_MEASURE_BYTES, &bytes, &there);
    if (status)
        return status;
    *found = tarn__frame_measure(bytes, there, walk->end - walk->offset, &length);
    if (*found != TARN__FRAME_WHOLE)
        return TARN_OK;
    status = have(walk, length, &bytes, &there);
    if (status)
        return status;
    *found = tarn__frame_read(&walk->segment->frames, walk->offset, bytes, length, &walk->frame);
    if (*found == TARN__FRAME_WHOLE && walk->frame.kind == TARN__FRAME_BATCH &&
        !batch_is_right(walk->segment, &walk->frame, walk->offset + length))
        *found = TARN__FRAME_BROKEN;
    if (*found == TARN__FRAME_WHOLE) {
        walk->frame_at = walk->offset;
        walk->offset += length;
    }
    return TARN_OK;
}

/* How many bytes there are in which no frame begins, because they are zeros. */
static size_t zeros_at(const uint8_t *bytes, size_t there)
{
    size_t zeros = 0;
    uint64_t words[8];

    for (; there - zeros >= sizeof words; zeros += sizeof words) {
        memcpy(words, bytes + zeros, sizeof words);
        if (words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7])
            break;
    }
    return zeros;
}

/* Steps over a stretch of zeros. */
static tarn_status skip_zeros(struct tarn__frame_walk *walk)
{
    size_t there, zeros;
    const uint8_t *bytes;
    tarn_status status;

    do {
        status = have(walk, 2 * TARN__FRAME_MEASURE_BYTES, &bytes, &there);
        zeros = status ? 0 : zeros_at(bytes, there);
        walk->offset += zeros > TARN__FRAME_ALIGNMENT ? zeros - TARN__FRAME_ALIGNMENT : 0;
    } while (zeros > TARN__FRAME_ALIGNMENT);
    return status;
}

tarn_status tarn__frame_walk_seek(struct tarn__frame_walk *walk, enum tarn__frame_found *found)
{
    tarn_status status = TARN_OK;

    *found = TARN__FRAME_NOTHING;
    while (!status && walk->offset + TARN__FRAME_ALIGNMENT < walk->end) {
        walk->offset += TARN__FRAME_ALIGNMENT;
        status = skip_zeros(walk);
        if (!status)
            status = tarn__frame_walk_next(walk, found);
        if (*found == TARN__FRAME_WHOLE || *found == TARN__FRAME_UNKNOWN)
            return status;
    }
    if (!status)
        walk->offset = walk->end;
    *found = TARN__FRAME_NOTHING;
    return status;
}

tarn_status tarn__frame_walk_records(const struct tarn__frame_walk *walk,
                                     tarn_status (*visit)(void *context,
                                                          const struct tarn__frame *frame,
                                                          uint64_t offset),
                                     void *context)
{
    const struct tarn__frame *frame = &walk->frame;
    struct tarn_slice left = frame->frames;
    uint64_t offset = walk->offset - left.length; /* the frames of a batch are the last of it */
    tarn_status status = TARN_OK;

    if (frame->kind == TARN__FRAME_PUT || frame->kind == TARN__FRAME_DELETE)
        return visit(context, frame, walk->frame_at);
    while (frame->kind == TARN__FRAME_BATCH && left.length && !status) {
        uint64_t at = offset;
        struct tarn__frame inner;

        (void)next_in_batch(walk->segment, &left, &offset, &inner); /* it was right */
        status = visit(context, &inner, at);
    }
    return status;
}
