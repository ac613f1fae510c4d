/* The steps of a run are done; see the header. */
#include "crash/steps.h"
#include "crash/async.h"
#include "crash/look.h"
#include "crash/run.h"
#include "store/store.h"
#include "support/fixture.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------
 * Outcomes
 */

/* Whether the status is what was wanted, or one that a call that failed gives. */
static bool outcome(struct crash_store *s, const char *what, tarn_status wanted, tarn_status got)
{
    if (got == wanted)
        return true;
    if (s->tolerant && (got == TARN_IO || got == TARN_FULL || got == TARN_NO_MEMORY ||
                        got == TARN_OUTCOME_UNKNOWN))
        return true;
    if (got == TARN_CORRUPT && sim_disk_sync_failures(s->disk)) /* the cache lost what it had */
        return true;
    return crash_failed(s, "%s: %s and not %s: %s", what, tarn_status_name(got),
                        tarn_status_name(wanted), tarn_last_error()->message);
}

/* After a call failed, memory is as it was. */
static bool settled(struct crash_store *s, tarn_status wanted, tarn_status got)
{
    return got == TARN_OK || got == wanted || look_at_memory(s);
}

static struct tarn_slice name_of(const struct step *step)
{
    const char *name = world_namespace_names[step->ns];

    return tarn_slice_of(name, strlen(name));
}

static struct tarn_slice snapshot_of(const struct step *step)
{
    const char *name = world_snapshot_names[step->snapshot];

    return tarn_slice_of(name, strlen(name));
}

/* A change of the catalog that is allowed: what was told of it. */
static bool catalog_changed(struct crash_store *s, const char *what,
                            const struct world_catalog *next, tarn_status got)
{
    tarn_status wanted = s->catalog_unknown ? TARN_OUTCOME_UNKNOWN : TARN_OK;

    if (!outcome(s, what, wanted, got))
        return false;
    if (s->catalog_unknown) /* it was not taken */
        s->world.catalog_count--;
    else
        world_catalog_ends(&s->world, next, got);
    s->catalog_unknown = s->catalog_unknown || got == TARN_OUTCOME_UNKNOWN;
    return settled(s, TARN_OK, got);
}

/* ------------------------------------------------------------------------------------------
 * Namespaces
 */

static struct world_limits limits_from(uint32_t number, enum tarn_sync_mode sync)
{
    return (struct world_limits){
        .sync = sync,
        .segment_bytes = !sync        ? 0
                         : number % 3 ? 512
                                      : 2048,
        .compact_bytes = !sync        ? 0
                         : number % 4 ? 1
                                      : 1000,
        .shards = 4,
        .lock_timeout_ms = 1000 + number % 7,
        .max_keys = number % 3 ? 60 + number % 11 : 0,
        .max_value_size = 2048 + number % 13,
        .max_bytes = number % 5 ? 1000000 + number % 17 : 0,
    };
}

static struct tarn_namespace_options options_of(const struct world_limits *limits)
{
    return (struct tarn_namespace_options){
        .size = sizeof(struct tarn_namespace_options),
        .shards = limits->shards,
        .lock_timeout_ms = limits->lock_timeout_ms,
        .max_keys = limits->max_keys,
        .max_value_size = limits->max_value_size,
        .max_bytes = limits->max_bytes,
        .engine = limits->sync ? TARN_ENGINE_LOG : TARN_ENGINE_MEMORY,
        .sync = limits->sync,
        .segment_bytes = limits->segment_bytes,
        .compact_bytes = limits->compact_bytes,
        .compact_percent = 1,
    };
}

static bool do_create(struct crash_store *s, const struct step *step)
{
    static const struct world_content empty;
    struct world_namespace made = {.there = true, .limits = limits_from(step->number, step->sync)};
    struct tarn_namespace_options options = options_of(&made.limits);
    struct world_catalog next = s->world.now;
    tarn_namespace *ns = NULL;
    tarn_status status;

    if (next.ns[step->ns].there)
        return outcome(s, "create", TARN_NAMESPACE_EXISTS,
                       tarn_namespace_create(s->store, name_of(step), &options, &ns));
    made.number = ++s->run->numbers;
    if (step->sync && !s->catalog_unknown)
        made.home = world_log_arrives(&s->world, step->ns, &empty);
    next.ns[step->ns] = made;
    world_catalog_begins(&s->world, &next);
    status = tarn_namespace_create(s->store, name_of(step), &options, &ns);
    if (!status) {
        memset(&s->world.content[step->ns], 0, sizeof s->world.content[step->ns]);
        tarn_namespace_close(ns);
    }
    return catalog_changed(s, "create", &next, status);
}

