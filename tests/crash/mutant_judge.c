/* Opening and judging; see the header. One thread. */
#include "crash/mutant_judge.h"
#include "crash/disk.h"
#include "crash/mutant_model.h"
#include "store/store.h"
#include "support/allocation_bound.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What an opening of a small store may ask for at once. */
#define USUAL_BYTES_MAX ((size_t)64 * 1024)

/* An opening of a store whose files have changed. */
struct trial {
    struct mutant_judge *judge;
    const struct mutant *mutant;
    struct sim_disk *disk;
    tarn_store *store;
    unsigned told; /* bits of the snapshots that events told of */
    const char *way;
};

static bool failed(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool failed(struct trial *t, const char *format, ...)
{
    char *text = t->judge->failure;
    size_t room = sizeof t->judge->failure;
    va_list arguments;
    int length = snprintf(text, room, "%s: %s: ", t->mutant->words, t->way);

    va_start(arguments, format);
    vsnprintf(text + length, room - (size_t)length, format, arguments);
    va_end(arguments);
    return false;
}

/* ------------------------------------------------------------------------------------------
 * Disks
 *
 * The simulated disk has no FIFO, and no bound for memory that is mapped: its table gets them.
 */

static const char *fifos[SAVED_FILES]; /* names, or NULL */
static size_t largest_map;
static struct tarn__os genuine;

static int open_unless_fifo(const struct tarn__os *os, int directory, const char *name,
                            enum tarn__open_mode mode, int *opened)
{
    for (unsigned i = 0; i < SAVED_FILES; i++)
        if (fifos[i] && strcmp(name, fifos[i]) == 0)
            return mode == TARN__OPEN_CREATE ? EEXIST : EINVAL;
    return genuine.file_open(os, directory, name, mode, opened);
}

static void *map_noted(const struct tarn__os *os, size_t bytes, size_t alignment, bool huge)
{
    if (bytes > largest_map)
        largest_map = bytes;
    (void)huge; /* a small store is made here a hundred thousand times */
    return genuine.memory_map(os, bytes, alignment, false);
}

static struct sim_disk *copy_disk(const struct saved_store *saved)
{
    struct sim_disk *disk = sim_disk_copy(saved->disk);

    crash_disk_prepare(disk, NULL);
    genuine = disk->os;
    disk->os.file_open = open_unless_fifo;
    disk->os.memory_map = map_noted;
    return disk;
}

static bool put_bytes(struct sim_disk *disk, const char *path, const void *bytes, size_t length)
{
    return sim_disk_set_size(disk, path, length) &&
           sim_disk_set_bytes(disk, path, 0, bytes, length);
}

/* Takes a name away, or gives it to a directory or to an empty file. */
static bool put_kind(struct sim_disk *disk, const struct saved_original *at, enum mutant_kind from,
                     enum mutant_kind to)
{
    const struct tarn__os *os = &disk->os;
    int directory, file, error;

    if (os->directory_open(os, TARN__OS_NO_DIRECTORY, at->folder, &directory))
        return false;
    error = from == MUTANT_DIRECTORY ? os->directory_remove(os, directory, at->name)
            : from == MUTANT_BYTES   ? os->unlink(os, directory, at->name)
                                     : 0;
    if (!error && to == MUTANT_DIRECTORY)
        error = os->directory_make(os, directory, at->name);
    if (!error && to == MUTANT_BYTES)
        error = os->file_open(os, directory, at->name, TARN__OPEN_CREATE, &file);
    if (!error && to == MUTANT_BYTES)
        error = os->close(os, file);
    return !os->close(os, directory) && !error;
}

/* Puts the files of the mutant on the disk, or back what was there. */
static bool put_files(struct trial *t, bool back)
{
    for (unsigned i = 0; i < SAVED_FILES; i++) {
        const struct mutant_file *file = &t->mutant->files[i];
        const struct saved_original *original = &t->mutant->saved->files[i];
        bool right = true;

        if (!file->changed)
            continue;
        fifos[i] = file->kind == MUTANT_FIFO && !back ? original->name : NULL;
        if (file->kind == MUTANT_MISSING || file->kind == MUTANT_DIRECTORY)
            right = put_kind(t->disk, original, back ? file->kind : MUTANT_BYTES,
                             back ? MUTANT_BYTES : file->kind);
        if (right && (back || file->kind == MUTANT_BYTES))
            right = put_bytes(t->disk, original->path, back ? original->bytes : file->bytes,
                              back ? original->length : file->length);
        if (!right)
            return failed(t, "the disk does not take '%s'", original->path);
    }
    return true;
}

/* What was done to the disk, syncs aside. */
static uint64_t changes_of(struct sim_disk *disk)
{
    return sim_disk_operations(disk) - sim_disk_syncs(disk);
}

/* ------------------------------------------------------------------------------------------
 * Errors
 */

/* Whether the last error is the one that this file must give. */
static bool is_error_of(struct trial *t, tarn_status status, unsigned file)
{
    const struct mutant_file *here = &t->mutant->files[file];
    const char *name = t->mutant->saved->files[file].name;
    const struct tarn_error *error = tarn_last_error();
    char needle[40];
    size_t begin, end;

    snprintf(needle, sizeof needle, "%s'", name);
    if (file == SAVED_CATALOG && here->kind == MUTANT_MISSING)
        snprintf(needle, sizeof needle, "no catalog");
    if (status != mutant_error(t->mutant, file) || error->status != status ||
        !strstr(error->message, needle))
        return false;
    if (here->kind != MUTANT_BYTES)
        return true;
    mutant_first_bad(t->mutant, file, &begin, &end);
    if (t->mutant->made.status) /* its checksums are right: what is wrong comes to light later */
        begin = 0, end = here->length;
    if (error->offset == here->length) /* where an opening looks for the end block */
        return true;
    return error->offset >= begin && error->offset <= end && error->offset <= here->length;
}

/* What a file may give whose checksums are right, and whose content nobody knows. */
static bool is_possible(tarn_status status)
{
    return status == TARN_OK || status == TARN_CORRUPT || status == TARN_UNSUPPORTED_VERSION ||
           status == TARN_TOO_MANY_KEYS || status == TARN_FULL || status == TARN_VALUE_TOO_LARGE;
}

static bool expect_error(struct trial *t, const char *what, tarn_status status, unsigned culprits)
{
    for (unsigned i = 0; i < SAVED_FILES; i++)
        if (culprits & 1u << i && is_error_of(t, status, i))
            return true;
    return failed(t, "%s: not the error that it should be: %s, offset %llu: %s", what,
                  tarn_status_name(status),
                  status ? (unsigned long long)tarn_last_error()->offset : 0,
                  status ? tarn_last_error()->message : "");
}

/* ------------------------------------------------------------------------------------------
 * Looking at an open store
 */

static bool expect_content(struct trial *t, const unsigned versions[SAVED_NAMESPACES])
{
    char why[200];

    if (t->mutant->made.unknown || saved_store_holds(t->store, versions, why, sizeof why))
        return true;
    return failed(t, "%s", why);
}

/* The bit of the snapshot of that name; 0: it is none. */
static unsigned bit_of(const struct trial *t, struct tarn_slice name)
{
    for (unsigned i = SAVED_OLD; i <= SAVED_BETA; i++) {
        const char *snapshot = t->mutant->saved->files[i].snapshot;

        if (strlen(snapshot) == name.length && memcmp(snapshot, name.data, name.length) == 0)
            return 1u << i;
    }
    return 0;
}

static void take_event(void *context, const struct tarn_event *event)
{
    struct trial *t = context;

    if (event->kind == TARN_EVENT_SNAPSHOT_PASSED_OVER && event->status)
        t->told |= bit_of(t, event->snapshot);
}

struct listed {
    const struct trial *t;
    unsigned readable, others;
};

static bool take_snapshot(void *context, const struct tarn_snapshot_info *info)
{
    struct listed *listed = context;

    if (info->status)
        listed->others |= bit_of(listed->t, info->name);
    else
        listed->readable |= bit_of(listed->t, info->name);
    return true;
}

/* The list tells of every snapshot, and whether its head can be read. */
static bool look_at_list(struct trial *t)
{
    struct listed listed = {.t = t};
    tarn_status status = tarn_snapshot_list(t->store, take_snapshot, &listed);

    if (status)
        return failed(t, "the list: %s", tarn_status_name(status));
    for (unsigned i = SAVED_OLD; i <= SAVED_BETA; i++) {
        bool there = t->mutant->files[i].kind != MUTANT_MISSING;
        bool readable = mutant_has_head_of(t->mutant, i) >= 0;
        bool unclear =
            t->mutant->files[i].changed && (t->mutant->made.other_head || t->mutant->made.unknown);

        if (((listed.readable | listed.others) >> i & 1) != there ||
            (!unclear && (listed.readable >> i & 1) != readable))
            return failed(t, "the list tells something else of '%s'",
                          t->mutant->saved->files[i].name);
    }
    return true;
}

/* Verifies and loads a snapshot by its name. */
static bool load_by_name(struct trial *t, unsigned file, unsigned versions[SAVED_NAMESPACES])
{
    const struct saved_original *at = &t->mutant->saved->files[file];
    struct tarn_slice name = tarn_slice_of(at->snapshot, strlen(at->snapshot));
    int is = mutant_is(t->mutant, file);
    bool verifies = is >= 0 || t->mutant->made.verifies;
    tarn_status status = tarn_snapshot_verify(t->store, name);

    if (t->mutant->made.unknown)
        return (is_possible(status) && is_possible(tarn_snapshot_load(t->store, name))) ||
               failed(t, "an error that nobody expects: %s", tarn_last_error()->message);
    if (t->mutant->files[file].kind == MUTANT_MISSING)
        return (status == TARN_SNAPSHOT_NOT_FOUND &&
                tarn_snapshot_load(t->store, name) == TARN_SNAPSHOT_NOT_FOUND) ||
               failed(t, "a snapshot that is missing: %s", tarn_status_name(status));
    if (verifies && status)
        return failed(t, "verifying a snapshot that is whole: %s", tarn_last_error()->message);
    if (!verifies && !expect_error(t, "verifying it", status, 1u << file))
        return false;
    status = tarn_snapshot_load(t->store, name);
    if (is < 0)
        return expect_error(t, "loading it by its name", status, 1u << file);
    if (status)
        return failed(t, "loading a snapshot that is whole: %s", tarn_last_error()->message);
    for (unsigned ns = 0; ns < SAVED_NAMESPACES; ns++)
        if (t->mutant->saved->files[is].versions[ns])
            versions[ns] = t->mutant->saved->files[is].versions[ns];
    return true;
}

static bool look_at_snapshots(struct trial *t)
{
    unsigned versions[SAVED_NAMESPACES] = {0};

    if (!look_at_list(t))
        return false;
    for (unsigned i = SAVED_OLD; i <= SAVED_BETA; i++)
        if (t->mutant->files[i].changed && !load_by_name(t, i, versions))
            return false;
    return expect_content(t, versions);
}

/* ------------------------------------------------------------------------------------------
 * Openings
 */

/* Looks at what has come of the opening. */
static bool judge_opening(struct trial *t, enum tarn_load load, bool read_only, tarn_status status)
{
    struct mutant_outcome outcome;

    if (t->mutant->made.unknown)
        return is_possible(status) || failed(t, "an error that nobody expects: %s: %s",
                                             tarn_status_name(status), tarn_last_error()->message);
    mutant_outcome(t->mutant, load, &outcome);
    if (outcome.culprits && (status || !outcome.may_succeed))
        return expect_error(t, "opening", status, outcome.culprits);
    if (status)
        return failed(t, "%s: %s", tarn_status_name(status), tarn_last_error()->message);
    if ((t->told & outcome.passed_over) != outcome.passed_over)
        return failed(t, "no event tells of what was passed over");
    return expect_content(t, outcome.versions) &&
           (load != TARN_LOAD_NOTHING || read_only || look_at_snapshots(t));
}

/* No length in a file is believed when it tells how much memory is needed. Where options may be
 * other ones and valid, there may be 4,096 shards. */
static size_t memory_bound(const struct trial *t)
{
    size_t longest = t->mutant->made.unknown ? TARN_SHARDS_MAX * 256 : 0;

    for (unsigned i = 0; i < SAVED_FILES; i++)
        if (t->mutant->files[i].length > longest)
            longest = t->mutant->files[i].length;
    return t->judge->memory_max ? t->judge->memory_max + longest : SIZE_MAX;
}

static bool open_once(struct trial *t, enum tarn_load load, bool read_only)
{
    static const char *const ways[] = {"nothing", "the newest", "the newest that are whole"};
    struct tarn_options options = {.size = sizeof options,
                                   .load = load,
                                   .read_only = read_only,
                                   .on_event = take_event,
                                   .event_context = t};
    uint64_t before = changes_of(t->disk);
    size_t bound = memory_bound(t), asked;
    tarn_status status;
    bool right;

    t->way = ways[load];
    t->told = 0;
    t->judge->openings++;
    largest_map = 0;
    allocation_bound_begin(bound);
    status = tarn__store_open(&t->disk->os, SAVED_FOLDER, &options, &t->store);
    right = judge_opening(t, load, read_only, status);
    asked = allocation_bound_end();
    if (status == TARN_OK && tarn_close(t->store) && right)
        right = failed(t, "it cannot be closed");
    if (largest_map > TARN__REGION_BYTES) /* as much as a store takes in any case */
        asked = largest_map;
    if (asked > t->judge->memory_asked)
        t->judge->memory_asked = asked;
    if (right && asked > bound)
        right = failed(t, "%zu bytes of memory are asked for at once", asked);
    if (right && changes_of(t->disk) != before && (status || !t->mutant->made.unknown))
        right = failed(t, "the opening has changed the disk");
    return right;
}

/* With the files as they were, the store opens as before. */
static bool open_restored(struct trial *t)
{
    struct mutant unchanged = {.saved = t->mutant->saved};

    snprintf(unchanged.words, sizeof unchanged.words, "%.350s; and put back", t->mutant->words);
    for (unsigned i = 0; i < SAVED_FILES; i++) {
        unchanged.files[i].bytes = t->mutant->saved->files[i].bytes;
        unchanged.files[i].length = t->mutant->saved->files[i].length;
    }
    if (!put_files(t, true))
        return false;
    t->mutant = &unchanged;
    return open_once(t, TARN_LOAD_NEWEST, false);
}

bool mutant_judge(struct mutant_judge *judge, const struct mutant *mutant, unsigned ways)
{
    static const unsigned bits[] = {
        [TARN_LOAD_NEWEST] = MUTANT_NEWEST,
        [TARN_LOAD_NEWEST_WHOLE] = MUTANT_NEWEST_WHOLE,
        [TARN_LOAD_NOTHING] = MUTANT_NOTHING,
    };
    struct trial t = {.judge = judge, .mutant = mutant, .disk = copy_disk(mutant->saved)};
    bool right;

    t.way = "before it was opened";
    right = put_files(&t, false);
    for (unsigned load = 0; load <= TARN_LOAD_NOTHING && right; load++) {
        if (ways & bits[load])
            right = open_once(&t, (enum tarn_load)load, false);
        if (ways & bits[load] && ways & MUTANT_READ_ONLY && right)
            right = open_once(&t, (enum tarn_load)load, true);
    }
    right = right && (!(ways & MUTANT_RESTORED) || open_restored(&t));
    memset(fifos, 0, sizeof fifos);
    sim_disk_free(t.disk);
    return right;
}

bool mutant_judge_init(struct mutant_judge *judge, const struct saved_store *saved)
{
    struct mutant mutant;
    bool right;

    memset(judge, 0, sizeof *judge);
    mutant_init(&mutant, saved);
    mutant_say(&mutant, "nothing is changed");
    for (unsigned i = SAVED_OLD; i < SAVED_FILES; i++)
        mutant.files[i].changed = true; /* to have it looked at */
    right = mutant_judge(judge, &mutant,
                         MUTANT_NEWEST | MUTANT_NEWEST_WHOLE | MUTANT_NOTHING | MUTANT_READ_ONLY);
    judge->memory_max = judge->memory_asked;
    if (right && judge->memory_max > USUAL_BYTES_MAX) {
        snprintf(judge->failure, sizeof judge->failure,
                 "an opening of the unchanged store asks for %zu bytes of memory at once",
                 judge->memory_max);
        right = false;
    }
    mutant_release(&mutant);
    return right;
}
