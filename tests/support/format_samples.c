/* Files to try the formats on: see format_samples.h. */
#include "support/format_samples.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t sample_identity[TARN__IDENTITY_BYTES] = {
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

/* ------------------------------------------------------------------------------------------
 * Files with right checksums
 */

static uint8_t *grow(struct file_builder *file, size_t more)
{
    file->bytes = realloc(file->bytes, file->length + more);
    expect_that(file->bytes != NULL);
    return file->bytes + file->length;
}

void file_begin(struct file_builder *file, unsigned kind, const uint8_t *identity)
{
    memset(file, 0, sizeof *file);
    memcpy(file->identity, identity, sizeof file->identity);
    tarn__file_header_write(grow(file, TARN__FILE_HEADER_BYTES), (enum tarn__file_kind)kind,
                            identity);
    file->length = TARN__FILE_HEADER_BYTES;
}

void file_block(struct file_builder *file, unsigned kind, const void *content, size_t length)
{
    uint8_t *header = grow(file, TARN__BLOCK_HEADER_BYTES + length);

    tarn__write_bytes(header + TARN__BLOCK_HEADER_BYTES, content, length);
    tarn__block_seal(header, file->identity, file->length, (uint8_t)kind, length, &file->total);
    file->length += TARN__BLOCK_HEADER_BYTES + length;
}

void file_end(struct file_builder *file)
{
    uint8_t *block = grow(file, TARN__BLOCK_HEADER_BYTES + TARN__BLOCK_END_LENGTH);
    uint8_t *end = tarn__block_end_write(block, file->identity, file->length, &file->total);

    file->length = (size_t)(end - file->bytes);
}

void file_append_zeros(struct file_builder *file, size_t count)
{
    memset(grow(file, count), 0, count);
    file->length += count;
}

void file_release(struct file_builder *file)
{
    free(file->bytes);
    memset(file, 0, sizeof *file);
}

/* Begins a copy of a file that is valid but for its content, and a walk through the original. */
static void begin_copy(struct file_builder *file, struct tarn_slice original,
                       struct tarn__block_walk *walk)
{
    const uint8_t *bytes = original.data;
    enum tarn__file_kind kind = (enum tarn__file_kind)bytes[8];

    expect_ok(tarn__block_walk_begin(walk, bytes, original.length, kind, "original"));
    file_begin(file, kind, walk->identity);
}

void file_replaced(struct file_builder *file, struct tarn_slice original, size_t offset,
                   size_t removed, const void *bytes, size_t length)
{
    struct tarn__file_block block = {0};
    struct tarn__block_walk walk;
    const uint8_t *content;
    bool replaced = false;

    begin_copy(file, original, &walk);
    for (;;) {
        size_t at, behind;
        uint8_t *changed;

        expect_ok(tarn__block_walk_next(&walk, &block, &content));
        if (block.kind == TARN__BLOCK_END)
            break;
        at = offset - (size_t)block.offset - TARN__BLOCK_HEADER_BYTES;
        if (at > block.length || at + removed > block.length) {
            file_block(file, block.kind, content, block.length);
            continue;
        }
        behind = block.length - at - removed;
        changed = malloc(block.length - removed + length + 1);
        expect_that(changed != NULL);
        tarn__write_bytes(changed, content, at);
        tarn__write_bytes(changed + at, bytes, length);
        tarn__write_bytes(changed + at + length, content + at + removed, behind);
        file_block(file, block.kind, changed, at + length + behind);
        free(changed);
        replaced = true;
    }
    file_end(file);
    expect_that(replaced);
}

void file_with_number(struct file_builder *file, struct tarn_slice original, size_t offset,
                      size_t length, uint64_t number)
{
    uint8_t bytes[8];

    tarn__write_u64(bytes, number);
    file_replaced(file, original, offset, length, bytes, length);
}

void file_reordered(struct file_builder *file, struct tarn_slice original, const int *blocks,
                    size_t count)
{
    struct tarn__file_block block;
    struct tarn__block_walk walk;
    const uint8_t *content;

    begin_copy(file, original, &walk);
    for (size_t i = 0; i < count; i++) {
        struct tarn__block_walk at = walk;

        for (int skipped = -1; skipped < blocks[i]; skipped++)
            expect_ok(tarn__block_walk_next(&at, &block, &content));
        file_block(file, block.kind, content, block.length);
    }
    file_end(file);
}

void file_header_seal(uint8_t *bytes)
{
    tarn__write_u64(bytes + 32, XXH3_64bits(bytes, 32));
}

