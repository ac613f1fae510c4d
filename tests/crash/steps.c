/* The steps of a run; see the header. */
#include "crash/steps.h"
#include "crash/look.h"
#include "crash/run.h"
#include "store/store.h"

#include <string.h>

static uint64_t random_next(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

/* How often each kind is made, of 100. */
static const uint8_t shares[STEP_KINDS] = {
    [STEP_CREATE] = 10,         [STEP_DROP] = 5,   [STEP_CONFIGURE] = 4,
    [STEP_RESIZE] = 3,          [STEP_SET] = 20,   [STEP_DELETE] = 6,
    [STEP_BATCH] = 10,          [STEP_CLEAR] = 2,  [STEP_SAVE] = 10,
    [STEP_SAVE_NAMESPACE] = 10, [STEP_LOAD] = 4,   [STEP_LOAD_NAMESPACE] = 3,
    [STEP_DELETE_SNAPSHOT] = 5, [STEP_REOPEN] = 6, [STEP_CLOCK] = 2,
};

void steps_make(uint64_t seed, struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned drawn = (unsigned)(random_next(&seed) % 100), kind = 0;

        while (kind < STEP_KINDS - 1 && drawn >= shares[kind])
            drawn -= shares[kind++];
        steps[i].kind = (enum step_kind)kind;
        steps[i].ns = (unsigned)(random_next(&seed) % (WORLD_NAMESPACES - 1));
        steps[i].as = (unsigned)(random_next(&seed) % (WORLD_NAMESPACES - 1));
        steps[i].snapshot = (unsigned)(random_next(&seed) % (WORLD_SNAPSHOTS - 1));
        steps[i].number = (uint32_t)random_next(&seed) >> 1;
        steps[i].value = 1 + (uint32_t)(random_next(&seed) % 100000);
    }
    if (count)
        steps[0].kind = STEP_CREATE;
}

void step_print(const struct step *step, FILE *stream)
{
    static const char *const names[STEP_KINDS] = {
        "create",         "drop",  "configure",       "resize",         "set",
        "delete",         "batch", "clear",           "save the store", "save",
        "load the store", "load",  "delete snapshot", "reopen",         "set the clock",
    };
    static const char *const loads[] = {"newest", "newest whole", "nothing"};
    const char *ns = world_namespace_names[step->ns];
    const char *snapshot = world_snapshot_names[step->snapshot];

    fprintf(stream, "%s", names[step->kind]);
    if (step->kind <= STEP_CLEAR || step->kind == STEP_SAVE_NAMESPACE ||
        step->kind == STEP_LOAD_NAMESPACE)
        fprintf(stream, " %s", ns);
    if (step->kind >= STEP_SAVE && step->kind <= STEP_DELETE_SNAPSHOT)
        fprintf(stream, " %s", snapshot);
    if (step->kind == STEP_LOAD_NAMESPACE)
        fprintf(stream, " as %s", world_namespace_names[step->as]);
    if (step->kind == STEP_REOPEN)
        fprintf(stream, ", %s", loads[step->number % 3]);
    if (step->kind == STEP_SET || step->kind == STEP_DELETE || step->kind == STEP_BATCH)
        fprintf(stream, " key %u, value %u", step->number % WORLD_KEYS, step->value);
    fprintf(stream, "\n");
}

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

static struct world_limits limits_from(uint32_t number)
{
    return (struct world_limits){
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
    };
}

static bool do_create(struct crash_store *s, const struct step *step)
{
    struct world_namespace made = {.there = true, .limits = limits_from(step->number)};
    struct tarn_namespace_options options = options_of(&made.limits);
    struct world_catalog next = s->world.now;
    tarn_namespace *ns = NULL;
    tarn_status status;

    if (next.ns[step->ns].there)
        return outcome(s, "create", TARN_NAMESPACE_EXISTS,
                       tarn_namespace_create(s->store, name_of(step), &options, &ns));
    made.number = ++s->run->numbers;
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
    uint32_t shards = limits->shards;
    struct tarn_namespace_options options;

    *limits = limits_from(step->number);
    limits->shards = shards;
    options = options_of(limits);
    world_catalog_begins(&s->world, &next);
    return catalog_changed(s, "configure", &next,
                           tarn_namespace_configure(ns,
                                                    TARN_SET_LOCK_TIMEOUT_MS | TARN_SET_MAX_KEYS |
                                                        TARN_SET_MAX_VALUE_SIZE |
                                                        TARN_SET_MAX_BYTES,
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

static bool do_set(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    uint32_t key = step->number % WORLD_KEYS;
    uint8_t bytes[WORLD_VALUE_BYTES];
    char room[8];
    tarn_status status =
        tarn_set(ns, world_key(key, room), world_value(step->value, bytes), NULL, NULL);

    if (!status)
        s->world.content[step->ns].values[key] = step->value;
    return outcome(s, "set", TARN_OK, status);
}

static bool do_delete(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    uint32_t *value = &s->world.content[step->ns].values[step->number % WORLD_KEYS];
    char room[8];
    tarn_status status = tarn_delete(ns, world_key(step->number % WORLD_KEYS, room));

    if (!outcome(s, "delete", *value ? TARN_OK : TARN_KEY_NOT_FOUND, status))
        return false;
    if (!status)
        *value = 0;
    return true;
}

/* Up to 24 sets and deletes at once. */
static bool do_batch(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    struct world_content after = s->world.content[step->ns];
    uint64_t random = step->number;
    uint8_t bytes[WORLD_VALUE_BYTES];
    tarn_batch *batch = NULL;
    tarn_status status = tarn_batch_create(&batch);
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
    if (!status)
        status = tarn_batch_commit(ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL);
    tarn_batch_free(batch);
    if (!status)
        s->world.content[step->ns] = after;
    return outcome(s, "batch", TARN_OK, status);
}

static bool do_clear(struct crash_store *s, const struct step *step, tarn_namespace *ns)
{
    tarn_status status = tarn_namespace_clear(ns);

    if (!status)
        memset(&s->world.content[step->ns], 0, sizeof s->world.content[step->ns]);
    return outcome(s, "clear", TARN_OK, status);
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
        if (next->ns[to].there)
            continue;
        next->ns[to] = save->ns[i];
        next->ns[to].number = ++s->run->numbers;
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
    bool changes = plan_load(s, step, one, &next, content);

    if (s->world.snapshot_count[step->snapshot] > 1) /* nobody knows */
        return true;
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
    crash_store_close(s);
    return crash_store_open(s, load);
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
    default:
        return do_in_namespace(s, step);
    }
}
