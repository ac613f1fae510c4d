/*
 * The Nth allocation fails, and the Nth call of the operating system that a store in memory makes
 * (faults.md, 18 and 29): for N = 1, 2, 3 ... until a whole scenario runs through without a fault,
 * once with that one failure and once with all from then on.
 *
 * Each call of the library goes through CALL. It either succeeds, and the model beside learns of
 * it, or it returns TARN_NO_MEMORY (no random bytes: TARN_IO) because something was struck in it,
 * and then the namespaces still hold exactly what the model holds. At the end everything can be
 * closed, and all memory that was mapped is given back. (The address sanitizer looks for the rest.)
 */
#include "store/store.h"
#include "support/allocation_fault.h"
#include "support/fixture.h"
#include "support/os_fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SPACES = 3, KEYS = 700, VALUE_MAX = 300 * 1024, BATCH = 90 };

/* ------------------------------------------------------------------------------------------
 * The model: what each key of each namespace holds. 0: absent; otherwise which write made it
 */

struct model_key {
    uint32_t version;
    uint32_t length;
};

static struct model_key model[SPACES][KEYS];
static bool exists[SPACES]; /* the namespace is there and open */

static struct os_fault fault;
static tarn_store *store;
static tarn_namespace *spaces[SPACES];
static uint8_t bytes[VALUE_MAX + 4096]; /* any value is a piece of it that begins at its version */
static struct tarn_buf copy;            /* large from the beginning */
static struct tarn_buf old;             /* from nothing in each run */
static uint64_t struck;                 /* how many faults there were before the call */
static bool best_effort;                /* the call reads many keys: see test_fault_reports.c */
static bool looked;                     /* at what the first of lasting faults left */
static uint32_t version;
static _Atomic uint64_t mapped;

static uint64_t faults_so_far(void)
{
    return allocation_fault_fired() + os_fault_fired(&fault);
}

static struct tarn_slice value_of(struct model_key key)
{
    return tarn_slice_of(bytes + key.version % 4096, key.length);
}

static struct tarn_slice key_of(char room[NUMBERED_KEY_ROOM], size_t number)
{
    return numbered_key(room, number);
}

static void expect_no_claims_in(struct tarn__index *index, struct tarn__line *line)
{
    for (;;) {
        uint64_t slot = 0;

        for (unsigned i = 0; i < TARN__LINE_SLOTS; i++) {
            slot = atomic_load(&line->slots[i]);
            expect_that(slot != TARN__SLOT_CLAIMED);
        }
        if (!tarn__slot_is_link(slot))
            return;
        line = tarn__line_at(&index->overflow, tarn__link_line(slot));
    }
}

/* What a write claimed in the index and did not use was given back. */
static void expect_no_claims(size_t space)
{
    struct tarn__index *index = atomic_load(&spaces[space]->index);
    struct tarn__groups *groups = atomic_load(&index->groups);

    for (uint32_t group = 0; groups && group < 1u << groups->bits; group++)
        for (uint64_t i = 0; i < atomic_load(&groups->buckets[group]); i++)
            expect_no_claims_in(index, tarn__line_at(&index->buckets, i << groups->bits | group));
}

/* The namespace holds what the model holds, no more and no less. */
static void expect_model(size_t space)
{
    struct tarn_stats stats = {.size = sizeof stats};
    uint64_t keys = 0, total = 0;
    char room[NUMBERED_KEY_ROOM];

    for (size_t i = 0; i < KEYS; i++) {
        struct model_key key = model[space][i];
        struct tarn_slice name = key_of(room, i);
        tarn_status status = tarn_get(spaces[space], name, &copy, NULL);

        expect_status(key.version ? TARN_OK : TARN_KEY_NOT_FOUND, status);
        if (!key.version)
            continue;
        expect_bytes(value_of(key), held(&copy));
        keys++;
        total += name.length + key.length;
    }
    expect_no_claims(space);
    expect_ok(tarn_namespace_stats(spaces[space], &stats, NULL, 0));
    expect_number(keys, stats.keys);
    expect_number(total, stats.bytes);
    if (stats.options.max_keys) { /* what is set aside under limits is exact */
        expect_number(keys, atomic_load(&spaces[space]->keys));
        expect_number(total, atomic_load(&spaces[space]->bytes));
    }
}

