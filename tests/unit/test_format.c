/*
 * What all files have in common: numbers and varints, the header of a file, blocks and end blocks,
 * the rules of names; and that the example of docs/format-files.md is what the code writes
 * (faults.md, 1 to 7 and 38).
 */
#include "base/status.h"
#include "format/name.h"
#include "support/format_samples.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------
 * Numbers
 */

static void numbers_are_little_endian(void **state)
{
    static const uint8_t wanted[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8, 'k', 'v'};
    uint8_t bytes[sizeof wanted], *at = bytes;
    struct tarn__reader reader = tarn__reader_of(wanted, sizeof wanted);

    (void)state;
    at = tarn__write_u8(at, 1);
    at = tarn__write_u16(at, 0x0203);
    at = tarn__write_u32(at, 0x04050607);
    at = tarn__write_u64(at, 0x08090a0b0c0d0e0f);
    at = tarn__write_bytes(at, "kv", 2);
    at = tarn__write_bytes(at, NULL, 0);
    expect_bytes(tarn_slice_of(wanted, sizeof wanted), tarn_slice_of(bytes, (size_t)(at - bytes)));
    expect_number(1, tarn__read_u8(&reader));
    expect_number(0x0203, tarn__read_u16(&reader));
    expect_number(0x04050607, tarn__read_u32(&reader));
    expect_number(0x08090a0b0c0d0e0f, tarn__read_u64(&reader));
    expect_number(2, tarn__reader_left(&reader));
    expect_that(memcmp(tarn__read_bytes(&reader, 2), "kv", 2) == 0);
    expect_that(!reader.failed && reader.at == reader.end);
}

/* Whatever is asked for behind the end: failed is set, stays set, and the place is kept. */
static void reading_stops_at_the_end(void **state)
{
    static const uint64_t lengths[] = {4,         UINT32_MAX,     UINT64_C(1) << 32,
                                       INT64_MAX, UINT64_MAX - 2, UINT64_MAX};
    static const uint8_t bytes[3] = {0x81, 0x82, 0x83};
    struct tarn__reader reader;

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        reader = tarn__reader_of(bytes, 3);
        expect_that(!tarn__read_bytes(&reader, lengths[i]) && reader.failed);
        expect_that(!tarn__read_bytes(&reader, 0) && reader.at == bytes);
        expect_number(0, tarn__read_u8(&reader));
        expect_number(0, tarn__read_varint(&reader));
    }
    reader = tarn__reader_of(bytes, 3);
    expect_number(0, tarn__read_u32(&reader));
    expect_that(reader.failed && reader.at == bytes);
    reader = tarn__reader_of(bytes, 3);
    expect_number(0, tarn__read_u64(&reader));
    expect_that(reader.failed);
    reader = tarn__reader_of(bytes, 1);
    expect_number(0, tarn__read_u16(&reader));
    expect_that(reader.failed);
    reader = tarn__reader_of(NULL, 0);
    expect_that(tarn__reader_left(&reader) == 0 && !reader.failed);
    expect_number(0, tarn__read_varint(&reader));
    expect_that(reader.failed);
}

static void expect_varint(uint64_t number)
{
    uint8_t bytes[TARN__VARINT_BYTES_MAX + 1], *end = tarn__varint_write(bytes, number);
    size_t length = (size_t)(end - bytes);
    struct tarn__reader reader = tarn__reader_of(bytes, length);

    expect_number(tarn__varint_bytes(number), length);
    expect_that(length <= TARN__VARINT_BYTES_MAX);
    expect_number(number, tarn__read_varint(&reader));
    expect_that(!reader.failed && reader.at == reader.end);
    for (size_t cut = 0; cut < length; cut++) {
        reader = tarn__reader_of(bytes, cut);
        expect_number(0, tarn__read_varint(&reader));
        expect_that(reader.failed && reader.at == bytes);
    }
    /* Overlong: the same number with a byte more. */
    end[-1] |= 0x80;
    end[0] = 0;
    reader = tarn__reader_of(bytes, length + 1);
    expect_number(0, tarn__read_varint(&reader));
    expect_that(reader.failed && reader.at == bytes);
}

