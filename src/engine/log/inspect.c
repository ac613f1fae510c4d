/* Reading a log offline; see the header. */
#include "engine/log/inspect.h"
#include "base/memory.h"
#include "engine/log/parts.h"
#include "engine/log/walk.h"

#include <inttypes.h>

#define PROGRESS_BYTES ((uint64_t)1024 * 1024)
#define SECTOR_BYTES   ((uint64_t)4096)

/* Why there is no frame at a place. */
enum gap_kind { GAP_ZEROS, GAP_BROKEN, GAP_UNKNOWN, GAP_UNREADABLE };

struct gap {
    uint64_t number, offset;
    uint64_t whole_bytes; /* of frames, in segments that are not sealed, before it */
    enum gap_kind kind;
};

struct log_inspection {
    struct tarn__inspection *inspection;
    const struct tarn__log_reader *reader;
    struct tarn__log_parts parts;

    struct gap *gaps;
    size_t gap_count, gap_capacity;
    uint64_t durable_number, durable_offset, whole_bytes;
    const struct gap *cut; /* where a crash has cut, or the log just ends; or NULL */

    uint64_t sequence; /* the highest so far, in parts that were written */
};

/* ------------------------------------------------------------------------------------------
 * Steps of a walk
 */

static bool is_before(uint64_t number, uint64_t offset, uint64_t than_number, uint64_t than_offset)
{
    return number < than_number || (number == than_number && offset < than_offset);
}

/* Takes a step, which may fail because the medium does; *kind: why there is no frame. */
static tarn_status step(struct tarn__frame_walk *walk, bool *whole, enum gap_kind *kind)
{
    enum tarn__frame_found found;
    tarn_status status = tarn__frame_walk_next(walk, &found);

    *whole = !status && found == TARN__FRAME_WHOLE;
    *kind = found == TARN__FRAME_NOTHING   ? GAP_ZEROS
            : found == TARN__FRAME_UNKNOWN ? GAP_UNKNOWN
                                           : GAP_BROKEN;
    if (status && tarn__inspection_is_fault(status)) {
        *kind = GAP_UNREADABLE;
        status = TARN_OK;
    }
    return status;
}

/* Goes on behind what is no frame, up to the next one, or to the end. */
static tarn_status pass(struct tarn__frame_walk *walk)
{
    enum tarn__frame_found found;
    tarn_status status;

    do {
        status = tarn__frame_walk_seek(walk, &found);
        if (!status && found == TARN__FRAME_WHOLE)
            walk->offset = walk->frame_at; /* it is for the next step */
        if (!status || !tarn__inspection_is_fault(status))
            return status;
        walk->offset = (walk->offset / SECTOR_BYTES + 1) * SECTOR_BYTES - TARN__FRAME_ALIGNMENT;
    } while (walk->offset < walk->end);
    walk->offset = walk->end;
    return TARN_OK;
}

/* Whether the log goes on in another segment. */
static bool ends_segment(const struct tarn__frame_walk *walk)
{
    return walk->frame.kind == TARN__FRAME_END && walk->frame.next_segment;
}

/* ------------------------------------------------------------------------------------------
 * Where the log ends
 */

static tarn_status add_gap(struct log_inspection *log, const struct gap *gap)
{
    size_t capacity = log->gap_capacity ? 2 * log->gap_capacity : 16;
    struct gap *gaps;

    if (log->gap_count == log->gap_capacity) {
        gaps = tarn__reallocate(log->gaps, capacity * sizeof *gaps);
        if (!gaps)
            return TARN_NO_MEMORY;
        log->gaps = gaps;
        log->gap_capacity = capacity;
    }
    log->gaps[log->gap_count++] = *gap;
    return TARN_OK;
}

/* What is at least durable. */
static void raise_durable(struct log_inspection *log, uint64_t number, uint64_t offset)
{
    if (is_before(log->durable_number, log->durable_offset, number, offset)) {
        log->durable_number = number;
        log->durable_offset = offset;
    }
}

