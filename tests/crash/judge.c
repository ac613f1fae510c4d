/* Whether a store is what its worker's log allows; see the header. */
#include "crash/judge.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/cut.h"
#include "support/fixture.h"

#define SUFFIX    ".snapshot"
#define SAVES_MAX 24

void judge_begin(struct judge *judge, const char *path, struct worker_log *log, uint64_t seed)
{
    memset(judge, 0, sizeof *judge);
    judge->path = path;
    judge->log = log;
    judge->random = seed;
}

void judge_release(struct judge *judge)
{
    free(judge->saves.items);
    judge->saves = (struct judge_saves){0};
}

/* ------------------------------------------------------------------------------------------
 * The folder
 */

static bool add_save(struct judge *judge, struct judge_saves *saves, const char *folder,
                     const char *file_name)
{
    if (saves->count == saves->room) {
        size_t room = 2 * saves->room + 8;
        struct snapshot_content *items = realloc(saves->items, room * sizeof *items);

        if (!items)
            return worker_wrong(&judge->problem, "no memory");
        saves->items = items;
        saves->room = room;
    }
    return snapshot_content_read(folder, file_name, &saves->items[saves->count++], &judge->problem);
}

static bool ends_with(const char *name, const char *suffix)
{
    return strlen(name) > strlen(suffix) &&
           strcmp(name + strlen(name) - strlen(suffix), suffix) == 0;
}

/* After an opening there are snapshots here, and nothing else. */
bool judge_read_snapshots(struct judge *judge, struct judge_saves *saves)
{
    struct dirent *entry;
    char folder[300];
    DIR *listed;
    bool right = true;

    snprintf(folder, sizeof folder, "%.250s/snapshots", judge->path);
    listed = opendir(folder);
    if (!listed)
        return worker_wrong(&judge->problem, "'%s' cannot be read", folder);
    while (right && (entry = readdir(listed)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_name[0] == '.' || !ends_with(entry->d_name, SUFFIX))
            right = worker_wrong(&judge->problem, "'%s/%s' was left behind", folder, entry->d_name);
        else
            right = add_save(judge, saves, folder, entry->d_name);
    }
    closedir(listed);
    return right;
}

static bool look_for_remains(struct judge *judge)
{
    DIR *listed = opendir(judge->path);
    struct dirent *entry;
    bool right = listed || worker_wrong(&judge->problem, "'%s' cannot be read", judge->path);

    while (right && (entry = readdir(listed)) != NULL)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0 &&
            strcmp(entry->d_name, "catalog") != 0 && strcmp(entry->d_name, "snapshots") != 0)
            right = worker_wrong(&judge->problem, "'%s/%s' was left behind", judge->path,
                                 entry->d_name);
    if (listed)
        closedir(listed);
    return right;
}

/* ------------------------------------------------------------------------------------------
 * Openings
 */

static bool same_or_pending(struct judge *judge, const struct judge_replay *replay,
                            const struct worker_catalog *found)
{
    struct worker_problem ignored = {0};

    return (replay->has_pending_catalog &&
            worker_same_catalog(&replay->pending_catalog, found, "", &ignored)) ||
           worker_same_catalog(&replay->catalog, found, "after the crash", &judge->problem);
}

/* Changes nothing, and finds the same as the opening that comes after it. */
static bool look_read_only(struct judge *judge, struct worker_content *content, bool *opened)
{
    const struct tarn_options options = {
        .size = sizeof options, .load = TARN_LOAD_NEWEST, .read_only = true};
    tarn_store *store = NULL;
    tarn_status status = tarn_open(judge->path, &options, &store);
    bool right;

    *opened = status == TARN_OK;
    if (status == TARN_IO && !judge->begun) /* the first opening did not get to its end */
        return true;
    if (status)
        return worker_wrong_call(&judge->problem, "opening read-only", status);
    right = worker_read_content(store, content, &judge->problem);
    status = tarn_close(store);
    return right && (!status || worker_wrong_call(&judge->problem, "closing", status));
}

static bool open_store(struct judge *judge, tarn_store **store)
{
    const struct tarn_options options = {.size = sizeof options, .load = TARN_LOAD_NEWEST};
    tarn_status status = tarn_open(judge->path, &options, store);

    return !status || worker_wrong_call(&judge->problem, "opening the store", status);
}

static bool close_store(struct judge *judge, tarn_store *store)
{
    tarn_status status = tarn_close(store);

    return !status || worker_wrong_call(&judge->problem, "closing the store", status);
}

/* The store's own autosaves would go on, and change what is judged. What they have done by now they
 * have done whole. */
