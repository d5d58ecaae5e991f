/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory and string functions that the compiler and the tests call. */
#include "tests/guest/guest.h"

void *memset(void *to, int byte, size_t count)
{
    uint8_t *t = to;
    while (count--)
        *t++ = (uint8_t)byte;
    return to;
}

void *memcpy(void *to, const void *from, size_t count)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    while (count--)
        *t++ = *f++;
    return to;
}

int memcmp(const void *a, const void *b, size_t count)
{
    const uint8_t *x = a, *y = b;
    for (; count; count--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}
