/*
 * Files whose checksums are right, and in which one field is not as it may be. Their errors are
 * those of docs/format-files.md: TARN_UNSUPPORTED_VERSION for what a newer version may have
 * written, TARN_CORRUPT for what breaks a rule. The files are put together by format_samples.h.
 */
#include "crash/mutated.h"
#include "support/format_samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Places in contents, as docs/format-catalog.md and docs/format-snapshot.md have them. */
enum { STORE_SEQUENCE = 24, STORE_NEXT_NUMBER = 32, STORE_AUTOSAVE = 40 };
enum { NS_NUMBER = 0, NS_ENGINE = 8, NS_SHARDS = 9, NS_TIMEOUT = 13, NS_MAX_VALUE_SIZE = 25 };
enum { NS_NAME_LENGTH = 41, NS_NAME = 42 };
enum { AUTOSAVE_FLAGS = 0, AUTOSAVE_PATTERN = 13 };
enum { HEAD_SCOPE = 0, HEAD_SEQUENCE = 17, HEAD_NAMESPACES = 33 };
enum { RECORD_SEQUENCE = 0, RECORD_CONTENT = 1, RECORD_FLAGS = 2, RECORD_KEY_LENGTH = 3 };
enum { END_KEYS = 0, END_BYTES = 8 };

/* Numbers that have been the end of many a reader. */
static const uint64_t large[] = {(uint64_t)1 << 31, (uint64_t)1 << 32, UINT64_MAX};
#define LARGE_COUNT (sizeof large / sizeof large[0])

/* A block that is to be changed, and in which file. */
struct place {
    struct mutated *run;
    unsigned file;
    size_t block;   /* its number */
    size_t content; /* where its content begins in the file */
    size_t length;  /* of the content */
    const uint8_t *bytes;
    unsigned kind;
};

static struct tarn_slice original_of(const struct mutated *run, unsigned file)
{
    return tarn_slice_of(run->saved.files[file].bytes, run->saved.files[file].length);
}

static struct place place_of(struct mutated *run, unsigned file, size_t block)
{
    const struct saved_original *original = &run->saved.files[file];
    size_t at = original->blocks[block];

    return (struct place){.run = run,
                          .file = file,
                          .block = block,
                          .content = at + TARN__BLOCK_HEADER_BYTES,
                          .length = original->blocks[block + 1] - at - TARN__BLOCK_HEADER_BYTES,
                          .bytes = original->bytes + at + TARN__BLOCK_HEADER_BYTES,
                          .kind = original->bytes[at + 4]};
}

/* Tries what was put together, and releases it. */
static bool try_file(const struct place *place, struct file_builder *file, struct mutant_made made,
                     const char *what)
{
    char words[160];

    snprintf(words, sizeof words, "made anew: in block %zu, of kind %u, %s", place->block,
             place->kind, what);
    mutant_replace(&place->run->mutant, place->file, file->bytes, file->length, words);
    place->run->mutant.made = made;
    file_release(file);
    return mutated_try(place->run);
}

static bool try_bytes(const struct place *place, struct mutant_made made, size_t at, size_t removed,
                      const void *bytes, size_t length, const char *what)
{
    struct file_builder file;

    file_replaced(&file, original_of(place->run, place->file), place->content + at, removed, bytes,
                  length);
    return try_file(place, &file, made, what);
}

static bool try_number(const struct place *place, tarn_status status, size_t at, size_t width,
                       uint64_t number)
{
    /* A head that says another cut, or other counts, is one that can be read. */
    struct mutant_made made = {.status = status,
                               .other_head = place->file >= SAVED_OLD &&
                                             place->kind == TARN__SNAPSHOT_HEAD &&
                                             at != HEAD_SCOPE};
    uint8_t bytes[8];
    char what[80];

    snprintf(what, sizeof what, "%llu at place %zu", (unsigned long long)number, at);
    tarn__write_u64(bytes, number);
    return try_bytes(place, made, at, width, bytes, width, what);
}

/* The large ones that the field has room for, and its largest. */
static bool try_large(const struct place *place, size_t at, size_t width)
{
    uint64_t largest = width == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * width) - 1;
    bool right = try_number(place, TARN_CORRUPT, at, width, largest);

    for (size_t i = 0; i < LARGE_COUNT && right; i++)
        right = large[i] >= largest || try_number(place, TARN_CORRUPT, at, width, large[i]);
    return right;
}

