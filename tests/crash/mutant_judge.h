/*
 * Opens a store whose files were changed, and judges what comes of it.
 *
 * What must come of it follows from the bytes alone. A file that is not, byte for byte, one of
 * those that were saved is damaged: who reads it to its end must be told so, with its name and the
 * first block that is not as it was. Which snapshots an opening reads follows from their heads, and
 * a damaged file has the head of a saved one if it begins and ends with the same bytes. So for each
 * kind of opening it is known which error there must be, or what the namespaces must hold.
 *
 *      TARN_LOAD_NEWEST         an error, or what the newest snapshots hold
 *      TARN_LOAD_NEWEST_WHOLE   what the newest whole ones hold, and an event for each that was not
 *      TARN_LOAD_NOTHING        then every snapshot that was changed is verified and loaded
 *
 * A snapshot that is missing is not asked for: nothing says which ones there were.
 *
 * And always: the opening changes nothing on the disk; no piece of memory is asked for that is
 * larger than an opening of the unchanged store needs and than the file; and when the files are
 * what they were again, the store opens as before.
 */
#ifndef TARN_TESTS_CRASH_MUTANT_JUDGE_H
#define TARN_TESTS_CRASH_MUTANT_JUDGE_H

#include "crash/mutant.h"

struct mutant_judge {
    size_t memory_max;   /* that an opening of the unchanged store asks for at once */
    size_t memory_asked; /* the most that any opening has asked for */
    uint64_t openings;   /* so far */
    char failure[1000];  /* the first */
};

/* Opens the unchanged store; false: judge->failure tells. */
bool mutant_judge_init(struct mutant_judge *judge, const struct saved_store *saved);

/* Opens it in each of the ways that `ways` has a bit of. */
enum {
    MUTANT_NEWEST = 1,
    MUTANT_NEWEST_WHOLE = 2,
    MUTANT_NOTHING = 4,
    MUTANT_READ_ONLY = 8, /* and of these each to be read only */
    MUTANT_RESTORED = 16, /* afterwards, with the files as they were */
};
bool mutant_judge(struct mutant_judge *judge, const struct mutant *mutant, unsigned ways);

#endif
