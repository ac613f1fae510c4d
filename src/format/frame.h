/*
 * Frames: what a log is made of. docs/format-log.md draws them.
 *
 * A frame is one record that was put, a key that was deleted, a batch of such frames, or the end of
 * a segment. Its checksum depends on its content, the file's identity and the frame's place in the
 * file, so that it counts nowhere but where it was written. Frames stand one behind the other, each
 * at a multiple of 4 bytes; where none was written yet there are zeros.
 *
 * A frame says what is known to be durable (the durable point) where that is another place than the
 * frame before it said.
 *
 * Nothing here does I/O, keeps state or allocates. Reading from a file is in two steps: as many
 * bytes as tell how long the frame is, then all of it. What is wrong is told by the outcome alone:
 * whether it is the place where a crash has cut or corruption depends on where it is, which the
 * caller knows.
 */
#ifndef TARN_FORMAT_FRAME_H
#define TARN_FORMAT_FRAME_H

#include "format/file.h"

#define TARN__FRAME_ALIGNMENT ((size_t)4)
#define TARN__FRAME_LENGTH_MAX                                                                     \
    (((size_t)1 << 30) + TARN_KEY_BYTES_MAX + 64) /* of what follows the length */

/* Checksum, kind, length: with so many bytes, tarn__frame_measure() can tell. */
#define TARN__FRAME_MEASURE_BYTES ((size_t)8 + 1 + TARN__VARINT_BYTES_MAX)

/* What comes before a record's key: besides these sequence, length of the key, durable point. */
#define TARN__FRAME_HEAD_MAX (TARN__FRAME_MEASURE_BYTES + (size_t)4 * TARN__VARINT_BYTES_MAX)

enum tarn__frame_kind {
    TARN__FRAME_PUT = 1,
    TARN__FRAME_DELETE = 2,
    TARN__FRAME_BATCH = 3,
    TARN__FRAME_END = 4, /* of the segment */
    /* Reserved: 5 prepare, 6 commit, 7 time mark. */
};

/* What frames of one segment have in common. */
struct tarn__frame_segment {
    uint64_t seed;          /* of checksums: from tarn__frame_seed() */
    uint64_t base_sequence; /* no frame has a lower one */
};

/* All frames before it are durable. */
struct tarn__durable_point {
    uint64_t segments_back; /* by how much its segment's number is lower than the frame's */
    uint64_t offset;        /* in the segment, in bytes: a multiple of the alignment */
};

struct tarn__frame {
    enum tarn__frame_kind kind;
    bool has_durable_point;
    struct tarn__durable_point durable_point;
    struct tarn__record record; /* info.sequence: of all kinds. key: of a put and a delete. value
                                   and info.content: of a put */
    uint64_t count;             /* of a batch: how many frames are in it */
    struct tarn_slice frames;   /* of a batch: where they are. Writing: only length means something
                                 */
    uint64_t next_segment;      /* of an end: where it goes on; 0: not known when it was written */
};

uint64_t tarn__frame_seed(const uint8_t identity[TARN__IDENTITY_BYTES]);

/* ------------------------------------------------------------------------------------------
 * Writing. Sequences are at least the base's, keys and values in their bounds.
 */

/* How many bytes the frame takes in all, with the frames in a batch. */
size_t tarn__frame_bytes(const struct tarn__frame_segment *segment,
                         const struct tarn__frame *frame);

/* Writes everything but the key, the value, or the frames of a batch, and the checksum, for which
 * there is room at the beginning. Returns how many bytes that is; for a batch a multiple of the
 * alignment. */
size_t tarn__frame_head_write(const struct tarn__frame_segment *segment,
                              const struct tarn__frame *frame, uint8_t head[TARN__FRAME_HEAD_MAX]);

/* Writes a frame that is no batch to bytes, as many as tarn__frame_bytes() says, to stand at offset
 * in the segment. */
void tarn__frame_write(const struct tarn__frame_segment *segment, const struct tarn__frame *frame,
                       uint64_t offset, uint8_t *bytes);

/* The same in two steps, for what is not in one piece: the seed of its checksum, which covers all
 * that follows the checksum (the zeros at the end, too), and putting it in its place. */
