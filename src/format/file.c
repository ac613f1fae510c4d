/* Headers, blocks and end blocks of files: see file.h, and docs/format-files.md for the bytes. */
#include "format/file.h"
#include "base/plant.h"
#include "base/status.h"

#include <inttypes.h>

/* Not a text file, and not one that a transfer has taken for text: carriage return and line feed
 * would have changed. */
static const uint8_t magic[8] = {'t', 'a', 'r', 'n', '\r', '\n', 0x1a, '\n'};

#define VERSION 1

/* Places in the header of a file, and in that of a block. */
enum { KIND_AT = 8, VERSION_AT = 10, FLAGS_AT = 12, IDENTITY_AT = 16, CHECKSUM_AT = 32 };
enum { BLOCK_LENGTH_AT = 0, BLOCK_ZEROS_AT = 5, BLOCK_CHECKSUM_AT = 8, BLOCK_BOUND_BYTES = 8 };

tarn_status tarn__file_corrupt(const char *path, uint64_t offset, const char *what)
{
    return tarn__fail_at(TARN_CORRUPT, offset, "%s, at offset %" PRIu64 " of '%s'", what, offset,
                         path);
}

tarn_status tarn__file_unsupported(const char *path, uint64_t offset, const char *what)
{
    return tarn__fail_at(TARN_UNSUPPORTED_VERSION, offset,
                         "%s that this version does not know, at offset %" PRIu64 " of '%s'", what,
                         offset, path);
}

/* ------------------------------------------------------------------------------------------
 * Header of a file
 */

void tarn__file_header_write(uint8_t bytes[TARN__FILE_HEADER_BYTES], enum tarn__file_kind kind,
                             const uint8_t identity[TARN__IDENTITY_BYTES])
{
    uint8_t *at = tarn__write_bytes(bytes, magic, sizeof magic);

    at = tarn__write_u16(at, (uint16_t)kind);
    at = tarn__write_u16(at, VERSION);
    at = tarn__write_u32(at, 0);
    at = tarn__write_bytes(at, identity, TARN__IDENTITY_BYTES);
    tarn__write_u64(at, XXH3_64bits(bytes, CHECKSUM_AT));
}

tarn_status tarn__file_header_read(const void *bytes, size_t length, enum tarn__file_kind kind,
                                   const char *path, uint8_t *identity)
{
    struct tarn__reader reader = tarn__reader_of(bytes, length);
    uint16_t kind_there, version;
    uint32_t flags;
    const uint8_t *identity_there;

    if (length < TARN__FILE_HEADER_BYTES)
        return tarn__file_corrupt(path, length, "the file ends within its header");
    if (memcmp(tarn__read_bytes(&reader, sizeof magic), magic, sizeof magic) != 0)
        return tarn__file_corrupt(path, 0, "this is not a file of a store");
    kind_there = tarn__read_u16(&reader);
    version = tarn__read_u16(&reader);
    flags = tarn__read_u32(&reader);
    identity_there = tarn__read_bytes(&reader, TARN__IDENTITY_BYTES);
    if (tarn__read_u64(&reader) != XXH3_64bits(bytes, CHECKSUM_AT) &&
        !TARN__PLANTED(TARN__PLANT_HEADER_CHECKSUM))
        return tarn__file_corrupt(path, CHECKSUM_AT, "the checksum of the file's header is wrong");
    if (kind_there != kind)
        return tarn__file_corrupt(path, KIND_AT, "the file is of another kind");
    if (version < VERSION)
        return tarn__file_corrupt(path, VERSION_AT, "there is no such version");
    if (version > VERSION && !TARN__PLANTED(TARN__PLANT_NEWER_VERSION))
        return tarn__file_unsupported(path, VERSION_AT, "the file has a version");
    if (flags != 0 && !TARN__PLANTED(TARN__PLANT_UNKNOWN_FLAGS))
        return tarn__file_unsupported(path, FLAGS_AT, "the file has flags");
    memcpy(identity, identity_there, TARN__IDENTITY_BYTES);
    return TARN_OK;
}

void tarn__file_identity_guess(const uint8_t bytes[TARN__FILE_HEADER_BYTES],
                               uint8_t identity[TARN__IDENTITY_BYTES])
{
    memcpy(identity, bytes + IDENTITY_AT, TARN__IDENTITY_BYTES);
}

/* ------------------------------------------------------------------------------------------
 * Checksums
 */

