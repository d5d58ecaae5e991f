/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that VTL1 keeps from VTL0: each kind of access, and the message that tells VTL1 of it. */
// hyperv: on
// vtls: 2
#include "tests/guest/lib/vsm.h"

enum {
    REG_PARTITION_CONFIG = 0xd0007,
    REG_VP_STATUS = 0xd0003,
    REG_RIP = 0x20010,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    GPA_INTERCEPT = (int)0x80000001,
    LOOKED_AT = 16, /* pages */
};

struct gpa_intercept {
    uint32_t type;
    uint8_t size, flags;
    uint16_t reserved;
    uint64_t origin;
    uint32_t vp;
    uint8_t length_and_cr8, access;
    uint16_t state;
    struct hv_segment cs;
    uint64_t rip, rflags;
    uint32_t cache_type;
    uint8_t byte_count, info, tpr, reserved2;
    uint64_t gva, gpa;
    uint8_t bytes[16];
};
_Static_assert(sizeof(struct gpa_intercept) == 16 + 80, "message header and payload");

static uint8_t secrets[LOOKED_AT][PAGE_SIZE] __attribute__((aligned(2 << 20)));
static uint8_t *messages;
static volatile unsigned intercepts, kept;
static struct gpa_intercept seen[8];
static volatile uint32_t answer; /* the rights that the handler gives, or KEEP */
enum { KEEP = 0xffff, SKIP = 0xfffe };
static volatile uint64_t skip_to;

static void on_intercept(struct trap_frame *frame)
{
    struct gpa_intercept *slot = (void *)messages;
    (void)frame;
    if (slot->type == (uint32_t)GPA_INTERCEPT) {
        memcpy(&seen[intercepts % 8], slot, sizeof(*slot));
        intercepts++;
        if (answer == SKIP)
            vsm_set((uint32_t)HV_VP_SELF, HV_USE_TARGET_VTL | 0, REG_RIP, skip_to, 0);
        else if (answer != KEEP)
            vsm_protect((void *)(slot->gpa & -(uint64_t)PAGE_SIZE), 1, answer);
        *(volatile uint32_t *)&slot->type = 0;
        asm volatile("mfence" : : : "memory");
        if (slot->flags & 1)
            wrmsr(HV_MSR_EOM, 0);
    }
    lapic_eoi();
}

static volatile unsigned status[16];

static void start(uintptr_t unused)
{
    (void)unused;
    messages = vsm_use_synic();
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
    status[0] = vsm_protect(secrets[0], 1, VSM_NONE);
    status[1] = vsm_set((uint32_t)HV_VP_SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON | 1ul << 40, 0);
    status[2] = vsm_set((uint32_t)HV_VP_SELF, 0, REG_PARTITION_CONFIG, 1 | VSM_W << 1, 0);
    status[11] = vsm_set((uint32_t)HV_VP_SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON | 1 << 9, 0);
    status[12] = vsm_set((uint32_t)HV_VP_SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON | 1 << 12, 0);
    status[3] = vsm_set((uint32_t)HV_VP_SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0);
    status[4] = vsm_set((uint32_t)HV_VP_SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON & ~1u, 0);
    status[5] = vsm_protect(secrets[0], 1, VSM_W);
    status[6] = vsm_protect(secrets[0], 1, VSM_R | VSM_KX);
    status[7] = vsm_protect(secrets[0], 1, 1 << 4 | VSM_R);
    status[8] = vsm_protect((void *)0xd0000000, 1, VSM_R);
    status[9] = vsm_protect(messages, 1, VSM_R);
    status[10] = vsm_protect(secrets[0], 1, VSM_R | VSM_W);
}

static void protect(uintptr_t flags)
{
    status[0] = vsm_protect(secrets, LOOKED_AT, (uint32_t)flags);
}

