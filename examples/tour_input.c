/*
 * Reading the tour's input: see tour_input.h.
 *
 * While it is read, everything is an offset into one growing text; the slices are made when the
 * text stays where it is.
 */
#include "tour_input.h"
#include "tour_report.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>

#define CATALOGUE_COMMAND     "apt-cache dumpavail 2>/dev/null"
#define CATALOGUE_STANZAS_MIN 1000

struct span {
    size_t at;
    size_t length;
};

struct draft {
    struct span key;
    struct span qualifier; /* tells records of one key apart: "version/architecture" */
    struct span value;
    struct span group;
};

struct reader {
    char *text;
    size_t length;
    size_t capacity;
    struct draft *drafts;
    size_t count;
    size_t draft_capacity;
};

static void reserve(struct reader *reader, size_t more)
{
    size_t wanted = reader->length + more;
    size_t capacity = reader->capacity ? reader->capacity : 1 << 16;

    if (wanted <= reader->capacity)
        return;
    while (capacity < wanted)
        capacity *= 2;
    reader->text = realloc(reader->text, capacity);
    if (!reader->text)
        tour_fail("there is not enough memory for an input of %zu bytes", capacity);
    reader->capacity = capacity;
}

static struct span append(struct reader *reader, const char *bytes, size_t length)
{
    struct span span = {.at = reader->length, .length = length};

    reserve(reader, length);
    memcpy(reader->text + reader->length, bytes, length);
    reader->length += length;
    return span;
}

static struct draft *new_draft(struct reader *reader)
{
    if (reader->count == reader->draft_capacity) {
        reader->draft_capacity = reader->draft_capacity ? reader->draft_capacity * 2 : 1024;
        reader->drafts = realloc(reader->drafts, reader->draft_capacity * sizeof reader->drafts[0]);
        if (!reader->drafts)
            tour_fail("there is not enough memory for %zu records", reader->draft_capacity);
    }
    memset(&reader->drafts[reader->count], 0, sizeof reader->drafts[0]);
    return &reader->drafts[reader->count++];
}

/* Appends what the stream still has, or bytes_max of it; returns how much that was. */
static size_t append_stream(struct reader *reader, FILE *stream, size_t bytes_max)
{
    size_t total = 0;
    size_t got;

    do {
        size_t room = bytes_max - total < 65536 ? bytes_max - total : 65536;

        reserve(reader, room);
        got = fread(reader->text + reader->length, 1, room, stream);
        reader->length += got;
        total += got;
    } while (got > 0);
    return total;
}

