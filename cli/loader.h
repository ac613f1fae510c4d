/*
 * Stores many records, in batches.
 *
 * A batch is committed all-or-nothing: one frame and one sync, so that a load that is killed has
 * stored whole batches. Where a record of it is refused, the batch is committed once more, each
 * record for itself, and those that are refused are told with their line.
 */
#ifndef CLI_LOADER_H
#define CLI_LOADER_H

#include "record.h"

#define LOADER_RECORDS    8192
#define LOADER_OPERATIONS (LOADER_RECORDS * 3) /* a counter takes three */

struct loader {
    tarn_namespace *ns;
    const char *name; /* of what is read, for messages */
    tarn_batch *batch;
    struct tarn_result *results; /* of the operations */
    uint64_t *lines; /* of the operations: where their record was; 0: not its last one */
    size_t operations, records, bytes;
    uint64_t stored, refused;
    int code; /* of the first that was refused */
};

/* Each returns 0, or the exit code after an error was reported that ends the load. */
int loader_begin(struct loader *loader, tarn_namespace *ns, const char *name);
int loader_add(struct loader *loader, const struct record *record, uint64_t line);
int loader_commit(struct loader *loader);
void loader_release(struct loader *loader);

#endif
