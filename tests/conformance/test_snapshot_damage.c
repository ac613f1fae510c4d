/*
 * Conformance: a snapshot whose bytes are not those that were written is refused, with the file's
 * name and a place in it, and the store's memory is as it was. (Numbers 1, 2, 3, 7 and 8 of the
 * list of faults, for snapshots.)
 */
#include "conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/store_folder.h"
#include "support/test_folder.h"

/* The test's snapshot, and the state of memory that no damaged one may change. */
struct sample {
    struct store_folder *f;
    struct tarn_buf bytes;
    struct fixture_state state;
    unsigned looks;
};

/* The snapshot is these bytes. Each is verified and loaded; what is there is looked at now and
 * then, and by the caller at the end. */
static void expect_damaged(struct sample *sample, const void *bytes, size_t length)
{
    struct store_folder *f = sample->f;
    tarn_status status;

    file_write(path_of_snapshot(f, "s"), bytes, length);
    status = tarn_snapshot_load(f->store, text("s"));
    if (status != TARN_UNSUPPORTED_VERSION)
        expect_status(TARN_CORRUPT, status);
    expect_error_names(status, "s.snapshot");
    expect_that(tarn_last_error()->offset <= length);
    expect_status(status, tarn_snapshot_verify(f->store, text("s")));
    expect_error_names(status, "s.snapshot");
    if (sample->looks++ % 100 == 0)
        expect_same_state(sample->state, f->ns);
}

static void begin(struct sample *sample, struct store_folder *f)
{
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    *sample = (struct sample){.f = f, .bytes = file_read(path_of_snapshot(f, "s"))};
    expect_ok(tarn_set(f->ns, text("only here"), text("not in the snapshot"), NULL, NULL));
    sample->state = fixture_state_of(f->ns);
}

/* Nothing changed, nothing is left over; and the snapshot as it was can be loaded. */
static void end(struct sample *sample)
{
    struct store_folder *f = sample->f;
    size_t before, after;

    expect_same_state(sample->state, f->ns);
    expect_ok(tarn_namespace_count(f->store, &before));
    file_write(path_of_snapshot(f, "s"), sample->bytes.data, sample->bytes.length);
    free(sample->bytes.data);
    expect_ok(tarn_snapshot_verify(f->store, text("s")));
    expect_ok(tarn_snapshot_load(f->store, text("s")));
    expect_absent(f->ns, text("only here"));
    expect_ok(tarn_namespace_count(f->store, &after));
    expect_number(before, after);
}

static void fill_small(struct store_folder *f)
{
    tarn_namespace *a = store_folder_create(f, "a", NULL);

    expect_ok(tarn_set(f->ns, text("key"), text("value"), NULL, NULL));
    expect_ok(tarn_set(f->ns, text("empty"), text(""), NULL, NULL));
    expect_ok(tarn_increment(a, text("counter"), -5, NULL));
    tarn_namespace_close(a);
}

/* Some tens of kilobytes, in many blocks. */
static void fill_more(struct store_folder *f)
{
    char name[NUMBERED_KEY_ROOM], room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < 12; i++) {
        tarn_namespace *ns = store_folder_create(f, (numbered_key(name, i), name), NULL);

        for (unsigned k = 0; k < 100; k++)
            expect_ok(
                tarn_set(ns, numbered_key(room, k), text("a value of some bytes"), NULL, NULL));
        tarn_namespace_close(ns);
    }
    expect_ok(tarn_set(f->ns, text("key"), text("value"), NULL, NULL));
}

static void test_every_bit_flipped(void **state)
{
    struct store_folder *f = *state;
    struct sample sample;
    unsigned char *bytes;

    fill_small(f);
    begin(&sample, f);
    bytes = sample.bytes.data;
    expect_that(sample.bytes.length < 1000);
    for (size_t bit = 0; bit < 8 * sample.bytes.length; bit++) {
        bytes[bit / 8] ^= 1u << bit % 8;
        expect_damaged(&sample, bytes, sample.bytes.length);
        bytes[bit / 8] ^= 1u << bit % 8;
    }
    end(&sample);
}

static void test_cut_off_at_every_byte(void **state)
{
    struct store_folder *f = *state;
    struct sample sample;

    fill_small(f);
    begin(&sample, f);
    for (size_t length = 0; length < sample.bytes.length; length++)
        expect_damaged(&sample, sample.bytes.data, length);
    end(&sample);
}

static void test_a_larger_one_cut_off_or_flipped(void **state)
{
    struct store_folder *f = *state;
    struct sample sample;
    unsigned char *bytes;

    fill_more(f);
    begin(&sample, f);
    bytes = sample.bytes.data;
    for (size_t length = 0; length < sample.bytes.length; length += 97)
        expect_damaged(&sample, bytes, length);
    for (size_t at = 0; at < sample.bytes.length; at += 89) {
        bytes[at] ^= 1u << at % 8;
        expect_damaged(&sample, bytes, sample.bytes.length);
        bytes[at] ^= 1u << at % 8;
    }
    end(&sample);
}

