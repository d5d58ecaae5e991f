/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's devices, wired as core/guest/layout.h says. */
#pragma once

#include <stdatomic.h>

#include "apic/ioapic.h"
#include "core/guest/fw_cfg.h"
#include "core/spinlock.h"
#include "core/types.h"
#include "core/vm_console.h"
#include "drivers/guest/acpi_pm.h"
#include "drivers/guest/debug_exit.h"
#include "drivers/guest/i8259.h"
#include "drivers/guest/pci_config.h"
#include "drivers/guest/pit.h"
#include "drivers/guest/reset.h"
#include "drivers/guest/rtc.h"
#include "drivers/guest/testdev.h"
#include "drivers/guest/uart.h"

struct vm;

/* All fields but the I/O APIC (which locks for itself) are guarded by `lock`. */
struct machine {
    struct spinlock lock;
    struct device_host host;
    struct pio_bus pio;
    struct uart uart;
    struct rtc rtc;
    struct acpi_pm pm;
    struct pci_config pci;
    struct reset reset;
    struct testdev testdev;
    struct guest_fw_cfg fw_cfg;
    struct pit pit;           /* with `legacy` */
    struct i8259 i8259;       /* likewise */
    _Atomic bool intr;        /* the pair's output: the boot processor's LINT0 */
    _Atomic uint64_t due_tsc; /* VM time in TSC ticks of the next device timer; UINT64_MAX: none */
    struct vm_console console;
    bool input_waits; /* the UART was full when input was last offered */
    struct ioapic ioapic;
};

/*
 * Resets every device of @vm, one of @handover's, and puts it on its bus. `beside`: other VMs run
 * at the same time. Before the VM runs, after its APIC domain.
 */
void machine_init(struct vm *vm, const struct handover *handover, bool beside);

/*
 * Guest accesses. Any CPU that runs a vCPU of @vm; takes the lock and the APIC epoch. Absent ports
 * and addresses read all-ones; writes to them vanish.
 */
uint32_t machine_port_read(struct vm *vm, uint16_t port, unsigned size);
void machine_port_write(struct vm *vm, uint16_t port, unsigned size, uint32_t value);
uint64_t machine_mmio_read(struct vm *vm, gpa_t gpa, unsigned size);
void machine_mmio_write(struct vm *vm, gpa_t gpa, unsigned size, uint64_t value);

/* The interrupt-acknowledge cycle of a processor of @vm: the vector that the 8259 pair gives; -1
 * without one. The CPU that runs the processor, outside the epoch. */
int machine_acknowledge(struct vm *vm);

/* What the 8259 pair says to LINT0 of the boot processor, which is woken when it changes. Any CPU,
 * no lock. */
static inline bool machine_intr(const struct machine *machine)
{
    return atomic_load_explicit(&machine->intr, memory_order_relaxed);
}

/* VM time in TSC ticks at which machine_advance() is due; UINT64_MAX: never. Any CPU, no lock. */
static inline uint64_t machine_due_tsc(const struct machine *machine)
{
    return atomic_load_explicit(&machine->due_tsc, memory_order_relaxed);
}

/* Lets device timers run up to now, and hands over what was typed if the guest has room. Any CPU,
 * outside the APIC epoch, while VM time runs. */
void machine_advance(struct vm *vm);
