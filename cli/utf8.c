/* UTF-8; see the header. */
#include "utf8.h"

#include <string.h>

static bool follows(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t utf8_length(const uint8_t *bytes, size_t left)
{
    uint8_t first = bytes[0];
    uint8_t second = left > 1 ? bytes[1] : 0;

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || !follows(second))
        return 0;
    if (first < 0xe0)
        return 2;
    if (first < 0xf0) {
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f))
            return 0; /* overlong; a surrogate */
        return left > 2 && follows(bytes[2]) ? 3 : 0;
    }
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0; /* overlong; too high */
    return left > 3 && follows(bytes[2]) && follows(bytes[3]) ? 4 : 0;
}

bool utf8_is_valid(const uint8_t *bytes, size_t length)
{
    size_t at = 0;

    while (at < length) {
        uint64_t eight;
        size_t step;

        if (length - at >= 8) {
            memcpy(&eight, bytes + at, 8);
            if (!(eight & 0x8080808080808080u)) {
                at += 8;
                continue;
            }
        }
        step = utf8_length(bytes + at, length - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

size_t utf8_write(uint8_t *bytes, uint32_t character)
{
    if (character < 0x80) {
        bytes[0] = (uint8_t)character;
        return 1;
    }
    if (character < 0x800) {
        bytes[0] = (uint8_t)(0xc0 | character >> 6);
        bytes[1] = (uint8_t)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        bytes[0] = (uint8_t)(0xe0 | character >> 12);
        bytes[1] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (character & 0x3f));
        return 3;
    }
    bytes[0] = (uint8_t)(0xf0 | character >> 18);
    bytes[1] = (uint8_t)(0x80 | (character >> 12 & 0x3f));
    bytes[2] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
    bytes[3] = (uint8_t)(0x80 | (character & 0x3f));
    return 4;
}
