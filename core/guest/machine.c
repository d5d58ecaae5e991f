/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's devices: their place on the buses, their clock, their interrupt lines. */
#include "core/guest/machine.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/console.h"
#include "core/epoch.h"
#include "core/guest/layout.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "core/x86.h"

/* Line 2 is ISA interrupt 0 and line 0 none: the pair's output is there. */
static void set_irq(void *ctx, unsigned line, bool level)
{
    struct vm *vm = ctx;

    ioapic_set_line(&vm->machine.ioapic, line, level);
    if (vm->config->legacy && line != GUEST_GSI_INTR)
        i8259_set_line(&vm->machine.i8259, line == GUEST_GSI_PIT ? 0 : line, level);
}

static void set_intr(void *ctx, bool level)
{
    struct vm *vm = ctx;

    atomic_store_explicit(&vm->machine.intr, level, memory_order_relaxed);
    ioapic_set_line(&vm->machine.ioapic, GUEST_GSI_INTR, level);
    sched_wake(vm->vcpus[0]);
}

static uint64_t now_ns(void *ctx)
{
    return vm_time_ns(ctx);
}

static void to_console(void *ctx, const uint8_t *bytes, size_t count)
{
    struct vm *vm = ctx;

    vm_console_write(&vm->machine.console, (const char *)bytes, count, vm_time_ns(vm));
}

static void stop(void *ctx, enum device_stop reason, uint32_t code)
{
    static const enum vm_stop reasons[] = {
        [DEVICE_STOP_POWEROFF] = VM_POWER_OFF,
        [DEVICE_STOP_RESET] = VM_RESET,
        [DEVICE_STOP_DEBUG_EXIT] = VM_DEBUG_EXIT,
    };

    ASSERT((size_t)reason < ARRAY_SIZE(reasons));
    vm_stop(ctx, reasons[reason], code);
}

static void add_ioapic(struct vm *vm)
{
    const struct ioapic_params params = {
        .lines = GUEST_GSI_COUNT, .id = GUEST_IOAPIC_ID, .format = APIC_MSI_15BIT};
    bool ok = ioapic_init(&vm->machine.ioapic, &vm->apic, &params);

    ASSERT(ok);
}

static void add_port_devices(struct vm *vm, const struct handover *handover)
{
    const struct config_vm *config = vm->config;
    struct machine *m = &vm->machine;
    const struct acpi_pm_config pm = {
        .base = GUEST_PORT_PM1_EVENT,
        .sci = GUEST_GSI_SCI,
        .s5 = GUEST_S5_SLEEP_TYPE,
        .timer = config->pm_timer,
    };
    const struct rtc_config rtc = {
        .base = GUEST_PORT_RTC_INDEX,
        .irq = GUEST_GSI_RTC,
        .start_s = (uint64_t)handover->boot_time + time_now_ns() / NS_PER_SECOND,
        .memory_below4g = guest_low_ram(config->memory),
    };
    bool ok = uart_init(&m->uart, &m->host, &m->pio, GUEST_PORT_COM1, GUEST_GSI_COM1);

    ok = ok && (!config->cmos || rtc_init(&m->rtc, &m->host, &m->pio, &rtc));
    ok = ok && acpi_pm_init(&m->pm, &m->host, &m->pio, &pm);
    ok = ok && (!config->pci || pci_config_init(&m->pci, &m->host, &m->pio));
    ok = ok && reset_init(&m->reset, &m->host, &m->pio, config->port_92);
    ASSERT(ok);
}

/* What a VM's configuration can leave out. */
static void add_optional_devices(struct vm *vm, const struct handover *handover)
{
    const struct config_vm *config = vm->config;
    struct machine *m = &vm->machine;
    bool ok = !config->debug_exit || debug_exit_init(&m->host, &m->pio, GUEST_PORT_DEBUG_EXIT);

    ok = ok && (!config->testdev || testdev_init(&m->testdev, &m->host, &m->pio));
    ok = ok && (!config->legacy ||
                (i8259_init(&m->i8259, &m->host, &m->pio, set_intr, 1 << GUEST_GSI_SCI) &&
                 pit_init(&m->pit, &m->host, &m->pio, GUEST_GSI_PIT)));
    ok = ok && (!config->fw_cfg ||
                guest_fw_cfg_init(&m->fw_cfg, &m->pio, handover, config, DIRECT_MAP_BASE));
    ASSERT(ok);
}

