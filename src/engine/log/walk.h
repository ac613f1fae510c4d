/*
 * A walk through the frames of a segment, read from its file: pread tells of a bad medium, where a
 * mapping would end the process.
 */
#ifndef TARN_ENGINE_LOG_WALK_H
#define TARN_ENGINE_LOG_WALK_H

#include "engine/log/segments.h"

struct tarn__frame_walk {
    const struct tarn__segment *segment;
    uint64_t offset, end;   /* of the next frame; where to stop */
    struct tarn_buf bytes;  /* a stretch of the file, */
    uint64_t bytes_at;      /* which begins there */
    struct tarn_buf before; /* the stretch that was read before it */
    uint64_t stretches;     /* how many were read */
    bool spares;            /* where a stretch cannot be read, only what is needed of it is */

    /* The frame that was found last. What it points to is valid until two more stretches were read.
     */
    struct tarn__frame frame;
    uint64_t frame_at;
};

/* Begins at an offset. The segment's file is open. Release in any case. */
void tarn__frame_walk_begin(struct tarn__frame_walk *walk, const struct tarn__segment *segment,
                            uint64_t offset, uint64_t end);
void tarn__frame_walk_release(struct tarn__frame_walk *walk);

/* Looks at what is at the offset, and goes on behind it if it is a frame. Fails only where reading
 * does; at the end there is nothing. */
tarn_status tarn__frame_walk_next(struct tarn__frame_walk *walk, enum tarn__frame_found *found);

/* Looks for the next place at which there is a frame, behind something that is none; *found is
 * TARN__FRAME_NOTHING where there is none up to the end. If reading fails, the walk is where it
 * did. */
tarn_status tarn__frame_walk_seek(struct tarn__frame_walk *walk, enum tarn__frame_found *found);

/* Calls visit for each record of the frame that was found: one, or those of a batch, with the
 * offset of each. Stops at the first that does not return TARN_OK. */
tarn_status tarn__frame_walk_records(const struct tarn__frame_walk *walk,
                                     tarn_status (*visit)(void *context,
                                                          const struct tarn__frame *frame,
                                                          uint64_t offset),
                                     void *context);

#endif
