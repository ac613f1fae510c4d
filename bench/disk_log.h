/*
 * What only tarn's log is asked for: how fast it is compacted, and how its index grows with long
 * keys. Main thread only; gives up on failure.
 */
#ifndef BENCH_DISK_LOG_H
#define BENCH_DISK_LOG_H

#include <stddef.h>
#include <stdint.h>

/* Seconds for each 10^9 bytes of keys and values that tarn_compact() copies out of files of which a
 * tenth was overwritten, until the copies are durable. The files are in the page cache. folder: one
 * that is not there. */
double disk_log_compact(const char *folder, uint32_t keys, size_t value_bytes);

/* Bytes of index for each of so many keys. folder: one that is not there. */
double disk_log_index(const char *folder, uint32_t keys, size_t key_bytes);

#endif
