/*
 * Checkpoints of namespaces in logs are caches: with one, without one, with a broken or an old one
 * an opening finds the same. (Numbers 1 to 4 and 8 of the list of faults.)
 */
#include "support/store_folder.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS 20000

/* Long enough for a checkpoint. */
static tarn_namespace *make_log(struct store_folder *f)
{
    return store_folder_create(f, "log",
                               NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG, .sync = TARN_SYNC_NONE,
                                                 .segment_bytes = UINT64_C(1) << 20,
                                                 .compact_percent = 100));
}

static void put_long_numbers(tarn_namespace *ns, unsigned from, unsigned to, unsigned round)
{
    char key[NUMBERED_KEY_ROOM], value[128];

    for (unsigned i = from; i < to; i++) {
        int length = snprintf(value, sizeof value, "value %u of round %u, %0100u", i, round, i);

        expect_ok(
            tarn_set(ns, numbered_key(key, i), tarn_slice_of(value, (size_t)length), NULL, NULL));
    }
}

/* The path of the checkpoint of the only log; NULL: it has none. */
static const char *checkpoint_of(struct store_folder *f, char path[STORE_FOLDER_PATH_ROOM])
{
    glob_t found;
    bool there = glob(path_of(f, "namespaces/*/checkpoint"), 0, NULL, &found) == 0;

    if (there)
        snprintf(path, STORE_FOLDER_PATH_ROOM, "%s", found.gl_pathv[0]);
    globfree(&found);
    return there ? path : NULL;
}

/* Opens the store, and compares the log with what it was; hands out its figures. */
static struct tarn_stats expect_reopened(struct store_folder *f, struct fixture_state before)
{
    struct tarn_stats stats;
    tarn_namespace *ns;

    store_folder_open(f, NULL);
    ns = store_folder_namespace(f, "log");
    expect_same_content(before, ns);
    stats = store_folder_stats(ns);
    tarn_namespace_close(ns);
    return stats;
}

/* Closes it, and returns the content that it had. */
static struct fixture_state close_log(struct store_folder *f, tarn_namespace *ns)
{
    struct fixture_state state = fixture_state_of(ns);

    tarn_namespace_close(ns);
    store_folder_close(f);
    return state;
}

static struct fixture_state fill(struct store_folder *f)
{
    tarn_namespace *ns = make_log(f);

    put_long_numbers(ns, 0, KEYS, 1);
    put_long_numbers(ns, 0, KEYS / 4, 2);
    remove_numbers(ns, KEYS / 2, KEYS / 2 + 1000);
    return close_log(f, ns);
}

static void test_the_same_with_and_without(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before = fill(f);
    char path[STORE_FOLDER_PATH_ROOM];
    struct tarn_stats with, without;
    tarn_namespace *ns;

    expect_that(checkpoint_of(f, path) != NULL);
    with = expect_reopened(f, before);
    store_folder_close(f);
    expect_that(unlink(path) == 0);
    without = expect_reopened(f, before);
    expect_number(without.stale_bytes, with.stale_bytes);
    expect_number(without.log_bytes, with.log_bytes);
    expect_number(without.sequence, with.sequence);
    expect_number(without.bytes, with.bytes);
    /* a short log needs none */
    ns = store_folder_namespace(f, "log");
    expect_ok(tarn_namespace_clear(ns));
    put_long_numbers(ns, 0, 100, 1);
    before = close_log(f, ns);
    expect_reopened(f, before);
    store_folder_close(f);
    expect_that(checkpoint_of(f, path) == NULL);
    store_folder_open(f, NULL);
}

/* What is written after it is replayed; it stays as it is until that is much. */
static void test_what_comes_after_it(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before = fill(f);
    char path[STORE_FOLDER_PATH_ROOM];
    uint64_t digest;

    expect_that(checkpoint_of(f, path) != NULL);
    digest = path_digest(path);
    for (unsigned round = 0; round < 6; round++) {
        tarn_namespace *ns;

        store_folder_open(f, NULL);
        ns = store_folder_namespace(f, "log");
        put_long_numbers(ns, round * 10, round * 30, 10 + round);
        remove_numbers(ns, 3000 + round * 10, 3010 + round * 10);
        if (round == 3)
            expect_ok(tarn_namespace_resize(ns, 5));
        before = close_log(f, ns);
        expect_number(digest, path_digest(path));
    }
    expect_reopened(f, before);
    store_folder_close(f);
    store_folder_open(f, NULL);
    {
        tarn_namespace *ns = store_folder_namespace(f, "log");

        put_long_numbers(ns, 0, KEYS, 3);
        before = close_log(f, ns);
    }
    expect_that(path_digest(path) != digest);
    expect_reopened(f, before);
}