uint64_t tarn__frame_checksum_seed(const struct tarn__frame_segment *segment, uint64_t offset);
void tarn__frame_seal(uint8_t head[TARN__FRAME_HEAD_MAX], uint64_t checksum);

/* ------------------------------------------------------------------------------------------
 * Reading
 */

enum tarn__frame_found {
    TARN__FRAME_WHOLE,
    TARN__FRAME_NOTHING, /* zeros: nothing was written here */
    TARN__FRAME_BROKEN,
    TARN__FRAME_UNKNOWN, /* a kind or flag under a right checksum that a newer version may know */
};

/*
 * How long the frame at offset is. there: how many of its bytes are at bytes, at least
 * TARN__FRAME_MEASURE_BYTES unless the file has less; left: how many the file has from offset on.
 * TARN__FRAME_WHOLE: *length bytes, all of them in the file. Nothing is verified yet.
 */
enum tarn__frame_found tarn__frame_measure(const uint8_t *bytes, size_t there, uint64_t left,
                                           size_t *length);

/* Verifies a whole frame, and takes it apart. Slices point into bytes. A batch is verified with all
 * that is in it; the frames in it are to be read in their turn. */
enum tarn__frame_found tarn__frame_read(const struct tarn__frame_segment *segment, uint64_t offset,
                                        const uint8_t *bytes, size_t length,
                                        struct tarn__frame *frame);

/* Whether a frame of so many bytes has the checksum that it says. */
bool tarn__frame_verify(const struct tarn__frame_segment *segment, uint64_t offset,
                        const uint8_t *bytes, size_t length);

/*
 * Takes a put apart that is not verified, for who looks whether it has a key. left: how many bytes
 * there are from it on. Returns its length; 0: it is nothing that could be a put.
 */
static inline size_t tarn__frame_peek(const struct tarn__frame_segment *segment,
                                      const uint8_t *bytes, size_t left,
                                      struct tarn__record *record);

/* ------------------------------------------------------------------------------------------
 * Inside
 */

#define TARN__FRAME_CHECKSUM_BYTES ((size_t)8)
#define TARN__FRAME_KIND_MASK      0x07
#define TARN__FRAME_DURABLE_FLAG   0x08
#define TARN__FRAME_EXPIRY_FLAG    0x10 /* reserved */
#define TARN__FRAME_CONTENT_SHIFT  5

static inline size_t tarn__frame_align(size_t bytes)
{
    return (bytes + TARN__FRAME_ALIGNMENT - 1) & ~(TARN__FRAME_ALIGNMENT - 1);
}

static inline size_t tarn__frame_peek(const struct tarn__frame_segment *segment,
                                      const uint8_t *bytes, size_t left,
                                      struct tarn__record *record)
{
    struct tarn__reader reader = tarn__reader_of(bytes, left);
    uint64_t length, sequence, key_length;
    const uint8_t *key;
    uint8_t kind;

    (void)tarn__read_bytes(&reader, TARN__FRAME_CHECKSUM_BYTES);
    kind = tarn__read_u8(&reader);
    length = tarn__read_varint(&reader);
    if ((kind & TARN__FRAME_KIND_MASK) != TARN__FRAME_PUT || length > tarn__reader_left(&reader))
        return 0;
    reader.end = reader.at + length;
    sequence = tarn__read_varint(&reader);
    key_length = tarn__read_varint(&reader);
    if (kind & TARN__FRAME_DURABLE_FLAG) {
        (void)tarn__read_varint(&reader);
        (void)tarn__read_varint(&reader);
    }
    key = tarn__read_bytes(&reader, key_length);
    if (reader.failed)
        return 0;
    record->info.sequence = segment->base_sequence + sequence;
    record->info.content = (enum tarn_content)(kind >> TARN__FRAME_CONTENT_SHIFT);
    record->key = tarn_slice_of(key, key_length);
    record->value = tarn_slice_of(reader.at, tarn__reader_left(&reader));
    return tarn__frame_align((size_t)(reader.end - bytes));
}

#endif
