/*
 * Calls of the system and allocations that fail under a check and a salvage: they tell it or return
 * it, and nothing that was not read counts as whole. What was read is unchanged, and a salvage that
 * did not get to its end leaves no store with a part in it. (Numbers 13 to 19 and 29 of the list of
 * faults.)
 */
#include "base/memory.h"
#include "format/segment.h"
#include "store/store.h"
#include "support/allocation_fault.h"
#include "support/damaged_store.h"
#include "support/os_fault.h"
#include "support/test_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS 6

/* One call of the two, under which something fails. */
struct attempt {
    const struct tarn__os *os;
    const char *from, *to; /* to: NULL for a check */
    struct tarn_check_summary summary;
    tarn_status status;
    unsigned faults;
};

static void count_fault(void *context, const struct tarn_fault *fault)
{
    struct attempt *attempt = context;

    attempt->faults += fault->status != TARN_OK;
}

static void try(struct attempt *attempt)
{
    const struct tarn_check_options options = {
        .size = sizeof options, .fault = count_fault, .context = attempt};

    attempt->faults = 0;
    attempt->summary = (struct tarn_check_summary){.size = sizeof attempt->summary};
    attempt->status =
        attempt->to ? tarn__store_salvage(attempt->os, attempt->from, attempt->to, &options,
                                          &attempt->summary)
                    : tarn__store_check(attempt->os, attempt->from, &options, &attempt->summary);
}

/* What there is of the new store: all namespaces, or none. */
static void look_at_target(const struct attempt *attempt, const struct attempt *whole)
{
    bool complete = attempt->status == TARN_OK || attempt->summary.faults > 0;
    tarn_store *store;
    tarn_namespace *ns;
    size_t count;
    tarn_status status = tarn_open(attempt->to, STORE_OPTIONS(.read_only = true), &store);

    if (status) { /* it was not even made */
        expect_status(TARN_IO, status);
        expect_that(!complete);
        return;
    }
    expect_ok(tarn_namespace_count(store, &count));
    if (attempt->status == TARN_OUTCOME_UNKNOWN)
        expect_that(count == 0 || count == 3);
    else
        expect_number(complete ? 3 : 0, count);
    if (attempt->status == TARN_OK) {
        expect_ok(tarn_namespace_open(store, text("log"), &ns));
        expect_number(whole->summary.keys - 3, fixture_state_of(ns).keys); /* and 3 in "other" */
        tarn_namespace_close(ns);
        expect_ok(tarn_namespace_open(store, text("test"), &ns));
        expect_number(KEYS + 3, fixture_state_of(ns).keys);
        tarn_namespace_close(ns);
    }
    expect_ok(tarn_close(store));
}

static void judge(const struct attempt *attempt, const struct attempt *whole)
{
    const struct tarn_check_summary *summary = &attempt->summary;

    switch (attempt->status) {
    case TARN_OK: /* the call was one that is not needed, or was made again */
        expect_number(whole->summary.records, summary->records);
        expect_that(summary->bytes <= whole->summary.bytes); /* a size was not to be had */
        expect_number(0, attempt->faults);
        break;
    case TARN_CORRUPT:
        expect_that(summary->faults > 0);
        expect_number(attempt->faults, summary->faults);
        break;
    case TARN_OUTCOME_UNKNOWN:
        expect_that(attempt->to != NULL);
        break;
    case TARN_IO:
    case TARN_FULL:
    case TARN_NO_MEMORY:
    case TARN_READ_ONLY: /* of the log that is filled, once a write to it has failed */
        break;
    default:
        fail_msg("%s", tarn_last_error()->message);
    }
    if (attempt->to)
        look_at_target(attempt, whole);
}

static int no_sync(const struct tarn__os *os, int handle)
{
    (void)os;
    (void)handle;
    return 0;
}

/* The system's, without waiting for the disk. */
static struct tarn__os quick_os(void)
{
    struct tarn__os quick = *tarn__os_posix();

    quick.sync = no_sync;
    quick.directory_sync = no_sync;
    return quick;
}

