/*
 * Cursors: a position in the order of the hashes with their bits reversed.
 *
 * In that order the hashes of one bucket are one interval, and splitting a bucket halves it; so a
 * position means the same however far the index has grown, and which shard a key belongs to does
 * not matter. A step takes the bucket that holds the position as it is at one moment, pins its
 * records, and hands them out by rising position; the next step begins behind the bucket. So each
 * key is seen once, whatever is split meanwhile.
 *
 * Two keys with the same 64-bit hash share a position. If a cursor's position is taken between
 * them, going on from there returns the first one again rather than losing the second.
 */
#include "base/memory.h"
#include "base/status.h"
#include "namespace/operation.h"

#include <stdlib.h>
#include <string.h>

struct item {
    uint64_t order; /* the reversed hash */
    uint64_t location;
    struct tarn__record record;
};

struct tarn_cursor {
    tarn_namespace *ns;
    struct tarn_buf prefix;
    uint64_t position; /* where the next step begins */
    bool finished;     /* there is no next step */
    struct tarn__bucket_view view;
    struct item *items; /* of this step, pinned from next on */
    size_t count, next, capacity;
    bool holding; /* item next - 1 is the one whose slices the caller has */
};

static bool wanted(const struct tarn_cursor *cursor, const struct item *item)
{
    return item->order >= cursor->position && item->record.key.length >= cursor->prefix.length &&
           memcmp(item->record.key.data, cursor->prefix.data, cursor->prefix.length) == 0;
}

static int by_order(const void *left, const void *right)
{
    const struct item *a = left, *b = right;

    return a->order < b->order ? -1 : a->order > b->order;
}

static tarn_status make_room(struct tarn_cursor *cursor, size_t count)
{
    struct item *items;

    if (count <= cursor->capacity)
        return TARN_OK;
    items = tarn__reallocate(cursor->items, 2 * count * sizeof *items);
    if (!items)
        return TARN_NO_MEMORY;
    cursor->items = items;
    cursor->capacity = 2 * count;
    return TARN_OK;
}

/* Pins what is wanted of a bucket. Inside the section in which it was viewed. */
static tarn_status take_items(struct tarn_cursor *cursor)
{
    tarn_namespace *ns = cursor->ns;
    tarn_status status = make_room(cursor, cursor->view.count);

    if (status)
        return status;
    cursor->count = cursor->next = 0;
    for (size_t i = 0; i < cursor->view.count; i++) {
        struct item *item = &cursor->items[cursor->count];

        item->location = cursor->view.locations[i];
        ns->engine->read(ns->engine_state, item->location, &item->record);
        status = tarn__verify(ns, item->location);
        if (status)
            break;
        item->order = tarn__reverse_bits(tarn__hash(item->record.key, ns->environment->seed));
        if (!wanted(cursor, item))
            continue;
        ns->engine->pin(ns->engine_state, item->location);
        cursor->count++;
    }
    if (status) {
        while (cursor->count)
            ns->engine->unpin(ns->engine_state, cursor->items[--cursor->count].location);
        return status;
    }
    if (cursor->count > 1)
        qsort(cursor->items, cursor->count, sizeof cursor->items[0], by_order);
    cursor->position = cursor->view.end;
    cursor->finished = cursor->view.last;
    return TARN_OK;
}

/* Goes on to the bucket that holds the position. The items before are all unpinned. */
static tarn_status step(struct tarn_cursor *cursor)
{
    tarn_namespace *ns = cursor->ns;

    for (unsigned looks = 0;; looks++) {
        struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
        struct tarn__index *index = atomic_load_explicit(&ns->index, memory_order_acquire);
        tarn_status status;
        enum tarn__found found = tarn__index_view(index, cursor->position, &cursor->view, &status);

        if (found == TARN__FOUND && !status)
            status = take_items(cursor);
        tarn__epoch_leave(section);
        if (found == TARN__ABSENT)
            cursor->finished = true;
        if (found != TARN__RETRY)
            return status;
        tarn__os_pause(ns->environment->os, looks);
    }
}

static void let_go(struct tarn_cursor *cursor)
{
    if (cursor->holding)
        cursor->ns->engine->unpin(cursor->ns->engine_state,
                                  cursor->items[cursor->next - 1].location);
    cursor->holding = false;
}

