/*
 * Autosaves: of the whole store and of each namespace. A thread of the store runs those that are
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

/* The job of the store's slow thread, which context is: makes those that are due, and wants itself
 * for the next one. */
void tarn__autosave_run(void *context);

/* Opening: wants that job for the first one, if there is any. TARN_NO_MEMORY. */
tarn_status tarn__autosave_begin(tarn_store *store);

#endif
