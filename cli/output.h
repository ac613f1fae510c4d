/*
 * Buffered output that knows whether it arrived.
 *
 * The first error stays; what is written after it is dropped. Whoever is done asks output_flush():
 * bytes that were never written must not end with exit code 0.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output {
    int fd;
    int error; /* errno of the first write that failed, or 0 */
    uint8_t *data;
    size_t length;
    size_t capacity;
    uint64_t written; /* bytes, with those that wait in data */
};

void output_init(struct output *out, int fd);
void output_release(struct output *out);

/* Room for so many bytes, at most OUTPUT_RESERVE_MAX, to be filled and told by output_advance().
 * NULL after an error. */
#define OUTPUT_RESERVE_MAX ((size_t)256 * 1024)
uint8_t *output_reserve(struct output *out, size_t bytes);
void output_advance(struct output *out, size_t bytes);

void output_bytes(struct output *out, const void *data, size_t length);
void output_text(struct output *out, const char *text);
void output_printf(struct output *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void output_hex(struct output *out, const void *data, size_t length);

/* Writes what waits. False: not everything that was put arrived. */
bool output_flush(struct output *out);

#endif
