/* SPDX-License-Identifier: BSD-2-Clause */
/* File names for the firmware. */
#include "boot/path.h"

enum { CONTINUATION_BITS = 6, SURROGATE_FIRST = 0xd800, SURROGATE_LAST = 0xdfff };

/* Reads one character; *p is moved behind it. 0: not well-formed, or beyond 0xffff. */
static uint16_t next_character(const uint8_t **p)
{
    static const uint32_t smallest[] = {0, 0x80, 0x800}; /* by number of continuation bytes */
    uint8_t first = *(*p)++;
    uint32_t more = first < 0x80 ? 0 : (first & 0xe0) == 0xc0 ? 1 : (first & 0xf0) == 0xe0 ? 2 : 3;
    uint32_t c = more == 0 ? first : first & (0x3f >> more);

    if (more == 3)
        return 0;
    for (uint32_t i = 0; i < more; i++) {
        if ((**p & 0xc0) != 0x80)
            return 0;
        c = c << CONTINUATION_BITS | (*(*p)++ & 0x3f);
    }
    if (c < smallest[more] || (c >= SURROGATE_FIRST && c <= SURROGATE_LAST))
        return 0;
    return (uint16_t)c;
}

bool path_to_utf16(const char *path, uint16_t *wide, size_t max)
{
    const uint8_t *p = (const uint8_t *)path;
    size_t n = 0;

    for (; *p != 0; n++) {
        if (n + 1 >= max)
            return false;
        wide[n] = next_character(&p);
        if (wide[n] == 0)
            return false;
    }
    wide[n] = 0;
    return true;
}