static tarn_status begin(struct tarn_cursor *cursor, const struct tarn_cursor_options *options)
{
    static const struct tarn_cursor_options defaults = {.size = sizeof defaults};
    tarn_status status;

    if (!options)
        options = &defaults;
    status = tarn__check_size(options->size, sizeof *options, "tarn_cursor_options");
    if (!status)
        status = tarn__check_slice(options->prefix);
    if (!status && options->prefix.length > TARN_KEY_BYTES_MAX)
        status = tarn__fail(TARN_KEY_TOO_LARGE, "the prefix has %zu bytes, and a key at most %zu",
                            options->prefix.length, TARN_KEY_BYTES_MAX);
    if (!status) /* one byte at least, so that there is something to compare with */
        status = tarn__buf_reserve(&cursor->prefix, options->prefix.length + 1);
    if (status)
        return status;
    if (options->prefix.length)
        memcpy(cursor->prefix.data, options->prefix.data, options->prefix.length);
    cursor->prefix.length = options->prefix.length;
    cursor->position = options->position;
    cursor->finished = options->position == UINT64_MAX;
    return TARN_OK;
}

/* Counts the cursor, unless the namespace ends. A cursor is opened outside while it is undecided.
 */
static tarn_status join(tarn_namespace *ns)
{
    for (;;) {
        struct tarn__section *section;
        bool open;

        if (!tarn__namespace_wait_open(ns))
            return tarn__namespace_not_open(ns);
        section = tarn__epoch_enter(&ns->environment->epoch);
        open = atomic_load_explicit(&ns->state, memory_order_acquire) == TARN__OPEN;
        if (open)
            atomic_fetch_add(&ns->cursors, 1);
        tarn__epoch_leave(section);
        if (open)
            return TARN_OK;
    }
}

tarn_status tarn_cursor_open(tarn_namespace *ns, const struct tarn_cursor_options *options,
                             tarn_cursor **out)
{
    tarn_cursor *cursor;
    tarn_status status;

    if (!ns || !out)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns or cursor is NULL");
    cursor = tarn__allocate_zeroed(sizeof *cursor);
    if (!cursor)
        return TARN_NO_MEMORY;
    cursor->ns = ns;
    status = begin(cursor, options);
    if (!status)
        status = join(ns);
    if (status) {
        tarn_buf_release(&cursor->prefix);
        tarn__free(cursor);
        return status;
    }
    *out = cursor;
    return TARN_OK;
}

tarn_status tarn_cursor_next(tarn_cursor *cursor, struct tarn_slice *key, struct tarn_slice *value,
                             struct tarn_record_info *info)
{
    const struct item *item;

    if (!cursor)
        return tarn__fail(TARN_INVALID_ARGUMENT, "cursor is NULL");
    if (!tarn__environment_is_here(cursor->ns->environment))
        return tarn__namespace_not_open(cursor->ns);
    let_go(cursor);
    while (cursor->next == cursor->count) {
        tarn_status status;

        if (cursor->finished)
            return tarn__outcome(TARN_CURSOR_END);
        cursor->next = cursor->count = 0;
        status = step(cursor);
        if (status)
            return status;
    }
    item = &cursor->items[cursor->next++];
    cursor->holding = true;
    if (key)
        *key = item->record.key;
    if (value)
        *value = item->record.value;
    if (info)
        *info = item->record.info;
    return TARN_OK;
}

uint64_t tarn_cursor_position(const tarn_cursor *cursor)
{
    if (!cursor)
        return UINT64_MAX;
    if (cursor->next < cursor->count) /* the rest of this step is still to come */
        return cursor->items[cursor->next].order;
    return cursor->finished ? UINT64_MAX : cursor->position;
}

void tarn_cursor_close(tarn_cursor *cursor)
{
    if (!cursor || !tarn__environment_is_here(cursor->ns->environment))
        return; /* in a forked child it is the parent's */
    let_go(cursor);
    for (; cursor->next < cursor->count; cursor->next++)
        cursor->ns->engine->unpin(cursor->ns->engine_state, cursor->items[cursor->next].location);
    atomic_fetch_sub(&cursor->ns->cursors, 1);
    tarn__free(cursor->items);
    tarn__free(cursor->view.locations);
    tarn_buf_release(&cursor->prefix);
    tarn__free(cursor);
}
