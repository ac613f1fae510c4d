/* A run over changed files; see the header. One thread. */
#include "crash/mutated.h"
#include "format/file.h"
#include "support/fixture.h"

#include <stdio.h>
#include <string.h>

/* Where there are many files, one of so many is opened in each way, the others in one of them; and
 * one of so many is read only, too, and put back. */
#define EVERY_ALL_WAYS 16
#define EVERY_RESTORED 32

#define ALL_WAYS (MUTANT_NEWEST | MUTANT_NEWEST_WHOLE | MUTANT_NOTHING)

#define GARBAGE_BYTES 4096

/* How large a part of the files may be cut off or have a bit flipped, in quarters. */
#define SYSTEMATIC_QUARTERS 3

/* Of how many files there is one made at random with right checksums; and at least one with two or
 * three changes. */
#define EVERY_MADE    20
#define EVERY_CHANGES 10

void mutated_share_begins(struct mutated *run, const char *name, bool few)
{
    expect_that(run->report->share_count < MUTATED_SHARES);
    run->report->shares[run->report->share_count++].name = name;
    run->few = few;
}

/* Three ways take turns, so that each of them sees some of the eight bits of every byte. */
static unsigned choose_ways(const struct mutated *run)
{
    static const unsigned ways[] = {MUTANT_NEWEST, MUTANT_NOTHING, MUTANT_NEWEST_WHOLE};
    uint64_t number = run->report->files;

    if (run->mutant.made.unknown) /* loading it may have changed the catalog */
        return ALL_WAYS;
    if (number % EVERY_RESTORED == 0)
        return ALL_WAYS | MUTANT_READ_ONLY | MUTANT_RESTORED;
    if (run->few)
        return ALL_WAYS | MUTANT_RESTORED;
    return number % EVERY_ALL_WAYS == 0 ? ALL_WAYS : ways[number % 3];
}

bool mutated_try(struct mutated *run)
{
    struct mutated_report *report = run->report;

    if (mutant_differs(&run->mutant)) { /* and not a zero in the place of a zero */
        report->failed = !mutant_judge(&run->judge, &run->mutant, choose_ways(run));
        report->files++;
        report->shares[report->share_count - 1].files++;
        for (unsigned i = 0; i < SAVED_FILES; i++)
            if (run->mutant.files[i].length > report->longest_file)
                report->longest_file = run->mutant.files[i].length;
    }
    mutant_reset(&run->mutant);
    return !report->failed;
}

/* ------------------------------------------------------------------------------------------
 * 1 and 2: cut off, bits flipped
 */

/* 1, or more where there are to be few files. */
static size_t step_of(const struct mutated *run)
{
    uint64_t all = 0, wanted = run->settings->files / 4 * SYSTEMATIC_QUARTERS;

    for (unsigned i = 0; i < SAVED_FILES; i++)
        all += run->saved.files[i].length * 9;
    return wanted >= all ? 1 : (size_t)(all / (wanted + 1)) + 1;
}

static bool cut_off_at_every_byte(struct mutated *run, size_t step)
{
    bool right = true;

    mutated_share_begins(run, "cut off", false);
    for (unsigned file = SAVED_CATALOG; file < SAVED_FILES; file++) {
        const struct saved_original *original = &run->saved.files[file];

        for (size_t length = 0; length < original->length && right; length += step) {
            mutant_cut(&run->mutant, file, length);
            right = mutated_try(run);
        }
        for (size_t i = 0; i < original->block_count && right; i++) { /* these in any case */
            mutant_cut(&run->mutant, file, original->blocks[i]);
            right = step == 1 || mutated_try(run);
            mutant_reset(&run->mutant);
        }
    }
    return right;
}

static bool flip_every_bit(struct mutated *run, size_t step)
{
    bool right = true;

    mutated_share_begins(run, "a bit flipped", false);
    for (unsigned file = SAVED_CATALOG; file < SAVED_FILES; file++)
        for (size_t bit = 0; bit < 8 * run->saved.files[file].length && right; bit += step) {
            mutant_flip(&run->mutant, file, bit);
            right = mutated_try(run);
        }
    return right;
}

/* ------------------------------------------------------------------------------------------
 * 3: blocks of the disk, and blocks of the format
 */

static void make_garbage(struct mutated *run, uint8_t garbage[GARBAGE_BYTES])
{
    for (size_t i = 0; i < GARBAGE_BYTES; i++)
        garbage[i] = (uint8_t)random_next(&run->random);
}

