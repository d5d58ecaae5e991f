/* SPDX-License-Identifier: BSD-2-Clause */
/* links: drivers/guest/uart.c drivers/guest/pio.c */
/* The 16550A: registers, interrupts, FIFOs, loopback, and what Linux's 8250 driver probes for. */
#include "drivers/guest/uart.h"

#include "tests/host/device_world.h"

enum {
    COM1 = 0x3f8,
    RBR = COM1,
    THR = COM1,
    DLL = COM1,
    IER = COM1 + 1,
    DLM = COM1 + 1,
    IIR = COM1 + 2,
    FCR = COM1 + 2,
    LCR = COM1 + 3,
    MCR = COM1 + 4,
    LSR = COM1 + 5,
    MSR = COM1 + 6,
    SCR = COM1 + 7,
    IRQ = 4,

    OUT2 = 8,
    LOOP = 0x10,
};

static struct device_world world;
static struct uart uart;

static uint8_t in(uint16_t port)
{
    return world_in(&world, port);
}

static void out(uint16_t port, uint8_t value)
{
    world_out(&world, port, value);
}

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    if (!uart_init(&uart, &world.host, &world.bus, COM1, IRQ))
        return 1;
    out(MCR, OUT2);
    return 0;
}

static void receive(const char *bytes)
{
    while (*bytes)
        assert_true(uart_receive(&uart, (uint8_t)*bytes++));
}

static void registers_keep_their_bits(void **state)
{
    (void)state;
    out(IER, 0xff);
    assert_int_equal(in(IER), 0x0f); /* else Linux takes it for another chip */
    out(IER, 0);
    assert_int_equal(in(IER), 0);
    out(MCR, 0xff);
    assert_int_equal(in(MCR), 0x1f);
    out(LCR, 0x7f);
    assert_int_equal(in(LCR), 0x7f);
    out(SCR, 0xa5);
    assert_int_equal(in(SCR), 0xa5);
}

static void divisor_latch(void **state)
{
    (void)state;
    out(LCR, 0x83);
    assert_int_equal(in(DLL), 12);
    out(DLL, 0x34);
    out(DLM, 0x12);
    assert_int_equal(in(DLL), 0x34);
    assert_int_equal(in(DLM), 0x12);
    out(LCR, 0x03);
    assert_int_equal(in(IER), 0);
    assert_int_equal(world.console_count, 0);
    assert_int_equal(in(LSR), 0x60);
}

static void transmits(void **state)
{
    (void)state;
    out(THR, 'h');
    out(THR, 'i');
    assert_int_equal(world.console_count, 2);
    assert_memory_equal(world.console, "hi", 2);
    assert_int_equal(in(LSR), 0x60);
    assert_false(world.level);
}

static void thre_interrupt(void **state)
{
    (void)state;
    assert_int_equal(in(IIR), 0x01);
    out(IER, 2); /* empty already: the interrupt comes at once */
    assert_true(world.level);
    assert_int_equal(world.last_line, IRQ);
    assert_int_equal(in(IIR), 0x02);
    assert_false(world.level); /* reading IIR as its source clears it */
    assert_int_equal(in(IIR), 0x01);
    out(IER, 2);
    assert_int_equal(in(IIR), 0x01); /* enabling what is enabled brings nothing back */
    out(IER, 0);
    out(IER, 2);
    assert_int_equal(in(IIR), 0x02);
}

static void writing_thr_makes_an_edge(void **state)
{
    (void)state;
    out(IER, 2);
    assert_int_equal(world.edges, 1);
    out(THR, 'x');
    assert_true(world.level);
    assert_int_equal(world.edges, 2);
    assert_int_equal(in(IIR), 0x02);
    out(THR, 'y');
    assert_int_equal(world.edges, 3);
}

static void disabled_thre_interrupt_is_not_seen(void **state)
{
    (void)state;
    out(IER, 2);
    out(IER, 0);
    assert_false(world.level);
    assert_int_equal(in(IIR), 0x01);
    out(THR, 'x');
    assert_int_equal(world.edges, 1);
}

static void receives_without_fifo(void **state)
{
    (void)state;
    out(IER, 1);
    assert_int_equal(uart_room(&uart), 1);
    receive("a");
    assert_int_equal(uart_room(&uart), 0);
    assert_false(uart_receive(&uart, 'b')); /* back-pressure, not overrun */
    assert_true(world.level);
    assert_int_equal(in(IIR), 0x04);
    assert_int_equal(in(LSR), 0x61);
    assert_true(pio_bus_advance(&world.bus, world.now_ns) == DEVICE_NEVER);
    assert_int_equal(in(RBR), 'a');
    assert_false(world.level);
    assert_int_equal(in(LSR), 0x60);
    assert_int_equal(uart_room(&uart), 1);
}

