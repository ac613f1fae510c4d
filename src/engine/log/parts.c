/* The parts of a log; see the header. */
#include "engine/log/parts.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_path(struct tarn__log_parts *parts, const char *name)
{
    snprintf(parts->path, sizeof parts->path, "%s/%s",
             tarn__directory_path(parts->source->directory), name);
}

void tarn__log_parts_set_path(struct tarn__log_parts *parts, uint64_t number)
{
    char name[TARN__SEGMENT_NAME_ROOM];

    tarn__segment_name(number, name);
    set_path(parts, name);
}

tarn_status tarn__log_parts_fault(struct tarn__log_parts *parts, tarn_status status)
{
    return tarn__inspection_fault(parts->inspection, parts->path, status);
}

/* ------------------------------------------------------------------------------------------
 * Which files there are
 */

static bool note_name(void *context, const char *name)
{
    struct tarn__log_parts *parts = context;
    size_t capacity = parts->number_capacity ? 2 * parts->number_capacity : 16;
    uint64_t number, *numbers;

    if (strcmp(name, TARN__SEGMENT_LIST_NEW) == 0) {
        set_path(parts, name);
        tarn__inspection_note(parts->inspection, parts->path, 0,
                              "'%s' is what a crash has left: the next opening removes it",
                              parts->path);
    }
    if (!tarn__segment_number_of(name, &number))
        return true;
    if (parts->number_count == parts->number_capacity) {
        numbers = tarn__reallocate(parts->numbers, capacity * sizeof *numbers);
        if (!numbers) {
            parts->status = TARN_NO_MEMORY;
            return false;
        }
        parts->numbers = numbers;
        parts->number_capacity = capacity;
    }
    parts->numbers[parts->number_count++] = number;
    return true;
}

