/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallTranslateVirtualAddress and -Ex: each flag, each answer, and what is written. */
// hyperv: on
// vtls: 2
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    TRANSLATE_EX = 0xac,
    REG_PARTITION_CONFIG = 0xd0007,
    REG_SECURE_CONFIG = 0xd0010,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    TLB_LOCKED = 1 << 1,

    READ = 1 << 0,
    WRITE = 1 << 1,
    EXECUTE = 1 << 2,
    EXEMPT = 1 << 3,
    SET_BITS = 1 << 4,
    INHIBIT = 1 << 5,
    SUPERVISOR = 1 << 6,
    USER = 1 << 7,
    ENFORCE_SMAP = 1 << 8,
    OVERRIDE_SMAP = 1 << 9,

    NOT_PRESENT = 1,
    PRIVILEGE = 2,
    BAD_TABLE = 3,
    UNMAPPED = 4,
    NO_READ = 5,
    NO_WRITE = 6,
    INTERCEPT = 8,
};
#define OF_VTL0    ((uint64_t)HV_USE_TARGET_VTL << 56)
#define WRITE_BACK (6ul << 32)
#define OVERLAY    (1ul << 40)

struct request {
    uint64_t partition;
    uint32_t vp, reserved;
    uint64_t flags, page;
    uint64_t out[12];
};
static struct request request __attribute__((aligned(256)));
static volatile unsigned status;

static void ask(uint64_t call, uint64_t flags, const void *address)
{
    memset(request.out, 0xee, sizeof(request.out));
    request.partition = HV_SELF;
    request.vp = (uint32_t)SELF;
    request.reserved = 0;
    request.flags = flags;
    request.page = (uintptr_t)address / PAGE_SIZE;
    status = hv_call(call, (uintptr_t)&request, (uintptr_t)request.out) & 0xffff;
}

static const void *where;

static void translate(uintptr_t flags)
{
    ask(HV_CALL_TRANSLATE_VA, OF_VTL0 | flags, where);
}

static void answers(const void *address, uint64_t flags, uint64_t result, const char *what)
{
    where = address;
    vsm_run(translate, flags);
    is_u64(status, HV_SUCCESS, "%s: the call", what);
    is_u64(request.out[0], result, "%s: the answer", what);
    if ((result & 0xff) == 0)
        is_u64(request.out[1], (uintptr_t)address / PAGE_SIZE, "%s: the page", what);
    is_u64(request.out[2], 0xeeeeeeeeeeeeeeee, "%s: nothing behind", what);
}

enum { PLAIN, READ_ONLY, OF_USERS, NO_EXECUTE, ABSENT, RESERVED, DENIED, NO_WRITES, HIDDEN, PAGES };
static uint8_t page[PAGES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static void set_up(uintptr_t unused)
{
    (void)unused;
    status = vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0) |
             vsm_protect(page[DENIED], 1, VSM_NONE) | vsm_protect(page[NO_WRITES], 1, VSM_R);
}

static void map(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        *page_entry((uintptr_t)page[i]) = (uintptr_t)page[i] | PAGE_PRESENT | PAGE_WRITE;
    *page_entry((uintptr_t)page[READ_ONLY]) &= ~(uint64_t)PAGE_WRITE;
    *page_entry((uintptr_t)page[OF_USERS]) |= PAGE_USER;
    *page_entry((uintptr_t)page[ABSENT]) = 0;
    *page_entry((uintptr_t)page[RESERVED]) |= 1ul << 50;
    write_cr3(read_cr3());
}

static void walks(void)
{
    answers(page[PLAIN], READ, WRITE_BACK, "a read");
    answers(page[PLAIN], READ | WRITE | EXECUTE, WRITE_BACK, "all accesses");
    answers(page[READ_ONLY], READ, WRITE_BACK, "a read of a read-only page");
    answers(page[READ_ONLY], READ | WRITE, PRIVILEGE, "a write to it");
    answers(page[PLAIN], READ | USER, PRIVILEGE, "a user's read of the kernel's page");
    answers(page[PLAIN], READ | SUPERVISOR, WRITE_BACK, "the kernel's");
    answers(page[PLAIN], READ | USER | EXEMPT, WRITE_BACK, "a user's who is exempt");
    answers(page[ABSENT], READ, NOT_PRESENT, "a page that is not present");
    answers(page[ABSENT], READ | EXEMPT, NOT_PRESENT, "not even for the exempt");
    answers(page[RESERVED], READ, BAD_TABLE, "an entry with a reserved bit");
    answers((void *)0xd0000000, READ, UNMAPPED, "an address where there is nothing");
}

