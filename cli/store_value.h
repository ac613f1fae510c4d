/* What `tarn set`, `insert` and `update` have in common: a key, and a value from the command line,
 * from standard input or from a file. */
#ifndef CLI_STORE_VALUE_H
#define CLI_STORE_VALUE_H

#include "session.h"

/* The options of such a command, whose operands are KEY VALUE. */
extern const struct command_option store_value_options[];

/* Runs it. store does the work; need is that of session_begin(). The exit code. */
int store_value(struct invocation *call, unsigned need,
                tarn_status (*store)(tarn_namespace *ns, struct tarn_slice key,
                                     struct tarn_slice value));

#endif