static void note_frame(struct log_inspection *log, const struct tarn__frame_walk *walk)
{
    const struct tarn__frame *frame = &walk->frame;
    uint64_t number = walk->segment->head.number;

    log->whole_bytes += walk->offset - walk->frame_at;
    if (frame->has_durable_point && frame->durable_point.segments_back < number)
        raise_durable(log, number - frame->durable_point.segments_back,
                      frame->durable_point.offset);
}

/* Notes what is durable and where there are no frames, in a segment that is not sealed. */
static tarn_status survey(struct log_inspection *log, struct tarn__log_part *part)
{
    struct tarn__frame_walk walk;
    tarn_status status = tarn__log_part_open(&log->parts, part);
    bool whole = false;

    if (status)
        return tarn__inspection_is_fault(status) ? TARN_OK : status; /* it was told */
    tarn__frame_walk_begin(&walk, &part->segment, TARN__SEGMENT_HEAD, part->segment.size);
    walk.spares = true;
    do {
        struct gap gap = {.number = part->segment.head.number,
                          .offset = walk.offset,
                          .whole_bytes = log->whole_bytes};

        status = step(&walk, &whole, &gap.kind);
        if (!status && whole)
            note_frame(log, &walk);
        else if (!status)
            status = add_gap(log, &gap);
        if (!status && !whole)
            status = pass(&walk);
    } while (!status && walk.offset < walk.end && !(whole && ends_segment(&walk)));
    /* Where the file ends behind a frame, the log does, unless it goes on elsewhere. */
    if (!status && whole && !ends_segment(&walk))
        status = add_gap(log, &(struct gap){.number = part->segment.head.number,
                                            .offset = walk.offset,
                                            .whole_bytes = log->whole_bytes,
                                            .kind = GAP_ZEROS});
    tarn__frame_walk_release(&walk);
    tarn__log_part_close(part);
    return status;
}

/* The first place without a frame that was not known to be durable is where the log ends. */
static void find_cut(struct log_inspection *log)
{
    for (size_t i = 0; i < log->gap_count && !log->cut; i++) {
        const struct gap *gap = &log->gaps[i];

        if ((gap->kind == GAP_ZEROS || gap->kind == GAP_BROKEN) &&
            !is_before(gap->number, gap->offset, log->durable_number, log->durable_offset))
            log->cut = gap;
    }
}

static void tell_cut(struct log_inspection *log)
{
    struct tarn_check_summary *summary = &log->inspection->summary;
    uint64_t discarded;

    if (!log->cut)
        return;
    discarded = log->whole_bytes - log->cut->whole_bytes;
    if (log->cut->kind != GAP_BROKEN && !discarded)
        return;
    summary->cuts++;
    summary->discarded_bytes += discarded;
    tarn__log_parts_set_path(&log->parts, log->cut->number);
    tarn__inspection_note(log->inspection, log->parts.path, log->cut->offset,
                          "a crash has cut the log at offset %" PRIu64 " of '%s': %" PRIu64
                          " bytes of whole writes behind it, which were not known to be durable, "
                          "are discarded",
                          log->cut->offset, log->parts.path, discarded);
}

static tarn_status find_end(struct log_inspection *log)
{
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < log->parts.count && !status; i++) {
        struct tarn__log_part *part = &log->parts.all[i];

        if (!tarn__log_part_is_written(part) || !part->usable)
            continue;
        if (part->segment.sealed_bytes)
            raise_durable(log, part->segment.head.number, part->segment.sealed_bytes);
        else
            status = survey(log, part);
    }
    find_cut(log);
    tell_cut(log);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

struct reading {
    struct log_inspection *log;
    const struct tarn__log_part *part;
};

static tarn_status visit(void *context, const struct tarn__frame *frame, uint64_t offset)
{
    const struct reading *reading = context;
    struct log_inspection *log = reading->log;
    const struct tarn__log_reader *reader = log->reader;

    (void)offset;
    log->inspection->summary.records++;
    if (!reader)
        return TARN_OK;
    if (frame->kind == TARN__FRAME_PUT)
        return reader->put(reader->context, &frame->record);
    return reader->remove(reader->context, &frame->record,
                          !tarn__log_part_is_written(reading->part));
}

