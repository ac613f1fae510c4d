/*
 * Reading many keys at once.
 *
 * Best effort: keys go in groups. First all buckets of a group are announced to the cache, then all
 * records, then they are read: memory serves many misses in the time of two.
 *
 * All or nothing is one cut. Every key is looked up; then the versions of all their buckets are
 * looked at again. If none has changed, then at the moment between these two everything was as it
 * was seen, and records do not change, so that is what is read. A batch marks all its buckets
 * before its first change, so it is seen whole. After four attempts the writers are locked out.
 */
#include "base/memory.h"
#include "base/status.h"
#include "namespace/read.h"

#define GROUP          64
#define AHEAD          5 /* keys between announcing a bucket, its record, and reading it */
#define CUT_ATTEMPTS   4
#define LOOKS_ON_STACK 64

static tarn_status check_arguments(tarn_namespace *ns, enum tarn_mode mode,
                                   const struct tarn_slice *keys, size_t count)
{
    if (!ns || (count && !keys))
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns or keys is NULL");
    if (mode != TARN_BEST_EFFORT && mode != TARN_ALL_OR_NOTHING)
        return tarn__fail(TARN_INVALID_ARGUMENT, "mode is %d", (int)mode);
    return TARN_OK;
}

/* Says what was found; its value is at the end of the sink, if there is one. */
static void fill(struct tarn_result *result, const struct tarn__record *record,
                 struct tarn__sink *sink)
{
    result->existed = true;
    result->info = record->info;
    if (!sink->buf)
        return;
    result->value.data = (void *)(uintptr_t)sink->at; /* an offset, for now */
    result->value.length = record->value.length;
    sink->at += record->value.length;
}

/* ------------------------------------------------------------------------------------------
 * Best effort
 */

/* Keys that are read in one section. */
struct group {
    tarn_namespace *ns;
    struct tarn__index *index;
    struct tarn__reading reading;
    const struct tarn_slice *keys;
    size_t count;
    uint64_t hashes[GROUP]; /* 0 of a key that is not valid */
    struct tarn__sight sights[GROUP];
};

/* Announces the bucket of a key to the cache. */
static void begin_key(struct group *group, size_t i)
{
    bool valid = tarn__check_key(group->keys[i]) == TARN_OK;

    group->hashes[i] = valid ? tarn__hash(group->keys[i], group->ns->environment->seed) : 0;
    if (!group->reading.left)
        tarn__sight_begin(group->index, group->hashes[i], &group->sights[i]);
}

/* Announces what comes next: the record, or another line of the bucket. */
static inline __attribute__((always_inline)) void step_key(struct group *group, size_t i)
{
    if (!group->reading.left)
        tarn__look_ahead(group->ns, group->index, group->hashes[i], &group->sights[i]);
}

/* Reads one key of a group. */
static tarn_status read_one(struct group *group, size_t i, struct tarn_result *result,
                            struct tarn__sink *sink)
{
    tarn_namespace *ns = group->ns;
    struct tarn__reading *reading = &group->reading;
    struct tarn__key_search search = {.ns = ns, .key = group->keys[i], .damaged = false};
    uint64_t location = reading->left ? 0 : group->sights[i].location;
    tarn_status status = tarn__check_key(search.key);

    if (!status && !(location && tarn__leads_to_key(&search, location)))
        status = tarn__read_find(ns, group->hashes[i], &search, reading, &location);
    if (status || !sink->buf) {
        /* nothing is handed out */
    } else if (search.record.value.length <= TARN__COPY_INSIDE_MAX) {
        status = tarn__verify(ns, location);
        if (!status)
            status = tarn__read_append(sink->buf, sink->at, search.record.value);
    } else {
        status =
            tarn__read_copy_and_leave(ns, reading, &search.record, location, sink->buf, sink->at);
        tarn__read_enter(ns, reading);
    }
    if (!status)
        fill(result, &search.record, sink);
    return status;
}

/* While one key is read, the records and buckets of others are on their way. What was seen in a
 * section that was left may be gone. */
static tarn_status read_keys(struct group *group, struct tarn_result *results,
                             struct tarn__sink *sink)
{
    tarn_status status = TARN_OK;

    group->index = atomic_load_explicit(&group->ns->index, memory_order_acquire);
    for (size_t step = 0; step < group->count + 3 * AHEAD; step++) {
        size_t i = step - 3 * AHEAD; /* to be read now, if it is not too early */

        if (step < group->count)
            begin_key(group, step);
        if (step >= AHEAD && step - AHEAD < group->count)
            step_key(group, step - AHEAD);
        if (step >= 2 * AHEAD && step - 2 * AHEAD < group->count)
            step_key(group, step - 2 * AHEAD);
        if (step < 3 * AHEAD)
            continue;
        memset(&results[i], 0, sizeof results[i]);
        results[i].status = read_one(group, i, &results[i], sink);
        if (results[i].status && results[i].status != TARN_KEY_NOT_FOUND && !status)
            status = results[i].status;
    }
    return status;
}

