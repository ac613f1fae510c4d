/*
 * What a checkpoint is made of: the image of an index, from which the same index comes again, and
 * the head. Whatever is cut, and lines and heads that contradict themselves under a right checksum,
 * are refused (faults.md, 1, 4 and 5).
 */
#include "format/checkpoint.h"
#include "index/image.h"
#include "support/format_samples.h"
#include "support/index_table.h"

#include <stdlib.h>
#include <string.h>

#define PATH "a file"
#define KEYS 30000

static struct index_table table, again;

/* ------------------------------------------------------------------------------------------
 * The image
 */

struct lines {
    uint64_t count[2]; /* of buckets, and of overflow */
    uint8_t *bytes[2];
};

static bool holds(void *context, uint64_t location)
{
    (void)context;
    return location % (UINT64_C(1) << INDEX_TABLE_KEY_BITS) <= KEYS;
}

static void take_lines(struct lines *lines)
{
    lines->count[0] = tarn__image_buckets(&table.index);
    lines->count[1] = tarn__image_overflow(&table.index);
    for (unsigned i = 0; i < 2; i++) {
        lines->bytes[i] = malloc(lines->count[i] * TARN__IMAGE_LINE_BYTES);
        tarn__image_copy(&table.index, i, 0, lines->count[i], lines->bytes[i]);
    }
}

static void free_lines(struct lines *lines)
{
    free(lines->bytes[0]);
    free(lines->bytes[1]);
}

/* Puts all lines into an index that is empty; false: they were refused, and it is empty again. */
static bool put_lines(const struct lines *lines)
{
    struct tarn__image image = {.index = &again.index,
                                .buckets = lines->count[0],
                                .overflow = lines->count[1],
                                .holds = holds};
    bool right = true;

    expect_ok(tarn__image_begin(&image));
    for (unsigned i = 0; i < 2 && right; i++)
        right = tarn__image_put(&image, i, 0, lines->count[i], lines->bytes[i]);
    if (right) {
        struct tarn__groups *from = atomic_load(&table.index.groups);
        struct tarn__groups *groups = tarn__groups_create(from->bits, from->shard_count);

        for (uint32_t i = 0; i < 1u << from->bits; i++) {
            atomic_store(&groups->buckets[i], atomic_load(&from->buckets[i]));
            groups->keys[i] = from->keys[i];
        }
        tarn__image_publish(&image, groups);
    } else {
        tarn__image_undo(&again.index);
    }
    tarn__image_end(&image);
    return right;
}

static void fill(void)
{
    index_table_init(&table, 16, index_table_mix);
    index_table_init(&again, 16, index_table_mix);
    tarn__groups_free(tarn__index_publish(&again.index, NULL)); /* as it is at an opening */
    for (uint64_t key = 0; key < KEYS; key++)
        index_table_set(&table, key, 1);
    for (uint64_t key = 0; key < KEYS; key += 3)
        index_table_remove(&table, key);
    for (uint64_t key = 0; key < KEYS; key += 2)
        index_table_set(&table, key, 2);
}

static void the_same_index_comes_again(void **state)
{
    struct lines lines;

    (void)state;
    fill();
    take_lines(&lines);
    expect_that(lines.count[1] > 1);
    expect_that(put_lines(&lines));
    for (unsigned i = 0; i < again.shard_count; i++)
        again.growth[i] = table.growth[i];
    for (uint64_t key = 0; key < KEYS; key++)
        expect_signed(index_table_look(&table, key), index_table_look(&again, key));
    for (uint64_t key = 0; key < 3 * KEYS; key++) /* it goes on growing */
        index_table_set(&again, key, 3);
    for (uint64_t key = 0; key < 3 * KEYS; key++)
        expect_signed(3, index_table_look(&again, key));
    free_lines(&lines);
    index_table_release(&table);
    index_table_release(&again);
}

/* The slot of a line. */
static uint8_t *slot_of(const struct lines *lines, unsigned of, uint64_t line, unsigned slot)
{
    return lines->bytes[of] + line * TARN__IMAGE_LINE_BYTES + (1 + slot) * sizeof(uint64_t);
}

static uint64_t get(const uint8_t *slot)
{
    uint64_t value;

    memcpy(&value, slot, sizeof value);
    return value;
}

static void expect_refused(const struct lines *lines, uint8_t *slot, uint64_t value)
{
    uint64_t before = get(slot);

    memcpy(slot, &value, sizeof value);
    expect_that(!put_lines(lines));
    memcpy(slot, &before, sizeof before);
}

static void lines_of_no_index_are_refused(void **state)
{
    uint64_t link = 0, linked = 0;
    struct lines lines;

    (void)state;
    fill();
    take_lines(&lines);
    while (!tarn__slot_is_link(get(slot_of(&lines, 0, linked, TARN__LINE_SLOTS - 1))))
        linked++;
    link = get(slot_of(&lines, 0, linked, TARN__LINE_SLOTS - 1));
    /* claimed, of no window, a link where none can be, a place where nothing is */
    expect_refused(&lines, slot_of(&lines, 0, 5, 0), TARN__SLOT_CLAIMED);
    expect_refused(&lines, slot_of(&lines, 0, 5, 0), UINT64_C(77) << 24);
    expect_refused(&lines, slot_of(&lines, 0, 5, 3), link);
    expect_refused(&lines, slot_of(&lines, 0, 5, 0),
                   (uint64_t)(KEYS + 2) << 24 | UINT64_C(1) << TARN__SLOT_HASH_BITS);
    /* links to line 0, beyond the end, twice to the same, to the line itself */
    expect_refused(&lines, slot_of(&lines, 0, linked, TARN__LINE_SLOTS - 1),
                   (uint64_t)TARN__WINDOW_LINK << TARN__SLOT_HASH_BITS);
    expect_refused(&lines, slot_of(&lines, 0, linked, TARN__LINE_SLOTS - 1),
                   lines.count[1] << 24 | (uint64_t)TARN__WINDOW_LINK << TARN__SLOT_HASH_BITS);
    expect_refused(&lines, slot_of(&lines, 0, linked + 1, TARN__LINE_SLOTS - 1), link);
    expect_refused(&lines, slot_of(&lines, 1, tarn__link_line(link), TARN__LINE_SLOTS - 1), link);
    expect_that(put_lines(&lines)); /* as they were */
    free_lines(&lines);
    index_table_release(&table);
    index_table_release(&again);
}

