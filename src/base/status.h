/*
 * Failing: how a status gets its detail.
 *
 * A function that fails for a reason that its caller cannot guess says `return tarn__fail(...)`.
 * The detail goes to the thread's tarn_last_error(). What is expected in normal work (a key that
 * is not found) goes through tarn__outcome() instead, which formats nothing.
 */
#ifndef TARN_BASE_STATUS_H
#define TARN_BASE_STATUS_H

#include "tarn.h"

/* Records the detail and returns status. */
tarn_status tarn__fail(tarn_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* The same with the operating system's errno, whose text is appended to the message. */
tarn_status tarn__fail_system(tarn_status status, int system_error, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* The same with an offset, for what is wrong at a place in a file. */
tarn_status tarn__fail_at(tarn_status status, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Puts the offset to the failure that was recorded last, and returns status. */
tarn_status tarn__set_offset(tarn_status status, uint64_t offset) __attribute__((cold));

/* Gives the failure that was recorded last another status, and returns that. */
tarn_status tarn__fail_as(tarn_status status) __attribute__((cold));

/* Appends to the failure that was recorded last what can be done about it, and returns status. */
tarn_status tarn__advise(tarn_status status, const char *advice) __attribute__((cold));

/* Puts back a failure that clearing up after it may have covered: a copy of *tarn_last_error(). */
void tarn__restore_error(const struct tarn_error *error);

/* Records the status alone, for outcomes that are no failure of the store. */
tarn_status tarn__outcome(tarn_status status);

/* Whether a struct of the caller's begins with its size. */
tarn_status tarn__check_size(size_t given, size_t expected, const char *name);

#endif
