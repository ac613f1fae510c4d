/* The catalog's file; see the header. */
#include "store/catalog_file.h"
#include "base/memory.h"
#include "base/status.h"

#include <errno.h>

#define CATALOG     "catalog"
#define CATALOG_NEW "catalog.new"
#define BYTES_MAX   ((uint64_t)1024 * 1024 * 1024)

static tarn_status read_all(struct tarn__file *file, struct tarn_buf *bytes)
{
    uint64_t size;
    tarn_status status = tarn__file_size(file, &size);

    if (status)
        return status;
    if (size > BYTES_MAX)
        return tarn__fail_at(TARN_CORRUPT, size, "'%s' is too large for a catalog: %llu bytes",
                             tarn__file_path(file), (unsigned long long)size);
    status = tarn__buf_reserve(bytes, size);
    if (!status && size)
        status = tarn__file_read(file, bytes->data, size, 0);
    if (!status)
        bytes->length = size;
    return status;
}

/* What a crash has left of a change. */
static tarn_status remove_new(const struct tarn__folder *folder)
{
    tarn_status status = folder->read_only ? TARN_OK : tarn__file_unlink(folder->top, CATALOG_NEW);

    return tarn__failed_with(status, ENOENT) ? TARN_OK : status;
}

tarn_status tarn__catalog_file_read(const struct tarn__folder *folder,
                                    struct tarn__catalog *catalog, bool *found)
{
    struct tarn_buf bytes = {0};
    struct tarn__file *file;
    tarn_status status = remove_new(folder);

    if (!status)
        status = tarn__file_open(folder->top, CATALOG, TARN__OPEN_READ, &file);
    if (tarn__failed_with(status, ENOENT)) {
        *found = false;
        return TARN_OK;
    }
    if (status)
        return status;
    status = read_all(file, &bytes);
    if (!status)
        status = tarn__catalog_decode(bytes.data, bytes.length, tarn__file_path(file), catalog);
    if (!status)
        *found = true;
    (void)tarn__file_close(file); /* it was only read */
    tarn_buf_release(&bytes);
    return status;
}

static tarn_status write_all(const struct tarn__folder *folder, const struct tarn_buf *bytes)
{
    struct tarn__file *file;
    tarn_status status = tarn__file_open(folder->top, CATALOG_NEW, TARN__OPEN_CREATE, &file);

    if (tarn__failed_with(status, EEXIST)) { /* left behind by a crash */
        status = tarn__file_unlink(folder->top, CATALOG_NEW);
        if (!status)
            status = tarn__file_open(folder->top, CATALOG_NEW, TARN__OPEN_CREATE, &file);
    }
    if (status)
        return status;
    status = tarn__file_write(file, bytes->data, bytes->length, 0);
    if (!status)
        return tarn__folder_publish(folder->top, file, CATALOG_NEW, CATALOG);
    tarn__folder_abandon(folder->top, file, CATALOG_NEW);
    return status;
}

tarn_status tarn__catalog_file_replace(const struct tarn__os *os, const struct tarn__folder *folder,
                                       const struct tarn__catalog *catalog)
{
    uint8_t identity[TARN__IDENTITY_BYTES];
    struct tarn_buf bytes = {0};
    tarn_status status = os->random_bytes(os, identity, sizeof identity);

    if (!status)
        status = tarn__catalog_encode(catalog, identity, &bytes);
    if (!status)
        status = write_all(folder, &bytes);
    tarn_buf_release(&bytes);
    return status;
}
