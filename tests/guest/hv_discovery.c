// hyperv: on
// vcpus: 2
/*
 * What a guest learns of Hyper-V's interface before it uses it: leaves, identity, hypercall page.
 */
#include "tests/guest/lib/hv.h"
#include "tests/guest/lib/smp.h"

static void leaves(void)
{
    struct cpuid vendor = cpuid(0x40000000, 0);
    struct cpuid interface = cpuid(0x40000001, 0);
    struct cpuid features = cpuid(0x40000003, 0);
    struct cpuid own = cpuid(0x40000100, 0);

    in_range(vendor.eax, 0x40000006, 0x4000007f, "the highest leaf");
    ok(memcmp(&vendor.ebx, "Micr", 4) == 0 && memcmp(&vendor.ecx, "osof", 4) == 0 &&
           memcmp(&vendor.edx, "t Hv", 4) == 0,
       "the vendor");
    is_u64(interface.eax, 0x31237648, "the interface is Hv#1");
    is_u64(features.eax, 0xafe, "privileges: clock, SynIC, timers, APIC, hypercalls, VP index");
    is_u64(features.ebx, 0x2a8030, "messages, events, VP registers, starting processors; no VSM");
    is_u64(features.ecx, 0, "no power states");
    is_u64(features.edx, 0xec510, "XMM parameters, frequencies, crash, polling, direct timers");
    is_u64(cpuid(0x40000004, 0).eax, 0xe24, "recommendations");
    is_u64(cpuid(0x40000004, 0).ebx, 0xffffffff, "no notification of spinning");
    is_u64(cpuid(0x40000004, 0).ecx, cpuid(0x80000008, 0).eax & 0xff, "physical address bits");
    is_u64(cpuid(0x40000005, 0).eax, 4096, "as many processors as a VM can have");
    is_u64(cpuid(0x40000006, 0).eax, 0x2000a, "the hardware that is used");
    is_u64(cpuid(0x40000007, 0).eax | cpuid(0x4000000a, 0).eax | cpuid(0x4000000c, 0).eax, 0,
           "nothing of the root's, of nesting, of isolation");
    is_u64(cpuid(0x40000002, 0).eax, 20348, "the build of Windows Server 2022");
    is_u64(cpuid(0x40000081, 0).eax, 0x31235356, "the virtualization stack is VS#1");
    is_u64(cpuid(0x40000082, 0).eax, 4, "with 15 bits of interrupt destination");
    is_u64(own.eax, 0x40000111, "Lapwing's own leaves come behind");
    ok(memcmp(&own.ebx, "Lapw", 4) == 0, "with its name");
    is_u64(cpuid(0x40000200, 0).eax, 0, "there are no leaves of KVM's");
}

static void identity(void)
{
    uint64_t value = 1;

    is_no_fault(try_rdmsr(HV_MSR_GUEST_OS_ID, &value), "the guest's identity can be read");
    is_u64(value, 0, "and is 0 at first");
    is_fault(TRY("vmcall",
                 :
                 : "c"(8), "d"(0ul), "a"(0ul)
                 : "memory"),
             UD, 0, "a hypercall without an identity");
    is_no_fault(try_wrmsr(HV_MSR_HYPERCALL, (uintptr_t)page_alloc() | 1),
                "enabling the hypercall page without an identity");
    is_u64(rdmsr(HV_MSR_HYPERCALL) & 1, 0, "has no effect");
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    is_u64(rdmsr(HV_MSR_GUEST_OS_ID), HV_TEST_OS_ID, "the identity sticks");
}

/* A byte of memory as a fetch would see it. */
static uint8_t byte_at(const void *at)
{
    return *(const volatile uint8_t *)at;
}

static void page(void)
{
    uint8_t *a = page_alloc(), *b = page_alloc();

    memset(a, 0x5a, PAGE_SIZE);
    memset(b, 0xa5, PAGE_SIZE);
    wrmsr(HV_MSR_HYPERCALL, (uintptr_t)a | 1);
    is_u64(rdmsr(HV_MSR_HYPERCALL), (uintptr_t)a | 1, "the hypercall page is enabled");
    ok(byte_at(a) == 0x0f && byte_at(a + 1) == 0x01 && byte_at(a + 2) == 0xc1 &&
           byte_at(a + 3) == 0xc3,
       "and begins with VMCALL, RET");
    is_fault(TRY("movb $0, (%0)", : : "r"(a) : "memory"), GP, 0, "a write to it");
    is_u64(byte_at(a), 0x0f, "which changes nothing");
    is_u64(hv_call_at(a, 8 | HV_FAST, 0, 0), 0, "a hypercall through it");
    wrmsr(HV_MSR_HYPERCALL, (uintptr_t)b | 1);
    ok(byte_at(a) == 0x5a && byte_at(a + PAGE_SIZE - 1) == 0x5a, "moved: what it hid is back");
    is_u64(byte_at(b), 0x0f, "and it is elsewhere");
    is_no_fault(TRY("movb $1, (%0)", : : "r"(a) : "memory"), "what it hid can be written");
    wrmsr(HV_MSR_HYPERCALL, (uintptr_t)b);
    is_u64(byte_at(b), 0xa5, "disabled: nothing is hidden");
    wrmsr(HV_MSR_HYPERCALL, (uintptr_t)b | 1);
    wrmsr(HV_MSR_GUEST_OS_ID, 0);
    is_u64(byte_at(b), 0xa5, "taking the identity back disables it");
    is_u64(rdmsr(HV_MSR_HYPERCALL), (uintptr_t)b, "and says so");
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    is_fault(try_wrmsr(HV_MSR_HYPERCALL, 1ull << 52 | 1), GP, 0,
             "a page beyond the physical address space");
    wrmsr(HV_MSR_HYPERCALL, 0xd0000000 | 1);
    is_u64(byte_at((void *)0xd0000000), 0x0f, "it may lie where there is no RAM");
    wrmsr(HV_MSR_HYPERCALL, (uintptr_t)b | 3);
    is_u64(rdmsr(HV_MSR_HYPERCALL), (uintptr_t)b | 3, "it can be locked");
    is_fault(try_wrmsr(HV_MSR_HYPERCALL, (uintptr_t)a | 1), GP, 0, "then it does not move");
    is_fault(try_wrmsr(HV_MSR_HYPERCALL, (uintptr_t)b | 3), GP, 0, "not even to where it is");
    wrmsr(HV_MSR_GUEST_OS_ID, 0);
    is_u64(byte_at(b), 0x0f, "and outlives the identity");
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
}

static volatile uint64_t other_os_id, other_index;

static void look(uintptr_t argument)
{
    (void)argument;
    other_os_id = rdmsr(HV_MSR_GUEST_OS_ID);
    other_index = rdmsr(HV_MSR_VP_INDEX);
}

static void processors(void)
{
    is_u64(rdmsr(HV_MSR_VP_INDEX), 0, "the boot processor's index");
    is_fault(try_wrmsr(HV_MSR_VP_INDEX, 0), GP, 0, "which cannot be written");
    smp_start();
    cpu_call(cpus[1], look, 0);
    is_u64(other_index, 1, "the other's");
    is_u64(other_os_id, HV_TEST_OS_ID, "the identity is the partition's");
}

void test_main(void)
{
    leaves();
    identity();
    page();
    processors();
}
