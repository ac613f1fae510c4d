/*
 * Memory from the C library. The only file of tarn that may call malloc and its relatives is
 * memory.c: everything goes through here, so that the tests can let the Nth allocation fail.
 */
#ifndef TARN_BASE_MEMORY_H
#define TARN_BASE_MEMORY_H

#include "tarn.h"

/* All return NULL, with TARN_NO_MEMORY recorded, where memory ran out. */
void *tarn__allocate(size_t bytes); /* not zeroed */
void *tarn__allocate_zeroed(size_t bytes);
void *tarn__allocate_lines(size_t bytes); /* zeroed, aligned to 64 bytes */
void *tarn__reallocate(void *pointer, size_t bytes);
void tarn__free(void *pointer); /* any of the above, or NULL */

/* Makes room for capacity bytes in all and keeps what is there. */
tarn_status tarn__buf_reserve(struct tarn_buf *buf, size_t capacity);

#endif
