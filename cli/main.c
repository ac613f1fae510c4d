/*
 * The command `tarn`: finds the subcommand, runs it, and sees to it that what it printed arrived.
 *
 * It uses the public header alone. Standard output has data, standard error has messages; a reader
 * that has gone away ends it quietly, as it ends other programs.
 */
#include "help.h"
#include "options.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Where a standard stream is closed, a file of the store would get its number, and messages would
 * be written into it. What takes its place fails on every use. */
static void fill_standard_streams(void)
{
    int fd;

    do
        fd = open("/dev/null", O_PATH);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

static int show_version(struct invocation *call)
{
    output_printf(&call->out, "tarn %s\n", tarn_version());
    return EXIT_DONE;
}

static int run(struct invocation *call, int argc, char **argv)
{
    int code = options_parse(call, argc, argv);

    if (code)
        return code;
    if (call->globals.version)
        return show_version(call);
    if (call->globals.help && !call->command) {
        help_all(&call->out);
        return EXIT_DONE;
    }
    if (call->globals.help) {
        help_command(&call->out, call->command);
        return EXIT_DONE;
    }
    if (!call->command)
        return report_error(EXIT_USAGE, "usage: tarn COMMAND [ARGUMENT]...; `tarn help` lists the "
                                        "commands");
    return call->command->run(call);
}

/* The store is closed by now. Closing tells of errors that writing did not. */
static int finish_output(struct output *out, int code)
{
    bool fine = output_flush(out);

    if (fine && out->written && close(out->fd) != 0) {
        out->error = errno;
        fine = false;
    }
    output_release(out);
    if (fine)
        return code;
    if (out->error == EPIPE) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
        return EXIT_IO;
    }
    return report_error(EXIT_IO, "cannot write to standard output: %s", strerror(out->error));
}

int main(int argc, char **argv)
{
    struct invocation call = {0};

    fill_standard_streams();
    signal(SIGPIPE, SIG_IGN);
    output_init(&call.out, STDOUT_FILENO);
    return finish_output(&call.out, run(&call, argc, argv));
}
