/* SPDX-License-Identifier: BSD-2-Clause */
/* The few memory and string functions of the C library that the product uses. */
#pragma once

#ifdef HOST_TEST
#include <string.h>
#else
#include <stddef.h>

/* Each behaves as the C standard says. Callable on any CPU, at any time. */
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

#ifndef memcpy /* a few bytes of a number that the compiler knows need no call */
#define memcpy(dst, src, n) __builtin_memcpy(dst, src, n)
#endif
#endif
