/* What of a log is in a checkpoint; see the header. */
#include "engine/log/coverage.h"
#include "base/memory.h"

#include <string.h>

/* Reading so much takes about 10 ms. Tests of crashes build the library with less, so that small
 * logs have a checkpoint, too. */
#ifndef TARN__READ_QUICKLY
#define TARN__READ_QUICKLY ((uint64_t)2 * 1024 * 1024)
#endif

static bool holds_frames(const struct tarn__segment *segment)
{
    return segment->listed && segment->used > TARN__SEGMENT_HEAD;
}

tarn_status tarn__log_covered(struct tarn__log *log, struct tarn__checkpoint *checkpoint)
{
    const struct tarn__segments *segments = &log->segments;
    uint64_t to_read = 0;

    for (size_t i = 0; i < segments->count; i++)
        if (holds_frames(segments->all[i]))
            to_read += segments->all[i]->used - segments->all[i]->covered;
    if (to_read <= TARN__READ_QUICKLY)
        return TARN_OK;
    checkpoint->covered = tarn__allocate_zeroed(segments->count * sizeof(struct tarn__covered));
    if (!checkpoint->covered)
        return TARN_NO_MEMORY;
    memcpy(checkpoint->store, segments->store, sizeof checkpoint->store);
    checkpoint->home = segments->namespace_number;
    for (size_t i = 0; i < segments->count; i++) {
        const struct tarn__segment *segment = segments->all[i];
        struct tarn__covered *covered = &checkpoint->covered[checkpoint->covered_count];

        if (!holds_frames(segment))
            continue;
        *covered = (struct tarn__covered){.number = segment->head.number,
                                          .first_granule = segment->first_granule,
                                          .end = segment->used,
                                          .stale = atomic_load(&segment->stale),
                                          .deletes = atomic_load(&segment->deletes),
                                          .as_of = atomic_load(&segment->as_of)};
        memcpy(covered->identity, segment->identity, sizeof covered->identity);
        checkpoint->covered_count++;
    }
    return TARN_OK;
}

static struct tarn__segment *find(const struct tarn__segments *segments,
                                  const struct tarn__covered *covered)
{
    for (size_t i = 0; i < segments->count; i++) {
        struct tarn__segment *segment = segments->all[i];

        if (segment->head.number == covered->number)
            return memcmp(segment->identity, covered->identity, sizeof covered->identity) == 0 &&
                           segment->first_granule == covered->first_granule &&
                           covered->end > TARN__SEGMENT_HEAD &&
                           covered->end % TARN__FRAME_ALIGNMENT == 0 &&
                           covered->end <= segment->size &&
                           (!segment->sealed_bytes || covered->end <= segment->sealed_bytes)
                       ? segment
                       : NULL;
    }
    return NULL;
}

const struct tarn__segment *tarn__log_last_covered(const struct tarn__log *log)
{
    const struct tarn__segments *segments = &log->segments;
    const struct tarn__segment *last = NULL;

    for (size_t i = 0; i < segments->count; i++)
        if (segments->all[i]->covered && segments->all[i]->head.origin == TARN__SEGMENT_WRITTEN)
            last = segments->all[i];
    return last;
}

/* Whether all that is not covered was written after what is; and what was sealed before the last
 * one is covered whole. */
static bool fits(const struct tarn__log *log)
{
    const struct tarn__segments *segments = &log->segments;
    const struct tarn__segment *last = tarn__log_last_covered(log);

    if (!last)
        return false;
    for (size_t i = 0; i < segments->count; i++) {
        const struct tarn__segment *segment = segments->all[i];

        if (segment != last && segment->covered && segment->sealed_bytes &&
            segment->covered != segment->sealed_bytes)
            return false;
        if (!segment->covered && segment->head.number < last->head.number)
            return false;
    }
    return true;
}

static void uncover(struct tarn__log *log)
{
    struct tarn__segments *segments = &log->segments;

    for (size_t i = 0; i < segments->count; i++) {
        struct tarn__segment *segment = segments->all[i];

        segment->covered = 0;
        atomic_store(&segment->stale, 0);
        atomic_store(&segment->deletes, 0);
        atomic_store(&segment->as_of, segment->head.as_of);
    }
    log->covered_sequence = 0;
}

void tarn__log_uncover(struct tarn__log *log, struct tarn__segment **gone, size_t count)
{
    bool lost = false;

    for (size_t i = 0; i < count; i++)
        lost |= gone[i]->covered != 0;
    for (size_t i = 0; i < log->segments.count && lost; i++)
        log->segments.all[i]->covered = 0;
}

bool tarn__log_cover(struct tarn__log *log, const struct tarn__checkpoint *checkpoint)
{
    const struct tarn__segments *segments = &log->segments;

    uncover(log);
    if (!checkpoint || checkpoint->home != segments->namespace_number ||
        memcmp(checkpoint->store, segments->store, sizeof checkpoint->store) != 0)
        return false;
    for (size_t i = 0; i < checkpoint->covered_count; i++) {
        const struct tarn__covered *covered = &checkpoint->covered[i];
        struct tarn__segment *segment = find(segments, covered);

        if (!segment || segment->covered) {
            uncover(log);
            return false;
        }
        segment->covered = covered->end;
        atomic_store(&segment->stale, covered->stale);
        atomic_store(&segment->deletes, covered->deletes);
        atomic_store(&segment->as_of, covered->as_of);
    }
    if (!fits(log)) {
        uncover(log);
        return false;
    }
    log->covered_sequence = checkpoint->sequence;
    return true;
}

bool tarn__log_covers(const struct tarn__log *log, uint64_t location)
{
    uint64_t granule = location >> TARN__GRANULE_SHIFT;
    const struct tarn__segment *segment;
    uint64_t offset;

    if (!tarn__granules_has(log->segments.space, granule))
        return false;
    segment = tarn__segment_of(log->segments.space, location);
    if (!segment || segment->head.namespace_number != log->segments.namespace_number)
        return false;
    offset = tarn__segment_offset(segment, location);
    return offset >= TARN__SEGMENT_HEAD && offset < segment->covered;
}
