/* Contents of a snapshot's blocks, and the order of the blocks: see snapshot.h. */
#include "format/snapshot.h"
#include "base/plant.h"
#include "base/status.h"
#include "format/name.h"

#define SEQUENCE_MAX (((uint64_t)1 << TARN__SEQUENCE_BITS) - 1)

/* ------------------------------------------------------------------------------------------
 * Writing
 */

/* NULL where the head may be written and read. */
static const char *head_fault(const struct tarn__snapshot_head *head)
{
    if (head->sequence > SEQUENCE_MAX)
        return "the sequence of the cut is out of bounds";
    if (head->scope == TARN__SCOPE_NAMESPACE && head->namespaces != 1)
        return "a snapshot of one namespace has not one namespace";
    return NULL;
}

static bool scope_known(uint8_t scope)
{
    return scope == TARN__SCOPE_NAMESPACE || scope == TARN__SCOPE_STORE;
}

tarn_status tarn__snapshot_head_write(const struct tarn__snapshot_head *head,
                                      uint8_t content[TARN__SNAPSHOT_HEAD_BYTES])
{
    const char *fault = scope_known(head->scope) ? head_fault(head) : "its scope is not known";

    if (fault)
        return tarn__fail(TARN_INVALID_ARGUMENT, "the snapshot cannot be written: %s", fault);
    content = tarn__write_u8(content, head->scope);
    content = tarn__write_bytes(content, head->store, TARN__IDENTITY_BYTES);
    content = tarn__write_u64(content, head->sequence);
    content = tarn__write_u64(content, head->clock_ns);
    tarn__write_u32(content, head->namespaces);
    return TARN_OK;
}

tarn_status tarn__snapshot_namespace_write(const struct tarn__snapshot_namespace *ns,
                                           uint8_t content[TARN__SNAPSHOT_NAMESPACE_BYTES_MAX],
                                           size_t *length)
{
    struct tarn__namespace_fields fields = {.number = ns->number,
                                            .options = ns->options,
                                            .name = tarn_slice_of(ns->name, ns->name_length)};
    const char *fault = tarn__namespace_fields_fault(&fields);

    if (fault)
        return tarn__fail(TARN_INVALID_ARGUMENT, "the snapshot cannot be written: %s", fault);
    *length = (size_t)(tarn__namespace_fields_write(content, &fields) - content);
    return TARN_OK;
}

