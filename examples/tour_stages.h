/*
 * The stages of the tour. Each does something with the store, checks what came of it against the
 * input, and leaves the records as they were; whatever is not as it must be ends the program.
 */
#ifndef TARN_EXAMPLES_TOUR_STAGES_H
#define TARN_EXAMPLES_TOUR_STAGES_H

#include "tour_input.h"

/* Operations of a batch, and keys of a read of many. */
#define TOUR_GROUP 64

struct tour {
    const struct tour_input *input;
    tarn_store *store;
    tarn_namespace *records;         /* key -> value */
    tarn_namespace *counters;        /* group -> how many records it has */
    uint32_t *order;                 /* the records' indexes, shuffled */
    struct tarn_snapshot_info saved; /* once tour_save() is done */
};

/* A permutation that is the same in every run, so that two runs can be compared. */
uint32_t *tour_shuffle(size_t count);

/* Hands out a new namespace. */
tarn_namespace *tour_namespace(struct tour *tour, const char *name);

/* How many keys a namespace has, as its stats tell. */
uint64_t tour_keys(tarn_namespace *ns);

/* In one thread (tour_stages.c). */
void tour_load(struct tour *tour);          /* every record, in all-or-nothing batches */
void tour_refused_batch(struct tour *tour); /* one operation fails: none is applied */
void tour_read(struct tour *tour);          /* one key at a time, and a key that is absent */
void tour_read_many(struct tour *tour);     /* many keys at a time, each for itself or as one cut */
void tour_count(struct tour *tour);         /* counters, one at a time and in batches */
void tour_walk_prefix(struct tour *tour);   /* a cursor over the keys with a prefix */
void tour_check(struct tour *tour);         /* every byte is there, and nothing else */

/* Every counter there is has the number that the input has, and none is missing. */
void tour_check_counters(struct tour *tour);

/* In one thread (tour_changes.c). */
void tour_change(struct tour *tour); /* insert, update, replace, delete; and limits */

/* In two threads (tour_threads.c). */
void tour_consistent_reads(struct tour *tour); /* cuts while batches are written */
void tour_queue(struct tour *tour);            /* two workers, each item to exactly one */
void tour_resize(struct tour *tour);           /* other numbers of shards under work */
void tour_save(struct tour *tour);             /* a snapshot of the store under work */

#endif