static void varints_have_one_form(void **state)
{
    uint64_t random = environment_number("TARN_SEED", 1);

    (void)state;
    for (uint64_t number = 0; number < 20000; number++)
        expect_varint(number);
    for (unsigned bit = 0; bit < 64; bit++) {
        expect_varint(UINT64_C(1) << bit);
        expect_varint((UINT64_C(1) << bit) - 1);
        expect_varint(UINT64_MAX >> bit);
    }
    for (int i = 0; i < 20000; i++)
        expect_varint(random_next(&random) >> random_below(&random, 64));
}

static void varints_of_more_than_64_bits_are_refused(void **state)
{
    uint8_t bytes[12];
    struct tarn__reader reader;

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        reader = tarn__reader_of(bytes, length);
        expect_number(0, tarn__read_varint(&reader));
        expect_that(reader.failed && reader.at == bytes);
    }
    for (unsigned last = 0; last < 256; last++) {
        bytes[9] = (uint8_t)last;
        reader = tarn__reader_of(bytes, 10);
        expect_number(last == 1 ? UINT64_MAX : 0, tarn__read_varint(&reader));
        expect_that(reader.failed == (last != 1));
    }
    memset(bytes, 0x80, sizeof bytes); /* a zero of many bytes */
    bytes[10] = 0;
    reader = tarn__reader_of(bytes, 11);
    expect_number(0, tarn__read_varint(&reader));
    expect_that(reader.failed);
}

/* ------------------------------------------------------------------------------------------
 * Header of a file
 */

static void expect_header(tarn_status wanted, uint64_t offset, const uint8_t *bytes, size_t length,
                          enum tarn__file_kind kind)
{
    uint8_t *copy = malloc(length + 1), identity[TARN__IDENTITY_BYTES], before[sizeof identity];

    expect_that(copy != NULL);
    memset(identity, 0x77, sizeof identity);
    memset(before, 0x77, sizeof before);
    tarn__write_bytes(copy, bytes, length);
    expect_status(wanted, tarn__file_header_read(copy, length, kind, "DIR/file", identity));
    free(copy);
    if (wanted == TARN_OK)
        return;
    expect_number(offset, tarn_last_error()->offset);
    expect_number(wanted, tarn_last_error()->status);
    expect_that(strstr(tarn_last_error()->message, "of 'DIR/file'") != NULL);
    expect_that(memcmp(identity, before, sizeof identity) == 0);
}

