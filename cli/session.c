/* Opening and closing; see the header. */
#include "session.h"
#include "options.h"
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define RETRY_MS 10

struct tarn_slice slice_of(const char *text)
{
    return tarn_slice_of(text, strlen(text));
}

int session_status(tarn_status status)
{
    if (status == TARN_KEY_NOT_FOUND)
        return report_key_not_found();
    return status ? report_status(status) : EXIT_DONE;
}

/* ------------------------------------------------------------------------------------------
 * The store
 */

/* Whether nothing is there, or an empty folder: no store, but no mistake either. */
static bool nothing_is_at(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    bool found = false;

    if (!folder)
        return errno == ENOENT;
    while (!found && (entry = readdir(folder)))
        found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return !found;
}

static int report_no_store(const struct session *session)
{
    const char *dir = session->call->globals.data_dir;

    if ((session->need & SESSION_KEYS) && (session->need & SESSION_WRITES)) {
        report_key_not_found();
        report_note("there is no store in '%s'", dir);
        return EXIT_NOT_FOUND;
    }
    return report_error(EXIT_IO,
                        "there is no store in '%s': name another folder with --data-dir, or make "
                        "one with `tarn set KEY VALUE`",
                        dir);
}

bool session_wait(const struct invocation *call, uint64_t *waited_ms)
{
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};

    if (*waited_ms >= call->globals.wait_ms)
        return false;
    nanosleep(&pause, NULL);
    *waited_ms += RETRY_MS;
    return true;
}

static tarn_status open_store(struct session *session)
{
    const struct tarn_options options = {.size = sizeof options,
                                         .read_only = !(session->need & SESSION_WRITES)};
    uint64_t waited_ms = 0;
    tarn_status status;

    do
        status = tarn_open(session->call->globals.data_dir, &options, &session->store);
    while (status == TARN_STORE_LOCKED && session_wait(session->call, &waited_ms));
    return status;
}

/* ------------------------------------------------------------------------------------------
 * The namespace
 */

static int report_no_namespace(const struct session *session, tarn_status status)
{
    if (status == TARN_NAMESPACE_NOT_FOUND && (session->need & SESSION_KEYS)) {
        report_key_not_found();
        if (strcmp(session->call->globals.namespace_name, "default") != 0)
            report_note("the store has no namespace '%s'", session->call->globals.namespace_name);
        return EXIT_NOT_FOUND;
    }
    return report_status(status);
}

/* What was asked for must not differ silently from what is there. */
static int check_engine(const struct session *session)
{
    const struct globals *globals = &session->call->globals;
    struct tarn_stats stats = {.size = sizeof stats};
    tarn_status status;

    if (globals->engine == TARN_ENGINE_DEFAULT && globals->sync == TARN_SYNC_DEFAULT)
        return 0;
    status = tarn_namespace_stats(session->ns, &stats, NULL, 0);
    if (status)
        return report_status(status);
    if (globals->engine != TARN_ENGINE_DEFAULT &&
        strcmp(engine_name(globals->engine), engine_name(stats.options.engine)) != 0)
        return report_error(
            EXIT_USAGE, "namespace '%s' has the engine %s, which does not change: " ENGINE_ADVICE,
            globals->namespace_name, engine_name(stats.options.engine));
    if (globals->sync != TARN_SYNC_DEFAULT && stats.options.engine == TARN_ENGINE_LOG &&
        globals->sync != stats.options.sync)
        report_note("namespace '%s' keeps its sync mode %s: `tarn ns set --sync` changes it",
                    globals->namespace_name, sync_name(stats.options.sync));
    return 0;
}

static int open_namespace(struct session *session)
{
    const struct globals *globals = &session->call->globals;
    struct tarn_slice name = slice_of(globals->namespace_name);
    struct tarn_namespace_options options = {
        .size = sizeof options,
        .engine = globals->engine ? globals->engine : TARN_ENGINE_LOG,
        .sync = globals->sync,
    };
    tarn_status status = tarn_namespace_open(session->store, name, &session->ns);

    if (!status)
        return session->need & SESSION_WRITES ? check_engine(session) : 0;
    if (status == TARN_NAMESPACE_NOT_FOUND && (session->need & SESSION_MAKES)) {
        status = tarn_namespace_create(session->store, name, &options, &session->ns);
        if (!status)
            return 0;
    }
    return report_no_namespace(session, status);
}

/* ------------------------------------------------------------------------------------------
 * Beginning and end
 */

int session_begin(struct session *session, const struct invocation *call, unsigned need)
{
    tarn_status status;
    int code = 0;

    *session = (struct session){.call = call, .need = need};
    if (call->globals.read_only && (need & SESSION_WRITES))
        return report_error(EXIT_USAGE, "`tarn %s` changes the store, which --read-only forbids",
                            call->command->name);
    if (!(need & SESSION_MAKES) && nothing_is_at(call->globals.data_dir))
        return report_no_store(session);
    status = open_store(session);
    if (status)
        return report_status(status);
    if (!(need & SESSION_STORE))
        code = open_namespace(session);
    if (!code)
        return 0;
    session->need |= SESSION_STORE; /* nothing was written */
    return session_end(session, code);
}

struct saving {
    struct tarn_slice name;
    bool saved;
};

static bool look_at_autosave(void *context, const struct tarn_autosave_info *info)
{
    struct saving *saving = context;
    struct tarn_slice of = info->namespace_name;

    if (info->running && info->options.at_close &&
        (of.length == 0 ||
         (of.length == saving->name.length && memcmp(of.data, saving->name.data, of.length) == 0)))
        saving->saved = true;
    return !saving->saved;
}

void session_note_memory(const struct session *session, tarn_namespace *ns, struct tarn_slice name)
{
    struct tarn_stats stats = {.size = sizeof stats};
    struct saving saving = {.name = name};

    if (tarn_namespace_stats(ns, &stats, NULL, 0) || stats.options.engine == TARN_ENGINE_LOG ||
        tarn_autosave_list(session->store, look_at_autosave, &saving) || saving.saved)
        return;
    report_note("namespace '%.*s' lives in memory, and what was written to it is gone with this "
                "command: `tarn autosave set --at-close -n %.*s` keeps it",
                (int)name.length, (const char *)name.data, (int)name.length,
                (const char *)name.data);
}

int session_end(struct session *session, int code)
{
    tarn_status status;

    if (code == 0 && session->ns && (session->need & SESSION_WRITES) &&
        !(session->need & SESSION_STORE))
        session_note_memory(session, session->ns, slice_of(session->call->globals.namespace_name));
    tarn_namespace_close(session->ns);
    session->ns = NULL;
    status = tarn_close(session->store);
    session->store = NULL;
    if (!status)
        return code;
    (void)report_status(status);
    return code ? code : exit_code_of(status);
}

int session_call(const struct invocation *call, unsigned need,
                 tarn_status (*work)(tarn_store *store, struct tarn_slice name),
                 struct tarn_slice name)
{
    struct session session;
    int code = session_begin(&session, call, SESSION_STORE | need);

    return code ? code : session_end(&session, session_status(work(session.store, name)));
}
