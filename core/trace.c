/* SPDX-License-Identifier: BSD-2-Clause */
/* A buffer of events per CPU, and the dump. */
#include "core/trace.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "core/assert.h"
#include "core/bits.h"
#include "core/format.h"
#include "core/handover.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/remote.h"
#include "core/string.h"
#include "core/time.h"
#include "drivers/host/uart.h"
#include "vmx/vmx.h"

enum {
    VERSION = 1,

    LINE_MAX = 128,
    BYTES_PER_SECOND = 11520,
    PATIENCE_SECONDS = 5, /* after which a port that takes nothing is given up */
};

struct trace_buffer {
    uint32_t count;
    uint64_t lost; /* since the last block */
    struct trace_event events[TRACE_EVENTS];
};

static struct {
    _Atomic bool taken; /* a CPU is sending */
    bool panics;        /* only the port is to be used */
    bool failed;
    uint64_t sent, lost; /* events */
} port;

static bool is_on(void)
{
    return this_cpu()->trace != NULL;
}

void trace_put(const struct trace_event *event)
{
    struct trace_buffer *buffer = this_cpu()->trace;

    if (buffer->count == TRACE_EVENTS) {
        buffer->lost++;
        return;
    }
    struct trace_event *to = &buffer->events[buffer->count++];
    *to = *event;
    to->tsc = time_now_tsc();
}

/* ---- The port -------------------------------------------------------------------------------- */

/* Until the UART has sent what it holds, or something else wants this CPU. */
static void wait(void)
{
    if (port.panics) {
        pause();
        return;
    }
    remote_poll();
    timer_set(time_now_tsc() + time_tsc_hz() * HOST_UART_FIFO / BYTES_PER_SECOND);
    cpu_wait();
}

static void send(const void *data, size_t n)
{
    const uint8_t *bytes = data;
    uint64_t patience = PATIENCE_SECONDS * time_tsc_hz();
    uint64_t last = time_now_tsc();

    while (n > 0 && !port.failed) {
        size_t taken = host_uart_offer(HOST_COM2, bytes, n);

        bytes += taken;
        n -= taken;
        if (taken > 0) {
            last = time_now_tsc();
        } else if (time_now_tsc() - last > patience) {
            port.failed = true;
            log_error("trace: the second serial port takes nothing any more, the trace ends here");
        } else {
            wait();
        }
    }
}

static __attribute__((format(printf, 1, 2))) void send_text(const char *format, ...)
{
    char text[LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    size_t n = format_string_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    send(text, min(n, sizeof(text) - 1));
}

static void send_mark(enum trace_type type, uint64_t a, uint64_t b)
{
    struct trace_event mark = {.tsc = time_now_tsc(), .type = (uint8_t)type, .a = a, .b = b};

    mark.vcpu = TRACE_NOBODY;
    send(&mark, sizeof(mark));
}

/* So that nobody takes the silence for the end. */
static void say_how_long(uint64_t events)
{
    enum { WORTH_A_WORD = 5 }; /* seconds */
    uint64_t seconds = events * sizeof(struct trace_event) / BYTES_PER_SECOND;

    if (seconds >= WORTH_A_WORD && !port.panics)
        log_info("trace: sending %lu events, for about %lu s", events, seconds);
}

/* Only what is there as it begins: meanwhile the buffer may get more, of this CPU. */
static void send_buffer(uint32_t cpu)
{
    struct trace_buffer *buffer = cpu_get(cpu)->trace;
    uint32_t count = buffer->count;
    uint64_t lost = buffer->lost;

    say_how_long(count);
    if (count > 0) {
        send_mark(TRACE_BLOCK, cpu, count);
        send(buffer->events, count * sizeof(buffer->events[0]));
    }
    if (lost > 0)
        send_mark(TRACE_LOST, cpu, lost);
    memmove(buffer->events, buffer->events + count,
            (buffer->count - count) * sizeof(buffer->events[0]));
    buffer->count -= count;
    buffer->lost -= lost;
    if (port.failed) {
        port.lost += count + lost;
    } else {
        port.sent += count;
        port.lost += lost;
    }
}

void trace_send_when_full(void)
{
    if (this_cpu()->trace->count < TRACE_NEARLY_FULL)
        return;
    while (atomic_exchange(&port.taken, true))
        wait();
    send_buffer(this_cpu()->index);
    atomic_store(&port.taken, false);
}

void trace_flush(void)
{
    atomic_store(&port.taken, true);
    for (uint32_t i = 0; is_on() && i < cpu_count(); i++)
        send_buffer(i);
    atomic_store(&port.taken, false);
}

/* Up to the last byte: what follows may end the machine. */
static void send_rest(void)
{
    uint64_t start;

    trace_flush();
    send_mark(TRACE_END, port.sent, port.lost);
    start = time_now_tsc();
    while (!host_uart_is_idle(HOST_COM2) && time_now_tsc() - start < time_tsc_hz())
        wait();
}

void trace_panic(void)
{
    if (cpu_count() == 0 || !is_on() || atomic_load(&port.taken))
        return;
    port.panics = true;
    send_rest();
}

void trace_end(void)
{
    if (!is_on())
        return;
    send_rest();
    log_print(port.lost > 0 ? LOG_ERROR : LOG_INFO, "trace: %lu events sent, %lu lost", port.sent,
              port.lost);
}

/* ---- The beginning --------------------------------------------------------------------------- */

uint32_t trace_classes(const struct handover *handover, uint32_t vm)
{
    return is_on() ? handover->config.trace | handover->config.vms[vm].trace : 0;
}

static bool is_wanted(const struct config *config)
{
    uint32_t classes = config->trace;

    for (uint32_t i = 0; i < config->vm_count; i++)
        classes |= config->vms[i].trace;
    return classes != 0;
}

static bool allocate(void)
{
    for (uint32_t i = 0; i < cpu_count(); i++) {
        struct trace_buffer *buffer = memory_alloc(sizeof(*buffer), PAGE_SIZE);

        if (buffer == NULL)
            return false;
        cpu_get(i)->trace = buffer;
    }
    return true;
}

static void send_vm(const struct config *config, uint32_t number)
{
    const struct config_vm *vm = &config->vms[number];

    send_text("vm %u %s %u %#x", number, vm->name, vm->vtls, config->trace | vm->trace);
    for (uint32_t i = 0; i < vm->vcpus; i++)
        send_text(" %x", config->apic_ids[vm->first_apic_id + i]);
    send_text("\n");
}

static void send_header(const struct config *config)
{
    send_text("lapwing-trace %d\ntsc_hz %lu\n", VERSION, time_tsc_hz());
    for (uint32_t i = 0; i < config->vm_count; i++)
        send_vm(config, i);
    for (unsigned i = 0; i < VMX_EXIT_REASONS; i++)
        if (vmx_exit_name(i) != NULL)
            send_text("exit %u %s\n", i, vmx_exit_name(i));
    send_text("\n");
}

static void free_all(void)
{
    for (uint32_t i = 0; i < cpu_count(); i++) {
        memory_free(cpu_get(i)->trace, sizeof(struct trace_buffer));
        cpu_get(i)->trace = NULL;
    }
}

void trace_init(const struct handover *handover)
{
    const char *trouble = NULL;

    if (!is_wanted(&handover->config))
        return;
    if (!host_uart_init(HOST_COM2))
        trouble = "there is no second serial port";
    else if (!allocate())
        trouble = "there is no memory for it";
    if (trouble != NULL) {
        free_all();
        log_error("trace: %s, nothing is traced", trouble);
        return;
    }
    port.failed = false;
    port.sent = port.lost = 0;
    send_header(&handover->config);
}
