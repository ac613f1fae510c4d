/*
 * Logs whose files are not as they were written: a small store with two logs is made once, and
 * opened again and again with something changed in the list of segments or in a segment: bits,
 * blocks, the end cut off, files swapped, missing or something else; fields that hold anything
 * under checksums that are right; and two or three changes at once. (Numbers 1 to 8 of the list of
 * faults.)
 *
 * Each opening gives a typed error that names the file, or each log holds what it held after some
 * write: never another value, and never less than is known to be durable, unless several changes
 * hide that. Where it fails no file of the log is other than before. So it is with a store that was
 * closed, of which all is durable, and with one whose process was killed, whose end may be taken
 * for the place where a crash has cut.
 *
 * TARN_SEED is the seed (1 without it). TARN_TEST_SCALE multiplies the number of changed files that
 * are opened, which is TARN_MUTATED_FILES (40,000 without it).
 */
#include "crash/disk.h"
#include "crash/look.h"
#include "format/frame.h"
#include "store/store.h"
#include "support/allocation_bound.h"
#include "support/fixture.h"
#include "support/format_samples.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#define FILES      40000
#define FILES_MAX  64
#define LOGS       2
#define WRITES     40
#define BLOCK      512
#define MEMORY_MIN ((size_t)2 << 20) /* what an opening may ask for at once: with checkpoints */

struct file {
    char path[64];
    uint8_t *bytes;
    size_t length;
};

/* A store as it was left, and what its logs held after each write. */
struct saved {
    const char *how;
    char homes[LOGS][32];
    struct sim_disk *disk;
    struct file files[FILES_MAX];
    size_t count;
    struct world_content states[LOGS][WRITES + 1];
    unsigned writes[LOGS], durable[LOGS];
};

/* What came of an opening. */
enum demand {
    DURABLE,   /* what was durable is there */
    ANY_STATE, /* or it holds what it held after some write */
    NOTHING    /* who can make right checksums can say anything: it is read, and that is all */
};

struct run {
    struct saved *saved;
    struct sim_disk *disk; /* the changed one */
    uint64_t random, tried, refused, opened;
    char words[200];
};

/* ------------------------------------------------------------------------------------------
 * The store
 */

static const char *const names[LOGS] = {"a", "b"};

static bool note_file(void *context, const char *name)
{
    struct file *file = context;

    while (file->path[0])
        file++;
    snprintf(file->path, sizeof file->path, "%s", name);
    return true;
}

static void remove_file(struct sim_disk *disk, const char *folder, const char *name)
{
    const struct tarn__os *os = &disk->os;
    int directory;

    if (os->directory_open(os, TARN__OS_NO_DIRECTORY, folder, &directory))
        return;
    (void)os->unlink(os, directory, name); /* or it is not there any more */
    (void)os->directory_sync(os, directory);
    (void)os->close(os, directory);
}

/* Takes all files of the homes, but checkpoints: those go, so that every frame is read. */
static void take_files(struct saved *saved)
{
    for (unsigned home = 1, logs = 0; home < 8; home++) {
        struct file found[FILES_MAX] = {0};
        char folder[32];

        snprintf(folder, sizeof folder, CRASH_FOLDER "/namespaces/%u", home);
        if (!sim_disk_list(saved->disk, SIM_SEEN, folder, note_file, found))
            continue;
        memcpy(saved->homes[logs++], folder, sizeof folder);
        for (struct file *file = found; file->path[0]; file++) {
            struct file *into = &saved->files[saved->count];

            if (strcmp(file->path, "checkpoint") == 0) {
                remove_file(saved->disk, folder, file->path);
                continue;
            }
            saved->count++;
            expect_that(saved->count < FILES_MAX);
            snprintf(into->path, sizeof into->path, "%s/%.24s", folder, file->path);
            into->bytes = sim_disk_read(saved->disk, SIM_SEEN, into->path, &into->length);
        }
    }
    expect_that(saved->count > 6);
}

