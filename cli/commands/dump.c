/* tarn dump: writes a namespace as text. */
#include "../input.h"
#include "../new_file.h"
#include "../progress.h"
#include "../record.h"
#include "../report.h"
#include "../session.h"

#include <string.h>

enum { FORMAT, PREFIX };

static const struct command_option options[] = {
    [FORMAT] = {"format", "FORMAT", "jsonl (default) or tsv"},
    [PREFIX] = {"prefix", "P", "only keys that begin with P"},
    {NULL, NULL, NULL},
};

#define LOOK_EVERY 1024

struct dump {
    const struct record_format *format;
    struct tarn_cursor_options cursor_options;
    struct output *out;
    uint64_t records;
};

static tarn_status write_records(struct dump *dump, tarn_cursor *cursor, uint64_t expected)
{
    struct progress progress;
    struct tarn_slice key, value;
    struct tarn_record_info info;
    tarn_status status;

    progress_begin(&progress, "dumping");
    while (!(status = tarn_cursor_next(cursor, &key, &value, &info)) && !dump->out->error) {
        struct record record = record_of(key, value, &info);

        dump->format->write(dump->out, &record);
        if (++dump->records % LOOK_EVERY == 0)
            progress_records(&progress, dump->records,
                             expected ? (double)dump->records / (double)expected : -1);
    }
    progress_end(&progress);
    return status;
}

/* The exit code; what could not be written is told by dump->out. */
static int dump_namespace(struct dump *dump, tarn_namespace *ns)
{
    struct tarn_stats stats = {.size = sizeof stats};
    tarn_cursor *cursor = NULL;
    tarn_status status = tarn_namespace_stats(ns, &stats, NULL, 0);

    if (!status)
        status = tarn_cursor_open(ns, &dump->cursor_options, &cursor);
    if (!status)
        status = write_records(dump, cursor, dump->cursor_options.prefix.length ? 0 : stats.keys);
    tarn_cursor_close(cursor);
    return status == TARN_CURSOR_END ? EXIT_DONE : session_status(status);
}

static int dump_to_file(struct dump *dump, tarn_namespace *ns, const char *path)
{
    struct output out;
    struct new_file file;
    int code = new_file_open(&file, path), ended;

    if (code)
        return code;
    output_init(&out, file.fd);
    dump->out = &out;
    code = dump_namespace(dump, ns);
    if (!output_flush(&out) && !code)
        code = report_error(EXIT_IO, "cannot write '%s': %s", path, strerror(out.error));
    ended = new_file_end(&file, code == 0);
    output_release(&out);
    return code ? code : ended;
}

static int run(struct invocation *call)
{
    const char *path = call->operand_count ? call->operands[0] : "-";
    const char *format = call->values[FORMAT] ? call->values[FORMAT] : "jsonl";
    struct dump dump = {.format = record_format_find(format),
                        .cursor_options = {.size = sizeof dump.cursor_options},
                        .out = &call->out};
    struct session session;
    int code = 0;

    if (!dump.format)
        return report_error(EXIT_USAGE, "--format is jsonl or tsv, not '%s'", format);
    if (call->values[PREFIX])
        code = input_bytes(call, call->values[PREFIX], &dump.cursor_options.prefix);
    if (!code)
        code = session_begin(&session, call, 0);
    if (code)
        return code;
    if (strcmp(path, "-") == 0)
        code = dump_namespace(&dump, session.ns);
    else
        code = dump_to_file(&dump, session.ns, path);
    if (!code && dump.out != &call->out)
        report_note("dumped %llu records", (unsigned long long)dump.records);
    return session_end(&session, code);
}

const struct command command_dump = {
    .name = "dump",
    .summary = "Writes a namespace as text, one record a line",
    .operands = "[FILE]",
    .operands_min = 0,
    .operands_max = 1,
    .options = options,
    .text =
        "FILE is - for standard output, which is the default; a FILE that is there is replaced "
        "once\n"
        "the new one is complete. jsonl has base64 for what is no UTF-8, tsv has escapes; `tarn\n"
        "load` reads both, counters stay counters.\n"
        "\n"
        "  tarn dump > default.jsonl\n"
        "  tarn dump --namespace users --format tsv users.tsv\n"
        "  tarn dump | tarn --data-dir other load\n",
    .run = run,
};
