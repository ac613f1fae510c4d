/*
 * The parent's half of measuring memory: see memory.h. The half that runs in the child is
 * memory_child.c.
 */
#include "memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "memory_child.h"
#include "peer.h"

/* Runs this program again with the arguments of a case, and reads what it prints. */
static void run_child(const char *peer, const char *kind, size_t keys, size_t value_bytes,
                      struct memory_numbers *numbers)
{
    char keys_text[24];
    char value_bytes_text[24];
    int ends[2];
    (void)snprintf(keys_text, sizeof keys_text, "%zu", keys);
    (void)snprintf(value_bytes_text, sizeof value_bytes_text, "%zu", value_bytes);
    if (pipe(ends) != 0) {
        console_fail("cannot make a pipe");
    }
    const pid_t child = fork();
    if (child < 0) {
        console_fail("cannot fork");
    }
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execl("/proc/self/exe", "tarn-bench", MEMORY_SUBCOMMAND, peer, kind, keys_text,
                    value_bytes_text, (char *)NULL);
        _exit(127); /* execl() returns only if it failed */
    }
    (void)close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    const bool complete = output != NULL && memory_numbers_read(output, numbers);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0 || !complete) {
        console_fail("measuring %s of %s in a process of its own failed", kind, peer);
    }
    (void)fclose(output);
}

static void add(struct figure_list *list, enum operation_id operation, size_t keys,
                size_t value_bytes, const char *peer, const char *source, double number)
{
    struct figure *figure = figure_list_add(list, operation, (uint32_t)keys, value_bytes);
    if (value_bytes > 0) {
        (void)snprintf(figure->detail, sizeof figure->detail, "%s, %zu B, %s", peer, value_bytes,
                       source);
    }
    figure->has_goal = figure->has_goal && strcmp(peer, peer_tarn.name) == 0 &&
                       (value_bytes == PLAN_VALUE_BYTES || value_bytes == 0);
    series_add(&figure->result, number);
}

static void measure_peer(const struct plan *plan, const char *peer, size_t value_bytes,
                         struct figure_list *list)
{
    const size_t keys = plan->memory_keys;
    const double useful_bytes = (double)keys * (double)(WORKLOAD_KEY_BYTES + value_bytes);
    struct memory_numbers numbers;
    console_progress("memory of %s with values of %zu bytes", peer, value_bytes);
    run_child(peer, MEMORY_KIND_RECORDS, keys, value_bytes, &numbers);
    for (size_t moment = 0; moment < MEMORY_MOMENTS; moment++) {
        const enum operation_id operation =
            moment == 0 ? OPERATION_MEMORY_LOADED : OPERATION_MEMORY_OVERWRITTEN;
        if (!plan->selected[operation]) {
            continue;
        }
        if (numbers.reported_bytes[moment] > 0) {
            add(list, operation, keys, value_bytes, peer, "reported",
                (numbers.reported_bytes[moment] - useful_bytes) / (double)keys);
        }
        add(list, operation, keys, value_bytes, peer, "resident",
            (numbers.resident_bytes[moment] - useful_bytes) / (double)keys);
    }
}

static void measure_namespaces(struct figure_list *list)
{
    enum { NAMESPACES = 10000 };
    struct memory_numbers numbers;
    console_progress("memory of %d empty namespaces", NAMESPACES);
    run_child(peer_tarn.name, MEMORY_KIND_NAMESPACES, NAMESPACES, 0, &numbers);
    add(list, OPERATION_NAMESPACES, 0, 0, peer_tarn.name, "", numbers.resident_bytes[0] / 1e6);
}

void memory_run(const struct plan *plan, struct figure_list *list)
{
    static const size_t value_sizes[] = {PLAN_VALUE_BYTES, 8, 50, 250, 1000};
    if (plan->selected[OPERATION_MEMORY_LOADED] || plan->selected[OPERATION_MEMORY_OVERWRITTEN]) {
        for (size_t i = 0; i < sizeof value_sizes / sizeof value_sizes[0]; i++) {
            measure_peer(plan, peer_tarn.name, value_sizes[i], list);
        }
        measure_peer(plan, peer_tkrzw.name, PLAN_VALUE_BYTES, list);
        measure_peer(plan, peer_unordered_map.name, PLAN_VALUE_BYTES, list);
    }
    if (plan->selected[OPERATION_NAMESPACES]) {
        measure_namespaces(list);
    }
}
