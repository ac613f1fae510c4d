/*
 * A tour of tarn on real input: every kind of operation on the machine's package catalogue, or on
 * the files of a folder, with a check of each and a table of how fast it went.
 *
 * tour.c reads the command line and says what comes in which order. How each thing is done:
 *
 *     tour_stages.c, tour_changes.c   by one thread
 *     tour_threads.c                  by two threads
 *     tour_restart.c, tour_kills.c    in processes that come and go
 */
#include "tour_folder.h"
#include "tour_input.h"
#include "tour_process.h"
#include "tour_report.h"
#include "tour_restart.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define TOP                5
#define FOLDER_MIB_DEFAULT 512
#define FOLDER_MIB_MAX     1024

/* What is told below the table. */
struct tour_findings {
    const struct tour_input *input;
    struct tour_group *groups; /* those with the most records first */
    size_t group_count;
    struct tarn_stats stats; /* of the records */
    struct tarn_snapshot_info saved;
    struct tour_kills kills;
};

struct command_line {
    const char *folder; /* NULL: the package catalogue */
    const char *store;  /* NULL: a temporary folder */
    size_t bytes_max;
};

static const char usage[] =
    "usage: tour [--store DIR] [--max-mib N] [FOLDER]\n"
    "\n"
    "Puts real records into tarn, does with them all it can do, compares every byte\n"
    "that comes back, and tells how fast that was.\n"
    "\n"
    "  FOLDER         each regular file in it, and below, is a record; without one the\n"
    "                 package catalogue of this machine is taken (apt-cache dumpavail)\n"
    "  --store DIR    keep the store in this folder, which is empty or not there yet; without\n"
    "                 it a temporary one is made, and removed at the end\n"
    "  --max-mib N    read at most N MiB of a folder, 1 to 1024 (default 512)\n"
    "  -h, --help     show this\n";

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

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
        {"store", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    struct command_line line = {.bytes_max = (size_t)FOLDER_MIB_DEFAULT << 20};
    int letter;

    while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (letter == 'h') {
            fputs(usage, stdout);
            exit(0);
        }
        if (letter == '?') {
            fputs(usage, stderr);
            exit(2);
        }
        if (letter == 'm')
            line.bytes_max = parse_mib(optarg);
        else
            line.store = optarg;
    }
    if (argc - optind > 1) {
        fputs(usage, stderr);
        exit(2);
    }
    line.folder = argv[optind];
    return line;
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

/* Hands out every group, as the counters in the store tell, those with the most records first. */
static struct tour_group *read_counters(struct tour *tour, size_t *count_out)
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
    *count_out = count;
    return groups;
}

static void print_top(const struct tour_input *input, const struct tour_group *groups, size_t count)
{
    printf("\nThe %s with the most records:\n", input->group_noun);
    for (size_t i = 0; i < count && i < TOP; i++)
        printf("%8" PRIu64 "  %.*s\n", groups[i].records,
               (int)(groups[i].name.length < 200 ? groups[i].name.length : 200),
               (const char *)groups[i].name.data);
}

static struct tarn_stats read_stats(const struct tour *tour)
{
    struct tarn_stats stats = {.size = sizeof stats};

    tour_expect(tarn_namespace_stats(tour->records, &stats, NULL, 0), "asking for the stats");
    if (stats.bytes != tour->input->bytes)
        tour_fail("the stats tell %" PRIu64 " bytes where %" PRIu64 " were stored", stats.bytes,
                  tour->input->bytes);
    return stats;
}

static void print_findings(const struct tour_findings *found)
{
    const struct tarn_snapshot_info *saved = &found->saved;
    const struct tour_kills *kills = &found->kills;

    print_top(found->input, found->groups, found->group_count);
    printf(
        "\nMemory:   %.1f MiB for %.1f MiB of keys and values, the index being %.1f MiB of it.\n",
        mib(found->stats.memory_bytes), mib(found->stats.bytes), mib(found->stats.index_bytes));
    printf("Snapshot: %.1f MiB, written in %.3f s and durable %.3f s later; writers were "
           "held up for %.0f microseconds.\n",
           mib(saved->file_bytes), (double)saved->write_ns / 1e9, (double)saved->sync_ns / 1e9,
           (double)saved->pause_ns / 1e3);
    printf("Restart:  a new process opened the store and compared every byte of it.\n");
    printf(
        "Kills:    %u processes that saved all the time, %u of them in the middle of a save; the\n"
        "          store always opened with one whole state of its %" PRIu32
        " records, never older\n"
        "          than the last of the %u saves that had ended.\n",
        kills->kills, kills->inside, kills->records, kills->saves);
}

/* Does everything with the store that is to be in dir. */
static struct tour_findings run(struct tour *tour, const char *dir)
{
    struct tour_findings found = {.input = tour->input};

    found.kills = tour_kill(tour, dir);
    tour_expect(tarn_open(dir, NULL, &tour->store), "opening a store in a folder");
    tour->records = tour_namespace(tour, "records");
    tour->counters = tour_namespace(tour, "counters");
    tour_load(tour);
    tour_refused_batch(tour);
    tour_read(tour);
    tour_read_many(tour);
    tour_change(tour);
    tour_consistent_reads(tour);
    tour_count(tour);
    tour_queue(tour);
    tour_resize(tour);
    tour_walk_prefix(tour);
    tour_save(tour);
    tour_check(tour);
    found.groups = read_counters(tour, &found.group_count);
    found.stats = read_stats(tour);
    found.saved = tour->saved;
    tarn_namespace_close(tour->records);
    tarn_namespace_close(tour->counters);
    tour_expect(tarn_close(tour->store), "closing the store");
    tour_restart(tour, dir);
    return found;
}

/* What this program does as a process of its own: tour_process.h. */
static int run_role(char **argv)
{
    const char *role = argv[2];
    int input = (int)strtol(argv[4], NULL, 10);
    int reports = (int)strtol(argv[5], NULL, 10);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(role, TOUR_ROLE_CHECK) == 0)
        return tour_check_process(argv[3], input, reports);
    if (strcmp(role, TOUR_ROLE_SAVE) == 0)
        return tour_save_process(argv[3], input, reports);
    tour_fail("%s is for the tour itself", TOUR_PROCESS_OPTION);
}

int main(int argc, char **argv)
{
    struct command_line line;
    struct tour_input input = {0};
    struct tour tour = {.input = &input};
    struct tour_findings found;
    const char *dir;

    if (argc == TOUR_PROCESS_ARGUMENTS && strcmp(argv[1], TOUR_PROCESS_OPTION) == 0)
        return run_role(argv);
    line = parse(argc, argv);
    dir = tour_folder_open(line.store);
    read_input(&input, &line);
    printf("tarn %s: %zu records of %s, %.1f MiB, %zu %s\n\n", tarn_version(), input.count,
           input.source, mib(input.bytes), input.group_count, input.group_noun);
    fflush(stdout);
    tour.order = tour_shuffle(input.count);
    found = run(&tour, dir);
    tour_table(stdout);
    print_findings(&found);
    if (line.store)
        printf("The store is in %s.\n", dir);
    printf("Everything came back as it was stored.\n");
    free(found.groups);
    free(tour.order);
    tour_input_release(&input);
    if (fflush(stdout) != 0 || ferror(stdout))
        tour_fail("cannot write to the output");
    return 0;
}