static void write_some(struct saved *saved, unsigned log, tarn_namespace *ns, unsigned count,
                       uint64_t *random)
{
    tarn_batch *batch = NULL;
    uint8_t bytes[WORLD_VALUE_BYTES];
    char room[8];

    expect_ok(tarn_batch_create(&batch));
    for (unsigned i = 0; i < count; i++) {
        unsigned at = saved->writes[log]++, operations = i % 4 == 3 ? 4 : 1;
        struct world_content *now = &saved->states[log][at + 1];

        *now = saved->states[log][at];
        tarn_batch_clear(batch);
        for (unsigned j = 0; j < operations; j++) {
            uint32_t key = (uint32_t)random_below(random, 10);
            uint32_t value =
                now->values[key] && i % 3 == 1 ? 0 : 1 + (uint32_t)random_below(random, 60000);

            if (value)
                expect_ok(tarn_batch_set(batch, world_key(key, room), world_value(value, bytes)));
            else
                expect_ok(tarn_batch_delete(batch, world_key(key, room)));
            now->values[key] = value;
        }
        expect_ok(tarn_batch_commit(ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL));
    }
    tarn_batch_free(batch);
}

/* Two logs with compacted segments, sealed ones, and one that is written to. */
static void make_store(struct saved *saved, bool closed, uint64_t seed)
{
    struct sim_disk *disk = sim_disk_create(seed);
    tarn_namespace *ns[LOGS];
    tarn_store *store;

    memset(saved, 0, sizeof *saved);
    saved->how = closed ? "closed" : "killed";
    crash_disk_prepare(disk, NULL);
    expect_ok(tarn__store_open(&disk->os, CRASH_FOLDER, NULL, &store));
    for (unsigned log = 0; log < LOGS; log++) {
        struct tarn_namespace_options options = {.size = sizeof options,
                                                 .engine = TARN_ENGINE_LOG,
                                                 .sync = log ? TARN_SYNC_ALWAYS : TARN_SYNC_NONE,
                                                 .segment_bytes = BLOCK};

        expect_ok(tarn_namespace_create(store, text(names[log]), &options, &ns[log]));
        write_some(saved, log, ns[log], WRITES / 2, &seed);
        expect_ok(tarn_compact(ns[log], NULL));
        write_some(saved, log, ns[log], WRITES / 4, &seed);
        expect_ok(tarn_sync(ns[log]));
        saved->durable[log] = saved->writes[log];
        write_some(saved, log, ns[log], WRITES / 4, &seed);
        if (closed) /* else nothing is behind the last write that tells that it is durable */
            saved->durable[log] = saved->writes[log];
        else if (log)
            saved->durable[log] = saved->writes[log] - 1;
        tarn_namespace_close(ns[log]);
    }
    saved->disk = closed ? NULL : sim_disk_copy(disk);
    expect_ok(tarn_close(store));
    if (closed)
        saved->disk = sim_disk_copy(disk);
    sim_disk_free(disk);
    take_files(saved);
}

static void release(struct saved *saved)
{
    for (size_t i = 0; i < saved->count; i++)
        free(saved->files[i].bytes);
    sim_disk_free(saved->disk);
}

/* ------------------------------------------------------------------------------------------
 * Judging
 */

static void wrong(const struct run *run, const char *what, const char *detail)
{
    print_error("a store that was %s, %s: %s: %s\n", run->saved->how, run->words, what, detail);
    fail();
}

/* A hash over all files of the home that a message names. */
static uint64_t digest(const struct run *run, const char *message)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < run->saved->count; i++) {
        const char *path = run->saved->files[i].path;
        char home[64];
        size_t length = 0;
        void *bytes;

        snprintf(home, sizeof home, "%.*s", (int)(strrchr(path, '/') - path), path);
        if (!strstr(message, home))
            continue;
        bytes = sim_disk_read(run->disk, SIM_SEEN, path, &length);
        sum = sum * 31 + (bytes ? XXH3_64bits(bytes, length) : 1);
        free(bytes);
    }
    return sum;
}

static bool is_state(const struct saved *saved, unsigned log, const struct world_content *found,
                     enum demand demand)
{
    for (unsigned i = demand == DURABLE ? saved->durable[log] : 0; i <= saved->writes[log]; i++)
        if (memcmp(&saved->states[log][i], found, sizeof *found) == 0)
            return true;
    return false;
}

