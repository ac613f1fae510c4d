/*
 * Heads of segments and the list of segments: what goes in comes out, whatever is cut or flipped is
 * refused, fields that lie under a right checksum are held to their bounds (faults.md, 1, 2, 4 to
 * 7, 43).
 */
#include "format/segment.h"
#include "support/format_samples.h"

#include <stdlib.h>
#include <string.h>

#define PATH "a file"

static const struct tarn__segment_head sample = {
    .store = {0xa5, 0xa5, 1},
    .namespace_number = 7,
    .number = 12,
    .origin = TARN__SEGMENT_COMPACTED,
    .as_of = 5000,
    .base_sequence = 1000,
};

/* ------------------------------------------------------------------------------------------
 * Heads
 */

static tarn_status read_head(const uint8_t *bytes, size_t length)
{
    struct tarn__segment_head head;
    uint8_t identity[TARN__IDENTITY_BYTES];

    return tarn__segment_head_read(bytes, length, PATH, identity, &head);
}

static void a_head_comes_out_as_it_went_in(void **state)
{
    uint8_t bytes[TARN__SEGMENT_HEAD], identity[TARN__IDENTITY_BYTES];
    struct tarn__segment_head head;

    (void)state;
    tarn__segment_head_write(&sample, sample_identity, bytes);
    expect_ok(tarn__segment_head_read(bytes, sizeof bytes, PATH, identity, &head));
    expect_that(memcmp(identity, sample_identity, sizeof identity) == 0);
    expect_that(memcmp(head.store, sample.store, sizeof head.store) == 0);
    expect_number(sample.namespace_number, head.namespace_number);
    expect_number(sample.number, head.number);
    expect_number(sample.origin, head.origin);
    expect_number(sample.as_of, head.as_of);
    expect_number(sample.base_sequence, head.base_sequence);
}

static void a_changed_head_is_refused(void **state)
{
    uint8_t bytes[TARN__SEGMENT_HEAD];

    (void)state;
    tarn__segment_head_write(&sample, sample_identity, bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_status(TARN_CORRUPT, read_head(bytes, sizeof bytes));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t length = 0; length < sizeof bytes; length++) {
        uint8_t *copy = malloc(length + 1); /* the sanitizer sees what is read behind it */

        expect_that(copy != NULL);
        memcpy(copy, bytes, length);
        expect_status(TARN_CORRUPT, read_head(copy, length));
        free(copy);
    }
}

static void a_heads_fields_have_bounds(void **state)
{
    static const struct {
        uint8_t origin;
        uint64_t as_of, base;
        tarn_status wanted;
    } rows[] = {
        {1, 0, 0, TARN_OK},
        {2, (UINT64_C(1) << 56) - 1, (UINT64_C(1) << 56) - 1, TARN_OK},
        {2, UINT64_C(1) << 56, 1, TARN_CORRUPT},
        {2, UINT64_MAX, UINT64_MAX, TARN_CORRUPT},
        {1, 5, 6, TARN_CORRUPT}, /* nothing is before the first */
        {0, 5, 5, TARN_UNSUPPORTED_VERSION},
        {3, 5, 5, TARN_UNSUPPORTED_VERSION},
        {255, 5, 5, TARN_UNSUPPORTED_VERSION},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tarn__segment_head head = sample;
        uint8_t bytes[TARN__SEGMENT_HEAD];

        head.origin = rows[i].origin;
        head.as_of = rows[i].as_of;
        head.base_sequence = rows[i].base;
        tarn__segment_head_write(&head, sample_identity, bytes);
        expect_status(rows[i].wanted, read_head(bytes, sizeof bytes));
    }
}

/* ------------------------------------------------------------------------------------------
 * The list
 */

