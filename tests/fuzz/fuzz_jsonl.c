/* Lines of jsonl at random; see fuzz_record.h. */
#include "fuzz_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_line(&format_jsonl, data, size);
}
