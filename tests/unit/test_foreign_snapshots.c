/*
 * Snapshots of another store with the highest sequences that a file can tell of: what is loaded
 * must not bring this store near the end of its own.
 */
#include "support/format_samples.h"
#include "support/store_folder.h"

#include <stdlib.h>

#define SEQUENCE_AT (TARN__FILE_HEADER_BYTES + TARN__BLOCK_HEADER_BYTES + 1 + TARN__IDENTITY_BYTES)
#define MOST        ((uint64_t)1 << (TARN__SEQUENCE_BITS - 1))

/* Saves this store, and puts in its folder what another store with that sequence would have saved.
 */
static void put_foreign(struct store_folder *f, const char *name, uint64_t sequence)
{
    struct file_builder foreign, made;
    struct tarn_buf own;

    expect_ok(tarn_snapshot_save(f->store, text("own"), NULL));
    own = file_read(path_of_snapshot(f, "own"));
    file_with_number(&made, tarn_slice_of(own.data, own.length), SEQUENCE_AT, 8, sequence);
    file_replaced(&foreign, tarn_slice_of(made.bytes, made.length),
                  SEQUENCE_AT - TARN__IDENTITY_BYTES, TARN__IDENTITY_BYTES, sample_identity,
                  TARN__IDENTITY_BYTES);
    file_write(path_of_snapshot(f, name), foreign.bytes, foreign.length);
    file_release(&foreign);
    file_release(&made);
    free(own.data);
}

static uint64_t sequence_of(struct store_folder *f, const char *key)
{
    struct tarn_record_info info;

    expect_ok(tarn_get(f->ns, text(key), &f->buf, &info));
    return info.sequence;
}

static void test_one_near_the_end_is_refused(void **state)
{
    struct store_folder *f = *state;

    expect_ok(tarn_set(f->ns, text("key"), text("before"), NULL, NULL));
    put_foreign(f, "foreign", MOST + 1);
    expect_ok(tarn_set(f->ns, text("key"), text("after"), NULL, NULL));
    expect_status(TARN_CORRUPT, tarn_snapshot_load(f->store, text("foreign")));
    expect_error_names(TARN_CORRUPT, "foreign.snapshot");
    expect_stored(f->ns, text("key"), text("after"));
    expect_that(sequence_of(f, "key") < 1000);
}

/* Half of all sequences are left, and what the store saves then is its own. */
static void test_the_highest_that_is_taken(void **state)
{
    struct store_folder *f = *state;

    expect_ok(tarn_set(f->ns, text("key"), text("saved"), NULL, NULL));
    put_foreign(f, "foreign", MOST);
    expect_ok(tarn_snapshot_load(f->store, text("foreign")));
    expect_ok(tarn_set(f->ns, text("later"), text("value"), NULL, NULL));
    expect_that(sequence_of(f, "later") > MOST);
    expect_ok(tarn_snapshot_save(f->store, text("after"), NULL));
    store_folder_reopen(f, NULL);
    expect_stored(f->ns, text("later"), text("value"));
    expect_ok(tarn_snapshot_load(f->store, text("after")));
    expect_stored(f->ns, text("key"), text("saved"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_FOLDER_TEST(test_one_near_the_end_is_refused),
        STORE_FOLDER_TEST(test_the_highest_that_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
