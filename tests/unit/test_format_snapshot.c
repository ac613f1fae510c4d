/*
 * A snapshot's bytes: records go in and come out, what was changed is refused, fields that lie
 * under a right checksum and blocks out of their order too, and docs/format-snapshot.md shows what
 * the code writes (faults.md, 1 to 6, 38, 43).
 */
#include "support/format_samples.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Offsets of the example in docs/format-snapshot.md. */
enum {
    AT_SCOPE = 0x38,
    AT_CUT = 0x49,
    AT_NAMESPACES = 0x59,
    AT_NUMBER = 0x6d,
    AT_ENGINE = 0x75,
    AT_SHARDS = 0x76,
    AT_NAME_LENGTH = 0x96,
    AT_RECORD = 0xab,
    AT_CONTENT = 0xad,
    AT_RECORD_FLAGS = 0xae,
    AT_KEY_LENGTH = 0xaf,
    AT_VALUE_LENGTH = 0xb0,
    AT_COUNTER = 0xbc,
    AT_COUNTER_VALUE_LENGTH = 0xc1,
    AT_KEYS = 0xde,
    AT_BYTES = 0xe6,
};

/* Reads a copy that has no byte more. */
static void expect_read(tarn_status wanted, const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length + (length == 0));
    tarn_status status;

    expect_that(copy != NULL);
    tarn__write_bytes(copy, bytes, length);
    status = read_snapshot(copy, length, NULL);
    free(copy);
    expect_status(wanted, status);
    if (status) {
        expect_that(strstr(tarn_last_error()->message, "of 'snapshot'") != NULL);
        expect_that(tarn_last_error()->offset <= length);
    }
}

static void expect_replaced(tarn_status wanted, size_t offset, size_t removed, const void *bytes,
                            size_t length)
{
    struct file_builder original, file;

    sample_snapshot(&original);
    file_replaced(&file, tarn_slice_of(original.bytes, original.length), offset, removed, bytes,
                  length);
    expect_read(wanted, file.bytes, file.length);
    file_release(&original);
    file_release(&file);
}

static void expect_number_at(tarn_status wanted, size_t offset, size_t length, uint64_t number)
{
    uint8_t bytes[8];

    tarn__write_u64(bytes, number);
    expect_replaced(wanted, offset, length, bytes, length);
}

static void the_example_is_what_is_written(void **state)
{
    struct file_builder file;
    uint64_t keys = 0;

    (void)state;
    sample_snapshot(&file);
    expect_document("format-snapshot.md", tarn_slice_of(file.bytes, file.length));
    expect_ok(read_snapshot(file.bytes, file.length, &keys));
    expect_number(2, keys);
    file_release(&file);
}

/* ------------------------------------------------------------------------------------------
 * Random snapshots
 */

enum { RECORDS_MAX = 200 };

struct expected {
    struct tarn__record records[RECORDS_MAX];
    size_t count, seen;
};

static void expect_record(void *context, const struct tarn__record *record)
{
    struct expected *expected = context;
    const struct tarn__record *wanted = &expected->records[expected->seen++];

    expect_that(expected->seen <= expected->count);
    expect_bytes(wanted->key, record->key);
    expect_bytes(wanted->value, record->value);
    expect_number(wanted->info.sequence, record->info.sequence);
    expect_number(wanted->info.content, record->info.content);
}

static struct tarn__record random_record(uint64_t *random, const uint8_t *bytes, uint64_t cut)
{
    struct tarn__record record;

    record.info.content = random_below(random, 4) ? TARN_CONTENT_BYTES : TARN_CONTENT_COUNTER;
    record.info.sequence = 1 + random_below(random, cut);
    record.key = tarn_slice_of(bytes + random_below(random, 100),
                               1 + random_below(random, random_below(random, 20) ? 300 : 65536));
    record.value = tarn_slice_of(bytes + random_below(random, 100),
                                 random_below(random, random_below(random, 20) ? 300 : 200000));
    if (record.info.content == TARN_CONTENT_COUNTER)
        record.value.length = 8;
    return record;
}

