/* SPDX-License-Identifier: BSD-2-Clause */
/* Brings up the base services on the boot processor, in the order in which they need each other. */
#include "core/start.h"

#include "core/assert.h"
#include "core/console.h"
#include "core/cpu.h"
#include "core/exception.h"
#include "core/firmware.h"
#include "core/handover.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/paging.h"
#include "core/panic.h"
#include "core/symbols.h"
#include "core/time.h"

/* The configuration's words are in the order of the levels. */
_Static_assert((int)CONFIG_LOG_ERROR == (int)LOG_ERROR && (int)CONFIG_LOG_WARN == (int)LOG_WARN &&
                   (int)CONFIG_LOG_INFO == (int)LOG_INFO && (int)CONFIG_LOG_DEBUG == (int)LOG_DEBUG,
               "log levels");

static void check_handover(const struct handover *handover)
{
    if (handover->magic != HANDOVER_MAGIC || handover->size != sizeof(struct handover))
        panic("the hand-over was made by another build");
    ASSERT(handover->n_ranges <= HANDOVER_MAX_RANGES);
    ASSERT(handover->n_cpus > 0 && handover->n_cpus <= HANDOVER_MAX_CPUS);
    ASSERT(handover->n_files <= HANDOVER_MAX_FILES);
}

static void init_memory(const struct handover *handover)
{
    memory_set_image(handover->image_base, handover->image_size);
    for (uint32_t i = 0; i < handover->n_ranges; i++) {
        if (handover->ranges[i].type == HANDOVER_FREE)
            memory_add(handover->ranges[i].base, handover->ranges[i].size);
    }
    paging_init(handover->page_table);
}

static struct cpu *make_boot_cpu(const struct handover *handover)
{
    struct cpu *cpu = cpu_create(handover->cpus[0]);
    if (!cpu)
        panic("no memory for the boot processor's stacks");
    return cpu;
}

static void continue_on_own_stack(void *argument)
{
    const struct handover *handover = argument;
    paging_check();
    console_add_framebuffer(&handover->framebuffer);
    time_init(handover->tsc_hz);
    firmware_init(handover);
    interrupt_init(handover);
    core_main(handover);
}

_Noreturn void start_bsp(paddr_t handover_address)
{
    struct handover *handover = phys_to_virt(handover_address);
    console_init();
    check_handover(handover);
    log_set_level((enum log_level)handover->config.log);
    machine_set_exit((enum config_emulator_exit)handover->config.emulator_exit);
    symbols_init(phys_to_virt(handover->symbols_base), handover->symbols_size);
    init_memory(handover);
    struct cpu *cpu = make_boot_cpu(handover);
    exception_init();
    cpu_init(cpu);
    cpu_set_online(cpu);
    stack_switch(cpu->stack_top[CPU_STACK_MAIN], continue_on_own_stack, handover);
}
