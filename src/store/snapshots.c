/* The snapshots of a store; see the header. */
#include "store/snapshots.h"
#include "base/memory.h"
#include "base/plant.h"
#include "base/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than is written before somebody opens the store anew: of 2^56, for many openings. */
#define LEAP ((uint64_t)1 << 36)

/* ------------------------------------------------------------------------------------------
 * Looking
 */

struct listing {
    struct tarn__snapshot_entries *all;
    tarn_status status;
};

static bool note_name(void *context, const char *file_name)
{
    struct listing *listing = context;
    struct tarn__snapshot_entries *all = listing->all;
    struct tarn_slice name;

    if (!tarn__snapshot_name_of(file_name, &name))
        return true;
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? 2 * all->capacity : 16;
        struct tarn__snapshot_entry *entries =
            tarn__reallocate(all->entries, capacity * sizeof *entries);

        if (!entries) {
            listing->status = TARN_NO_MEMORY;
            return false;
        }
        all->entries = entries;
        all->capacity = capacity;
    }
    memset(&all->entries[all->count], 0, sizeof all->entries[all->count]);
    memcpy(all->entries[all->count++].file_name, file_name, strlen(file_name) + 1);
    return true;
}

/* Reads the head of a snapshot, and the name of the namespace that it is of. The end must be of the
 * same file, or the head may be another snapshot's, which a disk has written to the wrong place. */
static tarn_status read_head(const struct tarn__folder *folder, struct tarn__snapshot_entry *entry)
{
    struct tarn__snapshot_reader reader;
    const void *content;
    tarn_status status = tarn__snapshot_reader_open(&reader, folder->snapshots, entry->file_name);

    if (status)
        return status;
    entry->file_bytes = reader.size;
    status = tarn__snapshot_reader_next(&reader, &content);
    if (!status && reader.reading.head.scope == TARN__SCOPE_NAMESPACE)
        status = tarn__snapshot_reader_next(&reader, &content);
    if (!status)
        status = tarn__snapshot_reader_check_end(&reader);
    if (!status) {
        entry->head = reader.reading.head;
        entry->ns = reader.reading.ns;
    }
    tarn__snapshot_reader_close(&reader);
    return status;
}

static int by_falling_sequence(const void *left, const void *right)
{
    const struct tarn__snapshot_entry *a = left, *b = right;

    if (TARN__PLANTED(TARN__PLANT_NEWEST_BY_NAME))
        return strcmp(a->file_name, b->file_name);
    if (TARN__PLANTED(TARN__PLANT_NEWEST_BY_CLOCK) && a->head.clock_ns != b->head.clock_ns)
        return a->head.clock_ns < b->head.clock_ns ? 1 : -1;
    if (a->head.sequence != b->head.sequence)
        return a->head.sequence < b->head.sequence ? 1 : -1;
    return strcmp(b->file_name, a->file_name); /* of autosaves, the later one first */
}

tarn_status tarn__snapshots_look(tarn_store *store, struct tarn__snapshot_entries *all)
{
    struct listing listing = {.all = all};
    tarn_status status;

    if (!store->folder.snapshots)
        return TARN_OK;
    status = tarn__directory_list(store->folder.snapshots, note_name, &listing);
    if (!status)
        status = listing.status;
    for (size_t i = 0; i < all->count && !status; i++) {
        if (read_head(&store->folder, &all->entries[i]))
            all->entries[i].error = *tarn_last_error();
        if (all->entries[i].error.status == TARN_NO_MEMORY)
            status = TARN_NO_MEMORY;
    }
    if (all->count)
        qsort(all->entries, all->count, sizeof *all->entries, by_falling_sequence);
    return status;
}

bool tarn__snapshot_is_own(const tarn_store *store, const struct tarn__snapshot_entry *entry)
{
    return !entry->error.status &&
           memcmp(entry->head.store, store->identity, sizeof store->identity) == 0;
}

void tarn__snapshots_release(struct tarn__snapshot_entries *all)
{
    tarn__free(all->entries);
    *all = (struct tarn__snapshot_entries){0};
}

/* ------------------------------------------------------------------------------------------
 * Opening
 */

tarn_status tarn__store_begin_folder(tarn_store *store)
{
    const struct tarn__os *os = store->environment.os;
    struct tarn__snapshot_entries all = {0};
    tarn_status status = tarn__snapshots_look(store, &all);

    if (!status && all.count)
        status = tarn__fail(TARN_CORRUPT,
                            "'%s' has no catalog, but %zu snapshots: put it back, or move "
                            "them to the folder of another store and load them there",
                            tarn__directory_path(store->folder.top), all.count);
    else if (!status && store->folder.read_only) /* its first opening did not get to its end */
        status = tarn__fail(TARN_IO, "'%s' has no catalog: there is no store yet",
                            tarn__directory_path(store->folder.top));
    tarn__snapshots_release(&all);
    if (!status)
        status = os->random_bytes(os, store->identity, sizeof store->identity);
    return status ? status : tarn__store_write_catalog(store);
}

