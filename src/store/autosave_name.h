/*
 * The names of an autosave's snapshots, made from a pattern. A name of a namespace is written so
 * that it can stand in the name of a file, and no two become one: bytes other than letters, digits,
 * '-', '_' and '.' (which may not be the first) are written as % and two hexadecimal digits.
 */
#ifndef TARN_STORE_AUTOSAVE_NAME_H
#define TARN_STORE_AUTOSAVE_NAME_H

#include "tarn.h"

/* Writes the snapshot's name for a time, in nanoseconds since 1970. for_namespace: the name is used
 * for {ns}; without it the pattern must not have {ns}. TARN_INVALID_ARGUMENT, TARN_NAME_INVALID: no
 * name comes of the pattern, at any time. */
tarn_status tarn__autosave_name(struct tarn_slice pattern, bool for_namespace,
                                struct tarn_slice namespace_name, uint64_t clock_ns,
                                struct tarn_buf *name);

/* Whether a name is one that the pattern makes, at whatever time. */
bool tarn__autosave_name_matches(struct tarn_slice pattern, bool for_namespace,
                                 struct tarn_slice namespace_name, struct tarn_slice name);

#endif
