/*
 * Rewriting: what is needed of some segments is copied to new ones.
 *
 * Every frame is read from its file and verified before it gets the checksum of its new place. The
 * namespace judges, for groups of frames, which are still needed; of a batch what is needed becomes
 * frames of its own. A delete is needed as long as there may be an older put of its key in a
 * segment that stays: not if all of these are as of a later sequence.
 *
 * Nobody knows of the new segments before their owner lists them. Takes 24 bytes of memory for each
 * record that is copied, until it is released.
 */
#ifndef TARN_ENGINE_LOG_REWRITE_H
#define TARN_ENGINE_LOG_REWRITE_H

#include "engine/log/log.h"
#include "engine/log/walk.h"

struct tarn__rewrite {
    /* Set by the owner; the rest is 0. */
    struct tarn__log *log;
    const struct tarn__mover *mover;
    uint64_t as_of;         /* of what is made: no write of before is still to come */
    uint64_t base_sequence; /* of what is made: the lowest of the sources */
    uint64_t kept_as_of;    /* the lowest of all segments that stay */
    uint64_t expected;      /* how many bytes are likely to be copied; counted down */

    /* Called now and then with how many bytes were read since. Another status than TARN_OK ends the
     * rewriting. */
    tarn_status (*pause)(void *context, uint64_t bytes);
    void *context;

    struct tarn__segment **outputs; /* sealed, once all is done; not listed */
    size_t output_count;
    struct tarn__move *moves; /* of the puts that were copied */
    size_t move_count;

    size_t output_capacity, move_capacity;
    struct tarn_buf pending;    /* of the last output: not written to its file yet, */
    uint64_t pending_at;        /* to stand there */
    struct tarn__segment *from; /* the source at which it is */
    size_t met_count;
    struct tarn__met met[TARN__MOVES_MAX]; /* read, but not judged */
    struct tarn__frame frames[TARN__MOVES_MAX];
};

/* Copies what is needed of a sealed segment. TARN_CORRUPT: it is damaged, with file and offset. */
tarn_status tarn__rewrite_source(struct tarn__rewrite *rewrite, struct tarn__segment *source);

/* Makes all that was copied durable. */
tarn_status tarn__rewrite_finish(struct tarn__rewrite *rewrite);

/* Gives everything back but the outputs; discard: those as well, with their files. */
void tarn__rewrite_release(struct tarn__rewrite *rewrite, bool discard);

#endif