static bool note_temporary(void *context, const char *file_name)
{
    char *found = context;

    if (!tarn__snapshot_is_temporary(file_name) ||
        strlen(file_name) >= TARN__SNAPSHOT_FILE_NAME_BYTES)
        return true;
    memcpy(found, file_name, strlen(file_name) + 1);
    return false;
}

/* A snapshot that was being written when the process ended. */
static tarn_status remove_temporary(const struct tarn__directory *snapshots)
{
    char found[TARN__SNAPSHOT_FILE_NAME_BYTES];
    tarn_status status;

    do {
        found[0] = '\0';
        status = tarn__directory_list(snapshots, note_temporary, found);
        if (!status && found[0])
            status = tarn__file_unlink(snapshots, found);
    } while (!status && found[0]);
    return status;
}

/* Whether a snapshot of the present store may hold a namespace. */
static bool may_hold(const tarn_store *store, const struct tarn__snapshot_entry *entry,
                     const tarn_namespace *ns)
{
    if (!tarn__snapshot_is_own(store, entry))
        return false;
    return entry->head.scope == TARN__SCOPE_STORE || entry->ns.number == ns->number ||
           TARN__PLANTED(TARN__PLANT_SUCCESSOR);
}

/* What is in memory is less than what the snapshots hold: they stay. */
static void spare_all(tarn_store *store)
{
    store->spared_sequence = atomic_load(&store->environment.sequence);
}

/* One whose head cannot be read may have any sequence that was ever given out, also where the
 * catalog could not be told of it: what is saved now must be newer. */
static void leap(tarn_store *store, const struct tarn__snapshot_entries *all)
{
    bool unread = false;

    for (size_t i = 0; i < all->count; i++)
        unread = unread || all->entries[i].error.status;
    if (unread)
        tarn__store_raise_sequence(store, atomic_load(&store->environment.sequence) + LEAP);
}

/* The last error says why. */
static void tell_passed_over(tarn_store *store, const struct tarn__snapshot_entry *entry,
                             tarn_status status)
{
    struct tarn_slice name = {0};

    (void)tarn__snapshot_name_of(entry->file_name, &name); /* it is in the list */
    tarn__store_tell(store, TARN_EVENT_SNAPSHOT_PASSED_OVER, status, tarn_slice_of("", 0), name);
    spare_all(store);
}

static bool is_broken(tarn_status status)
{
    return status == TARN_CORRUPT || status == TARN_UNSUPPORTED_VERSION;
}

static tarn_status advise_on_broken(tarn_status status)
{
    return is_broken(status) ? tarn__advise(status, "TARN_LOAD_NEWEST_WHOLE passes it over")
                             : status;
}

/* Loads what is wanted and in this snapshot; what it may hold is not wanted from older ones. */
static tarn_status load_from(tarn_store *store, const struct tarn__snapshot_entry *entry,
                             bool *wanted, enum tarn_load load)
{
    struct tarn__load_plan plan = {.wanted = wanted};
    bool any = false;
    tarn_status status;

    for (size_t i = 0; i < store->count; i++)
        any = any || (wanted[i] && may_hold(store, entry, store->namespaces[i]));
    if (!any)
        return TARN_OK;
    status = tarn__snapshot_load(store, entry->file_name, &plan);
    if ((is_broken(status) || status == TARN_IO) && load == TARN_LOAD_NEWEST_WHOLE) {
        tell_passed_over(store, entry, status);
        return TARN_OK;
    }
    for (size_t i = 0; i < store->count; i++)
        if (may_hold(store, entry, store->namespaces[i]))
            wanted[i] = false;
    return advise_on_broken(status);
}

static tarn_status load_all(tarn_store *store, const struct tarn__snapshot_entries *all,
                            enum tarn_load load)
{
    bool *wanted = tarn__allocate(store->count + 1);
    tarn_status status = wanted ? TARN_OK : TARN_NO_MEMORY;

