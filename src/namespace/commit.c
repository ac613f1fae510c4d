/* Committing a batch: the two modes, and what they tell the caller. */
#include "base/memory.h"
#include "base/status.h"
#include "namespace/batch.h"

#define GROUP 32 /* operations whose cache misses overlap */

static tarn_status check_arguments(tarn_namespace *ns, const tarn_batch *batch, enum tarn_mode mode)
{
    if (!ns || !batch)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns or batch is NULL");
    if (mode != TARN_BEST_EFFORT && mode != TARN_ALL_OR_NOTHING)
        return tarn__fail(TARN_INVALID_ARGUMENT, "mode is %d", (int)mode);
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * Best effort: the single operations, with the cache told ahead
 */

static void announce(tarn_namespace *ns, const struct tarn__operation *operations, size_t count,
                     uint64_t *hashes)
{
    struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
    struct tarn__sight sights[GROUP];
    struct tarn__index *index;

    for (size_t i = 0; i < count; i++)
        hashes[i] = tarn__hash(operations[i].key, ns->environment->seed);
    if (tarn__namespace_usable(ns)) {
        index = atomic_load_explicit(&ns->index, memory_order_acquire);
        for (size_t i = 0; i < count; i++)
            tarn__sight_begin(index, hashes[i], &sights[i]);
        for (size_t i = 0; i < count; i++)
            tarn__look_ahead(ns, index, hashes[i], &sights[i]);
        for (size_t i = 0; i < count; i++)
            tarn__look_ahead(ns, index, hashes[i], &sights[i]); /* where the bucket has two lines */
    }
    tarn__epoch_leave(section);
}

/* Returns what became of making durable what was applied; where the namespace has ended before that
 * could begin, what such a namespace gives. */
static tarn_status commit_best_effort(tarn_namespace *ns, const tarn_batch *batch,
                                      struct tarn_result *results, struct tarn__sink *sink,
                                      struct tarn_batch_summary *summary, struct tarn__wait *wait)
{
    uint64_t hashes[GROUP];
    tarn_status status;

    for (size_t i = 0; i < batch->count; i++) {
        const struct tarn__operation *operation = &batch->operations[i];
        struct tarn_result result = {0};

        if (i % GROUP == 0)
            announce(ns, operation, batch->count - i < GROUP ? batch->count - i : GROUP, hashes);
        result.status = tarn__operation_run(ns, operation, hashes[i % GROUP], sink, &result, wait);
        tarn__wait_leave(ns, wait);
        if (result.status && summary->failed++ == 0)
            summary->first_failed = i;
        summary->processed += result.status == TARN_OK;
        if (results)
            results[i] = result;
    }
    if (!wait->position && !wait->completion)
        return TARN_OK;
    status = tarn__wait_begin_with_all(ns, wait);
    return status ? status : tarn__wait_end(ns, wait);
}

/* ------------------------------------------------------------------------------------------
 * All or nothing
 */

static tarn_status commit_all_or_nothing(tarn_namespace *ns, const tarn_batch *batch,
                                         struct tarn_result *results, struct tarn__sink *sink,
                                         struct tarn_batch_summary *summary,
                                         struct tarn__wait *wait)
{
    size_t failed;
    tarn_status status;

    status = tarn__plan_commit(ns, batch, results, sink, &failed, wait);
    if (!status)
        status = tarn__wait_end(ns, wait);
    if (!status) {
        summary->processed = batch->count;
        return TARN_OK;
    }
    summary->failed = failed < batch->count;
    summary->first_failed = failed < batch->count ? failed : 0;
    for (size_t i = 0; results && i < batch->count; i++) /* nothing was done */
        results[i] = (struct tarn_result){.existed = i == failed && results[i].existed};
    if (results && failed < batch->count)
        results[failed].status = status;
    return status;
}

/* The arguments are checked. */
static tarn_status commit(tarn_namespace *ns, const tarn_batch *batch, enum tarn_mode mode,
                          struct tarn_result *results, struct tarn_buf *values,
                          struct tarn_batch_summary *summary, struct tarn__wait *wait)
{
    struct tarn_batch_summary total = {0};
    struct tarn__sink sink = {.buf = values};
    struct tarn_result *scratch = NULL;
    const struct tarn__os *os = ns->environment->os;
    uint64_t start = os->monotonic_ns(os);
    tarn_status status;

    if (results)
        memset(results, 0, batch->count * sizeof *results);
    if (!tarn__namespace_usable(ns)) {
        status = tarn__namespace_not_open(ns);
    } else if (batch->count && mode == TARN_ALL_OR_NOTHING) {
        if (!results && values) /* they are handed out through results */
            scratch = tarn__allocate_zeroed(batch->count * sizeof *scratch);
        if (!results && values && !scratch)
            status = TARN_NO_MEMORY;
        else
            status =
                commit_all_or_nothing(ns, batch, results ? results : scratch, &sink, &total, wait);
    } else {
        status = commit_best_effort(ns, batch, results, &sink, &total, wait);
    }
    tarn__free(scratch);
    if (values && !status)
        values->length = sink.at;
    for (size_t i = 0; results && i < batch->count; i++)
        tarn__result_settle(&results[i], values ? values : &(struct tarn_buf){0});
    total.duration_ns = os->monotonic_ns(os) - start;
    if (summary)
        *summary = total;
    return status;
}

tarn_status tarn_batch_commit(tarn_namespace *ns, const tarn_batch *batch, enum tarn_mode mode,
                              struct tarn_result *results, struct tarn_buf *values,
                              struct tarn_batch_summary *summary)
{
    struct tarn__wait wait = {0};
    tarn_status status = check_arguments(ns, batch, mode);

    return status ? status : commit(ns, batch, mode, results, values, summary, &wait);
}

tarn_status tarn_batch_commit_async(tarn_namespace *ns, const tarn_batch *batch,
                                    enum tarn_mode mode, tarn_done done, void *context,
                                    struct tarn_result *results, struct tarn_buf *values,
                                    struct tarn_batch_summary *summary)
{
    struct tarn__wait wait;
    tarn_status status = check_arguments(ns, batch, mode);

    if (!status)
        status = tarn__wait_later(ns, done, context, &wait);
    if (status)
        return status;
    status = commit(ns, batch, mode, results, values, summary, &wait);
    if (status)
        tarn__wait_cancel(&wait);
    return status;
}
