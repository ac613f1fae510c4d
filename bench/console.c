/*
 * Progress and failure on standard error: see console.h.
 */
#include "console.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void console_progress(const char *format, ...)
{
    if (isatty(STDERR_FILENO) == 0) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, format, arguments);
    fflush(stderr);
    va_end(arguments);
}

void console_progress_end(void)
{
    console_progress("%s", "");
}

_Noreturn void console_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    console_progress_end();
    fputs("tarn-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

void *console_allocate(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);
    if (memory == NULL) {
        console_fail("no memory for %zu bytes", bytes);
    }
    return memory;
}
