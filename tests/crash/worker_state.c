/* What a store holds, in numbers; see the header. */
#include "crash/worker_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A namespace's limit of keys is this and its config: never reached. */
#define MAX_KEYS_BASE ((uint64_t)1 << 40)

const char *const worker_namespace_names[WORKER_NAMESPACES] = {"ns0", "ns1", "ns2", "ns3"};
const char *const worker_snapshot_names[WORKER_SNAPSHOTS] = {"s0", "s1", "s2", "s3", "trial"};
const char worker_autosave_prefix[] = "auto-";

/* ------------------------------------------------------------------------------------------
 * Problems
 */

bool worker_wrong(struct worker_problem *problem, const char *format, ...)
{
    va_list arguments;

    if (problem->text[0])
        return false;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return false;
}

bool worker_wrong_call(struct worker_problem *problem, const char *call, tarn_status status)
{
    return worker_wrong(problem, "%s: %s (%s)", call, tarn_status_name(status),
                        status ? tarn_last_error()->message : "");
}

/* ------------------------------------------------------------------------------------------
 * Names, options, records
 */

uint32_t worker_generation(uint32_t config)
{
    return config / WORKER_CONFIGS;
}

struct tarn_slice worker_text(const char *string)
{
    return tarn_slice_of(string, strlen(string));
}

static unsigned find_name(const char *const *names, unsigned count, struct tarn_slice name)
{
    unsigned i = 0;

    while (i < count &&
           (strlen(names[i]) != name.length || memcmp(names[i], name.data, name.length) != 0))
        i++;
    return i;
}

unsigned worker_namespace_of(struct tarn_slice name)
{
    return find_name(worker_namespace_names, WORKER_NAMESPACES, name);
}

unsigned worker_snapshot_of(struct tarn_slice name)
{
    return find_name(worker_snapshot_names, WORKER_SNAPSHOTS, name);
}

struct tarn_namespace_options worker_options(uint32_t config)
{
    struct tarn_namespace_options options = {
        .size = sizeof options, .shards = 4, .max_keys = MAX_KEYS_BASE + config};

    return options;
}

bool worker_config_of(uint64_t max_keys, uint32_t *config)
{
    if (max_keys <= MAX_KEYS_BASE || max_keys - MAX_KEYS_BASE > UINT32_MAX)
        return false;
    *config = (uint32_t)(max_keys - MAX_KEYS_BASE);
    return true;
}

struct tarn_slice worker_key(unsigned thread, unsigned key, char *room)
{
    return tarn_slice_of(
        room, (size_t)snprintf(room, WORKER_KEY_ROOM, "t%u-%02u", thread % 10, key % 100));
}

static bool parse_key(struct tarn_slice name, unsigned *thread, unsigned *key)
{
    char room[WORKER_KEY_ROOM];
    struct tarn_slice again;

    if (name.length != 5)
        return false;
    *thread = (unsigned)((const uint8_t *)name.data)[1] - '0';
    *key = ((unsigned)((const uint8_t *)name.data)[3] - '0') * 10 +
           (unsigned)((const uint8_t *)name.data)[4] - '0';
    if (*thread >= WORKER_THREADS || *key >= WORKER_KEYS)
        return false;
    again = worker_key(*thread, *key, room);
    return memcmp(again.data, name.data, again.length) == 0;
}

/* Most are small; some are larger than a page, and a few than what one record of a block is. */
struct tarn_slice worker_value(uint32_t generation, uint32_t version, uint8_t *bytes)
{
    uint32_t head[2] = {generation, version};
    size_t length = sizeof head + version % 200;
    uint32_t mixed = generation * 2654435761u + version * 40503u;

    length += version % 13 == 0 ? 5000 : 0;
    length += version % 151 == 0 ? 70000 : 0;
    for (size_t i = 0; i < length; i++) {
        mixed = mixed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(mixed >> 24);
    }
    memcpy(bytes, head, sizeof head);
    return tarn_slice_of(bytes, length);
}

bool worker_take_record(struct worker_content *content, unsigned ns, struct tarn_slice key,
                        struct tarn_slice value, struct worker_problem *problem)
{
    static uint8_t bytes[WORKER_VALUE_BYTES_MAX]; /* one thread of a process reads */
    const char *name = worker_namespace_names[ns];
    uint32_t head[2];
    unsigned thread, number;
    struct tarn_slice wanted;

