/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of VTL0 that VTL1 watches: each write is told and not done, and VTL1 decides. */
// hyperv: on
// vtls: 2
#include "tests/guest/lib/vsm.h"

enum {
    REG_CONTROL = 0xe0000,
    REG_CR0_MASK = 0xe0001,
    REG_CR4_MASK = 0xe0002,
    REG_MISC_MASK = 0xe0003,
    REG_RIP = 0x20010,
    MSR_INTERCEPT = (int)0x80010001,
    REGISTER_INTERCEPT = (int)0x80010006,
};

struct intercept {
    uint32_t type;
    uint8_t size, flags;
    uint16_t reserved;
    uint64_t origin;
    uint32_t vp;
    uint8_t length_and_cr8, access;
    uint16_t state;
    struct hv_segment cs;
    uint64_t rip, rflags;
    union {
        struct {
            uint32_t msr, reserved;
            uint64_t rdx, rax;
        } msr;
        struct {
            uint8_t memory, reserved[3];
            uint32_t name;
            uint64_t value[2];
        } reg;
    };
};

static uint8_t *messages;
static struct intercept last;
static volatile unsigned intercepts;
static volatile bool carry_out;

static void on_intercept(struct trap_frame *frame)
{
    struct intercept *slot = (void *)messages;
    (void)frame;
    memcpy(&last, slot, sizeof(last));
    intercepts++;
    if (carry_out && last.type == (uint32_t)REGISTER_INTERCEPT && !last.reg.memory)
        vsm_set((uint32_t)HV_VP_SELF, HV_USE_TARGET_VTL, last.reg.name, last.reg.value[0], 0);
    vsm_set((uint32_t)HV_VP_SELF, HV_USE_TARGET_VTL, REG_RIP,
            last.rip + (last.length_and_cr8 & 0xf), 0);
    *(volatile uint32_t *)&slot->type = 0;
    asm volatile("mfence" : : : "memory");
    if (slot->flags & 1)
        wrmsr(HV_MSR_EOM, 0);
    lapic_eoi();
}

static volatile unsigned status;

static void start(uintptr_t unused)
{
    (void)unused;
    messages = vsm_use_synic();
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
}

static void set_control(uintptr_t bits)
{
    status = vsm_set((uint32_t)HV_VP_SELF, 0, REG_CONTROL, bits, 0);
}

static void set_masks(uintptr_t cr0)
{
    status = vsm_set((uint32_t)HV_VP_SELF, 0, REG_CR0_MASK, cr0, 0) |
             vsm_set((uint32_t)HV_VP_SELF, 0, REG_CR4_MASK, CR4_PCE | CR4_PSE, 0) |
             vsm_set((uint32_t)HV_VP_SELF, 0, REG_MISC_MASK, 1, 0);
}

static unsigned before;

#define WATCHED(statement)                                                                         \
    do {                                                                                           \
        before = intercepts;                                                                       \
        statement;                                                                                 \
    } while (0)

static void told(bool msr, uint32_t name, uint64_t value, const char *what)
{
    is_u64(intercepts - before, 1, "%s: told once", what);
    is_u64(last.type, (uint32_t)(msr ? MSR_INTERCEPT : REGISTER_INTERCEPT), "%s: the message",
           what);
    is_u64(last.size, 64, "%s: its size", what);
    is_u64(msr ? last.msr.msr : last.reg.name, name, "%s: the register", what);
    is_u64(msr ? last.msr.rdx << 32 | last.msr.rax : last.reg.value[0], value, "%s: the value",
           what);
}

static void control_registers(void)
{
    unsigned long cr0 = read_cr0(), cr4 = read_cr4();
    vsm_run(set_masks, CR0_AM | CR0_MP);
    is_u64(status, HV_SUCCESS, "masks of CR0, CR4 and MISC_ENABLE");
    vsm_run(set_control, 3);
    is_u64(status, HV_SUCCESS, "watching CR0 and CR4");
    is_u64(read_cr0(), cr0, "CR0 reads as before");
    is_u64(read_cr4(), cr4, "CR4 reads as before");

    carry_out = false;
    WATCHED(write_cr0(cr0 ^ CR0_AM));
    told(false, 0x40000, cr0 ^ CR0_AM, "a watched bit of CR0");
    is_u64(read_cr0(), cr0, "which VTL1 refused");
    carry_out = true;
    WATCHED(write_cr0(cr0 ^ CR0_AM));
    is_u64(read_cr0(), cr0 ^ CR0_AM, "VTL1 may set it");
    WATCHED(write_cr0(cr0));
    carry_out = false;
    WATCHED(write_cr0(cr0 ^ CR0_WP));
    is_u64(intercepts - before, 0, "a bit that is not watched");
    is_u64(read_cr0(), cr0 ^ CR0_WP, "is written");
    write_cr0(cr0);
    WATCHED(asm volatile("lmsw %w0" : : "r"(cr0 ^ CR0_MP)));
    told(false, 0x40000, cr0 ^ CR0_MP, "LMSW");
    WATCHED(write_cr4(cr4 ^ CR4_PCE));
    told(false, 0x40003, cr4 ^ CR4_PCE, "a watched bit of CR4");
    is_u64(read_cr4(), cr4, "which VTL1 refused");
    WATCHED(write_cr4(cr4 ^ CR4_PGE));
    is_u64(intercepts - before, 0, "a bit of CR4 that is not watched");
    write_cr4(cr4);
    if (cr4 & CR4_OSXSAVE) {
        vsm_run(set_control, 4);
        WATCHED(asm volatile("xsetbv" : : "a"(1), "d"(0), "c"(0)));
        told(false, 0x40005, 1, "XCR0");
    } else {
        skip("XCR0", "no XSAVE");
    }
}

