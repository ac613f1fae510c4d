/*
 * What all files of a store have in common: a header, blocks, and an end block.
 * docs/format-files.md draws them.
 *
 * A file has a random identity. A block's checksum depends on its content, the file's identity, and
 * the block's place in the file, so that a block counts nowhere but where it was written. The end
 * block holds a total over all blocks before it, and nothing comes behind it.
 *
 * Nothing here does I/O, keeps state or allocates. Bytes that are not as they should be give
 * TARN_CORRUPT; what a newer version may have written (a version, flag or kind that is not known,
 * under a right checksum) gives TARN_UNSUPPORTED_VERSION. Both record the offset in the file, and
 * path in the message, for which alone path is used. Outputs are untouched on failure.
 */
#ifndef TARN_FORMAT_FILE_H
#define TARN_FORMAT_FILE_H

#include "base/hash.h"
#include "format/bytes.h"

#define TARN__IDENTITY_BYTES     16
#define TARN__FILE_HEADER_BYTES  40
#define TARN__BLOCK_HEADER_BYTES 16
#define TARN__BLOCK_LENGTH_MAX   ((size_t)INT32_MAX) /* of a block's content */
#define TARN__BLOCK_END_LENGTH   16                  /* of the content of an end block */

enum tarn__file_kind {
    TARN__FILE_CATALOG = 1,
    TARN__FILE_SNAPSHOT = 2,
    TARN__FILE_SEGMENT = 3,
    TARN__FILE_CHECKPOINT = 6,
    TARN__FILE_SEGMENTS = 7, /* the list of those that there are */
    /* Reserved: 4 journal, 5 hint. */
};

/* The kind of the last block of every file. Each kind of file has its own numbers for the others.
 */
#define TARN__BLOCK_END 255

/* ------------------------------------------------------------------------------------------
 * Header of a file
 */

void tarn__file_header_write(uint8_t bytes[TARN__FILE_HEADER_BYTES], enum tarn__file_kind kind,
                             const uint8_t identity[TARN__IDENTITY_BYTES]);

/* bytes are the first of the file, length as many as there are, at least
 * TARN__FILE_HEADER_BYTES unless the file has less. identity receives TARN__IDENTITY_BYTES. */
tarn_status tarn__file_header_read(const void *bytes, size_t length, enum tarn__file_kind kind,
                                   const char *path, uint8_t *identity);

/* The identity in a header that is damaged: it is not verified. */
void tarn__file_identity_guess(const uint8_t bytes[TARN__FILE_HEADER_BYTES],
                               uint8_t identity[TARN__IDENTITY_BYTES]);

/* ------------------------------------------------------------------------------------------
 * Blocks
 */

/* What a block's header says, and where the block is. */
struct tarn__file_block {
    uint64_t offset;   /* of the header, from the beginning of the file */
    uint64_t checksum; /* that the content has to have */
    uint64_t seed;     /* of that checksum */
    uint32_t length;   /* of the content, which begins at offset + TARN__BLOCK_HEADER_BYTES */
    uint8_t kind;
};

/* The checksum of content that comes in pieces. About 600 bytes, aligned to 64: on the stack. */
struct tarn__checksum {
    XXH3_state_t state;
};

void tarn__checksum_begin(struct tarn__checksum *checksum, uint64_t seed);
void tarn__checksum_add(struct tarn__checksum *checksum, const void *bytes, size_t length);
uint64_t tarn__checksum_end(const struct tarn__checksum *checksum);

/* The seed of a block's checksum. length: of the content, at most TARN__BLOCK_LENGTH_MAX. */
uint64_t tarn__block_seed(const uint8_t identity[TARN__IDENTITY_BYTES], uint64_t offset,
                          uint8_t kind, size_t length);

/* The header of a block whose checksum is known: of content in pieces, by tarn__checksum_begin()
 * with tarn__block_seed(). The length is part of the seed, so it must be known before. */
void tarn__block_header_write(uint8_t bytes[TARN__BLOCK_HEADER_BYTES], uint8_t kind, size_t length,
                              uint64_t checksum);

