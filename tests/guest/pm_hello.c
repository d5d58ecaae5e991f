/* SPDX-License-Identifier: BSD-2-Clause */
/* A 32-bit guest starts as Multiboot says: protected mode, no paging, and stays there. */
#include "tests/guest/guest.h"

void test_main(void)
{
    is_u64(boot_magic, 0x2badb002, "EAX holds the Multiboot loader's magic number");
    is_u64(read_cr0() & (CR0_PE | CR0_PG), CR0_PE, "protection is on, paging is off");
    is_u64(rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA), 0, "long mode is off");
    is_fault(TRY("ud2", :), UD, 0, "UD2 raises #UD");
}
