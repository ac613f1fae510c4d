/*
 * The catalog: encoded with one reservation, decoded in two passes.
 *
 * The first pass verifies every checksum and the end of the file, and counts; so a namespace is
 * allocated for each that is there, and nothing is decoded of a file that is damaged anywhere.
 */
#include "format/catalog.h"
#include "base/memory.h"
#include "base/plant.h"
#include "base/status.h"
#include "format/name.h"

#include <stdlib.h>

#define AUTOSAVE_ENABLED  1u
#define AUTOSAVE_AT_CLOSE 2u

#define STORE_FIXED_BYTES (TARN__IDENTITY_BYTES + 8 + 8 + 8) /* before its autosave settings */
#define ENGINE_AT         8                                  /* in the fields of a namespace */

#define SEQUENCE_MAX (((uint64_t)1 << TARN__SEQUENCE_BITS) - 1)

/* ------------------------------------------------------------------------------------------
 * What catalogs and snapshots say of a namespace
 */

static const char *options_fault(const struct tarn_namespace_options *options)
{
    if (options->shards < 1 || options->shards > TARN_SHARDS_MAX)
        return "a namespace's number of shards is out of bounds";
    if (options->lock_timeout_ms < 1)
        return "a namespace's lock_timeout_ms is 0";
    if (options->max_value_size < 1 || options->max_value_size > TARN_VALUE_BYTES_MAX)
        return "a namespace's max_value_size is out of bounds";
    if (options->engine != TARN_ENGINE_LOG)
        return NULL;
    if (options->sync < TARN_SYNC_NONE || options->sync > TARN_SYNC_ALWAYS)
        return "a namespace's sync mode is not known";
    if (options->sync_interval_ms < 1 || options->sync_interval_ms > TARN__SYNC_INTERVAL_MS_MAX)
        return "a namespace's sync_interval_ms is out of bounds";
    if (options->segment_bytes < TARN__SEGMENT_BYTES_MIN ||
        options->segment_bytes > TARN__SEGMENT_BYTES_MAX)
        return "a namespace's segment_bytes is out of bounds";
    if (options->compact_bytes < 1 || options->compact_percent < 1 ||
        options->compact_percent > 100)
        return "a namespace's compact_bytes or compact_percent is out of bounds";
    return NULL;
}

static bool engine_known(unsigned engine)
{
    return engine == TARN_ENGINE_MEMORY || engine == TARN_ENGINE_LOG ||
           TARN__PLANTED(TARN__PLANT_UNKNOWN_ENGINE);
}

const char *tarn__namespace_fields_fault(const struct tarn__namespace_fields *fields)
{
    if (!engine_known(fields->options.engine))
        return "a namespace's engine is not known";
    if (tarn__name_fault(fields->name, NULL))
        return "a namespace's name is not valid";
    return options_fault(&fields->options);
}

uint8_t *tarn__namespace_fields_write(uint8_t *to, const struct tarn__namespace_fields *fields)
{
    to = tarn__write_u64(to, fields->number);
    to = tarn__write_u8(to, (uint8_t)fields->options.engine);
    to = tarn__write_u32(to, fields->options.shards);
    to = tarn__write_u32(to, fields->options.lock_timeout_ms);
    to = tarn__write_u64(to, fields->options.max_keys);
    to = tarn__write_u64(to, fields->options.max_value_size);
    to = tarn__write_u64(to, fields->options.max_bytes);
    if (fields->options.engine == TARN_ENGINE_LOG) {
        to = tarn__write_u8(to, (uint8_t)fields->options.sync);
        to = tarn__write_u32(to, fields->options.sync_interval_ms);
        to = tarn__write_u64(to, fields->options.segment_bytes);
        to = tarn__write_u64(to, fields->options.compact_bytes);
        to = tarn__write_u8(to, (uint8_t)fields->options.compact_percent);
    }
    to = tarn__varint_write(to, fields->name.length);
    return tarn__write_bytes(to, fields->name.data, fields->name.length);
}