/* A length that is too large, or not written as short as it can be. */
static bool try_varint(const struct place *place, size_t at)
{
    const struct mutant_made corrupt = {.status = TARN_CORRUPT};
    size_t width = place->bytes[at] < 0x80 ? 1 : 2;
    uint8_t bytes[11];
    bool right = true;

    for (size_t i = 0; i < LARGE_COUNT && right; i++) {
        size_t length = (size_t)(tarn__varint_write(bytes, large[i]) - bytes);

        right = try_bytes(place, corrupt, at, width, bytes, length, "a large number");
    }
    memset(bytes, 0xff, sizeof bytes);
    right = right && try_bytes(place, corrupt, at, width, bytes, 11, "a number without an end");
    bytes[9] = 2; /* the 65th bit */
    right = right && try_bytes(place, corrupt, at, width, bytes, 10, "a number of 65 bits");
    memcpy(bytes, place->bytes + at, width);
    bytes[width - 1] |= 0x80;
    bytes[width] = 0;
    return right && try_bytes(place, corrupt, at, width, bytes, width + 1, "an overlong number");
}

/* ------------------------------------------------------------------------------------------
 * Fields
 */

static bool try_autosave(const struct place *place, size_t at)
{
    return try_number(place, TARN_UNSUPPORTED_VERSION, at + AUTOSAVE_FLAGS, 1, 4) &&
           try_number(place, TARN_UNSUPPORTED_VERSION, at + AUTOSAVE_FLAGS, 1, 0x80) &&
           try_varint(place, at + AUTOSAVE_PATTERN);
}

static bool try_store(const struct place *place)
{
    return try_number(place, TARN_CORRUPT, STORE_SEQUENCE, 8, (uint64_t)1 << 56) &&
           try_number(place, TARN_CORRUPT, STORE_SEQUENCE, 8, UINT64_MAX) &&
           try_number(place, TARN_CORRUPT, STORE_NEXT_NUMBER, 8, 0) &&
           try_number(place, TARN_CORRUPT, STORE_NEXT_NUMBER, 8, 1) &&
           try_autosave(place, STORE_AUTOSAVE);
}

/* Of a catalog or of a snapshot. */
static bool try_namespace(const struct place *place)
{
    static const uint8_t engines[] = {0, 2, 4, 255}, letters[] = {0, 0x1f, 0x7f, 0x80, 0xff};
    const struct mutant_made corrupt = {.status = TARN_CORRUPT};
    size_t name_length = place->bytes[NS_NAME_LENGTH];
    bool right = try_number(place, TARN_CORRUPT, NS_SHARDS, 4, 0) &&
                 try_number(place, TARN_CORRUPT, NS_SHARDS, 4, TARN_SHARDS_MAX + 1) &&
                 try_large(place, NS_SHARDS, 4) &&
                 try_number(place, TARN_CORRUPT, NS_TIMEOUT, 4, 0) &&
                 try_number(place, TARN_CORRUPT, NS_MAX_VALUE_SIZE, 8, 0) &&
                 try_number(place, TARN_CORRUPT, NS_MAX_VALUE_SIZE, 8, TARN_VALUE_BYTES_MAX + 1) &&
                 try_large(place, NS_MAX_VALUE_SIZE, 8) && try_varint(place, NS_NAME_LENGTH);

    for (size_t i = 0; i < sizeof engines && right; i++)
        right = try_number(place, TARN_UNSUPPORTED_VERSION, NS_ENGINE, 1, engines[i]);
    for (size_t i = 0; i < sizeof letters && right; i++)
        right = try_number(place, TARN_CORRUPT, NS_NAME, 1, letters[i]);
    right = right && try_bytes(place, corrupt, NS_NAME_LENGTH, 1 + name_length, "", 1, "no name");
    if (place->file != SAVED_CATALOG)
        return right;
    return right && try_large(place, NS_NUMBER, 8) &&
           try_number(place, TARN_CORRUPT, NS_NUMBER, 8, 1 + place->bytes[NS_NUMBER] % 3) &&
           try_autosave(place, NS_NAME + name_length);
}

static bool try_head(const struct place *place)
{
    uint32_t namespaces = place->bytes[HEAD_NAMESPACES];

    return try_number(place, TARN_UNSUPPORTED_VERSION, HEAD_SCOPE, 1, 0) &&
           try_number(place, TARN_UNSUPPORTED_VERSION, HEAD_SCOPE, 1, 3) &&
           try_number(place, TARN_UNSUPPORTED_VERSION, HEAD_SCOPE, 1, 255) &&
           try_number(place, TARN_CORRUPT, HEAD_SEQUENCE, 8, 0) &&
           try_number(place, TARN_CORRUPT, HEAD_SEQUENCE, 8, 1) &&
           try_number(place, TARN_CORRUPT, HEAD_SEQUENCE, 8, (uint64_t)1 << 56) &&
           try_number(place, TARN_CORRUPT, HEAD_SEQUENCE, 8, UINT64_MAX) &&
           try_number(place, TARN_CORRUPT, HEAD_NAMESPACES, 4, 0) &&
           try_number(place, TARN_CORRUPT, HEAD_NAMESPACES, 4, namespaces + 1) &&
           try_large(place, HEAD_NAMESPACES, 4);
}

