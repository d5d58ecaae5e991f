/* SPDX-License-Identifier: BSD-2-Clause */
/* Spreads output over UART and framebuffer, and receives what is typed. */
#include "core/console.h"

#include <stdarg.h>

#include "core/bits.h"
#include "core/format.h"
#include "core/handover.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/spinlock.h"
#include "core/string.h"
#include "drivers/host/framebuffer.h"
#include "drivers/host/uart.h"

static struct {
    struct spinlock lock;
    bool uart;
    bool framebuffer;
    bool in_line;                        /* something was written since the last line feed */
    const struct console_writer *writer; /* of the last part; NULL: somebody else wrote later */
} output;

static bool input_enabled;

void console_init(void)
{
    output.uart = host_uart_init(HOST_COM1);
}

void console_add_framebuffer(const struct handover_framebuffer *framebuffer)
{
    if (framebuffer->base == 0)
        return;
    void *pixels = memory_map_device(framebuffer->base, framebuffer->size, MEMORY_WRITE_COMBINING);
    spin_lock(&output.lock);
    output.framebuffer =
        host_framebuffer_init(pixels, framebuffer->width, framebuffer->height, framebuffer->stride);
    spin_unlock(&output.lock);
}

static void put(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (output.uart)
            host_uart_send(HOST_COM1, bytes[i]);
        if (output.framebuffer)
            host_framebuffer_put(bytes[i]);
        if (bytes[i] != '\r')
            output.in_line = bytes[i] != '\n';
    }
}

static void end_line(void)
{
    if (output.in_line)
        put("\r\n", 2);
}

void console_write(const char *bytes, size_t n)
{
    spin_lock(&output.lock);
    put(bytes, n);
    output.writer = NULL;
    spin_unlock(&output.lock);
}

void console_write_part(struct console_writer *writer, const char *bytes, size_t n)
{
    spin_lock(&output.lock);
    if (output.writer != writer || !output.in_line) {
        end_line();
        put(writer->name, strlen(writer->name));
        put(writer->in_line ? "|+" : "| ", 2);
    }
    put(bytes, n);
    writer->in_line = output.in_line;
    output.writer = writer;
    spin_unlock(&output.lock);
}

void console_write_line(const char *text, size_t n)
{
    spin_lock(&output.lock);
    end_line();
    put(text, n);
    put("\r\n", 2);
    output.writer = NULL;
    spin_unlock(&output.lock);
}

void console_print(const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    size_t n = format_string_v(line, sizeof(line), format, arguments);
    va_end(arguments);
    console_write_line(line, min(n, sizeof(line) - 1));
}

int console_read(void)
{
    return host_uart_receive(HOST_COM1);
}

void console_want_input(bool wanted)
{
    if (input_enabled)
        host_uart_enable_interrupt(HOST_COM1, wanted);
}

void console_enable_input(const struct cpu *cpu, void (*on_input)(void))
{
    if (!output.uart)
        return;
    interrupt_register(VECTOR_CONSOLE, on_input);
    input_enabled = interrupt_route_isa(HOST_COM1_IRQ, cpu, VECTOR_CONSOLE);
    if (!input_enabled)
        log_warn("console: no interrupt route for the UART, nothing can be typed");
}

void console_break_lock(void)
{
    output.lock = (struct spinlock)SPINLOCK_INIT;
}
