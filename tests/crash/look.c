/* Looking at an open store; see the header. */
#include "crash/look.h"
#include "crash/disk.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ------------------------------------------------------------------------------------------
 * Records
 */

/* Which value a key has; false: it is none that was ever written. */
static bool read_record(struct crash_store *s, const char *name, struct tarn_slice key,
                        struct tarn_slice value, struct world_content *content)
{
    uint32_t number = world_key_number(key), found = 0;
    uint8_t bytes[WORLD_VALUE_BYTES];
    struct tarn_slice wanted;

    if (number == WORLD_KEYS)
        return crash_failed(s, "'%s' has a key '%.*s' that nobody wrote", name, (int)key.length,
                            (const char *)key.data);
    if (value.length >= sizeof found)
        memcpy(&found, value.data, sizeof found);
    wanted = world_value(found, bytes);
    if (!found || wanted.length != value.length ||
        memcmp(wanted.data, value.data, value.length) != 0)
        return crash_failed(s, "'%s' has a value at '%.*s' that nobody wrote", name,
                            (int)key.length, (const char *)key.data);
    if (content->values[number])
        return crash_failed(s, "'%s' has '%.*s' twice", name, (int)key.length,
                            (const char *)key.data);
    content->values[number] = found;
    return true;
}

bool look_read(struct crash_store *s, tarn_namespace *ns, const char *name,
               struct world_content *content, bool *damaged)
{
    struct tarn_stats stats = {.size = sizeof stats};
    struct tarn_slice key, value;
    tarn_cursor *cursor;
    unsigned found = 0;
    tarn_status status = tarn_cursor_open(ns, NULL, &cursor);
    bool right = true;

    memset(content, 0, sizeof *content);
    if (status)
        return crash_failed(s, "a cursor: %s", tarn_status_name(status));
    while (right && !(status = tarn_cursor_next(cursor, &key, &value, NULL))) {
        right = read_record(s, name, key, value, content);
        found++;
    }
    tarn_cursor_close(cursor);
    /* what a sync that failed has taken out of the cache is not there to be read */
    *damaged = right && status == TARN_CORRUPT && sim_disk_sync_failures(s->disk);
    if (!right || *damaged)
        return right;
    if (status != TARN_CURSOR_END)
        return crash_failed(s, "a cursor in '%s': %s: %s", name, tarn_status_name(status),
                            tarn_last_error()->message);
    if (tarn_namespace_stats(ns, &stats, NULL, 0) || stats.keys != found)
        return crash_failed(s, "'%s' has %u keys, and says it has %llu", name, found,
                            (unsigned long long)stats.keys);
    return true;
}

static bool look_at_content(struct crash_store *s, tarn_namespace *ns, const char *name,
                            const struct world_content *content)
{
    struct world_content found;
    bool damaged;

    if (!look_read(s, ns, name, &found, &damaged))
        return false;
    for (unsigned i = 0; i < WORLD_KEYS && !damaged; i++) {
        if (found.values[i] == content->values[i])
            continue;
        return crash_failed(s, "'%s' has value %u at key %u and not %u", name, found.values[i], i,
                            content->values[i]);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------
 * The catalog
 */

struct names {
    bool there[WORLD_NAMESPACES];
    bool other;
};

static bool take_name(void *context, struct tarn_slice name)
{
    struct names *names = context;
    bool known = false;

    for (unsigned i = 0; i < WORLD_NAMESPACES; i++)
        if (strlen(world_namespace_names[i]) == name.length &&
            memcmp(world_namespace_names[i], name.data, name.length) == 0)
            names->there[i] = known = true;
    names->other = names->other || !known;
    return true;
}

static bool read_limits(tarn_namespace *ns, struct world_limits *limits)
{
    struct tarn_stats stats = {.size = sizeof stats};

    if (tarn_namespace_stats(ns, &stats, NULL, 0))
        return false;
    limits->shards = stats.shards;
    limits->lock_timeout_ms = stats.options.lock_timeout_ms;
    limits->max_keys = stats.options.max_keys;
    limits->max_value_size = stats.options.max_value_size;
    limits->max_bytes = stats.options.max_bytes;
    limits->sync = TARN_SYNC_DEFAULT;
    limits->segment_bytes = limits->compact_bytes = 0;
    if (stats.options.engine == TARN_ENGINE_LOG) {
        limits->sync = stats.options.sync;
        limits->segment_bytes = stats.options.segment_bytes;
        limits->compact_bytes = stats.options.compact_bytes;
    }
    return true;
}

static bool same_limits(const struct world_limits *a, const struct world_limits *b)
{
    return a->shards == b->shards && a->lock_timeout_ms == b->lock_timeout_ms &&
           a->max_keys == b->max_keys && a->max_value_size == b->max_value_size &&
           a->max_bytes == b->max_bytes && a->sync == b->sync &&
           a->segment_bytes == b->segment_bytes && a->compact_bytes == b->compact_bytes;
}

/* What the store says of its namespaces; the numbers are not known. */
static bool read_catalog(struct crash_store *s, struct world_catalog *catalog)
{
    struct names names = {0};
    tarn_status status = tarn_namespace_list(s->store, take_name, &names);

    memset(catalog, 0, sizeof *catalog);
    if (status || names.other)
        return crash_failed(s, "the list of namespaces: %s",
                            status ? tarn_status_name(status) : "one that was never made");
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++) {
        tarn_namespace *ns;

        if (!names.there[i])
            continue;
        status = tarn_namespace_open(
            s->store, tarn_slice_of(world_namespace_names[i], strlen(world_namespace_names[i])),
            &ns);
        if (status)
            return crash_failed(s, "opening '%s': %s", world_namespace_names[i],
                                tarn_status_name(status));
        catalog->ns[i].there = read_limits(ns, &catalog->ns[i].limits);
        tarn_namespace_close(ns);
    }
    return true;
}

static bool same_catalog(const struct world_catalog *a, const struct world_catalog *b)
{
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++)
        if (a->ns[i].there != b->ns[i].there ||
            (a->ns[i].there && !same_limits(&a->ns[i].limits, &b->ns[i].limits)))
            return false;
    return true;
}

