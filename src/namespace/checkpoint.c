/* The checkpoint of a namespace; see the header. */
#include "namespace/checkpoint.h"
#include "base/memory.h"
#include "base/status.h"
#include "format/checkpoint.h"
#include "index/image.h"

#define NAME     "checkpoint"
#define NAME_NEW "checkpoint.new"

#define BLOCK_BYTES                                                                                \
    (TARN__BLOCK_HEADER_BYTES + (size_t)TARN__CHECKPOINT_LINES * TARN__CHECKPOINT_LINE_BYTES)
#define HEAD_BYTES_MAX ((uint64_t)64 * 1024 * 1024)

_Static_assert(TARN__CHECKPOINT_LINE_BYTES == TARN__IMAGE_LINE_BYTES, "a line is a line");
_Static_assert(TARN__CHECKPOINT_GROUP_BITS_MAX == TARN__GROUP_BITS_MAX, "and a group a group");

static uint64_t lines_in_block(uint64_t first, uint64_t lines)
{
    return lines - first < TARN__CHECKPOINT_LINES ? lines - first : TARN__CHECKPOINT_LINES;
}

/* ------------------------------------------------------------------------------------------
 * Writing
 */

struct writing {
    tarn_namespace *ns;
    struct tarn__index *index;
    struct tarn__file *file;
    uint64_t offset; /* of the next block */
    struct tarn__block_total total;
    uint8_t identity[TARN__IDENTITY_BYTES];
};

/* Writes a block whose content stands behind room for its header. */
static tarn_status write_block(struct writing *writing, uint8_t *block, uint8_t kind, size_t length)
{
    size_t bytes = TARN__BLOCK_HEADER_BYTES + length;
    tarn_status status;

    (void)tarn__block_seal(block, writing->identity, writing->offset, kind, length,
                           &writing->total);
    status = tarn__file_write(writing->file, block, bytes, writing->offset);
    writing->offset += bytes;
    return status;
}

static tarn_status write_lines(struct writing *writing, bool overflow, uint64_t lines,
                               uint8_t *block)
{
    uint8_t kind = overflow ? TARN__CHECKPOINT_OVERFLOW : TARN__CHECKPOINT_BUCKETS;
    tarn_status status = TARN_OK;

    for (uint64_t first = 0; first < lines && !status; first += TARN__CHECKPOINT_LINES) {
        uint64_t count = lines_in_block(first, lines);

        tarn__image_copy(writing->index, overflow, first, count, block + TARN__BLOCK_HEADER_BYTES);
        status = write_block(writing, block, kind, count * TARN__CHECKPOINT_LINE_BYTES);
    }
    return status;
}

static tarn_status write_all(struct writing *writing, const struct tarn__checkpoint *checkpoint)
{
    uint8_t *block = tarn__allocate(BLOCK_BYTES);
    struct tarn_buf head = {0};
    tarn_status status = block ? tarn__checkpoint_head_encode(checkpoint, &head) : TARN_NO_MEMORY;

    if (!status) {
        tarn__file_header_write(block, TARN__FILE_CHECKPOINT, writing->identity);
        status = tarn__file_write(writing->file, block, TARN__FILE_HEADER_BYTES, 0);
        writing->offset = TARN__FILE_HEADER_BYTES;
    }
    if (!status)
        status = write_block(writing, head.data, TARN__CHECKPOINT_HEAD,
                             head.length - TARN__BLOCK_HEADER_BYTES);
    if (!status)
        status = write_lines(writing, false, checkpoint->buckets, block);
    if (!status)
        status = write_lines(writing, true, checkpoint->overflow, block);
    if (!status) {
        (void)tarn__block_end_write(block, writing->identity, writing->offset, &writing->total);
        status =
            tarn__file_write(writing->file, block,
                             TARN__BLOCK_HEADER_BYTES + TARN__BLOCK_END_LENGTH, writing->offset);
    }
    tarn_buf_release(&head);
    tarn__free(block);
    return status;
}

/* No sync: what is broken after a power cut is not used. */
static void write_file(struct writing *writing, const struct tarn__checkpoint *checkpoint)
{
    const struct tarn__directory *home = writing->ns->home.directory;
    const struct tarn__os *os = writing->ns->environment->os;
    tarn_status status;

    (void)tarn__file_unlink(home, NAME_NEW);
    status = os->random_bytes(os, writing->identity, sizeof writing->identity);
    if (!status)
        status = tarn__file_open(home, NAME_NEW, TARN__OPEN_CREATE, &writing->file);
    if (status)
        return;
    status = write_all(writing, checkpoint);
    if (!status)
        status = tarn__file_close(writing->file);
    else
        tarn__file_close_after_reading(writing->file);
    if (!status)
        status = tarn__file_rename(home, NAME_NEW, home, NAME);
    if (status)
        (void)tarn__file_unlink(home, NAME_NEW);
}

