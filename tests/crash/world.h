/*
 * What a store in a folder must hold after a crash: the oracle of the tests of crash states.
 *
 * A world knows the namespaces with their records as they are seen, and for the catalog, for each
 * name of a snapshot and for each log all that the disk may say. Of catalog and snapshots that is
 * one thing after a change that was acknowledged; before or after it while the change is under way,
 * or when its outcome is unknown.
 *
 *     begin:          may say A           -> may say A or B
 *     TARN_OK:                            -> may say B
 *     an error:                           -> may say A
 *     TARN_OUTCOME_UNKNOWN:               -> may say A or B
 *
 * Of a log it is the state after some write, not before the last one that is known to be durable;
 * and where the process alone has died, not before the last one that was acknowledged. A log that
 * is to take the place of another is there beside it as long as the catalog may tell of either.
 *
 * Every set that becomes narrower gives the world a new version, by which crash states are judged
 * anew. Saves are kept in a pool that the worlds of one run share, and are told by their place in
 * it: a later one has a higher place. 0 is "there is no such snapshot".
 */
#ifndef TARN_TESTS_CRASH_WORLD_H
#define TARN_TESTS_CRASH_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn.h"

/* The last name of each kind is only used when a recovered store is tried. */
#define WORLD_NAMESPACES   5
#define WORLD_SNAPSHOTS    5
#define WORLD_PROBE        4
#define WORLD_KEYS         50
#define WORLD_ALTERNATIVES 8
#define WORLD_VALUE_BYTES  1024
#define WORLD_STATES       40 /* of a log */

extern const char *const world_namespace_names[WORLD_NAMESPACES];
extern const char *const world_snapshot_names[WORLD_SNAPSHOTS];

struct world_limits {
    uint32_t shards, lock_timeout_ms;
    uint64_t max_keys, max_value_size, max_bytes;
    enum tarn_sync_mode sync; /* TARN_SYNC_DEFAULT: it is in memory */
    uint64_t segment_bytes;   /* of a log */
    uint64_t compact_bytes;
};

struct world_namespace {
    bool there;
    uint32_t number; /* another one for each that was ever made */
    uint32_t home;   /* likewise for each log; 0: in memory */
    struct world_limits limits;
};

struct world_catalog {
    struct world_namespace ns[WORLD_NAMESPACES];
};

/* Which value each key has; 0: it is absent. */
struct world_content {
    uint32_t values[WORLD_KEYS];
};

/* What may be found of a log: one of these. Behind those that are seen are the doubtful ones, of
 * writes that failed and are not seen, which may be found all the same. */
struct world_log {
    uint32_t home;
    unsigned count;
    unsigned acknowledged; /* the place of the last state that was */
    uint64_t forgotten;    /* how many states there were before the first */
    unsigned doubtful;     /* how many there are of these */
    bool failed;           /* it takes no write any more */
    struct world_content states[WORLD_STATES];
};

struct world_save {
    bool whole; /* of the whole store */
    struct world_namespace ns[WORLD_NAMESPACES];
    struct world_content content[WORLD_NAMESPACES];
    uint64_t sequence; /* 0: not known yet */
    uint64_t digest;   /* of the file that was found to be right; 0: none was yet */
};

struct world_saves {
    struct world_save *items;
    size_t count, room;
};

struct world {
    struct world_saves *saves;
    bool begun; /* an opening was acknowledged */
    struct world_catalog now;
    struct world_content content[WORLD_NAMESPACES]; /* as it is seen */
    struct world_log logs[WORLD_NAMESPACES];
    struct world_log arriving[WORLD_NAMESPACES]; /* which a catalog to come tells of */
    struct world_catalog catalogs[WORLD_ALTERNATIVES];
    size_t catalog_count;
    uint32_t snapshots[WORLD_SNAPSHOTS][WORLD_ALTERNATIVES];
    size_t snapshot_count[WORLD_SNAPSHOTS];
    uint64_t version;
    uint64_t *versions; /* the last one given out in the run */
    uint32_t *numbers;
};

/* An empty store. The pointers are the run's. */
void world_init(struct world *world, struct world_saves *saves, uint64_t *versions,
                uint32_t *numbers);
void world_saves_release(struct world_saves *saves);

/* The bytes of a value; bytes has WORLD_VALUE_BYTES. The key; room has 8. */
struct tarn_slice world_value(uint32_t value, uint8_t *bytes);
struct tarn_slice world_key(uint32_t key, char *room);

/* The key's number, or WORLD_KEYS. */
uint32_t world_key_number(struct tarn_slice key);

/* A change of the catalog begins, and ends with this status. */
void world_catalog_begins(struct world *world, const struct world_catalog *next);
void world_catalog_ends(struct world *world, const struct world_catalog *next, tarn_status status);

/* The same for a name of a snapshot: save is 0 where it is deleted. */
void world_snapshot_begins(struct world *world, unsigned name, uint32_t save);
void world_snapshot_ends(struct world *world, unsigned name, uint32_t save, tarn_status status);

/* A write to a log begins, after which this is seen; and ends: without an error, or with one and
 * seen all the same, or not seen, and then it may be found or (`refused`) not. */
void world_log_begins(struct world *world, unsigned ns, const struct world_content *next);
enum world_log_end { WORLD_LOG_DONE, WORLD_LOG_SEEN, WORLD_LOG_NOT_SEEN, WORLD_LOG_REFUSED };
void world_log_ends(struct world *world, unsigned ns, enum world_log_end end);

/* All that is seen of a log is durable. */
void world_log_is_durable(struct world *world, unsigned ns);

/* The number of a log's last state; and: all up to the state of a number is durable. Where no write
 * is doubtful. */
uint64_t world_log_number(const struct world *world, unsigned ns);
void world_log_is_durable_to(struct world *world, unsigned ns, uint64_t number);

/* The store was closed, as it should be. */
void world_logs_are_closed(struct world *world);

/* A log that a catalog to come tells of; returns its home. */
uint32_t world_log_arrives(struct world *world, unsigned ns, const struct world_content *content);

/* Whether this may be found, where the catalog is one of the world's; killed: nothing that was
 * acknowledged is lost. */
bool world_logs_fit(const struct world *world, size_t catalog,
                    const struct world_content found[WORLD_NAMESPACES], bool killed);

/* Puts what is in memory now in the pool: all of it, or one namespace; returns its place. */
uint32_t world_save(struct world *world, const unsigned *only);
struct world_save *world_save_at(const struct world *world, uint32_t place);

/* What was found is from now on what must be there. */
struct world_found {
    size_t catalog;
    uint32_t snapshots[WORLD_SNAPSHOTS];
    struct world_content logs[WORLD_NAMESPACES];
};
void world_settle(struct world *world, const struct world_found *found);

/* Fills in what an opening that loads the newest has in memory, once the world is settled. */
void world_load_newest(struct world *world);
void world_load_nothing(struct world *world);

#endif