static void msrs(void)
{
    static const struct {
        uint32_t msr, read, write;
        const char *name;
    } list[] = {
        {MSR_LSTAR, 5, 6, "LSTAR"},
        {MSR_STAR, 7, 8, "STAR"},
        {MSR_CSTAR, 9, 10, "CSTAR"},
        {MSR_APIC_BASE, 11, 12, "APIC_BASE"},
        {MSR_EFER, 13, 14, "EFER"},
        {MSR_SYSENTER_CS, 0, 19, "SYSENTER_CS"},
        {MSR_SYSENTER_EIP, 0, 20, "SYSENTER_EIP"},
        {MSR_SYSENTER_ESP, 0, 21, "SYSENTER_ESP"},
        {MSR_FMASK, 0, 22, "SFMASK"},
    };
    for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        uint64_t value = rdmsr(list[i].msr), other = value ^ 0x100;
        vsm_run(set_control, 1u << list[i].write);
        WATCHED(wrmsr(list[i].msr, other));
        told(true, list[i].msr, other, list[i].name);
        WATCHED(other = rdmsr(list[i].msr));
        is_u64(other, value, "%s is unchanged", list[i].name);
        is_u64(intercepts - before, 0, "%s can be read", list[i].name);
        if (list[i].read == 0)
            continue;
        vsm_run(set_control, 1u << list[i].read);
        WATCHED(rdmsr(list[i].msr));
        is_u64(intercepts - before, 1, "a watched read of %s", list[i].name);
        is_u64(last.access, 0, "is one");
    }
    vsm_run(set_control, 1u << 4);
    WATCHED(wrmsr(MSR_MISC_ENABLE, rdmsr(MSR_MISC_ENABLE) ^ 1));
    is_u64(intercepts - before, 1, "a watched bit of MISC_ENABLE");
    WATCHED(wrmsr(MSR_MISC_ENABLE, rdmsr(MSR_MISC_ENABLE)));
    is_u64(intercepts - before, 0, "a write that changes nothing");
    vsm_run(set_control, 1u << 24);
    is_u64(status, HV_INVALID_REGISTER_VALUE, "SGX launch control cannot be watched");
}

static void tables(void)
{
    struct table_register gdtr, idtr, now;
    asm volatile("sgdt %0" : "=m"(gdtr));
    asm volatile("sidt %0" : "=m"(idtr));
    vsm_run(set_control, 1u << 15);
    if (status != HV_SUCCESS) {
        skip("table registers", "the processor does not tell of them");
        return;
    }
    struct table_register other = {gdtr.limit - 8, gdtr.base};
    WATCHED(asm volatile("lgdt %0" : : "m"(other)));
    told(false, 0x70001, (uintptr_t)&other, "LGDT");
    is_u64(last.reg.memory, 1, "its operand is memory");
    WATCHED(asm volatile("sgdt %0" : "=m"(now)));
    is_u64(intercepts - before, 0, "SGDT is not told");
    is_u64(now.limit, gdtr.limit, "GDTR is unchanged");
    WATCHED(lidt((void *)idtr.base, idtr.limit));
    is_u64(intercepts - before, 0, "LIDT is not watched, and works");
    WATCHED(asm volatile("lldt %w0" : : "r"(0)));
    is_u64(intercepts - before, 0, "LLDT is not watched, and works");
    vsm_run(set_control, 1u << 16);
    WATCHED(lidt((void *)idtr.base, idtr.limit));
    is_u64(intercepts - before, 1, "LIDT when it is watched");
    is_u64(last.reg.name, 0x70000, "is told as IDTR");
    vsm_run(set_control, 1u << 17);
    WATCHED(asm volatile("lldt %w0" : : "r"(0x1238)));
    told(false, 0x60006, 0x1238, "LLDT");
    vsm_run(set_control, 1u << 18);
    WATCHED(asm volatile("ltr %w0" : : "r"(0x1230)));
    told(false, 0x60007, 0x1230, "LTR");
    vsm_run(set_control, 0);
    WATCHED(lidt((void *)idtr.base, idtr.limit));
    is_u64(intercepts - before, 0, "nothing is watched any more");
}

void test_main(void)
{
    vsm_begin();
    vsm_enable(1);
    vsm_run(start, 0);
    control_registers();
    msrs();
    tables();
}