/* A namespace in blocks of random numbers of records. */
static void add_namespace(uint64_t *random, struct file_builder *file, unsigned number,
                          const uint8_t *bytes, uint64_t cut, struct expected *expected)
{
    struct tarn__snapshot_namespace ns = sample_namespace;
    uint64_t keys = random_below(random, 40), total = 0;

    ns.number = random_next(random);
    ns.name[3] = (char)('a' + number);
    file_namespace(file, &ns);
    for (uint64_t left = keys, count; left > 0; left -= count) {
        struct tarn__record *records = expected->records + expected->count;

        count = 1 + random_below(random, left);
        for (uint64_t i = 0; i < count; i++) {
            records[i] = random_record(random, bytes, cut);
            total += records[i].key.length + records[i].value.length;
        }
        expected->count += count;
        file_records(file, records, count);
    }
    file_namespace_end(file, keys, total);
}

static void what_is_written_is_read(void **state)
{
    static struct expected expected;
    uint64_t seed = environment_number("TARN_SEED", (uint64_t)(uintptr_t)&state), random = seed;
    uint8_t *bytes = patterned_bytes(300000, 5);

    (void)state;
    print_message("TARN_SEED=%llu\n", (unsigned long long)seed);
    for (int round = 0; round < 100; round++) {
        struct tarn__snapshot_head head = sample_head;
        struct file_builder file;

        head.scope = TARN__SCOPE_STORE;
        head.namespaces = (uint32_t)random_below(&random, 6);
        head.sequence = (UINT64_C(1) << random_below(&random, 57)) - (round & 1);
        head.sequence = head.sequence < 1 ? 1 : head.sequence;
        if (head.sequence >= UINT64_C(1) << 56)
            head.sequence = (UINT64_C(1) << 56) - 1;
        expected.count = expected.seen = 0;
        file_begin(&file, TARN__FILE_SNAPSHOT, sample_identity);
        file_head(&file, &head);
        for (unsigned i = 0; i < head.namespaces; i++)
            add_namespace(&random, &file, i, bytes, head.sequence, &expected);
        file_end(&file);
        expect_ok(visit_snapshot(file.bytes, file.length, expect_record, &expected));
        expect_number(expected.count, expected.seen);
        expect_read(TARN_OK, file.bytes, file.length);
        file_release(&file);
    }
    free(bytes);
}

/* ------------------------------------------------------------------------------------------
 * Damage
 */

