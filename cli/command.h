/*
 * What a subcommand is, and what it is called with.
 *
 * Each subcommand is one constant struct command in a file of its own in commands/, listed in
 * commands.c. Its help is made from the same tables that its arguments are parsed with. run()
 * returns the exit code, after it has said why it is not 0.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "output.h"

#include <tarn.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_NOT_FOUND = 1, /* or a condition that failed */
    EXIT_USAGE = 2,     /* or input that is not what its format asks */
    EXIT_IO = 3,
    EXIT_CORRUPT = 4,
    EXIT_LOCKED = 5, /* or a timeout */
    EXIT_LIMIT = 6,  /* or full */
};

enum output_form { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_HEX };

/* The options that every subcommand takes. */
struct globals {
    const char *data_dir;
    const char *namespace_name; /* "default" where none was given */
    bool namespace_given;
    enum output_form output;
    enum tarn_engine engine;  /* TARN_ENGINE_DEFAULT: not given */
    enum tarn_sync_mode sync; /* TARN_SYNC_DEFAULT: not given */
    uint64_t wait_ms;         /* for a store that is locked */
    bool hex;                 /* keys and values among the arguments are hex digits */
    bool quiet;
    bool read_only;
    bool help;
    bool version;
};

#define COMMAND_OPTIONS_MAX 16

struct command_option {
    const char *name;     /* without the two dashes */
    const char *argument; /* its name in the help; NULL: it takes none */
    const char *text;
};

struct invocation;

struct command {
    const char *name;     /* "get"; of a part of a group: "ns create" */
    const char *summary;  /* one line of `tarn help` */
    const char *operands; /* as the usage line shows them */
    int operands_min;
    int operands_max;                     /* -1: any number */
    const struct command_option *options; /* ends with a NULL name; NULL: none of its own */
    const char *text;                     /* what it does, with examples */
    const struct command *const *parts;   /* of a group, ends with NULL; then run is NULL */
    int (*run)(struct invocation *call);
};

struct invocation {
    const struct command *command;
    struct globals globals;
    char **operands;
    int operand_count;
    char *values[COMMAND_OPTIONS_MAX]; /* of the command's options, in its order; NULL: not given,
                                          "" where it takes no argument */
    struct output out;                 /* standard output */
};

/* The commands, in the order of the help; ends with NULL. */
extern const struct command *const commands[];

/* The command of that name, or NULL. Looks among the parts of a group, where one is given. */
const struct command *command_find(const struct command *group, const char *name);

/* The last word of its name: what the user types. */
const char *command_word(const struct command *command);

#endif
