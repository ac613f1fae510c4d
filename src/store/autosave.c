/*
 * Autosaves; see the header.
 *
 * Life of one: set -> running -> stopped -> ... -> forgotten. What is due is looked for under the
 * store's lock, by number, and saved without it, so that a namespace may be dropped in between.
 */
#include "store/autosave.h"
#include "base/memory.h"
#include "base/status.h"
#include "store/autosave_name.h"
#include "store/snapshots.h"

#include <errno.h>
#include <string.h>

#define INTERVAL_MS_DEFAULT 300000
#define INTERVAL_MS_MIN     100
#define INTERVAL_MS_MAX     ((uint64_t)1000 * 60 * 60 * 24 * 366)
#define KEEP_DEFAULT        3
#define PATTERN_NAMESPACE   "{ns}-{ts}"
#define PATTERN_STORE       "store-{ts}"
#define NAMES_TRIED         1000

/* ------------------------------------------------------------------------------------------
 * Settings
 */

static struct tarn_slice name_of(const tarn_namespace *ns)
{
    return ns ? tarn_slice_of(ns->name, ns->name_length) : tarn_slice_of("", 0);
}

static struct tarn_slice pattern_of(const struct tarn__autosave *autosave)
{
    return tarn_slice_of(autosave->settings.pattern, autosave->settings.pattern_length);
}

static struct tarn__autosave *autosave_of(tarn_store *store, tarn_namespace *ns)
{
    return ns ? ns->autosave : &store->autosave;
}

static tarn_status settings_of(const struct tarn_autosave_options *options,
                               const tarn_namespace *ns, struct tarn__autosave_settings *settings)
{
    struct tarn_slice pattern = options->pattern;
    struct tarn_buf name = {0};
    tarn_status status = tarn__check_size(options->size, sizeof *options, "tarn_autosave_options");

    if (status)
        return status;
    if (options->interval_ms &&
        (options->interval_ms < INTERVAL_MS_MIN || options->interval_ms > INTERVAL_MS_MAX))
        return tarn__fail(TARN_INVALID_ARGUMENT, "interval_ms is %llu, and from %d to %llu",
                          (unsigned long long)options->interval_ms, INTERVAL_MS_MIN,
                          (unsigned long long)INTERVAL_MS_MAX);
    if (!pattern.length)
        pattern = ns ? tarn_slice_of(PATTERN_NAMESPACE, sizeof PATTERN_NAMESPACE - 1)
                     : tarn_slice_of(PATTERN_STORE, sizeof PATTERN_STORE - 1);
    status = tarn__check_slice(pattern);
    if (!status)
        status = tarn__autosave_name(pattern, ns != NULL, name_of(ns), 0, &name);
    tarn_buf_release(&name);
    if (status)
        return status;
    *settings = (struct tarn__autosave_settings){
        .at_close = options->at_close,
        .interval_ms = options->interval_ms ? options->interval_ms : INTERVAL_MS_DEFAULT,
        .keep = options->keep ? options->keep : KEEP_DEFAULT,
        .pattern_length = pattern.length,
    };
    memcpy(settings->pattern, pattern.data, pattern.length);
    return TARN_OK;
}

/* The first save comes after one interval. */
static void start(tarn_store *store, struct tarn__autosave *autosave)
{
    const struct tarn__os *os = store->environment.os;

    autosave->settings.enabled = true;
    autosave->due_ns = os->monotonic_ns(os) + autosave->settings.interval_ms * 1000000;
}

void tarn__autosave_describe(const struct tarn__autosave *autosave,
                             struct tarn__autosave_settings *settings)
{
    if (autosave && autosave->set)
        *settings = autosave->settings;
}

/* Where a namespace's autosave is kept; it stays until the namespace goes. */
static tarn_status make_room(tarn_namespace *ns)
{
    if (ns && !ns->autosave)
        ns->autosave = tarn__allocate_zeroed(sizeof *ns->autosave);
    return ns && !ns->autosave ? TARN_NO_MEMORY : TARN_OK;
}

