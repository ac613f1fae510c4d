/* tarn_salvage(); see the header for its steps. */
#include "store/salvage.h"
#include "base/memory.h"
#include "format/name.h"
#include "namespace/fill.h"
#include "namespace/tombstones.h"
#include "store/catalog_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------
 * What the new catalog will say
 */

static struct tarn_slice name_of(const struct tarn__catalog_namespace *entry)
{
    return tarn_slice_of(entry->name, entry->name_length);
}

static bool has_name(const struct tarn__catalog *catalog, struct tarn_slice name)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (tarn__name_compare(name_of(&catalog->namespaces[i]), name) == 0)
            return true;
    return false;
}

static bool has_number(const struct tarn__catalog *catalog, uint64_t number)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (catalog->namespaces[i].number == number || catalog->namespaces[i].home == number)
            return true;
    return false;
}

static void raise_numbers(struct tarn__catalog *catalog, uint64_t number, uint64_t sequence)
{
    if (number >= catalog->next_number)
        catalog->next_number = number + 1;
    if (sequence > catalog->sequence)
        catalog->sequence = sequence;
}

static int by_falling_sequence(const void *left, const void *right)
{
    const struct tarn__salvaged_namespace *a = left, *b = right;

    return (a->sequence < b->sequence) - (a->sequence > b->sequence);
}

/* Adds the namespaces in memory of which the snapshots know and the catalog does not. */
static void add_known(struct tarn__salvage *salvage)
{
    struct tarn__catalog *catalog = &salvage->catalog;

    for (size_t i = 0; i < salvage->known_count; i++) {
        const struct tarn__salvaged_namespace *known = &salvage->known[i];
        struct tarn__catalog_namespace *entry = &catalog->namespaces[catalog->count];

        if (memcmp(known->store, catalog->identity, sizeof known->store) != 0)
            continue;
        raise_numbers(catalog, known->ns.number, known->sequence);
        if (known->ns.options.engine != TARN_ENGINE_MEMORY ||
            has_name(catalog, tarn_slice_of(known->ns.name, known->ns.name_length)) ||
            has_number(catalog, known->ns.number))
            continue;
        *entry = (struct tarn__catalog_namespace){.number = known->ns.number,
                                                  .options = known->ns.options,
                                                  .name_length = known->ns.name_length};
        memcpy(entry->name, known->ns.name, known->ns.name_length);
        catalog->count++;
    }
}

/* Identity and seed, of the store of which the newest snapshot is where the catalog has them not.
 */
static tarn_status choose_identity(struct tarn__salvage *salvage)
{
    const struct tarn__os *os = salvage->remains.os;
    struct tarn__catalog *catalog = &salvage->catalog;
    tarn_status status = TARN_OK;

    if (salvage->known_count)
        qsort(salvage->known, salvage->known_count, sizeof *salvage->known, by_falling_sequence);
    if (salvage->remains.has_identity)
        return TARN_OK;
    status = os->random_bytes(os, &catalog->seed, sizeof catalog->seed);
    if (!status && !salvage->known_count)
        return os->random_bytes(os, catalog->identity, sizeof catalog->identity);
    if (!status)
        memcpy(catalog->identity, salvage->known[0].store, sizeof catalog->identity);
    return status;
}

