/* Building batches. Copies go to chunks, which never move, so that operations can point into them.
 */
#include "namespace/batch.h"
#include "base/memory.h"
#include "base/status.h"

#define OPERATIONS_MAX  ((size_t)1 << 24)
#define CHUNK_BYTES_MIN ((size_t)4096)
#define CHUNK_BYTES_MAX ((size_t)1024 * 1024)

struct tarn__batch_chunk {
    struct tarn__batch_chunk *next;
    size_t used, capacity;
    char bytes[];
};

tarn_status tarn_batch_create(tarn_batch **batch)
{
    tarn_batch *made;

    if (!batch)
        return tarn__fail(TARN_INVALID_ARGUMENT, "batch is NULL");
    made = tarn__allocate_zeroed(sizeof *made);
    if (!made)
        return TARN_NO_MEMORY;
    *batch = made;
    return TARN_OK;
}

void tarn_batch_free(tarn_batch *batch)
{
    if (!batch)
        return;
    while (batch->chunks) {
        struct tarn__batch_chunk *next = batch->chunks->next;

        tarn__free(batch->chunks);
        batch->chunks = next;
    }
    tarn__free(batch->operations);
    tarn__free(batch);
}

void tarn_batch_clear(tarn_batch *batch)
{
    if (!batch)
        return;
    for (struct tarn__batch_chunk *chunk = batch->chunks; chunk; chunk = chunk->next)
        chunk->used = 0;
    batch->open = batch->chunks;
    batch->count = 0;
    batch->bytes = 0;
}

size_t tarn_batch_count(const tarn_batch *batch)
{
    return batch ? batch->count : 0;
}

/* Puts a chunk with room for bytes behind the open one and opens it. */
static tarn_status add_chunk(tarn_batch *batch, size_t bytes)
{
    size_t capacity = batch->open ? batch->open->capacity * 2 : CHUNK_BYTES_MIN;
    struct tarn__batch_chunk *chunk;

    if (capacity > CHUNK_BYTES_MAX)
        capacity = CHUNK_BYTES_MAX;
    if (capacity < bytes)
        capacity = bytes;
    chunk = tarn__allocate(sizeof *chunk + capacity);
    if (!chunk)
        return TARN_NO_MEMORY;
    chunk->used = 0;
    chunk->capacity = capacity;
    chunk->next = batch->open ? batch->open->next : NULL;
    if (batch->open)
        batch->open->next = chunk;
    else
        batch->chunks = chunk; /* the first one */
    batch->open = chunk;
    return TARN_OK;
}

/* Makes the open chunk one with room for bytes. */
static tarn_status make_room(tarn_batch *batch, size_t bytes)
{
    struct tarn__batch_chunk *open = batch->open;

    if (open && open->capacity - open->used >= bytes)
        return TARN_OK;
    if (open && open->next && open->next->capacity >= bytes) {
        batch->open = open->next; /* from before a clear */
        return TARN_OK;
    }
    return add_chunk(batch, bytes);
}

static struct tarn_slice copy(struct tarn__batch_chunk *chunk, struct tarn_slice slice)
{
    char *to = chunk->bytes + chunk->used;

    if (slice.length)
        memcpy(to, slice.data, slice.length);
    chunk->used += slice.length;
    return tarn_slice_of(to, slice.length);
}

static tarn_status check_value(struct tarn_slice value)
{
    if (value.length > TARN_VALUE_BYTES_MAX)
        return tarn__fail(TARN_VALUE_TOO_LARGE, "the value has %zu bytes, and a value at most %zu",
                          value.length, TARN_VALUE_BYTES_MAX);
    return tarn__check_slice(value);
}

static tarn_status make_room_for_operation(tarn_batch *batch, size_t bytes)
{
    if (batch->count == OPERATIONS_MAX || bytes > TARN_BATCH_BYTES_MAX - batch->bytes)
        return tarn__fail(TARN_BATCH_TOO_LARGE,
                          "a batch has at most %zu operations and %zu bytes: commit it first",
                          OPERATIONS_MAX, TARN_BATCH_BYTES_MAX);
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity ? batch->capacity * 2 : 16;
        struct tarn__operation *operations =
            tarn__reallocate(batch->operations, capacity * sizeof *operations);

        if (!operations)
            return TARN_NO_MEMORY;
        batch->operations = operations;
        batch->capacity = capacity;
    }
    return make_room(batch, bytes);
}

static tarn_status add(tarn_batch *batch, const struct tarn__operation *operation)
{
    size_t bytes = operation->key.length + operation->value.length + operation->expected.length;
    struct tarn__operation *added;
    tarn_status status;

    if (!batch)
        return tarn__fail(TARN_INVALID_ARGUMENT, "batch is NULL");
    status = tarn__check_key(operation->key);
    if (!status)
        status = check_value(operation->value);
    if (!status)
        status = check_value(operation->expected);
    if (!status)
        status = make_room_for_operation(batch, bytes);
    if (status)
        return status;
    added = &batch->operations[batch->count++];
    *added = *operation;
    added->key = copy(batch->open, operation->key);
    added->value = copy(batch->open, operation->value);
    added->expected = copy(batch->open, operation->expected);
    batch->bytes += bytes;
    return TARN_OK;
}

tarn_status tarn_batch_set(tarn_batch *batch, struct tarn_slice key, struct tarn_slice value)
{
    return add(batch, &(struct tarn__operation){.kind = TARN__SET, .key = key, .value = value});
}

tarn_status tarn_batch_insert(tarn_batch *batch, struct tarn_slice key, struct tarn_slice value)
{
    return add(batch, &(struct tarn__operation){.kind = TARN__INSERT, .key = key, .value = value});
}

tarn_status tarn_batch_update(tarn_batch *batch, struct tarn_slice key, struct tarn_slice value)
{
    return add(batch, &(struct tarn__operation){.kind = TARN__UPDATE, .key = key, .value = value});
}

tarn_status tarn_batch_replace_if(tarn_batch *batch, struct tarn_slice key,
                                  struct tarn_slice expected, struct tarn_slice value)
{
    return add(batch,
               &(struct tarn__operation){
                   .kind = TARN__REPLACE_IF, .key = key, .value = value, .expected = expected});
}

tarn_status tarn_batch_replace_if_sequence(tarn_batch *batch, struct tarn_slice key,
                                           uint64_t sequence, struct tarn_slice value)
{
    return add(batch, &(struct tarn__operation){.kind = TARN__REPLACE_IF_SEQUENCE,
                                                .key = key,
                                                .value = value,
                                                .sequence = sequence});
}

tarn_status tarn_batch_get(tarn_batch *batch, struct tarn_slice key)
{
    return add(batch, &(struct tarn__operation){.kind = TARN__GET, .key = key});
}

tarn_status tarn_batch_delete(tarn_batch *batch, struct tarn_slice key)
{
    return add(batch, &(struct tarn__operation){.kind = TARN__DELETE, .key = key});
}

tarn_status tarn_batch_consume(tarn_batch *batch, struct tarn_slice key)
{
    return add(batch, &(struct tarn__operation){.kind = TARN__CONSUME, .key = key});
}

tarn_status tarn_batch_increment(tarn_batch *batch, struct tarn_slice key, int64_t delta)
{
    return add(batch,
               &(struct tarn__operation){.kind = TARN__INCREMENT, .key = key, .delta = delta});
}
