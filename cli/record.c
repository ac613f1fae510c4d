/* Records in text; see the header. */
#include "record.h"

#include <string.h>

const struct record_format *record_format_find(const char *name)
{
    static const struct record_format *const formats[] = {&format_jsonl, &format_tsv};

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

struct record record_of(struct tarn_slice key, struct tarn_slice value,
                        const struct tarn_record_info *info)
{
    struct record record = {.key = key, .value = value};
    uint64_t bits = 0;

    if (info->content == TARN_CONTENT_COUNTER && value.length == 8) {
        for (size_t i = 8; i-- > 0;)
            bits = bits << 8 | ((const uint8_t *)value.data)[i];
        record.is_counter = true;
        record.counter = (int64_t)bits;
    }
    return record;
}

bool record_read_counter(const uint8_t *text, size_t length, int64_t *counter)
{
    bool negative = length && text[0] == '-';
    uint64_t most = (uint64_t)INT64_MAX + negative;
    uint64_t number = 0;

    if (length == negative || (text[negative] == '0' && length > (size_t)negative + 1))
        return false;
    for (size_t i = negative; i < length; i++) {
        unsigned digit = (unsigned)text[i] - '0';

        if (digit > 9 || number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *counter = negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}