    if (!parse_key(key, &thread, &number))
        return worker_wrong(problem, "%s has a key that nobody has written: '%.*s'", name,
                            (int)key.length, (const char *)key.data);
    if (value.length < sizeof head)
        return worker_wrong(problem, "%s: the value of '%.*s' has %zu bytes", name, (int)key.length,
                            (const char *)key.data, value.length);
    memcpy(head, value.data, sizeof head);
    if (head[0] != worker_generation(content->config[ns]))
        return worker_wrong(problem,
                            "%s is generation %" PRIu32 ", and '%.*s' has a value of generation "
                            "%" PRIu32,
                            name, worker_generation(content->config[ns]), (int)key.length,
                            (const char *)key.data, head[0]);
    wanted = worker_value(head[0], head[1], bytes);
    if (head[1] == 0 || wanted.length != value.length ||
        memcmp(wanted.data, value.data, value.length) != 0)
        return worker_wrong(
            problem, "%s: the value of '%.*s' is not what version %" PRIu32 " wrote (%zu bytes)",
            name, (int)key.length, (const char *)key.data, head[1], value.length);
    if (content->versions[ns][thread][number])
        return worker_wrong(problem, "%s has the key '%.*s' twice", name, (int)key.length,
                            (const char *)key.data);
    content->versions[ns][thread][number] = head[1];
    return true;
}

/* ------------------------------------------------------------------------------------------
 * An open store
 */

struct reading {
    struct worker_catalog *catalog;
    struct worker_problem *problem;
    bool there[WORKER_NAMESPACES];
};

static bool note_namespace(void *context, struct tarn_slice name)
{
    struct reading *reading = context;
    unsigned ns = worker_namespace_of(name);

    if (ns == WORKER_NAMESPACES)
        return worker_wrong(reading->problem, "there is a namespace '%.*s'", (int)name.length,
                            (const char *)name.data);
    reading->there[ns] = true;
    return true;
}

static bool note_autosave(void *context, const struct tarn_autosave_info *info)
{
    struct reading *reading = context;
    unsigned ns =
        info->namespace_name.length ? worker_namespace_of(info->namespace_name) : WORKER_STORE;

    if (info->namespace_name.length && ns == WORKER_NAMESPACES)
        return worker_wrong(reading->problem, "there is an autosave of '%.*s'",
                            (int)info->namespace_name.length,
                            (const char *)info->namespace_name.data);
    if (info->options.keep != WORKER_AUTOSAVE_KEEP)
        return worker_wrong(reading->problem, "an autosave keeps %" PRIu32, info->options.keep);
    reading->catalog->autosave[ns] = (struct worker_autosave){
        .set = 1,
        .running = info->running,
        .at_close = info->options.at_close,
        .interval_ms = (uint32_t)info->options.interval_ms,
    };
    return true;
}

static bool read_config(tarn_store *store, unsigned ns, uint32_t *config,
                        struct worker_problem *problem)
{
    struct tarn_stats stats = {.size = sizeof stats};
    tarn_namespace *opened;
    tarn_status status =
        tarn_namespace_open(store, worker_text(worker_namespace_names[ns]), &opened);

    if (status)
        return worker_wrong_call(problem, "opening a namespace", status);
    status = tarn_namespace_stats(opened, &stats, NULL, 0);
    tarn_namespace_close(opened);
    if (status)
        return worker_wrong_call(problem, "reading a namespace's options", status);
    if (!worker_config_of(stats.options.max_keys, config) || stats.shards != 4)
        return worker_wrong(problem, "%s has options that nobody has given it",
                            worker_namespace_names[ns]);
    return true;
}

bool worker_read_catalog(tarn_store *store, struct worker_catalog *catalog,
                         struct worker_problem *problem)
{
    struct reading reading = {.catalog = catalog, .problem = problem};
    tarn_status status;

