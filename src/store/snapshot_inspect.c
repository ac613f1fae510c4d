/* Reading a snapshot that may be damaged; see the header. */
#include "store/snapshot_inspect.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

struct snapshot_inspection {
    struct tarn__inspection *inspection;
    const struct tarn__snapshot_visitor *visitor;
    struct tarn__snapshot_found *found;
    struct tarn__snapshot_reader reader;
    bool known; /* to which namespace records belong: reader.reading.ns */
    bool ended;
};

static const char *path_of(const struct snapshot_inspection *snapshot)
{
    return tarn__snapshot_reader_path(&snapshot->reader);
}

static tarn_status fault(struct snapshot_inspection *snapshot, tarn_status status)
{
    if (status)
        snapshot->found->whole = false;
    return tarn__inspection_fault(snapshot->inspection, path_of(snapshot), status);
}

static bool is_inside(const struct snapshot_inspection *snapshot)
{
    uint8_t last = snapshot->reader.reading.last;

    return last == TARN__SNAPSHOT_NAMESPACE || last == TARN__SNAPSHOT_RECORDS;
}

/* Where the block at the reader's offset ends, if it is one of records of which only the content is
 * damaged; else 0. */
static uint64_t end_of_damaged(struct tarn__snapshot_reader *reader)
{
    uint8_t header[TARN__BLOCK_HEADER_BYTES];
    struct tarn__file_block block;

    if (tarn__file_read(reader->file, header, sizeof header, reader->offset) ||
        tarn__block_header_read(header, sizeof header, reader->identity, reader->offset,
                                reader->size, "", &block) ||
        block.kind != TARN__SNAPSHOT_RECORDS)
        return 0;
    return reader->offset + TARN__BLOCK_HEADER_BYTES + block.length;
}

/* Tells what is wrong with the block at the offset, and goes on at the next that is whole. */
static tarn_status pass(struct snapshot_inspection *snapshot, tarn_status wrong)
{
    struct tarn__snapshot_reader *reader = &snapshot->reader;
    uint64_t begin = reader->offset, end;
    tarn_status status = fault(snapshot, wrong);

    if (status)
        return status;
    end = end_of_damaged(reader);
    status = tarn__snapshot_reader_seek(reader);
    if (!is_inside(snapshot) || end != reader->offset)
        snapshot->known = false;
    if (!snapshot->found->has_head) { /* the head is lost: anything may come */
        reader->reading.head.sequence = (UINT64_C(1) << TARN__SEQUENCE_BITS) - 1;
        reader->reading.head.namespaces = UINT32_MAX;
        reader->reading.last = TARN__SNAPSHOT_HEAD;
    }
    return status ? status : tarn__inspection_read(snapshot->inspection, reader->offset - begin);
}

static tarn_status read_records(struct snapshot_inspection *snapshot, const void *content)
{
    const struct tarn__snapshot_visitor *visitor = snapshot->visitor;
    struct tarn__snapshot_reader *reader = &snapshot->reader;
    struct tarn__reader left = tarn__reader_of(content, reader->block.length);
    struct tarn__record record;
    tarn_status status = TARN_OK;

    while (!status && tarn__snapshot_record_next(&left, &reader->reading, &record)) {
        snapshot->inspection->summary.records++;
        snapshot->found->strays += !snapshot->known;
        if (record.info.sequence > snapshot->found->sequence)
            snapshot->found->sequence = record.info.sequence;
        if (visitor && visitor->record)
            status = visitor->record(visitor->context, snapshot->known ? &reader->reading.ns : NULL,
                                     &record);
    }
    if (status)
        return status;
    return fault(snapshot, tarn__snapshot_records_end(&left, &reader->reading, &reader->block,
                                                      content, path_of(snapshot)));
}

static void note_lost(struct snapshot_inspection *snapshot, const void *content)
{
    const struct tarn__snapshot_reader *reader = &snapshot->reader;
    struct tarn__reader counts = tarn__reader_of(content, reader->block.length);
    uint64_t keys = tarn__read_u64(&counts), whole = reader->reading.count.keys;

    if (counts.failed || keys < whole)
        return;
    tarn__inspection_note(snapshot->inspection, path_of(snapshot), reader->block.offset,
                          "%" PRIu64 " of %" PRIu64 " records of %s%.*s%s are lost in '%s'",
                          keys - whole, keys, snapshot->known ? "namespace \"" : "",
                          snapshot->known ? (int)reader->reading.ns.name_length : INT_MAX,
                          snapshot->known ? reader->reading.ns.name : "a namespace without a name",
                          snapshot->known ? "\"" : "", path_of(snapshot));
}

