/* The command line; see the header. */
#include "options.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum global {
    DATA_DIR,
    NAMESPACE,
    OUTPUT,
    HEX,
    QUIET,
    READ_ONLY,
    ENGINE,
    SYNC,
    WAIT,
    HELP,
    VERSION,
    GLOBALS
};

const struct command_option global_options[] = {
    [DATA_DIR] = {"data-dir", "DIR", "the store's folder; default $TARN_DATA_DIR, or ./data"},
    [NAMESPACE] = {"namespace", "NAME", "the namespace; default 'default'"},
    [OUTPUT] = {"output", "FORM", "text (default), json, or hex for keys and values"},
    [HEX] = {"hex", NULL, "keys and values among the arguments are hex digits"},
    [QUIET] = {"quiet", NULL, "say nothing but errors"},
    [READ_ONLY] = {"read-only", NULL, "refuse to change anything"},
    [ENGINE] = {"engine", "ENGINE", "of a namespace that is made: log (default) or memory"},
    [SYNC] = {"sync", "MODE", "of a namespace that is made: always (default), interval or none"},
    [WAIT] = {"wait", "SECONDS", "how long to wait for a store that is open elsewhere"},
    [HELP] = {"help", NULL, "what this command does, with examples"},
    [VERSION] = {"version", NULL, "the version"},
    [GLOBALS] = {NULL, NULL, NULL},
};
const char global_letters[] = {
    [DATA_DIR] = 'd', [NAMESPACE] = 'n', [OUTPUT] = 'o', [QUIET] = 'q',
    [HELP] = 'h',     [VERSION] = 'V',   [GLOBALS] = 0,
};

/* What getopt_long() returns for the option of that place in its table. */
#define LONG_OPTION 256

/* ------------------------------------------------------------------------------------------
 * Numbers and names
 */

static int bad(const char *what, const char *text, const char *wanted)
{
    return report_error(EXIT_USAGE, "%s is %s, not '%s'", what, wanted, text);
}

static bool read_digits(const char *text, uint64_t *number, const char **end)
{
    *number = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*text - '0'), number))
            return false;
    *end = text;
    return true;
}

int options_number(const char *what, const char *text, uint64_t least, uint64_t most,
                   uint64_t *number)
{
    const char *end;
    uint64_t value;

    if (!read_digits(text, &value, &end) || *end)
        return bad(what, text, "a whole number");
    if (value < least || value > most)
        return report_error(EXIT_USAGE, "%s is from %llu to %llu, not %s", what,
                            (unsigned long long)least, (unsigned long long)most, text);
    *number = value;
    return 0;
}

int options_size(const char *what, const char *text, uint64_t most, uint64_t *bytes)
{
    static const char units[] = "KkMmGg";
    const char *end, *unit;
    uint64_t value;
    bool fine = read_digits(text, &value, &end);

    if (fine && *end) {
        unit = strchr(units, *end);
        fine = unit && !end[1] &&
               !__builtin_mul_overflow(value, UINT64_C(1) << (unit - units) / 2 * 10 << 10, &value);
    }
    if (!fine)
        return bad(what, text, "a number of bytes, such as 4096, 64K, 1M or 2G");
    if (value > most)
        return report_error(EXIT_USAGE, "%s is at most %llu, not %s", what,
                            (unsigned long long)most, text);
    *bytes = value;
    return 0;
}

int options_engine(const char *text, enum tarn_engine *engine)
{
    if (strcmp(text, "log") == 0)
        *engine = TARN_ENGINE_LOG;
    else if (strcmp(text, "memory") == 0)
        *engine = TARN_ENGINE_MEMORY;
    else
        return bad("--engine", text, "log or memory");
    return 0;
}

const char *engine_name(enum tarn_engine engine)
{
    return engine == TARN_ENGINE_LOG ? "log" : "memory";
}

int options_sync(const char *text, enum tarn_sync_mode *sync)
{
    if (strcmp(text, "none") == 0)
        *sync = TARN_SYNC_NONE;
    else if (strcmp(text, "interval") == 0)
        *sync = TARN_SYNC_INTERVAL;
    else if (strcmp(text, "always") == 0)
        *sync = TARN_SYNC_ALWAYS;
    else
        return bad("--sync", text, "none, interval or always");
    return 0;
}

const char *sync_name(enum tarn_sync_mode sync)
{
    return sync == TARN_SYNC_NONE ? "none" : sync == TARN_SYNC_INTERVAL ? "interval" : "always";
}

