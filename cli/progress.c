/* Progress on a terminal; see the header. */
#include "progress.h"
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DRAW_EVERY_NS UINT64_C(100000000)
#define BAR_WIDTH     24

static uint64_t now_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* there is one wherever tarn runs */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void progress_begin(struct progress *progress, const char *what)
{
    *progress = (struct progress){.what = what,
                                  .shown = !report_is_quiet() && isatty(STDERR_FILENO) == 1,
                                  .began_ns = now_ns()};
}

double progress_seconds(const struct progress *progress)
{
    return (double)(now_ns() - progress->began_ns) / 1e9;
}

/* Whether it is time to draw again. */
static bool is_due(struct progress *progress)
{
    uint64_t now;

    if (!progress->shown)
        return false;
    now = now_ns();
    if (now - progress->drawn_ns < DRAW_EVERY_NS)
        return false;
    progress->drawn_ns = now;
    return true;
}

static void draw(struct progress *progress, double share, const char *figures)
{
    char bar[BAR_WIDTH + 1];
    int filled = share > 1 ? BAR_WIDTH : (int)(share * BAR_WIDTH);

    progress->drawn = true;
    if (share < 0) {
        fprintf(stderr, "\r\033[K%s: %s", progress->what, figures);
        return;
    }
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r\033[K%s [%s] %3.0f %% %s", progress->what, bar,
            (share > 1 ? 1 : share) * 100, figures);
}

void progress_bytes(struct progress *progress, uint64_t done, uint64_t total)
{
    char figures[80];

    if (!is_due(progress))
        return;
    snprintf(figures, sizeof figures, "%.1f MiB, %.1f MiB/s", (double)done / 1048576,
             (double)done / 1048576 / (progress_seconds(progress) + 1e-9));
    draw(progress, total ? (double)done / (double)total : -1, figures);
}

void progress_records(struct progress *progress, uint64_t records, double share)
{
    char figures[80];

    if (!is_due(progress))
        return;
    snprintf(figures, sizeof figures, "%" PRIu64 " records, %.0f/s", records,
             (double)records / (progress_seconds(progress) + 1e-9));
    draw(progress, share, figures);
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}
