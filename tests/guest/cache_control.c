/* SPDX-License-Identifier: BSD-2-Clause */
/* INVD and WBINVD run, lose nothing, and are for CPL 0 only. */
#include "tests/guest/guest.h"

static volatile uint64_t memory;

static void user_wbinvd(uintptr_t unused)
{
    (void)unused;
    asm volatile("wbinvd");
}

static void user_invd(uintptr_t unused)
{
    (void)unused;
    asm volatile("invd");
}

void test_main(void)
{
    memory = 0x1122334455667788;
    is_no_fault(TRY("wbinvd", : : : "memory"), "WBINVD");
    is_u64(memory, 0x1122334455667788, "memory is intact after WBINVD");
    is_no_fault(TRY("invd", : : : "memory"), "INVD");
    is_u64(memory, 0x1122334455667788, "memory is intact after INVD");
    allow_user();
    is_fault(enter_user(user_wbinvd, 0), GP, 0, "WBINVD at CPL 3");
    is_fault(enter_user(user_invd, 0), GP, 0, "INVD at CPL 3");
}