int tour_compare(struct tarn_slice a, struct tarn_slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

/* ---- from drafts to records ---- */

static struct tarn_slice slice_of(const char *text, struct span span)
{
    return tarn_slice_of(text + span.at, span.length);
}

static int by_key(const void *left, const void *right, void *text)
{
    const struct draft *a = left;
    const struct draft *b = right;
    int order = tour_compare(slice_of(text, a->key), slice_of(text, b->key));

    if (order == 0)
        order = tour_compare(slice_of(text, a->qualifier), slice_of(text, b->qualifier));
    return order ? order : (a->value.at > b->value.at) - (a->value.at < b->value.at);
}

static int by_record_key(const void *left, const void *right)
{
    const struct tour_record *a = left;
    const struct tour_record *b = right;

    return tour_compare(a->key, b->key);
}

static int by_group_name(const void *left, const void *right)
{
    const struct tour_group *a = left;
    const struct tour_group *b = right;

    return tour_compare(a->name, b->name);
}

/* Gives all but the first record of a key a longer key, so that each is kept. */
static void make_keys_unique(struct reader *reader)
{
    struct span first = {0};

    if (reader->count == 0)
        return;
    qsort_r(reader->drafts, reader->count, sizeof reader->drafts[0], by_key, reader->text);
    for (size_t i = 0; i < reader->count; i++) {
        struct draft *draft = &reader->drafts[i];
        char number[32];
        struct span key;

        if (i == 0 ||
            tour_compare(slice_of(reader->text, draft->key), slice_of(reader->text, first)) != 0) {
            first = draft->key;
            continue;
        }
        reserve(reader, draft->key.length + draft->qualifier.length + sizeof number);
        key = append(reader, reader->text + draft->key.at, draft->key.length);
        append(reader, "=", 1);
        append(reader, reader->text + draft->qualifier.at, draft->qualifier.length);
        append(reader, number, (size_t)snprintf(number, sizeof number, "#%zu", i));
        key.length = reader->length - key.at;
        draft->key = key;
    }
}

static void make_groups(struct tour_input *input, const struct reader *reader)
{
    struct tour_group *groups = tour_allocate(reader->count, sizeof groups[0]);
    size_t kept = 0;

    for (size_t i = 0; i < reader->count; i++) {
        groups[i].name = slice_of(reader->text, reader->drafts[i].group);
        groups[i].records = 1;
    }
    qsort(groups, reader->count, sizeof groups[0], by_group_name);
    for (size_t i = 0; i < reader->count; i++) {
        if (kept > 0 && tour_compare(groups[kept - 1].name, groups[i].name) == 0)
            groups[kept - 1].records++;
        else
            groups[kept++] = groups[i];
    }
    input->groups = groups;
    input->group_count = kept;
}

/* Hands what the reader has over to the input. */
static void finish(struct tour_input *input, struct reader *reader)
{
    make_keys_unique(reader);
    make_groups(input, reader);
    input->records = tour_allocate(reader->count, sizeof input->records[0]);
    input->count = reader->count;
    input->text = reader->text;
    for (size_t i = 0; i < reader->count; i++) {
        const struct draft *draft = &reader->drafts[i];
        struct tour_record *record = &input->records[i];
        const struct tour_group *group =
            tour_find_group(input, slice_of(reader->text, draft->group));

        record->key = slice_of(reader->text, draft->key);
        record->value = slice_of(reader->text, draft->value);
        record->group = (uint32_t)(group - input->groups);
        input->bytes += record->key.length + record->value.length;
    }
    qsort(input->records, input->count, sizeof input->records[0], by_record_key);
    free(reader->drafts);
}

/* ---- the package catalogue ---- */

/* The value of a field in a stanza's line, if the line is of that field. */
static bool field(const struct reader *reader, struct span line, const char *name,
                  struct span *value)
{
    size_t length = strlen(name);

    if (line.length <= length + 2 || memcmp(reader->text + line.at, name, length) != 0 ||
        memcmp(reader->text + line.at + length, ": ", 2) != 0)
        return false;
    value->at = line.at + length + 2;
    value->length = line.length - length - 2;
    return true;
}

/* Makes a record of a stanza, whose lines end with a newline each. */
static void add_stanza(struct reader *reader, struct span stanza)
{
    struct draft draft = {.value = stanza};
    struct span version = {0};
    struct span architecture = {0};
    size_t at = stanza.at;

    while (at < stanza.at + stanza.length) {
        const char *end = memchr(reader->text + at, '\n', stanza.at + stanza.length - at);
        struct span line = {.at = at, .length = (size_t)(end - (reader->text + at))};

        if (!field(reader, line, "Package", &draft.key) &&
            !field(reader, line, "Maintainer", &draft.group) &&
            !field(reader, line, "Version", &version))
            field(reader, line, "Architecture", &architecture);
        at += line.length + 1;
    }
    if (draft.key.length == 0)
        tour_fail("the package catalogue has a stanza without a package at byte %zu", stanza.at);
    if (draft.group.length == 0)
        draft.group = append(reader, "(no maintainer)", strlen("(no maintainer)"));
    reserve(reader, version.length + architecture.length + 1);
    draft.qualifier = append(reader, reader->text + version.at, version.length);
    append(reader, "/", 1);
    append(reader, reader->text + architecture.at, architecture.length);
    draft.qualifier.length = version.length + architecture.length + 1;
    *new_draft(reader) = draft;
}

static void split_stanzas(struct reader *reader, size_t length)
{
    size_t at = 0;

    while (at < length) {
        const char *blank = memmem(reader->text + at, length - at, "\n\n", 2);
        size_t end = blank ? (size_t)(blank - reader->text) + 1 : length;

        if (reader->text[at] == '\n') {
            at++;
            continue;
        }
        add_stanza(reader, (struct span){.at = at, .length = end - at});
        at = end;
    }
}

bool tour_input_catalogue(struct tour_input *input)
{
    struct reader reader = {0};
    FILE *stream;
    size_t length;
    int status;

    tour_say("reading the package catalogue");
    stream = popen(CATALOGUE_COMMAND, "r");
    if (!stream)
        tour_fail("cannot start a shell: %s", strerror(errno));
    length = append_stream(&reader, stream, SIZE_MAX);
    status = pclose(stream);
    if (length > 0 && status != 0)
        tour_fail("apt-cache dumpavail failed after %zu bytes", length);
    if (length > 0 && reader.text[length - 1] != '\n') {
        append(&reader, "\n", 1);
        length++;
    }
    split_stanzas(&reader, length);
    tour_say(NULL);
    if (reader.count < CATALOGUE_STANZAS_MIN) {
        if (length == 0)
            fprintf(stderr, "tour: this machine has no package catalogue "
                            "(apt-cache dumpavail gave nothing)\n");
        else
            fprintf(stderr, "tour: the package catalogue has %zu packages, too few for a tour\n",
                    reader.count);
        free(reader.text);
        free(reader.drafts);
        return false;
    }
    input->source = "the package catalogue";
    input->group_noun = "maintainers";
    input->prefix = "lib";
    finish(input, &reader);
    return true;
}

/* ---- a folder ---- */

/* Adds a file as a record. False where it is larger than what is left of bytes_max, or cannot be
 * read; the latter is told. */
static bool add_file(struct reader *reader, const char *path, const char *name, size_t bytes_max)
{
    size_t began = reader->length;
    const char *slash = strrchr(name, '/');
    struct draft draft = {0};
    FILE *stream = fopen(path, "rb");

    if (!stream) {
        fprintf(stderr, "tour: left out %s: %s\n", path, strerror(errno));
        return true;
    }
    draft.key = append(reader, name, strlen(name));
    draft.group = draft.key;
    draft.group.length = slash ? (size_t)(slash - name) : 0;
    if (!slash)
        draft.group = append(reader, ".", 1);
    draft.value.at = reader->length;
    draft.value.length = append_stream(reader, stream, bytes_max - began + 1);
    if (ferror(stream)) {
        fprintf(stderr, "tour: left out %s: %s\n", path, strerror(errno));
        reader->length = began;
    } else if (reader->length > bytes_max) {
        reader->length = began;
        fclose(stream);
        return false;
    } else {
        *new_draft(reader) = draft;
    }
    fclose(stream);
    return true;
}

static void walk(struct reader *reader, const char *folder, size_t bytes_max)
{
    char *const roots[] = {(char *)folder, NULL}; /* fts_open only reads it */
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    size_t above = strlen(folder);
    FTSENT *entry;

    if (!tree)
        tour_fail("cannot read %s: %s", folder, strerror(errno));
    while ((entry = fts_read(tree))) {
        const char *name = entry->fts_path + above;

        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
            fprintf(stderr, "tour: left out %s: %s\n", entry->fts_path, strerror(entry->fts_errno));
        if (entry->fts_info != FTS_F)
            continue;
        while (*name == '/')
            name++;
        if (!*name)
            tour_fail("%s is a file: name a folder", folder);
        if (!add_file(reader, entry->fts_path, name, bytes_max)) {
            fprintf(stderr, "tour: stopped at %zu files: the next one passes %zu MiB (--max-mib)\n",
                    reader->count, bytes_max >> 20);
            break;
        }
    }
    fts_close(tree);
}

/* The part of the middle record's key up to its first slash, or its first byte. */
static char *prefix_of(const struct tour_input *input)
{
    struct tarn_slice key = input->records[input->count / 2].key;
    const char *slash = memchr(key.data, '/', key.length);
    char *prefix = strndup(key.data, slash ? (size_t)(slash - (const char *)key.data) + 1 : 1);

    if (!prefix)
        tour_fail("there is not enough memory");
    return prefix;
}

void tour_input_folder(struct tour_input *input, const char *folder, size_t bytes_max)
{
    struct reader reader = {0};

    tour_say("reading the folder");
    walk(&reader, folder, bytes_max);
    tour_say(NULL);
    if (reader.count == 0)
        tour_fail("%s has no file that can be read", folder);
    input->source = folder;
    input->group_noun = "directories";
    finish(input, &reader);
    input->prefix = input->owned_prefix = prefix_of(input);
}

void tour_input_release(struct tour_input *input)
{
    free(input->records);
    free(input->groups);
    free(input->text);
    free(input->owned_prefix);
    memset(input, 0, sizeof *input);
}

/* ---- finding ---- */

const struct tour_record *tour_find(const struct tour_input *input, struct tarn_slice key)
{
    struct tour_record wanted = {.key = key};

    return bsearch(&wanted, input->records, input->count, sizeof wanted, by_record_key);
}

const struct tour_group *tour_find_group(const struct tour_input *input, struct tarn_slice name)
{
    struct tour_group wanted = {.name = name};

    return bsearch(&wanted, input->groups, input->group_count, sizeof wanted, by_group_name);
}
