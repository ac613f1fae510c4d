/*
 * A store's folder as it lies there, with no store opened: of all that is in it anything may be
 * damaged or missing, which is told. For who checks it or salvages what is whole; both read each
 * part of it once, in this order: catalog, logs, snapshots. Nothing in it is changed.
 */
#ifndef TARN_STORE_REMAINS_H
#define TARN_STORE_REMAINS_H

#include "engine/log/inspect.h"
#include "format/catalog.h"
#include "store/folder.h"
#include "store/snapshot_file.h"

struct tarn__remains {
    const struct tarn__os *os;
    struct tarn__inspection inspection;
    struct tarn__folder folder;
    bool has_catalog;             /* whole; else it */
    bool is_damaged;              /* is there, and damaged */
    bool has_identity;            /* the catalog says that of the store */
    struct tarn__catalog catalog; /* or what is left of it */
    char (*snapshots)[TARN__SNAPSHOT_FILE_NAME_BYTES];
    size_t snapshot_count, snapshot_capacity;
    uint64_t *homes; /* numbers of those that the catalog does not tell of */
    size_t home_count, home_capacity;
    tarn_status status; /* of collecting names */
};

/* Opens the folder and reads its catalog and what there is. options: the caller's, whose size was
 * checked. TARN_STORE_LOCKED, and what inspection.h returns. If it fails there is nothing to
 * close. */
tarn_status tarn__remains_open(struct tarn__remains *remains, const struct tarn__os *os,
                               const char *dir, const struct tarn_check_options *options);
void tarn__remains_close(struct tarn__remains *remains);

/* Calls visit for each log that there is: entry is what the catalog tells of it, or NULL. */
tarn_status tarn__remains_logs(struct tarn__remains *remains,
                               tarn_status (*visit)(void *context,
                                                    const struct tarn__catalog_namespace *entry,
                                                    const struct tarn__log_source *source),
                               void *context);

/* Checks the structs of a call of tarn.h; *options is a copy, or what NULL stands for. */
tarn_status tarn__remains_check_arguments(const char *dir, const struct tarn_check_options *given,
                                          const struct tarn_check_summary *summary,
                                          struct tarn_check_options *options);

/* What a call of tarn.h returns in the end, and its summary; also where the opening failed. */
tarn_status tarn__remains_summarize(const struct tarn__remains *remains, tarn_status status,
                                    struct tarn_check_summary *summary);

#endif
