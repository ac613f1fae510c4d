/* The stages in which two threads work at the same time: see tour_stages.h. */
#include "tour_report.h"
#include "tour_stages.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS             2000 /* batches that are written while cuts are read */
#define WORK_BETWEEN_SIZES 2000 /* operations of the two threads between two resizes */

static pthread_t start(void *(*run)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, argument) != 0)
        tour_fail("cannot start a thread");
    return thread;
}

static void join(pthread_t thread)
{
    if (pthread_join(thread, NULL) != 0)
        tour_fail("cannot wait for a thread");
}

/* ---- cuts ---- */

struct cuts {
    tarn_namespace *ns;
    struct tarn_slice keys[TOUR_GROUP];
    size_t count;
    atomic_bool begun;
    atomic_bool done;
};

/* Writes the round's number to all keys, as one batch each round. */
static void *write_rounds(void *argument)
{
    struct cuts *cuts = argument;
    tarn_batch *batch = NULL;

    tour_expect(tarn_batch_create(&batch), "making a batch");
    while (!atomic_load(&cuts->begun))
        sched_yield();
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        tarn_batch_clear(batch);
        for (size_t i = 0; i < cuts->count; i++)
            tour_expect(tarn_batch_set(batch, cuts->keys[i], tarn_slice_of(&round, sizeof round)),
                        "adding to a batch");
        tour_expect(tarn_batch_commit(cuts->ns, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL),
                    "committing a batch");
    }
    atomic_store(&cuts->done, true);
    tarn_batch_free(batch);
    return NULL;
}

/* Reads all keys as one cut and returns the round that they are of. */
static uint64_t read_round(struct cuts *cuts, struct tarn_buf *values)
{
    struct tarn_result results[TOUR_GROUP];
    uint64_t round = 0;
    uint64_t other;

    tour_expect(
        tarn_get_many(cuts->ns, TARN_ALL_OR_NOTHING, cuts->keys, cuts->count, results, values),
        "reading a cut");
    for (size_t i = 0; i < cuts->count; i++) {
        if (results[i].value.length != sizeof other)
            tour_fail("a value of %zu bytes came back with %zu", sizeof other,
                      results[i].value.length);
        memcpy(&other, results[i].value.data, sizeof other);
        if (i > 0 && other != round)
            tour_fail("a read saw half a batch: rounds %" PRIu64 " and %" PRIu64, round, other);
        round = other;
    }
    return round;
}

void tour_consistent_reads(struct tour *tour)
{
    struct cuts cuts = {.ns = tour_namespace(tour, "rounds")};
    struct tarn_buf values = {0};
    uint64_t before = 0;
    uint64_t reads = 0;
    pthread_t writer;

    cuts.count = tour->input->count < TOUR_GROUP ? tour->input->count : TOUR_GROUP;
    for (size_t i = 0; i < cuts.count; i++) {
        cuts.keys[i] = tour->input->records[tour->order[i]].key;
        tour_expect(
            tarn_set(cuts.ns, cuts.keys[i], tarn_slice_of(&before, sizeof before), NULL, NULL),
            "storing a value");
    }
    writer = start(write_rounds, &cuts);
    tour_begin("get_many of 64 while batches of 64 are written", 0);
    atomic_store(&cuts.begun, true);
    do {
        uint64_t round = read_round(&cuts, &values);

        if (round < before)
            tour_fail("a read went back from round %" PRIu64 " to %" PRIu64, before, round);
        before = round;
        reads++;
    } while (!atomic_load(&cuts.done));
    tour_end(reads * cuts.count);
    join(writer);
    if (read_round(&cuts, &values) != ROUNDS)
        tour_fail("the last batch is not there");
    tarn_buf_release(&values);
    tarn_namespace_close(cuts.ns);
    tour_expect(tarn_namespace_drop(tour->store, tarn_slice_of("rounds", 6)),
                "dropping a namespace");
}

/* ---- the queue ---- */

struct queue {
    tarn_namespace *ns;
    const struct tour_input *input;
    atomic_uchar *taken; /* for each record: how often it was taken */
};

/* Takes whatever a cursor comes by, until there is nothing left. */
static void *drain(void *argument)
{
    struct queue *queue = argument;
    struct tarn_buf value = {0};
    tarn_cursor *cursor = NULL;
    struct tarn_slice key;
    uint32_t index;
    tarn_status status;

    tour_expect(tarn_cursor_open(queue->ns, NULL, &cursor), "opening a cursor");
    while ((status = tarn_cursor_next(cursor, &key, NULL, NULL)) == TARN_OK) {
        status = tarn_consume(queue->ns, key, &value);
        if (status == TARN_KEY_NOT_FOUND)
            continue; /* the other worker has it */
        tour_expect(status, "consuming an item");
        if (value.length != sizeof index)
            tour_fail("an item of %zu bytes came back with %zu", sizeof index, value.length);
        memcpy(&index, value.data, sizeof index);
        if (index >= queue->input->count ||
            tour_compare(queue->input->records[index].key, key) != 0)
            tour_fail("an item came with the value of another one");
        atomic_fetch_add(&queue->taken[index], 1);
    }
    if (status != TARN_CURSOR_END)
        tour_expect(status, "walking over the queue");
    tarn_cursor_close(cursor);
    tarn_buf_release(&value);
    return NULL;
}

