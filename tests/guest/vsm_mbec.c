/* SPDX-License-Identifier: BSD-2-Clause */
/* Protections that tell user from kernel execution, where the processor can. */
// hyperv: on
// vtls: 2
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    REG_VP_STATUS = 0xd0003,
    REG_PARTITION_STATUS = 0xd0004,
    REG_CAPABILITIES = 0xd0006,
    REG_PARTITION_CONFIG = 0xd0007,
    REG_SECURE_CONFIG = 0xd0010,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    MBEC = 1 << 0,
};

/* With SMEP a page is the kernel's or the users' to run. */
static uint8_t of_kernel[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t of_users[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
enum { USER_DONE = 0x81 };
static uint8_t *messages;
static volatile unsigned intercepts, status;
static volatile uint8_t access_type;
static volatile uint32_t answer;

static void on_intercept(struct trap_frame *frame)
{
    (void)frame;
    access_type = messages[16 + 5];
    intercepts++;
    vsm_protect(of_kernel, 1, answer);
    vsm_protect(of_users, 1, answer);
    *(volatile uint32_t *)messages = 0;
    lapic_eoi();
}

static void start(uintptr_t unused)
{
    (void)unused;
    messages = vsm_use_synic();
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
    status = vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0);
}

static void protect(uintptr_t flags)
{
    status = vsm_protect(of_kernel, 1, (uint32_t)flags) | vsm_protect(of_users, 1, (uint32_t)flags);
}

static void use_mbec(uintptr_t on)
{
    status = vsm_set((uint32_t)SELF, 0, REG_SECURE_CONFIG, on, 0);
}

static void in_kernel(void)
{
    ((void (*)(void))of_kernel)();
}

static void in_user(void)
{
    enter_user((void (*)(uintptr_t))of_users, 0);
}

static void tried(void (*run)(void), uint32_t flags, uint32_t then, unsigned expected,
                  const char *what)
{
    unsigned before = intercepts;
    vsm_run(protect, flags);
    is_u64(status, HV_SUCCESS, "%s: the mask", what);
    answer = then;
    run();
    is_u64(intercepts - before, expected, "%s: intercepts", what);
}

static void only_for_users(uint8_t *page)
{
    allow_user();
    for (uintptr_t p = 0x100000; p < (uintptr_t)image_end; p += PAGE_SIZE)
        if (p != (uintptr_t)page)
            *page_entry(p) &= ~(uint64_t)PAGE_USER;
    write_cr3(read_cr3());
    write_cr4(read_cr4() | CR4_SMEP);
}

void test_main(void)
{
    uint64_t value[2];
    vsm_begin();
    vsm_get((uint32_t)SELF, 0, REG_CAPABILITIES, value);
    if (!(value[0] & 1 << 2)) {
        is_u64(vsm_enable_partition(1, MBEC), HV_INVALID_PARAMETER, "MBEC, which is not there");
        skip("mode-based execution", "the processor does not have it");
        return;
    }
    struct hv_vp_context *parameters = page_alloc();
    is_u64(vsm_enable_partition(1, MBEC), HV_SUCCESS, "VTL1 with MBEC");
    vsm_get((uint32_t)SELF, 0, REG_PARTITION_STATUS, value);
    is_u64(value[0] >> 20, 2, "the partition's status says so");
    vsm_fill_context(parameters, 0, 1);
    is_u64(vsm_enable_vp(parameters), HV_SUCCESS, "on the processor");
    vsm_run(start, 0);
    of_kernel[0] = 0xc3; /* RET */
    of_users[0] = 0xcd;  /* INT */
    of_users[1] = USER_DONE;
    only_for_users(of_users);
    vsm_run(protect, VSM_R | VSM_KX);
    is_u64(status, HV_INVALID_REGISTER_VALUE, "kernel without user execution");

    tried(in_user, VSM_R | VSM_UX, VSM_RWX, 1, "MBEC off: user execution goes by the kernel's");
    vsm_run(use_mbec, MBEC);
    is_u64(status, HV_SUCCESS, "MBEC on for VTL0");
    vsm_get((uint32_t)SELF, 0, REG_VP_STATUS, value);
    is_u64(value[0] & 1 << 4, 1 << 4, "the processor's status says so");
    tried(in_kernel, VSM_R | VSM_UX, VSM_RWX, 1, "MBEC on: the kernel does not run a user's page");
    is_u64(access_type, 2, "it was a fetch");
    tried(in_user, VSM_R | VSM_UX, VSM_RWX, 0, "MBEC on: a user does");
    tried(in_user, VSM_R | VSM_W, VSM_RWX, 1, "MBEC on: nobody runs what nobody may");
    tried(in_kernel, VSM_RWX, VSM_RWX, 0, "MBEC on: all run what all may");
    write_cr4(read_cr4() & ~(unsigned long)CR4_SMEP);
    tried(in_user, VSM_R | VSM_UX, VSM_RWX, 1, "without SMEP it is as if MBEC were off");
    write_cr4(read_cr4() | CR4_SMEP);
    tried(in_user, VSM_R | VSM_UX, VSM_RWX, 0, "with SMEP it is on again");
    vsm_run(use_mbec, 0);
    tried(in_user, VSM_R | VSM_UX, VSM_RWX, 1, "MBEC off again");
}
