/* Rewriting segments; see the header. */
#include "engine/log/rewrite.h"
#include "base/memory.h"
#include "base/status.h"

#define PENDING_BYTES ((size_t)1024 * 1024)

/* ------------------------------------------------------------------------------------------
 * Output
 */

static struct tarn__segment *output_of(const struct tarn__rewrite *rewrite)
{
    return rewrite->output_count ? rewrite->outputs[rewrite->output_count - 1] : NULL;
}

static tarn_status write_pending(struct tarn__rewrite *rewrite)
{
    tarn_status status = TARN_OK;

    if (rewrite->pending.length)
        status = tarn__file_write(output_of(rewrite)->file, rewrite->pending.data,
                                  rewrite->pending.length, rewrite->pending_at);
    if (!status && rewrite->pending.length)
        tarn__file_write_back(output_of(rewrite)->file, rewrite->pending_at,
                              rewrite->pending.length);
    rewrite->pending_at += rewrite->pending.length;
    rewrite->pending.length = 0;
    return status;
}

static tarn_status end_output(struct tarn__rewrite *rewrite)
{
    struct tarn__segments *segments = &rewrite->log->segments;
    tarn_status status = write_pending(rewrite);

    if (status)
        return status;
    pthread_mutex_lock(&segments->files);
    status = tarn__segments_seal(segments, output_of(rewrite));
    pthread_mutex_unlock(&segments->files);
    return status;
}

/* As many bytes as are likely to come, up to the size of a segment, and at least so many. */
static uint64_t output_bytes(const struct tarn__rewrite *rewrite, uint64_t least)
{
    uint64_t bytes = rewrite->expected + rewrite->expected / 64 + 4096;
    uint64_t most = atomic_load(&rewrite->log->segment_bytes);

    bytes = bytes < most ? bytes : most;
    return bytes > least ? bytes : least;
}

static tarn_status begin_output(struct tarn__rewrite *rewrite, size_t frame_bytes)
{
    struct tarn__segments *segments = &rewrite->log->segments;
    size_t capacity = rewrite->output_capacity ? 2 * rewrite->output_capacity : 4;
    struct tarn__segment **outputs = rewrite->outputs;
    tarn_status status;

    if (rewrite->output_count == rewrite->output_capacity) {
        outputs = tarn__reallocate(outputs, capacity * sizeof(struct tarn__segment *));
        if (!outputs)
            return TARN_NO_MEMORY;
        rewrite->outputs = outputs;
        rewrite->output_capacity = capacity;
    }
    pthread_mutex_lock(&segments->files);
    status = tarn__segments_make(
        segments, TARN__SEGMENT_COMPACTED, rewrite->as_of, rewrite->base_sequence,
        output_bytes(rewrite, TARN__SEGMENT_HEAD + frame_bytes), &outputs[rewrite->output_count]);
    pthread_mutex_unlock(&segments->files);
    if (status)
        return status;
    rewrite->output_count++;
    rewrite->pending_at = TARN__SEGMENT_HEAD;
    return TARN_OK;
}

static tarn_status note_move(struct tarn__rewrite *rewrite, uint64_t hash, uint64_t from,
                             uint64_t to)
{
    size_t capacity = rewrite->move_capacity ? 2 * rewrite->move_capacity : 1024;
    struct tarn__move *moves = rewrite->moves;

    if (rewrite->move_count == rewrite->move_capacity) {
        moves = tarn__reallocate(moves, capacity * sizeof *moves);
        if (!moves)
            return TARN_NO_MEMORY;
        rewrite->moves = moves;
        rewrite->move_capacity = capacity;
    }
    moves[rewrite->move_count++] = (struct tarn__move){.hash = hash, .from = from, .to = to};
    return TARN_OK;
}

