/*
 * Opening a log: finding where it ends, reading it, and mending what a crash has left.
 *
 * The log in the order of writing is the written segments by rising number. It ends at the first
 * place where there is no whole frame. If anything says that something behind that place was
 * durable (a durable point, a sealed segment), data was lost: that is corruption, and nothing is
 * changed. Otherwise it is where a crash has cut.
 *
 * What is above the last durable point is in the system's cache, and may not be on the disk, even
 * if a sync should say so now. So it is written again to new segments and synced, before one
 * replacement of the list puts them in the place of the old ones. After a clean end there is
 * nothing to mend: the log goes on behind it, in the same segment.
 */
#ifndef TARN_ENGINE_LOG_RECOVERY_H
#define TARN_ENGINE_LOG_RECOVERY_H

#include "engine/log/log.h"

/* Who is told of what is in the log; as in tarn__replay. */
struct tarn__log_visitor {
    void *context;
    tarn_status (*put)(void *context, const struct tarn__record *record, uint64_t location);
    tarn_status (*remove)(void *context, const struct tarn__record *record, bool lasts);
};

/* What was found. */
struct tarn__log_opening {
    bool clean;               /* it was ended as it should be */
    bool was_cut;             /* there is something behind the end that is not whole, or lost */
    uint64_t discarded_bytes; /* of whole frames behind the place where it was cut */
    uint64_t mended_bytes;    /* of frames that were written again */
    uint64_t sequence;        /* the highest that a frame had */
};

/*
 * Reads a log whose segments are open, verifying each frame, and begins it, unless the segments are
 * read-only. log is as tarn__log_begin() wants it. TARN_CORRUPT (with file and offset),
 * TARN_UNSUPPORTED_VERSION, TARN_IO, TARN_FULL (there is no room to mend it), or what the visitor
 * returned: there is nothing to release.
 */
tarn_status tarn__log_open(struct tarn__log *log, const struct tarn__log_visitor *visitor,
                           struct tarn__log_opening *opening);

#endif
