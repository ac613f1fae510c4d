/* The catalog's file; see the header. */
#include "store/catalog_file.h"
#include "base/memory.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>

#define CATALOG     TARN__CATALOG
#define CATALOG_NEW "catalog.new"
#define BYTES_MAX   ((uint64_t)1024 * 1024 * 1024)
#define PATH_ROOM   256 /* a message has no more */

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
    char path[PATH_ROOM];
    tarn_status status = remove_new(folder);

    if (!status)
        status = tarn__file_read_whole(folder->top, CATALOG, BYTES_MAX, &bytes);
    if (tarn__failed_with(status, ENOENT)) {
        *found = false;
        return TARN_OK;
    }
    snprintf(path, sizeof path, "%s/" CATALOG, tarn__directory_path(folder->top));
    if (!status)
        status = tarn__catalog_decode(bytes.data, bytes.length, path, catalog);
    if (!status)
        *found = true;
    tarn_buf_release(&bytes);
    return status;
}

tarn_status tarn__catalog_file_read_rest(const struct tarn__folder *folder, bool *has_store,
                                         struct tarn__catalog *catalog)
{
    struct tarn_buf bytes = {0};
    tarn_status status = tarn__file_read_whole(folder->top, CATALOG, BYTES_MAX, &bytes);

    *has_store = false;
    if (!status)
        status = tarn__catalog_decode_rest(bytes.data, bytes.length, has_store, catalog);
    tarn_buf_release(&bytes);
    return status == TARN_NO_MEMORY ? status : TARN_OK; /* the rest was told */
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
        status = tarn__file_replace_whole(folder->top, CATALOG_NEW, CATALOG, &bytes);
    tarn_buf_release(&bytes);
    return status;
}
