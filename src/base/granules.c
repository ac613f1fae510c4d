/* A space of locations; see the header. */
#include "base/granules.h"
#include "base/status.h"

#include <string.h>

/* A run that is wished is not given so far behind all others: the table has a place for each
 * granule, and a file can wish anything. */
#define AHEAD_MAX ((uint32_t)1 << 16)

tarn_status tarn__granules_init(struct tarn__granules *granules)
{
    memset(granules, 0, sizeof *granules);
    if (pthread_mutex_init(&granules->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    return TARN_OK;
}

void tarn__granules_release(struct tarn__granules *granules)
{
    tarn__pointer_table_release(&granules->owners);
    pthread_mutex_destroy(&granules->lock);
}

static bool is_free(struct tarn__granules *granules, uint32_t granule)
{
    return granule >= granules->seen || !tarn__granules_owner(granules, granule);
}

/* How many granules from one on are free, if they are fewer than count; else count. */
static uint32_t free_from(struct tarn__granules *granules, uint32_t first, uint32_t count)
{
    uint32_t free = 0;

    while (free < count && is_free(granules, first + free))
        free++;
    return free;
}

/* The first run that is long enough. */
static bool find(struct tarn__granules *granules, uint32_t count, uint32_t *first)
{
    uint32_t at = granules->maybe_free;

    while (at < granules->seen && !is_free(granules, at))
        at++;
    granules->maybe_free = at;
    while (at <= TARN__GRANULES_MAX - count) {
        uint32_t free = free_from(granules, at, count);

        *first = at;
        if (free == count)
            return true;
        at += free + 1;
    }
    return false;
}

static tarn_status enter(struct tarn__granules *granules, uint32_t first, uint32_t count,
                         void *owner)
{
    tarn_status status = TARN_OK;

    /* the last one first: with room for it there is room for all */
    for (uint32_t i = first + count; i > first && !status; i--)
        status = tarn__pointer_table_set(&granules->owners, i - 1, owner);
    if (!status && first + count > granules->seen)
        granules->seen = first + count;
    return status;
}

tarn_status tarn__granules_take(struct tarn__granules *granules, uint32_t count, uint32_t wished,
                                void *owner, uint32_t *first)
{
    tarn_status status = TARN_FULL;
    uint32_t at = wished;
    bool found = false;

    if (count <= TARN__GRANULES_MAX) {
        pthread_mutex_lock(&granules->lock);
        found = wished <= TARN__GRANULES_MAX - count && wished <= granules->seen + AHEAD_MAX &&
                free_from(granules, wished, count) == count;
        found = found || find(granules, count, &at);
        status = found ? enter(granules, at, count, owner) : TARN_FULL;
        pthread_mutex_unlock(&granules->lock);
    }
    if (!status)
        *first = at;
    return status == TARN_FULL ? tarn__fail(TARN_FULL,
                                            "the store has no place for %llu bytes more "
                                            "in its files",
                                            (unsigned long long)count << 16)
                               : status;
}

void tarn__granules_give(struct tarn__granules *granules, uint32_t first, uint32_t count)
{
    pthread_mutex_lock(&granules->lock);
    for (uint32_t i = 0; i < count; i++)
        (void)tarn__pointer_table_set(&granules->owners, first + i, NULL); /* was set before */
    if (first < granules->maybe_free)
        granules->maybe_free = first;
    pthread_mutex_unlock(&granules->lock);
}
