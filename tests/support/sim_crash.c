/*
 * The enumeration of crash states: see sim_crash.h.
 *
 * It works on a copy of the disk's tree, so that neither the program nor another thread of it is in
 * the way. `chosen` is filled in for one choice after another and handed to consider(), which drops
 * what was seen and visits the rest.
 */
#include "sim_crash.h"
#include "sim_disk_inside.h"
#include "sim_image.h"

#include <stdlib.h>
#include <string.h>

#define CHOICE_BYTES     320
#define CHOICE_MARKS_MAX 200

/* --- What was seen ------------------------------------------------------------------------ */

struct sim_crash_seen {
    pthread_mutex_t mutex;
    uint64_t *slots; /* a power of two of them; 0: empty */
    size_t room;
    size_t count;
};

struct sim_crash_seen *sim_crash_seen_create(void)
{
    struct sim_crash_seen *seen = sim_allocate(sizeof *seen);

    pthread_mutex_init(&seen->mutex, NULL);
    seen->room = 1024;
    seen->slots = sim_allocate(seen->room * sizeof *seen->slots);
    return seen;
}

void sim_crash_seen_free(struct sim_crash_seen *seen)
{
    if (!seen)
        return;
    pthread_mutex_destroy(&seen->mutex);
    free(seen->slots);
    free(seen);
}

uint64_t sim_crash_seen_count(struct sim_crash_seen *seen)
{
    uint64_t count;

    pthread_mutex_lock(&seen->mutex);
    count = seen->count;
    pthread_mutex_unlock(&seen->mutex);
    return count;
}

static bool put(struct sim_crash_seen *seen, uint64_t hash)
{
    size_t place = hash & (seen->room - 1);

    while (seen->slots[place] != 0 && seen->slots[place] != hash)
        place = (place + 1) & (seen->room - 1);
    if (seen->slots[place] == hash)
        return false;
    seen->slots[place] = hash;
    seen->count++;
    return true;
}

/* Whether it was not there. */
static bool add(struct sim_crash_seen *seen, uint64_t hash)
{
    bool added;

    pthread_mutex_lock(&seen->mutex);
    added = put(seen, hash ? hash : 1);
    if (seen->count * 2 > seen->room) {
        uint64_t *old = seen->slots;
        size_t old_room = seen->room;

        seen->room *= 2;
        seen->slots = sim_allocate(seen->room * sizeof *seen->slots);
        seen->count = 0;
        for (size_t i = 0; i < old_room; i++)
            if (old[i] != 0)
                (void)put(seen, old[i]); /* there are no two equal ones */
        free(old);
    }
    pthread_mutex_unlock(&seen->mutex);
    return added;
}

/* --- One choice --------------------------------------------------------------------------- */

struct enumeration {
    struct sim_disk *disk;
    const struct sim_crash_options *options;
    struct sim_crash_seen *seen;
    sim_crash_visit visit;
    void *context;
    struct sim_tree *tree; /* a copy of the disk's */
    size_t count;          /* of its pieces */
    struct sim_choice choice;
    uint64_t visited;
    bool stop;
};

static void describe(const struct enumeration *e, const char *what, char text[CHOICE_BYTES])
{
    size_t first = e->count > CHOICE_MARKS_MAX ? e->count - CHOICE_MARKS_MAX : 0;
    char marks[CHOICE_MARKS_MAX + 1];
    char torn[48] = "";

    for (size_t i = first; i < e->count; i++)
        marks[i - first] = i == e->choice.torn ? 't' : e->choice.chosen[i] ? '1' : '0';
    marks[e->count - first] = '\0';
    if (e->choice.torn != SIZE_MAX)
        snprintf(torn, sizeof torn, ", t: bytes %zu to %zu", e->choice.torn_from,
                 e->choice.torn_to);
    snprintf(text, CHOICE_BYTES, "%s: %s%s%s%s", what, first > 0 ? "..." : "", marks, torn,
             e->choice.garbage ? ", garbage in what has grown" : "");
}

static void visit_prepared(struct enumeration *e, const char *what, uint64_t hash)
{
    struct sim_disk *crashed;
    char text[CHOICE_BYTES];

    describe(e, what, text);
    crashed = sim_disk_around(sim_image_build(e->tree), sim_mix(e->disk->seed, hash), e->disk);
    e->visited++;
    if (!e->visit(e->context, crashed, text) ||
        (e->options->states_max > 0 && e->visited >= e->options->states_max))
        e->stop = true;
    sim_disk_free(crashed);
}

static void consider_once(struct enumeration *e, const char *what, bool garbage)
{
    uint64_t hash;

    if (e->stop)
        return;
    e->choice.garbage = garbage;
    hash = sim_image_prepare(e->tree, &e->choice);
    if (add(e->seen, sim_mix(hash, e->options->judged_by)))
        visit_prepared(e, what, hash);
    sim_image_reset(e->tree);
}

static void consider(struct enumeration *e, const char *what)
{
    consider_once(e, what, false);
    if (sim_image_has_room_for_garbage(e->tree, &e->choice))
        consider_once(e, what, true);
}

static void choose_all(struct enumeration *e, bool chosen)
{
    memset(e->choice.chosen, chosen, e->count);
}

/* --- Systematic choices ------------------------------------------------------------------- */

static void each_subset(struct enumeration *e)
{
    for (size_t bits = 0; bits < (size_t)1 << e->count && !e->stop; bits++) {
        for (size_t i = 0; i < e->count; i++)
            e->choice.chosen[i] = bits >> i & 1;
        consider(e, "a choice");
    }
}

