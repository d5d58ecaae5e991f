/* SPDX-License-Identifier: BSD-2-Clause */
// apic_ids: 40
/* Outside 64-bit mode a word of KVM_HC_SEND_IPI's bits is a register of 32: Linux,
   Documentation/virt/kvm/x86/hypercalls.rst. */
#include "tests/guest/guest.h"

enum { KVM_HC_SEND_IPI = 10, VECTOR = 0x61 };

static unsigned taken;

static void take(struct trap_frame *frame)
{
    (void)frame;
    taken++;
    lapic_eoi();
}

static long send(uint32_t bits, uint32_t next_bits, uint32_t lowest)
{
    long eax = KVM_HC_SEND_IPI;
    asm volatile("vmcall"
                 : "+a"(eax)
                 : "b"(bits), "c"(next_bits), "d"(lowest), "S"(VECTOR)
                 : "memory");
    return eax;
}

void test_main(void)
{
    set_handler(VECTOR, take);
    lapic_enable();
    sti();
    is_u64((uint64_t)send(0, 1, 8), 1, "bit 0 of the second word stands for the ID 32 further on");
    is_u64(taken, 1, "the interrupt comes");
    is_u64((uint64_t)send(~0u, ~1u, 8), 0, "no other bit does");
    is_u64(taken, 1, "nothing comes");
}