static void fifo_holds_sixteen(void **state)
{
    (void)state;
    out(FCR, 1);
    assert_int_equal(in(IIR), 0xc1);
    assert_int_equal(uart_room(&uart), 16);
    receive("0123456789abcdef");
    assert_int_equal(uart_room(&uart), 0);
    assert_false(uart_receive(&uart, 'x'));
    for (const char *c = "0123456789abcdef"; *c; c++)
        assert_int_equal(in(RBR), *c);
    assert_int_equal(in(LSR), 0x60);
    receive("wrap"); /* around the end of the ring */
    assert_int_equal(in(RBR), 'w');
    assert_int_equal(in(RBR), 'r');
}

static void trigger_levels(void **state)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    (void)state;
    out(IER, 1);
    for (unsigned i = 0; i < 4; i++) {
        out(FCR, (uint8_t)(i << 6 | 3));
        for (unsigned n = 1; n <= 16; n++) {
            assert_true(uart_receive(&uart, (uint8_t)n));
            assert_int_equal(world.level, n >= levels[i]);
        }
        assert_int_equal(in(IIR), 0xc4);
        for (unsigned n = 16; n > 0; n--) {
            assert_int_equal(world.level, n >= levels[i]);
            in(RBR);
        }
        assert_false(world.level);
    }
}

/* 8 data bits, no parity, one stop bit at 115200: ten bits, and the timeout is four times that. */
static void character_timeout(void **state)
{
    const uint64_t timeout = 4 * (10 * 16 * 1000000000ull / 1843200);

    (void)state;
    out(LCR, 0x83);
    out(DLL, 1);
    out(DLM, 0);
    out(LCR, 0x03);
    out(FCR, 0x81);
    out(IER, 1);
    world.now_ns = 1000000;
    receive("a");
    world.now_ns += 100;
    receive("b"); /* starts the time anew */
    uint64_t due = world.now_ns + timeout;
    assert_true(pio_bus_advance(&world.bus, world.now_ns) == due);
    assert_true(pio_bus_advance(&world.bus, due - 1) == due);
    assert_false(world.level);
    world.now_ns = due;
    assert_true(pio_bus_advance(&world.bus, due) == DEVICE_NEVER);
    assert_true(world.level);
    assert_int_equal(in(IIR), 0xcc);
    assert_int_equal(in(IIR), 0xcc);
    assert_int_equal(in(RBR), 'a');
    assert_false(world.level);
    assert_int_equal(in(IIR), 0xc1);
    assert_true(pio_bus_advance(&world.bus, due) == due + timeout);
    world.now_ns = due + timeout; /* reading a register notices the time too */
    assert_int_equal(in(IIR), 0xcc);
    assert_int_equal(in(RBR), 'b');
    assert_true(pio_bus_advance(&world.bus, world.now_ns) == DEVICE_NEVER);
}

static void character_time_follows_the_format(void **state)
{
    const uint64_t timeout = 4 * (9ull * 16 * 12 * 1000000000 / 1843200);

    (void)state;
    out(FCR, 0x81);
    out(LCR, 0x0c); /* 5 bits, parity, 1.5 stop bits, at the 9600 of reset */
    receive("a");
    assert_true(pio_bus_advance(&world.bus, 0) == timeout);
}

static void trigger_comes_before_timeout(void **state)
{
    (void)state;
    out(FCR, 0x41);
    out(IER, 1);
    receive("abc");
    world.now_ns = 1000000000;
    assert_int_equal(in(IIR), 0xcc);
    receive("d");
    assert_int_equal(in(IIR), 0xc4);
}

static void fifo_resets(void **state)
{
    (void)state;
    out(FCR, 0xc9);
    receive("abc");
    out(FCR, 0xcb);
    assert_int_equal(in(LSR), 0x60);
    assert_true(pio_bus_advance(&world.bus, 0) == DEVICE_NEVER);
    receive("abc");
    out(FCR, 0xcd); /* the transmitter's reset leaves the receiver alone */
    assert_int_equal(in(LSR), 0x61);
    out(FCR, 0x00); /* so does nothing survive switching FIFOs off */
    assert_int_equal(in(LSR), 0x60);
    assert_int_equal(in(IIR), 0x01);
    assert_int_equal(uart_room(&uart), 1);
    receive("a");
    out(FCR, 0x02); /* without bit 0 the other bits count for nothing */
    assert_int_equal(in(RBR), 'a');
}

static void loopback_modem_lines(void **state)
{
    (void)state;
    assert_int_equal(in(MSR), 0xb0);
    out(MCR, LOOP | 0x0a); /* as Linux's autoconfig does: RTS and OUT2 */
    assert_int_equal(in(MSR)&0xf0, 0x90);
    out(MCR, LOOP | 0x05); /* DTR and OUT1 */
    assert_int_equal(in(MSR), 0x6b);
    assert_int_equal(in(MSR), 0x60); /* the deltas are gone */
    out(MCR, LOOP | 0x01);
    assert_int_equal(in(MSR), 0x24); /* the trailing edge of RI */
    out(MCR, LOOP | 0x05);
    assert_int_equal(in(MSR), 0x60); /* its leading edge does not count */
}

