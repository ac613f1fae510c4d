/* The command line: which command, its options and operands, and the options of all. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "command.h"

/* The options that every command takes, for the help; ends with a NULL name. */
extern const struct command_option global_options[];
/* The short letter of each, 0: it has none. */
extern const char global_letters[];

/* Fills call in, whose operands point into argv. 0, or the exit code after an error was reported.
 * call->command is NULL where none was named. */
int options_parse(struct invocation *call, int argc, char **argv);

/* A whole number from least to most. 0, or EXIT_USAGE after an error was reported; what names the
 * argument. A size may end in K, M or G. */
int options_number(const char *what, const char *text, uint64_t least, uint64_t most,
                   uint64_t *number);
int options_size(const char *what, const char *text, uint64_t most, uint64_t *bytes);

int options_engine(const char *text, enum tarn_engine *engine);
int options_sync(const char *text, enum tarn_sync_mode *sync);
const char *engine_name(enum tarn_engine engine);
const char *sync_name(enum tarn_sync_mode sync);

#endif
