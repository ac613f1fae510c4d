/*
 * The snapshot: one file that holds a cut of a namespace or of a store. docs/format-snapshot.md
 * draws it. Here are the contents of its blocks, and the order in which blocks may come:
 *
 *      head, then for each namespace: namespace, any number of records, namespace's end;
 *      then the end block of format/file.h
 *
 * Namespaces come by rising names. A record block holds whole records, at least one; it should have
 * about 64 KiB to 1 MiB unless one record needs more, since whoever reads one needs memory for it.
 *
 * Writing: the contents are bounded and go to arrays; a record's key and value need not be copied.
 * Reading: tarn__snapshot_accept() takes one verified block after another; records are given out as
 * slices into the block.
 */
#ifndef TARN_FORMAT_SNAPSHOT_H
#define TARN_FORMAT_SNAPSHOT_H

#include "format/catalog.h"

enum tarn__snapshot_block {
    TARN__SNAPSHOT_HEAD = 1,
    TARN__SNAPSHOT_NAMESPACE = 2,
    TARN__SNAPSHOT_RECORDS = 3,
    TARN__SNAPSHOT_NAMESPACE_END = 4,
};

enum tarn__snapshot_scope { TARN__SCOPE_NAMESPACE = 1, TARN__SCOPE_STORE = 2 };

struct tarn__snapshot_head {
    uint8_t scope;                       /* enum tarn__snapshot_scope */
    uint8_t store[TARN__IDENTITY_BYTES]; /* the store's identity */
    uint64_t sequence;                   /* of the cut: no record in it has a higher one */
    uint64_t clock_ns;                   /* since 1970, for people: it decides nothing */
    uint32_t namespaces;                 /* how many: 1 where the scope is a namespace */
};

struct tarn__snapshot_namespace {
    uint64_t number;
    struct tarn_namespace_options options; /* as in the catalog */
    size_t name_length;
    char name[TARN_NAME_BYTES_MAX];
};

struct tarn__snapshot_count {
    uint64_t keys;
    uint64_t bytes; /* of keys and values */
};

#define TARN__SNAPSHOT_HEAD_BYTES          (1 + TARN__IDENTITY_BYTES + 8 + 8 + 4)
#define TARN__SNAPSHOT_NAMESPACE_BYTES_MAX TARN__NAMESPACE_FIELDS_MAX
#define TARN__SNAPSHOT_NAMESPACE_END_BYTES 16

/* ------------------------------------------------------------------------------------------
 * Writing: contents of blocks
 */

/* TARN_INVALID_ARGUMENT: not a head that reading accepts. */
tarn_status tarn__snapshot_head_write(const struct tarn__snapshot_head *head,
                                      uint8_t content[TARN__SNAPSHOT_HEAD_BYTES]);

/* The same, for a namespace. length: how many bytes the content has. */
tarn_status tarn__snapshot_namespace_write(const struct tarn__snapshot_namespace *ns,
                                           uint8_t content[TARN__SNAPSHOT_NAMESPACE_BYTES_MAX],
                                           size_t *length);

void tarn__snapshot_namespace_end_write(const struct tarn__snapshot_count *count,
                                        uint8_t content[TARN__SNAPSHOT_NAMESPACE_END_BYTES]);

/* sequence, content type, flags, lengths of key and value */
#define TARN__SNAPSHOT_RECORD_HEAD_MAX (TARN__VARINT_BYTES_MAX + 1 + 1 + 3 + 5)

/* Writes what comes before the record's key and value, and returns how many bytes that is. The
 * record is one that the library stored: sequence, key and value are in their bounds. */
static inline size_t tarn__snapshot_record_head(uint8_t head[TARN__SNAPSHOT_RECORD_HEAD_MAX],
                                                const struct tarn__record *record)
{
    uint8_t *at = tarn__varint_write(head, record->info.sequence);

    at = tarn__write_u8(at, (uint8_t)record->info.content);
    at = tarn__write_u8(at, 0);
    at = tarn__varint_write(at, record->key.length);
    at = tarn__varint_write(at, record->value.length);
    return (size_t)(at - head);
}

