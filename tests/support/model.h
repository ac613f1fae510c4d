/*
 * A naive map as an oracle: a sorted array of keys and values with a namespace's limits, that says
 * what each operation of tarn.h has to do. It is slow and plain on purpose.
 *
 * What always holds in it: keys are sorted by their bytes and each is there once; bytes is the sum
 * of all keys and values. A model belongs to one thread.
 *
 * The model cannot know which sequence the store gives to a write. It knows the bounds (above all
 * that were seen before the write), and learns the sequence when it is first told.
 */
#ifndef TARN_TESTS_MODEL_H
#define TARN_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn.h"

enum model_action {
    MODEL_SET,
    MODEL_INSERT,
    MODEL_UPDATE,
    MODEL_REPLACE_IF,
    MODEL_REPLACE_IF_SEQUENCE,
    MODEL_GET,
    MODEL_DELETE,
    MODEL_CONSUME,
    MODEL_INCREMENT,
    MODEL_ACTIONS,
};

struct model_operation {
    enum model_action action;
    struct tarn_slice key;
    struct tarn_slice value;
    struct tarn_slice expected; /* of replace_if */
    uint64_t sequence;          /* of replace_if_sequence, not 0 */
    int64_t delta;              /* of increment */
};

struct model_record {
    void *key;
    size_t key_length;
    void *value;
    size_t value_length;
    enum tarn_content content;
    uint64_t sequence; /* 0: not yet told */
    uint64_t above;    /* the sequence is greater than this */
};

struct model {
    struct model_record *records;
    size_t count;
    size_t capacity;
    uint64_t bytes;
    uint64_t max_keys;  /* 0: no limit */
    uint64_t max_bytes; /* 0: no limit */
    uint64_t max_value_size;
    uint64_t highest; /* of the sequences that were told */
};

/* What an operation has to give. */
struct model_result {
    tarn_status status;
    tarn_status instead; /* where it is not TARN_OK: may be given in place of status, as tarn.h does
                            not say which of two reasons is told */
    bool existed;
    void *old; /* the value that was there, or NULL; the result's own */
    size_t old_length;
    int64_t sum;
};

/* An empty model without limits. */
void model_init(struct model *model);

void model_release(struct model *model);

/* Makes an own copy of everything in from. */
void model_copy(struct model *model, const struct model *from);

void model_clear(struct model *model);

/* Does an operation; the result is to be given to model_result_release(). */
void model_apply(struct model *model, const struct model_operation *operation,
                 struct model_result *result);

void model_result_release(struct model_result *result);

/* The key's record, or NULL; valid until the model is changed. */
struct model_record *model_find(const struct model *model, struct tarn_slice key);

/* Takes note of a record's sequence as the store told it; false if it cannot be that. */
bool model_learn(struct model *model, struct model_record *record, uint64_t sequence);

#endif
