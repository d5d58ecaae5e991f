/* SPDX-License-Identifier: BSD-2-Clause */
/* Who goes back to the firmware's entry resets the machine. */
// expect: reset
#include "tests/guest/guest.h"

enum { REAL_CODE = 0x8000 };

extern const char real_code[];
extern const uint32_t real_code_size;

void to_reset_vector(void);

void test_main(void)
{
    plan(1);
    ok(true, "about to jump to F000:FFF0");
    memcpy((void *)REAL_CODE, real_code, real_code_size);
    to_reset_vector();
    ok(false, "the guest still runs");
}
