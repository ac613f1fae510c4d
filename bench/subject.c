/*
 * A store under test: see subject.h.
 */
#include "subject.h"

#include <malloc.h>

#include "console.h"

void subject_open(struct subject *subject, const struct peer *peer, size_t keys_expected)
{
    subject_close(subject);
    subject->peer = peer;
    subject->store = peer->open(keys_expected);
    if (subject->store == NULL) {
        console_fail("%s: cannot open a store for %zu keys", peer->name, keys_expected);
    }
    for (size_t i = 0; i < SUBJECT_THREADS; i++) {
        subject->sessions[i] = peer->session_open(subject->store);
        if (subject->sessions[i] == NULL) {
            console_fail("%s: cannot open a session", peer->name);
        }
    }
}

void subject_close(struct subject *subject)
{
    if (subject->store == NULL) {
        return;
    }
    for (size_t i = 0; i < SUBJECT_THREADS; i++) {
        subject->peer->session_close(subject->sessions[i]);
        subject->sessions[i] = NULL;
    }
    subject->peer->close(subject->store);
    subject->store = NULL;
    (void)malloc_trim(0); /* tells only whether there was anything to give back */
}