static const struct tarn__segment_entry entries[] = {
    {.number = 3, .identity = {1}, .first_granule = 0, .granules = 1, .sealed_bytes = 65536},
    {.number = 5, .identity = {2}, .first_granule = 1, .granules = 1024, .sealed_bytes = 1000000},
    {.number = 8,
     .identity = {3},
     .first_granule = TARN__GRANULES_MAX - 1,
     .granules = 1,
     .sealed_bytes = TARN__SEGMENT_NOT_SEALED},
};

static struct tarn__segment_list list_of(const struct tarn__segment_entry *of, size_t count)
{
    struct tarn__segment_list list = {.namespace_number = 7, .next_number = 9, .count = count};

    memset(list.store, 0xa5, sizeof list.store);
    list.entries = malloc((count + 1) * sizeof *list.entries);
    expect_that(list.entries != NULL);
    memcpy(list.entries, of, count * sizeof *of);
    return list;
}

static tarn_status decode(const void *bytes, size_t length)
{
    struct tarn__segment_list list = {0};
    uint8_t *copy = malloc(length + 1);
    tarn_status status;

    expect_that(copy != NULL);
    tarn__write_bytes(copy, bytes, length);
    status = tarn__segment_list_decode(copy, length, PATH, &list);
    tarn__segment_list_release(&list);
    free(copy);
    return status;
}

static void a_list_comes_out_as_it_went_in(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 3; count++) {
        struct tarn__segment_list list = list_of(entries, count), got;
        struct tarn_buf bytes = {0};

        expect_ok(tarn__segment_list_encode(&list, sample_identity, &bytes));
        expect_ok(tarn__segment_list_decode(bytes.data, bytes.length, PATH, &got));
        expect_number(7, got.namespace_number);
        expect_number(9, got.next_number);
        expect_number(count, got.count);
        expect_that(memcmp(got.store, list.store, sizeof got.store) == 0);
        for (size_t i = 0; i < count; i++) {
            expect_number(entries[i].number, got.entries[i].number);
            expect_that(memcmp(entries[i].identity, got.entries[i].identity, 16) == 0);
            expect_number(entries[i].first_granule, got.entries[i].first_granule);
            expect_number(entries[i].granules, got.entries[i].granules);
            expect_number(entries[i].sealed_bytes, got.entries[i].sealed_bytes);
        }
        tarn__segment_list_release(&got);
        free(list.entries);
        tarn_buf_release(&bytes);
    }
}

static void a_changed_list_is_refused(void **state)
{
    struct tarn__segment_list list = list_of(entries, 3);
    struct tarn_buf bytes = {0};
    uint8_t *data;

    (void)state;
    expect_ok(tarn__segment_list_encode(&list, sample_identity, &bytes));
    data = bytes.data;
    for (size_t bit = 0; bit < 8 * bytes.length; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_status(TARN_CORRUPT, decode(data, bytes.length));
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t length = 0; length < bytes.length; length++)
        expect_status(TARN_CORRUPT, decode(data, length));
    free(list.entries);
    tarn_buf_release(&bytes);
}

/* Under a right checksum, and what encoding refuses. */
static void expect_entry(tarn_status wanted, struct tarn__segment_entry entry, uint32_t count,
                         unsigned kind)
{
    struct tarn__segment_list list = list_of(&entry, 1);
    uint8_t content[16 + 8 + 8 + 4 + 40] = {0}, *at = content + 16;
    struct tarn_buf bytes = {0};
    struct file_builder file;

    at = tarn__write_u64(at, 7);
    at = tarn__write_u64(at, 9);
    at = tarn__write_u32(at, count);
    at = tarn__write_u64(at, entry.number);
    at = tarn__write_bytes(at, entry.identity, 16);
    at = tarn__write_u32(at, entry.first_granule);
    at = tarn__write_u32(at, entry.granules);
    at = tarn__write_u64(at, entry.sealed_bytes);
    expect_number(sizeof content, at - content);
    file_begin(&file, TARN__FILE_SEGMENTS, sample_identity);
    file_block(&file, kind, content, sizeof content);
    file_end(&file);
    expect_status(wanted, decode(file.bytes, file.length));
    if (count == 1 && kind == 1)
        expect_status(wanted ? TARN_INVALID_ARGUMENT : TARN_OK,
                      tarn__segment_list_encode(&list, sample_identity, &bytes));
    file_release(&file);
    free(list.entries);
    tarn_buf_release(&bytes);
}