/* Over all blocks of a file, in their order. Begins zeroed. */
struct tarn__block_total {
    uint64_t blocks, total;
};

void tarn__block_total_add(struct tarn__block_total *total, uint64_t checksum);

static inline bool tarn__block_total_equal(const struct tarn__block_total *a,
                                           const struct tarn__block_total *b)
{
    return a->blocks == b->blocks && a->total == b->total;
}

/* Writes the header of a block whose content lies behind it already, in one piece, and adds the
 * block to the total. header: TARN__BLOCK_HEADER_BYTES, then length bytes of content. Returns where
 * the next block goes. */
uint8_t *tarn__block_seal(uint8_t *header, const uint8_t identity[TARN__IDENTITY_BYTES],
                          uint64_t offset, uint8_t kind, size_t length,
                          struct tarn__block_total *total);

/* Writes the end block: TARN__BLOCK_HEADER_BYTES + TARN__BLOCK_END_LENGTH bytes, which are the last
 * of the file. Returns what is behind them. */
uint8_t *tarn__block_end_write(uint8_t *to, const uint8_t identity[TARN__IDENTITY_BYTES],
                               uint64_t offset, const struct tarn__block_total *total);

/* Reads the header of the block at offset of a file of file_length bytes. bytes are those at
 * offset, available as many as there are: TARN__BLOCK_HEADER_BYTES unless the file has less. The
 * content is known to lie within the file; nothing else is known to be true until its checksum was
 * compared. */
tarn_status tarn__block_header_read(const void *bytes, size_t available,
                                    const uint8_t identity[TARN__IDENTITY_BYTES], uint64_t offset,
                                    uint64_t file_length, const char *path,
                                    struct tarn__file_block *block);

/* Compares the checksum of content in one piece: block->length bytes. */
tarn_status tarn__block_verify(const struct tarn__file_block *block, const void *content,
                               const char *path);

/* Compares the checksum of content in pieces: tarn__checksum_begin() with block->seed, ... */
tarn_status tarn__block_verify_checksum(const struct tarn__file_block *block, uint64_t checksum,
                                        const char *path);

/* Whether a verified block of kind TARN__BLOCK_END says what was read before it, and is the last of
 * the file. */
tarn_status tarn__block_end_verify(const struct tarn__file_block *block, const void *content,
                                   const struct tarn__block_total *total, uint64_t file_length,
                                   const char *path);

/* ------------------------------------------------------------------------------------------
 * A whole file in memory
 */

struct tarn__block_walk {
    const uint8_t *bytes;
    uint64_t length;
    const char *path;
    uint64_t offset; /* of the next block */
    struct tarn__block_total total;
    uint8_t identity[TARN__IDENTITY_BYTES];
};

/* Reads the header of the file. bytes must live as long as the walk. */
tarn_status tarn__block_walk_begin(struct tarn__block_walk *walk, const void *bytes, size_t length,
                                   enum tarn__file_kind kind, const char *path);

/* Reads and verifies the next block; content is block->length bytes. The walk is over with the
 * block of kind TARN__BLOCK_END, which is verified as the end of the file. */
tarn_status tarn__block_walk_next(struct tarn__block_walk *walk, struct tarn__file_block *block,
                                  const uint8_t **content);

/* ------------------------------------------------------------------------------------------
 * Errors
 */

/* TARN_CORRUPT and TARN_UNSUPPORTED_VERSION at an offset of a file. what: without a full stop. */
tarn_status tarn__file_corrupt(const char *path, uint64_t offset, const char *what)
    __attribute__((cold));
tarn_status tarn__file_unsupported(const char *path, uint64_t offset, const char *what)
    __attribute__((cold));

/* Where in the file a place of a block's content is. */
static inline uint64_t tarn__block_offset_of(const struct tarn__file_block *block,
                                             const void *content, const uint8_t *at)
{
    return block->offset + TARN__BLOCK_HEADER_BYTES + (uint64_t)(at - (const uint8_t *)content);
}

#endif