/* What the lower level's own configuration refuses. */
static void privileges(void)
{
    uint64_t cr4 = read_cr4();
    bool smep = cpuid(7, 0).ebx >> 7 & 1, smap = cpuid(7, 0).ebx >> 20 & 1;

    allow_user();
    for (uintptr_t p = 0x100000; p < (uintptr_t)image_end; p += PAGE_SIZE)
        if (p != (uintptr_t)page[OF_USERS])
            *page_entry(p) &= ~(uint64_t)PAGE_USER;
    write_cr3(read_cr3());
    answers(page[OF_USERS], READ | EXECUTE, WRITE_BACK, "the kernel runs a user's page");
    if (smep) {
        write_cr4(cr4 | CR4_SMEP);
        answers(page[OF_USERS], EXECUTE, PRIVILEGE, "not with SMEP");
        answers(page[OF_USERS], EXECUTE | EXEMPT, WRITE_BACK, "but when exempt");
    } else {
        skip("SMEP", "the processor does not have it");
    }
    if (smap) {
        write_cr4(cr4 | CR4_SMAP);
        asm volatile("clac" : : : "cc");
        answers(page[OF_USERS], READ, PRIVILEGE,
                "with SMAP the kernel does not read a user's page");
        answers(page[OF_USERS], READ | OVERRIDE_SMAP, WRITE_BACK, "but when that is overridden");
        asm volatile("stac" : : : "cc");
        answers(page[OF_USERS], READ, WRITE_BACK, "or EFLAGS.AC is set");
        answers(page[OF_USERS], READ | ENFORCE_SMAP, PRIVILEGE, "and SMAP is not enforced");
        asm volatile("clac" : : : "cc");
    } else {
        skip("SMAP", "the processor does not have it");
    }
    write_cr4(cr4);
}

static void table_bits(void)
{
    uint64_t *entry = page_entry((uintptr_t)page[PLAIN]);
    *entry &= ~(uint64_t)(PAGE_ACCESSED | PAGE_DIRTY);
    answers(page[PLAIN], READ | WRITE, WRITE_BACK, "without setting bits");
    is_u64(*entry & (PAGE_ACCESSED | PAGE_DIRTY), 0, "A and D stay clear");
    answers(page[PLAIN], READ | SET_BITS, WRITE_BACK, "setting bits, read");
    is_u64(*entry & (PAGE_ACCESSED | PAGE_DIRTY), PAGE_ACCESSED, "A is set");
    answers(page[PLAIN], WRITE | SET_BITS, WRITE_BACK, "setting bits, write");
    is_u64(*entry & (PAGE_ACCESSED | PAGE_DIRTY), PAGE_ACCESSED | PAGE_DIRTY, "D, too");
}

static void own(uintptr_t flags)
{
    ask(HV_CALL_TRANSLATE_VA, flags, where);
}

static uint64_t *table_of(const void *address)
{
    return (uint64_t *)((uintptr_t)page_entry((uintptr_t)address) & -(uintptr_t)PAGE_SIZE);
}

static void protect_table(uintptr_t flags)
{
    status = vsm_protect(table_of((void *)0x10000000), 1, (uint32_t)flags);
}

static void rights(void)
{
    answers(page[DENIED], READ, NO_READ, "a page that VTL1 denies");
    answers(page[DENIED], READ | EXEMPT, NO_READ, "even to the exempt");
    answers(page[DENIED], WRITE, NO_WRITE, "to writes, too");
    answers(page[NO_WRITES], READ, WRITE_BACK, "one that can be read");
    answers(page[NO_WRITES], READ | WRITE, NO_WRITE, "but not written");
    answers(page[NO_WRITES], EXECUTE, NO_READ, "nor executed");
    where = page[DENIED];
    vsm_run(own, READ | WRITE);
    is_u64(request.out[0], WRITE_BACK, "VTL1 itself has all rights");
    vsm_run(protect_table, VSM_NONE);
    answers((void *)0x10000000, READ, INTERCEPT, "a page table that VTL1 denies");
    vsm_run(protect_table, VSM_RWX);
    wrmsr(HV_MSR_SIMP, (uintptr_t)page[HIDDEN] | 1);
    answers(page[HIDDEN], READ | WRITE, WRITE_BACK | OVERLAY, "a page under an overlay");
    where = page[HIDDEN];
    vsm_run(own, READ);
    is_u64(request.out[0], WRITE_BACK, "which VTL1 does not have");
    wrmsr(HV_MSR_SIMP, 0);
}

