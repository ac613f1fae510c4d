/*
 * Statuses and each thread's last error, buffers, and the table of pointers that grows under its
 * readers.
 */
#include "base/memory.h"
#include "base/pointer_table.h"
#include "base/status.h"
#include "support/concurrency.h"
#include "support/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------
 * Statuses
 */

static void each_status_has_its_name_and_message(void **state)
{
    static const struct {
        tarn_status status;
        int number;
        const char *name, *message;
    } all[] = {
#define ENTRY(name, number, message) {name, number, #name, message},
        TARN_STATUS_LIST(ENTRY)
#undef ENTRY
    };
    size_t count = sizeof all / sizeof all[0];

    (void)state;
    for (size_t i = 0; i < count; i++) {
        expect_signed(all[i].number, all[i].status);
        assert_string_equal(all[i].name, tarn_status_name(all[i].status));
        assert_string_equal(all[i].message, tarn_status_message(all[i].status));
        expect_that(strlen(all[i].message) > 0);
        expect_that(all[i].message[strlen(all[i].message) - 1] != '.');
        for (size_t j = 0; j < i; j++) {
            expect_that(all[i].status != all[j].status);
            assert_string_not_equal(all[i].message, all[j].message);
        }
    }
    assert_string_equal("TARN_UNKNOWN_STATUS", tarn_status_name((tarn_status)1));
    assert_string_equal("TARN_UNKNOWN_STATUS", tarn_status_name((tarn_status)-9999));
    expect_that(strlen(tarn_status_message((tarn_status)-9999)) > 0);
}

static void outcomes_make_their_message_when_asked(void **state)
{
    const struct tarn_error *error = tarn_last_error(); /* stays where it is */

    (void)state;
    tarn__fail_system(TARN_IO, EIO, "a detail");
    expect_status(TARN_KEY_NOT_FOUND, tarn__outcome(TARN_KEY_NOT_FOUND));
    expect_status(TARN_KEY_NOT_FOUND, error->status);
    expect_signed(0, error->system_error);
    expect_number(0, error->offset);
    assert_string_equal("", error->message); /* nothing was formatted */
    assert_ptr_equal(error, tarn_last_error());
    assert_string_equal(tarn_status_message(TARN_KEY_NOT_FOUND), error->message);
}

static void failures_record_their_detail(void **state)
{
    char wanted[256], text_of_600[601];

    (void)state;
    expect_status(TARN_FULL, tarn__fail(TARN_FULL, "%d of %s", 7, "eight"));
    expect_status(TARN_FULL, tarn_last_error()->status);
    assert_string_equal("7 of eight", tarn_last_error()->message);

    expect_status(TARN_IO, tarn__fail_system(TARN_IO, ENOSPC, "writing %d", 3));
    expect_signed(ENOSPC, tarn_last_error()->system_error);
    snprintf(wanted, sizeof wanted, "writing 3: %s", strerrordesc_np(ENOSPC));
    assert_string_equal(wanted, tarn_last_error()->message);

    expect_status(TARN_BUSY, tarn__fail(TARN_BUSY, "again"));
    expect_signed(0, tarn_last_error()->system_error);

    /* What is longer is cut, and ends with a NUL. */
    memset(text_of_600, 'x', sizeof text_of_600 - 1);
    text_of_600[600] = '\0';
    tarn__fail(TARN_FULL, "%s", text_of_600);
    expect_number(255, strlen(tarn_last_error()->message));
    tarn__fail_system(TARN_IO, EIO, "%s", text_of_600);
    expect_number(255, strlen(tarn_last_error()->message));
}

static void *fail_in_another_thread(void *context)
{
    bool *fresh = context;

    *fresh = tarn_last_error()->status == TARN_OK &&
             strcmp(tarn_last_error()->message, tarn_status_message(TARN_OK)) == 0;
    tarn__fail(TARN_CORRUPT, "of the other thread");
    return NULL;
}

static void each_thread_has_its_last_error(void **state)
{
    pthread_t thread;
    bool fresh = false;

    (void)state;
    tarn__fail(TARN_BUSY, "of this thread");
    assert_int_equal(0, pthread_create(&thread, NULL, fail_in_another_thread, &fresh));
    assert_int_equal(0, pthread_join(thread, NULL));
    expect_that(fresh);
    expect_status(TARN_BUSY, tarn_last_error()->status);
    assert_string_equal("of this thread", tarn_last_error()->message);
}

/* ------------------------------------------------------------------------------------------
 * Buffers
 */

static void buffers_grow_and_keep_what_is_there(void **state)
{
    struct tarn_buf buf = {0};
    size_t growths = 0;

    (void)state;
    expect_ok(tarn__buf_reserve(&buf, 0));
    expect_number(0, buf.capacity);
    for (size_t i = 1; i <= 1000000; i++) {
        size_t before = buf.capacity;

        expect_ok(tarn__buf_reserve(&buf, i));
        if (buf.capacity < i)
            fail_msg("%zu bytes were wanted, %zu are there", i, buf.capacity);
        growths += buf.capacity != before;
        ((unsigned char *)buf.data)[i - 1] = (unsigned char)(i * 7);
    }
    expect_that(growths < 40); /* the cost of a byte does not grow with the buffer */
    for (size_t i = 1; i <= 1000000; i++)
        if (((unsigned char *)buf.data)[i - 1] != (unsigned char)(i * 7))
            fail_msg("byte %zu was lost", i - 1);
    expect_number(0, buf.length); /* the caller's business */
    tarn_buf_release(&buf);
    assert_null(buf.data);
    expect_number(0, buf.capacity);
    tarn_buf_release(&buf);
    tarn_buf_release(NULL);
}

