/*
 * A small store that was saved once, for the tests that change its files: three namespaces with
 * options and autosaves, and four snapshots.
 *
 *      old      the whole store, before the others: no namespace is loaded from it
 *      whole    the whole store, in many blocks of few records: gamma is loaded from it
 *      alpha    alpha alone, and
 *      beta     beta alone: the newest of these
 *
 * The content of a namespace is told by a version: each is other values, and another number of
 * keys. 0 is an empty one. The autosaves are set and do not run, so that a store has no thread.
 */
#ifndef TARN_TESTS_CRASH_SAVED_STORE_H
#define TARN_TESTS_CRASH_SAVED_STORE_H

#include "support/sim_disk.h"

#define SAVED_NAMESPACES 3
#define SAVED_BLOCKS_MAX 64
#define SAVED_FOLDER     "/db"

enum saved_file {
    SAVED_LOCK,
    SAVED_CATALOG,
    SAVED_OLD, /* the snapshots from here on */
    SAVED_WHOLE,
    SAVED_ALPHA,
    SAVED_BETA,
    SAVED_FILES
};

/* A file as it was saved. */
struct saved_original {
    const char *folder, *name, *path;
    const char *snapshot; /* its name, or NULL */
    uint8_t *bytes;
    size_t length;
    size_t blocks[SAVED_BLOCKS_MAX + 1]; /* where each begins, and the end of the file */
    size_t block_count;

    /* Of a snapshot. */
    size_t head_bytes;                   /* what is read to know which one it is */
    uint64_t sequence;                   /* of the cut */
    unsigned decides;                    /* bits of the namespaces that no older one is asked for */
    unsigned versions[SAVED_NAMESPACES]; /* in it */
};

struct saved_store {
    struct sim_disk *disk;
    struct saved_original files[SAVED_FILES];
};

/* Makes it; what cannot be made fails the test. */
void saved_store_make(struct saved_store *saved, uint64_t seed);
void saved_store_release(struct saved_store *saved);

/* The versions that are loaded of a store that nobody has changed. */
extern const unsigned saved_newest[SAVED_NAMESPACES];

/* Whether the open store has its namespaces with their options and autosaves, and in them the
 * records of these versions and no others. Otherwise says in why what is wrong. */
bool saved_store_holds(tarn_store *store, const unsigned versions[SAVED_NAMESPACES], char *why,
                       size_t room);

#endif
