/*
 * Making a log durable. One thread at a time syncs, for all that was appended before it began; the
 * others wait for it, and then one of them syncs for all that has come since. For asynchronous
 * writes, which do not wait, that is the store's thread.
 */
#include "base/plant.h"
#include "base/status.h"
#include "engine/log/log.h"

#define GATHER_NS_MAX UINT64_C(100000)

/* ------------------------------------------------------------------------------------------
 * The files
 */

/* The first segment that has something to sync, up to the active one. The active one is not done
 * by a sync, so it is looked for as the one behind `after`. */
static struct tarn__segment *first_unsynced(struct tarn__log *log, uint64_t after, uint64_t last)
{
    struct tarn__segments *segments = &log->segments;
    struct tarn__segment *found = NULL;

    pthread_mutex_lock(&segments->lock);
    for (size_t i = 0; i < segments->count && !found; i++) {
        struct tarn__segment *segment = segments->all[i];

        if (segment->head.origin == TARN__SEGMENT_WRITTEN && !segment->synced &&
            segment->head.number > after && segment->head.number <= last)
            found = segment;
    }
    pthread_mutex_unlock(&segments->lock);
    return found;
}

/* Nothing is written to the segment any more, and all of it is durable. */
static void seal(struct tarn__log *log, struct tarn__segment *segment)
{
    struct tarn__file *file = segment->file;

    tarn__segment_at_random(log->environment->os, segment); /* now: who compacts takes it away */
    pthread_mutex_lock(&log->segments.lock);
    segment->synced = true;
    segment->sealed_bytes = segment->used; /* the next list says it */
    segment->file = NULL;
    pthread_mutex_unlock(&log->segments.lock);
    tarn__file_close_after_reading(file); /* all that was written is synced */
}