tarn_status tarn__autosave_restore(tarn_store *store, tarn_namespace *ns,
                                   const struct tarn__autosave_settings *settings)
{
    struct tarn__autosave *autosave;
    tarn_status status;

    if (!settings->pattern_length)
        return TARN_OK;
    if (settings->keep == 0 || settings->interval_ms < INTERVAL_MS_MIN ||
        settings->interval_ms > INTERVAL_MS_MAX)
        return tarn__fail(TARN_CORRUPT, "'%s/catalog' has autosave settings that are out of bounds",
                          tarn__directory_path(store->folder.top));
    status = make_room(ns);
    if (status)
        return status;
    autosave = autosave_of(store, ns);
    autosave->set = true;
    autosave->settings = *settings;
    if (settings->enabled)
        start(store, autosave);
    return TARN_OK;
}

tarn_status tarn__autosave_open(tarn_store *store, const struct tarn_autosave_options *options)
{
    struct tarn_slice whole_store = tarn_slice_of("", 0);
    tarn_status status = tarn_autosave_set(store, whole_store, options);

    if (!status && !store->autosave.settings.enabled)
        status = tarn_autosave_start(store, whole_store);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Saving
 */

/* A name that no snapshot has yet: the clock may have jumped back. */
static tarn_status choose_name(tarn_store *store, const struct tarn__autosave *autosave,
                               const tarn_namespace *ns, struct tarn_buf *name)
{
    const struct tarn__os *os = store->environment.os;
    uint64_t clock_ns = os->wall_ns(os);
    char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES];
    tarn_status status = TARN_OK;

    for (unsigned i = 0; i < NAMES_TRIED && !status; i++, clock_ns += 1000000) {
        struct tarn__file *file;

        status = tarn__autosave_name(pattern_of(autosave), ns != NULL, name_of(ns), clock_ns, name);
        if (!status)
            status = tarn__snapshot_file_name(tarn_slice_of(name->data, name->length), file_name);
        if (status)
            return status;
        status = tarn__file_open(store->folder.snapshots, file_name, TARN__OPEN_READ, &file);
        if (tarn__failed_with(status, ENOENT))
            return TARN_OK;
        if (!status)
            status = tarn__file_close(file);
    }
    return status ? status : tarn__fail(TARN_IO, "no free name for a snapshot");
}

/* Whether an autosave has made the snapshot, or may have, and it may be deleted for a newer one. */
static bool is_of(const tarn_store *store, const struct tarn__snapshot_entry *entry,
                  const struct tarn__autosave *autosave, const tarn_namespace *ns)
{
    struct tarn_slice name;

    return tarn__snapshot_is_own(store, entry) && entry->head.sequence > store->spared_sequence &&
           entry->head.scope == (ns ? TARN__SCOPE_NAMESPACE : TARN__SCOPE_STORE) &&
           (!ns || entry->ns.number == ns->number) &&
           tarn__snapshot_name_of(entry->file_name, &name) &&
           tarn__autosave_name_matches(pattern_of(autosave), ns != NULL, name_of(ns), name);
}

/* Deletes what is more than is to be kept, the oldest first, once the newest has been read back.
 * saving is held, and lock is not: it takes its time. */
static tarn_status prune(tarn_store *store, const struct tarn__autosave *autosave,
                         const tarn_namespace *ns)
{
    struct tarn__snapshot_entries all = {0};
    tarn_status status = tarn__snapshots_look(store, &all);
    size_t own = 0;

    for (size_t i = 0; i < all.count; i++) /* they keep their order: the newest first */
        if (is_of(store, &all.entries[i], autosave, ns))
            all.entries[own++] = all.entries[i];
    if (!status && own > autosave->settings.keep) {
        status = tarn__snapshot_verify(store, all.entries[0].file_name);
        while (!status && own > autosave->settings.keep)
            status = tarn__file_unlink(store->folder.snapshots, all.entries[--own].file_name);
        if (!status)
            status = tarn__directory_sync(store->folder.snapshots);
    }
    tarn__snapshots_release(&all);
    return status;
}

