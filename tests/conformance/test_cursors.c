/*
 * Conformance: cursors. Every key that is there from beginning to end comes exactly once, whatever
 * happens meanwhile, and also when the walk is broken off and resumed at each of its steps.
 */
#include "conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often each numbered key was seen. */
struct tally {
    unsigned char *seen;
    uint64_t count;
    uint64_t others; /* keys that are not "key-N" with N below count */
};

static struct tally new_tally(uint64_t count)
{
    struct tally tally = {.seen = calloc(count, 1), .count = count};

    assert_non_null(tally.seen);
    return tally;
}

static void tally_key(struct tally *tally, struct tarn_slice key)
{
    char digits[NUMBERED_KEY_ROOM] = "";
    uint64_t number;

    if (key.length < 5 || key.length > 20 || memcmp(key.data, "key-", 4) != 0) {
        tally->others++;
        return;
    }
    memcpy(digits, (const char *)key.data + 4, key.length - 4);
    number = strtoull(digits, NULL, 10);
    if (number < tally->count)
        tally->seen[number]++;
    else
        tally->others++;
}

/* Expects each number from first in steps exactly once, and frees the tally. */
static void expect_once(struct tally *tally, uint64_t first, uint64_t step)
{
    for (uint64_t i = first; i < tally->count; i += step)
        if (tally->seen[i] != 1)
            fail_msg("key-%llu: expected exactly once, got %u times", (unsigned long long)i,
                     tally->seen[i]);
    free(tally->seen);
}

static void insert_numbered(tarn_namespace *ns, uint64_t first, uint64_t end)
{
    char room[NUMBERED_KEY_ROOM];

    for (uint64_t i = first; i < end; i++)
        expect_ok(tarn_insert(ns, numbered_key(room, i), numbered_key(room, i)));
}

static tarn_cursor *open_at(tarn_namespace *ns, const char *prefix, uint64_t position)
{
    struct tarn_cursor_options options = {.size = sizeof options, .position = position};
    tarn_cursor *cursor = NULL;

    if (prefix)
        options.prefix = text(prefix);
    expect_ok(tarn_cursor_open(ns, &options, &cursor));
    return cursor;
}

/* Takes at most so many steps; returns how many were taken. */
static uint64_t walk(tarn_cursor *cursor, struct tally *tally, uint64_t steps)
{
    struct tarn_slice key, value;

    for (uint64_t i = 0; i < steps; i++) {
        tarn_status status = tarn_cursor_next(cursor, &key, &value, NULL);

        if (status == TARN_CURSOR_END)
            return i;
        expect_status(TARN_OK, status);
        tally_key(tally, key);
    }
    return steps;
}

static void test_empty_namespace(void **state)
{
    struct fixture *f = *state;
    struct tarn_slice key = text("as left"), value = text("as left");
    struct tarn_record_info info = {.sequence = 99};
    tarn_cursor *cursor = NULL;

    expect_ok(tarn_cursor_open(f->ns, NULL, &cursor));
    for (unsigned i = 0; i < 3; i++)
        expect_status(TARN_CURSOR_END, tarn_cursor_next(cursor, &key, &value, &info));
    expect_bytes(text("as left"), key);
    expect_bytes(text("as left"), value);
    expect_number(99, info.sequence);
    expect_number(UINT64_MAX, tarn_cursor_position(cursor));
    tarn_cursor_close(cursor);
}

static void test_every_key_once(void **state)
{
    struct fixture *f = *state;
    uint64_t counts[] = {1, 2, 7, 8, 9, 100, 5000};

    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct tally tally = new_tally(counts[i]);
        tarn_cursor *cursor = NULL;

        expect_ok(tarn_namespace_clear(f->ns));
        insert_numbered(f->ns, 0, counts[i]);
        expect_ok(tarn_cursor_open(f->ns, NULL, &cursor));
        expect_number(counts[i], walk(cursor, &tally, UINT64_MAX));
        expect_number(UINT64_MAX, tarn_cursor_position(cursor));
        expect_status(TARN_CURSOR_END, tarn_cursor_next(cursor, NULL, NULL, NULL));
        tarn_cursor_close(cursor);
        expect_number(0, tally.others);
        expect_once(&tally, 0, 1);
    }
}

