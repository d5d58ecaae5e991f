/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs: known ones keep what is written, unknown ones and illegal values raise #GP(0). */
#include "tests/guest/guest.h"

static const uint64_t canonical = 0xffff812345678000;
static const uint64_t non_canonical = 0x0000800000000000;

/* Write, read back, restore. */
static void sticks(uint32_t index, uint64_t value, const char *name)
{
    uint64_t old, seen;
    try_rdmsr(index, &old);
    struct fault written = try_wrmsr(index, value);
    struct fault read = try_rdmsr(index, &seen);
    try_wrmsr(index, old);
    if (is_no_fault(written, "%s can be written", name) &&
        is_no_fault(read, "%s can be read", name))
        is_u64(seen, value, "%s keeps its value", name);
}

static void write_faults(uint32_t index, uint64_t value, const char *name)
{
    uint64_t before, after;
    try_rdmsr(index, &before);
    is_fault(try_wrmsr(index, value), GP, 0, "%s", name);
    try_rdmsr(index, &after);
    is_u64(after, before, "%s, and it keeps its value", name);
}

static void unknown_faults(uint32_t index)
{
    uint64_t value;
    is_fault(try_rdmsr(index, &value), GP, 0, "reading unknown MSR 0x%x", index);
    is_fault(try_wrmsr(index, 0), GP, 0, "writing unknown MSR 0x%x", index);
}

static void addresses(void)
{
    static const struct {
        uint32_t index;
        const char *name;
    } msrs[] = {
        {MSR_LSTAR, "LSTAR"},
        {MSR_CSTAR, "CSTAR"},
        {MSR_FS_BASE, "FS_BASE"},
        {MSR_GS_BASE, "GS_BASE"},
        {MSR_KERNEL_GS_BASE, "KERNEL_GS_BASE"},
        {MSR_SYSENTER_ESP, "SYSENTER_ESP"},
        {MSR_SYSENTER_EIP, "SYSENTER_EIP"},
    };
    for (unsigned i = 0; i < sizeof(msrs) / sizeof(*msrs); i++) {
        sticks(msrs[i].index, canonical, msrs[i].name);
        is_fault(try_wrmsr(msrs[i].index, non_canonical), GP, 0, "a non-canonical %s",
                 msrs[i].name);
    }
}

static void efer(void)
{
    uint64_t value = rdmsr(MSR_EFER);
    is_u64(value & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA, "EFER says long mode");
    sticks(MSR_EFER, value ^ EFER_SCE, "EFER.SCE");
    sticks(MSR_EFER, value ^ EFER_NXE, "EFER.NXE");
    write_faults(MSR_EFER, value & ~(uint64_t)EFER_LME, "clearing LME with paging on");
    write_faults(MSR_EFER, value | 1ull << 63, "a reserved bit of EFER");
    write_faults(MSR_EFER, value | 1 << 1, "reserved bit 1 of EFER");
}

static void page_attributes(void)
{
    sticks(MSR_PAT, 0x0706050400010406, "PAT");
    write_faults(MSR_PAT, 0x0007040600070402, "memory type 2 in PAT");
    write_faults(MSR_PAT, 0x0007040600070403, "memory type 3 in PAT");
    write_faults(MSR_PAT, 0x0807040600070406, "memory type 8 in PAT");
}

static void mtrrs(void)
{
    uint64_t value;
    if (!is_no_fault(try_rdmsr(MSR_MTRRCAP, &value), "MTRRCAP can be read"))
        return;
    is_fault(try_wrmsr(MSR_MTRRCAP, value), GP, 0, "writing MTRRCAP");
    is_no_fault(try_rdmsr(MSR_MTRR_DEF_TYPE, &value), "MTRR_DEF_TYPE can be read");
}

static void others(void)
{
    uint64_t value;
    sticks(MSR_STAR, 0x0023001000000000, "STAR");
    sticks(MSR_FMASK, 0x47700, "FMASK");
    sticks(MSR_SYSENTER_CS, 0x10, "SYSENTER_CS");
    is_no_fault(try_rdmsr(MSR_MISC_ENABLE, &value), "MISC_ENABLE can be read");
    is_no_fault(try_wrmsr(MSR_MISC_ENABLE, value), "MISC_ENABLE can be written as it was");
    value ^= 1ul << 34 | 0xc50008;
    is_no_fault(try_wrmsr(MSR_MISC_ENABLE, value), "its switches can be written");
    is_u64(rdmsr(MSR_MISC_ENABLE), value, "and are kept");
    is_no_fault(try_wrmsr(MSR_MISC_ENABLE, value ^ 1ul << 34 ^ 0xc50008), "and back");
    is_fault(try_wrmsr(MSR_MISC_ENABLE, value ^ 2), GP, 0, "a reserved bit of it");
    is_no_fault(try_rdmsr(MSR_APIC_BASE, &value), "APIC_BASE can be read");
    is_u64(value & ~(uint64_t)APIC_BASE_EXTD, LAPIC_BASE | APIC_BASE_BSP | APIC_BASE_EN,
           "APIC_BASE: enabled, boot processor, at its address");
}

static void base_reaches_segment(void)
{
    static uint64_t target = 0x1122334455667788;
    uint64_t seen;
    wrmsr(MSR_FS_BASE, (uintptr_t)&target);
    asm volatile("mov %%fs:0, %0" : "=r"(seen));
    wrmsr(MSR_FS_BASE, 0);
    is_u64(seen, target, "FS_BASE is the base of FS");
    wrmsr(MSR_GS_BASE, 0);
    wrmsr(MSR_KERNEL_GS_BASE, (uintptr_t)&target);
    asm volatile("swapgs; mov %%gs:0, %0; swapgs" : "=r"(seen));
    is_u64(seen, target, "SWAPGS brings in KERNEL_GS_BASE");
}

void test_main(void)
{
    addresses();
    efer();
    page_attributes();
    mtrrs();
    others();
    base_reaches_segment();
    unknown_faults(0x2);
    unknown_faults(0x1fff);
    unknown_faults(0x2000);
    unknown_faults(0x4b564d00);
    unknown_faults(0xbfffffff);
    unknown_faults(0xc0001fff);
    unknown_faults(0xc0002000);
    unknown_faults(0xffffffff);
}
