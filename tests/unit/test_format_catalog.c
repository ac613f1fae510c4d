/*
 * The catalog's bytes: what is written is read again, what was changed is refused, fields that lie
 * under a right checksum too, and docs/format-catalog.md shows what the code writes (faults.md,
 * 1 to 6, 29, 38, 39, 43).
 */
#include "base/memory.h"
#include "support/allocation_fault.h"
#include "support/format_samples.h"

#include <stdlib.h>
#include <string.h>

/* Offsets of the example in docs/format-catalog.md. */
enum {
    AT_SEQUENCE = 0x50,
    AT_NEXT = 0x58,
    AT_FLAGS = 0x60,
    AT_PATTERN_LENGTH = 0x6d,
    AT_NUMBER = 0x7e,
    AT_ENGINE = 0x86,
    AT_SHARDS = 0x87,
    AT_TIMEOUT = 0x8b,
    AT_MAX_KEYS = 0x8f,
    AT_MAX_VALUE = 0x97,
    AT_MAX_BYTES = 0x9f,
    AT_NAME_LENGTH = 0xa7,
    AT_NAME = 0xa8,
    AT_NS_FLAGS = 0xac,
    AT_NS_PATTERN_LENGTH = 0xb9,
};

static struct tarn_slice example(struct tarn_buf *buf)
{
    struct tarn__catalog catalog = sample_catalog();

    expect_ok(tarn__catalog_encode(&catalog, sample_identity, buf));
    return held(buf);
}

/* Decodes a copy that has no byte more, and expects that a failure leaves the output alone. */
static void expect_decoded(tarn_status wanted, const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length + (length == 0));
    struct tarn__catalog catalog, before;
    tarn_status status;

    expect_that(copy != NULL);
    tarn__write_bytes(copy, bytes, length);
    memset(&catalog, 0x77, sizeof catalog);
    memset(&before, 0x77, sizeof before);
    status = tarn__catalog_decode(copy, length, "DIR/catalog", &catalog);
    free(copy);
    if (status == TARN_OK)
        tarn__catalog_release(&catalog);
    else
        expect_that(memcmp(&catalog, &before, sizeof catalog) == 0);
    expect_status(wanted, status);
    if (status) {
        expect_that(strstr(tarn_last_error()->message, "of 'DIR/catalog'") != NULL);
        expect_that(tarn_last_error()->offset <= length);
    }
}

static void expect_replaced(tarn_status wanted, size_t offset, size_t removed, const void *bytes,
                            size_t length)
{
    struct tarn_buf buf = {0};
    struct file_builder file;

    file_replaced(&file, example(&buf), offset, removed, bytes, length);
    expect_decoded(wanted, file.bytes, file.length);
    file_release(&file);
    tarn_buf_release(&buf);
}

static void expect_number_at(tarn_status wanted, size_t offset, size_t length, uint64_t number)
{
    uint8_t bytes[8];

    tarn__write_u64(bytes, number);
    expect_replaced(wanted, offset, length, bytes, length);
}

static void the_example_is_what_is_written(void **state)
{
    struct tarn__catalog wanted = sample_catalog(), got;
    struct tarn_buf buf = {0};
    struct tarn_slice bytes = example(&buf);

    (void)state;
    expect_document("format-catalog.md", bytes);
    expect_ok(tarn__catalog_decode(bytes.data, bytes.length, "x", &got));
    expect_same_catalog(&wanted, &got);
    tarn__catalog_release(&got);
    tarn__catalog_release(&got);
    tarn__catalog_release(NULL);
    tarn_buf_release(&buf);
}

