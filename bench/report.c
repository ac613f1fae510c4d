/*
 * The table on standard output: see report.h.
 */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "console.h"
#include "peer.h"
#include "report_disk.h"
#include "report_text.h"

enum { CELL_WIDTH = 16 };

static void print_compared_head(const struct figure *figure)
{
    char keys[REPORT_GROUPED_SIZE];
    printf("\n%s keys of %d bytes, values of %zu bytes. Nanoseconds per operation: "
           "median [least most] of the rounds.\n\n",
           report_grouped(figure->keys, keys), WORKLOAD_KEY_BYTES, figure->value_bytes);
    printf("%-28s %*s %*s %*s %*s %*s  %s\n", "operation", CELL_WIDTH, peer_tarn.name, CELL_WIDTH,
           peer_tkrzw.name, CELL_WIDTH, peer_unordered_map.name, CELL_WIDTH, "tarn, base",
           CELL_WIDTH + 1, "ratio", "goal");
}

static void print_compared(const struct figure *figure)
{
    static const enum subject_id columns[] = {SUBJECT_TARN, SUBJECT_TKRZW, SUBJECT_UNORDERED_MAP,
                                              SUBJECT_OWN};
    printf("%-28s", figure->operation->title);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        report_print_cell(&figure->times[columns[i]], 0, CELL_WIDTH);
    }
    report_print_cell(&figure->result, 2, CELL_WIDTH + 1);
    report_print_goal(figure);
}

/* A time in seconds is a small number, a size a large one. */
static int decimals_of(const char *unit)
{
    if (strcmp(unit, "s") == 0 || strcmp(unit, "ms") == 0) {
        return 3;
    }
    if (strcmp(unit, "1/s") == 0) {
        return 0;
    }
    return strcmp(unit, "ratio") == 0 || strcmp(unit, "s/GB") == 0 || strcmp(unit, "times") == 0
               ? 2
               : 1;
}

/* The parts of the report. A part with several numbers of keys has a table for each. */
enum section {
    SECTION_COMPARED,
    SECTION_MEMORY,
    SECTION_SNAPSHOTS,
    SECTION_DISK_COMPARED,
    SECTION_DISK,
    SECTION_COUNT,
};

static enum section section_of(const struct figure *figure)
{
    const enum operation_id id = figure->operation->id;
    if (id < OPERATION_COMPARED_COUNT) {
        return SECTION_COMPARED;
    }
    if (id < OPERATION_SNAPSHOT_SAVE) {
        return SECTION_MEMORY;
    }
    if (id < OPERATION_DISK_LOAD) {
        return SECTION_SNAPSHOTS;
    }
    return id < OPERATION_DISK_RATE ? SECTION_DISK_COMPARED : SECTION_DISK;
}

static bool has_tables(enum section section)
{
    return section == SECTION_COMPARED || section == SECTION_DISK_COMPARED;
}

static bool is_durable(const struct figure *figure)
{
    return figure->operation->id >= OPERATION_DISK_ALWAYS;
}

/* Whether a table ends between two figures of one section. */
static bool is_apart(const struct figure *figure, const struct figure *before)
{
    return figure->keys != before->keys || is_durable(figure) != is_durable(before);
}

/* The heads of the figures that no other store is compared with. */
static void print_own_head(enum section section, const struct figure *figure,
                           const struct machine *machine)
{
    char title[64] = "growth, memory";
    char keys[REPORT_GROUPED_SIZE];
    if (section != SECTION_MEMORY) {
        (void)snprintf(title, sizeof title, "%s of %s keys, on %s",
                       section == SECTION_SNAPSHOTS ? "snapshots" : "stores on disk",
                       report_grouped(figure->keys, keys), machine->file_system);
    }
    printf("\n%-60s %24s\n", title, "median [least most]");
}