static tarn_status read_group(tarn_namespace *ns, const struct tarn_slice *keys, size_t count,
                              struct tarn_result *results, struct tarn__sink *sink)
{
    struct group group; /* large: what is not used is not cleared */
    tarn_status status;

    group.ns = ns;
    group.keys = keys;
    group.count = count;
    tarn__read_enter(ns, &group.reading);
    group.reading.left = false;
    if (tarn__namespace_usable(ns)) {
        status = read_keys(&group, results, sink);
    } else {
        status = tarn__namespace_not_open(ns);
        for (size_t i = 0; i < count; i++) {
            memset(&results[i], 0, sizeof results[i]);
            results[i].status = status;
        }
    }
    tarn__epoch_leave(group.reading.section);
    return status;
}

static tarn_status read_best_effort(tarn_namespace *ns, const struct tarn_slice *keys, size_t count,
                                    struct tarn_result *results, struct tarn__sink *sink)
{
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < count; i += GROUP) {
        size_t group = count - i < GROUP ? count - i : GROUP;
        tarn_status of_group = read_group(ns, keys + i, group, results + i, sink);

        if (!status)
            status = of_group;
    }
    return status;
}

/* ------------------------------------------------------------------------------------------
 * All or nothing
 */

/* One key of a cut. */
struct cut_key {
    uint64_t hash, location;
    struct tarn__look look;
    struct tarn__record record;
    bool found, damaged;
};

/* Looks every key up; false if a writer was met. Inside, or under the locks of all keys. */
static bool gather(tarn_namespace *ns, struct tarn__index *index, const struct tarn_slice *keys,
                   struct cut_key *cut, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tarn__index_place(index, cut[i].hash, &cut[i].look.place))
            __builtin_prefetch(cut[i].look.place.line);
    for (size_t i = 0; i < count; i++) {
        struct tarn__key_search search = {.ns = ns, .key = keys[i], .damaged = false};
        enum tarn__found found = tarn__index_look(index, cut[i].hash, tarn__leads_to_key, &search,
                                                  &cut[i].look, &cut[i].location);

        /* a hit in a bucket that is being changed counts for one key, not for a cut */
        if (found == TARN__RETRY || (found == TARN__FOUND && (cut[i].look.control & 1)))
            return false;
        cut[i].found = found == TARN__FOUND;
        cut[i].record = search.record;
        cut[i].damaged = cut[i].found ? tarn__verify(ns, cut[i].location) : search.damaged;
    }
    return true;
}

/* Whether everything is still as it was gathered. */
static bool unchanged(tarn_namespace *ns, struct tarn__index *index, const struct cut_key *cut,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct tarn__place now;

        if (cut[i].look.place.line ? !tarn__index_unchanged(index, cut[i].hash, &cut[i].look)
                                   : tarn__index_place(index, cut[i].hash, &now))
            return false;
    }
    return atomic_load_explicit(&ns->index, memory_order_acquire) == index;
}

static size_t bytes_of_cut(const struct cut_key *cut, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += cut[i].record.value.length;
    return bytes;
}

/* All of it, or nothing where memory runs out. */
static tarn_status copy_cut(const struct cut_key *cut, size_t count, struct tarn_result *results,
                            struct tarn__sink *sink)
{
    if (sink->buf && tarn__buf_reserve(sink->buf, bytes_of_cut(cut, count)))
        return TARN_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (sink->buf)
            (void)tarn__read_append(sink->buf, sink->at, cut[i].record.value); /* has room */
        fill(&results[i], &cut[i].record, sink);
    }
    return TARN_OK;
}

/* Copies what was gathered and leaves the section: first, if it is much. */
static tarn_status copy_cut_and_leave(tarn_namespace *ns, struct tarn__section *section,
                                      const struct cut_key *cut, size_t count,
                                      struct tarn_result *results, struct tarn__sink *sink)
{
    tarn_status status;

    if (bytes_of_cut(cut, count) <= TARN__COPY_INSIDE_MAX || !tarn__copy_outside_begin(ns)) {
        status = copy_cut(cut, count, results, sink);
        tarn__epoch_leave(section);
        return status;
    }
    for (size_t i = 0; i < count; i++)
        ns->engine->pin(ns->engine_state, cut[i].location);
    tarn__epoch_leave(section);
    status = copy_cut(cut, count, results, sink);
    for (size_t i = 0; i < count; i++)
        ns->engine->unpin(ns->engine_state, cut[i].location);
    tarn__copy_outside_end(ns);
    return status;
}

