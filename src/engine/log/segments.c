/* The segments of one log; see the header. */
#include "engine/log/segments.h"
#include "base/memory.h"
#include "base/plant.h"
#include "base/status.h"
#include "engine/log/leftovers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST             TARN__SEGMENT_LIST
#define LIST_NEW         TARN__SEGMENT_LIST_NEW
#define SUFFIX           TARN__SEGMENT_SUFFIX
#define NAME_ROOM        TARN__SEGMENT_NAME_ROOM
#define PATH_ROOM        256 /* a message has no more */
#define NUMBERS_RESERVED 16

void tarn__segment_name(uint64_t number, char name[NAME_ROOM])
{
    snprintf(name, NAME_ROOM, "%" PRIu64 SUFFIX, number);
}

bool tarn__segment_number_of(const char *name, uint64_t *number)
{
    char again[NAME_ROOM];

    *number = strtoull(name, NULL, 10);
    tarn__segment_name(*number, again);
    return strcmp(name, again) == 0;
}

/* ------------------------------------------------------------------------------------------
 * The table
 */

static tarn_status make_locks(struct tarn__segments *segments)
{
    if (pthread_mutex_init(&segments->lock, NULL) != 0)
        return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
    if (pthread_mutex_init(&segments->files, NULL) == 0)
        return TARN_OK;
    pthread_mutex_destroy(&segments->lock);
    return tarn__fail(TARN_NO_MEMORY, "a lock could not be made");
}

static void free_locks(struct tarn__segments *segments)
{
    pthread_mutex_destroy(&segments->files);
    pthread_mutex_destroy(&segments->lock);
}

/* Puts a segment behind all others: numbers rise. */
static tarn_status add(struct tarn__segments *segments, struct tarn__segment *segment)
{
    size_t capacity = segments->capacity ? 2 * segments->capacity : 8;
    struct tarn__segment **all = segments->all;

    pthread_mutex_lock(&segments->lock);
    if (segments->count == segments->capacity) {
        all = tarn__reallocate(segments->all, capacity * sizeof(struct tarn__segment *));
        if (all) {
            segments->all = all;
            segments->capacity = capacity;
        }
    }
    if (all)
        segments->all[segments->count++] = segment;
    pthread_mutex_unlock(&segments->lock);
    return all ? TARN_OK : TARN_NO_MEMORY;
}

/* Makes a segment whose file is mapped one of the log's, at a place that it is wished to have. */
static tarn_status enter(struct tarn__segments *segments, struct tarn__segment *segment,
                         uint32_t granules, uint32_t wished)
{
    tarn_status status;

    segment->frames = (struct tarn__frame_segment){.seed = tarn__frame_seed(segment->identity),
                                                   .base_sequence = segment->head.base_sequence};
    status =
        tarn__granules_take(segments->space, granules, wished, segment, &segment->first_granule);
    if (status)
        return status;
    segment->granules = granules;
    segment->as_of = segment->head.as_of;
    return add(segments, segment);
}

static void take_out(struct tarn__segments *segments, const struct tarn__segment *segment)
{
    size_t at = 0;

    pthread_mutex_lock(&segments->lock);
    while (segments->all[at] != segment)
        at++;
    memmove(segments->all + at, segments->all + at + 1,
            (segments->count - at - 1) * sizeof(struct tarn__segment *));
    segments->count--;
    pthread_mutex_unlock(&segments->lock);
}

/* granules is 0 where it has no place. */
static void free_segment(const struct tarn__os *os, struct tarn__granules *space,
                         struct tarn__segment *segment)
{
    tarn__granules_give(space, segment->first_granule, segment->granules);
    (void)tarn__file_unmap(os, segment->bytes, segment->size); /* or it stays mapped */
    tarn__file_close_after_reading(segment->file);
    tarn__free(segment);
}

bool tarn__segment_unpin(const struct tarn__os *os, struct tarn__granules *space,
                         struct tarn__segment *segment)
{
    if (atomic_fetch_sub(&segment->pins, 1) != TARN__SEGMENT_LET_GO + 1)
        return false;
    free_segment(os, space, segment);
    return true;
}

/* ------------------------------------------------------------------------------------------
 * Files
 */

/* As far as that can be done: the next opening tries again. */
static void remove_file(const struct tarn__segments *segments, const struct tarn__segment *segment)
{
    char name[NAME_ROOM];

    tarn__segment_name(segment->head.number, name);
    (void)tarn__file_unlink(segments->directory, name);
}

