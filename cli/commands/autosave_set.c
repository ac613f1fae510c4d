/* tarn autosave set: sets an autosave and starts it. */
#include "../autosave_name.h"
#include "../options.h"

enum { INTERVAL_MS = AUTOSAVE_STORE + 1, KEEP, PATTERN, AT_CLOSE };

#define INTERVAL_MS_MAX UINT64_C(31622400000)

static const struct command_option options[] = {
    AUTOSAVE_STORE_OPTION,
    [INTERVAL_MS] = {"interval-ms", "MS", "from 100; default 300000"},
    [KEEP] = {"keep", "N", "how many of its snapshots remain; default 3"},
    [PATTERN] = {"pattern", "P", "their names, with {ts} and, of a namespace, {ns}"},
    [AT_CLOSE] = {"at-close", NULL, "save when the store is closed, too"},
    {NULL, NULL, NULL},
};

static int read_options(const struct invocation *call, struct tarn_autosave_options *chosen)
{
    char *const *values = call->values;
    uint64_t keep = 0;
    int code = 0;

    if (values[INTERVAL_MS])
        code = options_number("--interval-ms", values[INTERVAL_MS], 100, INTERVAL_MS_MAX,
                              &chosen->interval_ms);
    if (!code && values[KEEP])
        code = options_number("--keep", values[KEEP], 1, UINT32_MAX, &keep);
    if (values[PATTERN])
        chosen->pattern = slice_of(values[PATTERN]);
    chosen->keep = (uint32_t)keep;
    chosen->at_close = values[AT_CLOSE] != NULL;
    return code;
}

static int run(struct invocation *call)
{
    struct tarn_autosave_options chosen = {.size = sizeof chosen};
    struct tarn_slice name = autosave_name(call);
    struct session session;
    tarn_status status;
    int code = read_options(call, &chosen);

    if (!code)
        code = session_begin(&session, call, SESSION_WRITES | SESSION_STORE);
    if (code)
        return code;
    status = tarn_autosave_set(session.store, name, &chosen);
    if (!status)
        status = tarn_autosave_start(session.store, name);
    if (status == TARN_AUTOSAVE_EXISTS)
        status = TARN_OK; /* it ran, and goes on as it is set now */
    return session_end(&session, session_status(status));
}

const struct command command_autosave_set = {
    .name = "autosave set",
    .summary = "Sets the autosave of a namespace or of the store, and starts it",
    .operands = "",
    .options = options,
    .text = "  tarn autosave set -n cache --at-close --keep 1\n"
            "  tarn autosave set --store --interval-ms 60000\n",
    .run = run,
};
