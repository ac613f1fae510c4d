/*
 * Looking at an open store: whether it is what its world allows. Each returns false after it has
 * noted a failure.
 */
#ifndef TARN_TESTS_CRASH_LOOK_H
#define TARN_TESTS_CRASH_LOOK_H

#include "crash/run.h"

/* The namespaces with their options, and the records in them, are those of the world's present. */
bool look_at_memory(struct crash_store *s);

/* Finds out which of the world's alternatives the disk holds: the catalog, and every snapshot,
 * whole. */
bool look_at_disk(struct crash_store *s, size_t *catalog, uint32_t found[WORLD_SNAPSHOTS]);

/* There is nothing but a store's own files in the folder, and nothing temporary. */
bool look_for_remains(struct crash_store *s);

#endif
