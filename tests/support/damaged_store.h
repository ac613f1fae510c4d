/*
 * Stores to be damaged, for the tests of tarn_check() and tarn_salvage(): one with logs, records in
 * memory and snapshots; its files by their paths; and what a check or a salvage tells of it.
 */
#ifndef TARN_TESTS_DAMAGED_STORE_H
#define TARN_TESTS_DAMAGED_STORE_H

#include "support/store_folder.h"

#define TOLD_MESSAGES 4096

/* What was told. Begins zeroed. */
struct told {
    unsigned faults, notes, calls;
    unsigned cancel_at; /* the call of the progress that ends it; 0: none */
    uint64_t done, total;
    char path[STORE_FOLDER_PATH_ROOM]; /* of the last fault */
    uint64_t offset;
    char key[64], name[64];
    char messages[TOLD_MESSAGES]; /* as far as there is room */
    struct tarn_check_summary summary;
};

/* Calls, and expects that what was told and what is summed up are the same. */
tarn_status check_told(const char *path, struct told *told);
tarn_status salvage_told(const char *from, const char *to, struct told *told);
bool told_of(const struct told *told, const char *words);

#define DAMAGED_FILES_MAX 64

/* All regular files below a folder, but the lock. */
struct store_files {
    char paths[DAMAGED_FILES_MAX][STORE_FOLDER_PATH_ROOM];
    unsigned count;
};
void store_files_find(struct store_files *files, const char *path);

/* The first of them whose path ends so; fails the test where there is none. */
const char *store_files_named(const struct store_files *files, const char *end);

/* Changes one byte of a file, in place. */
void flip_byte(const char *path, uint64_t offset, uint8_t bits);

/* Puts keys from..to-1 with values of so many bytes, each of which can be told from all others. */
void put_some(tarn_namespace *ns, unsigned from, unsigned to, size_t bytes, unsigned round);

/* How many of the keys from..to-1 are there; each that is must have the value of that round. */
unsigned count_some(tarn_namespace *ns, unsigned from, unsigned to, size_t bytes, unsigned round);

/* Fills the store of a fixture: "log" and "other" on the log engine, the first with overwritten and
 * deleted keys and a batch; "test" in memory, saved in "one" and with more records in "two". The
 * store is open still. size: about the bytes of each value. */
void damaged_store_fill(struct store_folder *f, unsigned keys, size_t size);

#endif
