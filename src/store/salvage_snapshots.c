/* The snapshots of a store that is salvaged; see the header. */
#include "base/memory.h"
#include "store/salvage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_ROOM  4608
#define COPY_BYTES ((size_t)1024 * 1024)
#define TEMPORARY  ".new-salvage"
#define PREFIX     "salvaged-"

/* ------------------------------------------------------------------------------------------
 * Looking
 */

struct survey {
    struct tarn__salvage *salvage;
    const struct tarn__snapshot_found *found; /* of the one that is read */
};

/* Without a whole catalog, the snapshots are who knows of namespaces. */
static tarn_status note_namespace(void *context, const struct tarn__snapshot_namespace *ns)
{
    const struct survey *survey = context;
    struct tarn__salvage *salvage = survey->salvage;
    struct tarn__salvaged_namespace *known;

    if (salvage->remains.has_catalog || !survey->found->has_head)
        return TARN_OK;
    if (salvage->known_count == salvage->known_capacity) {
        size_t capacity = salvage->known_capacity ? 2 * salvage->known_capacity : 16;

        known = tarn__reallocate(salvage->known, capacity * sizeof *known);
        if (!known)
            return TARN_NO_MEMORY;
        salvage->known = known;
        salvage->known_capacity = capacity;
    }
    known = &salvage->known[salvage->known_count++];
    known->ns = *ns;
    known->sequence = survey->found->head.sequence;
    memcpy(known->store, survey->found->head.store, sizeof known->store);
    return TARN_OK;
}

