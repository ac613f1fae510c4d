/* Appending to a log, and making it durable; see the header. */
#include "engine/log/log.h"
#include "base/memory.h"
#include "base/plant.h"
#include "base/status.h"

#include <assert.h>
#include <string.h>

#define SCRATCH_BYTES ((size_t)64 * 1024)
#define FILE_UNIT     ((uint64_t)4096)
#define MOMENT_NS     UINT64_C(2000000000)
#define LARGE_SEGMENT ((uint64_t)16 * 1024 * 1024)

/* ------------------------------------------------------------------------------------------
 * Segments to write to
 */

static uint64_t room_of(const struct tarn__segment *segment)
{
    return segment->size - segment->used;
}

/* How long the next segment is: four times the last one; but beyond 16 MiB none is more than an
 * eighth of the log, so that what is set aside, and what cannot be compacted yet, stays small
 * beside it. */
static uint64_t next_bytes(struct tarn__log *log)
{
    struct tarn__segments *segments = &log->segments;
    uint64_t all = 0, last = TARN__SEGMENT_BYTES_MIN / 4, bytes;

    pthread_mutex_lock(&segments->lock);
    for (size_t i = 0; i < segments->count; i++) {
        const struct tarn__segment *segment = segments->all[i];

        all += segment->size;
        if (segment->head.origin == TARN__SEGMENT_WRITTEN)
            last = segment->size;
    }
    pthread_mutex_unlock(&segments->lock);
    all = all / 8 > LARGE_SEGMENT ? all / 8 : LARGE_SEGMENT;
    bytes = 4 * last > TARN__SEGMENT_BYTES_MIN ? 4 * last : TARN__SEGMENT_BYTES_MIN;
    bytes = bytes < all ? bytes : all / FILE_UNIT * FILE_UNIT;
    return bytes < log->segment_bytes ? bytes : log->segment_bytes;
}

uint64_t tarn__log_next_sequence(const struct tarn__log *log)
{
    uint64_t mend = atomic_load(&log->mend_sequence);

    return mend ? mend : atomic_load(&log->environment->sequence) + 1;
}

/* Makes a segment that writes may go to, and lists it. The segments' files are locked. */
static tarn_status make_listed(struct tarn__log *log, uint64_t bytes, struct tarn__segment **out)
{
    uint64_t sequence = tarn__log_next_sequence(log);
    struct tarn__segment *segment;
    tarn_status status = tarn__segments_make(&log->segments, TARN__SEGMENT_WRITTEN, sequence,
                                             sequence, bytes, &segment);

    if (status)
        return status;
    segment->listed = true;
    atomic_store(&segment->as_of, UINT64_MAX); /* as long as nothing is in it */
    status = tarn__segments_write_list(&log->segments);
    if (status) {
        segment->listed = false;
        if (status != TARN_OUTCOME_UNKNOWN) /* else the list may name it */
            tarn__segments_discard(&log->segments, segment);
        return status;
    }
    *out = segment;
    return TARN_OK;
}

/* The segment that is prepared, or one that is made now. Under append. */
static tarn_status take_next(struct tarn__log *log, uint64_t least, struct tarn__segment **next)
{
    tarn_status status = TARN_OK;

    *next = atomic_exchange(&log->next, NULL);
    if (*next)
        return TARN_OK;
    pthread_mutex_lock(&log->segments.files);
    *next = atomic_exchange(&log->next, NULL); /* it was being prepared */
    if (!*next) {
        uint64_t bytes = next_bytes(log);

        if (bytes < least)
            bytes = (least + FILE_UNIT - 1) / FILE_UNIT * FILE_UNIT;
        status = make_listed(log, bytes, next);
    }
    pthread_mutex_unlock(&log->segments.files);
    return status;
}

/* Makes the next segment. Where segments are filled in a moment its pages are made ready as well:
 * a writer that had to wait for each would spend a third of its time on that. */
