/* SPDX-License-Identifier: BSD-2-Clause */
// apic_ids: 0, 5, 0x3f, 0x40, 0x123
// apic: yes
/* KVM's hypercall that sends an IPI to all whose bits are set: Linux,
   Documentation/virt/kvm/x86/hypercalls.rst, KVM_HC_SEND_IPI. */
#include "tests/guest/lib/smp.h"

enum {
    KVM_HC_SEND_IPI = 10,
    KVM_EINVAL = 22,
    VECTOR = 0x61,
};

static long send(uint64_t bits, uint64_t next_bits, uint32_t lowest, uint32_t icr)
{
    long rax = KVM_HC_SEND_IPI;
    asm volatile("vmcall"
                 : "+a"(rax)
                 : "b"(bits), "c"(next_bits), "d"((uint64_t)lowest), "S"((uint64_t)icr)
                 : "memory");
    return rax;
}

static unsigned number_of(uint64_t mask)
{
    unsigned n = 0;
    for (; mask != 0; mask &= mask - 1)
        n++;
    return n;
}

/* Those in `mask`, by number, take it, and so many does the answer name. */
static void reaches(long answer, unsigned vector, uint64_t mask, const char *who)
{
    smp_sync();
    is_u64((uint64_t)answer, number_of(mask), "%s: the answer", who);
    ok(taken_by(vector, mask, 1), "%s take it", who);
}

static void refused(uint32_t icr, const char *what)
{
    is_u64((uint64_t)send(~0ul, ~0ul, 0, icr), (uint64_t)-KVM_EINVAL, "%s is refused", what);
    smp_sync();
    ok(taken_by(VECTOR, 0, 0), "and reaches nobody");
}

/* The last processor's ID is 23h in xAPIC mode. */
static void in_this_mode(uint64_t below_128)
{
    reaches(send(1, 0, 0, VECTOR), VECTOR, 1 << 0, "the sender");
    reaches(send(1ul << 5 | 1ul << 63, 1, 0, VECTOR), VECTOR, 7 << 1, "bits of both words");
    reaches(send(~0ul, ~0ul, 0, VECTOR), VECTOR, below_128, "all of 128 IDs");
    reaches(send(~0ul, ~0ul, 1, VECTOR), VECTOR, below_128 & ~1ul, "those from ID 1 on");
    reaches(send(1, 0, 0x40, VECTOR | ICR_NMI), NMI, 1 << 3, "NMIs");
    reaches(send(0, 0, 0, VECTOR), VECTOR, 0, "no bits");
    reaches(send(2, 0, 0, VECTOR), VECTOR, 0, "an ID that nobody has");
    reaches(send(~0ul, ~0ul, 0xfffffff0, VECTOR), VECTOR, 0, "IDs up to the last");
    refused(VECTOR | ICR_LOGICAL, "a logical destination");
    refused(VECTOR | ICR_ALL, "a shorthand");
    refused(ICR_INIT, "INIT");
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    set_handler(VECTOR, count_ipi);
    smp_start();
    in_this_mode(0x1f);
    cpu_call_all(to_x2apic, 0);
    in_this_mode(0xf);
    reaches(send(1ul << 3, 0, 0x120, VECTOR), VECTOR, 1 << 4, "an ID above 8 bits");
}