bool look_at_memory(struct crash_store *s)
{
    struct world_catalog found;
    bool right = read_catalog(s, &found);

    if (right && !same_catalog(&found, &s->world.now))
        return crash_failed(s, "the namespaces in memory are not what they should be");
    for (unsigned i = 0; i < WORLD_NAMESPACES && right; i++) {
        const char *name = world_namespace_names[i];
        tarn_namespace *ns;

        if (!found.ns[i].there)
            continue;
        if (tarn_namespace_open(s->store, tarn_slice_of(name, strlen(name)), &ns))
            return crash_failed(s, "'%s' cannot be opened", name);
        right = look_at_content(s, ns, name, &s->world.content[i]);
        tarn_namespace_close(ns);
    }
    return right;
}

/* ------------------------------------------------------------------------------------------
 * Snapshots
 */

struct listed {
    struct {
        bool there;
        tarn_status status;
        uint64_t sequence;
        bool whole;
    } at[WORLD_SNAPSHOTS];
    bool other;
};

static bool take_snapshot(void *context, const struct tarn_snapshot_info *info)
{
    struct listed *listed = context;
    bool known = false;

    for (unsigned i = 0; i < WORLD_SNAPSHOTS; i++) {
        if (strlen(world_snapshot_names[i]) != info->name.length ||
            memcmp(world_snapshot_names[i], info->name.data, info->name.length) != 0)
            continue;
        known = listed->at[i].there = true;
        listed->at[i].status = info->status;
        listed->at[i].sequence = info->sequence;
        listed->at[i].whole = info->namespace_name.length == 0;
    }
    listed->other = listed->other || !known;
    return true;
}

static uint64_t digest_of(struct sim_disk *disk, unsigned name)
{
    char path[64];
    size_t length = 0;
    uint64_t digest;
    void *bytes;

    snprintf(path, sizeof path, CRASH_FOLDER "/snapshots/%s.snapshot", world_snapshot_names[name]);
    bytes = sim_disk_read(disk, SIM_SEEN, path, &length);
    digest = bytes ? XXH3_64bits(bytes, length) | 1 : 0;
    free(bytes);
    return digest;
}

/* Loads one namespace of the snapshot under another name, and compares all of it. */
static bool holds_namespace(struct crash_store *s, unsigned name, unsigned ns,
                            const struct world_save *save)
{
    const char *snapshot = world_snapshot_names[name], *from = world_namespace_names[ns];
    struct world_limits limits;
    tarn_namespace *loaded;
    char as[32];
    tarn_status status;
    bool right;

    snprintf(as, sizeof as, "check-%s", from);
    status = tarn_snapshot_load_namespace(s->store, tarn_slice_of(snapshot, strlen(snapshot)),
                                          tarn_slice_of(from, strlen(from)),
                                          tarn_slice_of(as, strlen(as)));
    if (status != (save->ns[ns].there ? TARN_OK : TARN_NAMESPACE_NOT_FOUND))
        return crash_failed(s, "loading '%s' of snapshot '%s': %s", from, snapshot,
                            tarn_status_name(status));
    if (status)
        return true;
    if (tarn_namespace_open(s->store, tarn_slice_of(as, strlen(as)), &loaded))
        return crash_failed(s, "'%s' is not there after it was loaded", as);
    right = look_at_content(s, loaded, as, &save->content[ns]);
    if (right && (!read_limits(loaded, &limits) || !same_limits(&limits, &save->ns[ns].limits)))
        right = crash_failed(s, "'%s' of snapshot '%s' has other options", from, snapshot);
    tarn_namespace_close(loaded);
    return right;
}

