/* Catalogs at random: whatever is decoded is encoded to the same bytes. See fuzz_file.h. */
#include "format/catalog.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tarn__catalog catalog;
    struct tarn_buf buf = {0};
    size_t length;
    uint8_t *bytes = fuzz_file(data, size, TARN__FILE_CATALOG, &length);
    tarn_status status = tarn__catalog_decode(bytes, length, "fuzz", &catalog);

    fuzz_expect(status == TARN_OK || status == TARN_CORRUPT || status == TARN_UNSUPPORTED_VERSION);
    if (status == TARN_OK) {
        fuzz_expect(tarn__catalog_encode(&catalog, bytes + 16, &buf) == TARN_OK);
        fuzz_expect(buf.length == length && memcmp(buf.data, bytes, length) == 0);
        tarn_buf_release(&buf);
        tarn__catalog_release(&catalog);
    }
    free(bytes);
    return 0;
}
