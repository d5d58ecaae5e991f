/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial console, a small printf, and TAP results. */
#include "tests/guest/guest.h"

#include <stdarg.h>

enum {
    COM1 = 0x3f8,
    UART_LCR = COM1 + 3,
    LCR_8N1 = 3,
    UART_LSR = COM1 + 5,
    LSR_THR_EMPTY = 1 << 5,
};

static unsigned planned;
static unsigned results;
static unsigned failures;

void console_start(void)
{
    outb(UART_LCR, LCR_8N1);
}

void console_putc(char c)
{
    while (!(inb(UART_LSR) & LSR_THR_EMPTY))
        pause();
    outb(COM1, (uint8_t)c);
}

static void put_text(const char *text, unsigned width)
{
    for (size_t length = strlen(text); length < width; length++)
        console_putc(' ');
    while (*text)
        console_putc(*text++);
}

/* Divide in place and give the remainder; in steps of 16 bits, because a 32-bit guest has no
   library for 64-bit division. */
static unsigned divide(uint64_t *value, unsigned divisor)
{
    uint64_t quotient = 0;
    unsigned rest = 0;
    for (int shift = 48; shift >= 0; shift -= 16) {
        uint32_t part = rest << 16 | (uint16_t)(*value >> shift);
        quotient |= (uint64_t)(part / divisor) << shift;
        rest = part % divisor;
    }
    *value = quotient;
    return rest;
}

static void put_number(uint64_t value, bool negative, unsigned base, unsigned width, char fill)
{
    char digits[24];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[divide(&value, base)];
    } while (value);
    if (negative)
        digits[count++] = '-';
    while (width > count) {
        console_putc(fill);
        width--;
    }
    while (count)
        console_putc(digits[--count]);
}

static uint64_t next_number(va_list *arguments, unsigned longs, bool is_signed)
{
    if (longs >= 2)
        return va_arg(*arguments, unsigned long long);
    if (longs == 1)
        return is_signed ? (uint64_t)va_arg(*arguments, long) : va_arg(*arguments, unsigned long);
    return is_signed ? (uint64_t)va_arg(*arguments, int) : va_arg(*arguments, unsigned);
}

static void vprintf(const char *format, va_list *arguments)
{
    for (; *format; format++) {
        if (*format != '%') {
            console_putc(*format);
            continue;
        }
        char fill = ' ';
        unsigned width = 0, longs = 0;
        if (*++format == '0')
            fill = *format++;
        while (*format >= '0' && *format <= '9')
            width = width * 10 + (unsigned)(*format++ - '0');
        while (*format == 'l')
            longs++, format++;
        if (*format == 'z')
            longs = 1, format++;
        switch (*format) {
        case 'c':
            console_putc((char)va_arg(*arguments, int));
            break;
        case 's':
            put_text(va_arg(*arguments, const char *), width);
            break;
        case 'd': {
            int64_t value = (int64_t)next_number(arguments, longs, true);
            put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0, 10, width, fill);
            break;
        }
        case 'u':
            put_number(next_number(arguments, longs, false), false, 10, width, fill);
            break;
        case 'x':
            put_number(next_number(arguments, longs, false), false, 16, width, fill);
            break;
        case 'p':
            put_number((uintptr_t)va_arg(*arguments, void *), false, 16, width, fill);
            break;
        default:
            console_putc(*format);
        }
    }
}

void printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, &arguments);
    va_end(arguments);
}

void plan(unsigned count)
{
    planned = count;
    printf("1..%u\n", count);
}

static void result(bool passed, const char *name, va_list *arguments)
{
    results++;
    if (!passed)
        failures++;
    printf(passed ? "ok %u - " : "not ok %u - ", results);
    vprintf(name, arguments);
}

#define RESULT(passed)                                                                             \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, name);                                                                 \
        result(passed, name, &arguments);                                                          \
        va_end(arguments);                                                                         \
    } while (0)

bool ok(bool condition, const char *name, ...)
{
    RESULT(condition);
    printf("\n");
    return condition;
}

bool is_u64(uint64_t seen, uint64_t expected, const char *name, ...)
{
    RESULT(seen == expected);
    if (seen != expected)
        printf(" # saw 0x%llx expected 0x%llx", (unsigned long long)seen,
               (unsigned long long)expected);
    printf("\n");
    return seen == expected;
}

bool in_range(uint64_t seen, uint64_t low, uint64_t high, const char *name, ...)
{
    bool passed = low <= seen && seen <= high;
    RESULT(passed);
    if (!passed)
        printf(" # saw %llu expected %llu to %llu", (unsigned long long)seen,
               (unsigned long long)low, (unsigned long long)high);
    printf("\n");
    return passed;
}

static const char *const exception_names[] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR",       "#UD", "#NM", "#DF", "vector 9",
    "#TS", "#NP", "#SS", "#GP", "#PF", "vector 15", "#MF", "#AC", "#MC", "#XM",
};

static void put_vector(unsigned vector, unsigned long error)
{
    if (vector == NO_FAULT)
        printf("no exception");
    else if (vector < sizeof(exception_names) / sizeof(*exception_names))
        printf("%s(0x%lx)", exception_names[vector], error);
    else
        printf("vector %u", vector);
}

static void put_faults(struct fault fault, unsigned vector, unsigned long error)
{
    printf(" # saw ");
    put_vector(fault.vector, fault.error);
    printf(" expected ");
    put_vector(vector, error);
}

bool is_fault(struct fault fault, unsigned vector, unsigned long error, const char *name, ...)
{
    bool passed = fault.vector == vector && fault.error == error;
    RESULT(passed);
    if (!passed)
        put_faults(fault, vector, error);
    printf("\n");
    return passed;
}

bool is_no_fault(struct fault fault, const char *name, ...)
{
    bool passed = fault.vector == NO_FAULT;
    RESULT(passed);
    if (!passed)
        put_faults(fault, NO_FAULT, 0);
    printf("\n");
    return passed;
}

void skip(const char *name, const char *why)
{
    printf("ok %u - %s # SKIP %s\n", ++results, name, why);
}

void bail_out(const char *reason, ...)
{
    va_list arguments;
    va_start(arguments, reason);
    printf("Bail out! ");
    vprintf(reason, &arguments);
    va_end(arguments);
    printf("\n");
    guest_exit(1);
}

void finish(void)
{
    if (!planned)
        plan(results);
    if (planned != results)
        printf("# planned %u results, gave %u\n", planned, results);
    guest_exit(failures || planned != results);
}
