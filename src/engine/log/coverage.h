/*
 * What of a log is in a checkpoint, and so need not be read when it is opened.
 *
 * A checkpoint counts only for the very files that it was made of: each segment that it names must
 * be there, at the same place, with all that it covers, and whatever else there is must have been
 * written later. A compaction ends that, and so does a clear.
 */
#ifndef TARN_ENGINE_LOG_COVERAGE_H
#define TARN_ENGINE_LOG_COVERAGE_H

#include "engine/log/log.h"

/* Names what is there, of a log that was ended. Nothing where opening it takes no time that anybody
 * would notice, thanks to the checkpoint that there is, or without. TARN_NO_MEMORY. */
tarn_status tarn__log_covered(struct tarn__log *log, struct tarn__checkpoint *checkpoint);

/* Before the log is read: what a checkpoint covers will not be. false: it does not fit. NULL: all
 * will be. */
bool tarn__log_cover(struct tarn__log *log, const struct tarn__checkpoint *checkpoint);

/* A compaction has taken segments away: if the checkpoint covers any of them it counts no more.
 * Under the segments' lock. */
void tarn__log_uncover(struct tarn__log *log, struct tarn__segment **gone, size_t count);

/* The last segment of those that were written of which anything is covered; or NULL. */
const struct tarn__segment *tarn__log_last_covered(const struct tarn__log *log);

/* Whether what is covered has room for a record at a location. */
bool tarn__log_covers(const struct tarn__log *log, uint64_t location);

#endif