static bool do_drop(struct crash_store *s, const struct step *step)
{
    struct world_catalog next = s->world.now;

    if (!next.ns[step->ns].there)
        return outcome(s, "drop", TARN_NAMESPACE_NOT_FOUND,
                       tarn_namespace_drop(s->store, name_of(step)));
    memset(&next.ns[step->ns], 0, sizeof next.ns[step->ns]);
    world_catalog_begins(&s->world, &next);
    return catalog_changed(s, "drop", &next, tarn_namespace_drop(s->store, name_of(step)));
}

/* The others need a namespace that is there. */
static bool open_namespace(struct crash_store *s, const struct step *step, tarn_namespace **ns)
{
    bool there = s->world.now.ns[step->ns].there;
    tarn_status status = tarn_namespace_open(s->store, name_of(step), ns);

    if (status)
        *ns = NULL;
    return outcome(s, "open", there ? TARN_OK : TARN_NAMESPACE_NOT_FOUND, status);
}

static bool do_configure(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    struct world_catalog next = s->world.now;
    struct world_limits *limits = &next.ns[step->ns].limits;
    enum tarn_sync_mode sync = !limits->sync ? TARN_SYNC_DEFAULT
                               : step->sync  ? step->sync
                                             : limits->sync;
    unsigned of_logs = sync ? TARN_SET_SYNC | TARN_SET_SEGMENT_BYTES | TARN_SET_COMPACTION : 0;
    uint32_t shards = limits->shards;
    struct tarn_namespace_options options;

    *limits = limits_from(step->number, sync);
    limits->shards = shards;
    options = options_of(limits);
    world_catalog_begins(&s->world, &next);
    return catalog_changed(s, "configure", &next,
                           tarn_namespace_configure(ns,
                                                    TARN_SET_LOCK_TIMEOUT_MS | TARN_SET_MAX_KEYS |
                                                        TARN_SET_MAX_VALUE_SIZE |
                                                        TARN_SET_MAX_BYTES | of_logs,
                                                    &options));
}

static bool do_resize(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    struct world_catalog next = s->world.now;

    next.ns[step->ns].limits.shards = 1 + step->number % 8;
    world_catalog_begins(&s->world, &next);
    return catalog_changed(s, "resize", &next,
                           tarn_namespace_resize(ns, next.ns[step->ns].limits.shards));
}

/* ------------------------------------------------------------------------------------------
 * Records
 */

/* A write is under way; false: it has no room in the world, and is left out. */
static bool write_begins(struct crash_store *s, const struct step *step,
                         const struct world_content *after)
{
    if (!s->world.now.ns[step->ns].home)
        return true;
    if (s->world.logs[step->ns].count == WORLD_STATES)
        return false;
    world_log_begins(&s->world, step->ns, after);
    return true;
}

/* A write to a log has failed: whether it is seen all the same. A failing sync alone tells so, and
 * then nothing is taken any more. */
static bool write_failed(struct crash_store *s, const struct step *step, tarn_namespace *ns,
                         const struct world_content *after, tarn_status status)
{
    struct world_content *before = &s->world.content[step->ns], found;
    struct world_log *log = &s->world.logs[step->ns];
    bool damaged, seen;

    if (status == TARN_READ_ONLY) {
        world_log_ends(&s->world, step->ns, WORLD_LOG_REFUSED);
        return true;
    }
    if (!look_read(s, ns, world_namespace_names[step->ns], &found, &damaged))
        return false;
    seen = damaged ? status == TARN_OUTCOME_UNKNOWN : memcmp(&found, after, sizeof found) == 0;
    if (!damaged && !seen && memcmp(&found, before, sizeof found) != 0)
        return crash_failed(s, "a write has failed, and what is seen is neither before nor after");
    seen = seen && (status == TARN_OUTCOME_UNKNOWN || memcmp(before, after, sizeof *after) != 0);
    if (seen && s->world.now.ns[step->ns].limits.sync != TARN_SYNC_ALWAYS)
        return crash_failed(s, "a write has failed, and is seen: %s", tarn_status_name(status));
    if (!seen && status == TARN_OUTCOME_UNKNOWN)
        return crash_failed(s, "the outcome of a write is unknown, and it is not seen");
    *before = seen ? *after : *before;
    log->failed = log->failed || seen;
    world_log_ends(&s->world, step->ns, seen ? WORLD_LOG_SEEN : WORLD_LOG_NOT_SEEN);
    return true;
}

