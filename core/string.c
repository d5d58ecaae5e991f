/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and string functions. Words of eight bytes first: before Ivy Bridge (ERMSB) a processor
 * takes as long for a byte, and an emulator counts each step. */
#include "core/string.h"

#ifndef HOST_TEST

#include <stdint.h>

void *(memcpy)(void *restrict dst, const void *restrict src, size_t n)
{
    void *to = dst;
    size_t words = n / 8, bytes = n % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(bytes) : : "memory");
    return dst;
}

static void copy_backwards(void *dst, const void *src, size_t n)
{
    uint8_t *to = (uint8_t *)dst + n - 1;
    const uint8_t *from = (const uint8_t *)src + n - 1;

    __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(n) : : "memory", "cc");
}

void *memmove(void *dst, const void *src, size_t n)
{
    /* Unsigned distance: also true when dst lies below src. */
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return memcpy(dst, src, n);
    copy_backwards(dst, src, n);
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    void *to = dst;
    size_t words = n / 8, bytes = n % 8;
    uint64_t word = (uint8_t)byte * 0x0101010101010101ull;

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(word) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

#endif
