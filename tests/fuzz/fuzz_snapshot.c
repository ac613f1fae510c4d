/* Snapshots at random: whatever is accepted is written again as the same bytes. See fuzz_file.h. */
#include "format/snapshot.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the block anew from what was read of it, and compares. */
static void expect_written(const struct tarn__snapshot_reading *reading,
                           const struct tarn__file_block *block, const uint8_t *content)
{
    uint8_t again[TARN__SNAPSHOT_NAMESPACE_BYTES_MAX];
    size_t length = TARN__SNAPSHOT_HEAD_BYTES;

    if (block->kind == TARN__SNAPSHOT_HEAD) {
        fuzz_expect(tarn__snapshot_head_write(&reading->head, again) == TARN_OK);
    } else if (block->kind == TARN__SNAPSHOT_NAMESPACE) {
        fuzz_expect(tarn__snapshot_namespace_write(&reading->ns, again, &length) == TARN_OK);
    } else if (block->kind == TARN__SNAPSHOT_NAMESPACE_END) {
        tarn__snapshot_namespace_end_write(&reading->count, again);
        length = TARN__SNAPSHOT_NAMESPACE_END_BYTES;
    } else {
        return;
    }
    fuzz_expect(length == block->length && memcmp(again, content, length) == 0);
}

static tarn_status read_records(struct tarn__snapshot_reading *reading,
                                const struct tarn__file_block *block, const uint8_t *content)
{
    struct tarn__reader records = tarn__reader_of(content, block->length);
    const uint8_t *at = records.at;
    struct tarn__record record;

    while (tarn__snapshot_record_next(&records, reading, &record)) {
        size_t length = tarn__snapshot_record_bytes(&record);
        uint8_t *again = malloc(length);

        fuzz_expect(at + length == records.at);
        fuzz_expect(tarn__snapshot_record_write(again, &record) == again + length);
        fuzz_expect(memcmp(again, at, length) == 0);
        free(again);
        at = records.at;
    }
    return tarn__snapshot_records_end(&records, reading, block, content, "fuzz");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tarn__snapshot_reading reading = {0};
    struct tarn__file_block block = {0};
    struct tarn__block_walk walk;
    const uint8_t *content;
    size_t length;
    uint8_t *bytes = fuzz_file(data, size, TARN__FILE_SNAPSHOT, &length);
    tarn_status status = tarn__block_walk_begin(&walk, bytes, length, TARN__FILE_SNAPSHOT, "fuzz");

    while (!status && block.kind != TARN__BLOCK_END) {
        status = tarn__block_walk_next(&walk, &block, &content);
        if (!status)
            status = tarn__snapshot_accept(&reading, &block, content, "fuzz");
        if (!status)
            expect_written(&reading, &block, content);
        if (!status && block.kind == TARN__SNAPSHOT_RECORDS)
            status = read_records(&reading, &block, content);
    }
    fuzz_expect(status == TARN_OK || status == TARN_CORRUPT || status == TARN_UNSUPPORTED_VERSION);
    free(bytes);
    return 0;
}
