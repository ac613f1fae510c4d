/* Compaction; see the header. */
#include "engine/log/compaction.h"
#include "base/memory.h"
#include "base/status.h"
#include "engine/log/coverage.h"
#include "engine/log/rewrite.h"

#include <stdlib.h>

/* Of the bytes in sealed segments: when so many of them are deletes, the oldest is rewritten, until
 * there is nothing left that they are needed for. */
#define DELETES_PERCENT 10

#define A_LITTLE_NS UINT64_C(100000000)

/* One time through: sources are chosen, rewritten and replaced. */
struct round {
    struct tarn__log *log;
    struct tarn__compaction *compaction;
    struct tarn__rewrite *rewrite;
    struct tarn__segment **sources;
    size_t count;
    uint64_t *done, total; /* bytes of the whole compaction that were read */
};

/* ------------------------------------------------------------------------------------------
 * What there is to gain. All under the segments' lock.
 */

struct balance {
    uint64_t bytes, dead, deletes; /* in sealed segments */
    struct tarn__segment *oldest;
};

static bool is_sealed(const struct tarn__segment *segment)
{
    return segment->sealed_bytes && segment->synced && segment->listed && !segment->damaged;
}

static uint64_t bytes_of(const struct tarn__segment *segment)
{
    return segment->sealed_bytes - TARN__SEGMENT_HEAD;
}

static struct tarn__segment *oldest_of(const struct tarn__segments *segments)
{
    struct tarn__segment *oldest = NULL;

    for (size_t i = 0; i < segments->count; i++)
        if (segments->all[i]->listed &&
            (!oldest || atomic_load(&segments->all[i]->as_of) < atomic_load(&oldest->as_of)))
            oldest = segments->all[i];
    return oldest;
}

/* What would be gone if the segment was rewritten now: deletes go with the oldest. */
static uint64_t dead_in(const struct tarn__segment *segment, const struct tarn__segment *oldest)
{
    uint64_t dead = atomic_load_explicit(&segment->stale, memory_order_relaxed);

    if (segment == oldest)
        dead += atomic_load_explicit(&segment->deletes, memory_order_relaxed);
    return dead < bytes_of(segment) ? dead : bytes_of(segment);
}

static struct balance balance_of(const struct tarn__segments *segments)
{
    struct balance balance = {.oldest = oldest_of(segments)};

    for (size_t i = 0; i < segments->count; i++) {
        const struct tarn__segment *segment = segments->all[i];

        if (!is_sealed(segment))
            continue;
        balance.bytes += bytes_of(segment);
        balance.dead += dead_in(segment, balance.oldest);
        balance.deletes += atomic_load_explicit(&segment->deletes, memory_order_relaxed);
    }
    return balance;
}

/* goes_on: it was, and a compaction is at it: then it does a little more, to be done for a while.
 */
static bool is_much_dead(const struct tarn__log *log, const struct balance *balance, bool goes_on)
{
    uint32_t percent = atomic_load(&log->compact_percent);

    if (goes_on)
        percent -= percent / 4;
    return balance->dead >= atomic_load(&log->compact_bytes) &&
           balance->dead / (balance->bytes / 100 + 1) >= percent;
}

/* Deletes that are kept; and the oldest can be rewritten. */
static bool is_much_deleted(const struct tarn__log *log, const struct balance *balance)
{
    return balance->deletes >= atomic_load(&log->compact_bytes) &&
           balance->deletes / (balance->bytes / 100 + 1) >= DELETES_PERCENT && balance->oldest &&
           is_sealed(balance->oldest);
}

bool tarn__log_is_worth_compacting(struct tarn__log *log)
{
    struct tarn__segments *segments = &log->segments;
    struct balance balance;

    pthread_mutex_lock(&segments->lock);
    balance = balance_of(segments);
    pthread_mutex_unlock(&segments->lock);
    return is_much_dead(log, &balance, false) || is_much_deleted(log, &balance);
}

