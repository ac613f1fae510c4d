/*
 * The catalog's file in the folder of a store: read at opening, replaced whole at each change.
 */
#ifndef TARN_STORE_CATALOG_FILE_H
#define TARN_STORE_CATALOG_FILE_H

#include "format/catalog.h"
#include "store/folder.h"

/* Its name in the folder. */
#define TARN__CATALOG "catalog"

/* Reads the catalog; *found is false, and catalog untouched, where there is none. */
tarn_status tarn__catalog_file_read(const struct tarn__folder *folder,
                                    struct tarn__catalog *catalog, bool *found);

/* Reads what is whole in a catalog that is damaged: nothing, where it cannot be read at all.
 * TARN_NO_MEMORY. */
tarn_status tarn__catalog_file_read_rest(const struct tarn__folder *folder, bool *has_store,
                                         struct tarn__catalog *catalog);

/* Puts a catalog in place of the one that is there. TARN_OUTCOME_UNKNOWN: one of the two is. */
tarn_status tarn__catalog_file_replace(const struct tarn__os *os, const struct tarn__folder *folder,
                                       const struct tarn__catalog *catalog);

#endif
