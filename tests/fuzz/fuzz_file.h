/*
 * What libFuzzer makes up, as a file of a store. Bytes at random would hardly ever get past a
 * checksum, so the first byte chooses:
 *
 *      0       the rest is the file as it is
 *      else    the rest is blocks, each a kind (u8), a length (u16) and so many bytes of content:
 *              a file is made of them in which all checksums are right, and the end block too
 */
#ifndef TARN_TESTS_FUZZ_FILE_H
#define TARN_TESTS_FUZZ_FILE_H

#include "format/file.h"

#include <stdlib.h>

static const uint8_t fuzz_identity[TARN__IDENTITY_BYTES] = {1, 2, 3};

/* Returns the file, from malloc() and with no byte more than *length. */
static inline uint8_t *fuzz_file(const uint8_t *data, size_t size, enum tarn__file_kind kind,
                          size_t *length)
{
    struct tarn__reader reader = tarn__reader_of(data, size);
    struct tarn__block_total total = {0};
    size_t room = TARN__FILE_HEADER_BYTES + size * 7 + 64; /* 3 bytes become 16 at most */
    uint8_t *bytes = malloc(room), *block = bytes;

    if (tarn__read_u8(&reader) == 0) {
        *length = tarn__reader_left(&reader);
        tarn__write_bytes(bytes, reader.at, *length);
        return realloc(bytes, *length + (*length == 0));
    }
    tarn__file_header_write(bytes, kind, fuzz_identity);
    block += TARN__FILE_HEADER_BYTES;
    while (tarn__reader_left(&reader) >= 3) {
        uint8_t block_kind = tarn__read_u8(&reader);
        size_t content = tarn__read_u16(&reader);

        if (content > tarn__reader_left(&reader))
            content = tarn__reader_left(&reader);
        tarn__write_bytes(block + TARN__BLOCK_HEADER_BYTES, tarn__read_bytes(&reader, content),
                          content);
        block = tarn__block_seal(block, fuzz_identity, (uint64_t)(block - bytes), block_kind,
                                 content, &total);
    }
    block = tarn__block_end_write(block, fuzz_identity, (uint64_t)(block - bytes), &total);
    *length = (size_t)(block - bytes);
    return realloc(bytes, *length);
}

/* Stops the fuzzer, which keeps the input. */
static inline void fuzz_expect(bool condition)
{
    if (!condition)
        __builtin_trap();
}

#endif
