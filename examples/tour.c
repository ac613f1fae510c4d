/*
 * A tour of tarn on real input: every kind of operation on the machine's package catalogue, or on
 * the files of a folder, with a check of each and a table of how fast it went.
 *
 * tour.c reads the command line and says what comes in which order; tour_stages.c and
 * tour_threads.c show how each thing is done.
 */
#include "tour_input.h"
#include "tour_report.h"
#include "tour_stages.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TOP                5
#define FOLDER_MIB_DEFAULT 512
#define FOLDER_MIB_MAX     1024

struct command_line {
    const char *folder; /* NULL: the package catalogue */
    size_t bytes_max;
};

static const char usage[] =
    "usage: tour [--max-mib N] [FOLDER]\n"
    "\n"
    "Puts real records into tarn, does with them all it can do, compares every byte\n"
    "that comes back, and tells how fast that was.\n"
    "\n"
    "  FOLDER         each regular file in it, and below, is a record; without one the\n"
    "                 package catalogue of this machine is taken (apt-cache dumpavail)\n"
    "  --max-mib N    read at most N MiB of a folder, 1 to 1024 (default 512)\n"
    "  -h, --help     show this\n";

static size_t parse_mib(const char *text)
{
    char *end;
    unsigned long long mib = strtoull(text, &end, 10);

    if (end == text || *end || mib < 1 || mib > FOLDER_MIB_MAX)
        tour_fail("--max-mib takes a number from 1 to %d", FOLDER_MIB_MAX);
    return (size_t)mib << 20;
}

static struct command_line parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {"max-mib", required_argument, NULL, 'm'},
        {NULL, 0, NULL, 0},
    };
    struct command_line line = {.bytes_max = (size_t)FOLDER_MIB_DEFAULT << 20};
    int letter;

    while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (letter == 'h') {
            fputs(usage, stdout);
            exit(0);
        }
        if (letter != 'm') {
            fputs(usage, stderr);
            exit(2);
        }
        line.bytes_max = parse_mib(optarg);
    }
    if (argc - optind > 1) {
        fputs(usage, stderr);
        exit(2);
    }
    line.folder = argv[optind];
    return line;
}

/* A permutation that is the same in every run, so that two runs can be compared. */
static uint32_t *shuffled(size_t count)
{
    uint32_t *order = tour_allocate(count, sizeof order[0]);
    uint64_t state = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        size_t other;
        uint32_t kept = order[i - 1];

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        other = (size_t)(state % i);
        order[i - 1] = order[other];
        order[other] = kept;
    }
    return order;
}

static void read_input(struct tour_input *input, const struct command_line *line)
{
    if (line->folder) {
        tour_input_folder(input, line->folder, line->bytes_max);
        return;
    }
    if (!tour_input_catalogue(input))
        tour_fail("name a folder instead, whose files are then the records:\n"
                  "    build/examples/tour FOLDER      or      make run DIR=FOLDER");
}

static int by_records(const void *left, const void *right)
{
    const struct tour_group *a = left;
    const struct tour_group *b = right;

    if (a->records != b->records)
        return a->records < b->records ? 1 : -1;
    return tour_compare(a->name, b->name);
}

/* Prints the groups with the most records, as the counters in the store tell. */
static void print_top(struct tour *tour)
{
    const struct tour_input *input = tour->input;
    struct tour_group *groups = tour_allocate(input->group_count, sizeof groups[0]);
    struct tarn_slice key, value;
    tarn_cursor *cursor = NULL;
    tarn_status status;
    size_t count = 0;

    tour_expect(tarn_cursor_open(tour->counters, NULL, &cursor), "opening a cursor");
    while ((status = tarn_cursor_next(cursor, &key, &value, NULL)) == TARN_OK) {
        const struct tour_group *group = tour_find_group(input, key);

        if (!group || value.length != sizeof groups[0].records || count == input->group_count)
            tour_fail("there is a counter that nobody made");
        groups[count].name = group->name;
        memcpy(&groups[count++].records, value.data, sizeof groups[0].records);
    }
    if (status != TARN_CURSOR_END)
        tour_expect(status, "walking over the counters");
    tarn_cursor_close(cursor);
    qsort(groups, count, sizeof groups[0], by_records);
    printf("\nThe %s with the most records:\n", input->group_noun);
    for (size_t i = 0; i < count && i < TOP; i++)
        printf("%8" PRIu64 "  %.*s\n", groups[i].records,
               (int)(groups[i].name.length < 200 ? groups[i].name.length : 200),
               (const char *)groups[i].name.data);
    free(groups);
}

static void print_memory(struct tour *tour)
{
    struct tarn_stats stats = {.size = sizeof stats};

    tour_expect(tarn_namespace_stats(tour->records, &stats, NULL, 0), "asking for the stats");
    printf("\nMemory: %.1f MiB for %.1f MiB of keys and values, the index being %.1f MiB of it.\n",
           (double)stats.memory_bytes / (1 << 20), (double)stats.bytes / (1 << 20),
           (double)stats.index_bytes / (1 << 20));
    if (stats.bytes != tour->input->bytes)
        tour_fail("the stats tell %" PRIu64 " bytes where %" PRIu64 " were stored", stats.bytes,
                  tour->input->bytes);
}

static void run(struct tour *tour)
{
    tour_load(tour);
    tour_refused_batch(tour);
    tour_read(tour);
    tour_read_many(tour);
    tour_consistent_reads(tour);
    tour_count(tour);
    tour_queue(tour);
    tour_resize(tour);
    tour_walk_prefix(tour);
    tour_check(tour);
}

int main(int argc, char **argv)
{
    struct command_line line = parse(argc, argv);
    struct tour_input input = {0};
    struct tour tour = {.input = &input};

    read_input(&input, &line);
    printf("tarn %s: %zu records of %s, %.1f MiB, %zu %s\n\n", tarn_version(), input.count,
           input.source, (double)input.bytes / (1 << 20), input.group_count, input.group_noun);
    fflush(stdout);
    tour.order = shuffled(input.count);
    tour_expect(tarn_open(NULL, NULL, &tour.store), "opening a store in memory");
    tour.records = tour_namespace(&tour, "records");
    tour.counters = tour_namespace(&tour, "counters");
    run(&tour);
    tour_table(stdout);
    print_top(&tour);
    print_memory(&tour);
    tarn_namespace_close(tour.records);
    tarn_namespace_close(tour.counters);
    tour_expect(tarn_close(tour.store), "closing the store");
    free(tour.order);
    tour_input_release(&input);
    printf("Everything came back as it was stored.\n");
    if (fflush(stdout) != 0 || ferror(stdout))
        tour_fail("cannot write to the output");
    return 0;
}
