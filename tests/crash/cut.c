/* Whether a content is a cut of a worker's session; see the header. */
#include "crash/cut.h"

#include <string.h>

bool step_is_done(const struct worker_step *step)
{
    return atomic_load(&step->ended) != 0 && step->status == TARN_OK;
}

bool step_may_be_done(const struct worker_step *step)
{
    return atomic_load(&step->ended) == 0 || step->status == TARN_OK ||
           step->status == TARN_OUTCOME_UNKNOWN;
}

uint64_t step_latest(const struct worker_step *step)
{
    return step_is_done(step) ? atomic_load(&step->ended) : CUT_NO_END;
}

/* ------------------------------------------------------------------------------------------
 * Records
 */

/* The keys of one thread, and how many of them are not what the content says. */
struct walk {
    const struct worker_content *content;
    unsigned thread;
    uint32_t versions[WORKER_NAMESPACES][WORKER_KEYS];
    unsigned different;
};

static unsigned count_different(const struct walk *walk, unsigned ns)
{
    unsigned different = 0;

    for (unsigned key = 0; key < WORKER_KEYS; key++)
        different += walk->versions[ns][key] != walk->content->versions[ns][walk->thread][key];
    return different;
}

static bool same_generation(uint32_t one, uint32_t other)
{
    return other != 0 && worker_generation(one) == worker_generation(other);
}

static void walk_begin(struct walk *walk, const struct worker_content *base)
{
    memset(walk->versions, 0, sizeof walk->versions);
    walk->different = 0;
    for (unsigned ns = 0; ns < WORKER_NAMESPACES; ns++) {
        if (walk->content->config[ns] == 0)
            continue;
        if (same_generation(base->config[ns], walk->content->config[ns]))
            memcpy(walk->versions[ns], base->versions[ns][walk->thread], sizeof walk->versions[ns]);
        walk->different += count_different(walk, ns);
    }
}

static void walk_on(struct walk *walk, const struct worker_write *write)
{
    uint32_t config = walk->content->config[write->ns];

    if (config == 0 || worker_generation(config) != write->generation)
        return;
    walk->different -= count_different(walk, write->ns);
    worker_write_apply(write, walk->versions[write->ns]);
    walk->different += count_different(walk, write->ns);
}

/* How many of a thread's writes are in the cut: at least and at most. */
struct share {
    uint32_t least, most;
};

static bool find_share(const struct worker_log *log, unsigned session, unsigned thread,
                       struct cut_window window, const struct worker_content *content,
                       struct share *share)
{
    const struct worker_session *known = &log->sessions[session];
    uint32_t begin = known->first_write[thread];
    uint32_t end = worker_session_end(log, session, thread);
    struct walk walk = {.content = content, .thread = thread};
    bool found = false;

    walk_begin(&walk, &known->base);
    for (uint32_t i = begin; i <= end; i++) {
        const struct worker_write *next = &log->writes[thread].items[i];
        uint64_t ended = i < end ? atomic_load(&next->ended) : 0;

        if (walk.different == 0 && !(ended != 0 && ended < window.from)) {
            share->least = found ? share->least : i;
            share->most = i;
            found = true;
        }
        if (i == end || next->issued > window.to)
            break;
        walk_on(&walk, next);
    }
    return found;
}

/* A write that is not in the cut had ended before one of another thread began that is in it. */
static bool torn(const struct worker_log *log, unsigned session, const struct share *shares,
                 unsigned without, unsigned with)
{
    uint32_t first_missing = shares[without].most, least = shares[with].least;
    uint64_t ended;

    if (first_missing == worker_session_end(log, session, without) ||
        least == log->sessions[session].first_write[with])
        return false;
    ended = atomic_load(&log->writes[without].items[first_missing].ended);
    return ended != 0 && ended < log->writes[with].items[least - 1].issued;
}

bool cut_of_records(const struct worker_log *log, unsigned session, struct cut_window window,
                    const struct worker_content *content)
{
    struct share shares[WORKER_THREADS];

    if (!atomic_load(&log->sessions[session].begun))
        return false;
    for (unsigned thread = 0; thread < WORKER_THREADS; thread++)
        if (!find_share(log, session, thread, window, content, &shares[thread]))
            return false;
    for (unsigned one = 0; one < WORKER_THREADS; one++)
        for (unsigned other = 0; other < WORKER_THREADS; other++)
            if (one != other && torn(log, session, shares, one, other))
                return false;
    return true;
}

/* ------------------------------------------------------------------------------------------
 * Namespaces
 */

/* Changes of options make a config higher. Later ones may be in the content if `later`. */
static bool same_configs(const struct worker_catalog *catalog, unsigned ns,
                         const struct worker_content *content)
{
    for (unsigned i = 0; i < WORKER_NAMESPACES; i++) {
        uint32_t wanted = ns == WORKER_STORE || ns == i ? catalog->config[i] : 0;

        if (content->config[i] != wanted)
            return false;
    }
    return true;
}

/* A catalog was in force between two stamps, at most. */
static bool cut_under(const struct worker_log *log, unsigned session, struct cut_window window,
                      const struct worker_catalog *catalog, struct cut_window force, unsigned ns,
                      const struct worker_content *content)
{
    if (!same_configs(catalog, ns, content))
        return false;
    window.from = force.from > window.from ? force.from : window.from;
    window.to = force.to < window.to ? force.to : window.to;
    return window.from < window.to && cut_of_records(log, session, window, content);
}

bool cut_of_store(const struct worker_log *log, unsigned session, struct cut_window window,
                  unsigned ns, const struct worker_content *content)
{
    const struct worker_session *known = &log->sessions[session];
    const struct worker_catalog *catalog = &known->catalog;
    uint32_t end = atomic_load(&log->step_count);
    struct cut_window force = {0, CUT_NO_END};

    for (uint32_t i = known->first_step; i < end && log->steps[i].session == session; i++) {
        const struct worker_step *step = &log->steps[i];

        if (step->kind != WORKER_CATALOG || !step_may_be_done(step))
            continue;
        force.to = step_latest(step);
        if (cut_under(log, session, window, catalog, force, ns, content))
            return true;
        catalog = &step->after;
        force.from = step->issued;
    }
    force.to = CUT_NO_END;
    return cut_under(log, session, window, catalog, force, ns, content);
}