static int output_form(const char *text, enum output_form *form)
{
    if (strcmp(text, "text") == 0)
        *form = OUTPUT_TEXT;
    else if (strcmp(text, "json") == 0)
        *form = OUTPUT_JSON;
    else if (strcmp(text, "hex") == 0)
        *form = OUTPUT_HEX;
    else
        return bad("--output", text, "text, json or hex");
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * Options
 */

static int wait_time(const char *text, uint64_t *wait_ms)
{
    uint64_t seconds;
    int code = options_number("--wait", text, 0, 86400, &seconds);

    if (!code)
        *wait_ms = seconds * 1000;
    return code;
}

static int global_option(struct globals *globals, enum global option, char *argument)
{
    switch (option) {
    case DATA_DIR:
        globals->data_dir = argument;
        return 0;
    case NAMESPACE:
        globals->namespace_name = argument;
        globals->namespace_given = true;
        return 0;
    case OUTPUT:
        return output_form(argument, &globals->output);
    case HEX:
        globals->hex = true;
        return 0;
    case QUIET:
        report_quiet();
        globals->quiet = true;
        return 0;
    case READ_ONLY:
        globals->read_only = true;
        return 0;
    case ENGINE:
        return options_engine(argument, &globals->engine);
    case SYNC:
        return options_sync(argument, &globals->sync);
    case WAIT:
        return wait_time(argument, &globals->wait_ms);
    case VERSION:
        globals->version = true;
        return 0;
    default:
        globals->help = true;
        return 0;
    }
}

/* getopt_long()'s table: the command's options, then those of all. Returns how many the first are.
 */
static int option_table(const struct command *command, struct option *table)
{
    const struct command_option *own = command ? command->options : NULL;
    int count = 0, i;

    for (; own && own[count].name; count++)
        table[count] = (struct option){own[count].name, own[count].argument != NULL, NULL,
                                       LONG_OPTION + count};
    for (i = 0; i < GLOBALS; i++)
        table[count + i] =
            (struct option){global_options[i].name, global_options[i].argument != NULL, NULL,
                            LONG_OPTION + count + i};
    table[count + i] = (struct option){0};
    return count;
}

static int report_option(const struct option *table, int found, char **argv)
{
    const char *shown = argv[optind - 1];

    if (found == ':')
        return report_error(EXIT_USAGE, "option '%s' takes an argument", shown);
    if (optopt >= LONG_OPTION)
        return report_error(EXIT_USAGE, "option '--%s' takes no argument",
                            table[optopt - LONG_OPTION].name);
    if (optopt)
        return report_error(EXIT_USAGE, "there is no option '-%c'", optopt);
    return report_error(EXIT_USAGE, "there is no option '%s', or several begin so", shown);
}

static int letter_index(int letter)
{
    for (int i = 0; i < GLOBALS; i++)
        if (global_letters[i] && global_letters[i] == letter)
            return i;
    return GLOBALS;
}

/* An argument such as -5 is a number: no option is a digit. */
static bool is_negative(const char *text)
{
    return text[0] == '-' && text[1] >= '0' && text[1] <= '9';
}

static void take_operand(struct invocation *call, char *operand)
{
    call->operands[call->operand_count++] = operand;
}

/* One option that getopt_long() found. own: how many options the command has. */
static int take_option(struct invocation *call, int found, int own)
{
    int index = found - LONG_OPTION;

    if (found == 1) {
        take_operand(call, optarg);
        return 0;
    }
    if (found >= LONG_OPTION && index < own) {
        call->values[index] = optarg ? optarg : "";
        return 0;
    }
    index = found >= LONG_OPTION ? index - own : letter_index(found);
    return global_option(&call->globals, (enum global)index, optarg);
}

/* Parses argv[1] and on. Operands are collected in argv itself, behind which getopt_long() is by
 * then. before: stops at the first operand, whose place it returns in optind. */
static int parse(struct invocation *call, int argc, char **argv, bool before)
{
    const char *order = before ? "+:d:n:o:qhV" : "-:d:n:o:qhV";
    struct option table[COMMAND_OPTIONS_MAX + GLOBALS + 1];
    int own = option_table(call->command, table);
    int found, code = 0;

    call->operands = argv + 1;
    call->operand_count = 0;
    opterr = 0;
    optind = 0;
    (void)getopt_long(1, argv, order, table, NULL); /* it begins anew; there is nothing to find */
    for (;;) {
        while (!before && optind < argc && is_negative(argv[optind]))
            take_operand(call, argv[optind++]);
        found = getopt_long(argc, argv, order, table, NULL);
        if (found == -1)
            break;
        if (found == '?' || found == ':')
            code = report_option(table, found, argv);
        else
            code = take_option(call, found, own);
        if (code)
            return code;
    }
    while (!before && optind < argc)
        take_operand(call, argv[optind++]);
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * The command
 */

static int count_operands(const struct invocation *call)
{
    const struct command *command = call->command;
    int count = call->operand_count;

    if (command->parts && count == 0)
        return report_error(EXIT_USAGE, "`tarn %s` takes a subcommand: see `tarn help %s`",
                            command->name, command->name);
    if (count >= command->operands_min &&
        (command->operands_max < 0 || count <= command->operands_max))
        return 0;
    return report_error(EXIT_USAGE, "usage: tarn %s%s%s; `tarn help %s` tells more", command->name,
                        *command->operands ? " " : "", command->operands, command->name);
}

/* argv[1] is the command's name; with a group it is followed by the part's. */
static int find_command(struct invocation *call, int *argc, char ***argv)
{
    const struct command *found = command_find(NULL, (*argv)[1]);

    if (!found)
        return report_error(EXIT_USAGE, "there is no command '%s': `tarn help` lists them",
                            (*argv)[1]);
    call->command = found;
    --*argc, ++*argv;
    if (!found->parts || *argc < 2 || (*argv)[1][0] == '-')
        return 0;
    found = command_find(call->command, (*argv)[1]);
    if (!found)
        return report_error(EXIT_USAGE, "there is no command '%s %s': `tarn help %s` lists them",
                            call->command->name, (*argv)[1], call->command->name);
    call->command = found;
    --*argc, ++*argv;
    return 0;
}

int options_parse(struct invocation *call, int argc, char **argv)
{
    const char *data_dir = getenv("TARN_DATA_DIR");
    int code;

    call->globals.data_dir = data_dir && *data_dir ? data_dir : "./data";
    call->globals.namespace_name = "default";
    code = parse(call, argc, argv, true);
    if (code || optind >= argc)
        return code;
    argv += optind - 1;
    argc -= optind - 1;
    code = find_command(call, &argc, &argv);
    if (!code)
        code = parse(call, argc, argv, false);
    if (code || call->globals.help || call->globals.version)
        return code;
    if (!*call->globals.data_dir)
        return report_error(EXIT_USAGE, "--data-dir is the path of a folder, not ''");
    return count_operands(call);
}
