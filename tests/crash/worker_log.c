/* The log that a worker shares with its judge; see the header. */
#include "crash/worker_log.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#define PRINTED 12

struct worker_log *worker_log_make(void)
{
    struct worker_log *log =
        mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (log == MAP_FAILED)
        return NULL;
    log->next_generation = 1;
    for (unsigned thread = 0; thread < WORKER_THREADS; thread++)
        log->next_version[thread] = 1;
    return log;
}

void worker_log_free(struct worker_log *log)
{
    if (log)
        (void)munmap(log, sizeof *log); /* it was mapped with this size */
}

void worker_log_clear(struct worker_log *log)
{
    atomic_store(&log->clock, 0);
    atomic_store(&log->step_count, 0);
    atomic_store(&log->session_count, 0);
    atomic_store(&log->event_count, 0);
    for (unsigned thread = 0; thread < WORKER_THREADS; thread++)
        atomic_store(&log->writes[thread].count, 0);
    atomic_store(&log->idle, false);
    atomic_store(&log->failed, false);
    log->problem.text[0] = '\0';
}

uint64_t worker_stamp(struct worker_log *log)
{
    return atomic_fetch_add(&log->clock, 1) + 1;
}

struct worker_step *worker_step_begin(struct worker_log *log, const struct worker_step *step)
{
    uint32_t count = atomic_load(&log->step_count);
    struct worker_step *entry = &log->steps[count];

    if (count == WORKER_STEPS_MAX)
        return NULL;
    memcpy(entry, step, sizeof *entry);
    atomic_store(&entry->ended, 0);
    entry->issued = worker_stamp(log);
    atomic_store(&log->step_count, count + 1);
    return entry;
}

void worker_step_end(struct worker_log *log, struct worker_step *step, tarn_status status)
{
    step->status = status;
    atomic_store(&step->ended, worker_stamp(log));
}

struct worker_write *worker_write_begin(struct worker_log *log, unsigned thread,
                                        const struct worker_write *write)
{
    struct worker_writes *writes = &log->writes[thread];
    uint32_t count = atomic_load(&writes->count);
    struct worker_write *entry = &writes->items[count];

    if (count == WORKER_WRITES_MAX)
        return NULL;
    memcpy(entry, write, sizeof *entry);
    atomic_store(&entry->ended, 0);
    entry->issued = worker_stamp(log);
    atomic_store(&writes->count, count + 1);
    return entry;
}

void worker_write_apply(const struct worker_write *write, uint32_t versions[WORKER_KEYS])
{
    unsigned key = write->first;

    for (unsigned i = 0; i < write->count; i++, key++)
        versions[key % WORKER_KEYS] = write->version;
    for (unsigned i = 0; i < write->removed; i++, key++)
        versions[key % WORKER_KEYS] = 0;
}

uint32_t worker_session_end(const struct worker_log *log, unsigned session, unsigned thread)
{
    if (session + 1 < atomic_load(&log->session_count))
        return log->sessions[session + 1].first_write[thread];
    return atomic_load(&log->writes[thread].count);
}

static void print_configs(const struct worker_catalog *catalog, FILE *stream)
{
    for (unsigned ns = 0; ns < WORKER_NAMESPACES; ns++)
        fprintf(stream, "%s%" PRIu32, ns ? " " : "", catalog->config[ns]);
}

void worker_log_print(const struct worker_log *log, FILE *stream)
{
    static const char *const kinds[] = {"open", "close", "catalog", "save", "delete"};
    uint32_t count = atomic_load(&log->step_count);

    for (uint32_t i = count > PRINTED ? count - PRINTED : 0; i < count; i++) {
        const struct worker_step *step = &log->steps[i];
        uint64_t ended = atomic_load(&step->ended);

        fprintf(stream, "    step %" PRIu32 ", opening %u: %s, namespace %u, snapshot %u: %s (", i,
                step->session, kinds[step->kind], step->ns, step->snapshot,
                ended ? tarn_status_name(step->status) : "has not ended");
        print_configs(&step->after, stream);
        fprintf(stream, "), %" PRIu64 " to %" PRIu64 "\n", step->issued, ended);
    }
}
