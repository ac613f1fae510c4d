/*
 * Autosaves: of the whole store and of each namespace. The maintenance thread runs those that are
 * due; settings are changed under the store's lock, and kept in the catalog.
 */
#ifndef TARN_STORE_AUTOSAVE_H
#define TARN_STORE_AUTOSAVE_H

#include "format/catalog.h"
#include "store/store.h"

/* Opening: what the catalog says; it starts what is enabled. settings with a pattern of no bytes:
 * no autosave is set. ns is NULL for the store's. TARN_NO_MEMORY. */
tarn_status tarn__autosave_restore(tarn_store *store, tarn_namespace *ns,
                                   const struct tarn__autosave_settings *settings);

/* What the catalog is to say. */
void tarn__autosave_describe(const struct tarn__autosave *autosave,
                             struct tarn__autosave_settings *settings);

/* Opening: sets and starts the store's. */
tarn_status tarn__autosave_open(tarn_store *store, const struct tarn_autosave_options *options);

/* Closing: makes the last saves. No lock is held. */
tarn_status tarn__autosave_close(tarn_store *store);

/* For the maintenance thread: context is the store. When the next one is due (0: none), and the
 * work of those that are. */
uint64_t tarn__autosave_due(void *context);
void tarn__autosave_run(void *context);

#endif
