/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers that VTL1 sets of VTL0: what is served, and that no state comes of it which no
   processor can have: with values of one register, of several, and with arbitrary ones. */
// hyperv: on
// vtls: 2
// time_limit: 20s
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    LOWER = HV_USE_TARGET_VTL,
    PENDING_INTERRUPTION = 0x10002,
    INTERRUPT_STATE = 0x10003,
    PENDING_EVENT0 = 0x10004,
    PENDING_EVENT1 = 0x10005,
    PENDING_DEBUG = 0x10007,
    REG_RIP = 0x20010,
    REG_RFLAGS = 0x20011,
    REG_CR0 = 0x40000,
    REG_CR3 = 0x40002,
    REG_CR4 = 0x40003,
    REG_XCR0 = 0x40005,
    REG_DR7 = 0x50005,
    REG_ES = 0x60000,
    REG_CS = 0x60001,
    REG_SS = 0x60002,
    REG_FS = 0x60004,
    REG_LDTR = 0x60006,
    REG_TR = 0x60007,
    REG_IDTR = 0x70000,
    REG_GDTR = 0x70001,
    REG_EFER = 0x80001,
    PARTITION_CONFIG = 0xd0007,
    ROUNDS = 1500,
};

static volatile unsigned status[16];

/* ---- What is served ---- */

static const struct {
    uint32_t name;
    const char *text;
    uint64_t value, other; /* that it holds, and that it does not; 0: none is tried */
} served[] = {
    {0x0, "ExplicitSuspend", 0, 0},
    {0x1, "InterceptSuspend", 0, 0},
    {0x4, "InternalActivityState", 0, 1 << 2},
    {0x100, "hypervisor version", 0, 0},
    {0x200, "privileges and features", 0, 0},
    {0x208, "the last feature register", 0, 0},
    {0x210, "CrashP0", 0x1234, 0},
    {0x214, "CrashP4", 0x4321, 0},
    {0x215, "CrashCtl", 0, 0},
    {0x240, "TSC frequency", 0, 0},
    {0x241, "APIC frequency", 0, 0},
    {PENDING_INTERRUPTION, "PendingInterruption", 0, 1 | 1 << 1},
    {INTERRUPT_STATE, "InterruptState", 2, 4},
    {PENDING_EVENT0, "PendingEvent0", 0, 1 | 6 << 1},
    {PENDING_EVENT1, "PendingEvent1", 0, 1},
    {0x10008, "PendingEvent2", 0, 1},
    {0x10009, "PendingEvent3", 0, 1},
    {PENDING_DEBUG, "PendingDebugException", 3, 1 << 5},
    {0x20000 + 3, "RBX", 0, 0},
    {0x30000 + 5, "XMM5", 0x55, 0},
    {0x30010, "MMX0", 0x66, 0},
    {0x30018, "x87 control", 0, 0},
    {0x30019, "MXCSR", 0, 0},
    {0x41000, "intermediate CR0", 0, 0},
    {0x41003, "intermediate CR4", 0, 0},
    {0x41004, "intermediate CR8", 3, 16},
    {0x80000, "TSC", 0, 0},
    {0x80003, "APIC_BASE", 0, 1ul << 60},
    {0x8007a, "MTRR_FIX4K_F8000", 0, 2},
    {0x8007d, "DEBUGCTL", 0, 1},
    {0x80095, "TSC_DEADLINE", 0, 0},
    {0x80096, "TSC_ADJUST", 0, 0},
    {0x800a0, "MISC_ENABLE", 0, 1ul << 60},
    {0x84802, "APIC ID", 0, 0},
    {0x84830, "APIC ICR", 0, 0},
    {0x90011, "ICR", 0, 0},
    {0xa0011, "SVERSION", 0, 0},
    {0xa0014, "EOM", 0, 0},
    {0xd0020, "VsmVpWaitForTlbLock", 1, 2},
    {0xd0100, "IsolationCapabilities", 0, 0},
};
enum { SERVED = sizeof(served) / sizeof(served[0]) };

static struct {
    unsigned get, set, bad;
    uint64_t now;
} by_vtl1[SERVED];

