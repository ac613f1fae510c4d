/*
 * The search for a linearization: see linearizability.h.
 *
 * The events of a partition (invocations and returns, by time) are a doubly linked list. The search
 * walks it from the front: an invocation whose operation gives its recorded result in the present
 * state may come next, so its two events are taken out of the list and the walk begins again; a
 * return that is met is one of an operation that should have come before, so the last choice is
 * taken back. The list is empty when every operation has its place.
 *
 * What always holds in the search: the operations on the stack are those whose bit is set, their
 * events are not in the list, and the state is what they make of an empty map in that order.
 */
#include "support/linearizability.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* So many remembered states are searched for one partition before it is given up. */
enum { CACHE_ENTRIES_MAX = 8 << 20 };

struct key_state {
    int64_t value;
    uint32_t present;
    uint32_t counter; /* made by an increment */
};

struct map_state {
    struct key_state keys[HISTORY_KEYS_MAX];
};

/* ---- A partition: which keys belong together ---- */

struct partitions {
    unsigned parent[HISTORY_KEYS_MAX];
};

static unsigned root_of(const struct partitions *partitions, unsigned key)
{
    while (partitions->parent[key] != key)
        key = partitions->parent[key];
    return key;
}

static struct partitions join_keys(const struct history_operation *operations, size_t count)
{
    struct partitions partitions;

    for (unsigned key = 0; key < HISTORY_KEYS_MAX; key++)
        partitions.parent[key] = key;
    for (size_t i = 0; i < count; i++)
        for (unsigned step = 1; step < operations[i].step_count; step++)
            partitions.parent[root_of(&partitions, operations[i].steps[step].key)] =
                root_of(&partitions, operations[i].steps[0].key);
    return partitions;
}

/* ---- The plain map ---- */

/* Does what a step says to the state. result and existed receive what should come back. */
static tarn_status apply_step(struct map_state *state, const struct history_step *step,
                              int64_t *result, bool *existed)
{
    struct key_state *key = &state->keys[step->key];
    int64_t sum = step->argument;

    *existed = key->present;
    *result = key->value;
    if (step->action == HISTORY_INSERT && key->present)
        return TARN_KEY_EXISTS;
    if (!key->present && step->action != HISTORY_SET && step->action != HISTORY_INSERT &&
        step->action != HISTORY_INCREMENT)
        return TARN_KEY_NOT_FOUND;
    switch (step->action) {
    case HISTORY_GET:
        return TARN_OK;
    case HISTORY_DELETE:
    case HISTORY_CONSUME:
        memset(key, 0, sizeof *key);
        return TARN_OK;
    case HISTORY_INCREMENT:
        if (key->present && !key->counter)
            return TARN_NOT_A_COUNTER;
        if (key->present && __builtin_add_overflow(key->value, step->argument, &sum))
            return TARN_COUNTER_OVERFLOW;
        *key = (struct key_state){.value = sum, .present = 1, .counter = 1};
        *result = sum;
        return TARN_OK;
    case HISTORY_REPLACE_IF:
        /* A counter's bytes are never those of a value that the tests write. */
        if (key->counter || key->value != step->expected)
            return TARN_CONDITION_FAILED;
        break;
    default:
        break;
    }
    *key = (struct key_state){.value = step->argument, .present = 1};
    return TARN_OK;
}

static bool step_agrees(const struct history_step *step, tarn_status status, int64_t result,
                        bool existed)
{
    if (step->status != status)
        return false;
    if (step->tells_existed && step->existed != existed)
        return false;
    return status != TARN_OK || !step->has_result || step->result == result;
}

/* A get_many that found not every key tells only which of them are there. */
static bool missing_keys_agree(const struct map_state *state,
                               const struct history_operation *operation)
{
    bool missing = false;

    for (unsigned i = 0; i < operation->step_count; i++) {
        bool present = state->keys[operation->steps[i].key].present;

        if ((operation->steps[i].status == TARN_OK) != present)
            return false;
        missing |= !present;
    }
    return missing;
}

/* Whether the operation gives its recorded results in this state; then state is the one after. */
static bool apply(struct map_state *state, const struct history_operation *operation)
{
    struct map_state after = *state;

    if (operation->kind == HISTORY_GET_MANY && operation->status != TARN_OK)
        return missing_keys_agree(state, operation);
    for (unsigned i = 0; i < operation->step_count; i++) {
        const struct history_step *step = &operation->steps[i];
        int64_t result;
        bool existed;
        tarn_status status = apply_step(&after, step, &result, &existed);

        if (operation->kind == HISTORY_BATCH && operation->status != TARN_OK) {
            if (status != TARN_OK)
                return i == operation->failed_step && status == operation->status;
        } else if (!step_agrees(step, status, result, existed)) {
            return false;
        }
    }
    if (operation->kind == HISTORY_BATCH && operation->status != TARN_OK)
        return false;
    *state = after;
    return true;
}