void tarn__log_stats(struct tarn__log *log, struct tarn_stats *stats)
{
    struct tarn__segments *segments = &log->segments;

    pthread_mutex_lock(&segments->lock);
    stats->segments = 0;
    for (size_t i = 0; i < segments->count; i++) {
        const struct tarn__segment *segment = segments->all[i];

        if (!atomic_load(&segment->listed)) /* being compacted, or made by that */
            continue;
        stats->segments++;
        stats->disk_bytes += segment->size;
        stats->log_bytes += segment->used - TARN__SEGMENT_HEAD;
        stats->stale_bytes += atomic_load_explicit(&segment->stale, memory_order_relaxed);
    }
    pthread_mutex_unlock(&segments->lock);
}

/* Who opens a store for a moment has no use for it: so it begins a little later where nothing was
 * written yet. */
void tarn__log_want_compaction(struct tarn__log *log)
{
    const struct tarn__os *os = log->environment->os;
    struct tarn__job *job = atomic_load(&log->compact);

    if (!job || !tarn__log_is_worth_compacting(log))
        return;
    if (atomic_load(&log->appended))
        tarn__jobs_wake(&log->environment->slow, job);
    else
        tarn__jobs_want(&log->environment->slow, job, os->monotonic_ns(os) + A_LITTLE_NS);
}

/* ------------------------------------------------------------------------------------------
 * Choosing. Under the segments' lock as well.
 */

struct candidate {
    struct tarn__segment *segment;
    uint64_t as_of, bytes, dead;
};

/* Those first of which the largest share is dead. */
static int by_share(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    double share_x = (double)x->dead / (double)x->bytes,
           share_y = (double)y->dead / (double)y->bytes;

    return (share_x < share_y) - (share_x > share_y);
}

/* The oldest first, so that deletes are not needed any more once it is their turn. */
static int by_age(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return (x->as_of > y->as_of) - (x->as_of < y->as_of);
}

static struct candidate candidate_of(struct tarn__segment *segment,
                                     const struct tarn__segment *oldest)
{
    return (struct candidate){.segment = segment,
                              .as_of = atomic_load(&segment->as_of),
                              .bytes = bytes_of(segment),
                              .dead = dead_in(segment, oldest)};
}

/* Those that have something to gain. all: of what was there when the compaction began. */
static size_t find_candidates(const struct round *round, uint64_t below_number,
                              const struct tarn__segment *oldest, struct candidate *candidates)
{
    const struct tarn__segments *segments = &round->log->segments;
    size_t count = 0;

    for (size_t i = 0; i < segments->count; i++) {
        struct tarn__segment *segment = segments->all[i];

        if (!is_sealed(segment) || segment->head.number >= below_number || !bytes_of(segment))
            continue;
        candidates[count] = candidate_of(segment, round->compaction->all ? segment : oldest);
        count += candidates[count].dead != 0;
    }
    return count;
}

/* How many of the candidates one round takes: what is left of them is to fill one segment. */
static size_t take(const struct round *round, const struct candidate *candidates, size_t count)
{
    uint64_t live = 0, most = atomic_load(&round->log->segment_bytes);
    uint32_t percent = atomic_load(&round->log->compact_percent) * 3 / 4;
    size_t taken = 0;

    for (; taken < count; taken++) {
        const struct candidate *candidate = &candidates[taken];

        live += candidate->bytes - candidate->dead;
        if (taken && (live > most || (!round->compaction->all &&
                                      candidate->dead / (candidate->bytes / 100 + 1) < percent)))
            break;
    }
    return taken;
}

static size_t choose_from(struct round *round, uint64_t below_number, struct candidate *candidates)
{
    struct balance balance = balance_of(&round->log->segments);
    bool dead = is_much_dead(round->log, &balance, round->compaction->freed > 0);
    size_t count;

    if (!round->compaction->all && !dead && !is_much_deleted(round->log, &balance))
        return 0;
    if (!round->compaction->all && !dead) { /* also if nothing in it is dead: others are waiting */
        candidates[0] = candidate_of(balance.oldest, balance.oldest);
        return 1;
    }
    count = find_candidates(round, below_number, balance.oldest, candidates);
    qsort(candidates, count, sizeof *candidates, round->compaction->all ? by_age : by_share);
    return take(round, candidates, count);
}

