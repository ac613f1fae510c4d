/*
 * Frames at random: whatever is accepted can be written again as the same bytes, and tells of
 * nothing beyond its end. The first byte chooses: 0: the rest is what stands in a segment behind
 * its head; else the checksum of each frame is made right, as far as its length is believed, and of
 * frames in a batch where the byte is odd.
 */
#include "format/segment.h"
#include "fuzz_file.h"

#include <xxhash.h>

#define SEQUENCE 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct tarn__frame_segment *segment(void)
{
    static struct tarn__frame_segment segment = {.base_sequence = SEQUENCE};

    segment.seed = tarn__frame_seed(fuzz_identity);
    return &segment;
}

static void seal(uint8_t *bytes, size_t length, uint64_t offset)
{
    uint64_t sum = XXH3_64bits_withSeed(bytes + TARN__FRAME_CHECKSUM_BYTES,
                                        length - TARN__FRAME_CHECKSUM_BYTES,
                                        tarn__frame_checksum_seed(segment(), offset));

    memcpy(bytes, &sum, sizeof sum);
}

/* Takes a frame at an offset, alone in a block of its own, so that the sanitizer sees what is read
 * beyond it. Returns how long it is; 0: it is none. */
static size_t take(uint8_t *bytes, size_t there, uint64_t offset, unsigned forged, bool inner);

static void take_batch(const struct tarn__frame *frame, uint64_t end, unsigned forged)
{
    uint64_t offset = end - frame->frames.length;
    size_t at = 0, length = 1;

    while (length && at < frame->frames.length) {
        length = take((uint8_t *)frame->frames.data + at, frame->frames.length - at, offset + at,
                      forged, true);
        at += length;
    }
}

/* Writes a frame of one record again, and compares. */
static void expect_written(const struct tarn__frame *frame, uint64_t offset, const uint8_t *bytes,
                           size_t length)
{
    uint8_t *again = malloc(length);

    fuzz_expect(tarn__frame_bytes(segment(), frame) == length);
    tarn__frame_write(segment(), frame, offset, again);
    fuzz_expect(memcmp(again, bytes, length) == 0);
    free(again);
}

static size_t take(uint8_t *bytes, size_t there, uint64_t offset, unsigned forged, bool inner)
{
    struct tarn__frame frame;
    struct tarn__record peeked;
    enum tarn__frame_found found;
    size_t length;
    uint8_t *alone;

    if (tarn__frame_measure(bytes, there, there, &length) != TARN__FRAME_WHOLE)
        return 0;
    fuzz_expect(length > TARN__FRAME_CHECKSUM_BYTES && length <= there);
    alone = malloc(length);
    memcpy(alone, bytes, length);
    if (inner ? forged & 1 : forged)
        seal(alone, length, offset);
    found = tarn__frame_read(segment(), offset, alone, length, &frame);
    fuzz_expect(found != TARN__FRAME_NOTHING);
    (void)tarn__frame_peek(segment(), alone, length, &peeked); /* whatever it is */
    if (found == TARN__FRAME_WHOLE && frame.kind == TARN__FRAME_BATCH)
        take_batch(&frame, offset + length, forged);
    else if (found == TARN__FRAME_WHOLE)
        expect_written(&frame, offset, alone, length);
    free(alone);
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned forged = size ? data[0] : 0;
    size_t left = size ? size - 1 : 0, at = 0, length = 1;
    uint8_t *bytes = malloc(left + (left == 0));

    memcpy(bytes, data + (size > 0), left);
    while (length && at < left) {
        length = take(bytes + at, left - at, TARN__SEGMENT_HEAD + at, forged, false);
        at += length;
    }
    free(bytes);
    return 0;
}