static void try_served(uintptr_t unused)
{
    uint64_t was[2], now[2];
    (void)unused;
    for (unsigned i = 0; i < SERVED; i++) {
        uint32_t name = served[i].name;
        by_vtl1[i].get = vsm_get((uint32_t)SELF, LOWER, name, was);
        if (served[i].other != 0)
            by_vtl1[i].bad = vsm_set((uint32_t)SELF, LOWER, name, served[i].other, 0);
        if (served[i].value == 0)
            continue;
        by_vtl1[i].set = vsm_set((uint32_t)SELF, LOWER, name, served[i].value, 0);
        vsm_get((uint32_t)SELF, LOWER, name, now);
        by_vtl1[i].now = now[0];
        vsm_set((uint32_t)SELF, LOWER, name, was[0], was[1]);
    }
    status[0] = vsm_get((uint32_t)SELF, LOWER, 0x10006, was);
    status[1] = vsm_set((uint32_t)SELF, LOWER, 0x0, 1, 0);
    status[2] = vsm_set((uint32_t)SELF, LOWER, 0x90010, 0, 0);
    status[3] = vsm_set((uint32_t)SELF, LOWER, 0x90011, 0, 0);
    status[4] = vsm_set((uint32_t)SELF, LOWER, 0xa0014, 0, 0);
    status[5] = vsm_set((uint32_t)SELF, LOWER, 0x84830, 0, 0);
}

static void what_is_served(void)
{
    vsm_run(try_served, 0);
    for (unsigned i = 0; i < SERVED; i++) {
        is_u64(by_vtl1[i].get, HV_SUCCESS, "%s can be read", served[i].text);
        if (served[i].other != 0)
            is_u64(by_vtl1[i].bad, HV_INVALID_REGISTER_VALUE, "%s cannot be 0x%lx", served[i].text,
                   served[i].other);
        if (served[i].value == 0)
            continue;
        is_u64(by_vtl1[i].set, HV_SUCCESS, "%s can be set", served[i].text);
        is_u64(by_vtl1[i].now, served[i].value, "%s has the value", served[i].text);
    }
    is_u64(status[0], HV_INVALID_PARAMETER, "DeliverabilityNotifications is a parent's");
    is_u64(status[1], HV_INVALID_PARAMETER, "so is setting ExplicitSuspend");
    for (unsigned i = 2; i < 6; i++)
        is_u64(status[i], HV_INVALID_PARAMETER, "EOI, ICR and EOM are no registers: %u", i);
}

/* ---- Events ---- */

static void set_register(uintptr_t name_and_value)
{
    status[0] = vsm_set((uint32_t)SELF, LOWER, (uint32_t)(name_and_value >> 32),
                        (uint32_t)name_and_value, 0);
}

static void inject(uint32_t name, uint32_t value)
{
    struct vsm_level *level = vsm_level(0, 1);
    level->argument = (uint64_t)name << 32 | value;
    level->function = set_register;
}

#define VTL_CALL "xor %%eax, %%eax; mov $0x11, %%ecx; vmcall; nop; nop"

static void events(void)
{
    struct fault f;
    unsigned long dr6;

    inject(PENDING_INTERRUPTION, 1 | 3 << 1 | 6 << 16);
    f = TRY(VTL_CALL, : : : "rax", "rcx", "memory");
    is_u64(status[0], HV_SUCCESS, "an exception as PendingInterruption");
    is_fault(f, UD, 0, "which VTL0 takes");
    inject(PENDING_INTERRUPTION, 1 | 0 << 1 | 0x55 << 16);
    f = TRY(VTL_CALL, : : : "rax", "rcx", "memory");
    is_u64(status[0], HV_INVALID_REGISTER_VALUE, "an interrupt while VTL0 has IF clear");
    inject(PENDING_INTERRUPTION, 1 | 3 << 1 | 13 << 16);
    f = TRY(VTL_CALL, : : : "rax", "rcx", "memory");
    is_u64(status[0], HV_INVALID_REGISTER_VALUE, "#GP without its error code");
    inject(PENDING_INTERRUPTION, 1 | 3 << 1 | 1 << 4 | 6 << 16);
    f = TRY(VTL_CALL, : : : "rax", "rcx", "memory");
    is_u64(status[0], HV_INVALID_REGISTER_VALUE, "#UD with one");
    inject(PENDING_INTERRUPTION, 1 | 4 << 1 | 3 << 16);
    f = TRY(VTL_CALL, : : : "rax", "rcx", "memory");
    is_u64(status[0], HV_INVALID_REGISTER_VALUE, "a software interrupt of no length");
    is_no_fault(f, "VTL0 heard of none of these");
    asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
    inject(PENDING_DEBUG, 1 << 4);
    f = TRY(VTL_CALL, : : : "rax", "rcx", "memory");
    is_u64(status[0], HV_SUCCESS, "a step as PendingDebugException");
    is_fault(f, DB, 0, "which VTL0 takes");
    asm volatile("mov %%dr6, %0" : "=r"(dr6));
    is_u64(dr6 & (1 << 14 | 0xf), 1 << 14, "DR6.BS says so");
    asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
}