static void loopback_data(void **state)
{
    (void)state;
    out(MCR, LOOP);
    assert_int_equal(uart_room(&uart), 0);
    assert_false(uart_receive(&uart, 'x'));
    out(THR, 'a');
    assert_int_equal(world.console_count, 0);
    assert_int_equal(in(LSR), 0x61);
    assert_int_equal(in(RBR), 'a');
}

static void overrun(void **state)
{
    (void)state;
    out(MCR, LOOP);
    out(IER, 5);
    out(THR, 'a');
    out(THR, 'b');
    assert_int_equal(in(IIR), 0x06); /* before received data */
    assert_int_equal(in(LSR), 0x63);
    assert_int_equal(in(IIR), 0x04);
    assert_int_equal(in(LSR), 0x61);
    assert_int_equal(in(RBR), 'b'); /* without FIFO the later byte wins */

    out(FCR, 1);
    for (unsigned i = 0; i < 17; i++)
        out(THR, (uint8_t)i);
    assert_int_equal(in(LSR), 0x63);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(in(RBR), i);
    assert_int_equal(in(LSR), 0x60);
}

static void interrupt_priorities(void **state)
{
    (void)state;
    out(MCR, LOOP | 1);
    out(IER, 0x0f);
    out(THR, 'a');
    out(THR, 'b');
    out(MCR, 0x0b); /* the line interrupts only outside of loopback */
    assert_true(world.level);
    assert_int_equal(in(IIR), 0x06);
    in(LSR);
    assert_int_equal(in(IIR), 0x04);
    in(RBR);
    assert_int_equal(in(IIR), 0x02);
    assert_int_equal(in(IIR), 0x00);
    in(MSR);
    assert_int_equal(in(IIR), 0x01);
    assert_false(world.level);
}

static void out2_gates_the_line(void **state)
{
    (void)state;
    out(MCR, 0);
    out(IER, 2);
    assert_false(world.level);
    assert_int_equal(in(IIR), 0x02);
    out(IER, 0);
    out(IER, 2);
    out(MCR, OUT2);
    assert_true(world.level);
    out(MCR, OUT2 | LOOP);
    assert_false(world.level);
}

/* What drivers/tty/serial/8250 does to find out whether interrupts on transmission work. */
static void linux_startup_test(void **state)
{
    (void)state;
    out(IER, 2);
    assert_int_equal(in(IIR)&1, 0);
    out(IER, 0);
    out(IER, 2);
    assert_int_equal(in(IIR)&1, 0); /* reasserted: no UART_BUG_THRE */
    out(IER, 0);
    out(IER, 2);
    assert_true(in(LSR)&0x40);
    assert_int_equal(in(IIR)&1, 0); /* no UART_BUG_TXEN */
    out(IER, 0);

    out(FCR, 0x01);
    assert_int_equal(in(IIR) >> 6, 3); /* 16550A */
    out(LCR, 0xbf);
    assert_int_not_equal(in(FCR), 0); /* no EFR: not a 16650 */
    out(LCR, 0x80);
    out(FCR, 0x21);
    assert_int_equal(in(IIR) >> 5, 6); /* no 64-byte FIFO: not a 16750 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers_keep_their_bits, setup),
        cmocka_unit_test_setup(divisor_latch, setup),
        cmocka_unit_test_setup(transmits, setup),
        cmocka_unit_test_setup(thre_interrupt, setup),
        cmocka_unit_test_setup(writing_thr_makes_an_edge, setup),
        cmocka_unit_test_setup(disabled_thre_interrupt_is_not_seen, setup),
        cmocka_unit_test_setup(receives_without_fifo, setup),
        cmocka_unit_test_setup(fifo_holds_sixteen, setup),
        cmocka_unit_test_setup(trigger_levels, setup),
        cmocka_unit_test_setup(character_timeout, setup),
        cmocka_unit_test_setup(character_time_follows_the_format, setup),
        cmocka_unit_test_setup(trigger_comes_before_timeout, setup),
        cmocka_unit_test_setup(fifo_resets, setup),
        cmocka_unit_test_setup(loopback_modem_lines, setup),
        cmocka_unit_test_setup(loopback_data, setup),
        cmocka_unit_test_setup(overrun, setup),
        cmocka_unit_test_setup(interrupt_priorities, setup),
        cmocka_unit_test_setup(out2_gates_the_line, setup),
        cmocka_unit_test_setup(linux_startup_test, setup),
    };
    return cmocka_run_group_tests_name("16550A", tests, NULL, NULL);
}