static void a_header_is_read_as_it_was_written(void **state)
{
    uint8_t bytes[TARN__FILE_HEADER_BYTES], identity[TARN__IDENTITY_BYTES];

    (void)state;
    tarn__file_header_write(bytes, TARN__FILE_SNAPSHOT, sample_identity);
    expect_ok(tarn__file_header_read(bytes, sizeof bytes, TARN__FILE_SNAPSHOT, "x", identity));
    expect_that(memcmp(identity, sample_identity, sizeof identity) == 0);
    expect_header(TARN_CORRUPT, 8, bytes, sizeof bytes, TARN__FILE_CATALOG);
    for (size_t length = 0; length < sizeof bytes; length++)
        expect_header(TARN_CORRUPT, length, bytes, length, TARN__FILE_SNAPSHOT);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_header(TARN_CORRUPT, bit < 64 ? 0 : 32, bytes, sizeof bytes, TARN__FILE_SNAPSHOT);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void headers_of_later_versions_have_an_error_of_their_own(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        tarn_status status;
        uint64_t offset;
    } changes[] = {
        {10, 2, TARN_UNSUPPORTED_VERSION, 10},
        {11, 1, TARN_UNSUPPORTED_VERSION, 10},
        {10, 0, TARN_CORRUPT, 10},
        {12, 1, TARN_UNSUPPORTED_VERSION, 12},
        {15, 128, TARN_UNSUPPORTED_VERSION, 12},
        {8, 2, TARN_CORRUPT, 8},
        {9, 1, TARN_CORRUPT, 8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint8_t bytes[TARN__FILE_HEADER_BYTES];

        tarn__file_header_write(bytes, TARN__FILE_CATALOG, sample_identity);
        bytes[changes[i].at] = changes[i].value;
        file_header_seal(bytes);
        expect_header(changes[i].status, changes[i].offset, bytes, sizeof bytes,
                      TARN__FILE_CATALOG);
    }
}

/* ------------------------------------------------------------------------------------------
 * Blocks
 */

/* Computed anew, as docs/format-files.md has it. */
static void checksums_are_those_of_the_document(void **state)
{
    struct file_builder file;
    uint8_t place[32], link[16];
    uint64_t checksum;

    (void)state;
    file_begin(&file, TARN__FILE_CATALOG, sample_identity);
    file_block(&file, 1, "hello", 5);
    file_end(&file);
    expect_document("format-files.md", tarn_slice_of(file.bytes, file.length));
    memcpy(place, sample_identity, 16);
    memcpy(place + 16, "\x28\0\0\0\0\0\0\0", 8);
    memcpy(place + 24, file.bytes + 40, 8);
    checksum = XXH3_64bits_withSeed("hello", 5, XXH3_64bits(place, 32));
    expect_that(memcmp(&checksum, file.bytes + 48, 8) == 0);
    memset(link, 0, 8);
    memcpy(link + 8, &checksum, 8);
    checksum = XXH3_64bits(link, 16);
    expect_that(memcmp(&checksum, file.bytes + 85, 8) == 0);
    file_release(&file);
}

static void checksums_in_pieces_are_those_of_the_whole(void **state)
{
    static const size_t lengths[] = {0, 1, 3, 16, 17, 128, 129, 240, 241, 1024, 5000, 100000};
    uint64_t random = environment_number("TARN_SEED", 2);
    uint8_t *bytes = patterned_bytes(100000, 1);

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (uint64_t round = 0; round < 20; round++) {
            uint64_t seed = round ? random_next(&random) : 0;
            struct tarn__checksum checksum;

            memset(&checksum, round & 1 ? 0xff : 0, sizeof checksum);
            memcpy(&checksum.state.seed, &seed, 8); /* what was on the stack does not matter */
            tarn__checksum_begin(&checksum, seed);
            for (size_t at = 0, piece; at < lengths[i]; at += piece) {
                piece = 1 + random_below(&random, lengths[i] - at);
                tarn__checksum_add(&checksum, bytes + at, piece);
                tarn__checksum_add(&checksum, NULL, 0);
            }
            expect_number(XXH3_64bits_withSeed(bytes, lengths[i], seed),
                          tarn__checksum_end(&checksum));
        }
    free(bytes);
}

/* Content that is written in pieces makes the same block. */
static void a_block_in_pieces_is_the_same_block(void **state)
{
    uint8_t header[TARN__BLOCK_HEADER_BYTES];
    struct tarn__file_block block;
    struct tarn__checksum checksum;
    struct file_builder file;

    (void)state;
    file_begin(&file, TARN__FILE_CATALOG, sample_identity);
    file_block(&file, 1, "hello", 5);
    tarn__checksum_begin(&checksum, tarn__block_seed(sample_identity, 40, 1, 5));
    tarn__checksum_add(&checksum, "hel", 3);
    tarn__checksum_add(&checksum, "lo", 2);
    tarn__block_header_write(header, 1, 5, tarn__checksum_end(&checksum));
    expect_bytes(tarn_slice_of(file.bytes + 40, sizeof header),
                 tarn_slice_of(header, sizeof header));
    expect_ok(tarn__block_header_read(header, sizeof header, sample_identity, 40, file.length, "x",
                                      &block));
    expect_number(tarn__block_seed(sample_identity, 40, 1, 5), block.seed);
    expect_ok(tarn__block_verify_checksum(&block, tarn__checksum_end(&checksum), "x"));
    expect_ok(tarn__block_verify(&block, "hello", "x"));
    expect_status(TARN_CORRUPT, tarn__block_verify(&block, "jello", "x"));
    expect_number(48, tarn_last_error()->offset);
    file_release(&file);
}

static void expect_block_header(tarn_status wanted, const uint8_t *bytes, size_t available,
                                uint64_t offset, uint64_t file_length)
{
    struct tarn__file_block block, before;

    memset(&block, 0x77, sizeof block);
    memset(&before, 0x77, sizeof before);
    expect_status(wanted, tarn__block_header_read(bytes, available, sample_identity, offset,
                                                  file_length, "x", &block));
    if (wanted != TARN_OK)
        expect_that(memcmp(&block, &before, sizeof block) == 0);
}

/* A length is believed only within the file, wherever the block is. */
static void lengths_beyond_the_file_are_refused(void **state)
{
    static const uint64_t lengths[] = {0, 1, 100, INT32_MAX, (uint64_t)INT32_MAX + 1, UINT32_MAX};
    static const uint64_t offsets[] = {40, UINT64_C(1) << 32, UINT64_MAX - 4096};
    uint8_t header[TARN__BLOCK_HEADER_BYTES] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (size_t j = 0; j < sizeof offsets / sizeof offsets[0]; j++) {
            uint64_t behind = offsets[j] + 16 + lengths[i];
            bool fits = lengths[i] <= TARN__BLOCK_LENGTH_MAX && behind > offsets[j];

            tarn__write_u32(header, (uint32_t)lengths[i]);
            if (fits) {
                expect_block_header(TARN_OK, header, 16, offsets[j], behind);
                expect_block_header(TARN_CORRUPT, header, 16, offsets[j], behind - 1);
            }
            expect_block_header(fits ? TARN_OK : TARN_CORRUPT, header, 16, offsets[j], UINT64_MAX);
            expect_block_header(TARN_CORRUPT, header, 16, offsets[j], offsets[j] - 1);
            expect_block_header(TARN_CORRUPT, header, 15, offsets[j], UINT64_MAX);
            expect_block_header(TARN_CORRUPT, header, 0, offsets[j], offsets[j]);
        }
    tarn__write_u32(header, 5);
    for (int zero = 5; zero < 8; zero++) {
        header[zero] = 1;
        expect_block_header(TARN_CORRUPT, header, 16, 40, 1000);
        header[zero] = 0;
    }
}

/* Walks through a copy of the file; the copy has no byte more. */
static tarn_status walk_all(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length + (length == 0));
    struct tarn__file_block block = {0};
    struct tarn__block_walk walk;
    const uint8_t *content;
    tarn_status status;

    expect_that(copy != NULL);
    tarn__write_bytes(copy, bytes, length);
    status = tarn__block_walk_begin(&walk, copy, length, TARN__FILE_CATALOG, "x");
    while (!status && block.kind != TARN__BLOCK_END)
        status = tarn__block_walk_next(&walk, &block, &content);
    free(copy);
    return status;
}

