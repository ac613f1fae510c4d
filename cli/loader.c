/* Loading in batches; see the header. */
#include "loader.h"
#include "report.h"

#include <stdlib.h>

#define BATCH_BYTES  ((size_t)4 * 1024 * 1024)
#define REPORTED_MAX 10

int loader_begin(struct loader *loader, tarn_namespace *ns, const char *name)
{
    *loader = (struct loader){.ns = ns, .name = name};
    loader->results = calloc(LOADER_OPERATIONS, sizeof *loader->results);
    loader->lines = calloc(LOADER_OPERATIONS, sizeof *loader->lines);
    if (!loader->results || !loader->lines || tarn_batch_create(&loader->batch)) {
        loader_release(loader);
        return report_status(TARN_NO_MEMORY);
    }
    return 0;
}

void loader_release(struct loader *loader)
{
    tarn_batch_free(loader->batch);
    free(loader->results);
    free(loader->lines);
    *loader = (struct loader){0};
}

static void refuse(struct loader *loader, tarn_status status, uint64_t line)
{
    int code = exit_code_of(status);

    loader->refused++;
    loader->code = loader->code ? loader->code : code;
    if (loader->refused <= REPORTED_MAX)
        (void)report_error(code, "%s:%llu: not stored: %s", loader->name, (unsigned long long)line,
                           tarn_status_message(status));
    else if (loader->refused == REPORTED_MAX + 1)
        (void)report_error(code, "%s: more are not stored", loader->name);
}

/* Whether a batch fails because of what one of its records is. */
static bool is_of_a_record(tarn_status status)
{
    return exit_code_of(status) == EXIT_LIMIT && status != TARN_NO_MEMORY;
}

static int commit_each(struct loader *loader)
{
    tarn_status status =
        tarn_batch_commit(loader->ns, loader->batch, TARN_BEST_EFFORT, loader->results, NULL, NULL);

    if (status)
        return report_status(status);
    for (size_t i = 0; i < loader->operations; i++) {
        tarn_status one = loader->results[i].status;

        if (!loader->lines[i])
            continue;
        if (one && !is_of_a_record(one))
            return report_error(exit_code_of(one), "%s:%llu: %s", loader->name,
                                (unsigned long long)loader->lines[i], tarn_status_message(one));
        if (one)
            refuse(loader, one, loader->lines[i]);
        else
            loader->stored++;
    }
    return 0;
}

int loader_commit(struct loader *loader)
{
    tarn_status status = TARN_OK;
    int code = 0;

    if (loader->operations)
        status =
            tarn_batch_commit(loader->ns, loader->batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL);
    if (!status)
        loader->stored += loader->records;
    else
        code = is_of_a_record(status) ? commit_each(loader) : report_status(status);
    tarn_batch_clear(loader->batch);
    loader->operations = loader->records = loader->bytes = 0;
    return code;
}

static tarn_status add(struct loader *loader, tarn_status status, uint64_t line)
{
    if (!status)
        loader->lines[loader->operations++] = line;
    return status;
}

/* A counter is made by increments alone: whatever the key holds gives way to a new one. The first
 * write sees to it that there is something to delete. */
static tarn_status add_counter(struct loader *loader, const struct record *record, uint64_t line)
{
    tarn_status status =
        add(loader, tarn_batch_set(loader->batch, record->key, tarn_slice_of(NULL, 0)), 0);

    if (!status)
        status = add(loader, tarn_batch_delete(loader->batch, record->key), 0);
    if (!status)
        status =
            add(loader, tarn_batch_increment(loader->batch, record->key, record->counter), line);
    return status;
}

static tarn_status add_record(struct loader *loader, const struct record *record, uint64_t line)
{
    if (record->is_counter)
        return add_counter(loader, record, line);
    return add(loader, tarn_batch_set(loader->batch, record->key, record->value), line);
}

int loader_add(struct loader *loader, const struct record *record, uint64_t line)
{
    size_t bytes = record->key.length + record->value.length;
    tarn_status status;
    int code = 0;

    if (loader->records == LOADER_RECORDS || loader->bytes + bytes > BATCH_BYTES)
        code = loader_commit(loader);
    if (code)
        return code;
    status = add_record(loader, record, line);
    if (status && !is_of_a_record(status))
        return report_status(status);
    if (status) {
        refuse(loader, status, line);
        return 0;
    }
    loader->records++;
    loader->bytes += bytes;
    return 0;
}
