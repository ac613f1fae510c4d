/*
 * The command line: see options.h.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "figure.h"

enum {
    KEYS_MIN = 1000,
    KEYS_MAX = 100000000,
    ROUNDS_DEFAULT = 5,
    QUICK_ROUNDS = 3,
    DISK_ROUNDS_MAX = 3,
    QUICK_DISK_ROUNDS = 1,
    QUICK_KEYS = 100000,
};

static const char help_text[] =
    "Usage: tarn-bench [OPTION]...\n"
    "\n"
    "Measures tarn in memory against tkrzw's TinyDBM and std::unordered_map in 64 locked shards,\n"
    "then the time of single inserts while a store grows, memory, and snapshots; and tarn on disk\n"
    "against those of LMDB, LevelDB, RocksDB, tkrzw's HashDBM and SQLite that were there when it\n"
    "was built, without durability and with it. All in one run and in alternation, with keys of\n"
    "16 bytes and values of 100 bytes in random order. Prints tables in which each figure stands\n"
    "beside its goal, where it has one, and whether it reaches it.\n"
    "\n"
    "  -k, --keys=N          how many keys the stores hold; may be given several times\n"
    "                        (default: 100000, 1000000 and 5000000; growth is measured up\n"
    "                        to the largest; memory, snapshots and stores on disk with the\n"
    "                        largest, but at most 1000000, durable ones at most 100000)\n"
    "  -r, --rounds=N        how often each operation is measured (default: 5; growth and stores\n"
    "                        on disk at most 3 times, memory once)\n"
    "  -o, --only=OPERATION  only this operation, or, where there is no such, all whose names\n"
    "                        begin so (disk, snapshot); may be given several times\n"
    "  -q, --quick           100000 keys and 3 rounds, 1 on disk, to see that it works\n"
    "  -j, --json=FILE       write every figure, round by round, to FILE as well\n"
    "  -h, --help            this text\n"
    "\n"
    "Operations in memory:\n";

static const char help_end[] =
    "\n"
    "Examples:\n"
    "  tarn-bench --quick                            a first look, in about a minute\n"
    "  tarn-bench --keys 1000000 --json all.json     what the goals are for\n"
    "  tarn-bench --only get_hit --only get_many     two operations, all sizes\n"
    "  tarn-bench --only disk --keys 1000000         all that is on disk\n"
    "\n"
    "Snapshots and stores on disk are in a temporary folder in TMPDIR or in the current "
    "directory,\n"
    "on a disk if one of them is; it takes some 5 GB for 1000000 keys, and is removed at the end.\n"
    "\n"
    "A machine that does something else at the same time disturbs figures with two threads, those\n"
    "of what is durable and the longest insert most. Exit status: 0 when everything was measured,\n"
    "1 when something failed or a store returned a wrong value, 2 for a mistake on the command\n"
    "line. Goals do not change it.\n";

static void print_help(void)
{
    fputs(help_text, stdout);
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        if (i == OPERATION_DISK_LOAD) {
            printf("\nOperations on disk:\n");
        }
        printf("  %-22s  %s\n", operation_list[i].name, operation_list[i].title);
    }
    fputs(help_end, stdout);
}

/* A mistake on the command line. */
static _Noreturn void fail_usage(const char *message, const char *argument)
{
    fprintf(stderr, "tarn-bench: %s: %s\nTry tarn-bench --help.\n", message, argument);
    exit(2);
}

static size_t parse_number(const char *text, size_t least, size_t most, const char *message)
{
    char *end = NULL;
    errno = 0;
    const unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number < least ||
        number > most) {
        fail_usage(message, text);
    }
    return number;
}

static void add_size(struct plan *plan, uint32_t keys)
{
    if (plan->size_count == PLAN_SIZES_MAX) {
        fail_usage("too many sizes", "--keys");
    }
    plan->sizes[plan->size_count++] = keys;
}

static void select_operation(struct plan *plan, const char *name)
{
    const struct operation *operation = operation_find(name);
    bool found = operation != NULL;
    if (found) {
        plan->selected[operation->id] = true;
    }
    for (size_t i = 0; i < OPERATION_COUNT && operation == NULL; i++) {
        if (operation_begins_with(&operation_list[i], name)) {
            plan->selected[i] = true;
            found = true;
        }
    }
    if (!found) {
        fail_usage("there is no such operation", name);
    }
}

/* What was not said: sizes, operations, and the sizes of what is measured once. */
static void complete(struct plan *plan, bool quick)
{
    bool any_selected = false;
    if (plan->rounds == 0) {
        plan->rounds = quick ? QUICK_ROUNDS : ROUNDS_DEFAULT;
    }
    const size_t disk_rounds = quick ? QUICK_DISK_ROUNDS : DISK_ROUNDS_MAX;
    plan->disk_rounds = plan->rounds < disk_rounds ? plan->rounds : disk_rounds;
    if (plan->size_count == 0) {
        add_size(plan, QUICK_KEYS);
        if (!quick) {
            add_size(plan, GOAL_KEYS);
            add_size(plan, GROWTH_KEYS);
        }
    }
    for (size_t i = 0; i < plan->size_count; i++) {
        const uint32_t keys = plan->sizes[i];
        plan->growth_keys = keys > plan->growth_keys ? keys : plan->growth_keys;
    }
    plan->memory_keys = plan->growth_keys < GOAL_KEYS ? plan->growth_keys : GOAL_KEYS;
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        any_selected = any_selected || plan->selected[i];
    }
    for (size_t i = 0; i < OPERATION_COUNT && !any_selected; i++) {
        plan->selected[i] = true;
    }
}

void options_parse(int argument_count, char **arguments, struct plan *plan)
{
    static const struct option options[] = {
        {"keys", required_argument, NULL, 'k'},
        {"rounds", required_argument, NULL, 'r'},
        {"only", required_argument, NULL, 'o'},
        {"quick", no_argument, NULL, 'q'},
        {"json", required_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool quick = false;
    int option = 0;
    memset(plan, 0, sizeof *plan);
    while ((option = getopt_long(argument_count, arguments, "k:r:o:qj:h", options, NULL)) != -1) {
        switch (option) {
        case 'k':
            add_size(plan, (uint32_t)parse_number(optarg, KEYS_MIN, KEYS_MAX,
                                                  "a number of keys is 1000 to 100000000"));
            break;
        case 'r':
            plan->rounds = parse_number(optarg, 1, FIGURE_ROUNDS_MAX, "there are 1 to 99 rounds");
            break;
        case 'o':
            select_operation(plan, optarg);
            break;
        case 'q':
            quick = true;
            break;
        case 'j':
            plan->json_path = optarg;
            break;
        case 'h':
            print_help();
            exit(EXIT_SUCCESS);
        default:
            fputs("Try tarn-bench --help.\n", stderr);
            exit(2);
        }
    }
    if (optind < argument_count) {
        fail_usage("what is this for", arguments[optind]);
    }
    complete(plan, quick);
}
