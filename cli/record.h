/*
 * A record as the text formats have it, and the two formats: docs/format-dump.md.
 *
 * A format reads one line at a time, in place: what comes of it points into the line.
 */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "output.h"

#include <tarn.h>

struct record {
    struct tarn_slice key;
    struct tarn_slice value;
    bool is_counter;
    int64_t counter;   /* of a counter; value is then its 8 bytes, or empty after reading */
    uint64_t sequence; /* told where it is not 0; not read */
};

/* What is wrong with a line. */
struct line_error {
    const char *message;
    size_t column; /* from 1, in bytes */
};

struct record_format {
    const char *name;
    bool cut_is_seen; /* a line that was cut off is never a valid one */
    void (*write)(struct output *out, const struct record *record);
    bool (*read)(uint8_t *line, size_t length, struct record *record, struct line_error *error);
};

extern const struct record_format format_jsonl;
extern const struct record_format format_tsv;

/* The format of that name, or NULL. */
const struct record_format *record_format_find(const char *name);

/* A record as the library hands it out. */
struct record record_of(struct tarn_slice key, struct tarn_slice value,
                        const struct tarn_record_info *info);

/* Reads a decimal number of 64 bits, with a sign and nothing around it. */
bool record_read_counter(const uint8_t *text, size_t length, int64_t *counter);

#endif
