/* What the log says, against what was found; see judge.h. */
#include "crash/judge.h"

#include <inttypes.h>
#include <string.h>

#include "crash/cut.h"

const struct snapshot_content *judge_find(const struct judge_saves *saves, const char *name)
{
    for (size_t i = 0; i < saves->count; i++)
        if (strcmp(saves->items[i].name, name) == 0)
            return &saves->items[i];
    return NULL;
}

/* ------------------------------------------------------------------------------------------
 * What was acknowledged
 */

static void replay_step(const struct worker_step *step, uint32_t number,
                        struct judge_replay *replay)
{
    struct judge_name name = {step->kind == WORKER_SAVE ? JUDGE_STEP : JUDGE_NONE, number};

    if (step->kind == WORKER_CATALOG && step_is_done(step)) {
        replay->catalog = step->after;
    } else if (step->kind == WORKER_CATALOG && step_may_be_done(step)) {
        replay->pending_catalog = step->after;
        replay->has_pending_catalog = true;
    } else if (step->kind == WORKER_SAVE || step->kind == WORKER_DELETE) {
        if (step_is_done(step)) {
            replay->names[step->snapshot] = name;
        } else if (step_may_be_done(step)) {
            replay->pending[step->snapshot] = name;
            replay->has_pending[step->snapshot] = true;
        }
    }
}

void judge_replay(const struct judge *judge, uint32_t steps, struct judge_replay *replay)
{
    memset(replay, 0, sizeof *replay);
    replay->catalog = judge->catalog;
    for (unsigned i = 0; i < WORKER_SNAPSHOTS; i++)
        if (judge_find(&judge->saves, worker_snapshot_names[i]))
            replay->names[i].origin = JUDGE_BEFORE;
    for (uint32_t i = 0; i < steps; i++)
        replay_step(&judge->log->steps[i], i, replay);
}

/* The highest sequence of the saves that there were before a step. One that was deleted takes its
 * sequence with it: the next opening does not know it. */
static uint64_t last_sequence(const struct judge *judge, uint32_t steps)
{
    struct judge_replay replay;
    uint64_t last = 0;

    judge_replay(judge, steps, &replay);
    for (size_t i = 0; i < judge->saves.count; i++) {
        unsigned name = worker_snapshot_of(worker_text(judge->saves.items[i].name));

        if ((name == WORKER_SNAPSHOTS || replay.names[name].origin == JUDGE_BEFORE) &&
            judge->saves.items[i].sequence > last)
            last = judge->saves.items[i].sequence;
    }
    for (unsigned i = 0; i < WORKER_SNAPSHOTS; i++)
        if (replay.names[i].origin == JUDGE_STEP &&
            judge->log->steps[replay.names[i].step].sequence > last)
            last = judge->log->steps[replay.names[i].step].sequence;
    return last;
}