/* The first record of the block. Small numbers have one byte, and the cut is below 127. */
static bool try_records(const struct place *place)
{
    size_t value_length = RECORD_KEY_LENGTH + 1; /* the place of it */
    const struct mutant_made corrupt = {.status = TARN_CORRUPT};
    uint8_t bytes[10];
    size_t length = (size_t)(tarn__varint_write(bytes, TARN_KEY_BYTES_MAX + 1) - bytes);
    bool right = try_number(place, TARN_CORRUPT, RECORD_SEQUENCE, 1, 0) &&
                 try_number(place, TARN_CORRUPT, RECORD_SEQUENCE, 1, 127) &&
                 try_number(place, TARN_UNSUPPORTED_VERSION, RECORD_CONTENT, 1, 2) &&
                 try_number(place, TARN_UNSUPPORTED_VERSION, RECORD_CONTENT, 1, 255) &&
                 try_number(place, TARN_UNSUPPORTED_VERSION, RECORD_FLAGS, 1, 1) &&
                 try_number(place, TARN_UNSUPPORTED_VERSION, RECORD_FLAGS, 1, 0x80) &&
                 try_number(place, TARN_CORRUPT, RECORD_KEY_LENGTH, 1, 0) &&
                 try_bytes(place, corrupt, RECORD_KEY_LENGTH, 1, bytes, length, "a long key") &&
                 try_varint(place, RECORD_SEQUENCE) && try_varint(place, RECORD_KEY_LENGTH) &&
                 try_varint(place, value_length);

    if (place->bytes[value_length] != 8)
        right = right && try_number(place, TARN_CORRUPT, RECORD_CONTENT, 1, TARN_CONTENT_COUNTER);
    length = (size_t)(tarn__varint_write(bytes, TARN_VALUE_BYTES_MAX + 1) - bytes);
    return right &&
           try_bytes(place, corrupt, value_length, place->bytes[value_length] < 0x80 ? 1 : 2, bytes,
                     length, "a large value");
}

static bool try_namespace_end(const struct place *place)
{
    return try_number(place, TARN_CORRUPT, END_KEYS, 8, 0) &&
           try_number(place, TARN_CORRUPT, END_KEYS, 8, place->bytes[END_KEYS] + 1u) &&
           try_large(place, END_KEYS, 8) && try_number(place, TARN_CORRUPT, END_BYTES, 8, 0) &&
           try_number(place, TARN_CORRUPT, END_BYTES, 8, place->bytes[END_BYTES] + 1u) &&
           try_large(place, END_BYTES, 8);
}

static bool is_of_last_namespace(const struct place *place)
{
    for (size_t i = place->block; i < place->run->saved.files[place->file].block_count; i++)
        if (place_of(place->run, place->file, i).kind == TARN__SNAPSHOT_NAMESPACE)
            return false;
    return true;
}

/* A key of the block before, so that it is there twice: only who loads it can tell. An opening
 * loads the last namespace alone of the snapshot that has so many blocks. */
static bool try_key_twice(const struct place *place)
{
    const struct place before = place_of(place->run, place->file, place->block - 1);
    const struct mutant_made made = {.status = TARN_CORRUPT, .verifies = true};
    size_t length = place->bytes[RECORD_KEY_LENGTH];
    size_t key = RECORD_KEY_LENGTH + (place->bytes[RECORD_KEY_LENGTH + 1] < 0x80 ? 2 : 3);
    size_t of_before = RECORD_KEY_LENGTH + (before.bytes[RECORD_KEY_LENGTH + 1] < 0x80 ? 2 : 3);

    if (before.kind != TARN__SNAPSHOT_RECORDS || before.bytes[RECORD_KEY_LENGTH] != length ||
        !is_of_last_namespace(place))
        return true;
    return try_bytes(place, made, key, length, before.bytes + of_before, length, "a key again");
}

static bool try_fields(const struct place *place)
{
    if (place->file == SAVED_CATALOG)
        return place->kind == TARN__CATALOG_STORE ? try_store(place) : try_namespace(place);
    switch (place->kind) {
    case TARN__SNAPSHOT_HEAD:
        return try_head(place);
    case TARN__SNAPSHOT_NAMESPACE:
        return try_namespace(place);
    case TARN__SNAPSHOT_RECORDS:
        return try_records(place) && try_key_twice(place);
    default:
        return try_namespace_end(place);
    }
}