/* The next place after this one: each of the newest, and some of the others. */
static size_t following(const struct enumeration *e, size_t place)
{
    size_t older = e->count > SIM_PIECES_EACH ? e->count - SIM_PIECES_EACH : 0;
    size_t stride = 1 + older / SIM_PIECES_EACH;

    return place + stride <= older ? place + stride : place < older ? older : place + 1;
}

static void each_place(struct enumeration *e)
{
    for (size_t i = 0; i < e->count && !e->stop; i = following(e, i)) {
        choose_all(e, false);
        memset(e->choice.chosen, true, i);
        consider(e, "the first ones");
        choose_all(e, false);
        e->choice.chosen[i] = true;
        consider(e, "one alone");
        choose_all(e, true);
        e->choice.chosen[i] = false;
        consider(e, "all but one");
    }
}

static void choose_kinds(struct enumeration *e, const char *what, bool sectors, bool sizes,
                         bool names)
{
    for (size_t i = 0; i < e->count; i++) {
        enum sim_piece_kind kind = e->tree->pieces[i].kind;

        e->choice.chosen[i] = kind == SIM_PIECE_SECTOR ? sectors
                              : kind == SIM_PIECE_NAME ? names
                                                       : sizes;
    }
    consider(e, what);
}

static void each_kind(struct enumeration *e)
{
    choose_kinds(e, "sizes and names without bytes", false, true, true);
    choose_kinds(e, "sizes alone", false, true, false);
    choose_kinds(e, "names alone", false, false, true);
    choose_kinds(e, "bytes alone", true, false, false);
    choose_kinds(e, "bytes and names without sizes", true, false, true);
    choose_kinds(e, "bytes and sizes without names", true, true, false);
}

static void random_choices(struct enumeration *e)
{
    uint64_t state = sim_mix(e->options->seed, e->tree->operation);

    for (unsigned n = 0; n < e->options->random_states && !e->stop; n++) {
        unsigned of_eight = 1 + (unsigned)(sim_mix(state, n) % 7);

        for (size_t i = 0; i < e->count; i++)
            e->choice.chosen[i] = sim_mix(state + n, i) % 8 < of_eight;
        consider(e, "a random choice");
    }
}

/* --- Torn sectors ------------------------------------------------------------------------- */

static void tear_at(struct enumeration *e, size_t place, size_t from, size_t to)
{
    e->choice.torn = place;
    e->choice.torn_from = from;
    e->choice.torn_to = to;
    consider(e, "torn");
    e->choice.torn = SIZE_MAX;
}

/* Tears one sector at each byte of it that was written. What else has come is chosen already. */
static void tear_sector(struct enumeration *e, size_t place)
{
    const struct sim_piece *piece = &e->tree->pieces[place];

    for (size_t at = piece->begin + 1; at < piece->end && !e->stop; at++) {
        tear_at(e, place, 0, at);
        if (piece->mapped)
            tear_at(e, place, at, SIM_SECTOR_BYTES);
    }
}

/*
 * Tears the last operation that wrote bytes, whose pieces are next to one another: a size, perhaps,
 * and sectors. With the sectors before the torn one, and what else is named.
 */
static void tear_last(struct enumeration *e)
{
    size_t last = e->count, first;

    while (last > 0 && e->tree->pieces[last - 1].kind != SIM_PIECE_SECTOR)
        last--;
    if (last == 0)
        return;
    last--;
    for (first = last;
         first > 0 && e->tree->pieces[first - 1].operation == e->tree->pieces[last].operation;)
        first--;
    for (size_t i = first; i <= last && !e->stop; i++) {
        bool at_each_byte = i == last || i <= first + 1;

        if (e->tree->pieces[i].kind != SIM_PIECE_SECTOR || !at_each_byte)
            continue;
        choose_all(e, false);
        memset(e->choice.chosen, true, i);
        tear_sector(e, i); /* with all that was before it */
        memset(e->choice.chosen + last + 1, true, e->count - last - 1);
        tear_sector(e, i); /* and with what came after: a rename */
        memset(e->choice.chosen, false, first);
        memset(e->choice.chosen + last + 1, false, e->count - last - 1);
        tear_sector(e, i); /* with nothing of it */
    }
}

/* --- All ---------------------------------------------------------------------------------- */

static void enumerate(struct enumeration *e)
{
    choose_all(e, false);
    consider(e, "nothing");
    choose_all(e, true);
    consider(e, "all");
    if (e->count <= SIM_PIECES_FEW) {
        each_subset(e);
    } else {
        each_kind(e);
        each_place(e);
    }
    tear_last(e);
    if (e->count > SIM_PIECES_FEW)
        random_choices(e);
}

uint64_t sim_crash_states(struct sim_disk *disk, const struct sim_crash_options *options,
                          struct sim_crash_seen *seen, sim_crash_visit visit, void *context)
{
    struct sim_crash_seen *own = seen ? NULL : sim_crash_seen_create();
    struct enumeration e = {
        .disk = disk,
        .options = options,
        .seen = seen ? seen : own,
        .visit = visit,
        .context = context,
    };

    e.tree = sim_tree_copy(sim_enter(&disk->os)->tree, SIM_COPY_KEPT);
    (void)sim_leave(disk, false, 0); /* gives back the error that it is given */
    sim_image_reset(e.tree);
    e.count = e.tree->piece_count;
    sim_image_begin(e.tree, &e.choice);
    enumerate(&e);
    free(e.choice.chosen);
    free(e.choice.next);
    sim_tree_free(e.tree);
    sim_crash_seen_free(own);
    return e.visited;
}