static void test_values_and_info(void **state)
{
    struct fixture *f = *state;
    struct tarn_slice key, value;
    struct tarn_record_info info, wanted;
    tarn_cursor *cursor = NULL;
    unsigned steps = 0;

    insert_numbered(f->ns, 0, 500);
    expect_ok(tarn_increment(f->ns, text("counter"), 1, NULL));
    expect_ok(tarn_set(f->ns, text("empty"), text(""), NULL, NULL));
    expect_ok(tarn_cursor_open(f->ns, NULL, &cursor));
    while (tarn_cursor_next(cursor, &key, &value, &info) == TARN_OK) {
        expect_ok(tarn_get(f->ns, key, &f->buf, &wanted));
        expect_bytes(held(&f->buf), value);
        expect_number(wanted.sequence, info.sequence);
        expect_number(wanted.content, info.content);
        steps++;
    }
    expect_number(502, steps);
    tarn_cursor_close(cursor);
}

static void test_outputs_may_be_null(void **state)
{
    struct fixture *f = *state;
    tarn_cursor *cursor = NULL;

    insert_numbered(f->ns, 0, 3);
    expect_ok(tarn_cursor_open(f->ns, NULL, &cursor));
    for (unsigned i = 0; i < 3; i++)
        expect_ok(tarn_cursor_next(cursor, NULL, NULL, NULL));
    expect_status(TARN_CURSOR_END, tarn_cursor_next(cursor, NULL, NULL, NULL));
    tarn_cursor_close(cursor);
}

static uint64_t count_prefix(tarn_namespace *ns, struct tarn_slice prefix)
{
    struct tarn_cursor_options options = {.size = sizeof options, .prefix = prefix};
    struct tarn_slice key;
    tarn_cursor *cursor = NULL;
    uint64_t count = 0;

    expect_ok(tarn_cursor_open(ns, &options, &cursor));
    while (tarn_cursor_next(cursor, &key, NULL, NULL) == TARN_OK) {
        expect_bytes(prefix, tarn_slice_of(key.data, prefix.length));
        count++;
    }
    tarn_cursor_close(cursor);
    return count;
}

static void test_prefix(void **state)
{
    struct fixture *f = *state;
    char prefix[3] = "key";
    struct tarn_cursor_options options = {.size = sizeof options, .prefix = {prefix, 3}};
    tarn_cursor *cursor = NULL;

    insert_numbered(f->ns, 0, 1000);
    expect_ok(tarn_insert(f->ns, text("k"), text("")));
    expect_ok(tarn_insert(f->ns, text("other"), text("")));
    expect_ok(tarn_insert(f->ns, tarn_slice_of("\0x", 2), text("")));
    expect_ok(tarn_insert(f->ns, tarn_slice_of("\0y", 2), text("")));
    expect_number(1004, count_prefix(f->ns, text("")));
    expect_number(1001, count_prefix(f->ns, text("k")));
    expect_number(111, count_prefix(f->ns, text("key-7")));
    expect_number(1, count_prefix(f->ns, text("key-777")));
    expect_number(0, count_prefix(f->ns, text("key-7777")));
    expect_number(2, count_prefix(f->ns, tarn_slice_of("\0", 1)));
    expect_number(1, count_prefix(f->ns, text("other")));
    expect_number(0, count_prefix(f->ns, text("others")));
    /* The prefix is copied. */
    expect_ok(tarn_cursor_open(f->ns, &options, &cursor));
    memset(prefix, 'x', sizeof prefix);
    for (unsigned i = 0; i < 1000; i++)
        expect_ok(tarn_cursor_next(cursor, NULL, NULL, NULL));
    expect_status(TARN_CURSOR_END, tarn_cursor_next(cursor, NULL, NULL, NULL));
    tarn_cursor_close(cursor);
}

/* Breaks the walk off after each number of steps, and goes on with another cursor. */
static void test_resume_after_each_step(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 700 };

    insert_numbered(f->ns, 0, COUNT);
    for (uint64_t stop = 0; stop <= COUNT; stop++) {
        struct tally tally = new_tally(COUNT);
        tarn_cursor *cursor = open_at(f->ns, NULL, 0);
        uint64_t position;

        expect_number(stop, walk(cursor, &tally, stop));
        position = tarn_cursor_position(cursor);
        tarn_cursor_close(cursor);
        cursor = open_at(f->ns, NULL, position);
        expect_number(COUNT - stop, walk(cursor, &tally, UINT64_MAX));
        tarn_cursor_close(cursor);
        expect_once(&tally, 0, 1);
    }
}

