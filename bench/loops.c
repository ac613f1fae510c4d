/*
 * The loops that are timed: see loops.h.
 */
#include "loops.h"

#include <stdbool.h>
#include <stdlib.h>

#include "console.h"

enum { WHOLE_CHECK_PERIOD = 1024 };

static void fail_status(const struct loop *loop, const char *operation, uint64_t index,
                        enum peer_status status)
{
    console_fail("%s: %s of key %llu %s", loop->peer->name, operation, (unsigned long long)index,
                 status == PEER_ABSENT ? "did not find it"
                 : status == PEER_OK   ? "succeeded, but should not have"
                                       : "failed");
}

static inline void check_value(const struct loop *loop, size_t i, uint64_t index,
                               struct peer_bytes value)
{
    const bool good =
        i % WHOLE_CHECK_PERIOD == 0
            ? workload_value_is_whole(value.data, value.length, index, loop->value_bytes)
            : workload_value_is_of(value.data, value.length, index, loop->value_bytes);
    if (!good) {
        console_fail("%s: key %llu has a wrong value", loop->peer->name, (unsigned long long)index);
    }
}

static inline void get_one(const struct loop *loop, size_t i)
{
    const uint64_t index = loop->order[i];
    peer_key key;
    struct peer_bytes value = {NULL, 0};
    workload_key(index, key);
    const enum peer_status status = loop->peer->get(loop->session, key, &value);
    if (status != PEER_OK) {
        fail_status(loop, "get", index, status);
    }
    check_value(loop, i, index, value);
}

static inline void set_one(const struct loop *loop, size_t i, struct workload_value *value)
{
    const uint64_t index = loop->order[i];
    peer_key key;
    workload_key(index, key);
    workload_value_stamp(value, index, loop->version);
    const struct peer_bytes bytes = {value->bytes, value->length};
    const enum peer_status status = loop->peer->set(loop->session, key, bytes);
    if (status != PEER_OK) {
        fail_status(loop, "set", index, status);
    }
}

void loop_get(const struct loop *loop)
{
    for (size_t i = 0; i < loop->count; i++) {
        get_one(loop, i);
    }
}

/* Gets that find nothing, of the indexes from offset on. */
static inline void get_nothing(const struct loop *loop, uint64_t offset)
{
    for (size_t i = 0; i < loop->count; i++) {
        const uint64_t index = offset + loop->order[i];
        peer_key key;
        struct peer_bytes value = {NULL, 0};
        workload_key(index, key);
        const enum peer_status status = loop->peer->get(loop->session, key, &value);
        if (status != PEER_ABSENT) {
            fail_status(loop, "get", index, status);
        }
    }
}

void loop_get_miss(const struct loop *loop)
{
    get_nothing(loop, WORKLOAD_INDEX_ABSENT);
}

void loop_absent(const struct loop *loop)
{
    get_nothing(loop, 0);
}

static size_t group_count(const struct loop *loop, size_t begin)
{
    const size_t rest = loop->count - begin;
    return rest < PEER_GROUP_MAX ? rest : PEER_GROUP_MAX;
}

void loop_get_many(const struct loop *loop)
{
    peer_key keys[PEER_GROUP_MAX];
    struct peer_bytes values[PEER_GROUP_MAX];
    for (size_t begin = 0; begin < loop->count; begin += PEER_GROUP_MAX) {
        const size_t count = group_count(loop, begin);
        for (size_t i = 0; i < count; i++) {
            workload_key(loop->order[begin + i], keys[i]);
        }
        const enum peer_status status = loop->peer->get_many(loop->session, keys, count, values);
        if (status != PEER_OK) {
            fail_status(loop, "get_many from that", loop->order[begin], status);
        }
        for (size_t i = 0; i < count; i++) {
            check_value(loop, begin + i, loop->order[begin + i], values[i]);
        }
    }
}

void loop_set(const struct loop *loop)
{
    struct workload_value value;
    workload_value_init(&value, loop->value_bytes);
    for (size_t i = 0; i < loop->count; i++) {
        set_one(loop, i, &value);
    }
}

void loop_set_many(const struct loop *loop)
{
    peer_key keys[PEER_GROUP_MAX];
    struct workload_value *made = console_allocate(PEER_GROUP_MAX * sizeof *made);
    struct peer_bytes values[PEER_GROUP_MAX];
    for (size_t i = 0; i < PEER_GROUP_MAX; i++) {
        workload_value_init(&made[i], loop->value_bytes);
        values[i] = (struct peer_bytes){made[i].bytes, made[i].length};
    }
    for (size_t begin = 0; begin < loop->count; begin += PEER_GROUP_MAX) {
        const size_t count = group_count(loop, begin);
        for (size_t i = 0; i < count; i++) {
            const uint64_t index = loop->order[begin + i];
            workload_key(index, keys[i]);
            workload_value_stamp(&made[i], index, loop->version);
        }
        const enum peer_status status = loop->peer->set_many(loop->session, keys, values, count);
        if (status != PEER_OK) {
            fail_status(loop, "batch set from that", loop->order[begin], status);
        }
    }
    free(made);
}

void loop_delete(const struct loop *loop)
{
    for (size_t i = 0; i < loop->count; i++) {
        const uint64_t index = loop->order[i];
        peer_key key;
        workload_key(index, key);
        const enum peer_status status = loop->peer->remove(loop->session, key);
        if (status != PEER_OK) {
            fail_status(loop, "delete", index, status);
        }
    }
}

void loop_mixed(const struct loop *loop)
{
    enum { SET_PERIOD = 20 };
    struct workload_value value;
    workload_value_init(&value, loop->value_bytes);
    for (size_t i = 0; i < loop->count; i++) {
        if (i % SET_PERIOD == 0) {
            set_one(loop, i, &value);
        } else {
            get_one(loop, i);
        }
    }
}
