/* A snapshot's file; see the header. */
#include "store/snapshot_file.h"
#include "base/memory.h"
#include "base/status.h"
#include "format/name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SUFFIX              ".snapshot"
#define TEMPORARY           ".new-"
#define BLOCK_CONTENT_BYTES ((size_t)256 * 1024)
#define SEEK_BYTES          ((size_t)4096)

/* ------------------------------------------------------------------------------------------
 * Names
 */

tarn_status tarn__snapshot_file_name(struct tarn_slice name,
                                     char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES])
{
    const char *bytes = name.data;
    const char *fault;

    if (!name.length || name.length > TARN_SNAPSHOT_NAME_BYTES_MAX)
        return tarn__fail(TARN_NAME_INVALID, "a snapshot's name has 1 to %d bytes, not %zu",
                          TARN_SNAPSHOT_NAME_BYTES_MAX, name.length);
    if (!bytes)
        return tarn__fail(TARN_INVALID_ARGUMENT, "the name points to NULL");
    fault = tarn__name_fault(name, NULL);
    if (fault)
        return tarn__fail(TARN_NAME_INVALID, "the snapshot's name %s", fault);
    if (bytes[0] == '.' || memchr(bytes, '/', name.length))
        return tarn__fail(TARN_NAME_INVALID,
                          "a snapshot's name does not begin with '.' and has no '/': '%.*s'",
                          (int)name.length, bytes);
    memcpy(file_name, bytes, name.length);
    memcpy(file_name + name.length, SUFFIX, sizeof SUFFIX);
    return TARN_OK;
}

bool tarn__snapshot_name_of(const char *file_name, struct tarn_slice *name)
{
    char again[TARN__SNAPSHOT_FILE_NAME_BYTES];
    size_t length = strlen(file_name);

    if (length < sizeof SUFFIX || strcmp(file_name + length - (sizeof SUFFIX - 1), SUFFIX) != 0)
        return false;
    *name = tarn_slice_of(file_name, length - (sizeof SUFFIX - 1));
    return tarn__snapshot_file_name(*name, again) == TARN_OK;
}

bool tarn__snapshot_is_temporary(const char *file_name)
{
    return strncmp(file_name, TEMPORARY, sizeof TEMPORARY - 1) == 0;
}

/* ------------------------------------------------------------------------------------------
 * Writing
 */

static tarn_status write_bytes(struct tarn__snapshot_writer *writer, const void *bytes,
                               size_t length)
{
    tarn_status status = tarn__file_write(writer->file, bytes, length, writer->offset);

    if (!status)
        writer->offset += length;
    return status;
}

tarn_status tarn__snapshot_writer_begin(struct tarn__snapshot_writer *writer,
                                        const struct tarn__os *os,
                                        const struct tarn__directory *directory)
{
    uint8_t header[TARN__FILE_HEADER_BYTES];
    uint64_t number;
    tarn_status status = os->random_bytes(os, &number, sizeof number);

    memset(writer, 0, sizeof *writer);
    writer->os = os;
    writer->directory = directory;
    snprintf(writer->temporary, sizeof writer->temporary, TEMPORARY "%016llx",
             (unsigned long long)number);
    if (!status)
        status = os->random_bytes(os, writer->identity, sizeof writer->identity);
    if (status)
        return status;
    writer->buffer = tarn__allocate(TARN__BLOCK_HEADER_BYTES + BLOCK_CONTENT_BYTES);
    if (!writer->buffer)
        return TARN_NO_MEMORY;
    status = tarn__file_open(directory, writer->temporary, TARN__OPEN_CREATE, &writer->file);
    if (status) {
        tarn__free(writer->buffer);
        return status;
    }
    tarn__file_header_write(header, TARN__FILE_SNAPSHOT, writer->identity);
    status = write_bytes(writer, header, sizeof header);
    if (status)
        tarn__snapshot_writer_abandon(writer);
    return status;
}