/* faults.md 1 and 2: every cut, every bit. */
static void every_cut_and_every_bit_is_found(void **state)
{
    struct file_builder file;

    (void)state;
    sample_snapshot(&file);
    for (size_t length = 0; length < file.length; length++)
        expect_read(TARN_CORRUPT, file.bytes, length);
    for (size_t bit = 0; bit < 8 * file.length; bit++) {
        file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_read(TARN_CORRUPT, file.bytes, file.length);
        file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    expect_read(TARN_OK, file.bytes, file.length);
    file_release(&file);
}

/* faults.md 4: every byte of every content set to every value, under right checksums. What is
 * accepted must be a snapshot of the same shape. */
static void every_byte_of_the_content_may_lie(void **state)
{
    static const struct {
        size_t at, end;
    } contents[] = {{0x38, 0x5d}, {0x6d, 0x9b}, {0xab, 0xce}, {0xde, 0xee}};
    struct file_builder original, file;

    (void)state;
    sample_snapshot(&original);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        for (size_t at = contents[i].at; at < contents[i].end; at++)
            for (unsigned value = 0; value < 256; value++) {
                uint8_t byte = (uint8_t)value;
                uint64_t keys = 2;
                tarn_status status;

                file_replaced(&file, tarn_slice_of(original.bytes, original.length), at, 1, &byte,
                              1);
                status = read_snapshot(file.bytes, file.length, &keys);
                expect_that(status == TARN_OK || status == TARN_CORRUPT ||
                            status == TARN_UNSUPPORTED_VERSION);
                expect_number(2, keys);
                file_release(&file);
            }
    file_release(&original);
}

static void every_field_of_the_head_is_checked(void **state)
{
    (void)state;
    for (uint64_t scope = 0; scope < 256; scope++)
        expect_number_at(scope == 1 || scope == 2 ? TARN_OK : TARN_UNSUPPORTED_VERSION, AT_SCOPE, 1,
                         scope);
    expect_number_at(TARN_CORRUPT, AT_CUT, 8, 999); /* below the last record's */
    expect_number_at(TARN_OK, AT_CUT, 8, 1000);
    expect_number_at(TARN_OK, AT_CUT, 8, (UINT64_C(1) << 56) - 1);
    expect_number_at(TARN_CORRUPT, AT_CUT, 8, UINT64_C(1) << 56);
    expect_number_at(TARN_CORRUPT, AT_CUT, 8, 0);
    expect_number_at(TARN_CORRUPT, AT_NAMESPACES, 4, 0);
    expect_number_at(TARN_CORRUPT, AT_NAMESPACES, 4, 2);
    expect_number_at(TARN_CORRUPT, AT_NAMESPACES, 4, UINT32_MAX);
    expect_number_at(TARN_OK, AT_NUMBER, 8, UINT64_MAX);
    expect_number_at(TARN_UNSUPPORTED_VERSION, AT_ENGINE, 1, 2);
    expect_number_at(TARN_CORRUPT, AT_SHARDS, 4, 0);
    expect_number_at(TARN_CORRUPT, AT_SHARDS, 4, TARN_SHARDS_MAX + 1);
    expect_number_at(TARN_CORRUPT, AT_NAME_LENGTH, 1, 0);
    expect_number_at(TARN_CORRUPT, AT_NAME_LENGTH, 1, 3);
    expect_number_at(TARN_CORRUPT, AT_NAME_LENGTH, 1, 5);
    for (size_t removed = 1; removed <= 0x25; removed++)
        expect_replaced(TARN_CORRUPT, 0x5d - removed, removed, NULL, 0);
    for (size_t removed = 1; removed <= 0x2e; removed++)
        expect_replaced(TARN_CORRUPT, 0x9b - removed, removed, NULL, 0);
    expect_replaced(TARN_CORRUPT, 0x5d, 0, "\0", 1);
    expect_replaced(TARN_CORRUPT, 0x9b, 0, "\0", 1);
}

static void the_end_of_a_namespace_counts(void **state)
{
    (void)state;
    expect_number_at(TARN_CORRUPT, AT_KEYS, 8, 1);
    expect_number_at(TARN_CORRUPT, AT_KEYS, 8, 3);
    expect_number_at(TARN_CORRUPT, AT_BYTES, 8, 22);
    expect_number_at(TARN_CORRUPT, AT_BYTES, 8, UINT64_MAX);
    expect_replaced(TARN_CORRUPT, 0xed, 1, NULL, 0);
    expect_replaced(TARN_CORRUPT, 0xee, 0, "\0", 1);
}

/* Expects the error of a record where there is one, at its head. */
static void expect_varint_at(tarn_status wanted, size_t offset, size_t removed, uint64_t number)
{
    uint8_t bytes[TARN__VARINT_BYTES_MAX];
    uint8_t *end = tarn__varint_write(bytes, number);

    expect_replaced(wanted, offset, removed, bytes, (size_t)(end - bytes));
    if (wanted)
        expect_number(offset < AT_COUNTER ? AT_RECORD : AT_COUNTER, tarn_last_error()->offset);
}

/* faults.md 4 and 43: a record's fields at their bounds and beyond. */
static void every_field_of_a_record_is_checked(void **state)
{
    static const uint64_t lengths[] = {7,
                                       128,
                                       TARN_KEY_BYTES_MAX,
                                       65537,
                                       INT32_MAX,
                                       UINT64_C(1) << 31,
                                       UINT32_MAX,
                                       UINT64_C(1) << 32,
                                       UINT64_MAX - 5,
                                       UINT64_MAX - 10,
                                       UINT64_MAX - 20,
                                       UINT64_MAX};

    (void)state;
    expect_varint_at(TARN_CORRUPT, AT_RECORD, 2, 0);
    expect_varint_at(TARN_OK, AT_RECORD, 2, 1);
    expect_varint_at(TARN_OK, AT_RECORD, 2, 1000);
    expect_varint_at(TARN_CORRUPT, AT_RECORD, 2, 1001);
    expect_varint_at(TARN_CORRUPT, AT_RECORD, 2, UINT64_MAX);
    for (uint64_t content = 0; content < 256; content++)
        expect_varint_at(content == 0   ? TARN_OK
                         : content == 1 ? TARN_CORRUPT /* a counter of 5 bytes */
                                        : TARN_UNSUPPORTED_VERSION,
                         AT_CONTENT, content < 128 ? 1 : 2, content);
    for (uint64_t flag = 1; flag < 128; flag *= 2)
        expect_varint_at(TARN_UNSUPPORTED_VERSION, AT_RECORD_FLAGS, 1, flag);
    expect_varint_at(TARN_CORRUPT, AT_KEY_LENGTH, 1, 0);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        if (lengths[i] > 100)
            expect_varint_at(TARN_CORRUPT, AT_KEY_LENGTH, 1, lengths[i]);
        if (lengths[i] > 100)
            expect_varint_at(TARN_CORRUPT, AT_VALUE_LENGTH, 1, lengths[i]);
        expect_varint_at(TARN_CORRUPT, AT_COUNTER_VALUE_LENGTH, 1, lengths[i]);
    }
    expect_varint_at(TARN_CORRUPT, AT_VALUE_LENGTH, 1, TARN_VALUE_BYTES_MAX);
    expect_varint_at(TARN_CORRUPT, AT_VALUE_LENGTH, 1, TARN_VALUE_BYTES_MAX + 1);
    expect_replaced(TARN_CORRUPT, AT_RECORD, 2, "\xac\x82\x00", 3);
    expect_replaced(TARN_CORRUPT, AT_KEY_LENGTH, 1, "\x86\x00", 2);
    expect_replaced(TARN_CORRUPT, AT_VALUE_LENGTH, 1, "\x85\x80\x00", 3);
    for (size_t removed = 1; removed <= 0xce - AT_RECORD; removed++)
        expect_replaced(TARN_CORRUPT, 0xce - removed, removed, NULL, 0);
    expect_replaced(TARN_CORRUPT, 0xce, 0, "\x01", 1);
}

