/* Base64; see the header. */
#include "base64.h"

#define PIECE ((size_t)3 * 1024) /* a multiple of 3, so that only the last one is padded */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode(uint8_t *to, const uint8_t *data, size_t length)
{
    size_t made = 0;

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)data[i] << 16;

        group |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        group |= left > 2 ? data[i + 2] : 0;
        to[made++] = (uint8_t)alphabet[group >> 18];
        to[made++] = (uint8_t)alphabet[group >> 12 & 63];
        to[made++] = left > 1 ? (uint8_t)alphabet[group >> 6 & 63] : '=';
        to[made++] = left > 2 ? (uint8_t)alphabet[group & 63] : '=';
    }
    return made;
}

void base64_write(struct output *out, const uint8_t *data, size_t length)
{
    while (length) {
        size_t piece = length < PIECE ? length : PIECE;
        uint8_t *room = output_reserve(out, PIECE / 3 * 4);

        if (!room)
            return;
        output_advance(out, encode(room, data, piece));
        data += piece;
        length -= piece;
    }
}

static int digit_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_read(uint8_t *text, size_t *length)
{
    size_t count = *length, made = 0, padding = 0;

    if (count % 4 != 0)
        return false;
    while (padding < 2 && padding < count && text[count - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < count; i += 4) {
        size_t digits = i + 4 == count ? 4 - padding : 4;
        uint32_t group = 0;

        for (size_t j = 0; j < 4; j++) {
            int digit = j < digits ? digit_of(text[i + j]) : 0;

            if (digit < 0)
                return false;
            group = group << 6 | (uint32_t)digit;
        }
        if ((digits == 2 && (group & 0xffff)) || (digits == 3 && (group & 0xff)))
            return false; /* bits that mean nothing: another spelling of the same bytes */
        for (size_t j = 0; j + 1 < digits; j++)
            text[made++] = (uint8_t)(group >> (16 - 8 * j));
    }
    *length = made;
    return true;
}