/* A file of three blocks of one length, and of another with the same contents. */
static void three_blocks(struct file_builder *file, uint8_t first_of_identity)
{
    uint8_t identity[TARN__IDENTITY_BYTES];

    memcpy(identity, sample_identity, sizeof identity);
    identity[0] = first_of_identity;
    file_begin(file, TARN__FILE_CATALOG, identity);
    file_block(file, 1, "one", 3);
    file_block(file, 1, "two", 3);
    file_block(file, 1, "two", 3);
    file_end(file);
}

enum { FIRST = 40, OF_THREE = 19, THREE_BYTES = 40 + 3 * 19 + 32 };

static void every_cut_and_every_bit_is_found(void **state)
{
    struct file_builder file;

    (void)state;
    three_blocks(&file, 0);
    expect_number(THREE_BYTES, file.length);
    expect_ok(walk_all(file.bytes, file.length));
    for (size_t length = 0; length < file.length; length++)
        expect_status(TARN_CORRUPT, walk_all(file.bytes, length));
    for (size_t bit = 0; bit < 8 * file.length; bit++) {
        file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_status(TARN_CORRUPT, walk_all(file.bytes, file.length));
        file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t more = 1; more < 50; more++) {
        file_append_zeros(&file, more);
        expect_status(TARN_CORRUPT, walk_all(file.bytes, file.length));
        file.length -= more;
    }
    file_release(&file);
}