/* A killed process leaves what is in its files while it runs. */
static void test_a_kill_after_it(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before = fill(f);
    char copy[sizeof f->path];
    tarn_namespace *ns;

    expect_reopened(f, before);
    ns = store_folder_namespace(f, "log");
    put_long_numbers(ns, 500, 9000, 7);
    remove_numbers(ns, 100, 200);
    before = fixture_state_of(ns);
    snprintf(copy, sizeof copy, "%s", path_around(f, "killed"));
    folder_copy(f->path, copy);
    tarn_namespace_close(ns);
    store_folder_close(f);
    snprintf(f->path, sizeof f->path, "%s", copy);
    expect_reopened(f, before);
}

static void test_broken_ones(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before = fill(f);
    uint64_t random = environment_number("TARN_SEED", 1);
    char path[STORE_FOLDER_PATH_ROOM];
    struct tarn_buf bytes;
    uint8_t *changed;

    expect_that(checkpoint_of(f, path) != NULL);
    bytes = file_read(path);
    changed = malloc(bytes.length);
    for (unsigned i = 0; i < 40; i++) {
        size_t length = bytes.length;

        memcpy(changed, bytes.data, length);
        if (i % 4 == 3)
            length = i < 8 ? i : (size_t)random_below(&random, length);
        else if (i < 20)
            changed[i % 2 ? random_below(&random, 2000) : random_below(&random, length)] ^=
                (uint8_t)(1 << random_below(&random, 8));
        else
            memset(changed + random_below(&random, length - 512), (int)(i % 2 ? 0 : 255), 512);
        file_write(path, changed, length);
        expect_reopened(f, before);
        store_folder_close(f); /* which writes it anew */
    }
    free(changed);
    free(bytes.data);
    expect_reopened(f, before);
}

/* One that was right before the log was compacted, cleared or written on. */
static void test_old_ones(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before = fill(f);
    char path[STORE_FOLDER_PATH_ROOM];
    struct tarn_buf old;
    tarn_namespace *ns;

    expect_that(checkpoint_of(f, path) != NULL);
    old = file_read(path);
    for (unsigned round = 0; round < 4; round++) {
        expect_reopened(f, before);
        ns = store_folder_namespace(f, "log");
        if (round == 1)
            expect_ok(tarn_compact(ns, NULL));
        if (round == 2)
            expect_ok(tarn_namespace_clear(ns));
        put_long_numbers(ns, 0, KEYS, 20 + round);
        if (round == 3)
            remove_numbers(ns, 0, KEYS);
        before = close_log(f, ns);
        file_write(path, old.data, old.length);
    }
    expect_reopened(f, before);
    free(old.data);
}

static void test_read_only(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before = fill(f);
    char path[STORE_FOLDER_PATH_ROOM];
    tarn_namespace *ns;
    uint64_t digest;

    expect_that(checkpoint_of(f, path) != NULL);
    for (unsigned round = 0; round < 2; round++) {
        digest = path_digest(f->path);
        store_folder_open(f, STORE_OPTIONS(.read_only = true));
        ns = store_folder_namespace(f, "log");
        expect_same_content(before, ns);
        tarn_namespace_close(ns);
        store_folder_close(f);
        expect_number(digest, path_digest(f->path));
        expect_that(truncate(path, 5000) == 0); /* a broken one stays, too */
    }
    store_folder_open(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_FOLDER_TEST(test_the_same_with_and_without),
        STORE_FOLDER_TEST(test_what_comes_after_it),
        STORE_FOLDER_TEST(test_a_kill_after_it),
        STORE_FOLDER_TEST(test_broken_ones),
        STORE_FOLDER_TEST(test_old_ones),
        STORE_FOLDER_TEST(test_read_only),
    };

    return cmocka_run_group_tests_name("checkpoints", tests, NULL, NULL);
}