/* Whether the file is that save, whole: on a copy of the disk, since loading changes the store. */
static bool holds_save(struct crash_store *s, unsigned name, const struct world_save *save)
{
    struct crash_store copy = {.run = s->run, .depth = s->depth};
    const char *snapshot = world_snapshot_names[name];
    tarn_status status;
    bool right = true;

    copy.disk = sim_disk_copy(s->disk);
    crash_disk_prepare(copy.disk, s->run->settings->plant);
    status = tarn__store_open(&copy.disk->os, CRASH_FOLDER, NULL, &copy.store);
    if (!status)
        status = tarn_snapshot_verify(copy.store, tarn_slice_of(snapshot, strlen(snapshot)));
    if (status)
        right = crash_failed(s, "snapshot '%s': %s: %s", snapshot, tarn_status_name(status),
                             tarn_last_error()->message);
    for (unsigned ns = 0; ns < WORLD_NAMESPACES && right; ns++)
        right = holds_namespace(&copy, name, ns, save);
    (void)tarn_close(copy.store); /* nothing is pinned */
    sim_disk_free(copy.disk);
    return right;
}

/* Whether the file may be that save, which is not known from its bytes. A save of which only the
 * outcome is unknown has no sequence yet. */
static bool may_be(const struct world_save *save, const struct listed *listed, unsigned name,
                   bool by_sequence)
{
    return !save->digest && save->whole == listed->at[name].whole &&
           save->sequence == (by_sequence ? listed->at[name].sequence : 0);
}

/* Which of the saves that may have this name it is: one whose file is known, or else one whose
 * sequence is that of the file, or else one of which nothing is known; the content must fit. */
static bool recognise(struct crash_store *s, unsigned name, const struct listed *listed,
                      uint32_t *found)
{
    uint64_t digest = digest_of(s->disk, name);
    const uint32_t *places = s->world.snapshots[name];
    size_t count = s->world.snapshot_count[name];

    for (size_t i = 0; i < count; i++) {
        *found = places[i];
        if (*found && world_save_at(&s->world, *found)->digest == digest)
            return true;
    }
    for (size_t i = 0; i < 2 * count; i++) {
        *found = places[i % count];
        if (*found && may_be(world_save_at(&s->world, *found), listed, name, i < count)) {
            struct world_save *save = world_save_at(&s->world, *found);

            if (!holds_save(s, name, save))
                return false;
            save->digest = digest;
            save->sequence = listed->at[name].sequence;
            return true;
        }
    }
    return crash_failed(s, "snapshot '%s' is none of those that may be there",
                        world_snapshot_names[name]);
}

static bool may_be_absent(const struct world *world, unsigned name)
{
    for (size_t i = 0; i < world->snapshot_count[name]; i++)
        if (world->snapshots[name][i] == 0)
            return true;
    return false;
}

static bool look_at_snapshots(struct crash_store *s, uint32_t found[WORLD_SNAPSHOTS])
{
    struct listed listed = {0};
    tarn_status status = tarn_snapshot_list(s->store, take_snapshot, &listed);

    if (status || listed.other)
        return crash_failed(s, "the list of snapshots: %s",
                            status ? tarn_status_name(status) : "one that was never made");
    for (unsigned i = 0; i < WORLD_SNAPSHOTS; i++) {
        found[i] = 0;
        if (!listed.at[i].there) {
            if (!may_be_absent(&s->world, i))
                return crash_failed(s, "snapshot '%s' is lost", world_snapshot_names[i]);
            continue;
        }
        if (listed.at[i].status)
            return crash_failed(s, "the head of snapshot '%s': %s", world_snapshot_names[i],
                                tarn_status_name(listed.at[i].status));
        if (!recognise(s, i, &listed, &found[i]))
            return false;
    }
    return true;
}

/* What is in the logs. */
static bool read_logs(struct crash_store *s, const struct world_catalog *there,
                      struct world_content contents[WORLD_NAMESPACES])
{
    bool right = true, damaged = false;