static bool forget_autosaves(struct judge *judge, tarn_store *store,
                             const struct worker_catalog *catalog)
{
    for (unsigned ns = 0; ns <= WORKER_NAMESPACES; ns++) {
        const char *name = ns == WORKER_STORE ? "" : worker_namespace_names[ns];
        tarn_status status = TARN_OK;

        if (catalog->autosave[ns].set)
            status = tarn_autosave_set(store, worker_text(name), NULL);
        if (status)
            return worker_wrong_call(&judge->problem, "forgetting an autosave", status);
    }
    return true;
}

static bool verify_all(struct judge *judge, tarn_store *store)
{
    for (size_t i = 0; i < judge->saves.count; i++) {
        tarn_status status = tarn_snapshot_verify(store, worker_text(judge->saves.items[i].name));

        if (status)
            return worker_wrong_call(&judge->problem, "verifying a snapshot", status);
    }
    return true;
}

/* Autosaves of namespaces that are gone would become ever more. */
static bool delete_autosaves(struct judge *judge, tarn_store *store)
{
    size_t left = 0;

    if (judge->saves.count <= SAVES_MAX)
        return true;
    for (size_t i = 0; i < judge->saves.count; i++) {
        struct tarn_slice name = worker_text(judge->saves.items[i].name);
        tarn_status status;

        if (worker_snapshot_of(name) != WORKER_SNAPSHOTS) {
            judge->saves.items[left++] = judge->saves.items[i];
            continue;
        }
        status = tarn_snapshot_delete(store, name);
        if (status)
            return worker_wrong_call(&judge->problem, "deleting a snapshot", status);
    }
    judge->saves.count = left;
    return true;
}

/* ------------------------------------------------------------------------------------------
 * The trial
 */

static bool set_one(struct judge *judge, tarn_namespace *opened, unsigned ns,
                    struct worker_content *content)
{
    static uint8_t bytes[WORKER_VALUE_BYTES_MAX];
    uint32_t version = judge->log->next_version[0]++;
    unsigned key = (unsigned)random_below(&judge->random, WORKER_KEYS);
    char room[WORKER_KEY_ROOM];
    tarn_status status =
        tarn_set(opened, worker_key(0, key, room),
                 worker_value(worker_generation(content->config[ns]), version, bytes), NULL, NULL);

    content->versions[ns][0][key] = version;
    return !status || worker_wrong_call(&judge->problem, "a write", status);
}

/* Makes a namespace, or opens one that is there. */
static bool choose_namespace(struct judge *judge, tarn_store *store, unsigned ns,
                             tarn_namespace **opened)
{
    struct tarn_slice name = worker_text(worker_namespace_names[ns]);
    struct tarn_namespace_options options;
    tarn_status status;

    if (judge->catalog.config[ns]) {
        status = tarn_namespace_open(store, name, opened);
    } else {
        judge->catalog.config[ns] = judge->log->next_generation++ * WORKER_CONFIGS;
        options = worker_options(judge->catalog.config[ns]);
        status = tarn_namespace_create(store, name, &options, opened);
    }
    return !status || worker_wrong_call(&judge->problem, "having a namespace", status);
}

/* Replaces what the judge knows of the snapshot that it has saved. */
static bool note_trial(struct judge *judge, unsigned ns, bool whole,
                       const struct worker_content *content)
{
    const char *name = worker_snapshot_names[WORKER_TRIAL];
    struct snapshot_content *known = NULL;
    struct worker_content wanted = *content;
    char folder[300];

    for (size_t i = 0; i < judge->saves.count; i++)
        if (strcmp(judge->saves.items[i].name, name) == 0)
            known = &judge->saves.items[i];
    snprintf(folder, sizeof folder, "%.250s/snapshots", judge->path);
    if (!known && !add_save(judge, &judge->saves, folder, "trial" SUFFIX))
        return false;
    if (known && !snapshot_content_read(folder, "trial" SUFFIX, known, &judge->problem))
        return false;
    known = known ? known : &judge->saves.items[judge->saves.count - 1];
    for (unsigned i = 0; i < WORKER_NAMESPACES && !whole; i++)
        if (i != ns) {
            wanted.config[i] = 0;
            memset(wanted.versions[i], 0, sizeof wanted.versions[i]);
        }
    return worker_same_content(&wanted, &known->content, "the judge's own save", &judge->problem);
}

