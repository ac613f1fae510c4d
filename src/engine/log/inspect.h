/*
 * Reading a log as it lies in its folder, with nothing opened for writing and nothing changed:
 * every byte of it is verified, and reading goes on behind what is damaged. For who checks a store,
 * and for who salvages what is whole in it.
 *
 * What is a fault, and what only where a crash has cut, is told apart as recovery.h says it. Where
 * the list of segments is damaged, or older than the files, all files that may be segments are
 * read, each as far as it goes. A segment whose head is damaged is read with the identity that the
 * list tells, or else the one that stands in it: frames that were not written under that are none.
 */
#ifndef TARN_ENGINE_LOG_INSPECT_H
#define TARN_ENGINE_LOG_INSPECT_H

#include "base/inspection.h"
#include "format/record.h"
#include "os/os.h"

/* Where a log is. */
struct tarn__log_source {
    struct tarn__directory *directory;
    const uint8_t *store; /* its identity; NULL: not known */
    uint64_t number;      /* of the home */
};

/* Who is told of what is whole: of compacted segments first, then in the order of writing. Of two
 * frames with the same key the one with the higher sequence counts, and of equal ones the later. */
struct tarn__log_reader {
    void *context;
    tarn_status (*put)(void *context, const struct tarn__record *record);
    /* lasts: older puts of the key may come after it. */
    tarn_status (*remove)(void *context, const struct tarn__record *record, bool lasts);
};

/* reader may be NULL. TARN_OK also where there were faults; what inspection.h returns, and what the
 * reader did. */
tarn_status tarn__log_inspect(const struct tarn__log_source *source,
                              struct tarn__inspection *inspection,
                              const struct tarn__log_reader *reader);

#endif