static bool replace_block(struct mutated *run, unsigned file, size_t offset, size_t length)
{
    uint8_t bytes[GARBAGE_BYTES] = {0};
    size_t other = offset + length < run->saved.files[file].length ? offset + length : 0;
    bool right;

    mutant_overwrite(&run->mutant, file, offset, bytes, length, "zeros");
    right = mutated_try(run);
    memset(bytes, 0xff, sizeof bytes);
    mutant_overwrite(&run->mutant, file, offset, bytes, length, "ones");
    right = right && mutated_try(run);
    make_garbage(run, bytes);
    mutant_overwrite(&run->mutant, file, offset, bytes, length, "garbage");
    right = right && mutated_try(run);
    mutant_swap(&run->mutant, file, offset, file, other, length);
    right = right && mutated_try(run);
    mutant_remove(&run->mutant, file, offset, length);
    right = right && mutated_try(run);
    for (unsigned from = SAVED_CATALOG; from < SAVED_FILES && right; from++) {
        const struct saved_original *source = &run->saved.files[from];

        if (offset >= source->length || from == file)
            continue;
        mutant_overwrite(&run->mutant, file, offset, source->bytes + offset,
                         length < source->length - offset ? length : source->length - offset,
                         source->name);
        right = mutated_try(run);
        mutant_swap(&run->mutant, file, offset, from, offset, length);
        right = right && mutated_try(run);
    }
    return right;
}

static bool replace_blocks_of_the_disk(struct mutated *run)
{
    static const size_t lengths[] = {512, 4096};
    bool right = true;

    mutated_share_begins(run, "blocks of the disk replaced or swapped", true);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (unsigned file = SAVED_CATALOG; file < SAVED_FILES; file++)
            for (size_t at = 0; at < run->saved.files[file].length && right; at += lengths[i])
                right = replace_block(run, file, at, lengths[i]);
    return right;
}

/* A block in the place of another that is as long, of the same file or of another one. */
static bool swap_blocks(struct mutated *run, unsigned file, size_t block, unsigned other)
{
    const struct saved_original *a = &run->saved.files[file], *b = &run->saved.files[other];
    size_t length = a->blocks[block + 1] - a->blocks[block];
    bool right = true;

    for (size_t i = file == other ? block + 1 : 0; i < b->block_count && right; i++) {
        if (b->blocks[i + 1] - b->blocks[i] != length)
            continue;
        mutant_overwrite(&run->mutant, file, a->blocks[block], b->bytes + b->blocks[i], length,
                         "another block");
        right = mutated_try(run);
        mutant_swap(&run->mutant, file, a->blocks[block], other, b->blocks[i], length);
        right = right && mutated_try(run);
    }
    return right;
}

/* What would be too long, or too short, without a checksum that fits. */
static bool change_length(struct mutated *run, unsigned file, size_t at)
{
    struct tarn__reader reader = tarn__reader_of(run->saved.files[file].bytes + at, 4);
    uint32_t length = tarn__read_u32(&reader);
    const uint32_t lengths[] = {0, 1, length - 1, length + 1, INT32_MAX, 0x80000000, UINT32_MAX};
    bool right = true;
    uint8_t bytes[4];

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0] && right; i++) {
        tarn__write_u32(bytes, lengths[i]);
        mutant_overwrite(&run->mutant, file, at, bytes, sizeof bytes, "another length");
        right = mutated_try(run);
    }
    return right;
}

static bool change_blocks_of_the_format(struct mutated *run)
{
    bool right = true;

    mutated_share_begins(run, "blocks of the format swapped, left out, or of another length", true);
    for (unsigned file = SAVED_CATALOG; file < SAVED_FILES; file++)
        for (size_t block = 0; block < run->saved.files[file].block_count && right; block++) {
            size_t at = run->saved.files[file].blocks[block];

            mutant_remove(&run->mutant, file, at, run->saved.files[file].blocks[block + 1] - at);
            right = mutated_try(run) && change_length(run, file, at);
            for (unsigned other = SAVED_CATALOG; other < SAVED_FILES && right; other++)
                right = swap_blocks(run, file, block, other);
        }
    return right;
}

/* ------------------------------------------------------------------------------------------
 * 7: something else in its place, or something more
 */

static bool append_bytes(struct mutated *run, unsigned file)
{
    uint8_t bytes[GARBAGE_BYTES] = {0};
    bool right = true;

    for (size_t length = 1; length <= sizeof bytes && right; length *= 2) {
        mutant_append(&run->mutant, file, bytes, length, "zeros");
        right = mutated_try(run);
    }
    make_garbage(run, bytes);
    for (size_t length = 1; length <= sizeof bytes && right; length *= 2) {
        mutant_append(&run->mutant, file, bytes, length, "garbage");
        right = mutated_try(run);
    }
    for (unsigned other = SAVED_CATALOG; other < SAVED_FILES && right; other++) {
        mutant_append(&run->mutant, file, run->saved.files[other].bytes,
                      run->saved.files[other].length, "a whole file");
        right = mutated_try(run);
    }
    return right;
}

/* Another file of the store, whole or as far as one looks to know which one it is. */
static bool take_another_file(struct mutated *run, unsigned file)
{
    bool right = true;

    for (unsigned other = SAVED_LOCK; other < SAVED_FILES && right; other++) {
        const struct saved_original *source = &run->saved.files[other];

        if (other == file)
            continue;
        mutant_replace(&run->mutant, file, source->bytes, source->length, source->name);
        right = mutated_try(run);
        mutant_replace(&run->mutant, file, source->bytes, source->length, source->name);
        mutant_replace(&run->mutant, other, run->saved.files[file].bytes,
                       run->saved.files[file].length, run->saved.files[file].name);
        right = right && mutated_try(run);
        mutant_overwrite(&run->mutant, file, 0, source->bytes, source->head_bytes,
                         "the head of another snapshot");
        right = right && mutated_try(run);
    }
    return right;
}

