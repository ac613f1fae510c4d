/*
 * Processes that are killed while they save: see tour_restart.h.
 *
 * The state of a round is known from its number alone: a key is a record's index, and in each round
 * one key of CYCLE is deleted, and the one of CYCLE that was deleted in the round before is
 * inserted again, with a value that depends on the round. All of it, and the round's number, is one
 * batch in the namespace "states"; then a counter in "rounds" is incremented. So a cut of the store
 * holds exactly the state of one round, and the counter is that round's or one behind.
 *
 * One thread changes, another saves all the time, and after each save reports the round that was
 * complete when it began: what is found later must not be older.
 */
#include "tour_process.h"
#include "tour_report.h"
#include "tour_restart.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLS           10
#define CYCLE           8
#define FIRST_ROUND     CYCLE /* by then each key has been deleted once */
#define RECORDS_MAX     8192
#define VALUE_BYTES_MAX 1000
#define WAIT_NS_MAX     80000000 /* between a process' beginning and its end */

static const struct tarn_slice snapshot_name = {"states", 6};
static const struct tarn_slice states_name = {"states", 6};
static const struct tarn_slice rounds_name = {"rounds", 6};
static const struct tarn_slice round_key = {"round", 5}; /* the others have 4 bytes */

/* ---- states ---- */

/* A store that holds a state. */
struct states {
    const struct tour_input *input;
    tarn_store *store;
    tarn_namespace *states;
    tarn_namespace *rounds;
};

/* Room for a value with the round it was written in. */
struct stamped {
    unsigned char bytes[sizeof(uint64_t) + VALUE_BYTES_MAX];
};

static bool is_present(uint64_t round, uint32_t index)
{
    return (index + round) % CYCLE != 0;
}

/* The round in which a key was inserted that is present. */
static uint64_t inserted_in(uint64_t round, uint32_t index)
{
    return round - ((index + round) % CYCLE - 1);
}

static struct tarn_slice stamp(const struct states *states, uint32_t index, uint64_t round,
                               struct stamped *stamped)
{
    struct tarn_slice value = states->input->records[index].value;
    const unsigned char *bytes = value.data;

    memcpy(stamped->bytes, &round, sizeof round);
    for (size_t i = 0; i < value.length; i++)
        stamped->bytes[sizeof round + i] = bytes[i] ^ (unsigned char)round;
    return tarn_slice_of(stamped->bytes, sizeof round + value.length);
}

/* Brings the store from the round before to this one; all of it, where there was none before. */
static void write_round(const struct states *states, tarn_batch *batch, uint64_t round)
{
    struct stamped stamped;
    struct tarn_slice key;

    tarn_batch_clear(batch);
    tour_expect(tarn_batch_set(batch, round_key, tarn_slice_of(&round, sizeof round)),
                "adding to a batch");
    for (uint32_t index = 0; index < states->input->count; index++) {
        key = tarn_slice_of(&index, sizeof index);
        if (!is_present(round, index) && round != FIRST_ROUND)
            tour_expect(tarn_batch_delete(batch, key), "adding to a batch");
        if (is_present(round, index) &&
            (round == FIRST_ROUND || inserted_in(round, index) == round))
            tour_expect(tarn_batch_insert(
                            batch, key, stamp(states, index, inserted_in(round, index), &stamped)),
                        "adding to a batch");
    }
    tour_expect(tarn_batch_commit(states->states, batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL),
                "committing a round of changes");
    tour_expect(
        tarn_increment(states->rounds, round_key, round == FIRST_ROUND ? FIRST_ROUND : 1, NULL),
        "incrementing a counter");
}

/* The round whose state the store holds, as its record says. */
static uint64_t read_round(const struct states *states)
{
    struct tarn_buf value = {0};
    uint64_t round;

    tour_expect(tarn_get(states->states, round_key, &value, NULL), "getting the round's number");
    if (value.length != sizeof round)
        tour_fail("a round's number came back with %zu bytes", value.length);
    memcpy(&round, value.data, sizeof round);
    tarn_buf_release(&value);
    return round;
}

static void expect_counter(const struct states *states, uint64_t round)
{
    int64_t sum = 0;

    tour_expect(tarn_increment(states->rounds, round_key, 0, &sum), "reading a counter");
    if (sum != (int64_t)round && sum != (int64_t)round - 1)
        tour_fail("the counter is at %" PRId64 " where the other namespace is at round %" PRIu64,
                  sum, round);
    if (sum != (int64_t)round)
        tour_expect(tarn_increment(states->rounds, round_key, 1, NULL), "incrementing a counter");
}

