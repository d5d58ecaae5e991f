/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550A UART. Register and bit names are those of the PC16550D data sheet. */
#include "drivers/guest/uart.h"

enum {
    /* Register offsets. RBR, THR and IER give way to the divisor latch while LCR.DLAB is set. */
    RBR_THR_DLL = 0,
    IER_DLM = 1,
    IIR_FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    MSR = 6,
    SCR = 7,
    REGISTERS = 8,

    IER_ERBFI = 1 << 0, /* received data, and character timeout */
    IER_ETBEI = 1 << 1, /* transmitter holding register empty */
    IER_ELSI = 1 << 2,  /* line status */
    IER_EDSSI = 1 << 3, /* modem status */
    IER_BITS = 0x0f,

    IIR_MODEM = 0x0,
    IIR_NONE = 0x1,
    IIR_THRE = 0x2,
    IIR_DATA = 0x4,
    IIR_LINE = 0x6,
    IIR_TIMEOUT = 0xc,
    IIR_FIFOS = 0xc0,

    FCR_ENABLE = 1 << 0,
    FCR_RESET_RX = 1 << 1,
    FCR_DMA_MODE = 1 << 3,
    FCR_TRIGGER_SHIFT = 6,
    FCR_TRIGGER = 3 << FCR_TRIGGER_SHIFT,

    LCR_WLS = 3, /* word length - 5 */
    LCR_STB = 1 << 2,
    LCR_PEN = 1 << 3,
    LCR_DLAB = 1 << 7,

    MCR_DTR = 1 << 0,
    MCR_RTS = 1 << 1,
    MCR_OUT1 = 1 << 2,
    MCR_OUT2 = 1 << 3,
    MCR_LOOP = 1 << 4,
    MCR_BITS = 0x1f,

    LSR_DR = 1 << 0,
    LSR_OE = 1 << 1,
    LSR_THRE = 1 << 5,
    LSR_TEMT = 1 << 6,

    MSR_TERI = 1 << 2, /* among the delta bits, the one that is set by a falling edge only */
    MSR_CTS = 1 << 4,
    MSR_DSR = 1 << 5,
    MSR_RI = 1 << 6,
    MSR_DCD = 1 << 7,
    MSR_DELTA_SHIFT = 4,

    CLOCK_HZ = 1843200,
    CLOCKS_PER_BIT = 16,
    DIVISOR_9600 = CLOCK_HZ / CLOCKS_PER_BIT / 9600,
    TIMEOUT_CHARACTERS = 4,
};

static unsigned capacity(const struct uart *uart)
{
    return uart->fcr & FCR_ENABLE ? UART_FIFO_SIZE : 1;
}

static unsigned trigger_level(const struct uart *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return uart->fcr & FCR_ENABLE ? levels[(uart->fcr & FCR_TRIGGER) >> FCR_TRIGGER_SHIFT] : 1;
}

