/*
 * Bounds and limits: each is checked before anything is changed, and its error says what it is.
 *
 * max_keys and max_bytes hold at every moment, over all shards: what a write will add is set aside
 * with a compare-and-swap before the write, and given back if it does not happen.
 */
#include "base/status.h"
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

static bool limited(tarn_namespace *ns, uint64_t *max_keys, uint64_t *max_bytes)
{
    *max_keys = atomic_load_explicit(&ns->max_keys, memory_order_relaxed);
    *max_bytes = atomic_load_explicit(&ns->max_bytes, memory_order_relaxed);
    return *max_keys || *max_bytes;
}

tarn_status tarn__limits_reserve(tarn_namespace *ns, uint64_t keys, uint64_t bytes)
{
    uint64_t max_keys, max_bytes;

    if (!limited(ns, &max_keys, &max_bytes))
        return TARN_OK;
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

void tarn__limits_return(tarn_namespace *ns, uint64_t keys, uint64_t bytes)
{
    uint64_t max_keys, max_bytes;

    if (!limited(ns, &max_keys, &max_bytes))
        return;
    atomic_fetch_sub_explicit(&ns->keys, keys, memory_order_relaxed);
    atomic_fetch_sub_explicit(&ns->bytes, bytes, memory_order_relaxed);
}

/* The length of the UTF-8 character at the beginning, or 0 if there is none: overlong forms,
 * surrogates and what is beyond U+10FFFF are not characters. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t character;
    size_t length;

    if (at[0] < 0x80)
        return 1;
    length = at[0] >= 0xf8 || at[0] < 0xc0 ? 0 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (length == 0 || length > left)
        return 0;
    character = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (at[i] & 0x3f);
    }
    if (character < smallest[length] || character > 0x10ffff ||
        (character >= 0xd800 && character < 0xe000))
        return 0;
    return length;
}

tarn_status tarn__check_name(struct tarn_slice name)
{
    const uint8_t *bytes = name.data;

    if (tarn__check_slice(name))
        return TARN_INVALID_ARGUMENT;
    if (name.length == 0 || name.length > TARN_NAME_BYTES_MAX)
        return tarn__fail(TARN_NAME_INVALID, "the name has %zu bytes, and a name 1 to %d",
                          name.length, TARN_NAME_BYTES_MAX);
    for (size_t i = 0, length; i < name.length; i += length) {
        length = utf8_length(bytes + i, name.length - i);
        if (length == 0)
            return tarn__fail(TARN_NAME_INVALID, "the name is not UTF-8 at byte %zu", i);
        /* C0, DEL, and C1 (U+0080 to U+009F) */
        if (bytes[i] < 0x20 || bytes[i] == 0x7f || (bytes[i] == 0xc2 && bytes[i + 1] < 0xa0))
            return tarn__fail(TARN_NAME_INVALID, "the name has a control character at byte %zu", i);
    }
    return TARN_OK;
}
