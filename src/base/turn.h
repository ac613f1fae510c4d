/*
 * A lock that is handed out in the order in which it was asked for. For work of milliseconds and
 * more: who does one piece after the other, as autosaves do, cannot keep the others waiting through
 * all of them, as it could with a mutex.
 */
#ifndef TARN_BASE_TURN_H
#define TARN_BASE_TURN_H

#include "tarn.h"

#include <pthread.h>

struct tarn__turn {
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    uint64_t asked, given; /* the one that is handed out has the number `given` */
};

/* TARN_NO_MEMORY. */
tarn_status tarn__turn_init(struct tarn__turn *turn);
void tarn__turn_release(struct tarn__turn *turn);

void tarn__turn_take(struct tarn__turn *turn);
void tarn__turn_give(struct tarn__turn *turn);

#endif
