/* Batches from operands; see the header. */
#include "batch.h"
#include "report.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* A key that was decoded from hex digits may hold any bytes: it is told by its place. */
static int report_operation(const struct invocation *call, tarn_status status, int index,
                            int stride)
{
    const char *message =
        status == TARN_KEY_NOT_FOUND ? "Key not found" : tarn_status_message(status);
    char text[REPORT_KEY_BYTES];

    if (call->globals.hex)
        return report_error(exit_code_of(status), "%s: key %d", message, index + 1);
    return report_error(exit_code_of(status), "%s: %s", message,
                        report_key(slice_of(call->operands[index * stride]), text));
}

static int report_results(const struct invocation *call, const struct tarn_result *results,
                          int count, int stride)
{
    int code = EXIT_DONE;

    for (int i = 0; i < count; i++)
        if (results[i].status) {
            int failed = report_operation(call, results[i].status, i, stride);

            code = code ? code : failed;
        }
    return code;
}

static int commit(struct session *session, const tarn_batch *batch, enum tarn_mode mode, int count,
                  int stride)
{
    struct tarn_result *results = calloc((size_t)count, sizeof *results);
    struct tarn_batch_summary summary = {0};
    tarn_status status;
    int code = 0;

    if (!results)
        return report_status(TARN_NO_MEMORY);
    status = tarn_batch_commit(session->ns, batch, mode, results, NULL, &summary);
    if (summary.failed)
        code = report_results(session->call, results, count, stride);
    else if (status)
        code = report_status(status);
    free(results);
    return code;
}

int batch_run(struct invocation *call,
              int (*add)(struct invocation *call, tarn_batch *batch, int index), int count,
              unsigned need, enum tarn_mode mode, int stride)
{
    struct session session;
    tarn_batch *batch = NULL;
    int code = session_status(tarn_batch_create(&batch));

    for (int i = 0; i < count && !code; i++)
        code = add(call, batch, i);
    if (!code)
        code = session_begin(&session, call, need);
    if (!code)
        code = session_end(&session, commit(&session, batch, mode, count, stride));
    tarn_batch_free(batch);
    return code;
}
