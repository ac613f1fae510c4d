/* A log and what it should hold; see the header. */
#include "support/log_model.h"
#include "base/status.h"
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX   90
#define LARGE_VALUE 5000

static const uint8_t store_identity[TARN__IDENTITY_BYTES] = "log model";

/* ------------------------------------------------------------------------------------------
 * Keys and values
 */

static struct tarn_slice key_of(unsigned key, char room[16])
{
    return tarn_slice_of(room, (size_t)snprintf(room, 16, "key %u", key));
}

/* The put's number, and bytes that follow from it. */
static struct tarn_slice value_of(unsigned number, size_t length, uint8_t *room)
{
    uint64_t random = number;

    memcpy(room, &number, sizeof number);
    for (size_t i = sizeof number; i < length; i++)
        room[i] = (uint8_t)random_next(&random);
    return tarn_slice_of(room, length);
}

static bool value_is_right(struct tarn_slice value, unsigned *number)
{
    uint8_t *room = malloc(value.length + 1);
    bool right = room && value.length >= sizeof *number;

    if (right) {
        memcpy(number, value.data, sizeof *number);
        right = memcmp(value_of(*number, value.length, room).data, value.data, value.length) == 0;
    }
    free(room);
    return right;
}

/* ------------------------------------------------------------------------------------------
 * Opening
 */

/* What is seen of each key while the log is read. */
struct sight {
    uint64_t sequence, location;
    unsigned number; /* of the put */
};

struct reader {
    struct log_model *model;
    struct sight sights[LOG_KEYS];
};

static tarn_status see(struct reader *reader, const struct tarn__record *record, uint64_t location,
                       unsigned number)
{
    char text[16] = {0};
    unsigned key;

    memcpy(text, record->key.data, record->key.length < 15 ? record->key.length : 15);
    if (sscanf(text, "key %u", &key) != 1 || key >= LOG_KEYS)
        return tarn__fail(TARN_INVALID_ARGUMENT, "a key that nobody wrote: '%s'", text);
    if (record->info.sequence >= reader->sights[key].sequence)
        reader->sights[key] = (struct sight){record->info.sequence, location, number};
    return TARN_OK;
}

static tarn_status put(void *context, const struct tarn__record *record, uint64_t location)
{
    unsigned number;

    if (!value_is_right(record->value, &number))
        return tarn__fail(TARN_INVALID_ARGUMENT, "a value that nobody wrote");
    return see(context, record, location, number);
}

static tarn_status take_away(void *context, const struct tarn__record *record, bool lasts)
{
    (void)lasts;
    return see(context, record, 0, 0);
}

static uint64_t monotonic_ns(const void *context)
{
    const struct tarn__os *os = context;

    return os->monotonic_ns(os);
}

static tarn_status open_log(struct log_model *model, bool read_only, struct reader *reader)
{
    const struct tarn__log_visitor visitor = {.context = reader, .put = put, .remove = take_away};
    tarn_status status =
        tarn__segments_open(&model->log.segments, model->directory, model->os,
                            &model->environment.granules, store_identity, 7, read_only);

    if (status)
        return status;
    status = tarn__log_open(&model->log, &visitor, &model->opening);
    if (status)
        tarn__segments_close(&model->log.segments);
    return status;
}

tarn_status log_model_open(struct log_model *model, const char *path, bool read_only)
{
    struct reader reader = {.model = model};
    tarn_status status = tarn__directory_open(model->os, path, &model->directory);

    if (status)
        return status;
    memset(&model->environment, 0, sizeof model->environment);
    memset(&model->log, 0, sizeof model->log);
    model->environment.os = model->os;
    model->log.environment = &model->environment;
    model->log.segment_bytes = model->segment_bytes;
    status = tarn__granules_init(&model->environment.granules);
    if (!status)
        status = tarn__jobs_init(&model->environment.quick, monotonic_ns, model->os);
    if (!status) {
        status = open_log(model, read_only, &reader);
        if (status) {
            tarn__jobs_stop(&model->environment.quick);
            tarn__granules_release(&model->environment.granules);
        }
    }
    if (status) {
        (void)tarn__directory_close(model->directory);
        return status;
    }
    atomic_store(&model->environment.sequence, model->opening.sequence);
    for (unsigned i = 0; i < LOG_KEYS; i++) {
        model->found.keys[i] = reader.sights[i].number;
        model->locations[i] = reader.sights[i].location;
        model->live[i] = reader.sights[i].location;
        model->sequences[i] = reader.sights[i].sequence;
    }
    model->is_open = true;
    if (!read_only)
        tarn__log_set_mode(&model->log, model->mode, 1);
    atomic_store(&model->log.prepare.wanted_now, model->by_hand); /* then waking it does nothing */
    return TARN_OK;
}