/* Compares every byte with the state of the round that the store says it is at. */
static uint64_t expect_one_state(const struct states *states, uint32_t *records)
{
    uint64_t round = read_round(states);
    struct stamped stamped;
    struct tarn_slice key, value;
    tarn_cursor *cursor = NULL;
    uint32_t index, seen = 0, wanted = 0;
    tarn_status status;

    tour_expect(tarn_cursor_open(states->states, NULL, &cursor), "opening a cursor");
    while ((status = tarn_cursor_next(cursor, &key, &value, NULL)) == TARN_OK) {
        if (tour_compare(key, round_key) == 0)
            continue;
        if (key.length != sizeof index)
            tour_fail("after a kill there is a key that nobody stored");
        memcpy(&index, key.data, sizeof index);
        if (index >= states->input->count || !is_present(round, index))
            tour_fail("after a kill there is key %" PRIu32 ", which round %" PRIu64 " has not",
                      index, round);
        if (tour_compare(value, stamp(states, index, inserted_in(round, index), &stamped)) != 0)
            tour_fail("after a kill key %" PRIu32 " has not its value of round %" PRIu64, index,
                      round);
        seen++;
    }
    if (status != TARN_CURSOR_END)
        tour_expect(status, "walking over a state");
    tarn_cursor_close(cursor);
    for (index = 0; index < states->input->count; index++)
        wanted += is_present(round, index);
    if (seen != wanted || tour_keys(states->states) != wanted + 1)
        tour_fail("after a kill there are %" PRIu32 " keys of %" PRIu32 " in round %" PRIu64, seen,
                  wanted, round);
    expect_counter(states, round);
    *records = wanted;
    return round;
}

static void open_states(struct states *states, const char *dir)
{
    const struct tarn_options options = {.size = sizeof options, .load = TARN_LOAD_NEWEST};

    tour_expect(tarn_open(dir, &options, &states->store), "opening a store that was killed");
    tour_expect(tarn_namespace_open(states->store, states_name, &states->states),
                "opening a namespace");
    tour_expect(tarn_namespace_open(states->store, rounds_name, &states->rounds),
                "opening a namespace");
}

static void close_states(struct states *states)
{
    tarn_namespace_close(states->states);
    tarn_namespace_close(states->rounds);
    tour_expect(tarn_close(states->store), "closing the store");
}

/* ---- the process that is killed ---- */

struct writer {
    const struct states *states;
    atomic_uint_fast64_t round; /* the last one that is complete */
};

static void *write_rounds(void *argument)
{
    struct writer *writer = argument;
    tarn_batch *batch = NULL;

    tour_expect(tarn_batch_create(&batch), "making a batch");
    for (uint64_t round = atomic_load(&writer->round) + 1;; round++) {
        write_round(writer->states, batch, round);
        atomic_store(&writer->round, round);
    }
    return NULL;
}

int tour_save_process(const char *dir, int input_file, int reports)
{
    struct tour_input input;
    struct states states = {.input = &input};
    struct writer writer = {.states = &states};
    uint32_t records;
    uint64_t round;
    pthread_t thread;

    tour_process_take_over(&input, input_file);
    open_states(&states, dir);
    round = expect_one_state(&states, &records);
    atomic_store(&writer.round, round);
    if (pthread_create(&thread, NULL, write_rounds, &writer) != 0)
        tour_fail("cannot start a thread");
    for (;;) {
        tour_process_report(reports, &round, sizeof round);
        round = atomic_load(&writer.round);
        tour_expect(tarn_snapshot_save(states.store, snapshot_name, NULL), "saving a snapshot");
    }
}

/* ---- the process that kills ---- */

/* Some of the records, with the beginnings of their values. */
static struct tour_input sample(const struct tour *tour)
{
    size_t count = tour->input->count < RECORDS_MAX ? tour->input->count : RECORDS_MAX;
    struct tour_input sample = {.count = count, .groups = tour->input->groups, .group_count = 1};

    sample.records = tour_allocate(count, sizeof sample.records[0]);
    for (size_t i = 0; i < count; i++) {
        sample.records[i] = tour->input->records[tour->order[i]];
        sample.records[i].group = 0;
        if (sample.records[i].value.length > VALUE_BYTES_MAX)
            sample.records[i].value.length = VALUE_BYTES_MAX;
    }
    return sample;
}