/* ------------------------------------------------------------------------------------------
 * Blocks
 */

/* Puts another block in the place of this one. For the end block, the last that is written; then a
 * snapshot is refused for its end or, where that may pass for one, for what comes before. */
static bool try_block(const struct place *place, tarn_status status, unsigned kind,
                      const void *content, size_t length, const char *what)
{
    const struct saved_original *original = &place->run->saved.files[place->file];
    bool is_end = place->block + 1 == original->block_count;
    struct mutant_made made = {.status = status, .unknown = is_end && place->file >= SAVED_OLD};
    struct file_builder file;

    file_begin(&file, original->bytes[8], original->bytes + 16);
    for (size_t i = 0; i + 1 < original->block_count; i++) {
        struct place copied = place_of(place->run, place->file, i);

        if (i == place->block)
            file_block(&file, kind, content, length);
        else
            file_block(&file, copied.kind, copied.bytes, copied.length);
    }
    if (is_end)
        file_block(&file, kind, content, length);
    else
        file_end(&file);
    return try_file(place, &file, made, what);
}

/* Kinds that there are not, and contents that are too short or too long. */
static bool try_shapes(const struct place *place)
{
    static const uint8_t kinds[] = {0, 5, 100, 254};
    uint8_t *content = malloc(place->length + 1);
    bool right = true;

    expect_that(content != NULL);
    tarn__write_bytes(content, place->bytes, place->length);
    content[place->length] = 0;
    for (size_t i = 0; i < sizeof kinds && right; i++)
        right = try_block(place, TARN_UNSUPPORTED_VERSION, kinds[i], content, place->length,
                          "a kind that is not known") &&
                try_block(place, TARN_UNSUPPORTED_VERSION, kinds[i], content, 0,
                          "a kind that is not known, without content");
    right = right && try_block(place, TARN_CORRUPT, place->kind, content, 0, "no content") &&
            try_block(place, TARN_CORRUPT, place->kind, content, place->length - 1,
                      "the last byte missing") &&
            try_block(place, TARN_CORRUPT, place->kind, content, place->length + 1,
                      "a zero behind its content");
    free(content);
    return right;
}

static bool try_end(const struct place *place)
{
    struct tarn__reader reader = tarn__reader_of(place->bytes, place->length);
    uint64_t blocks = tarn__read_u64(&reader), total = tarn__read_u64(&reader);
    const uint64_t counts[] = {0, blocks - 1, blocks + 1, large[0], large[1], large[2]};
    const uint64_t totals[] = {0, total ^ 1, total ^ (uint64_t)1 << 63};
    uint8_t content[TARN__BLOCK_END_LENGTH];
    bool right = true;

    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && right; i++) {
        tarn__write_u64(tarn__write_u64(content, counts[i]), total);
        right = try_block(place, TARN_CORRUPT, TARN__BLOCK_END, content, sizeof content,
                          "another count of blocks");
    }
    for (size_t i = 0; i < sizeof totals / sizeof totals[0] && right; i++) {
        tarn__write_u64(tarn__write_u64(content, blocks), totals[i]);
        right = try_block(place, TARN_CORRUPT, TARN__BLOCK_END, content, sizeof content,
                          "another total");
    }
    return right;
}

/* A block left out, or there twice. A catalog with one namespace less is valid. */
static bool try_orders(const struct place *place)
{
    int blocks[SAVED_BLOCKS_MAX], last = (int)place->run->saved.files[place->file].block_count - 1;
    const struct mutant_made corrupt = {.status = TARN_CORRUPT};
    struct file_builder file;
    size_t count = 0;
    bool right = true;

    for (int i = 0; i < last; i++)
        if (i != (int)place->block)
            blocks[count++] = i;
    if (place->file != SAVED_CATALOG || place->kind == TARN__CATALOG_STORE) {
        file_reordered(&file, original_of(place->run, place->file), blocks, count);
        right = try_file(place, &file, corrupt, "left out");
    }
    count = 0;
    for (int i = 0; i < last; i++) {
        blocks[count++] = i;
        if (i == (int)place->block)
            blocks[count++] = i;
    }
    file_reordered(&file, original_of(place->run, place->file), blocks, count);
    return right && try_file(place, &file, corrupt, "twice");
}