void tarn__checksum_begin(struct tarn__checksum *checksum, uint64_t seed)
{
    /* Without this the library reads the seed that was there before. */
    XXH3_INITSTATE(&checksum->state);
    (void)XXH3_64bits_reset_withSeed(&checksum->state, seed); /* fails for NULL alone */
}

void tarn__checksum_add(struct tarn__checksum *checksum, const void *bytes, size_t length)
{
    if (length)
        (void)XXH3_64bits_update(&checksum->state, bytes, length); /* fails for NULL alone */
}

uint64_t tarn__checksum_end(const struct tarn__checksum *checksum)
{
    return XXH3_64bits_digest(&checksum->state);
}

/* The first bytes of a block's header, to which its checksum is bound. */
static uint8_t *write_bound(uint8_t *to, uint8_t kind, size_t length)
{
    to = tarn__write_u32(to, (uint32_t)length);
    to = tarn__write_u8(to, kind);
    return tarn__write_bytes(to, (const uint8_t[3]){0}, 3);
}

uint64_t tarn__block_seed(const uint8_t identity[TARN__IDENTITY_BYTES], uint64_t offset,
                          uint8_t kind, size_t length)
{
    uint8_t place[TARN__IDENTITY_BYTES + 8 + BLOCK_BOUND_BYTES];
    uint8_t *at = tarn__write_bytes(place, identity, TARN__IDENTITY_BYTES);

    if (TARN__PLANTED(TARN__PLANT_FILE_NOT_BOUND))
        memset(place, 0, TARN__IDENTITY_BYTES);
    at = tarn__write_u64(at, TARN__PLANTED(TARN__PLANT_PLACE_NOT_BOUND) ? 0 : offset);
    write_bound(at, kind, length);
    return XXH3_64bits(place, sizeof place);
}

void tarn__block_total_add(struct tarn__block_total *total, uint64_t checksum)
{
    uint8_t bytes[16];

    tarn__write_u64(tarn__write_u64(bytes, total->total), checksum);
    total->total = XXH3_64bits(bytes, sizeof bytes);
    total->blocks++;
}

/* ------------------------------------------------------------------------------------------
 * Writing blocks
 */

void tarn__block_header_write(uint8_t bytes[TARN__BLOCK_HEADER_BYTES], uint8_t kind, size_t length,
                              uint64_t checksum)
{
    tarn__write_u64(write_bound(bytes, kind, length), checksum);
}

uint8_t *tarn__block_seal(uint8_t *header, const uint8_t identity[TARN__IDENTITY_BYTES],
                          uint64_t offset, uint8_t kind, size_t length,
                          struct tarn__block_total *total)
{
    uint8_t *content = header + TARN__BLOCK_HEADER_BYTES;
    uint64_t seed = tarn__block_seed(identity, offset, kind, length);
    uint64_t checksum = XXH3_64bits_withSeed(content, length, seed);

    tarn__block_header_write(header, kind, length, checksum);
    tarn__block_total_add(total, checksum);
    return content + length;
}

uint8_t *tarn__block_end_write(uint8_t *to, const uint8_t identity[TARN__IDENTITY_BYTES],
                               uint64_t offset, const struct tarn__block_total *total)
{
    struct tarn__block_total with_this = *total;
    uint8_t *content = to + TARN__BLOCK_HEADER_BYTES;

    tarn__write_u64(tarn__write_u64(content, total->blocks), total->total);
    return tarn__block_seal(to, identity, offset, TARN__BLOCK_END, TARN__BLOCK_END_LENGTH,
                            &with_this);
}

/* ------------------------------------------------------------------------------------------
 * Reading blocks
 */

tarn_status tarn__block_header_read(const void *bytes, size_t available,
                                    const uint8_t identity[TARN__IDENTITY_BYTES], uint64_t offset,
                                    uint64_t file_length, const char *path,
                                    struct tarn__file_block *block)
{
    struct tarn__reader reader = tarn__reader_of(bytes, available);
    struct tarn__file_block read = {.offset = offset};
    const uint8_t *zeros;