/* ---- States that make no sense ---- */

static struct hv_assignment one(uint32_t name, uint64_t low, uint64_t high)
{
    return (struct hv_assignment){.name = name, .value = {low, high}};
}

static uint64_t result;
static struct hv_assignment list[VSM_SET_MAX];
static unsigned listed;
static uint64_t before[2], after[2];

static void set_list(uintptr_t unused)
{
    (void)unused;
    vsm_get((uint32_t)SELF, LOWER, list[0].name, before);
    result = vsm_set_all((uint32_t)SELF, LOWER, list, listed);
    vsm_get((uint32_t)SELF, LOWER, list[0].name, after);
}

/* VTL0 goes on, and its register is as it was. */
#define REFUSED(what, ...)                                                                         \
    do {                                                                                           \
        const struct hv_assignment list_[] = {__VA_ARGS__};                                        \
        listed = sizeof(list_) / sizeof(list_[0]);                                                 \
        memcpy(list, list_, sizeof(list_));                                                        \
        vsm_run(set_list, 0);                                                                      \
        is_u64(result, HV_INVALID_REGISTER_VALUE, "%s: refused", what);                            \
        ok(before[0] == after[0] && before[1] == after[1], "%s: nothing is changed", what);        \
    } while (0)

static void bad_values(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);

    REFUSED("RIP that is not canonical", one(REG_RIP, 1ul << 60, 0));
    REFUSED("RFLAGS without bit 1", one(REG_RFLAGS, 0, 0));
    REFUSED("RFLAGS.VM in long mode", one(REG_RFLAGS, 2 | FLAGS_VM, 0));
    REFUSED("CR0.PG without PE", one(REG_CR0, cr0 & ~(uint64_t)CR0_PE, 0));
    REFUSED("CR0.NW without CD", one(REG_CR0, cr0 | 1ul << 29, 0));
    REFUSED("no paging in long mode", one(REG_CR0, cr0 & ~(uint64_t)CR0_PG, 0));
    REFUSED("CR3 beyond the physical addresses", one(REG_CR3, 1ul << 60, 0));
    REFUSED("long mode without PAE", one(REG_CR4, cr4 & ~(uint64_t)CR4_PAE, 0));
    REFUSED("CR4.VMXE", one(REG_CR4, cr4 | CR4_VMXE, 0));
    REFUSED("EFER.LMA without LME", one(REG_EFER, efer & ~(uint64_t)EFER_LME, 0));
    REFUSED("EFER.LME and paging without LMA", one(REG_EFER, efer & ~(uint64_t)EFER_LMA, 0));
    REFUSED("XCR0 without x87", one(REG_XCR0, 2, 0));
    REFUSED("DR7 beyond 32 bits", one(REG_DR7, 1ul << 32, 0));
    REFUSED("CS with L and D", vsm_segment(REG_CS, 0, ~0u, SEL_CODE, 0xe09b));
    REFUSED("CS not present", vsm_segment(REG_CS, 0, ~0u, SEL_CODE, 0xa01b));
    REFUSED("CS with a reserved bit", vsm_segment(REG_CS, 0, ~0u, SEL_CODE, 0xa19b));
    REFUSED("CS at another CPL than SS", vsm_segment(REG_CS, 0, ~0u, SEL_CODE, 0xa0fb));
    REFUSED("SS of code", vsm_segment(REG_SS, 0, ~0u, SEL_DATA, 0xc09b));
    REFUSED("ES whose limit does not fit G", vsm_segment(REG_ES, 0, 0xffff0000, SEL_DATA, 0xc093));
    REFUSED("ES beyond 4 GiB", vsm_segment(REG_ES, 1ul << 40, ~0u, SEL_DATA, 0xc093));
    REFUSED("FS base not canonical", vsm_segment(REG_FS, 1ul << 60, ~0u, SEL_DATA, 0xc093));
    REFUSED("LDTR of a TSS", vsm_segment(REG_LDTR, 0, 0x67, 0x58, 0x8b));
    REFUSED("TR not busy", vsm_segment(REG_TR, 0, 0x67, SEL_TSS, 0x89));
    REFUSED("TR not there", vsm_segment(REG_TR, 0, 0x67, SEL_TSS, 0));
    REFUSED("TR in the LDT", vsm_segment(REG_TR, 0, 0x67, SEL_TSS | 4, 0x8b));
    REFUSED("IDTR not canonical", one(REG_IDTR, 0xffful << 48, 1ul << 60));
    REFUSED("GDTR not canonical", one(REG_GDTR, 0xffful << 48, 1ul << 60));
    REFUSED("an unknown bit of InterruptState", one(INTERRUPT_STATE, 4, 0));
    REFUSED("PAE paging with reserved bits in a PDPTE",
            vsm_segment(REG_CS, 0, ~0u, SEL_CODE32, 0xc09b), one(REG_EFER, 0, 0),
            one(REG_CR4, cr4, 0));
    REFUSED("good ones before and behind", one(REG_FS - 0x60004 + 0x20004, 0x1000, 0),
            vsm_segment(REG_CS, 0, ~0u, SEL_CODE, 0xa0fb), one(REG_DR7, 0x400, 0));

    /* A bad element after some that do not stand without their fellows. */
    list[0] = vsm_segment(REG_CS, 0, ~0u, SEL_CODE, 0xa0fb);
    list[1] = one(0x12345, 0, 0);
    listed = 2;
    vsm_run(set_list, 0);
    is_u64(result, HV_INVALID_PARAMETER, "an element that fails behind half a state");
    ok(before[0] == after[0] && before[1] == after[1], "takes that back");
    list[0] = one(0x40001, 0x1230, 0);
    vsm_run(set_list, 0);
    is_u64(result, HV_INVALID_PARAMETER | 1ul << 32, "what stands stays, and counts");
    is_u64(after[0], 0x1230, "as the register says");
}

