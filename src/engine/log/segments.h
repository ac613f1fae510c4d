/*
 * The segments of one log: their files, the list that says which of them count, and where each is
 * in the space of locations that all logs of a store share. Where a segment was is in the list; it
 * gets that place again unless another one has it.
 *
 *     DIR/segments         docs/format-log.md: the list, replaced as a whole
 *     DIR/segments.new     the next one while it is written
 *     DIR/NUMBER.segment
 *
 * Life of a segment: made (a file, preallocated and durable) -> listed (a crash does not lose it)
 * -> written, if it is one of those that writes go to -> sealed: nothing is written to it any more
 * -> taken off the list -> discarded, with its file. What a compaction makes is listed sealed.
 *
 * Two locks: `files` is held while files are made and the list is written, by one thread at a time;
 * `lock`, taken after it and for moments, guards the table.
 *
 * A file that is not in the list is what a crash has left, and is removed: its number is one that
 * an earlier list had reserved. Where that is not so the list is older than the files, which is
 * corruption, and nothing is touched.
 */
#ifndef TARN_ENGINE_LOG_SEGMENTS_H
#define TARN_ENGINE_LOG_SEGMENTS_H

#include "base/granules.h"
#include "format/segment.h"
#include "os/os.h"

#include <pthread.h>

#define TARN__GRANULE_BYTES ((uint64_t)TARN__FRAME_ALIGNMENT << TARN__GRANULE_SHIFT)

/* Names in the directory of a log. */
#define TARN__SEGMENT_LIST           "segments"
#define TARN__SEGMENT_LIST_NEW       "segments.new"
#define TARN__SEGMENT_LIST_BYTES_MAX ((uint64_t)64 * 1024 * 1024)
#define TARN__SEGMENT_SUFFIX         ".segment"
#define TARN__SEGMENT_NAME_ROOM      32
void tarn__segment_name(uint64_t number, char name[TARN__SEGMENT_NAME_ROOM]);
bool tarn__segment_number_of(const char *name, uint64_t *number);

struct tarn__segment {
    struct tarn__segment_head head;
    uint8_t identity[TARN__IDENTITY_BYTES];
    struct tarn__frame_segment frames;
    uint32_t first_granule, granules;
    uint8_t *bytes;          /* all of the file, mapped */
    uint64_t size;           /* of the file */
    struct tarn__file *file; /* while it may be written or synced, else NULL */
    uint64_t sealed_bytes;   /* as in the list; under the lock */
    _Atomic bool listed;     /* the list is to name it; set under files */

    uint64_t used;            /* where the next frame begins; whoever appends */
    bool synced;              /* everything in it, and nothing more will come; under the lock */
    bool seen;                /* at the opening: it was read */
    uint64_t covered;         /* at the opening: what is before is in the checkpoint; or 0 */
    _Atomic bool damaged;     /* a compaction has found it so, and leaves it alone */
    _Atomic uint64_t as_of;   /* the head's, or what is known to be as true and higher */
    _Atomic uint64_t stale;   /* bytes of puts that nobody needs any more */
    _Atomic uint64_t deletes; /* bytes of deletes */
    _Atomic uint64_t pins;    /* how many; and TARN__SEGMENT_LET_GO */
};

#define TARN__SHORT_FRAME_BYTES ((size_t)32 * 1024)

/* Only pins keep the segment: it goes with the last of them. */
#define TARN__SEGMENT_LET_GO (UINT64_C(1) << 63)

struct tarn__segments {
    const struct tarn__os *os;
    struct tarn__granules *space;
    struct tarn__directory *directory; /* the caller's */
    uint8_t store[TARN__IDENTITY_BYTES];
    uint64_t namespace_number;
    bool read_only;

    _Atomic uint64_t
        *let_go; /* segments that only pins keep: the owner's; set before any is pinned */

    pthread_mutex_t lock;       /* of the table, */
    struct tarn__segment **all; /* by rising number */
    size_t count, capacity;

    pthread_mutex_t files;                 /* what follows, and changing the table */
    uint64_t next_number, reserved_number; /* the list on disk reserves those below the second */
    bool list_unknown;                     /* what the list on disk says */
    _Atomic bool replaced;                 /* the list is that of another log */
};

/* Makes the list of a log without segments, in a directory that is empty. Durable. */
tarn_status tarn__segments_create(struct tarn__directory *directory, const struct tarn__os *os,
                                  const uint8_t store[TARN__IDENTITY_BYTES],
                                  uint64_t namespace_number);

/*
 * Reads the list, and maps its segments; removes what a crash has left, unless read_only. The
 * directory remains the caller's. TARN_CORRUPT: a segment is missing, is another one, or was cut
 * off; nothing has changed then. If it fails there is nothing to close.
 */
tarn_status tarn__segments_open(struct tarn__segments *segments, struct tarn__directory *directory,
                                const struct tarn__os *os, struct tarn__granules *space,
                                const uint8_t store[TARN__IDENTITY_BYTES],
                                uint64_t namespace_number, bool read_only);

