/*
 * Which names of namespaces are valid, wherever they come from: 1 to TARN_NAME_BYTES_MAX bytes of
 * UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F).
 */
#ifndef TARN_FORMAT_NAME_H
#define TARN_FORMAT_NAME_H

#include "tarn.h"

/* NULL where the name is valid. Else what is wrong with it, to be put behind "the name", and in
 * at, which may be NULL, the first byte that is wrong (of a wrong length: 0). */
const char *tarn__name_fault(struct tarn_slice name, size_t *at);

/* The order of names: by their bytes, and a name before those that begin with it. Below, at or
 * above 0, like memcmp(). */
int tarn__name_compare(struct tarn_slice a, struct tarn_slice b);

#endif
