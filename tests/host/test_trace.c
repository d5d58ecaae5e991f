/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace: what arrives at the second serial port, as docs/trace.md has it.
 * links: core/trace.c core/config/config.c core/config/keys.c core/config/value.c
 * links: core/config/vcpus.c core/format.c vmx/exit.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

long syscall(long number, ...); /* unistd.h has a pause() of its own */

#include "core/handover.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/remote.h"
#include "core/time.h"
#include "core/trace.h"
#include "drivers/host/uart.h"

/* ---- The world around it ---- */

enum { CPUS = 2, ARCH_SET_GS = 0x1001, RECORD = sizeof(struct trace_event) };

static struct cpu cpus[CPUS];
static struct handover handover;

static uint8_t *arrived;
static size_t arrived_size, arrived_room, taken; /* of which the test has looked at some */
static bool present, stuck;
static unsigned in_fifo;        /* for how many more questions the last bytes are not out */
static unsigned busy;           /* how often the UART has no room before it has */
static void (*meanwhile)(void); /* what others ask of this CPU while it waits */
static uint64_t blocks;         /* of memory, taken and not given back */
static char logged[LOG_LINE_MAX];

static void become(unsigned cpu)
{
    cpus[cpu].self = &cpus[cpu];
    cpus[cpu].index = cpu;
    assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &cpus[cpu]), 0);
}

uint32_t cpu_count(void)
{
    return CPUS;
}

struct cpu *cpu_get(uint32_t index)
{
    assert_true(index < CPUS);
    return &cpus[index];
}

void cpu_wait(void)
{
}

void timer_program(uint64_t tsc_deadline)
{
    assert_true(tsc_deadline != TIMER_NEVER);
}

uint64_t time_tsc_hz(void)
{
    return 100000;
}

void remote_poll(void)
{
    if (meanwhile != NULL)
        meanwhile();
}

void log_print(enum log_level level, const char *format, ...)
{
    va_list arguments;

    (void)level;
    va_start(arguments, format);
    vsnprintf(logged, sizeof(logged), format, arguments);
    va_end(arguments);
}

void *memory_alloc(size_t size, size_t align)
{
    void *block = aligned_alloc(align, size + (align - size % align) % align);

    memset(block, 0, size);
    blocks++;
    return block;
}

void memory_free(void *block, size_t size)
{
    (void)size;
    blocks -= block != NULL;
    free(block);
}

bool host_uart_init(enum host_uart uart)
{
    assert_int_equal(uart, HOST_COM2);
    return present;
}

size_t host_uart_offer(enum host_uart uart, const uint8_t *bytes, size_t n)
{
    static unsigned wait;

    assert_int_equal(uart, HOST_COM2);
    if (stuck || wait++ < busy)
        return 0;
    wait = 0;
    n = n < HOST_UART_FIFO ? n : HOST_UART_FIFO;
    if (arrived_size + n > arrived_room) {
        arrived_room = 2 * (arrived_size + n);
        arrived = realloc(arrived, arrived_room);
    }
    memcpy(arrived + arrived_size, bytes, n);
    arrived_size += n;
    return n;
}

bool host_uart_is_idle(enum host_uart uart)
{
    assert_int_equal(uart, HOST_COM2);
    return in_fifo == 0 || --in_fifo == 0;
}

/* ---- Steps ---- */

static void begin(const char *text)
{
    struct config_error error;

    for (unsigned i = CPUS; i-- > 0;) {
        become(i);
        memory_free(cpus[i].trace, 0);
        cpus[i].trace = NULL;
    }
    present = true;
    stuck = false;
    busy = 0;
    meanwhile = NULL;
    logged[0] = '\0';
    arrived_size = taken = 0;
    if (!config_parse("lapwing.conf", text, strlen(text), "", &handover.config, &error))
        fail_msg("%s", error.text);
    trace_init(&handover);
}

#define ALL "[lapwing]\ntrace = all\n[vm a]\nkernel = k\n"

static void begin_behind_header(const char *text)
{
    begin(text);
    arrived_size = 0;
}

static void put(unsigned cpu, uint64_t first, unsigned count)
{
    become(cpu);
    for (unsigned i = 0; i < count; i++) {
        const struct trace_event event = {.type = TRACE_EOI, .vcpu = 7, .vtl = 2, .a = first + i};
        trace_put(&event);
    }
    become(0);
}

/* The next record that arrived. */
static struct trace_event next(void)
{
    struct trace_event event;

    assert_true(arrived_size - taken >= RECORD);
    memcpy(&event, arrived + taken, RECORD);
    taken += RECORD;
    return event;
}

static void expect(enum trace_type type, uint64_t a, uint64_t b)
{
    struct trace_event event = next();

    assert_int_equal(event.type, type);
    assert_int_equal(event.a, a);
    assert_int_equal(event.b, b);
}

static void expect_events(uint64_t first, unsigned count)
{
    uint64_t tsc = 0;

    for (unsigned i = 0; i < count; i++) {
        struct trace_event event = next();

        assert_int_equal(event.type, TRACE_EOI);
        assert_int_equal(event.vcpu, 7);
        assert_int_equal(event.vtl, 2);
        assert_int_equal(event.a, first + i);
        assert_true(event.tsc > 0 && event.tsc >= tsc);
        tsc = event.tsc;
    }
}

static void expect_nothing(void)
{
    assert_int_equal(arrived_size, taken);
}

/* ---- Tests ---- */

static void off(void **state)
{
    (void)state;
    begin("[vm a]\nkernel = k\n");
    assert_null(cpus[0].trace);
    assert_int_equal(trace_classes(&handover, 0), 0);
    trace_poll();
    trace_flush();
    trace_end();
    expect_nothing();
    assert_string_equal(logged, "");
}

