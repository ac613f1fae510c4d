/* The store in another process: see tour_restart.h. */
#include "tour_restart.h"
#include "tour_process.h"
#include "tour_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the new process answers. */
struct checked {
    uint64_t open_ns;
    uint64_t compare_ns;
    uint64_t keys;
};

/* ---- the process that was there before ---- */

void tour_restart(const struct tour *tour, const char *dir)
{
    int input = tour_process_hand_over(tour->input);
    uint64_t keys = tour->input->count + tour->input->group_count;
    struct tour_process process;
    struct checked checked;
    bool answered;
    int status;

    tour_say("opening the store in a new process");
    process = tour_process_start(TOUR_ROLE_CHECK, dir, input);
    close(input);
    answered = tour_process_read(&process, &checked, sizeof checked);
    status = tour_process_wait(&process);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !answered)
        tour_fail("the new process did not find everything in %s (its status is 0x%x)", dir,
                  (unsigned)status);
    if (checked.keys != keys)
        tour_fail("the new process compared %" PRIu64 " keys of %" PRIu64, checked.keys, keys);
    tour_row("open the store in a new process", checked.keys, checked.open_ns);
    tour_row("compare every byte in the new process", checked.keys, checked.compare_ns);
}

/* ---- the new process ---- */

static bool is_expected(void *context, struct tarn_slice name)
{
    size_t *seen = context;

    if (tour_compare(name, tarn_slice_of("records", 7)) != 0 &&
        tour_compare(name, tarn_slice_of("counters", 8)) != 0)
        tour_fail("the store has a namespace that is none of the tour's: %.*s", (int)name.length,
                  (const char *)name.data);
    ++*seen;
    return true;
}

static tarn_namespace *open_namespace(tarn_store *store, const char *name)
{
    tarn_namespace *ns = NULL;

    tour_expect(tarn_namespace_open(store, tarn_slice_of(name, strlen(name)), &ns),
                "opening a namespace");
    return ns;
}

int tour_check_process(const char *dir, int input_file, int reports)
{
    const struct tarn_options options = {.size = sizeof options, .load = TARN_LOAD_NEWEST};
    struct tour_input input;
    struct tour tour = {.input = &input};
    struct checked checked;
    size_t namespaces = 0;
    uint64_t began, opened;

    tour_process_take_over(&input, input_file);
    tour.order = tour_shuffle(input.count);
    began = tour_now_ns();
    tour_expect(tarn_open(dir, &options, &tour.store), "opening the store with its snapshot");
    opened = tour_now_ns();
    tour_expect(tarn_namespace_list(tour.store, is_expected, &namespaces), "listing namespaces");
    if (namespaces != 2)
        tour_fail("the store has %zu namespaces where it must have 2", namespaces);
    tour.records = open_namespace(tour.store, "records");
    tour.counters = open_namespace(tour.store, "counters");
    checked.keys = tour_keys(tour.records) + tour_keys(tour.counters);
    tour_check(&tour);
    tour_check_counters(&tour);
    checked.open_ns = opened - began;
    checked.compare_ns = tour_now_ns() - opened;
    tarn_namespace_close(tour.records);
    tarn_namespace_close(tour.counters);
    tour_expect(tarn_close(tour.store), "closing the store");
    tour_process_report(reports, &checked, sizeof checked);
    free(tour.order);
    tour_input_release(&input);
    return 0;
}
