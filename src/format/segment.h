/*
 * Segments of a log: what stands before their frames, and the list of those that there are.
 * docs/format-log.md draws both.
 *
 * A segment's head says to which log it belongs and which sequences can be in it. Where it is in
 * the space of locations, and up to where it was sealed, is said by the list, which is replaced as
 * a whole. A location is a number of 4-byte units; a segment has granules of 64 KiB of them.
 */
#ifndef TARN_FORMAT_SEGMENT_H
#define TARN_FORMAT_SEGMENT_H

#include "base/granules.h"
#include "format/frame.h"

#define TARN__GRANULE_SHIFT      14            /* of a location: 64 KiB in units of 4 bytes */
#define TARN__SEGMENT_HEAD       ((size_t)128) /* bytes before the first frame */
#define TARN__SEGMENT_NOT_SEALED UINT64_C(0)

/* How long segments are: they double from the least up to what the namespace says, at most this.
 * Tests of crashes build the library with a lower least one, so that there are many. */
#ifndef TARN__SEGMENT_BYTES_MIN
#define TARN__SEGMENT_BYTES_MIN ((uint64_t)64 * 1024)
#endif
#define TARN__SEGMENT_BYTES_MAX ((uint64_t)1024 * 1024 * 1024)

enum tarn__segment_origin {
    TARN__SEGMENT_WRITTEN = 1,   /* in the order of writes */
    TARN__SEGMENT_COMPACTED = 2, /* live frames of other segments */
};

struct tarn__segment_head {
    uint8_t store[TARN__IDENTITY_BYTES]; /* the store's identity */
    uint64_t namespace_number;
    uint64_t number;        /* of the segment: no two of a log ever share one */
    uint8_t origin;         /* enum tarn__segment_origin */
    uint64_t as_of;         /* its first sequence; compacted: the sequence when that began */
    uint64_t base_sequence; /* no frame has a lower one */
};

/* Writes the whole head of a file. */
void tarn__segment_head_write(const struct tarn__segment_head *head,
                              const uint8_t identity[TARN__IDENTITY_BYTES],
                              uint8_t bytes[TARN__SEGMENT_HEAD]);

/* available: how many bytes there are, TARN__SEGMENT_HEAD unless the file has less. */
tarn_status tarn__segment_head_read(const uint8_t *bytes, size_t available, const char *path,
                                    uint8_t identity[TARN__IDENTITY_BYTES],
                                    struct tarn__segment_head *head);

/* Takes a head apart that is damaged, without verifying anything: all of its bytes are there. */
void tarn__segment_head_guess(const uint8_t bytes[TARN__SEGMENT_HEAD],
                              uint8_t identity[TARN__IDENTITY_BYTES],
                              struct tarn__segment_head *head);

/* ------------------------------------------------------------------------------------------
 * The list
 */

struct tarn__segment_entry {
    uint64_t number;
    uint8_t identity[TARN__IDENTITY_BYTES]; /* of its file */
    uint32_t first_granule, granules;
    uint64_t sealed_bytes; /* all of its frames end there; TARN__SEGMENT_NOT_SEALED */
};

struct tarn__segment_list {
    uint8_t store[TARN__IDENTITY_BYTES];
    uint64_t namespace_number;
    uint64_t next_number; /* above those of all segments that there ever were */
    size_t count;
    struct tarn__segment_entry *entries; /* by rising numbers */
};

/* Makes out the bytes of a list's file, in place of what out holds. identity: random, for each file
 * anew. TARN_NO_MEMORY; TARN_INVALID_ARGUMENT: not a list that decoding accepts. */
tarn_status tarn__segment_list_encode(const struct tarn__segment_list *list,
                                      const uint8_t identity[TARN__IDENTITY_BYTES],
                                      struct tarn_buf *out);

/* Reads the bytes of a whole file. TARN_CORRUPT, TARN_UNSUPPORTED_VERSION, TARN_NO_MEMORY. */
tarn_status tarn__segment_list_decode(const void *bytes, size_t length, const char *path,
                                      struct tarn__segment_list *out);

/* Frees the entries and sets the list to zero. NULL is allowed. */
void tarn__segment_list_release(struct tarn__segment_list *list);

#endif
