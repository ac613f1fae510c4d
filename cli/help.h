/* What `tarn help`, --help and the completion of a shell show: made from the commands' tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "command.h"

void help_all(struct output *out);
void help_command(struct output *out, const struct command *command);

/* One word a line: the commands; or the parts and the options of one. */
void help_names(struct output *out, const struct command *command);

#endif