static struct gpa_intercept expected(const void *address, unsigned access, unsigned long ip)
{
    return (struct gpa_intercept){
        .type = (uint32_t)GPA_INTERCEPT,
        .size = 80,
        .access = (uint8_t)access,
        .state = 1 << 2 | 1 << 4, /* CPL 0, PE, LMA, VTL0 */
        .cs = {0, 0xffffffff, SEL_CODE, 0xa09b},
        .rip = ip,
        .cache_type = 6,
        .byte_count = access == 2 ? 0 : 16,
        .info = 3,
        .gva = (uintptr_t)address,
        .gpa = (uintptr_t)address,
    };
}

static void compare(const void *address, unsigned access, const char *ip, const char *what)
{
    struct gpa_intercept *s = &seen[(intercepts - 1) % 8];
    struct gpa_intercept e = expected(address, access, (unsigned long)ip);
    e.rflags = s->rflags;
    if (access != 2)
        memcpy(e.bytes, ip, 16);
    const uint8_t *a = (const void *)s, *b = (const void *)&e;
    unsigned at = 0;
    while (at < sizeof(e) && a[at] == b[at])
        at++;
    is_u64(at, sizeof(e), "%s: the message, byte for byte", what);
    ok((s->rflags & (2 | FLAGS_IF)) == 2, "%s: RFLAGS", what);
}

static unsigned intercepts_before;
#define EXPECT(n, what) is_u64(intercepts - intercepts_before, n, what)

static void accesses(void)
{
    uint8_t *page = secrets[3];
    uint64_t value = 0;
    const char *ip;
    answer = VSM_R | VSM_W;

    vsm_run(protect, VSM_NONE);
    is_u64(status[0], HV_SUCCESS, "16 pages without any access");
    intercepts_before = intercepts;
    asm volatile("lea 1f(%%rip), %0\n1: mov (%2), %1"
                 : "=&r"(ip), "=r"(value)
                 : "r"(page)
                 : "memory");
    EXPECT(1, "a read is intercepted");
    is_u64(value, 0x5a5a5a5a5a5a5a5a, "and has its value once it is allowed");
    compare(page, 0, ip, "read");

    vsm_run(protect, VSM_R);
    intercepts_before = intercepts;
    asm volatile("lea 1f(%%rip), %0\n1: movb $7, 5(%1)" : "=&r"(ip) : "r"(page) : "memory");
    EXPECT(1, "a write to a page that can be read is intercepted");
    is_u64(page[5], 7, "and done once it is allowed");
    compare(page + 5, 1, ip, "write");
    page[5] = 0x5a;

    intercepts_before = intercepts;
    vsm_run(protect, VSM_R | VSM_W);
    secrets[4][0] = 0xc3;
    answer = VSM_RWX;
    ((void (*)(void))secrets[4])();
    EXPECT(1, "a fetch from a page that cannot be executed is intercepted");
    compare(secrets[4], 2, (const char *)secrets[4], "fetch");

    vsm_run(protect, VSM_NONE);
    answer = VSM_R | VSM_W;
    intercepts_before = intercepts;
    asm volatile("mov (%1), %0" : "=r"(value) : "r"(secrets[6] - 4) : "memory");
    EXPECT(2, "a read across two pages is intercepted on both");
    is_u64(value, 0x5a5a5a5a5a5a5a5a, "and has its value");

    vsm_run(protect, VSM_NONE);
    intercepts_before = intercepts;
    void *to = secrets[10] - 8, *from = secrets[12] - 8;
    unsigned long count = 16;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    EXPECT(4, "a string copy over two pages each is intercepted on all four");
    is_u64(count, 0, "and comes to its end");
}

static void refuse(void)
{
    uint64_t value = 0x1234;
    vsm_run(protect, VSM_NONE);
    answer = SKIP;
    intercepts_before = intercepts;
    asm volatile("lea 1f(%%rip), %%rax\n\t"
                 "mov %%rax, %1\n\t"
                 "mov (%2), %0\n"
                 "1:"
                 : "+r"(value), "=m"(skip_to)
                 : "r"(secrets[2])
                 : "rax", "memory");
    EXPECT(1, "VTL1 can skip the access");
    is_u64(value, 0x1234, "which then has no effect");
}