static bool write_ends(struct crash_store *s, const struct step *step, tarn_namespace *ns,
                       const struct world_content *after, const char *what, tarn_status status)
{
    struct world_log *log = &s->world.logs[step->ns];
    bool in_log = s->world.now.ns[step->ns].home;

    if (status == TARN_READ_ONLY && in_log && crash_has_failed(s))
        return write_failed(s, step, ns, after, status);
    if (!outcome(s, what, TARN_OK, status))
        return false;
    if (status)
        return !in_log || write_failed(s, step, ns, after, status);
    s->world.content[step->ns] = *after;
    if (!in_log)
        return true;
    if (log->failed)
        return crash_failed(s, "%s: it was taken after a sync had failed", what);
    world_log_ends(&s->world, step->ns, WORLD_LOG_DONE);
    if (s->world.now.ns[step->ns].limits.sync == TARN_SYNC_ALWAYS && !async_is_wanted(s, step))
        world_log_is_durable(&s->world, step->ns);
    return true;
}

static bool do_set(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    struct world_content after = s->world.content[step->ns];
    uint32_t key = step->number % WORLD_KEYS;
    uint8_t bytes[WORLD_VALUE_BYTES];
    tarn_status status;
    char room[8];

    after.values[key] = step->value;
    if (!write_begins(s, step, &after))
        return true;
    if (async_is_wanted(s, step))
        status = async_set(s, step, ns, world_key(key, room), world_value(step->value, bytes));
    else
        status = tarn_set(ns, world_key(key, room), world_value(step->value, bytes), NULL, NULL);
    return write_ends(s, step, ns, &after, "set", status);
}

static bool do_delete(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    struct world_content after = s->world.content[step->ns];
    uint32_t *value = &after.values[step->number % WORLD_KEYS];
    struct tarn_slice key;
    char room[8];

    key = world_key(step->number % WORLD_KEYS, room);
    if (!*value)
        return outcome(s, "delete", TARN_KEY_NOT_FOUND, tarn_delete(ns, key));
    *value = 0;
    if (!write_begins(s, step, &after))
        return true;
    return write_ends(s, step, ns, &after, "delete", tarn_delete(ns, key));
}

