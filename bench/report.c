/*
 * The table on standard output: see report.h.
 */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "console.h"
#include "peer.h"

enum { CELL_WIDTH = 16 };

static const char *verdict_text(enum figure_verdict verdict)
{
    switch (verdict) {
    case VERDICT_OK:
        return "ok";
    case VERDICT_SHORT:
        return "short";
    case VERDICT_NONE:
        break;
    }
    return "";
}

/* "1,000,000" */
static const char *grouped(uint32_t number, char text[16])
{
    char digits[16];
    const int length = snprintf(digits, sizeof digits, "%u", number);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            text[used++] = ',';
        }
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

/* Median, and in brackets least and most, of a series; nothing if it is empty. */
static void print_cell(const struct series *series, int decimals, int width)
{
    char text[64] = "";
    if (series->count == 1) {
        (void)snprintf(text, sizeof text, "%.*f", decimals, series_median(series));
    } else if (series->count > 1) {
        (void)snprintf(text, sizeof text, "%.*f [%.*f %.*f]", decimals, series_median(series),
                       decimals, series_least(series), decimals, series_most(series));
    }
    printf(" %*s", width, text);
}

/* Ends the line of a figure. */
static void print_goal(const struct figure *figure)
{
    if (figure->has_goal) {
        char text[24];
        (void)snprintf(
            text, sizeof text, "%s %g",
            operation_more_is_better(figure->operation) ? ">=" : "<=", figure->operation->goal);
        printf("  %-8s %s", text, verdict_text(figure_verdict(figure)));
    }
    printf("\n");
}

static void print_compared_head(const struct figure *figure)
{
    char keys[16];
    printf("\n%s keys of %d bytes, values of %zu bytes. Nanoseconds per operation: "
           "median [least most] of the rounds.\n\n",
           grouped(figure->keys, keys), WORKLOAD_KEY_BYTES, figure->value_bytes);
    printf("%-28s %*s %*s %*s %*s %*s  %s\n", "operation", CELL_WIDTH, peer_tarn.name, CELL_WIDTH,
           peer_tkrzw.name, CELL_WIDTH, peer_unordered_map.name, CELL_WIDTH, "tarn, base",
           CELL_WIDTH + 1, "ratio", "goal");
}

static void print_compared(const struct figure *figure)
{
    printf("%-28s", figure->operation->title);
    for (size_t i = 0; i < SUBJECT_COUNT; i++) {
        print_cell(&figure->times[i], 0, CELL_WIDTH);
    }
    print_cell(&figure->result, 2, CELL_WIDTH + 1);
    print_goal(figure);
}

/* A time in seconds is a small number, a size a large one. */
static int decimals_of(const char *unit)
{
    if (strcmp(unit, "s") == 0 || strcmp(unit, "ms") == 0) {
        return 3;
    }
    return strcmp(unit, "ratio") == 0 ? 2 : 1;
}

/* The heads of the figures that no other store is compared with. */
static void print_own_head(const struct figure *figure, const struct machine *machine)
{
    char title[64] = "growth, memory";
    char keys[16];
    if (figure->operation->id >= OPERATION_SNAPSHOT_SAVE) {
        (void)snprintf(title, sizeof title, "snapshots of %s keys, on %s",
                       grouped(figure->keys, keys), machine->file_system);
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
    print_cell(&figure->result, decimals_of(figure->unit), 24);
    printf(" %-7s", figure->unit);
    print_goal(figure);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (figure->times[ids[i]].count > 0) {
            (void)snprintf(title, sizeof title, "%s: %s", figure->operation->title, names[i]);
            printf("%-60s", title);
            print_cell(&figure->times[ids[i]], 1, 24);
            printf(" ns\n");
        }
    }
}

static void print_explanation(void)
{
    char goal_keys[16];
    char growth_keys[16];
    printf(
        "\nratio: tarn's time / the better peer's where small is good (goal <=), its throughput / "
        "the peer's or its\n"
        "own of one thread where large is good (goal >=); the median of the ratios of the rounds. "
        "\"tarn, base\" is\n"
        "what tarn is compared with there: one thread, or single sets. Goals are for %s keys, "
        "those of\n"
        "growth for %s.\n",
        grouped(GOAL_KEYS, goal_keys), grouped(GROWTH_KEYS, growth_keys));
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

void report_print(const struct plan *plan, const struct machine *machine,
                  const struct figure_list *list)
{
    uint32_t keys = 0;                                    /* of the table that is being printed */
    enum operation_id section = OPERATION_COMPARED_COUNT; /* the first that has no head yet */
    bool compared = false;
    console_progress_end();
    print_machine(plan, machine);
    for (size_t i = 0; i < list->count; i++) {
        const struct figure *figure = &list->figures[i];
        if (figure->operation->id >= OPERATION_COMPARED_COUNT) {
            if (figure->operation->id >= section) {
                print_own_head(figure, machine);
                section = figure->operation->id >= OPERATION_SNAPSHOT_SAVE
                              ? OPERATION_COUNT
                              : OPERATION_SNAPSHOT_SAVE;
            }
            print_own(figure);
            continue;
        }
        if (!compared || figure->keys != keys) {
            print_compared_head(figure);
        }
        compared = true;
        keys = figure->keys;
        print_compared(figure);
    }
    print_own_explanation(plan);
    if (compared) {
        print_explanation();
    }
}