tarn_status tarn__salvage_survey(struct tarn__salvage *salvage)
{
    struct tarn__remains *remains = &salvage->remains;
    tarn_status status = TARN_OK;

    salvage->snapshots =
        tarn__allocate_zeroed((remains->snapshot_count + 1) * sizeof *salvage->snapshots);
    if (!salvage->snapshots)
        return TARN_NO_MEMORY;
    for (size_t i = 0; i < remains->snapshot_count && !status; i++) {
        struct survey survey = {.salvage = salvage, .found = &salvage->snapshots[i]};
        const struct tarn__snapshot_visitor visitor = {.context = &survey, .begin = note_namespace};

        status = tarn__snapshot_inspect(remains->folder.snapshots, remains->snapshots[i],
                                        &remains->inspection, &visitor, &salvage->snapshots[i]);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Copying
 */

static tarn_status copy_bytes(const struct tarn__file *from, const struct tarn__file *to)
{
    struct tarn_buf bytes = {0};
    uint64_t offset = 0;
    tarn_status status = tarn__buf_reserve(&bytes, COPY_BYTES);

    do {
        if (!status)
            status = tarn__file_read_some(from, bytes.data, COPY_BYTES, offset, &bytes.length);
        if (!status && bytes.length)
            status = tarn__file_write(to, bytes.data, bytes.length, offset);
        offset += bytes.length;
    } while (!status && bytes.length == COPY_BYTES);
    tarn_buf_release(&bytes);
    return status;
}

static tarn_status copy(const struct tarn__salvage *salvage, const char *file_name)
{
    const struct tarn__directory *directory = salvage->store->folder.snapshots;
    struct tarn__file *from, *to;
    tarn_status status =
        tarn__file_open(salvage->remains.folder.snapshots, file_name, TARN__OPEN_READ, &from);

    if (status)
        return status;
    status = tarn__file_open(directory, TEMPORARY, TARN__OPEN_CREATE, &to);
    if (!status) {
        status = copy_bytes(from, to);
        if (status)
            tarn__file_abandon(directory, to, TEMPORARY);
        else
            status = tarn__file_publish(directory, to, TEMPORARY, file_name);
    }
    tarn__file_close_after_reading(from);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * What is whole in a damaged one
 */

struct rest {
    struct tarn__snapshot_writer writer;
    bool began; /* a namespace */
};

static tarn_status end_namespace(struct rest *rest)
{
    uint8_t content[TARN__SNAPSHOT_NAMESPACE_END_BYTES];

    if (!rest->began)
        return TARN_OK;
    tarn__snapshot_namespace_end_write(&rest->writer.count, content);
    return tarn__snapshot_writer_block(&rest->writer, TARN__SNAPSHOT_NAMESPACE_END, content,
                                       sizeof content);
}

static tarn_status write_namespace(void *context, const struct tarn__snapshot_namespace *ns)
{
    struct rest *rest = context;
    uint8_t content[TARN__SNAPSHOT_NAMESPACE_BYTES_MAX];
    size_t length = 0;
    tarn_status status = end_namespace(rest);

    if (!status)
        status = tarn__snapshot_namespace_write(ns, content, &length);
    if (!status)
        status =
            tarn__snapshot_writer_block(&rest->writer, TARN__SNAPSHOT_NAMESPACE, content, length);
    rest->writer.count = (struct tarn__snapshot_count){0};
    rest->began = true;
    return status;
}

static tarn_status write_record(void *context, const struct tarn__snapshot_namespace *ns,
                                const struct tarn__record *record)
{
    struct rest *rest = context;
    tarn_status status;

    if (!ns) /* nobody knows where it belongs */
        return TARN_OK;
    if (record->value.length > TARN__SNAPSHOT_LARGE_BYTES)
        return tarn__snapshot_writer_add_large(&rest->writer, record);
    if (tarn__snapshot_writer_add(&rest->writer, record))
        return TARN_OK;
    status = tarn__snapshot_writer_flush(&rest->writer);
    if (!status)
        (void)tarn__snapshot_writer_add(&rest->writer, record); /* there is room now */
    return status;
}

static tarn_status write_head(struct rest *rest, const struct tarn__snapshot_found *found,
                              const uint8_t store[TARN__IDENTITY_BYTES])
{
    uint8_t content[TARN__SNAPSHOT_HEAD_BYTES];
    struct tarn__snapshot_head head = found->head;
    tarn_status status;

    if (!found->has_head || found->namespaces != 1)
        head.scope = TARN__SCOPE_STORE;
    head.sequence = found->sequence;
    head.namespaces = found->namespaces;
    memcpy(head.store, store, sizeof head.store);
    status = tarn__snapshot_head_write(&head, content);
    return status ? status
                  : tarn__snapshot_writer_block(&rest->writer, TARN__SNAPSHOT_HEAD, content,
                                                sizeof content);
}

/* Writes what is whole in a snapshot under another name, as one of this store. */
static tarn_status write_rest(const struct tarn__salvage *salvage, size_t at, const char *file_name,
                              const uint8_t store[TARN__IDENTITY_BYTES])
{
    static const struct tarn_check_options nobody = {.size = sizeof nobody};
    const struct tarn__remains *remains = &salvage->remains;
    struct tarn__inspection silent = {.options = &nobody}; /* all was told before */
    struct tarn__snapshot_found again;
    struct rest rest = {0};
    const struct tarn__snapshot_visitor visitor = {
        .context = &rest, .begin = write_namespace, .record = write_record};
    tarn_status status =
        tarn__snapshot_writer_begin(&rest.writer, remains->os, salvage->store->folder.snapshots);

    if (status)
        return status;
    status = write_head(&rest, &salvage->snapshots[at], store);
    if (!status)
        status = tarn__snapshot_inspect(remains->folder.snapshots, remains->snapshots[at], &silent,
                                        &visitor, &again);
    if (!status)
        status = end_namespace(&rest);
    if (!status)
        status = tarn__snapshot_writer_end(&rest.writer);
    if (status) {
        tarn__snapshot_writer_abandon(&rest.writer);
        return status;
    }
    return tarn__snapshot_writer_publish(&rest.writer, file_name);
}

/* ------------------------------------------------------------------------------------------
 * Which, and under which name
 */

static bool is_own(const struct tarn__salvage *salvage, const struct tarn__snapshot_found *found)
{
    return found->has_head &&
           memcmp(found->head.store, salvage->catalog.identity, sizeof found->head.store) == 0;
}

/* Whether a whole, older snapshot may hold what a damaged one does: openings take that. */
static bool has_older(const struct tarn__salvage *salvage, const struct tarn__snapshot_found *of)
{
    for (size_t i = 0; i < salvage->remains.snapshot_count; i++) {
        const struct tarn__snapshot_found *found = &salvage->snapshots[i];
        bool both_one = of->head.scope == TARN__SCOPE_NAMESPACE && of->has_head &&
                        found->head.scope == TARN__SCOPE_NAMESPACE;

        if (found->whole && is_own(salvage, found) && found->sequence < of->sequence &&
            (!both_one || found->number == of->number))
            return true;
    }
    return false;
}

static bool is_taken(const struct tarn__remains *remains, const char *file_name)
{
    for (size_t i = 0; i < remains->snapshot_count; i++)
        if (strcmp(remains->snapshots[i], file_name) == 0)
            return true;
    return false;
}

/* "salvaged-NAME", or a number in place of a name that cannot be used. */
static void choose_name(const struct tarn__remains *remains, size_t at, char *file_name)
{
    char name[sizeof PREFIX + TARN__SNAPSHOT_FILE_NAME_BYTES];
    struct tarn_slice of = {0};
    size_t number = at;
    int length;

    (void)tarn__snapshot_name_of(remains->snapshots[at], &of); /* it is one */
    length = snprintf(name, sizeof name, PREFIX "%.*s", (int)of.length, (const char *)of.data);
    while (tarn__snapshot_file_name(tarn_slice_of(name, (size_t)length), file_name) ||
           is_taken(remains, file_name))
        length = snprintf(name, sizeof name, PREFIX "%zu", ++number);
}

static tarn_status salvage_rest(struct tarn__salvage *salvage, size_t at)
{
    struct tarn__remains *remains = &salvage->remains;
    const struct tarn__snapshot_found *found = &salvage->snapshots[at];
    char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES], path[PATH_ROOM];
    uint8_t nobody[TARN__IDENTITY_BYTES];
    bool passed_over = has_older(salvage, found) || (found->has_head && !is_own(salvage, found));
    tarn_status status = remains->os->random_bytes(remains->os, nobody, sizeof nobody);

    snprintf(path, sizeof path, "%s/%s", tarn__directory_path(remains->folder.snapshots),
             remains->snapshots[at]);
    if (status)
        return status;
    if (!found->namespaces) {
        tarn__inspection_note(&remains->inspection, path, 0, "nothing of '%s' was salvaged", path);
        return TARN_OK;
    }
    choose_name(remains, at, file_name);
    tarn__inspection_note(&remains->inspection, path, 0, "what is whole in '%s' is now in '%s'%s",
                          path, file_name, passed_over ? ", which is not loaded by itself" : "");
    return write_rest(salvage, at, file_name, passed_over ? nobody : salvage->catalog.identity);
}

tarn_status tarn__salvage_snapshots(struct tarn__salvage *salvage)
{
    const struct tarn__remains *remains = &salvage->remains;
    tarn_status status = TARN_OK;

    for (size_t i = 0; i < remains->snapshot_count && !status; i++)
        status = salvage->snapshots[i].whole ? copy(salvage, remains->snapshots[i])
                                             : salvage_rest(salvage, i);
    return status;
}