/* ------------------------------------------------------------------------------------------
 * Catalogs
 */

static void set_text(char *to, size_t *length, const char *from)
{
    *length = strlen(from);
    memcpy(to, from, *length);
}

struct tarn__catalog sample_catalog(void)
{
    static struct tarn__catalog_namespace jobs;
    struct tarn__catalog catalog = {.seed = 0x0123456789abcdef,
                                    .sequence = 1000,
                                    .next_number = 8,
                                    .count = 1,
                                    .namespaces = &jobs};

    memset(catalog.identity, 0xa5, sizeof catalog.identity);
    catalog.autosave.interval_ms = 60000;
    catalog.autosave.keep = 3;
    memset(&jobs, 0, sizeof jobs);
    jobs.number = 7;
    jobs.options = (struct tarn_namespace_options){.size = sizeof jobs.options,
                                                   .engine = TARN_ENGINE_MEMORY,
                                                   .shards = 16,
                                                   .lock_timeout_ms = 5000,
                                                   .max_keys = 1000000,
                                                   .max_value_size = 65536};
    set_text(jobs.name, &jobs.name_length, "jobs");
    jobs.autosave.enabled = true;
    jobs.autosave.at_close = true;
    jobs.autosave.interval_ms = 1000;
    jobs.autosave.keep = 2;
    set_text(jobs.autosave.pattern, &jobs.autosave.pattern_length, "jobs-{n}");
    return catalog;
}

static void random_autosave(uint64_t *random, struct tarn__autosave_settings *settings)
{
    settings->enabled = random_below(random, 2);
    settings->at_close = random_below(random, 2);
    settings->interval_ms = random_next(random) >> random_below(random, 64);
    settings->keep = (uint32_t)random_next(random);
    settings->pattern_length = random_below(random, TARN__PATTERN_BYTES_MAX + 1);
    for (size_t i = 0; i < settings->pattern_length; i++)
        settings->pattern[i] = (char)random_next(random);
}

/* Names that rise: the number in hex, and random letters up to a random length behind it. */
static void random_namespace(uint64_t *random, size_t at, struct tarn__catalog_namespace *ns)
{
    char number[20];

    ns->number = at * 4 + random_below(random, 2);
    ns->options.engine = TARN_ENGINE_MEMORY;
    if (random_below(random, 2)) {
        ns->home = at * 4 + 2 + random_below(random, 2);
        ns->options.engine = TARN_ENGINE_LOG;
        ns->options.sync = 1 + (unsigned)random_below(random, 3);
        ns->options.sync_interval_ms = 1 + (uint32_t)random_below(random, 3600000);
        ns->options.segment_bytes = 65536 + random_below(random, 1073741824 - 65535);
        ns->options.compact_bytes = 1 + random_below(random, UINT64_MAX);
        ns->options.compact_percent = 1 + (uint32_t)random_below(random, 100);
    }
    ns->options.size = sizeof ns->options;
    ns->options.shards = 1 + (uint32_t)random_below(random, TARN_SHARDS_MAX);
    ns->options.lock_timeout_ms = 1 + (uint32_t)random_below(random, UINT32_MAX);
    ns->options.max_keys = random_next(random) >> random_below(random, 64);
    ns->options.max_value_size = 1 + random_below(random, TARN_VALUE_BYTES_MAX);
    ns->options.max_bytes = random_next(random) >> random_below(random, 64);
    snprintf(number, sizeof number, "%08zx", at);
    memcpy(ns->name, number, 8);
    ns->name_length = 8 + random_below(random, TARN_NAME_BYTES_MAX - 8 + 1);
    for (size_t i = 8; i < ns->name_length; i++)
        ns->name[i] = (char)('!' + random_below(random, 90));
    random_autosave(random, &ns->autosave);
}

struct tarn__catalog random_catalog(uint64_t *random, size_t count)
{
    struct tarn__catalog catalog = {.seed = random_next(random)};

    for (size_t i = 0; i < sizeof catalog.identity; i++)
        catalog.identity[i] = (uint8_t)random_next(random);
    catalog.sequence = random_next(random) >> (8 + random_below(random, 56));
    random_autosave(random, &catalog.autosave);
    catalog.count = random_below(random, count + 1);
    catalog.next_number = catalog.count * 4 + random_below(random, 5);
    if (catalog.count == 0)
        return catalog;
    catalog.namespaces = tarn__allocate_zeroed(catalog.count * sizeof catalog.namespaces[0]);
    expect_that(catalog.namespaces != NULL);
    for (size_t i = 0; i < catalog.count; i++)
        random_namespace(random, i, &catalog.namespaces[i]);
    return catalog;
}

