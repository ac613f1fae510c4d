/*
 * A file that is written whole: what was there under its name stays until the new one is complete
 * and on the disk. What is no regular file (a device, a pipe) is written as it is.
 */
#ifndef CLI_NEW_FILE_H
#define CLI_NEW_FILE_H

#include <stdbool.h>

struct new_file {
    const char *path;
    char *temporary; /* NULL: path itself is written */
    int fd;
};

/* The exit code after an error was reported; then there is nothing to end. */
int new_file_open(struct new_file *file, const char *path);

/* Puts the file in its place, or where it is not fine takes it away again. */
int new_file_end(struct new_file *file, bool fine);

#endif
