/*
 * What must come of a store whose files were changed: computed from the bytes, without a look at
 * the library's own opinion. mutant_judge.h says by which rule.
 */
#ifndef TARN_TESTS_CRASH_MUTANT_MODEL_H
#define TARN_TESTS_CRASH_MUTANT_MODEL_H

#include "crash/mutant.h"

/* The saved snapshot (or catalog) that a file is, byte for byte, or whose head it has; else -1. */
int mutant_is(const struct mutant *mutant, unsigned file);
int mutant_has_head_of(const struct mutant *mutant, unsigned file);

/* The error that a file gives to whoever reads it to its end. TARN_OK: it is one that was saved. */
tarn_status mutant_error(const struct mutant *mutant, unsigned file);

/* The first block of a file that is not as it was saved, as offsets of the file. */
void mutant_first_bad(const struct mutant *mutant, unsigned file, size_t *begin, size_t *end);

/* What comes of an opening: where there are culprits it fails, with the error of one of them;
 * otherwise the namespaces hold these versions. */
struct mutant_outcome {
    unsigned culprits;    /* bits of files */
    bool may_succeed;     /* all the same, with these versions */
    unsigned passed_over; /* bits of snapshots that an event must tell of */
    unsigned versions[SAVED_NAMESPACES];
};

void mutant_outcome(const struct mutant *mutant, enum tarn_load load,
                    struct mutant_outcome *outcome);

#endif