/* An opening has succeeded: all can be read, and is right. */
static void look(struct run *run, tarn_store *store, enum demand demand)
{
    struct crash_settings settings = {0};
    struct crash_report report = {0};
    struct crash_run crash = {.settings = &settings, .report = &report};
    static struct crash_store s;

    s.run = &crash;
    s.disk = run->disk;
    for (unsigned log = 0; log < LOGS; log++) {
        struct world_content found;
        tarn_namespace *ns;
        bool damaged;

        expect_ok(tarn_namespace_open(store, text(names[log]), &ns));
        if (!look_read(&s, ns, names[log], &found, &damaged) && demand != NOTHING)
            wrong(run, "reading", report.failure);
        if (demand != NOTHING && !is_state(run->saved, log, &found, demand))
            wrong(run, "what is there is none of the states that may be", names[log]);
        tarn_namespace_close(ns);
    }
}

static void open_changed(struct run *run, enum demand demand, bool read_only)
{
    struct tarn_options options = {.size = sizeof options, .read_only = read_only};
    uint64_t before[LOGS], operations = sim_disk_operations(run->disk);
    tarn_store *store = NULL;
    tarn_status status;
    size_t asked;

    for (unsigned log = 0; log < LOGS; log++)
        before[log] = digest(run, run->saved->homes[log]);
    allocation_bound_begin(MEMORY_MIN);
    status = tarn__store_open(&run->disk->os, CRASH_FOLDER, &options, &store);
    asked = allocation_bound_end();
    if (asked > MEMORY_MIN)
        wrong(run, "opening", "it asks for memory that no file needs");
    if (!status) {
        look(run, store, demand);
        run->opened++;
        if (tarn_close(store))
            wrong(run, "closing", tarn_last_error()->message);
    } else {
        run->refused++;
        if (status != TARN_CORRUPT && status != TARN_UNSUPPORTED_VERSION && status != TARN_IO)
            wrong(run, tarn_status_name(status), tarn_last_error()->message);
        if (!strstr(tarn_last_error()->message, CRASH_FOLDER "/namespaces/"))
            wrong(run, "the error names no file", tarn_last_error()->message);
        for (unsigned log = 0; log < LOGS; log++)
            if (strstr(tarn_last_error()->message, run->saved->homes[log]) &&
                digest(run, run->saved->homes[log]) != before[log])
                wrong(run, "a file of the log was changed", tarn_last_error()->message);
    }
    if (read_only && sim_disk_operations(run->disk) != operations)
        wrong(run, "a reader has changed the disk", "");
}

/* A disk to be changed. */
static void begin(struct run *run)
{
    run->disk = sim_disk_copy(run->saved->disk);
    crash_disk_prepare(run->disk, NULL);
    run->words[0] = '\0';
}

static void judge(struct run *run, enum demand demand)
{
    open_changed(run, demand, true);
    open_changed(run, demand, false);
    if (run->tried % 16 == 0) /* what was mended stays so */
        open_changed(run, demand, false);
    sim_disk_free(run->disk);
    run->tried++;
}

/* ------------------------------------------------------------------------------------------
 * Changes
 */

static void say(struct run *run, const char *what, const struct file *file, size_t at)
{
    size_t length = strlen(run->words);

    snprintf(run->words + length, sizeof run->words - length, "%s%s %s at %zu", length ? ", " : "",
             file->path, what, at);
}

static void set(struct run *run, const struct file *file, size_t at, const void *bytes,
                size_t length)
{
    (void)sim_disk_set_bytes(run->disk, file->path, at, bytes, length); /* or it is shorter now */
}

static void flip(struct run *run, const struct file *file, size_t bit)
{
    uint8_t byte = file->bytes[bit / 8] ^ (uint8_t)(1 << bit % 8);

    say(run, "with a bit flipped", file, bit / 8);
    set(run, file, bit / 8, &byte, 1);
}

static void cut(struct run *run, const struct file *file, size_t length)
{
    say(run, "cut off", file, length);
    (void)sim_disk_set_size(run->disk, file->path, length);
}

/* Gives a file the bytes of another. */
static void take_over(struct run *run, const struct file *file, const struct file *from)
{
    say(run, "taking over another file", file, 0);
    (void)sim_disk_set_size(run->disk, file->path, from->length);
    set(run, file, 0, from->bytes, from->length);
}

