/* Faults of a store; see the header. */
#include "faults.h"
#include "report.h"
#include "session.h"
#include "show.h"

#include <string.h>

static void show_json(struct faults *faults, const struct tarn_fault *fault)
{
    struct show_object object = {0};

    show_begin(&object, faults->call);
    show_field_word(&object, "status", tarn_status_name(fault->status));
    show_field_word(&object, "path", fault->path);
    show_field_number(&object, "offset", fault->offset);
    if (fault->namespace_name.length)
        show_field_text(&object, "namespace", fault->namespace_name);
    if (fault->key.length)
        show_field_text(&object, "key", fault->key);
    show_field_word(&object, "message", fault->message);
    show_end(&object);
}

/* The message names file and offset itself, unless it had to be cut. */
static void show_text(struct faults *faults, const struct tarn_fault *fault)
{
    struct output *out = &faults->call->out;
    char key[REPORT_KEY_BYTES];

    output_text(out, fault->status ? "damaged: " : "note: ");
    if (!strstr(fault->message, fault->path)) {
        output_text(out, fault->path);
        output_text(out, ": ");
    }
    output_text(out, fault->message);
    if (fault->status && fault->namespace_name.length) {
        output_text(out, "; in namespace ");
        output_text(out, report_key(fault->namespace_name, key));
    }
    if (fault->key.length) {
        output_text(out, ", perhaps of key ");
        output_text(out, report_key(fault->key, key));
    }
    output_text(out, "\n");
}

static void tell(void *context, const struct tarn_fault *fault)
{
    struct faults *faults = context;

    progress_end(&faults->progress);
    if (faults->call->globals.output == OUTPUT_JSON)
        show_json(faults, fault);
    else
        show_text(faults, fault);
}

static bool go_on(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct faults *faults = context;

    progress_bytes(&faults->progress, done_bytes, total_bytes);
    return true;
}

static int show_sums(struct faults *faults, tarn_status status,
                     const struct tarn_check_summary *summary)
{
    struct show_object object = {0};

    show_begin(&object, faults->call);
    show_field_number(&object, "files", summary->files);
    show_field_number(&object, "bytes", summary->bytes);
    show_field_number(&object, "records", summary->records);
    if (faults->salvages)
        show_field_number(&object, "log_keys", summary->keys);
    show_field_number(&object, "cuts", summary->cuts);
    show_field_number(&object, "discarded_bytes", summary->discarded_bytes);
    show_field_number(&object, "faults", summary->faults);
    show_end(&object);
    return exit_code_of(status);
}

int faults_run(struct faults *faults, struct invocation *call, const char *to)
{
    struct tarn_check_options options = {
        .size = sizeof options, .fault = tell, .progress = go_on, .context = faults};
    struct tarn_check_summary summary = {.size = sizeof summary};
    const char *from = call->globals.data_dir;
    uint64_t waited_ms = 0;
    tarn_status status;

    if (to && call->globals.read_only)
        return report_error(EXIT_USAGE, "`tarn salvage` makes a store, which --read-only forbids");
    *faults = (struct faults){.call = call, .salvages = to != NULL};
    progress_begin(&faults->progress, "reading");
    do
        status =
            to ? tarn_salvage(from, to, &options, &summary) : tarn_check(from, &options, &summary);
    while (status == TARN_STORE_LOCKED && session_wait(call, &waited_ms));
    progress_end(&faults->progress);
    if (status && !(status == TARN_CORRUPT && summary.faults))
        return report_status(status);
    if (status)
        (void)report_status_of(status, NULL);
    if (status && !to)
        report_note("`tarn salvage` brings what is whole into another store");
    return show_sums(faults, status, &summary);
}