tarn_status tarn__segments_open_file(struct tarn__segments *segments, struct tarn__segment *segment)
{
    char name[NAME_ROOM];

    if (segment->file)
        return TARN_OK;
    tarn__segment_name(segment->head.number, name);
    return tarn__file_open(segments->directory, name,
                           segments->read_only ? TARN__OPEN_READ : TARN__OPEN_READ_WRITE,
                           &segment->file);
}

static tarn_status map(struct tarn__segments *segments, struct tarn__segment *segment)
{
    void *bytes = NULL;
    bool writable = !segments->read_only && !segment->sealed_bytes;
    tarn_status status = tarn__file_map(segment->file, 0, (size_t)segment->size, writable, &bytes);

    segment->bytes = bytes;
    if (!status && !writable)
        tarn__segment_at_random(segments->os, segment);
    return status;
}

static tarn_status write_new_file(struct tarn__segments *segments, struct tarn__segment *segment)
{
    uint8_t head[TARN__SEGMENT_HEAD];
    tarn_status status;

    tarn__segment_head_write(&segment->head, segment->identity, head);
    status = tarn__file_preallocate(segment->file, 0, segment->size);
    if (!status)
        status = tarn__file_write(segment->file, head, sizeof head, 0);
    if (!status && !TARN__PLANTED(TARN__PLANT_SEGMENT_NOT_SYNCED))
        status = tarn__file_sync(segment->file);
    if (!status && !TARN__PLANTED(TARN__PLANT_SEGMENT_NAME_NOT_SYNCED))
        status = tarn__directory_sync(segments->directory);
    return status ? status : map(segments, segment);
}

/* Whether the list may still be replaced. */
static tarn_status check_changeable(const struct tarn__segments *segments)
{
    if (segments->replaced)
        return tarn__outcome(TARN_READ_ONLY);
    if (!segments->list_unknown)
        return TARN_OK;
    return tarn__fail(TARN_OUTCOME_UNKNOWN,
                      "it is not known what the list in '%s' says since a change of it failed: "
                      "open the store anew",
                      tarn__directory_path(segments->directory));
}

/* Numbers are reserved before there are files of them. */
tarn_status tarn__segments_reserve(struct tarn__segments *segments)
{
    uint64_t reserved = segments->reserved_number;
    tarn_status status;

    if (segments->next_number < reserved || TARN__PLANTED(TARN__PLANT_SEGMENT_NOT_RESERVED))
        return TARN_OK;
    segments->reserved_number += NUMBERS_RESERVED;
    status = tarn__segments_write_list(segments);
    if (status)
        segments->reserved_number = reserved;
    return status;
}

static tarn_status take_number(struct tarn__segments *segments, uint64_t *number)
{
    tarn_status status = tarn__segments_reserve(segments);

    if (!status)
        *number = segments->next_number++;
    return status;
}

tarn_status tarn__segments_make(struct tarn__segments *segments, enum tarn__segment_origin origin,
                                uint64_t as_of, uint64_t base_sequence, uint64_t bytes,
                                struct tarn__segment **out)
{
    struct tarn__segment *segment = tarn__allocate_zeroed(sizeof *segment);
    char name[NAME_ROOM];
    tarn_status status;

    if (!segment)
        return TARN_NO_MEMORY;
    status = check_changeable(segments);
    if (status) {
        tarn__free(segment);
        return status;
    }
    segment->size = bytes;
    segment->used = TARN__SEGMENT_HEAD;
    segment->head = (struct tarn__segment_head){.namespace_number = segments->namespace_number,
                                                .origin = (uint8_t)origin,
                                                .as_of = as_of,
                                                .base_sequence = base_sequence};
    memcpy(segment->head.store, segments->store, sizeof segment->head.store);
    status = segments->os->random_bytes(segments->os, segment->identity, sizeof segment->identity);
    if (!status)
        status = take_number(segments, &segment->head.number);
    if (status) {
        tarn__free(segment);
        return status;
    }
    tarn__segment_name(segment->head.number, name);
    status = tarn__file_open(segments->directory, name, TARN__OPEN_CREATE, &segment->file);
    if (!status)
        status = write_new_file(segments, segment);
    if (!status)
        status = enter(segments, segment,
                       (uint32_t)((bytes + TARN__GRANULE_BYTES - 1) / TARN__GRANULE_BYTES),
                       TARN__ANY_GRANULE);
    if (status) {
        struct tarn_error error = *tarn_last_error();

        remove_file(segments, segment);
        free_segment(segments->os, segments->space, segment);
        tarn__restore_error(&error);
        return status;
    }
    *out = segment;
    return TARN_OK;
}

