/*
 * The conformance suite: what tarn.h promises, tried on every engine.
 *
 * Each file beside this one is a topic: a list of cmocka tests, each of which gets a fresh struct
 * fixture as its state. main.c runs every topic on every backend.
 */
#ifndef TARN_TESTS_CONFORMANCE_H
#define TARN_TESTS_CONFORMANCE_H

#include "support/fixture.h"

#include <stdbool.h>

struct conformance_topic {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
    bool memory_alone; /* it is about what an opening finds where snapshots are all that survives */
};

#define CONFORMANCE_TEST(function)                                                                 \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

/* Defines the topic of a file from the array of its tests. */
#define CONFORMANCE_TOPIC(topic, array)                                                            \
    const struct conformance_topic topic_##topic = {#topic, array, sizeof array / sizeof array[0], \
                                                    false}

/* The same for one that is memory_alone. */
#define CONFORMANCE_TOPIC_OF_MEMORY(topic, array)                                                  \
    const struct conformance_topic topic_##topic = {#topic, array, sizeof array / sizeof array[0], \
                                                    true}

extern const struct conformance_topic topic_singles;
extern const struct conformance_topic topic_writes;
extern const struct conformance_topic topic_sizes;
extern const struct conformance_topic topic_limits;
extern const struct conformance_topic topic_configure;
extern const struct conformance_topic topic_namespaces;
extern const struct conformance_topic topic_handles;
extern const struct conformance_topic topic_pins;
extern const struct conformance_topic topic_async;
extern const struct conformance_topic topic_batches;
extern const struct conformance_topic topic_batch_failures;
extern const struct conformance_topic topic_get_many;
extern const struct conformance_topic topic_cursors;
extern const struct conformance_topic topic_resize;
extern const struct conformance_topic topic_errors;
extern const struct conformance_topic topic_model;
extern const struct conformance_topic topic_folders;
extern const struct conformance_topic topic_folder_faults;
extern const struct conformance_topic topic_folder_forks;
extern const struct conformance_topic topic_snapshots;
extern const struct conformance_topic topic_autosave;
extern const struct conformance_topic topic_snapshot_loads;
extern const struct conformance_topic topic_snapshot_openings;
extern const struct conformance_topic topic_snapshot_cuts;
extern const struct conformance_topic topic_snapshot_damage;
extern const struct conformance_topic topic_snapshot_threads;
extern const struct conformance_topic topic_backups;
extern const struct conformance_topic topic_namespace_copies;

#endif
