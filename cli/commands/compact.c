/* tarn compact: gives back the room of what was overwritten or removed. */
#include "../progress.h"
#include "../report.h"
#include "../session.h"

static bool tell(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    progress_bytes(context, done_bytes, total_bytes);
    return true;
}

static int run(struct invocation *call)
{
    struct progress progress;
    const struct tarn_compact_options options = {
        .size = sizeof options, .progress = tell, .context = &progress};
    struct session session;
    struct tarn_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    tarn_status status;
    int code = session_begin(&session, call, SESSION_WRITES);

    if (code)
        return code;
    progress_begin(&progress, "compacting");
    status = tarn_namespace_stats(session.ns, &before, NULL, 0);
    if (!status)
        status = tarn_compact(session.ns, &options);
    progress_end(&progress);
    if (!status)
        status = tarn_namespace_stats(session.ns, &after, NULL, 0);
    if (!status)
        report_note("%llu bytes on disk before, %llu now", (unsigned long long)before.disk_bytes,
                    (unsigned long long)after.disk_bytes);
    return session_end(&session, session_status(status));
}

const struct command command_compact = {
    .name = "compact",
    .summary = "Gives back the room of what was overwritten or removed",
    .operands = "",
    .text = "Of a namespace with the engine log. Stores do it by themselves once enough is stale.\n"
            "\n"
            "  tarn compact --namespace users\n",
    .run = run,
};