bool judge_sequences(struct judge *judge)
{
    uint32_t count = atomic_load(&judge->log->step_count);

    for (uint32_t i = 0; i < count; i++) {
        const struct worker_step *step = &judge->log->steps[i];
        uint64_t last;

        if (step->kind != WORKER_SAVE || !step_is_done(step))
            continue;
        last = last_sequence(judge, i);
        if (step->sequence <= last)
            return worker_wrong(&judge->problem,
                                "a save has sequence %" PRIu64 ", and one before it %" PRIu64,
                                step->sequence, last);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------
 * What an opening in the worker had loaded
 */

static bool holds(const struct worker_content *content, unsigned ns, uint32_t config)
{
    return content->config[ns] &&
           worker_generation(content->config[ns]) == worker_generation(config);
}

/* The records that a content has of one namespace alone. */
static struct worker_content only_of(const struct worker_content *content, unsigned ns)
{
    struct worker_content only = {0};

    only.config[ns] = content->config[ns];
    memcpy(only.versions[ns], content->versions[ns], sizeof only.versions[ns]);
    return only;
}

/* The last save of this round before a step that holds the namespace and still has its name. */
static const struct worker_step *last_save_of(const struct judge *judge, uint32_t steps,
                                              const struct judge_replay *replay, unsigned ns,
                                              uint32_t config)
{
    for (uint32_t i = steps; i > 0; i--) {
        const struct worker_step *step = &judge->log->steps[i - 1];
        uint32_t then = step->after.config[ns];

        if (step->kind == WORKER_SAVE && step_is_done(step) &&
            replay->names[step->snapshot].origin == JUDGE_STEP &&
            replay->names[step->snapshot].step == i - 1 &&
            (step->ns == WORKER_STORE || step->ns == ns) && then &&
            worker_generation(then) == worker_generation(config))
            return step;
    }
    return NULL;
}

static bool is_autosave_of(const struct worker_event *event, unsigned ns)
{
    const char *name = event->name + strlen(worker_autosave_prefix);

    return strncmp(name, "store-", 6) == 0 ||
           strncmp(name, worker_namespace_names[ns], strlen(worker_namespace_names[ns])) == 0;
}

/* Whether an autosave that may be newer than the save holds these records. An autosave is told some
 * time after its cut, so that one may look newer than it is. */
static bool autosave_holds(const struct judge *judge, const struct worker_step *save,
                           const struct worker_content *only, unsigned ns, uint64_t before)
{
    uint32_t count = atomic_load(&judge->log->event_count);

    for (uint32_t i = 0; i < count; i++) {
        const struct worker_event *event = &judge->log->events[i];
        struct cut_window window = {save && save->session == event->session ? save->issued : 0,
                                    event->at};

        if (event->at < before && (!save || event->at > save->issued) &&
            is_autosave_of(event, ns) && cut_of_records(judge->log, event->session, window, only))
            return true;
    }
    return false;
}

/* The newest save of before this round that holds the namespace and is still there. */
static const struct snapshot_content *newest_before(const struct judge *judge,
                                                    const struct judge_replay *replay, unsigned ns,
                                                    uint32_t config)
{
    const struct snapshot_content *newest = NULL;

    for (size_t i = 0; i < judge->saves.count; i++) {
        const struct snapshot_content *save = &judge->saves.items[i];
        unsigned name = worker_snapshot_of(worker_text(save->name));

        if (holds(&save->content, ns, config) &&
            (name == WORKER_SNAPSHOTS || !replay || replay->names[name].origin == JUDGE_BEFORE) &&
            (!newest || save->sequence > newest->sequence))
            newest = save;
    }
    return newest;
}

static bool same_records(const struct worker_content *wanted, const struct worker_content *found,
                         unsigned ns)
{
    static const struct worker_content empty;

    wanted = wanted ? wanted : &empty;
    return memcmp(wanted->versions[ns], found->versions[ns], sizeof wanted->versions[ns]) == 0;
}

static bool base_is_newest(const struct judge *judge, const struct worker_session *session,
                           unsigned ns)
{
    const uint32_t config = session->base.config[ns];
    const struct worker_content only = only_of(&session->base, ns);
    const uint64_t opened = judge->log->steps[session->first_step].issued;
    const struct worker_step *save;
    const struct snapshot_content *before;
    struct judge_replay replay;

    if (session->nothing_loaded)
        return same_records(NULL, &session->base, ns);
    judge_replay(judge, session->first_step, &replay);
    save = last_save_of(judge, session->first_step, &replay, ns, config);
    if (save) {
        struct cut_window window = {save->issued, step_latest(save)};

        if (cut_of_records(judge->log, save->session, window, &only))
            return true;
    }
    if (autosave_holds(judge, save, &only, ns, opened))
        return true;
    before = newest_before(judge, &replay, ns, config);
    return !save && same_records(before ? &before->content : NULL, &session->base, ns);
}

bool judge_sessions(struct judge *judge)
{
    uint32_t count = atomic_load(&judge->log->session_count);

    for (uint32_t i = 0; i < count; i++) {
        const struct worker_session *session = &judge->log->sessions[i];

        for (unsigned ns = 0; ns < WORKER_NAMESPACES && atomic_load(&session->begun); ns++)
            if (session->base.config[ns] && !base_is_newest(judge, session, ns))
                return worker_wrong(&judge->problem,
                                    "opening %" PRIu32 " of the worker did not load the newest of "
                                    "%s",
                                    i, worker_namespace_names[ns]);
    }
    return true;
}

void judge_newest(const struct judge *judge, const struct worker_catalog *catalog,
                  struct worker_content *content)
{
    memset(content, 0, sizeof *content);
    for (unsigned ns = 0; ns < WORKER_NAMESPACES; ns++) {
        const struct snapshot_content *newest;

        content->config[ns] = catalog->config[ns];
        newest = catalog->config[ns] ? newest_before(judge, NULL, ns, catalog->config[ns]) : NULL;
        if (newest)
            memcpy(content->versions[ns], newest->content.versions[ns],
                   sizeof content->versions[ns]);
    }
}

/* ------------------------------------------------------------------------------------------
 * The snapshots that are there
 */

static bool is_save_of_step(const struct judge *judge, const struct snapshot_content *found,
                            const struct worker_step *step)
{
    struct cut_window window = {step->issued, step_latest(step)};

    return found->whole == (step->ns == WORKER_STORE) && (found->whole || found->ns == step->ns) &&
           (!step_is_done(step) || found->sequence == step->sequence) &&
           cut_of_store(judge->log, step->session, window, step->ns, &found->content);
}

/* Whether what is there under a name, or that nothing is, is what this says. */
static bool is_name(const struct judge *judge, const struct judge_name *name, const char *text,
                    const struct snapshot_content *found)
{
    const struct snapshot_content *before = judge_find(&judge->saves, text);

    if (!found || name->origin == JUDGE_NONE)
        return !found && name->origin == JUDGE_NONE;
    if (before && memcmp(before->identity, found->identity, sizeof before->identity) == 0)
        return name->origin == JUDGE_BEFORE &&
               memcmp(&before->content, &found->content, sizeof found->content) == 0;
    return name->origin == JUDGE_STEP &&
           is_save_of_step(judge, found, &judge->log->steps[name->step]);
}

static bool judge_names(struct judge *judge, const struct judge_saves *found)
{
    static const char *const origins[] = {"nothing", "what was there before", "a save"};
    struct judge_replay replay;

    judge_replay(judge, atomic_load(&judge->log->step_count), &replay);
    for (unsigned i = 0; i < WORKER_SNAPSHOTS; i++) {
        const char *text = worker_snapshot_names[i];
        const struct snapshot_content *save = judge_find(found, text);

        if (is_name(judge, &replay.names[i], text, save))
            continue;
        if (!replay.has_pending[i] || !is_name(judge, &replay.pending[i], text, save))
            return worker_wrong(&judge->problem,
                                "snapshot '%s' should be %s (step %" PRIu32 ")%s%s, and is %s",
                                text, origins[replay.names[i].origin], replay.names[i].step,
                                replay.has_pending[i] ? " or " : "",
                                replay.has_pending[i] ? origins[replay.pending[i].origin] : "",
                                save ? "something else" : "not there");
        judge->counts.found += save != NULL;
    }
    return true;
}

/* When an autosave of this name was told, or that it was not. */
static uint64_t told_at(const struct judge *judge, const char *name)
{
    uint32_t count = atomic_load(&judge->log->event_count);

    for (uint32_t i = 0; i < count; i++)
        if (strcmp(judge->log->events[i].name, name) == 0)
            return judge->log->events[i].at;
    return CUT_NO_END;
}

/* An opening of the judge may have made an autosave, too: of what it had loaded. */
static bool is_autosave(const struct judge *judge, const struct snapshot_content *found)
{
    uint32_t sessions = atomic_load(&judge->log->session_count);
    unsigned ns = found->whole ? WORKER_STORE : found->ns;
    struct cut_window window = {0, told_at(judge, found->name)};
    struct worker_content only;

    for (uint32_t i = 0; i < sessions; i++)
        if (cut_of_store(judge->log, i, window, ns, &found->content))
            return true;
    if (window.to != CUT_NO_END)
        return false;
    only = found->whole ? judge->loaded : only_of(&judge->loaded, ns);
    return memcmp(&only, &found->content, sizeof only) == 0;
}

static bool judge_autosave(struct judge *judge, const struct snapshot_content *found)
{
    const struct snapshot_content *before = judge_find(&judge->saves, found->name);
    bool right;

    if (strncmp(found->name, worker_autosave_prefix, strlen(worker_autosave_prefix)) != 0)
        return worker_wrong(&judge->problem, "there is a snapshot '%s'", found->name);
    if (before)
        right = memcmp(before->identity, found->identity, sizeof before->identity) == 0 &&
                memcmp(&before->content, &found->content, sizeof found->content) == 0;
    else
        right = is_autosave(judge, found);
    return right ||
           worker_wrong(&judge->problem, "autosave '%s' is no cut of what was there", found->name);
}

/* Whether it is one of the whole store's autosaves, or of those of this generation. */
static bool in_stream(const struct snapshot_content *save, unsigned ns, uint32_t config)
{
    if (strncmp(save->name, worker_autosave_prefix, strlen(worker_autosave_prefix)) != 0)
        return false;
    return ns == WORKER_STORE ? save->whole
                              : !save->whole && save->ns == ns && holds(&save->content, ns, config);
}

static bool dropped_in_round(const struct judge *judge, unsigned ns)
{
    uint32_t count = atomic_load(&judge->log->step_count);

    for (uint32_t i = 0; i < count; i++)
        if (judge->log->steps[i].kind == WORKER_CATALOG && judge->log->steps[i].ns == ns &&
            judge->log->steps[i].after.config[ns] == 0)
            return true;
    return false;
}

/* So many autosaves must be there as are kept, or as were told. */
static bool judge_kept(struct judge *judge, const struct judge_saves *found, unsigned ns,
                       uint32_t config)
{
    const char *middle = ns == WORKER_STORE ? "store" : worker_namespace_names[ns];
    uint32_t count = atomic_load(&judge->log->event_count);
    unsigned told = 0, there = 0;

    for (uint32_t i = 0; i < count; i++)
        told += strncmp(judge->log->events[i].name + strlen(worker_autosave_prefix), middle,
                        strlen(middle)) == 0;
    for (size_t i = 0; i < judge->saves.count; i++)
        told += in_stream(&judge->saves.items[i], ns, config);
    for (size_t i = 0; i < found->count; i++)
        there += in_stream(&found->items[i], ns, config);
    if (told > WORKER_AUTOSAVE_KEEP)
        told = WORKER_AUTOSAVE_KEEP;
    return there >= told ||
           worker_wrong(&judge->problem, "of %s there should be %u autosaves, and are %u", middle,
                        told, there);
}

bool judge_snapshots(struct judge *judge, const struct judge_saves *found)
{
    struct judge_replay replay;

    if (!judge_names(judge, found))
        return false;
    for (size_t i = 0; i < found->count; i++)
        if (worker_snapshot_of(worker_text(found->items[i].name)) == WORKER_SNAPSHOTS &&
            !judge_autosave(judge, &found->items[i]))
            return false;
    judge_replay(judge, atomic_load(&judge->log->step_count), &replay);
    for (unsigned ns = 0; ns < WORKER_NAMESPACES; ns++)
        if (replay.catalog.config[ns] && !dropped_in_round(judge, ns) &&
            !judge_kept(judge, found, ns, replay.catalog.config[ns]))
            return false;
    return judge_kept(judge, found, WORKER_STORE, 0);
}