/* How many bytes a record has in a block. */
static inline size_t tarn__snapshot_record_bytes(const struct tarn__record *record)
{
    return tarn__varint_bytes(record->info.sequence) + 2 + tarn__varint_bytes(record->key.length) +
           tarn__varint_bytes(record->value.length) + record->key.length + record->value.length;
}

/* Writes a whole record: tarn__snapshot_record_bytes(). Returns what is behind it. */
static inline uint8_t *tarn__snapshot_record_write(uint8_t *to, const struct tarn__record *record)
{
    to += tarn__snapshot_record_head(to, record);
    to = tarn__write_bytes(to, record->key.data, record->key.length);
    return tarn__write_bytes(to, record->value.data, record->value.length);
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

/* Where a reader of a snapshot stands. Begins zeroed. */
struct tarn__snapshot_reading {
    struct tarn__snapshot_head head;    /* from the first block on */
    struct tarn__snapshot_namespace ns; /* the last one that began */
    struct tarn__snapshot_count count;  /* of its records so far: tarn__snapshot_record_next() */
    uint32_t begun;                     /* namespaces so far */
    uint8_t last;                       /* the kind of the last block */
};

/* The longest content that a block of this kind may have: compare it with the header's length
 * before reading the content. */
size_t tarn__snapshot_content_max(uint8_t kind);

/*
 * Takes the next verified block: decides whether it may come here, reads its content, and where a
 * namespace ends compares what was counted. block->kind tells what there is now: reading->head,
 * reading->ns, or records, which are then to be read to their end as below. The end block is
 * accepted if all namespaces are complete; tarn__block_end_verify() is the caller's.
 * TARN_CORRUPT, TARN_UNSUPPORTED_VERSION; then reading is as it was.
 */
tarn_status tarn__snapshot_accept(struct tarn__snapshot_reading *reading,
                                  const struct tarn__file_block *block, const void *content,
                                  const char *path);

/*
 * The next record of a block, as slices into it:
 *
 *      struct tarn__reader records = tarn__reader_of(content, block.length);
 *
 *      while (tarn__snapshot_record_next(&records, &reading, &record))
 *          ...
 *      status = tarn__snapshot_records_end(&records, &reading, &block, content, path);
 *
 * False at the end and where there is something wrong: then records.failed is set, and
 * records.at stays at the head of the record. Counts what it gives out.
 */
static inline bool tarn__snapshot_record_next(struct tarn__reader *records,
                                              struct tarn__snapshot_reading *reading,
                                              struct tarn__record *record)
{
    struct tarn__reader reader = *records;
    uint64_t sequence, key_length, value_length;
    uint8_t content, flags;

    if (reader.at == reader.end)
        return false;
    sequence = tarn__read_varint(&reader);
    content = tarn__read_u8(&reader);
    flags = tarn__read_u8(&reader);
    key_length = tarn__read_varint(&reader);
    value_length = tarn__read_varint(&reader);
    if (__builtin_expect(reader.failed | (sequence - 1 >= reading->head.sequence) | (flags != 0) |
                             (key_length - 1 >= TARN_KEY_BYTES_MAX) |
                             (value_length > TARN_VALUE_BYTES_MAX) |
                             (content != TARN_CONTENT_BYTES &&
                              (content != TARN_CONTENT_COUNTER || value_length != 8)) |
                             (key_length + value_length > tarn__reader_left(&reader)),
                         0)) {
        records->failed = true;
        return false;
    }
    record->key = tarn_slice_of(reader.at, key_length);
    record->value = tarn_slice_of(reader.at + key_length, value_length);
    record->info.sequence = sequence;
    record->info.content = (enum tarn_content)content;
    records->at = reader.at + key_length + value_length;
    reading->count.keys++;
    reading->count.bytes += key_length + value_length;
    return true;
}

/* Whether all records were read, to the last byte of the block; else the error of the one that was
 * not. Not for a loop that was left before tarn__snapshot_record_next() gave false. */
tarn_status tarn__snapshot_records_end(const struct tarn__reader *records,
                                       const struct tarn__snapshot_reading *reading,
                                       const struct tarn__file_block *block, const void *content,
                                       const char *path);

#endif
