/* The checkpoint's head; see the header. */
#include "format/checkpoint.h"
#include "base/memory.h"

#define FIXED_BYTES   (TARN__IDENTITY_BYTES + 7 * 8 + 1 + 4)
#define COVERED_BYTES (8 + TARN__IDENTITY_BYTES + 4 + 4 * 8)
#define GROUP_BYTES   8

void tarn__checkpoint_release(struct tarn__checkpoint *checkpoint)
{
    tarn__free(checkpoint->groups);
    tarn__free(checkpoint->covered);
    memset(checkpoint, 0, sizeof *checkpoint);
}

tarn_status tarn__checkpoint_head_encode(const struct tarn__checkpoint *checkpoint,
                                         struct tarn_buf *out)
{
    size_t groups = (size_t)1 << checkpoint->group_bits;
    size_t bytes = TARN__BLOCK_HEADER_BYTES + FIXED_BYTES +
                   checkpoint->covered_count * COVERED_BYTES + groups * GROUP_BYTES;
    tarn_status status = tarn__buf_reserve(out, bytes);
    uint8_t *to;

    if (status)
        return status;
    to = (uint8_t *)out->data + TARN__BLOCK_HEADER_BYTES;
    to = tarn__write_bytes(to, checkpoint->store, TARN__IDENTITY_BYTES);
    to = tarn__write_u64(to, checkpoint->home);
    to = tarn__write_u64(to, checkpoint->seed);
    to = tarn__write_u64(to, checkpoint->sequence);
    to = tarn__write_u64(to, checkpoint->keys);
    to = tarn__write_u64(to, checkpoint->bytes);
    to = tarn__write_u64(to, checkpoint->buckets);
    to = tarn__write_u64(to, checkpoint->overflow);
    to = tarn__write_u8(to, (uint8_t)checkpoint->group_bits);
    to = tarn__write_u32(to, (uint32_t)checkpoint->covered_count);
    for (size_t i = 0; i < checkpoint->covered_count; i++) {
        const struct tarn__covered *covered = &checkpoint->covered[i];

        to = tarn__write_u64(to, covered->number);
        to = tarn__write_bytes(to, covered->identity, TARN__IDENTITY_BYTES);
        to = tarn__write_u32(to, covered->first_granule);
        to = tarn__write_u64(to, covered->end);
        to = tarn__write_u64(to, covered->stale);
        to = tarn__write_u64(to, covered->deletes);
        to = tarn__write_u64(to, covered->as_of);
    }
    for (size_t i = 0; i < groups; i++) {
        to = tarn__write_u32(to, checkpoint->groups[i].buckets);
        to = tarn__write_u32(to, checkpoint->groups[i].keys);
    }
    out->length = bytes;
    return TARN_OK;
}

static void read_covered(struct tarn__reader *reader, struct tarn__covered *covered)
{
    const uint8_t *identity;

    covered->number = tarn__read_u64(reader);
    identity = tarn__read_bytes(reader, TARN__IDENTITY_BYTES);
    if (identity)
        memcpy(covered->identity, identity, TARN__IDENTITY_BYTES);
    covered->first_granule = tarn__read_u32(reader);
    covered->end = tarn__read_u64(reader);
    covered->stale = tarn__read_u64(reader);
    covered->deletes = tarn__read_u64(reader);
    covered->as_of = tarn__read_u64(reader);
}

/* Whether the groups have as many keys and buckets as the head says: so many rows of buckets in all
 * groups fill the array. */
static bool groups_are_right(const struct tarn__checkpoint *checkpoint)
{
    uint64_t keys = 0, most = 0;

    for (size_t i = 0; i < (size_t)1 << checkpoint->group_bits; i++) {
        if (!checkpoint->groups[i].buckets)
            return false;
        keys += checkpoint->groups[i].keys;
        most = checkpoint->groups[i].buckets > most ? checkpoint->groups[i].buckets : most;
    }
    return keys == checkpoint->keys && most << checkpoint->group_bits == checkpoint->buckets;
}

static bool read_arrays(struct tarn__reader *reader, struct tarn__checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->covered_count; i++)
        read_covered(reader, &checkpoint->covered[i]);
    for (size_t i = 0; i < (size_t)1 << checkpoint->group_bits; i++) {
        checkpoint->groups[i].buckets = tarn__read_u32(reader);
        checkpoint->groups[i].keys = tarn__read_u32(reader);
    }
    return !reader->failed && !tarn__reader_left(reader) && groups_are_right(checkpoint);
}

tarn_status tarn__checkpoint_head_decode(const struct tarn__file_block *block, const void *content,
                                         const char *path, struct tarn__checkpoint *out)
{
    struct tarn__reader reader = tarn__reader_of(content, block->length);
    const uint8_t *store = tarn__read_bytes(&reader, TARN__IDENTITY_BYTES);
    struct tarn__checkpoint read = {.home = tarn__read_u64(&reader)};
    bool right = false;

    read.seed = tarn__read_u64(&reader);
    read.sequence = tarn__read_u64(&reader);
    read.keys = tarn__read_u64(&reader);
    read.bytes = tarn__read_u64(&reader);
    read.buckets = tarn__read_u64(&reader);
    read.overflow = tarn__read_u64(&reader);
    read.group_bits = tarn__read_u8(&reader);
    read.covered_count = tarn__read_u32(&reader);
    if (reader.failed || block->kind != TARN__CHECKPOINT_HEAD ||
        read.group_bits > TARN__CHECKPOINT_GROUP_BITS_MAX || !read.overflow ||
        read.covered_count > tarn__reader_left(&reader) / COVERED_BYTES)
        return tarn__file_corrupt(path, block->offset, "the head of a checkpoint is not one");
    memcpy(read.store, store, TARN__IDENTITY_BYTES);
    read.covered = tarn__allocate_zeroed((read.covered_count + 1) * sizeof *read.covered);
    read.groups = tarn__allocate_zeroed(((size_t)1 << read.group_bits) * sizeof *read.groups);
    if (read.covered && read.groups)
        right = read_arrays(&reader, &read);
    if (right) {
        *out = read;
        return TARN_OK;
    }
    right = read.covered && read.groups;
    tarn__checkpoint_release(&read);
    return right ? tarn__file_corrupt(path, block->offset, "a checkpoint contradicts itself")
                 : TARN_NO_MEMORY;
}
