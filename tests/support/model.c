/*
 * The naive map: see model.h. Memory that runs out ends the program: it is a test's.
 */
#include "support/model.h"

#include <stdlib.h>
#include <string.h>

static void *copy_of(const void *bytes, size_t length)
{
    void *copy = malloc(length + 1);

    if (!copy)
        abort();
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

void model_init(struct model *model)
{
    *model = (struct model){.max_value_size = TARN_VALUE_BYTES_MAX};
}

void model_clear(struct model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        free(model->records[i].key);
        free(model->records[i].value);
    }
    model->count = 0;
    model->bytes = 0;
}

void model_release(struct model *model)
{
    model_clear(model);
    free(model->records);
    model_init(model);
}

void model_copy(struct model *model, const struct model *from)
{
    *model = *from;
    model->capacity = from->count + 1;
    model->records = calloc(model->capacity, sizeof *model->records);
    if (!model->records)
        abort();
    for (size_t i = 0; i < from->count; i++) {
        const struct model_record *record = &from->records[i];

        model->records[i] = *record;
        model->records[i].key = copy_of(record->key, record->key_length);
        model->records[i].value = copy_of(record->value, record->value_length);
    }
}

/* As memcmp() on the common part; then the shorter key comes first. */
static int compare(struct tarn_slice key, const struct model_record *record)
{
    size_t common = key.length < record->key_length ? key.length : record->key_length;
    int order = memcmp(key.data, record->key, common);

    if (order)
        return order;
    return (key.length > record->key_length) - (key.length < record->key_length);
}

/* Where the key is, or where it would have to be. */
static size_t place_of(const struct model *model, struct tarn_slice key)
{
    size_t place = 0;

    while (place < model->count && compare(key, &model->records[place]) > 0)
        place++;
    return place;
}

struct model_record *model_find(const struct model *model, struct tarn_slice key)
{
    size_t place = place_of(model, key);

    if (place < model->count && compare(key, &model->records[place]) == 0)
        return &model->records[place];
    return NULL;
}

static void remove_record(struct model *model, struct model_record *record)
{
    model->bytes -= record->key_length + record->value_length;
    free(record->key);
    free(record->value);
    model->count--;
    memmove(record, record + 1, (size_t)(model->records + model->count - record) * sizeof *record);
}

static struct model_record *add_record(struct model *model, struct tarn_slice key)
{
    size_t place = place_of(model, key);
    struct model_record *record;

    if (model->count == model->capacity) {
        model->capacity = 2 * model->capacity + 8;
        model->records = realloc(model->records, model->capacity * sizeof *model->records);
        if (!model->records)
            abort();
    }
    record = &model->records[place];
    memmove(record + 1, record, (model->count - place) * sizeof *record);
    model->count++;
    *record = (struct model_record){.key = copy_of(key.data, key.length), .key_length = key.length};
    model->bytes += key.length;
    return record;
}

/* Stores a value if the limits allow it. record is the key's present one, or NULL. */
static tarn_status store(struct model *model, struct model_record *record, struct tarn_slice key,
                         struct tarn_slice value, enum tarn_content content)
{
    uint64_t bytes = model->bytes + value.length;

    bytes = record ? bytes - record->value_length : bytes + key.length;
    if (!record && model->max_keys && model->count >= model->max_keys)
        return TARN_TOO_MANY_KEYS;
    if (model->max_bytes && bytes > model->max_bytes)
        return TARN_FULL;
    if (!record)
        record = add_record(model, key);
    free(record->value);
    record->value = copy_of(value.data, value.length);
    record->value_length = value.length;
    record->content = content;
    record->sequence = 0;
    record->above = model->highest;
    model->bytes = bytes;
    return TARN_OK;
}

static tarn_status increment(struct model *model, struct model_record *record,
                             const struct model_operation *operation, int64_t *sum)
{
    unsigned char bytes[8];
    uint64_t present = 0;
    int64_t added;
    tarn_status status;

    if (record && record->content != TARN_CONTENT_COUNTER)
        return TARN_NOT_A_COUNTER;
    for (unsigned i = 0; record && i < 8; i++)
        present |= (uint64_t)((unsigned char *)record->value)[i] << (8 * i);
    if (__builtin_add_overflow((int64_t)present, operation->delta, &added))
        return TARN_COUNTER_OVERFLOW;
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)added >> (8 * i));
    status = store(model, record, operation->key, tarn_slice_of(bytes, 8), TARN_CONTENT_COUNTER);
    if (status == TARN_OK)
        *sum = added;
    return status;
}

/* Whether the record is as the operation wants it. */
static tarn_status check_condition(const struct model_record *record,
                                   const struct model_operation *operation)
{
    enum model_action action = operation->action;

    if (action == MODEL_SET || action == MODEL_INCREMENT)
        return TARN_OK;
    if (action == MODEL_INSERT)
        return record ? TARN_KEY_EXISTS : TARN_OK;
    if (!record)
        return TARN_KEY_NOT_FOUND;
    if (action == MODEL_REPLACE_IF &&
        (record->value_length != operation->expected.length ||
         memcmp(record->value, operation->expected.data, record->value_length) != 0))
        return TARN_CONDITION_FAILED;
    if (action == MODEL_REPLACE_IF_SEQUENCE && record->sequence != operation->sequence)
        return TARN_CONDITION_FAILED;
    return TARN_OK;
}

void model_apply(struct model *model, const struct model_operation *operation,
                 struct model_result *result)
{
    struct model_record *record = model_find(model, operation->key);

    *result = (struct model_result){.existed = record != NULL};
    if (record) {
        result->old = copy_of(record->value, record->value_length);
        result->old_length = record->value_length;
    }
    if (operation->action <= MODEL_REPLACE_IF_SEQUENCE &&
        operation->value.length > model->max_value_size) {
        result->status = TARN_VALUE_TOO_LARGE;
        result->instead = check_condition(record, operation);
        return;
    }
    result->status = check_condition(record, operation);
    if (result->status != TARN_OK || operation->action == MODEL_GET)
        return;
    if (operation->action == MODEL_INCREMENT)
        result->status = increment(model, record, operation, &result->sum);
    else if (operation->action == MODEL_DELETE || operation->action == MODEL_CONSUME)
        remove_record(model, record);
    else
        result->status = store(model, record, operation->key, operation->value, TARN_CONTENT_BYTES);
}

void model_result_release(struct model_result *result)
{
    free(result->old);
    result->old = NULL;
}

bool model_learn(struct model *model, struct model_record *record, uint64_t sequence)
{
    if (record->sequence)
        return record->sequence == sequence;
    record->sequence = sequence;
    if (sequence <= record->above)
        return false;
    if (sequence > model->highest)
        model->highest = sequence;
    return true;
}
