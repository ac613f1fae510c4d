/* A batch that is built from the operands and committed at once. */
#ifndef CLI_BATCH_H
#define CLI_BATCH_H

#include "command.h"

/*
 * Builds a batch by calling add for each of so many operations, opens what need says
 * (session_need), commits, and says what became of the operations that failed: of operation i the
 * key is operand i * stride. The exit code.
 */
int batch_run(struct invocation *call,
              int (*add)(struct invocation *call, tarn_batch *batch, int index), int count,
              unsigned need, enum tarn_mode mode, int stride);

#endif
