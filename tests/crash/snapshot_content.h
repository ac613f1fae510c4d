/*
 * What a snapshot's file holds, read by docs/format-snapshot.md alone: without loading it, and
 * without the library. Checksums are not looked at: tarn_snapshot_verify() is for that.
 */
#ifndef TARN_TESTS_CRASH_SNAPSHOT_CONTENT_H
#define TARN_TESTS_CRASH_SNAPSHOT_CONTENT_H

#include "crash/worker_state.h"

struct snapshot_content {
    char name[WORKER_NAME_ROOM]; /* of the snapshot */
    uint8_t identity[16];        /* of the file */
    uint64_t sequence;
    bool whole;  /* of the whole store */
    unsigned ns; /* else of this namespace */
    struct worker_content content;
};

/* Reads NAME.snapshot in a folder. */
bool snapshot_content_read(const char *folder, const char *file_name,
                           struct snapshot_content *snapshot, struct worker_problem *problem);

#endif
