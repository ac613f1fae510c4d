/* The store's own thread; see the header. */
#include "store/maintenance.h"
#include "base/status.h"

#include <signal.h>

tarn_status tarn__maintenance_init(struct tarn__maintenance *maintenance, struct tarn__pages *pages)
{
    maintenance->pages = pages;
    maintenance->started = maintenance->stopping = false;
    atomic_init(&maintenance->wanted, false);
    if (pthread_mutex_init(&maintenance->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    if (pthread_cond_init(&maintenance->changed, NULL) != 0) {
        pthread_mutex_destroy(&maintenance->lock);
        return tarn__fail(TARN_NO_MEMORY, "a condition variable could not be made");
    }
    return TARN_OK;
}

static void *run(void *context)
{
    struct tarn__maintenance *maintenance = context;

    pthread_mutex_lock(&maintenance->lock);
    while (!maintenance->stopping) {
        if (!atomic_exchange(&maintenance->wanted, false)) {
            pthread_cond_wait(&maintenance->changed, &maintenance->lock);
            continue;
        }
        pthread_mutex_unlock(&maintenance->lock);
        tarn__pages_prepare(maintenance->pages);
        pthread_mutex_lock(&maintenance->lock);
    }
    pthread_mutex_unlock(&maintenance->lock);
    return NULL;
}

/* The program's signals are not this thread's business. */
static bool start(struct tarn__maintenance *maintenance)
{
    sigset_t all, before;
    bool started;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&maintenance->thread, NULL, run, maintenance) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void tarn__maintenance_wake(void *context)
{
    struct tarn__maintenance *maintenance = context;

    if (atomic_exchange(&maintenance->wanted, true))
        return;
    pthread_mutex_lock(&maintenance->lock);
    if (!maintenance->started)
        maintenance->started = start(maintenance);
    if (maintenance->started)
        pthread_cond_signal(&maintenance->changed);
    else
        atomic_store(&maintenance->wanted, false);
    pthread_mutex_unlock(&maintenance->lock);
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
