/* The steps of a run are made and told; see steps.h. */
#include "crash/steps.h"
#include "crash/world.h"
#include "support/fixture.h"

/* How often each kind is made, of 100: in memory, and where most namespaces are in logs. */
static const uint8_t shares[2][STEP_KINDS] = {
    {
        [STEP_CREATE] = 10,
        [STEP_DROP] = 5,
        [STEP_CONFIGURE] = 4,
        [STEP_RESIZE] = 3,
        [STEP_SET] = 20,
        [STEP_DELETE] = 6,
        [STEP_BATCH] = 10,
        [STEP_CLEAR] = 2,
        [STEP_SAVE] = 10,
        [STEP_SAVE_NAMESPACE] = 10,
        [STEP_LOAD] = 4,
        [STEP_LOAD_NAMESPACE] = 3,
        [STEP_DELETE_SNAPSHOT] = 5,
        [STEP_REOPEN] = 6,
        [STEP_CLOCK] = 2,
    },
    {
        [STEP_CREATE] = 10,
        [STEP_DROP] = 4,
        [STEP_CONFIGURE] = 5,
        [STEP_RESIZE] = 1,
        [STEP_SET] = 20,
        [STEP_DELETE] = 8,
        [STEP_BATCH] = 10,
        [STEP_CLEAR] = 4,
        [STEP_SAVE] = 3,
        [STEP_SAVE_NAMESPACE] = 3,
        [STEP_LOAD] = 5,
        [STEP_LOAD_NAMESPACE] = 4,
        [STEP_DELETE_SNAPSHOT] = 1,
        [STEP_REOPEN] = 6,
        [STEP_SYNC] = 5,
        [STEP_JOBS] = 7,
        [STEP_COMPACT] = 4,
    },
};

#define KEYS_OF_LOGS 6

/* Fewer namespaces, snapshots and keys, which so are there more often; one of six in memory. */
static void use_logs(uint64_t *seed, struct step *step)
{
    static const enum tarn_sync_mode modes[] = {
        TARN_SYNC_DEFAULT,  TARN_SYNC_NONE,   TARN_SYNC_NONE,
        TARN_SYNC_INTERVAL, TARN_SYNC_ALWAYS, TARN_SYNC_ALWAYS,
    };

    step->sync = modes[random_below(seed, sizeof modes / sizeof modes[0])];
    step->ns %= WORLD_NAMESPACES - 2;
    step->snapshot %= 2;
    if (step->kind == STEP_SET || step->kind == STEP_DELETE)
        step->number %= KEYS_OF_LOGS;
}

void steps_make(uint64_t seed, bool logs, struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned drawn = (unsigned)(random_next(&seed) % 100), kind = 0;

        while (kind < STEP_KINDS - 1 && drawn >= shares[logs][kind])
            drawn -= shares[logs][kind++];
        steps[i].kind = (enum step_kind)kind;
        steps[i].ns = (unsigned)(random_next(&seed) % (WORLD_NAMESPACES - 1));
        steps[i].as = (unsigned)(random_next(&seed) % (WORLD_NAMESPACES - 1));
        steps[i].snapshot = (unsigned)(random_next(&seed) % (WORLD_SNAPSHOTS - 1));
        steps[i].number = (uint32_t)random_next(&seed) >> 1;
        steps[i].value = 1 + (uint32_t)(random_next(&seed) % 100000);
        steps[i].sync = TARN_SYNC_DEFAULT;
        if (logs)
            use_logs(&seed, &steps[i]);
    }
    if (count)
        steps[0].kind = STEP_CREATE;
}

/* Whether it is a step of one namespace. */
static bool has_namespace(enum step_kind kind)
{
    return kind <= STEP_CLEAR || kind == STEP_SAVE_NAMESPACE || kind == STEP_LOAD_NAMESPACE ||
           kind == STEP_SYNC || kind == STEP_COMPACT;
}

void step_print(const struct step *step, FILE *stream)
{
    static const char *const names[STEP_KINDS] = {
        "create",         "drop",         "configure",       "resize",         "set",
        "delete",         "batch",        "clear",           "save the store", "save",
        "load the store", "load",         "delete snapshot", "reopen",         "set the clock",
        "sync",           "let jobs run", "compact",
    };
    static const char *const loads[] = {"newest", "newest whole", "nothing"};
    static const char *const modes[] = {"memory", "log, none", "log, interval", "log, always"};
    const char *ns = world_namespace_names[step->ns];
    const char *snapshot = world_snapshot_names[step->snapshot];

    fprintf(stream, "%s", names[step->kind]);
    if (has_namespace(step->kind))
        fprintf(stream, " %s", ns);
    if (step->kind == STEP_CREATE || step->kind == STEP_CONFIGURE)
        fprintf(stream, " (%s)", modes[step->sync]);
    if (step->kind >= STEP_SAVE && step->kind <= STEP_DELETE_SNAPSHOT)
        fprintf(stream, " %s", snapshot);
    if (step->kind == STEP_LOAD_NAMESPACE)
        fprintf(stream, " as %s", world_namespace_names[step->as]);
    if (step->kind == STEP_REOPEN)
        fprintf(stream, ", %s", loads[step->number % 3]);
    if (step->kind == STEP_SET || step->kind == STEP_DELETE || step->kind == STEP_BATCH)
        fprintf(stream, " key %u, value %u", step->number % WORLD_KEYS, step->value);
    fprintf(stream, "\n");
}
