/* The store whose files are changed; see the header. One thread. */
#include "crash/saved_store.h"
#include "crash/disk.h"
#include "store/store.h"
#include "support/format_samples.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX        60
#define VERSIONS        5
#define RECORDS_A_BLOCK 3

const unsigned saved_newest[SAVED_NAMESPACES] = {3, 4, 2};

static const char *const names[SAVED_NAMESPACES] = {"alpha", "beta", "gamma"};

static const unsigned keys[SAVED_NAMESPACES][VERSIONS] = {
    {0, 6, 8, 7, 0}, {0, 4, 5, 0, 6}, {0, 0, KEYS_MAX, 0, 0}};

static const struct tarn_namespace_options options[SAVED_NAMESPACES] = {
    {.shards = 4, .lock_timeout_ms = 1500, .max_keys = 100, .max_value_size = 4096},
    {.shards = 2, .lock_timeout_ms = 700, .max_value_size = 2048, .max_bytes = 1000000},
    {.shards = 1, .lock_timeout_ms = 5000, .max_value_size = 1024}};

/* Says what is wrong; false. */
static bool wrong(char *why, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool wrong(char *why, size_t room, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, room, format, arguments);
    va_end(arguments);
    return false;
}

/* ------------------------------------------------------------------------------------------
 * Contents
 */

/* Counters and values of all kinds, and most of one length: so blocks have one, too. */
static bool is_counter(unsigned key)
{
    return key == 1;
}

static int64_t counter_of(unsigned ns, unsigned version, unsigned key)
{
    return (int64_t)ns * 1000 - (int64_t)version * 7 + key;
}

static struct tarn_slice value_of(unsigned ns, unsigned version, unsigned key, uint8_t *bytes)
{
    size_t length = key == 2 ? 0 : key == 3 ? 200 : 40;

    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(ns * 67 + version * 31 + key * 7 + i);
    return tarn_slice_of(bytes, length);
}

static void write_version(tarn_namespace *ns, unsigned number, unsigned version)
{
    char room[NUMBERED_KEY_ROOM];
    uint8_t bytes[200];

    expect_ok(tarn_namespace_clear(ns));
    for (unsigned key = 0; key < keys[number][version]; key++) {
        if (is_counter(key))
            expect_ok(tarn_increment(ns, numbered_key(room, key), counter_of(number, version, key),
                                     NULL));
        else
            expect_ok(tarn_set(ns, numbered_key(room, key), value_of(number, version, key, bytes),
                               NULL, NULL));
    }
}

static bool has_record(tarn_namespace *ns, unsigned number, unsigned version, unsigned key,
                       struct tarn_buf *buf)
{
    char room[NUMBERED_KEY_ROOM];
    struct tarn_record_info info;
    uint8_t bytes[200];
    struct tarn_slice wanted = value_of(number, version, key, bytes);
    uint64_t counter = htole64((uint64_t)counter_of(number, version, key));

    if (is_counter(key))
        wanted = tarn_slice_of(&counter, sizeof counter);
    return tarn_get(ns, numbered_key(room, key), buf, &info) == TARN_OK &&
           info.content == (is_counter(key) ? TARN_CONTENT_COUNTER : TARN_CONTENT_BYTES) &&
           buf->length == wanted.length &&
           (wanted.length == 0 || memcmp(buf->data, wanted.data, wanted.length) == 0);
}

static bool has_options(const struct tarn_namespace_options *got,
                        const struct tarn_namespace_options *wanted)
{
    return got->shards == wanted->shards && got->lock_timeout_ms == wanted->lock_timeout_ms &&
           got->max_keys == wanted->max_keys && got->max_value_size == wanted->max_value_size &&
           got->max_bytes == wanted->max_bytes;
}

static bool holds_version(tarn_namespace *ns, unsigned number, unsigned version, char *why,
                          size_t room)
{
    struct tarn_stats stats = {.size = sizeof stats};
    struct tarn_buf buf = {0};
    bool right = true;

    if (tarn_namespace_stats(ns, &stats, NULL, 0) || !has_options(&stats.options, &options[number]))
        return wrong(why, room, "'%s' has other options", names[number]);
    if (stats.keys != keys[number][version])
        return wrong(why, room, "'%s' has %llu keys and not the %u of version %u", names[number],
                     (unsigned long long)stats.keys, keys[number][version], version);
    for (unsigned key = 0; key < keys[number][version] && right; key++) {
        right = has_record(ns, number, version, key, &buf) ||
                wrong(why, room, "'%s' has not the record of key %u of version %u", names[number],
                      key, version);
    }
    tarn_buf_release(&buf);
    return right;
}

/* ------------------------------------------------------------------------------------------
 * Autosaves
 */

