/*
 * The log of the log engine on the real system: what was written is there after each opening,
 * whether it was closed or the process was killed; segments come and go; files that were changed
 * are told as corruption, or as the place where a crash has cut where that is all that can be
 * known.
 */
#include "support/fixture.h"
#include "support/log_model.h"
#include "support/test_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct test {
    char path[100];
    struct log_model model;
    uint64_t random;
};

static int set_up(void **state)
{
    struct test *test = calloc(1, sizeof *test);

    if (!test || test_folder_make(test->path, sizeof test->path) != 0)
        return -1;
    test->model.os = tarn__os_posix();
    test->model.segment_bytes = 4096;
    test->random = 1;
    *state = test;
    return 0;
}

static int tear_down(void **state)
{
    struct test *test = *state;

    if (test->model.is_open)
        (void)log_model_close(&test->model, false);
    (void)test_folder_remove(test->path);
    free(test);
    return 0;
}

static void write_some(struct test *test, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        expect_ok(log_model_write(&test->model, &test->random, i % 37 == 36));
}

static void expect_right(struct test *test, unsigned least)
{
    struct log_model *model = &test->model;

    if (log_model_match(model, least) < 0 || !log_model_locations_are_right(model))
        fail_msg("%s", model->problem);
}

/* Opens the log again; all that was acknowledged must be there. */
static void reopen(struct test *test, bool with_end)
{
    unsigned acknowledged = test->model.acknowledged;

    expect_ok(log_model_close(&test->model, with_end));
    expect_ok(log_model_open(&test->model, test->path, false));
    expect_number(with_end, test->model.opening.clean);
    expect_right(test, acknowledged);
}

static void write_and_reopen(struct test *test, enum tarn_sync_mode mode, bool with_end)
{
    test->model.mode = mode;
    expect_ok(log_model_create(&test->model, test->path));
    reopen(test, with_end); /* nothing was written yet */
    for (unsigned i = 0; i < 12; i++) {
        write_some(test, (unsigned)random_below(&test->random, 25));
        if (i % 5 == 4)
            expect_ok(log_model_sync(&test->model));
        reopen(test, with_end);
    }
}

static void test_closed(void **state)
{
    write_and_reopen(*state, TARN_SYNC_NONE, true);
}

static void test_killed(void **state)
{
    write_and_reopen(*state, TARN_SYNC_NONE, false);
}

static void test_interval(void **state)
{
    write_and_reopen(*state, TARN_SYNC_INTERVAL, false);
}

static void test_always(void **state)
{
    write_and_reopen(*state, TARN_SYNC_ALWAYS, false);
}

/* Closed, killed, in any mode, in any order. */
static void test_any_order(void **state)
{
    struct test *test = *state;

    expect_ok(log_model_create(&test->model, test->path));
    for (unsigned i = 0; i < 30; i++) {
        test->model.mode = (enum tarn_sync_mode)random_below(&test->random, 3);
        tarn__log_set_mode(&test->model.log, test->model.mode, 1);
        write_some(test, (unsigned)random_below(&test->random, 12));
        reopen(test, random_below(&test->random, 2));
    }
}

/* A reader changes nothing, and finds the same. */
static void test_read_only(void **state)
{
    struct test *test = *state;
    unsigned acknowledged;

    expect_ok(log_model_create(&test->model, test->path));
    write_some(test, 60);
    acknowledged = test->model.acknowledged;
    expect_ok(log_model_close(&test->model, false));
    for (unsigned i = 0; i < 2; i++) {
        expect_ok(log_model_open(&test->model, test->path, true));
        expect_that(!test->model.opening.clean);
        expect_right(test, acknowledged);
        expect_ok(log_model_close(&test->model, false));
    }
    expect_ok(log_model_open(&test->model, test->path, false));
    expect_right(test, acknowledged);
}

/* ------------------------------------------------------------------------------------------
 * Changed files
 */

struct file {
    char path[200];
    uint8_t *bytes;
    size_t length;
};

static struct file file_of(const struct test *test, const struct tarn__segment *segment)
{
    struct file file;
    struct stat about;
    int handle;

