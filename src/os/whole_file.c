/* Files that are read whole, and replaced whole; see os.h. */
#include "base/memory.h"
#include "base/status.h"
#include "os/os.h"

#include <errno.h>

/* ------------------------------------------------------------------------------------------
 * Reading
 */

void tarn__file_close_after_reading(struct tarn__file *file)
{
    struct tarn_error error = *tarn_last_error();

    (void)tarn__file_close(file);
    tarn__restore_error(&error);
}

static tarn_status read_all(struct tarn__file *file, uint64_t bytes_max, struct tarn_buf *bytes)
{
    uint64_t size;
    tarn_status status = tarn__file_size(file, &size);

    if (status)
        return status;
    if (size > bytes_max)
        return tarn__fail_at(TARN_CORRUPT, size, "'%s' is too large: %llu bytes",
                             tarn__file_path(file), (unsigned long long)size);
    status = tarn__buf_reserve(bytes, size);
    if (!status && size)
        status = tarn__file_read(file, bytes->data, size, 0);
    if (!status)
        bytes->length = size;
    return status;
}

tarn_status tarn__file_read_whole(const struct tarn__directory *directory, const char *name,
                                  uint64_t bytes_max, struct tarn_buf *bytes)
{
    struct tarn__file *file;
    tarn_status status = tarn__file_open(directory, name, TARN__OPEN_READ, &file);

    if (status)
        return status;
    status = read_all(file, bytes_max, bytes);
    tarn__file_close_after_reading(file);
    return status;
}

/* ------------------------------------------------------------------------------------------
 * Replacing
 */

static tarn_status unknown(const struct tarn__directory *directory, const char *name)
{
    struct tarn_error error = *tarn_last_error();

    return tarn__fail_system(TARN_OUTCOME_UNKNOWN, error.system_error,
                             "it is not known whether '%s/%s' is durable: open the store anew",
                             tarn__directory_path(directory), name);
}

void tarn__file_abandon(const struct tarn__directory *directory, struct tarn__file *file,
                        const char *temporary)
{
    struct tarn_error error = *tarn_last_error();

    (void)tarn__file_close(file);
    (void)tarn__file_unlink(directory, temporary);
    tarn__restore_error(&error);
}

tarn_status tarn__file_publish(const struct tarn__directory *directory, struct tarn__file *file,
                               const char *temporary, const char *name)
{
    tarn_status status = tarn__file_sync(file);

    if (status) {
        tarn__file_abandon(directory, file, temporary);
        return status;
    }
    status = tarn__file_close(file);
    if (status) {
        tarn__file_abandon(directory, NULL, temporary);
        return status;
    }
    status = tarn__file_rename(directory, temporary, directory, name);
    if (status) { /* told as failed, and perhaps done: then the temporary name is gone */
        (void)unknown(directory, name);
        tarn__file_abandon(directory, NULL, temporary);
        return TARN_OUTCOME_UNKNOWN;
    }
    return tarn__directory_sync(directory) ? unknown(directory, name) : TARN_OK;
}

tarn_status tarn__file_replace_whole(const struct tarn__directory *directory, const char *temporary,
                                     const char *name, const struct tarn_buf *bytes)
{
    struct tarn__file *file;
    tarn_status status = tarn__file_open(directory, temporary, TARN__OPEN_CREATE, &file);

    if (tarn__failed_with(status, EEXIST)) { /* left behind by a crash */
        status = tarn__file_unlink(directory, temporary);
        if (!status)
            status = tarn__file_open(directory, temporary, TARN__OPEN_CREATE, &file);
    }
    if (status)
        return status;
    status = tarn__file_write(file, bytes->data, bytes->length, 0);
    if (!status)
        return tarn__file_publish(directory, file, temporary, name);
    tarn__file_abandon(directory, file, temporary);
    return status;
}
