/* Heads of segments, and the list of segments; see the header. */
#include "format/segment.h"
#include "base/memory.h"
#include "base/status.h"

enum { BLOCK_HEAD = 1, BLOCK_LIST = 1 };

#define HEAD_BYTES  (TARN__IDENTITY_BYTES + 8 + 8 + 1 + 8 + 8)
#define LIST_BYTES  (TARN__IDENTITY_BYTES + 8 + 8 + 4) /* before the entries */
#define ENTRY_BYTES (8 + TARN__IDENTITY_BYTES + 4 + 4 + 8)
/* None is longer than 1 GiB, but for one that holds a single frame that is. */
#define GRANULES_OF_A_SEGMENT ((uint32_t)1 << 15)

#define GRANULE_BYTES  ((uint64_t)TARN__FRAME_ALIGNMENT << TARN__GRANULE_SHIFT)
#define SEQUENCE_BOUND (UINT64_C(1) << TARN__SEQUENCE_BITS)

_Static_assert(TARN__FILE_HEADER_BYTES + TARN__BLOCK_HEADER_BYTES + HEAD_BYTES <=
                   TARN__SEGMENT_HEAD,
               "the head of a segment has room");

/* ------------------------------------------------------------------------------------------
 * Heads
 */

void tarn__segment_head_write(const struct tarn__segment_head *head,
                              const uint8_t identity[TARN__IDENTITY_BYTES],
                              uint8_t bytes[TARN__SEGMENT_HEAD])
{
    uint8_t *block = bytes + TARN__FILE_HEADER_BYTES, *at = block + TARN__BLOCK_HEADER_BYTES;
    struct tarn__block_total total = {0};

    memset(bytes, 0, TARN__SEGMENT_HEAD);
    tarn__file_header_write(bytes, TARN__FILE_SEGMENT, identity);
    at = tarn__write_bytes(at, head->store, TARN__IDENTITY_BYTES);
    at = tarn__write_u64(at, head->namespace_number);
    at = tarn__write_u64(at, head->number);
    at = tarn__write_u8(at, head->origin);
    at = tarn__write_u64(at, head->as_of);
    (void)tarn__write_u64(at, head->base_sequence);
    (void)tarn__block_seal(block, identity, TARN__FILE_HEADER_BYTES, BLOCK_HEAD, HEAD_BYTES,
                           &total); /* no end block: frames follow, and zeros */
}

static void read_fields(const uint8_t content[HEAD_BYTES], struct tarn__segment_head *head)
{
    struct tarn__reader reader = tarn__reader_of(content, HEAD_BYTES);

    tarn__write_bytes(head->store, tarn__read_bytes(&reader, TARN__IDENTITY_BYTES),
                      TARN__IDENTITY_BYTES);
    head->namespace_number = tarn__read_u64(&reader);
    head->number = tarn__read_u64(&reader);
    head->origin = tarn__read_u8(&reader);
    head->as_of = tarn__read_u64(&reader);
    head->base_sequence = tarn__read_u64(&reader);
}

static tarn_status read_head(const struct tarn__file_block *block, const uint8_t *content,
                             const char *path, struct tarn__segment_head *head)
{
    if (block->kind != BLOCK_HEAD)
        return tarn__file_unsupported(path, block->offset, "there is a kind of block");
    if (block->length != HEAD_BYTES)
        return tarn__file_corrupt(path, block->offset, "a segment's head has a wrong length");
    read_fields(content, head);
    if (head->origin < TARN__SEGMENT_WRITTEN || head->origin > TARN__SEGMENT_COMPACTED)
        return tarn__file_unsupported(path, block->offset, "a segment has an origin");
    if (head->as_of >= SEQUENCE_BOUND || head->base_sequence > head->as_of)
        return tarn__file_corrupt(path, block->offset, "a segment's sequences are out of bounds");
    return TARN_OK;
}

