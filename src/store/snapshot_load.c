/*
 * Loading a snapshot: read and verify the file to its end, into namespaces that nobody knows yet;
 * then put what is in them in place of what is there, all at one moment, or add them to the table.
 * Until that moment anything may fail, and nothing has changed.
 */
#include "base/memory.h"
#include "base/plant.h"
#include "base/status.h"
#include "format/name.h"
#include "namespace/fill.h"
#include "store/snapshots.h"

#include <string.h>

/* What another store may have reached: this one must not come near the end of sequences. */
#define FOREIGN_SEQUENCE_MAX ((uint64_t)1 << (TARN__SEQUENCE_BITS - 1))

/* One namespace of the snapshot. */
struct arrival {
    struct tarn__replacement change; /* from: what was loaded; to: what is there, or NULL */
    bool locked;
};

struct load {
    tarn_store *store;
    const struct tarn__load_plan *plan;
    struct tarn__snapshot_reader reader;
    struct arrival *arrivals;
    size_t count, capacity;
    struct arrival *current; /* that records belong to; NULL: they are not wanted */
    uint64_t sequence;
};

/* ------------------------------------------------------------------------------------------
 * Reading
 */

/* The name under which a namespace of the file is wanted; false: it is not. */
static bool is_wanted(const struct load *load, const struct tarn__snapshot_namespace *ns,
                      struct tarn_slice *name)
{
    const struct tarn__load_plan *plan = load->plan;
    size_t at;

    *name = tarn_slice_of(ns->name, ns->name_length);
    if (plan->all)
        return true;
    if (plan->wanted) /* a namespace that was dropped and made again is another one */
        return tarn__store_find(load->store, *name, &at) && plan->wanted[at] &&
               (load->store->namespaces[at]->number == ns->number ||
                TARN__PLANTED(TARN__PLANT_SUCCESSOR));
    if (tarn__name_compare(*name, plan->from) != 0)
        return false;
    if (plan->as.length)
        *name = plan->as;
    return true;
}

static tarn_status add_arrival(struct load *load, tarn_namespace *from)
{
    if (load->count == load->capacity) {
        size_t capacity = load->capacity ? 2 * load->capacity : 8;
        struct arrival *arrivals =
            tarn__reallocate(load->arrivals, capacity * sizeof *load->arrivals);

        if (!arrivals)
            return TARN_NO_MEMORY;
        load->arrivals = arrivals;
        load->capacity = capacity;
    }
    load->current = &load->arrivals[load->count++];
    /* What was saved comes back at an opening, also where a limit was lowered since. */
    *load->current =
        (struct arrival){.change = {.from = from, .beyond_limits = load->plan->wanted != NULL}};
    return TARN_OK;
}

