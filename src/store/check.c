/* tarn_check(): every byte of a store is read and verified, and nothing is changed. */
#include "store/remains.h"
#include "store/snapshot_inspect.h"
#include "store/store.h"

static tarn_status check_log(void *context, const struct tarn__catalog_namespace *entry,
                             const struct tarn__log_source *source)
{
    struct tarn__remains *remains = context;

    (void)entry;
    return tarn__log_inspect(source, &remains->inspection, NULL);
}

tarn_status tarn__store_check(const struct tarn__os *os, const char *dir,
                              const struct tarn_check_options *given,
                              struct tarn_check_summary *summary)
{
    struct tarn__snapshot_found found;
    struct tarn_check_options options;
    struct tarn__remains remains;
    tarn_status status = tarn__remains_check_arguments(dir, given, summary, &options);

    if (status)
        return status;
    status = tarn__remains_open(&remains, os, dir, &options);
    if (status)
        return tarn__remains_summarize(&remains, status, summary);
    status = tarn__remains_logs(&remains, check_log, &remains);
    for (size_t i = 0; i < remains.snapshot_count && !status; i++)
        status = tarn__snapshot_inspect(remains.folder.snapshots, remains.snapshots[i],
                                        &remains.inspection, NULL, &found);
    status = tarn__remains_summarize(&remains, status, summary);
    tarn__remains_close(&remains);
    return status;
}

tarn_status tarn_check(const char *dir, const struct tarn_check_options *options,
                       struct tarn_check_summary *summary)
{
    return tarn__store_check(tarn__os_posix(), dir, options, summary);
}