/* What the segments that stay are as of at least. */
static uint64_t kept_as_of(const struct round *round)
{
    const struct tarn__segments *segments = &round->log->segments;
    uint64_t lowest = UINT64_MAX;

    for (size_t i = 0; i < segments->count; i++) {
        uint64_t as_of = atomic_load(&segments->all[i]->as_of);
        bool stays = segments->all[i]->listed;

        for (size_t j = 0; j < round->count && stays; j++)
            stays = segments->all[i] != round->sources[j];
        if (stays && as_of < lowest)
            lowest = as_of;
    }
    return lowest;
}

static void enter(struct round *round, const struct candidate *candidates, size_t count)
{
    struct tarn__rewrite *rewrite = round->rewrite;

    rewrite->base_sequence = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        struct tarn__segment *segment = candidates[i].segment;

        round->sources[i] = segment;
        rewrite->expected += candidates[i].bytes - candidates[i].dead;
        if (segment->head.base_sequence < rewrite->base_sequence)
            rewrite->base_sequence = segment->head.base_sequence;
    }
    round->count = count;
    rewrite->kept_as_of = kept_as_of(round);
}

/* Chooses the sources of a round, none if there is not enough to gain. */
static tarn_status choose(struct round *round, uint64_t below_number)
{
    struct tarn__segments *segments = &round->log->segments;
    struct candidate *candidates;
    size_t count = 0;

    pthread_mutex_lock(&segments->lock);
    candidates = tarn__allocate((segments->count + 1) * sizeof *candidates);
    round->sources = tarn__allocate((segments->count + 1) * sizeof(struct tarn__segment *));
    if (candidates && round->sources)
        count = choose_from(round, below_number, candidates);
    if (count)
        enter(round, candidates, count);
    pthread_mutex_unlock(&segments->lock);
    tarn__free(candidates);
    return candidates && round->sources ? TARN_OK : TARN_NO_MEMORY;
}

/* ------------------------------------------------------------------------------------------
 * A round
 */

static tarn_status tell_progress(void *context, uint64_t bytes)
{
    struct round *round = context;
    const struct tarn__compaction *compaction = round->compaction;

    *round->done += bytes;
    if (atomic_load(&round->log->ending) ||
        (compaction->progress &&
         !compaction->progress(compaction->context, *round->done,
                               round->total < *round->done ? *round->done : round->total)))
        return tarn__fail(TARN_CANCELLED,
                          "the compaction was ended: what it had not finished stays "
                          "as it was");
    return TARN_OK;
}

static tarn_status rewrite_sources(struct round *round)
{
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < round->count && !status; i++) {
        status = tarn__rewrite_source(round->rewrite, round->sources[i]);
        if (status == TARN_CORRUPT)
            round->sources[i]->damaged = true;
    }
    return status ? status : tarn__rewrite_finish(round->rewrite);
}

static void list(struct tarn__segment **segments, size_t count, bool listed)
{
    for (size_t i = 0; i < count; i++)
        segments[i]->listed = listed;
}

/* Puts what was made in the place of what it is from. */
static tarn_status commit(struct round *round)
{
    struct tarn__segments *segments = &round->log->segments;
    struct tarn__rewrite *rewrite = round->rewrite;
    tarn_status status = tarn__log_sync(round->log);

    if (status)
        return status;
    pthread_mutex_lock(&segments->files);
    list(round->sources, round->count, false);
    list(rewrite->outputs, rewrite->output_count, true);
    status = tarn__segments_write_list(segments);
    if (status) { /* where it is not known, either may be what counts: it is not written again */
        list(round->sources, round->count, true);
        list(rewrite->outputs, rewrite->output_count, status == TARN_OUTCOME_UNKNOWN);
    }
    pthread_mutex_unlock(&segments->files);
    if (!status) {
        pthread_mutex_lock(&segments->lock);
        tarn__log_uncover(round->log, round->sources, round->count);
        pthread_mutex_unlock(&segments->lock);
    }
    return status;
}

/* What was overwritten since it was judged is dead where it was copied to. */
static void count_dead(struct round *round, const struct tarn__move *moves, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!moves[i].from)
            tarn__segment_count_stale(&round->log->environment->granules, moves[i].to);
}

