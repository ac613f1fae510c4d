/* What commands print on standard output, in the form that --output asks for. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "command.h"
#include "record.h"

/* A value alone: text: its bytes and a newline unless raw, a counter as a number; json: its record;
 * hex: its bytes and a newline. */
void show_value(struct invocation *call, const struct record *record, bool raw);

/* A record on a line: text and hex: key, tab, value; json: an object. */
void show_record(struct invocation *call, const struct record *record);

void show_key(struct invocation *call, struct tarn_slice key);

/* A number alone: text and hex: it and a newline; json: {"NAME":number}. */
void show_number(struct invocation *call, const char *name, uint64_t number);

/*
 * An object with named fields. text and hex: a line "name: value" for each, aligned, and an empty
 * line between objects; json: one object a line. Begin with zero, and in the same struct again for
 * the next object.
 */
struct show_object {
    struct invocation *call;
    bool begun; /* an object has been shown before */
    bool comma;
};
void show_begin(struct show_object *object, struct invocation *call);
void show_field_number(struct show_object *object, const char *name, uint64_t number);
void show_field_text(struct show_object *object, const char *name, struct tarn_slice text);
void show_field_word(struct show_object *object, const char *name, const char *word);
void show_field_bool(struct show_object *object, const char *name, bool yes);
void show_end(struct show_object *object);

#endif
