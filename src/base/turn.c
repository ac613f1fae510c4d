/* A lock that is handed out in turn; see the header. */
#include "base/turn.h"
#include "base/status.h"

tarn_status tarn__turn_init(struct tarn__turn *turn)
{
    turn->asked = turn->given = 0;
    if (pthread_mutex_init(&turn->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    if (pthread_cond_init(&turn->changed, NULL) != 0) {
        pthread_mutex_destroy(&turn->lock);
        return tarn__fail(TARN_NO_MEMORY, "a condition variable could not be made");
    }
    return TARN_OK;
}

void tarn__turn_release(struct tarn__turn *turn)
{
    pthread_cond_destroy(&turn->changed);
    pthread_mutex_destroy(&turn->lock);
}

void tarn__turn_take(struct tarn__turn *turn)
{
    uint64_t number;

    pthread_mutex_lock(&turn->lock);
    number = turn->asked++;
    while (turn->given != number)
        pthread_cond_wait(&turn->changed, &turn->lock);
    pthread_mutex_unlock(&turn->lock);
}

void tarn__turn_give(struct tarn__turn *turn)
{
    pthread_mutex_lock(&turn->lock);
    turn->given++;
    pthread_cond_broadcast(&turn->changed);
    pthread_mutex_unlock(&turn->lock);
}