/* Blocks count nowhere but where they were written. */
static void blocks_that_were_moved_are_found(void **state)
{
    struct file_builder file, other;
    uint8_t bytes[THREE_BYTES + OF_THREE];

    (void)state;
    three_blocks(&file, 0);
    three_blocks(&other, 1);
    for (size_t from = 0; from < 4; from++)
        for (size_t to = 0; to < 4; to++) {
            size_t length = from == 3 || to == 3 ? 32 : OF_THREE;

            memcpy(bytes, file.bytes, file.length);
            memmove(bytes + FIRST + to * OF_THREE, file.bytes + FIRST + from * OF_THREE,
                    to == 3 ? length : OF_THREE);
            if (from != to)
                expect_status(TARN_CORRUPT, walk_all(bytes, file.length)); /* another's place */
            memcpy(bytes, file.bytes, file.length);
            memcpy(bytes + FIRST + to * OF_THREE, other.bytes + FIRST + to * OF_THREE,
                   to == 3 ? 32 : OF_THREE);
            expect_status(TARN_CORRUPT, walk_all(bytes, file.length)); /* another file */
            memcpy(bytes, file.bytes, file.length);
            memmove(bytes + FIRST + to * OF_THREE + OF_THREE, file.bytes + FIRST + to * OF_THREE,
                    file.length - FIRST - to * OF_THREE);
            expect_status(TARN_CORRUPT, walk_all(bytes, file.length + OF_THREE)); /* twice */
            if (to == 3)
                continue;
            memcpy(bytes, file.bytes, file.length);
            memmove(bytes + FIRST + to * OF_THREE, file.bytes + FIRST + (to + 1) * OF_THREE,
                    file.length - FIRST - (to + 1) * OF_THREE);
            expect_status(TARN_CORRUPT, walk_all(bytes, file.length - OF_THREE)); /* missing */
        }
    file_release(&file);
    file_release(&other);
}

/* End blocks with right checksums that tell of other blocks, or are not the end. */
static void end_blocks_that_do_not_fit_are_refused(void **state)
{
    struct file_builder file;

    (void)state;
    for (int change = 0; change < 5; change++) {
        uint8_t content[24] = {0};

        file_begin(&file, TARN__FILE_CATALOG, sample_identity);
        file_block(&file, 1, "one", 3);
        file.total.blocks += change == 1;
        file.total.total += change == 2;
        tarn__write_u64(tarn__write_u64(content, file.total.blocks), file.total.total);
        file_block(&file, TARN__BLOCK_END, content, change == 3 ? 15 : change == 4 ? 17 : 16);
        expect_status(change == 0 ? TARN_OK : TARN_CORRUPT, walk_all(file.bytes, file.length));
        file_end(&file); /* a second end behind the first */
        expect_status(TARN_CORRUPT, walk_all(file.bytes, file.length));
        file_release(&file);
    }
}

static void totals_tell_blocks_apart(void **state)
{
    struct tarn__block_total a = {0}, b = {0};

    (void)state;
    expect_that(tarn__block_total_equal(&a, &b));
    tarn__block_total_add(&a, 1);
    expect_that(!tarn__block_total_equal(&a, &b));
    tarn__block_total_add(&a, 2);
    tarn__block_total_add(&b, 2);
    tarn__block_total_add(&b, 1);
    expect_number(2, b.blocks);
    expect_that(!tarn__block_total_equal(&a, &b));
}

/* ------------------------------------------------------------------------------------------
 * Names and errors
 */

