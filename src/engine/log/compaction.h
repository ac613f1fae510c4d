/*
 * Compaction: the space of what was overwritten or deleted comes back.
 *
 * Sealed segments are rewritten (rewrite.h). Before they leave the list, everything is synced that
 * was appended until then, in every sync mode: what makes a record needless must not be lost when
 * the record is gone. Then one replacement of the list puts the new segments in their place, and
 * the index is led to them record by record. The old ones go once nobody can be reading them: what
 * is pinned stays until the last pin.
 *
 * A crash before the list is replaced leaves files that no list names; after it, the same.
 */
#ifndef TARN_ENGINE_LOG_COMPACTION_H
#define TARN_ENGINE_LOG_COMPACTION_H

#include "engine/log/log.h"

struct tarn__compaction {
    const struct tarn__mover *mover;
    bool all; /* whatever there is to gain; else as long as the log's settings say it is enough */
    bool (*progress)(void *context, uint64_t done, uint64_t total); /* in bytes; or NULL */
    void *context;
    uint64_t freed; /* out: bytes of frames that are gone */
};

/*
 * Compacts a log that is begun; one at a time. TARN_CANCELLED: progress has returned false, or the
 * log is ending. TARN_CORRUPT: a segment is damaged and stays as it is. TARN_READ_ONLY, TARN_IO,
 * TARN_FULL, TARN_NO_MEMORY, TARN_OUTCOME_UNKNOWN, what the mover returns: nothing is lost.
 */
tarn_status tarn__log_compact(struct tarn__log *log, struct tarn__compaction *compaction);

/* Fills in what tarn_stats says of files. Nobody appends meanwhile. */
void tarn__log_stats(struct tarn__log *log, struct tarn_stats *stats);

/* Whether there is enough to gain. */
bool tarn__log_is_worth_compacting(struct tarn__log *log);

#endif