/* Writes what stands in the buffer as a block. */
static tarn_status write_buffer(struct tarn__snapshot_writer *writer, uint8_t kind, size_t length)
{
    const uint8_t *end = tarn__block_seal(writer->buffer, writer->identity, writer->offset, kind,
                                          length, &writer->total);

    return write_bytes(writer, writer->buffer, (size_t)(end - writer->buffer));
}

tarn_status tarn__snapshot_writer_flush(struct tarn__snapshot_writer *writer)
{
    size_t length = writer->used;

    writer->used = 0;
    return length ? write_buffer(writer, TARN__SNAPSHOT_RECORDS, length) : TARN_OK;
}

tarn_status tarn__snapshot_writer_block(struct tarn__snapshot_writer *writer, uint8_t kind,
                                        const void *content, size_t length)
{
    tarn_status status = tarn__snapshot_writer_flush(writer);

    if (status)
        return status;
    memcpy(writer->buffer + TARN__BLOCK_HEADER_BYTES, content, length);
    return write_buffer(writer, kind, length);
}

static void count(struct tarn__snapshot_writer *writer, const struct tarn__record *record)
{
    writer->count.keys++;
    writer->count.bytes += record->key.length + record->value.length;
}

bool tarn__snapshot_writer_add(struct tarn__snapshot_writer *writer,
                               const struct tarn__record *record)
{
    uint8_t *at = writer->buffer + TARN__BLOCK_HEADER_BYTES + writer->used;
    size_t bytes = tarn__snapshot_record_bytes(record);

    if (bytes > BLOCK_CONTENT_BYTES - writer->used)
        return false;
    (void)tarn__snapshot_record_write(at, record); /* as many bytes as it said */
    writer->used += bytes;
    count(writer, record);
    return true;
}

tarn_status tarn__snapshot_writer_add_large(struct tarn__snapshot_writer *writer,
                                            const struct tarn__record *record)
{
    uint8_t head[TARN__BLOCK_HEADER_BYTES + TARN__SNAPSHOT_RECORD_HEAD_MAX];
    size_t length = tarn__snapshot_record_head(head + TARN__BLOCK_HEADER_BYTES, record);
    size_t whole = length + record->key.length + record->value.length;
    struct tarn__checksum checksum;
    uint64_t sum;
    tarn_status status = tarn__snapshot_writer_flush(writer);

    if (status)
        return status;
    tarn__checksum_begin(&checksum, tarn__block_seed(writer->identity, writer->offset,
                                                     TARN__SNAPSHOT_RECORDS, whole));
    tarn__checksum_add(&checksum, head + TARN__BLOCK_HEADER_BYTES, length);
    tarn__checksum_add(&checksum, record->key.data, record->key.length);
    tarn__checksum_add(&checksum, record->value.data, record->value.length);
    sum = tarn__checksum_end(&checksum);
    count(writer, record);
    tarn__block_header_write(head, TARN__SNAPSHOT_RECORDS, whole, sum);
    tarn__block_total_add(&writer->total, sum);
    status = write_bytes(writer, head, TARN__BLOCK_HEADER_BYTES + length);
    if (!status)
        status = write_bytes(writer, record->key.data, record->key.length);
    if (!status)
        status = write_bytes(writer, record->value.data, record->value.length);
    return status;
}

tarn_status tarn__snapshot_writer_end(struct tarn__snapshot_writer *writer)
{
    uint8_t end[TARN__BLOCK_HEADER_BYTES + TARN__BLOCK_END_LENGTH];
    tarn_status status = tarn__snapshot_writer_flush(writer);

    if (status)
        return status;
    (void)tarn__block_end_write(end, writer->identity, writer->offset, &writer->total);
    return write_bytes(writer, end, sizeof end);
}

tarn_status tarn__snapshot_writer_publish(struct tarn__snapshot_writer *writer,
                                          const char *file_name)
{
    tarn__free(writer->buffer);
    return tarn__file_publish(writer->directory, writer->file, writer->temporary, file_name);
}

