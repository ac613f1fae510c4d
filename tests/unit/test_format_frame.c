/*
 * Frames of a log: what goes in comes out, whatever is cut, flipped or moved is found, fields that
 * lie under a right checksum are held to their rules, and docs/format-log.md shows what the code
 * writes (faults.md, 1 to 6, 43).
 */
#include "format/frame.h"
#include "support/format_samples.h"

#include <stdlib.h>
#include <string.h>

#define BASE 1000
#define AT   128 /* where the frames of a segment begin */

static struct tarn__frame_segment segment_of_sample(void)
{
    return (struct tarn__frame_segment){.seed = tarn__frame_seed(sample_identity),
                                        .base_sequence = BASE};
}

static struct tarn__frame put(uint64_t sequence, const char *key, struct tarn_slice value)
{
    return (struct tarn__frame){.kind = TARN__FRAME_PUT,
                                .record = {.key = tarn_slice_of(key, strlen(key)),
                                           .value = value,
                                           .info = {.sequence = sequence}}};
}

/* Some bytes with room for more, that are freed with the buffer. */
static void append(struct tarn_buf *log, const struct tarn__frame *frame)
{
    struct tarn__frame_segment segment = segment_of_sample();
    size_t bytes = tarn__frame_bytes(&segment, frame);
    uint8_t *data = realloc(log->data, log->length + bytes);

    expect_that(data != NULL);
    log->data = data;
    tarn__frame_write(&segment, frame, AT + log->length, data + log->length);
    log->length += bytes;
}

/* A batch of the frames that stand in the log from an offset on, which are written anew behind its
 * head. */
static void append_batch(struct tarn_buf *log, uint64_t sequence, const struct tarn__frame *frames,
                         size_t count)
{
    struct tarn__frame_segment segment = segment_of_sample();
    struct tarn__frame batch = {
        .kind = TARN__FRAME_BATCH, .record.info.sequence = sequence, .count = count};
    size_t begin = log->length, head;
    uint8_t *data;

    for (size_t i = 0; i < count; i++)
        batch.frames.length += tarn__frame_bytes(&segment, &frames[i]);
    data = realloc(log->data, begin + TARN__FRAME_HEAD_MAX);
    expect_that(data != NULL);
    head = tarn__frame_head_write(&segment, &batch, data + begin);
    log->data = data;
    log->length += head;
    for (size_t i = 0; i < count; i++)
        append(log, &frames[i]);
    data = log->data;
    expect_number(log->length - begin, tarn__frame_bytes(&segment, &batch));
    tarn__frame_seal(data + begin,
                     XXH3_64bits_withSeed(data + begin + 8, log->length - begin - 8,
                                          tarn__frame_checksum_seed(&segment, AT + begin)));
}

/* Reads the frame at a place of the log, from a copy that has no byte more. */
static enum tarn__frame_found read_at(const struct tarn_buf *log, size_t at, size_t *length,
                                      struct tarn__frame *frame, uint8_t **copy)
{
    struct tarn__frame_segment segment = segment_of_sample();
    size_t left = log->length - at;
    enum tarn__frame_found found;

    *copy = malloc(left + 1);
    expect_that(*copy != NULL);
    tarn__write_bytes(*copy, (uint8_t *)log->data + at, left);
    found = tarn__frame_measure(*copy, left, left, length);
    if (found == TARN__FRAME_WHOLE)
        found = tarn__frame_read(&segment, AT + at, *copy, *length, frame);
    return found;
}

static enum tarn__frame_found found_at(const struct tarn_buf *log, size_t at)
{
    struct tarn__frame frame;
    uint8_t *copy;
    size_t length = 0;
    enum tarn__frame_found found = read_at(log, at, &length, &frame, &copy);

    free(copy);
    return found;
}

static void expect_same(const struct tarn__frame *wanted, const struct tarn__frame *got)
{
    expect_number(wanted->kind, got->kind);
    expect_number(wanted->record.info.sequence, got->record.info.sequence);
    expect_number(wanted->record.info.content, got->record.info.content);
    expect_number(wanted->has_durable_point, got->has_durable_point);
    expect_number(wanted->durable_point.segments_back, got->durable_point.segments_back);
    expect_number(wanted->durable_point.offset, got->durable_point.offset);
    expect_bytes(wanted->record.key, got->record.key);
    expect_bytes(wanted->record.value, got->record.value);
    expect_number(wanted->next_segment, got->next_segment);
    expect_number(wanted->count, got->count);
}

