/*
 * The table of stores on disk: see report_disk.h.
 */
#include "report_disk.h"

#include <stdio.h>

#include "disk_peers.h"
#include "folder.h"
#include "report_text.h"

enum { TITLE_WIDTH = 28, CELL_WIDTH = 9 };

/* What the stores are, by version and settings. */
static void print_peers(void)
{
    printf("\nThe stores on disk, and what is set in them beside the defaults:\n");
    for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
        const struct peer *peer = disk_peer(i);
        if (peer != NULL) {
            printf("  %-8s %-7s %s\n", peer->name, peer->version(), peer->settings);
        }
    }
}

void report_disk_print_head(const struct figure *figure, const struct machine *machine)
{
    char keys[REPORT_GROUPED_SIZE];
    const bool durable = figure->operation->id >= OPERATION_DISK_ALWAYS;
    printf("\nOn disk (%s), %s: %s keys of %d bytes, values of %zu bytes. Microseconds: medians; "
           "rounds: %zu.\n\n",
           machine->file_system, durable ? "durable when it returns" : "not durable",
           report_grouped(figure->keys, keys), WORKLOAD_KEY_BYTES, figure->value_bytes,
           figure->times[SUBJECT_TARN].count);
    printf("%-*s", TITLE_WIDTH, "operation");
    for (enum subject_id i = 0; i < SUBJECT_OWN; i++) {
        if (disk_peer(i) != NULL) {
            printf(" %*s", CELL_WIDTH, disk_peer(i)->name);
        }
    }
    printf(" %*s %*s  %s\n", CELL_WIDTH, "base", 2 * CELL_WIDTH, "ratio", "goal");
}

/* Whether there is a column for it. */
static bool is_told(enum subject_id subject)
{
    return disk_peer(subject) != NULL || subject == SUBJECT_OWN;
}

void report_disk_print(const struct figure *figure)
{
    printf("%-*s", TITLE_WIDTH, figure->operation->title);
    for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
        if (is_told(i) && figure_has(figure, i)) {
            printf(" %*.2f", CELL_WIDTH, series_median(&figure->times[i]) / 1e3);
        } else if (is_told(i)) {
            printf(" %*s", CELL_WIDTH, "");
        }
    }
    report_print_cell(&figure->result, 2, 2 * CELL_WIDTH);
    report_print_goal(figure);
    printf("%-*s %*s", TITLE_WIDTH, "  tarn's time / theirs", CELL_WIDTH, "");
    for (enum subject_id i = SUBJECT_TARN + 1; i < SUBJECT_COUNT; i++) {
        if (is_told(i) && figure_has(figure, i)) {
            printf(" %*.2f", CELL_WIDTH, figure_ratio_to(figure, i));
        } else if (is_told(i)) {
            printf(" %*s", CELL_WIDTH, "");
        }
    }
    printf("\n");
}

void report_disk_print_explanation(void)
{
    print_peers();
    printf("\nOn disk: \"base\" is tarn's own get for get_many, and for what is durable the disk "
           "alone: pwrite() of as\nmany bytes into a preallocated file, and fdatasync(). Before "
           "each turn the work that stores have left to\ntheir threads and to the system is waited "
           "for, in nobody's time. Reopening is until the first value is read.\n");
    if (!folder_is_on_disk()) {
        printf("THE FOLDER IS IN MEMORY: what is durable there tells nothing. Set TMPDIR to one on "
               "a disk.\n");
    }
}
