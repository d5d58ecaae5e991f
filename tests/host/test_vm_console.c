/* SPDX-License-Identifier: BSD-2-Clause */
/* Several VMs on one console: whose bytes go where, out and in.
 * links: core/vm_console.c core/console.c core/format.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/guest/machine.h"
#include "core/handover.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/monitor/monitor.h"
#include "core/vm.h"
#include "core/vm_console.h"
#include "drivers/host/framebuffer.h"
#include "drivers/host/uart.h"

#define MS 1000000ull

/* ---- The world around it ---- */

static char sent[65536];
static size_t sent_count;
static char typed[8192]; /* in the UART */
static size_t typed_count, typed_taken;
static bool interrupts_enabled;
static interrupt_handler handler;

bool host_uart_init(enum host_uart uart)
{
    assert_int_equal(uart, HOST_COM1);
    return true;
}

void host_uart_send(enum host_uart uart, char byte)
{
    assert_int_equal(uart, HOST_COM1);
    assert_true(sent_count < sizeof(sent));
    sent[sent_count++] = byte;
}

int host_uart_receive(enum host_uart uart)
{
    assert_int_equal(uart, HOST_COM1);
    return typed_taken < typed_count ? (uint8_t)typed[typed_taken++] : -1;
}

void host_uart_enable_interrupt(enum host_uart uart, bool enable)
{
    assert_int_equal(uart, HOST_COM1);
    interrupts_enabled = enable;
}

bool host_framebuffer_init(void *pixels, uint32_t width, uint32_t height, uint32_t stride)
{
    (void)pixels, (void)width, (void)height, (void)stride;
    return false;
}

void host_framebuffer_put(char c)
{
    (void)c;
}

void *memory_map_device(paddr_t base, uint64_t size, enum memory_cache cache)
{
    (void)base, (void)size, (void)cache;
    return NULL;
}

void interrupt_register(uint8_t vector, interrupt_handler to)
{
    assert_int_equal(vector, VECTOR_CONSOLE);
    handler = to;
}

bool interrupt_route_isa(uint8_t irq, const struct cpu *cpu, uint8_t vector)
{
    (void)irq, (void)cpu, (void)vector;
    return true;
}

void log_print(enum log_level level, const char *format, ...)
{
    char text[256];
    va_list arguments;

    (void)level;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    console_write_line(text, (size_t)n);
}

static char orders[64];
static uint32_t numbers[64];
static size_t order_count;

void monitor_order(char letter, uint32_t number)
{
    orders[order_count] = letter;
    numbers[order_count++] = number;
}

/* ---- VMs ---- */

static struct config_vm configs[3] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
static struct vm *vms[3];
static char got[3][8192]; /* what each guest received */
static size_t got_count[3];
static bool reads[3]; /* whether it takes what is typed */

void machine_advance(struct vm *vm)
{
    for (unsigned i = 0; i < 3; i++)
        for (int byte;
             vms[i] == vm && reads[i] && (byte = vm_console_read(&vm->machine.console)) >= 0;)
            got[i][got_count[i]++] = (char)byte;
}

static struct vm_console *console_of(unsigned i)
{
    return &vms[i]->machine.console;
}

static void start(unsigned count, bool beside)
{
    sent_count = typed_count = typed_taken = order_count = 0;
    console_write_line("", 0); /* whatever was there before */
    for (unsigned i = 0; i < count; i++) {
        vms[i] = calloc(1, sizeof(struct vm));
        vms[i]->config = &configs[i];
        reads[i] = true;
        got_count[i] = 0;
        vm_console_open(console_of(i), vms[i], beside ? configs[i].name : NULL);
        vm_console_take_input(console_of(i));
    }
    sent_count = 0;
}

static void end(unsigned i)
{
    vm_console_close(console_of(i));
    free(vms[i]);
    vms[i] = NULL;
}

static void write_text(unsigned i, const char *text, uint64_t now)
{
    for (; *text; text++)
        vm_console_write(console_of(i), text, 1, now);
}