static tarn_status describe_index(tarn_namespace *ns, struct tarn__index *index,
                                  struct tarn__checkpoint *checkpoint)
{
    const struct tarn__groups *groups = atomic_load_explicit(&index->groups, memory_order_relaxed);
    uint64_t writes;

    checkpoint->group_bits = groups->bits;
    checkpoint->groups = tarn__allocate(((size_t)1 << groups->bits) * sizeof *checkpoint->groups);
    if (!checkpoint->groups)
        return TARN_NO_MEMORY;
    for (uint32_t i = 0; i < 1u << groups->bits; i++)
        checkpoint->groups[i] = (struct tarn__covered_group){
            .buckets = atomic_load_explicit(&groups->buckets[i], memory_order_relaxed),
            .keys = groups->keys[i]};
    checkpoint->buckets = tarn__image_buckets(index);
    checkpoint->overflow = tarn__image_overflow(index);
    tarn__namespace_count(ns, &checkpoint->keys, &checkpoint->bytes, &writes);
    checkpoint->seed = ns->environment->seed;
    checkpoint->sequence = atomic_load(&ns->environment->sequence);
    return TARN_OK;
}

void tarn__checkpoint_write(tarn_namespace *ns)
{
    struct writing writing = {.ns = ns, .index = atomic_load(&ns->index)};
    struct tarn_error error = *tarn_last_error();
    struct tarn__checkpoint checkpoint = {0};

    if (!ns->engine->cover || !atomic_load(&writing.index->groups))
        return;
    for (uint32_t i = 0; i < atomic_load(&ns->shards_made); i++)
        tarn__shard_flush(ns, tarn__shard_at(ns, i)); /* so that all that is stale is known */
    if (ns->engine->covered(ns->engine_state, &checkpoint) == TARN_OK && checkpoint.covered_count &&
        describe_index(ns, writing.index, &checkpoint) == TARN_OK)
        write_file(&writing, &checkpoint);
    tarn__checkpoint_release(&checkpoint);
    tarn__restore_error(&error);
}

/* ------------------------------------------------------------------------------------------
 * Reading
 */

struct reading {
    tarn_namespace *ns;
    struct tarn__file *file;
    uint64_t offset, length; /* of the next block; of the file */
    struct tarn__block_total total;
    uint8_t identity[TARN__IDENTITY_BYTES];
    struct tarn_buf block; /* that was read last, with its header */
};

static const uint8_t *content_of(const struct reading *reading)
{
    return (const uint8_t *)reading->block.data + TARN__BLOCK_HEADER_BYTES;
}

/* Reads a block; length: of its content, if it is known, else 0. */
static tarn_status read_block(struct reading *reading, size_t length,
                              struct tarn__file_block *block)
{
    size_t ahead = TARN__BLOCK_HEADER_BYTES + length, there = 0;
    const char *path = tarn__file_path(reading->file);
    tarn_status status = tarn__buf_reserve(&reading->block, ahead);

    if (!status)
        status = tarn__file_read_some(reading->file, reading->block.data, ahead, reading->offset,
                                      &there);
    if (!status)
        status = tarn__block_header_read(reading->block.data, there, reading->identity,
                                         reading->offset, reading->length, path, block);
    if (!status && length && block->length != length)
        status = tarn__file_corrupt(path, reading->offset, "a block has another length");
    if (!status && !length && block->length > HEAD_BYTES_MAX)
        status = tarn__file_corrupt(path, reading->offset, "a block is too long");
    if (!status && !length) {
        status = tarn__buf_reserve(&reading->block, ahead + block->length);
        if (!status)
            status = tarn__file_read(reading->file, (uint8_t *)reading->block.data + ahead,
                                     block->length, reading->offset + ahead);
    } else if (!status && there < ahead) {
        status = tarn__file_corrupt(path, reading->offset, "a block was cut off");
    }
    if (!status)
        status = tarn__block_verify(block, content_of(reading), path);
    if (status)
        return status;
    if (block->kind != TARN__BLOCK_END)
        tarn__block_total_add(&reading->total, block->checksum);
    reading->offset += TARN__BLOCK_HEADER_BYTES + block->length;
    return TARN_OK;
}

static tarn_status read_lines(struct reading *reading, struct tarn__image *image, bool overflow)
{
    uint8_t kind = overflow ? TARN__CHECKPOINT_OVERFLOW : TARN__CHECKPOINT_BUCKETS;
    uint64_t lines = overflow ? image->overflow : image->buckets;
    struct tarn__file_block block;
    tarn_status status = TARN_OK;

    for (uint64_t first = 0; first < lines && !status; first += TARN__CHECKPOINT_LINES) {
        uint64_t count = lines_in_block(first, lines);

        status = read_block(reading, count * TARN__CHECKPOINT_LINE_BYTES, &block);
        if (!status && (block.kind != kind ||
                        !tarn__image_put(image, overflow, first, count, content_of(reading))))
            status = tarn__file_corrupt(tarn__file_path(reading->file), block.offset,
                                        "a block holds no lines of an index");
    }
    return status;
}

