/*
 * The loops that are timed: so many operations on one store by one thread. Each checks the status
 * of every operation and the beginning and length of every value that it reads, and every byte of
 * one value in 1,024; the program gives up where one is wrong.
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#include "peer.h"

struct loop {
    const struct peer *peer;
    void *session;
    const uint32_t *order; /* the indexes of the keys, one for each operation */
    size_t count;
    size_t value_bytes;
    uint64_t version; /* written into values that are set */
};

typedef void loop_body(const struct loop *loop);

loop_body loop_get;      /* every key is there */
loop_body loop_get_miss; /* no key is there */
loop_body loop_get_many; /* in groups of PEER_GROUP_MAX */
loop_body loop_set;      /* also loads */
loop_body loop_set_many; /* in groups of PEER_GROUP_MAX, each all-or-nothing */
loop_body loop_delete;   /* every key is there */
loop_body loop_absent;   /* gets of keys that were deleted */
loop_body loop_mixed;    /* 95 % get, 5 % set, as loop_get and loop_set */

#endif
