/*
 * A saved store with something changed in its files, and what was changed, in words.
 *
 *     mutant_init(&mutant, &saved);
 *     mutant_flip(&mutant, SAVED_CATALOG, 8 * 17 + 3);
 *     ... mutant_judge() ...
 *     mutant_reset(&mutant);
 *
 * Several changes may be made, one on top of the other. Nothing here touches a disk.
 */
#ifndef TARN_TESTS_CRASH_MUTANT_H
#define TARN_TESTS_CRASH_MUTANT_H

#include "crash/saved_store.h"
#include "tarn.h"

enum mutant_kind {
    MUTANT_BYTES, /* a file */
    MUTANT_MISSING,
    MUTANT_DIRECTORY,
    MUTANT_FIFO,
};

struct mutant_file {
    enum mutant_kind kind;
    uint8_t *bytes;
    size_t length, room;
    bool changed; /* or changed and changed back */
};

/* What there is to say of a file that was made with right checksums; 0 elsewhere. */
struct mutant_made {
    tarn_status status; /* why it is refused; TARN_OK: all its checksums are as they come */
    bool other_head;    /* of a snapshot: its head is readable, perhaps, and not what it was */
    bool verifies;      /* only who loads it can tell */
    bool unknown;       /* it may be valid: whatever comes of it, it is no crash */
};

struct mutant {
    const struct saved_store *saved;
    struct mutant_file files[SAVED_FILES];
    struct mutant_made made;
    char words[400];
};

void mutant_init(struct mutant *mutant, const struct saved_store *saved);
void mutant_release(struct mutant *mutant);

/* Takes all changes back. */
void mutant_reset(struct mutant *mutant);

/* Whether anything is other than it was saved. */
bool mutant_differs(const struct mutant *mutant);

/* Adds to the words. */
void mutant_say(struct mutant *mutant, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One change. Offsets lie within the file as it is now, and what goes beyond its end is left out;
 * an empty file stays as it is. */
void mutant_flip(struct mutant *mutant, unsigned file, size_t bit);
void mutant_cut(struct mutant *mutant, unsigned file, size_t length);
void mutant_append(struct mutant *mutant, unsigned file, const void *bytes, size_t length,
                   const char *what);
void mutant_overwrite(struct mutant *mutant, unsigned file, size_t offset, const void *bytes,
                      size_t length, const char *what);
void mutant_remove(struct mutant *mutant, unsigned file, size_t offset, size_t length);
void mutant_swap(struct mutant *mutant, unsigned file, size_t offset, unsigned other,
                 size_t other_offset, size_t length);

/* All the bytes of a file; or something that is no file takes its place. */
void mutant_replace(struct mutant *mutant, unsigned file, const void *bytes, size_t length,
                    const char *what);
void mutant_become(struct mutant *mutant, unsigned file, enum mutant_kind kind);

#endif