tarn_status tarn__segment_head_read(const uint8_t *bytes, size_t available, const char *path,
                                    uint8_t identity[TARN__IDENTITY_BYTES],
                                    struct tarn__segment_head *head)
{
    const uint8_t *at = bytes + TARN__FILE_HEADER_BYTES;
    uint8_t found[TARN__IDENTITY_BYTES];
    struct tarn__segment_head read;
    struct tarn__file_block block;
    tarn_status status = tarn__file_header_read(bytes, available, TARN__FILE_SEGMENT, path, found);

    if (status)
        return status;
    if (available < TARN__SEGMENT_HEAD)
        return tarn__file_corrupt(path, available, "the file ends within a segment's head");
    status = tarn__block_header_read(at, TARN__BLOCK_HEADER_BYTES, found, TARN__FILE_HEADER_BYTES,
                                     TARN__SEGMENT_HEAD, path, &block);
    at += TARN__BLOCK_HEADER_BYTES;
    if (!status)
        status = tarn__block_verify(&block, at, path);
    if (!status)
        status = read_head(&block, at, path, &read);
    if (status)
        return status;
    for (at += block.length; at < bytes + TARN__SEGMENT_HEAD; at++)
        if (*at)
            return tarn__file_corrupt(path, (uint64_t)(at - bytes),
                                      "there is something behind a segment's head");
    *head = read;
    memcpy(identity, found, sizeof found);
    return TARN_OK;
}

void tarn__segment_head_guess(const uint8_t bytes[TARN__SEGMENT_HEAD],
                              uint8_t identity[TARN__IDENTITY_BYTES],
                              struct tarn__segment_head *head)
{
    tarn__file_identity_guess(bytes, identity);
    read_fields(bytes + TARN__FILE_HEADER_BYTES + TARN__BLOCK_HEADER_BYTES, head);
}

/* ------------------------------------------------------------------------------------------
 * The list
 */

static const char *entry_fault(const struct tarn__segment_entry *entry)
{
    if (entry->granules == 0 || entry->granules > GRANULES_OF_A_SEGMENT ||
        entry->first_granule > TARN__GRANULES_MAX - entry->granules)
        return "a segment's granules are out of bounds";
    if (entry->sealed_bytes != TARN__SEGMENT_NOT_SEALED &&
        (entry->sealed_bytes < TARN__SEGMENT_HEAD ||
         entry->sealed_bytes > entry->granules * GRANULE_BYTES ||
         entry->sealed_bytes % TARN__FRAME_ALIGNMENT))
        return "a segment's end is out of bounds";
    return NULL;
}

static const char *list_fault(const struct tarn__segment_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct tarn__segment_entry *entry = &list->entries[i];
        const char *fault = entry_fault(entry);

        if (fault)
            return fault;
        if (i > 0 && entry->number <= entry[-1].number)
            return "the numbers of segments do not rise";
        if (entry->number >= list->next_number)
            return "a segment's number is not below the next one";
    }
    return NULL;
}

static uint8_t *write_entry(uint8_t *at, const struct tarn__segment_entry *entry)
{
    at = tarn__write_u64(at, entry->number);
    at = tarn__write_bytes(at, entry->identity, TARN__IDENTITY_BYTES);
    at = tarn__write_u32(at, entry->first_granule);
    at = tarn__write_u32(at, entry->granules);
    return tarn__write_u64(at, entry->sealed_bytes);
}

tarn_status tarn__segment_list_encode(const struct tarn__segment_list *list,
                                      const uint8_t identity[TARN__IDENTITY_BYTES],
                                      struct tarn_buf *out)
{
    size_t content = LIST_BYTES + list->count * ENTRY_BYTES;
    const char *fault = list_fault(list);
    struct tarn__block_total total = {0};
    uint8_t *block, *at;
    tarn_status status;