    for (unsigned i = 0; i < WORLD_NAMESPACES && right; i++) {
        const char *name = world_namespace_names[i];
        tarn_namespace *ns;

        memset(&contents[i], 0, sizeof contents[i]);
        if (!there->ns[i].there || !there->ns[i].limits.sync)
            continue;
        if (tarn_namespace_open(s->store, tarn_slice_of(name, strlen(name)), &ns))
            return crash_failed(s, "'%s' cannot be opened", name);
        right = look_read(s, ns, name, &contents[i], &damaged);
        tarn_namespace_close(ns);
    }
    return right && (!damaged || crash_failed(s, "a log is damaged when it was just opened"));
}

bool look_at_disk(struct crash_store *s, struct world_found *found)
{
    struct world_catalog there;
    bool known = false;

    if (!read_catalog(s, &there) || !read_logs(s, &there, found->logs))
        return false;
    for (found->catalog = s->world.catalog_count; found->catalog > 0;) {
        if (!same_catalog(&there, &s->world.catalogs[--found->catalog]))
            continue;
        known = true;
        if (world_logs_fit(&s->world, found->catalog, found->logs, s->killed))
            return look_at_snapshots(s, found->snapshots);
    }
    return crash_failed(s, known ? "what a log holds is none of the states that may be there"
                                 : "the catalog is none of those that may be there");
}

/* ------------------------------------------------------------------------------------------
 * Remains
 */

static bool take_remains(void *context, const char *name)
{
    const char **remains = context;
    size_t length = strlen(name);
    bool known = strcmp(name, "lock") == 0 || strcmp(name, "catalog") == 0 ||
                 strcmp(name, "snapshots") == 0 || strcmp(name, "namespaces") == 0 ||
                 (length > 9 && strcmp(name + length - 9, ".snapshot") == 0);

    if (!known)
        *remains = strncmp(name, ".new-", 5) == 0     ? "a snapshot that was being written"
                   : strcmp(name, "catalog.new") == 0 ? "catalog.new"
                                                      : "a file of another name";
    return true;
}

/* The files of a log. */
struct files {
    unsigned lists, segments;
    bool other;
};

static bool take_file(void *context, const char *name)
{
    struct files *files = context;
    size_t length = strlen(name);

    if (strcmp(name, "segments") == 0)
        files->lists++;
    else if (length > 8 && strcmp(name + length - 8, ".segment") == 0)
        files->segments++;
    else if (strncmp(name, "checkpoint", 10) != 0) /* a cache, of which the next close makes one */
        files->other = true;
    return true;
}

/* A home has a list, the segments that the log has, perhaps a checkpoint, and nothing else. */
static bool look_at_home(struct crash_store *s, tarn_namespace *ns)
{
    struct tarn_stats stats = {.size = sizeof stats};
    struct files files = {0};
    char path[64];

    snprintf(path, sizeof path, CRASH_FOLDER "/namespaces/%llu",
             (unsigned long long)ns->home.number);
    if (!sim_disk_list(s->disk, SIM_SEEN, path, take_file, &files))
        return crash_failed(s, "the home '%s' is not there", path);
    if (tarn_namespace_stats(ns, &stats, NULL, 0))
        return crash_failed(s, "no stats of what is in '%s'", path);
    if (files.other || files.lists != 1 || files.segments != stats.segments)
        return crash_failed(s, "in '%s' are %u segments of %u%s", path, files.segments,
                            stats.segments, files.other ? ", and other files" : "");
    return true;
}

static bool count_home(void *context, const char *name)
{
    unsigned *homes = context;

    (void)name;
    ++*homes;
    return true;
}

static bool look_at_homes(struct crash_store *s)
{
    unsigned logs = 0, homes = 0;

    for (size_t i = 0; i < s->store->count; i++) {
        tarn_namespace *ns = s->store->namespaces[i];

        if (!ns->home.directory)
            continue;
        logs++;
        if (!look_at_home(s, ns))
            return false;
    }
    (void)sim_disk_list(s->disk, SIM_SEEN, CRASH_FOLDER "/namespaces", count_home, &homes);
    return homes == logs || crash_failed(s, "an opening left %u homes of %u logs", homes, logs);
}

bool look_for_remains(struct crash_store *s)
{
    const char *remains = NULL;

    if (!sim_disk_list(s->disk, SIM_SEEN, CRASH_FOLDER, take_remains, &remains) ||
        !sim_disk_list(s->disk, SIM_SEEN, CRASH_FOLDER "/snapshots", take_remains, &remains))
        return crash_failed(s, "the store's folder is not there");
    if (remains)
        return crash_failed(s, "an opening left %s", remains);
    return s->tolerant || look_at_homes(s); /* what cannot be removed waits for the next opening */
}