tarn_status tarn__segments_grow(struct tarn__segments *segments, struct tarn__segment *segment,
                                uint64_t bytes)
{
    uint8_t *before = segment->bytes;
    uint64_t size = segment->size;
    tarn_status status = tarn__file_preallocate(segment->file, size, bytes - size);

    if (status)
        return status;
    segment->size = bytes;
    status = map(segments, segment);
    if (!status)
        return tarn__file_unmap(segments->os, before, size);
    segment->size = size;
    segment->bytes = before;
    return status;
}

tarn_status tarn__segments_seal(struct tarn__segments *segments, struct tarn__segment *segment)
{
    uint8_t *before = segment->bytes;
    uint64_t size = segment->size;
    tarn_status status = tarn__file_truncate(segment->file, segment->used);

    if (!status && !TARN__PLANTED(TARN__PLANT_COMPACTED_NOT_SYNCED))
        status = tarn__file_sync(segment->file);
    if (status)
        return status;
    segment->size = segment->used;
    pthread_mutex_lock(&segments->lock);
    segment->sealed_bytes = segment->used;
    segment->synced = true;
    pthread_mutex_unlock(&segments->lock);
    status = map(segments, segment);
    if (status) {
        segment->size = size;
        segment->bytes = before;
        return status;
    }
    (void)tarn__file_unmap(segments->os, before, size); /* or it stays mapped */
    tarn__file_close_after_reading(segment->file);      /* all of it is synced */
    segment->file = NULL;
    return TARN_OK;
}

void tarn__segments_discard(struct tarn__segments *segments, struct tarn__segment *segment)
{
    struct tarn_error error = *tarn_last_error();

    remove_file(segments, segment);
    if (segments->let_go)
        atomic_fetch_add(segments->let_go, 1); /* before it can be found in the table no more */
    take_out(segments, segment);
    if (atomic_fetch_or(&segment->pins, TARN__SEGMENT_LET_GO) == 0) {
        if (segments->let_go)
            atomic_fetch_sub(segments->let_go, 1);
        free_segment(segments->os, segments->space, segment);
    }
    tarn__restore_error(&error);
}

tarn_status tarn__segments_pin_all(struct tarn__segments *segments, struct tarn__segment ***pinned,
                                   size_t *count)
{
    struct tarn__segment **all;

    pthread_mutex_lock(&segments->lock);
    all = tarn__allocate((segments->count + 1) * sizeof(struct tarn__segment *));
    for (size_t i = 0; i < segments->count && all; i++) {
        all[i] = segments->all[i];
        atomic_fetch_add(&all[i]->pins, 1);
    }
    *count = segments->count;
    pthread_mutex_unlock(&segments->lock);
    *pinned = all;
    return all ? TARN_OK : TARN_NO_MEMORY;
}

tarn_status tarn__segment_corrupt(const struct tarn__segments *segments,
                                  const struct tarn__segment *segment, uint64_t offset)
{
    char name[NAME_ROOM], path[PATH_ROOM];

    tarn__segment_name(segment->head.number, name);
    snprintf(path, sizeof path, "%s/%s", tarn__directory_path(segments->directory), name);
    return tarn__file_corrupt(path, offset, "a record is damaged");
}

/* ------------------------------------------------------------------------------------------
 * The list
 */

static tarn_status write_list(const struct tarn__segments *segments,
                              struct tarn__segment_list *list)
{
    uint8_t identity[TARN__IDENTITY_BYTES];
    struct tarn_buf bytes = {0};
    tarn_status status = segments->os->random_bytes(segments->os, identity, sizeof identity);

    if (!status)
        status = tarn__segment_list_encode(list, identity, &bytes);
    if (!status)
        status = tarn__file_replace_whole(segments->directory, LIST_NEW, LIST, &bytes);
    tarn_buf_release(&bytes);
    return status;
}

