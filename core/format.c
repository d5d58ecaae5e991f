/* SPDX-License-Identifier: BSD-2-Clause */
/* The formatter behind the log, the panic screen and text made for guests. */
#include "core/format.h"

#include <stdbool.h>
#include <stdint.h>

#include "core/string.h"

struct output {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text, also of what did not fit */
};

struct spec {
    bool left, zero, alternate, is_long;
    int width;
    int precision; /* of a string; -1: none given */
    char conversion;
};

enum { DIGITS_MAX = 20 }; /* UINT64_MAX in decimal; every other base used needs fewer */

static void put(struct output *out, char c)
{
    if (out->length + 1 < out->size)
        out->buffer[out->length] = c;
    out->length++;
}

static void put_repeated(struct output *out, char c, int n)
{
    while (n-- > 0)
        put(out, c);
}

/* `text` between blanks up to the width. */
static void put_padded(struct output *out, const struct spec *spec, const char *text, int n)
{
    if (!spec->left)
        put_repeated(out, ' ', spec->width - n);
    for (int i = 0; i < n; i++)
        put(out, text[i]);
    if (spec->left)
        put_repeated(out, ' ', spec->width - n);
}

static void put_string(struct output *out, const struct spec *spec, const char *text)
{
    int n = 0;
    if (!text)
        text = "(null)";
    while ((spec->precision < 0 || n < spec->precision) && text[n])
        n++;
    put_padded(out, spec, text, n);
}

static void put_number(struct output *out, const struct spec *spec, const char *prefix,
                       uint64_t value)
{
    unsigned base = spec->conversion == 'x' || spec->conversion == 'p' ? 16 : 10;
    bool zeros = spec->zero && !spec->left;
    char digits[DIGITS_MAX];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);

    int blanks = spec->width - (int)strlen(prefix) - n;
    if (!spec->left && !zeros)
        put_repeated(out, ' ', blanks);
    while (*prefix)
        put(out, *prefix++);
    if (zeros)
        put_repeated(out, '0', blanks);
    while (n > 0)
        put(out, digits[--n]);
    if (spec->left)
        put_repeated(out, ' ', blanks);
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
    put_number(out, spec, value < 0 ? "-" : "", value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* Parses what follows the percent sign; returns the address of the conversion letter. */
static const char *parse_spec(const char *p, struct spec *spec, va_list *arguments)
{
    *spec = (struct spec){.precision = -1};
    for (; *p == '-' || *p == '0' || *p == '#'; p++) {
        spec->left |= *p == '-';
        spec->zero |= *p == '0';
        spec->alternate |= *p == '#';
    }
    while (*p >= '0' && *p <= '9')
        spec->width = spec->width * 10 + (*p++ - '0');
    if (p[0] == '.' && p[1] == '*') {
        spec->precision = va_arg(*arguments, int);
        p += 2;
    }
    for (; *p == 'l' || *p == 'z'; p++)
        spec->is_long = true;
    spec->conversion = *p;
    return p;
}

/* False when the conversion is none of ours. */
static bool put_conversion(struct output *out, const struct spec *spec, va_list *arguments)
{
    uint64_t value;
    char c;

    switch (spec->conversion) {
    case 'd':
        put_signed(out, spec, spec->is_long ? va_arg(*arguments, long) : va_arg(*arguments, int));
        return true;
    case 'u':
    case 'x':
        value = spec->is_long ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
        put_number(out, spec, spec->alternate && value ? "0x" : "", value);
        return true;
    case 'p':
        put_number(out, spec, "0x", (uintptr_t)va_arg(*arguments, void *));
        return true;
    case 'c':
        c = (char)va_arg(*arguments, int);
        put_padded(out, spec, &c, 1);
        return true;
    case 's':
        put_string(out, spec, va_arg(*arguments, const char *));
        return true;
    case '%':
        put(out, '%');
        return true;
    default:
        return false;
    }
}

size_t format_string_v(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output out = {buffer, size, 0};
    va_list rest;
    va_copy(rest, arguments);
    for (const char *p = format; *p; p++) {
        struct spec spec;
        if (*p != '%') {
            put(&out, *p);
            continue;
        }
        const char *start = p;
        p = parse_spec(p + 1, &spec, &rest);
        if (put_conversion(&out, &spec, &rest))
            continue;
        put(&out, '%');
        p = start;
    }
    va_end(rest);
    if (size)
        buffer[out.length < size ? out.length : size - 1] = '\0';
    return out.length;
}

size_t format_string(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_string_v(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
