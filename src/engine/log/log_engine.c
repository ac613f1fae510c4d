/*
 * The log engine: what engine.h asks for, with a log (log.h) and its segments.
 *
 * A location leads to a granule of the store's space, and that to a segment: so a record is found
 * without a look at the log, and stays readable when another log takes the place of its own. The
 * log is replaced under all locks of the namespace, and used under any of them; who waits for a
 * sync without one has told the namespace so.
 *
 * Nothing that was retired is reused: its bytes are stale, until a compaction. A segment that was
 * let go with a clear, a load or a compaction goes with its last pin.
 */
#include "base/memory.h"
#include "base/plant.h"
#include "base/status.h"
#include "engine/log/compaction.h"
#include "engine/log/coverage.h"
#include "engine/log/recovery.h"

#include <string.h>

struct log_engine {
    struct tarn__environment *environment;
    _Atomic(struct tarn__log *) current; /* changes under all locks */
    struct tarn__engine_home home;
    _Atomic uint64_t base;   /* how much was appended to logs that this one has replaced: positions
                                go on, and those of before are durable */
    _Atomic uint64_t let_go; /* segments that only pins keep */
    pthread_mutex_t compacting; /* held for a whole compaction, of any log that was current */
    struct tarn__job compact;
};

/* Under any lock of the namespace, or where it cannot be replaced. */
static inline struct tarn__log *log_of(struct log_engine *engine)
{
    return atomic_load_explicit(&engine->current, memory_order_relaxed);
}

/* ------------------------------------------------------------------------------------------
 * Opening and closing
 */

/* Gives a log back whose segments are open; begun: it was. */
static void free_log(struct tarn__log *log)
{
    struct tarn_error error = *tarn_last_error();

    if (log->active) /* it was begun */
        tarn__log_release(log);
    tarn__segments_close(&log->segments);
    tarn__free(log);
    tarn__restore_error(&error);
}

static tarn_status open_segments(struct log_engine *engine, struct tarn__log *log)
{
    const struct tarn__engine_home *home = &engine->home;
    struct tarn__environment *environment = engine->environment;
    tarn_status status = TARN_OK;

    if (home->is_new)
        status = tarn__segments_create(home->directory, environment->os, home->store, home->number);
    if (!status)
        status = tarn__segments_open(&log->segments, home->directory, environment->os,
                                     &environment->granules, home->store, home->number,
                                     environment->read_only);
    if (!status)
        log->segments.let_go = &engine->let_go;
    return status;
}

static void take_options(struct tarn__log *log, const struct tarn_namespace_options *options)
{
    log->segment_bytes = options->segment_bytes;
    log->compact_bytes = options->compact_bytes;
    log->compact_percent = options->compact_percent;
    tarn__log_set_mode(log, options->sync, options->sync_interval_ms);
}

/* What is current now is compacted; *again: another log took its place meanwhile. */
static tarn_status try_compaction(struct log_engine *engine, struct tarn__compaction *compaction,
                                  bool *again)
{
    static _Thread_local const struct log_engine *here; /* that this thread is compacting */
    struct tarn__log *log;
    tarn_status status = TARN_OK;

    *again = false;
    if (here == engine)
        return tarn__fail(TARN_BUSY, "this thread is compacting the namespace");
    pthread_mutex_lock(&engine->compacting);
    log = atomic_load(&engine->current);
    here = engine;
    if (log)
        status = tarn__log_compact(log, compaction);
    here = NULL;
    *again = status && (log->segments.replaced || log != atomic_load(&engine->current));
    pthread_mutex_unlock(&engine->compacting);
    return status;
}

static tarn_status compact_current(struct log_engine *engine, struct tarn__compaction *compaction)
{
    unsigned looks = 0;
    tarn_status status;
    bool again = true;

    compaction->mover = &engine->home.mover;
    while ((status = try_compaction(engine, compaction, &again)) && again)
        tarn__os_pause(engine->environment->os, looks++); /* soon it is current */
    return status;
}

/* The job. */
static void compact_in_background(void *context)
{
    struct log_engine *engine = context;
    struct tarn__compaction compaction = {0};
    tarn_status status = compact_current(engine, &compaction);

    if (status == TARN_CANCELLED || status == TARN_CLOSED || status == TARN_NAMESPACE_DROPPED)
        return; /* it is about to end */
    if ((status || compaction.freed) && engine->home.compacted)
        engine->home.compacted(engine->home.context, status, compaction.freed);
}

/* Waits for a compaction of a log that is not current any more, or will not be. */
static void end_compaction(struct log_engine *engine, struct tarn__log *log)
{
    atomic_store(&log->ending, true);
    pthread_mutex_lock(&engine->compacting);
    pthread_mutex_unlock(&engine->compacting);
}