/* Syncs all segments up to the one that was active. */
static tarn_status sync_files(struct tarn__log *log, const struct tarn__segment *active)
{
    struct tarn__segment *segment;
    uint64_t after = 0;
    tarn_status status = TARN_OK;

    while (!status && (segment = first_unsynced(log, after, active->head.number))) {
        status = tarn__file_sync(segment->file);
        after = segment->head.number;
        if (!status && segment != active)
            seal(log, segment);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Taking turns
 */

static tarn_status not_durable(const struct tarn__log *log)
{
    return tarn__fail(TARN_OUTCOME_UNKNOWN,
                      "a sync of '%s' has failed: what was written is there, but may be lost when "
                      "power is; open the store anew",
                      tarn__directory_path(log->segments.directory));
}

/* Syncs all that was appended before. syncing is this thread's; sync_lock is held, and given back
 * meanwhile. */
static void sync_all(struct tarn__log *log)
{
    const struct tarn__segment *active;
    uint64_t position, offset;
    tarn_status status;

    pthread_mutex_unlock(&log->sync_lock);
    tarn__os_lock(log->environment->os, &log->append);
    active = log->active;
    position = atomic_load(&log->appended);
    offset = active->used;
    tarn__lock_give(&log->append);
    status = sync_files(log, active);
    pthread_mutex_lock(&log->sync_lock);
    if (status) {
        atomic_store(&log->failed, !TARN__PLANTED(TARN__PLANT_LOG_SYNC_RETRIED));
        return;
    }
    log->durable_number = active->head.number;
    log->durable_offset = offset;
    if (atomic_load(&log->durable) < position) /* or it was superseded meanwhile */
        atomic_store(&log->durable, position);
}

/* Has those told whose writes are durable, or not known to be. */
static void settle_locked(struct tarn__log *log)
{
    bool failed = atomic_load(&log->failed); /* first: what was durable before it failed, is */
    uint64_t durable = atomic_load(&log->durable);
    struct tarn__completion_row settled = {0};

    while (log->notified.first && (failed || log->notified.first->position <= durable)) {
        struct tarn__completion *first = tarn__completion_row_take(&log->notified);

        first->status = first->position <= durable ? TARN_OK : TARN_OUTCOME_UNKNOWN;
        tarn__completion_row_add(&settled, first);
    }
    tarn__completions_add(&log->environment->completions, &settled);
    atomic_store(&log->notifies, log->notified.first != NULL);
}

/* After each change of `durable`, and by the job where `failed` has changed. */
static void settle(struct tarn__log *log)
{
    if (!atomic_load(&log->notifies))
        return;
    pthread_mutex_lock(&log->notify_lock);
    settle_locked(log);
    pthread_mutex_unlock(&log->notify_lock);
}

/*
 * Those whom the last sync has served are likely to be back in a moment, and to sync before they
 * are means to sync twice as often. So whoever is about to sync waits for them, but not for long
 * beside what a sync takes. Under sync_lock.
 */
static void gather(struct tarn__log *log)
{
    const struct tarn__os *os = log->environment->os;
    uint64_t begin = os->monotonic_ns(os), most = log->sync_ns / 4;

    most = most < GATHER_NS_MAX ? most : GATHER_NS_MAX;
    for (unsigned looks = 0; log->arrivals < log->served && os->monotonic_ns(os) - begin < most;
         looks++) {
        pthread_mutex_unlock(&log->sync_lock);
        tarn__os_pause(os, looks);
        pthread_mutex_lock(&log->sync_lock);
    }
}

/* Syncs. Under sync_lock, which is given back meanwhile. */
static void take_turn(struct tarn__log *log)
{
    const struct tarn__os *os = log->environment->os;
    uint64_t begin;

    log->syncing = true;
    gather(log);
    log->served = log->waiting;
    log->waiting = 0;
    begin = os->monotonic_ns(os);
    sync_all(log);
    log->sync_ns = os->monotonic_ns(os) - begin;
    log->arrivals = 0;
    log->syncing = false;
    pthread_cond_broadcast(&log->synced);
}

/* Syncs, or waits for the one who does. Under sync_lock. */
static tarn_status sync_or_wait(struct tarn__log *log)
{
    if (atomic_load(&log->failed))
        return not_durable(log);
    if (log->syncing) {
        pthread_cond_wait(&log->synced, &log->sync_lock);
        return TARN_OK;
    }
    take_turn(log);
    return TARN_OK;
}

tarn_status tarn__log_wait(struct tarn__log *log, uint64_t position)
{
    tarn_status status = TARN_OK;

    if (atomic_load(&log->durable) >= position || TARN__PLANTED(TARN__PLANT_LOG_NO_WAIT)) {
        settle(log); /* whoever has synced may not have come to it */
        return TARN_OK;
    }
    pthread_mutex_lock(&log->sync_lock);
    log->waiting++;
    log->arrivals++;
    while (!status && atomic_load(&log->durable) < position)
        status = sync_or_wait(log);
    pthread_mutex_unlock(&log->sync_lock);
    settle(log);
    return status;
}

tarn_status tarn__log_seal_full(struct tarn__log *log)
{
    tarn_status status = TARN_OK;
    bool done = false;

    pthread_mutex_lock(&log->sync_lock);
    while (!status && !done) {
        done = !log->syncing; /* who does it now may have begun before */
        status = sync_or_wait(log);
    }
    if (!status && atomic_load(&log->failed))
        status = not_durable(log);
    pthread_mutex_unlock(&log->sync_lock);
    settle(log);
    return status;
}

void tarn__log_notify(struct tarn__log *log, uint64_t position, struct tarn__completion *completion)
{
    const struct tarn__os *os = log->environment->os;
    bool waits;

    completion->position = position;
    pthread_mutex_lock(&log->notify_lock);
    tarn__completion_row_add(&log->notified, completion);
    atomic_store(&log->notifies, true); /* before a look at what is durable, as in settle() */
    settle_locked(log);
    waits = atomic_load(&log->notifies);
    pthread_mutex_unlock(&log->notify_lock);
    /* Not tarn__jobs_wake(): the next segment is prepared first, where that is to be done, too. */
    if (waits && !atomic_exchange(&log->sync_wanted_now, true))
        tarn__jobs_want(&log->environment->quick, &log->sync, os->monotonic_ns(os));
}

void tarn__log_supersede(struct tarn__log *log)
{
    pthread_mutex_lock(&log->sync_lock);
    atomic_store(&log->durable, UINT64_MAX);
    pthread_mutex_unlock(&log->sync_lock);
    settle(log);
}

tarn_status tarn__log_sync(struct tarn__log *log)
{
    return tarn__log_wait(log, atomic_load(&log->appended));
}

/* ------------------------------------------------------------------------------------------
 * Modes
 */

void tarn__log_tell(struct tarn__log *log, tarn_status status)
{
    if (status && log->sync_failed && !atomic_exchange(&log->told, true))
        log->sync_failed(log->failed_context, status);
}

void tarn__log_run_sync(void *context)
{
    struct tarn__log *log = context;

    atomic_store(&log->sync_wanted, false);
    atomic_store(&log->sync_wanted_now, false);
    tarn__log_tell(log, tarn__log_sync(log));
}

void tarn__log_want_sync(struct tarn__log *log)
{
    const struct tarn__os *os = log->environment->os;

    if (!atomic_load_explicit(&log->sync_wanted, memory_order_relaxed) &&
        !atomic_exchange(&log->sync_wanted, true))
        tarn__jobs_want(&log->environment->quick, &log->sync,
                        os->monotonic_ns(os) + atomic_load(&log->interval_ns));
}

void tarn__log_set_mode(struct tarn__log *log, enum tarn_sync_mode mode, uint32_t interval_ms)
{
    atomic_store(&log->interval_ns, (uint64_t)interval_ms * 1000000);
    atomic_store(&log->mode, mode);
    if (mode == TARN_SYNC_INTERVAL && atomic_load(&log->durable) < atomic_load(&log->appended))
        tarn__log_want_sync(log);
}

/* Cuts off what was only preallocated, so that the next opening sees that nothing was written there
 * since. */
static tarn_status trim(struct tarn__log *log)
{
    struct tarn__segment *next;
    tarn_status status = tarn__file_truncate(log->active->file, log->active->used);

    pthread_mutex_lock(&log->segments.files); /* one may be being prepared */
    next = atomic_load(&log->next);
    if (!status && next)
        status = tarn__file_truncate(next->file, TARN__SEGMENT_HEAD);
    pthread_mutex_unlock(&log->segments.files);
    return status;
}

tarn_status tarn__log_end(struct tarn__log *log)
{
    tarn_status status =
        TARN__PLANTED(TARN__PLANT_LOG_ENDED_UNSYNCED) ? TARN_OK : tarn__log_sync(log);

    atomic_store(&log->ending, true);                          /* nothing is prepared any more */
    if (!status && log->ended && !atomic_load(&log->appended)) /* it still is */
        return trim(log);
    if (!status && atomic_load(&log->failed))
        status = not_durable(log);
    if (!status)
        status = tarn__log_write_end(log, 0);
    if (!status)
        status = tarn__file_sync(log->active->file);
    return status ? status : trim(log);
}
