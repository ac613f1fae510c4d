/* tarn ns list: which namespaces there are. */
#include "../options.h"
#include "../report.h"
#include "../session.h"
#include "../show.h"
#include "../tsv.h"

#include <inttypes.h>

enum { LONG };

static const struct command_option options[] = {
    [LONG] = {"long", NULL, "with engine, keys and bytes of each"},
    {NULL, NULL, NULL},
};

struct listing {
    struct invocation *call;
    tarn_store *store;
    tarn_status status;
    bool begun;
};

static tarn_status look(tarn_store *store, struct tarn_slice name, struct tarn_stats *stats)
{
    tarn_namespace *ns = NULL;
    tarn_status status = tarn_namespace_open(store, name, &ns);

    if (!status)
        status = tarn_namespace_stats(ns, stats, NULL, 0);
    tarn_namespace_close(ns);
    return status;
}

static void show_line(struct listing *listing, struct tarn_slice name,
                      const struct tarn_stats *stats)
{
    struct output *out = &listing->call->out;

    if (listing->call->values[LONG]) {
        if (!listing->begun)
            output_text(out, "engine        keys           bytes  name\n");
        output_printf(out, "%-7s %10" PRIu64 " %15" PRIu64 "  ", engine_name(stats->options.engine),
                      stats->keys, stats->bytes);
    }
    tsv_write_field(out, name);
    output_text(out, "\n");
}

static void show_object(struct listing *listing, struct tarn_slice name,
                        const struct tarn_stats *stats)
{
    struct show_object object = {0};

    show_begin(&object, listing->call);
    show_field_text(&object, "name", name);
    if (listing->call->values[LONG]) {
        show_field_word(&object, "engine", engine_name(stats->options.engine));
        show_field_number(&object, "keys", stats->keys);
        show_field_number(&object, "bytes", stats->bytes);
    }
    show_end(&object);
}

static bool visit(void *context, struct tarn_slice name)
{
    struct listing *listing = context;
    struct tarn_stats stats = {.size = sizeof stats};

    if (listing->call->values[LONG])
        listing->status = look(listing->store, name, &stats);
    if (listing->status)
        return false;
    if (listing->call->globals.output == OUTPUT_JSON)
        show_object(listing, name, &stats);
    else
        show_line(listing, name, &stats);
    listing->begun = true;
    return true;
}

static int run(struct invocation *call)
{
    struct session session;
    struct listing listing = {.call = call};
    tarn_status status;
    int code = session_begin(&session, call, SESSION_STORE);

    if (code)
        return code;
    listing.store = session.store;
    status = tarn_namespace_list(session.store, visit, &listing);
    return session_end(&session, session_status(status ? status : listing.status));
}

const struct command command_ns_list = {
    .name = "ns list",
    .summary = "Lists the namespaces of the store",
    .operands = "",
    .options = options,
    .text = "  tarn ns list\n"
            "  tarn ns list --long --output json\n",
    .run = run,
};