static tarn_status make_engine(struct tarn__environment *environment,
                               const struct tarn__engine_home *home, struct log_engine **out)
{
    struct log_engine *engine = tarn__allocate_zeroed(sizeof *engine);
    tarn_status status;

    if (!engine)
        return TARN_NO_MEMORY;
    engine->environment = environment;
    engine->home = *home;
    if (pthread_mutex_init(&engine->compacting, NULL) != 0) {
        tarn__free(engine);
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    }
    status = tarn__jobs_add(&environment->slow, &engine->compact, compact_in_background, engine);
    if (status) {
        pthread_mutex_destroy(&engine->compacting);
        tarn__free(engine);
        return status;
    }
    *out = engine;
    return TARN_OK;
}

static void free_engine(struct log_engine *engine)
{
    tarn__jobs_remove(&engine->environment->slow, &engine->compact);
    pthread_mutex_destroy(&engine->compacting);
    tarn__free(engine);
}

static tarn_status log_open(struct tarn__environment *environment,
                            const struct tarn__engine_home *home,
                            const struct tarn_namespace_options *options, void **state)
{
    struct tarn__log *log = tarn__allocate_lines(sizeof *log);
    struct log_engine *engine = NULL;
    tarn_status status = log ? make_engine(environment, home, &engine) : TARN_NO_MEMORY;

    if (status) {
        tarn__free(log);
        return status;
    }
    log->environment = environment;
    if (home->to_fill)
        atomic_store(&log->mend_sequence, 1);
    log->sync_failed = home->sync_failed;
    log->failed_context = home->context;
    take_options(log, options);
    status = open_segments(engine, log);
    if (status) {
        tarn__free(log);
        free_engine(engine);
        return status;
    }
    if (!environment->read_only && !home->to_fill)
        atomic_store(&log->compact, &engine->compact);
    atomic_store(&engine->current, log);
    *state = engine;
    return TARN_OK;
}

static tarn_status log_replay(void *state, const struct tarn__replay *replay,
                              struct tarn__replayed *replayed)
{
    struct log_engine *engine = state;
    struct tarn__log_opening opening;
    const struct tarn__log_visitor visitor = {
        .context = replay->context, .put = replay->put, .remove = replay->remove};
    struct tarn__log *log = log_of(engine);
    tarn_status status = tarn__log_open(log, &visitor, &opening);

    if (status) {
        log->active = NULL; /* there is nothing to release */
        return status;
    }
    *replayed = (struct tarn__replayed){.sequence = opening.sequence,
                                        .was_cut = opening.was_cut,
                                        .discarded_bytes = opening.discarded_bytes};
    return TARN_OK;
}

static tarn_status log_covered(void *state, struct tarn__checkpoint *checkpoint)
{
    return tarn__log_covered(log_of(state), checkpoint);
}

static bool log_cover(void *state, const struct tarn__checkpoint *checkpoint)
{
    return tarn__log_cover(log_of(state), checkpoint);
}

static bool log_holds(void *state, uint64_t location)
{
    return tarn__log_covers(log_of(state), location);
}

static void log_configure(void *state, const struct tarn_namespace_options *options)
{
    struct log_engine *engine = state;
    struct tarn__log *log = log_of(engine);

    take_options(log, options);
    if (!engine->environment->read_only) /* what was filled for it has none yet */
        atomic_store(&log->compact, &engine->compact);
    tarn__log_want_compaction(log);
}

static tarn_status log_finish(void *state)
{
    struct log_engine *engine = state;
    struct tarn__log *log = log_of(engine);

    end_compaction(engine, log);
    return log->active ? tarn__log_end(log) : TARN_OK; /* or it only was read */
}

static void log_close(void *state)
{
    struct log_engine *engine = state;
    struct tarn__log *log;

    if (!engine)
        return;
    log = log_of(engine);
    if (log) {
        atomic_store(&log->ending, true);
        pthread_mutex_lock(&engine->compacting);
        atomic_store(&engine->current, NULL); /* a compaction that begins now finds nothing */
        pthread_mutex_unlock(&engine->compacting);
        if (log->active) /* what is not durable now was dropped */
            tarn__log_supersede(log);
        free_log(log);
    }
    free_engine(engine);
}

/* ------------------------------------------------------------------------------------------
 * Writing
 */