/* Makes the list of another log, without segments, in the same directory; its numbers go on.
 * Nothing is written. */
tarn_status tarn__segments_begin_anew(struct tarn__segments *fresh,
                                      const struct tarn__segments *before);

/* Ends the mappings and closes the files. What was written to them since is not synced here. */
void tarn__segments_close(struct tarn__segments *segments);

/* All of the following with files held. --------------------------------------------------- */

/* Makes a segment of so many bytes, with room on the disk for all of them; durable, not listed.
 * TARN_FULL: the disk, or the space of locations. */
tarn_status tarn__segments_make(struct tarn__segments *segments, enum tarn__segment_origin origin,
                                uint64_t as_of, uint64_t base_sequence, uint64_t bytes,
                                struct tarn__segment **segment);

/* Makes a segment's file longer, within its granules. Nobody reads the segment yet. */
tarn_status tarn__segments_grow(struct tarn__segments *segments, struct tarn__segment *segment,
                                uint64_t bytes);

/* Ends a segment that was made for a compaction: all that was written to it is durable, and nothing
 * more will come. Nobody reads it yet. */
tarn_status tarn__segments_seal(struct tarn__segments *segments, struct tarn__segment *segment);

/* Replaces the list by one that names what is `listed`, with `sealed_bytes`. TARN_OUTCOME_UNKNOWN:
 * it may be the old or the new one; it is not replaced again before the log is opened anew. */
tarn_status tarn__segments_write_list(struct tarn__segments *segments);

/* Sees to it that the next segment can be made without writing the list for its number. */
tarn_status tarn__segments_reserve(struct tarn__segments *segments);

/* Removes a segment that is in no list, with its file as far as that can be done: the next opening
 * tries again. If it is pinned it stays readable until tarn__segment_unpin(), and is counted in
 * *let_go until then. Nobody else reads it any more. */
void tarn__segments_discard(struct tarn__segments *segments, struct tarn__segment *segment);

/* Opens the segment's file, if it is not open. */
tarn_status tarn__segments_open_file(struct tarn__segments *segments,
                                     struct tarn__segment *segment);

/* Without a lock. ---------------------------------------------------------------------------- */

/* Keeps all segments readable until each is unpinned: hands out an array of them, the caller's.
 * TARN_NO_MEMORY. */
tarn_status tarn__segments_pin_all(struct tarn__segments *segments, struct tarn__segment ***pinned,
                                   size_t *count);

/* Ends a pin. true: it was the last one of a segment that was let go, which is gone now. */
bool tarn__segment_unpin(const struct tarn__os *os, struct tarn__granules *space,
                         struct tarn__segment *segment);

/* TARN_CORRUPT at an offset of a segment, whose file need not be open. */
tarn_status tarn__segment_corrupt(const struct tarn__segments *segments,
                                  const struct tarn__segment *segment, uint64_t offset)
    __attribute__((cold));

/* Nothing is written to a segment any more: its records are read at random. */
static inline void tarn__segment_at_random(const struct tarn__os *os,
                                           const struct tarn__segment *segment)
{
    os->map_at_random(os, segment->bytes, segment->size);
}

/* Whether a frame of so many bytes is as it was written. What of it is not in memory comes from the
 * disk page by page: a long one is asked for as a whole, which for a short one costs more than it
 * saves. */
static inline bool tarn__segment_verify(const struct tarn__os *os,
                                        const struct tarn__segment *segment, uint64_t offset,
                                        size_t length)
{
    if (length > segment->size - offset)
        return false;
    if (__builtin_expect(length > TARN__SHORT_FRAME_BYTES, 0))
        os->map_populate(os, segment->bytes + offset, length, false);
    return tarn__frame_verify(&segment->frames, offset, segment->bytes + offset, length);
}

static inline struct tarn__segment *tarn__segment_of(struct tarn__granules *space,
                                                     uint64_t location)
{
    return tarn__granules_owner(space, location >> TARN__GRANULE_SHIFT);
}

static inline uint64_t tarn__segment_offset(const struct tarn__segment *segment, uint64_t location)
{
    return (location - ((uint64_t)segment->first_granule << TARN__GRANULE_SHIFT)) *
           TARN__FRAME_ALIGNMENT;
}

static inline uint64_t tarn__segment_location(const struct tarn__segment *segment, uint64_t offset)
{
    return ((uint64_t)segment->first_granule << TARN__GRANULE_SHIFT) +
           offset / TARN__FRAME_ALIGNMENT;
}

/* Counts a record that nobody needs any more; it can still be read. */
static inline void tarn__segment_count_stale(struct tarn__granules *space, uint64_t location)
{
    struct tarn__segment *segment = tarn__segment_of(space, location);
    uint64_t offset = tarn__segment_offset(segment, location);
    struct tarn__record record;

    atomic_fetch_add_explicit(&segment->stale,
                              tarn__frame_peek(&segment->frames, segment->bytes + offset,
                                               segment->size - offset, &record),
                              memory_order_relaxed);
}

#endif
