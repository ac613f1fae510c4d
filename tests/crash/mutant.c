/* Changes to the files of a saved store; see the header. One thread. */
#include "crash/mutant.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_room(struct mutant_file *file, size_t length)
{
    if (length <= file->room)
        return;
    file->room = 2 * length;
    file->bytes = realloc(file->bytes, file->room);
    if (!file->bytes)
        abort();
}

static void set_bytes(struct mutant_file *file, const void *bytes, size_t length)
{
    make_room(file, length + 1);
    if (length)
        memcpy(file->bytes, bytes, length);
    file->length = length;
}

void mutant_init(struct mutant *mutant, const struct saved_store *saved)
{
    memset(mutant, 0, sizeof *mutant);
    mutant->saved = saved;
    for (unsigned i = 0; i < SAVED_FILES; i++)
        set_bytes(&mutant->files[i], saved->files[i].bytes, saved->files[i].length);
}

void mutant_release(struct mutant *mutant)
{
    for (unsigned i = 0; i < SAVED_FILES; i++)
        free(mutant->files[i].bytes);
}

void mutant_reset(struct mutant *mutant)
{
    for (unsigned i = 0; i < SAVED_FILES; i++) {
        if (!mutant->files[i].changed)
            continue;
        set_bytes(&mutant->files[i], mutant->saved->files[i].bytes, mutant->saved->files[i].length);
        mutant->files[i].kind = MUTANT_BYTES;
        mutant->files[i].changed = false;
    }
    mutant->made = (struct mutant_made){0};
    mutant->words[0] = '\0';
}

bool mutant_differs(const struct mutant *mutant)
{
    for (unsigned i = 0; i < SAVED_FILES; i++) {
        const struct mutant_file *file = &mutant->files[i];
        const struct saved_original *original = &mutant->saved->files[i];

        if (file->changed && (file->kind != MUTANT_BYTES || file->length != original->length ||
                              memcmp(file->bytes, original->bytes, file->length) != 0))
            return true;
    }
    return false;
}

void mutant_say(struct mutant *mutant, const char *format, ...)
{
    size_t length = strlen(mutant->words);
    va_list arguments;

    va_start(arguments, format);
    if (length + 2 < sizeof mutant->words) {
        memcpy(mutant->words + length, "; ", length ? 3 : 1);
        length += length ? 2 : 0;
        vsnprintf(mutant->words + length, sizeof mutant->words - length, format, arguments);
    }
    va_end(arguments);
}

static const char *name_of(const struct mutant *mutant, unsigned file)
{
    return mutant->saved->files[file].name;
}

/* ------------------------------------------------------------------------------------------
 * Changes
 */

void mutant_flip(struct mutant *mutant, unsigned file, size_t bit)
{
    struct mutant_file *changed = &mutant->files[file];

    if (bit / 8 >= changed->length)
        return;
    changed->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    changed->changed = true;
    mutant_say(mutant, "bit %zu of byte %zu of '%s' flipped", bit % 8, bit / 8,
               name_of(mutant, file));
}

void mutant_cut(struct mutant *mutant, unsigned file, size_t length)
{
    struct mutant_file *changed = &mutant->files[file];

    if (length >= changed->length)
        return;
    changed->length = length;
    changed->changed = true;
    mutant_say(mutant, "'%s' cut off at %zu", name_of(mutant, file), length);
}

void mutant_append(struct mutant *mutant, unsigned file, const void *bytes, size_t length,
                   const char *what)
{
    struct mutant_file *changed = &mutant->files[file];

    make_room(changed, changed->length + length);
    memcpy(changed->bytes + changed->length, bytes, length);
    changed->length += length;
    changed->changed = true;
    mutant_say(mutant, "%zu bytes of %s behind '%s'", length, what, name_of(mutant, file));
}

void mutant_overwrite(struct mutant *mutant, unsigned file, size_t offset, const void *bytes,
                      size_t length, const char *what)
{
    struct mutant_file *changed = &mutant->files[file];

    if (offset >= changed->length)
        return;
    if (length > changed->length - offset)
        length = changed->length - offset;
    memmove(changed->bytes + offset, bytes, length); /* they may be from another place of it */
    changed->changed = true;
    mutant_say(mutant, "bytes %zu to %zu of '%s' replaced by %s", offset, offset + length,
               name_of(mutant, file), what);
}

void mutant_remove(struct mutant *mutant, unsigned file, size_t offset, size_t length)
{
    struct mutant_file *changed = &mutant->files[file];

    if (offset >= changed->length)
        return;
    if (length > changed->length - offset)
        length = changed->length - offset;
    memmove(changed->bytes + offset, changed->bytes + offset + length,
            changed->length - offset - length);
    changed->length -= length;
    changed->changed = true;
    mutant_say(mutant, "bytes %zu to %zu of '%s' left out", offset, offset + length,
               name_of(mutant, file));
}

void mutant_swap(struct mutant *mutant, unsigned file, size_t offset, unsigned other,
                 size_t other_offset, size_t length)
{
    struct mutant_file *a = &mutant->files[file], *b = &mutant->files[other];

    if (offset >= a->length || other_offset >= b->length)
        return;
    if (length > a->length - offset)
        length = a->length - offset;
    if (length > b->length - other_offset)
        length = b->length - other_offset;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = a->bytes[offset + i];

        a->bytes[offset + i] = b->bytes[other_offset + i];
        b->bytes[other_offset + i] = byte;
    }
    a->changed = b->changed = true;
    mutant_say(mutant, "%zu bytes at %zu of '%s' and at %zu of '%s' swapped", length, offset,
               name_of(mutant, file), other_offset, name_of(mutant, other));
}

void mutant_replace(struct mutant *mutant, unsigned file, const void *bytes, size_t length,
                    const char *what)
{
    set_bytes(&mutant->files[file], bytes, length);
    mutant->files[file].changed = true;
    mutant_say(mutant, "'%s' is %s", name_of(mutant, file), what);
}

void mutant_become(struct mutant *mutant, unsigned file, enum mutant_kind kind)
{
    static const char *const kinds[] = {"a file", "missing", "a directory", "a FIFO"};

    mutant->files[file].kind = kind;
    mutant->files[file].changed = true;
    mutant_say(mutant, "'%s' is %s", name_of(mutant, file), kinds[kind]);
}
