/* A process that works on a store; see the header. */
#include "crash/worker.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fixture.h"

/* In a session with several threads these namespaces stay. */
#define SHARED_NAMESPACES 2

#define BURST_WRITES   800
#define BURST_PAUSE_US 1000

/* A thread that writes: the worker's first one, too. */
struct writer {
    struct worker *worker;
    unsigned thread;
    uint64_t random;
    uint32_t versions[WORKER_NAMESPACES][WORKER_KEYS]; /* of its own keys */
    tarn_namespace *handles[WORKER_NAMESPACES];        /* NULL: it does not write there */
    uint32_t generations[WORKER_NAMESPACES];
    tarn_batch *batch;
    uint8_t *bytes;
    pthread_t id;
};

struct worker {
    struct worker_log *log;
    const struct worker_plan *plan;
    tarn_store *store;
    struct worker_catalog catalog; /* as it is now */
    bool snapshots[WORKER_SNAPSHOTS];
    unsigned session;
    unsigned threads; /* that are running */
    _Atomic bool stop;
    struct writer writers[WORKER_THREADS];
};

/* ------------------------------------------------------------------------------------------
 * How it ends
 */

static _Noreturn void idle(struct worker_log *log)
{
    atomic_store(&log->idle, true);
    for (;;)
        pause();
}

/* Something is wrong with the library, or with this file. */
static _Noreturn void give_up(struct worker_log *log, const struct worker_problem *problem)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;

    if (!atomic_flag_test_and_set(&told)) {
        log->problem = *problem;
        atomic_store(&log->failed, true);
    }
    idle(log);
}

static void expect_done(struct worker_log *log, const char *call, tarn_status status)
{
    struct worker_problem problem = {0};

    if (!status)
        return;
    (void)worker_wrong_call(&problem, call, status);
    give_up(log, &problem);
}

/* What a call may say once the power is gone. */
static bool power_is_gone(const struct worker *w, tarn_status status)
{
    return w->plan->power_may_fail && (status == TARN_IO || status == TARN_OUTCOME_UNKNOWN);
}

static struct worker_step *begin(struct worker *w, enum worker_step_kind kind, unsigned ns,
                                 unsigned snapshot, const struct worker_catalog *after)
{
    struct worker_step step = {
        .kind = kind, .session = w->session, .ns = ns, .snapshot = snapshot, .after = *after};
    struct worker_step *begun = worker_step_begin(w->log, &step);

    if (!begun)
        idle(w->log);
    return begun;
}

static void end(struct worker *w, struct worker_step *step, const char *call, tarn_status status)
{
    worker_step_end(w->log, step, status);
    if (power_is_gone(w, status))
        idle(w->log);
    expect_done(w->log, call, status);
    w->catalog = step->after;
    if (w->plan->stop_after && atomic_load(&w->log->step_count) >= w->plan->stop_after)
        idle(w->log);
}

/* ------------------------------------------------------------------------------------------
 * Writing
 */

static unsigned find_present(struct writer *writer, unsigned ns)
{
    unsigned first = (unsigned)random_below(&writer->random, WORKER_KEYS);

    for (unsigned i = 0; i < WORKER_KEYS; i++)
        if (writer->versions[ns][(first + i) % WORKER_KEYS])
            return (first + i) % WORKER_KEYS;
    return WORKER_KEYS;
}

/* Every write changes something, so that each of them can be told from the one before. */
static struct worker_write choose_write(struct writer *writer, unsigned ns)
{
    struct worker_write write = {
        .generation = writer->generations[ns],
        .version = writer->worker->log->next_version[writer->thread]++,
        .ns = (uint8_t)ns,
        .count = 1,
    };
    uint64_t kind = random_below(&writer->random, 10);
    unsigned present = find_present(writer, ns);

    write.first = (uint8_t)random_below(&writer->random, WORKER_KEYS);
    if (kind < 2 && present < WORKER_KEYS) {
        write.first = (uint8_t)present;
        write.count = 0;
        write.removed = 1;
    } else if (kind < 6) {
        write.count = (uint8_t)(2 + random_below(&writer->random, 5));
        while (write.removed < 3 &&
               writer->versions[ns][(write.first + write.count + write.removed) % WORKER_KEYS])
            write.removed++;
    }
    return write;
}

