/* Opening a log; see the header. */
#include "engine/log/recovery.h"
#include "base/memory.h"
#include "base/plant.h"
#include "base/status.h"
#include "engine/log/coverage.h"
#include "engine/log/walk.h"

/* A place in the order of writing. */
struct place {
    uint64_t number, offset;
};

struct recovery {
    struct tarn__log *log;
    const struct tarn__log_visitor *visitor;
    struct tarn__log_opening *opening;
    struct tarn__segment *last; /* in which the log ends; NULL: in none that is not sealed */
    struct place end, durable, covered;
    bool clean_end; /* the last frame is one */
    bool remains;   /* there may be something behind it */
};

static bool is_before(struct place a, struct place b)
{
    return a.number < b.number || (a.number == b.number && a.offset < b.offset);
}

static void raise_durable(struct recovery *recovery, struct place place)
{
    if (is_before(recovery->durable, place))
        recovery->durable = place;
}

static bool is_written(const struct tarn__segment *segment)
{
    return segment->head.origin == TARN__SEGMENT_WRITTEN;
}

/* Whether it is one of those between which the log ends. */
static bool is_unsealed(const struct tarn__segment *segment)
{
    return is_written(segment) && !segment->sealed_bytes;
}

static tarn_status unknown_frame(const struct tarn__frame_walk *walk)
{
    return tarn__file_unsupported(tarn__file_path(walk->segment->file), walk->offset,
                                  "there is a frame");
}

/* ------------------------------------------------------------------------------------------
 * Where it ends
 */

/* What a frame says of what is durable. */
static void note(struct recovery *recovery, const struct tarn__frame_walk *walk)
{
    const struct tarn__frame *frame = &walk->frame;
    struct place durable = {walk->segment->head.number, frame->durable_point.offset};

    if (!frame->has_durable_point || frame->durable_point.segments_back >= durable.number)
        return;
    durable.number -= frame->durable_point.segments_back;
    raise_durable(recovery, durable);
}

/* Whether a frame ends the log, and says that all before it is durable. */
static bool is_clean_end(const struct tarn__frame_walk *walk)
{
    const struct tarn__frame *frame = &walk->frame;

    return frame->kind == TARN__FRAME_END && !frame->next_segment && frame->has_durable_point &&
           !frame->durable_point.segments_back && frame->durable_point.offset == walk->frame_at;
}

/* Reads on from where the walk is, as long as there are frames; *goes_on: the log does, in another
 * segment. */
static tarn_status follow(struct recovery *recovery, struct tarn__frame_walk *walk, bool *goes_on)
{
    enum tarn__frame_found found;
    tarn_status status;

    *goes_on = false;
    recovery->clean_end = walk->segment->head.number == recovery->covered.number;
    while (!*goes_on) {
        status = tarn__frame_walk_next(walk, &found);
        if (status)
            return status;
        if (found == TARN__FRAME_UNKNOWN)
            return unknown_frame(walk);
        recovery->opening->was_cut = found == TARN__FRAME_BROKEN;
        if (found != TARN__FRAME_WHOLE)
            return TARN_OK;
        note(recovery, walk);
        recovery->clean_end = is_clean_end(walk);
        *goes_on = walk->frame.kind == TARN__FRAME_END && walk->frame.next_segment;
    }
    return TARN_OK;
}

/* Looks at frames that are behind the end: they are lost, unless they say that the end is not where
 * it should be. */
static tarn_status look_behind(struct recovery *recovery, struct tarn__frame_walk *walk)
{
    enum tarn__frame_found found = TARN__FRAME_NOTHING;
    tarn_status status = TARN_OK;

    while (!status && walk->offset < walk->end) {
        status = tarn__frame_walk_next(walk, &found);
        if (!status && found != TARN__FRAME_WHOLE)
            status = tarn__frame_walk_seek(walk, &found);
        if (status || found != TARN__FRAME_WHOLE)
            continue; /* at the end, or at a frame of a newer version, which is stepped over */
        note(recovery, walk);
        recovery->opening->discarded_bytes += walk->offset - walk->frame_at;
        recovery->opening->was_cut = true;
    }
    return status;
}

/* Where reading a segment begins. */
static uint64_t begin_of(const struct tarn__segment *segment)
{
    return segment->covered ? segment->covered : TARN__SEGMENT_HEAD;
}