/* Makes out the catalog, but for the homes of logs, with room for all namespaces that may come. */
static tarn_status plan(struct tarn__salvage *salvage)
{
    const struct tarn__remains *remains = &salvage->remains;
    const struct tarn__catalog *before = &remains->catalog;
    struct tarn__catalog *catalog = &salvage->catalog;
    tarn_status status;

    *catalog = *before;
    catalog->namespaces =
        tarn__allocate_zeroed((before->count + salvage->known_count + remains->home_count + 1) *
                              sizeof *catalog->namespaces);
    if (!catalog->namespaces)
        return TARN_NO_MEMORY;
    if (before->count)
        memcpy(catalog->namespaces, before->namespaces,
               before->count * sizeof *catalog->namespaces);
    status = choose_identity(salvage);
    if (status)
        return status;
    if (!catalog->next_number)
        catalog->next_number = 1;
    for (size_t i = 0; i < before->count; i++) {
        raise_numbers(catalog, before->namespaces[i].number, 0);
        raise_numbers(catalog, before->namespaces[i].home, 0);
    }
    for (size_t i = 0; i < remains->home_count; i++)
        raise_numbers(catalog, remains->homes[i], 0);
    for (size_t i = 0; i < remains->snapshot_count; i++)
        if (salvage->snapshots[i].has_head &&
            memcmp(salvage->snapshots[i].head.store, catalog->identity, sizeof catalog->identity) ==
                0)
            raise_numbers(catalog, 0, salvage->snapshots[i].sequence);
    add_known(salvage);
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * The new store
 */

static bool note_any(void *context, const char *name)
{
    bool *found = context;

    (void)name;
    *found = true;
    return false;
}

static tarn_status check_target(const struct tarn__os *os, const char *to)
{
    struct tarn__directory *directory;
    bool found = false;
    tarn_status status = tarn__directory_open(os, to, &directory);

    if (tarn__failed_with(status, ENOENT))
        return TARN_OK;
    if (tarn__failed_with(status, ENOTDIR))
        return tarn__fail(TARN_INVALID_ARGUMENT, "'%s' is there, and no folder", to);
    if (status)
        return status;
    status = tarn__directory_list(directory, note_any, &found);
    (void)tarn__directory_close(directory); /* nothing was written through it */
    return !status && found
               ? tarn__fail(TARN_INVALID_ARGUMENT,
                            "'%s' is not empty: a salvage makes a new store in another folder", to)
               : status;
}

/* Makes the store, without namespaces, and opens it. */
static tarn_status make_store(struct tarn__salvage *salvage, const char *to)
{
    const struct tarn__os *os = salvage->remains.os;
    struct tarn__catalog empty = salvage->catalog;
    struct tarn__folder folder;
    tarn_status status = tarn__folder_open(&folder, os, to, false);

    if (status)
        return status;
    empty.count = 0;
    empty.autosave = (struct tarn__autosave_settings){0};
    status = tarn__catalog_file_replace(os, &folder, &empty);
    tarn__folder_close(&folder);
    return status ? status : tarn__store_open(os, to, NULL, &salvage->store);
}

static int by_name(const void *left, const void *right)
{
    return tarn__name_compare(name_of(left), name_of(right));
}

/* Has the new store tell of all that was brought into it. */
static tarn_status commit(struct tarn__salvage *salvage)
{
    tarn_store *store = salvage->store;
    struct tarn__catalog *catalog = &salvage->catalog;

    if (store->next_number > catalog->next_number)
        catalog->next_number = store->next_number;
    if (catalog->count)
        qsort(catalog->namespaces, catalog->count, sizeof *catalog->namespaces, by_name);
    return tarn__catalog_file_replace(salvage->remains.os, &store->folder, catalog);
}

/* ------------------------------------------------------------------------------------------
 * Logs
 */

struct filling {
    struct tarn__salvage *salvage;
    tarn_namespace *ns;
    struct tarn__tombstones tombstones;
};

static tarn_status put(void *context, const struct tarn__record *record)
{
    const struct filling *filling = context;
    uint64_t hash = tarn__hash(record->key, filling->ns->environment->seed);

    raise_numbers(&filling->salvage->catalog, 0, record->info.sequence);
    if (tarn__tombstones_find(&filling->tombstones, record->key, hash) > record->info.sequence)
        return TARN_OK;
    return tarn__fill_again(filling->ns, record, false);
}

static tarn_status take_away(void *context, const struct tarn__record *record, bool lasts)
{
    struct filling *filling = context;
    uint64_t hash = tarn__hash(record->key, filling->ns->environment->seed);
    tarn_status status = TARN_OK;

    raise_numbers(&filling->salvage->catalog, 0, record->info.sequence);
    if (lasts)
        status =
            tarn__tombstones_add(&filling->tombstones, record->key, hash, record->info.sequence);
    return status ? status : tarn__fill_again(filling->ns, record, true);
}

/* The entry of a log of which the catalog says nothing. */
static void describe(struct tarn__salvage *salvage, uint64_t home,
                     struct tarn__catalog_namespace *entry)
{
    int length = snprintf(entry->name, sizeof entry->name, "salvaged-%" PRIu64, home);

    for (unsigned more = 2; has_name(&salvage->catalog, tarn_slice_of(entry->name, (size_t)length));
         more++)
        length = snprintf(entry->name, sizeof entry->name, "salvaged-%" PRIu64 "-%u", home, more);
    entry->name_length = (size_t)length;
    entry->number = salvage->store->next_number++;
    entry->options =
        (struct tarn_namespace_options){.size = sizeof entry->options, .engine = TARN_ENGINE_LOG};
}

/* Fills a log with what is whole in source, and ends it: *home is where it is then. */
static tarn_status fill(struct filling *filling, const struct tarn__log_source *source,
                        uint64_t *home)
{
    struct tarn__salvage *salvage = filling->salvage;
    const struct tarn__log_reader reader = {.context = filling, .put = put, .remove = take_away};
    tarn_namespace *ns = filling->ns;
    uint64_t keys, bytes, writes;
    tarn_status status =
        source ? tarn__log_inspect(source, &salvage->remains.inspection, &reader) : TARN_OK;

    if (!status)
        status = tarn__fill_end(ns);
    if (status) {
        tarn__store_end_namespace(ns, false);
        return status;
    }
    tarn__namespace_count(ns, &keys, &bytes, &writes);
    salvage->remains.inspection.summary.keys += keys;
    *home = ns->home.number;
    status = tarn__namespace_end(ns, TARN__CLOSED);
    tarn__home_close(&ns->home);
    tarn__namespace_release(ns);
    return status;
}

static tarn_status make_log(struct tarn__salvage *salvage,
                            const struct tarn__catalog_namespace *entry, tarn_namespace **ns)
{
    tarn_store *store = salvage->store;
    tarn_status status;

    pthread_mutex_lock(&store->lock);
    status =
        tarn__store_make_namespace(store, name_of(entry), &entry->options, entry->number, true, ns);
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* Makes the log of an entry. source: what is left of it; NULL: nothing. */
static tarn_status bring_over(struct tarn__salvage *salvage, struct tarn__catalog_namespace *entry,
                              const struct tarn__log_source *source)
{
    struct filling filling = {.salvage = salvage};
    tarn_status status = make_log(salvage, entry, &filling.ns);

    if (status)
        return status;
    tarn__namespace_options_of(filling.ns, &entry->options); /* no 0 for a default */
    status = fill(&filling, source, &entry->home);
    tarn__tombstones_release(&filling.tombstones);
    return status;
}

static tarn_status salvage_log(void *context, const struct tarn__catalog_namespace *known,
                               const struct tarn__log_source *source)
{
    struct tarn__salvage *salvage = context;
    struct tarn__catalog *catalog = &salvage->catalog;
    struct tarn__catalog_namespace *entry = &catalog->namespaces[catalog->count];
    const char *path = tarn__directory_path(source->directory);
    tarn_status status;

    if (known) /* it has the same place in both */
        return bring_over(
            salvage, &catalog->namespaces[known - salvage->remains.catalog.namespaces], source);
    describe(salvage, source->number, entry);
    status = bring_over(salvage, entry, source);
    if (status)
        return status;
    catalog->count++;
    tarn__inspection_note(&salvage->remains.inspection, path, 0,
                          "what is whole in '%s' is now namespace \"%.*s\"", path,
                          (int)entry->name_length, entry->name);
    return TARN_OK;
}

/* All logs; those of which nothing is left come back empty. */
static tarn_status salvage_logs(struct tarn__salvage *salvage)
{
    struct tarn__catalog *catalog = &salvage->catalog;
    tarn_status status;

    for (size_t i = 0; i < catalog->count; i++)
        catalog->namespaces[i].home = 0; /* the old one */
    status = tarn__remains_logs(&salvage->remains, salvage_log, salvage);
    for (size_t i = 0; i < catalog->count && !status; i++)
        if (catalog->namespaces[i].options.engine == TARN_ENGINE_LOG &&
            !catalog->namespaces[i].home)
            status = bring_over(salvage, &catalog->namespaces[i], NULL);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * All of it
 */

static tarn_status bring_all_over(struct tarn__salvage *salvage, const char *to)
{
    tarn_status status = tarn__salvage_survey(salvage);

    if (!status)
        status = plan(salvage);
    if (!status)
        status = make_store(salvage, to);
    if (status)
        return status;
    status = salvage_logs(salvage);
    if (!status)
        status = tarn__salvage_snapshots(salvage);
    if (!status)
        status = commit(salvage);
    if (status) {
        struct tarn_error error = *tarn_last_error();

        (void)tarn_close(salvage->store); /* there is nothing in it */
        tarn__restore_error(&error);
        return status;
    }
    return tarn_close(salvage->store);
}

tarn_status tarn__store_salvage(const struct tarn__os *os, const char *from, const char *to,
                                const struct tarn_check_options *given,
                                struct tarn_check_summary *summary)
{
    struct tarn_check_options options;
    struct tarn__salvage salvage = {0};
    tarn_status status = tarn__remains_check_arguments(from, given, summary, &options);

    if (!status && (!to || !*to))
        status = tarn__fail(TARN_INVALID_ARGUMENT, "no directory is named to salvage to");
    if (!status)
        status = check_target(os, to);
    if (status)
        return status;
    status = tarn__remains_open(&salvage.remains, os, from, &options);
    if (status)
        return tarn__remains_summarize(&salvage.remains, status, summary);
    status = bring_all_over(&salvage, to);
    status = tarn__remains_summarize(&salvage.remains, status, summary);
    tarn__free(salvage.catalog.namespaces);
    tarn__free(salvage.snapshots);
    tarn__free(salvage.known);
    tarn__remains_close(&salvage.remains);
    return status;
}

tarn_status tarn_salvage(const char *from, const char *to, const struct tarn_check_options *options,
                         struct tarn_check_summary *summary)
{
    return tarn__store_salvage(tarn__os_posix(), from, to, options, summary);
}