_Static_assert((int)TESTDEV_LINE_COUNT == (int)GUEST_GSI_COUNT, "a port for every line");

static void run_timers(struct vm *vm)
{
    uint64_t now_ns = vm_time_ns(vm);
    uint64_t due_ns = min(pio_bus_advance(&vm->machine.pio, now_ns),
                          vm_console_advance(&vm->machine.console, now_ns));

    /* Rounded up: the timers must be due once the tick is reached. */
    uint64_t due = due_ns == DEVICE_NEVER ? UINT64_MAX : ns_to_tsc(due_ns) + 1;
    uint64_t before = machine_due_tsc(&vm->machine);
    atomic_store_explicit(&vm->machine.due_tsc, due, memory_order_relaxed);
    if (due < before)
        sched_wake(vm->vcpus[0]); /* which keeps the time */
}

void machine_init(struct vm *vm, const struct handover *handover, bool beside)
{
    struct machine *m = &vm->machine;

    m->host = (struct device_host){
        .ctx = vm,
        .set_irq = set_irq,
        .now_ns = now_ns,
        .console_write = to_console,
        .stop = stop,
    };
    vm_console_open(&m->console, vm, beside ? vm->config->name : NULL);
    pio_bus_init(&m->pio);
    add_ioapic(vm);
    add_port_devices(vm, handover);
    add_optional_devices(vm, handover);
    run_timers(vm);
}

/* Devices raise interrupt lines, which route messages: hence the epoch. */
static void enter(struct machine *m)
{
    epoch_enter();
    spin_lock(&m->lock);
}

static void leave(struct machine *m)
{
    spin_unlock(&m->lock);
    epoch_leave();
}

/* Hands over what was typed as far as the guest has room; the rest waits in the console. */
static void give_input(struct machine *m)
{
    while (uart_room(&m->uart) > 0) {
        int byte = vm_console_read(&m->console);

        if (byte < 0)
            break;
        uart_receive(&m->uart, (uint8_t)byte);
    }
    m->input_waits = uart_room(&m->uart) == 0;
}

/* After an access: it may have made room for input, and may have moved a timer. */
static void settle(struct vm *vm)
{
    struct machine *m = &vm->machine;

    if (m->input_waits)
        give_input(m);
    if (m->pio.moved || vm_console_holds(&m->console))
        run_timers(vm);
}

uint32_t machine_port_read(struct vm *vm, uint16_t port, unsigned size)
{
    struct machine *m = &vm->machine;

    enter(m);
    uint32_t value = pio_bus_read(&m->pio, port, size);
    settle(vm);
    leave(m);
    return value;
}

void machine_port_write(struct vm *vm, uint16_t port, unsigned size, uint32_t value)
{
    struct machine *m = &vm->machine;

    enter(m);
    pio_bus_write(&m->pio, port, size, value);
    settle(vm);
    leave(m);
}

/* The only device in memory; it locks for itself. */
static bool is_ioapic(gpa_t gpa, unsigned size)
{
    return gpa - GUEST_IOAPIC_BASE <= PAGE_SIZE - size;
}

uint64_t machine_mmio_read(struct vm *vm, gpa_t gpa, unsigned size)
{
    if (!is_ioapic(gpa, size))
        return MASK(8 * size - 1, 0);
    return ioapic_read(&vm->machine.ioapic, (uint32_t)(gpa - GUEST_IOAPIC_BASE), size);
}

void machine_mmio_write(struct vm *vm, gpa_t gpa, unsigned size, uint64_t value)
{
    if (!is_ioapic(gpa, size))
        return;
    epoch_enter();
    ioapic_write(&vm->machine.ioapic, (uint32_t)(gpa - GUEST_IOAPIC_BASE), size, (uint32_t)value);
    epoch_leave();
}

int machine_acknowledge(struct vm *vm)
{
    struct machine *m = &vm->machine;

    if (!vm->config->legacy)
        return -1;
    enter(m);
    int vector = i8259_acknowledge(&m->i8259);
    leave(m);
    return vector;
}

void machine_advance(struct vm *vm)
{
    struct machine *m = &vm->machine;

    enter(m);
    give_input(m);
    run_timers(vm);
    leave(m);
}