static tarn_status do_write(struct writer *writer, const struct worker_write *write)
{
    tarn_namespace *ns = writer->handles[write->ns];
    struct tarn_slice value = worker_value(write->generation, write->version, writer->bytes);
    char room[WORKER_KEY_ROOM];
    struct tarn_slice key = worker_key(writer->thread, write->first, room);
    tarn_status status = TARN_OK;

    if (write->count == 1 && !write->removed)
        return tarn_set(ns, key, value, NULL, NULL);
    if (!write->count)
        return tarn_delete(ns, key);
    tarn_batch_clear(writer->batch);
    for (unsigned i = 0; i < (unsigned)write->count + write->removed && !status; i++) {
        key = worker_key(writer->thread, (write->first + i) % WORKER_KEYS, room);
        status = i < write->count ? tarn_batch_set(writer->batch, key, value)
                                  : tarn_batch_delete(writer->batch, key);
    }
    return status ? status
                  : tarn_batch_commit(ns, writer->batch, TARN_ALL_OR_NOTHING, NULL, NULL, NULL);
}

/* Into one of the namespaces that it may write to. False: there is no room for more in the log. */
static bool write_once(struct writer *writer)
{
    struct worker_log *log = writer->worker->log;
    unsigned ns = (unsigned)random_below(&writer->random,
                                         writer->thread ? SHARED_NAMESPACES : WORKER_NAMESPACES);
    struct worker_write chosen, *write;

    if (!writer->handles[ns])
        return true;
    chosen = choose_write(writer, ns);
    write = worker_write_begin(log, writer->thread, &chosen);
    if (!write)
        return false;
    expect_done(log, "a write", do_write(writer, write));
    atomic_store(&write->ended, worker_stamp(log));
    worker_write_apply(write, writer->versions[ns]);
    return true;
}

/* Now and then, or many at a time and then none for a while: a cut that is torn by a few
 * microseconds shows only where writes follow each other closely. */
static void *run_writer(void *context)
{
    struct writer *writer = context;
    bool bursts = random_below(&writer->random, 3) != 0, room = true;

    while (room && !atomic_load(&writer->worker->stop)) {
        uint64_t count = bursts ? random_below(&writer->random, BURST_WRITES) : 1;

        for (; count && room; count--)
            room = write_once(writer);
        usleep((useconds_t)random_below(&writer->random, bursts ? BURST_PAUSE_US : 80));
    }
    return NULL;
}

static void open_handle(struct writer *writer, unsigned ns)
{
    struct worker *w = writer->worker;

    expect_done(w->log, "opening a namespace",
                tarn_namespace_open(w->store, worker_text(worker_namespace_names[ns]),
                                    &writer->handles[ns]));
    writer->generations[ns] = worker_generation(w->catalog.config[ns]);
}

static void close_handle(struct writer *writer, unsigned ns)
{
    tarn_namespace_close(writer->handles[ns]);
    writer->handles[ns] = NULL;
}

/* ------------------------------------------------------------------------------------------
 * The catalog
 */

static void create(struct worker *w, unsigned ns)
{
    struct worker_catalog after = w->catalog;
    struct tarn_namespace_options options;
    struct worker_step *step;
    tarn_status status;

    after.config[ns] = w->log->next_generation++ * WORKER_CONFIGS;
    options = worker_options(after.config[ns]);
    step = begin(w, WORKER_CATALOG, ns, 0, &after);
    status = tarn_namespace_create(w->store, worker_text(worker_namespace_names[ns]), &options,
                                   &w->writers[0].handles[ns]);
    end(w, step, "making a namespace", status);
    w->writers[0].generations[ns] = worker_generation(after.config[ns]);
    memset(w->writers[0].versions[ns], 0, sizeof w->writers[0].versions[ns]);
}