/* No size may wrap round to a small one, nor be looked for for ever. */
static void buffers_refuse_what_nobody_has(void **state)
{
    static const size_t sizes[] = {
        SIZE_MAX,         SIZE_MAX - 1, SIZE_MAX - 63,         SIZE_MAX / 2 + 1,
        SIZE_MAX / 3 * 2, SIZE_MAX / 2, SIZE_MAX / 10 * 9 + 1, (size_t)1 << 62,
    };
    struct tarn_buf buf = {0};

    (void)state;
    alarm(3); /* a loop without end ends the test */
    expect_ok(tarn__buf_reserve(&buf, 100));
    memset(buf.data, 0x5a, 100);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct tarn_buf before = buf;

        expect_status(TARN_NO_MEMORY, tarn__buf_reserve(&buf, sizes[i]));
        expect_status(TARN_NO_MEMORY, tarn_last_error()->status);
        assert_memory_equal(&before, &buf, sizeof buf);
        expect_number(0x5a, ((unsigned char *)buf.data)[99]);
    }
    alarm(0);
    tarn_buf_release(&buf);
}

static void lines_are_aligned_and_zeroed(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes < 5000; bytes += 61) {
        unsigned char *line = tarn__allocate_lines(bytes);

        assert_non_null(line);
        expect_number(0, (uintptr_t)line % 64);
        for (size_t i = 0; i < bytes; i++)
            expect_number(0, line[i]);
        memset(line, 0xff, bytes);
        tarn__free(line);
    }
}

/* ------------------------------------------------------------------------------------------
 * The table of pointers
 */

static void tables_keep_every_pointer(void **state)
{
    struct tarn__pointer_table table = {NULL};
    size_t bytes;

    (void)state;
    expect_number(0, tarn__pointer_table_bytes(&table));
    for (size_t i = 0; i < 10000; i++) {
        expect_ok(tarn__pointer_table_set(&table, i, (void *)(i * 8 + 1)));
        expect_number(i / 2 * 8 + 1, (uintptr_t)tarn__pointer_table_get(&table, i / 2));
    }
    expect_ok(tarn__pointer_table_set(&table, 1000000, &table)); /* far ahead */
    for (size_t i = 0; i < 10000; i++)
        expect_number(i * 8 + 1, (uintptr_t)tarn__pointer_table_get(&table, i));
    assert_ptr_equal(&table, tarn__pointer_table_get(&table, 1000000));
    assert_null(tarn__pointer_table_get(&table, 999999));
    bytes = tarn__pointer_table_bytes(&table);
    /* What lies before is together as large as the newest. */
    expect_that(bytes > 1000000 * sizeof(void *) && bytes < 3 * 2097152 * sizeof(void *));
    expect_ok(tarn__pointer_table_set(&table, 5, NULL));
    assert_null(tarn__pointer_table_get(&table, 5));
    expect_number(bytes, tarn__pointer_table_bytes(&table));
    tarn__pointer_table_release(&table);
    expect_number(0, tarn__pointer_table_bytes(&table));
    expect_ok(tarn__pointer_table_set(&table, 3, &table)); /* it may be used again */
    tarn__pointer_table_release(&table);
}

struct growing_table {
    struct tarn__pointer_table table;
    _Atomic size_t count;
};

static void read_growing_table(struct worker *worker)
{
    struct growing_table *growing = worker->context;

    while (contest_goes_on(worker)) {
        size_t count = atomic_load_explicit(&growing->count, memory_order_acquire);
        size_t index = count ? random_below(&worker->random, count) : 0;

        if (!count)
            continue;
        if (worker->random & 1)
            index = count - 1;
        CONTEST_CHECK(worker,
                      (uintptr_t)tarn__pointer_table_get(&growing->table, index) == index + 1,
                      "pointer %zu of %zu is not what was set", index, count);
    }
}

static void tables_grow_under_their_readers(void **state)
{
    static struct growing_table growing;
    struct contest contest = {0};

    (void)state;
    for (int round = 0; round < 20; round++) {
        memset(&contest, 0, sizeof contest);
        memset(&growing, 0, sizeof growing);
        contest_add(&contest, 2, read_growing_table, &growing, (uint64_t)round);
        contest_begin(&contest);
        for (size_t i = 0; i < 20000 && !atomic_load(&contest.stop); i++) {
            expect_ok(tarn__pointer_table_set(&growing.table, i, (void *)(i + 1)));
            atomic_store_explicit(&growing.count, i + 1, memory_order_release);
        }
        contest_end(&contest);
        tarn__pointer_table_release(&growing.table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_its_name_and_message),
        cmocka_unit_test(outcomes_make_their_message_when_asked),
        cmocka_unit_test(failures_record_their_detail),
        cmocka_unit_test(each_thread_has_its_last_error),
        cmocka_unit_test(buffers_grow_and_keep_what_is_there),
        cmocka_unit_test(lines_are_aligned_and_zeroed),
        cmocka_unit_test(tables_keep_every_pointer),
        cmocka_unit_test(tables_grow_under_their_readers),
        cmocka_unit_test(buffers_refuse_what_nobody_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
