/* tarn snapshot save: saves the store or a namespace. */
#include "../report.h"
#include "../session.h"

enum { OF };

static const struct command_option options[] = {
    [OF] = {"of", "NAMESPACE", "of this namespace alone; else of the whole store"},
    {NULL, NULL, NULL},
};

static int run(struct invocation *call)
{
    struct tarn_snapshot_info info = {.size = sizeof info};
    struct tarn_slice name = slice_of(call->operands[0]);
    const char *of = call->values[OF];
    struct session session;
    tarn_namespace *ns = NULL;
    tarn_status status;
    int code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);

    if (code)
        return code;
    status = of ? tarn_namespace_open(session.store, slice_of(of), &ns) : TARN_OK;
    if (!status)
        status = of ? tarn_snapshot_save_namespace(ns, name, &info)
                    : tarn_snapshot_save(session.store, name, &info);
    if (!status)
        report_note("saved %llu keys in %llu bytes", (unsigned long long)info.keys,
                    (unsigned long long)info.file_bytes);
    tarn_namespace_close(ns);
    return session_end(&session, session_status(status));
}

const struct command command_snapshot_save = {
    .name = "snapshot save",
    .summary = "Saves the store, or a namespace, under a name",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .text = "A snapshot of the same name is replaced once the new one is durable.\n"
            "\n"
            "  tarn snapshot save before-update\n"
            "  tarn snapshot save users-monday --of users\n",
    .run = run,
};