static void no_port(void **state)
{
    (void)state;
    begin(ALL);
    present = false;
    trace_init(&handover);
    assert_null(cpus[0].trace);
    assert_int_equal(blocks, 0);
    assert_int_equal(trace_classes(&handover, 0), 0);
    assert_string_equal(logged, "trace: there is no second serial port, nothing is traced");
}

static void header(void **state)
{
    const char *expected = "lapwing-trace 1\ntsc_hz 100000\n"
                           "vm 0 first 1 0x4 23 123 fffffffe\n"
                           "vm 1 second 2 0x25 0\n"
                           "exit 0 exception or NMI\nexit 1 external interrupt\n";

    (void)state;
    begin("[lapwing]\ntrace = messages\n"
          "[vm first]\nkernel = k\napic_ids = 0x23, 0x123, 0xfffffffe\n"
          "[vm second]\nkernel = k\nhyperv = on\nvtls = 2\ntrace = exits, vtl\n");
    assert_memory_equal(arrived, expected, strlen(expected));
    assert_memory_equal(arrived + arrived_size - 19, "exit 69 LOADIWKEY\n\n", 19);
    assert_int_equal(trace_classes(&handover, 0), 0x4);
    assert_int_equal(trace_classes(&handover, 1), 0x25);
    assert_true(trace_wants(0x25, TRACE_STOP) && trace_wants(0x25, TRACE_FAULT));
    assert_false(trace_wants(0x25, TRACE_FIRE) || trace_wants(0x25, TRACE_MAP));
}

static void each_cpu_has_a_block(void **state)
{
    (void)state;
    begin_behind_header(ALL);
    busy = 3;
    put(1, 100, 2);
    put(0, 1, 3);
    put(1, 102, 1);
    expect_nothing();
    trace_flush();
    expect(TRACE_BLOCK, 0, 3);
    expect_events(1, 3);
    expect(TRACE_BLOCK, 1, 3);
    expect_events(100, 3);
    expect_nothing();
    put(1, 5, 1);
    in_fifo = 3;
    trace_end();
    assert_int_equal(in_fifo, 0);
    expect(TRACE_BLOCK, 1, 1);
    expect_events(5, 1);
    expect(TRACE_END, 7, 0);
    expect_nothing();
    assert_string_equal(logged, "trace: 7 events sent, 0 lost");
}

static void a_full_buffer_is_sent(void **state)
{
    (void)state;
    begin_behind_header(ALL);
    put(0, 9, 1);
    put(1, 0, TRACE_NEARLY_FULL - 1);
    become(1);
    trace_poll();
    expect_nothing();
    put(1, TRACE_NEARLY_FULL - 1, 1);
    become(1);
    trace_poll();
    expect(TRACE_BLOCK, 1, TRACE_NEARLY_FULL);
    expect_events(0, TRACE_NEARLY_FULL);
    become(0);
    trace_flush();
    expect(TRACE_BLOCK, 0, 1);
    expect_events(9, 1);
    expect_nothing();
}

static void put_once(void)
{
    meanwhile = NULL;
    put(0, 50, 1);
}

static void what_comes_while_it_is_sent_stays(void **state)
{
    (void)state;
    begin_behind_header(ALL);
    put(0, 1, 3);
    busy = 1;
    meanwhile = put_once;
    trace_flush();
    expect(TRACE_BLOCK, 0, 3);
    expect_events(1, 3);
    expect_nothing();
    trace_flush();
    expect(TRACE_BLOCK, 0, 1);
    expect_events(50, 1);
}

static void what_finds_no_room_is_counted(void **state)
{
    (void)state;
    begin_behind_header(ALL);
    put(1, 0, TRACE_EVENTS + 5);
    trace_flush();
    expect(TRACE_BLOCK, 1, TRACE_EVENTS);
    expect_events(0, TRACE_EVENTS);
    expect(TRACE_LOST, 1, 5);
    expect_nothing();
    put(1, 0, 1);
    trace_end();
    expect(TRACE_BLOCK, 1, 1);
    expect_events(0, 1);
    expect(TRACE_END, TRACE_EVENTS + 1, 5);
    assert_non_null(strstr(logged, " 5 lost"));
}

static void unwanted(void)
{
    fail_msg("a panicking CPU served another one");
}

static void a_panic_sends_what_there_is(void **state)
{
    (void)state;
    begin_behind_header(ALL);
    put(1, 1, 2);
    busy = 3;
    meanwhile = unwanted;
    trace_panic();
    expect(TRACE_BLOCK, 1, 2);
    expect_events(1, 2);
    expect(TRACE_END, 2, 0);
    expect_nothing();
}

static void a_stuck_port_is_given_up(void **state)
{
    (void)state;
    begin_behind_header(ALL);
    put(0, 1, 3);
    stuck = true;
    trace_flush();
    assert_string_equal(
        logged, "trace: the second serial port takes nothing any more, the trace ends here");
    stuck = false;
    put(0, 1, 1);
    trace_end();
    expect_nothing();
    assert_string_equal(logged, "trace: 0 events sent, 4 lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off),
        cmocka_unit_test(no_port),
        cmocka_unit_test(header),
        cmocka_unit_test(each_cpu_has_a_block),
        cmocka_unit_test(a_full_buffer_is_sent),
        cmocka_unit_test(what_comes_while_it_is_sent_stays),
        cmocka_unit_test(what_finds_no_room_is_counted),
        cmocka_unit_test(a_stuck_port_is_given_up),
        cmocka_unit_test(a_panic_sends_what_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