static void fail_each_call(struct store_folder *f, bool salvages, struct os_fault_plan plan)
{
    const struct tarn__os quick = quick_os();
    uint64_t digest = path_digest(f->path);
    int descriptors = test_open_descriptors();
    char to[STORE_FOLDER_PATH_ROOM];
    struct os_fault fault;
    struct attempt whole = {.os = &quick, .from = f->path}, attempt;
    unsigned failed = 0;
    uint64_t fired;

    plan.nth = 1;
    snprintf(to, sizeof to, "%s", path_around(f, "to"));
    whole.to = salvages ? to : NULL;
    try(&whole);
    expect_ok(whole.status);
    os_fault_init(&fault, &quick);
    attempt = whole;
    attempt.os = &fault.os;
    for (;; plan.nth += salvages ? 3 : 1) {
        (void)test_folder_remove(to); /* it is not there for a check */
        os_fault_arm(&fault, &plan);
        try(&attempt);
        fired = os_fault_fired(&fault);
        os_fault_arm(&fault, NULL);
        judge(&attempt, &whole);
        expect_number(digest, path_digest(f->path));
        expect_number(descriptors, test_open_descriptors());
        failed += attempt.status != TARN_OK;
        if (!fired)
            break;
    }
    expect_that(failed > 20);
    (void)test_folder_remove(to);
}

static void fail_calls(void **state, bool salvages)
{
    const int errors[] = {EIO, EMFILE, ENOSPC};
    struct store_folder *f = *state;

    damaged_store_fill(f, KEYS, 30);
    store_folder_close(f);
    for (unsigned i = 0; i < 6; i++)
        fail_each_call(f, salvages,
                       (struct os_fault_plan){.calls = OS_CALL_ANY,
                                              .effect = OS_FAULT_FAIL,
                                              .error = errors[i / 2],
                                              .lasting = i % 2});
    store_folder_open(f, NULL);
}

static void test_calls_of_check(void **state)
{
    fail_calls(state, false);
}

static void test_calls_of_salvage(void **state)
{
    fail_calls(state, true);
}

/* A medium that cannot read some bytes: of a store that was closed, and of one that was killed, of
 * which nothing says how far its log should go. */
static void fail_reads(const char *path, bool lasting)
{
    const struct tarn__os quick = quick_os();
    struct os_fault_plan plan = {
        .calls = OS_CALL_READ, .effect = OS_FAULT_FAIL, .error = EIO, .nth = 1, .lasting = lasting};
    struct attempt attempt = {.from = path}, whole = {.os = &quick, .from = path};
    unsigned told = 0;
    struct os_fault fault;

    try(&whole);
    expect_ok(whole.status);
    os_fault_init(&fault, &quick);
    attempt.os = &fault.os;
    for (;; plan.nth++) {
        os_fault_arm(&fault, &plan);
        try(&attempt);
        if (!os_fault_fired(&fault))
            break;
        if (attempt.status == TARN_OK) { /* a long read that failed was made again, shorter */
            expect_number(whole.summary.records, attempt.summary.records);
            continue;
        }
        expect_status(TARN_CORRUPT, attempt.status);
        told++;
    }
    expect_that(told > 1);
}

static void test_unreadable(void **state)
{
    struct store_folder *f = *state;
    char copy[STORE_FOLDER_PATH_ROOM];

    damaged_store_fill(f, KEYS, 30);
    snprintf(copy, sizeof copy, "%s", path_around(f, "copy"));
    folder_copy(f->path, copy);
    expect_that(unlink(path_around(f, "copy/snapshots/one.snapshot")) == 0); /* logs come last */
    expect_that(unlink(path_around(f, "copy/snapshots/two.snapshot")) == 0);
    store_folder_close(f);
    for (unsigned lasting = 0; lasting < 2; lasting++) {
        fail_reads(f->path, lasting);
        fail_reads(copy, lasting);
    }
    store_folder_open(f, NULL);
}

/* ------------------------------------------------------------------------------------------
 * Deletes that are read before what they delete
 */