static void unlink_file(struct run *run, const struct file *file, bool put_folder)
{
    const struct tarn__os *os = &run->disk->os;
    const char *name = strrchr(file->path, '/') + 1;
    char folder[64];
    int directory;

    say(run, put_folder ? "given way to a folder" : "missing", file, 0);
    snprintf(folder, sizeof folder, "%.*s", (int)(name - 1 - file->path), file->path);
    remove_file(run->disk, folder, name);
    if (!put_folder || os->directory_open(os, TARN__OS_NO_DIRECTORY, folder, &directory))
        return;
    (void)os->directory_make(os, directory, name);
    (void)os->close(os, directory);
}

/* A block of zeros, ones, anything, or of another file. */
static void overwrite(struct run *run, const struct file *file, size_t at, unsigned kind)
{
    static const char *const kinds[] = {"with zeros", "with ones", "with garbage",
                                        "with a block of another file"};
    const struct file *other = &run->saved->files[random_below(&run->random, run->saved->count)];
    uint8_t bytes[BLOCK];
    size_t length = file->length - at < BLOCK ? file->length - at : BLOCK;

    memset(bytes, kind == 1 ? 0xff : 0, sizeof bytes);
    for (size_t i = 0; i < length && kind == 2; i++)
        bytes[i] = (uint8_t)random_next(&run->random);
    if (kind == 3)
        memcpy(bytes, other->bytes, other->length < length ? other->length : length);
    say(run, kinds[kind], file, at);
    set(run, file, at, bytes, length);
}

static void change(struct run *run)
{
    const struct file *file = &run->saved->files[random_below(&run->random, run->saved->count)];
    size_t at = (size_t)random_below(&run->random, file->length);

    switch (random_below(&run->random, 8)) {
    case 0:
        cut(run, file, at);
        break;
    case 1:
        take_over(run, file, &run->saved->files[random_below(&run->random, run->saved->count)]);
        break;
    case 2:
        unlink_file(run, file, random_below(&run->random, 4) == 0);
        break;
    case 3:
    case 4:
        overwrite(run, file, at, (unsigned)random_below(&run->random, 4));
        break;
    default:
        flip(run, file, 8 * at + random_below(&run->random, 8));
    }
}

/* ------------------------------------------------------------------------------------------
 * Right checksums
 */

static bool is_list(const struct file *file)
{
    return strcmp(strrchr(file->path, '/'), "/segments") == 0;
}

/* The frames of a segment: where each begins, and how long it is. */
static size_t frames_of(const struct file *file, size_t *at, size_t *length, size_t most)
{
    size_t count = 0;

    for (size_t i = TARN__SEGMENT_HEAD; count < most; i += length[count++]) {
        at[count] = i;
        if (i + TARN__FRAME_MEASURE_BYTES > file->length ||
            tarn__frame_measure(file->bytes + i, file->length - i, file->length - i,
                                &length[count]) != TARN__FRAME_WHOLE)
            break;
    }
    return count;
}

/* One byte of a frame is another, under a checksum that is right; in a batch, under one that is
 * right for the batch alone. */
static void forge_frame(struct run *run, const struct file *file, enum demand *demand)
{
    size_t at[64], length[64], count = frames_of(file, at, length, 64), which, byte;
    struct tarn__frame_segment segment = {.seed = tarn__frame_seed(file->bytes + 16)};
    uint8_t *frame;
    uint64_t sum;

    if (!count)
        return;
    which = (size_t)random_below(&run->random, count);
    byte = TARN__FRAME_CHECKSUM_BYTES +
           (size_t)random_below(&run->random, length[which] - TARN__FRAME_CHECKSUM_BYTES);
    frame = malloc(length[which]);
    memcpy(frame, file->bytes + at[which], length[which]);
    frame[byte] = (uint8_t)random_next(&run->random);
    sum = XXH3_64bits_withSeed(frame + TARN__FRAME_CHECKSUM_BYTES,
                               length[which] - TARN__FRAME_CHECKSUM_BYTES,
                               tarn__frame_checksum_seed(&segment, at[which]));
    memcpy(frame, &sum, sizeof sum);
    say(run, "with a forged frame", file, at[which]);
    set(run, file, at[which], frame, length[which]);
    free(frame);
    *demand = NOTHING;
}