static uint8_t modem_lines(uint8_t mcr)
{
    if (!(mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
           (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
}

/* The pending enabled interrupt of highest priority, as IIR shows it. */
static uint8_t interrupt_cause(const struct uart *uart)
{
    if (uart->ier & IER_ELSI && uart->overrun)
        return IIR_LINE;
    if (uart->ier & IER_ERBFI && uart->count >= trigger_level(uart))
        return IIR_DATA;
    if (uart->ier & IER_ERBFI && uart->timeout_pending)
        return IIR_TIMEOUT;
    if (uart->ier & IER_ETBEI && uart->thre_pending)
        return IIR_THRE;
    if (uart->ier & IER_EDSSI && uart->modem_delta)
        return IIR_MODEM;
    return IIR_NONE;
}

static void update_irq(struct uart *uart)
{
    bool connected = (uart->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
    bool line = connected && interrupt_cause(uart) != IIR_NONE;

    if (line == uart->line)
        return;
    uart->line = line;
    uart->host->set_irq(uart->host->ctx, uart->irq, line);
}

/* Start bit, data, parity, stop bits (1.5 counts as 2) at the programmed rate. The data sheet gives
 * a divisor of 0 no meaning; here it is 1. */
static uint64_t character_ns(const struct uart *uart)
{
    uint64_t bits = 1 + 5 + (uart->lcr & LCR_WLS) + (uart->lcr & LCR_PEN ? 1 : 0) +
                    (uart->lcr & LCR_STB ? 2 : 1);
    uint64_t divisor = uart->divisor ? uart->divisor : 1;

    return bits * CLOCKS_PER_BIT * divisor * DEVICE_NS_PER_S / CLOCK_HZ;
}

static void restart_timeout(struct uart *uart)
{
    if (!(uart->fcr & FCR_ENABLE) || uart->count == 0) {
        uart->timeout_at = DEVICE_NEVER;
        return;
    }
    uart->timeout_at =
        uart->host->now_ns(uart->host->ctx) + TIMEOUT_CHARACTERS * character_ns(uart);
}

static void expire_timeout(struct uart *uart, uint64_t now_ns)
{
    if (now_ns < uart->timeout_at)
        return;
    uart->timeout_at = DEVICE_NEVER;
    uart->timeout_pending = true;
    update_irq(uart);
}

static void clear_receiver(struct uart *uart)
{
    uart->head = 0;
    uart->count = 0;
    uart->timeout_pending = false;
    uart->timeout_at = DEVICE_NEVER;
}

static void push(struct uart *uart, uint8_t byte)
{
    uart->fifo[(uart->head + uart->count) % UART_FIFO_SIZE] = byte;
    uart->count++;
    restart_timeout(uart);
}

/* Loopback feeds the receiver whether there is room or not. A full FIFO keeps what it has; without
 * FIFOs the new byte takes the old one's place. */
static void loop_back(struct uart *uart, uint8_t byte)
{
    if (uart->count < capacity(uart)) {
        push(uart, byte);
        return;
    }
    uart->overrun = true;
    if (!(uart->fcr & FCR_ENABLE))
        uart->fifo[uart->head] = byte;
}

static uint8_t read_rbr(struct uart *uart)
{
    if (uart->count == 0)
        return 0;
    uint8_t byte = uart->fifo[uart->head];
    uart->head = (uart->head + 1) % UART_FIFO_SIZE;
    uart->count--;
    uart->timeout_pending = false;
    restart_timeout(uart);
    update_irq(uart);
    return byte;
}

static uint8_t read_iir(struct uart *uart)
{
    uint8_t cause = interrupt_cause(uart);

    if (cause == IIR_THRE) {
        uart->thre_pending = false;
        update_irq(uart);
    }
    return cause | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct uart *uart)
{
    uint8_t status = LSR_THRE | LSR_TEMT | (uart->count ? LSR_DR : 0);

    if (uart->overrun) {
        status |= LSR_OE;
        uart->overrun = false;
        update_irq(uart);
    }
    return status;
}

static uint8_t read_msr(struct uart *uart)
{
    uint8_t status = modem_lines(uart->mcr) | uart->modem_delta;

    uart->modem_delta = 0;
    update_irq(uart);
    return status;
}

static uint32_t uart_read(void *dev, uint16_t offset, unsigned)
{
    struct uart *uart = dev;
    bool divisor = uart->lcr & LCR_DLAB;

    if (uart->timeout_at != DEVICE_NEVER)
        expire_timeout(uart, uart->host->now_ns(uart->host->ctx));
    switch (offset) {
    case RBR_THR_DLL:
        return divisor ? uart->divisor & 0xff : read_rbr(uart);
    case IER_DLM:
        return divisor ? uart->divisor >> 8 : uart->ier;
    case IIR_FCR:
        return read_iir(uart);
    case LCR:
        return uart->lcr;
    case MCR:
        return uart->mcr;
    case LSR:
        return read_lsr(uart);
    case MSR:
        return read_msr(uart);
    default:
        return uart->scratch;
    }
}

/* The interrupt goes away with the write and comes back when the byte has left, so that an
 * edge-triggered input sees an edge for each byte. */
static void write_thr(struct uart *uart, uint8_t byte)
{
    uart->thre_pending = false;
    update_irq(uart);
    if (uart->mcr & MCR_LOOP)
        loop_back(uart, byte);
    else
        uart->host->console_write(uart->host->ctx, &byte, 1);
    uart->thre_pending = true;
}

static void write_ier(struct uart *uart, uint8_t value)
{
    /* The holding register is always empty, so enabling its interrupt makes it pending. */
    if (value & ~uart->ier & IER_ETBEI)
        uart->thre_pending = true;
    uart->ier = value & IER_BITS;
}

static void write_fcr(struct uart *uart, uint8_t value)
{
    bool toggled = (value ^ uart->fcr) & FCR_ENABLE;

    if (toggled || (value & FCR_ENABLE && value & FCR_RESET_RX))
        clear_receiver(uart);
    uart->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | FCR_DMA_MODE | FCR_TRIGGER) : 0;
}

static void write_mcr(struct uart *uart, uint8_t value)
{
    uint8_t before = modem_lines(uart->mcr);

    uart->mcr = value & MCR_BITS;
    uint8_t after = modem_lines(uart->mcr);
    uint8_t delta = (uint8_t)((before ^ after) >> MSR_DELTA_SHIFT);
    if (after & MSR_RI)
        delta &= ~MSR_TERI;
    uart->modem_delta |= delta;
}

static void uart_write(void *dev, uint16_t offset, unsigned, uint32_t value)
{
    struct uart *uart = dev;
    uint8_t byte = (uint8_t)value;
    bool divisor = uart->lcr & LCR_DLAB;

    if (uart->timeout_at != DEVICE_NEVER)
        expire_timeout(uart, uart->host->now_ns(uart->host->ctx));
    switch (offset) {
    case RBR_THR_DLL:
        if (divisor)
            uart->divisor = (uart->divisor & 0xff00) | byte;
        else
            write_thr(uart, byte);
        break;
    case IER_DLM:
        if (divisor)
            uart->divisor = (uint16_t)(byte << 8 | (uart->divisor & 0xff));
        else
            write_ier(uart, byte);
        break;
    case IIR_FCR:
        write_fcr(uart, byte);
        break;
    case LCR:
        uart->lcr = byte;
        break;
    case MCR:
        write_mcr(uart, byte);
        break;
    case SCR:
        uart->scratch = byte;
        break;
    default: /* LSR and MSR: writing is for factory tests */
        break;
    }
    update_irq(uart);
}

static uint64_t uart_advance(void *dev, uint64_t now_ns)
{
    struct uart *uart = dev;

    if (uart->timeout_at != DEVICE_NEVER)
        expire_timeout(uart, now_ns);
    return uart->timeout_at;
}

unsigned uart_room(const struct uart *uart)
{
    return uart->mcr & MCR_LOOP ? 0 : capacity(uart) - uart->count;
}

bool uart_receive(struct uart *uart, uint8_t byte)
{
    if (uart_room(uart) == 0)
        return false;
    if (uart->timeout_at != DEVICE_NEVER)
        expire_timeout(uart, uart->host->now_ns(uart->host->ctx));
    push(uart, byte);
    update_irq(uart);
    return true;
}

bool uart_init(struct uart *uart, const struct device_host *host, struct pio_bus *bus,
               uint16_t base, unsigned irq)
{
    const struct pio_device ports = {base, REGISTERS, 1, uart, uart_read, uart_write, uart_advance};

    *uart = (struct uart){
        .host = host,
        .irq = irq,
        .divisor = DIVISOR_9600,
        .timeout_at = DEVICE_NEVER,
    };
    return pio_bus_add(bus, &ports);
}