void tarn__snapshot_namespace_end_write(const struct tarn__snapshot_count *count,
                                        uint8_t content[TARN__SNAPSHOT_NAMESPACE_END_BYTES])
{
    tarn__write_u64(tarn__write_u64(content, count->keys), count->bytes);
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

size_t tarn__snapshot_content_max(uint8_t kind)
{
    switch (kind) {
    case TARN__SNAPSHOT_HEAD:
        return TARN__SNAPSHOT_HEAD_BYTES;
    case TARN__SNAPSHOT_NAMESPACE:
        return TARN__SNAPSHOT_NAMESPACE_BYTES_MAX;
    case TARN__SNAPSHOT_RECORDS:
        return TARN__BLOCK_LENGTH_MAX;
    case TARN__SNAPSHOT_NAMESPACE_END:
        return TARN__SNAPSHOT_NAMESPACE_END_BYTES;
    case TARN__BLOCK_END:
        return TARN__BLOCK_END_LENGTH;
    default: /* of what a newer version may have written, nothing is known before its checksum is */
        return TARN__BLOCK_LENGTH_MAX;
    }
}

static bool kind_known(uint8_t kind)
{
    return (kind >= TARN__SNAPSHOT_HEAD && kind <= TARN__SNAPSHOT_NAMESPACE_END) ||
           kind == TARN__BLOCK_END;
}

/* Whether the block may come after the last one. */
static bool may_come(const struct tarn__snapshot_reading *reading, uint8_t kind)
{
    bool inside =
        reading->last == TARN__SNAPSHOT_NAMESPACE || reading->last == TARN__SNAPSHOT_RECORDS;
    bool between =
        reading->last == TARN__SNAPSHOT_HEAD || reading->last == TARN__SNAPSHOT_NAMESPACE_END;

    switch (kind) {
    case TARN__SNAPSHOT_HEAD:
        return reading->last == 0;
    case TARN__SNAPSHOT_NAMESPACE:
        return between && reading->begun < reading->head.namespaces;
    case TARN__SNAPSHOT_RECORDS:
    case TARN__SNAPSHOT_NAMESPACE_END:
        return inside;
    default:
        return between && reading->begun == reading->head.namespaces;
    }
}

static tarn_status wrong_length(const struct tarn__file_block *block, const char *path)
{
    return tarn__file_corrupt(path, block->offset, "a block has a wrong length for its kind");
}

static tarn_status accept_head(struct tarn__snapshot_reading *reading,
                               const struct tarn__file_block *block, const void *content,
                               const char *path)
{
    struct tarn__reader reader = tarn__reader_of(content, block->length);
    struct tarn__snapshot_head head;
    const uint8_t *store;
    const char *fault;

    head.scope = tarn__read_u8(&reader);
    store = tarn__read_bytes(&reader, TARN__IDENTITY_BYTES);
    head.sequence = tarn__read_u64(&reader);
    head.clock_ns = tarn__read_u64(&reader);
    head.namespaces = tarn__read_u32(&reader);
    if (reader.failed || tarn__reader_left(&reader) != 0)
        return wrong_length(block, path);
    if (!scope_known(head.scope))
        return tarn__file_unsupported(path, tarn__block_offset_of(block, content, content),
                                      "the snapshot has a scope");
    fault = head_fault(&head);
    if (fault)
        return tarn__file_corrupt(path, block->offset, fault);
    memcpy(head.store, store, TARN__IDENTITY_BYTES);
    reading->head = head;
    return TARN_OK;
}

static tarn_status accept_namespace(struct tarn__snapshot_reading *reading,
                                    const struct tarn__file_block *block, const void *content,
                                    const char *path)
{
    struct tarn__reader reader = tarn__reader_of(content, block->length);
    struct tarn__snapshot_namespace *ns = &reading->ns;
    struct tarn_slice last = tarn_slice_of(ns->name, ns->name_length);
    struct tarn__namespace_fields fields = {0};
    tarn_status status = tarn__namespace_fields_read(&reader, block, content, path, &fields);

    if (status)
        return status;
    if (tarn__reader_left(&reader) != 0)
        return wrong_length(block, path);
    if (reading->begun > 0 && tarn__name_compare(last, fields.name) >= 0)
        return tarn__file_corrupt(path, block->offset, "the names of the namespaces do not rise");
    *ns = (struct tarn__snapshot_namespace){
        .number = fields.number, .options = fields.options, .name_length = fields.name.length};
    memcpy(ns->name, fields.name.data, fields.name.length);
    reading->count = (struct tarn__snapshot_count){0};
    reading->begun++;
    return TARN_OK;
}

static tarn_status accept_namespace_end(const struct tarn__snapshot_reading *reading,
                                        const struct tarn__file_block *block, const void *content,
                                        const char *path)
{
    struct tarn__reader reader = tarn__reader_of(content, block->length);
    struct tarn__snapshot_count count;

    count.keys = tarn__read_u64(&reader);
    count.bytes = tarn__read_u64(&reader);
    if (reader.failed || tarn__reader_left(&reader) != 0)
        return wrong_length(block, path);
    if ((count.keys != reading->count.keys || count.bytes != reading->count.bytes) &&
        !TARN__PLANTED(TARN__PLANT_RECORDS_COUNTED))
        return tarn__file_corrupt(path, tarn__block_offset_of(block, content, content),
                                  "a namespace has not the records that it should have");
    return TARN_OK;
}

tarn_status tarn__snapshot_accept(struct tarn__snapshot_reading *reading,
                                  const struct tarn__file_block *block, const void *content,
                                  const char *path)
{
    tarn_status status = TARN_OK;

    if (!kind_known(block->kind))
        return tarn__file_unsupported(path, block->offset, "there is a kind of block");
    if (!may_come(reading, block->kind) && !TARN__PLANTED(TARN__PLANT_ORDER_OF_BLOCKS))
        return tarn__file_corrupt(path, block->offset, "a block is in a wrong place");
    if (block->kind == TARN__SNAPSHOT_HEAD)
        status = accept_head(reading, block, content, path);
    else if (block->kind == TARN__SNAPSHOT_NAMESPACE)
        status = accept_namespace(reading, block, content, path);
    else if (block->kind == TARN__SNAPSHOT_NAMESPACE_END)
        status = accept_namespace_end(reading, block, content, path);
    else if (block->length == 0)
        status = wrong_length(block, path);
    if (!status)
        reading->last = block->kind;
    return status;
}

/* What is wrong with the record that could not be read. */
static tarn_status record_error(struct tarn__reader reader, uint64_t offset, uint64_t sequence_max,
                                const char *path)
{
    uint64_t sequence, key_length, value_length;
    uint8_t content, flags;

    reader.failed = false;
    sequence = tarn__read_varint(&reader);
    content = tarn__read_u8(&reader);
    flags = tarn__read_u8(&reader);
    key_length = tarn__read_varint(&reader);
    value_length = tarn__read_varint(&reader);
    if (reader.failed)
        return tarn__file_corrupt(path, offset, "a record's head is wrong");
    if (flags != 0)
        return tarn__file_unsupported(path, offset, "a record has flags");
    if (content != TARN_CONTENT_BYTES && content != TARN_CONTENT_COUNTER)
        return tarn__file_unsupported(path, offset, "a record has a content type");
    if (sequence < 1 || sequence > sequence_max)
        return tarn__file_corrupt(path, offset, "a record's sequence is not one of the cut's");
    if (key_length < 1 || key_length > TARN_KEY_BYTES_MAX)
        return tarn__file_corrupt(path, offset, "a record's key has a wrong length");
    if (value_length > TARN_VALUE_BYTES_MAX ||
        (content == TARN_CONTENT_COUNTER && value_length != 8))
        return tarn__file_corrupt(path, offset, "a record's value has a wrong length");
    return tarn__file_corrupt(path, offset, "a record is longer than its block");
}

tarn_status tarn__snapshot_records_end(const struct tarn__reader *records,
                                       const struct tarn__snapshot_reading *reading,
                                       const struct tarn__file_block *block, const void *content,
                                       const char *path)
{
    if (!records->failed && records->at == records->end)
        return TARN_OK;
    return record_error(*records, tarn__block_offset_of(block, content, records->at),
                        reading->head.sequence, path);
}