/* Lets a whole block come behind damage, where it could not otherwise. */
static void make_way(struct snapshot_inspection *snapshot)
{
    struct tarn__snapshot_reading *reading = &snapshot->reader.reading;

    switch (snapshot->reader.block.kind) {
    case TARN__SNAPSHOT_RECORDS:
    case TARN__SNAPSHOT_NAMESPACE_END:
        if (!is_inside(snapshot)) { /* its namespace is lost */
            reading->last = TARN__SNAPSHOT_NAMESPACE;
            reading->count = (struct tarn__snapshot_count){0};
        }
        break;
    case TARN__SNAPSHOT_NAMESPACE:
        reading->last = TARN__SNAPSHOT_NAMESPACE_END;
        break;
    case TARN__BLOCK_END:
        reading->last = TARN__SNAPSHOT_NAMESPACE_END;
        reading->begun = reading->head.namespaces;
        break;
    default:
        break;
    }
}

/* What a whole block makes known. */
static tarn_status take(struct snapshot_inspection *snapshot, const void *content)
{
    const struct tarn__snapshot_visitor *visitor = snapshot->visitor;
    struct tarn__snapshot_reader *reader = &snapshot->reader;

    switch (reader->block.kind) {
    case TARN__SNAPSHOT_HEAD:
        snapshot->found->has_head = true;
        snapshot->found->head = reader->reading.head;
        snapshot->found->sequence = reader->reading.head.sequence;
        return TARN_OK;
    case TARN__SNAPSHOT_NAMESPACE:
        snapshot->known = true;
        snapshot->found->namespaces++;
        snapshot->found->number = reader->reading.ns.number;
        snapshot->inspection->namespace_name =
            tarn_slice_of(reader->reading.ns.name, reader->reading.ns.name_length);
        return visitor && visitor->begin ? visitor->begin(visitor->context, &reader->reading.ns)
                                         : TARN_OK;
    case TARN__SNAPSHOT_RECORDS:
        return read_records(snapshot, content);
    case TARN__SNAPSHOT_NAMESPACE_END:
        snapshot->known = false;
        snapshot->inspection->namespace_name = tarn_slice_of(NULL, 0);
        return TARN_OK;
    default:
        snapshot->ended = true;
        return TARN_OK;
    }
}

/* A whole block. One that does not fit to what was before tells of damage, unless that was told. */
static tarn_status read_block(struct snapshot_inspection *snapshot, const void *content)
{
    struct tarn__snapshot_reader *reader = &snapshot->reader;
    uint8_t kind = reader->block.kind;
    bool whole = snapshot->found->whole;
    tarn_status status;

    if (!whole)
        make_way(snapshot);
    status = tarn__snapshot_reader_accept(reader, content);
    if (!whole && kind == TARN__SNAPSHOT_NAMESPACE_END && (status || !snapshot->known))
        note_lost(snapshot, content);
    if (status && !whole && (kind == TARN__SNAPSHOT_NAMESPACE_END || kind == TARN__BLOCK_END)) {
        reader->reading.last = kind;
        status = TARN_OK;
    }
    if (status) {
        status = fault(snapshot, status);
        snapshot->ended = snapshot->ended || kind == TARN__BLOCK_END;
        return status;
    }
    return take(snapshot, content);
}

static tarn_status read_blocks(struct snapshot_inspection *snapshot)
{
    struct tarn__snapshot_reader *reader = &snapshot->reader;
    tarn_status status = TARN_OK;

    while (!status && !snapshot->ended && reader->offset < reader->size) {
        uint64_t begin = reader->offset;
        const void *content;

        status = tarn__snapshot_reader_read(reader, &content);
        if (status) {
            status = pass(snapshot, status);
            continue;
        }
        status = read_block(snapshot, content);
        if (!status)
            status = tarn__inspection_read(snapshot->inspection, reader->offset - begin);
    }
    if (!status && !snapshot->ended && snapshot->found->whole)
        status = fault(snapshot, tarn__file_corrupt(path_of(snapshot), reader->size,
                                                    "the file does not end with its end block"));
    return status;
}

tarn_status tarn__snapshot_inspect(const struct tarn__directory *directory, const char *file_name,
                                   struct tarn__inspection *inspection,
                                   const struct tarn__snapshot_visitor *visitor,
                                   struct tarn__snapshot_found *found)
{
    struct snapshot_inspection snapshot = {
        .inspection = inspection, .visitor = visitor, .found = found};
    tarn_status header;
    tarn_status status =
        tarn__snapshot_reader_open_damaged(&snapshot.reader, directory, file_name, &header);

    *found = (struct tarn__snapshot_found){.whole = status == TARN_OK};
    if (status)
        return tarn__inspection_fault(inspection, tarn__directory_path(directory), status);
    inspection->summary.files++;
    status = fault(&snapshot, header);
    if (!status && snapshot.reader.offset > snapshot.reader.size)
        snapshot.reader.offset = snapshot.reader.size; /* it ends within its header */
    if (!status)
        status = tarn__inspection_read(inspection, snapshot.reader.offset);
    if (!status && (!header || header == TARN_CORRUPT))
        status = read_blocks(&snapshot);
    if (!status)
        status = tarn__inspection_read(inspection, snapshot.reader.size - snapshot.reader.offset);
    tarn__snapshot_reader_close(&snapshot.reader);
    inspection->namespace_name = tarn_slice_of(NULL, 0);
    return status;
}