void tour_queue(struct tour *tour)
{
    const struct tour_input *input = tour->input;
    struct queue queue = {.ns = tour_namespace(tour, "queue"), .input = input};
    pthread_t workers[2];

    queue.taken = tour_allocate(input->count, sizeof queue.taken[0]);
    tour_begin("set, one item of work a record", input->count);
    for (size_t i = 0; i < input->count; i++) {
        uint32_t index = tour->order[i];

        tour_expect(tarn_set(queue.ns, input->records[index].key,
                             tarn_slice_of(&index, sizeof index), NULL, NULL),
                    "storing an item");
        tour_progress(i);
    }
    tour_end(input->count);

    tour_begin("consume, by two workers", 0);
    for (int i = 0; i < 2; i++)
        workers[i] = start(drain, &queue);
    for (int i = 0; i < 2; i++)
        join(workers[i]);
    tour_end(input->count);

    for (size_t i = 0; i < input->count; i++)
        if (queue.taken[i] != 1)
            tour_fail("an item was taken %u times", (unsigned)queue.taken[i]);
    if (tour_keys(queue.ns) != 0)
        tour_fail("the queue is not empty");
    free(queue.taken);
    tarn_namespace_close(queue.ns);
    tour_expect(tarn_namespace_drop(tour->store, tarn_slice_of("queue", 5)),
                "dropping a namespace");
}

/* ---- resizing ---- */

struct work {
    const struct tour *tour;
    atomic_uint_fast64_t done;
    atomic_bool stop;
};

static void *read_on(void *argument)
{
    struct work *work = argument;
    const struct tour_input *input = work->tour->input;
    struct tarn_buf value = {0};

    for (size_t i = 0; !atomic_load(&work->stop); i = (i + 1) % input->count) {
        const struct tour_record *record = &input->records[work->tour->order[i]];

        tour_expect(tarn_get(work->tour->records, record->key, &value, NULL),
                    "getting a record during a resize");
        if (tour_compare(record->value, tarn_slice_of(value.data, value.length)) != 0)
            tour_fail("a record came back with another value during a resize");
        atomic_fetch_add(&work->done, 1);
    }
    tarn_buf_release(&value);
    return NULL;
}

/* Writes to every record what it holds, so that a lost or doubled write shows in the old value. */
static void *write_on(void *argument)
{
    struct work *work = argument;
    const struct tour_input *input = work->tour->input;
    struct tarn_buf old = {0};

    for (size_t i = input->count / 2; !atomic_load(&work->stop); i = (i + 1) % input->count) {
        const struct tour_record *record = &input->records[work->tour->order[i]];

        tour_expect(tarn_update(work->tour->records, record->key, record->value, &old),
                    "updating a record during a resize");
        if (tour_compare(record->value, tarn_slice_of(old.data, old.length)) != 0)
            tour_fail("an update replaced another value during a resize");
        atomic_fetch_add(&work->done, 1);
    }
    tarn_buf_release(&old);
    return NULL;
}

static void wait_for_work(struct work *work)
{
    const struct timespec moment = {.tv_nsec = 50000};
    uint64_t target = atomic_load(&work->done) + WORK_BETWEEN_SIZES;

    while (atomic_load(&work->done) < target)
        nanosleep(&moment, NULL);
}

void tour_resize(struct tour *tour)
{
    static const uint32_t sizes[] = {64, 4096, 1, 7, 256, 16};
    struct tarn_stats stats = {.size = sizeof stats};
    struct work work = {.tour = tour};
    pthread_t reader, writer;

    tour_begin("get and update while the shards are resized", 0);
    reader = start(read_on, &work);
    writer = start(write_on, &work);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        wait_for_work(&work);
        tour_expect(tarn_namespace_resize(tour->records, sizes[i]), "resizing a namespace");
        tour_expect(tarn_namespace_stats(tour->records, &stats, NULL, 0), "asking for the stats");
        if (stats.shards != sizes[i] || stats.keys != tour->input->count)
            tour_fail("after a resize to %" PRIu32 " shards there are %" PRIu32 " with %" PRIu64
                      " keys",
                      sizes[i], stats.shards, stats.keys);
    }
    wait_for_work(&work);
    atomic_store(&work.stop, true);
    join(reader);
    join(writer);
    tour_end(atomic_load(&work.done));
}

/* ---- saving ---- */

static bool expect_saved(void *context, const struct tarn_snapshot_info *info)
{
    struct tour *tour = context;

    if (info->status != TARN_OK || tour_compare(info->name, tarn_slice_of("tour", 4)) != 0 ||
        info->namespace_name.length != 0 || info->sequence != tour->saved.sequence ||
        info->file_bytes != tour->saved.file_bytes)
        tour_fail("the list of snapshots has another one than was saved: %.*s",
                  (int)info->name.length, (const char *)info->name.data);
    return true;
}

void tour_save(struct tour *tour)
{
    const struct tarn_slice name = tarn_slice_of("tour", 4);
    uint64_t keys = tour->input->count + tour->input->group_count;
    struct work work = {.tour = tour};
    pthread_t writer;

    tour->saved.size = sizeof tour->saved;
    writer = start(write_on, &work);
    wait_for_work(&work);
    tour_begin("save a snapshot while records are updated", 0);
    tour_expect(tarn_snapshot_save(tour->store, name, &tour->saved), "saving a snapshot");
    tour_end(tour->saved.keys);
    wait_for_work(&work);
    atomic_store(&work.stop, true);
    join(writer);
    if (tour->saved.keys != keys || tour->saved.namespaces != 2)
        tour_fail("a snapshot has %" PRIu64 " keys in %" PRIu32 " namespaces where there are "
                  "%" PRIu64 " in 2",
                  tour->saved.keys, tour->saved.namespaces, keys);
    tour_expect(tarn_snapshot_list(tour->store, expect_saved, tour), "listing snapshots");
    tour_begin("verify the snapshot", 0);
    tour_expect(tarn_snapshot_verify(tour->store, name), "verifying the snapshot");
    tour_end(keys);
}
