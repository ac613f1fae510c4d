/*
 * What is said to people, on standard error: each message one line that begins with "tarn: ".
 * Bytes that could move the cursor of a terminal are shown as '?'.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "command.h"

/* What helps whoever wants another engine for a namespace. */
#define ENGINE_ADVICE "`tarn ns copy --engine` makes another one"

/* Notes are not said any more; errors are. */
void report_quiet(void);
bool report_is_quiet(void);

/* Each returns the code that is given. */
int report_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a call of the library that failed has to say, and what to do about it; returns the exit
 * code. */
int report_status(tarn_status status);

/* The same without what to do, for one of many. what, if not NULL, stands in front. */
int report_status_of(tarn_status status, const char *what);

void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "Key not found". */
int report_key_not_found(void);

/* A key as text for a message, in quotes, escaped, cut where it is long. */
#define REPORT_KEY_BYTES 128
const char *report_key(struct tarn_slice key, char text[REPORT_KEY_BYTES]);

int exit_code_of(tarn_status status);

#endif
