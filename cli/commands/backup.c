/* tarn backup: copies a store. */
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
    tarn_status status;
    int code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);

    if (code)
        return code;
    progress_begin(&progress, "copying");
    status = tarn_backup(session.store, call->operands[0], &options);
    progress_end(&progress);
    return session_end(&session, session_status(status));
}

const struct command command_backup = {
    .name = "backup",
    .summary = "Copies the store into another folder, as it is at one moment",
    .operands = "TO",
    .operands_min = 1,
    .operands_max = 1,
    .text = "TO is a folder that is not there or empty. What is made is a store like any other.\n"
            "\n"
            "  tarn backup /mnt/backup/app-$(date +%F)\n",
    .run = run,
};