/* ------------------------------------------------------------------------------------------
 * The head
 */

static struct tarn__covered_group sample_groups[] = {{3, 10}, {2, 5}};
static struct tarn__covered sample_covered[] = {
    {.number = 4, .first_granule = 7, .end = 4096, .stale = 100, .deletes = 20, .as_of = 900},
    {.number = 9, .first_granule = 1, .end = 128 + 4, .as_of = 5},
};

static struct tarn__checkpoint sample(void)
{
    struct tarn__checkpoint checkpoint = {.store = {1, 2, 3},
                                          .home = 2,
                                          .seed = 12345,
                                          .sequence = 1000,
                                          .keys = 15,
                                          .bytes = 400,
                                          .buckets = 6,
                                          .overflow = 3,
                                          .group_bits = 1,
                                          .groups = sample_groups,
                                          .covered = sample_covered,
                                          .covered_count = 2};

    memcpy(sample_covered[0].identity, sample_identity, TARN__IDENTITY_BYTES);
    return checkpoint;
}

static tarn_status decode(const struct tarn_buf *bytes, size_t length,
                          struct tarn__checkpoint *checkpoint)
{
    const struct tarn__file_block block = {
        .offset = 40, .kind = TARN__CHECKPOINT_HEAD, .length = (uint32_t)length};
    uint8_t *exact = malloc(length + 1); /* so that reading beyond is seen */
    tarn_status status;

    memcpy(exact, (uint8_t *)bytes->data + TARN__BLOCK_HEADER_BYTES, length);
    status = tarn__checkpoint_head_decode(&block, exact, PATH, checkpoint);
    free(exact);
    return status;
}

static void a_head_comes_out_as_it_went_in(void **state)
{
    struct tarn__checkpoint in = sample(), out = {0};
    struct tarn_buf bytes = {0};

    (void)state;
    expect_ok(tarn__checkpoint_head_encode(&in, &bytes));
    expect_ok(decode(&bytes, bytes.length - TARN__BLOCK_HEADER_BYTES, &out));
    expect_that(memcmp(in.store, out.store, sizeof in.store) == 0);
    expect_number(in.home, out.home);
    expect_number(in.seed, out.seed);
    expect_number(in.sequence, out.sequence);
    expect_number(in.keys, out.keys);
    expect_number(in.bytes, out.bytes);
    expect_number(in.buckets, out.buckets);
    expect_number(in.overflow, out.overflow);
    expect_number(in.group_bits, out.group_bits);
    expect_that(memcmp(in.groups, out.groups, sizeof sample_groups) == 0);
    expect_number(2, out.covered_count);
    for (unsigned i = 0; i < 2; i++) {
        expect_number(in.covered[i].number, out.covered[i].number);
        expect_that(memcmp(in.covered[i].identity, out.covered[i].identity, TARN__IDENTITY_BYTES) ==
                    0);
        expect_number(in.covered[i].first_granule, out.covered[i].first_granule);
        expect_number(in.covered[i].end, out.covered[i].end);
        expect_number(in.covered[i].stale, out.covered[i].stale);
        expect_number(in.covered[i].deletes, out.covered[i].deletes);
        expect_number(in.covered[i].as_of, out.covered[i].as_of);
    }
    tarn__checkpoint_release(&out);
    for (size_t cut = 0; cut < bytes.length - TARN__BLOCK_HEADER_BYTES; cut++)
        expect_status(TARN_CORRUPT, decode(&bytes, cut, &out));
    tarn_buf_release(&bytes);
}

static void expect_contradiction(const struct tarn__checkpoint *checkpoint)
{
    struct tarn__checkpoint out = {0};
    struct tarn_buf bytes = {0};

    expect_ok(tarn__checkpoint_head_encode(checkpoint, &bytes));
    expect_status(TARN_CORRUPT, decode(&bytes, bytes.length - TARN__BLOCK_HEADER_BYTES, &out));
    expect_that(!out.groups && !out.covered);
    tarn_buf_release(&bytes);
}

static void heads_that_contradict_themselves_are_refused(void **state)
{
    struct tarn__checkpoint changed = sample();

    (void)state;
    changed.keys++;
    expect_contradiction(&changed);
    changed = sample();
    changed.buckets = UINT64_MAX;
    expect_contradiction(&changed);
    changed = sample();
    changed.overflow = 0;
    expect_contradiction(&changed);
    changed = sample();
    changed.buckets = 0;
    sample_groups[0].buckets = sample_groups[1].buckets = 0;
    expect_contradiction(&changed);
    sample_groups[0].buckets = 3;
    sample_groups[1].buckets = 2;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_index_comes_again),
        cmocka_unit_test(lines_of_no_index_are_refused),
        cmocka_unit_test(a_head_comes_out_as_it_went_in),
        cmocka_unit_test(heads_that_contradict_themselves_are_refused),
    };

    return cmocka_run_group_tests_name("the parts of a checkpoint", tests, NULL, NULL);
}
