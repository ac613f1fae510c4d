/*
 * A thread that does what writers should not wait for: jobs, each when it is due, one at a time.
 * It is started with the first job that is wanted, and has all signals blocked.
 *
 *     added -> wanted, at a time -> running -> wanted again, or not -> ... -> removed
 *
 * Any thread may call anything here, unless it is said otherwise.
 */
#ifndef TARN_BASE_JOBS_H
#define TARN_BASE_JOBS_H

#include "tarn.h"

#include <pthread.h>
#include <stdatomic.h>

struct tarn__job {
    void (*run)(void *context); /* no lock is held */
    void *context;
    _Atomic bool wanted_now; /* most calls of tarn__jobs_wake() find it set and return */
    bool ending;             /* under the lock of the jobs, as the next: it is being removed */
    uint64_t due_ns;
    size_t at; /* in the heap, from 1; 0: it is not wanted */
};

struct tarn__jobs {
    uint64_t (*monotonic_ns)(const void *context);
    const void *clock_context;

    pthread_mutex_t lock; /* all that follows */
    pthread_cond_t changed, finished;
    pthread_t thread;
    bool started, stopping;
    bool by_hand; /* no thread is started: see tarn__jobs_run_due() */
    struct tarn__job *running;
    struct tarn__job **heap; /* those that are wanted: of heap[i], heap[i / 2] is due before; from 1
                              */
    size_t count, added, capacity;
};

/* TARN_NO_MEMORY. */
tarn_status tarn__jobs_init(struct tarn__jobs *jobs, uint64_t (*monotonic_ns)(const void *context),
                            const void *clock_context);

/* Ends the thread, after the job that it is at. Nothing else is called afterwards. */
void tarn__jobs_stop(struct tarn__jobs *jobs);

/* Makes sure that there is a thread. TARN_NO_MEMORY. */
tarn_status tarn__jobs_start(struct tarn__jobs *jobs);

/* Makes a job known, which is not wanted yet. TARN_NO_MEMORY. */
tarn_status tarn__jobs_add(struct tarn__jobs *jobs, struct tarn__job *job,
                           void (*run)(void *context), void *context);

/* Takes it out; waits for it where it is running. Not from a job, nor with a lock that it takes. */
void tarn__jobs_remove(struct tarn__jobs *jobs, struct tarn__job *job);

/* Wants it at a time on the monotonic clock, or earlier if it was wanted earlier. Where no thread
 * can be started it waits for the next call that can. */
void tarn__jobs_want(struct tarn__jobs *jobs, struct tarn__job *job, uint64_t due_ns);

/* Runs what is due, in this thread: for those who want no other one (`by_hand`, which is set before
 * anything is wanted), so that all happens in the same order each time. */
void tarn__jobs_run_due(struct tarn__jobs *jobs);

/* Wants it as soon as can be; cheap where it is already. */
void tarn__jobs_wake(struct tarn__jobs *jobs, struct tarn__job *job);

#endif
