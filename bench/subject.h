/*
 * A store under test: which it is, its open store, and a session for each thread that uses it.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "peer.h"

enum { SUBJECT_THREADS = 2 };

struct subject {
    const struct peer *peer;
    void *store; /* NULL while none is open */
    void *sessions[SUBJECT_THREADS];
};

/* Opens an empty store in place of the one that was open, and gives freed memory back to the
 * operating system, so that every load begins as in a fresh process. Gives up on failure. */
void subject_open(struct subject *subject, const struct peer *peer, size_t keys_expected);

/* One that is not open is allowed. */
void subject_close(struct subject *subject);

#endif