/* ---- States that make sense as a whole only ---- */

static void set_and_back(uintptr_t unused)
{
    const struct hv_assignment users[] = {vsm_segment(REG_CS, 0, ~0u, SEL_USER_CODE, 0xa0fb),
                                          vsm_segment(REG_SS, 0, ~0u, SEL_USER_DATA, 0xc0f3)};
    const struct hv_assignment kernel[] = {vsm_segment(REG_SS, 0, ~0u, SEL_DATA, 0xc093),
                                           vsm_segment(REG_CS, 0, ~0u, SEL_CODE, 0xa09b)};
    const struct hv_assignment real[] = {
        one(REG_EFER, 0, 0), one(REG_CR0, read_cr0() & ~(uint64_t)(CR0_PG | CR0_PE), 0),
        vsm_segment(REG_CS, 0, 0xffff, 0, 0x9b), one(REG_RIP, 0x1234, 0)};
    uint64_t rip[2];
    (void)unused;
    vsm_get((uint32_t)SELF, LOWER, REG_RIP, rip);
    const struct hv_assignment long_again[] = {
        one(REG_RIP, rip[0], 0), vsm_segment(REG_CS, 0, ~0u, SEL_CODE, 0xa09b),
        one(REG_CR0, read_cr0(), 0), one(REG_EFER, rdmsr(MSR_EFER), 0)};
    status[0] = vsm_set_all((uint32_t)SELF, LOWER, users, 2) & 0xffff;
    status[1] = vsm_set_all((uint32_t)SELF, LOWER, kernel, 2) & 0xffff;
    status[2] = vsm_set_all((uint32_t)SELF, LOWER, real, 4) & 0xffff;
    status[3] = vsm_set_all((uint32_t)SELF, LOWER, long_again, 4) & 0xffff;
}

static void wholes(void)
{
    vsm_run(set_and_back, 0);
    is_u64(status[0], HV_SUCCESS, "CS and SS at another CPL");
    is_u64(status[1], HV_SUCCESS, "and back, SS first");
    is_u64(status[2], HV_SUCCESS, "real mode");
    is_u64(status[3], HV_SUCCESS, "and long mode again");
}

/* ---- Arbitrary states: VTL0 runs with each that is taken, until its first fetch ---- */

static uint64_t seed = 0x9e3779b97f4a7c15;

/* xorshift64*, by its description. */
static uint64_t random(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * 0x2545f4914f6cdd1d;
}

static const uint32_t names[] = {0x60000,  0x60001,    0x60002, 0x60003,        0x60004,
                                 0x60005,  REG_LDTR,   REG_TR,  REG_CR0,        REG_CR4,
                                 REG_EFER, REG_RFLAGS, REG_DR7, INTERRUPT_STATE};