static void drop(struct worker *w, unsigned ns)
{
    struct worker_catalog after = w->catalog;
    struct worker_step *step;

    after.config[ns] = 0;
    memset(&after.autosave[ns], 0, sizeof after.autosave[ns]);
    close_handle(&w->writers[0], ns);
    step = begin(w, WORKER_CATALOG, ns, 0, &after);
    end(w, step, "dropping a namespace",
        tarn_namespace_drop(w->store, worker_text(worker_namespace_names[ns])));
}

static void configure(struct worker *w, unsigned ns)
{
    struct worker_catalog after = w->catalog;
    struct tarn_namespace_options options = worker_options(++after.config[ns]);
    struct worker_step *step;

    if (after.config[ns] % WORKER_CONFIGS == 0)
        return;
    step = begin(w, WORKER_CATALOG, ns, 0, &after);
    end(w, step, "configuring a namespace",
        tarn_namespace_configure(w->writers[0].handles[ns], TARN_SET_MAX_KEYS, &options));
}

static void set_autosave(struct worker *w, unsigned ns)
{
    struct worker_catalog after = w->catalog;
    struct worker_autosave *setting = &after.autosave[ns];
    struct tarn_autosave_options options = {.size = sizeof options, .keep = WORKER_AUTOSAVE_KEEP};
    struct tarn_slice name = worker_text(ns == WORKER_STORE ? "" : worker_namespace_names[ns]);
    uint64_t *random = &w->writers[0].random;
    bool forget = setting->set && random_below(random, 6) == 0;
    struct worker_step *step;

    *setting = forget ? (struct worker_autosave){0}
                      : (struct worker_autosave){
                            .set = 1,
                            .running = setting->running,
                            .at_close = random_below(random, 3) == 0,
                            .interval_ms = (uint32_t)(100 + random_below(random, 30)),
                        };
    options.interval_ms = setting->interval_ms;
    options.at_close = setting->at_close;
    options.pattern = worker_text(ns == WORKER_STORE ? "auto-store-{ts}" : "auto-{ns}-{ts}");
    step = begin(w, WORKER_CATALOG, ns, 0, &after);
    end(w, step, "setting an autosave",
        tarn_autosave_set(w->store, name, forget ? NULL : &options));
}

static void change_autosave(struct worker *w, unsigned ns)
{
    struct worker_catalog after = w->catalog;
    struct worker_autosave *setting = &after.autosave[ns];
    struct tarn_slice name = worker_text(ns == WORKER_STORE ? "" : worker_namespace_names[ns]);
    struct worker_step *step;

    if (!setting->set || random_below(&w->writers[0].random, 3) == 0) {
        set_autosave(w, ns);
        return;
    }
    setting->running = !setting->running;
    step = begin(w, WORKER_CATALOG, ns, 0, &after);
    end(w, step, "starting or stopping an autosave",
        setting->running ? tarn_autosave_start(w->store, name)
                         : tarn_autosave_stop(w->store, name));
}

/* ------------------------------------------------------------------------------------------
 * Snapshots
 */

static void save(struct worker *w, unsigned ns)
{
    struct tarn_snapshot_info info = {.size = sizeof info};
    unsigned snapshot = (unsigned)random_below(&w->writers[0].random, WORKER_TRIAL);
    struct tarn_slice name = worker_text(worker_snapshot_names[snapshot]);
    struct worker_step *step = begin(w, WORKER_SAVE, ns, snapshot, &w->catalog);
    tarn_status status = ns == WORKER_STORE
                             ? tarn_snapshot_save(w->store, name, &info)
                             : tarn_snapshot_save_namespace(w->writers[0].handles[ns], name, &info);

    step->sequence = info.sequence;
    end(w, step, "a save", status);
    w->snapshots[snapshot] = true;
}

static void delete_snapshot(struct worker *w)
{
    unsigned snapshot = (unsigned)random_below(&w->writers[0].random, WORKER_TRIAL);
    struct worker_step *step;

    if (!w->snapshots[snapshot])
        return;
    step = begin(w, WORKER_DELETE, WORKER_STORE, snapshot, &w->catalog);
    end(w, step, "deleting a snapshot",
        tarn_snapshot_delete(w->store, worker_text(worker_snapshot_names[snapshot])));
    w->snapshots[snapshot] = false;
}