/* Adds a compacted segment to a log that holds nothing but the delete of a key, newer than all. */
static void add_delete(const char *list_path, struct tarn_slice key)
{
    const uint64_t sequence = 100000;
    char path[STORE_FOLDER_PATH_ROOM];
    struct tarn_buf bytes = file_read(list_path);
    struct tarn__segment_entry entries[8], *entry;
    struct tarn__segment_list list;
    struct tarn__segment_head head = {
        .origin = TARN__SEGMENT_COMPACTED, .as_of = sequence + 1, .base_sequence = 1};
    const struct tarn__frame frame = {.kind = TARN__FRAME_DELETE,
                                      .record = {.key = key, .info.sequence = sequence}};
    uint8_t segment[512] = {0};
    struct tarn__frame_segment frames = {.base_sequence = 1};

    expect_ok(tarn__segment_list_decode(bytes.data, bytes.length, list_path, &list));
    expect_that(list.count < 8);
    memcpy(entries, list.entries, list.count * sizeof *entries);
    entry = &entries[list.count];
    *entry = (struct tarn__segment_entry){
        .number = list.next_number, .first_granule = 5000, .granules = 1};
    memset(entry->identity, 0x5a, sizeof entry->identity);
    memcpy(head.store, list.store, sizeof head.store);
    head.namespace_number = list.namespace_number;
    head.number = entry->number;
    frames.seed = tarn__frame_seed(entry->identity);
    tarn__segment_head_write(&head, entry->identity, segment);
    tarn__frame_write(&frames, &frame, TARN__SEGMENT_HEAD, segment + TARN__SEGMENT_HEAD);
    entry->sealed_bytes = TARN__SEGMENT_HEAD + tarn__frame_bytes(&frames, &frame);
    snprintf(path, sizeof path, "%.*s/%u.segment", (int)(strrchr(list_path, '/') - list_path),
             list_path, (unsigned)entry->number);
    file_write(path, segment, entry->sealed_bytes);

    tarn__free(list.entries);
    list.entries = entries;
    list.count++;
    list.next_number++;
    free(bytes.data);
    bytes = (struct tarn_buf){0};
    expect_ok(tarn__segment_list_encode(&list, entry->identity, &bytes));
    file_write(list_path, bytes.data, bytes.length);
    tarn_buf_release(&bytes);
}

static void test_deletes_of_compacted_segments(void **state)
{
    struct store_folder *f = *state;
    char key[NUMBERED_KEY_ROOM], to[STORE_FOLDER_PATH_ROOM];
    struct store_files files;
    struct told told = {0};
    tarn_store *store;
    tarn_namespace *ns;

    damaged_store_fill(f, KEYS, 30);
    store_folder_close(f);
    store_files_find(&files, f->path);
    add_delete(store_files_named(&files, "/3/segments"), numbered_key(key, KEYS + 1));
    snprintf(to, sizeof to, "%s", path_around(f, "to"));
    expect_ok(salvage_told(f->path, to, &told));
    for (unsigned i = 0; i < 3; i++) { /* as an opening has it, also of what was salvaged */
        expect_ok(tarn_open(i ? to : f->path, NULL, &store));
        expect_ok(tarn_namespace_open(store, text("log"), &ns));
        expect_absent(ns, numbered_key(key, KEYS + 1));
        expect_ok(tarn_exists(ns, numbered_key(key, KEYS + 2)));
        tarn_namespace_close(ns);
        expect_ok(tarn_close(store));
    }
    store_folder_open(f, NULL);
}

/* ------------------------------------------------------------------------------------------
 * Allocations
 */

static void fail_allocations(void **state, bool salvages)
{
    struct store_folder *f = *state;
    const struct tarn__os quick = quick_os();
    struct attempt whole = {.os = &quick, .from = f->path}, attempt;
    char to[STORE_FOLDER_PATH_ROOM];
    uint64_t nth = 0, digest, fired;

    damaged_store_fill(f, KEYS, 30);
    store_folder_close(f);
    digest = path_digest(f->path);
    snprintf(to, sizeof to, "%s", path_around(f, "to"));
    whole.to = salvages ? to : NULL;
    try(&whole);
    expect_ok(whole.status);
    attempt = whole;
    do {
        (void)test_folder_remove(to);
        allocation_fault_arm(++nth, false);
        allocation_fault_resume();
        try(&attempt);
        allocation_fault_pause();
        fired = allocation_fault_fired();
        allocation_fault_arm(0, false);
        if (fired)
            expect_that(attempt.status == TARN_NO_MEMORY || attempt.status == TARN_OK ||
                        attempt.status == TARN_OUTCOME_UNKNOWN);
        judge(&attempt, &whole);
        expect_number(digest, path_digest(f->path));
    } while (fired);
    expect_that(nth > 20);
    (void)test_folder_remove(to);
    store_folder_open(f, NULL);
}

static void test_allocations_of_check(void **state)
{
    fail_allocations(state, false);
}

static void test_allocations_of_salvage(void **state)
{
    fail_allocations(state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_FOLDER_TEST(test_calls_of_check),
        STORE_FOLDER_TEST(test_calls_of_salvage),
        STORE_FOLDER_TEST(test_unreadable),
        STORE_FOLDER_TEST(test_allocations_of_check),
        STORE_FOLDER_TEST(test_allocations_of_salvage),
        STORE_FOLDER_TEST(test_deletes_of_compacted_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