static void test_stretches_replaced(void **state)
{
    struct store_folder *f = *state;
    struct sample sample;
    unsigned char *bytes, *changed;
    unsigned char *garbage = patterned_bytes(4096, 3);

    fill_more(f);
    begin(&sample, f);
    bytes = sample.bytes.data;
    changed = malloc(sample.bytes.length);
    for (size_t at = 0; at + 512 <= sample.bytes.length; at += 512) {
        memcpy(changed, bytes, sample.bytes.length);
        memset(changed + at, 0, 512);
        expect_damaged(&sample, changed, sample.bytes.length);
        memset(changed + at, 0xff, 512);
        expect_damaged(&sample, changed, sample.bytes.length);
        memcpy(changed + at, garbage, 512);
        expect_damaged(&sample, changed, sample.bytes.length);
        memcpy(changed + at, bytes + (at + 512) % (sample.bytes.length - 512), 512);
        expect_damaged(&sample, changed, sample.bytes.length);
    }
    free(changed);
    free(garbage);
    end(&sample);
}

static void test_trailing_bytes(void **state)
{
    struct store_folder *f = *state;
    struct sample sample;
    unsigned char *longer;

    fill_small(f);
    begin(&sample, f);
    longer = calloc(3, sample.bytes.length + 5000);
    memcpy(longer, sample.bytes.data, sample.bytes.length);
    for (size_t more = 1; more <= 8192; more *= 2)
        expect_damaged(&sample, longer, sample.bytes.length + more);
    memcpy(longer + sample.bytes.length, sample.bytes.data, sample.bytes.length);
    expect_damaged(&sample, longer, 2 * sample.bytes.length);
    free(longer);
    end(&sample);
}

/* ------------------------------------------------------------------------------------------
 * Blocks: as docs/format-files.md says, a header of 40 bytes, then blocks, each with a header of 16
 * bytes that begins with the length of its content.
 */

enum { FILE_HEADER = 40, BLOCK_HEADER = 16, BLOCKS_MAX = 64 };

static unsigned find_blocks(const struct tarn_buf *bytes, size_t begins[BLOCKS_MAX + 1])
{
    const unsigned char *at = bytes->data;
    size_t offset = FILE_HEADER;
    unsigned count = 0;

    while (offset + BLOCK_HEADER <= bytes->length && count < BLOCKS_MAX) {
        const unsigned char *length = at + offset;

        begins[count++] = offset;
        offset += BLOCK_HEADER + (length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16 |
                                  (size_t)length[3] << 24);
    }
    begins[count] = offset;
    expect_number(bytes->length, offset);
    return count;
}

static unsigned char *append(unsigned char *to, const struct sample *sample, size_t from,
                             size_t end)
{
    memcpy(to, (unsigned char *)sample->bytes.data + from, end - from);
    return to + (end - from);
}

static void test_blocks_swapped_missing_or_twice(void **state)
{
    struct store_folder *f = *state;
    size_t begins[BLOCKS_MAX + 1];
    struct sample sample;
    unsigned char *changed, *next;
    unsigned count;

    fill_more(f);
    begin(&sample, f);
    count = find_blocks(&sample.bytes, begins);
    expect_number(1 + 13 * 3 + 1, count);
    changed = malloc(2 * sample.bytes.length);
    for (unsigned i = 0; i < count; i++) {
        next = append(changed, &sample, 0, begins[i]);
        next = append(next, &sample, begins[i + 1], begins[count]);
        expect_damaged(&sample, changed, (size_t)(next - changed));
        next = append(changed, &sample, 0, begins[i + 1]);
        next = append(next, &sample, begins[i], begins[count]);
        expect_damaged(&sample, changed, (size_t)(next - changed));
        for (unsigned k = i + 1; k < count; k += 5) {
            next = append(changed, &sample, 0, begins[i]);
            next = append(next, &sample, begins[k], begins[k + 1]);
            next = append(next, &sample, begins[i + 1], begins[k]);
            next = append(next, &sample, begins[i], begins[i + 1]);
            next = append(next, &sample, begins[k + 1], begins[count]);
            expect_damaged(&sample, changed, (size_t)(next - changed));
        }
    }
    free(changed);
    end(&sample);
}

/* Blocks of equal length, each with one large value. */
static void test_large_blocks_swapped(void **state)
{
    struct store_folder *f = *state;
    size_t begins[BLOCKS_MAX + 1];
    struct sample sample;
    unsigned char *bytes, *other;
    unsigned count, swapped = 0;

    for (char key[2] = "a"; key[0] < 'e'; key[0]++) {
        void *value = patterned_bytes(100000, (uint64_t)key[0]);

        expect_ok(tarn_set(f->ns, text(key), tarn_slice_of(value, 100000), NULL, NULL));
        free(value);
    }
    begin(&sample, f);
    count = find_blocks(&sample.bytes, begins);
    bytes = sample.bytes.data;
    other = malloc(sample.bytes.length);
    for (unsigned i = 1; i + 1 < count; i++) {
        size_t length = begins[i + 1] - begins[i];

        if (length < 100000 || begins[i + 2] - begins[i + 1] != length)
            continue;
        memcpy(other, bytes, sample.bytes.length);
        memcpy(other + begins[i], bytes + begins[i + 1], length);
        memcpy(other + begins[i + 1], bytes + begins[i], length);
        expect_damaged(&sample, other, sample.bytes.length);
        swapped++;
    }
    expect_number(3, swapped);
    free(other);
    end(&sample);
}