tarn_status tarn__segments_write_list(struct tarn__segments *segments)
{
    struct tarn__segment_list list = {.namespace_number = segments->namespace_number,
                                      .next_number = segments->reserved_number};
    tarn_status status;

    status = check_changeable(segments);
    if (status)
        return status;
    memcpy(list.store, segments->store, sizeof list.store);
    list.entries = tarn__allocate_zeroed((segments->count + 1) * sizeof *list.entries);
    if (!list.entries)
        return TARN_NO_MEMORY;
    pthread_mutex_lock(&segments->lock);
    for (size_t i = 0; i < segments->count; i++) {
        const struct tarn__segment *segment = segments->all[i];
        struct tarn__segment_entry *entry = &list.entries[list.count];

        if (!segment->listed && TARN__PLANTED(TARN__PLANT_FILES_GO_FIRST))
            remove_file(segments, segment);
        if (!segment->listed)
            continue;
        *entry = (struct tarn__segment_entry){.number = segment->head.number,
                                              .first_granule = segment->first_granule,
                                              .granules = segment->granules,
                                              .sealed_bytes = segment->sealed_bytes};
        memcpy(entry->identity, segment->identity, sizeof entry->identity);
        list.count++;
    }
    pthread_mutex_unlock(&segments->lock);
    status = write_list(segments, &list);
    segments->list_unknown = status == TARN_OUTCOME_UNKNOWN;
    tarn__segment_list_release(&list);
    return status;
}

