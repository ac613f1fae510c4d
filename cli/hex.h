/* A hex digit, as in --hex, \u of JSON and \x of TSV. */
#ifndef CLI_HEX_H
#define CLI_HEX_H

/* Its value; -1: it is none. */
static inline int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
