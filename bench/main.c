/*
 * tarn-bench: measures tarn against its peers. bench/ is laid out as follows.
 *
 *   options, plan        what is to be measured
 *   goals                every operation with its goal: the one table
 *   workload             keys, values, orders of access
 *   peer, peer_*         the stores behind one interface; subject: one of them, open
 *   loops, timing        the work, and how long it takes
 *   comparison           all stores at the same work, in alternation
 *   growth               the time of single inserts
 *   memory, memory_child bytes per key, in processes of their own
 *   snapshots            saving and loading, and what it costs those who write meanwhile
 *   snapshot_*           the store and the thread that writes; folder: where that store lives
 *   disk                 tarn on disk and its peers there
 *   disk_*               those peers side by side; the process that is killed; the disk's own rate
 *   samples              the long ones of many short times
 *   figure, report*      what was measured, as a table and as JSON
 */
#include <stdlib.h>
#include <string.h>

#include "comparison.h"
#include "disk.h"
#include "disk_child.h"
#include "figure.h"
#include "growth.h"
#include "machine.h"
#include "memory.h"
#include "options.h"
#include "plan.h"
#include "report.h"
#include "snapshots.h"

int main(int argument_count, char **arguments)
{
    if (argument_count > 1 && strcmp(arguments[1], MEMORY_SUBCOMMAND) == 0) {
        return memory_child(argument_count - 2, arguments + 2);
    }
    if (argument_count > 1 && strcmp(arguments[1], DISK_SUBCOMMAND) == 0) {
        return disk_child(argument_count - 2, arguments + 2);
    }
    struct plan plan;
    struct machine machine;
    struct figure_list list = {.figures = NULL};
    options_parse(argument_count, arguments, &plan);
    machine_read(&machine);
    for (size_t i = 0; i < plan.size_count; i++) {
        comparison_run(&plan, plan.sizes[i], &list);
    }
    growth_run(&plan, &list);
    memory_run(&plan, &list);
    snapshots_run(&plan, &list);
    disk_run(&plan, &list);
    report_print(&plan, &machine, &list);
    if (plan.json_path != NULL) {
        report_write_json(plan.json_path, &plan, &machine, &list);
    }
    figure_list_release(&list);
    return EXIT_SUCCESS;
}