/* ------------------------------------------------------------------------------------------
 * In and out
 */

static void frames_come_out_as_they_went_in(void **state)
{
    static const size_t lengths[] = {0, 1, 3, 8, 100, 105, 127, 128, 240, 241, 16384, 100000};
    struct tarn_buf log = {0};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t *value = calloc(1, lengths[i] + 1);
        struct tarn__frame frames[4] = {
            put(BASE + i * i * i * 7, "key", tarn_slice_of(value, lengths[i])),
            {.kind = TARN__FRAME_DELETE, .record.key = tarn_slice_of("gone", 4)},
            {.kind = TARN__FRAME_END, .next_segment = i},
        };

        frames[1].record.info.sequence = frames[2].record.info.sequence = BASE + i;
        frames[3] = frames[0];
        frames[3].record.info.content = lengths[i] == 8 ? TARN_CONTENT_COUNTER : 0;
        frames[3].has_durable_point = true;
        frames[3].durable_point.segments_back = i;
        frames[3].durable_point.offset = 4 * i << i;
        for (size_t k = 0; k < 4; k++) {
            size_t at = log.length, length = 0;
            struct tarn__frame got = {0};
            uint8_t *copy;

            append(&log, &frames[k]);
            expect_number(0, log.length % TARN__FRAME_ALIGNMENT);
            expect_number(TARN__FRAME_WHOLE, read_at(&log, at, &length, &got, &copy));
            expect_number(log.length - at, length);
            expect_same(&frames[k], &got);
            free(copy);
        }
        free(value);
    }
    free(log.data);
}

static void a_put_can_be_looked_at_before_it_is_verified(void **state)
{
    struct tarn__frame_segment segment = segment_of_sample();
    struct tarn__frame frame = put(BASE + 77777, "colour", tarn_slice_of("green", 5));
    struct tarn__record record = {0};
    struct tarn_buf log = {0};

    (void)state;
    frame.has_durable_point = true;
    frame.durable_point.offset = 400000;
    append(&log, &frame);
    expect_number(log.length, tarn__frame_peek(&segment, log.data, log.length, &record));
    expect_bytes(frame.record.key, record.key);
    expect_bytes(frame.record.value, record.value);
    expect_number(BASE + 77777, record.info.sequence);
    /* whatever the bytes are, it stays inside */
    for (size_t cut = 0; cut < log.length; cut++) {
        uint8_t *copy = malloc(cut + 1);

        expect_that(copy != NULL);
        tarn__write_bytes(copy, log.data, cut);
        for (unsigned i = 0; i < 256 && cut > 9; i++) {
            copy[9] = (uint8_t)i;
            (void)tarn__frame_peek(&segment, copy, cut, &record); /* the sanitizer looks */
        }
        free(copy);
    }
    free(log.data);
}

static void a_large_frame_is_written_in_pieces(void **state)
{
    struct tarn__frame_segment segment = segment_of_sample();
    char value[1000] = {1, 2, 3};
    struct tarn__frame frame = put(BASE, "k", tarn_slice_of(value, sizeof value));
    uint8_t head[TARN__FRAME_HEAD_MAX];
    struct tarn__checksum checksum;
    struct tarn_buf log = {0};
    size_t length;

    (void)state;
    append(&log, &frame);
    length = tarn__frame_head_write(&segment, &frame, head);
    tarn__checksum_begin(&checksum, tarn__frame_checksum_seed(&segment, AT));
    tarn__checksum_add(&checksum, head + 8, length - 8);
    tarn__checksum_add(&checksum, "k", 1);
    tarn__checksum_add(&checksum, value, sizeof value);
    tarn__checksum_add(&checksum, "\0\0\0", log.length - length - 1 - sizeof value);
    tarn__frame_seal(head, tarn__checksum_end(&checksum));
    expect_that(memcmp(head, log.data, length) == 0);
    free(log.data);
}

