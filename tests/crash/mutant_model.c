/* What must come of it; see the header. */
#include "crash/mutant_model.h"
#include "format/file.h"

#include <string.h>

#define END_BLOCK_BYTES (TARN__BLOCK_HEADER_BYTES + TARN__BLOCK_END_LENGTH)
#define ALL_NAMESPACES  ((1u << SAVED_NAMESPACES) - 1)

static bool begins_as(const struct mutant_file *file, const struct saved_original *original,
                      size_t length)
{
    return file->kind == MUTANT_BYTES && file->length >= length &&
           memcmp(file->bytes, original->bytes, length) == 0;
}

int mutant_is(const struct mutant *mutant, unsigned file)
{
    const struct mutant_file *here = &mutant->files[file];
    unsigned from = file >= SAVED_OLD ? SAVED_OLD : file;
    unsigned last = file >= SAVED_OLD ? SAVED_BETA : file;

    for (unsigned i = from; i <= last; i++)
        if (here->length == mutant->saved->files[i].length &&
            begins_as(here, &mutant->saved->files[i], here->length))
            return (int)i;
    return -1;
}

/* An end block counts where it was written: at the end of a file of that length. */
static bool ends_as(const struct mutant_file *file, const struct saved_original *original)
{
    size_t end = original->length - END_BLOCK_BYTES;

    return file->length == original->length &&
           memcmp(file->bytes + end, original->bytes + end, END_BLOCK_BYTES) == 0;
}

int mutant_has_head_of(const struct mutant *mutant, unsigned file)
{
    const struct mutant_file *here = &mutant->files[file];
    bool made = here->changed && (mutant->made.status || mutant->made.unknown);

    for (unsigned i = SAVED_OLD; i <= SAVED_BETA; i++)
        if (begins_as(here, &mutant->saved->files[i], mutant->saved->files[i].head_bytes) &&
            (made || ends_as(here, &mutant->saved->files[i])))
            return (int)i;
    return -1;
}

tarn_status mutant_error(const struct mutant *mutant, unsigned file)
{
    const struct mutant_file *here = &mutant->files[file];

    if (here->kind == MUTANT_DIRECTORY || here->kind == MUTANT_FIFO)
        return file >= SAVED_OLD ? TARN_CORRUPT : TARN_IO;
    if (here->kind == MUTANT_MISSING)
        return file >= SAVED_OLD ? TARN_SNAPSHOT_NOT_FOUND : TARN_CORRUPT;
    if (file == SAVED_LOCK || mutant_is(mutant, file) >= 0) /* what the lock holds means nothing */
        return TARN_OK;
    return mutant->made.status ? mutant->made.status : TARN_CORRUPT;
}

void mutant_first_bad(const struct mutant *mutant, unsigned file, size_t *begin, size_t *end)
{
    const struct mutant_file *here = &mutant->files[file];
    const struct saved_original *original = NULL;
    size_t at = 0, block = 0;

    *begin = 0;
    *end = TARN__FILE_HEADER_BYTES;
    for (unsigned i = SAVED_CATALOG; i < SAVED_FILES; i++)
        if ((i == SAVED_CATALOG) == (file == SAVED_CATALOG) &&
            begins_as(here, &mutant->saved->files[i], TARN__FILE_HEADER_BYTES))
            original = &mutant->saved->files[i];
    if (!original)
        return;
    while (at < here->length && at < original->length && here->bytes[at] == original->bytes[at])
        at++;
    while (block + 1 < original->block_count && original->blocks[block + 1] <= at)
        block++;
    *begin = at == original->length ? at : original->blocks[block];
    *end = original->blocks[block + 1];
}

/* ------------------------------------------------------------------------------------------
 * Openings
 */

/* Whether an opening tries snapshot a before snapshot b: the later cut first. */
static bool comes_before(const struct mutant *mutant, unsigned a, unsigned b)
{
    const struct saved_original *files = mutant->saved->files;
    uint64_t of_a = files[mutant_has_head_of(mutant, a)].sequence;
    uint64_t of_b = files[mutant_has_head_of(mutant, b)].sequence;

    return of_a != of_b ? of_a > of_b : strcmp(files[a].name, files[b].name) > 0;
}

/* The snapshots whose heads can be read, in that order. */
static unsigned order_heads(const struct mutant *mutant, unsigned order[SAVED_FILES])
{
    unsigned count = 0;

    for (unsigned i = SAVED_OLD; i <= SAVED_BETA; i++) {
        unsigned at = count;

        if (mutant_has_head_of(mutant, i) < 0)
            continue;
        for (; at > 0 && comes_before(mutant, i, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = i;
        count++;
    }
    return count;
}

static void load(const struct mutant *mutant, enum tarn_load kind, struct mutant_outcome *outcome)
{
    unsigned order[SAVED_FILES], wanted = ALL_NAMESPACES;
    unsigned count = order_heads(mutant, order);

    for (unsigned i = 0; i < count && !outcome->culprits; i++) {
        const struct saved_original *head =
            &mutant->saved->files[mutant_has_head_of(mutant, order[i])];

        if (!(head->decides & wanted))
            continue;
        if (mutant_error(mutant, order[i])) {
            if (kind == TARN_LOAD_NEWEST)
                outcome->culprits |= 1u << order[i];
            else
                outcome->passed_over |= 1u << order[i];
            continue;
        }
        for (unsigned ns = 0; ns < SAVED_NAMESPACES; ns++)
            if (wanted & head->decides & 1u << ns)
                outcome->versions[ns] = head->versions[ns];
        wanted &= ~head->decides;
    }
}

/* Snapshots of which not even the head can be read: one may be the newest. */
static void look_at_heads(const struct mutant *mutant, enum tarn_load kind,
                          struct mutant_outcome *outcome)
{
    for (unsigned i = SAVED_OLD; i <= SAVED_BETA; i++) {
        const struct mutant_file *file = &mutant->files[i];

        if (file->kind == MUTANT_MISSING || mutant_has_head_of(mutant, i) >= 0)
            continue;
        if (kind == TARN_LOAD_NEWEST_WHOLE)
            outcome->passed_over |= 1u << i;
        else if (kind == TARN_LOAD_NEWEST)
            outcome->culprits |= 1u << i;
    }
}

void mutant_outcome(const struct mutant *mutant, enum tarn_load kind,
                    struct mutant_outcome *outcome)
{
    unsigned heads;

    memset(outcome, 0, sizeof *outcome);
    for (unsigned i = SAVED_LOCK; i <= SAVED_CATALOG && !outcome->culprits; i++)
        if (mutant_error(mutant, i))
            outcome->culprits = 1u << i;
    if (outcome->culprits)
        return;
    look_at_heads(mutant, kind, outcome);
    heads = outcome->culprits;
    outcome->culprits = 0;
    if (kind != TARN_LOAD_NOTHING && (!heads || mutant->made.other_head))
        load(mutant, kind, outcome);
    outcome->culprits |= heads;
    if (mutant->made.other_head) { /* then it is loaded in its turn, or is not asked for */
        outcome->may_succeed = true;
        outcome->passed_over = 0;
    }
}