static tarn_status log_append(void *state, struct tarn__write *writes, size_t count,
                              uint64_t *position)
{
    struct log_engine *engine = state;
    struct tarn__log *log = log_of(engine);
    uint64_t end;
    tarn_status status = tarn__log_append(log, writes, count, &end);

    if (!status && atomic_load_explicit(&log->mode, memory_order_relaxed) == TARN_SYNC_ALWAYS)
        *position = atomic_load(&engine->base) + end;
    for (size_t i = 0; i < count; i++)
        if (status || writes[i].removes)
            writes[i].location = 0;
    return status;
}

static tarn_status log_restore(void *state, struct tarn__write *writes, size_t count)
{
    struct tarn__log *log = log_of(state);
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < count && !status; i++)
        status = tarn__log_append_again(log, &writes[i], 1, writes[i].record.info.sequence);
    return status;
}

static tarn_status log_filled(void *state)
{
    struct tarn__log *log = log_of(state);
    tarn_status status =
        TARN__PLANTED(TARN__PLANT_LOADED_NOT_SYNCED) ? TARN_OK : tarn__log_sync(log);

    atomic_store(&log->mend_sequence, 0);
    return status;
}

static uint64_t log_written(void *state)
{
    struct log_engine *engine = state;

    return atomic_load(&engine->base) + atomic_load(&log_of(engine)->appended);
}

/* Whether there is something to sync for a position; it becomes that in the log. */
static bool is_to_sync(struct log_engine *engine, uint64_t *position)
{
    uint64_t base = atomic_load(&engine->base);

    if (engine->environment->read_only || *position <= base)
        return false;
    *position -= base;
    return true;
}

static tarn_status log_wait(void *state, uint64_t position)
{
    struct log_engine *engine = state;

    return is_to_sync(engine, &position) ? tarn__log_wait(log_of(engine), position) : TARN_OK;
}

