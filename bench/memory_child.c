/*
 * The child's half of measuring memory: see memory.h. It runs in a process that has done nothing
 * else.
 */
#include "memory_child.h"

#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "loops.h"
#include "memory.h"
#include "subject.h"
#include "workload.h"

/* Keys that are written at a time, so that the order of access itself takes little memory. */
enum { ORDER_COUNT = 65536 };

bool memory_numbers_read(FILE *input, struct memory_numbers *numbers)
{
    return fscanf(input, "%lf %lf %lf %lf", &numbers->reported_bytes[0],
                  &numbers->resident_bytes[0], &numbers->reported_bytes[1],
                  &numbers->resident_bytes[1]) == 2 * MEMORY_MOMENTS;
}

/* The resident set of this process. Read from smaps_rollup, which counts the pages; the numbers in
 * statm lag behind by up to 64 pages for each CPU. */
static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    double kib = -1;
    while (file != NULL && kib < 0 && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Rss: %lf kB", &kib) != 1) {
            kib = -1;
        }
    }
    if (kib < 0) {
        console_fail("cannot read the resident set from /proc/self/smaps_rollup");
    }
    (void)fclose(file);
    return kib * 1024;
}

static void take_numbers(const struct subject *subject, double resident_before,
                         struct memory_numbers *numbers, size_t moment)
{
    numbers->resident_bytes[moment] = resident_bytes() - resident_before;
    numbers->reported_bytes[moment] = 0;
    if (subject->peer->memory_bytes != NULL) {
        const uint64_t reported = subject->peer->memory_bytes(subject->store);
        if (reported == UINT64_MAX) {
            console_fail("%s does not tell its memory", subject->peer->name);
        }
        numbers->reported_bytes[moment] = (double)reported;
    }
}

/* Writes keys of a permutation of all keys, from the one at begin on; count of them. */
static void write_part(struct loop *loop, uint32_t *order, size_t begin, uint32_t keys)
{
    /* An affine bijection: a prime above every number of keys here, so it has no common factor. */
    const uint64_t stride = 2654435761u;
    for (size_t i = 0; i < loop->count; i++) {
        order[i] = (uint32_t)((begin + i) * stride % keys);
    }
    loop_set(loop);
}

/* The same for draws with repetition. */
static void overwrite_part(struct loop *loop, uint32_t *order, size_t begin, uint32_t keys)
{
    for (size_t i = 0; i < loop->count; i++) {
        order[i] = (uint32_t)(workload_mix(begin + i) % keys);
    }
    loop_set(loop);
}

static void write_all(struct loop loop, uint32_t *order, size_t count, uint32_t keys,
                      void (*write)(struct loop *, uint32_t *, size_t, uint32_t))
{
    for (size_t begin = 0; begin < count; begin += ORDER_COUNT) {
        loop.count = count - begin < ORDER_COUNT ? count - begin : ORDER_COUNT;
        write(&loop, order, begin, keys);
    }
}

static void measure_records(const struct peer *peer, uint32_t keys, size_t value_bytes,
                            struct memory_numbers *numbers)
{
    uint32_t *order = console_allocate(ORDER_COUNT * sizeof order[0]);
    memset(order, 0, ORDER_COUNT * sizeof order[0]); /* its pages are there before the store's */
    struct subject subject = {.store = NULL};
    const double before = resident_bytes();
    subject_open(&subject, peer, keys);
    const struct loop loop = {.peer = peer,
                              .session = subject.sessions[0],
                              .order = order,
                              .value_bytes = value_bytes,
                              .version = 1};
    write_all(loop, order, keys, keys, write_part);
    take_numbers(&subject, before, numbers, 0);
    write_all(loop, order, (size_t)keys * MEMORY_OVERWRITES_PER_KEY, keys, overwrite_part);
    take_numbers(&subject, before, numbers, 1);
    subject_close(&subject);
    free(order);
}

static void measure_namespaces(const struct peer *peer, size_t count,
                               struct memory_numbers *numbers)
{
    struct subject subject = {.store = NULL};
    subject_open(&subject, peer, 0);
    const double before = resident_bytes();
    if (peer->add_namespaces(subject.store, count) != PEER_OK) {
        console_fail("%s: cannot make %zu namespaces", peer->name, count);
    }
    numbers->reported_bytes[0] = 0;
    numbers->resident_bytes[0] = resident_bytes() - before;
    numbers->reported_bytes[1] = numbers->reported_bytes[0];
    numbers->resident_bytes[1] = numbers->resident_bytes[0];
    subject_close(&subject);
}

static const struct peer *peer_find(const char *name)
{
    const struct peer *peers[] = {&peer_tarn, &peer_tkrzw, &peer_unordered_map};
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        if (strcmp(peers[i]->name, name) == 0) {
            return peers[i];
        }
    }
    console_fail("there is no store named %s", name);
}

int memory_child(int argument_count, char **arguments)
{
    if (argument_count != 4) {
        console_fail("%s is for the program itself", MEMORY_SUBCOMMAND);
    }
    const struct peer *peer = peer_find(arguments[0]);
    const size_t count = strtoul(arguments[2], NULL, 10);
    const size_t value_bytes = strtoul(arguments[3], NULL, 10);
    struct memory_numbers numbers;
    if (strcmp(arguments[1], MEMORY_KIND_RECORDS) == 0) {
        if (count == 0 || count > UINT32_MAX || value_bytes < WORKLOAD_VALUE_BYTES_MIN ||
            value_bytes > WORKLOAD_VALUE_BYTES_MAX) {
            console_fail("%s is for the program itself", MEMORY_SUBCOMMAND);
        }
        measure_records(peer, (uint32_t)count, value_bytes, &numbers);
    } else {
        measure_namespaces(peer, count, &numbers);
    }
    printf("%.0f %.0f %.0f %.0f\n", numbers.reported_bytes[0], numbers.resident_bytes[0],
           numbers.reported_bytes[1], numbers.resident_bytes[1]);
    return EXIT_SUCCESS;
}