static bool write_and_save(struct judge *judge, tarn_store *store, struct worker_content *content)
{
    unsigned ns = (unsigned)random_below(&judge->random, WORKER_NAMESPACES);
    struct tarn_slice name = worker_text(worker_snapshot_names[WORKER_TRIAL]);
    bool whole = random_below(&judge->random, 3) == 0;
    tarn_namespace *opened = NULL;
    tarn_status status;
    bool right = choose_namespace(judge, store, ns, &opened);

    content->config[ns] = judge->catalog.config[ns];
    right = right && set_one(judge, opened, ns, content);
    if (right) {
        status = whole ? tarn_snapshot_save(store, name, NULL)
                       : tarn_snapshot_save_namespace(opened, name, NULL);
        right = !status || worker_wrong_call(&judge->problem, "a save", status);
    }
    tarn_namespace_close(opened);
    return right && note_trial(judge, ns, whole, content);
}

/* Opens it again, and finds all of it. */
static bool look_again(struct judge *judge, bool read_only)
{
    const struct tarn_options options = {
        .size = sizeof options, .load = TARN_LOAD_NEWEST, .read_only = read_only};
    struct worker_content wanted, content;
    struct worker_catalog catalog;
    tarn_store *store = NULL;
    tarn_status status = tarn_open(judge->path, &options, &store);
    bool right;

    if (status)
        return worker_wrong_call(&judge->problem, "opening the store once more", status);
    judge_newest(judge, &judge->catalog, &wanted);
    right = worker_read_catalog(store, &catalog, &judge->problem) &&
            worker_same_catalog(&judge->catalog, &catalog, "once more", &judge->problem) &&
            worker_read_content(store, &content, &judge->problem) &&
            worker_same_content(&wanted, &content, "once more", &judge->problem);
    return close_store(judge, store) && right;
}

/* ------------------------------------------------------------------------------------------
 * A round
 */

static void count_round(struct judge *judge)
{
    const struct worker_log *log = judge->log;
    uint32_t steps = atomic_load(&log->step_count);

    for (uint32_t i = 0; i < steps; i++) {
        judge->counts.steps += step_is_done(&log->steps[i]);
        judge->counts.saves += log->steps[i].kind == WORKER_SAVE && step_is_done(&log->steps[i]);
        judge->counts.interrupted += !step_is_done(&log->steps[i]);
        if (log->steps[i].kind == WORKER_OPEN && step_is_done(&log->steps[i])) {
            judge->counts.sessions++;
            judge->begun = true;
        }
    }
    judge->counts.autosaves += atomic_load(&log->event_count);
    for (unsigned thread = 0; thread < WORKER_THREADS; thread++)
        judge->counts.writes += atomic_load(&log->writes[thread].count);
}

/* The open store is what the log says, and what the files say. */
static bool judge_open_store(struct judge *judge, tarn_store *store)
{
    struct judge_saves found = {0}, before = judge->saves;
    struct judge_replay replay;
    struct worker_catalog catalog;
    struct worker_content wanted;
    bool right;

    judge_replay(judge, atomic_load(&judge->log->step_count), &replay);
    right = worker_read_catalog(store, &catalog, &judge->problem) &&
            same_or_pending(judge, &replay, &catalog) && forget_autosaves(judge, store, &catalog) &&
            worker_read_content(store, &judge->loaded, &judge->problem) &&
            look_for_remains(judge) && judge_sequences(judge) && judge_sessions(judge) &&
            judge_read_snapshots(judge, &found) && judge_snapshots(judge, &found);
    if (!right) {
        free(found.items);
        return false;
    }
    free(before.items);
    judge->saves = found;
    judge->catalog = catalog;
    judge_newest(judge, &catalog, &wanted);
    memset(judge->catalog.autosave, 0, sizeof judge->catalog.autosave); /* they were forgotten */
    return worker_same_content(&wanted, &judge->loaded, "loaded after the crash",
                               &judge->problem) &&
           verify_all(judge, store);
}

bool judge_round(struct judge *judge)
{
    struct worker_content read_only = {0}, content;
    bool opened = false, right;
    tarn_store *store = NULL;

    count_round(judge);
    if (atomic_load(&judge->log->failed))
        return worker_wrong(&judge->problem, "in the worker: %.1000s", judge->log->problem.text);
    if (random_below(&judge->random, 4) == 0 && !look_read_only(judge, &read_only, &opened))
        return false;
    if (!open_store(judge, &store))
        return false;
    judge->begun = true;
    right = judge_open_store(judge, store) &&
            (!opened || worker_same_content(&read_only, &judge->loaded,
                                            "a read-only opening loaded this", &judge->problem));
    content = judge->loaded;
    right = right && delete_autosaves(judge, store) && write_and_save(judge, store, &content);
    right = close_store(judge, store) && right;
    if (right && judge->interlude)
        right = judge->interlude(judge->interlude_context);
    return right && look_again(judge, random_below(&judge->random, 2) == 0) &&
           look_again(judge, false);
}