tarn_status tarn__segments_create(struct tarn__directory *directory, const struct tarn__os *os,
                                  const uint8_t store[TARN__IDENTITY_BYTES],
                                  uint64_t namespace_number)
{
    struct tarn__segments segments = {.os = os,
                                      .directory = directory,
                                      .namespace_number = namespace_number,
                                      .reserved_number = 1 + NUMBERS_RESERVED};
    tarn_status status = make_locks(&segments);

    if (status)
        return status;
    memcpy(segments.store, store, sizeof segments.store);
    status = tarn__segments_write_list(&segments);
    free_locks(&segments);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Opening
 */

static tarn_status check_head(const struct tarn__segments *segments,
                              const struct tarn__segment *segment,
                              const struct tarn__segment_entry *entry)
{
    const char *path = tarn__file_path(segment->file);
    const struct tarn__segment_head *head = &segment->head;

    if (head->number != entry->number || head->namespace_number != segments->namespace_number ||
        memcmp(head->store, segments->store, sizeof head->store) != 0 ||
        memcmp(segment->identity, entry->identity, sizeof segment->identity) != 0)
        return tarn__file_corrupt(path, 0, "this is another segment than the list says");
    if (segment->size < entry->sealed_bytes)
        return tarn__file_corrupt(path, segment->size, "the segment's file was cut off");
    if (head->origin == TARN__SEGMENT_COMPACTED && !entry->sealed_bytes)
        return tarn__file_corrupt(path, 0, "a compacted segment is not sealed");
    if (segment->size > entry->granules * TARN__GRANULE_BYTES)
        return tarn__file_corrupt(path, entry->granules * TARN__GRANULE_BYTES,
                                  "the segment's file is longer than it can be");
    return TARN_OK;
}

/* Opens the file of a segment that the list names, and maps it. */
static tarn_status open_listed(struct tarn__segments *segments, struct tarn__segment *segment,
                               const struct tarn__segment_entry *entry)
{
    uint8_t head[TARN__SEGMENT_HEAD];
    size_t length = 0;
    tarn_status status = tarn__segments_open_file(segments, segment);

    if (tarn__failed_with(status, ENOENT))
        return tarn__fail(TARN_CORRUPT, "'%s/%" PRIu64 SUFFIX "' is missing",
                          tarn__directory_path(segments->directory), entry->number);
    if (!status)
        status = tarn__file_size(segment->file, &segment->size);
    if (!status)
        status = tarn__file_read_some(segment->file, head, sizeof head, 0, &length);
    if (!status)
        status = tarn__segment_head_read(head, length, tarn__file_path(segment->file),
                                         segment->identity, &segment->head);
    if (!status)
        status = check_head(segments, segment, entry);
    if (!status)
        status = map(segments, segment);
    if (!status && segment->sealed_bytes) {
        tarn__file_close_after_reading(segment->file);
        segment->file = NULL;
    }
    return status;
}

static tarn_status open_segment(struct tarn__segments *segments,
                                const struct tarn__segment_entry *entry)
{
    struct tarn__segment *segment = tarn__allocate_zeroed(sizeof *segment);
    tarn_status status;

    if (!segment)
        return TARN_NO_MEMORY;
    segment->head.number = entry->number;
    segment->sealed_bytes = entry->sealed_bytes;
    segment->synced = segment->sealed_bytes != TARN__SEGMENT_NOT_SEALED;
    segment->listed = true;
    status = open_listed(segments, segment, entry);
    if (!status)
        status = enter(segments, segment, entry->granules, entry->first_granule);
    if (status) {
        struct tarn_error error = *tarn_last_error();

        free_segment(segments->os, segments->space, segment);
        tarn__restore_error(&error);
    }
    return status;
}

static tarn_status check_list(const struct tarn__segments *segments,
                              const struct tarn__segment_list *list, const char *path)
{
    if (list->namespace_number != segments->namespace_number ||
        memcmp(list->store, segments->store, sizeof list->store) != 0)
        return tarn__file_corrupt(path, 0, "this is the list of another log");
    return tarn__leftovers_check(segments->directory, list);
}

static tarn_status read_list(const struct tarn__segments *segments, struct tarn__segment_list *list)
{
    struct tarn_buf bytes = {0};
    char path[PATH_ROOM];
    tarn_status status =
        tarn__file_read_whole(segments->directory, LIST, TARN__SEGMENT_LIST_BYTES_MAX, &bytes);

    snprintf(path, sizeof path, "%s/" LIST, tarn__directory_path(segments->directory));
    if (tarn__failed_with(status, ENOENT))
        status = tarn__fail(TARN_CORRUPT, "'%s' is missing", path);
    if (!status)
        status = tarn__segment_list_decode(bytes.data, bytes.length, path, list);
    tarn_buf_release(&bytes);
    if (status)
        return status;
    status = check_list(segments, list, path);
    if (status)
        tarn__segment_list_release(list);
    return status;
}

tarn_status tarn__segments_open(struct tarn__segments *segments, struct tarn__directory *directory,
                                const struct tarn__os *os, struct tarn__granules *space,
                                const uint8_t store[TARN__IDENTITY_BYTES],
                                uint64_t namespace_number, bool read_only)
{
    struct tarn__segment_list list;
    tarn_status status;

    *segments = (struct tarn__segments){.os = os,
                                        .space = space,
                                        .directory = directory,
                                        .namespace_number = namespace_number,
                                        .read_only = read_only};
    memcpy(segments->store, store, sizeof segments->store);
    status = read_list(segments, &list);
    if (status)
        return status;
    status = make_locks(segments);
    if (status) {
        tarn__segment_list_release(&list);
        return status;
    }
    segments->next_number = segments->reserved_number = list.next_number;
    for (size_t i = 0; i < list.count && !status; i++)
        status = open_segment(segments, &list.entries[i]);
    /* The list that is seen may not be durable, if the process before was killed; then the one that
     * is names files that are left over here, and nothing may rest on this one yet. */
    if (!status && !read_only && list.count && !TARN__PLANTED(TARN__PLANT_LIST_SEEN_BELIEVED))
        status = tarn__directory_sync(directory);
    if (!status && !read_only && !TARN__PLANTED(TARN__PLANT_LEFTOVERS_STAY))
        status = tarn__leftovers_remove(directory, &list);
    tarn__segment_list_release(&list);
    if (status) {
        struct tarn_error error = *tarn_last_error();

        tarn__segments_close(segments);
        tarn__restore_error(&error);
    }
    return status;
}

tarn_status tarn__segments_begin_anew(struct tarn__segments *fresh,
                                      const struct tarn__segments *before)
{
    *fresh = (struct tarn__segments){.os = before->os,
                                     .space = before->space,
                                     .directory = before->directory,
                                     .namespace_number = before->namespace_number,
                                     .next_number = before->next_number,
                                     .reserved_number = before->reserved_number};
    memcpy(fresh->store, before->store, sizeof fresh->store);
    fresh->let_go = before->let_go;
    return make_locks(fresh);
}

void tarn__segments_close(struct tarn__segments *segments)
{
    while (segments->count)
        free_segment(segments->os, segments->space, segments->all[--segments->count]);
    tarn__free(segments->all);
    free_locks(segments);
}