tarn_status tarn__namespace_fields_read(struct tarn__reader *reader,
                                        const struct tarn__file_block *block, const void *content,
                                        const char *path, struct tarn__namespace_fields *fields)
{
    uint64_t begin = tarn__block_offset_of(block, content, reader->at);
    struct tarn__namespace_fields read = {.options.size = sizeof read.options};
    const char *fault;

    read.number = tarn__read_u64(reader);
    read.options.engine = tarn__read_u8(reader);
    read.options.shards = tarn__read_u32(reader);
    read.options.lock_timeout_ms = tarn__read_u32(reader);
    read.options.max_keys = tarn__read_u64(reader);
    read.options.max_value_size = tarn__read_u64(reader);
    read.options.max_bytes = tarn__read_u64(reader);
    if (read.options.engine == TARN_ENGINE_LOG) {
        read.options.sync = tarn__read_u8(reader);
        read.options.sync_interval_ms = tarn__read_u32(reader);
        read.options.segment_bytes = tarn__read_u64(reader);
        read.options.compact_bytes = tarn__read_u64(reader);
        read.options.compact_percent = tarn__read_u8(reader);
    }
    read.name.length = tarn__read_varint(reader);
    read.name.data = tarn__read_bytes(reader, read.name.length);
    if (reader->failed)
        return tarn__file_corrupt(path, begin, "a namespace's block is too short");
    if (!engine_known(read.options.engine))
        return tarn__file_unsupported(path, begin + ENGINE_AT, "a namespace has an engine");
    fault = tarn__namespace_fields_fault(&read);
    if (fault)
        return tarn__file_corrupt(path, begin, fault);
    *fields = read;
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Autosave settings
 */

static size_t autosave_bytes(const struct tarn__autosave_settings *settings)
{
    return 1 + 8 + 4 + tarn__varint_bytes(settings->pattern_length) + settings->pattern_length;
}

static uint8_t *write_autosave(uint8_t *to, const struct tarn__autosave_settings *settings)
{
    unsigned flags =
        (settings->enabled ? AUTOSAVE_ENABLED : 0) | (settings->at_close ? AUTOSAVE_AT_CLOSE : 0);

    to = tarn__write_u8(to, (uint8_t)flags);
    to = tarn__write_u64(to, settings->interval_ms);
    to = tarn__write_u32(to, settings->keep);
    to = tarn__varint_write(to, settings->pattern_length);
    return tarn__write_bytes(to, settings->pattern, settings->pattern_length);
}

static tarn_status read_autosave(struct tarn__reader *reader, const struct tarn__file_block *block,
                                 const void *content, const char *path,
                                 struct tarn__autosave_settings *settings)
{
    uint64_t begin = tarn__block_offset_of(block, content, reader->at);
    uint8_t flags = tarn__read_u8(reader);
    const uint8_t *pattern;
    uint64_t length;

    memset(settings, 0, sizeof *settings);
    settings->enabled = flags & AUTOSAVE_ENABLED;
    settings->at_close = flags & AUTOSAVE_AT_CLOSE;
    settings->interval_ms = tarn__read_u64(reader);
    settings->keep = tarn__read_u32(reader);
    length = tarn__read_varint(reader);
    pattern = tarn__read_bytes(reader, length);
    if (reader->failed)
        return tarn__file_corrupt(path, begin, "a block is too short for its autosave settings");
    if (flags & ~(AUTOSAVE_ENABLED | AUTOSAVE_AT_CLOSE))
        return tarn__file_unsupported(path, begin, "autosave settings have flags");
    if (length > TARN__PATTERN_BYTES_MAX)
        return tarn__file_corrupt(path, begin, "an autosave's pattern is too long");
    settings->pattern_length = length;
    memcpy(settings->pattern, pattern, length);
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * What holds of a catalog as a whole
 */

static struct tarn_slice name_of(const struct tarn__catalog_namespace *ns)
{
    return tarn_slice_of(ns->name, ns->name_length);
}

static struct tarn__namespace_fields fields_of(const struct tarn__catalog_namespace *ns)
{
    return (struct tarn__namespace_fields){
        .number = ns->number, .options = ns->options, .name = name_of(ns)};
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* Whether two namespaces or folders have one number. */
static tarn_status find_repeated(const struct tarn__catalog *catalog, bool *repeated)
{
    size_t count = 0;
    uint64_t *numbers;

    *repeated = false;
    if (!catalog->count)
        return TARN_OK;
    numbers = tarn__allocate(2 * catalog->count * sizeof numbers[0]);
    if (!numbers)
        return TARN_NO_MEMORY;
    for (size_t i = 0; i < catalog->count; i++) {
        numbers[count++] = catalog->namespaces[i].number;
        if (catalog->namespaces[i].home)
            numbers[count++] = catalog->namespaces[i].home;
    }
    qsort(numbers, count, sizeof numbers[0], compare_numbers);
    for (size_t i = 1; i < count; i++)
        *repeated |= numbers[i - 1] == numbers[i];
    tarn__free(numbers);
    return TARN_OK;
}

/* What is wrong with a catalog whose namespaces are each as they should be, or NULL. */
static tarn_status check_whole(const struct tarn__catalog *catalog, const char **fault)
{
    bool repeated;
    tarn_status status = find_repeated(catalog, &repeated);

    if (status)
        return status;
    *fault = repeated ? "a number is there twice" : NULL;
    if (catalog->sequence > SEQUENCE_MAX)
        *fault = "the sequence is out of bounds";
    for (size_t i = 0; i < catalog->count && !*fault; i++) {
        const struct tarn__catalog_namespace *ns = &catalog->namespaces[i];

        if (ns->number >= catalog->next_number || ns->home >= catalog->next_number)
            *fault = "a namespace's number is not below the next one";
        else if ((ns->home != 0) != (ns->options.engine == TARN_ENGINE_LOG))
            *fault = "a namespace has a folder and needs none, or needs one and has none";
        else if (i > 0 && tarn__name_compare(name_of(ns - 1), name_of(ns)) >= 0)
            *fault = "the names of the namespaces do not rise";
    }
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Encoding
 */

static tarn_status check_for_encoding(const struct tarn__catalog *catalog)
{
    bool patterns = catalog->autosave.pattern_length <= TARN__PATTERN_BYTES_MAX;
    const char *fault = NULL;
    tarn_status status;

    for (size_t i = 0; i < catalog->count && !fault; i++) {
        struct tarn__namespace_fields fields = fields_of(&catalog->namespaces[i]);

        fault = tarn__namespace_fields_fault(&fields);
        patterns &= catalog->namespaces[i].autosave.pattern_length <= TARN__PATTERN_BYTES_MAX;
    }
    if (!fault && !patterns)
        fault = "an autosave's pattern is too long";
    if (!fault) {
        status = check_whole(catalog, &fault);
        if (status)
            return status;
    }
    return fault ? tarn__fail(TARN_INVALID_ARGUMENT, "the catalog cannot be written: %s", fault)
                 : TARN_OK;
}

static size_t encoded_bytes(const struct tarn__catalog *catalog)
{
    size_t bytes = TARN__FILE_HEADER_BYTES + TARN__BLOCK_HEADER_BYTES + STORE_FIXED_BYTES +
                   autosave_bytes(&catalog->autosave) + TARN__BLOCK_HEADER_BYTES +
                   TARN__BLOCK_END_LENGTH;

    for (size_t i = 0; i < catalog->count; i++) {
        const struct tarn__catalog_namespace *ns = &catalog->namespaces[i];

        bytes += TARN__BLOCK_HEADER_BYTES + TARN__NAMESPACE_FIELDS_MAX - TARN_NAME_BYTES_MAX +
                 ns->name_length + autosave_bytes(&ns->autosave) + 8;
    }
    return bytes;
}

static uint8_t *write_store(uint8_t *to, const struct tarn__catalog *catalog)
{
    to = tarn__write_bytes(to, catalog->identity, TARN__IDENTITY_BYTES);
    to = tarn__write_u64(to, catalog->seed);
    to = tarn__write_u64(to, catalog->sequence);
    to = tarn__write_u64(to, catalog->next_number);
    return write_autosave(to, &catalog->autosave);
}

static uint8_t *write_namespace(uint8_t *to, const struct tarn__catalog_namespace *ns)
{
    struct tarn__namespace_fields fields = fields_of(ns);

    to = write_autosave(tarn__namespace_fields_write(to, &fields), &ns->autosave);
    return ns->options.engine == TARN_ENGINE_LOG ? tarn__write_u64(to, ns->home) : to;
}

tarn_status tarn__catalog_encode(const struct tarn__catalog *catalog,
                                 const uint8_t file_identity[TARN__IDENTITY_BYTES],
                                 struct tarn_buf *out)
{
    struct tarn__block_total total = {0};
    uint8_t *begin, *block, *content, *end;
    tarn_status status = check_for_encoding(catalog);

    if (!status)
        status = tarn__buf_reserve(out, encoded_bytes(catalog));
    if (status)
        return status;
    begin = out->data;
    tarn__file_header_write(begin, TARN__FILE_CATALOG, file_identity);
    block = begin + TARN__FILE_HEADER_BYTES;
    content = block + TARN__BLOCK_HEADER_BYTES;
    end = write_store(content, catalog);
    block = tarn__block_seal(block, file_identity, (uint64_t)(block - begin), TARN__CATALOG_STORE,
                             (size_t)(end - content), &total);
    for (size_t i = 0; i < catalog->count; i++) {
        content = block + TARN__BLOCK_HEADER_BYTES;
        end = write_namespace(content, &catalog->namespaces[i]);
        block = tarn__block_seal(block, file_identity, (uint64_t)(block - begin),
                                 TARN__CATALOG_NAMESPACE, (size_t)(end - content), &total);
    }
    block = tarn__block_end_write(block, file_identity, (uint64_t)(block - begin), &total);
    out->length = (size_t)(block - begin);
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Decoding
 */

static tarn_status wrong_order(const struct tarn__file_block *block, const char *path)
{
    if (block->kind == TARN__CATALOG_STORE || block->kind == TARN__CATALOG_NAMESPACE ||
        block->kind == TARN__BLOCK_END)
        return tarn__file_corrupt(path, block->offset, "a block is in a wrong place");
    return tarn__file_unsupported(path, block->offset, "there is a kind of block");
}

/* Verifies all blocks and counts the namespaces. */
static tarn_status count_namespaces(struct tarn__block_walk walk, size_t *count)
{
    struct tarn__file_block block;
    const uint8_t *content;
    size_t blocks = 0;

    for (;; blocks++) {
        tarn_status status = tarn__block_walk_next(&walk, &block, &content);

        if (status)
            return status;
        if (blocks > 0 && block.kind == TARN__BLOCK_END)
            break;
        if (block.kind != (blocks == 0 ? TARN__CATALOG_STORE : TARN__CATALOG_NAMESPACE))
            return wrong_order(&block, walk.path);
    }
    *count = blocks - 1;
    return TARN_OK;
}

static tarn_status read_end(const struct tarn__reader *reader, const struct tarn__file_block *block,
                            const void *content, const char *path)
{
    if (tarn__reader_left(reader) == 0 || TARN__PLANTED(TARN__PLANT_REST_OF_BLOCK))
        return TARN_OK;
    return tarn__file_corrupt(path, tarn__block_offset_of(block, content, reader->at),
                              "a block is longer than what it holds");
}

static tarn_status read_store(const struct tarn__file_block *block, const uint8_t *content,
                              const char *path, struct tarn__catalog *catalog)
{
    struct tarn__reader reader = tarn__reader_of(content, block->length);
    const uint8_t *identity = tarn__read_bytes(&reader, TARN__IDENTITY_BYTES);
    tarn_status status;

    catalog->seed = tarn__read_u64(&reader);
    catalog->sequence = tarn__read_u64(&reader);
    catalog->next_number = tarn__read_u64(&reader);
    if (reader.failed)
        return tarn__file_corrupt(path, block->offset, "the store's block is too short");
    memcpy(catalog->identity, identity, TARN__IDENTITY_BYTES);
    status = read_autosave(&reader, block, content, path, &catalog->autosave);
    return status ? status : read_end(&reader, block, content, path);
}

static tarn_status read_namespace(const struct tarn__file_block *block, const uint8_t *content,
                                  const char *path, struct tarn__catalog_namespace *ns)
{
    struct tarn__reader reader = tarn__reader_of(content, block->length);
    struct tarn__namespace_fields fields = {0};
    tarn_status status = tarn__namespace_fields_read(&reader, block, content, path, &fields);

    if (status)
        return status;
    ns->number = fields.number;
    ns->options = fields.options;
    ns->name_length = fields.name.length;
    memcpy(ns->name, fields.name.data, fields.name.length);
    status = read_autosave(&reader, block, content, path, &ns->autosave);
    if (status)
        return status;
    ns->home = fields.options.engine == TARN_ENGINE_LOG ? tarn__read_u64(&reader) : 0;
    if (reader.failed)
        return tarn__file_corrupt(path, block->offset, "a namespace's block is too short");
    return read_end(&reader, block, content, path);
}

/* The second pass: into a catalog that has room for its namespaces. */
static tarn_status decode_blocks(struct tarn__block_walk walk, struct tarn__catalog *catalog)
{
    struct tarn__file_block block;
    const uint8_t *content;
    const char *fault;
    tarn_status status = tarn__block_walk_next(&walk, &block, &content);

    if (!status)
        status = read_store(&block, content, walk.path, catalog);
    for (size_t i = 0; i < catalog->count && !status; i++) {
        status = tarn__block_walk_next(&walk, &block, &content);
        if (!status)
            status = read_namespace(&block, content, walk.path, &catalog->namespaces[i]);
    }
    if (!status)
        status = check_whole(catalog, &fault);
    if (!status && fault)
        status = tarn__file_corrupt(walk.path, TARN__FILE_HEADER_BYTES, fault);
    return status;
}

tarn_status tarn__catalog_decode(const void *bytes, size_t length, const char *path,
                                 struct tarn__catalog *out)
{
    struct tarn__catalog catalog = {0};
    struct tarn__block_walk walk;
    tarn_status status = tarn__block_walk_begin(&walk, bytes, length, TARN__FILE_CATALOG, path);

    if (!status)
        status = count_namespaces(walk, &catalog.count);
    if (status)
        return status;
    if (catalog.count > 0) {
        catalog.namespaces = tarn__allocate_zeroed(catalog.count * sizeof catalog.namespaces[0]);
        if (!catalog.namespaces)
            return TARN_NO_MEMORY;
    }
    status = decode_blocks(walk, &catalog);
    if (status)
        tarn__catalog_release(&catalog);
    else
        *out = catalog;
    return status;
}

/* Its header, fields with a name of 1 byte, autosave settings without a pattern. */
#define NAMESPACE_BLOCK_BYTES_MIN 73

/* Takes what a whole block says. One that does not fit to those before is left out. */
static void take_block(struct tarn__catalog *catalog, const struct tarn__file_block *block,
                       const uint8_t *content, bool *has_store)
{
    struct tarn__catalog store = {0};
    struct tarn__catalog_namespace *ns = &catalog->namespaces[catalog->count];

    if (block->kind == TARN__CATALOG_STORE && !read_store(block, content, "", &store)) {
        store.namespaces = catalog->namespaces;
        store.count = catalog->count;
        *catalog = store;
        *has_store = true;
    }
    if (block->kind != TARN__CATALOG_NAMESPACE || read_namespace(block, content, "", ns))
        return;
    if (catalog->count == 0 || tarn__name_compare(name_of(ns - 1), name_of(ns)) < 0)
        catalog->count++;
}

tarn_status tarn__catalog_decode_rest(const void *bytes, size_t length, bool *has_store,
                                      struct tarn__catalog *out)
{
    uint64_t offset = TARN__FILE_HEADER_BYTES;
    uint8_t identity[TARN__IDENTITY_BYTES];
    struct tarn__catalog catalog = {0};
    struct tarn__file_block block;

    *has_store = false;
    *out = catalog;
    if (length < TARN__FILE_HEADER_BYTES)
        return TARN_OK;
    catalog.namespaces = tarn__allocate_zeroed((length / NAMESPACE_BLOCK_BYTES_MIN + 1) *
                                               sizeof catalog.namespaces[0]);
    if (!catalog.namespaces)
        return TARN_NO_MEMORY;
    tarn__file_identity_guess(bytes, identity);
    while (length - offset > TARN__BLOCK_HEADER_BYTES) {
        const uint8_t *at = (const uint8_t *)bytes + offset;

        if (tarn__block_header_read(at, length - offset, identity, offset, length, "", &block) ||
            tarn__block_verify(&block, at + TARN__BLOCK_HEADER_BYTES, "")) {
            offset++;
            continue;
        }
        take_block(&catalog, &block, at + TARN__BLOCK_HEADER_BYTES, has_store);
        offset += TARN__BLOCK_HEADER_BYTES + block.length;
    }
    *out = catalog;
    return TARN_OK;
}

void tarn__catalog_release(struct tarn__catalog *catalog)
{
    if (!catalog)
        return;
    tarn__free(catalog->namespaces);
    memset(catalog, 0, sizeof *catalog);
}