/* Of one of them; what its ratio was formed from stands below. */
static void print_own(const struct figure *figure)
{
    static const char *const names[] = {"time of one", "time of one without saves"};
    static const enum subject_id ids[] = {SUBJECT_TARN, SUBJECT_OWN};
    char title[128];
    (void)snprintf(title, sizeof title, "%s%s%s", figure->operation->title,
                   figure->detail[0] == '\0' ? "" : ": ", figure->detail);
    printf("%-60s", title);
    report_print_cell(&figure->result, decimals_of(figure->unit), 24);
    printf(" %-7s", figure->unit);
    report_print_goal(figure);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (figure->times[ids[i]].count > 0) {
            (void)snprintf(title, sizeof title, "%s: %s", figure->operation->title, names[i]);
            printf("%-60s", title);
            report_print_cell(&figure->times[ids[i]], 1, 24);
            printf(" ns\n");
        }
    }
}

static void print_explanation(void)
{
    char goal_keys[REPORT_GROUPED_SIZE];
    char growth_keys[REPORT_GROUPED_SIZE];
    printf(
        "\nratio: tarn's time / the better peer's where small is good (goal <=), its throughput / "
        "the peer's or its\n"
        "own of one thread where large is good (goal >=); the median of the ratios of the rounds. "
        "\"tarn, base\" is\n"
        "what tarn is compared with there: one thread, or single sets. Goals are for %s keys, "
        "those of\n"
        "growth for %s.\n",
        report_grouped(GOAL_KEYS, goal_keys), report_grouped(GROWTH_KEYS, growth_keys));
}

static void print_machine(const struct plan *plan, const struct machine *machine)
{
    printf("tarn %s, tkrzw %s, %s\n", peer_tarn.version(), peer_tkrzw.version(),
           machine_compiler());
    printf("%s, %ld cores, %.0f GiB, %s, huge pages %s\n", machine->cpu_model, machine->cores,
           machine->memory_gib, machine->kernel, machine->huge_pages);
    printf("%zu rounds; load average at the start %.2f\n", plan->rounds, machine->load_average);
}

/* What the figures that no other store is compared with mean. */
static void print_own_explanation(const struct plan *plan)
{
    if (plan->selected[OPERATION_GROWTH_WALL] || plan->selected[OPERATION_GROWTH_CPU]) {
        printf(
            "\nThe longest insert is judged by the worst round. \"machine alone\": the same clocks "
            "around plain\narithmetic, without a store.\n");
    }
    if (plan->selected[OPERATION_SNAPSHOT_WRITERS] || plan->selected[OPERATION_SNAPSHOT_PAUSE]) {
        printf(
            "\nWhile saves run: one after another, each until it is durable, and one thread "
            "overwrites keys. The pause\nis judged by the worst of all saves. The longest set is "
            "wall time: without saves it is what the\nmachine adds.\n");
    }
}

static void print_head(enum section section, const struct figure *figure,
                       const struct machine *machine)
{
    switch (section) {
    case SECTION_COMPARED:
        print_compared_head(figure);
        break;
    case SECTION_DISK_COMPARED:
        report_disk_print_head(figure, machine);
        break;
    default:
        print_own_head(section, figure, machine);
        break;
    }
}

static void print_figure(enum section section, const struct figure *figure)
{
    switch (section) {
    case SECTION_COMPARED:
        print_compared(figure);
        break;
    case SECTION_DISK_COMPARED:
        report_disk_print(figure);
        break;
    default:
        print_own(figure);
        break;
    }
}

void report_print(const struct plan *plan, const struct machine *machine,
                  const struct figure_list *list)
{
    bool printed[SECTION_COUNT] = {false};
    console_progress_end();
    print_machine(plan, machine);
    for (size_t i = 0; i < list->count; i++) {
        const struct figure *figure = &list->figures[i];
        const enum section section = section_of(figure);
        if (!printed[section] || (has_tables(section) && is_apart(figure, figure - 1))) {
            print_head(section, figure, machine);
        }
        printed[section] = true;
        print_figure(section, figure);
    }
    print_own_explanation(plan);
    if (printed[SECTION_DISK_COMPARED] || printed[SECTION_DISK]) {
        report_disk_print_explanation();
    }
    if (printed[SECTION_COMPARED]) {
        print_explanation();
    }
}