static void type_text(const char *text)
{
    memcpy(typed + typed_count, text, strlen(text));
    typed_count += strlen(text);
    if (interrupts_enabled)
        handler();
}

static void assert_sent(const char *text)
{
    sent[sent_count] = 0;
    assert_string_equal(sent, text);
    sent_count = 0;
}

static void assert_got(unsigned i, const char *text)
{
    assert_int_equal(got_count[i], strlen(text));
    assert_memory_equal(got[i], text, strlen(text));
    got_count[i] = 0;
}

/* ---- Output ---- */

static void alone_is_raw(void **state)
{
    (void)state;
    start(1, false);
    write_text(0, "a", 0);
    assert_sent("a");
    write_text(0, "bc\r\nd", 0);
    assert_sent("bc\r\nd");
    end(0);
    assert_sent("");
}

static void lines_do_not_mix(void **state)
{
    (void)state;
    start(2, true);
    write_text(0, "hel", 0);
    write_text(1, "wor", 0);
    assert_sent("");
    write_text(0, "lo\r\n", 0);
    assert_sent("a| hello\r\n");
    write_text(1, "ld\nnext", 0);
    assert_sent("b| world\n");
    end(1);
    assert_sent("b| next");
    end(0);
    assert_sent("");
}

static void prompt_appears(void **state)
{
    (void)state;
    start(2, true);
    assert_int_equal(vm_console_advance(console_of(0), 0), UINT64_MAX);
    write_text(0, "# ", 10 * MS);
    assert_int_equal(vm_console_advance(console_of(0), 59 * MS), 60 * MS);
    assert_sent("");
    assert_int_equal(vm_console_advance(console_of(0), 60 * MS), UINT64_MAX);
    assert_sent("a| # ");
    write_text(0, "l", 100 * MS); /* an echo goes on where the cursor is */
    vm_console_advance(console_of(0), 200 * MS);
    assert_sent("l");
    write_text(0, "s\r\n", 300 * MS);
    assert_sent("s\r\n");
    write_text(0, "file\r\n", 300 * MS);
    assert_sent("a| file\r\n");
    end(0);
    end(1);
}

static void line_goes_on_after_others(void **state)
{
    (void)state;
    start(2, true);
    write_text(0, "begin", 0);
    vm_console_advance(console_of(0), 100 * MS);
    assert_sent("a| begin");
    write_text(1, "other\r\n", 0);
    assert_sent("\r\nb| other\r\n");
    write_text(0, " end\r\n", 0);
    assert_sent("a|+ end\r\n");
    write_text(0, "half", 0);
    vm_console_advance(console_of(0), 100 * MS);
    log_info("log");
    assert_sent("a| half\r\nlog\r\n");
    write_text(0, "\r\n", 0);
    assert_sent("a|+\r\n");
    end(0);
    end(1);
}

static void long_line_is_cut(void **state)
{
    char expected[2 * VM_CONSOLE_LINE_MAX + 16] = "a| ";

    (void)state;
    start(2, true);
    for (unsigned i = 0; i < VM_CONSOLE_LINE_MAX + 10; i++) {
        write_text(0, "x", 0);
        expected[3 + i] = 'x';
    }
    write_text(0, "\n", 0);
    expected[3 + VM_CONSOLE_LINE_MAX + 10] = '\n';
    assert_sent(expected);
    end(0);
    end(1);
}

/* ---- Input ---- */

static void alone_gets_every_key_but_one(void **state)
{
    (void)state;
    start(1, false);
    type_text("ab\x01n\x01\x01");
    assert_got(0, "ab\x01");
    end(0);
    assert_true(interrupts_enabled);
    type_text("lost");
    start(1, false);
    type_text("x");
    assert_got(0, "x");
    end(0);
}

