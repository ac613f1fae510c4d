/* Lines of fields separated by tabs: docs/format-dump.md. Also how keys are shown to people. */
#ifndef CLI_TSV_H
#define CLI_TSV_H

#include "record.h"

/* Writes the character at bytes[*at], escaped where it must be, and moves *at behind it. Returns
 * how much was written: at most TSV_ESCAPED_MAX bytes, none of which is NUL. */
#define TSV_ESCAPED_MAX 4
size_t tsv_escape_one(const uint8_t *bytes, size_t length, size_t *at, char *text);

/* Writes bytes escaped. */
void tsv_write_field(struct output *out, struct tarn_slice bytes);

#endif
