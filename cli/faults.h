/* What `tarn check` and `tarn salvage` print: each fault, what is worth knowing, and the sums. */
#ifndef CLI_FAULTS_H
#define CLI_FAULTS_H

#include "command.h"
#include "progress.h"

struct faults {
    struct invocation *call;
    struct progress progress;
    bool salvages; /* the sum of keys means something */
};

/* Runs the call of the library, which may be on a store that is locked for a while, and prints what
 * it tells; to: NULL for a check. The exit code. */
int faults_run(struct faults *faults, struct invocation *call, const char *to);

#endif