/* Saves one, under saving and the lock, which is given back meanwhile. ns: referenced, or NULL. */
static tarn_status save(tarn_store *store, tarn_namespace *ns)
{
    struct tarn_snapshot_info info = {.size = sizeof info};
    struct tarn__autosave autosave = *autosave_of(store, ns); /* as it is now */
    struct tarn_buf name = {0};
    tarn_status status = choose_name(store, &autosave, ns, &name);
    struct tarn_slice snapshot = tarn_slice_of(name.data, name.length);

    if (!status)
        status = tarn__snapshot_save_held(store, ns, snapshot, &info);
    if (!status) {
        pthread_mutex_unlock(&store->lock);
        status = prune(store, &autosave, ns);
        pthread_mutex_lock(&store->lock);
    }
    autosave_of(store, ns)->saves += status == TARN_OK;
    autosave_of(store, ns)->failures += status != TARN_OK;
    autosave_of(store, ns)->status = status;
    if (!status)
        autosave_of(store, ns)->sequence = info.sequence;
    if (ns) {
        atomic_store(&ns->autosave_saves, ns->autosave->saves);
        atomic_store(&ns->autosave_failures, ns->autosave->failures);
        atomic_store(&ns->autosave_status, status);
    }
    pthread_mutex_unlock(&store->lock); /* the callback may call tarn */
    tarn__turn_give(&store->saving);
    tarn__store_tell(store, status ? TARN_EVENT_AUTOSAVE_FAILED : TARN_EVENT_AUTOSAVE_DONE, status,
                     name_of(ns), snapshot);
    tarn__turn_take(&store->saving);
    pthread_mutex_lock(&store->lock);
    tarn_buf_release(&name);
    return status;
}

/* Which autosave: by the namespace's number, since it may be gone the next time; 0 is the store's.
 */
static tarn_namespace *by_number(const tarn_store *store, uint64_t number)
{
    for (size_t i = 0; i < store->count; i++)
        if (store->namespaces[i]->number == number)
            return store->namespaces[i];
    return NULL;
}

static bool runs(const struct tarn__autosave *autosave)
{
    return autosave && autosave->set && autosave->settings.enabled;
}

/* The one that has been due for the longest, or else the next one. */
static bool find_due(tarn_store *store, uint64_t *number, uint64_t *due_ns)
{
    bool found = runs(&store->autosave);

    *number = 0;
    *due_ns = store->autosave.due_ns;
    for (size_t i = 0; i < store->count; i++) {
        const struct tarn__autosave *autosave = store->namespaces[i]->autosave;

        if (!runs(autosave) || (found && autosave->due_ns >= *due_ns))
            continue;
        found = true;
        *number = store->namespaces[i]->number;
        *due_ns = autosave->due_ns;
    }
    return found;
}

/* Has the store's thread look when the next one is due. Locked. */
static void want_next(tarn_store *store)
{
    uint64_t number, due_ns;

    if (find_due(store, &number, &due_ns))
        tarn__jobs_want(&store->environment.slow, &store->saving_due, due_ns);
}

void tarn__autosave_run(void *context)
{
    tarn_store *store = context;
    const struct tarn__os *os = store->environment.os;
    uint64_t number, due_ns;

    while (tarn__store_lock_saving(store) == TARN_OK) {
        uint64_t now = os->monotonic_ns(os);
        bool found = find_due(store, &number, &due_ns);
        tarn_namespace *ns;

        if (!found || due_ns > now) {
            if (found)
                tarn__jobs_want(&store->environment.slow, &store->saving_due, due_ns);
            tarn__store_unlock_saving(store);
            return;
        }
        ns = number ? by_number(store, number) : NULL;
        if (ns)
            atomic_fetch_add(&ns->references, 1);
        (void)save(store, ns); /* told as an event, and counted */
        /* From its end on: who waits for the lock gets it, however long a save takes. */
        autosave_of(store, ns)->due_ns =
            os->monotonic_ns(os) + autosave_of(store, ns)->settings.interval_ms * 1000000;
        tarn__store_unlock_saving(store);
        if (ns)
            tarn__namespace_release(ns);
    }
}

