/*
 * Looking at an open store: whether it is what its world allows. Each returns false after it has
 * noted a failure.
 */
#ifndef TARN_TESTS_CRASH_LOOK_H
#define TARN_TESTS_CRASH_LOOK_H

#include "crash/run.h"

/* The namespaces with their options, and the records in them, are those of the world's present. */
bool look_at_memory(struct crash_store *s);

/* Reads all records of a namespace. damaged: some are, as they may be after a sync has failed. */
bool look_read(struct crash_store *s, tarn_namespace *ns, const char *name,
               struct world_content *content, bool *damaged);

/* Finds out which of the world's alternatives the disk holds: the catalog, every snapshot, whole,
 * and what is in every log. */
bool look_at_disk(struct crash_store *s, struct world_found *found);

/* There is nothing but a store's own files in the folder, and nothing temporary. */
bool look_for_remains(struct crash_store *s);

#endif
