// vcpus: 2
/* Without "hyperv = on" there is nothing of Hyper-V's interface. */
#include "tests/guest/lib/hv.h"

void test_main(void)
{
    uint64_t value;

    ok(cpuid(0x40000000, 0).ebx != 0x7263694d, "another vendor");
    ok(cpuid(0x40000001, 0).eax != 0x31237648, "no interface Hv#1");
    is_fault(try_rdmsr(HV_MSR_GUEST_OS_ID, &value), GP, 0, "reading GUEST_OS_ID");
    is_fault(try_wrmsr(HV_MSR_GUEST_OS_ID, 1), GP, 0, "writing it");
    is_fault(try_rdmsr(HV_MSR_VP_INDEX, &value), GP, 0, "VP_INDEX");
    is_fault(try_rdmsr(HV_MSR_TIME_REF_COUNT, &value), GP, 0, "TIME_REF_COUNT");
    is_fault(try_rdmsr(HV_MSR_SINT0, &value), GP, 0, "SINT0");
    uint64_t answer = 0;
    asm volatile("vmcall" : "+a"(answer) : "c"(8 | HV_FAST), "d"(0ul) : "memory");
    is_u64(answer, (uint64_t)-1000, "VMCALL is answered as KVM's: there is no such call");
}
