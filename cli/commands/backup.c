/* tarn backup: copies a store. */
#include "../progress.h"
#include "../report.h"
#include "../session.h"
#include "../show.h"

struct copying {
    struct progress progress;
    uint64_t bytes; /* in all */
};

static bool tell(void *context, uint64_t done, uint64_t total)
{
    struct copying *copying = context;

    copying->bytes = total;
    progress_bytes(&copying->progress, done, total);
    return true;
}

static void show(struct invocation *call, uint64_t namespaces, uint64_t bytes)
{
    struct show_object object = {0};

    if (call->globals.output != OUTPUT_JSON) {
        report_note("copied %llu namespaces with %llu bytes of keys and values",
                    (unsigned long long)namespaces, (unsigned long long)bytes);
        return;
    }
    show_begin(&object, call);
    show_field_word(&object, "to", call->operands[0]);
    show_field_number(&object, "namespaces", namespaces);
    show_field_number(&object, "bytes", bytes);
    show_end(&object);
}

static int run(struct invocation *call)
{
    struct copying copying = {0};
    const struct tarn_backup_options options = {
        .size = sizeof options, .progress = tell, .context = &copying};
    struct session session;
    size_t namespaces = 0;
    tarn_status status;
    int code = session_begin(&session, call, SESSION_STORE);

    if (code)
        return code;
    progress_begin(&copying.progress, "copying");
    status = tarn_backup(session.store, call->operands[0], &options);
    progress_end(&copying.progress);
    if (!status)
        status = tarn_namespace_count(session.store, &namespaces);
    if (!status)
        show(call, namespaces, copying.bytes);
    return session_end(&session, session_status(status));
}

const struct command command_backup = {
    .name = "backup",
    .summary = "Copies the store into another folder, as it is at one moment",
    .operands = "TO",
    .operands_min = 1,
    .operands_max = 1,
    .text =
        "TO is a folder that is not there or empty. What is made is a store like any other, "
        "durable\n"
        "when the command ends with 0; until then it has a file `unfinished` and cannot be "
        "opened.\n"
        "Its namespaces with the engine memory are in its snapshot \"backup\"; other snapshots "
        "are\n"
        "not copied. A store that a program has open is copied by that program: tarn_backup().\n"
        "\n"
        "  tarn backup /mnt/backup/app-$(date +%F)\n"
        "  tarn --data-dir /mnt/backup/app-2026-11-25 ns list\n",
    .run = run,
};
