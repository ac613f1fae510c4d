/*
 * Runs the conformance suite: every topic on every backend, or the topics that are named on the
 * command line. Exits with 1 if a test failed, with 2 if a topic is not known.
 */
#include "conformance/conformance.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct conformance_topic *const topics[] = {
    &topic_singles,
    &topic_writes,
    &topic_sizes,
    &topic_limits,
    &topic_configure,
    &topic_namespaces,
    &topic_handles,
    &topic_pins,
    &topic_batches,
    &topic_batch_failures,
    &topic_get_many,
    &topic_cursors,
    &topic_resize,
    &topic_errors,
    &topic_model,
    &topic_folders,
    &topic_autosave,
    &topic_folder_faults,
    &topic_folder_forks,
    &topic_snapshots,
    &topic_snapshot_loads,
    &topic_snapshot_openings,
    &topic_snapshot_damage,
    &topic_snapshot_cuts,
    &topic_snapshot_threads,
};
static const size_t topic_count = sizeof topics / sizeof topics[0];

static bool is_topic(const char *name)
{
    for (size_t i = 0; i < topic_count; i++)
        if (strcmp(topics[i]->name, name) == 0)
            return true;
    return false;
}

static bool is_wanted(const struct conformance_topic *topic, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], topic->name) == 0)
            return true;
    return argc == 1;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        if (!is_topic(argv[i])) {
            fprintf(stderr, "there is no topic %s\n", argv[i]);
            return 2;
        }
    }
    for (size_t b = 0; b < fixture_backend_count; b++) {
        fixture_backend = &fixture_backends[b];
        for (size_t i = 0; i < topic_count; i++) {
            char name[64];

            if (!is_wanted(topics[i], argc, argv))
                continue;
            snprintf(name, sizeof name, "%s: %s", fixture_backend->name, topics[i]->name);
            failed += _cmocka_run_group_tests(name, topics[i]->tests, topics[i]->count, NULL, NULL);
        }
    }
    return failed != 0;
}
