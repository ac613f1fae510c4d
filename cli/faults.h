/* What `tarn check` and `tarn salvage` print: each fault, and how many there were. */
#ifndef CLI_FAULTS_H
#define CLI_FAULTS_H

#include "command.h"
#include "progress.h"

struct faults {
    struct invocation *call;
    struct progress progress;
};

/* Fills options in, for the call of the library. */
void faults_begin(struct faults *faults, struct invocation *call,
                  struct tarn_check_options *options);

/* Prints the summary; the exit code. */
int faults_end(struct faults *faults, tarn_status status, const struct tarn_check_summary *summary);

#endif
