/* Which bytes are UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#ifndef CLI_UTF8_H
#define CLI_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes the character at the beginning has, 1 to 4; 0: it is none. left: at least 1. */
size_t utf8_length(const uint8_t *bytes, size_t left);

bool utf8_is_valid(const uint8_t *bytes, size_t length);

/* Writes a character below 0x110000 that is no surrogate; returns its length, 1 to 4. */
size_t utf8_write(uint8_t *bytes, uint32_t character);

#endif
