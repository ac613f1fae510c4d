/* tarn snapshot load: brings back what a snapshot holds. */
#include "../report.h"
#include "../session.h"

enum { OF, AS };

static const struct command_option options[] = {
    [OF] = {"of", "NAMESPACE", "only this namespace of the snapshot"},
    [AS] = {"as", "NAME", "it becomes the namespace NAME; with --of"},
    {NULL, NULL, NULL},
};

static bool note_memory(void *context, struct tarn_slice name)
{
    const struct session *session = context;
    tarn_namespace *ns = NULL;

    if (tarn_namespace_open(session->store, name, &ns) == TARN_OK)
        session_note_memory(session, ns, name);
    tarn_namespace_close(ns);
    return true;
}

static tarn_status load(struct session *session, const struct invocation *call)
{
    struct tarn_slice name = slice_of(call->operands[0]);
    const char *of = call->values[OF], *as = call->values[AS];

    if (!of)
        return tarn_snapshot_load(session->store, name);
    return tarn_snapshot_load_namespace(session->store, name, slice_of(of), slice_of(as ? as : ""));
}

static int run(struct invocation *call)
{
    const char *of = call->values[OF], *as = call->values[AS];
    struct session session;
    tarn_status status;
    int code;

    if (as && (!of || !*as))
        return report_error(EXIT_USAGE, "--as is the new name of the namespace that --of names");
    code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);
    if (code)
        return code;
    status = load(&session, call);
    if (!status && of)
        note_memory(&session, slice_of(as ? as : of));
    else if (!status)
        status = tarn_namespace_list(session.store, note_memory, &session);
    return session_end(&session, session_status(status));
}

const struct command command_snapshot_load = {
    .name = "snapshot load",
    .summary = "Brings back what a snapshot holds",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .text = "The keys of each namespace in it are replaced; other namespaces stay as they are. A\n"
            "damaged snapshot changes nothing.\n"
            "\n"
            "  tarn snapshot load before-update\n"
            "  tarn snapshot load before-update --of users --as users-before\n",
    .run = run,
};