static bool holds(void *context, uint64_t location)
{
    tarn_namespace *ns = context;

    return ns->engine->holds(ns->engine_state, location);
}

/* Gives the index its groups. */
static tarn_status publish(tarn_namespace *ns, const struct tarn__checkpoint *checkpoint,
                           struct tarn__image *image)
{
    struct tarn__groups *groups = tarn__groups_create(checkpoint->group_bits, ns->shard_count);

    if (!groups)
        return TARN_NO_MEMORY;
    for (uint32_t i = 0; i < 1u << checkpoint->group_bits; i++) {
        atomic_init(&groups->buckets[i], checkpoint->groups[i].buckets);
        groups->keys[i] = checkpoint->groups[i].keys;
    }
    tarn__image_publish(image, groups);
    tarn__shards_measure(ns);
    tarn__shard_at(ns, 0)->bytes = (int64_t)checkpoint->bytes;
    return TARN_OK;
}

/* Fills the index; whatever it returns, lines may be in it. */
static tarn_status read_index(struct reading *reading, const struct tarn__checkpoint *checkpoint)
{
    struct tarn__image image = {.index = atomic_load(&reading->ns->index),
                                .buckets = checkpoint->buckets,
                                .overflow = checkpoint->overflow,
                                .holds = holds,
                                .context = reading->ns};
    struct tarn__file_block block;
    tarn_status status = tarn__image_begin(&image);

    if (status)
        return status;
    status = read_lines(reading, &image, false);
    if (!status)
        status = read_lines(reading, &image, true);
    if (!status)
        status = read_block(reading, TARN__BLOCK_END_LENGTH, &block);
    if (!status)
        status = tarn__block_end_verify(&block, content_of(reading), &reading->total,
                                        reading->length, tarn__file_path(reading->file));
    if (!status)
        status = publish(reading->ns, checkpoint, &image);
    tarn__image_end(&image);
    return status;
}

static tarn_status read_head(struct reading *reading, struct tarn__checkpoint *checkpoint)
{
    const char *path = tarn__file_path(reading->file);
    uint8_t header[TARN__FILE_HEADER_BYTES];
    struct tarn__file_block block;
    size_t there = 0;
    tarn_status status = tarn__file_size(reading->file, &reading->length);

    if (!status)
        status = tarn__file_read_some(reading->file, header, sizeof header, 0, &there);
    if (!status)
        status =
            tarn__file_header_read(header, there, TARN__FILE_CHECKPOINT, path, reading->identity);
    reading->offset = TARN__FILE_HEADER_BYTES;
    if (!status)
        status = read_block(reading, 0, &block);
    if (!status)
        status = tarn__checkpoint_head_decode(&block, content_of(reading), path, checkpoint);
    if (!status &&
        ((checkpoint->buckets + checkpoint->overflow) * TARN__CHECKPOINT_LINE_BYTES >
             reading->length ||
         checkpoint->buckets > reading->length || checkpoint->overflow > reading->length))
        status = tarn__file_corrupt(path, block.offset, "a checkpoint is longer than its file");
    return status;
}

bool tarn__checkpoint_read(tarn_namespace *ns)
{
    struct reading reading = {.ns = ns};
    struct tarn_error error = *tarn_last_error();
    struct tarn__checkpoint checkpoint = {0};
    bool used = false;

    if (ns->engine->cover && !ns->environment->read_only)
        (void)tarn__file_unlink(ns->home.directory, NAME_NEW); /* what a crash may have left */
    if (!ns->engine->cover ||
        tarn__file_open(ns->home.directory, NAME, TARN__OPEN_READ, &reading.file)) {
        tarn__restore_error(&error);
        return false;
    }
    if (read_head(&reading, &checkpoint) == TARN_OK && checkpoint.seed == ns->environment->seed &&
        ns->engine->cover(ns->engine_state, &checkpoint)) {
        used = read_index(&reading, &checkpoint) == TARN_OK;
        if (!used) {
            ns->engine->cover(ns->engine_state, NULL);
            tarn__image_undo(atomic_load(&ns->index));
        }
    }
    tarn__file_close_after_reading(reading.file);
    tarn__checkpoint_release(&checkpoint);
    tarn_buf_release(&reading.block);
    if (!used && !ns->environment->read_only)
        (void)tarn__file_unlink(ns->home.directory, NAME); /* it only takes room */
    tarn__restore_error(&error);
    return used;
}
