/* tarn load: stores the records of a dump. */
#include "../input.h"
#include "../loader.h"
#include "../progress.h"
#include "../report.h"
#include "../session.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT };

static const struct command_option options[] = {
    [FORMAT] = {"format", "FORMAT", "jsonl (default) or tsv"},
    {NULL, NULL, NULL},
};

#define LOOK_EVERY 1024

struct load {
    const struct record_format *format;
    const char *name; /* of the file, for messages */
    struct line_reader reader;
    struct loader loader;
    uint64_t file_bytes; /* 0: not known */
};

static int report_line(const struct load *load, const struct line_error *error)
{
    return report_error(EXIT_USAGE, "%s:%llu:%zu: %s", load->name,
                        (unsigned long long)load->reader.line, error->column, error->message);
}

static int load_line(struct load *load, uint8_t *line, size_t length)
{
    struct record record;
    struct line_error error;

    if (!load->format->read(line, length, &record, &error))
        return report_line(load, &error);
    if (load->reader.cut && !load->format->cut_is_seen) {
        error = (struct line_error){"no newline ends the last line: it may be cut off", length + 1};
        return report_line(load, &error);
    }
    return loader_add(&load->loader, &record, load->reader.line);
}

static int load_lines(struct load *load)
{
    struct progress progress;
    uint8_t *line;
    size_t length;
    int code = 0, committed;

    progress_begin(&progress, "loading");
    while (!code && line_reader_next(&load->reader, &line, &length)) {
        code = load_line(load, line, length);
        if (load->reader.line % LOOK_EVERY == 0)
            progress_records(&progress, load->reader.line,
                             load->file_bytes ? (double)load->reader.read / (double)load->file_bytes
                                              : -1);
    }
    progress_end(&progress);
    if (load->reader.error)
        code = report_error(load->reader.error == ENOMEM || load->reader.error == EFBIG ? EXIT_LIMIT
                                                                                        : EXIT_IO,
                            "cannot read %s: %s", load->name, strerror(load->reader.error));
    committed = loader_commit(&load->loader); /* what came before a line that is malformed */
    code = code ? code : committed;
    report_note("stored %llu records in %.1f seconds", (unsigned long long)load->loader.stored,
                progress_seconds(&progress));
    if (load->loader.refused)
        report_note("%llu records were refused", (unsigned long long)load->loader.refused);
    return code ? code : load->loader.code;
}

static int load_file(struct load *load, struct session *session, int fd)
{
    struct stat info;
    int code = loader_begin(&load->loader, session->ns, load->name);

    if (code)
        return code;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        load->file_bytes = (uint64_t)info.st_size;
    line_reader_init(&load->reader, fd);
    code = load_lines(load);
    line_reader_release(&load->reader);
    loader_release(&load->loader);
    return code;
}

static int run(struct invocation *call)
{
    const char *path = call->operand_count ? call->operands[0] : "-";
    const char *format = call->values[FORMAT] ? call->values[FORMAT] : "jsonl";
    struct load load = {.format = record_format_find(format),
                        .name = strcmp(path, "-") == 0 ? "standard input" : path};
    struct session session;
    int fd, code;

    if (!load.format)
        return report_error(EXIT_USAGE, "--format is jsonl or tsv, not '%s'", format);
    code = input_open(path, &fd);
    if (code)
        return code;
    code = session_begin(&session, call, SESSION_WRITES | SESSION_MAKES);
    if (!code)
        code = session_end(&session, load_file(&load, &session, fd));
    input_close(fd);
    return code;
}

const struct command command_load = {
    .name = "load",
    .summary = "Stores the records of a dump",
    .operands = "[FILE]",
    .operands_min = 0,
    .operands_max = 1,
    .options = options,
    .text =
        "FILE is - for standard input, which is the default. Keys that are there are overwritten.\n"
        "Records are stored in batches of 8192. A record that a limit refuses is told with its\n"
        "line, and the others are stored; a malformed line ends the load, after what came before\n"
        "it was stored. docs/format-dump.md describes the formats.\n"
        "\n"
        "  tarn load default.jsonl\n"
        "  printf 'user:1\\tAda\\n' | tarn load --format tsv -\n",
    .run = run,
};