/* ---- What was searched already ---- */

struct configuration {
    uint64_t done[HISTORY_OPERATIONS_MAX / 64];
    struct map_state state;
};

struct cache {
    struct configuration *entries;
    uint64_t *hashes; /* 0: free */
    size_t capacity;  /* a power of two */
    size_t count;
};

static uint64_t hash_of(const struct configuration *configuration)
{
    const uint64_t *words = (const uint64_t *)configuration;
    uint64_t hash = 1;

    for (size_t i = 0; i < sizeof *configuration / sizeof *words; i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 29;
    }
    return hash ? hash : 1;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory)
        abort();
    return memory;
}

static bool cache_insert(struct cache *cache, const struct configuration *configuration,
                         uint64_t hash)
{
    size_t i = hash & (cache->capacity - 1);

    while (cache->hashes[i]) {
        if (cache->hashes[i] == hash &&
            memcmp(&cache->entries[i], configuration, sizeof *configuration) == 0)
            return false;
        i = (i + 1) & (cache->capacity - 1);
    }
    cache->hashes[i] = hash;
    cache->entries[i] = *configuration;
    cache->count++;
    return true;
}

static void cache_grow(struct cache *cache)
{
    struct cache larger = {.capacity = cache->capacity ? 2 * cache->capacity : 1024};

    larger.entries = allocate(larger.capacity, sizeof *larger.entries);
    larger.hashes = allocate(larger.capacity, sizeof *larger.hashes);
    for (size_t i = 0; i < cache->capacity; i++)
        if (cache->hashes[i])
            (void)cache_insert(&larger, &cache->entries[i], cache->hashes[i]);
    free(cache->entries);
    free(cache->hashes);
    *cache = larger;
}

/* Remembers a configuration; false if it was there. */
static bool cache_add(struct cache *cache, const struct configuration *configuration)
{
    if (cache->count * 2 >= cache->capacity)
        cache_grow(cache);
    return cache_insert(cache, configuration, hash_of(configuration));
}

/* ---- The search ---- */

struct event {
    struct event *previous, *next;
    struct event *match; /* of an invocation: the return; of a return: NULL */
    const struct history_operation *operation;
    uint64_t time;
    unsigned index; /* of the operation in the partition */
};

struct choice {
    struct event *invocation;
    struct map_state before;
};

struct search {
    struct event head;
    struct event events[2 * HISTORY_OPERATIONS_MAX];
    struct event *sorted[2 * HISTORY_OPERATIONS_MAX];
    struct choice stack[HISTORY_OPERATIONS_MAX];
    unsigned depth;
    struct configuration present;
    struct cache cache;
};

/* At the same time invocations come first: the two operations are then taken as overlapping. */
static int by_time(const void *a, const void *b)
{
    const struct event *left = *(struct event *const *)a, *right = *(struct event *const *)b;

    if (left->time != right->time)
        return left->time < right->time ? -1 : 1;
    return (right->match != NULL) - (left->match != NULL);
}

static void lift(struct event *invocation)
{
    struct event *end = invocation->match;

    invocation->previous->next = invocation->next;
    invocation->next->previous = invocation->previous;
    end->previous->next = end->next;
    if (end->next)
        end->next->previous = end->previous;
}

static void put_back(struct event *invocation)
{
    struct event *end = invocation->match;

    end->previous->next = end;
    if (end->next)
        end->next->previous = end;
    invocation->previous->next = invocation;
    invocation->next->previous = invocation;
}

/* Makes the list of the partition's events; false if there are too many operations. */
static bool collect(struct search *search, const struct history_operation *operations, size_t count,
                    const struct partitions *partitions, unsigned root)
{
    struct event *last = &search->head;
    unsigned found = 0;

    for (size_t i = 0; i < count; i++) {
        struct event *pair = &search->events[2 * found];

        if (root_of(partitions, operations[i].steps[0].key) != root)
            continue;
        if (found == HISTORY_OPERATIONS_MAX)
            return false;
        pair[0] = (struct event){.match = &pair[1], .time = operations[i].invoked};
        pair[1] = (struct event){.time = operations[i].returned};
        pair[0].operation = pair[1].operation = &operations[i];
        pair[0].index = pair[1].index = found;
        search->sorted[2 * found] = &pair[0];
        search->sorted[2 * found + 1] = &pair[1];
        found++;
    }
    qsort(search->sorted, (size_t)2 * found, sizeof search->sorted[0], by_time);
    for (unsigned i = 0; i < 2 * found; i++) {
        last->next = search->sorted[i];
        search->sorted[i]->previous = last;
        last = search->sorted[i];
    }
    return true;
}