/* Appends a frame to what is pending, in a segment that has room for it. */
static tarn_status copy_frame(struct tarn__rewrite *rewrite, const struct tarn__met *met,
                              const struct tarn__frame *frame)
{
    struct tarn__frame copy = {.kind = frame->kind, .record = frame->record};
    const struct tarn__frame_segment base = {.base_sequence = rewrite->base_sequence};
    size_t bytes = tarn__frame_bytes(&base, &copy);
    struct tarn__segment *output = output_of(rewrite);
    tarn_status status = TARN_OK;

    if (output && output->size - output->used < bytes) {
        status = end_output(rewrite);
        output = NULL;
    }
    if (!status && !output)
        status = begin_output(rewrite, bytes);
    if (!status && rewrite->pending.length && rewrite->pending.length + bytes > PENDING_BYTES)
        status = write_pending(rewrite);
    if (!status)
        status =
            tarn__buf_reserve(&rewrite->pending, bytes > PENDING_BYTES ? bytes : PENDING_BYTES);
    if (status)
        return status;
    output = output_of(rewrite);
    tarn__frame_write(&output->frames, &copy, output->used,
                      (uint8_t *)rewrite->pending.data + rewrite->pending.length);
    rewrite->pending.length += bytes;
    if (met->removes)
        atomic_fetch_add_explicit(&output->deletes, bytes, memory_order_relaxed);
    else
        status = note_move(rewrite, met->hash, met->location,
                           tarn__segment_location(output, output->used));
    output->used += bytes;
    rewrite->expected -= bytes < rewrite->expected ? bytes : rewrite->expected;
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Input
 */

/* Judges what was met, and copies what is needed. */
static tarn_status flush(struct tarn__rewrite *rewrite)
{
    tarn_status status = TARN_OK;

    if (rewrite->met_count)
        status = rewrite->mover->judge(rewrite->mover->context, rewrite->met, rewrite->met_count);
    for (size_t i = 0; i < rewrite->met_count && !status; i++)
        if (rewrite->met[i].needed)
            status = copy_frame(rewrite, &rewrite->met[i], &rewrite->frames[i]);
    rewrite->met_count = 0;
    return status;
}

static tarn_status visit(void *context, const struct tarn__frame *frame, uint64_t offset)
{
    struct tarn__rewrite *rewrite = context;
    bool removes = frame->kind == TARN__FRAME_DELETE;
    tarn_status status = TARN_OK;

    if (removes && frame->record.info.sequence < rewrite->kept_as_of)
        return TARN_OK; /* there is nothing older that it would be needed for */
    if (rewrite->met_count == TARN__MOVES_MAX)
        status = flush(rewrite);
    rewrite->frames[rewrite->met_count] = *frame;
    rewrite->met[rewrite->met_count++] =
        (struct tarn__met){.key = frame->record.key,
                           .location = tarn__segment_location(rewrite->from, offset),
                           .removes = removes};
    return status;
}

static tarn_status read_frames(struct tarn__rewrite *rewrite, struct tarn__frame_walk *walk)
{
    uint64_t stretches = 0, told = walk->offset;
    enum tarn__frame_found found;
    tarn_status status = TARN_OK;

    while (!status && walk->offset < walk->end) {
        status = tarn__frame_walk_next(walk, &found);
        if (!status && found != TARN__FRAME_WHOLE)
            status = tarn__segment_corrupt(&rewrite->log->segments, rewrite->from, walk->offset);
        if (!status && walk->stretches != stretches) {
            status = flush(rewrite); /* what was met is in the stretch before */
            if (!status)
                status = rewrite->pause(rewrite->context, walk->offset - told);
            told = walk->offset;
            stretches = walk->stretches;
        }
        if (!status)
            status = tarn__frame_walk_records(walk, visit, rewrite);
    }
    if (!status)
        status = flush(rewrite);
    rewrite->met_count = 0;
    return status ? status : rewrite->pause(rewrite->context, walk->offset - told);
}

tarn_status tarn__rewrite_source(struct tarn__rewrite *rewrite, struct tarn__segment *source)
{
    struct tarn__frame_walk walk;
    tarn_status status = tarn__segments_open_file(&rewrite->log->segments, source);

    if (status)
        return status;
    rewrite->from = source;
    tarn__frame_walk_begin(&walk, source, TARN__SEGMENT_HEAD, source->sealed_bytes);
    status = read_frames(rewrite, &walk);
    tarn__frame_walk_release(&walk);
    tarn__file_close_after_reading(source->file);
    source->file = NULL;
    return status;
}

tarn_status tarn__rewrite_finish(struct tarn__rewrite *rewrite)
{
    return rewrite->output_count ? end_output(rewrite) : TARN_OK;
}

void tarn__rewrite_release(struct tarn__rewrite *rewrite, bool discard)
{
    struct tarn__segments *segments = &rewrite->log->segments;

    pthread_mutex_lock(&segments->files);
    while (discard && rewrite->output_count)
        tarn__segments_discard(segments, rewrite->outputs[--rewrite->output_count]);
    pthread_mutex_unlock(&segments->files);
    tarn__free(rewrite->outputs);
    tarn__free(rewrite->moves);
    tarn_buf_release(&rewrite->pending);
}
