/*
 * A store under test: which it is, its open store, and a session for each thread that uses it.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "peer.h"

enum {
    SUBJECT_THREADS = 2, /* that use a store in memory */
    SUBJECT_SESSIONS_MAX = 16,
};

struct subject {
    const struct peer *peer;
    void *store; /* NULL while none is open */
    size_t session_count;
    void *sessions[SUBJECT_SESSIONS_MAX];
};

/* Opens an empty store in memory in place of the one that was open, and gives freed memory back to
 * the operating system, so that every load begins as in a fresh process. Gives up on failure. */
void subject_open(struct subject *subject, const struct peer *peer, size_t keys_expected);

/* The same for any store, with so many sessions: up to SUBJECT_SESSIONS_MAX. */
void subject_open_as(struct subject *subject, const struct peer *peer,
                     const struct peer_setup *setup, size_t sessions);

/* One that is not open is allowed. */
void subject_close(struct subject *subject);

#endif
