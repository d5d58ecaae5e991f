/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest test: a Multiboot guest starts, prints, and ends with the exit code for "passed". */
#include "tests/guest/guest.h"

void test_main(void)
{
    plan(1);
    is_u64(boot_magic, 0x2badb002, "EAX holds the Multiboot loader's magic number");
}