/* Namespaces whose names do not rise. */
static bool try_names_falling(struct mutated *run)
{
    static const int catalog[] = {0, 2, 1, 3}, old[] = {0, 4, 5, 6, 1, 2, 3};
    const struct mutant_made corrupt = {.status = TARN_CORRUPT};
    struct place in_catalog = place_of(run, SAVED_CATALOG, 1), in_old = place_of(run, SAVED_OLD, 1);
    struct file_builder file;
    bool right;

    file_reordered(&file, original_of(run, SAVED_CATALOG), catalog, 4);
    right = try_file(&in_catalog, &file, corrupt, "a namespace behind the next");
    expect_number(8, run->saved.files[SAVED_OLD].block_count);
    file_reordered(&file, original_of(run, SAVED_OLD), old, 7);
    return right && try_file(&in_old, &file, corrupt, "a namespace behind the next");
}

/* ------------------------------------------------------------------------------------------
 * Headers of files
 */

static bool try_header(struct mutated *run, unsigned file, tarn_status status, size_t at,
                       size_t width, uint64_t number)
{
    uint8_t header[TARN__FILE_HEADER_BYTES], bytes[8];

    memcpy(header, run->saved.files[file].bytes, sizeof header);
    tarn__write_u64(bytes, number);
    memcpy(header + at, bytes, width);
    file_header_seal(header);
    mutant_overwrite(&run->mutant, file, 0, header, sizeof header, "a header with its checksum");
    mutant_say(&run->mutant, "%llu at %zu in it", (unsigned long long)number, at);
    run->mutant.made.status = status;
    return mutated_try(run);
}

static bool try_headers(struct mutated *run, unsigned file)
{
    static const uint64_t versions[] = {2, 255, 256, 65535}, flags[] = {1, 1u << 31, UINT32_MAX};
    uint64_t other = file == SAVED_CATALOG ? TARN__FILE_SNAPSHOT : TARN__FILE_CATALOG;
    bool right = try_header(run, file, TARN_CORRUPT, 10, 2, 0);

    for (size_t i = 0; i < sizeof versions / sizeof versions[0] && right; i++)
        right = try_header(run, file, TARN_UNSUPPORTED_VERSION, 10, 2, versions[i]);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && right; i++)
        right = try_header(run, file, TARN_UNSUPPORTED_VERSION, 12, 4, flags[i]);
    return right && try_header(run, file, TARN_CORRUPT, 8, 2, other) &&
           try_header(run, file, TARN_CORRUPT, 8, 2, 0) &&
           try_header(run, file, TARN_CORRUPT, 8, 2, 3) &&
           try_header(run, file, TARN_CORRUPT, 8, 2, 65535);
}

bool mutated_try_made(struct mutated *run)
{
    bool right = true;

    mutated_share_begins(run, "right checksums over what must not be accepted", true);
    for (unsigned file = SAVED_CATALOG; file < SAVED_FILES && right; file++) {
        size_t count = run->saved.files[file].block_count;

        right = try_headers(run, file);
        for (size_t block = 0; block + 1 < count && right; block++) {
            struct place place = place_of(run, file, block);

            right = try_fields(&place) && try_shapes(&place) && try_orders(&place);
        }
        if (right) {
            struct place end = place_of(run, file, count - 1);

            right = try_end(&end) && try_shapes(&end);
        }
    }
    return right && try_names_falling(run);
}

/* ------------------------------------------------------------------------------------------
 * At random
 */

/* Of the catalog's blocks what comes before the autosave settings: an autosave that runs would
 * write. */
static size_t changeable(const struct place *place)
{
    if (place->file != SAVED_CATALOG)
        return place->length;
    return place->kind == TARN__CATALOG_STORE ? STORE_AUTOSAVE
                                              : NS_NAME + place->bytes[NS_NAME_LENGTH];
}

bool mutated_try_random_made(struct mutated *run, uint64_t count)
{
    bool right = true;

    mutated_share_begins(run, "right checksums over fields at random", false);
    for (uint64_t i = 0; i < count && right; i++) {
        unsigned file = SAVED_CATALOG + (unsigned)random_below(&run->random, 5);
        size_t blocks = run->saved.files[file].block_count - 1;
        struct place place = place_of(run, file, random_below(&run->random, blocks));
        size_t at = random_below(&run->random, changeable(&place));
        size_t width = 1 + random_below(&run->random, 8);
        uint64_t drawn = random_below(&run->random, LARGE_COUNT + 3);
        uint8_t bytes[8];

        if (width > changeable(&place) - at)
            width = changeable(&place) - at;
        tarn__write_u64(bytes, drawn < LARGE_COUNT ? large[drawn] : random_next(&run->random));
        right = try_bytes(&place, (struct mutant_made){.unknown = true}, at, width, bytes, width,
                          "something else");
    }
    return right;
}