/* ---- The longer form ---- */

static void translate_ex(uintptr_t flags)
{
    ask(TRANSLATE_EX, OF_VTL0 | flags, where);
}

static void extended(void)
{
    where = page[READ_ONLY];
    vsm_run(translate_ex, READ);
    is_u64(status, HV_SUCCESS, "the longer form");
    is_u64(request.out[0], WRITE_BACK, "its answer");
    is_u64(request.out[6], (uintptr_t)page[READ_ONLY] / PAGE_SIZE, "its page");
    bool empty = true;
    for (unsigned i = 1; i < 8; i++)
        empty = empty && (i == 6 || request.out[i] == 0);
    ok(empty, "the rest is 0: no event");
    is_u64(request.out[8], 0xeeeeeeeeeeeeeeee, "64 bytes are written");
    vsm_run(translate_ex, READ | WRITE);
    is_u64(request.out[0], PRIVILEGE, "a refusal");
    vsm_run(translate_ex, 0);
    is_u64(status, HV_INVALID_PARAMETER, "nothing to validate");
}

/* ---- The lock that comes with an answer ---- */

static uint64_t config[3];

static void lock(uintptr_t unused)
{
    uint64_t value[2];
    (void)unused;
    translate(READ);
    vsm_get((uint32_t)SELF, 0, REG_SECURE_CONFIG, value);
    config[0] = value[0];
    translate(READ | INHIBIT);
    vsm_get((uint32_t)SELF, 0, REG_SECURE_CONFIG, value);
    config[1] = value[0];
    vsm_set((uint32_t)SELF, 0, REG_SECURE_CONFIG, 0, 0);
    where = page[ABSENT];
    translate(READ | INHIBIT);
    vsm_get((uint32_t)SELF, 0, REG_SECURE_CONFIG, value);
    config[2] = value[0];
    ask(HV_CALL_TRANSLATE_VA, READ | INHIBIT, page[PLAIN]);
}

static void locks(void)
{
    where = page[PLAIN];
    vsm_run(lock, 0);
    is_u64(config[0], 0, "no lock without the flag");
    is_u64(config[1], TLB_LOCKED, "TLB flush inhibit locks");
    is_u64(config[2], 0, "not when there is no translation");
    is_u64(status, HV_INVALID_PARAMETER, "nobody locks its own");
}

static void wrong(void)
{
    ask(HV_CALL_TRANSLATE_VA, READ | ((uint64_t)HV_USE_TARGET_VTL | 1) << 56, page[0]);
    is_u64(status, HV_ACCESS_DENIED, "VTL0 asks for VTL1's address");
    ask(TRANSLATE_EX, READ | ((uint64_t)HV_USE_TARGET_VTL | 1) << 56, page[0]);
    is_u64(status, HV_ACCESS_DENIED, "in the longer form, too");
    ask(HV_CALL_TRANSLATE_VA, READ | 0x20ul << 56, page[0]);
    is_u64(status, HV_INVALID_PARAMETER, "a reserved bit of the VTL");
    ask(HV_CALL_TRANSLATE_VA, READ | 1ul << 11, page[0]);
    is_u64(status, HV_INVALID_PARAMETER, "an unknown flag");
    ask(HV_CALL_TRANSLATE_VA, READ, page[0]);
    is_u64(status, HV_SUCCESS, "its own address");
    request.vp = 7;
    is_u64(hv_call(HV_CALL_TRANSLATE_VA, (uintptr_t)&request, (uintptr_t)request.out) & 0xffff,
           HV_INVALID_VP_INDEX, "a processor that does not exist");
    request.vp = (uint32_t)SELF;
    request.partition = 4;
    is_u64(hv_call(HV_CALL_TRANSLATE_VA, (uintptr_t)&request, (uintptr_t)request.out) & 0xffff,
           HV_INVALID_PARTITION_ID, "another partition");
}

void test_main(void)
{
    vsm_begin();
    map();
    vsm_enable(1);
    vsm_run(set_up, 0);
    is_u64(status, HV_SUCCESS, "VTL1 protects");
    walks();
    table_bits();
    rights();
    extended();
    locks();
    wrong();
    privileges();
}