/* Of the store, and of alpha. */
static struct tarn_autosave_options autosave_of(bool whole)
{
    return (struct tarn_autosave_options){.size = sizeof(struct tarn_autosave_options),
                                          .interval_ms = whole ? 60000 : 1000,
                                          .pattern = text(whole ? "all-{ts}" : "{ns}-of-{ts}"),
                                          .keep = whole ? 5 : 2,
                                          .at_close = whole};
}

struct autosaves {
    unsigned right, others;
};

static bool take_autosave(void *context, const struct tarn_autosave_info *info)
{
    struct autosaves *found = context;
    bool whole = info->namespace_name.length == 0;
    struct tarn_autosave_options wanted = autosave_of(whole);

    if (!info->running && info->options.interval_ms == wanted.interval_ms &&
        info->options.keep == wanted.keep && info->options.at_close == wanted.at_close &&
        info->options.pattern.length == wanted.pattern.length &&
        memcmp(info->options.pattern.data, wanted.pattern.data, wanted.pattern.length) == 0)
        found->right++;
    else
        found->others++;
    return true;
}

static bool has_autosaves(tarn_store *store)
{
    struct autosaves found = {0};

    return tarn_autosave_list(store, take_autosave, &found) == TARN_OK && found.right == 2 &&
           found.others == 0;
}

bool saved_store_holds(tarn_store *store, const unsigned versions[SAVED_NAMESPACES], char *why,
                       size_t room)
{
    size_t count = 0;
    bool right = true;

    if (tarn_namespace_count(store, &count) || count != SAVED_NAMESPACES)
        return wrong(why, room, "there are %zu namespaces", count);
    for (unsigned i = 0; i < SAVED_NAMESPACES && right; i++) {
        tarn_namespace *ns;

        if (tarn_namespace_open(store, text(names[i]), &ns))
            return wrong(why, room, "'%s' is not there", names[i]);
        right = holds_version(ns, i, versions[i], why, room);
        tarn_namespace_close(ns);
    }
    return right &&
           (has_autosaves(store) || wrong(why, room, "the autosaves are not those that were set"));
}

/* ------------------------------------------------------------------------------------------
 * Making
 */

static tarn_namespace *create(tarn_store *store, unsigned number, unsigned version)
{
    struct tarn_namespace_options with_size = options[number];
    tarn_namespace *ns;

    with_size.size = sizeof with_size;
    expect_ok(tarn_namespace_create(store, text(names[number]), &with_size, &ns));
    write_version(ns, number, version);
    return ns;
}

static void write_store(struct sim_disk *disk)
{
    struct tarn_autosave_options whole = autosave_of(true), of_alpha = autosave_of(false);
    tarn_namespace *ns[SAVED_NAMESPACES];
    tarn_store *store;

    expect_ok(tarn__store_open(&disk->os, SAVED_FOLDER, NULL, &store));
    ns[0] = create(store, 0, 1);
    ns[1] = create(store, 1, 1);
    expect_ok(tarn_autosave_set(store, text(""), &whole));
    expect_ok(tarn_autosave_set(store, text("alpha"), &of_alpha));
    expect_ok(tarn_snapshot_save(store, text("old"), NULL));
    ns[2] = create(store, 2, 2);
    write_version(ns[0], 0, 2);
    write_version(ns[1], 1, 2);
    expect_ok(tarn_snapshot_save(store, text("whole"), NULL));
    write_version(ns[0], 0, 3);
    expect_ok(tarn_snapshot_save_namespace(ns[0], text("alpha"), NULL));
    write_version(ns[1], 1, 4);
    expect_ok(tarn_snapshot_save_namespace(ns[1], text("beta"), NULL));
    for (unsigned i = 0; i < SAVED_NAMESPACES; i++)
        tarn_namespace_close(ns[i]);
    expect_ok(tarn_close(store));
}

/* Writes the records of a block anew, as blocks of a few. */
static void add_small_blocks(struct file_builder *file, struct tarn__snapshot_reading *reading,
                             const struct tarn__file_block *block, const uint8_t *content)
{
    struct tarn__reader left = tarn__reader_of(content, block->length);
    struct tarn__record records[RECORDS_A_BLOCK];
    size_t count = 0;

    while (tarn__snapshot_record_next(&left, reading, &records[count]))
        if (++count == RECORDS_A_BLOCK) {
            file_records(file, records, count);
            count = 0;
        }
    expect_that(!left.failed);
    if (count)
        file_records(file, records, count);
}

/* The library makes blocks of up to 256 KiB. A reader takes smaller ones as well, and a small file
 * with many of them has all the places at which something can be wrong. */