    read.length = tarn__read_u32(&reader);
    read.kind = tarn__read_u8(&reader);
    zeros = tarn__read_bytes(&reader, 3);
    read.checksum = tarn__read_u64(&reader);
    if (reader.failed || offset > file_length || file_length - offset < TARN__BLOCK_HEADER_BYTES)
        return tarn__file_corrupt(path, offset, "the file ends where a block was to begin");
    if (zeros[0] | zeros[1] | zeros[2])
        return tarn__file_corrupt(path, offset + BLOCK_ZEROS_AT, "a block's header is wrong");
    if ((read.length > TARN__BLOCK_LENGTH_MAX ||
         read.length > file_length - offset - TARN__BLOCK_HEADER_BYTES) &&
        !(TARN__PLANTED(TARN__PLANT_LENGTH_BELIEVED) && available == TARN__BLOCK_HEADER_BYTES))
        return tarn__file_corrupt(path, offset + BLOCK_LENGTH_AT,
                                  "a block is longer than the file");
    read.seed = tarn__block_seed(identity, offset, read.kind, read.length);
    *block = read;
    return TARN_OK;
}

tarn_status tarn__block_verify_checksum(const struct tarn__file_block *block, uint64_t checksum,
                                        const char *path)
{
    if (checksum == block->checksum || TARN__PLANTED(TARN__PLANT_BLOCK_CHECKSUM))
        return TARN_OK;
    return tarn__file_corrupt(path, block->offset + BLOCK_CHECKSUM_AT,
                              "the checksum of a block is wrong");
}

tarn_status tarn__block_verify(const struct tarn__file_block *block, const void *content,
                               const char *path)
{
    return tarn__block_verify_checksum(
        block, XXH3_64bits_withSeed(content, block->length, block->seed), path);
}

tarn_status tarn__block_end_verify(const struct tarn__file_block *block, const void *content,
                                   const struct tarn__block_total *total, uint64_t file_length,
                                   const char *path)
{
    struct tarn__reader reader = tarn__reader_of(content, block->length);
    uint64_t content_at = block->offset + TARN__BLOCK_HEADER_BYTES;
    struct tarn__block_total there;

    there.blocks = tarn__read_u64(&reader);
    there.total = tarn__read_u64(&reader);
    if (TARN__PLANTED(TARN__PLANT_TOTAL))
        there.total = total->total;
    if (TARN__PLANTED(TARN__PLANT_BLOCKS_COUNTED))
        there.blocks = total->blocks;
    if (reader.failed || tarn__reader_left(&reader) != 0)
        return tarn__file_corrupt(path, block->offset, "the end block has a wrong length");
    if (!tarn__block_total_equal(&there, total))
        return tarn__file_corrupt(path, content_at, "the end block tells of other blocks");
    if (content_at + TARN__BLOCK_END_LENGTH != file_length &&
        !TARN__PLANTED(TARN__PLANT_BYTES_BEHIND_END))
        return tarn__file_corrupt(path, content_at + TARN__BLOCK_END_LENGTH,
                                  "there is something behind the end block");
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * A whole file in memory
 */

tarn_status tarn__block_walk_begin(struct tarn__block_walk *walk, const void *bytes, size_t length,
                                   enum tarn__file_kind kind, const char *path)
{
    struct tarn__block_walk begun = {
        .bytes = bytes, .length = length, .path = path, .offset = TARN__FILE_HEADER_BYTES};
    tarn_status status = tarn__file_header_read(bytes, length, kind, path, begun.identity);

    if (!status)
        *walk = begun;
    return status;
}

tarn_status tarn__block_walk_next(struct tarn__block_walk *walk, struct tarn__file_block *block,
                                  const uint8_t **content)
{
    const uint8_t *header = walk->bytes + walk->offset, *behind;
    struct tarn__file_block read = {.kind = TARN__BLOCK_END};
    tarn_status status;

    if (TARN__PLANTED(TARN__PLANT_END_NOT_NEEDED) && walk->offset == walk->length) {
        *block = read;
        return TARN_OK;
    }
    status = tarn__block_header_read(header, walk->length - walk->offset, walk->identity,
                                     walk->offset, walk->length, walk->path, &read);
    if (status)
        return status;
    behind = header + TARN__BLOCK_HEADER_BYTES;
    if (!TARN__PLANTED(TARN__PLANT_CATALOG_CHECKSUM))
        status = tarn__block_verify(&read, behind, walk->path);
    if (!status && read.kind == TARN__BLOCK_END)
        status = tarn__block_end_verify(&read, behind, &walk->total, walk->length, walk->path);
    if (status)
        return status;
    tarn__block_total_add(&walk->total, read.checksum);
    walk->offset += TARN__BLOCK_HEADER_BYTES + read.length;
    *block = read;
    *content = behind;
    return TARN_OK;
}