/* ------------------------------------------------------------------------------------------
 * Sessions
 */

/* In the store's thread, in a close or in an opening. */
static void on_event(void *context, const struct tarn_event *event)
{
    struct worker *w = context;
    struct worker_problem problem = {0};
    struct worker_event *entry;
    uint32_t count;

    if (event->status) {
        if (power_is_gone(w, event->status))
            idle(w->log);
        (void)worker_wrong(&problem, "event %d of snapshot '%.*s': %s (%s)", (int)event->kind,
                           (int)event->snapshot.length, (const char *)event->snapshot.data,
                           tarn_status_name(event->status), event->error->message);
        give_up(w->log, &problem);
    }
    count = atomic_load(&w->log->event_count);
    if (count == WORKER_EVENTS_MAX || event->snapshot.length >= WORKER_NAME_ROOM)
        idle(w->log);
    entry = &w->log->events[count];
    entry->session = w->session;
    memcpy(entry->name, event->snapshot.data, event->snapshot.length);
    entry->name[event->snapshot.length] = '\0';
    entry->at = worker_stamp(w->log);
    atomic_store(&w->log->event_count, count + 1);
}

static void open_store(struct worker *w, struct worker_session *session)
{
    uint64_t kind = random_below(&w->writers[0].random, 12);
    struct tarn_options options = {
        .size = sizeof options, .on_event = on_event, .event_context = w};
    struct worker_step *step;

    options.load = kind == 0  ? TARN_LOAD_NOTHING
                   : kind < 3 ? TARN_LOAD_NEWEST_WHOLE
                              : TARN_LOAD_NEWEST;
    session->nothing_loaded = kind == 0;
    step = begin(w, WORKER_OPEN, WORKER_STORE, 0, &w->catalog);
    end(w, step, "opening the store", tarn_open(w->plan->path, &options, &w->store));
}

static void begin_session(struct worker *w)
{
    uint32_t number = atomic_load(&w->log->session_count);
    struct worker_session *session = &w->log->sessions[number];
    struct worker_problem problem = {0};
    struct worker_catalog found;

    if (number == WORKER_SESSIONS_MAX)
        idle(w->log);
    w->session = number;
    session->first_step = atomic_load(&w->log->step_count);
    for (unsigned thread = 0; thread < WORKER_THREADS; thread++)
        session->first_write[thread] = atomic_load(&w->log->writes[thread].count);
    session->catalog = w->catalog;
    atomic_store(&session->begun, false);
    atomic_store(&w->log->session_count, number + 1);
    open_store(w, session);
    if (!worker_read_catalog(w->store, &found, &problem) ||
        !worker_same_catalog(&w->catalog, &found, "after an opening in the worker", &problem) ||
        !worker_read_content(w->store, &session->base, &problem))
        give_up(w->log, &problem);
    atomic_store(&session->begun, true);
}

/* Gives a writer its keys as they are, and handles to the first namespaces. */
static void prepare_writer(struct worker *w, struct writer *writer, unsigned namespaces)
{
    const struct worker_content *base = &w->log->sessions[w->session].base;

    for (unsigned ns = 0; ns < WORKER_NAMESPACES; ns++) {
        memcpy(writer->versions[ns], base->versions[ns][writer->thread],
               sizeof writer->versions[ns]);
        if (ns < namespaces && w->catalog.config[ns])
            open_handle(writer, ns);
    }
}

static void start_writers(struct worker *w)
{
    prepare_writer(w, &w->writers[0], WORKER_NAMESPACES);
    w->threads = w->plan->threads && random_below(&w->writers[0].random, 4) ? w->plan->threads : 0;
    for (unsigned ns = 0; ns < SHARED_NAMESPACES && w->threads; ns++)
        if (!w->catalog.config[ns])
            create(w, ns);
    atomic_store(&w->stop, false);
    for (unsigned i = 1; i <= w->threads; i++) {
        prepare_writer(w, &w->writers[i], SHARED_NAMESPACES);
        expect_done(w->log, "making a thread",
                    pthread_create(&w->writers[i].id, NULL, run_writer, &w->writers[i])
                        ? TARN_NO_MEMORY
                        : TARN_OK);
    }
}

