/* SPDX-License-Identifier: BSD-2-Clause */
/* A Multiboot guest that is an ELF64 file is loaded where its segments say. */
#include "tests/guest/guest.h"

static volatile uint32_t in_data = 0x12345678;
static volatile uint32_t in_bss[2000];

void test_main(void)
{
    is_u64(boot_magic, 0x2badb002, "EAX holds the magic number");
    is_u64(in_data, 0x12345678, "initialized data is there");
    is_u64(in_bss[1999], 0, "the rest is zero");
}
