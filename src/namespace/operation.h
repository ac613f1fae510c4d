/*
 * Operations on one key: what each of them does with what is there. A single call and a batch
 * use the same: tarn__decide() is the whole meaning of every operation.
 */
#ifndef TARN_NAMESPACE_OPERATION_H
#define TARN_NAMESPACE_OPERATION_H

#include "namespace/namespace.h"
#include "namespace/wait.h"

enum tarn__operation_kind {
    TARN__SET,
    TARN__INSERT,
    TARN__UPDATE,
    TARN__REPLACE_IF,
    TARN__REPLACE_IF_SEQUENCE,
    TARN__GET,
    TARN__DELETE,
    TARN__CONSUME,
    TARN__INCREMENT,
};

struct tarn__operation {
    enum tarn__operation_kind kind;
    struct tarn_slice key;
    struct tarn_slice value;
    struct tarn_slice expected; /* TARN__REPLACE_IF */
    uint64_t sequence;          /* TARN__REPLACE_IF_SEQUENCE */
    int64_t delta;              /* TARN__INCREMENT */
};

enum tarn__action { TARN__KEEP, TARN__PUT, TARN__REMOVE };

struct tarn__decision {
    enum tarn__action action;
    struct tarn_slice value; /* of TARN__PUT; may point to counter */
    enum tarn_content content;
    int64_t sum;
    bool hands_back; /* the value that was there goes to the caller */
    uint8_t counter[8];
};

/* Where values are handed out: buf from byte at on. Without a buffer, nothing is. */
struct tarn__sink {
    struct tarn_buf *buf;
    size_t at;
};

/* Decides what becomes of the key that now holds present (NULL: absent). Fails where the operation
 * does; changes nothing. */
tarn_status tarn__decide(const struct tarn__operation *operation,
                         const struct tarn__record *present, struct tarn__decision *decision);

/*
 * Runs one operation and fills in its result, its value's data being the offset in the sink (see
 * tarn__result_settle()). hash is the key's. A tarn__wait_end() must follow where it succeeds.
 */
tarn_status tarn__operation_run(tarn_namespace *ns, const struct tarn__operation *operation,
                                uint64_t hash, struct tarn__sink *sink, struct tarn_result *result,
                                struct tarn__wait *wait);

/* Fills in what a result says of the record that was there. Its value points to where it lies. */
void tarn__result_fill(struct tarn_result *result, const struct tarn__record *present,
                       const struct tarn__decision *decision);

/* Copies a result's value into the sink, which has room for it; what stands in the result then is
 * the offset in the buffer. */
void tarn__result_copy(struct tarn_result *result, struct tarn__sink *sink);

/* Turns the offset into a pointer, once the sink's buffer stays where it is. */
void tarn__result_settle(struct tarn_result *result, const struct tarn_buf *buf);

/* Whether a write failed for lack of memory, so that what is retired may help. */
bool tarn__memory_is_short(tarn_status status);

/* Counts what was written to one key, in groups and in its shard, whose lock is held. */
static inline void tarn__count_writes(struct tarn__groups *groups, struct tarn__shard *shard,
                                      uint64_t hash, uint64_t writes, int keys, int64_t bytes)
{
    if (keys) {
        shard->growth.keys += (uint64_t)(int64_t)keys;
        groups->keys[tarn__group_of(groups, hash)] += (uint32_t)keys;
    }
    shard->bytes += bytes;
    shard->writes += writes;
}

/* A search for a key in the index of a namespace: context of tarn__leads_to_key(). */
struct tarn__key_search {
    tarn_namespace *ns;
    struct tarn_slice key;
    struct tarn__record record; /* the key's, once it was found */
    bool damaged; /* out: a record was met that may be the key's; the last error says where */
};

/* Whether two keys are the same. Those of 8 to 16 bytes, which most are, need no call. */
static inline bool tarn__keys_equal(struct tarn_slice a, struct tarn_slice b)
{
    uint64_t begin[2], end[2];

    if (a.length != b.length)
        return false;
    if (a.length - 8 > 8)
        return memcmp(a.data, b.data, a.length) == 0;
    memcpy(&begin[0], a.data, 8);
    memcpy(&begin[1], b.data, 8);
    memcpy(&end[0], (const char *)a.data + a.length - 8, 8);
    memcpy(&end[1], (const char *)b.data + a.length - 8, 8);
    return ((begin[0] ^ begin[1]) | (end[0] ^ end[1])) == 0;
}

/* Whether a record that was found is as it was written, before its value is handed out. */
static inline tarn_status tarn__verify(tarn_namespace *ns, uint64_t location)
{
    return ns->engine->verify ? ns->engine->verify(ns->engine_state, location) : TARN_OK;
}

/* A record that is not the key's: is it another key's, as is seldom the case, or damaged? */
static inline bool tarn__is_another_key(struct tarn__key_search *search, uint64_t location)
{
    if (tarn__verify(search->ns, location))
        search->damaged = true;
    return false;
}

static inline bool tarn__leads_to_key(void *context, uint64_t location)
{
    struct tarn__key_search *search = context;

    search->ns->engine->read(search->ns->engine_state, location, &search->record);
    return tarn__keys_equal(search->record.key, search->key) ||
           tarn__is_another_key(search, location);
}

#endif
