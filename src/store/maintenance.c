/* The store's own thread; see the header. */
#include "store/maintenance.h"
#include "base/status.h"

#include <signal.h>
#include <time.h>

tarn_status tarn__maintenance_init(struct tarn__maintenance *maintenance, struct tarn__pages *pages)
{
    maintenance->pages = pages;
    maintenance->started = maintenance->stopping = maintenance->begun = false;
    atomic_init(&maintenance->wanted, false);
    if (pthread_mutex_init(&maintenance->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    if (pthread_cond_init(&maintenance->changed, NULL) != 0) {
        pthread_mutex_destroy(&maintenance->lock);
        return tarn__fail(TARN_NO_MEMORY, "a condition variable could not be made");
    }
    return TARN_OK;
}

/* Waits for a wake, or until something is due, if due_ns is not 0. */
static void wait_until(struct tarn__maintenance *maintenance, uint64_t due_ns)
{
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
                           .tv_nsec = (long)(due_ns % 1000000000)};

    if (due_ns)
        (void)pthread_cond_clockwait(&maintenance->changed, &maintenance->lock, CLOCK_MONOTONIC,
                                     &due); /* in time or not: the loop looks */
    else
        pthread_cond_wait(&maintenance->changed, &maintenance->lock);
}

/* Does what is due, and says when the next is. */
static uint64_t do_what_is_due(struct tarn__maintenance *maintenance)
{
    const struct tarn__os *os = maintenance->os;
    uint64_t due_ns = maintenance->due(maintenance->context);

    if (!due_ns || os->monotonic_ns(os) < due_ns)
        return due_ns;
    maintenance->work(maintenance->context);
    return maintenance->due(maintenance->context);
}

static void *run(void *context)
{
    struct tarn__maintenance *maintenance = context;
    uint64_t due_ns;

    pthread_mutex_lock(&maintenance->lock);
    while (!maintenance->stopping) {
        bool wanted = atomic_exchange(&maintenance->wanted, false);
        bool begun = maintenance->begun;

        pthread_mutex_unlock(&maintenance->lock);
        if (wanted)
            tarn__pages_prepare(maintenance->pages);
        due_ns = begun ? do_what_is_due(maintenance) : 0;
        pthread_mutex_lock(&maintenance->lock);
        if (!maintenance->stopping && !atomic_load(&maintenance->wanted))
            wait_until(maintenance, due_ns);
    }
    pthread_mutex_unlock(&maintenance->lock);
    return NULL;
}

/* The program's signals are not this thread's business. */
static int create(struct tarn__maintenance *maintenance)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&maintenance->thread, NULL, run, maintenance);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Has the thread do a round, and makes it first if there is none yet; else an errno. */
static int start(struct tarn__maintenance *maintenance)
{
    int error = 0;

    pthread_mutex_lock(&maintenance->lock);
    if (!maintenance->started)
        error = create(maintenance);
    maintenance->started = error == 0;
    atomic_store(&maintenance->wanted, maintenance->started);
    pthread_cond_signal(&maintenance->changed);
    pthread_mutex_unlock(&maintenance->lock);
    return error;
}

tarn_status tarn__maintenance_start(struct tarn__maintenance *maintenance)
{
    int error = start(maintenance);

    return error ? tarn__fail_system(TARN_NO_MEMORY, error,
                                     "the store's thread, which autosaves need, cannot be started")
                 : TARN_OK;
}

tarn_status tarn__maintenance_begin(struct tarn__maintenance *maintenance,
                                    const struct tarn__os *os, uint64_t (*due)(void *context),
                                    void (*work)(void *context), void *context)
{
    pthread_mutex_lock(&maintenance->lock);
    maintenance->os = os;
    maintenance->work = work;
    maintenance->context = context;
    maintenance->due = due;
    maintenance->begun = true;
    pthread_mutex_unlock(&maintenance->lock);
    return due(context) ? tarn__maintenance_start(maintenance) : TARN_OK;
}

void tarn__maintenance_wake(void *context)
{
    struct tarn__maintenance *maintenance = context;

    if (!atomic_exchange(&maintenance->wanted, true))
        (void)start(maintenance);
}

void tarn__maintenance_stop(struct tarn__maintenance *maintenance)
{
    bool started;

    pthread_mutex_lock(&maintenance->lock);
    started = maintenance->started;
    maintenance->stopping = true;
    pthread_cond_signal(&maintenance->changed);
    pthread_mutex_unlock(&maintenance->lock);
    if (started)
        (void)pthread_join(maintenance->thread, NULL); /* it was created and never joined */
    pthread_cond_destroy(&maintenance->changed);
    pthread_mutex_destroy(&maintenance->lock);
}