static void expect_same_autosave(const struct tarn__autosave_settings *wanted,
                                 const struct tarn__autosave_settings *got)
{
    expect_number(wanted->enabled, got->enabled);
    expect_number(wanted->at_close, got->at_close);
    expect_number(wanted->interval_ms, got->interval_ms);
    expect_number(wanted->keep, got->keep);
    expect_bytes(tarn_slice_of(wanted->pattern, wanted->pattern_length),
                 tarn_slice_of(got->pattern, got->pattern_length));
}

static void expect_same_options(const struct tarn_namespace_options *wanted,
                                const struct tarn_namespace_options *got)
{
    expect_number(sizeof *wanted, got->size);
    expect_number(wanted->shards, got->shards);
    expect_number(wanted->lock_timeout_ms, got->lock_timeout_ms);
    expect_number(wanted->max_keys, got->max_keys);
    expect_number(wanted->max_value_size, got->max_value_size);
    expect_number(wanted->max_bytes, got->max_bytes);
}

void expect_same_catalog(const struct tarn__catalog *wanted, const struct tarn__catalog *got)
{
    expect_bytes(tarn_slice_of(wanted->identity, sizeof wanted->identity),
                 tarn_slice_of(got->identity, sizeof got->identity));
    expect_number(wanted->seed, got->seed);
    expect_number(wanted->sequence, got->sequence);
    expect_number(wanted->next_number, got->next_number);
    expect_same_autosave(&wanted->autosave, &got->autosave);
    expect_number(wanted->count, got->count);
    for (size_t i = 0; i < wanted->count; i++) {
        const struct tarn__catalog_namespace *a = &wanted->namespaces[i], *b = &got->namespaces[i];

        expect_number(a->number, b->number);
        expect_number(a->home, b->home);
        expect_number(a->options.engine, b->options.engine);
        expect_number(a->options.sync, b->options.sync);
        expect_number(a->options.sync_interval_ms, b->options.sync_interval_ms);
        expect_number(a->options.segment_bytes, b->options.segment_bytes);
        expect_number(a->options.compact_bytes, b->options.compact_bytes);
        expect_number(a->options.compact_percent, b->options.compact_percent);
        expect_same_options(&a->options, &b->options);
        expect_bytes(tarn_slice_of(a->name, a->name_length),
                     tarn_slice_of(b->name, b->name_length));
        expect_same_autosave(&a->autosave, &b->autosave);
    }
}

/* ------------------------------------------------------------------------------------------
 * Snapshots
 */

const struct tarn__snapshot_head sample_head = {.scope = TARN__SCOPE_NAMESPACE,
                                                .store = {0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
                                                          0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
                                                          0xa5, 0xa5},
                                                .sequence = 1000,
                                                .clock_ns = 1700000000000000000,
                                                .namespaces = 1};

const struct tarn__snapshot_namespace sample_namespace = {
    .number = 7,
    .options = {.engine = TARN_ENGINE_MEMORY,
                .size = sizeof(struct tarn_namespace_options),
                .shards = 16,
                .lock_timeout_ms = 5000,
                .max_keys = 1000000,
                .max_value_size = 65536},
    .name_length = 4,
    .name = "jobs"};

const struct tarn__record sample_records[2] = {
    {.key = {"mail:1", 6}, .value = {"hello", 5}, .info = {.sequence = 300}},
    {.key = {"sent", 4},
     .value = {"\x2a\0\0\0\0\0\0", 8},
     .info = {.sequence = 1000, .content = TARN_CONTENT_COUNTER}}};

void file_head(struct file_builder *file, const struct tarn__snapshot_head *head)
{
    uint8_t content[TARN__SNAPSHOT_HEAD_BYTES];

    expect_ok(tarn__snapshot_head_write(head, content));
    file_block(file, TARN__SNAPSHOT_HEAD, content, sizeof content);
}

void file_namespace(struct file_builder *file, const struct tarn__snapshot_namespace *ns)
{
    uint8_t content[TARN__SNAPSHOT_NAMESPACE_BYTES_MAX];
    size_t length;

    expect_ok(tarn__snapshot_namespace_write(ns, content, &length));
    file_block(file, TARN__SNAPSHOT_NAMESPACE, content, length);
}

