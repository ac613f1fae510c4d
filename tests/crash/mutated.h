/*
 * A run over the changed files of a saved store: each of the faults 1 to 7 of the list, and then
 * two and three changes at once, at random, until there were enough.
 *
 *      1  cut off at every byte             5  no file says a position: there is nothing to try
 *      2  every bit flipped                 6  an unknown version, flag, or kind
 *      3  blocks replaced, and swapped      7  empty, a header alone, missing, another thing
 *      4  right checksums over hostile fields
 *
 * Where fewer files are asked for than 1 and 2 have, some of these are left out, in even steps.
 */
#ifndef TARN_TESTS_CRASH_MUTATED_H
#define TARN_TESTS_CRASH_MUTATED_H

#include "crash/mutant_judge.h"

struct mutated_settings {
    uint64_t seed;
    uint64_t files; /* to open */
};

/* What one kind of change came to. */
struct mutated_share {
    const char *name;
    uint64_t files;
};

#define MUTATED_SHARES 8

struct mutated_report {
    uint64_t files, openings;
    struct mutated_share shares[MUTATED_SHARES];
    unsigned share_count;
    size_t memory_asked, longest_file;
    bool failed;
    char failure[1000];
};

/* False: report->failure says what was changed, and what came of it. */
bool mutated_run(const struct mutated_settings *settings, struct mutated_report *report);

/* ------------------------------------------------------------------------------------------
 * What the parts of a run share
 */

struct mutated {
    const struct mutated_settings *settings;
    struct mutated_report *report;
    struct saved_store saved;
    struct mutant mutant; /* unchanged between two tries */
    struct mutant_judge judge;
    uint64_t random;
    bool few; /* of the present share, so that each is opened in all ways */
};

/* Opens what the mutant is now, unless it is unchanged, and takes the changes back. False: the run
 * has failed. */
bool mutated_try(struct mutated *run);

/* Counts the files that come under this name from now on. */
void mutated_share_begins(struct mutated *run, const char *name, bool few);

/* mutated_made.c, 4 and 6: files with right checksums and a field that must not be accepted; and
 * count of them with a field of any content. */
bool mutated_try_made(struct mutated *run);
bool mutated_try_random_made(struct mutated *run, uint64_t count);

#endif
