/*
 * How long loops take: see timing.h.
 */
#include "timing.h"

#include <pthread.h>

#include "clock.h"
#include "console.h"

enum { THREADS_MAX = 16 };

double timing_run(loop_body *body, const struct loop *loop)
{
    const uint64_t begin_ns = clock_wall_ns();
    body(loop);
    return (double)(clock_wall_ns() - begin_ns) / (double)loop->count;
}

struct runner {
    pthread_t thread;
    pthread_barrier_t *start;
    loop_body *body;
    const struct loop *loop;
    uint64_t begin_ns;
    uint64_t end_ns;
};

static void *runner_main(void *context)
{
    struct runner *runner = context;
    /* One of the threads is told that it is the last; that is of no interest. */
    (void)pthread_barrier_wait(runner->start);
    runner->begin_ns = clock_wall_ns();
    runner->body(runner->loop);
    runner->end_ns = clock_wall_ns();
    return NULL;
}

double timing_run_threads(loop_body *body, const struct loop *loops, size_t threads)
{
    struct runner runners[THREADS_MAX];
    pthread_barrier_t start;
    if (threads == 0 || threads > THREADS_MAX ||
        pthread_barrier_init(&start, NULL, (unsigned)threads) != 0) {
        console_fail("cannot prepare %zu threads", threads);
    }
    for (size_t i = 0; i < threads; i++) {
        runners[i] = (struct runner){.start = &start, .body = body, .loop = &loops[i]};
        if (pthread_create(&runners[i].thread, NULL, runner_main, &runners[i]) != 0) {
            console_fail("cannot start a thread");
        }
    }
    uint64_t begin_ns = UINT64_MAX;
    uint64_t end_ns = 0;
    size_t operations = 0;
    for (size_t i = 0; i < threads; i++) {
        (void)pthread_join(runners[i].thread, NULL); /* fails only for a thread that is not ours */
        begin_ns = runners[i].begin_ns < begin_ns ? runners[i].begin_ns : begin_ns;
        end_ns = runners[i].end_ns > end_ns ? runners[i].end_ns : end_ns;
        operations += loops[i].count;
    }
    (void)pthread_barrier_destroy(&start);
    return (double)(end_ns - begin_ns) / (double)operations;
}