/* Makes the store with its first state; returns how long it takes to save one. */
static uint64_t make_states(const struct states *wanted, const char *dir)
{
    struct states states = *wanted;
    tarn_batch *batch = NULL;
    uint64_t began;

    tour_expect(tarn_open(dir, NULL, &states.store), "opening a store in a folder");
    tour_expect(tarn_namespace_create(states.store, states_name, NULL, &states.states),
                "creating a namespace");
    tour_expect(tarn_namespace_create(states.store, rounds_name, NULL, &states.rounds),
                "creating a namespace");
    tour_expect(tarn_batch_create(&batch), "making a batch");
    write_round(&states, batch, FIRST_ROUND);
    tarn_batch_free(batch);
    began = tour_now_ns();
    tour_expect(tarn_snapshot_save(states.store, snapshot_name, NULL), "saving a snapshot");
    began = tour_now_ns() - began;
    close_states(&states);
    return began;
}

/* How many files there are that somebody began to write. */
static unsigned unfinished(const char *dir)
{
    char *path = NULL;
    DIR *folder = asprintf(&path, "%s/snapshots", dir) < 0 ? NULL : opendir(path);
    const struct dirent *entry;
    unsigned count = 0;

    if (!folder)
        tour_fail("cannot read %s/snapshots: %s", dir, strerror(errno));
    while ((entry = readdir(folder)))
        count += strncmp(entry->d_name, ".new-", 5) == 0;
    closedir(folder);
    free(path);
    return count;
}

/* Starts a process, kills it at a moment up to wait_ns after it began to save, and returns the
 * last round that it has reported as saved. */
static uint64_t kill_one(const char *dir, int input, uint64_t wait_ns, struct tour_kills *kills)
{
    struct tour_process process = tour_process_start(TOUR_ROLE_SAVE, dir, input);
    struct timespec moment;
    uint64_t saved = 0, later;
    int status;

    if (tour_process_read(&process, &saved, sizeof saved)) {
        wait_ns = tour_now_ns() % 1000003 * wait_ns / 1000003; /* as good as random */
        moment = (struct timespec){.tv_nsec = (long)wait_ns};
        nanosleep(&moment, NULL);
        kill(process.id, SIGKILL);
        for (; tour_process_read(&process, &later, sizeof later); kills->saves++)
            saved = later;
    }
    status = tour_process_wait(&process);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        tour_fail("a process that saves in %s ended before it was killed (its status is 0x%x)", dir,
                  (unsigned)status);
    return saved;
}

static void kill_and_open(const struct states *wanted, const char *dir, uint64_t wait_ns,
                          struct tour_kills *kills)
{
    int input = tour_process_hand_over(wanted->input);
    struct states states = *wanted;
    uint64_t saved, round;
    char line[64];

    for (; kills->kills < KILLS; kills->kills++) {
        snprintf(line, sizeof line, "kill a process that saves: %u of %d", kills->kills + 1, KILLS);
        tour_say(line);
        saved = kill_one(dir, input, wait_ns, kills);
        kills->inside += unfinished(dir) > 0;
        open_states(&states, dir);
        round = expect_one_state(&states, &kills->records);
        if (round < saved)
            tour_fail("after kill %u the store is at round %" PRIu64 ", but %" PRIu64 " was saved",
                      kills->kills + 1, round, saved);
        close_states(&states);
        if (unfinished(dir) > 0)
            tour_fail("opening a store left a file in %s/snapshots that was never finished", dir);
    }
    close(input);
}

/* Takes everything out of the store again. */
static void remove_states(const char *dir)
{
    tarn_store *store = NULL;

    tour_expect(tarn_open(dir, NULL, &store), "opening the store");
    tour_expect(tarn_namespace_drop(store, states_name), "dropping a namespace");
    tour_expect(tarn_namespace_drop(store, rounds_name), "dropping a namespace");
    tour_expect(tarn_snapshot_delete(store, snapshot_name), "deleting a snapshot");
    tour_expect(tarn_close(store), "closing the store");
}

struct tour_kills tour_kill(const struct tour *tour, const char *dir)
{
    struct tour_input input = sample(tour);
    struct states states = {.input = &input};
    struct tour_kills kills = {0};
    uint64_t wait_ns;

    tour_begin("kill a process that saves, open and compare", 0);
    wait_ns = 4 * make_states(&states, dir);
    kill_and_open(&states, dir, wait_ns < WAIT_NS_MAX ? wait_ns : WAIT_NS_MAX, &kills);
    remove_states(dir);
    tour_end(kills.kills);
    free(input.records);
    return kills;
}
