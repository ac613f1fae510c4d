/* What is printed; see the header. */
#include "show.h"
#include "jsonl.h"
#include "tsv.h"

#include <inttypes.h>
#include <string.h>

#define NAME_WIDTH 18

void show_value(struct invocation *call, const struct record *record, bool raw)
{
    struct output *out = &call->out;

    switch (call->globals.output) {
    case OUTPUT_JSON:
        format_jsonl.write(out, record);
        return;
    case OUTPUT_HEX:
        output_hex(out, record->value.data, record->value.length);
        break;
    case OUTPUT_TEXT:
        if (record->is_counter)
            output_printf(out, "%" PRId64, record->counter);
        else
            output_bytes(out, record->value.data, record->value.length);
        break;
    }
    if (!raw)
        output_bytes(out, "\n", 1);
}

void show_key(struct invocation *call, struct tarn_slice key)
{
    struct output *out = &call->out;

    switch (call->globals.output) {
    case OUTPUT_JSON:
        output_bytes(out, "{", 1);
        jsonl_write_member(out, "key", key);
        output_bytes(out, "}", 1);
        break;
    case OUTPUT_HEX:
        output_hex(out, key.data, key.length);
        break;
    case OUTPUT_TEXT:
        tsv_write_field(out, key);
        break;
    }
    output_bytes(out, "\n", 1);
}

static void show_hex_record(struct output *out, const struct record *record)
{
    output_hex(out, record->key.data, record->key.length);
    output_bytes(out, "\t", 1);
    output_hex(out, record->value.data, record->value.length);
    output_bytes(out, "\n", 1);
}

void show_record(struct invocation *call, const struct record *record)
{
    if (call->globals.output == OUTPUT_JSON) {
        format_jsonl.write(&call->out, record);
    } else if (call->globals.output == OUTPUT_HEX) {
        show_hex_record(&call->out, record);
    } else if (record->is_counter) {
        tsv_write_field(&call->out, record->key);
        output_printf(&call->out, "\t%" PRId64 "\n", record->counter);
    } else {
        format_tsv.write(&call->out, record);
    }
}

void show_number(struct invocation *call, const char *name, uint64_t number)
{
    if (call->globals.output == OUTPUT_JSON)
        output_printf(&call->out, "{\"%s\":%" PRIu64 "}\n", name, number);
    else
        output_printf(&call->out, "%" PRIu64 "\n", number);
}

/* ------------------------------------------------------------------------------------------
 * Objects
 */

static bool in_json(const struct show_object *object)
{
    return object->call->globals.output == OUTPUT_JSON;
}

void show_begin(struct show_object *object, struct invocation *call)
{
    object->call = call;
    object->comma = false;
    if (in_json(object))
        output_bytes(&call->out, "{", 1);
    else if (object->begun)
        output_bytes(&call->out, "\n", 1);
    object->begun = true;
}

static void show_name(struct show_object *object, const char *name)
{
    struct output *out = &object->call->out;

    if (in_json(object))
        output_printf(out, "%s\"%s\":", object->comma ? "," : "", name);
    else
        output_printf(out, "%s:%*s", name,
                      strlen(name) < NAME_WIDTH ? (int)(NAME_WIDTH - strlen(name)) : 1, "");
    object->comma = true;
}

static void end_field(struct show_object *object)
{
    if (!in_json(object))
        output_bytes(&object->call->out, "\n", 1);
}

void show_field_number(struct show_object *object, const char *name, uint64_t number)
{
    show_name(object, name);
    output_printf(&object->call->out, "%" PRIu64, number);
    end_field(object);
}

void show_field_text(struct show_object *object, const char *name, struct tarn_slice text)
{
    struct output *out = &object->call->out;

    if (in_json(object)) {
        output_text(out, object->comma ? "," : "");
        jsonl_write_member(out, name, text);
        object->comma = true;
        return;
    }
    show_name(object, name);
    tsv_write_field(out, text);
    end_field(object);
}

void show_field_word(struct show_object *object, const char *name, const char *word)
{
    show_field_text(object, name, tarn_slice_of(word, strlen(word)));
}

void show_field_bool(struct show_object *object, const char *name, bool yes)
{
    struct output *out = &object->call->out;

    show_name(object, name);
    output_text(out, in_json(object) ? (yes ? "true" : "false") : (yes ? "yes" : "no"));
    end_field(object);
}

void show_end(struct show_object *object)
{
    if (in_json(object))
        output_bytes(&object->call->out, "}\n", 2);
}
