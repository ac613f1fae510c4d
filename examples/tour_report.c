/* The tour's progress line, table and failures: see tour_report.h. */
#include "tour_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STAGES_MAX     32
#define PROGRESS_EVERY 4096

struct stage {
    const char *name;
    uint64_t planned;
    uint64_t operations;
    uint64_t began_ns;
    uint64_t taken_ns;
};

static struct stage stages[STAGES_MAX];
static size_t stage_count;

uint64_t tour_now_ns(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        tour_fail("there is no monotonic clock");
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool on_a_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

void tour_fail(const char *format, ...)
{
    va_list arguments;

    tour_say(NULL);
    fputs("tour: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void tour_expect(tarn_status status, const char *what)
{
    const struct tarn_error *error = tarn_last_error();

    if (status == TARN_OK)
        return;
    tour_fail("%s failed: %s: %s", what, tarn_status_name(status),
              error->status == status ? error->message : tarn_status_message(status));
}

void *tour_allocate(size_t count, size_t bytes_each)
{
    void *memory = calloc(count ? count : 1, bytes_each);

    if (!memory)
        tour_fail("there is not enough memory for %zu times %zu bytes", count, bytes_each);
    return memory;
}

void tour_say(const char *what)
{
    if (on_a_terminal())
        fprintf(stderr, "\r\033[K%s", what ? what : "");
}

static struct stage *new_stage(const char *name)
{
    if (stage_count == STAGES_MAX)
        tour_fail("the table has only %d rows", STAGES_MAX);
    stages[stage_count].name = name;
    return &stages[stage_count++];
}

void tour_begin(const char *name, uint64_t planned)
{
    struct stage *stage = new_stage(name);

    tour_say(name);
    stage->planned = planned;
    stage->began_ns = tour_now_ns();
}

void tour_progress(uint64_t done)
{
    const struct stage *stage = &stages[stage_count - 1];

    if (done % PROGRESS_EVERY != 0 || stage->planned == 0 || !on_a_terminal())
        return;
    fprintf(stderr, "\r\033[K%s: %" PRIu64 " %%", stage->name, done * 100 / stage->planned);
}

void tour_end(uint64_t operations)
{
    struct stage *stage = &stages[stage_count - 1];

    stage->taken_ns = tour_now_ns() - stage->began_ns;
    stage->operations = operations;
    tour_say(NULL);
}

void tour_row(const char *name, uint64_t operations, uint64_t taken_ns)
{
    struct stage *stage = new_stage(name);

    stage->operations = operations;
    stage->taken_ns = taken_ns;
    tour_say(NULL);
}

void tour_table(FILE *out)
{
    fprintf(out, "%-44s %10s %8s %11s %8s\n", "what was done", "operations", "seconds",
            "per second", "ns each");
    for (size_t i = 0; i < stage_count; i++) {
        const struct stage *stage = &stages[i];
        double seconds = stage->taken_ns ? (double)stage->taken_ns / 1e9 : 1e-9;
        double operations = stage->operations ? (double)stage->operations : 1;

        fprintf(out, "%-44s %10" PRIu64 " %8.3f %11.0f %8.0f\n", stage->name, stage->operations,
                seconds, operations / seconds, seconds * 1e9 / operations);
    }
}