/* Puts the operation next in the order if its results and the cache allow it. */
static bool choose(struct search *search, struct event *invocation)
{
    struct configuration after = search->present;
    struct choice *choice = &search->stack[search->depth];

    if (!apply(&after.state, invocation->operation))
        return false;
    after.done[invocation->index / 64] |= (uint64_t)1 << (invocation->index % 64);
    if (!cache_add(&search->cache, &after))
        return false;
    choice->invocation = invocation;
    choice->before = search->present.state;
    search->depth++;
    search->present = after;
    lift(invocation);
    return true;
}

/* Takes the last choice back; returns the event after it. */
static struct event *take_back(struct search *search)
{
    struct choice *choice = &search->stack[--search->depth];
    unsigned index = choice->invocation->index;

    search->present.state = choice->before;
    search->present.done[index / 64] &= ~((uint64_t)1 << (index % 64));
    put_back(choice->invocation);
    return choice->invocation->next;
}

static enum history_verdict run(struct search *search)
{
    struct event *event = search->head.next;

    while (search->head.next) {
        if (search->cache.count > CACHE_ENTRIES_MAX)
            return HISTORY_TOO_HARD;
        if (event->match && choose(search, event))
            event = search->head.next;
        else if (event->match)
            event = event->next;
        else if (search->depth == 0)
            return HISTORY_NOT_LINEARIZABLE;
        else
            event = take_back(search);
    }
    return HISTORY_LINEARIZABLE;
}

enum history_verdict history_check(const struct history_operation *operations, size_t count,
                                   unsigned *partition)
{
    struct partitions partitions = join_keys(operations, count);
    enum history_verdict verdict = HISTORY_LINEARIZABLE;

    for (unsigned key = 0; key < HISTORY_KEYS_MAX && verdict == HISTORY_LINEARIZABLE; key++) {
        struct search *search;

        if (root_of(&partitions, key) != key)
            continue;
        search = allocate(1, sizeof *search);
        if (collect(search, operations, count, &partitions, key))
            verdict = run(search);
        else
            verdict = HISTORY_TOO_HARD;
        free(search->cache.entries);
        free(search->cache.hashes);
        free(search);
        if (verdict != HISTORY_LINEARIZABLE && partition)
            *partition = key;
    }
    return verdict;
}

/* ---- Printing ---- */

static const char *name_of(enum history_action action)
{
    static const char *const names[] = {"set", "insert", "update",  "replace_if",
                                        "get", "delete", "consume", "increment"};

    return names[action];
}

static void print_step(FILE *file, const struct history_step *step)
{
    fprintf(file, " %s(k%u", name_of(step->action), step->key);
    if (step->action == HISTORY_REPLACE_IF)
        fprintf(file, ", %" PRId64 " by %" PRId64, step->expected, step->argument);
    else if (step->action < HISTORY_GET || step->action == HISTORY_INCREMENT)
        fprintf(file, ", %" PRId64, step->argument);
    fprintf(file, ")=%s", step->status == TARN_OK ? "ok" : tarn_status_name(step->status));
    if (step->status == TARN_OK && step->tells_existed && !step->existed)
        fprintf(file, ":none");
    else if (step->status == TARN_OK && step->has_result)
        fprintf(file, ":%" PRId64, step->result);
}

static int by_invocation(const void *a, const void *b)
{
    const struct history_operation *left = *(struct history_operation *const *)a;
    const struct history_operation *right = *(struct history_operation *const *)b;

    return left->invoked < right->invoked ? -1 : left->invoked > right->invoked;
}

void history_print(FILE *file, const struct history_operation *operations, size_t count,
                   unsigned partition)
{
    static const char *const kinds[] = {"", " batch", " get_many"};
    struct partitions partitions = join_keys(operations, count);
    const struct history_operation **sorted = allocate(count + 1, sizeof *sorted);
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        if (root_of(&partitions, operations[i].steps[0].key) == root_of(&partitions, partition))
            sorted[found++] = &operations[i];
    qsort(sorted, found, sizeof *sorted, by_invocation);
    for (size_t i = 0; i < found; i++) {
        fprintf(file, "  %" PRIu64 "-%" PRIu64 " thread %u:%s", sorted[i]->invoked,
                sorted[i]->returned, sorted[i]->thread, kinds[sorted[i]->kind]);
        if (sorted[i]->kind != HISTORY_SINGLE)
            fprintf(file, "=%s", tarn_status_name(sorted[i]->status));
        if (sorted[i]->kind == HISTORY_BATCH && sorted[i]->status != TARN_OK)
            fprintf(file, " at step %u", sorted[i]->failed_step);
        for (unsigned step = 0; step < sorted[i]->step_count; step++)
            print_step(file, &sorted[i]->steps[step]);
        fprintf(file, "\n");
    }
    free(sorted);
}