static tarn_status relocate(struct round *round)
{
    const struct tarn__mover *mover = round->compaction->mover;
    struct tarn__rewrite *rewrite = round->rewrite;
    tarn_status status = TARN_OK;
    size_t at = 0, done;

    while (!status && at < rewrite->move_count) {
        size_t count = rewrite->move_count - at;

        count = count < TARN__MOVES_MAX ? count : TARN__MOVES_MAX;
        done = 0;
        status = mover->relocate(mover->context, rewrite->moves + at, count, &done);
        count_dead(round, rewrite->moves + at, done);
        at += done;
        if (status == TARN_LOCK_TIMEOUT && !atomic_load(&round->log->ending))
            status = TARN_OK;
    }
    return status;
}

/* Nobody can come to them any more: they are in no list, and the index leads to none of them. */
static void let_go(struct round *round)
{
    struct tarn__segments *segments = &round->log->segments;

    round->compaction->mover->settle(round->compaction->mover->context);
    for (size_t i = 0; i < round->count; i++)
        round->compaction->freed += bytes_of(round->sources[i]);
    for (size_t i = 0; i < round->rewrite->output_count; i++)
        round->compaction->freed -= bytes_of(round->rewrite->outputs[i]);
    pthread_mutex_lock(&segments->files);
    for (size_t i = 0; i < round->count; i++)
        tarn__segments_discard(segments, round->sources[i]);
    pthread_mutex_unlock(&segments->files);
}

static tarn_status run(struct round *round)
{
    const struct tarn__mover *mover = round->compaction->mover;
    bool known = true;
    tarn_status status;

    round->rewrite->as_of = tarn__log_next_sequence(round->log);
    mover->settle(mover->context);
    status = rewrite_sources(round);
    if (!status)
        status = commit(round);
    known = status != TARN_OUTCOME_UNKNOWN || !round->log->segments.list_unknown;
    if (status) {
        tarn__rewrite_release(round->rewrite, known);
        return status;
    }
    status = relocate(round); /* if it fails the namespace has ended, and they go with the log */
    if (!status)
        let_go(round);
    tarn__rewrite_release(round->rewrite, false);
    return status;
}

/* *more: there was something to do. */
static tarn_status run_next(struct tarn__log *log, struct tarn__compaction *compaction,
                            uint64_t below_number, uint64_t *done, uint64_t total, bool *more)
{
    struct round round = {.log = log, .compaction = compaction, .done = done, .total = total};
    tarn_status status = TARN_NO_MEMORY;

    round.rewrite = tarn__allocate_zeroed(sizeof *round.rewrite);
    if (round.rewrite) {
        round.rewrite->log = log;
        round.rewrite->mover = compaction->mover;
        round.rewrite->pause = tell_progress;
        round.rewrite->context = &round;
        status = choose(&round, below_number);
    }
    *more = !status && round.count;
    if (*more)
        status = run(&round);
    tarn__free(round.sources);
    tarn__free(round.rewrite);
    return status;
}

/* What a compaction of all will read, and the number below which segments belong to it. */
static uint64_t measure(struct tarn__log *log, uint64_t *below_number)
{
    struct tarn__segments *segments = &log->segments;
    uint64_t total = 0;

    pthread_mutex_lock(&segments->files);
    *below_number = segments->next_number;
    pthread_mutex_unlock(&segments->files);
    pthread_mutex_lock(&segments->lock);
    for (size_t i = 0; i < segments->count; i++)
        if (is_sealed(segments->all[i]) && dead_in(segments->all[i], segments->all[i]))
            total += bytes_of(segments->all[i]);
    pthread_mutex_unlock(&segments->lock);
    return total;
}

tarn_status tarn__log_compact(struct tarn__log *log, struct tarn__compaction *compaction)
{
    uint64_t done = 0, total = 0, below_number = UINT64_MAX;
    tarn_status status = TARN_OK;
    bool more = true;

    if (compaction->all) {
        status = tarn__log_begin_segment(log);
        compaction->mover->settle(compaction->mover->context);
        total = measure(log, &below_number);
    }
    while (!status && more)
        status = run_next(log, compaction, below_number, &done, total, &more);
    return status;
}
