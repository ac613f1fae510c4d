/*
 * The catalog: the file that says which namespaces a store has, and how each is configured.
 * docs/format-catalog.md draws it. Here it is a struct, and the bytes of a whole file.
 *
 * Numbers in it are what holds, never "0 for the default": a later version of the library with
 * other defaults reads what was meant. What is encoded is checked as what is decoded is, by the
 * same functions.
 */
#ifndef TARN_FORMAT_CATALOG_H
#define TARN_FORMAT_CATALOG_H

#include "format/segment.h"

#define TARN__PATTERN_BYTES_MAX    200
#define TARN__SYNC_INTERVAL_MS_MAX 3600000

enum tarn__catalog_block { TARN__CATALOG_STORE = 1, TARN__CATALOG_NAMESPACE = 2 };

struct tarn__autosave_settings {
    bool enabled, at_close;
    uint64_t interval_ms;
    uint32_t keep; /* how many snapshots */
    size_t pattern_length;
    char pattern[TARN__PATTERN_BYTES_MAX]; /* any bytes, no NUL at the end */
};

struct tarn__catalog_namespace {
    uint64_t number;
    uint64_t home; /* of an engine with files: its folder's number; else 0 */
    struct tarn_namespace_options options; /* as tarn_stats shows them: no 0 for a default */
    size_t name_length;
    char name[TARN_NAME_BYTES_MAX];
    struct tarn__autosave_settings autosave;
};

struct tarn__catalog {
    uint8_t identity[TARN__IDENTITY_BYTES]; /* of the store */
    uint64_t seed;                          /* of the hash */
    uint64_t sequence;                      /* no record written before has a higher one */
    uint64_t next_number; /* above those of all namespaces and folders there ever were */
    struct tarn__autosave_settings autosave;
    size_t count;
    struct tarn__catalog_namespace
        *namespaces; /* by rising names, as tarn__name_compare() has it */
};

/* Makes out the bytes of a catalog file, in place of what it holds. file_identity: random, for each
 * file anew. TARN_NO_MEMORY; TARN_INVALID_ARGUMENT: the catalog is not one that decoding accepts.
 */
tarn_status tarn__catalog_encode(const struct tarn__catalog *catalog,
                                 const uint8_t file_identity[TARN__IDENTITY_BYTES],
                                 struct tarn_buf *out);

/* Reads the bytes of a whole catalog file. Allocates the namespaces: at most 10 times length.
 * TARN_CORRUPT, TARN_UNSUPPORTED_VERSION, TARN_NO_MEMORY. */
tarn_status tarn__catalog_decode(const void *bytes, size_t length, const char *path,
                                 struct tarn__catalog *out);

/* Takes from a damaged file what is whole in it, block by block: namespaces, ordered as they should
 * be, and of the store what *has_store tells; else that is 0. TARN_NO_MEMORY. */
tarn_status tarn__catalog_decode_rest(const void *bytes, size_t length, bool *has_store,
                                      struct tarn__catalog *out);

/* Frees the namespaces and sets the catalog to zero. NULL is allowed. */
void tarn__catalog_release(struct tarn__catalog *catalog);

/* ------------------------------------------------------------------------------------------
 * What catalogs and snapshots say of a namespace
 */

struct tarn__namespace_fields {
    uint64_t number;
    struct tarn_namespace_options options;
    struct tarn_slice name;
};

#define TARN__NAMESPACE_FIELDS_MAX                                                                 \
    (8 + 1 + 4 + 4 + 8 + 8 + 8 + (1 + 4 + 8 + 8 + 1) + 2 + TARN_NAME_BYTES_MAX)

/* NULL where the fields may be written. Else what is wrong. */
const char *tarn__namespace_fields_fault(const struct tarn__namespace_fields *fields);

/* Writes at most TARN__NAMESPACE_FIELDS_MAX bytes and returns what is behind them. */
uint8_t *tarn__namespace_fields_write(uint8_t *to, const struct tarn__namespace_fields *fields);

/* Reads the fields from the content of a verified block; the name points into it. */
tarn_status tarn__namespace_fields_read(struct tarn__reader *reader,
                                        const struct tarn__file_block *block, const void *content,
                                        const char *path, struct tarn__namespace_fields *fields);

#endif
