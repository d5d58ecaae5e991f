/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC of the processor this runs on: x2APIC mode where it exists, else xAPIC mode.
 * (apic/ is the other one, which guests see.)
 */
#pragma once

#include "core/types.h"
#include "core/x86.h"

/* SDM Vol 3A, "Interrupt Command Register (ICR)". */
enum local_apic_ipi {
    LOCAL_APIC_IPI_FIXED = 0x4000, /* | vector */
    LOCAL_APIC_IPI_NMI = 0x4400,
    LOCAL_APIC_IPI_INIT = 0x4500,
    LOCAL_APIC_IPI_STARTUP = 0x4600, /* | page number */
};

/* Chooses the mode. Once, on the BSP. */
void host_apic_init(void);

/* Enables the APIC of this CPU with everything masked but NMI (LINT1 as the firmware left it). */
void host_apic_init_cpu(uint8_t error_vector, uint8_t spurious_vector, uint8_t timer_vector);

bool host_apic_is_x2apic(void);

void host_apic_eoi(void);

/* Whether `vector` is being serviced: an interrupt that needs an EOI. */
bool host_apic_in_service(uint8_t vector);

/* Sends `command` (enum local_apic_ipi, and vector) to a CPU. Earlier stores are visible to it. */
void host_apic_send(uint32_t apic_id, uint32_t command);

/* Reads and clears the error status. */
uint32_t host_apic_errors(void);

/* The timer interrupt comes at TSC value `tsc_deadline`; 0: never. Needs the TSC-deadline mode. */
bool host_apic_has_tsc_deadline(void);
static inline void host_apic_timer_deadline(uint64_t tsc_deadline)
{
    wrmsr(MSR_IA32_TSC_DEADLINE, tsc_deadline);
}

/* The timer interrupt comes when `count` bus clocks (not divided) have passed; 0 stops it. */
void host_apic_timer_count(uint8_t vector, uint32_t count);
uint32_t host_apic_timer_remaining(void);
