/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors and their handlers, interprocessor interrupts, and the wiring of the host's APICs. */
#include "core/interrupt.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/cpu.h"
#include "core/firmware.h"
#include "core/handover.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/time.h"
#include "core/x86.h"
#include "drivers/host/acpi.h"
#include "drivers/host/io_apic.h"
#include "drivers/host/local_apic.h"
#include "drivers/host/pic.h"

enum { VECTORS = 256, FIRST_VECTOR = 0x30 };

static interrupt_handler handlers[VECTORS];
static struct acpi_interrupts wiring;

void interrupt_register(uint8_t vector, interrupt_handler handler)
{
    ASSERT(vector >= FIRST_VECTOR && !handlers[vector]);
    handlers[vector] = handler;
}

void interrupt_dispatch(uint8_t vector)
{
    interrupt_handler handler = handlers[vector];
    if (vector == VECTOR_SPURIOUS)
        return;
    if (vector >= VECTOR_PIC_FIRST && vector <= VECTOR_PIC_LAST && !host_apic_in_service(vector))
        return;
    if (handler)
        handler();
    else
        log_warn("interrupt: nobody handles vector %#x", vector);
    host_apic_eoi();
}

void interrupt_nmi(void)
{
    if (panic_stopping()) {
        for (;;)
            hlt();
    }
    log_warn("interrupt: NMI for an unknown reason");
}

void interrupt_send(const struct cpu *cpu, uint8_t vector)
{
    host_apic_send(cpu->apic_id, LOCAL_APIC_IPI_FIXED | vector);
}

void interrupt_kick(const struct cpu *cpu)
{
    interrupt_send(cpu, VECTOR_KICK);
}

void interrupt_send_nmi_others(void)
{
    for (uint32_t i = 0; i < cpu_count(); i++) {
        if (cpu_get(i) != this_cpu())
            host_apic_send(cpu_get(i)->apic_id, LOCAL_APIC_IPI_NMI);
    }
}

/* The interrupt itself is the message: it ended a wait or made a VM exit. */
static void only_wake(void)
{
}

static void report_error(void)
{
    log_warn("interrupt: local APIC error, status %#x", host_apic_errors());
}

static void init_io_apics(paddr_t rsdp)
{
    bool found = acpi_read_interrupts(rsdp, firmware_map, &wiring);
    log_debug("interrupt: %u I/O APIC(s), %s", wiring.n_io_apics,
              found ? "from the MADT" : "assumed, as there is no MADT");
    for (uint32_t i = 0; i < wiring.n_io_apics; i++)
        host_ioapic_add(wiring.io_apics[i].base, wiring.io_apics[i].gsi_base);
}

void interrupt_init(const struct handover *handover)
{
    interrupt_register(VECTOR_KICK, only_wake);
    interrupt_register(VECTOR_POSTED, only_wake);
    interrupt_register(VECTOR_TIMER, timer_interrupt);
    interrupt_register(VECTOR_APIC_ERROR, report_error);
    host_pic_disable(VECTOR_PIC_FIRST);
    init_io_apics(handover->rsdp);
    host_apic_init();
    interrupt_init_cpu();
    timer_init();
    log_debug("interrupt: local APICs in %s mode, timer in %s mode",
              host_apic_is_x2apic() ? "x2APIC" : "xAPIC",
              host_apic_has_tsc_deadline() ? "TSC-deadline" : "one-shot");
}

void interrupt_init_cpu(void)
{
    host_apic_init_cpu(VECTOR_APIC_ERROR, VECTOR_SPURIOUS, VECTOR_TIMER);
}

bool interrupt_route_isa(uint8_t irq, const struct cpu *cpu, uint8_t vector)
{
    ASSERT(irq < ACPI_ISA_INTERRUPTS);
    const struct acpi_isa_route *route = &wiring.isa[irq];
    return host_ioapic_route(route->gsi, cpu->apic_id, vector, route->active_low,
                             route->level_triggered);
}
