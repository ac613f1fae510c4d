/* The oracle; see the header. A world belongs to one thread. */
#include "crash/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const world_namespace_names[WORLD_NAMESPACES] = {"a", "b", "c", "d", "probe"};
const char *const world_snapshot_names[WORLD_SNAPSHOTS] = {"s0", "s1", "s2", "s3", "probe"};

void world_init(struct world *world, struct world_saves *saves, uint64_t *versions,
                uint32_t *numbers)
{
    memset(world, 0, sizeof *world);
    world->saves = saves;
    world->versions = versions;
    world->numbers = numbers;
    world->version = ++*versions;
    world->catalog_count = 1;
    for (unsigned i = 0; i < WORLD_SNAPSHOTS; i++)
        world->snapshot_count[i] = 1;
    if (saves->count == 0)
        (void)world_save(world, NULL); /* place 0 means none */
}

void world_saves_release(struct world_saves *saves)
{
    free(saves->items);
    *saves = (struct world_saves){0};
}

/* ------------------------------------------------------------------------------------------
 * Bytes
 */

struct tarn_slice world_value(uint32_t value, uint8_t *bytes)
{
    size_t length = 4 + value % 37 + (value % 23 == 0 ? 600 : 0);

    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(value * 31 + i * 7);
    memcpy(bytes, &value, sizeof value);
    return tarn_slice_of(bytes, length);
}

struct tarn_slice world_key(uint32_t key, char *room)
{
    return tarn_slice_of(room, (size_t)snprintf(room, 8, "k%02u", key % 100));
}

uint32_t world_key_number(struct tarn_slice key)
{
    const char *bytes = key.data;
    uint32_t number;

    if (key.length != 3 || bytes[0] != 'k')
        return WORLD_KEYS;
    number = (uint32_t)(bytes[1] - '0') * 10 + (uint32_t)(bytes[2] - '0');
    return number < WORLD_KEYS ? number : WORLD_KEYS;
}

/* ------------------------------------------------------------------------------------------
 * Changes
 */

static void narrowed(struct world *world)
{
    world->version = ++*world->versions;
}

/* The catalog tells of the logs that were to come. */
static void take_arrived(struct world *world)
{
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++) {
        uint32_t home = world->now.ns[i].home;

        if (home && home != world->logs[i].home)
            world->logs[i] = world->arriving[i];
    }
}

void world_catalog_begins(struct world *world, const struct world_catalog *next)
{
    if (world->catalog_count < WORLD_ALTERNATIVES)
        world->catalogs[world->catalog_count++] = *next;
}

void world_catalog_ends(struct world *world, const struct world_catalog *next, tarn_status status)
{
    if (status == TARN_OUTCOME_UNKNOWN)
        return;
    if (status == TARN_OK) {
        world->catalogs[0] = *next;
        world->catalog_count = 1;
        world->now = *next;
        take_arrived(world);
    } else {
        world->catalog_count--;
    }
    narrowed(world);
}

void world_snapshot_begins(struct world *world, unsigned name, uint32_t save)
{
    if (world->snapshot_count[name] < WORLD_ALTERNATIVES)
        world->snapshots[name][world->snapshot_count[name]++] = save;
}

void world_snapshot_ends(struct world *world, unsigned name, uint32_t save, tarn_status status)
{
    if (status == TARN_OUTCOME_UNKNOWN)
        return;
    if (status == TARN_OK) {
        world->snapshots[name][0] = save;
        world->snapshot_count[name] = 1;
    } else {
        world->snapshot_count[name]--;
    }
    narrowed(world);
}

/* ------------------------------------------------------------------------------------------
 * Logs
 */

void world_log_begins(struct world *world, unsigned ns, const struct world_content *next)
{
    struct world_log *log = &world->logs[ns];

    log->states[log->count++] = *next;
}

/* Takes out states that cannot be found any more. */
static void forget(struct world_log *log, unsigned from, unsigned count)
{
    memmove(log->states + from, log->states + from + count,
            (log->count - from - count) * sizeof log->states[0]);
    log->count -= count;
}

void world_log_ends(struct world *world, unsigned ns, enum world_log_end end)
{
    struct world_log *log = &world->logs[ns];

    switch (end) {
    case WORLD_LOG_REFUSED:
        log->count--;
        break;
    case WORLD_LOG_NOT_SEEN:
        log->doubtful++;
        return;
    default: /* what comes behind a write that was not done shows that it cannot be found */
        forget(log, log->count - 1 - log->doubtful, log->doubtful);
        log->doubtful = 0;
        if (end == WORLD_LOG_DONE)
            log->acknowledged = log->count - 1;
    }
    narrowed(world);
}