tarn_status log_model_create(struct log_model *model, const char *path)
{
    tarn_status status = tarn__directory_open(model->os, path, &model->directory);

    if (status)
        return status;
    status = tarn__segments_create(model->directory, model->os, store_identity, 7);
    (void)tarn__directory_close(model->directory);
    return status ? status : log_model_open(model, path, false);
}

tarn_status log_model_close(struct log_model *model, bool with_end)
{
    tarn_status status = with_end ? tarn__log_end(&model->log) : TARN_OK;

    if (!model->log.segments.read_only)
        tarn__log_release(&model->log);
    tarn__segments_close(&model->log.segments);
    tarn__jobs_stop(&model->environment.quick);
    tarn__granules_release(&model->environment.granules);
    (void)tarn__directory_close(model->directory);
    model->is_open = false;
    if (!status && with_end)
        model->durable = model->acknowledged;
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Writing
 */

/* Returns the number of the key. */
static unsigned plan_write(struct log_model *model, uint64_t *random, bool large,
                           struct tarn__write *write, char key_room[16], uint8_t *value_room)
{
    unsigned key = (unsigned)random_below(random, LOG_KEYS);
    size_t length = large ? LARGE_VALUE : sizeof(unsigned) + random_below(random, VALUE_MAX);

    *write = (struct tarn__write){.record.key = key_of(key, key_room),
                                  .removes = !large && random_below(random, 4) == 0};
    if (!write->removes)
        write->record.value = value_of(++model->puts, length, value_room);
    model->states[model->done].keys[key] = write->removes ? 0 : model->puts;
    return key;
}

/* A key has another record. */
static void apply(struct log_model *model, unsigned key, uint64_t location)
{
    if (model->live[key])
        tarn__segment_count_stale(&model->environment.granules, model->live[key]);
    model->live[key] = location;
}

tarn_status log_model_write(struct log_model *model, uint64_t *random, bool large)
{
    size_t count =
        large || random_below(random, 3) ? 1 : 2 + random_below(random, LOG_BATCH_MAX - 1);
    struct tarn__write writes[LOG_BATCH_MAX];
    unsigned numbers[LOG_BATCH_MAX];
    char keys[LOG_BATCH_MAX][16];
    uint8_t *values = malloc(LOG_BATCH_MAX * (size_t)LARGE_VALUE);
    uint64_t position;
    tarn_status status = values ? TARN_OK : TARN_NO_MEMORY;

    if (status)
        return status;
    model->done++;
    model->states[model->done] = model->states[model->done - 1];
    for (size_t i = 0; i < count; i++)
        numbers[i] =
            plan_write(model, random, large, &writes[i], keys[i], values + i * LARGE_VALUE);
    status = tarn__log_append(&model->log, writes, count, &position);
    if (status)
        model->done--; /* it was refused */
    for (size_t i = 0; i < count && !status; i++)
        apply(model, numbers[i], writes[i].removes ? 0 : writes[i].location);
    if (!status && model->mode == TARN_SYNC_ALWAYS)
        status = tarn__log_wait(&model->log, position);
    if (!status) {
        model->acknowledged = model->done;
        if (model->mode == TARN_SYNC_ALWAYS)
            model->durable = model->done;
    }
    free(values);
    return status;
}

void log_model_run_jobs(struct log_model *model)
{
    model->log.prepare.run(model->log.prepare.context);
}

tarn_status log_model_sync(struct log_model *model)
{
    unsigned acknowledged = model->acknowledged;
    tarn_status status = tarn__log_sync(&model->log);

    if (!status && model->durable < acknowledged)
        model->durable = acknowledged;
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Judging
 */

int log_model_match(struct log_model *model, unsigned least)
{
    for (unsigned done = model->done + 1; done-- > least;)
        if (memcmp(&model->states[done], &model->found, sizeof model->found) == 0) {
            model->done = model->acknowledged = done;
            if (model->durable > done)
                model->durable = done;
            return (int)done;
        }
    snprintf(model->problem, sizeof model->problem,
             "what was found is no state from operation %u to %u", least, model->done);
    return -1;
}

/* Whether at a location there is the record of a key with the put of a number. */
static bool record_is_right(struct log_model *model, unsigned key, uint64_t location, unsigned put,
                            uint64_t *sequence)
{
    const struct tarn__segment *segment = tarn__segment_of(&model->environment.granules, location);
    uint64_t offset = tarn__segment_offset(segment, location);
    const uint8_t *bytes = segment->bytes + offset;
    struct tarn__record record;
    size_t length = tarn__frame_peek(&segment->frames, bytes, segment->size - offset, &record);
    char room[16];
    struct tarn_slice wanted = key_of(key, room);
    unsigned number;

    return length && tarn__frame_verify(&segment->frames, offset, bytes, length) &&
           record.key.length == wanted.length &&
           memcmp(record.key.data, wanted.data, wanted.length) == 0 &&
           value_is_right(record.value, &number) && number == put &&
           (*sequence = record.info.sequence) != 0;
}

static bool live_records_are_right(struct log_model *model)
{
    const struct log_state *now = &model->states[model->done];
    uint64_t sequence;

    for (unsigned i = 0; i < LOG_KEYS; i++)
        if (!model->live[i] != !now->keys[i] ||
            (model->live[i] &&
             !record_is_right(model, i, model->live[i], now->keys[i], &sequence))) {
            snprintf(model->problem, sizeof model->problem, "key %u is not as it was written", i);
            return false;
        }
    return true;
}

bool log_model_locations_are_right(struct log_model *model)
{
    uint64_t sequence = 0;

    for (unsigned i = 0; i < LOG_KEYS; i++)
        if (model->found.keys[i] &&
            !(record_is_right(model, i, model->locations[i], model->found.keys[i], &sequence) &&
              sequence == model->sequences[i])) {
            snprintf(model->problem, sizeof model->problem, "key %u is not where it should be", i);
            return false;
        }
    return true;
}

/* ------------------------------------------------------------------------------------------
 * Compacting
 */

static tarn_status judge(void *context, struct tarn__met *met, size_t count)
{
    struct log_model *model = context;

    for (size_t i = 0; i < count; i++) {
        char text[16] = {0};
        unsigned key = LOG_KEYS;

        memcpy(text, met[i].key.data, met[i].key.length < 15 ? met[i].key.length : 15);
        if (sscanf(text, "key %u", &key) != 1 || key >= LOG_KEYS)
            return tarn__fail(TARN_INVALID_ARGUMENT, "a key that nobody wrote: '%s'", text);
        met[i].hash = key;
        met[i].needed = met[i].removes ? !model->live[key] : model->live[key] == met[i].location;
    }
    return TARN_OK;
}

static tarn_status relocate(void *context, struct tarn__move *moves, size_t count, size_t *done)
{
    struct log_model *model = context;

    for (*done = 0; *done < count; (*done)++) {
        struct tarn__move *move = &moves[*done];

        if (model->live[move->hash] == move->from)
            model->live[move->hash] = move->to;
        else
            move->from = 0;
    }
    return TARN_OK;
}

static void settle(void *context)
{
    (void)context; /* all is done by one thread */
}

/* Keeps segments from being compacted, each with a chance of 1 in so many; 0: none. */
static void spare(struct log_model *model, uint64_t *random, uint64_t chance)
{
    for (size_t i = 0; i < model->log.segments.count; i++)
        model->log.segments.all[i]->damaged = chance && random_below(random, chance) == 0;
}

tarn_status log_model_compact(struct log_model *model, bool all, uint64_t *random)
{
    const struct tarn__mover mover = {
        .context = model, .judge = judge, .relocate = relocate, .settle = settle};
    struct tarn__compaction compaction = {.mover = &mover, .all = all};
    unsigned acknowledged = model->acknowledged;
    tarn_status status;

    atomic_store(&model->log.compact_bytes, 1);
    atomic_store(&model->log.compact_percent, 1 + (uint32_t)random_below(random, 60));
    spare(model, random, all ? 0 : 2);
    status = tarn__log_compact(&model->log, &compaction);
    spare(model, random, 0);
    if (status)
        return status;
    if (all && model->durable < acknowledged)
        model->durable = acknowledged;
    return live_records_are_right(model) ? TARN_OK : tarn__fail(TARN_CORRUPT, "%s", model->problem);
}
