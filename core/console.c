/* SPDX-License-Identifier: BSD-2-Clause */
/* Spreads output over UART and framebuffer, and queues what is typed. */
#include "core/console.h"

#include "core/bits.h"
#include "core/handover.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/spinlock.h"
#include "drivers/host/framebuffer.h"
#include "drivers/host/uart.h"

enum { INPUT_MAX = 4096 };

static struct {
    struct spinlock lock;
    bool uart;
    bool framebuffer;
    bool in_line; /* something was written since the last line feed */
} output;

static struct {
    struct spinlock lock;
    bool uart;
    bool by_interrupt;
    uint32_t first, n;
    char ring[INPUT_MAX];
    void (*on_input)(void);
} input;

void console_init(void)
{
    output.uart = host_uart_init();
    input.uart = output.uart;
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
            host_uart_send(bytes[i]);
        if (output.framebuffer)
            host_framebuffer_put(bytes[i]);
        if (bytes[i] != '\r')
            output.in_line = bytes[i] != '\n';
    }
}

void console_write(const char *bytes, size_t n)
{
    spin_lock(&output.lock);
    put(bytes, n);
    spin_unlock(&output.lock);
}

void console_write_line(const char *text, size_t n)
{
    spin_lock(&output.lock);
    if (output.in_line)
        put("\r\n", 2);
    put(text, n);
    put("\r\n", 2);
    spin_unlock(&output.lock);
}

/*
 * Moves bytes from the UART as long as there is room, and lets it interrupt only then: bytes stay
 * in the UART, whose flow control holds back the other side. Returns how many came.
 */
static uint32_t fill_ring(void)
{
    uint32_t before = input.n;
    while (input.n < INPUT_MAX) {
        int byte = host_uart_receive();
        if (byte < 0)
            break;
        input.ring[(input.first + input.n) % INPUT_MAX] = (char)byte;
        input.n++;
    }
    if (input.by_interrupt)
        host_uart_enable_interrupt(input.n < INPUT_MAX);
    return input.n - before;
}

int console_read(void)
{
    int byte = -1;
    if (!input.uart)
        return byte;
    spin_lock(&input.lock);
    if (input.n == 0 || !input.by_interrupt || input.n == INPUT_MAX)
        fill_ring();
    if (input.n) {
        byte = (uint8_t)input.ring[input.first];
        input.first = (input.first + 1) % INPUT_MAX;
        input.n--;
    }
    spin_unlock(&input.lock);
    return byte;
}

static void handle_interrupt(void)
{
    spin_lock(&input.lock);
    uint32_t came = fill_ring();
    spin_unlock(&input.lock);
    if (came && input.on_input)
        input.on_input();
}

void console_enable_input(const struct cpu *cpu, void (*on_input)(void))
{
    if (!input.uart)
        return;
    interrupt_register(VECTOR_CONSOLE, handle_interrupt);
    if (!interrupt_route_isa(HOST_UART_IRQ, cpu, VECTOR_CONSOLE)) {
        log_warn("console: no interrupt route for the UART, input is polled");
        return;
    }
    spin_lock(&input.lock);
    input.on_input = on_input;
    input.by_interrupt = true;
    fill_ring();
    spin_unlock(&input.lock);
}

void console_break_lock(void)
{
    output.lock = (struct spinlock)SPINLOCK_INIT;
}
