/*
 * A snapshot's file, written and read from its beginning to its end, block by block.
 *
 * Writing: the blocks go to a temporary name; the file gets its own once it is whole and durable.
 * Reading: a block is verified before it is handed out, and so is the order of blocks. Nothing that
 * was read is to be believed before the end block was.
 */
#ifndef TARN_STORE_SNAPSHOT_FILE_H
#define TARN_STORE_SNAPSHOT_FILE_H

#include "format/snapshot.h"
#include "store/folder.h"

/* Room for the name of a snapshot's file, and of the temporary one, with the NUL. */
#define TARN__SNAPSHOT_FILE_NAME_BYTES (TARN_SNAPSHOT_NAME_BYTES_MAX + 16)

/* Makes out the file's name. TARN_NAME_INVALID: no snapshot may be called so. */
tarn_status tarn__snapshot_file_name(struct tarn_slice name,
                                     char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES]);

/* The snapshot's name in the name of a file; false: it is none of a snapshot. */
bool tarn__snapshot_name_of(const char *file_name, struct tarn_slice *name);

/* Whether a file of that name is one that was being written. */
bool tarn__snapshot_is_temporary(const char *file_name);

/* ------------------------------------------------------------------------------------------
 * Writing
 */

struct tarn__snapshot_writer {
    const struct tarn__os *os;
    const struct tarn__directory *directory;
    struct tarn__file *file;
    char temporary[TARN__SNAPSHOT_FILE_NAME_BYTES];
    uint8_t identity[TARN__IDENTITY_BYTES];
    uint64_t offset;
    struct tarn__block_total total;
    uint8_t *buffer;                   /* a block of records: its header, then the content so far */
    size_t used;                       /* of the content */
    struct tarn__snapshot_count count; /* of the records added */
};

/* Makes the file. If it fails there is nothing to end. */
tarn_status tarn__snapshot_writer_begin(struct tarn__snapshot_writer *writer,
                                        const struct tarn__os *os,
                                        const struct tarn__directory *directory);

/* Writes a block of another kind than records, behind all records so far. length is small. */
tarn_status tarn__snapshot_writer_block(struct tarn__snapshot_writer *writer, uint8_t kind,
                                        const void *content, size_t length);

/* A record whose value is larger has a block of its own. */
#define TARN__SNAPSHOT_LARGE_BYTES ((size_t)64 * 1024)

/* Adds a record that is not large, without a system call; false: there is no room for it in this
 * block. */
bool tarn__snapshot_writer_add(struct tarn__snapshot_writer *writer,
                               const struct tarn__record *record);

/* Writes the block of the records so far, if there are any. */
tarn_status tarn__snapshot_writer_flush(struct tarn__snapshot_writer *writer);

/* Writes a record that is large, as a block of its own. */
tarn_status tarn__snapshot_writer_add_large(struct tarn__snapshot_writer *writer,
                                            const struct tarn__record *record);

/* Writes the end of the file. */
tarn_status tarn__snapshot_writer_end(struct tarn__snapshot_writer *writer);

/* Gives the file its name, durably: as tarn__file_publish(). One of these two ends the writer. */
tarn_status tarn__snapshot_writer_publish(struct tarn__snapshot_writer *writer,
                                          const char *file_name);
void tarn__snapshot_writer_abandon(struct tarn__snapshot_writer *writer);

/* ------------------------------------------------------------------------------------------
 * Reading
 */

struct tarn__snapshot_reader {
    struct tarn__file *file;
    uint64_t size, offset; /* offset: of the next block */
    uint8_t identity[TARN__IDENTITY_BYTES];
    struct tarn__block_total total;
    struct tarn_buf buffer;
    struct tarn__file_block block; /* the last one, and what it made known */
    struct tarn__snapshot_reading reading;
};

/* TARN_SNAPSHOT_NOT_FOUND; and what is wrong with the file's header. If it fails there is nothing
 * to close. directory may be NULL: it has no snapshots. */
tarn_status tarn__snapshot_reader_open(struct tarn__snapshot_reader *reader,
                                       const struct tarn__directory *directory,
                                       const char *file_name);

/* The same for a file that may be damaged: *header tells of the header, and has the identity that
 * stands in it tried where that is TARN_CORRUPT. */
tarn_status tarn__snapshot_reader_open_damaged(struct tarn__snapshot_reader *reader,
                                               const struct tarn__directory *directory,
                                               const char *file_name, tarn_status *header);

/* Whether the file ends as the one that it begins as: its end block counts in this file, at this
 * place. What is between is not looked at. */
tarn_status tarn__snapshot_reader_check_end(struct tarn__snapshot_reader *reader);

/* Reads the next block, verified and in its place; the end block included. content is valid until
 * the next call. */
tarn_status tarn__snapshot_reader_next(struct tarn__snapshot_reader *reader, const void **content);

/* The two steps of that: the next block, verified by itself; and whether it may come there. */
tarn_status tarn__snapshot_reader_read(struct tarn__snapshot_reader *reader, const void **content);
tarn_status tarn__snapshot_reader_accept(struct tarn__snapshot_reader *reader, const void *content);

/* Behind something that is no whole block: looks for the next one that is, and goes there, or to
 * the end of the file. Steps over what cannot be read. */
tarn_status tarn__snapshot_reader_seek(struct tarn__snapshot_reader *reader);

const char *tarn__snapshot_reader_path(const struct tarn__snapshot_reader *reader);

void tarn__snapshot_reader_close(struct tarn__snapshot_reader *reader);

#endif