static bool put_others_in_its_place(struct mutated *run)
{
    bool right = true;

    mutated_share_begins(run, "something else in its place, or more behind it", true);
    for (unsigned file = SAVED_LOCK; file < SAVED_FILES && right; file++) {
        for (unsigned kind = MUTANT_MISSING; kind <= MUTANT_FIFO && right; kind++) {
            mutant_become(&run->mutant, file, (enum mutant_kind)kind);
            right = mutated_try(run);
        }
        right = right && append_bytes(run, file) && take_another_file(run, file);
    }
    return right;
}

/* ------------------------------------------------------------------------------------------
 * Two and three at once
 */

static size_t random_place(struct mutated *run, unsigned file)
{
    return random_below(&run->random, run->mutant.files[file].length + 1);
}

static void change_bytes_at_random(struct mutated *run, unsigned file)
{
    static uint8_t bytes[GARBAGE_BYTES];
    size_t length = 1 + random_below(&run->random, random_below(&run->random, 4) ? 16 : 1000);
    unsigned other = SAVED_CATALOG + (unsigned)random_below(&run->random, 5);
    size_t at = random_place(run, file);

    switch (random_below(&run->random, 4)) {
    case 0:
        memset(bytes, random_below(&run->random, 2) ? 0xff : 0, sizeof bytes);
        mutant_overwrite(&run->mutant, file, at, bytes, length, "zeros or ones");
        break;
    case 1:
        make_garbage(run, bytes);
        mutant_overwrite(&run->mutant, file, at, bytes, length, "garbage");
        break;
    case 2:
        mutant_swap(&run->mutant, file, at, other,
                    random_below(&run->random, 2) ? at : random_place(run, other), length);
        break;
    default:
        make_garbage(run, bytes);
        mutant_append(&run->mutant, file, bytes, length, "garbage");
        break;
    }
}

static void change_at_random(struct mutated *run)
{
    unsigned file = SAVED_CATALOG + (unsigned)random_below(&run->random, 5);
    unsigned other = SAVED_OLD + (unsigned)random_below(&run->random, 4);
    const struct saved_original *source = &run->saved.files[other];

    switch (random_below(&run->random, 16)) {
    case 0:
        mutant_cut(&run->mutant, file, random_place(run, file));
        break;
    case 1:
        mutant_remove(&run->mutant, file, random_place(run, file),
                      1 + random_below(&run->random, 600));
        break;
    case 2:
        mutant_replace(&run->mutant, file, source->bytes, source->length, source->name);
        break;
    case 3:
        mutant_overwrite(&run->mutant, file, 0, source->bytes, source->head_bytes, source->name);
        break;
    case 4:
        mutant_become(&run->mutant, random_below(&run->random, 8) ? other : file,
                      (enum mutant_kind)random_below(&run->random, MUTANT_FIFO + 1));
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        change_bytes_at_random(run, file);
        break;
    default:
        mutant_flip(&run->mutant, file,
                    8 * random_place(run, file) + random_below(&run->random, 8));
        break;
    }
}

static bool change_two_or_three(struct mutated *run)
{
    uint64_t least = run->report->files + run->settings->files / EVERY_CHANGES;
    uint64_t end = run->settings->files > least ? run->settings->files : least;
    bool right = true;

    mutated_share_begins(run, "two or three changes at once", false);
    while (run->report->files < end && right) {
        for (uint64_t left = 2 + random_below(&run->random, 2); left > 0; left--)
            change_at_random(run);
        right = mutated_try(run);
    }
    return right;
}

bool mutated_run(const struct mutated_settings *settings, struct mutated_report *report)
{
    struct mutated run = {.settings = settings, .report = report, .random = settings->seed};
    size_t step;

    memset(report, 0, sizeof *report);
    saved_store_make(&run.saved, settings->seed);
    mutant_init(&run.mutant, &run.saved);
    report->failed = !mutant_judge_init(&run.judge, &run.saved);
    step = step_of(&run);
    if (!report->failed)
        (void)(cut_off_at_every_byte(&run, step) && put_others_in_its_place(&run) &&
               replace_blocks_of_the_disk(&run) && change_blocks_of_the_format(&run) &&
               mutated_try_made(&run) &&
               mutated_try_random_made(&run, settings->files / EVERY_MADE) &&
               flip_every_bit(&run, step) && change_two_or_three(&run)); /* the report tells */
    report->openings = run.judge.openings;
    report->memory_asked = run.judge.memory_asked;
    memcpy(report->failure, run.judge.failure, sizeof report->failure);
    mutant_release(&run.mutant);
    saved_store_release(&run.saved);
    return !report->failed;
}
