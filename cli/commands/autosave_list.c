/* tarn autosave list: which autosaves are set. */
#include "../session.h"
#include "../show.h"

static bool visit(void *context, const struct tarn_autosave_info *info)
{
    struct show_object *object = context;

    show_begin(object, object->call);
    show_field_word(object, "of", info->namespace_name.length ? "namespace" : "store");
    if (info->namespace_name.length)
        show_field_text(object, "namespace", info->namespace_name);
    show_field_bool(object, "running", info->running);
    show_field_number(object, "interval_ms", info->options.interval_ms);
    show_field_number(object, "keep", info->options.keep);
    show_field_text(object, "pattern", info->options.pattern);
    show_field_bool(object, "at_close", info->options.at_close);
    show_end(object);
    return true;
}

static int run(struct invocation *call)
{
    struct session session;
    struct show_object object = {.call = call};
    int code = session_begin(&session, call, SESSION_STORE);

    if (code)
        return code;
    return session_end(&session, session_status(tarn_autosave_list(session.store, visit, &object)));
}

const struct command command_autosave_list = {
    .name = "autosave list",
    .summary = "Lists the autosaves that are set",
    .operands = "",
    .text = "  tarn autosave list --output json\n",
    .run = run,
};