static void a_batch_is_verified_with_all_that_is_in_it(void **state)
{
    struct tarn_buf log = {0};
    struct tarn__frame got = {0};
    uint8_t *copy;
    size_t length = 0;

    (void)state;
    for (size_t count = 1; count < 40; count++) {
        struct tarn__frame frames[40];
        size_t at = log.length, inside = 0;

        for (size_t i = 0; i < count; i++)
            frames[i] = put(BASE + count, i % 2 ? "one" : "other", tarn_slice_of("value", i % 6));
        append_batch(&log, BASE + count, frames, count);
        expect_number(TARN__FRAME_WHOLE, read_at(&log, at, &length, &got, &copy));
        expect_number(log.length - at, length);
        expect_number(count, got.count);
        expect_number(0, (length - got.frames.length) % TARN__FRAME_ALIGNMENT);
        free(copy);
        for (size_t i = 0; i < count; i++) { /* each is read in its turn, and counts on its own */
            size_t head = length - got.frames.length, one = 0;
            struct tarn__frame inner = {0};

            expect_number(TARN__FRAME_WHOLE,
                          read_at(&log, at + head + inside, &one, &inner, &copy));
            expect_same(&frames[i], &inner);
            inside += one;
            free(copy);
        }
        expect_number(got.frames.length, inside);
        ((uint8_t *)log.data)[log.length - 5] ^= 1;
        expect_number(TARN__FRAME_BROKEN, found_at(&log, at));
        ((uint8_t *)log.data)[log.length - 5] ^= 1;
    }
    free(log.data);
}

static void the_document_shows_what_is_written(void **state)
{
    static const uint8_t count[8] = {42};
    struct tarn__frame mail = put(BASE + 300, "mail:1", tarn_slice_of("hello", 5));
    struct tarn__frame sent = put(BASE + 301, "sent", tarn_slice_of(count, sizeof count));
    struct tarn__frame batch[] = {{.kind = TARN__FRAME_DELETE}, sent};
    struct tarn__frame end = {.kind = TARN__FRAME_END, .next_segment = 2};
    struct tarn_buf log = {0};

    (void)state;
    append(&log, &mail);
    batch[0].record = mail.record;
    batch[0].record.info.sequence = BASE + 301;
    batch[1].record.info.content = TARN_CONTENT_COUNTER;
    append_batch(&log, BASE + 301, batch, 2);
    end.record.info.sequence = BASE + 302;
    end.has_durable_point = true;
    end.durable_point.offset = AT;
    append(&log, &end);
    expect_document("format-log.md", tarn_slice_of(log.data, log.length));
    free(log.data);
}

/* ------------------------------------------------------------------------------------------
 * What is wrong
 */