static void end_session(struct worker *w)
{
    struct worker_step *step;

    atomic_store(&w->stop, true);
    for (unsigned i = 1; i <= w->threads; i++)
        pthread_join(w->writers[i].id, NULL);
    for (unsigned i = 0; i < WORKER_THREADS; i++)
        for (unsigned ns = 0; ns < WORKER_NAMESPACES; ns++)
            close_handle(&w->writers[i], ns);
    step = begin(w, WORKER_CLOSE, WORKER_STORE, 0, &w->catalog);
    end(w, step, "closing the store", tarn_close(w->store));
}

static void work_once(struct worker *w)
{
    uint64_t *random = &w->writers[0].random;
    unsigned ns = (unsigned)random_below(random, WORKER_NAMESPACES);
    uint64_t kind = random_below(random, 100);
    bool there = w->catalog.config[ns] != 0;

    if (kind < 50)
        for (uint64_t i = 1 + random_below(random, 16); i > 0; i--)
            (void)write_once(&w->writers[0]); /* the log may be full: steps go on */
    else if (kind < 60 && !there)
        create(w, ns);
    else if (kind < 53 && there && !(w->threads && ns < SHARED_NAMESPACES))
        drop(w, ns);
    else if (kind < 64 && there)
        configure(w, ns);
    else if (kind < 70)
        change_autosave(w, there ? ns : WORKER_STORE);
    else if (kind < 80)
        save(w, WORKER_STORE);
    else if (kind < 90 && there)
        save(w, ns);
    else if (kind < 95)
        delete_snapshot(w);
    else if (kind < 97)
        usleep((useconds_t)random_below(random, 500));
}

static _Noreturn void work(struct worker *w)
{
    for (;;) {
        begin_session(w);
        start_writers(w);
        for (uint64_t i = 10 + random_below(&w->writers[0].random, 100); i > 0; i--)
            work_once(w);
        end_session(w);
    }
}

/* ------------------------------------------------------------------------------------------
 * The process
 */

static _Noreturn void run_worker(struct worker_log *log, const struct worker_plan *plan)
{
    static struct worker w;
    uint64_t random = plan->seed;

    w.log = log;
    w.plan = plan;
    w.catalog = plan->catalog;
    memcpy(w.snapshots, plan->snapshots, sizeof w.snapshots);
    for (unsigned i = 0; i < WORKER_THREADS; i++) {
        w.writers[i].worker = &w;
        w.writers[i].thread = i;
        w.writers[i].random = random_next(&random);
        w.writers[i].bytes = malloc(WORKER_VALUE_BYTES_MAX);
        expect_done(log, "memory", w.writers[i].bytes ? TARN_OK : TARN_NO_MEMORY);
        expect_done(log, "making a batch", tarn_batch_create(&w.writers[i].batch));
    }
    work(&w);
}

static _Noreturn void run_opening(struct worker_log *log, const struct worker_plan *plan)
{
    const struct tarn_options options = {.size = sizeof options, .load = TARN_LOAD_NEWEST};
    tarn_store *store = NULL;

    expect_done(log, "opening the store", tarn_open(plan->path, &options, &store));
    expect_done(log, "closing the store", tarn_close(store));
    idle(log);
}

static pid_t start(struct worker_log *log, const struct worker_plan *plan,
                   void (*run)(struct worker_log *log, const struct worker_plan *plan))
{
    pid_t child = fork();

    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* as far as the kernel does it */
        run(log, plan);
    }
    return child;
}

pid_t worker_start(struct worker_log *log, const struct worker_plan *plan)
{
    worker_log_clear(log);
    return start(log, plan, run_worker);
}

pid_t worker_start_opening(struct worker_log *log, const struct worker_plan *plan)
{
    atomic_store(&log->idle, false);
    return start(log, plan, run_opening);
}

bool worker_kill(pid_t child)
{
    int status = 0;

    return kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child &&
           WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}
