/* tarn snapshot list: which snapshots there are. */
#include "../session.h"
#include "../show.h"
#include "../tsv.h"

#include <inttypes.h>
#include <time.h>

struct listing {
    struct invocation *call;
    bool begun;
};

static void show_time(char *text, size_t size, uint64_t clock_ns)
{
    time_t seconds = (time_t)(clock_ns / 1000000000u);
    struct tm parts;

    if (!gmtime_r(&seconds, &parts) || !strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &parts))
        text[0] = '\0';
}

static void show_object(struct invocation *call, const struct tarn_snapshot_info *info,
                        const char *when)
{
    struct show_object object = {0};

    show_begin(&object, call);
    show_field_text(&object, "name", info->name);
    if (info->status) {
        show_field_word(&object, "status", tarn_status_name(info->status));
    } else {
        show_field_word(&object, "of", info->namespace_name.length ? "namespace" : "store");
        if (info->namespace_name.length)
            show_field_text(&object, "namespace", info->namespace_name);
        show_field_number(&object, "namespaces", info->namespaces);
        show_field_number(&object, "sequence", info->sequence);
        show_field_number(&object, "file_bytes", info->file_bytes);
        show_field_word(&object, "time", when);
    }
    show_end(&object);
}

static void show_line(struct listing *listing, const struct tarn_snapshot_info *info,
                      const char *when)
{
    struct output *out = &listing->call->out;

    if (!listing->begun)
        output_text(out, "time (UTC)                    sequence           bytes  name\n");
    output_printf(out, "%-20s %17" PRIu64 " %15" PRIu64 "  ",
                  info->status ? tarn_status_name(info->status) : when, info->sequence,
                  info->file_bytes);
    tsv_write_field(out, info->name);
    if (info->namespace_name.length) {
        output_text(out, "  of ");
        tsv_write_field(out, info->namespace_name);
    }
    output_text(out, "\n");
}

static bool visit(void *context, const struct tarn_snapshot_info *info)
{
    struct listing *listing = context;
    char when[32];

    show_time(when, sizeof when, info->clock_ns);
    if (listing->call->globals.output == OUTPUT_JSON)
        show_object(listing->call, info, when);
    else
        show_line(listing, info, when);
    listing->begun = true;
    return true;
}

static int run(struct invocation *call)
{
    struct session session;
    struct listing listing = {.call = call};
    int code = session_begin(&session, call, SESSION_STORE);

    if (code)
        return code;
    return session_end(&session,
                       session_status(tarn_snapshot_list(session.store, visit, &listing)));
}

const struct command command_snapshot_list = {
    .name = "snapshot list",
    .summary = "Lists the snapshots of the store, the newest first",
    .operands = "",
    .text = "Of one whose head cannot be read its status is told.\n"
            "\n"
            "  tarn snapshot list\n",
    .run = run,
};
