/* Which names are valid. */
#include "format/name.h"

#include <string.h>

/* The length of the UTF-8 character at the beginning, or 0 if there is none: overlong forms,
 * surrogates and what is beyond U+10FFFF are not characters. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t character;
    size_t length;

    if (at[0] < 0x80)
        return 1;
    length = at[0] >= 0xf8 || at[0] < 0xc0 ? 0 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (length == 0 || length > left)
        return 0;
    character = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (at[i] & 0x3f);
    }
    if (character < smallest[length] || character > 0x10ffff ||
        (character >= 0xd800 && character < 0xe000))
        return 0;
    return length;
}

const char *tarn__name_fault(struct tarn_slice name, size_t *at)
{
    const uint8_t *bytes = name.data;
    const char *fault = NULL;
    size_t i = 0;

    if (name.length == 0 || name.length > TARN_NAME_BYTES_MAX)
        fault = "is empty or longer than 255 bytes";
    while (!fault && i < name.length) {
        size_t length = utf8_length(bytes + i, name.length - i);

        if (length == 0)
            fault = "is not UTF-8";
        /* C0, DEL, and C1 (U+0080 to U+009F) */
        else if (bytes[i] < 0x20 || bytes[i] == 0x7f || (bytes[i] == 0xc2 && bytes[i + 1] < 0xa0))
            fault = "has a control character";
        else
            i += length;
    }
    if (fault && at)
        *at = i;
    return fault;
}

int tarn__name_compare(struct tarn_slice a, struct tarn_slice b)
{
    size_t both = a.length < b.length ? a.length : b.length;
    int order = both ? memcmp(a.data, b.data, both) : 0;

    return order ? order : (a.length > b.length) - (a.length < b.length);
}