static void prepare_next(struct tarn__log *log)
{
    const struct tarn__os *os = log->environment->os;
    struct tarn__segment *segment;

    if (make_listed(log, next_bytes(log), &segment))
        return;
    if (atomic_load(&log->is_quick) && atomic_load(&log->mode) != TARN_SYNC_ALWAYS)
        os->map_populate(os, segment->bytes,
                         segment->size < LARGE_SEGMENT ? segment->size : LARGE_SEGMENT, true);
    atomic_store(&log->next, segment);
}

/* The job: has the next segment ready before it is needed, and syncs those that are full, which may
 * then be compacted. If that fails, whoever writes next is told. */
static void prepare(void *context)
{
    struct tarn__log *log = context;
    tarn_status status;

    pthread_mutex_lock(&log->segments.files);
    if (atomic_exchange(&log->next_wanted, false) && !atomic_load(&log->next) &&
        !atomic_load(&log->failed) && !atomic_load(&log->ending))
        prepare_next(log);
    pthread_mutex_unlock(&log->segments.files);
    status = tarn__log_wait(log, atomic_load(&log->full));
    tarn__log_tell(log, status);
    if (!status)
        tarn__log_want_compaction(log);
}

/* ------------------------------------------------------------------------------------------
 * Writing frames. All under append.
 */

/* Stores bytes in a segment, where nobody looks yet. */
static tarn_status store(struct tarn__log *log, struct tarn__segment *segment, uint64_t offset,
                         const void *bytes, size_t length)
{
    const struct tarn__os *os = log->environment->os;

    tarn_status status = TARN_OK;

    if (length && atomic_load_explicit(&log->mode, memory_order_relaxed) == TARN_SYNC_ALWAYS)
        status = tarn__file_write(segment->file, bytes, length, offset);
    else if (length)
        os->map_write(os, segment->bytes + offset, bytes, length);
    if (status)
        atomic_store(&log->failed, true);
    return status;
}

/* What a frame says of the durable point, where that has moved. */
static void tell_durable_point(struct tarn__log *log, struct tarn__frame *frame)
{
    if (log->point_told == atomic_load_explicit(&log->durable, memory_order_relaxed) &&
        !TARN__PLANTED(TARN__PLANT_DURABLE_POINT_EARLY))
        return;
    pthread_mutex_lock(&log->sync_lock);
    frame->has_durable_point = true;
    frame->durable_point.segments_back = log->active->head.number - log->durable_number;
    frame->durable_point.offset = log->durable_offset;
    if (TARN__PLANTED(TARN__PLANT_DURABLE_POINT_EARLY))
        frame->durable_point = (struct tarn__durable_point){.offset = log->active->used};
    log->point_told = atomic_load_explicit(&log->durable, memory_order_relaxed);
    pthread_mutex_unlock(&log->sync_lock);
}

static struct tarn__frame frame_of(const struct tarn__write *write, uint64_t sequence)
{
    struct tarn__frame frame = {.kind = write->removes ? TARN__FRAME_DELETE : TARN__FRAME_PUT,
                                .record = write->record};

    frame.record.info.sequence = sequence;
    if (write->removes)
        frame.record.value.length = 0;
    return frame;
}

/* Writes a frame with its record; batch: the checksum of the batch that it is in, or NULL. */
static tarn_status write_record(struct tarn__log *log, struct tarn__segment *segment,
                                const struct tarn__frame *frame, uint64_t offset,
                                struct tarn__checksum *batch)
{
    static const uint8_t zeros[TARN__FRAME_ALIGNMENT];
    const struct tarn__record *record = &frame->record;
    size_t bytes = tarn__frame_bytes(&segment->frames, frame), head, rest;
    struct tarn__checksum checksum;
    tarn_status status;