/* Up to 24 sets and deletes at once. */
static bool do_batch(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    struct world_content after = s->world.content[step->ns];
    uint64_t random = step->number;
    uint8_t bytes[WORLD_VALUE_BYTES];
    tarn_batch *batch = NULL;
    tarn_status status = tarn_batch_create(&batch);
    bool right = true;
    char room[8];

    for (unsigned i = 0; i < 1 + step->value % 24 && !status; i++) {
        uint32_t key = (uint32_t)(random_next(&random) % WORLD_KEYS);
        uint32_t value = 1 + (uint32_t)(random_next(&random) % 100000);

        if (after.values[key] && value % 4 == 0) {
            status = tarn_batch_delete(batch, world_key(key, room));
            value = 0;
        } else {
            status = tarn_batch_set(batch, world_key(key, room), world_value(value, bytes));
        }
        after.values[key] = value;
    }
    if (status)
        right = outcome(s, "batch", TARN_OK, status);
    else if (write_begins(s, step, &after))
        right =
            write_ends(s, step, ns, &after, "batch",
                       async_is_wanted(s, step)
                           ? async_commit(s, step, ns, batch)
                           : tarn_batch_commit(ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    tarn_batch_free(batch);
    return right;
}

/* In a log it is durable; and where it fails, it was refused unless its outcome is unknown. */
static bool do_clear(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    static const struct world_content empty;
    bool in_log = s->world.now.ns[step->ns].home;
    tarn_status status;

    if (!write_begins(s, step, &empty))
        return true;
    status = tarn_namespace_clear(ns);
    if (!(status == TARN_READ_ONLY && in_log && crash_has_failed(s)) &&
        !outcome(s, "clear", TARN_OK, status))
        return false;
    if (!status)
        s->world.content[step->ns] = empty;
    if (in_log) {
        world_log_ends(&s->world, step->ns,
                       !status                          ? WORLD_LOG_DONE
                       : status == TARN_OUTCOME_UNKNOWN ? WORLD_LOG_NOT_SEEN
                                                        : WORLD_LOG_REFUSED);
        if (!status)
            world_log_is_durable(&s->world, step->ns);
    }
    return settled(s, TARN_OK, status);
}

static bool do_sync(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    struct world_log *log = &s->world.logs[step->ns];
    tarn_status status = tarn_sync(ns);

    if (!outcome(s, "sync", TARN_OK, status))
        return false;
    if (!s->world.now.ns[step->ns].home)
        return true;
    if (!status && log->failed)
        return crash_failed(s, "a sync has succeeded after one had failed");
    if (status)
        log->failed = true;
    else
        world_log_is_durable(&s->world, step->ns);
    return settled(s, TARN_OK, status);
}

/* Of what is there nothing changes, whatever comes of it. */
static bool do_compact(struct crash_store *s, tarn_namespace *ns)
{
    tarn_status status = tarn_compact(ns, NULL);

    if (!(status == TARN_READ_ONLY && crash_has_failed(s)) &&
        !outcome(s, "compact", TARN_OK, status))
        return false;
    return look_at_memory(s);
}

/* Two seconds pass, and the store's threads do what is due: the logs of the mode `interval` are
 * durable then. */
static bool do_jobs(struct crash_store *s)
{
    sim_disk_pass_ns(s->disk, UINT64_C(2000000000));
    tarn__jobs_run_due(&s->store->environment.quick);
    tarn__jobs_run_due(&s->store->environment.slow);
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++)
        if (s->world.now.ns[i].home && !crash_has_failed(s) &&
            s->world.now.ns[i].limits.sync == TARN_SYNC_INTERVAL)
            world_log_is_durable(&s->world, i);
    return s->tolerant || async_all_come(s);
}

/* ------------------------------------------------------------------------------------------
 * Snapshots
 */

static bool do_save(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    struct tarn_snapshot_info info = {.size = sizeof info};
    uint32_t place = world_save(&s->world, ns ? &step->ns : NULL);
    tarn_status status;

    world_snapshot_begins(&s->world, step->snapshot, place);
    status = ns ? tarn_snapshot_save_namespace(ns, snapshot_of(step), &info)
                : tarn_snapshot_save(s->store, snapshot_of(step), &info);
    if (!status)
        world_save_at(&s->world, place)->sequence = info.sequence;
    world_snapshot_ends(&s->world, step->snapshot, place, status);
    s->catalog_unknown = s->catalog_unknown || s->store->catalog_unknown; /* a save may write it */
    return outcome(s, "save", TARN_OK, status) && settled(s, TARN_OK, status);
}

static bool snapshot_there(const struct crash_store *s, const struct step *step)
{
    return s->world.snapshots[step->snapshot][0] != 0;
}

static bool do_delete_snapshot(struct crash_store *s, const struct step *step)
{
    bool there = snapshot_there(s, step);
    tarn_status status;

    if (s->world.snapshot_count[step->snapshot] > 1) /* nobody knows */
        return true;
    world_snapshot_begins(&s->world, step->snapshot, 0);
    status = tarn_snapshot_delete(s->store, snapshot_of(step));
    if (!outcome(s, "delete", there ? TARN_OK : TARN_SNAPSHOT_NOT_FOUND, status))
        return false;
    /* Of any other failure tarn.h does not say that nothing was deleted. */
    world_snapshot_ends(&s->world, step->snapshot, 0,
                        status && status != TARN_SNAPSHOT_NOT_FOUND ? TARN_OUTCOME_UNKNOWN
                                                                    : status);
    return true;
}

/* What the catalog is when this is loaded, and what is in memory. */
static bool plan_load(struct crash_store *s, const struct step *step, bool one,
                      struct world_catalog *next, struct world_content *content)
{
    const struct world_save *save = world_save_at(&s->world, s->world.snapshots[step->snapshot][0]);
    bool changes = false;

    *next = s->world.now;
    memcpy(content, s->world.content, sizeof s->world.content);
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++) {
        unsigned to = one ? step->as : i;

        if (!save->ns[i].there || (one && i != step->ns))
            continue;
        content[to] = save->content[i];
        if (next->ns[to].there && !next->ns[to].home)
            continue;
        if (!next->ns[to].there) {
            next->ns[to] = save->ns[i];
            next->ns[to].number = ++s->run->numbers;
        }
        if (next->ns[to].limits.sync && !s->catalog_unknown)
            next->ns[to].home = world_log_arrives(&s->world, to, &content[to]);
        changes = true;
    }
    return changes;
}