tarn_status tarn__autosave_begin(tarn_store *store)
{
    uint64_t number, due_ns;
    tarn_status status = TARN_OK;

    pthread_mutex_lock(&store->lock);
    if (find_due(store, &number, &due_ns)) {
        status = tarn__jobs_start(&store->environment.slow);
        if (!status)
            tarn__jobs_want(&store->environment.slow, &store->saving_due, due_ns);
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}

static bool saves_at_close(const struct tarn__autosave *autosave)
{
    return runs(autosave) && autosave->settings.at_close;
}

/* The namespace with the next higher number that is to be saved, or NULL. */
static tarn_namespace *next_at_close(const tarn_store *store, uint64_t number)
{
    tarn_namespace *next = NULL;

    for (size_t i = 0; i < store->count; i++) {
        tarn_namespace *ns = store->namespaces[i];

        if (saves_at_close(ns->autosave) && ns->number > number &&
            (!next || ns->number < next->number))
            next = ns;
    }
    return next;
}

tarn_status tarn__autosave_close(tarn_store *store)
{
    uint64_t number = 0;
    tarn_namespace *ns;
    tarn_status status;

    if (!tarn__store_in_folder(store) || store->folder.read_only)
        return TARN_OK;
    status = tarn__store_lock_saving(store);
    if (status)
        return status;
    if (saves_at_close(&store->autosave))
        status = save(store, NULL);
    while (!status && (ns = next_at_close(store, number))) { /* others may come and go meanwhile */
        number = ns->number;
        atomic_fetch_add(&ns->references, 1);
        status = save(store, ns);
        tarn__namespace_release(ns);
    }
    tarn__store_unlock_saving(store);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * The public interface
 */

/* Locks, and finds what the autosave is of: *ns is NULL for the store. */
static tarn_status begin(tarn_store *store, struct tarn_slice name, tarn_namespace **ns)
{
    tarn_status status = TARN_OK;
    size_t at;

    if (!store)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    *ns = NULL;
    if (name.length)
        status = tarn__check_name(name);
    if (!status)
        status = tarn__store_lock_snapshots(store, true);
    if (status)
        return status;
    if (name.length && !tarn__store_find(store, name, &at)) {
        status = tarn__store_named(TARN_NAMESPACE_NOT_FOUND, name);
        tarn__store_unlock_saving(store);
    } else if (name.length) {
        *ns = store->namespaces[at];
    }
    return status;
}

/* Which autosave a status is about. */
static tarn_status of_which(tarn_status status, const tarn_namespace *ns)
{
    return ns ? tarn__store_named(status, name_of(ns))
              : tarn__fail(status, "%s: of the whole store", tarn_status_message(status));
}

/* Makes a change durable, or takes it back, and unlocks. */
static tarn_status end(tarn_store *store, tarn_namespace *ns, const struct tarn__autosave *before)
{
    tarn_status status = tarn__store_write_catalog(store);

    if (status)
        *autosave_of(store, ns) = *before;
    want_next(store);
    tarn__store_unlock_saving(store);
    return status;
}

tarn_status tarn_autosave_set(tarn_store *store, struct tarn_slice namespace_name,
                              const struct tarn_autosave_options *options)
{
    struct tarn__autosave_settings settings = {0};
    struct tarn__autosave *autosave, before;
    tarn_namespace *ns;
    tarn_status status = begin(store, namespace_name, &ns);

    if (status)
        return status;
    if (options)
        status = settings_of(options, ns, &settings);
    if (!status)
        status = make_room(ns);
    if (status) {
        tarn__store_unlock_saving(store);
        return status;
    }
    autosave = autosave_of(store, ns);
    before = *autosave;
    settings.enabled = options && runs(autosave);
    autosave->set = options != NULL;
    autosave->settings = settings;
    if (settings.enabled)
        start(store, autosave);
    return end(store, ns, &before);
}

tarn_status tarn_autosave_start(tarn_store *store, struct tarn_slice namespace_name)
{
    struct tarn__autosave before = {0};
    tarn_namespace *ns;
    tarn_status status = begin(store, namespace_name, &ns);

    if (status)
        return status;
    if (autosave_of(store, ns))
        before = *autosave_of(store, ns);
    if (!before.set || runs(&before))
        status = of_which(before.set ? TARN_AUTOSAVE_EXISTS : TARN_AUTOSAVE_NOT_CONFIGURED, ns);
    else
        status = tarn__jobs_start(&store->environment.slow);
    if (status) {
        tarn__store_unlock_saving(store);
        return status;
    }
    start(store, autosave_of(store, ns));
    return end(store, ns, &before);
}

tarn_status tarn_autosave_stop(tarn_store *store, struct tarn_slice namespace_name)
{
    tarn_namespace *ns;
    tarn_status status = begin(store, namespace_name, &ns);

    if (status)
        return status;
    if (!runs(autosave_of(store, ns))) {
        status = of_which(TARN_AUTOSAVE_NOT_RUNNING, ns);
        tarn__store_unlock_saving(store); /* from here on the namespace may be dropped */
        return status;
    }
    autosave_of(store, ns)->settings.enabled = false;
    status = tarn__store_write_catalog(store); /* what cannot be saved can be closed all the same */
    tarn__store_unlock_saving(store);
    return status;
}

tarn_status tarn_autosave_start_all(tarn_store *store)
{
    tarn_namespace *ns;
    tarn_status status = begin(store, tarn_slice_of("", 0), &ns);

    if (status)
        return status;
    status = tarn__jobs_start(&store->environment.slow);
    if (status) {
        tarn__store_unlock_saving(store);
        return status;
    }
    /* i is one more than the number in the table; the store's is 0 */
    for (size_t i = 0; i <= store->count; i++) {
        struct tarn__autosave *autosave = autosave_of(store, i ? store->namespaces[i - 1] : NULL);

        if (autosave && autosave->set && !autosave->settings.enabled) {
            start(store, autosave);
            autosave->just_started = true;
        }
    }
    status = tarn__store_write_catalog(store);
    for (size_t i = 0; i <= store->count; i++) {
        struct tarn__autosave *autosave = autosave_of(store, i ? store->namespaces[i - 1] : NULL);

        if (autosave && autosave->just_started) {
            autosave->settings.enabled = status == TARN_OK;
            autosave->just_started = false;
        }
    }
    want_next(store);
    tarn__store_unlock_saving(store);
    return status;
}

/* What a visit is shown, with what it points to. */
struct shown {
    struct tarn_autosave_info info;
    char name[TARN_NAME_BYTES_MAX];
    char pattern[TARN__PATTERN_BYTES_MAX];
};

static void show(const tarn_store *store, const tarn_namespace *ns,
                 const struct tarn__autosave *autosave, struct shown *shown)
{
    const struct tarn__os *os = store->environment.os;
    const struct tarn__autosave_settings *settings = &autosave->settings;
    uint64_t now = os->monotonic_ns(os);

    memcpy(shown->name, name_of(ns).data, name_of(ns).length);
    memcpy(shown->pattern, settings->pattern, settings->pattern_length);
    shown->info = (struct tarn_autosave_info){
        .namespace_name = tarn_slice_of(shown->name, name_of(ns).length),
        .options = {.size = sizeof shown->info.options,
                    .interval_ms = settings->interval_ms,
                    .pattern = tarn_slice_of(shown->pattern, settings->pattern_length),
                    .keep = settings->keep,
                    .at_close = settings->at_close},
        .running = settings->enabled,
        .saves = autosave->saves,
        .failures = autosave->failures,
        .status = autosave->status,
        .sequence = autosave->sequence,
    };
    if (settings->enabled && autosave->due_ns > now)
        shown->info.next_ms = (autosave->due_ns - now) / 1000000;
}

tarn_status tarn_autosave_list(tarn_store *store,
                               bool (*visit)(void *context, const struct tarn_autosave_info *info),
                               void *context)
{
    struct shown *shown;
    size_t count = 0;
    tarn_status status;

    if (!store || !visit)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store or visit is NULL");
    status = tarn__store_lock(store);
    if (status)
        return status;
    status = tarn__store_check_folder(store);
    if (status) {
        tarn__store_unlock(store);
        return status;
    }
    shown = tarn__allocate((store->count + 1) * sizeof *shown);
    if (shown && store->autosave.set)
        show(store, NULL, &store->autosave, &shown[count++]);
    for (size_t i = 0; shown && i < store->count; i++) {
        const tarn_namespace *ns = store->namespaces[i];

        if (ns->autosave && ns->autosave->set)
            show(store, ns, ns->autosave, &shown[count++]);
    }
    tarn__store_unlock(store);
    if (!shown)
        return TARN_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!visit(context, &shown[i].info))
            break;
    tarn__free(shown);
    return TARN_OK;
}