    if (bytes <= SCRATCH_BYTES) {
        tarn__frame_write(&segment->frames, frame, offset, log->scratch);
        if (batch)
            tarn__checksum_add(batch, log->scratch, bytes);
        return store(log, segment, offset, log->scratch, bytes);
    }
    head = tarn__frame_head_write(&segment->frames, frame, log->scratch);
    rest = bytes - head - record->key.length - record->value.length;
    tarn__checksum_begin(&checksum, tarn__frame_checksum_seed(&segment->frames, offset));
    tarn__checksum_add(&checksum, log->scratch + TARN__FRAME_CHECKSUM_BYTES,
                       head - TARN__FRAME_CHECKSUM_BYTES);
    tarn__checksum_add(&checksum, record->key.data, record->key.length);
    tarn__checksum_add(&checksum, record->value.data, record->value.length);
    tarn__checksum_add(&checksum, zeros, rest);
    tarn__frame_seal(log->scratch, tarn__checksum_end(&checksum));
    if (batch) {
        tarn__checksum_add(batch, log->scratch, head);
        tarn__checksum_add(batch, record->key.data, record->key.length);
        tarn__checksum_add(batch, record->value.data, record->value.length);
        tarn__checksum_add(batch, zeros, rest);
    }
    status = store(log, segment, offset, log->scratch, head);
    if (!status)
        status = store(log, segment, offset + head, record->key.data, record->key.length);
    if (!status)
        status = store(log, segment, offset + head + record->key.length, record->value.data,
                       record->value.length);
    if (!status)
        status = store(log, segment, offset + bytes - rest, zeros, rest);
    return status;
}

/* Returns bytes. */
static uint64_t count_delete(struct tarn__segment *segment, const struct tarn__write *write,
                             uint64_t bytes)
{
    if (write->removes)
        atomic_store_explicit(&segment->deletes,
                              atomic_load_explicit(&segment->deletes, memory_order_relaxed) + bytes,
                              memory_order_relaxed);
    return bytes;
}

/* The frames of a batch first, then its head, whose checksum covers them. */
static tarn_status write_batch(struct tarn__log *log, struct tarn__segment *segment,
                               const struct tarn__frame *batch, struct tarn__write *writes)
{
    uint8_t head[TARN__FRAME_HEAD_MAX];
    size_t length = tarn__frame_head_write(&segment->frames, batch, head);
    uint64_t offset = segment->used + length;
    struct tarn__checksum checksum;
    tarn_status status = TARN_OK;

    tarn__checksum_begin(&checksum, tarn__frame_checksum_seed(&segment->frames, segment->used));
    tarn__checksum_add(&checksum, head + TARN__FRAME_CHECKSUM_BYTES,
                       length - TARN__FRAME_CHECKSUM_BYTES);
    for (size_t i = 0; i < batch->count && !status; i++) {
        struct tarn__frame frame = frame_of(&writes[i], batch->record.info.sequence);

        status = write_record(log, segment, &frame, offset, &checksum);
        writes[i].location = tarn__segment_location(segment, offset);
        offset += count_delete(segment, &writes[i], tarn__frame_bytes(&segment->frames, &frame));
    }
    tarn__frame_seal(head, tarn__checksum_end(&checksum));
    return status ? status : store(log, segment, segment->used, head, length);
}

tarn_status tarn__log_write_end(struct tarn__log *log, uint64_t next_segment)
{
    struct tarn__segment *segment = log->active;
    struct tarn__frame frame = {.kind = TARN__FRAME_END,
                                .record.info.sequence = segment->frames.base_sequence,
                                .next_segment = next_segment};
    size_t bytes;

    if (next_segment) {
        tell_durable_point(log, &frame);
    } else {
        frame.has_durable_point = true;
        frame.durable_point.offset = segment->used;
    }
    bytes = tarn__frame_bytes(&segment->frames, &frame);
    tarn__frame_write(&segment->frames, &frame, segment->used, log->scratch);
    segment->used += bytes;
    return store(log, segment, segment->used - bytes, log->scratch, bytes);
}