static bool do_load(struct crash_store *s, const struct step *step, bool one)
{
    const struct world_save *save = world_save_at(&s->world, s->world.snapshots[step->snapshot][0]);
    struct world_content content[WORLD_NAMESPACES];
    struct world_catalog next;
    tarn_status wanted = TARN_OK, status;
    bool changes;

    if (s->world.snapshot_count[step->snapshot] > 1) /* nobody knows */
        return true;
    changes = plan_load(s, step, one, &next, content);
    if (!snapshot_there(s, step))
        wanted = TARN_SNAPSHOT_NOT_FOUND;
    else if (one && !save->ns[step->ns].there)
        wanted = TARN_NAMESPACE_NOT_FOUND;
    if (changes && !wanted)
        world_catalog_begins(&s->world, &next);
    if (one) {
        const char *as = world_namespace_names[step->as];

        status = tarn_snapshot_load_namespace(s->store, snapshot_of(step), name_of(step),
                                              tarn_slice_of(as, strlen(as)));
    } else {
        status = tarn_snapshot_load(s->store, snapshot_of(step));
    }
    if (!status)
        memcpy(s->world.content, content, sizeof content);
    if (changes && !wanted)
        return catalog_changed(s, "load", &next, status);
    return outcome(s, "load", wanted, status) && settled(s, wanted, status);
}

/* ------------------------------------------------------------------------------------------
 * All
 */

static bool do_reopen(struct crash_store *s, const struct step *step)
{
    enum tarn_load load = (enum tarn_load)(step->number % 3);

    /* where reading fails, what is loaded may be an older one */
    if (s->tolerant && load == TARN_LOAD_NEWEST_WHOLE)
        load = TARN_LOAD_NEWEST;
    return crash_store_close(s) && crash_store_open(s, load);
}

/* By years, in both directions. */
static bool do_clock(struct crash_store *s, const struct step *step)
{
    sim_disk_set_wall_ns(s->disk, (uint64_t)(1000 + step->number % 2000000) * 1000000000000);
    return true;
}

static bool do_in_namespace(struct crash_store *s, const struct step *step)
{
    tarn_namespace *ns;
    bool right;

    if (!open_namespace(s, step, &ns))
        return false;
    if (!ns)
        return true;
    switch (step->kind) {
    case STEP_CONFIGURE:
        right = do_configure(s, step, ns);
        break;
    case STEP_RESIZE:
        right = do_resize(s, step, ns);
        break;
    case STEP_SET:
        right = do_set(s, step, ns);
        break;
    case STEP_DELETE:
        right = do_delete(s, step, ns);
        break;
    case STEP_BATCH:
        right = do_batch(s, step, ns);
        break;
    case STEP_CLEAR:
        right = do_clear(s, step, ns);
        break;
    case STEP_SYNC:
        right = do_sync(s, step, ns);
        break;
    case STEP_COMPACT:
        right = do_compact(s, ns);
        break;
    default:
        right = do_save(s, step, ns);
        break;
    }
    tarn_namespace_close(ns);
    return right;
}

bool step_do(struct crash_store *s, const struct step *step)
{
    switch (step->kind) {
    case STEP_CREATE:
        return do_create(s, step);
    case STEP_DROP:
        return do_drop(s, step);
    case STEP_SAVE:
        return do_save(s, step, NULL);
    case STEP_LOAD:
        return do_load(s, step, false);
    case STEP_LOAD_NAMESPACE:
        return do_load(s, step, true);
    case STEP_DELETE_SNAPSHOT:
        return do_delete_snapshot(s, step);
    case STEP_REOPEN:
        return do_reopen(s, step);
    case STEP_CLOCK:
        return do_clock(s, step);
    case STEP_JOBS:
        return do_jobs(s);
    default:
        return do_in_namespace(s, step);
    }
}
