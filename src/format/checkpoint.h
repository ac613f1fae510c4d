/*
 * The checkpoint of a namespace: its index as it was when the files of its engine ended where it
 * says. docs/format-checkpoint.md draws it. The lines of the index are the owner's to read and
 * write, in blocks of TARN__CHECKPOINT_LINES each but the last.
 */
#ifndef TARN_FORMAT_CHECKPOINT_H
#define TARN_FORMAT_CHECKPOINT_H

#include "format/file.h"

#define TARN__CHECKPOINT_LINE_BYTES     ((size_t)64)
#define TARN__CHECKPOINT_LINES          ((uint64_t)4096) /* of a block */
#define TARN__CHECKPOINT_GROUP_BITS_MAX 12

enum tarn__checkpoint_block {
    TARN__CHECKPOINT_HEAD = 1,
    TARN__CHECKPOINT_BUCKETS = 2,
    TARN__CHECKPOINT_OVERFLOW = 3,
};

/* How much of a file is in the index. */
struct tarn__covered {
    uint64_t number; /* of the segment */
    uint8_t identity[TARN__IDENTITY_BYTES];
    uint32_t first_granule;
    uint64_t end; /* all before it */
    uint64_t stale, deletes, as_of;
};

struct tarn__covered_group {
    uint32_t buckets, keys;
};

struct tarn__checkpoint {
    uint8_t store[TARN__IDENTITY_BYTES];
    uint64_t home, seed; /* the hash's */
    uint64_t sequence;   /* the highest that there was */
    uint64_t keys, bytes;
    uint64_t buckets, overflow; /* lines of each */
    uint32_t group_bits;
    struct tarn__covered_group *groups; /* 2^group_bits; allocated, as the next */
    struct tarn__covered *covered;
    size_t covered_count;
};

/* Frees the arrays and sets all to zero. */
void tarn__checkpoint_release(struct tarn__checkpoint *checkpoint);

/* Makes out the content of the head, behind room for a block's header, in place of what out holds.
 * TARN_NO_MEMORY. */
tarn_status tarn__checkpoint_head_encode(const struct tarn__checkpoint *checkpoint,
                                         struct tarn_buf *out);

/* Reads the content of a verified block. TARN_CORRUPT, TARN_NO_MEMORY. */
tarn_status tarn__checkpoint_head_decode(const struct tarn__file_block *block, const void *content,
                                         const char *path, struct tarn__checkpoint *out);

#endif