    if (fault || list->count > TARN__GRANULES_MAX)
        return tarn__fail(TARN_INVALID_ARGUMENT, "the list of segments cannot be written: %s",
                          fault ? fault : "there are too many");
    status = tarn__buf_reserve(out, TARN__FILE_HEADER_BYTES + 2 * TARN__BLOCK_HEADER_BYTES +
                                        content + TARN__BLOCK_END_LENGTH);
    if (status)
        return status;
    tarn__file_header_write(out->data, TARN__FILE_SEGMENTS, identity);
    block = (uint8_t *)out->data + TARN__FILE_HEADER_BYTES;
    at = tarn__write_bytes(block + TARN__BLOCK_HEADER_BYTES, list->store, TARN__IDENTITY_BYTES);
    at = tarn__write_u64(at, list->namespace_number);
    at = tarn__write_u64(at, list->next_number);
    at = tarn__write_u32(at, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        at = write_entry(at, &list->entries[i]);
    at = tarn__block_seal(block, identity, TARN__FILE_HEADER_BYTES, BLOCK_LIST, content, &total);
    at = tarn__block_end_write(at, identity, (uint64_t)(at - (uint8_t *)out->data), &total);
    out->length = (size_t)(at - (uint8_t *)out->data);
    return TARN_OK;
}

static void read_entry(struct tarn__reader *reader, struct tarn__segment_entry *entry)
{
    entry->number = tarn__read_u64(reader);
    tarn__write_bytes(entry->identity, tarn__read_bytes(reader, TARN__IDENTITY_BYTES),
                      TARN__IDENTITY_BYTES);
    entry->first_granule = tarn__read_u32(reader);
    entry->granules = tarn__read_u32(reader);
    entry->sealed_bytes = tarn__read_u64(reader);
}

/* Takes the one block apart; its length is that of so many entries as it says. */
static tarn_status read_list(const struct tarn__file_block *block, const uint8_t *content,
                             const char *path, struct tarn__segment_list *list)
{
    struct tarn__reader reader = tarn__reader_of(content, block->length);
    const uint8_t *store = tarn__read_bytes(&reader, TARN__IDENTITY_BYTES);
    const char *fault;

    if (block->kind != BLOCK_LIST)
        return tarn__file_unsupported(path, block->offset, "there is a kind of block");
    list->namespace_number = tarn__read_u64(&reader);
    list->next_number = tarn__read_u64(&reader);
    list->count = tarn__read_u32(&reader);
    if (reader.failed || tarn__reader_left(&reader) != list->count * ENTRY_BYTES)
        return tarn__file_corrupt(path, block->offset, "a list of segments has a wrong length");
    memcpy(list->store, store, TARN__IDENTITY_BYTES);
    list->entries = tarn__allocate_zeroed((list->count + 1) * sizeof *list->entries);
    if (!list->entries)
        return TARN_NO_MEMORY;
    for (size_t i = 0; i < list->count; i++)
        read_entry(&reader, &list->entries[i]);
    fault = list_fault(list);
    return fault ? tarn__file_corrupt(path, block->offset, fault) : TARN_OK;
}

tarn_status tarn__segment_list_decode(const void *bytes, size_t length, const char *path,
                                      struct tarn__segment_list *out)
{
    struct tarn__segment_list list = {0};
    struct tarn__file_block block;
    struct tarn__block_walk walk;
    const uint8_t *content;
    tarn_status status = tarn__block_walk_begin(&walk, bytes, length, TARN__FILE_SEGMENTS, path);

    if (!status)
        status = tarn__block_walk_next(&walk, &block, &content);
    if (!status && block.kind == TARN__BLOCK_END)
        status = tarn__file_corrupt(path, block.offset, "there is no list of segments");
    if (!status)
        status = read_list(&block, content, path, &list);
    if (!status)
        status = tarn__block_walk_next(&walk, &block, &content);
    if (!status && block.kind != TARN__BLOCK_END)
        status = tarn__file_unsupported(path, block.offset, "there is a second block");
    if (status)
        tarn__segment_list_release(&list);
    else
        *out = list;
    return status;
}

void tarn__segment_list_release(struct tarn__segment_list *list)
{
    if (!list)
        return;
    tarn__free(list->entries);
    memset(list, 0, sizeof *list);
}
