/*
 * What the tour works on: real records, kept in memory so that each byte can be compared later.
 *
 * A record has a key, a value and a group. From the package catalogue: the package's name, its
 * stanza, its maintainer. From a folder: the path of a file, its content, the directory it is in.
 * The input never changes once it is read; any thread may look at it.
 */
#ifndef TARN_EXAMPLES_TOUR_INPUT_H
#define TARN_EXAMPLES_TOUR_INPUT_H

#include <tarn.h>

struct tour_record {
    struct tarn_slice key; /* no two are the same */
    struct tarn_slice value;
    uint32_t group; /* index in the groups */
};

struct tour_group {
    struct tarn_slice name;
    uint64_t records;
};

struct tour_input {
    const char *source;          /* "the package catalogue", or the folder */
    const char *group_noun;      /* what a group is, in the plural */
    const char *prefix;          /* one that many keys have */
    struct tour_record *records; /* in the order of their keys' bytes */
    size_t count;
    struct tour_group *groups; /* in the order of their names' bytes */
    size_t group_count;
    uint64_t bytes;     /* of all keys and values */
    char *text;         /* holds all of them */
    char *owned_prefix; /* the prefix, where it was allocated */
};

/* Reads `apt-cache dumpavail`. False where there is no catalogue to speak of; why is then told on
 * stderr. Fails (ends the program) where it is cut short. */
bool tour_input_catalogue(struct tour_input *input);

/* Reads every regular file below folder, as far as bytes_max reaches. Fails where there is none. */
void tour_input_folder(struct tour_input *input, const char *folder, size_t bytes_max);

void tour_input_release(struct tour_input *input);

/* The order of bytes, a shorter one first where the other begins with it. */
int tour_compare(struct tarn_slice a, struct tarn_slice b);

/* The record of that key, or NULL. */
const struct tour_record *tour_find(const struct tour_input *input, struct tarn_slice key);

/* The group of that name, or NULL. */
const struct tour_group *tour_find_group(const struct tour_input *input, struct tarn_slice name);

#endif
