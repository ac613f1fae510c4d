/*
 * The store and the namespace that a command works on, opened as little as it needs.
 *
 * A command that only reads opens the store read-only, so that any number of them run side by side;
 * nothing but what session_begin() is told to make is ever made.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "command.h"

enum session_need {
    SESSION_WRITES = 1, /* else the store is opened read-only */
    SESSION_MAKES = 2,  /* the store is made if it is not there, and the namespace */
    SESSION_KEYS = 4,   /* where the namespace is not there, "Key not found" is said */
    SESSION_STORE = 8,  /* the namespace is not opened */
};

struct session {
    const struct invocation *call;
    tarn_store *store;
    tarn_namespace *ns;
    unsigned need;
};

/* Waits a little for a store that is locked; false: it has waited as long as --wait allows. Begin
 * with 0. */
bool session_wait(const struct invocation *call, uint64_t *waited_ms);

/* 0, or the exit code after an error was reported; then nothing is open. */
int session_begin(struct session *session, const struct invocation *call, unsigned need);

/* Closes everything and returns the code, or that of an error in closing. */
int session_end(struct session *session, int code);

/* A command that is one call on the store, about what has this name: opens it, as session_begin()
 * with SESSION_STORE and need, and closes it. The exit code. */
int session_call(const struct invocation *call, unsigned need,
                 tarn_status (*work)(tarn_store *store, struct tarn_slice name),
                 struct tarn_slice name);

/* Reports a status other than TARN_OK, TARN_KEY_NOT_FOUND as a missing key. The exit code. */
int session_status(tarn_status status);

/* Says that what was written to the namespace is gone, where it lives in memory and nothing saves
 * it. */
void session_note_memory(const struct session *session, tarn_namespace *ns, struct tarn_slice name);

struct tarn_slice slice_of(const char *text);

#endif