/* A new cursor for each single step. */
static void test_resume_at_every_step(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 3000 };
    static const char *const prefixes[] = {NULL, "key-1"};

    insert_numbered(f->ns, 0, COUNT);
    for (unsigned p = 0; p < 2; p++) {
        struct tally tally = new_tally(COUNT);
        uint64_t position = 0, steps = 0;

        while (position != UINT64_MAX && steps <= COUNT) {
            tarn_cursor *cursor = open_at(f->ns, prefixes[p], position);

            steps += walk(cursor, &tally, 1);
            position = tarn_cursor_position(cursor);
            tarn_cursor_close(cursor);
        }
        expect_number(UINT64_MAX, position);
        expect_number(p == 0 ? 3000 : 1111, steps);
        for (uint64_t i = 0; i < COUNT; i++)
            expect_that(tally.seen[i] <= 1);
        free(tally.seen);
    }
}

static void test_position_of_the_end(void **state)
{
    struct fixture *f = *state;
    tarn_cursor *cursor;

    insert_numbered(f->ns, 0, 10);
    cursor = open_at(f->ns, NULL, UINT64_MAX);
    expect_status(TARN_CURSOR_END, tarn_cursor_next(cursor, NULL, NULL, NULL));
    tarn_cursor_close(cursor);
}

/* 50,000 keys come while 1,000 are walked: the index grows many times under the cursor. */
static void test_growth_during_the_walk(void **state)
{
    struct fixture *f = *state;
    struct tally tally = new_tally(1000);
    tarn_cursor *cursor;
    uint64_t next = 1000;

    insert_numbered(f->ns, 0, 1000);
    cursor = open_at(f->ns, NULL, 0);
    while (walk(cursor, &tally, 1) == 1) {
        if (next < 51000) {
            insert_numbered(f->ns, next, next + 50);
            next += 50;
        }
    }
    expect_number(51000, next);
    tarn_cursor_close(cursor);
    expect_once(&tally, 0, 1);
}

/* The same with a new cursor at each step, so that positions of a small index are used in a large
 * one. */
static void test_growth_between_resumed_walks(void **state)
{
    struct fixture *f = *state;
    struct tally tally = new_tally(1000);
    uint64_t next = 1000, position = 0;

    insert_numbered(f->ns, 0, 1000);
    while (position != UINT64_MAX) {
        tarn_cursor *cursor = open_at(f->ns, NULL, position);

        walk(cursor, &tally, 1);
        position = tarn_cursor_position(cursor);
        tarn_cursor_close(cursor);
        if (next < 51000) {
            insert_numbered(f->ns, next, next + 50);
            next += 50;
        }
    }
    expect_once(&tally, 0, 1);
}

static void test_resize_during_the_walk(void **state)
{
    struct fixture *f = *state;
    static const uint32_t shards[] = {1, 4096, 3, 64, 2, 17, 1000, 16};
    struct tally tally = new_tally(3000);
    tarn_cursor *cursor;
    unsigned i = 0;

    insert_numbered(f->ns, 0, 3000);
    cursor = open_at(f->ns, NULL, 0);
    while (walk(cursor, &tally, 20) == 20)
        expect_ok(tarn_namespace_resize(f->ns, shards[i++ % 8]));
    tarn_cursor_close(cursor);
    expect_once(&tally, 0, 1);
}

/* Odd keys are deleted while the walk goes on: the even ones come once, the odd ones at most. */
static void test_deletes_and_overwrites_during_the_walk(void **state)
{
    struct fixture *f = *state;
    struct tally tally = new_tally(4000);
    char room[NUMBERED_KEY_ROOM];
    tarn_cursor *cursor;
    uint64_t odd = 1, even = 0;

    insert_numbered(f->ns, 0, 4000);
    cursor = open_at(f->ns, NULL, 0);
    while (walk(cursor, &tally, 1) == 1) {
        if (odd < 4000)
            expect_ok(tarn_delete(f->ns, numbered_key(room, odd)));
        odd += 2;
        /* A key that is overwritten is still there. */
        expect_ok(tarn_update(f->ns, numbered_key(room, even % 4000), text("other"), NULL));
        even += 14;
    }
    tarn_cursor_close(cursor);
    for (uint64_t i = 1; i < 4000; i += 2)
        expect_that(tally.seen[i] <= 1);
    expect_once(&tally, 0, 2);
}