/* What seems to be the key of a frame that is damaged. */
static struct tarn_slice guess_key(const uint8_t *bytes, size_t length)
{
    struct tarn__reader reader = tarn__reader_of(bytes, length);
    uint64_t key_length;
    const uint8_t *key;
    uint8_t kind;

    (void)tarn__read_bytes(&reader, TARN__FRAME_CHECKSUM_BYTES);
    kind = tarn__read_u8(&reader);
    (void)tarn__read_varint(&reader); /* length */
    (void)tarn__read_varint(&reader); /* sequence */
    key_length = tarn__read_varint(&reader);
    if (kind & TARN__FRAME_DURABLE_FLAG) {
        (void)tarn__read_varint(&reader);
        (void)tarn__read_varint(&reader);
    }
    kind &= TARN__FRAME_KIND_MASK;
    key = tarn__read_bytes(&reader, key_length);
    if (reader.failed || !key || key_length > TARN_KEY_BYTES_MAX ||
        (kind != TARN__FRAME_PUT && kind != TARN__FRAME_DELETE))
        return tarn_slice_of(NULL, 0);
    return tarn_slice_of(key, key_length);
}

/* Whether what is damaged seems to be a batch. */
static bool is_batch(const uint8_t *bytes, size_t length)
{
    return length > TARN__FRAME_CHECKSUM_BYTES &&
           (bytes[TARN__FRAME_CHECKSUM_BYTES] & TARN__FRAME_KIND_MASK) == TARN__FRAME_BATCH;
}

/* Tells of a place without a frame where one was durable; the walk is behind it. */
static tarn_status tell_gap(struct log_inspection *log, const struct tarn__frame_walk *walk,
                            uint64_t offset, enum gap_kind kind)
{
    const struct tarn__file *file = walk->segment->file;
    uint64_t lost = walk->offset - offset, most = TARN__FRAME_HEAD_MAX + TARN_KEY_BYTES_MAX;
    struct tarn_buf bytes = {0};
    tarn_status status = tarn__buf_reserve(&bytes, most), read;

    if (status)
        return status;
    read = tarn__file_read_some(file, bytes.data, lost < most ? lost : most, offset, &bytes.length);
    if (kind == GAP_UNKNOWN)
        status = tarn__file_unsupported(log->parts.path, offset, "there is a frame");
    else if (kind == GAP_UNREADABLE && read == TARN_IO)
        status = tarn__set_offset(TARN_IO, offset); /* as the system told it again */
    else if (kind == GAP_UNREADABLE)
        status = tarn__fail_at(TARN_IO, offset,
                               "%" PRIu64 " bytes could not be read, at offset %" PRIu64 " of '%s'",
                               lost, offset, log->parts.path);
    else if (is_batch(bytes.data, read ? 0 : bytes.length))
        status = tarn__file_corrupt(log->parts.path, offset,
                                    "a batch is damaged, and what is whole in it read by itself");
    else
        status = tarn__fail_at(TARN_CORRUPT, offset,
                               "there is no whole record in %" PRIu64 " bytes in which one was, at "
                               "offset %" PRIu64 " of '%s'",
                               lost, offset, log->parts.path);
    status = tarn__inspection_lost_key(log->inspection, log->parts.path, status,
                                       read ? tarn_slice_of(NULL, 0)
                                            : guess_key(bytes.data, bytes.length));
    tarn_buf_release(&bytes);
    return status;
}

/* Counts what was read of a part since `from`. */
static tarn_status count_bytes(struct log_inspection *log, uint64_t *from, uint64_t to)
{
    uint64_t bytes = to > *from ? to - *from : 0;

    *from += bytes;
    return tarn__inspection_read(log->inspection, bytes);
}

