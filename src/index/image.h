/*
 * The image of an index: its lines as bytes, to be written to a file, and an index made of them
 * again. Nobody writes to the index meanwhile.
 */
#ifndef TARN_INDEX_IMAGE_H
#define TARN_INDEX_IMAGE_H

#include "index/index.h"

#define TARN__IMAGE_LINE_BYTES sizeof(struct tarn__line)

/* How many lines an image has; the index has groups. */
uint64_t tarn__image_buckets(struct tarn__index *index);
uint64_t tarn__image_overflow(const struct tarn__index *index);

/* Copies lines to bytes: of buckets, or of overflow. */
void tarn__image_copy(struct tarn__index *index, bool overflow, uint64_t first, uint64_t count,
                      uint8_t *bytes);

/* An index in the making, from an image that nobody vouches for. */
struct tarn__image {
    struct tarn__index *index;
    uint64_t buckets, overflow;
    uint8_t *linked; /* for each overflow line whether a link to it was seen */
    bool (*holds)(void *context, uint64_t location); /* whether there may be a record */
    void *context;
};

/* Begins with an empty index, to be given groups. TARN_NO_MEMORY, TARN_FULL. If it fails there is
 * nothing to end. */
tarn_status tarn__image_begin(struct tarn__image *image);

/* Puts lines in their places. false: they are none of an index. */
bool tarn__image_put(struct tarn__image *image, bool overflow, uint64_t first, uint64_t count,
                     const uint8_t *bytes);

/* All lines were put: the groups, which have as many buckets, are put into force. */
void tarn__image_publish(struct tarn__image *image, struct tarn__groups *groups);
void tarn__image_end(struct tarn__image *image);

/* Makes an index empty that was not given groups. */
void tarn__image_undo(struct tarn__index *index);

#endif