/* Makes what is filled: on the engine of the namespace whose place it takes, or else on its own. */
static tarn_status make_arrival(struct load *load, struct tarn_slice name,
                                const struct tarn_namespace_options *saved, tarn_namespace **from)
{
    tarn_store *store = load->store;
    struct tarn_namespace_options options = *saved;
    tarn_status status;
    size_t at;

    pthread_mutex_lock(&store->lock);
    if (tarn__store_find(store, name, &at))
        tarn__namespace_options_of(store->namespaces[at], &options);
    status = tarn__store_make_namespace(store, name, &options, 0, true, from);
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* A namespace of the file begins. */
static tarn_status begin_namespace(struct load *load)
{
    const struct tarn__snapshot_namespace *ns = &load->reader.reading.ns;
    struct tarn_slice name;
    tarn_namespace *from;
    tarn_status status;

    load->current = NULL;
    if (!is_wanted(load, ns, &name))
        return TARN_OK;
    if (load->count >= load->store->max_namespaces)
        return tarn__fail(TARN_TOO_MANY_NAMESPACES,
                          "'%s' has more namespaces than max_namespaces, which is %u",
                          tarn__snapshot_reader_path(&load->reader), load->store->max_namespaces);
    status = make_arrival(load, name, &ns->options, &from);
    if (status)
        return status;
    status = add_arrival(load, from);
    if (status)
        tarn__store_end_namespace(from, false);
    return status;
}

static tarn_status fill(struct load *load, const struct tarn__record *records, size_t count)
{
    tarn_status status;

    if (!load->current || !count)
        return TARN_OK;
    for (size_t i = 0; i < count; i++)
        if (records[i].value.length > load->current->change.largest_value)
            load->current->change.largest_value = records[i].value.length;
    status = tarn__fill(load->current->change.from, records, count);
    if (status == TARN_KEY_EXISTS)
        status = tarn__file_corrupt(tarn__snapshot_reader_path(&load->reader),
                                    load->reader.block.offset, "a key is there twice");
    return status;
}

static tarn_status read_records(struct load *load, const void *content)
{
    struct tarn__snapshot_reader *reader = &load->reader;
    struct tarn__reader left = tarn__reader_of(content, reader->block.length);
    struct tarn__record records[TARN__FILL_RECORDS_MAX];
    tarn_status status = TARN_OK;
    size_t count = 0;

    while (!status && tarn__snapshot_record_next(&left, &reader->reading, &records[count])) {
        if (++count < TARN__FILL_RECORDS_MAX)
            continue;
        status = fill(load, records, count);
        count = 0;
    }
    if (!status)
        status = tarn__snapshot_records_end(&left, &reader->reading, &reader->block, content,
                                            tarn__snapshot_reader_path(reader));
    return status ? status : fill(load, records, count);
}

static tarn_status check_head(const struct load *load)
{
    const struct tarn__snapshot_head *head = &load->reader.reading.head;

    if (head->sequence <= FOREIGN_SEQUENCE_MAX ||
        memcmp(head->store, load->store->identity, sizeof head->store) == 0)
        return TARN_OK;
    return tarn__file_corrupt(tarn__snapshot_reader_path(&load->reader), load->reader.block.offset,
                              "a sequence that no store reaches");
}

/* Reads the file to its end. */
static tarn_status read_file(struct load *load)
{
    struct tarn__snapshot_reader *reader = &load->reader;
    const void *content;
    tarn_status status;

    do {
        status = tarn__snapshot_reader_next(reader, &content);
        if (!status && reader->block.kind == TARN__SNAPSHOT_HEAD)
            status = check_head(load);
        else if (!status && reader->block.kind == TARN__SNAPSHOT_NAMESPACE)
            status = begin_namespace(load);
        else if (!status && reader->block.kind == TARN__SNAPSHOT_RECORDS)
            status = read_records(load, content);
    } while (!status && reader->block.kind != TARN__BLOCK_END);
    load->sequence = reader->reading.head.sequence;
    if (!status && load->plan->from.length && load->count == 0)
        status = tarn__fail(TARN_NAMESPACE_NOT_FOUND, "'%s' does not hold namespace \"%.*s\"",
                            tarn__snapshot_reader_path(reader), (int)load->plan->from.length,
                            (const char *)load->plan->from.data);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Publishing. The table is locked.
 */

static void swap_homes(struct tarn__replacement *change)
{
    struct tarn__home home = change->to->home;

    change->to->home = change->from->home;
    change->from->home = home;
}

/* Makes the store what it will be, as far as the catalog tells of it, or as it was; doing the one
 * undoes the other. Those that are not there yet are added to the table, and nobody can see them
 * before it is unlocked; the others get the home of what was loaded. */
static void turn(struct load *load, bool forward)
{
    tarn_store *store = load->store;

    for (size_t i = 0; i < load->count; i++) {
        struct tarn__replacement *change = &load->arrivals[i].change;

        if (change->to) {
            swap_homes(change);
        } else if (forward) {
            change->from->number = store->next_number++;
            tarn__store_add(store, change->from);
        } else {
            tarn__store_take_out(store, change->from);
        }
    }
}

/* What commits a load, as far as it is in files. */
static tarn_status commit(struct load *load)
{
    tarn_store *store = load->store;
    size_t more = 0, homes = 0;
    tarn_status status;

    for (size_t i = 0; i < load->count; i++) {
        more += load->arrivals[i].change.to == NULL;
        homes += load->arrivals[i].change.from->home.directory != NULL;
    }
    if (!more && !homes)
        return TARN_OK;
    if (store->count + more > store->max_namespaces)
        return tarn__fail(TARN_TOO_MANY_NAMESPACES,
                          "the store would have %zu namespaces, and max_namespaces is %u",
                          store->count + more, store->max_namespaces);
    status = tarn__store_make_room(store, more);
    if (status)
        return status;
    turn(load, true);
    status = tarn__store_write_catalog(store);
    if (status)
        turn(load, false);
    return status;
}

/* Finds the namespaces whose place is taken. */
static tarn_status find_present(struct load *load)
{
    const tarn_store *store = load->store;
    size_t at;

    for (size_t i = 0; i < load->count; i++) {
        struct tarn__replacement *change = &load->arrivals[i].change;
        const tarn_namespace *from = change->from;

        if (!tarn__store_find(store, tarn_slice_of(from->name, from->name_length), &at))
            continue;
        change->to = store->namespaces[at];
        if (change->to->engine != from->engine)
            return tarn__fail(TARN_NAMESPACE_EXISTS,
                              "namespace \"%.*s\" was made on another engine meanwhile: load again",
                              (int)from->name_length, from->name);
    }
    return TARN_OK;
}

static tarn_status lock_present(struct load *load)
{
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < load->count && !status; i++) {
        struct arrival *arrival = &load->arrivals[i];

        if (!arrival->change.to)
            continue;
        status = tarn__replace_begin(&arrival->change);
        arrival->locked = status == TARN_OK;
    }
    return status;
}

/* One that was not there is the table's now, which is still locked. */
static void take_over(struct arrival *arrival)
{
    tarn__fill_publish(arrival->change.from);
    arrival->change.from = NULL;
}

/* All at one moment: everything is locked before the first is changed. */
static tarn_status publish(struct load *load)
{
    tarn_status status = find_present(load);

    if (!status)
        status = lock_present(load);
    tarn__store_raise_sequence(load->store, load->sequence);
    if (!status)
        status = commit(load);
    for (size_t i = 0; i < load->count; i++) {
        if (load->arrivals[i].locked && status)
            tarn__replace_cancel(&load->arrivals[i].change);
        else if (load->arrivals[i].locked)
            tarn__replace(&load->arrivals[i].change);
        else if (!status)
            take_over(&load->arrivals[i]);
    }
    for (size_t i = 0; i < load->count && !status; i++)
        if (load->arrivals[i].locked)
            tarn__replace_end(&load->arrivals[i].change);
    return status;
}

tarn_status tarn__snapshot_load(tarn_store *store, const char *file_name,
                                const struct tarn__load_plan *plan)
{
    struct load load = {.store = store, .plan = plan};
    tarn_status status =
        tarn__snapshot_reader_open(&load.reader, store->folder.snapshots, file_name);

    if (status)
        return status;
    status = read_file(&load);
    for (size_t i = 0; i < load.count && !status; i++)
        status = tarn__fill_end(load.arrivals[i].change.from);
    if (status) {
        pthread_mutex_lock(&store->lock);
        status = tarn__store_not_made(store, status);
        pthread_mutex_unlock(&store->lock);
    }
    if (!status && load.count) {
        pthread_mutex_lock(&store->lock);
        status = publish(&load);
        pthread_mutex_unlock(&store->lock);
    }
    tarn__snapshot_reader_close(&load.reader);
    for (size_t i = 0; i < load.count; i++) {
        if (load.arrivals[i].change.from)
            tarn__store_end_namespace(load.arrivals[i].change.from, status == TARN_OUTCOME_UNKNOWN);
    }
    tarn__free(load.arrivals);
    return status;
}

tarn_status tarn__snapshot_verify(tarn_store *store, const char *file_name)
{
    static const struct tarn__load_plan nothing;

    return tarn__snapshot_load(store, file_name, &nothing);
}

/* ------------------------------------------------------------------------------------------
 * The public interface
 */

static tarn_status load_by_name(tarn_store *store, struct tarn_slice name,
                                const struct tarn__load_plan *plan)
{
    char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES];
    tarn_status status = tarn__snapshot_file_name(name, file_name);

    if (!status)
        status = tarn__store_lock_snapshots(store, true);
    if (status)
        return status;
    pthread_mutex_unlock(&store->lock);
    status = tarn__snapshot_load(store, file_name, plan);
    pthread_mutex_lock(&store->lock);
    tarn__store_unlock_saving(store);
    return status;
}

tarn_status tarn_snapshot_load(tarn_store *store, struct tarn_slice name)
{
    struct tarn__load_plan plan = {.all = true};

    if (!store)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    return load_by_name(store, name, &plan);
}

tarn_status tarn_snapshot_load_namespace(tarn_store *store, struct tarn_slice name,
                                         struct tarn_slice namespace_name, struct tarn_slice as)
{
    struct tarn__load_plan plan = {.from = namespace_name, .as = as};
    tarn_status status;

    if (!store)
        return tarn__fail(TARN_INVALID_ARGUMENT, "store is NULL");
    status = tarn__check_name(namespace_name);
    if (!status && as.length)
        status = tarn__check_name(as);
    return status ? status : load_by_name(store, name, &plan);
}