static void test_clear_during_the_walk(void **state)
{
    struct fixture *f = *state;
    struct tally tally = new_tally(1000);
    tarn_cursor *cursor;

    insert_numbered(f->ns, 0, 1000);
    cursor = open_at(f->ns, NULL, 0);
    expect_number(10, walk(cursor, &tally, 10));
    expect_ok(tarn_namespace_clear(f->ns));
    /* The steps of a cursor may have been taken ahead, but not far. */
    expect_that(walk(cursor, &tally, UINT64_MAX) < 990);
    expect_status(TARN_CURSOR_END, tarn_cursor_next(cursor, NULL, NULL, NULL));
    tarn_cursor_close(cursor);
    free(tally.seen);
}

/* What a step handed out holds until the next one, whatever is written to the key. */
static void test_slices_hold_until_the_next_step(void **state)
{
    struct fixture *f = *state;
    char room[NUMBERED_KEY_ROOM];
    struct tarn_slice key, value;
    char copy[NUMBERED_KEY_ROOM];
    tarn_cursor *cursor;

    insert_numbered(f->ns, 0, 200);
    cursor = open_at(f->ns, NULL, 0);
    for (unsigned i = 0; i < 200; i++) {
        expect_ok(tarn_cursor_next(cursor, &key, &value, NULL));
        memcpy(copy, key.data, key.length);
        expect_ok(tarn_set(f->ns, tarn_slice_of(copy, key.length), text("changed"), NULL, NULL));
        expect_ok(tarn_delete(f->ns, tarn_slice_of(copy, key.length)));
        for (unsigned j = 0; j < 20; j++)
            expect_ok(tarn_set(f->ns, text("churn"), numbered_key(room, j), NULL, NULL));
        expect_ok(tarn_delete(f->ns, text("churn")));
        expect_bytes(tarn_slice_of(copy, key.length), key);
        expect_bytes(tarn_slice_of(copy, key.length), value);
    }
    expect_status(TARN_CURSOR_END, tarn_cursor_next(cursor, &key, &value, NULL));
    tarn_cursor_close(cursor);
}

static void test_many_cursors_at_once(void **state)
{
    struct fixture *f = *state;
    enum { CURSORS = 50 };
    struct tally tallies[CURSORS];
    tarn_cursor *cursors[CURSORS];

    insert_numbered(f->ns, 0, 300);
    for (unsigned i = 0; i < CURSORS; i++) {
        tallies[i] = new_tally(300);
        cursors[i] = open_at(f->ns, NULL, 0);
    }
    for (unsigned step = 0; step < 300; step++)
        for (unsigned i = 0; i < CURSORS; i++)
            expect_number(1, walk(cursors[i], &tallies[i], 1));
    for (unsigned i = 0; i < CURSORS; i++) {
        expect_number(0, walk(cursors[i], &tallies[i], 1));
        tarn_cursor_close(cursors[i]);
        expect_once(&tallies[i], 0, 1);
    }
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_empty_namespace),
    CONFORMANCE_TEST(test_every_key_once),
    CONFORMANCE_TEST(test_values_and_info),
    CONFORMANCE_TEST(test_outputs_may_be_null),
    CONFORMANCE_TEST(test_prefix),
    CONFORMANCE_TEST(test_resume_after_each_step),
    CONFORMANCE_TEST(test_resume_at_every_step),
    CONFORMANCE_TEST(test_position_of_the_end),
    CONFORMANCE_TEST(test_growth_during_the_walk),
    CONFORMANCE_TEST(test_growth_between_resumed_walks),
    CONFORMANCE_TEST(test_resize_during_the_walk),
    CONFORMANCE_TEST(test_deletes_and_overwrites_during_the_walk),
    CONFORMANCE_TEST(test_clear_during_the_walk),
    CONFORMANCE_TEST(test_slices_hold_until_the_next_step),
    CONFORMANCE_TEST(test_many_cursors_at_once),
};

CONFORMANCE_TOPIC(cursors, tests);