static void expect_models(void)
{
    for (size_t space = 0; space < SPACES; space++)
        if (exists[space])
            expect_model(space);
}

/* ------------------------------------------------------------------------------------------
 * Calling
 */

static void begin_call(void)
{
    struck = faults_so_far();
    allocation_fault_resume();
}

static void end_call(void)
{
    allocation_fault_pause();
}

/* Whether the call did what it should; if it failed, looks at what is left. */
static bool succeeded(tarn_status wanted, tarn_status status, const char *what)
{
    if (status == wanted)
        return true;
    if (status != TARN_NO_MEMORY || faults_so_far() == struck)
        fail_msg("%s returned %s (%s)", what, tarn_status_name(status), tarn_last_error()->message);
    if (!best_effort)
        expect_status(TARN_NO_MEMORY, tarn_last_error()->status);
    if (!looked)
        expect_models();
    looked = true;
    return false;
}

#define CALL(wanted, call)                                                                         \
    (begin_call(), call_status = (call), end_call(), succeeded((wanted), call_status, #call))

static tarn_status call_status;

/* ------------------------------------------------------------------------------------------
 * The scenario, in pieces. Each goes on whatever happened before
 */

static void set_one(size_t space, size_t number, uint32_t length)
{
    struct model_key *key = &model[space][number];
    struct model_key new = {++version, length};
    char room[NUMBERED_KEY_ROOM];
    bool existed = false;

    old.length = 77;
    if (CALL(TARN_OK, tarn_set(spaces[space], key_of(room, number), value_of(new),
                               number % 3 ? &old : NULL, &existed))) {
        expect_number(key->version != 0, existed);
        if (number % 3)
            expect_bytes(key->version ? value_of(*key) : (struct tarn_slice){0}, held(&old));
        *key = new;
    } else {
        expect_number(77, old.length); /* untouched */
        expect_that(!existed);
    }
}

static void remove_one(size_t space, size_t number)
{
    struct model_key *key = &model[space][number];
    char room[NUMBERED_KEY_ROOM];

    if (CALL(key->version ? TARN_OK : TARN_KEY_NOT_FOUND,
             tarn_delete(spaces[space], key_of(room, number))))
        key->version = 0;
}

/* Values that grow, over keys that are there and keys that are not. */
static void set_many(size_t space)
{
    uint64_t random = 77 + space;

    for (uint32_t i = 0; i < 670; i++) {
        size_t number = random_below(&random, KEYS);
        uint32_t length = i < 600 ? i / 2 : (i - 600) * (i - 600) * 6;

        set_one(space, number, length);
        if (i % 5 == 0)
            remove_one(space, random_below(&random, KEYS));
    }
    set_one(space, 5, VALUE_MAX);
    set_one(space, 5, 3);
}

static tarn_batch *build_batch(uint32_t length)
{
    tarn_batch *batch = NULL;
    char room[NUMBERED_KEY_ROOM];

    if (!CALL(TARN_OK, tarn_batch_create(&batch)))
        return NULL;
    for (size_t i = 0; i < BATCH; i++) {
        struct model_key new = {version + 1 + (uint32_t)i, length + (uint32_t)i};

        while (!CALL(TARN_OK, i % 9 == 8 ? tarn_batch_consume(batch, key_of(room, i - 1))
                                         : tarn_batch_set(batch, key_of(room, i), value_of(new)))) {
            expect_number(i, tarn_batch_count(batch));
            if (faults_so_far() - struck != 1 || allocation_fault_fired() > 1) {
                tarn_batch_free(batch); /* faults that last */
                return NULL;
            }
        }
    }
    return batch;
}

static void apply_operation(size_t space, size_t i, uint32_t length)
{
    if (i % 9 == 8)
        model[space][i - 1].version = 0;
    else
        model[space][i] = (struct model_key){version + 1 + (uint32_t)i, length + (uint32_t)i};
}

static void commit_batch(size_t space, enum tarn_mode mode, uint32_t length)
{
    struct model_key before[KEYS];
    struct tarn_result results[BATCH];
    struct tarn_batch_summary summary = {0};
    struct tarn_buf values = {0};
    tarn_batch *batch = build_batch(length);
    bool done;

    if (!batch)
        return;
    memcpy(before, model[space], sizeof before);
    if (mode == TARN_ALL_OR_NOTHING) {
        done = CALL(TARN_OK, tarn_batch_commit(spaces[space], batch, mode,
                                               length % 2 ? NULL : results, &values, &summary));
        for (size_t i = 0; done && i < BATCH; i++)
            apply_operation(space, i, length);
        expect_number(done ? BATCH : 0, summary.processed);
    } else {
        begin_call();
        expect_ok(tarn_batch_commit(spaces[space], batch, mode, results, &values, &summary));
        end_call();
        for (size_t i = 0; i < BATCH; i++) {
            bool absent = i % 9 == 8 && !model[space][i - 1].version;

            if (results[i].status == TARN_OK)
                apply_operation(space, i, length);
            else if (results[i].status != TARN_NO_MEMORY || faults_so_far() == struck)
                expect_status(absent ? TARN_KEY_NOT_FOUND : TARN_OK, results[i].status);
        }
        expect_number(BATCH, summary.processed + summary.failed);
        if (faults_so_far() != struck && !looked)
            expect_models();
    }
    version += BATCH;
    tarn_batch_free(batch);
    tarn_buf_release(&values);
}

static void read_many(size_t space, enum tarn_mode mode)
{
    enum { COUNT = 100 };
    static char rooms[COUNT][NUMBERED_KEY_ROOM];
    struct tarn_slice keys[COUNT];
    struct tarn_result results[COUNT];
    struct tarn_buf values = {0};
    size_t there[COUNT], count = 0;
    bool done;

    best_effort = mode == TARN_BEST_EFFORT;
    for (size_t i = 0; i < KEYS && count < COUNT; i++) {
        if (mode == TARN_ALL_OR_NOTHING && !model[space][i].version)
            continue;
        keys[count] = key_of(rooms[count], i);
        there[count++] = i;
    }
    done = CALL(TARN_OK, tarn_get_many(spaces[space], mode, keys, count, results, &values));
    best_effort = false;
    for (size_t i = 0; i < count; i++) {
        struct model_key key = model[space][there[i]];

        if (!done && (mode == TARN_ALL_OR_NOTHING || results[i].status == TARN_NO_MEMORY))
            continue;
        expect_status(key.version ? TARN_OK : TARN_KEY_NOT_FOUND, results[i].status);
        if (key.version)
            expect_bytes(value_of(key), results[i].value);
    }
    tarn_buf_release(&values);
}

/* A step that fails may be made again: no key is left out or comes twice. */
static void walk(size_t space)
{
    bool seen[KEYS] = {false};
    tarn_cursor *cursor = NULL;
    struct tarn_slice key, value;
    size_t left = 0, tries = 0;
    char room[NUMBERED_KEY_ROOM + 1] = "";

    if (!CALL(TARN_OK, tarn_cursor_open(spaces[space], NULL, &cursor)))
        return;
    for (size_t number = 0; number < KEYS; number++)
        left += model[space][number].version != 0;
    while (left && tries < 10) {
        size_t number;

        if (!CALL(TARN_OK, tarn_cursor_next(cursor, &key, &value, NULL))) {
            tries++;
            continue;
        }
        memcpy(room, key.data, key.length);
        room[key.length] = '\0';
        assert_int_equal(1, sscanf(room, "key-%zu", &number));
        expect_that(number < KEYS && !seen[number]);
        expect_bytes(value_of(model[space][number]), value);
        seen[number] = true;
        left--;
    }
    if (!left)
        (void)CALL(TARN_CURSOR_END, tarn_cursor_next(cursor, NULL, NULL, NULL));
    tarn_cursor_close(cursor);
}

static void change_limits(size_t space)
{
    struct tarn_namespace_options options = {
        .size = sizeof options, .max_keys = 100000, .max_bytes = (uint64_t)1 << 40};
    struct tarn_stats stats = {.size = sizeof stats};

    if (!CALL(TARN_OK, tarn_namespace_configure(spaces[space],
                                                TARN_SET_MAX_KEYS | TARN_SET_MAX_BYTES, &options)))
        return;
    expect_ok(tarn_namespace_stats(spaces[space], &stats, NULL, 0));
    expect_number(100000, stats.options.max_keys);
}

static void resize(size_t space, uint32_t shards)
{
    struct tarn_stats stats = {.size = sizeof stats};
    uint32_t before;

    expect_ok(tarn_namespace_stats(spaces[space], &stats, NULL, 0));
    before = stats.shards;
    if (CALL(TARN_OK, tarn_namespace_resize(spaces[space], shards)))
        before = shards;
    expect_ok(tarn_namespace_stats(spaces[space], &stats, NULL, 0));
    expect_number(before, stats.shards);
}

static bool count_name(void *context, struct tarn_slice name)
{
    (void)name;
    ++*(size_t *)context;
    return true;
}

static void drop(size_t space)
{
    char name[2] = {(char)('a' + space), '\0'};

    if (CALL(TARN_OK, tarn_namespace_drop(store, text(name)))) {
        exists[space] = false;
        tarn_namespace_close(spaces[space]);
    }
}

static void create_spaces(void)
{
    for (size_t space = 0; space < SPACES; space++) {
        struct tarn_namespace_options options = {.size = sizeof options,
                                                 .shards = (uint32_t)(1 + 20 * space)};
        char name[2] = {(char)('a' + space), '\0'};
        size_t count = 0;

        exists[space] =
            CALL(TARN_OK, tarn_namespace_create(store, text(name), &options, &spaces[space]));
        expect_ok(tarn_namespace_count(store, &count));
        expect_number(0, count > space + 1);
    }
}

static void use_space(size_t space)
{
    set_many(space);
    commit_batch(space, TARN_ALL_OR_NOTHING, 100);
    commit_batch(space, TARN_BEST_EFFORT, 30);
    change_limits(space);
    commit_batch(space, TARN_ALL_OR_NOTHING, 301);
    set_one(space, 9, 1000);
    read_many(space, TARN_BEST_EFFORT);
    read_many(space, TARN_ALL_OR_NOTHING);
    walk(space);
    resize(space, 3);
    resize(space, 130);
    set_one(space, 10, 70000);
    expect_model(space);
}

static void use_store(void)
{
    size_t names = 0;

    create_spaces();
    for (size_t space = 0; space < SPACES; space++)
        if (exists[space])
            use_space(space);
    if (CALL(TARN_OK, tarn_namespace_list(store, count_name, &names)))
        expect_number((size_t)exists[0] + exists[1] + exists[2], names);
    if (exists[1] && CALL(TARN_OK, tarn_namespace_clear(spaces[1])))
        memset(model[1], 0, sizeof model[1]);
    if (exists[1])
        set_one(1, 1, 10);
    if (exists[2])
        drop(2);
    expect_models();
}

/* One run. Returns whether anything was struck. */
static bool run(void)
{
    memset(model, 0, sizeof model);
    memset(exists, 0, sizeof exists);
    version = 0;
    looked = false;
    tarn_buf_release(&old);
    store = NULL;
    begin_call();
    call_status = tarn__store_open(&fault.os, NULL, NULL, &store);
    end_call();
    if (call_status) {
        expect_that(faults_so_far() > 0 && !store);
        expect_status(call_status, tarn_last_error()->status);
        expect_that(call_status == TARN_NO_MEMORY ||
                    (call_status == TARN_IO && os_fault_fired(&fault)));
        expect_number(0, mapped);
        return true;
    }
    use_store();
    for (size_t space = 0; space < SPACES; space++)
        if (exists[space])
            tarn_namespace_close(spaces[space]);
    begin_call();
    expect_ok(tarn_close(store)); /* also where no memory is to be had */
    end_call();
    expect_number(0, mapped);
    return faults_so_far() > 0;
}

/* ------------------------------------------------------------------------------------------
 * An operating system that counts what is mapped
 */

static struct tarn__os counting;

static void *count_map(const struct tarn__os *os, size_t length, size_t alignment, bool huge)
{
    void *address = tarn__os_posix()->memory_map(os, length, alignment, false);

    (void)huge; /* small pages: a run uses little of a region */
    if (address)
        atomic_fetch_add(&mapped, length);
    return address;
}

static void count_unmap(const struct tarn__os *os, void *address, size_t length)
{
    atomic_fetch_sub(&mapped, address ? length : 0);
    tarn__os_posix()->memory_unmap(os, address, length);
}

static void leave_unpopulated(const struct tarn__os *os, void *address, size_t length)
{
    (void)os, (void)address, (void)length; /* it is allowed to do nothing */
}

static int set_up(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_next(&random);
    atomic_store(&mapped, 0);
    counting = *tarn__os_posix();
    counting.memory_map = count_map;
    counting.memory_unmap = count_unmap;
    counting.memory_populate = leave_unpopulated;
    os_fault_init(&fault, &counting);
    os_fault_arm(&fault, NULL);
    allocation_fault_arm(0, false);
    copy.data = test_malloc(VALUE_MAX);
    copy.capacity = VALUE_MAX;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    allocation_fault_arm(0, false);
    test_free(copy.data);
    tarn_buf_release(&old);
    memset(&copy, 0, sizeof copy);
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * Tests
 */

static void nothing_fails_without_a_fault(void **state)
{
    (void)state;
    expect_that(!run());
    expect_that(allocation_fault_seen() > 100);
    expect_that(os_fault_calls(&fault, OS_CALL_RANDOM_BYTES) == 1);
    expect_that(os_fault_calls(&fault, OS_CALL_MEMORY_MAP) > 3);
}

static void strike_each_allocation(bool lasting)
{
    uint64_t step = 1, nth = 1;

    do {
        allocation_fault_arm(nth, lasting);
        nth += step;
    } while (run());
    print_message("%llu allocations struck\n", (unsigned long long)nth - 2);
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    strike_each_allocation(false);
}

static void each_allocation_fails_and_all_after_it(void **state)
{
    (void)state;
    strike_each_allocation(true);
}

static void each_call_of_the_system_fails(void **state)
{
    struct os_fault_plan plan = {.effect = OS_FAULT_FAIL, .error = ENOMEM};

    (void)state;
    for (int lasting = 0; lasting < 2; lasting++) {
        plan.calls = OS_CALL_RANDOM_BYTES | OS_CALL_MEMORY_MAP;
        plan.lasting = lasting;
        plan.nth = 0;
        do {
            plan.nth++;
            os_fault_arm(&fault, &plan);
            allocation_fault_arm(0, false);
        } while (run());
        print_message("%llu calls struck\n", (unsigned long long)plan.nth - 1);
        os_fault_arm(&fault, NULL);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_fails_without_a_fault),
        TEST(each_allocation_fails_once),
        TEST(each_allocation_fails_and_all_after_it),
        TEST(each_call_of_the_system_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