/* Says of each key whether it is there; TARN_KEY_NOT_FOUND if one is not. */
static tarn_status judge(const struct cut_key *cut, size_t count, struct tarn_result *results)
{
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < count; i++) {
        memset(&results[i], 0, sizeof results[i]);
        results[i].existed = cut[i].found;
        results[i].status = cut[i].damaged ? TARN_CORRUPT
                            : cut[i].found ? TARN_OK
                                           : TARN_KEY_NOT_FOUND;
        if (results[i].status && status != TARN_CORRUPT)
            status = results[i].status;
    }
    return status == TARN_KEY_NOT_FOUND ? tarn__outcome(status) : status;
}

/* Reads the cut with the writers locked out. */
static tarn_status read_locked(tarn_namespace *ns, const struct tarn_slice *keys,
                               struct cut_key *cut, size_t count, struct tarn_result *results,
                               struct tarn__sink *sink)
{
    uint64_t *hashes = tarn__allocate(count * sizeof *hashes);
    struct tarn__lock_set set;
    struct tarn__held held;
    tarn_status status = hashes ? TARN_OK : TARN_NO_MEMORY;

    for (size_t i = 0; i < count && !status; i++)
        hashes[i] = cut[i].hash;
    if (!status)
        status = tarn__shards_lock_some(ns, hashes, count, &held, &set);
    tarn__free(hashes);
    if (status)
        return status;
    (void)gather(ns, held.index, keys, cut, count); /* there is no writer to be met */
    status = judge(cut, count, results);
    if (!status)
        status = copy_cut(cut, count, results, sink);
    tarn__shards_unlock_some(ns, &set);
    return status;
}

static tarn_status read_cut(tarn_namespace *ns, const struct tarn_slice *keys, struct cut_key *cut,
                            size_t count, struct tarn_result *results, struct tarn__sink *sink)
{
    for (size_t i = 0; i < count; i++)
        cut[i].hash = tarn__hash(keys[i], ns->environment->seed);
    for (unsigned attempt = 0; attempt < CUT_ATTEMPTS; attempt++) {
        struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
        struct tarn__index *index;
        tarn_status status;

        if (!tarn__namespace_usable(ns)) {
            tarn__epoch_leave(section);
            return tarn__namespace_not_open(ns);
        }
        index = atomic_load_explicit(&ns->index, memory_order_acquire);
        if (!gather(ns, index, keys, cut, count) || !unchanged(ns, index, cut, count)) {
            tarn__epoch_leave(section);
            continue;
        }
        status = judge(cut, count, results);
        if (!status)
            return copy_cut_and_leave(ns, section, cut, count, results, sink);
        tarn__epoch_leave(section);
        return status;
    }
    return read_locked(ns, keys, cut, count, results, sink);
}

static tarn_status read_all_or_nothing(tarn_namespace *ns, const struct tarn_slice *keys,
                                       size_t count, struct tarn_result *results,
                                       struct tarn__sink *sink)
{
    struct cut_key on_stack[LOOKS_ON_STACK];
    struct cut_key *cut = on_stack;
    tarn_status status;

    for (size_t i = 0; i < count; i++) {
        memset(&results[i], 0, sizeof results[i]);
        status = tarn__check_key(keys[i]);
        if (status) {
            for (size_t j = i; j < count; j++)
                memset(&results[j], 0, sizeof results[j]);
            results[i].status = status;
            return status;
        }
    }
    if (count > LOOKS_ON_STACK)
        cut = tarn__allocate(count * sizeof *cut);
    if (!cut)
        return TARN_NO_MEMORY;
    status = count ? read_cut(ns, keys, cut, count, results, sink) : TARN_OK;
    if (cut != on_stack)
        tarn__free(cut);
    return status;
}

tarn_status tarn_get_many(tarn_namespace *ns, enum tarn_mode mode, const struct tarn_slice *keys,
                          size_t count, struct tarn_result *results, struct tarn_buf *values)
{
    struct tarn__sink sink = {.buf = values};
    struct tarn_result *scratch = NULL;
    tarn_status status = check_arguments(ns, mode, keys, count);

    if (!status && !results && count) {
        scratch = results = tarn__allocate(count * sizeof *results);
        status = results ? TARN_OK : TARN_NO_MEMORY;
    }
    if (status)
        return status;
    if (mode == TARN_ALL_OR_NOTHING)
        status = read_all_or_nothing(ns, keys, count, results, &sink);
    else
        status = read_best_effort(ns, keys, count, results, &sink);
    if (values && !(status && mode == TARN_ALL_OR_NOTHING)) {
        values->length = sink.at;
        for (size_t i = 0; i < count; i++)
            tarn__result_settle(&results[i], values);
    }
    tarn__free(scratch);
    if (status && tarn_last_error()->status != status)
        tarn__outcome(status); /* keys that came later had another */
    return status;
}
