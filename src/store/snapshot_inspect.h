/*
 * Reading a snapshot that may be damaged: every byte of it is verified, and what is whole behind
 * damage is read as well.
 *
 * Blocks are whole or not, each by itself. Which namespace records belong to is told by the block
 * before them: where that is lost, so is their namespace.
 */
#ifndef TARN_STORE_SNAPSHOT_INSPECT_H
#define TARN_STORE_SNAPSHOT_INSPECT_H

#include "base/inspection.h"
#include "store/snapshot_file.h"

/* Who is told of what is whole. Members may be NULL. */
struct tarn__snapshot_visitor {
    void *context;
    tarn_status (*begin)(void *context, const struct tarn__snapshot_namespace *ns);
    /* ns: NULL where it is not known to which namespace it belongs. */
    tarn_status (*record)(void *context, const struct tarn__snapshot_namespace *ns,
                          const struct tarn__record *record);
};

/* What was found. */
struct tarn__snapshot_found {
    bool whole;
    bool has_head;
    struct tarn__snapshot_head head; /* with has_head */
    uint64_t sequence;               /* the highest of a record, and of the head */
    uint32_t namespaces;             /* that began, */
    uint64_t number;                 /* and that of the last one */
    uint64_t strays;                 /* records of namespaces that are not known */
};

/* visitor may be NULL. TARN_OK also where there were faults. */
tarn_status tarn__snapshot_inspect(const struct tarn__directory *directory, const char *file_name,
                                   struct tarn__inspection *inspection,
                                   const struct tarn__snapshot_visitor *visitor,
                                   struct tarn__snapshot_found *found);

#endif
