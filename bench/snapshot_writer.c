/*
 * A thread that overwrites keys: see snapshot_writer.h.
 */
#include "snapshot_writer.h"

#include <time.h>

#include "clock.h"
#include "console.h"
#include "plan.h"

/* Sets before the clock starts; sets from one look at the memory to the next. */
enum { WARM_UP_SETS = 1000, SAMPLE_PERIOD = 4096 };

static void sample_memory(struct snapshot_writer *writer)
{
    const uint64_t bytes = snapshot_store_memory_bytes(writer->store);
    if (bytes > writer->memory_bytes_most) {
        writer->memory_bytes_most = bytes;
    }
}

static void *writer_main(void *context)
{
    struct snapshot_writer *writer = context;
    const uint32_t keys = writer->store->keys;
    struct workload_value value;
    uint32_t place = 0;
    workload_value_init(&value, PLAN_VALUE_BYTES);
    for (; place < WARM_UP_SETS && place < keys; place++) {
        snapshot_store_set(writer->store, &value, writer->order[place]);
    }
    atomic_store(&writer->running, true);
    uint64_t sets = 0;
    const uint64_t begin_ns = clock_wall_ns();
    uint64_t last_ns = begin_ns;
    do {
        place = place < keys ? place : 0;
        snapshot_store_set(writer->store, &value, writer->order[place++]);
        const uint64_t now_ns = clock_wall_ns();
        if (now_ns - last_ns > writer->longest_ns) {
            writer->longest_ns = now_ns - last_ns;
        }
        last_ns = now_ns;
        sets++;
        if (writer->samples_memory && sets % SAMPLE_PERIOD == 0) {
            sample_memory(writer);
        }
    } while (!atomic_load_explicit(&writer->stopped, memory_order_relaxed));
    writer->ns_per_set = (double)(last_ns - begin_ns) / (double)sets;
    return NULL;
}

void snapshot_writer_start(struct snapshot_writer *writer)
{
    const struct timespec moment = {.tv_nsec = 100000};
    atomic_init(&writer->running, false);
    atomic_init(&writer->stopped, false);
    writer->longest_ns = 0;
    writer->memory_bytes_most = 0;
    if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0) {
        console_fail("cannot start a thread");
    }
    while (!atomic_load(&writer->running)) {
        (void)nanosleep(&moment, NULL); /* a shorter sleep does no harm */
    }
}

void snapshot_writer_stop(struct snapshot_writer *writer)
{
    atomic_store(&writer->stopped, true);
    (void)pthread_join(writer->thread, NULL); /* fails only for a thread that is not ours */
}