static tarn_status read_frames(struct reading *reading, struct tarn__frame_walk *walk)
{
    struct log_inspection *log = reading->log;
    bool sealed = walk->segment->sealed_bytes != TARN__SEGMENT_NOT_SEALED;
    uint64_t counted = 0, offset;
    tarn_status status = TARN_OK;
    enum gap_kind kind;
    bool whole = false;

    while (!status && walk->offset < walk->end && (sealed || !whole || !ends_segment(walk))) {
        offset = walk->offset;
        status = step(walk, &whole, &kind);
        if (!status && whole)
            status = tarn__frame_walk_records(walk, visit, reading);
        else if (!status)
            status = pass(walk);
        if (!status && whole && tarn__log_part_is_written(reading->part) &&
            walk->frame.record.info.sequence > log->sequence)
            log->sequence = walk->frame.record.info.sequence;
        /* Behind the frames of a compacted segment whose end is not known there are zeros. */
        if (!status && !whole &&
            (sealed || kind != GAP_ZEROS || walk->offset < walk->end ||
             tarn__log_part_is_written(reading->part)))
            status = tell_gap(log, walk, offset, kind);
        if (!status && walk->offset - counted >= PROGRESS_BYTES)
            status = count_bytes(log, &counted, walk->offset);
    }
    return status ? status : count_bytes(log, &counted, walk->segment->size);
}

/* How far the frames of a part count. */
static uint64_t end_of(const struct log_inspection *log, const struct tarn__log_part *part)
{
    const struct tarn__segment *segment = &part->segment;

    if (segment->sealed_bytes)
        return segment->sealed_bytes < segment->size ? segment->sealed_bytes : segment->size;
    if (!tarn__log_part_is_written(part) || !log->cut || segment->head.number < log->cut->number)
        return segment->size;
    return segment->head.number == log->cut->number ? log->cut->offset : TARN__SEGMENT_HEAD;
}

/* The first sequence in a part, counted from its base; 0: there is none. */
static tarn_status first_sequence(struct tarn__log_part *part, uint64_t end, uint64_t *sequence)
{
    struct tarn__frame_walk walk;
    tarn_status status = TARN_OK;
    enum gap_kind kind;
    bool whole = false;

    *sequence = 0;
    tarn__frame_walk_begin(&walk, &part->segment, TARN__SEGMENT_HEAD, end);
    walk.spares = true;
    while (!status && walk.offset < end && !*sequence) {
        status = step(&walk, &whole, &kind);
        if (!status && whole)
            *sequence = walk.frame.record.info.sequence;
        else if (!status)
            status = pass(&walk);
    }
    tarn__frame_walk_release(&walk);
    return status;
}

/* Of a segment of which the head is damaged, the records were written after those before it. Of a
 * compacted one nothing is known: they count where there is nothing else. */
static tarn_status guess_base(struct log_inspection *log, struct tarn__log_part *part)
{
    uint64_t first;
    tarn_status status;

    if (!part->base_unknown || !tarn__log_part_is_written(part))
        return TARN_OK;
    status = first_sequence(part, end_of(log, part), &first);
    if (!status && first <= log->sequence)
        part->segment.frames.base_sequence = log->sequence + 1 - first;
    return status;
}

static tarn_status read_part(struct log_inspection *log, size_t at)
{
    struct tarn__log_part *part = &log->parts.all[at];
    struct reading reading = {.log = log, .part = part};
    struct tarn__frame_walk walk;
    tarn_status status = tarn__log_part_open(&log->parts, part);

    if (status)
        return tarn__log_parts_fault(&log->parts, status);
    status = guess_base(log, part);
    tarn__frame_walk_begin(&walk, &part->segment, TARN__SEGMENT_HEAD, end_of(log, part));
    walk.spares = true;
    if (!status)
        status = read_frames(&reading, &walk);
    tarn__frame_walk_release(&walk);
    tarn__log_part_close(part);
    return status;
}

tarn_status tarn__log_inspect(const struct tarn__log_source *source,
                              struct tarn__inspection *inspection,
                              const struct tarn__log_reader *reader)
{
    struct log_inspection *log = tarn__allocate_zeroed(sizeof *log);
    tarn_status status;

    if (!log)
        return TARN_NO_MEMORY;
    log->parts.source = source;
    log->parts.inspection = inspection;
    log->inspection = inspection;
    log->reader = reader;
    status = tarn__log_parts_find(&log->parts);
    if (!status)
        status = find_end(log);
    for (size_t i = 0; i < log->parts.count && !status; i++)
        if (log->parts.all[i].usable)
            status = read_part(log, i);
    tarn__log_parts_release(&log->parts);
    tarn__free(log->gaps);
    tarn__free(log);
    return status;
}