/* ------------------------------------------------------------------------------------------
 * Order
 */

/* A snapshot of the store with namespaces "joba" and "jobb"; blocks: 0 head, 1 namespace, 2
 * records, 3 end; 4 namespace, 5 records, 6 records, 7 end. */
static void two_namespaces(struct file_builder *file)
{
    struct tarn__snapshot_head head = sample_head;
    struct tarn__snapshot_namespace ns = sample_namespace;

    head.scope = TARN__SCOPE_STORE;
    head.namespaces = 2;
    file_begin(file, TARN__FILE_SNAPSHOT, sample_identity);
    file_head(file, &head);
    ns.name[3] = 'a';
    file_namespace(file, &ns);
    file_records(file, sample_records, 2);
    file_namespace_end(file, 2, 23);
    ns.name[3] = 'b';
    file_namespace(file, &ns);
    file_records(file, sample_records, 1);
    file_records(file, sample_records + 1, 1);
    file_namespace_end(file, 2, 23);
    file_end(file);
}

static void blocks_come_in_their_order(void **state)
{
    static const struct {
        int blocks[9];
        size_t count;
        tarn_status status;
    } orders[] = {
        {{0, 1, 2, 3, 4, 5, 6, 7}, 8, TARN_OK},
        {{0, 1, 5, 6, 3, 4, 2, 7}, 8, TARN_OK},         /* the same records */
        {{0, 4, 5, 6, 7, 1, 2, 3}, 8, TARN_CORRUPT},    /* names do not rise */
        {{0, 1, 2, 3, 1, 2, 3}, 7, TARN_CORRUPT},       /* a namespace twice */
        {{0, 1, 2, 3}, 4, TARN_CORRUPT},                /* one is missing */
        {{0, 1, 2, 3, 4, 5, 6}, 7, TARN_CORRUPT},       /* its end is missing */
        {{0, 1, 2, 4, 5, 6, 7}, 7, TARN_CORRUPT},       /* the first one's end is missing */
        {{0, 1, 2, 3, 4, 5, 7}, 7, TARN_CORRUPT},       /* records are missing */
        {{0, 1, 2, 3, 4, 5, 5, 7}, 8, TARN_CORRUPT},    /* records twice */
        {{0, 1, 2, 2, 3, 4, 5, 6, 7}, 9, TARN_CORRUPT}, /* records too many */
        {{0, 1, 2, 3, 3, 4, 5, 6, 7}, 9, TARN_CORRUPT}, /* an end twice */
        {{0, 0, 1, 2, 3, 4, 5, 6, 7}, 9, TARN_CORRUPT}, /* the head twice */
        {{1, 2, 3, 4, 5, 6, 7}, 7, TARN_CORRUPT},       /* no head */
        {{1, 0, 2, 3, 4, 5, 6, 7}, 8, TARN_CORRUPT},    /* the head is not first */
        {{0, 2, 1, 3, 4, 5, 6, 7}, 8, TARN_CORRUPT},    /* records outside */
        {{0, 1, 2, 3, 5, 4, 6, 7}, 8, TARN_CORRUPT},    /* records between */
        {{0}, 1, TARN_CORRUPT},
        {{0}, 0, TARN_CORRUPT},
    };
    struct file_builder original, file;

    (void)state;
    two_namespaces(&original);
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        file_reordered(&file, tarn_slice_of(original.bytes, original.length), orders[i].blocks,
                       orders[i].count);
        expect_read(orders[i].status, file.bytes, file.length);
        file_release(&file);
    }
    file_release(&original);
}