/* Has what is written from now on go to a segment. */
static void activate(struct tarn__log *log, struct tarn__segment *segment)
{
    if (segment->used == TARN__SEGMENT_HEAD)
        atomic_store(&segment->as_of, tarn__log_next_sequence(log));
    log->half = segment->size / 2;
    log->active = segment;
}

static void want_prepared(struct tarn__log *log)
{
    if (!atomic_load(&log->mend_sequence))
        tarn__jobs_wake(&log->environment->quick, &log->prepare);
}

/* Goes on in the next segment, which may have been prepared; if not, it has at least so many bytes.
 */
static tarn_status begin_next(struct tarn__log *log, uint64_t least)
{
    struct tarn__segment *next;
    uint64_t now;
    tarn_status status = take_next(log, least, &next);

    if (!status)
        status = tarn__log_write_end(log, next->head.number);
    if (status)
        return status;
    atomic_store(&log->full, atomic_load(&log->appended));
    now = log->environment->os->monotonic_ns(log->environment->os);
    atomic_store(&log->is_quick, now - log->begun_ns < MOMENT_NS);
    log->begun_ns = now;
    activate(log, next);
    log->ended = false;
    return TARN_OK;
}

/* Goes on in another segment, in which a frame of so many bytes has room. */
static tarn_status go_on(struct tarn__log *log, size_t bytes)
{
    uint64_t least = TARN__SEGMENT_HEAD + bytes + TARN__LOG_END_BYTES;
    tarn_status status = TARN_OK;

    while (!status && room_of(log->active) < bytes + TARN__LOG_END_BYTES)
        status = begin_next(log, least);
    want_prepared(log);
    return status;
}

/* Makes out the frame of some writes under a sequence, and how long it is. */
static size_t plan(const struct tarn__segment *segment, const struct tarn__write *writes,
                   size_t count, uint64_t sequence, struct tarn__frame *frame)
{
    if (count == 1) {
        *frame = frame_of(writes, sequence);
        return tarn__frame_bytes(&segment->frames, frame);
    }
    *frame = (struct tarn__frame){
        .kind = TARN__FRAME_BATCH, .count = count, .record.info.sequence = sequence};
    for (size_t i = 0; i < count; i++) {
        struct tarn__frame inner = frame_of(&writes[i], sequence);

        frame->frames.length += tarn__frame_bytes(&segment->frames, &inner);
    }
    return tarn__frame_bytes(&segment->frames, frame);
}

/* How long it is at most, in any segment. */
static size_t bytes_at_most(const struct tarn__segment *segment, const struct tarn__write *writes,
                            size_t count)
{
    uint64_t far = segment->frames.base_sequence + (UINT64_C(1) << (TARN__SEQUENCE_BITS - 1));
    struct tarn__frame frame;

    return plan(segment, writes, count, far, &frame) + 2 * TARN__VARINT_BYTES_MAX;
}

/* sequence: that the writes have; 0: they get one. It is taken once it is known in which segment
 * they will be: none in it is lower than its base. */
static tarn_status append_locked(struct tarn__log *log, struct tarn__write *writes, size_t count,
                                 uint64_t sequence)
{
    size_t bytes = bytes_at_most(log->active, writes, count);
    struct tarn__segment *segment;
    struct tarn__frame frame;
    tarn_status status = TARN_OK;

    if (room_of(log->active) < bytes + TARN__LOG_END_BYTES)
        status = go_on(log, bytes);
    if (status) /* whatever the list says, nothing was written */
        return status == TARN_OUTCOME_UNKNOWN ? tarn__fail_as(TARN_IO) : status;
    segment = log->active;
    if (!sequence)
        sequence = atomic_fetch_add(&log->environment->sequence, 1) + 1;
    (void)plan(segment, writes, count, sequence, &frame);
    tell_durable_point(log, &frame);
    bytes = tarn__frame_bytes(&segment->frames, &frame);
    if (count == 1) {
        writes->location = tarn__segment_location(segment, segment->used);
        status = write_record(log, segment, &frame, segment->used, NULL);
        (void)count_delete(segment, writes, bytes);
    } else {
        status = write_batch(log, segment, &frame, writes);
    }
    if (status)
        return status;
    for (size_t i = 0; i < count; i++)
        writes[i].record.info.sequence = sequence;
    segment->used += bytes;
    if (segment->used >= log->half) {
        log->half = UINT64_MAX;
        atomic_store(&log->next_wanted, true);
        want_prepared(log);
    }
    atomic_store_explicit(&log->appended,
                          atomic_load_explicit(&log->appended, memory_order_relaxed) + bytes,
                          memory_order_release);
    return TARN_OK;
}

