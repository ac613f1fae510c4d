/*
 * Bounds and limits: each is checked before anything is changed, and its error says what it is.
 *
 * max_keys and max_bytes hold at every moment, over all shards: what a write will add is set aside
 * with a compare-and-swap before the write, and given back if it does not happen.
 */
#include "base/status.h"
#include "format/name.h"
#include "namespace/namespace.h"

tarn_status tarn__check_slice(struct tarn_slice slice)
{
    if (!slice.data && slice.length)
        return tarn__fail(TARN_INVALID_ARGUMENT, "a slice of %zu bytes points to NULL",
                          slice.length);
    return TARN_OK;
}

tarn_status tarn__check_key(struct tarn_slice key)
{
    if (__builtin_expect(key.length - 1 < TARN_KEY_BYTES_MAX && key.data, 1))
        return TARN_OK;
    if (key.length == 0)
        return tarn__fail(TARN_KEY_INVALID, "the key is empty: a key has at least one byte");
    if (key.length > TARN_KEY_BYTES_MAX)
        return tarn__fail(TARN_KEY_TOO_LARGE, "the key has %zu bytes, and a key at most %zu",
                          key.length, TARN_KEY_BYTES_MAX);
    return tarn__check_slice(key);
}

tarn_status tarn__check_value_size(tarn_namespace *ns, size_t length)
{
    uint64_t most = atomic_load_explicit(&ns->max_value_size, memory_order_relaxed);

    if (length <= most)
        return TARN_OK;
    return tarn__fail(TARN_VALUE_TOO_LARGE,
                      "the value has %zu bytes, and in namespace \"%.*s\" at most %llu", length,
                      (int)ns->name_length, ns->name, (unsigned long long)most);
}

/* Adds to a count unless it would pass its limit (0: none). */
static bool add_within(_Atomic uint64_t *count, uint64_t more, uint64_t limit)
{
    uint64_t now = atomic_load_explicit(count, memory_order_relaxed);

    do {
        if (limit && more && (now > limit || more > limit - now))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(count, &now, now + more, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

tarn_status tarn__limits_reserve_limited(tarn_namespace *ns, uint64_t keys, uint64_t bytes)
{
    uint64_t max_keys = atomic_load_explicit(&ns->max_keys, memory_order_relaxed);
    uint64_t max_bytes = atomic_load_explicit(&ns->max_bytes, memory_order_relaxed);

    if (!add_within(&ns->keys, keys, max_keys))
        return tarn__fail(TARN_TOO_MANY_KEYS,
                          "namespace \"%.*s\" has its max_keys of %llu: delete some or raise it",
                          (int)ns->name_length, ns->name, (unsigned long long)max_keys);
    if (!add_within(&ns->bytes, bytes, max_bytes)) {
        atomic_fetch_sub_explicit(&ns->keys, keys, memory_order_relaxed);
        return tarn__fail(TARN_FULL,
                          "namespace \"%.*s\" has no room for %llu bytes more in its max_bytes of "
                          "%llu: delete some or raise it",
                          (int)ns->name_length, ns->name, (unsigned long long)bytes,
                          (unsigned long long)max_bytes);
    }
    return TARN_OK;
}

void tarn__limits_return_limited(tarn_namespace *ns, uint64_t keys, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&ns->keys, keys, memory_order_relaxed);
    atomic_fetch_sub_explicit(&ns->bytes, bytes, memory_order_relaxed);
}

tarn_status tarn__check_name(struct tarn_slice name)
{
    const char *fault;
    size_t at;

    if (tarn__check_slice(name))
        return TARN_INVALID_ARGUMENT;
    if (name.length == 0 || name.length > TARN_NAME_BYTES_MAX)
        return tarn__fail(TARN_NAME_INVALID, "the name has %zu bytes, and a name 1 to %d",
                          name.length, TARN_NAME_BYTES_MAX);
    fault = tarn__name_fault(name, &at);
    return fault ? tarn__fail(TARN_NAME_INVALID, "the name %s at byte %zu", fault, at) : TARN_OK;
}