/* A segment of the log that is not sealed, in its turn. */
static tarn_status find_end_in(struct recovery *recovery, struct tarn__segment *segment)
{
    struct tarn__frame_walk walk;
    bool goes_on = false;
    tarn_status status;

    segment->used = begin_of(segment);
    if (segment->head.number < recovery->covered.number)
        return TARN_OK; /* the log went on behind it, which was durable */
    tarn__frame_walk_begin(&walk, segment, segment->used, segment->size);
    if (recovery->last) {
        recovery->remains = recovery->remains || segment->size > TARN__SEGMENT_HEAD;
        status = look_behind(recovery, &walk);
    } else {
        status = follow(recovery, &walk, &goes_on);
        segment->used = walk.offset;
        if (!status && !goes_on) {
            recovery->last = segment;
            recovery->end = (struct place){segment->head.number, walk.offset};
            recovery->remains = walk.offset < segment->size;
            status = look_behind(recovery, &walk);
        }
    }
    tarn__frame_walk_release(&walk);
    return status;
}

static tarn_status lost(const struct recovery *recovery)
{
    return tarn__file_corrupt(tarn__file_path(recovery->last->file), recovery->end.offset,
                              "there is no whole frame where one was durable");
}

static tarn_status find_end(struct recovery *recovery)
{
    struct tarn__segments *segments = &recovery->log->segments;
    const struct tarn__segment *covered = tarn__log_last_covered(recovery->log);

    if (covered) /* by a checkpoint, which was made when the log was ended there */
        recovery->covered = recovery->durable =
            (struct place){covered->head.number, covered->covered};
    for (size_t i = 0; i < segments->count; i++) {
        struct tarn__segment *segment = segments->all[i];
        tarn_status status = TARN_OK;

        if (segment->sealed_bytes) {
            segment->used = segment->sealed_bytes;
            if (is_written(segment) && recovery->last)
                return lost(recovery);
            if (is_written(segment)) /* sealed ones come first */
                raise_durable(recovery,
                              (struct place){segment->head.number, segment->sealed_bytes});
        } else {
            status = find_end_in(recovery, segment);
        }
        if (status)
            return status;
    }
    if (recovery->last && is_before(recovery->end, recovery->durable))
        return lost(recovery);
    recovery->opening->clean = !recovery->last || (recovery->clean_end && !recovery->remains);
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

struct reading {
    struct recovery *recovery;
    struct tarn__segment *segment;
    uint64_t lowest; /* sequence that a record had */
};

static tarn_status visit(void *context, const struct tarn__frame *frame, uint64_t offset)
{
    struct reading *reading = context;
    const struct tarn__log_visitor *visitor = reading->recovery->visitor;
    struct tarn__segment *segment = reading->segment;

    if (frame->record.info.sequence < reading->lowest)
        reading->lowest = frame->record.info.sequence;
    if (frame->kind == TARN__FRAME_PUT)
        return visitor->put(visitor->context, &frame->record,
                            tarn__segment_location(segment, offset));
    atomic_fetch_add(&segment->deletes, tarn__frame_bytes(&segment->frames, frame));
    return visitor->remove(visitor->context, &frame->record, !is_written(segment));
}

static tarn_status read_frames(struct reading *reading, struct tarn__frame_walk *walk)
{
    struct tarn__log_opening *opening = reading->recovery->opening;
    enum tarn__frame_found found;
    tarn_status status = TARN_OK;

    while (!status && walk->offset < walk->end) {
        status = tarn__frame_walk_next(walk, &found);
        if (!status && found == TARN__FRAME_UNKNOWN)
            status = unknown_frame(walk);
        else if (!status && found != TARN__FRAME_WHOLE)
            status = tarn__file_corrupt(tarn__file_path(walk->segment->file), walk->offset,
                                        "a frame is damaged");
        if (status)
            break;
        if (walk->frame.record.info.sequence > opening->sequence)
            opening->sequence = walk->frame.record.info.sequence;
        status = tarn__frame_walk_records(walk, visit, reading);
    }
    return status;
}

/* Reads a segment up to where it is used. */
static tarn_status read_segment(struct recovery *recovery, struct tarn__segment *segment)
{
    struct tarn__segments *segments = &recovery->log->segments;
    struct reading reading = {.recovery = recovery, .segment = segment, .lowest = UINT64_MAX};
    bool was_open = segment->file != NULL;
    struct tarn__frame_walk walk;
    tarn_status status = TARN_OK;

    segment->seen = true;
    if (segment->head.as_of > recovery->opening->sequence + 1) /* what had it may be gone */
        recovery->opening->sequence = segment->head.as_of - 1;
    if (begin_of(segment) < segment->used)
        status = tarn__segments_open_file(segments, segment);
    if (status || begin_of(segment) >= segment->used)
        return status;
    tarn__frame_walk_begin(&walk, segment, begin_of(segment), segment->used);
    status = read_frames(&reading, &walk);
    tarn__frame_walk_release(&walk);
    if (is_written(segment) && reading.lowest != UINT64_MAX &&
        (!segment->covered || reading.lowest < atomic_load(&segment->as_of)))
        atomic_store(&segment->as_of, reading.lowest);
    if (!was_open) {
        tarn__file_close_after_reading(segment->file);
        segment->file = NULL;
    }
    return status;
}

/* Reads what was not read yet: sealed segments alone, or all. */
static tarn_status read_all(struct recovery *recovery, bool sealed)
{
    const struct tarn__segments *segments = &recovery->log->segments;
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < segments->count && !status; i++)
        if (!is_written(segments->all[i]) && !segments->all[i]->seen)
            status = read_segment(recovery, segments->all[i]);
    for (size_t i = 0; i < segments->count && !status; i++)
        if (!segments->all[i]->seen && (segments->all[i]->sealed_bytes || !sealed))
            status = read_segment(recovery, segments->all[i]);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Mending
 */

struct copy {
    struct tarn__write *writes;
    size_t count;
};

static tarn_status collect(void *context, const struct tarn__frame *frame, uint64_t offset)
{
    struct copy *copy = context;

    (void)offset;
    copy->writes[copy->count++] =
        (struct tarn__write){.record = frame->record, .removes = frame->kind == TARN__FRAME_DELETE};
    return TARN_OK;
}

/* Appends again what is in a frame. */
static tarn_status copy_frame(struct tarn__log *log, const struct tarn__frame_walk *walk)
{
    const struct tarn__frame *frame = &walk->frame;
    size_t most = frame->kind == TARN__FRAME_BATCH ? frame->count : 1;
    struct copy copy = {.writes = tarn__allocate(most * sizeof *copy.writes)};
    tarn_status status = copy.writes ? TARN_OK : TARN_NO_MEMORY;

    if (!status)
        status = tarn__frame_walk_records(walk, collect, &copy);
    if (!status && copy.count) /* an end has no records */
        status = tarn__log_append_again(log, copy.writes, copy.count, frame->record.info.sequence);
    tarn__free(copy.writes);
    return status;
}

/* Copies what is above the durable point from a segment of before. */
static tarn_status copy_segment(struct recovery *recovery, const struct tarn__segment *segment)
{
    struct place begin = {segment->head.number, TARN__SEGMENT_HEAD};
    struct tarn__frame_walk walk;
    enum tarn__frame_found found;
    tarn_status status = TARN_OK;

    if (is_before(begin, recovery->durable))
        begin.offset = segment->head.number < recovery->durable.number ? segment->used
                                                                       : recovery->durable.offset;
    tarn__frame_walk_begin(&walk, segment, begin.offset, segment->used);
    while (!status && walk.offset < walk.end) {
        status = tarn__frame_walk_next(&walk, &found);
        if (!status && found != TARN__FRAME_WHOLE)
            status = tarn__file_corrupt(tarn__file_path(segment->file), walk.offset,
                                        "a frame has changed since it was read");
        if (!status)
            status = copy_frame(recovery->log, &walk);
        recovery->opening->mended_bytes += walk.offset - walk.frame_at;
    }
    tarn__frame_walk_release(&walk);
    return status;
}

/* What becomes of a segment of before: sealed where the durable point is, or off the list. */
static void retire(const struct recovery *recovery, struct tarn__segment *segment)
{
    uint64_t number = segment->head.number;

    if (number == recovery->durable.number && recovery->durable.offset < segment->used)
        segment->used = recovery->durable.offset;
    segment->listed = number <= recovery->durable.number && segment->used > TARN__SEGMENT_HEAD;
    segment->sealed_bytes = segment->used;
    segment->synced = true;
    tarn__segment_at_random(recovery->log->environment->os, segment);
}

static void drop_unlisted(struct tarn__segments *segments)
{
    for (size_t i = segments->count; i-- > 0;)
        if (!segments->all[i]->listed)
            tarn__segments_discard(segments, segments->all[i]);
}

/* The lowest sequence that may be above the durable point. */
static uint64_t lowest_sequence(const struct recovery *recovery)
{
    const struct tarn__segments *segments = &recovery->log->segments;
    uint64_t lowest = recovery->last->head.base_sequence;

    for (size_t i = 0; i < segments->count; i++)
        if (is_unsealed(segments->all[i]) && segments->all[i]->head.base_sequence < lowest)
            lowest = segments->all[i]->head.base_sequence;
    return lowest;
}

/* Writes again what may not be durable, and puts it in place of what is there. */
static tarn_status mend(struct recovery *recovery)
{
    struct tarn__log *log = recovery->log;
    struct tarn__segments *segments = &log->segments;
    size_t before = segments->count;
    tarn_status status;

    atomic_store(&log->mend_sequence, lowest_sequence(recovery));
    status = tarn__log_begin(log, NULL);
    if (status)
        return status;
    for (size_t i = 0; i < before && !status; i++)
        if (is_unsealed(segments->all[i]) && segments->all[i]->head.number <= recovery->end.number)
            status = copy_segment(recovery, segments->all[i]);
    for (size_t i = 0; i < before && !status; i++)
        if (is_unsealed(segments->all[i]))
            retire(recovery, segments->all[i]);
    if (!status && !TARN__PLANTED(TARN__PLANT_MENDED_NOT_SYNCED))
        status = tarn__log_sync(log);
    if (!status) {
        pthread_mutex_lock(&segments->files);
        status = tarn__segments_write_list(segments);
        if (!status)
            drop_unlisted(segments);
        pthread_mutex_unlock(&segments->files);
    }
    atomic_store(&log->mend_sequence, 0);
    if (status) {
        struct tarn_error error = *tarn_last_error();

        tarn__log_release(log);
        tarn__restore_error(&error);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Going on
 */

/* Makes a segment that was trimmed fit to be written to. */
static tarn_status grow(struct recovery *recovery, struct tarn__segment *segment)
{
    struct tarn__log *log = recovery->log;
    uint64_t bytes = segment->granules * TARN__GRANULE_BYTES;

    if (bytes > log->segment_bytes)
        bytes = log->segment_bytes;
    if (bytes < segment->used + TARN__LOG_END_BYTES / 2) /* as much as was kept free */
        bytes = segment->used + TARN__LOG_END_BYTES / 2;
    return bytes > segment->size ? tarn__segments_grow(&log->segments, segment, bytes) : TARN_OK;
}

/* After a clean end everything is durable, the end frame too, since the files were cut off after
 * its sync. And nothing is behind it, so that what is written now can never run into what a crash
 * has left. */
static tarn_status go_on(struct recovery *recovery)
{
    struct tarn__log *log = recovery->log;
    struct tarn__segment *last = recovery->last, *spare = NULL;
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < log->segments.count; i++) {
        struct tarn__segment *segment = log->segments.all[i];

        if (!is_unsealed(segment))
            continue;
        if (last && segment->head.number < last->head.number) {
            segment->sealed_bytes = segment->used;
            segment->synced = true;
            tarn__segment_at_random(log->environment->os, segment);
        } else if (segment != last && !spare) {
            spare = segment;
        }
    }
    if (spare)
        status = grow(recovery, spare);
    if (!status && last)
        status = grow(recovery, last);
    if (status)
        return status;
    log->ended = last != NULL;
    atomic_store(&log->next, spare);
    return tarn__log_begin(log, last);
}

static tarn_status begin(struct recovery *recovery)
{
    if (recovery->log->segments.read_only)
        return TARN_OK;
    return recovery->opening->clean || TARN__PLANTED(TARN__PLANT_MEND_BEHIND_CUT) ? go_on(recovery)
                                                                                  : mend(recovery);
}

tarn_status tarn__log_open(struct tarn__log *log, const struct tarn__log_visitor *visitor,
                           struct tarn__log_opening *opening)
{
    struct recovery recovery = {.log = log, .visitor = visitor, .opening = opening};
    tarn_status status;

    *opening = (struct tarn__log_opening){.sequence = log->covered_sequence};
    status = find_end(&recovery);
    if (!status)
        status = read_all(&recovery, true); /* before anything is changed */
    if (!status)
        status = begin(&recovery);
    if (status)
        return status;
    status = read_all(&recovery, false);
    if (status && !log->segments.read_only) {
        struct tarn_error error = *tarn_last_error();

        tarn__log_release(log);
        tarn__restore_error(&error);
    }
    return status;
}