/* The head of one snapshot and the rest of a later one of the same store. */
static void test_two_snapshots_mixed(void **state)
{
    struct store_folder *f = *state;
    size_t begins[BLOCKS_MAX + 1];
    struct sample sample;
    struct tarn_buf later;
    unsigned char *bytes;
    unsigned count;

    fill_small(f);
    begin(&sample, f);
    expect_ok(tarn_snapshot_save(f->store, text("later"), NULL));
    expect_ok(tarn_set(f->ns, text("key"), text("VALUE"), NULL, NULL));
    expect_ok(tarn_delete(f->ns, text("only here")));
    expect_ok(tarn_snapshot_save(f->store, text("later"), NULL));
    later = file_read(path_of_snapshot(f, "later"));
    expect_number(sample.bytes.length, later.length);
    expect_ok(tarn_set(f->ns, text("only here"), text("not in the snapshot"), NULL, NULL));
    sample.state = fixture_state_of(f->ns);
    count = find_blocks(&sample.bytes, begins);
    bytes = malloc(later.length);
    for (unsigned i = 0; i < count; i++) {
        memcpy(bytes, sample.bytes.data, later.length);
        memcpy(bytes + begins[i], (char *)later.data + begins[i], begins[i + 1] - begins[i]);
        expect_damaged(&sample, bytes, later.length);
        memcpy(bytes + begins[i], (char *)later.data + begins[i], later.length - begins[i]);
        expect_damaged(&sample, bytes, later.length);
    }
    free(bytes);
    free(later.data);
    end(&sample);
}

/* ------------------------------------------------------------------------------------------
 * Something else in its place
 */

static void test_something_else_in_its_place(void **state)
{
    struct store_folder *f = *state;
    char path[2 * STORE_FOLDER_PATH_ROOM];
    struct tarn_buf catalog;
    struct sample sample;

    fill_small(f);
    begin(&sample, f);
    catalog = file_read(path_of(f, "catalog"));
    expect_damaged(&sample, catalog.data, catalog.length);
    free(catalog.data);
    snprintf(path, sizeof path, "%s", path_of_snapshot(f, "s"));
    expect_that(unlink(path) == 0 && mkdir(path, 0700) == 0);
    expect_status(TARN_CORRUPT, tarn_snapshot_load(f->store, text("s")));
    expect_error_names(TARN_CORRUPT, "s.snapshot");
    expect_status(TARN_CORRUPT, tarn_snapshot_verify(f->store, text("s")));
    expect_that(rmdir(path) == 0 && mkfifo(path, 0600) == 0);
    expect_status(TARN_CORRUPT, tarn_snapshot_load(f->store, text("s")));
    expect_status(TARN_CORRUPT, tarn_snapshot_verify(f->store, text("s")));
    expect_that(unlink(path) == 0);
    file_write(path_around(f, "outside"), sample.bytes.data, sample.bytes.length);
    expect_that(symlink(path_around(f, "outside"), path) == 0);
    expect_status(TARN_CORRUPT, tarn_snapshot_load(f->store, text("s")));
    expect_same_state(sample.state, f->ns);
    expect_ok(tarn_snapshot_delete(f->store, text("s"))); /* of the link, not of what it leads to */
    free(file_read(path_around(f, "outside")).data);
    end(&sample);
}

/* The folder of snapshots is taken away under the open store. */
static void test_the_folder_is_gone(void **state)
{
    struct store_folder *f = *state;
    struct fixture_state before;

    fill_small(f);
    expect_ok(tarn_snapshot_save(f->store, text("s"), NULL));
    before = fixture_state_of(f->ns);
    expect_ok(test_folder_remove(f->path));
    expect_status(TARN_IO, tarn_snapshot_save(f->store, text("t"), NULL));
    expect_status(TARN_SNAPSHOT_NOT_FOUND, tarn_snapshot_load(f->store, text("s")));
    expect_same_state(before, f->ns);
    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
}

static const struct CMUnitTest tests[] = {
    STORE_FOLDER_TEST(test_every_bit_flipped),
    STORE_FOLDER_TEST(test_cut_off_at_every_byte),
    STORE_FOLDER_TEST(test_a_larger_one_cut_off_or_flipped),
    STORE_FOLDER_TEST(test_stretches_replaced),
    STORE_FOLDER_TEST(test_trailing_bytes),
    STORE_FOLDER_TEST(test_blocks_swapped_missing_or_twice),
    STORE_FOLDER_TEST(test_large_blocks_swapped),
    STORE_FOLDER_TEST(test_two_snapshots_mixed),
    STORE_FOLDER_TEST(test_something_else_in_its_place),
    STORE_FOLDER_TEST(test_the_folder_is_gone),
};

CONFORMANCE_TOPIC_OF_MEMORY(snapshot_damage, tests);