enum { NAMES = sizeof(names) / sizeof(names[0]) };
static struct hv_assignment good[NAMES + 2];
static uint8_t *messages;
static volatile unsigned fetches, taken, refused, odd;

static void on_intercept(struct trap_frame *frame)
{
    (void)frame;
    fetches++;
    *(volatile uint32_t *)messages = 0;
    lapic_eoi();
}

/* Bits that are changed; FLAGS_TF and another CPL would take VTL0 elsewhere than to its fetch. */
static struct hv_assignment some(const struct hv_assignment *from)
{
    struct hv_assignment a = *from;
    for (unsigned bits = 1 + random() % 3; bits > 0; bits--)
        a.value[0] ^= 1ul << (random() & 63);
    if (a.name >= 0x60000 && a.name <= REG_TR) {
        a = *from;
        a.value[1] ^= 1ul << (48 + (random() & 15));
        if (random() & 1)
            a.value[1] ^= 1ul << (random() & 63);
        if (a.name == REG_CS || a.name == REG_TR)
            a.value[1] = (a.value[1] & ~0xfffffffful) | (from->value[1] & 0xffffffff);
    }
    if (a.name == REG_RFLAGS)
        a.value[0] &= ~(uint64_t)(FLAGS_TF | FLAGS_IF);
    return a;
}

static uint64_t read_one(uint32_t name)
{
    uint64_t value[2];
    vsm_get((uint32_t)SELF, LOWER, name, value);
    return value[0];
}

/* Whether the state ends at the fetch and not in a fault that VTL0 cannot handle. */
static bool is_tame(void)
{
    uint64_t ss[2], cr0 = read_one(REG_CR0), efer = read_one(REG_EFER);
    vsm_get((uint32_t)SELF, LOWER, REG_SS, ss);
    return !(ss[1] >> 48 & 0x60) && (!(cr0 & CR0_PG) || efer & EFER_LMA) &&
           !(read_one(REG_RFLAGS) & FLAGS_VM);
}

static void vtl_return(void)
{
    uint64_t rax = 1, rcx = HV_CALL_VTL_RETURN;
    asm volatile("vmcall" : "+a"(rax), "+c"(rcx) : : "memory");
    sti_nop();
    cli();
}

static void arbitrary(uintptr_t unused)
{
    uint64_t value[2];
    (void)unused;
    messages = vsm_use_synic();
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
    status[0] = vsm_set((uint32_t)SELF, 0, PARTITION_CONFIG, 1 | (VSM_R | VSM_W) << 1 | 1 << 5, 0);
    for (unsigned i = 0; i < NAMES + 2; i++) {
        good[i].name = i < NAMES    ? names[i]
                       : i == NAMES ? (uint32_t)REG_RIP
                                    : (uint32_t)PENDING_DEBUG;
        vsm_get((uint32_t)SELF, LOWER, good[i].name, value);
        good[i].value[0] = value[0];
        good[i].value[1] = value[1];
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct hv_assignment bad[3];
        unsigned count = 1 + random() % 3;
        for (unsigned i = 0; i < count; i++)
            bad[i] = some(&good[random() % NAMES]);
        uint64_t seen = vsm_set_all((uint32_t)SELF, LOWER, bad, count);
        if ((seen & 0xffff) == HV_SUCCESS && is_tame()) {
            unsigned before_ = fetches;
            taken++;
            vtl_return();
            odd += fetches != before_ + 1;
        } else if ((seen & 0xffff) == HV_INVALID_REGISTER_VALUE) {
            refused++;
        } else {
            odd += (seen & 0xffff) != HV_SUCCESS;
        }
        odd += (vsm_set_all((uint32_t)SELF, LOWER, good, NAMES + 2) & 0xffff) != HV_SUCCESS;
    }
    is_u64(status[0], HV_SUCCESS, "VTL0 may execute nothing");
    in_range(taken, ROUNDS / 10, ROUNDS, "arbitrary states that were taken");
    in_range(refused, ROUNDS / 10, ROUNDS, "arbitrary states that were refused");
    is_u64(odd, 0, "each that was taken ran, up to its first fetch");
    finish();
}

void test_main(void)
{
    vsm_begin();
    vsm_enable(1);
    what_is_served();
    events();
    bad_values();
    wholes();
    vsm_run(arbitrary, 0);
}