void tarn__snapshot_writer_abandon(struct tarn__snapshot_writer *writer)
{
    tarn__free(writer->buffer);
    tarn__file_abandon(writer->directory, writer->file, writer->temporary);
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

const char *tarn__snapshot_reader_path(const struct tarn__snapshot_reader *reader)
{
    return tarn__file_path(reader->file);
}

void tarn__snapshot_reader_close(struct tarn__snapshot_reader *reader)
{
    tarn__file_close_after_reading(reader->file);
    tarn_buf_release(&reader->buffer);
}

static tarn_status open_file(struct tarn__snapshot_reader *reader,
                             const struct tarn__directory *directory, const char *file_name)
{
    tarn_status status;

    memset(reader, 0, sizeof *reader);
    reader->offset = TARN__FILE_HEADER_BYTES;
    if (!directory)
        return tarn__fail(TARN_SNAPSHOT_NOT_FOUND, "the store has no snapshots");
    status = tarn__file_open(directory, file_name, TARN__OPEN_READ, &reader->file);
    if (tarn__failed_with(status, ENOENT))
        return tarn__fail(TARN_SNAPSHOT_NOT_FOUND, "there is no '%s/%s'",
                          tarn__directory_path(directory), file_name);
    if (tarn__failed_with(status, ELOOP) || tarn__failed_with(status, EISDIR) ||
        tarn__failed_with(status, EINVAL))
        return tarn__fail(TARN_CORRUPT, "'%s/%s' is not a regular file",
                          tarn__directory_path(directory), file_name);
    return status;
}

tarn_status tarn__snapshot_reader_open_damaged(struct tarn__snapshot_reader *reader,
                                               const struct tarn__directory *directory,
                                               const char *file_name, tarn_status *header)
{
    uint8_t bytes[TARN__FILE_HEADER_BYTES] = {0};
    size_t length = 0;
    tarn_status status = open_file(reader, directory, file_name);

    if (status)
        return status;
    status = tarn__file_size(reader->file, &reader->size);
    if (status) {
        tarn__snapshot_reader_close(reader);
        return status;
    }
    *header = tarn__file_read_some(reader->file, bytes, sizeof bytes, 0, &length);
    if (!*header)
        *header = tarn__file_header_read(bytes, length, TARN__FILE_SNAPSHOT,
                                         tarn__file_path(reader->file), reader->identity);
    if (*header == TARN_CORRUPT)
        tarn__file_identity_guess(bytes, reader->identity);
    return TARN_OK;
}

tarn_status tarn__snapshot_reader_open(struct tarn__snapshot_reader *reader,
                                       const struct tarn__directory *directory,
                                       const char *file_name)
{
    tarn_status header;
    tarn_status status = tarn__snapshot_reader_open_damaged(reader, directory, file_name, &header);

    if (status)
        return status;
    if (header)
        tarn__snapshot_reader_close(reader);
    return header;
}

tarn_status tarn__snapshot_reader_check_end(struct tarn__snapshot_reader *reader)
{
    uint8_t bytes[TARN__BLOCK_HEADER_BYTES + TARN__BLOCK_END_LENGTH];
    const char *path = tarn__file_path(reader->file);
    struct tarn__file_block block;
    uint64_t offset = reader->size - sizeof bytes;
    tarn_status status = TARN_CORRUPT;

    if (reader->size >= TARN__FILE_HEADER_BYTES + sizeof bytes) {
        status = tarn__file_read(reader->file, bytes, sizeof bytes, offset);
        if (status)
            return status;
        status = tarn__block_header_read(bytes, sizeof bytes, reader->identity, offset,
                                         reader->size, path, &block);
        if (!status)
            status = tarn__block_verify(&block, bytes + TARN__BLOCK_HEADER_BYTES, path);
        if (!status && block.kind <= TARN__SNAPSHOT_NAMESPACE_END) /* one that comes before it */
            status = TARN_CORRUPT;
    }
    if (!status)
        return TARN_OK;
    return tarn__file_corrupt(path, reader->size, "the file does not end with its end block");
}

static tarn_status read_header(struct tarn__snapshot_reader *reader)
{
    uint8_t header[TARN__BLOCK_HEADER_BYTES];
    const char *path = tarn__file_path(reader->file);
    size_t length = 0;
    tarn_status status =
        tarn__file_read_some(reader->file, header, sizeof header, reader->offset, &length);

    if (!status)
        status = tarn__block_header_read(header, length, reader->identity, reader->offset,
                                         reader->size, path, &reader->block);
    if (!status && reader->block.length > tarn__snapshot_content_max(reader->block.kind))
        status = tarn__file_corrupt(path, reader->offset, "a block is longer than its kind allows");
    return status;
}

tarn_status tarn__snapshot_reader_read(struct tarn__snapshot_reader *reader, const void **content)
{
    const char *path = tarn__file_path(reader->file);
    uint64_t at = reader->offset + TARN__BLOCK_HEADER_BYTES;
    tarn_status status = read_header(reader);

    if (!status)
        status = tarn__buf_reserve(&reader->buffer, reader->block.length);
    if (!status)
        status = tarn__file_read(reader->file, reader->buffer.data, reader->block.length, at);
    if (!status)
        status = tarn__block_verify(&reader->block, reader->buffer.data, path);
    if (status)
        return status;
    reader->offset = at + reader->block.length;
    *content = reader->buffer.data;
    return TARN_OK;
}

tarn_status tarn__snapshot_reader_accept(struct tarn__snapshot_reader *reader, const void *content)
{
    const char *path = tarn__file_path(reader->file);
    tarn_status status = tarn__snapshot_accept(&reader->reading, &reader->block, content, path);

    if (status)
        return status;
    if (reader->block.kind == TARN__BLOCK_END)
        return tarn__block_end_verify(&reader->block, content, &reader->total, reader->size, path);
    tarn__block_total_add(&reader->total, reader->block.checksum);
    return TARN_OK;
}

tarn_status tarn__snapshot_reader_next(struct tarn__snapshot_reader *reader, const void **content)
{
    const void *read;
    tarn_status status = tarn__snapshot_reader_read(reader, &read);

    if (!status)
        status = tarn__snapshot_reader_accept(reader, read);
    if (!status)
        *content = read;
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Going on behind damage
 */

/* Where in some bytes of the file the header of a block may be. */
static size_t find_header(const uint8_t *bytes, size_t from, size_t length)
{
    for (; from + TARN__BLOCK_HEADER_BYTES <= length; from++) {
        const uint8_t *at = bytes + from;

        if (!(at[5] | at[6] | at[7]) && at[4] &&
            (at[4] <= TARN__SNAPSHOT_NAMESPACE_END || at[4] == TARN__BLOCK_END))
            return from;
    }
    return from;
}

/* Whether there is a whole block at the offset, as far as there is memory to tell; the reader stays
 * there. */
static bool is_block(struct tarn__snapshot_reader *reader)
{
    uint64_t offset = reader->offset;
    const void *content;
    tarn_status status = tarn__snapshot_reader_read(reader, &content);

    reader->offset = offset;
    return status == TARN_OK || status == TARN_NO_MEMORY;
}

tarn_status tarn__snapshot_reader_seek(struct tarn__snapshot_reader *reader)
{
    uint8_t bytes[SEEK_BYTES];
    size_t length, at;

    reader->offset++;
    while (reader->offset + TARN__BLOCK_HEADER_BYTES <= reader->size) {
        uint64_t begin = reader->offset;
        tarn_status status =
            tarn__file_read_some(reader->file, bytes, sizeof bytes, begin, &length);

        if (status == TARN_NO_MEMORY)
            return status;
        if (status || length < TARN__BLOCK_HEADER_BYTES) {
            reader->offset = (begin / SEEK_BYTES + 1) * SEEK_BYTES;
            continue;
        }
        for (at = 0; (at = find_header(bytes, at, length)) + TARN__BLOCK_HEADER_BYTES <= length;
             at++) {
            reader->offset = begin + at;
            if (is_block(reader))
                return TARN_OK;
        }
        reader->offset = begin + length - TARN__BLOCK_HEADER_BYTES + 1;
    }
    reader->offset = reader->size;
    return TARN_OK;
}
