/* What comes in: arguments as bytes, values from files, and lines of a dump. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "command.h"

/* The bytes of an argument; with --hex decoded in place, so ask once for each. 0, or EXIT_USAGE
 * after an error was reported. */
int input_bytes(const struct invocation *call, char *argument, struct tarn_slice *bytes);

/* The same for a key, which is not empty. An argument that cannot be a key is refused before a
 * store is opened, or made. */
int input_key(const struct invocation *call, char *argument, struct tarn_slice *key);

/*
 * The value of a write: the operand, standard input where that is "-", or the file that file names
 * ("-" as well) where it is not NULL. Exactly one of both is there. buf, from zero, holds what was
 * read; release it.
 */
int input_value(const struct invocation *call, char *operand, const char *file,
                struct tarn_buf *buf, struct tarn_slice *value);

/* Opens a file for reading; "-" and NULL: standard input. The exit code after an error. */
int input_open(const char *path, int *fd);
void input_close(int fd);

/* Reads lines, each of which may be changed until the next is asked for. */
struct line_reader {
    int fd;
    int error; /* errno of a read that failed; EFBIG: a line longer than a record can be */
    bool ended;
    bool cut; /* the last line had no newline */
    uint8_t *data;
    size_t begin, end, capacity;
    uint64_t line; /* number of the line that was read last */
    uint64_t read; /* bytes of all lines so far */
};

void line_reader_init(struct line_reader *reader, int fd);
void line_reader_release(struct line_reader *reader);
/* False: there is none any more, or an error. */
bool line_reader_next(struct line_reader *reader, uint8_t **line, size_t *length);

#endif