    snprintf(file.path, sizeof file.path, "%s/%llu.segment", test->path,
             (unsigned long long)segment->head.number);
    handle = open(file.path, O_RDONLY);
    expect_that(handle >= 0 && fstat(handle, &about) == 0);
    file.length = (size_t)about.st_size;
    file.bytes = malloc(file.length);
    expect_number((ssize_t)file.length, pread(handle, file.bytes, file.length, 0));
    close(handle);
    return file;
}

static void put_back(const struct file *file, size_t length)
{
    int handle = open(file->path, O_WRONLY | O_TRUNC);

    expect_that(handle >= 0);
    expect_number((ssize_t)length, pwrite(handle, file->bytes, length, 0));
    close(handle);
}

/* A byte of what was durable is another one: it is told with its place. */
static void expect_corrupt(struct test *test, const char *path)
{
    expect_status(TARN_CORRUPT, log_model_open(&test->model, test->path, true));
    expect_that(strstr(tarn_last_error()->message, path) != NULL);
    expect_status(TARN_CORRUPT, log_model_open(&test->model, test->path, false));
}

static void flip_each(struct test *test, struct file *file, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += 1 + at % 3) {
        uint8_t bit = (uint8_t)(1u << at % 8);

        file->bytes[at] ^= bit;
        put_back(file, file->length);
        expect_corrupt(test, file->path);
        file->bytes[at] ^= bit;
    }
    put_back(file, file->length);
}

/* All of it was synced, so that a flip is nowhere taken for a cut; but in the end frame, where it
 * only looks as if the log had not been closed. */
static void test_every_byte_that_was_durable(void **state)
{
    struct test *test = *state;
    struct tarn__segments *segments = &test->model.log.segments;
    unsigned acknowledged;
    struct tarn__segment *first;
    struct file file;
    uint64_t used;

    test->model.mode = TARN_SYNC_ALWAYS;
    test->model.segment_bytes = 1024;
    expect_ok(log_model_create(&test->model, test->path));
    write_some(test, 30);
    acknowledged = test->model.acknowledged;
    pthread_mutex_lock(&segments->lock); /* another one may be being prepared */
    first = segments->all[0];
    expect_that(segments->count > 1);
    pthread_mutex_unlock(&segments->lock);
    used = first->used;
    file = file_of(test, first);
    expect_ok(log_model_close(&test->model, true));
    flip_each(test, &file, 0, 16 + 24 + 16 + 49);
    flip_each(test, &file, TARN__SEGMENT_HEAD, used);
    put_back(&file, used - 1);
    expect_corrupt(test, file.path);
    unlink(file.path);
    expect_corrupt(test, file.path);
    file.length = file.length > used ? file.length : used;
    close(open(file.path, O_CREAT | O_WRONLY, 0600));
    put_back(&file, file.length);
    free(file.bytes);
    expect_ok(log_model_open(&test->model, test->path, false));
    expect_right(test, acknowledged);
}

/* Nothing was synced: wherever it is cut, what comes before it is there, and the log goes on. */
static void test_cut_anywhere(void **state)
{
    struct test *test = *state;
    struct log_model before;
    struct file file;
    uint64_t used;

    test->model.segment_bytes = 65536;
    expect_ok(log_model_create(&test->model, test->path));
    for (unsigned i = 0; i < 25; i++)
        expect_ok(log_model_write(&test->model, &test->random, false));
    file = file_of(test, test->model.log.active);
    used = test->model.log.active->used;
    expect_ok(log_model_close(&test->model, false));
    before = test->model;
    for (uint64_t at = TARN__SEGMENT_HEAD; at < used; at += 7) {
        uint8_t *whole = malloc(file.length);

        memcpy(whole, file.bytes, file.length);
        memset(file.bytes + at, 0, used - at);
        put_back(&file, file.length);
        memcpy(file.bytes, whole, file.length);
        free(whole);
        test->model = before;
        expect_ok(log_model_open(&test->model, test->path, true));
        expect_right(test, 0);
        expect_ok(log_model_close(&test->model, false));
    }
    put_back(&file, file.length);
    free(file.bytes);
    test->model = before;
    expect_ok(log_model_open(&test->model, test->path, false));
    expect_right(test, 25);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_closed),
        TEST(test_killed),
        TEST(test_interval),
        TEST(test_always),
        TEST(test_any_order),
        TEST(test_read_only),
        TEST(test_every_byte_that_was_durable),
        TEST(test_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