static void orders_go_to_the_monitor(void **state)
{
    (void)state;
    start(1, false);
    type_text("a\x01vb\x01"
              "12");
    type_text("0x7");
    assert_got(0, "ab7");
    end(0);
    type_text("\x01"
              "99999999999h\x01\x01\x01n\x01"
              "0q"); /* with nobody to type to */
    assert_int_equal(order_count, 4);
    assert_memory_equal(orders, "vxhq", 4);
    assert_int_equal(numbers[0], MONITOR_NO_NUMBER);
    assert_int_equal(numbers[1], 120);
    assert_int_equal(numbers[2], 99999);
    assert_int_equal(numbers[3], 0);
}

/* A held VM's devices have no time: what is typed waits until it is let go. */
static void held_vm_gets_keys_later(void **state)
{
    (void)state;
    start(1, false);
    vms[0]->held_at = 1;
    type_text("abc");
    assert_got(0, "");
    vms[0]->held_at = 0;
    machine_advance(vms[0]);
    assert_got(0, "abc");
    end(0);
}

/* A guest that does not read holds the sender back, once its share is full. */
static void alone_loses_nothing(void **state)
{
    (void)state;
    start(1, false);
    reads[0] = false;
    for (unsigned i = 0; i < VM_CONSOLE_INPUT_MAX + 100; i++)
        type_text("x");
    assert_false(interrupts_enabled);
    assert_int_equal(typed_taken, VM_CONSOLE_INPUT_MAX);
    reads[0] = true;
    assert_int_equal(vm_console_read(console_of(0)), 'x');
    assert_true(interrupts_enabled);
    handler();
    assert_int_equal(got_count[0], VM_CONSOLE_INPUT_MAX + 99);
    end(0);
}

static void escape_switches(void **state)
{
    (void)state;
    start(3, true);
    type_text("one\x01ntwo\x01nthree\x01n1");
    assert_got(0, "one1");
    assert_got(1, "two");
    assert_got(2, "three");
    assert_sent("console: what is typed goes to vm b, Ctrl-A n to the next one\r\n"
                "console: what is typed goes to vm c, Ctrl-A n to the next one\r\n"
                "console: what is typed goes to vm a, Ctrl-A n to the next one\r\n");
    type_text("\x01");
    type_text("n");
    type_text("x");
    assert_got(1, "x");
    type_text("\x01\x01y\x01z");
    assert_got(1, "\x01y");
    assert_int_equal(orders[0], 'z');
    end(0);
    end(1);
    end(2);
}

/* The key gets past a guest that does not read, whose input then overflows. */
static void escape_past_a_deaf_guest(void **state)
{
    (void)state;
    start(2, true);
    reads[0] = false;
    for (unsigned i = 0; i < VM_CONSOLE_INPUT_MAX + 5; i++)
        type_text("x");
    type_text("\x01nhello");
    assert_got(1, "hello");
    reads[0] = true;
    machine_advance(vms[0]);
    assert_int_equal(got_count[0], VM_CONSOLE_INPUT_MAX);
    end(0);
    end(1);
}

static void focus_leaves_with_its_vm(void **state)
{
    (void)state;
    start(3, true);
    type_text("\x01n");
    sent_count = 0;
    end(1);
    assert_sent("console: what is typed goes to vm c, Ctrl-A n to the next one\r\n");
    type_text("c");
    assert_got(2, "c");
    end(2);
    assert_sent(""); /* there is no choice left */
    type_text("\x01na");
    assert_got(0, "a");
    end(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_is_raw),
        cmocka_unit_test(lines_do_not_mix),
        cmocka_unit_test(prompt_appears),
        cmocka_unit_test(line_goes_on_after_others),
        cmocka_unit_test(long_line_is_cut),
        cmocka_unit_test(alone_gets_every_key_but_one),
        cmocka_unit_test(orders_go_to_the_monitor),
        cmocka_unit_test(held_vm_gets_keys_later),
        cmocka_unit_test(alone_loses_nothing),
        cmocka_unit_test(escape_switches),
        cmocka_unit_test(escape_past_a_deaf_guest),
        cmocka_unit_test(focus_leaves_with_its_vm),
    };

    console_init();
    console_enable_input(NULL, vm_console_input);
    return cmocka_run_group_tests_name("vm_console", tests, NULL, NULL);
}
