/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions of features that CPUID hides fault as on a processor without them, those it shows
   work. */
#include "tests/guest/guest.h"

enum {
    LEAF1_ECX_RDRAND = 1 << 30,
    LEAF7_EBX_RDSEED = 1 << 18,
    LEAF7_EBX_INVPCID = 1 << 10,
    LEAF7_ECX_RDPID = 1 << 22,
};

static uint64_t region[PAGE_SIZE / 8] __attribute__((aligned(4096)));
static uint64_t descriptor[2];

/* Without CR4.VMXE, which cannot be set, every VMX instruction is undefined. */
static void vmx(void)
{
    uint64_t address = (uintptr_t)region;
    is_fault(TRY("vmxon %0", : : "m"(address) : "cc"), UD, 0, "VMXON");
    is_fault(TRY("vmxoff", : : : "cc"), UD, 0, "VMXOFF");
    is_fault(TRY("vmclear %0", : : "m"(address) : "cc"), UD, 0, "VMCLEAR");
    is_fault(TRY("vmptrld %0", : : "m"(address) : "cc"), UD, 0, "VMPTRLD");
    is_fault(TRY("vmptrst %0", : "=m"(address) : : "cc"), UD, 0, "VMPTRST");
    is_fault(TRY("vmread %1, %0", : "=r"(address) : "r"(0ul) : "cc"), UD, 0, "VMREAD");
    is_fault(TRY("vmwrite %1, %0", : : "r"(0ul), "r"(0ul) : "cc"), UD, 0, "VMWRITE");
    is_fault(TRY("vmlaunch", : : : "cc"), UD, 0, "VMLAUNCH");
    is_fault(TRY("vmresume", : : : "cc"), UD, 0, "VMRESUME");
    is_fault(TRY("invept %0, %1", : : "m"(descriptor), "r"(1ul) : "cc"), UD, 0, "INVEPT");
    is_fault(TRY("invvpid %0, %1", : : "m"(descriptor), "r"(1ul) : "cc"), UD, 0, "INVVPID");
    is_fault(TRY("vmfunc", : : "a"(0), "c"(0)), UD, 0, "VMFUNC");
}

/* By the leaves that CPUID shows behind Lapwing's own, VMCALL is KVM's. */
static void vmcall(void)
{
    enum { KVM_HC_CLOCK_PAIRING = 9, KVM_ENOSYS = 1000 };
    long rax = KVM_HC_CLOCK_PAIRING;
    is_no_fault(TRY("vmcall", : "+a"(rax) : : "memory"), "VMCALL");
    is_u64((uint64_t)rax, (uint64_t)-KVM_ENOSYS, "VMCALL says that there is no such hypercall");
}

static void others(void)
{
    is_fault(TRY("monitor", : : "a"(region), "c"(0), "d"(0)), UD, 0, "MONITOR");
    is_fault(TRY("mwait", : : "a"(0), "c"(0)), UD, 0, "MWAIT");
    is_fault(TRY("getsec", : : "a"(0)), UD, 0, "GETSEC");
    is_fault(TRY(".byte 0x0f, 0x01, 0xcf", : : "a"(0) : "memory"), UD, 0, "ENCLS");
    is_fault(TRY(".byte 0x0f, 0x01, 0xc5", : : "a"(0) : "memory"), UD, 0, "PCONFIG");
    is_fault(TRY("rsm", :), UD, 0, "RSM outside SMM");
    is_fault(TRY("rdpmc", : : "c"(0) : "eax", "edx"), GP, 0, "RDPMC without counters");
    is_fault(TRY("rdpmc", : : "c"(1 << 30) : "eax", "edx"), GP, 0, "RDPMC of a fixed counter");
}

static void as_cpuid_says(bool offered, struct fault fault, const char *name)
{
    if (offered)
        is_no_fault(fault, "%s, which CPUID shows", name);
    else
        is_fault(fault, UD, 0, "%s, which CPUID hides", name);
}

static void shown_or_hidden(void)
{
    struct cpuid leaf7 = cpuid(7, 0), xsave1 = cpuid(0xd, 1);
    uint64_t value;
    as_cpuid_says(cpuid(1, 0).ecx & LEAF1_ECX_RDRAND,
                  TRY("rdrand %0",
                      : "=r"(value)
                      :
                      : "cc"),
                  "RDRAND");
    as_cpuid_says(leaf7.ebx & LEAF7_EBX_RDSEED, TRY("rdseed %0", : "=r"(value) : : "cc"), "RDSEED");
    as_cpuid_says(leaf7.ebx & LEAF7_EBX_INVPCID,
                  TRY("invpcid %0, %1",
                      :
                      : "m"(descriptor), "r"(2ul)
                      : "memory"),
                  "INVPCID");
    as_cpuid_says(leaf7.ecx & LEAF7_ECX_RDPID, TRY("rdpid %0", : "=r"(value)), "RDPID");
    as_cpuid_says(xsave1.eax & 1 << 3,
                  TRY("xsaves %0",
                      : "=m"(region)
                      : "a"(0), "d"(0)
                      : "memory"),
                  "XSAVES");
}

void test_main(void)
{
    vmx();
    vmcall();
    others();
    shown_or_hidden();
}