/* A field of a list holds anything. */
static void forge_list(struct run *run, const struct file *file, enum demand *demand)
{
    static const size_t widths[] = {1, 4, 8};
    size_t content = TARN__FILE_HEADER_BYTES + TARN__BLOCK_HEADER_BYTES;
    size_t end = file->length - 2 * TARN__BLOCK_HEADER_BYTES;
    size_t width = widths[random_below(&run->random, 3)], at;
    struct file_builder made;

    at = content + (size_t)random_below(&run->random, end - content - 8);
    file_with_number(&made, tarn_slice_of(file->bytes, file->length), at, width,
                     random_next(&run->random) >> random_below(&run->random, 64));
    say(run, "with a forged field", file, at);
    (void)sim_disk_set_size(run->disk, file->path, made.length);
    set(run, file, 0, made.bytes, made.length);
    file_release(&made);
    *demand = NOTHING;
}

/* ------------------------------------------------------------------------------------------
 * All
 */

static void try_each_change(struct run *run, uint64_t step)
{
    for (size_t i = 0; i < run->saved->count; i++) {
        const struct file *file = &run->saved->files[i];

        for (size_t bit = (size_t)random_below(&run->random, step); bit < 8 * file->length;
             bit += step) {
            begin(run);
            flip(run, file, bit);
            judge(run, DURABLE);
        }
        for (size_t length = 0; length < file->length; length += 1 + step / 8) {
            begin(run);
            cut(run, file, length);
            judge(run, ANY_STATE);
        }
        for (unsigned kind = 0; kind < 4; kind++)
            for (size_t at = 0; at < file->length; at += BLOCK / 4) {
                begin(run);
                overwrite(run, file, at, kind);
                judge(run, ANY_STATE);
            }
        for (size_t j = 0; j < run->saved->count; j++) {
            begin(run);
            take_over(run, file, &run->saved->files[j]);
            take_over(run, &run->saved->files[j], file);
            judge(run, ANY_STATE);
        }
        for (unsigned folder = 0; folder < 2; folder++) {
            begin(run);
            unlink_file(run, file, folder);
            judge(run, ANY_STATE);
        }
    }
}

static void try_store(bool closed, uint64_t seed, uint64_t files)
{
    static struct saved saved;
    struct run run = {.saved = &saved, .random = seed};
    size_t bytes = 0;

    make_store(&saved, closed, seed);
    for (size_t i = 0; i < saved.count; i++)
        bytes += saved.files[i].length;
    begin(&run);
    judge(&run, DURABLE);
    try_each_change(&run, 1 + 8 * bytes * 2 / files);
    while (run.tried < files) {
        const struct file *file = &saved.files[random_below(&run.random, saved.count)];
        unsigned changes = 1 + (unsigned)random_below(&run.random, 3);
        enum demand demand = ANY_STATE;

        begin(&run);
        if (run.tried % 2 && is_list(file))
            forge_list(&run, file, &demand);
        else if (run.tried % 2)
            forge_frame(&run, file, &demand);
        else
            while (changes--)
                change(&run);
        judge(&run, demand);
    }
    print_message("a store that was %s: %zu files of %zu bytes, %llu changes, %llu openings "
                  "refused, %llu not\n",
                  saved.how, saved.count, bytes, (unsigned long long)run.tried,
                  (unsigned long long)run.refused, (unsigned long long)run.opened);
    release(&saved);
}

static uint64_t files(void)
{
    return environment_number("TARN_MUTATED_FILES", FILES) *
           environment_number("TARN_TEST_SCALE", 1) / 2;
}

static void test_logs_that_were_closed(void **state)
{
    (void)state;
    try_store(true, environment_number("TARN_SEED", 1), files());
}

static void test_logs_whose_process_was_killed(void **state)
{
    (void)state;
    try_store(false, environment_number("TARN_SEED", 1), files());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs_that_were_closed),
        cmocka_unit_test(test_logs_whose_process_was_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