static tarn_status not_appendable(const struct tarn__log *log)
{
    return tarn__fail(TARN_READ_ONLY,
                      "writing to '%s' has failed before, and it is not known what of it is "
                      "durable: open the store anew",
                      tarn__directory_path(log->segments.directory));
}

tarn_status tarn__log_append(struct tarn__log *log, struct tarn__write *writes, size_t count,
                             uint64_t *position)
{
    tarn_status status = TARN_OK;

    assert(count > 0);
    tarn__os_lock(log->environment->os, &log->append);
    if (atomic_load(&log->failed))
        status = not_appendable(log);
    else if (TARN__PLANTED(TARN__PLANT_BATCH_IN_PIECES))
        for (size_t i = 0; i < count && !status; i++)
            status = append_locked(log, &writes[i], 1, 0);
    else
        status = append_locked(log, writes, count, 0);
    *position = atomic_load_explicit(&log->appended, memory_order_relaxed);
    tarn__lock_give(&log->append);
    if (!status && atomic_load_explicit(&log->mode, memory_order_relaxed) == TARN_SYNC_INTERVAL)
        tarn__log_want_sync(log);
    return status;
}

tarn_status tarn__log_append_again(struct tarn__log *log, struct tarn__write *writes, size_t count,
                                   uint64_t sequence)
{
    tarn_status status;

    tarn__os_lock(log->environment->os, &log->append);
    status = append_locked(log, writes, count, sequence);
    tarn__lock_give(&log->append);
    return status;
}

/* Puts a new segment in the place of the one that was prepared, if its head does not know of all
 * sequences that there were: after a compaction nothing else may tell of them. Under append. */
static tarn_status renew_next(struct tarn__log *log)
{
    struct tarn__segment *old, *fresh = NULL;
    tarn_status status = TARN_OK;

    pthread_mutex_lock(&log->segments.files);
    old = atomic_exchange(&log->next, NULL);
    if (old && old->head.as_of < tarn__log_next_sequence(log)) {
        old->listed = false;
        status = make_listed(log, next_bytes(log), &fresh);
        if (!status)
            tarn__segments_discard(&log->segments, old);
        else
            old->listed = true;
    }
    atomic_store(&log->next, fresh ? fresh : old); /* without room the old one has to do */
    pthread_mutex_unlock(&log->segments.files);
    return status == TARN_OUTCOME_UNKNOWN ? status : TARN_OK;
}

tarn_status tarn__log_begin_segment(struct tarn__log *log)
{
    tarn_status status = TARN_OK;

    tarn__os_lock(log->environment->os, &log->append);
    if (atomic_load(&log->failed))
        status = not_appendable(log);
    else if (log->active->used > TARN__SEGMENT_HEAD)
        status = renew_next(log);
    if (!status && log->active->used > TARN__SEGMENT_HEAD)
        status = begin_next(log, 0);
    tarn__lock_give(&log->append);
    return status ? status : tarn__log_seal_full(log);
}

/* ------------------------------------------------------------------------------------------
 * Beginning and ending
 */

