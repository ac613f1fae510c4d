/*
 * Runs the conformance suite: every topic on every backend, or those that are asked for.
 *
 *     conformance [--backend NAME] [TOPIC...]            these topics; without any, all
 *     conformance [--backend NAME] --except TOPIC...     all topics but these
 *     conformance --backends-are NAME...                 only checks that these are all there are
 *
 * The build runs each backend in parts, the last of which is what the others leave, and checks that
 * it knows all backends: none of the two can be forgotten in tests/meson.build. Exits with 1 if a
 * test failed, no test ran or the backends are others, with 2 if a name is not known.
 */
#include "conformance/conformance.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct conformance_topic *const topics[] = {
    &topic_singles,          &topic_writes,        &topic_sizes,
    &topic_limits,           &topic_configure,     &topic_namespaces,
    &topic_handles,          &topic_pins,          &topic_batches,
    &topic_batch_failures,   &topic_get_many,      &topic_cursors,
    &topic_resize,           &topic_errors,        &topic_model,
    &topic_snapshot_loads,   &topic_snapshot_cuts, &topic_snapshot_threads,
    &topic_folders,          &topic_autosave,      &topic_folder_faults,
    &topic_folder_forks,     &topic_snapshots,     &topic_snapshot_openings,
    &topic_snapshot_damage,  &topic_async,         &topic_backups,
    &topic_namespace_copies,
};
static const size_t topic_count = sizeof topics / sizeof topics[0];

/* What is asked for on the command line. */
struct selection {
    const char *backend; /* NULL: all */
    bool except;         /* all topics but the named */
    char **names;        /* of topics */
    int count;
};

static bool is_topic(const char *name)
{
    for (size_t i = 0; i < topic_count; i++)
        if (strcmp(topics[i]->name, name) == 0)
            return true;
    return false;
}

static bool is_backend(const char *name)
{
    for (size_t i = 0; i < fixture_backend_count; i++)
        if (strcmp(fixture_backends[i].name, name) == 0)
            return true;
    return false;
}

/* Whether the names are those of all backends, in their order; tells what they are. */
static bool backends_are(char **names, int count)
{
    bool same = count >= 0 && (size_t)count == fixture_backend_count;

    for (size_t i = 0; i < fixture_backend_count; i++) {
        printf("backend %s\n", fixture_backends[i].name);
        same = same && strcmp(fixture_backends[i].name, names[i]) == 0;
    }
    if (!same)
        fprintf(stderr, "these are not the backends that were named\n");
    return same;
}

/* Reads the command line; false where it names what there is not. */
static bool selection_read(struct selection *selection, int argc, char **argv)
{
    int at = 1;

    if (at < argc && strcmp(argv[at], "--backend") == 0) {
        selection->backend = at + 1 < argc ? argv[at + 1] : "";
        if (!is_backend(selection->backend)) {
            fprintf(stderr, "there is no backend %s\n", selection->backend);
            return false;
        }
        at += 2;
    }
    selection->except = at < argc && strcmp(argv[at], "--except") == 0;
    at += selection->except;
    selection->names = argv + at;
    selection->count = argc - at;
    for (int i = 0; i < selection->count; i++) {
        if (!is_topic(selection->names[i])) {
            fprintf(stderr, "there is no topic %s\n", selection->names[i]);
            return false;
        }
    }
    return true;
}

static bool is_wanted(const struct selection *selection, const struct conformance_topic *topic)
{
    for (int i = 0; i < selection->count; i++)
        if (strcmp(selection->names[i], topic->name) == 0)
            return !selection->except;
    return selection->except || selection->count == 0;
}

int main(int argc, char **argv)
{
    struct selection selection = {0};
    size_t ran = 0;
    int failed = 0;

    if (argc > 1 && strcmp(argv[1], "--backends-are") == 0)
        return !backends_are(argv + 2, argc - 2);
    if (!selection_read(&selection, argc, argv))
        return 2;
    for (size_t b = 0; b < fixture_backend_count; b++) {
        fixture_backend = &fixture_backends[b];
        if (selection.backend && strcmp(selection.backend, fixture_backend->name) != 0)
            continue;
        for (size_t i = 0; i < topic_count; i++) {
            char name[64];

            if (!is_wanted(&selection, topics[i]) || (topics[i]->memory_alone && b > 0))
                continue;
            snprintf(name, sizeof name, "%s: %s", fixture_backend->name, topics[i]->name);
            ran += topics[i]->count;
            failed += _cmocka_run_group_tests(name, topics[i]->tests, topics[i]->count, NULL, NULL);
        }
    }
    return failed != 0 || ran == 0;
}
