/*
 * Files to try the formats on: the examples of docs/format-*.md, files of random content, and files
 * whose checksums are right and whose content is not.
 */
#ifndef TARN_TESTS_FORMAT_SAMPLES_H
#define TARN_TESTS_FORMAT_SAMPLES_H

#include "format/snapshot.h"
#include "support/fixture.h"

/* 00 11 22 ... ff: the identity of the example files. */
extern const uint8_t sample_identity[TARN__IDENTITY_BYTES];

/* A file that is put together block by block, with right checksums whatever is in the blocks. */
struct file_builder {
    uint8_t identity[TARN__IDENTITY_BYTES];
    struct tarn__block_total total;
    size_t length;
    uint8_t *bytes; /* from malloc() */
};

/* kind may be one that there is not. */
void file_begin(struct file_builder *file, unsigned kind, const uint8_t *identity);
void file_block(struct file_builder *file, unsigned kind, const void *content, size_t length);
void file_end(struct file_builder *file);
void file_append_zeros(struct file_builder *file, size_t count);
void file_release(struct file_builder *file);

/* A file that is like this one but for some bytes in the content of one block: removed bytes from
 * offset on, an offset in the file, give way to others. All checksums are right. */
void file_replaced(struct file_builder *file, struct tarn_slice original, size_t offset,
                   size_t removed, const void *bytes, size_t length);

/* The same with a number of so many bytes in place of another. */
void file_with_number(struct file_builder *file, struct tarn_slice original, size_t offset,
                      size_t length, uint64_t number);

/* The same file again, in the same or another order: numbers of blocks from 0, count of them, and a
 * new end block. Blocks are sealed for their new places, so that only their order is wrong. */
void file_reordered(struct file_builder *file, struct tarn_slice original, const int *blocks,
                    size_t count);

/* Makes the checksum of a file's header fit what it says. */
void file_header_seal(uint8_t *bytes);

/* The catalog of docs/format-catalog.md. Its one namespace is static. */
struct tarn__catalog sample_catalog(void);

/* A catalog of up to count namespaces, to be released. */
struct tarn__catalog random_catalog(uint64_t *random, size_t count);

void expect_same_catalog(const struct tarn__catalog *wanted, const struct tarn__catalog *got);

/* The snapshot of docs/format-snapshot.md. */
extern const struct tarn__snapshot_head sample_head;
extern const struct tarn__snapshot_namespace sample_namespace;
extern const struct tarn__record sample_records[2];
void sample_snapshot(struct file_builder *file);

/* A block with this content. */
void file_head(struct file_builder *file, const struct tarn__snapshot_head *head);
void file_namespace(struct file_builder *file, const struct tarn__snapshot_namespace *ns);
void file_records(struct file_builder *file, const struct tarn__record *records, size_t count);
void file_namespace_end(struct file_builder *file, uint64_t keys, uint64_t bytes);

/* Reads a whole snapshot in memory, as a store that loads it does. keys: of all namespaces. */
tarn_status read_snapshot(const void *bytes, size_t length, uint64_t *keys);

/* Takes every record of a namespace of the snapshot: NULL where only read_snapshot() is meant. */
typedef void record_visit(void *context, const struct tarn__record *record);
tarn_status visit_snapshot(const void *bytes, size_t length, record_visit *visit, void *context);

/* Expects that the lines of hex in the document's block that begins with ```hex are these bytes.
 * Prints them where they are not. document: its name in docs/. */
void expect_document(const char *document, struct tarn_slice bytes);

#endif
