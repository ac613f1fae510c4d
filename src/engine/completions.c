/* Callers of asynchronous writes; see the header. */
#include "engine/completions.h"
#include "base/memory.h"
#include "base/status.h"

void tarn__completion_row_add(struct tarn__completion_row *row, struct tarn__completion *last)
{
    last->next = NULL;
    if (row->first)
        row->last->next = last;
    else
        row->first = last;
    row->last = last;
}

struct tarn__completion *tarn__completion_row_take(struct tarn__completion_row *row)
{
    struct tarn__completion *first = row->first;

    row->first = first->next;
    return first;
}

tarn_status tarn__completions_init(struct tarn__completions *completions, const struct tarn__os *os)
{
    completions->os = os;
    if (pthread_mutex_init(&completions->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    if (pthread_cond_init(&completions->told, NULL) == 0)
        return TARN_OK;
    pthread_mutex_destroy(&completions->lock);
    return tarn__fail(TARN_NO_MEMORY, "a condition variable could not be made");
}

void tarn__completions_release(struct tarn__completions *completions)
{
    if (completions->has_event)
        completions->os->event_close(completions->os, completions->event);
    pthread_cond_destroy(&completions->told);
    pthread_mutex_destroy(&completions->lock);
}

tarn_status tarn__completions_event(struct tarn__completions *completions, int *event)
{
    const struct tarn__os *os = completions->os;
    tarn_status status = TARN_OK;

    pthread_mutex_lock(&completions->lock);
    if (!completions->has_event) {
        status = tarn__event_make(os, &completions->event);
        completions->has_event = status == TARN_OK;
        if (!status && completions->done.first)
            os->event_set(os, completions->event);
    }
    if (!status)
        *event = completions->event;
    pthread_mutex_unlock(&completions->lock);
    return status;
}

void tarn__completions_add(struct tarn__completions *completions, struct tarn__completion_row *row)
{
    struct tarn__completion_row *done = &completions->done;

    if (!row->first)
        return;
    pthread_mutex_lock(&completions->lock);
    if (done->first) {
        done->last->next = row->first;
    } else {
        done->first = row->first;
        if (completions->has_event)
            completions->os->event_set(completions->os, completions->event);
    }
    done->last = row->last;
    pthread_mutex_unlock(&completions->lock);
    row->first = NULL;
}

void tarn__completions_add_one(struct tarn__completions *completions,
                               struct tarn__completion *completion)
{
    struct tarn__completion_row row = {.first = completion, .last = completion};

    completion->next = NULL;
    completion->status = TARN_OK;
    tarn__completions_add(completions, &row);
}

/* Takes the first so many away. Locked. */
static struct tarn__completion *take(struct tarn__completions *completions, size_t count_max)
{
    struct tarn__completion_row *done = &completions->done;
    struct tarn__completion *first = done->first, *last = first;

    if (!first)
        return NULL;
    if (!count_max)
        last = done->last;
    for (size_t i = 1; last->next && i < count_max; i++)
        last = last->next;
    done->first = last->next;
    last->next = NULL;
    if (!done->first && completions->has_event)
        completions->os->event_clear(completions->os, completions->event);
    return first;
}

static size_t tell(struct tarn__completion *next)
{
    size_t told = 0;

    for (; next; told++) {
        struct tarn__completion completion = *next;

        tarn__free(next);
        next = completion.next;
        if (completion.status)
            (void)tarn__outcome(completion.status); /* for tarn_last_error() */
        completion.done(completion.context, completion.status);
    }
    return told;
}

tarn_status tarn__completions_tell(struct tarn__completions *completions, size_t count_max,
                                   size_t *told)
{
    struct tarn__completion *first;

    if (tarn__completions_telling(completions))
        return tarn__fail(TARN_BUSY,
                          "tarn_events_dispatch() in a callback of an asynchronous write");
    pthread_mutex_lock(&completions->lock);
    while (completions->telling)
        pthread_cond_wait(&completions->told, &completions->lock);
    first = take(completions, count_max);
    completions->telling = true;
    completions->teller = pthread_self();
    pthread_mutex_unlock(&completions->lock);
    *told = tell(first);
    pthread_mutex_lock(&completions->lock);
    completions->telling = false;
    pthread_cond_signal(&completions->told);
    pthread_mutex_unlock(&completions->lock);
    return TARN_OK;
}

bool tarn__completions_telling(struct tarn__completions *completions)
{
    bool telling;

    pthread_mutex_lock(&completions->lock);
    telling = completions->telling && pthread_equal(completions->teller, pthread_self());
    pthread_mutex_unlock(&completions->lock);
    return telling;
}
