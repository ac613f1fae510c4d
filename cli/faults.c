/* Faults of a store; see the header. */
#include "faults.h"
#include "report.h"
#include "session.h"
#include "show.h"

static void tell(void *context, const struct tarn_fault *fault)
{
    struct faults *faults = context;
    struct output *out = &faults->call->out;
    struct show_object object = {0};

    progress_end(&faults->progress);
    if (faults->call->globals.output == OUTPUT_JSON) {
        show_begin(&object, faults->call);
        show_field_word(&object, "status", tarn_status_name(fault->status));
        show_field_word(&object, "path", fault->path ? fault->path : "");
        show_field_number(&object, "offset", fault->offset);
        show_field_word(&object, "message", fault->message ? fault->message : "");
        show_end(&object);
        return;
    }
    output_text(out, fault->path ? fault->path : "");
    output_printf(out, ":%llu: ", (unsigned long long)fault->offset);
    output_text(out, fault->message ? fault->message : tarn_status_message(fault->status));
    output_text(out, "\n");
}

static bool go_on(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct faults *faults = context;

    progress_bytes(&faults->progress, done_bytes, total_bytes);
    return true;
}

void faults_begin(struct faults *faults, struct invocation *call,
                  struct tarn_check_options *options)
{
    *faults = (struct faults){.call = call};
    *options = (struct tarn_check_options){
        .size = sizeof *options, .fault = tell, .progress = go_on, .context = faults};
    progress_begin(&faults->progress, "reading");
}

int faults_end(struct faults *faults, tarn_status status, const struct tarn_check_summary *summary)
{
    struct show_object object = {0};

    progress_end(&faults->progress);
    if (status != TARN_OK && !(status == TARN_CORRUPT && summary->faults))
        return report_status(status);
    show_begin(&object, faults->call);
    show_field_number(&object, "files", summary->files);
    show_field_number(&object, "bytes", summary->bytes);
    show_field_number(&object, "records", summary->records);
    show_field_number(&object, "faults", summary->faults);
    show_end(&object);
    return exit_code_of(status);
}
