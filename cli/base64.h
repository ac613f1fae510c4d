/* Base64 as in RFC 4648, section 4: with padding, without line breaks, one spelling for each input.
 */
#ifndef CLI_BASE64_H
#define CLI_BASE64_H

#include "output.h"

void base64_write(struct output *out, const uint8_t *data, size_t length);

/* Decodes in place; false: it is no base64. */
bool base64_read(uint8_t *text, size_t *length);

#endif