void world_log_is_durable(struct world *world, unsigned ns)
{
    struct world_log *log = &world->logs[ns];

    log->forgotten += log->count - 1 - log->doubtful;
    forget(log, 0, log->count - 1 - log->doubtful);
    log->acknowledged = 0;
    narrowed(world);
}

uint64_t world_log_number(const struct world *world, unsigned ns)
{
    return world->logs[ns].forgotten + world->logs[ns].count - 1;
}

void world_log_is_durable_to(struct world *world, unsigned ns, uint64_t number)
{
    struct world_log *log = &world->logs[ns];
    unsigned count = number > log->forgotten ? (unsigned)(number - log->forgotten) : 0;

    if (!count)
        return;
    log->forgotten += count;
    forget(log, 0, count);
    log->acknowledged -= count;
    narrowed(world);
}

void world_logs_are_closed(struct world *world)
{
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++) {
        if (!world->now.ns[i].home)
            continue;
        world->logs[i].count -= world->logs[i].doubtful;
        world->logs[i].doubtful = 0;
        world_log_is_durable(world, i);
    }
}

uint32_t world_log_arrives(struct world *world, unsigned ns, const struct world_content *content)
{
    struct world_log *log = &world->arriving[ns];

    memset(log, 0, sizeof *log);
    log->home = ++*world->numbers;
    log->states[log->count++] = *content;
    return log->home;
}

static bool log_fits(const struct world_log *log, const struct world_content *found, bool killed)
{
    for (unsigned i = killed ? log->acknowledged : 0; i < log->count; i++)
        if (memcmp(&log->states[i], found, sizeof *found) == 0)
            return true;
    return false;
}

bool world_logs_fit(const struct world *world, size_t catalog,
                    const struct world_content found[WORLD_NAMESPACES], bool killed)
{
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++) {
        uint32_t home = world->catalogs[catalog].ns[i].home;
        bool now = home == world->logs[i].home, then = home == world->arriving[i].home;

        if (!home || (now && log_fits(&world->logs[i], &found[i], killed)) ||
            (then && log_fits(&world->arriving[i], &found[i], killed)))
            continue;
        return false;
    }
    return true;
}

uint32_t world_save(struct world *world, const unsigned *only)
{
    struct world_saves *saves = world->saves;
    struct world_save *save;

    if (saves->count == saves->room) {
        saves->room = saves->room ? 2 * saves->room : 64;
        saves->items = realloc(saves->items, saves->room * sizeof *saves->items);
        if (!saves->items)
            abort();
    }
    save = &saves->items[saves->count];
    memset(save, 0, sizeof *save);
    save->whole = only == NULL;
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++) {
        if (!world->now.ns[i].there || (only && i != *only))
            continue;
        save->ns[i] = world->now.ns[i];
        save->content[i] = world->content[i];
    }
    return (uint32_t)saves->count++;
}

struct world_save *world_save_at(const struct world *world, uint32_t place)
{
    return &world->saves->items[place];
}

/* ------------------------------------------------------------------------------------------
 * Openings
 */

/* What was found of a log is durable. */
static bool settle_log(struct world *world, unsigned ns, const struct world_content *found)
{
    struct world_log *log = &world->logs[ns];
    bool was_open = log->count > 1;

    log->home = world->now.ns[ns].home;
    log->states[0] = world->content[ns] = *found;
    log->count = 1;
    log->acknowledged = log->doubtful = 0;
    log->failed = false;
    return was_open;
}

void world_settle(struct world *world, const struct world_found *found)
{
    bool was_open = world->catalog_count > 1 || !world->begun;

    world->now = world->catalogs[found->catalog];
    world->catalogs[0] = world->now;
    world->catalog_count = 1;
    world->begun = true;
    for (unsigned i = 0; i < WORLD_SNAPSHOTS; i++) {
        was_open = was_open || world->snapshot_count[i] > 1;
        world->snapshots[i][0] = found->snapshots[i];
        world->snapshot_count[i] = 1;
    }
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++)
        if (world->now.ns[i].home && settle_log(world, i, &found->logs[i]))
            was_open = true;
    if (was_open)
        narrowed(world);
}

void world_load_nothing(struct world *world)
{
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++)
        if (!world->now.ns[i].home)
            memset(&world->content[i], 0, sizeof world->content[i]);
}

void world_load_newest(struct world *world)
{
    world_load_nothing(world);
    for (unsigned i = 0; i < WORLD_NAMESPACES; i++) {
        uint32_t newest = 0;

        for (unsigned name = 0; name < WORLD_SNAPSHOTS; name++) {
            uint32_t place = world->snapshots[name][0];
            const struct world_namespace *ns = &world_save_at(world, place)->ns[i];

            if (place > newest && ns->there && ns->number == world->now.ns[i].number)
                newest = place;
        }
        if (newest && world->now.ns[i].there && !world->now.ns[i].home)
            world->content[i] = world_save_at(world, newest)->content[i];
    }
}
