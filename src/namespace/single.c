/* The single writes of the public interface. */
#include "base/status.h"
#include "namespace/operation.h"

/* Checks the arguments and runs the operation; out receives the value that is handed back. */
static tarn_status run_and_wait(tarn_namespace *ns, const struct tarn__operation *operation,
                                struct tarn_buf *out, struct tarn_result *result,
                                struct tarn__wait *wait)
{
    struct tarn__sink sink = {.buf = out};
    tarn_status status;

    if (!ns)
        return tarn__fail(TARN_INVALID_ARGUMENT, "ns is NULL");
    status = tarn__check_key(operation->key);
    if (!status)
        status = tarn__check_slice(operation->value);
    if (!status)
        status = tarn__check_slice(operation->expected);
    if (!status)
        status = tarn__operation_run(
            ns, operation, tarn__hash(operation->key, ns->environment->seed), &sink, result, wait);
    if (!status)
        status = tarn__wait_end(ns, wait);
    if (!status && out)
        out->length = sink.at;
    return status;
}

static tarn_status run(tarn_namespace *ns, const struct tarn__operation *operation,
                       struct tarn_buf *out, struct tarn_result *result)
{
    struct tarn__wait wait = {0};

    return run_and_wait(ns, operation, out, result, &wait);
}

static tarn_status run_async(tarn_namespace *ns, const struct tarn__operation *operation,
                             tarn_done done, void *context, struct tarn_buf *out,
                             struct tarn_result *result)
{
    struct tarn__wait wait;
    tarn_status status = tarn__wait_later(ns, done, context, &wait);

    if (status)
        return status;
    status = run_and_wait(ns, operation, out, result, &wait);
    if (status)
        tarn__wait_cancel(&wait);
    return status;
}

tarn_status tarn_set(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice value,
                     struct tarn_buf *old, bool *existed)
{
    struct tarn__operation operation = {.kind = TARN__SET, .key = key, .value = value};
    struct tarn_result result;
    tarn_status status = run(ns, &operation, old, &result);

    if (!status && existed)
        *existed = result.existed;
    return status;
}

tarn_status tarn_insert(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice value)
{
    struct tarn__operation operation = {.kind = TARN__INSERT, .key = key, .value = value};
    struct tarn_result result;

    return run(ns, &operation, NULL, &result);
}

tarn_status tarn_update(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice value,
                        struct tarn_buf *old)
{
    struct tarn__operation operation = {.kind = TARN__UPDATE, .key = key, .value = value};
    struct tarn_result result;

    return run(ns, &operation, old, &result);
}

tarn_status tarn_replace_if(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice expected,
                            struct tarn_slice value)
{
    struct tarn__operation operation = {
        .kind = TARN__REPLACE_IF, .key = key, .value = value, .expected = expected};
    struct tarn_result result;

    return run(ns, &operation, NULL, &result);
}

tarn_status tarn_replace_if_sequence(tarn_namespace *ns, struct tarn_slice key, uint64_t sequence,
                                     struct tarn_slice value)
{
    struct tarn__operation operation = {
        .kind = TARN__REPLACE_IF_SEQUENCE, .key = key, .value = value, .sequence = sequence};
    struct tarn_result result;

    return run(ns, &operation, NULL, &result);
}

tarn_status tarn_delete(tarn_namespace *ns, struct tarn_slice key)
{
    struct tarn__operation operation = {.kind = TARN__DELETE, .key = key};
    struct tarn_result result;

    return run(ns, &operation, NULL, &result);
}

tarn_status tarn_consume(tarn_namespace *ns, struct tarn_slice key, struct tarn_buf *value)
{
    struct tarn__operation operation = {.kind = TARN__CONSUME, .key = key};
    struct tarn_result result;

    return run(ns, &operation, value, &result);
}

tarn_status tarn_increment(tarn_namespace *ns, struct tarn_slice key, int64_t delta, int64_t *sum)
{
    struct tarn__operation operation = {.kind = TARN__INCREMENT, .key = key, .delta = delta};
    struct tarn_result result;
    tarn_status status = run(ns, &operation, NULL, &result);

    if (!status && sum)
        *sum = result.sum;
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Asynchronous ones
 */

tarn_status tarn_set_async(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice value,
                           tarn_done done, void *context, struct tarn_buf *old, bool *existed)
{
    struct tarn__operation operation = {.kind = TARN__SET, .key = key, .value = value};
    struct tarn_result result;
    tarn_status status = run_async(ns, &operation, done, context, old, &result);

    if (!status && existed)
        *existed = result.existed;
    return status;
}

tarn_status tarn_delete_async(tarn_namespace *ns, struct tarn_slice key, tarn_done done,
                              void *context)
{
    struct tarn__operation operation = {.kind = TARN__DELETE, .key = key};
    struct tarn_result result;

    return run_async(ns, &operation, done, context, NULL, &result);
}