/* One more than the head tells of is refused where it begins, before anybody makes it. */
static void namespaces_beyond_their_number_are_refused(void **state)
{
    struct file_builder original, file;
    size_t second = 0x5d + 16 + 0x2e + 16 + 0x23 + 32; /* behind the first one's end */

    (void)state;
    two_namespaces(&original);
    for (uint64_t number = 0; number < 4; number++) {
        file_with_number(&file, tarn_slice_of(original.bytes, original.length), AT_NAMESPACES, 4,
                         number);
        expect_read(number == 2 ? TARN_OK : TARN_CORRUPT, file.bytes, file.length);
        if (number < 2)
            expect_number(number == 0 ? 0x5d : second, tarn_last_error()->offset);
        file_release(&file);
    }
    file_release(&original);
}

/* A kind that is not known, and a block of records without records. */
static void blocks_of_other_kinds_are_refused(void **state)
{
    struct file_builder file;

    (void)state;
    for (unsigned kind = 0; kind <= 256; kind++) {
        file_begin(&file, TARN__FILE_SNAPSHOT, sample_identity);
        file_head(&file, &sample_head);
        file_namespace(&file, &sample_namespace);
        if (kind < 256)
            file_block(&file, kind, NULL, 0);
        file_namespace_end(&file, 0, 0);
        file_end(&file);
        expect_read(kind == 256                               ? TARN_OK
                    : (kind >= 1 && kind <= 4) || kind == 255 ? TARN_CORRUPT
                                                              : TARN_UNSUPPORTED_VERSION,
                    file.bytes, file.length);
        file_release(&file);
    }
    expect_number(TARN__SNAPSHOT_HEAD_BYTES, tarn__snapshot_content_max(TARN__SNAPSHOT_HEAD));
    expect_number(16, tarn__snapshot_content_max(TARN__BLOCK_END));
    expect_number(TARN__BLOCK_LENGTH_MAX, tarn__snapshot_content_max(77)); /* a newer version's */
}