static void every_flipped_bit_is_found(void **state)
{
    struct tarn__frame frame = put(BASE + 5, "key", tarn_slice_of("a value", 7));
    struct tarn_buf log = {0};
    uint8_t *bytes;

    (void)state;
    append(&log, &frame);
    bytes = log.data;
    for (size_t bit = 0; bit < 8 * log.length; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_number(TARN__FRAME_BROKEN, found_at(&log, 0));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    expect_number(TARN__FRAME_WHOLE, found_at(&log, 0));
    free(log.data);
}

static void a_cut_is_found_at_every_byte(void **state)
{
    struct tarn__frame frame = put(BASE + 5, "key", tarn_slice_of("a value", 7));
    struct tarn_buf log = {0};
    size_t whole;

    (void)state;
    append(&log, &frame);
    whole = log.length;
    for (log.length = 1; log.length < whole; log.length++) {
        expect_number(TARN__FRAME_BROKEN, found_at(&log, 0));
        for (size_t i = log.length; i < whole; i++) { /* and zeros in place of what is missing */
            struct tarn_buf zeros = {.data = calloc(1, whole), .length = whole};

            expect_that(zeros.data != NULL);
            memcpy(zeros.data, log.data, log.length);
            if (memcmp(zeros.data, log.data, whole) != 0)
                expect_number(TARN__FRAME_BROKEN, found_at(&zeros, 0));
            free(zeros.data);
        }
    }
    free(log.data);
}

static void zeros_are_nothing(void **state)
{
    uint8_t zeros[64] = {0};

    (void)state;
    for (size_t length = 0; length <= sizeof zeros; length++) {
        struct tarn_buf log = {.data = zeros, .length = length};

        expect_number(TARN__FRAME_NOTHING, found_at(&log, 0));
    }
    zeros[3] = 1; /* of a checksum whose frame never came */
    for (size_t length = 4; length <= sizeof zeros; length++) {
        struct tarn_buf log = {.data = zeros, .length = length};

        expect_number(TARN__FRAME_BROKEN, found_at(&log, 0));
    }
}

static void a_frame_counts_at_its_place_alone(void **state)
{
    struct tarn__frame_segment segment = segment_of_sample(), other = segment;
    struct tarn__frame frame = put(BASE, "key", tarn_slice_of("v", 1)), got;
    struct tarn_buf log = {0};
    uint8_t identity[TARN__IDENTITY_BYTES];

    (void)state;
    append(&log, &frame);
    memcpy(identity, sample_identity, sizeof identity);
    identity[15] ^= 1;
    other.seed = tarn__frame_seed(identity);
    expect_number(TARN__FRAME_WHOLE, tarn__frame_read(&segment, AT, log.data, log.length, &got));
    expect_number(TARN__FRAME_BROKEN, tarn__frame_read(&other, AT, log.data, log.length, &got));
    for (uint64_t offset = 0; offset < 4096; offset += 4)
        if (offset != AT)
            expect_number(TARN__FRAME_BROKEN,
                          tarn__frame_read(&segment, offset, log.data, log.length, &got));
    free(log.data);
}

/* Puts a checksum that is right over whatever the bytes are. */
static enum tarn__frame_found found_sealed(const uint8_t *content, size_t length)
{
    struct tarn__frame_segment segment = segment_of_sample();
    struct tarn_buf log = {.data = malloc(8 + length), .length = 8 + length};
    uint8_t *bytes = log.data;
    enum tarn__frame_found found;

    expect_that(bytes != NULL);
    memcpy(bytes + 8, content, length);
    tarn__write_u64(
        bytes, XXH3_64bits_withSeed(bytes + 8, length, tarn__frame_checksum_seed(&segment, AT)));
    found = found_at(&log, 0);
    free(bytes);
    return found;
}

static void fields_under_a_right_checksum_are_held_to_their_rules(void **state)
{
    static const struct {
        uint8_t bytes[16]; /* from the kind on */
        size_t length;
        enum tarn__frame_found wanted;
    } rows[] = {
        {{0x01, 4, 0, 1, 'k', 'v', 0, 0}, 8, TARN__FRAME_WHOLE},
        {{0x01, 3, 0, 1, 'k', 0, 0, 0}, 8, TARN__FRAME_WHOLE},
        {{0x01, 4, 0, 1, 'k', 'v', 0, 1}, 8, TARN__FRAME_BROKEN}, /* not zeros at the end */
        {{0x01, 3, 0, 0, 'v', 0, 0, 0}, 8, TARN__FRAME_BROKEN},   /* a key of no bytes */
        {{0x01, 3, 0, 2, 'v', 0, 0, 0}, 8, TARN__FRAME_BROKEN},   /* a key beyond the frame */
        {{0x01, 3, 0, 0xff, 0xff, 0, 0, 0}, 8, TARN__FRAME_BROKEN},
        {{0x01, 6, 0x80, 0, 1, 'k', 'v', 'v'}, 8, TARN__FRAME_BROKEN}, /* a longer form of 0 */
        {{0x21, 11, 0, 1, 'k', 1, 2, 3, 4, 5, 6, 7, 8}, 16, TARN__FRAME_WHOLE}, /* a counter */
        {{0x21, 4, 0, 1, 'k', 'v', 0, 0}, 8, TARN__FRAME_BROKEN},               /* of one byte */
        {{0xe1, 4, 0, 1, 'k', 'v', 0, 0}, 8, TARN__FRAME_UNKNOWN},
        {{0x11, 4, 0, 1, 'k', 'v', 0, 0}, 8, TARN__FRAME_UNKNOWN}, /* it expires */
        {{0x05, 4, 0, 1, 'k', 'v', 0, 0}, 8, TARN__FRAME_UNKNOWN},
        {{0x07, 4, 0, 1, 'k', 'v', 0, 0}, 8, TARN__FRAME_UNKNOWN},
        {{0x08, 4, 0, 1, 'k', 'v', 0, 0}, 8, TARN__FRAME_BROKEN}, /* kind 0 */
        {{0x02, 3, 0, 1, 'k', 0, 0, 0}, 8, TARN__FRAME_WHOLE},
        {{0x02, 4, 0, 1, 'k', 'v', 0, 0}, 8, TARN__FRAME_BROKEN}, /* a delete with a value */
        {{0x04, 2, 0, 7, 0, 0, 0, 0}, 8, TARN__FRAME_BROKEN},     /* 4 bytes too long */
        {{0x04, 2, 0, 7}, 4, TARN__FRAME_WHOLE},
        {{0x04, 3, 0, 7, 7, 0, 0, 0}, 8, TARN__FRAME_BROKEN}, /* bytes behind its fields */
        {{0x03, 2, 0, 0}, 4, TARN__FRAME_BROKEN},             /* a batch of none */
        {{0x03, 2, 0, 1}, 4, TARN__FRAME_WHOLE},              /* who reads it counts */
        {{0x0c, 4, 0, 7, 1, 2, 0, 0}, 8, TARN__FRAME_WHOLE},
        {{0x0c, 3, 0, 7, 1, 0, 0, 0}, 8, TARN__FRAME_BROKEN}, /* half a durable point */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (found_sealed(rows[i].bytes, rows[i].length) != rows[i].wanted)
            fail_msg("row %zu: not %d", i, rows[i].wanted);
}

static void no_length_is_believed(void **state)
{
    static const uint64_t lengths[] = {0,
                                       5,
                                       1000,
                                       INT32_MAX,
                                       UINT32_MAX,
                                       UINT64_C(1) << 32,
                                       TARN__FRAME_LENGTH_MAX,
                                       TARN__FRAME_LENGTH_MAX + 1,
                                       INT64_MAX,
                                       UINT64_MAX - 12,
                                       UINT64_MAX};
    uint8_t bytes[32] = {0};
    size_t length = 0;

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t *end = tarn__varint_write(bytes + 9, lengths[i]);
        bool fits = lengths[i] <= 5;

        bytes[8] = TARN__FRAME_PUT;
        memset(end, 0, (size_t)(bytes + sizeof bytes - end));
        expect_number(fits ? TARN__FRAME_WHOLE : TARN__FRAME_BROKEN,
                      tarn__frame_measure(bytes, 16, 16, &length));
        expect_number(lengths[i] <= TARN__FRAME_LENGTH_MAX ? TARN__FRAME_WHOLE : TARN__FRAME_BROKEN,
                      tarn__frame_measure(bytes, sizeof bytes, UINT64_MAX, &length));
    }
}

static void random_bytes_are_refused(void **state)
{
    uint64_t random = environment_number("TARN_SEED", 1);
    uint8_t bytes[64];

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        struct tarn_buf log = {.data = bytes, .length = random_next(&random) % sizeof bytes};

        for (size_t k = 0; k < sizeof bytes; k += 8) {
            uint64_t word = random_next(&random);

            memcpy(bytes + k, &word, 8);
        }
        if (log.length >= 8)
            expect_number(TARN__FRAME_BROKEN, found_at(&log, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_as_they_went_in),
        cmocka_unit_test(a_put_can_be_looked_at_before_it_is_verified),
        cmocka_unit_test(a_large_frame_is_written_in_pieces),
        cmocka_unit_test(a_batch_is_verified_with_all_that_is_in_it),
        cmocka_unit_test(the_document_shows_what_is_written),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(a_cut_is_found_at_every_byte),
        cmocka_unit_test(zeros_are_nothing),
        cmocka_unit_test(a_frame_counts_at_its_place_alone),
        cmocka_unit_test(fields_under_a_right_checksum_are_held_to_their_rules),
        cmocka_unit_test(no_length_is_believed),
        cmocka_unit_test(random_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
