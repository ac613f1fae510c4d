/*
 * A store under test: see subject.h.
 */
#include "subject.h"

#include <malloc.h>

#include "console.h"

void subject_open(struct subject *subject, const struct peer *peer, size_t keys_expected)
{
    const struct peer_setup setup = {.keys_expected = keys_expected};
    subject_open_as(subject, peer, &setup, SUBJECT_THREADS);
}

void subject_open_as(struct subject *subject, const struct peer *peer,
                     const struct peer_setup *setup, size_t sessions)
{
    subject_close(subject);
    subject->peer = peer;
    subject->store = peer->open(setup);
    if (subject->store == NULL) {
        console_fail("%s: cannot open a store for %zu keys", peer->name, setup->keys_expected);
    }
    subject->session_count = sessions;
    for (size_t i = 0; i < sessions; i++) {
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
    for (size_t i = 0; i < subject->session_count; i++) {
        subject->peer->session_close(subject->sessions[i]);
        subject->sessions[i] = NULL;
    }
    subject->peer->close(subject->store);
    subject->store = NULL;
    (void)malloc_trim(0); /* tells only whether there was anything to give back */
}
