/* The options of a namespace on the command line. */
#ifndef CLI_NAMESPACE_OPTIONS_H
#define CLI_NAMESPACE_OPTIONS_H

#include "command.h"

/* The first rows of a command's table of options. --engine and --sync are options of every command.
 */
enum namespace_option {
    NAMESPACE_SHARDS,
    NAMESPACE_LOCK_TIMEOUT_MS,
    NAMESPACE_MAX_KEYS,
    NAMESPACE_MAX_VALUE_SIZE,
    NAMESPACE_MAX_BYTES,
    NAMESPACE_SYNC_INTERVAL_MS,
    NAMESPACE_SEGMENT_BYTES,
    NAMESPACE_COMPACT_BYTES,
    NAMESPACE_COMPACT_PERCENT,
};

#define NAMESPACE_SHARDS_OPTION                                                                    \
    [NAMESPACE_SHARDS] = {"shards", "N", "units of write locking, 1 to 4096; default 16"}

#define NAMESPACE_OPTIONS                                                                          \
    [NAMESPACE_LOCK_TIMEOUT_MS] = {"lock-timeout-ms", "MS",                                        \
                                   "how long a write waits for a lock; default 5000"},             \
    [NAMESPACE_MAX_KEYS] = {"max-keys", "N", "keys; 0: no limit"},                                 \
    [NAMESPACE_MAX_VALUE_SIZE] = {"max-value-size", "SIZE", "bytes of a value; default 1G"},       \
    [NAMESPACE_MAX_BYTES] = {"max-bytes", "SIZE", "bytes of keys and values; 0: no limit"},        \
    [NAMESPACE_SYNC_INTERVAL_MS] = {"sync-interval-ms", "MS",                                      \
                                    "of the sync mode interval; default 1000"},                    \
    [NAMESPACE_SEGMENT_BYTES] = {"segment-bytes", "SIZE",                                          \
                                 "of the log's files, 64K to 1G; default 64M"},                    \
    [NAMESPACE_COMPACT_BYTES] = {"compact-bytes", "SIZE",                                          \
                                 "stale bytes from which a log is compacted; default 1M"},         \
    [NAMESPACE_COMPACT_PERCENT] = {"compact-percent", "N",                                         \
                                   "and their share of all, 1 to 100; default 20"}

/* Puts what was given into options, and sets the bit of tarn_namespace_field of each in fields;
 * what was not given stays as it is. 0, or EXIT_USAGE after an error was reported. */
int namespace_options_read(const struct invocation *call, struct tarn_namespace_options *options,
                           unsigned *fields);

#endif
