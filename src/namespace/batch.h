/* A batch: operations with copies of their keys and values, built once, committed many times. */
#ifndef TARN_NAMESPACE_BATCH_H
#define TARN_NAMESPACE_BATCH_H

#include "namespace/operation.h"

struct tarn_batch {
    struct tarn__operation *operations;
    size_t count, capacity;
    size_t bytes;                            /* of all keys and values */
    struct tarn__batch_chunk *chunks, *open; /* the copies; those behind open are empty */
};

/*
 * Commits all or nothing. results (as many as operations, zeroed; NULL if there is no sink's buffer
 * either and nobody wants to know) and the sink receive what the
 * operations say. On failure, failed is the operation at fault, or the count of operations where it
 * is none of them (a lock, memory). A tarn__wait_end() must follow where it succeeds.
 */
tarn_status tarn__plan_commit(tarn_namespace *ns, const tarn_batch *batch,
                              struct tarn_result *results, struct tarn__sink *sink, size_t *failed,
                              struct tarn__wait *wait);

#endif