static void what_is_written_is_read(void **state)
{
    uint64_t seed = environment_number("TARN_SEED", (uint64_t)(uintptr_t)&state), random = seed;
    struct tarn_buf buf = {0};

    (void)state;
    print_message("TARN_SEED=%llu\n", (unsigned long long)seed);
    for (int round = 0; round < 300; round++) {
        struct tarn__catalog wanted = random_catalog(&random, round % 10 ? 5 : 300), got;

        expect_ok(tarn__catalog_encode(&wanted, sample_identity, &buf));
        expect_ok(tarn__catalog_decode(buf.data, buf.length, "x", &got));
        expect_same_catalog(&wanted, &got);
        expect_that(buf.length <= buf.capacity);
        expect_decoded(TARN_OK, buf.data, buf.length);
        expect_decoded(TARN_CORRUPT, buf.data, random_below(&random, buf.length));
        tarn__catalog_release(&wanted);
        tarn__catalog_release(&got);
    }
    tarn_buf_release(&buf);
}

/* faults.md 1 and 2: every cut, every bit. */
static void every_cut_and_every_bit_is_found(void **state)
{
    struct tarn_buf buf = {0};
    struct tarn_slice bytes = example(&buf);
    uint8_t *changed = buf.data;

    (void)state;
    for (size_t length = 0; length < bytes.length; length++)
        expect_decoded(TARN_CORRUPT, bytes.data, length);
    for (size_t bit = 0; bit < 8 * bytes.length; bit++) {
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_decoded(TARN_CORRUPT, bytes.data, bytes.length);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    tarn_buf_release(&buf);
}

/* faults.md 3: pieces of a file that were zeroed, filled, or exchanged. */
static void every_damaged_piece_is_found(void **state)
{
    uint64_t random = environment_number("TARN_SEED", 3);
    struct tarn__catalog catalog;
    struct tarn_buf buf = {0}, before = {0};

    (void)state;
    do
        catalog = random_catalog(&random, 100);
    while (catalog.count < 40);
    expect_ok(tarn__catalog_encode(&catalog, sample_identity, &buf));
    expect_ok(tarn__catalog_encode(&catalog, sample_identity, &before));
    for (int round = 0; round < 2000; round++) {
        uint8_t *bytes = buf.data, *piece;
        size_t length = 1 + random_below(&random, 512);
        size_t at = random_below(&random, buf.length - length);

        piece = bytes + at;
        if (round % 4 == 0)
            memset(piece, 0, length);
        else if (round % 4 == 1)
            memset(piece, 0xff, length);
        else if (round % 4 == 2)
            for (size_t i = 0; i < length; i++)
                piece[i] = (uint8_t)random_next(&random);
        else
            memmove(piece, bytes + random_below(&random, buf.length - length), length);
        expect_decoded(memcmp(buf.data, before.data, buf.length) ? TARN_CORRUPT : TARN_OK, buf.data,
                       buf.length);
        memcpy(buf.data, before.data, buf.length);
    }
    tarn__catalog_release(&catalog);
    tarn_buf_release(&buf);
    tarn_buf_release(&before);
}

/* faults.md 4 and 43: under a right checksum, each bound at one below, at, and one above. */
static void fields_are_held_to_their_bounds(void **state)
{
    static const struct {
        size_t at, length;
        uint64_t most, least;
    } fields[] = {
        {AT_SEQUENCE, 8, (UINT64_C(1) << 56) - 1, 0},
        {AT_NEXT, 8, UINT64_MAX, 8},
        {AT_NUMBER, 8, 7, 0},
        {AT_SHARDS, 4, TARN_SHARDS_MAX, 1},
        {AT_TIMEOUT, 4, UINT32_MAX, 1},
        {AT_MAX_KEYS, 8, UINT64_MAX, 0},
        {AT_MAX_VALUE, 8, TARN_VALUE_BYTES_MAX, 1},
        {AT_MAX_BYTES, 8, UINT64_MAX, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint64_t all = UINT64_MAX >> (64 - 8 * fields[i].length);

        expect_number_at(TARN_OK, fields[i].at, fields[i].length, fields[i].least);
        expect_number_at(TARN_OK, fields[i].at, fields[i].length, fields[i].most);
        if (fields[i].least > 0)
            expect_number_at(TARN_CORRUPT, fields[i].at, fields[i].length, fields[i].least - 1);
        if (fields[i].most < all) {
            expect_number_at(TARN_CORRUPT, fields[i].at, fields[i].length, fields[i].most + 1);
            expect_number_at(TARN_CORRUPT, fields[i].at, fields[i].length, all);
        }
    }
}

static void what_a_newer_version_may_mean_is_told(void **state)
{
    struct tarn_buf buf = {0};
    struct tarn_slice bytes = example(&buf);

    (void)state;
    for (uint64_t engine = 0; engine < 256; engine++)
        expect_number_at(engine == 1   ? TARN_OK
                         : engine == 3 ? TARN_CORRUPT /* which says more of itself */
                                       : TARN_UNSUPPORTED_VERSION,
                         AT_ENGINE, 1, engine);
    for (uint64_t flags = 0; flags < 256; flags++) {
        expect_number_at(flags < 4 ? TARN_OK : TARN_UNSUPPORTED_VERSION, AT_FLAGS, 1, flags);
        expect_number_at(flags < 4 ? TARN_OK : TARN_UNSUPPORTED_VERSION, AT_NS_FLAGS, 1, flags);
    }
    ((uint8_t *)buf.data)[10] = 2;
    file_header_seal(buf.data);
    expect_decoded(TARN_UNSUPPORTED_VERSION, bytes.data, bytes.length);
    ((uint8_t *)buf.data)[10] = 1;
    ((uint8_t *)buf.data)[8] = TARN__FILE_SNAPSHOT;
    file_header_seal(buf.data);
    expect_decoded(TARN_CORRUPT, bytes.data, bytes.length);
    tarn_buf_release(&buf);
}

/* faults.md 4: lengths that lie. */
static void hostile_lengths_are_refused(void **state)
{
    static const struct {
        const char *varint;
        size_t bytes;
    } lengths[] = {
        {"\x00", 1},     /* 0 */
        {"\x84\x00", 2}, /* 4, overlong */
        {"\x84\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10},
        {"\x80\x02", 2},                                  /* 256 */
        {"\x80\x80\x80\x80\x08", 5},                      /* 2^31 */
        {"\x80\x80\x80\x80\x10", 5},                      /* 2^32 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9},      /* 2^63 - 1 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10}, /* 2^64 - 1 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x03", 10}, /* more than 64 bits */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
    };

    (void)state;
    expect_replaced(TARN_CORRUPT, AT_NS_PATTERN_LENGTH, 1, "\x07", 1); /* a byte is left over */
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        expect_replaced(TARN_CORRUPT, AT_NAME_LENGTH, 1, lengths[i].varint, lengths[i].bytes);
        expect_replaced(TARN_CORRUPT, AT_NS_PATTERN_LENGTH, 1, lengths[i].varint, lengths[i].bytes);
        if (i > 0) /* 0 is what it is */
            expect_replaced(TARN_CORRUPT, AT_PATTERN_LENGTH, 1, lengths[i].varint,
                            lengths[i].bytes);
    }
}

/* Blocks that end too early, at every byte, or hold more than they should. */
static void blocks_of_a_wrong_length_are_refused(void **state)
{
    (void)state;
    for (size_t removed = 1; removed <= 0x36; removed++)
        expect_replaced(TARN_CORRUPT, 0x38 + 0x36 - removed, removed, NULL, 0);
    for (size_t removed = 1; removed <= 0x44; removed++)
        expect_replaced(TARN_CORRUPT, 0x7e + 0x44 - removed, removed, NULL, 0);
    expect_replaced(TARN_CORRUPT, 0x6e, 0, "\0", 1);
    expect_replaced(TARN_CORRUPT, 0xc2, 0, "\0", 1);
}

/* faults.md 38 and 43: names and patterns at their bounds. */
static void names_and_patterns_are_checked(void **state)
{
    static const char *const bad[] = {"jo\x1f"
                                      "s",
                                      "jo\x7f"
                                      "s",
                                      "j\xc2\x80s",
                                      "job\xc3",
                                      "\xed\xa0\x80s",
                                      "j\xc0\x80s"};
    uint8_t text_of[2 + TARN_NAME_BYTES_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_replaced(TARN_CORRUPT, AT_NAME, 4, bad[i], 4);
    expect_replaced(TARN_CORRUPT, AT_NAME, 4, "a\0bc", 4);
    expect_replaced(TARN_OK, AT_NAME, 4, "/../", 4); /* a name never becomes a path */
    for (size_t length = TARN_NAME_BYTES_MAX; length <= TARN_NAME_BYTES_MAX + 1; length++) {
        uint8_t *at = tarn__varint_write(text_of, length);

        memset(at, 'n', length);
        expect_replaced(length > TARN_NAME_BYTES_MAX ? TARN_CORRUPT : TARN_OK, AT_NAME_LENGTH, 5,
                        text_of, 2 + length);
    }
    for (size_t length = TARN__PATTERN_BYTES_MAX; length <= TARN__PATTERN_BYTES_MAX + 1; length++) {
        uint8_t *at = tarn__varint_write(text_of, length);

        memset(at, 'p', length);
        expect_replaced(length > TARN__PATTERN_BYTES_MAX ? TARN_CORRUPT : TARN_OK,
                        AT_NS_PATTERN_LENGTH, 9, text_of, 2 + length);
    }
}

/* faults.md 3 and 39: blocks with right checksums in a wrong order, twice, or missing. */
static void blocks_come_once_and_in_order(void **state)
{
    static const struct {
        int blocks[4];
        size_t count;
        tarn_status status;
    } orders[] = {
        {{0, 1, 2}, 3, TARN_OK},      {{0, 2, 1}, 3, TARN_CORRUPT},
        {{1, 0, 2}, 3, TARN_CORRUPT}, {{0, 1, 1, 2}, 4, TARN_CORRUPT},
        {{0, 0, 1}, 3, TARN_CORRUPT}, {{1, 2}, 2, TARN_CORRUPT},
        {{0}, 0, TARN_CORRUPT},       {{0}, 1, TARN_OK},
    };
    struct tarn__catalog catalog = sample_catalog();
    struct tarn__catalog_namespace two[2] = {catalog.namespaces[0], catalog.namespaces[0]};
    struct tarn_buf buf = {0};
    struct file_builder file;

    (void)state;
    two[1].name[0] = 'k';
    two[1].number = 3;
    catalog.namespaces = two;
    catalog.count = 2;
    expect_ok(tarn__catalog_encode(&catalog, sample_identity, &buf));
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        file_reordered(&file, held(&buf), orders[i].blocks, orders[i].count);
        expect_decoded(orders[i].status, file.bytes, file.length);
        file_release(&file);
    }
    tarn_buf_release(&buf);
}

/* Each kind of block, with content that only one kind may have, at the first place and behind it.
 */
static void blocks_of_other_kinds_are_refused(void **state)
{
    struct tarn_buf buf = {0};
    const uint8_t *bytes = example(&buf).data;

    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        tarn_status refused =
            kind == 1 || kind == 2 || kind == 255 ? TARN_CORRUPT : TARN_UNSUPPORTED_VERSION;
        struct file_builder file;

        file_begin(&file, TARN__FILE_CATALOG, sample_identity);
        file_block(&file, kind, bytes + 0x38, 0x36);
        file_end(&file);
        expect_decoded(kind == 1 ? TARN_OK : refused, file.bytes, file.length);
        file_release(&file);
        file_begin(&file, TARN__FILE_CATALOG, sample_identity);
        file_block(&file, TARN__CATALOG_STORE, bytes + 0x38, 0x36);
        file_block(&file, kind, bytes + 0x7e, 0x44);
        file_end(&file);
        expect_decoded(kind == 2 ? TARN_OK : refused, file.bytes, file.length);
        file_release(&file);
    }
    tarn_buf_release(&buf);
}

/* The same rules hold for writing; then the buffer is as it was. */
static void what_would_not_be_read_is_not_written(void **state)
{
    struct tarn_buf buf = {0};

    (void)state;
    expect_ok(tarn__buf_reserve(&buf, 64));
    for (int change = 0; change < 12; change++) {
        struct tarn__catalog catalog = sample_catalog();
        struct tarn__catalog_namespace two[2] = {catalog.namespaces[0], catalog.namespaces[0]};

        two[1].name[0] = 'k';
        two[1].number = change == 0 ? 7 : 3;
        catalog.namespaces = two;
        catalog.count = 2;
        two[1].name[0] = change == 1 ? 'j' : 'k';
        two[1].name[2] = change == 2 ? '\n' : 'b';
        two[0].name_length = change == 3 ? 0 : change == 4 ? TARN_NAME_BYTES_MAX + 1 : 4;
        two[0].options.engine = change == 5 ? 2 : 1;
        two[0].options.shards = change == 6 ? 0 : 16;
        two[0].options.lock_timeout_ms = change == 7 ? 0 : 1;
        two[0].options.max_value_size = change == 8 ? 0 : TARN_VALUE_BYTES_MAX;
        two[0].autosave.pattern_length = change == 9 ? TARN__PATTERN_BYTES_MAX + 1 : 0;
        catalog.autosave.pattern_length = change == 10 ? SIZE_MAX : 0;
        catalog.sequence = change == 11 ? UINT64_C(1) << 56 : 1;
        expect_status(TARN_INVALID_ARGUMENT, tarn__catalog_encode(&catalog, sample_identity, &buf));
        expect_number(0, buf.length);
    }
    tarn_buf_release(&buf);
}

/* faults.md 29: the Nth allocation fails. */
static void memory_that_is_short_changes_nothing(void **state)
{
    struct tarn__catalog catalog = sample_catalog(), got;
    struct tarn__catalog_namespace two[2] = {catalog.namespaces[0], catalog.namespaces[0]};
    struct tarn_buf buf = {0};
    tarn_status status;
    uint64_t nth = 0;

    (void)state;
    two[1].name[0] = 'k';
    two[1].number = 3;
    catalog.namespaces = two;
    catalog.count = 2;
    do {
        allocation_fault_arm(++nth, false);
        allocation_fault_resume();
        status = tarn__catalog_encode(&catalog, sample_identity, &buf);
        allocation_fault_pause();
        expect_status(allocation_fault_fired() ? TARN_NO_MEMORY : TARN_OK, status);
        expect_that(allocation_fault_fired() ? buf.length == 0 : buf.length > 0);
    } while (status);
    expect_number(3, nth);
    for (nth = 1;; nth++) {
        allocation_fault_arm(nth, false);
        allocation_fault_resume();
        memset(&got, 0x77, sizeof got);
        status = tarn__catalog_decode(buf.data, buf.length, "x", &got);
        allocation_fault_pause();
        if (!status)
            break;
        expect_status(TARN_NO_MEMORY, status);
        expect_number(0x7777777777777777, got.count);
    }
    expect_number(3, nth);
    expect_same_catalog(&catalog, &got);
    tarn__catalog_release(&got);
    allocation_fault_arm(0, false);
    tarn_buf_release(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_what_is_written),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_cut_and_every_bit_is_found),
        cmocka_unit_test(every_damaged_piece_is_found),
        cmocka_unit_test(fields_are_held_to_their_bounds),
        cmocka_unit_test(what_a_newer_version_may_mean_is_told),
        cmocka_unit_test(hostile_lengths_are_refused),
        cmocka_unit_test(blocks_of_a_wrong_length_are_refused),
        cmocka_unit_test(names_and_patterns_are_checked),
        cmocka_unit_test(blocks_come_once_and_in_order),
        cmocka_unit_test(blocks_of_other_kinds_are_refused),
        cmocka_unit_test(what_would_not_be_read_is_not_written),
        cmocka_unit_test(memory_that_is_short_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
