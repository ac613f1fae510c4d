/*
 * The states in which a power cut may leave a simulated disk.
 *
 *     sim_crash_states(disk, &options, seen, visit, &run);
 *
 * calls visit for each with a new disk that holds it, on which the store is opened and looked at.
 * Done after each operation of a run (sim_disk_observe), and again inside visit after each
 * operation of the recovery.
 *
 * A state is a choice of the pending pieces (see sim_tree.h) that have reached the disk. With few
 * of them, each choice is tried. Otherwise:
 *   none; all; the first n, for each n; one alone; all but one; sizes alone; names alone; bytes
 *   alone; sizes and names without bytes; and random choices.
 * With more than SIM_PIECES_EACH pieces, "each" means so many of the newest, and so many that are
 * spread over the older ones.
 * In both cases the sectors of the last write or store are torn, at each byte that it wrote in its
 * first and its last sector, with all that was before it and with nothing of it; a store into a
 * mapping also from behind. Where a size has come before its data, the data is zeros in one state
 * and garbage in another.
 *
 * Equal states are visited once for each `seen` and `judged_by`. The latter is for whatever else
 * decides about the judgement: a state that is right while a write is on its way is wrong once the
 * write is acknowledged, so the number of acknowledged (or durable) operations belongs in it, and
 * without it most lost writes are never found.
 *
 * The choice is told in words and as one character for each pending piece, in the order of
 * sim_disk_print_pending(): 1 it has come, 0 it has not, t torn.
 */
#ifndef TARN_TESTS_SIM_CRASH_H
#define TARN_TESTS_SIM_CRASH_H

#include "sim_disk.h"

#define SIM_PIECES_FEW  6
#define SIM_PIECES_EACH 64

struct sim_crash_options {
    uint64_t seed;          /* of the random choices */
    unsigned random_states; /* how many of them, where there are more than few pieces */
    unsigned states_max;    /* so many are visited at most; 0: no bound */
    uint64_t judged_by;     /* equal states are visited again where this is another number */
};

/* The states of a whole run. Any thread may use it. */
struct sim_crash_seen;
struct sim_crash_seen *sim_crash_seen_create(void);
void sim_crash_seen_free(struct sim_crash_seen *seen); /* NULL is allowed */
uint64_t sim_crash_seen_count(struct sim_crash_seen *seen);

/* crashed is freed after the visit, and choice is valid during it; false ends the enumeration. */
typedef bool (*sim_crash_visit)(void *context, struct sim_disk *crashed, const char *choice);

/* Visits the states of this moment. seen may be NULL: then equal states of this moment are visited
 * once. Returns how many were visited. */
uint64_t sim_crash_states(struct sim_disk *disk, const struct sim_crash_options *options,
                          struct sim_crash_seen *seen, sim_crash_visit visit, void *context);

#endif