static void log_notify(void *state, uint64_t position, struct tarn__completion *completion)
{
    struct log_engine *engine = state;

    if (is_to_sync(engine, &position))
        tarn__log_notify(log_of(engine), position, completion);
    else
        tarn__completions_add_one(&engine->environment->completions, completion);
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

/* The segment that a location is in, and where there. */
static inline struct tarn__segment *segment_of(struct log_engine *engine, uint64_t location,
                                               uint64_t *offset)
{
    struct tarn__segment *segment = tarn__segment_of(&engine->environment->granules, location);

    *offset = tarn__segment_offset(segment, location);
    return segment;
}

/* Returns how long the frame is; 0: it is damaged, and the record is not filled in. */
static inline size_t peek(const struct tarn__segment *segment, uint64_t offset,
                          struct tarn__record *record)
{
    return tarn__frame_peek(&segment->frames, segment->bytes + offset, segment->size - offset,
                            record);
}

static void log_read(void *state, uint64_t location, struct tarn__record *record)
{
    uint64_t offset;
    const struct tarn__segment *segment = segment_of(state, location, &offset);

    if (!peek(segment, offset, record))
        *record = (struct tarn__record){0};
}

static tarn_status log_verify(void *state, uint64_t location)
{
    struct log_engine *engine = state;
    uint64_t offset;
    struct tarn__segment *segment = segment_of(engine, location, &offset);
    struct tarn__record record;
    size_t length = peek(segment, offset, &record);

    if (length && tarn__segment_verify(engine->environment->os, segment, offset, length))
        return TARN_OK;
    return tarn__segment_corrupt(&log_of(engine)->segments, segment, offset);
}

static void log_prefetch(void *state, uint64_t location)
{
    struct log_engine *engine = state;
    uint64_t offset;
    struct tarn__segment *segment = segment_of(engine, location, &offset);

    __builtin_prefetch(segment->bytes + offset);
    __builtin_prefetch(segment->bytes + offset + 64);
    __builtin_prefetch(segment->bytes + offset + 128); /* about 130 bytes are usual */
}

static void log_retire(void *state, const uint64_t *locations, size_t count, size_t bytes)
{
    struct log_engine *engine = state;

    (void)bytes; /* the frames tell how long they are */
    for (size_t i = 0; i < count; i++)
        tarn__segment_count_stale(&engine->environment->granules, locations[i]);
}

/* Memory is never what an append lacks. */
static void log_reclaim(void *state)
{
    (void)state;
}

static void log_pin(void *state, uint64_t location)
{
    uint64_t offset;

    atomic_fetch_add(&segment_of(state, location, &offset)->pins, 1);
}

static void unpin(struct log_engine *engine, struct tarn__segment *segment)
{
    if (tarn__segment_unpin(engine->environment->os, &engine->environment->granules, segment))
        atomic_fetch_sub(&engine->let_go, 1);
}

static void log_unpin(void *state, uint64_t location)
{
    uint64_t offset;

    unpin(state, segment_of(state, location, &offset));
}

static bool log_has_pins(void *state)
{
    struct log_engine *engine = state;
    struct tarn__segments *segments = &log_of(engine)->segments;
    bool found = atomic_load(&engine->let_go) > 0;

    pthread_mutex_lock(&segments->lock);
    for (size_t i = 0; i < segments->count && !found; i++)
        found = atomic_load(&segments->all[i]->pins) > 0;
    pthread_mutex_unlock(&segments->lock);
    return found;
}

/* ------------------------------------------------------------------------------------------
 * Moving
 */

struct held {
    struct tarn__segment **segments;
    size_t count;
};

static tarn_status log_hold(void *state, void **held)
{
    struct log_engine *engine = state;
    struct held *all = tarn__allocate(sizeof *all);
    tarn_status status =
        all ? tarn__segments_pin_all(&log_of(engine)->segments, &all->segments, &all->count)
            : TARN_NO_MEMORY;

    if (status) {
        tarn__free(all);
        return status;
    }
    *held = all;
    return TARN_OK;
}

static void log_unhold(void *state, void *held)
{
    struct log_engine *engine = state;
    struct held *all = held;

    for (size_t i = 0; i < all->count; i++)
        unpin(engine, all->segments[i]);
    tarn__free(all->segments);
    tarn__free(all);
}

static tarn_status log_compact(void *state,
                               bool (*progress)(void *context, uint64_t done, uint64_t total),
                               void *context)
{
    struct tarn__compaction compaction = {.all = true, .progress = progress, .context = context};

    return compact_current(state, &compaction);
}

/* ------------------------------------------------------------------------------------------
 * All of it
 */

static tarn_status log_replace(void *state, void *other, void **detached)
{
    struct log_engine *engine = state, *from = other;
    struct tarn__log *before = log_of(engine), *fresh;
    tarn_status status;

    if (other) {
        fresh = log_of(from);
        tarn__log_supersede(before);
        atomic_fetch_add(&engine->base, atomic_load(&before->appended));
        atomic_store(&from->current, NULL);
        fresh->failed_context = engine->home.context;
        fresh->segments.let_go = &engine->let_go;
        atomic_store(&engine->current, fresh);
        *detached = before;
        return TARN_OK;
    }
    fresh = tarn__allocate_lines(sizeof *fresh);
    if (!fresh)
        return TARN_NO_MEMORY;
    status = tarn__log_begin_anew(before, fresh);
    if (status) {
        tarn__free(fresh);
        return status;
    }
    atomic_fetch_add(&engine->base, atomic_load(&before->appended));
    atomic_store(&engine->current, fresh);
    *detached = before;
    return TARN_OK;
}

static void log_release(void *state, void *detached)
{
    struct log_engine *engine = state;
    struct tarn__log *log = detached;
    struct tarn__segments *segments = &log->segments;

    end_compaction(engine, log);
    tarn__log_release(log);
    pthread_mutex_lock(&segments->files);
    while (segments->count)
        tarn__segments_discard(segments, segments->all[0]);
    pthread_mutex_unlock(&segments->files);
    tarn__segments_close(segments);
    tarn__free(log);
}

static uint64_t log_memory_bytes(void *state)
{
    struct log_engine *engine = state;
    struct tarn__segments *segments = &log_of(engine)->segments;
    uint64_t bytes = sizeof *engine + sizeof(struct tarn__log);

    pthread_mutex_lock(&segments->lock);
    bytes += segments->count * sizeof(struct tarn__segment);
    pthread_mutex_unlock(&segments->lock);
    return bytes;
}

static void log_disk_stats(void *state, struct tarn_stats *stats)
{
    tarn__log_stats(log_of(state), stats);
}

const struct tarn__engine tarn__log_engine = {
    .kind = TARN_ENGINE_LOG,
    .open = log_open,
    .replay = log_replay,
    .covered = log_covered,
    .cover = log_cover,
    .holds = log_holds,
    .configure = log_configure,
    .finish = log_finish,
    .close = log_close,
    .append = log_append,
    .restore = log_restore,
    .filled = log_filled,
    .written = log_written,
    .wait = log_wait,
    .notify = log_notify,
    .read = log_read,
    .verify = log_verify,
    .prefetch = log_prefetch,
    .retire = log_retire,
    .retires_at_once = true,
    .reclaim = log_reclaim,
    .hold = log_hold,
    .unhold = log_unhold,
    .compact = log_compact,
    .pin = log_pin,
    .unpin = log_unpin,
    .has_pins = log_has_pins,
    .replace = log_replace,
    .release = log_release,
    .memory_bytes = log_memory_bytes,
    .disk_stats = log_disk_stats,
};