static void make_blocks_small(struct saved_original *snapshot)
{
    struct tarn__snapshot_reading reading = {0};
    struct tarn__file_block block = {0};
    struct tarn__block_walk walk;
    struct file_builder file;
    const uint8_t *content;

    expect_ok(tarn__block_walk_begin(&walk, snapshot->bytes, snapshot->length, TARN__FILE_SNAPSHOT,
                                     snapshot->name));
    file_begin(&file, TARN__FILE_SNAPSHOT, sample_identity);
    while (block.kind != TARN__BLOCK_END) {
        expect_ok(tarn__block_walk_next(&walk, &block, &content));
        expect_ok(tarn__snapshot_accept(&reading, &block, content, snapshot->name));
        if (block.kind == TARN__SNAPSHOT_RECORDS)
            add_small_blocks(&file, &reading, &block, content);
        else if (block.kind != TARN__BLOCK_END)
            file_block(&file, block.kind, content, block.length);
    }
    file_end(&file);
    free(snapshot->bytes);
    snapshot->bytes = file.bytes;
    snapshot->length = file.length;
}

/* Where its blocks are, and what the head of a snapshot says. */
static void describe(struct saved_original *original)
{
    enum tarn__file_kind kind = original->snapshot ? TARN__FILE_SNAPSHOT : TARN__FILE_CATALOG;
    struct tarn__snapshot_reading reading = {0};
    struct tarn__file_block block = {0};
    struct tarn__block_walk walk;
    const uint8_t *content;

    expect_ok(tarn__block_walk_begin(&walk, original->bytes, original->length, kind, "original"));
    while (block.kind != TARN__BLOCK_END) {
        expect_that(original->block_count < SAVED_BLOCKS_MAX);
        original->blocks[original->block_count++] = walk.offset;
        expect_ok(tarn__block_walk_next(&walk, &block, &content));
        if (original->snapshot && block.kind == TARN__SNAPSHOT_HEAD)
            expect_ok(tarn__snapshot_accept(&reading, &block, content, "original"));
        if (original->block_count == (reading.head.scope == TARN__SCOPE_STORE ? 1 : 2))
            original->head_bytes = walk.offset;
    }
    original->blocks[original->block_count] = original->length;
    original->sequence = reading.head.sequence;
}

static const struct saved_original templates[SAVED_FILES] = {
    [SAVED_LOCK] = {.folder = SAVED_FOLDER, .name = "lock", .path = SAVED_FOLDER "/lock"},
    [SAVED_CATALOG] = {.folder = SAVED_FOLDER, .name = "catalog", .path = SAVED_FOLDER "/catalog"},
    [SAVED_OLD] = {.folder = SAVED_FOLDER "/snapshots",
                   .name = "old.snapshot",
                   .path = SAVED_FOLDER "/snapshots/old.snapshot",
                   .snapshot = "old",
                   .decides = 7,
                   .versions = {1, 1, 0}},
    [SAVED_WHOLE] = {.folder = SAVED_FOLDER "/snapshots",
                     .name = "whole.snapshot",
                     .path = SAVED_FOLDER "/snapshots/whole.snapshot",
                     .snapshot = "whole",
                     .decides = 7,
                     .versions = {2, 2, 2}},
    [SAVED_ALPHA] = {.folder = SAVED_FOLDER "/snapshots",
                     .name = "alpha.snapshot",
                     .path = SAVED_FOLDER "/snapshots/alpha.snapshot",
                     .snapshot = "alpha",
                     .decides = 1,
                     .versions = {3, 0, 0}},
    [SAVED_BETA] = {.folder = SAVED_FOLDER "/snapshots",
                    .name = "beta.snapshot",
                    .path = SAVED_FOLDER "/snapshots/beta.snapshot",
                    .snapshot = "beta",
                    .decides = 2,
                    .versions = {0, 4, 0}},
};

void saved_store_make(struct saved_store *saved, uint64_t seed)
{
    struct sim_disk *disk = sim_disk_create(seed);

    crash_disk_prepare(disk, NULL);
    write_store(disk);
    memcpy(saved->files, templates, sizeof templates);
    for (unsigned i = 0; i < SAVED_FILES; i++) {
        struct saved_original *original = &saved->files[i];

        original->bytes = sim_disk_read(disk, SIM_SEEN, original->path, &original->length);
        expect_that(original->bytes != NULL);
        if (i == SAVED_WHOLE) {
            make_blocks_small(original);
            expect_that(sim_disk_set_size(disk, original->path, original->length));
            expect_that(
                sim_disk_set_bytes(disk, original->path, 0, original->bytes, original->length));
        }
        if (i != SAVED_LOCK)
            describe(original);
    }
    saved->disk = sim_disk_copy(disk); /* all of it durable, and without a trace */
    sim_disk_free(disk);
}

void saved_store_release(struct saved_store *saved)
{
    for (unsigned i = 0; i < SAVED_FILES; i++)
        free(saved->files[i].bytes);
    sim_disk_free(saved->disk);
}
