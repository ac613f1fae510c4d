/* tarn compact: gives back the room of what was overwritten or removed. */
#include "../progress.h"
#include "../report.h"
#include "../session.h"
#include "../show.h"

struct compacting {
    struct invocation *call;
    struct session *session;
    struct progress progress;
    struct show_object object;
    uint64_t freed, now; /* bytes on disk, of all */
    tarn_status status;
};

static bool tell(void *context, uint64_t done, uint64_t total)
{
    progress_bytes(context, done, total);
    return true;
}

static void show(struct compacting *compacting, struct tarn_slice name, uint64_t before,
                 uint64_t now)
{
    uint64_t freed = before > now ? before - now : 0;

    compacting->freed += freed;
    compacting->now += now;
    if (compacting->call->globals.output != OUTPUT_JSON)
        return;
    show_begin(&compacting->object, compacting->call);
    show_field_text(&compacting->object, "namespace", name);
    show_field_number(&compacting->object, "freed_bytes", freed);
    show_field_number(&compacting->object, "disk_bytes", now);
    show_end(&compacting->object);
}

static tarn_status compact(struct compacting *compacting, tarn_namespace *ns,
                           struct tarn_slice name)
{
    const struct tarn_compact_options options = {
        .size = sizeof options, .progress = tell, .context = &compacting->progress};
    struct tarn_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    tarn_status status = tarn_namespace_stats(ns, &before, NULL, 0);

    if (status || before.options.engine != TARN_ENGINE_LOG)
        return status;
    progress_begin(&compacting->progress, "compacting");
    status = tarn_compact(ns, &options);
    progress_end(&compacting->progress);
    if (!status)
        status = tarn_namespace_stats(ns, &after, NULL, 0);
    if (!status)
        show(compacting, name, before.disk_bytes, after.disk_bytes);
    return status;
}

static bool compact_one(void *context, struct tarn_slice name)
{
    struct compacting *compacting = context;
    tarn_namespace *ns = NULL;

    compacting->status = tarn_namespace_open(compacting->session->store, name, &ns);
    if (!compacting->status)
        compacting->status = compact(compacting, ns, name);
    tarn_namespace_close(ns);
    return !compacting->status;
}

static int run(struct invocation *call)
{
    struct session session;
    struct compacting compacting = {.call = call, .session = &session};
    tarn_status status = TARN_OK;
    int code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);

    if (code)
        return code;
    if (call->globals.namespace_given)
        (void)compact_one(&compacting, slice_of(call->globals.namespace_name));
    else
        status = tarn_namespace_list(session.store, compact_one, &compacting);
    if (!status)
        status = compacting.status;
    if (!status && call->globals.output != OUTPUT_JSON)
        report_note("%llu bytes came back, %llu are on disk now",
                    (unsigned long long)compacting.freed, (unsigned long long)compacting.now);
    return session_end(&session, session_status(status));
}

const struct command command_compact = {
    .name = "compact",
    .summary = "Gives back the room of what was overwritten or removed",
    .operands = "",
    .text =
        "Of all namespaces with the engine log, or of the one that --namespace names. They do it "
        "by\n"
        "themselves as well, while they are in use and enough is stale: see `tarn help ns set`.\n"
        "\n"
        "  tarn compact\n"
        "  tarn compact --namespace users --output json\n",
    .run = run,
};
