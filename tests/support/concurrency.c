/*
 * Threads for tests: see concurrency.h. The first fault is written by one thread alone, whoever
 * sets failed, and read after all were joined.
 */
#include "support/concurrency.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/fixture.h"

static void *start(void *context)
{
    struct worker *worker = context;

    while (!atomic_load(&worker->contest->begun))
        sched_yield();
    worker->work(worker);
    return NULL;
}

void contest_add(struct contest *contest, unsigned count, void (*work)(struct worker *worker),
                 void *context, uint64_t seed)
{
    for (unsigned i = 0; i < count; i++) {
        struct worker *worker = &contest->workers[contest->count];

        if (contest->count == CONTEST_WORKERS_MAX)
            abort();
        *worker = (struct worker){.contest = contest, .context = context, .work = work};
        worker->index = contest->count++;
        worker->random = seed + worker->index;
        (void)random_next(&worker->random);
        if (pthread_create(&worker->thread, NULL, start, worker) != 0)
            abort();
    }
}

void contest_begin(struct contest *contest)
{
    atomic_store(&contest->begun, true);
}

void contest_join(struct contest *contest, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        if (!contest->workers[i].contest)
            continue;
        pthread_join(contest->workers[i].thread, NULL);
        contest->workers[i].contest = NULL;
    }
}

void contest_end(struct contest *contest)
{
    contest_begin(contest);
    atomic_store(&contest->stop, true);
    contest_join(contest, 0, contest->count);
    if (atomic_load(&contest->failed))
        fail_msg("%s", contest->message);
}

void contest_run_for(struct contest *contest, unsigned milliseconds)
{
    struct timespec pause = {.tv_nsec = 1000000};

    contest_begin(contest);
    for (unsigned i = 0; i < milliseconds && !atomic_load(&contest->stop); i++)
        nanosleep(&pause, NULL);
    contest_end(contest);
}

bool contest_goes_on(struct worker *worker)
{
    return !atomic_load_explicit(&worker->contest->stop, memory_order_relaxed);
}

void contest_fail(struct worker *worker, const char *format, ...)
{
    struct contest *contest = worker->contest;
    va_list arguments;

    if (!atomic_exchange(&contest->failed, true)) {
        va_start(arguments, format);
        vsnprintf(contest->message, sizeof contest->message, format, arguments);
        va_end(arguments);
    }
    atomic_store(&contest->stop, true);
}

static uint64_t checksum_of(const unsigned char *bytes, size_t length)
{
    uint64_t sum = length;

    for (size_t i = 0; i < length; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3;
    return sum;
}

struct tarn_slice checked_value(unsigned char *room, uint64_t number, unsigned spread)
{
    uint64_t random = number, length = 16 + random_next(&random) % (spread + 1), sum;

    memcpy(room + 8, &number, 8);
    for (uint64_t i = 16; i < length; i++)
        room[i] = (unsigned char)(random >> (i % 57));
    sum = checksum_of(room + 8, (size_t)length - 8);
    memcpy(room, &sum, 8);
    return tarn_slice_of(room, (size_t)length);
}

bool checked_value_read(struct tarn_slice value, uint64_t *number)
{
    const unsigned char *bytes = value.data;
    uint64_t sum;

    if (value.length < 16)
        return false;
    memcpy(&sum, bytes, 8);
    memcpy(number, bytes + 8, 8);
    return sum == checksum_of(bytes + 8, value.length - 8);
}

uint64_t scaled(uint64_t number)
{
    return number * environment_number("TARN_TEST_SCALE", 1);
}
