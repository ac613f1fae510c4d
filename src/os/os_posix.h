/*
 * The part of the Linux table that os_posix_memory.c has for os_posix.c. The contracts are those of
 * the members of struct tarn__os of the same names. Nobody else includes this.
 */
#ifndef TARN_OS_OS_POSIX_H
#define TARN_OS_OS_POSIX_H

#include "os/os.h"

void *tarn__posix_memory_map(const struct tarn__os *os, size_t bytes, size_t alignment, bool huge);
void tarn__posix_memory_unmap(const struct tarn__os *os, void *address, size_t bytes);
bool tarn__posix_memory_forget_in_child(const struct tarn__os *os, void *address, size_t bytes);
void tarn__posix_memory_populate(const struct tarn__os *os, void *address, size_t bytes);
int tarn__posix_map(const struct tarn__os *os, int file, uint64_t offset, size_t bytes,
                    bool writable, void **address);
int tarn__posix_unmap(const struct tarn__os *os, void *address, size_t bytes);
void tarn__posix_map_write(const struct tarn__os *os, void *destination, const void *source,
                           size_t length);
void tarn__posix_map_at_random(const struct tarn__os *os, void *address, size_t bytes);
void tarn__posix_map_populate(const struct tarn__os *os, void *address, size_t bytes,
                              bool writable);

#endif