/* What the hypervisor does for VTL0 obeys the same rules. */
static void by_the_hypervisor(void)
{
    struct vp_in {
        uint64_t partition;
        uint32_t vp, vtl, names[4];
    } *in = (void *)secrets[1];
    vsm_run(protect, VSM_R | VSM_W);
    memset(in, 0, sizeof(*in));
    in->partition = HV_SELF;
    in->vp = (uint32_t)HV_VP_SELF;
    in->names[0] = REG_VP_STATUS;
    uint64_t *out = page_alloc();
    vsm_run(protect, VSM_NONE);
    answer = VSM_R | VSM_W;
    intercepts_before = intercepts;
    is_u64(hv_call(HV_CALL_GET_VP_REGISTERS | HV_REPS(1), (uintptr_t)in, (uintptr_t)out) & 0xffff,
           HV_SUCCESS, "a hypercall whose input is protected, once it is allowed");
    EXPECT(1, "it was intercepted");
    is_u64(out[0], 3ul << 16, "VTL0 is active, both are enabled");
    vsm_run(protect, VSM_R);
    intercepts_before = intercepts;
    is_u64(hv_call(HV_CALL_GET_VP_REGISTERS | HV_REPS(1), (uintptr_t)in, (uintptr_t)secrets[2]) &
               0xffff,
           HV_SUCCESS, "a hypercall whose output is protected, once it is allowed");
    EXPECT(1, "it was intercepted");

    vsm_run(protect, VSM_R);
    intercepts_before = intercepts;
    const void *from = (void *)0xfee00030;
    void *to = secrets[7];
    asm volatile("movsl" : "+D"(to), "+S"(from) : : "memory");
    EXPECT(1, "a string copy from a device to a protected page is intercepted");

    vsm_run(protect, VSM_NONE);
    intercepts_before = intercepts;
    to = secrets[8];
    asm volatile("insb" : "+D"(to) : "d"(0xea) : "memory");
    EXPECT(1, "INS to a protected page is intercepted");
    from = secrets[9];
    asm volatile("outsb" : "+S"(from) : "d"(0xea) : "memory");
    EXPECT(2, "OUTS from a protected page is intercepted");

    /* An overlay page does not take the protection away. */
    vsm_run(protect, VSM_NONE);
    wrmsr(HV_MSR_HYPERCALL, (uintptr_t)secrets[0] | 1);
    is_u64(secrets[0][0], 0x0f, "an overlay hides a protected page");
    wrmsr(HV_MSR_HYPERCALL, 0);
    intercepts_before = intercepts;
    is_u64(secrets[0][0], 0x5a, "what it hid comes back");
    EXPECT(1, "and is as protected as before");
}

void test_main(void)
{
    memset(secrets, 0x5a, sizeof(secrets));
    vsm_begin();
    is_u64(vsm_protect(secrets, 1, VSM_R), HV_INVALID_PARAMETER, "VTL0 protects nothing");
    vsm_enable(1);
    vsm_run(start, 0);
    is_u64(status[0], HV_ACCESS_DENIED, "a mask before protection is enabled");
    is_u64(status[1], HV_INVALID_REGISTER_VALUE, "a reserved bit of the configuration");
    is_u64(status[11], HV_INVALID_REGISTER_VALUE, "InterceptVpStartup");
    is_u64(status[12], HV_INVALID_REGISTER_VALUE, "the intercept page");
    is_u64(status[2], HV_INVALID_REGISTER_VALUE, "a default mask without read access");
    is_u64(status[3], HV_SUCCESS, "enabling protection");
    is_u64(status[4], HV_INVALID_REGISTER_VALUE, "disabling it");
    is_u64(status[5], HV_INVALID_REGISTER_VALUE, "write without read access");
    is_u64(status[6], HV_INVALID_REGISTER_VALUE, "kernel without user execution");
    is_u64(status[7], HV_INVALID_REGISTER_VALUE, "an unknown flag");
    is_u64(status[8], HV_INVALID_PARAMETER, "a page that is not RAM");
    is_u64(status[9], HV_INVALID_PARAMETER, "an overlay page");
    is_u64(status[10], HV_SUCCESS, "a page of RAM");
    accesses();
    refuse();
    by_the_hypervisor();
}
