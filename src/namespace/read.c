/*
 * Reading one key, without a lock.
 *
 * Everything happens in a section of the epoch, so that what the index leads to stays readable. A
 * section is short: values of more than 64 KiB are pinned and copied outside.
 */
#include "namespace/read.h"
#include "base/memory.h"
#include "base/status.h"

/* A reader met a writer. Leaves the section, lets the writer run, and enters again. */
static void wait_outside(tarn_namespace *ns, struct tarn__reading *reading, unsigned *looks)
{
    tarn__epoch_leave(reading->section);
    tarn__os_pause(ns->environment->os, (*looks)++);
    tarn__read_enter(ns, reading);
}

tarn_status tarn__read_find_waiting(tarn_namespace *ns, uint64_t hash,
                                    struct tarn__key_search *search, struct tarn__reading *reading,
                                    uint64_t *location)
{
    unsigned looks = 0;

    for (;;) {
        struct tarn__look look;
        struct tarn__index *index;
        enum tarn__found found;

        if (__builtin_expect(!tarn__namespace_usable(ns), 0))
            return tarn__namespace_not_open(ns);
        index = atomic_load_explicit(&ns->index, memory_order_acquire);
        found = tarn__index_look(index, hash, tarn__leads_to_key, search, &look, location);
        if (__builtin_expect(found == TARN__FOUND, 1))
            return TARN_OK;
        if (found == TARN__ABSENT)
            return search->damaged ? TARN_CORRUPT : tarn__outcome(TARN_KEY_NOT_FOUND);
        wait_outside(ns, reading, &looks);
    }
}

tarn_status tarn__read_copy_outside(tarn_namespace *ns, struct tarn__reading *reading,
                                    const struct tarn__record *record, uint64_t location,
                                    struct tarn_buf *value, size_t at)
{
    bool outside = tarn__copy_outside_begin(ns);
    tarn_status status;

    if (outside) {
        ns->engine->pin(ns->engine_state, location);
        tarn__epoch_leave(reading->section);
    }
    status = tarn__read_append(value, at, record->value);
    if (outside) {
        ns->engine->unpin(ns->engine_state, location);
        tarn__copy_outside_end(ns);
    } else {
        tarn__epoch_leave(reading->section);
    }
    return status;
}

static tarn_status check(tarn_namespace *ns, struct tarn_slice key)
{
    if (__builtin_expect(!ns, 0))
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");
    return tarn__check_key(key);
}

tarn_status tarn_get(tarn_namespace *ns, struct tarn_slice key, struct tarn_buf *value,
                     struct tarn_record_info *info)
{
    struct tarn__key_search search;
    struct tarn__reading reading;
    uint64_t location, hash;
    tarn_status status = check(ns, key);

    if (status)
        return status;
    search.ns = ns;
    search.key = key;
    search.damaged = false;
    hash = tarn__hash(key, ns->environment->seed);
    tarn__read_enter(ns, &reading);
    status = tarn__read_find(ns, hash, &search, &reading, &location);
    if (status || !value)
        tarn__epoch_leave(reading.section);
    else
        status = tarn__read_copy_and_leave(ns, &reading, &search.record, location, value, 0);
    if (status)
        return status;
    if (value)
        value->length = search.record.value.length;
    if (info)
        *info = search.record.info;
    return TARN_OK;
}

tarn_status tarn_exists(tarn_namespace *ns, struct tarn_slice key)
{
    return tarn_get(ns, key, NULL, NULL);
}

tarn_status tarn_get_pinned(tarn_namespace *ns, struct tarn_slice key, struct tarn_pin *pin)
{
    struct tarn__key_search search;
    struct tarn__reading reading;
    uint64_t location, hash;
    tarn_status status = check(ns, key);

    if (!status && !pin)
        status = tarn__fail(TARN_INVALID_ARGUMENT, "pin is NULL");
    if (status)
        return status;
    search.ns = ns;
    search.key = key;
    search.damaged = false;
    hash = tarn__hash(key, ns->environment->seed);
    for (;;) { /* pins wait outside while it is not decided whether the namespace ends */
        if (!tarn__namespace_wait_open(ns))
            return tarn__namespace_not_open(ns);
        tarn__read_enter(ns, &reading);
        status = tarn__read_find(ns, hash, &search, &reading, &location);
        /* after the search, which may have left the section and entered it again */
        if (status || atomic_load_explicit(&ns->state, memory_order_acquire) == TARN__OPEN)
            break;
        tarn__epoch_leave(reading.section);
    }
    if (!status)
        status = tarn__verify(ns, location);
    if (!status) {
        ns->engine->pin(ns->engine_state, location);
        pin->value = search.record.value;
        pin->info = search.record.info;
        pin->held[0] = ns;
        pin->held[1] = (void *)(uintptr_t)location;
    }
    tarn__epoch_leave(reading.section);
    return status;
}

void tarn_unpin(struct tarn_pin *pin)
{
    tarn_namespace *ns;

    if (!pin || !pin->held[0])
        return;
    ns = pin->held[0];
    if (!tarn__environment_is_here(ns->environment))
        return;
    ns->engine->unpin(ns->engine_state, (uintptr_t)pin->held[1]);
    memset(pin, 0, sizeof *pin);
}