static void an_entrys_fields_have_bounds(void **state)
{
    struct tarn__segment_entry good = entries[1], bad;

    (void)state;
    expect_entry(TARN_OK, good, 1, 1);
    expect_entry(TARN_UNSUPPORTED_VERSION, good, 1, 2);
    expect_entry(TARN_CORRUPT, good, 0, 1);
    expect_entry(TARN_CORRUPT, good, 2, 1);
    expect_entry(TARN_CORRUPT, good, UINT32_MAX, 1);
#define EXPECT(wanted, field, value)                                                               \
    (bad = good, bad.field = (value), expect_entry(wanted, bad, 1, 1))
    EXPECT(TARN_CORRUPT, number, 9);
    EXPECT(TARN_OK, number, 8);
    EXPECT(TARN_CORRUPT, granules, 0);
    EXPECT(TARN_CORRUPT, granules, TARN__GRANULES_MAX);
    EXPECT(TARN_CORRUPT, granules, UINT32_MAX);
    EXPECT(TARN_CORRUPT, first_granule, UINT32_MAX);
    EXPECT(TARN_OK, first_granule, TARN__GRANULES_MAX - 1024);
    EXPECT(TARN_CORRUPT, first_granule, TARN__GRANULES_MAX - 1023);
    EXPECT(TARN_CORRUPT, sealed_bytes, 4);
    EXPECT(TARN_CORRUPT, sealed_bytes, 124);
    EXPECT(TARN_OK, sealed_bytes, 128);
    EXPECT(TARN_CORRUPT, sealed_bytes, 130);
    EXPECT(TARN_OK, sealed_bytes, 1024 * 65536);
    EXPECT(TARN_CORRUPT, sealed_bytes, 1024 * 65536 + 4);
    EXPECT(TARN_CORRUPT, sealed_bytes, UINT64_MAX - 3);
#undef EXPECT
}

static void numbers_rise(void **state)
{
    struct tarn__segment_list list = list_of(entries, 3);
    struct tarn_buf bytes = {0};

    (void)state;
    list.entries[1].number = 3;
    expect_status(TARN_INVALID_ARGUMENT, tarn__segment_list_encode(&list, sample_identity, &bytes));
    list.entries[1].number = 8;
    expect_status(TARN_INVALID_ARGUMENT, tarn__segment_list_encode(&list, sample_identity, &bytes));
    free(list.entries);
    tarn_buf_release(&bytes);
}

static void blocks_have_an_order(void **state)
{
    struct file_builder file;

    (void)state;
    file_begin(&file, TARN__FILE_SEGMENTS, sample_identity);
    file_end(&file);
    expect_status(TARN_CORRUPT, decode(file.bytes, file.length));
    file_release(&file);
    file_begin(&file, TARN__FILE_SEGMENTS, sample_identity);
    file_block(&file, 1, (uint8_t[36]){0}, 36);
    file_block(&file, 1, (uint8_t[36]){0}, 36);
    file_end(&file);
    expect_status(TARN_UNSUPPORTED_VERSION, decode(file.bytes, file.length));
    file_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_comes_out_as_it_went_in),
        cmocka_unit_test(a_changed_head_is_refused),
        cmocka_unit_test(a_heads_fields_have_bounds),
        cmocka_unit_test(a_list_comes_out_as_it_went_in),
        cmocka_unit_test(a_changed_list_is_refused),
        cmocka_unit_test(an_entrys_fields_have_bounds),
        cmocka_unit_test(numbers_rise),
        cmocka_unit_test(blocks_have_an_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