static void names_are_utf8_without_control_characters(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        const char *fault; /* a word of it, or NULL */
    } names[] = {
        {"a", 0, NULL},
        {"..", 0, NULL},
        {"/etc/passwd", 0, NULL},
        {"", 0, "empty"},
        {"a\tb", 1, "control"},
        {"\x7f", 0, "control"},
        {"a\xc2\x80", 1, "control"},
        {"a\xc2\x9f", 1, "control"},
        {"\xc2\xa0", 0, NULL},
        {"\xe2\x82\xac", 0, NULL},
        {"ab\xe2\x82", 2, "UTF-8"},
        {"\xc0\x80", 0, "UTF-8"},
        {"\xed\xa0\x80", 0, "UTF-8"},
        {"\xf4\x90\x80\x80", 0, "UTF-8"},
        {"\xf0\x9f\x90\xa6", 0, NULL},
        {"abc\xff", 3, "UTF-8"},
    };
    char long_name[TARN_NAME_BYTES_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t at = 99;
        const char *fault = tarn__name_fault(text(names[i].name), &at);

        expect_that(!names[i].fault == !fault);
        expect_number(fault ? names[i].at : 99, at);
        expect_that(!fault || strstr(fault, names[i].fault));
    }
    memset(long_name, 'x', sizeof long_name);
    expect_that(!tarn__name_fault(tarn_slice_of(long_name, TARN_NAME_BYTES_MAX), NULL));
    expect_that(tarn__name_fault(tarn_slice_of(long_name, sizeof long_name), NULL));
    expect_that(tarn__name_fault(tarn_slice_of(NULL, 0), NULL));
    expect_that(tarn__name_fault(tarn_slice_of("a\0b", 3), NULL));
    for (size_t length = 1; length < 4; length++) /* what is behind the name is not its own */
        expect_that(tarn__name_fault(tarn_slice_of("\xf0\x9f\x90\xa6", length), NULL));
    expect_that(tarn__name_compare(text("a"), text("ab")) < 0);
    expect_that(tarn__name_compare(text("b"), text("ab")) > 0);
    expect_that(tarn__name_compare(text("\xc3\xa9"), text("z")) > 0);
    expect_that(tarn__name_compare(text("ab"), text("ab")) == 0);
}

static void errors_tell_their_offset(void **state)
{
    (void)state;
    expect_status(TARN_CORRUPT, tarn__fail_at(TARN_CORRUPT, UINT64_C(1) << 40, "%s", "there"));
    expect_number(UINT64_C(1) << 40, tarn_last_error()->offset);
    expect_number(0, tarn_last_error()->system_error);
    assert_string_equal("there", tarn_last_error()->message);
    expect_status(TARN_IO, tarn__set_offset(tarn__fail_system(TARN_IO, 5, "here"), 17));
    expect_number(17, tarn_last_error()->offset);
    expect_number(5, tarn_last_error()->system_error);
    expect_status(TARN_CORRUPT, tarn__fail(TARN_CORRUPT, "nowhere"));
    expect_number(0, tarn_last_error()->offset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(reading_stops_at_the_end),
        cmocka_unit_test(varints_have_one_form),
        cmocka_unit_test(varints_of_more_than_64_bits_are_refused),
        cmocka_unit_test(a_header_is_read_as_it_was_written),
        cmocka_unit_test(headers_of_later_versions_have_an_error_of_their_own),
        cmocka_unit_test(checksums_are_those_of_the_document),
        cmocka_unit_test(checksums_in_pieces_are_those_of_the_whole),
        cmocka_unit_test(a_block_in_pieces_is_the_same_block),
        cmocka_unit_test(lengths_beyond_the_file_are_refused),
        cmocka_unit_test(every_cut_and_every_bit_is_found),
        cmocka_unit_test(blocks_that_were_moved_are_found),
        cmocka_unit_test(end_blocks_that_do_not_fit_are_refused),
        cmocka_unit_test(totals_tell_blocks_apart),
        cmocka_unit_test(names_are_utf8_without_control_characters),
        cmocka_unit_test(errors_tell_their_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
