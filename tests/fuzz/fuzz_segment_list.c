/* Lists of segments at random: whatever is decoded is encoded to the same bytes. See fuzz_file.h.
 */
#include "format/segment.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tarn__segment_list list;
    struct tarn_buf buf = {0};
    size_t length;
    uint8_t *bytes = fuzz_file(data, size, TARN__FILE_SEGMENTS, &length);
    tarn_status status = tarn__segment_list_decode(bytes, length, "fuzz", &list);

    fuzz_expect(status == TARN_OK || status == TARN_CORRUPT || status == TARN_UNSUPPORTED_VERSION);
    if (status == TARN_OK) {
        fuzz_expect(tarn__segment_list_encode(&list, bytes + 16, &buf) == TARN_OK);
        fuzz_expect(buf.length == length && memcmp(buf.data, bytes, length) == 0);
        tarn_buf_release(&buf);
        tarn__segment_list_release(&list);
    }
    free(bytes);
    return 0;
}
