/*
 * What a store holds, in the numbers by which a worker (worker.h) and its judge (judge.h) know it.
 *
 * A namespace has one of a few names. Each one that was ever made has a generation, and each change
 * of its options gives it a new configuration: `config` is both, and is what the store keeps as the
 * namespace's limit of keys. So the catalog, and each snapshot, say which generation they mean,
 * and no two generations of one name look the same.
 *
 * A key belongs to one thread, which alone writes it. Each write has a version of its own for ever;
 * a value is made out of generation and version, and can be checked to its last byte.
 */
#ifndef TARN_TESTS_CRASH_WORKER_STATE_H
#define TARN_TESTS_CRASH_WORKER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn.h"

#define WORKER_NAMESPACES 4
#define WORKER_THREADS    4
#define WORKER_KEYS       40
#define WORKER_CONFIGS    64 /* of one generation */

/* In the place of a namespace: the whole store. */
#define WORKER_STORE WORKER_NAMESPACES

/* Names of snapshots; the last one is the judge's. Those of autosaves are made by the store. */
#define WORKER_SNAPSHOTS     5
#define WORKER_TRIAL         4
#define WORKER_AUTOSAVE_KEEP 2
#define WORKER_NAME_ROOM     208

#define WORKER_VALUE_BYTES_MAX 80000

extern const char *const worker_namespace_names[WORKER_NAMESPACES];
extern const char *const worker_snapshot_names[WORKER_SNAPSHOTS];
extern const char worker_autosave_prefix[];

struct worker_autosave {
    uint32_t set, running, at_close, interval_ms;
};

/* config: 0 where there is no such namespace. */
struct worker_catalog {
    uint32_t config[WORKER_NAMESPACES];
    struct worker_autosave autosave[WORKER_NAMESPACES + 1]; /* the last: of the whole store */
};

/* version: 0 where there is no such key. */
struct worker_content {
    uint32_t config[WORKER_NAMESPACES];
    uint32_t versions[WORKER_NAMESPACES][WORKER_THREADS][WORKER_KEYS];
};

/* The first thing that was found to be wrong. */
struct worker_problem {
    char text[1200];
};

/* Notes a problem, if it is the first; false. */
bool worker_wrong(struct worker_problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a call that failed, with the detail of this thread's last error. */
bool worker_wrong_call(struct worker_problem *problem, const char *call, tarn_status status);

uint32_t worker_generation(uint32_t config);

/* The slot of a namespace's name, or WORKER_NAMESPACES; of a snapshot's, or WORKER_SNAPSHOTS. */
unsigned worker_namespace_of(struct tarn_slice name);
unsigned worker_snapshot_of(struct tarn_slice name);

struct tarn_slice worker_text(const char *string);

/* Options by which a namespace keeps its config, for making it and for configuring it. */
struct tarn_namespace_options worker_options(uint32_t config);
/* The config that options tell; false: no worker has made them. */
bool worker_config_of(uint64_t max_keys, uint32_t *config);

/* room has WORKER_KEY_ROOM bytes; bytes has WORKER_VALUE_BYTES_MAX. */
#define WORKER_KEY_ROOM 16
struct tarn_slice worker_key(unsigned thread, unsigned key, char *room);
struct tarn_slice worker_value(uint32_t generation, uint32_t version, uint8_t *bytes);

/* Takes a record of the namespace into the content, if it is one that a worker has written there
 * and its value is right. */
bool worker_take_record(struct worker_content *content, unsigned ns, struct tarn_slice key,
                        struct tarn_slice value, struct worker_problem *problem);

/* What an open store says. Names, limits and settings; and every record. */
bool worker_read_catalog(tarn_store *store, struct worker_catalog *catalog,
                         struct worker_problem *problem);
bool worker_read_content(tarn_store *store, struct worker_content *content,
                         struct worker_problem *problem);

/* Each compares, and notes what differs; `what` says where it was found. */
bool worker_same_catalog(const struct worker_catalog *wanted, const struct worker_catalog *found,
                         const char *what, struct worker_problem *problem);
bool worker_same_content(const struct worker_content *wanted, const struct worker_content *found,
                         const char *what, struct worker_problem *problem);

#endif