    for (size_t i = 0; i < store->count && wanted; i++) /* the others are in their own files */
        wanted[i] = !store->namespaces[i]->home.directory;
    for (size_t i = 0; i < all->count && !status; i++) {
        const struct tarn__snapshot_entry *entry = &all->entries[i];

        if (!entry->error.status) {
            status = load_from(store, entry, wanted, load);
        } else if (load == TARN_LOAD_NEWEST_WHOLE) {
            tarn__restore_error(&entry->error);
            tell_passed_over(store, entry, entry->error.status);
        }
    }
    tarn__free(wanted);
    return status;
}

/* A snapshot whose head cannot be read may be the newest. */
static tarn_status check_heads(const struct tarn__snapshot_entries *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (!all->entries[i].error.status)
            continue;
        tarn__restore_error(&all->entries[i].error);
        return advise_on_broken(all->entries[i].error.status);
    }
    return TARN_OK;
}

tarn_status tarn__snapshots_open(tarn_store *store, enum tarn_load load)
{
    struct tarn__snapshot_entries all = {0};
    tarn_status status = TARN_OK;

    if (!store->folder.read_only)
        status = remove_temporary(store->folder.snapshots);
    if (!status)
        status = tarn__snapshots_look(store, &all);
    for (size_t i = 0; i < all.count && !status; i++)
        if (tarn__snapshot_is_own(store, &all.entries[i]))
            tarn__store_raise_sequence(store, all.entries[i].head.sequence);
    if (!status && load == TARN_LOAD_NEWEST)
        status = check_heads(&all);
    else if (!status)
        leap(store, &all);
    if (!status && load == TARN_LOAD_NOTHING)
        spare_all(store);
    else if (!status)
        status = load_all(store, &all, load);
    tarn__snapshots_release(&all);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * The public interface
 */

static void fill_info(const struct tarn__snapshot_entry *entry, struct tarn_snapshot_info *info)
{
    *info = (struct tarn_snapshot_info){.size = sizeof *info, .file_bytes = entry->file_bytes};
    (void)tarn__snapshot_name_of(entry->file_name, &info->name); /* it is in the list */
    info->status = entry->error.status;
    if (info->status)
        return;
    info->sequence = entry->head.sequence;
    info->clock_ns = entry->head.clock_ns;
    info->namespaces = entry->head.namespaces;
    if (entry->head.scope == TARN__SCOPE_NAMESPACE)
        info->namespace_name = tarn_slice_of(entry->ns.name, entry->ns.name_length);
}

tarn_status tarn_snapshot_list(tarn_store *store,
                               bool (*visit)(void *context, const struct tarn_snapshot_info *info),
                               void *context)
{
    struct tarn__snapshot_entries all = {0};
    tarn_status status;
    bool more = true;

    if (!store || !visit)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store or visit is NULL");
    status = tarn__store_lock_snapshots(store, false);
    if (status)
        return status;
    status = tarn__snapshots_look(store, &all);
    tarn__store_unlock_saving(store);
    for (size_t i = 0; i < all.count && !status && more; i++) {
        struct tarn_snapshot_info info;

        fill_info(&all.entries[i], &info);
        more = visit(context, &info);
    }
    tarn__snapshots_release(&all);
    return status;
}

/* Makes out the name of a snapshot's file, and locks. */
static tarn_status begin(tarn_store *store, struct tarn_slice name, bool to_write, char *file_name)
{
    tarn_status status;

    if (!store)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    status = tarn__snapshot_file_name(name, file_name);
    return status ? status : tarn__store_lock_snapshots(store, to_write);
}

tarn_status tarn_snapshot_verify(tarn_store *store, struct tarn_slice name)
{
    char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES];
    tarn_status status = begin(store, name, false, file_name);

    if (status)
        return status;
    pthread_mutex_unlock(&store->lock); /* it takes its time */
    status = tarn__snapshot_verify(store, file_name);
    pthread_mutex_lock(&store->lock);
    tarn__store_unlock_saving(store);
    return status;
}

tarn_status tarn_snapshot_delete(tarn_store *store, struct tarn_slice name)
{
    char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES];
    tarn_status status = begin(store, name, true, file_name);

    if (status)
        return status;
    status = tarn__file_unlink(store->folder.snapshots, file_name);
    if (tarn__failed_with(status, ENOENT))
        status = tarn__fail(TARN_SNAPSHOT_NOT_FOUND, "there is no snapshot \"%.*s\"",
                            (int)name.length, (const char *)name.data);
    else if (!status && tarn__directory_sync(store->folder.snapshots))
        status = tarn__fail_system(TARN_OUTCOME_UNKNOWN, tarn_last_error()->system_error,
                                   "snapshot \"%.*s\" may come back after a crash",
                                   (int)name.length, (const char *)name.data);
    tarn__store_unlock_saving(store);
    return status;
}