static tarn_status make_locks(struct tarn__log *log)
{
    if (pthread_mutex_init(&log->sync_lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    if (pthread_mutex_init(&log->notify_lock, NULL) != 0)
        goto without_notify_lock;
    if (pthread_cond_init(&log->synced, NULL) == 0)
        return TARN_OK;
    pthread_mutex_destroy(&log->notify_lock);
without_notify_lock:
    pthread_mutex_destroy(&log->sync_lock);
    return tarn__fail(TARN_NO_MEMORY, "a lock or condition variable could not be made");
}

static tarn_status begin(struct tarn__log *log)
{
    struct tarn__jobs *jobs = &log->environment->quick;
    tarn_status status = TARN_OK;

    if (!log->active) {
        pthread_mutex_lock(&log->segments.files);
        status = make_listed(log, next_bytes(log), &log->active);
        pthread_mutex_unlock(&log->segments.files);
    }
    if (!status)
        status = tarn__jobs_add(jobs, &log->prepare, prepare, log);
    if (status)
        return status;
    log->begun_ns = log->environment->os->monotonic_ns(log->environment->os);
    activate(log, log->active);
    status = tarn__jobs_add(jobs, &log->sync, tarn__log_run_sync, log);
    if (status)
        tarn__jobs_remove(jobs, &log->prepare);
    return status;
}

static void release_parts(struct tarn__log *log)
{
    tarn__free(log->scratch);
    pthread_cond_destroy(&log->synced);
    pthread_mutex_destroy(&log->notify_lock);
    pthread_mutex_destroy(&log->sync_lock);
}

tarn_status tarn__log_begin(struct tarn__log *log, struct tarn__segment *active)
{
    tarn_status status = make_locks(log);

    if (status)
        return status;
    log->active = active;
    log->scratch = tarn__allocate(SCRATCH_BYTES);
    status = log->scratch ? begin(log) : TARN_NO_MEMORY;
    if (status) {
        release_parts(log);
        return status;
    }
    log->durable_number = log->active->head.number;
    log->durable_offset = log->active->used;
    return TARN_OK;
}

static tarn_status begin_anew(struct tarn__log *log, struct tarn__log *fresh)
{
    struct tarn__segments *before = &log->segments;
    tarn_status status = tarn__segments_reserve(before);

    if (status)
        return status;
    status = tarn__segments_begin_anew(&fresh->segments, before);
    if (status)
        return status;
    status = tarn__log_begin(fresh, NULL); /* which writes the list */
    before->next_number = fresh->segments.next_number;
    before->list_unknown = fresh->segments.list_unknown;
    if (status)
        tarn__segments_close(&fresh->segments);
    before->replaced = status == TARN_OK;
    if (!status)
        tarn__log_supersede(log);
    if (!status || before->list_unknown) /* its list must not be written any more */
        atomic_store(&log->failed, true);
    return status;
}

tarn_status tarn__log_begin_anew(struct tarn__log *log, struct tarn__log *fresh)
{
    tarn_status status;

    *fresh = (struct tarn__log){.environment = log->environment,
                                .segment_bytes = log->segment_bytes,
                                .sync_failed = log->sync_failed,
                                .failed_context = log->failed_context};
    atomic_store(&fresh->mode, atomic_load(&log->mode));
    atomic_store(&fresh->compact, atomic_load(&log->compact));
    atomic_store(&fresh->compact_bytes, atomic_load(&log->compact_bytes));
    atomic_store(&fresh->compact_percent, atomic_load(&log->compact_percent));
    atomic_store(&fresh->interval_ns, atomic_load(&log->interval_ns));
    if (atomic_load(&log->failed))
        return not_appendable(log);
    pthread_mutex_lock(&log->segments.files);
    status = begin_anew(log, fresh);
    pthread_mutex_unlock(&log->segments.files);
    return status;
}

void tarn__log_release(struct tarn__log *log)
{
    tarn__jobs_remove(&log->environment->quick, &log->sync);
    tarn__jobs_remove(&log->environment->quick, &log->prepare);
    release_parts(log);
}
