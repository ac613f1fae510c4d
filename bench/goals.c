/*
 * The table of operations and goals: see goals.h.
 */
#include "goals.h"

#include <stddef.h>
#include <string.h>

const struct operation operation_list[OPERATION_COUNT] = {
    {OPERATION_LOAD, "load", "set, load from empty", FORM_TIME_TO_PEER, "ratio", 0.75, GOAL_KEYS,
     false},
    {OPERATION_GET_HIT, "get_hit", "get, hit", FORM_TIME_TO_PEER, "ratio", 0.6, GOAL_KEYS, false},
    {OPERATION_GET_MISS, "get_miss", "get, miss", FORM_TIME_TO_PEER, "ratio", 0.65, GOAL_KEYS,
     false},
    {OPERATION_GET_MANY, "get_many", "get_many of 64, per key", FORM_TIME_TO_PEER, "ratio", 0.15,
     GOAL_KEYS, false},
    {OPERATION_OVERWRITE, "overwrite", "set, overwrite", FORM_TIME_TO_PEER, "ratio", 0.7, GOAL_KEYS,
     false},
    {OPERATION_DELETE, "delete", "delete", FORM_TIME_TO_PEER, "ratio", 1.0, GOAL_KEYS, false},
    {OPERATION_GET_2_THREADS, "get_2_threads", "get, 2 threads, uniform", FORM_THROUGHPUT_TO_OWN,
     "ratio", 1.9, GOAL_KEYS, false},
    {OPERATION_GET_2_THREADS_ZIPFIAN, "get_2_threads_zipfian", "get, 2 threads, Zipfian 0.99",
     FORM_THROUGHPUT_TO_OWN, "ratio", 1.9, GOAL_KEYS, false},
    {OPERATION_MIXED_2_THREADS, "mixed_2_threads", "95 % get 5 % set, 2 threads",
     FORM_THROUGHPUT_TO_PEER, "ratio", 1.8, GOAL_KEYS, false},
    {OPERATION_BATCH_SET, "batch_set", "batch set of 64, per key", FORM_TIME_TO_OWN, "ratio", 0.5,
     GOAL_KEYS, false},
    {OPERATION_GROWTH_WALL, "growth_wall", "growth, wall time of an insert", FORM_ABSOLUTE, "us",
     20, GROWTH_KEYS, false},
    {OPERATION_GROWTH_CPU, "growth_cpu", "growth, CPU time of an insert", FORM_ABSOLUTE, "us", 1000,
     GROWTH_KEYS, true},
    {OPERATION_MEMORY_LOADED, "memory_loaded", "memory after load", FORM_ABSOLUTE, "B/key", 36,
     GOAL_KEYS, false},
    {OPERATION_MEMORY_OVERWRITTEN, "memory_overwritten", "memory after overwrites", FORM_ABSOLUTE,
     "B/key", 44, GOAL_KEYS, false},
    {OPERATION_NAMESPACES, "namespaces", "10,000 empty namespaces", FORM_ABSOLUTE, "MB", 100, 0,
     false},
    {OPERATION_SNAPSHOT_SAVE, "snapshot_save", "snapshot, save into the page cache", FORM_ABSOLUTE,
     "s", 0.25, GOAL_KEYS, false},
    {OPERATION_SNAPSHOT_SAVE_SYNCED, "snapshot_save_synced", "snapshot, save until durable",
     FORM_ABSOLUTE, "s", 0.4, GOAL_KEYS, false},
    {OPERATION_SNAPSHOT_LOAD, "snapshot_load", "snapshot, load", FORM_ABSOLUTE, "s", 0.4, GOAL_KEYS,
     false},
    {OPERATION_SNAPSHOT_WRITERS, "snapshot_writers", "snapshot, sets while saves run",
     FORM_THROUGHPUT_TO_OWN, "ratio", 0.6, GOAL_KEYS, false},
    {OPERATION_SNAPSHOT_PAUSE, "snapshot_pause", "snapshot, pause of writers", FORM_ABSOLUTE, "ms",
     1, GOAL_KEYS, true},
    {OPERATION_SNAPSHOT_MEMORY, "snapshot_memory", "snapshot, memory of a save", FORM_ABSOLUTE,
     "MB", 0, GOAL_KEYS, false},
    {OPERATION_DISK_LOAD, "disk_load", "set, load from empty", FORM_TIME_TO_PEER, "ratio", 0.6,
     GOAL_KEYS, false},
    {OPERATION_DISK_GET_HIT, "disk_get_hit", "get, hit", FORM_TIME_TO_PEER, "ratio", 0.7, GOAL_KEYS,
     false},
    {OPERATION_DISK_GET_MISS, "disk_get_miss", "get, miss", FORM_TIME_TO_PEER, "ratio", 0,
     GOAL_KEYS, false},
    {OPERATION_DISK_GET_MANY, "disk_get_many", "get_many of 64, per key", FORM_TIME_TO_OWN, "ratio",
     0.2, GOAL_KEYS, false},
    {OPERATION_DISK_OVERWRITE, "disk_overwrite", "set, overwrite", FORM_TIME_TO_PEER, "ratio", 0.6,
     GOAL_KEYS, false},
    {OPERATION_DISK_ALWAYS, "disk_always", "set, 1 thread", FORM_THROUGHPUT_TO_OWN, "ratio", 0.95,
     0, false},
    {OPERATION_DISK_ALWAYS_16_THREADS, "disk_always_16_threads", "set, 16 threads",
     FORM_THROUGHPUT_TO_PEER, "ratio", 2, 0, false},
    /* Reached only with one sync a batch. */
    {OPERATION_DISK_ALWAYS_BATCH, "disk_always_batch", "batch set of 64, per batch",
     FORM_THROUGHPUT_TO_OWN, "ratio", 0.7, 0, false},
    {OPERATION_DISK_RATE, "disk_rate", "the disk, pwrite and fdatasync", FORM_ABSOLUTE, "1/s", 0, 0,
     false},
    {OPERATION_DISK_REOPEN, "disk_reopen", "reopening after a close", FORM_ABSOLUTE, "s", 0.05,
     GOAL_KEYS, false},
    {OPERATION_DISK_REOPEN_KILLED, "disk_reopen_killed", "reopening after SIGKILL", FORM_ABSOLUTE,
     "s", 0.5, GOAL_KEYS, false},
    {OPERATION_DISK_RECORD, "disk_record", "on disk, beyond key and value", FORM_ABSOLUTE, "B/key",
     18, GOAL_KEYS, false},
    {OPERATION_DISK_OVERWRITTEN, "disk_overwritten", "on disk after overwrites, to what lives",
     FORM_ABSOLUTE, "times", 1.4, GOAL_KEYS, false},
    {OPERATION_DISK_INDEX, "disk_index", "index in memory", FORM_ABSOLUTE, "B/key", 18, GOAL_KEYS,
     false},
    {OPERATION_DISK_LATENCY, "disk_latency", "time of an overwrite on disk", FORM_ABSOLUTE, "us",
     1000, GOAL_KEYS, false},
    {OPERATION_DISK_COMPACT_100, "disk_compact_100", "compaction, values of 100 bytes",
     FORM_ABSOLUTE, "s/GB", 2.5, GOAL_KEYS, false},
    {OPERATION_DISK_COMPACT_1000, "disk_compact_1000", "compaction, values of 1,000 bytes",
     FORM_ABSOLUTE, "s/GB", 1, GOAL_KEYS, false},
};

bool operation_more_is_better(const struct operation *operation)
{
    return operation->form == FORM_THROUGHPUT_TO_PEER || operation->form == FORM_THROUGHPUT_TO_OWN;
}

const struct operation *operation_find(const char *name)
{
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        if (strcmp(operation_list[i].name, name) == 0) {
            return &operation_list[i];
        }
    }
    return NULL;
}

bool operation_begins_with(const struct operation *operation, const char *words)
{
    const size_t length = strlen(words);
    return strncmp(operation->name, words, length) == 0 && operation->name[length] == '_';
}
