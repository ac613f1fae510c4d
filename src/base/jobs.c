/* A thread that does jobs; see the header. */
#include "base/jobs.h"
#include "base/memory.h"
#include "base/status.h"

#include <signal.h>
#include <time.h>

/* ------------------------------------------------------------------------------------------
 * The heap
 */

static void put_at(struct tarn__jobs *jobs, struct tarn__job *job, size_t at)
{
    jobs->heap[at] = job;
    job->at = at;
}

/* Puts a job to where it belongs, from a place that is free. */
static void sift(struct tarn__jobs *jobs, struct tarn__job *job, size_t at)
{
    while (at > 1 && jobs->heap[at / 2]->due_ns > job->due_ns) {
        put_at(jobs, jobs->heap[at / 2], at);
        at /= 2;
    }
    for (size_t child; (child = 2 * at) <= jobs->count; at = child) {
        if (child < jobs->count && jobs->heap[child + 1]->due_ns < jobs->heap[child]->due_ns)
            child++;
        if (jobs->heap[child]->due_ns >= job->due_ns)
            break;
        put_at(jobs, jobs->heap[child], at);
    }
    put_at(jobs, job, at);
}

static void take_out(struct tarn__jobs *jobs, struct tarn__job *job)
{
    struct tarn__job *last = jobs->heap[jobs->count--];
    size_t at = job->at;

    job->at = 0;
    if (last != job)
        sift(jobs, last, at);
}

/* ------------------------------------------------------------------------------------------
 * The thread
 */

/* Waits until the first job is due, or something changes. */
static void wait(struct tarn__jobs *jobs)
{
    uint64_t due_ns = jobs->count ? jobs->heap[1]->due_ns : 0;
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
                           .tv_nsec = (long)(due_ns % 1000000000)};

    if (jobs->count)
        (void)pthread_cond_clockwait(&jobs->changed, &jobs->lock, CLOCK_MONOTONIC,
                                     &due); /* in time or not: the loop looks */
    else
        pthread_cond_wait(&jobs->changed, &jobs->lock);
}

static void run_first(struct tarn__jobs *jobs)
{
    struct tarn__job *job = jobs->heap[1];

    take_out(jobs, job);
    jobs->running = job;
    atomic_store(&job->wanted_now, false);
    pthread_mutex_unlock(&jobs->lock);
    job->run(job->context);
    pthread_mutex_lock(&jobs->lock);
    jobs->running = NULL;
    pthread_cond_broadcast(&jobs->finished);
}

static bool is_due(const struct tarn__jobs *jobs)
{
    return jobs->count && jobs->heap[1]->due_ns <= jobs->monotonic_ns(jobs->clock_context);
}

static void *work(void *context)
{
    struct tarn__jobs *jobs = context;

    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping)
        if (is_due(jobs))
            run_first(jobs);
        else
            wait(jobs);
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

/* Locked. 0 or an errno. The program's signals are not this thread's business. */
static int start(struct tarn__jobs *jobs)
{
    sigset_t all, before;
    int error;

    if (jobs->started || jobs->by_hand)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&jobs->thread, NULL, work, jobs);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    jobs->started = error == 0;
    return error;
}

/* ------------------------------------------------------------------------------------------
 * What the others call
 */

tarn_status tarn__jobs_init(struct tarn__jobs *jobs, uint64_t (*monotonic_ns)(const void *context),
                            const void *clock_context)
{
    *jobs = (struct tarn__jobs){.monotonic_ns = monotonic_ns, .clock_context = clock_context};
    if (pthread_mutex_init(&jobs->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    if (pthread_cond_init(&jobs->changed, NULL) != 0)
        goto without_changed;
    if (pthread_cond_init(&jobs->finished, NULL) == 0)
        return TARN_OK;
    pthread_cond_destroy(&jobs->changed);
without_changed:
    pthread_mutex_destroy(&jobs->lock);
    return tarn__fail(TARN_NO_MEMORY, "a condition variable could not be made");
}

void tarn__jobs_stop(struct tarn__jobs *jobs)
{
    bool started;

    pthread_mutex_lock(&jobs->lock);
    started = jobs->started;
    jobs->stopping = true;
    pthread_cond_signal(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
    if (started)
        (void)pthread_join(jobs->thread, NULL); /* it was created and never joined */
    pthread_cond_destroy(&jobs->finished);
    pthread_cond_destroy(&jobs->changed);
    pthread_mutex_destroy(&jobs->lock);
    tarn__free(jobs->heap);
}

tarn_status tarn__jobs_start(struct tarn__jobs *jobs)
{
    int error;

    pthread_mutex_lock(&jobs->lock);
    error = start(jobs);
    pthread_mutex_unlock(&jobs->lock);
    return error ? tarn__fail_system(TARN_NO_MEMORY, error,
                                     "a thread of the store's own cannot be started")
                 : TARN_OK;
}

/* Room for one more than there are, and for place 0. */
static tarn_status make_room(struct tarn__jobs *jobs)
{
    size_t capacity = jobs->capacity ? 2 * jobs->capacity : 8;
    struct tarn__job **heap;

    if (jobs->added + 2 <= jobs->capacity)
        return TARN_OK;
    heap = tarn__reallocate(jobs->heap, capacity * sizeof(struct tarn__job *));
    if (!heap)
        return TARN_NO_MEMORY;
    jobs->heap = heap;
    jobs->capacity = capacity;
    return TARN_OK;
}

tarn_status tarn__jobs_add(struct tarn__jobs *jobs, struct tarn__job *job,
                           void (*run)(void *context), void *context)
{
    tarn_status status;

    *job = (struct tarn__job){.run = run, .context = context};
    pthread_mutex_lock(&jobs->lock);
    status = make_room(jobs);
    jobs->added += status == TARN_OK;
    pthread_mutex_unlock(&jobs->lock);
    return status;
}

void tarn__jobs_remove(struct tarn__jobs *jobs, struct tarn__job *job)
{
    pthread_mutex_lock(&jobs->lock);
    job->ending = true;
    if (job->at)
        take_out(jobs, job);
    while (jobs->running == job)
        pthread_cond_wait(&jobs->finished, &jobs->lock);
    jobs->added--;
    pthread_mutex_unlock(&jobs->lock);
}

void tarn__jobs_want(struct tarn__jobs *jobs, struct tarn__job *job, uint64_t due_ns)
{
    pthread_mutex_lock(&jobs->lock);
    if (!job->ending && (!job->at || job->due_ns > due_ns)) {
        size_t at = job->at ? job->at : ++jobs->count;

        job->due_ns = due_ns;
        sift(jobs, job, at);
        if (job->at == 1)
            pthread_cond_signal(&jobs->changed);
    }
    if (start(jobs))
        atomic_store(&job->wanted_now, false);
    pthread_mutex_unlock(&jobs->lock);
}

void tarn__jobs_run_due(struct tarn__jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    while (is_due(jobs))
        run_first(jobs);
    pthread_mutex_unlock(&jobs->lock);
}

void tarn__jobs_wake(struct tarn__jobs *jobs, struct tarn__job *job)
{
    if (!atomic_exchange(&job->wanted_now, true))
        tarn__jobs_want(jobs, job, 0);
}
