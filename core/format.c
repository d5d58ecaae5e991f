/* SPDX-License-Identifier: BSD-2-Clause */
/* The formatter behind the log, the panic screen and text made for guests. */
#include "core/format.h"

#include <stdbool.h>
#include <stdint.h>

struct output {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text, also of what did not fit */
};

struct spec {
    bool left, zero, alternate, plus, space;
    int width;
    int precision; /* -1: none given */
    enum { LENGTH_CHAR, LENGTH_SHORT, LENGTH_INT, LENGTH_LONG } length;
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

/* Digits from the right end of `end` backwards; returns how many. */
static int make_digits(char *end, uint64_t value, unsigned int base, char ten)
{
    int n = 0;
    for (; value; value /= base) {
        unsigned int digit = (unsigned int)(value % base);
        *--end = (char)(digit < 10 ? '0' + digit : ten + (digit - 10));
        n++;
    }
    return n;
}

static void put_number(struct output *out, const struct spec *spec, const char *prefix,
                       uint64_t value)
{
    bool hex = spec->conversion == 'x' || spec->conversion == 'X' || spec->conversion == 'p';
    char digits[DIGITS_MAX];
    char *end = digits + DIGITS_MAX;
    int n = make_digits(end, value, hex ? 16 : 10, spec->conversion == 'X' ? 'A' : 'a');
    int prefix_length = 0;
    while (prefix[prefix_length])
        prefix_length++;

    int zeros = (spec->precision < 0 ? 1 : spec->precision) - n;
    if (spec->zero && !spec->left && spec->precision < 0 && spec->width - prefix_length - n > zeros)
        zeros = spec->width - prefix_length - n;
    if (zeros < 0)
        zeros = 0;

    int blanks = spec->width - prefix_length - zeros - n;
    if (!spec->left)
        put_repeated(out, ' ', blanks);
    for (int i = 0; i < prefix_length; i++)
        put(out, prefix[i]);
    put_repeated(out, '0', zeros);
    for (int i = n; i > 0; i--)
        put(out, end[-i]);
    if (spec->left)
        put_repeated(out, ' ', blanks);
}

/* The low `bits` bits as a signed number. */
static int64_t sign_extend(int64_t value, unsigned bits)
{
    return (int64_t)((uint64_t)value << (64 - bits)) >> (64 - bits);
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
    const char *prefix = spec->plus ? "+" : spec->space ? " " : "";
    if (spec->length == LENGTH_CHAR)
        value = sign_extend(value, 8);
    else if (spec->length == LENGTH_SHORT)
        value = sign_extend(value, 16);
    else if (spec->length == LENGTH_INT)
        value = sign_extend(value, 32);
    if (value < 0)
        put_number(out, spec, "-", -(uint64_t)value);
    else
        put_number(out, spec, prefix, (uint64_t)value);
}

static void put_unsigned(struct output *out, const struct spec *spec, uint64_t value)
{
    const char *prefix = "";
    if (spec->length == LENGTH_CHAR)
        value = (unsigned char)value;
    else if (spec->length == LENGTH_SHORT)
        value = (unsigned short)value;
    else if (spec->length == LENGTH_INT)
        value = (unsigned int)value;
    if (spec->conversion == 'p')
        prefix = "0x";
    else if (spec->alternate && value && spec->conversion != 'u')
        prefix = spec->conversion == 'X' ? "0X" : "0x";
    put_number(out, spec, prefix, value);
}

static bool parse_flag(struct spec *spec, char c)
{
    switch (c) {
    case '-':
        spec->left = true;
        return true;
    case '0':
        spec->zero = true;
        return true;
    case '#':
        spec->alternate = true;
        return true;
    case '+':
        spec->plus = true;
        return true;
    case ' ':
        spec->space = true;
        return true;
    default:
        return false;
    }
}

static const char *parse_number(const char *p, int *number)
{
    *number = 0;
    while (*p >= '0' && *p <= '9')
        *number = *number * 10 + (*p++ - '0');
    return p;
}

static const char *parse_length(const char *p, struct spec *spec)
{
    spec->length = LENGTH_INT;
    if (*p == 'h') {
        spec->length = p[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
        return p + (p[1] == 'h' ? 2 : 1);
    }
    if (*p == 'z') {
        spec->length = LENGTH_LONG;
        return p + 1;
    }
    while (*p == 'l') {
        spec->length = LENGTH_LONG;
        p++;
    }
    return p;
}

/* Parses what follows the percent sign; returns the address of the conversion letter. */
static const char *parse_spec(const char *p, struct spec *spec, va_list *arguments)
{
    *spec = (struct spec){.precision = -1};
    while (parse_flag(spec, *p))
        p++;
    if (*p == '*') {
        spec->width = va_arg(*arguments, int);
        p++;
    } else {
        p = parse_number(p, &spec->width);
    }
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    if (*p == '.') {
        p++;
        if (*p == '*') {
            spec->precision = va_arg(*arguments, int);
            p++;
        } else {
            p = parse_number(p, &spec->precision);
        }
    }
    p = parse_length(p, spec);
    spec->conversion = *p;
    return p;
}

/* False when the conversion is none of ours. */
static bool put_conversion(struct output *out, struct spec *spec, va_list *arguments)
{
    char c;
    switch (spec->conversion) {
    case 'd':
    case 'i':
        put_signed(out, spec,
                   spec->length == LENGTH_LONG ? va_arg(*arguments, int64_t)
                                               : va_arg(*arguments, int));
        return true;
    case 'u':
    case 'x':
    case 'X':
        put_unsigned(out, spec,
                     spec->length == LENGTH_LONG ? va_arg(*arguments, uint64_t)
                                                 : va_arg(*arguments, unsigned int));
        return true;
    case 'p':
        spec->length = LENGTH_LONG;
        put_unsigned(out, spec, (uintptr_t)va_arg(*arguments, void *));
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