static int by_number(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static tarn_status find_files(struct tarn__log_parts *parts)
{
    tarn_status status;

    set_path(parts, "");
    status = tarn__directory_list(parts->source->directory, note_name, parts);
    if (!status)
        status = parts->status;
    if (parts->number_count)
        qsort(parts->numbers, parts->number_count, sizeof *parts->numbers, by_number);
    return tarn__log_parts_fault(parts, status);
}

static tarn_status read_list(struct tarn__log_parts *parts)
{
    const struct tarn__log_source *source = parts->source;
    struct tarn_buf bytes = {0};
    tarn_status status;

    set_path(parts, TARN__SEGMENT_LIST);
    status = tarn__file_read_whole(source->directory, TARN__SEGMENT_LIST,
                                   TARN__SEGMENT_LIST_BYTES_MAX, &bytes);
    if (tarn__failed_with(status, ENOENT))
        status = tarn__fail(TARN_CORRUPT, "'%s' is missing", parts->path);
    if (!status) {
        parts->inspection->summary.files++;
        status = tarn__inspection_read(parts->inspection, bytes.length);
    }
    if (!status)
        status = tarn__segment_list_decode(bytes.data, bytes.length, parts->path, &parts->list);
    tarn_buf_release(&bytes);
    if (!status && (parts->list.namespace_number != source->number ||
                    (source->store &&
                     memcmp(parts->list.store, source->store, sizeof parts->list.store) != 0))) {
        tarn__segment_list_release(&parts->list);
        status = tarn__file_corrupt(parts->path, 0, "this is the list of another log");
    }
    parts->has_list = status == TARN_OK;
    return tarn__log_parts_fault(parts, status);
}

static const struct tarn__segment_entry *entry_of(const struct tarn__log_parts *parts,
                                                  uint64_t number)
{
    for (size_t i = 0; i < parts->list.count; i++)
        if (parts->list.entries[i].number == number)
            return &parts->list.entries[i];
    return NULL;
}

/* Whether a file counts that the list does not name. */
static tarn_status look_at_stray(struct tarn__log_parts *parts, uint64_t number, bool *counts)
{
    *counts = true;
    if (!parts->has_list)
        return TARN_OK;
    tarn__log_parts_set_path(parts, number);
    if (number >= parts->list.next_number)
        return tarn__log_parts_fault(
            parts,
            tarn__fail(TARN_CORRUPT, "'%s' is newer than the list of segments", parts->path));
    *counts = false;
    tarn__inspection_note(parts->inspection, parts->path, 0,
                          "'%s' is what a crash has left: the next opening removes it",
                          parts->path);
    return TARN_OK;
}

/* Makes the parts: what the list names, and what counts besides. */
static tarn_status choose_parts(struct tarn__log_parts *parts)
{
    tarn_status status = TARN_OK;

    parts->all =
        tarn__allocate_zeroed((parts->list.count + parts->number_count + 1) * sizeof *parts->all);
    if (!parts->all)
        return TARN_NO_MEMORY;
    for (size_t i = 0; i < parts->list.count; i++)
        parts->all[parts->count++].file_number = parts->list.entries[i].number;
    for (size_t i = 0; i < parts->number_count && !status; i++) {
        bool counts = false;

        if (!entry_of(parts, parts->numbers[i]))
            status = look_at_stray(parts, parts->numbers[i], &counts);
        if (counts)
            parts->all[parts->count++].file_number = parts->numbers[i];
    }
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Heads
 */

static tarn_status check_entry(const struct tarn__log_parts *parts,
                               const struct tarn__log_part *part,
                               const struct tarn__segment_entry *entry)
{
    const struct tarn__segment *segment = &part->segment;

    if (segment->head.number != part->file_number ||
        (entry && memcmp(segment->identity, entry->identity, sizeof segment->identity) != 0))
        return tarn__file_corrupt(parts->path, 0, "this is another segment than its name says");
    if (entry && segment->size < entry->sealed_bytes)
        return tarn__file_corrupt(parts->path, segment->size, "the segment's file was cut off");
    if (entry && segment->size > entry->granules * TARN__GRANULE_BYTES)
        return tarn__file_corrupt(parts->path, entry->granules * TARN__GRANULE_BYTES,
                                  "the segment's file is longer than it can be");
    return TARN_OK;
}

static bool is_of_another_log(const struct tarn__log_parts *parts,
                              const struct tarn__segment *segment)
{
    const struct tarn__log_source *source = parts->source;

    return segment->head.namespace_number != source->number ||
           (source->store &&
            memcmp(segment->head.store, source->store, sizeof segment->head.store) != 0);
}

/* A head that is damaged: what can be told without it. */
static void do_without_head(struct tarn__log_part *part, const struct tarn__segment_entry *entry,
                            const uint8_t *bytes, size_t length)
{
    struct tarn__segment *segment = &part->segment;
    struct tarn__segment_head *head = &segment->head;

    part->base_unknown = true;
    if (length == TARN__SEGMENT_HEAD) {
        tarn__segment_head_guess(bytes, segment->identity, head);
        part->usable = true;
        /* A written segment is as of its base: what is there twice is right. */
        part->base_unknown = head->origin != TARN__SEGMENT_WRITTEN ||
                             head->as_of != head->base_sequence ||
                             head->as_of >> TARN__SEQUENCE_BITS;
    }
    if (entry) {
        memcpy(segment->identity, entry->identity, sizeof segment->identity);
        part->usable = true;
    }
    if (head->origin != TARN__SEGMENT_COMPACTED)
        head->origin = TARN__SEGMENT_WRITTEN;
    if (part->base_unknown)
        head->base_sequence = 0;
    head->number = part->file_number;
}

tarn_status tarn__log_part_open(struct tarn__log_parts *parts, struct tarn__log_part *part)
{
    char name[TARN__SEGMENT_NAME_ROOM];

    tarn__segment_name(part->file_number, name);
    set_path(parts, name);
    return tarn__file_open(parts->source->directory, name, TARN__OPEN_READ, &part->segment.file);
}

void tarn__log_part_close(struct tarn__log_part *part)
{
    tarn__file_close_after_reading(part->segment.file);
    part->segment.file = NULL;
}

/* Finds out how the frames of a part are to be read. Its file is open. */
static tarn_status read_head(struct tarn__log_parts *parts, struct tarn__log_part *part)
{
    const struct tarn__segment_entry *entry = entry_of(parts, part->file_number);
    struct tarn__segment *segment = &part->segment;
    uint8_t bytes[TARN__SEGMENT_HEAD] = {0};
    size_t length = 0;
    tarn_status status = tarn__file_size(segment->file, &segment->size);

    if (status)
        return tarn__log_parts_fault(parts, status);
    status = tarn__file_read_some(segment->file, bytes, sizeof bytes, 0, &length);
    if (!status)
        status =
            tarn__segment_head_read(bytes, length, parts->path, segment->identity, &segment->head);
    if (status) {
        do_without_head(part, entry, bytes, length);
    } else if (is_of_another_log(parts, segment)) {
        status = tarn__file_corrupt(parts->path, 0, "this is a segment of another log");
    } else {
        part->usable = true;
        status = check_entry(parts, part, entry);
    }
    if (entry && segment->head.number == part->file_number)
        segment->sealed_bytes = entry->sealed_bytes;
    segment->frames = (struct tarn__frame_segment){.seed = tarn__frame_seed(segment->identity),
                                                   .base_sequence = segment->head.base_sequence};
    return tarn__log_parts_fault(parts, status);
}

static int by_order(const void *left, const void *right)
{
    const struct tarn__log_part *a = left, *b = right;

    if (tarn__log_part_is_written(a) != tarn__log_part_is_written(b))
        return tarn__log_part_is_written(a) ? 1 : -1;
    return by_number(&a->segment.head.number, &b->segment.head.number);
}

static tarn_status read_heads(struct tarn__log_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        tarn_status status = tarn__log_part_open(parts, &parts->all[i]);

        if (tarn__failed_with(status, ENOENT))
            status = tarn__fail(TARN_CORRUPT, "'%s' is missing", parts->path);
        if (status) {
            status = tarn__log_parts_fault(parts, status);
        } else {
            parts->inspection->summary.files++;
            status = read_head(parts, &parts->all[i]);
            tarn__log_part_close(&parts->all[i]);
        }
        if (status)
            return status;
    }
    if (parts->count)
        qsort(parts->all, parts->count, sizeof *parts->all, by_order);
    return TARN_OK;
}

/* ------------------------------------------------------------------------------------------
 * All of it
 */

tarn_status tarn__log_parts_find(struct tarn__log_parts *parts)
{
    tarn_status status = find_files(parts);

    if (!status)
        status = read_list(parts);
    if (!status)
        status = choose_parts(parts);
    return status ? status : read_heads(parts);
}

void tarn__log_parts_release(struct tarn__log_parts *parts)
{
    tarn__segment_list_release(&parts->list);
    tarn__free(parts->all);
    tarn__free(parts->numbers);
}
