/*
 * The store's own thread: does what writers should not wait for. It is started when it is first
 * needed, and ends with the store. It prepares memory ahead (see base/pages.h), and does work that
 * is due at a time (autosaves).
 */
#ifndef TARN_STORE_MAINTENANCE_H
#define TARN_STORE_MAINTENANCE_H

#include "base/pages.h"
#include "os/os.h"

struct tarn__maintenance {
    struct tarn__pages *pages;
    _Atomic bool wanted;  /* there is work; most calls of wake find it set and return */
    pthread_mutex_t lock; /* all that follows */
    pthread_cond_t changed;
    pthread_t thread;
    bool started, stopping;
    bool begun; /* what follows is set, and does not change any more */

    /* Work that is due at a time. Loading at the opening may start the thread before it is set. */
    const struct tarn__os *os;
    uint64_t (*due)(void *context); /* when, on the monotonic clock; 0: nothing is */
    void (*work)(void *context);
    void *context;
};

tarn_status tarn__maintenance_init(struct tarn__maintenance *maintenance,
                                   struct tarn__pages *pages);

/* From now on the thread does what is due. due is asked after each round, so a change of it needs a
 * call of wake. TARN_NO_MEMORY: something is due one day, and no thread can be started. */
tarn_status tarn__maintenance_begin(struct tarn__maintenance *maintenance,
                                    const struct tarn__os *os, uint64_t (*due)(void *context),
                                    void (*work)(void *context), void *context);

/* Asks for a round, and makes sure that there is a thread that does it. TARN_NO_MEMORY. */
tarn_status tarn__maintenance_start(struct tarn__maintenance *maintenance);

/* Asks for a round of work. Any thread; returns at once. Where no thread can be started, the work
 * stays with the writers. context is the maintenance. */
void tarn__maintenance_wake(void *context);

/* Ends the thread after the round that it is in. wake is not called any more. */
void tarn__maintenance_stop(struct tarn__maintenance *maintenance);

#endif