    memset(catalog, 0, sizeof *catalog);
    status = tarn_namespace_list(store, note_namespace, &reading);
    if (!status)
        status = tarn_autosave_list(store, note_autosave, &reading);
    if (status)
        return worker_wrong_call(problem, "listing namespaces and autosaves", status);
    for (unsigned ns = 0; ns < WORKER_NAMESPACES && !problem->text[0]; ns++)
        if (reading.there[ns])
            (void)read_config(store, ns, &catalog->config[ns], problem);
    return !problem->text[0];
}

static bool read_records(tarn_store *store, unsigned ns, struct worker_content *content,
                         struct worker_problem *problem)
{
    struct tarn_slice key, value;
    tarn_namespace *opened;
    tarn_cursor *cursor = NULL;
    tarn_status status =
        tarn_namespace_open(store, worker_text(worker_namespace_names[ns]), &opened);

    if (status)
        return worker_wrong_call(problem, "opening a namespace", status);
    status = tarn_cursor_open(opened, NULL, &cursor);
    while (!status && !problem->text[0]) {
        status = tarn_cursor_next(cursor, &key, &value, NULL);
        if (!status)
            (void)worker_take_record(content, ns, key, value, problem);
    }
    tarn_cursor_close(cursor);
    tarn_namespace_close(opened);
    if (status && status != TARN_CURSOR_END)
        return worker_wrong_call(problem, "walking a namespace", status);
    return !problem->text[0];
}

bool worker_read_content(tarn_store *store, struct worker_content *content,
                         struct worker_problem *problem)
{
    struct worker_catalog catalog;

    memset(content, 0, sizeof *content);
    if (!worker_read_catalog(store, &catalog, problem))
        return false;
    memcpy(content->config, catalog.config, sizeof content->config);
    for (unsigned ns = 0; ns < WORKER_NAMESPACES; ns++)
        if (content->config[ns] && !read_records(store, ns, content, problem))
            return false;
    return true;
}

/* ------------------------------------------------------------------------------------------
 * Comparing
 */

bool worker_same_catalog(const struct worker_catalog *wanted, const struct worker_catalog *found,
                         const char *what, struct worker_problem *problem)
{
    for (unsigned ns = 0; ns < WORKER_NAMESPACES; ns++)
        if (wanted->config[ns] != found->config[ns])
            return worker_wrong(problem,
                                "%s: %s should be configuration %" PRIu32 ", and is %" PRIu32, what,
                                worker_namespace_names[ns], wanted->config[ns], found->config[ns]);
    for (unsigned ns = 0; ns <= WORKER_NAMESPACES; ns++)
        if (memcmp(&wanted->autosave[ns], &found->autosave[ns], sizeof found->autosave[ns]) != 0)
            return worker_wrong(problem,
                                "%s: autosave %u should be (set, running, at close, ms) %" PRIu32
                                " %" PRIu32 " %" PRIu32 " %" PRIu32 ", and is %" PRIu32 " %" PRIu32
                                " %" PRIu32 " %" PRIu32,
                                what, ns, wanted->autosave[ns].set, wanted->autosave[ns].running,
                                wanted->autosave[ns].at_close, wanted->autosave[ns].interval_ms,
                                found->autosave[ns].set, found->autosave[ns].running,
                                found->autosave[ns].at_close, found->autosave[ns].interval_ms);
    return true;
}

bool worker_same_content(const struct worker_content *wanted, const struct worker_content *found,
                         const char *what, struct worker_problem *problem)
{
    for (unsigned ns = 0; ns < WORKER_NAMESPACES; ns++) {
        if (wanted->config[ns] != found->config[ns])
            return worker_wrong(problem,
                                "%s: %s should be configuration %" PRIu32 ", and is %" PRIu32, what,
                                worker_namespace_names[ns], wanted->config[ns], found->config[ns]);
        for (unsigned thread = 0; thread < WORKER_THREADS; thread++)
            for (unsigned key = 0; key < WORKER_KEYS; key++)
                if (wanted->versions[ns][thread][key] != found->versions[ns][thread][key])
                    return worker_wrong(problem,
                                        "%s: %s: key t%u-%02u should be version %" PRIu32
                                        " (0: absent), and is %" PRIu32,
                                        what, worker_namespace_names[ns], thread, key,
                                        wanted->versions[ns][thread][key],
                                        found->versions[ns][thread][key]);
    }
    return true;
}