void file_records(struct file_builder *file, const struct tarn__record *records, size_t count)
{
    size_t length = 0;
    uint8_t *content, *at;

    for (size_t i = 0; i < count; i++)
        length += tarn__snapshot_record_bytes(&records[i]);
    content = malloc(length + 1);
    expect_that(content != NULL);
    at = content;
    for (size_t i = 0; i < count; i++)
        at = tarn__snapshot_record_write(at, &records[i]);
    expect_number(length, at - content);
    file_block(file, TARN__SNAPSHOT_RECORDS, content, length);
    free(content);
}

void file_namespace_end(struct file_builder *file, uint64_t keys, uint64_t bytes)
{
    struct tarn__snapshot_count count = {.keys = keys, .bytes = bytes};
    uint8_t content[TARN__SNAPSHOT_NAMESPACE_END_BYTES];

    tarn__snapshot_namespace_end_write(&count, content);
    file_block(file, TARN__SNAPSHOT_NAMESPACE_END, content, sizeof content);
}

void sample_snapshot(struct file_builder *file)
{
    file_begin(file, TARN__FILE_SNAPSHOT, sample_identity);
    file_head(file, &sample_head);
    file_namespace(file, &sample_namespace);
    file_records(file, sample_records, 2);
    file_namespace_end(file, 2, 6 + 5 + 4 + 8);
    file_end(file);
}

tarn_status visit_snapshot(const void *bytes, size_t length, record_visit *visit, void *context)
{
    struct tarn__snapshot_reading reading = {0};
    struct tarn__file_block block = {0};
    struct tarn__block_walk walk;
    struct tarn__record record;
    const uint8_t *content;
    tarn_status status =
        tarn__block_walk_begin(&walk, bytes, length, TARN__FILE_SNAPSHOT, "snapshot");

    while (!status && block.kind != TARN__BLOCK_END) {
        status = tarn__block_walk_next(&walk, &block, &content);
        if (!status)
            status = tarn__snapshot_accept(&reading, &block, content, "snapshot");
        if (!status && block.kind == TARN__SNAPSHOT_RECORDS) {
            struct tarn__reader records = tarn__reader_of(content, block.length);

            while (tarn__snapshot_record_next(&records, &reading, &record))
                visit(context, &record);
            status = tarn__snapshot_records_end(&records, &reading, &block, content, "snapshot");
        }
    }
    return status;
}

static void count_record(void *context, const struct tarn__record *record)
{
    (void)record;
    ++*(uint64_t *)context;
}

tarn_status read_snapshot(const void *bytes, size_t length, uint64_t *keys)
{
    uint64_t counted = 0;
    tarn_status status = visit_snapshot(bytes, length, count_record, &counted);

    if (!status && keys)
        *keys = counted;
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Documents
 */

static void print_hex(struct tarn_slice bytes)
{
    const uint8_t *at = bytes.data;

    for (size_t i = 0; i < bytes.length; i++)
        fprintf(stderr, "%s%02x", i % 16 ? " " : "\n", at[i]);
    fprintf(stderr, "\n");
}

/* A line is an offset, two spaces, bytes with one space between, and, behind two spaces, words. */
static size_t read_line_of_hex(const char *line, size_t offset, uint8_t *to, size_t room)
{
    char *at;
    size_t count = 0;

    expect_number(offset, strtoul(line, &at, 16));
    expect_that(at[0] == ' ' && at[1] == ' ');
    for (at += 1; at[0] == ' ' && at[1] != ' ' && at[1] != '\n'; at += 3) {
        char digits[] = {at[1], at[2], '\0'}, *end;

        expect_that(count < room);
        to[count++] = (uint8_t)strtoul(digits, &end, 16);
        expect_that(*end == '\0');
    }
    return count;
}

void expect_document(const char *document, struct tarn_slice bytes)
{
    static uint8_t there[4096];
    char path[512], line[512];
    size_t length = 0;
    bool inside = false;
    FILE *file;

    snprintf(path, sizeof path, "%s/docs/%s", TARN_SOURCE_ROOT, document);
    file = fopen(path, "r");
    if (!file)
        fail_msg("cannot open %s", path);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "```", 3) == 0)
            inside = strcmp(line, "```hex\n") == 0;
        else if (inside)
            length += read_line_of_hex(line, length, there + length, sizeof there - length);
    }
    fclose(file);
    if (length != bytes.length || memcmp(there, bytes.data, length) != 0)
        print_hex(bytes);
    expect_bytes(bytes, tarn_slice_of(there, length));
}
