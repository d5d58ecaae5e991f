/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting processors that have a Virtual Trust Level, and other VTLs' addresses. */
// hyperv: on
// vtls: 2
// vcpus: 4
// time_limit: 20s
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    REG_PARTITION_CONFIG = 0xd0007,
    CONFIG_DENY = 1 << 5 | 1 << 6,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    CASES = 16,
};

static struct hv_vp_context *parameters;
static volatile unsigned status, order[4], events;
static uint8_t stacks[4][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static void started_in_vtl0(void)
{
    order[events++] = 0x10;
    for (;;)
        asm volatile("cli; hlt");
}

static void started_in_vtl1(uintptr_t unused)
{
    (void)unused;
    order[events++] = 0x21;
}

static unsigned start_vp(void)
{
    return hv_call(HV_CALL_START_VP, (uintptr_t)parameters, 0) & 0xffff;
}

static void fill(unsigned cpu, unsigned vtl)
{
    vsm_fill_context(parameters, cpu, vtl == 0 ? 1 : vtl);
    parameters->vtl = (uint8_t)vtl;
    if (vtl == 0) {
        parameters->initial.rip = (uintptr_t)started_in_vtl0;
        parameters->initial.rsp = (uintptr_t)stacks + (cpu % 4 + 1) * PAGE_SIZE - 8;
    }
}

static void enable_on(uintptr_t cpu)
{
    vsm_fill_context(parameters, (unsigned)cpu, 1);
    status = vsm_enable_vp(parameters);
}

static void configure(uintptr_t config)
{
    status = vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, config, 0);
}

static void starting(void)
{
    fill(0, 0);
    is_u64(start_vp(), HV_INVALID_VP_INDEX, "starting oneself");
    fill(9, 0);
    is_u64(start_vp(), HV_INVALID_VP_INDEX, "a processor that does not exist");
    fill(1, 1);
    is_u64(start_vp(), HV_ACCESS_DENIED, "in a VTL above the caller's");
    fill(1, 0);
    parameters->initial.cr4 |= 1ul << 40;
    is_u64(start_vp(), HV_INVALID_REGISTER_VALUE, "with a bad context");

    vsm_run(enable_on, 1);
    is_u64(status, HV_SUCCESS, "VTL1 on a processor that has not started");
    ipi(0, ICR_OTHERS | ICR_INIT | ICR_ASSERT);
    ipi(1, ICR_STARTUP | STARTUP_PAGE);
    delay_us(500);
    is_u64(events, 0, "which INIT and SIPI do not start any more");

    vsm_run(configure, CONFIG_DENY);
    fill(1, 0);
    is_u64(start_vp(), HV_ACCESS_DENIED, "while VTL1 denies it");
    vsm_run(configure, 1 << 5);
    vsm_level(1, 1)->function = started_in_vtl1;
    fill(1, 0);
    is_u64(start_vp(), HV_SUCCESS, "when it does not");
    wait_for(&events, 2, 100);
    ok(order[0] == 0x21 && order[1] == 0x10, "it begins in VTL1, and gets to VTL0 by VTL return");
    is_u64(start_vp(), HV_INVALID_VP_STATE, "it has started");
    fill(2, 0);
    is_u64(start_vp(), HV_SUCCESS, "a processor without VTL1");
    wait_for(&events, 3, 100);
    is_u64(order[2], 0x10, "begins in VTL0");
}

/* ---- Addresses ---- */

struct translation {
    uint64_t result, page;
};
static struct translation translations[CASES];
static unsigned statuses[CASES];

static unsigned translate(uint64_t flags, const void *address, struct translation *out)
{
    static struct {
        uint64_t partition;
        uint32_t vp, reserved;
        uint64_t flags, page;
        uint64_t out[8];
    } in __attribute__((aligned(256)));
    in.partition = HV_SELF;
    in.vp = (uint32_t)SELF;
    in.flags = flags;
    in.page = (uintptr_t)address >> 12;
    unsigned result = hv_call(HV_CALL_TRANSLATE_VA, (uintptr_t)&in, (uintptr_t)in.out) & 0xffff;
    *out = (struct translation){in.out[0], in.out[1]};
    return result;
}

static uint8_t target[4][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
#define OF_VTL0 ((uint64_t)HV_USE_TARGET_VTL << 56)

static void translations_of_vtl0(uintptr_t unused)
{
    (void)unused;
    unsigned n = 0;
#define TRY_IT(flags, address) statuses[n] = translate(flags, address, &translations[n]), n++
    TRY_IT(OF_VTL0 | 1, target[0]);
    TRY_IT(OF_VTL0 | 1, target[1]);
    TRY_IT(OF_VTL0 | 2, target[2]);
    TRY_IT(OF_VTL0 | 1 | 0x80, target[2]);
    TRY_IT(OF_VTL0, target[0]);
    TRY_IT(OF_VTL0 | 1, (void *)0xd0000000);
    vsm_protect(target[3], 1, VSM_NONE);
    TRY_IT(OF_VTL0 | 1, target[3]);
    TRY_IT(1, target[3]);
    TRY_IT(OF_VTL0 | 1 | 1 << 12, target[0]);
    vsm_protect(target[3], 1, VSM_RWX);
}

static void addresses(void)
{
    struct translation t;
    *page_entry((uintptr_t)target[1]) = 0;
    *page_entry((uintptr_t)target[2]) = (uintptr_t)target[2] | PAGE_PRESENT;
    write_cr3(read_cr3());
    vsm_run(configure, CONFIG_ON);
    vsm_run(translations_of_vtl0, 0);
    is_u64(statuses[0], HV_SUCCESS, "translating an address of VTL0");
    is_u64(translations[0].result, 6ul << 32, "a page that is there, write-back");
    is_u64(translations[0].page, (uintptr_t)target[0] >> 12, "is where it is");
    is_u64(translations[1].result & 0xff, 1, "one that is not present");
    is_u64(translations[2].result & 0xff, 2, "a write to a read-only page");
    is_u64(translations[3].result & 0xff, 2, "a user's read of a supervisor page");
    is_u64(statuses[4], HV_INVALID_PARAMETER, "nothing to validate");
    is_u64(translations[5].result & 0xff, 4, "an address without RAM");
    is_u64(translations[6].result & 0xff, 5, "a page that VTL1 protects");
    is_u64(translations[7].result & 0xff, 0, "which VTL1 itself may use");
    is_u64(statuses[8], HV_INVALID_PARAMETER, "an unknown flag");
    is_u64(translate(1 | ((uint64_t)HV_USE_TARGET_VTL | 1) << 56, target[0], &t), HV_ACCESS_DENIED,
           "VTL0 asks for VTL1's address");
}

void test_main(void)
{
    parameters = page_alloc();
    lapic_enable();
    vsm_begin();
    vsm_enable(1);
    starting();
    addresses();
}
