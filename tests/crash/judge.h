/*
 * Whether a store is, after its worker was killed or the power went, what the worker's log allows:
 *
 * - The catalog says what was acknowledged; what was under way is done or not.
 * - Each snapshot that was acknowledged is there, unless it was replaced or deleted since, and
 * holds a cut of a moment between the save's beginning and its end, of the whole store, all threads
 *   and whole batches. One that was under way is there whole or not at all. The store verifies
 *   each.
 * - What an opening loads is the newest of them, here and in the worker.
 * - No temporary file is left by the opening.
 * - The store takes a write and a save, and two openings afterwards.
 *
 * A judge goes with one store from round to round, and knows what it holds between two of them.
 */
#ifndef TARN_TESTS_CRASH_JUDGE_H
#define TARN_TESTS_CRASH_JUDGE_H

#include "crash/snapshot_content.h"
#include "crash/worker_log.h"

struct judge_saves {
    struct snapshot_content *items;
    size_t count, room;
};

/* What was seen over all rounds. */
struct judge_counts {
    uint64_t steps, saves, writes, sessions; /* acknowledged */
    uint64_t autosaves;                      /* told as events */
    uint64_t interrupted;                    /* calls that were under way */
    uint64_t found;                          /* saves that were under way, and are there */
};

struct judge {
    const char *path; /* of the store */
    struct worker_log *log;
    uint64_t random;
    bool begun;                    /* an opening was acknowledged */
    struct worker_catalog catalog; /* between two rounds */
    struct judge_saves saves;      /* between two rounds: all that there are */
    struct worker_content loaded;  /* by the opening that is judged */
    struct judge_counts counts;
    struct worker_problem problem; /* why it was refused */

    /* Called in the trial between the save and the openings, with the store closed; NULL: nothing.
     * False: what it should do cannot be done, and problem is filled in. */
    bool (*interlude)(void *context);
    void *interlude_context;
};

/* The store's folder does not exist yet. */
void judge_begin(struct judge *judge, const char *path, struct worker_log *log, uint64_t seed);
void judge_release(struct judge *judge);

/* Judges what the last worker has left. False: problem says what is wrong. */
bool judge_round(struct judge *judge);

/* What the newest snapshots hold for a catalog. */
void judge_newest(const struct judge *judge, const struct worker_catalog *catalog,
                  struct worker_content *content);

/* ------------------------------------------------------------------------------------------
 * judge_log.c: what the log says, against what was found
 */

/* Which save a snapshot's name may stand for. */
enum judge_origin { JUDGE_NONE, JUDGE_BEFORE, JUDGE_STEP };
struct judge_name {
    enum judge_origin origin;
    uint32_t step;
};

/* What was acknowledged in the first so many steps, and what was under way. */
struct judge_replay {
    struct worker_catalog catalog, pending_catalog;
    bool has_pending_catalog;
    struct judge_name names[WORKER_SNAPSHOTS], pending[WORKER_SNAPSHOTS];
    bool has_pending[WORKER_SNAPSHOTS];
};
void judge_replay(const struct judge *judge, uint32_t steps, struct judge_replay *replay);

/* Each save has a higher sequence than those that there were. */
bool judge_sequences(struct judge *judge);

/* Each session of the worker began with the newest there was. */
bool judge_sessions(struct judge *judge);

/* The snapshots that are there now are those that may and must be. */
bool judge_snapshots(struct judge *judge, const struct judge_saves *found);

/* A store's snapshots, by their files. */
bool judge_read_snapshots(struct judge *judge, struct judge_saves *saves);
const struct snapshot_content *judge_find(const struct judge_saves *saves, const char *name);

#endif