/* What is not accepted leaves the reading as it was. */
static void a_block_that_is_refused_changes_nothing(void **state)
{
    struct tarn__snapshot_reading reading = {0}, before;
    struct tarn__file_block block = {.kind = TARN__SNAPSHOT_HEAD, .length = 37};
    uint8_t content[TARN__SNAPSHOT_NAMESPACE_BYTES_MAX] = {9};
    size_t length;

    (void)state;
    memcpy(&before, &reading, sizeof reading);
    expect_status(TARN_UNSUPPORTED_VERSION, tarn__snapshot_accept(&reading, &block, content, "x"));
    expect_that(memcmp(&before, &reading, sizeof reading) == 0);
    expect_ok(tarn__snapshot_head_write(&sample_head, content));
    expect_ok(tarn__snapshot_accept(&reading, &block, content, "x"));
    memcpy(&before, &reading, sizeof reading);
    block.kind = TARN__SNAPSHOT_NAMESPACE;
    expect_ok(tarn__snapshot_namespace_write(&sample_namespace, content, &length));
    block.length = (uint32_t)length - 1;
    expect_status(TARN_CORRUPT, tarn__snapshot_accept(&reading, &block, content, "x"));
    expect_that(memcmp(&before, &reading, sizeof reading) == 0);
}

static void what_would_not_be_read_is_not_written(void **state)
{
    uint8_t content[TARN__SNAPSHOT_NAMESPACE_BYTES_MAX];
    size_t length = 77;

    (void)state;
    for (int change = 0; change < 4; change++) {
        struct tarn__snapshot_head head = sample_head;
        struct tarn__snapshot_namespace ns = sample_namespace;

        head.scope = change == 0 ? 0 : change == 1 ? 3 : 1;
        head.namespaces = change == 2 ? 2 : 1;
        head.sequence = change == 3 ? UINT64_C(1) << 56 : 1;
        expect_status(TARN_INVALID_ARGUMENT, tarn__snapshot_head_write(&head, content));
        ns.options.engine = change == 0 ? 2 : 1;
        ns.name_length = change == 1 ? 0 : change == 2 ? 256 : 4;
        ns.options.shards = change == 3 ? 0 : 16;
        expect_status(TARN_INVALID_ARGUMENT, tarn__snapshot_namespace_write(&ns, content, &length));
        expect_number(77, length);
    }
}

/* ------------------------------------------------------------------------------------------
 * Speed
 */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A million records in less than 0.1 seconds; ten times that is allowed here, for machines that are
 * busy and for sanitizers. */
static void a_million_records_are_read_at_once(void **state)
{
    enum { COUNT = 1000000, ROOM = 24 };
    uint8_t *bytes = malloc((size_t)COUNT * ROOM), *at = bytes;
    struct tarn__snapshot_reading reading = {.head.sequence = COUNT};
    struct tarn__record record = {.key = {"key:1234", 8}, .value = {"value", 5}};
    struct tarn__reader records;
    uint64_t begun;

    (void)state;
    expect_that(bytes != NULL);
    for (uint64_t i = 1; i <= COUNT; i++) {
        record.info.sequence = i;
        at = tarn__snapshot_record_write(at, &record);
    }
    expect_that(at <= bytes + (size_t)COUNT * ROOM);
    records = tarn__reader_of(bytes, (size_t)(at - bytes));
    begun = now_ns();
    while (tarn__snapshot_record_next(&records, &reading, &record))
        ;
    begun = now_ns() - begun;
    print_message("a million records in %.1f ms\n", (double)begun / 1e6);
    expect_that(begun < 1000000000);
    expect_that(!records.failed && records.at == records.end);
    expect_number(COUNT, reading.count.keys);
    expect_number(COUNT * 13, reading.count.bytes);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_what_is_written),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_cut_and_every_bit_is_found),
        cmocka_unit_test(every_byte_of_the_content_may_lie),
        cmocka_unit_test(every_field_of_the_head_is_checked),
        cmocka_unit_test(the_end_of_a_namespace_counts),
        cmocka_unit_test(every_field_of_a_record_is_checked),
        cmocka_unit_test(blocks_come_in_their_order),
        cmocka_unit_test(namespaces_beyond_their_number_are_refused),
        cmocka_unit_test(blocks_of_other_kinds_are_refused),
        cmocka_unit_test(a_block_that_is_refused_changes_nothing),
        cmocka_unit_test(what_would_not_be_read_is_not_written),
        cmocka_unit_test(a_million_records_are_read_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
